/* Who has begun: ids in order, and the record of a round as it was written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "triggers/ledger.h"
#include "triggers/round.h"

static triggers_definition made(const char *name, int64_t created_us) {
    return (triggers_definition){.project = core_slice_text("default"),
                                 .name = core_slice_text(name),
                                 .created_us = created_us};
}

static void test_made_anew_is_another(void **state) {
    triggers_ledger ledger = {.parts = {{.ids = NULL}}};
    triggers_definition one = made("a", 1), again = made("a", 2), other = made("b", 1);
    (void)state;
    assert_true(triggers_ledger_add(&ledger, triggers_ledger_id(&one)));
    one.revision = 9; /* replaced */
    assert_true(triggers_ledger_has(&ledger, triggers_ledger_id(&one)));
    assert_false(triggers_ledger_has(&ledger, triggers_ledger_id(&again)));
    assert_false(triggers_ledger_has(&ledger, triggers_ledger_id(&other)));
    triggers_ledger_fini(&ledger);
}

static void test_many_are_found_and_trimmed(void **state) {
    enum { COUNT = 5000, KEPT = 10 };
    uint64_t kept[KEPT];
    triggers_ledger ledger = {.parts = {{.ids = NULL}}};
    (void)state;
    for (uint64_t i = 0; i < COUNT; i++)
        assert_true(triggers_ledger_add(&ledger, (i * 7919) % COUNT));
    for (uint64_t i = 0; i < COUNT; i++)
        assert_true(triggers_ledger_has(&ledger, i));
    assert_false(triggers_ledger_has(&ledger, COUNT));
    for (uint64_t i = 0; i < KEPT; i++)
        kept[i] = KEPT - i;
    triggers_ledger_trim(&ledger, kept, COUNT / 2); /* not far more than so many */
    assert_true(triggers_ledger_has(&ledger, COUNT - 1));
    triggers_ledger_trim(&ledger, kept, KEPT);
    assert_false(triggers_ledger_has(&ledger, COUNT - 1));
    for (size_t i = 0; i < KEPT; i++)
        assert_true(triggers_ledger_has(&ledger, kept[i]));
    triggers_ledger_fini(&ledger);
}

static void test_a_round_comes_back(void **state) {
    uint64_t members[] = {3, 77, UINT64_MAX};
    core_buffer out;
    core_error error = {0};
    triggers_round back;
    const triggers_round round = {.number = 4,
                                  .from = {.epoch = "0kq1", .sequence = 17, .index = 3},
                                  .members = members,
                                  .count = CORE_COUNT_OF(members)};
    (void)state;
    core_buffer_init(&out, 4096);
    triggers_round_write(&round, &out);
    assert_true(triggers_round_read(core_buffer_slice(&out), &back, &error));
    assert_int_equal(back.number, 4);
    assert_string_equal(back.from.epoch, "0kq1");
    assert_int_equal(back.from.sequence, 17);
    assert_int_equal(back.from.index, 3);
    assert_int_equal(back.count, round.count);
    assert_memory_equal(back.members, members, sizeof members);
    triggers_round_fini(&back);
    for (size_t length = 0; length < out.length; length++)
        if (triggers_round_read(core_slice_make(out.data, length), &back, &error)) {
            assert_int_equal((out.length - length) % sizeof members[0], 0);
            triggers_round_fini(&back);
        }
    out.data[0] = 2;
    assert_false(triggers_round_read(core_buffer_slice(&out), &back, &error));
    core_buffer_fini(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_made_anew_is_another),
        cmocka_unit_test(test_many_are_found_and_trimmed),
        cmocka_unit_test(test_a_round_comes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
