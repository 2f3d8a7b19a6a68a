/* The ledger against a naive model that keeps everything: whatever the order of publishes, acks and
 * progress, never a position beyond what is acked, and all of it once all is acked. */
#include "cdc/ledger.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { MODEL_MAX = 100000, STEPS = 60000 };

static cdc_ledger *ledger_new(uint64_t sequence, core_lsn lsn) {
    cdc_ledger *ledger = calloc(1, sizeof *ledger);
    const cdc_ledger_entry stored = {.sequence = sequence, .shown_lsn = lsn, .safe_lsn = lsn};
    assert_non_null(ledger);
    cdc_ledger_init(ledger, &stored);
    return ledger;
}

static void publish(cdc_ledger *ledger, uint64_t sequence, core_lsn shown, core_lsn safe) {
    const cdc_ledger_entry entry = {.sequence = sequence, .shown_lsn = shown, .safe_lsn = safe};
    cdc_ledger_publish(ledger, &entry);
}

static void nothing_is_safe_before_its_ack(void **state) {
    (void)state;
    cdc_ledger *ledger = ledger_new(10, 100);
    publish(ledger, 11, 200, 200);
    publish(ledger, 12, 300, 290);
    assert_int_equal(ledger->acked.safe_lsn, 100);
    cdc_ledger_ack(ledger, 10);
    assert_int_equal(ledger->acked.safe_lsn, 100);
    cdc_ledger_ack(ledger, 11);
    assert_int_equal(ledger->acked.safe_lsn, 200);
    assert_false(cdc_ledger_settled(ledger));
    cdc_ledger_ack(ledger, 12);
    assert_int_equal(ledger->acked.shown_lsn, 300);
    assert_int_equal(ledger->acked.safe_lsn, 300);
    assert_true(cdc_ledger_settled(ledger));
    free(ledger);
}

static void progress_waits_for_what_was_published_before_it(void **state) {
    (void)state;
    cdc_ledger *ledger = ledger_new(0, 0);
    cdc_ledger_progress(ledger, 50); /* nothing outstanding: holds at once */
    assert_int_equal(ledger->acked.safe_lsn, 50);
    assert_int_equal(ledger->acked.shown_lsn, 0);
    publish(ledger, 1, 60, 60);
    cdc_ledger_progress(ledger, 70);
    publish(ledger, 2, 80, 80);
    assert_int_equal(ledger->acked.safe_lsn, 50);
    cdc_ledger_ack(ledger, 1);
    assert_int_equal(ledger->acked.safe_lsn, 70);
    assert_int_equal(ledger->acked.shown_lsn, 60);
    free(ledger);
}

static void a_publish_in_mid_transaction_confirms_only_what_is_whole(void **state) {
    (void)state;
    cdc_ledger *ledger = ledger_new(0, 100);
    publish(ledger, 1, 150, 100); /* rows of the transaction that commits at 150, not its last */
    cdc_ledger_ack(ledger, 1);
    /* The tail shows that all before that commit is whole; its own end (160) is not claimed. */
    assert_int_equal(ledger->acked.safe_lsn, 150);
    publish(ledger, 2, 160, 160);
    cdc_ledger_ack(ledger, 2);
    assert_int_equal(ledger->acked.safe_lsn, 160);
    free(ledger);
}

static void a_full_ledger_confirms_later_but_never_wrong(void **state) {
    (void)state;
    cdc_ledger *ledger = ledger_new(0, 0);
    const uint64_t count = CDC_LEDGER_ENTRIES + 100;
    for (uint64_t i = 1; i <= count; i++)
        publish(ledger, i, i * 10, i * 10);
    cdc_ledger_ack(ledger, CDC_LEDGER_ENTRIES - 1);
    assert_int_equal(ledger->acked.safe_lsn, (CDC_LEDGER_ENTRIES - 1) * 10);
    cdc_ledger_ack(ledger, count - 1); /* within the merged ones */
    assert_int_equal(ledger->acked.safe_lsn, (CDC_LEDGER_ENTRIES - 1) * 10);
    cdc_ledger_ack(ledger, count);
    assert_int_equal(ledger->acked.safe_lsn, count * 10);
    free(ledger);
}

/* ---- Model ---- */

typedef struct {
    core_lsn shown[MODEL_MAX];
    core_lsn safe[MODEL_MAX];
    core_lsn progress_base; /* made when nothing was outstanding */
    uint64_t published;
    uint64_t acked;
} model;

static uint64_t random_next(uint64_t *seed) {
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return *seed >> 33;
}

static core_lsn model_safe(const model *it) {
    core_lsn safe = it->progress_base;
    for (uint64_t i = 1; i <= it->acked; i++) {
        safe = it->safe[i] > safe ? it->safe[i] : safe;
        safe = it->shown[i] > safe ? it->shown[i] : safe;
    }
    return safe;
}

static void model_step(model *it, cdc_ledger *ledger, core_lsn *lsn, uint64_t *seed) {
    uint64_t choice = random_next(seed) % 4;
    *lsn += random_next(seed) % 5;
    if (choice <= 1 && it->published - it->acked < 1000) {
        core_lsn shown = *lsn + random_next(seed) % 3;
        it->published++;
        it->shown[it->published] = shown;
        it->safe[it->published] = *lsn;
        publish(ledger, it->published, shown, *lsn);
        *lsn = shown;
    } else if (choice == 2) {
        cdc_ledger_progress(ledger, *lsn);
        core_lsn *place = it->published > it->acked ? &it->safe[it->published] : &it->progress_base;
        *place = *lsn > *place ? *lsn : *place;
    } else if (it->published > it->acked) {
        it->acked += 1 + random_next(seed) % (it->published - it->acked);
        cdc_ledger_ack(ledger, it->acked);
    }
}

static void random_histories_match_the_model(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        cdc_ledger *ledger = ledger_new(0, 0);
        model *it = calloc(1, sizeof *it);
        assert_non_null(it);
        uint64_t random = seed;
        core_lsn lsn = 1;
        for (unsigned i = 0; i < STEPS / 20; i++) {
            core_lsn before = ledger->acked.safe_lsn;
            model_step(it, ledger, &lsn, &random);
            assert_int_equal(ledger->acked.safe_lsn, model_safe(it));
            assert_true(ledger->acked.safe_lsn >= before);
            assert_int_equal(cdc_ledger_settled(ledger), it->published == it->acked);
        }
        free(it);
        free(ledger);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_safe_before_its_ack),
        cmocka_unit_test(progress_waits_for_what_was_published_before_it),
        cmocka_unit_test(a_publish_in_mid_transaction_confirms_only_what_is_whole),
        cmocka_unit_test(a_full_ledger_confirms_later_but_never_wrong),
        cmocka_unit_test(random_histories_match_the_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
