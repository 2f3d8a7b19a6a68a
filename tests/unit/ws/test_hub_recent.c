/* From where on a client with a snapshot must be given changes. */
#include "ws/hub_recent.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const char epoch[CORE_EPOCH_TEXT_SIZE] = "0123456789abcdef";

static void start(hub_recent *recent, uint64_t position) {
    core_error error = {.text = ""};
    assert_true(hub_recent_init(recent, &error));
    hub_recent_begin(recent, position, epoch);
}

static hub_recent_answer ask_in(hub_recent *recent, uint64_t generation, const char *snapshot) {
    core_error error = {.text = ""};
    core_visibility visibility = {.xmin = 0};
    assert_true(core_visibility_read(core_slice_text(snapshot), &visibility, &error));
    hub_recent_answer answer = hub_recent_ask(recent, generation, &visibility);
    core_visibility_fini(&visibility);
    return answer;
}

static hub_recent_answer ask(hub_recent *recent, const char *snapshot) {
    return ask_in(recent, hub_recent_generation(recent), snapshot);
}

static void spread(hub_recent *recent, uint32_t xid, uint64_t sequence) {
    hub_recent_add(recent, xid, sequence);
    hub_recent_pass(recent, sequence, epoch);
}

static void assert_sure(const hub_recent_answer *answer, uint64_t position) {
    assert_int_equal(answer->verdict, HUB_RECENT_SURE);
    assert_int_equal(answer->position, position);
    assert_string_equal(answer->epoch, epoch);
}

static void test_all_seen(void **state) {
    (void)state;
    hub_recent recent;
    start(&recent, 7);
    hub_recent_answer answer = ask(&recent, "100:100:");
    assert_sure(&answer, 7);
    spread(&recent, 100, 8);
    spread(&recent, 101, 9);
    answer = ask(&recent, "102:102:");
    assert_sure(&answer, 9);
    hub_recent_fini(&recent);
}

/* One that waits for a standby holds the place back; so does one that came after the snapshot. */
static void test_in_front_of_the_unseen(void **state) {
    (void)state;
    hub_recent recent;
    start(&recent, 7);
    (void)ask(&recent, "100:100:");
    spread(&recent, 100, 8);
    spread(&recent, 103, 9);
    spread(&recent, 101, 10);
    hub_recent_add(&recent, 104, 11); /* its message is under way */
    hub_recent_answer answer = ask(&recent, "103:104:103");
    assert_sure(&answer, 8);
    answer = ask(&recent, "104:104:");
    assert_sure(&answer, 10);
    answer = ask(&recent, "105:105:");
    assert_sure(&answer, 10);
    hub_recent_fini(&recent);
}

/* What runs in the first snapshot may have been in the stream before the hub began. */
static void test_doubts_of_the_beginning(void **state) {
    (void)state;
    hub_recent recent;
    start(&recent, 7);
    spread(&recent, 101, 8);
    hub_recent_answer answer = ask(&recent, "90:105:90,101");
    assert_int_equal(answer.verdict, HUB_RECENT_DOUBT);
    assert_int_equal(answer.doubt_count, 1);
    assert_int_equal(answer.doubts[0], 90);
    assert_int_equal(answer.position, 7);
    answer = ask(&recent, "106:110:106,108"); /* began behind the first: none of these was */
    assert_sure(&answer, 8);
    hub_recent_fini(&recent);
}

static void test_stale(void **state) {
    (void)state;
    hub_recent recent;
    start(&recent, 7);
    uint64_t before = hub_recent_generation(&recent);
    hub_recent_begin(&recent, 20, epoch);
    hub_recent_answer answer = ask_in(&recent, before, "100:100:");
    assert_int_equal(answer.verdict, HUB_RECENT_STALE);
    answer = ask(&recent, "100:100:");
    assert_sure(&answer, 20);
    hub_recent_fini(&recent);
}

/* The ring has lost transactions that an old snapshot does not see; of running ones it is in doubt.
 */
static void test_forgotten(void **state) {
    (void)state;
    hub_recent recent;
    start(&recent, 0);
    (void)ask(&recent, "100:100:");
    for (uint32_t i = 0; i < HUB_RECENT_MAX + 10; i++)
        spread(&recent, 100 + i, i + 1);
    hub_recent_answer answer = ask(&recent, "105:105:");
    assert_int_equal(answer.verdict, HUB_RECENT_STALE);
    answer = ask(&recent, "104:200000:104");
    assert_int_equal(answer.verdict, HUB_RECENT_DOUBT);
    assert_int_equal(answer.doubts[0], 104);
    answer = ask(&recent, "150000:200000:150000");
    assert_sure(&answer, HUB_RECENT_MAX + 10);
    hub_recent_fini(&recent);
}

static void test_round_the_end(void **state) {
    (void)state;
    hub_recent recent;
    start(&recent, 0);
    (void)ask(&recent, "4294967290:4294967290:");
    spread(&recent, 4294967291u, 1);
    spread(&recent, 5, 2);
    hub_recent_answer answer = ask(&recent, "4294967301:4294967301:");
    assert_sure(&answer, 1);
    answer = ask(&recent, "4294967302:4294967302:");
    assert_sure(&answer, 2);
    hub_recent_fini(&recent);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_seen),
        cmocka_unit_test(test_in_front_of_the_unseen),
        cmocka_unit_test(test_doubts_of_the_beginning),
        cmocka_unit_test(test_stale),
        cmocka_unit_test(test_forgotten),
        cmocka_unit_test(test_round_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
