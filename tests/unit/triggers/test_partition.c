/* A partition step by step: order, parking, retries, dead letters, endpoints that are gone or hang,
 * and a takeover. What happens under faults is test_partition_sim.c's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "partition_desk.h"

static void test_a_keys_tasks_go_one_after_another(void **state) {
    desk d;
    (void)state;
    desk_open(&d);
    feed(&d, 1, "a");
    feed(&d, 3, "a");
    feed(&d, 5, "b");
    assert_int_equal(under_way(&d, 1) + under_way(&d, 5), 2);
    assert_int_equal(under_way(&d, 3), 0);
    good(&d, 5);
    assert_int_equal(triggers_partition_watermark(d.partition), 0);
    good(&d, 1);
    assert_int_equal(under_way(&d, 3), 1);
    assert_int_equal(triggers_partition_watermark(d.partition), 1);
    good(&d, 3);
    assert_int_equal(triggers_partition_watermark(d.partition), 5);
    assert_int_equal(triggers_partition_look(d.partition).tasks, 0);
    desk_close(&d);
}

static void test_a_failure_parks_its_key_and_no_other(void **state) {
    desk d;
    (void)state;
    desk_open(&d);
    feed(&d, 1, "a");
    feed(&d, 2, "a");
    feed(&d, 3, "b");
    bad(&d, 1);
    assert_int_equal(d.park_count, 2);
    good(&d, 3);
    assert_int_equal(triggers_partition_watermark(d.partition), 3);
    feed(&d, 4, "a");
    assert_int_equal(d.park_count, 3); /* behind the others */
    assert_int_equal(wait_ms(&d, 4999), 1);
    assert_int_equal(d.fetch_count, 0);
    wait_ms(&d, 1);
    assert_int_equal(under_way(&d, 1), 1);
    assert_int_equal(d.attempts[d.attempt_count - 1].number, 2);
    good(&d, 1);
    good(&d, 2);
    good(&d, 4);
    assert_int_equal(triggers_partition_look(d.partition).parked_tasks, 0);
    assert_int_equal(triggers_partition_look(d.partition).parked_keys, 0);
    assert_int_equal(d.clears, 1);
    feed(&d, 6, "a"); /* live again */
    assert_int_equal(under_way(&d, 6), 1);
    assert_int_equal(d.park_count, 3);
    desk_close(&d);
}

/* Once its chain moves, what comes waits behind it in the window; a failure parks that too. */
static void test_a_key_whose_chain_moves_parks_no_more(void **state) {
    desk d;
    (void)state;
    desk_open(&d);
    feed(&d, 1, "a");
    feed(&d, 2, "a");
    feed(&d, 3, "a");
    bad(&d, 1);
    assert_int_equal(d.park_count, 3);
    wait_ms(&d, 5000);
    good(&d, 1);
    feed(&d, 4, "a");
    assert_int_equal(d.park_count, 3);
    bad(&d, 2);
    assert_int_equal(d.park_count, 4);
    wait_ms(&d, 5000);
    good(&d, 2);
    good(&d, 3);
    feed(&d, 5, "a");
    good(&d, 4);
    assert_int_equal(d.park_count, 4);
    assert_int_equal(triggers_partition_look(d.partition).parked_keys, 0);
    good(&d, 5);
    assert_int_equal(triggers_partition_watermark(d.partition), 5);
    desk_close(&d);
}

/* The window is full of an endpoint's tasks that are done soon: they are not parked for that. */
static void test_a_lane_at_good_pace_is_not_parked(void **state) {
    desk d;
    (void)state;
    desk_open(&d);
    for (uint64_t i = 1; i <= 4; i++)
        feed(&d, i, "a");
    assert_false(triggers_partition_has_room(d.partition));
    wait_ms(&d, 800);
    good(&d, 1);
    feed(&d, 5, "a");
    wait_ms(&d, 800);
    assert_int_equal(d.park_count, 0); /* four tasks, one delivered of late */
    wait_ms(&d, 2000);
    assert_int_equal(d.park_count, 4); /* none */
    desk_close(&d);
}

static void test_retries_end_as_a_dead_letter(void **state) {
    desk d;
    (void)state;
    desk_open(&d);
    feed(&d, 1, "a");
    end(&d, 1, TRIGGERS_END_FAILED, 30000); /* asks for more than the schedule */
    wait_ms(&d, 29999);
    assert_int_equal(d.fetch_count, 0);
    wait_ms(&d, 1);
    bad(&d, 1);
    wait_ms(&d, 60000);
    feed(&d, 2, "a");
    bad(&d, 1);
    assert_int_equal(d.bury_count, 1);
    assert_non_null(strstr(d.reasons[0], "given up after 3 attempts: status 500"));
    assert_int_equal(under_way(&d, 2), 1); /* the next of the key has its own attempts */
    good(&d, 2);
    desk_close(&d);
}

/* Its turn comes again, first of its key, and neither the log nor the count of attempts has it. */
static void test_an_attempt_that_was_not_made_is_none(void **state) {
    desk d;
    (void)state;
    desk_open(&d);
    feed(&d, 1, "a");
    feed(&d, 2, "a");
    size_t records = d.record_count;
    end(&d, 1, TRIGGERS_END_WITHDRAWN, 0);
    assert_int_equal(d.record_count, records);
    assert_int_equal(under_way(&d, 1), 1);
    assert_int_equal(under_way(&d, 2), 0);
    assert_int_equal(d.attempts[1].number, 1);
    bad(&d, 1);
    wait_ms(&d, 5000);
    assert_int_equal(d.attempts[2].number, 2);
    for (int i = 0; i < 5; i++) /* of a parked one, too: it is fetched again */
        end(&d, 1, TRIGGERS_END_WITHDRAWN, 0);
    assert_int_equal(d.attempts[7].number, 2);
    bad(&d, 1);
    wait_ms(&d, 60000);
    end(&d, 1, TRIGGERS_END_WITHDRAWN, 0);
    assert_int_equal(d.bury_count, 0);
    good(&d, 1);
    good(&d, 2);
    assert_int_equal(triggers_partition_look(d.partition).parked_keys, 0);
    desk_close(&d);
}

static void test_one_that_waited_long_behind_others_has_no_more_retries(void **state) {
    desk d;
    (void)state;
    desk_open(&d);
    feed(&d, 1, "a");
    feed(&d, 2, "a");
    bad(&d, 1);
    wait_ms(&d, 5000);
    bad(&d, 1);
    wait_ms(&d, 60001);
    bad(&d, 1);
    assert_int_equal(d.bury_count, 1);
    bad(&d, 2);
    assert_int_equal(d.bury_count, 2);
    desk_close(&d);
}

static void test_gone_ends_the_endpoint_until_its_definition_changes(void **state) {
    desk d;
    (void)state;
    desk_open(&d);
    feed(&d, 1, "a");
    end(&d, 1, TRIGGERS_END_GONE, 0);
    assert_int_equal(d.bury_count, 1);
    feed(&d, 2, "b");
    assert_int_equal(d.bury_count, 2);
    assert_int_equal(d.attempt_count, 1);
    assert_non_null(strstr(d.reasons[1], "410"));
    feed_of(&d, 3, "other", "a");
    assert_int_equal(d.attempt_count, 2);
    d.revision = 2;
    feed(&d, 4, "b");
    assert_int_equal(under_way(&d, 4), 1);
    feed_of(&d, 5, "unknown", "a");
    assert_non_null(strstr(d.reasons[2], "definition is gone"));
    desk_close(&d);
}

static void test_a_paused_trigger_and_a_breaker_wait(void **state) {
    desk d;
    (void)state;
    desk_open(&d);
    d.is_paused = true;
    feed(&d, 1, "a");
    wait_ms(&d, 500);
    assert_int_equal(d.attempt_count, 0);
    d.is_paused = false;
    d.not_before_ms = d.now_ms + 100;
    triggers_partition_refresh(d.partition, d.now_ms);
    assert_int_equal(d.attempt_count, 0);
    assert_int_equal(wait_ms(&d, 0), 100);
    wait_ms(&d, 100);
    assert_int_equal(under_way(&d, 1), 1);
    desk_close(&d);
}

/* Two attempts hang, two wait: the window is full. After a second they are parked, attempts under
 * way included, and other keys go on. */
static void test_a_hanging_endpoint_holds_nobody_up(void **state) {
    desk d;
    (void)state;
    desk_open(&d);
    feed_of(&d, 1, "hangs", "a");
    feed_of(&d, 2, "hangs", "b");
    feed_of(&d, 3, "hangs", "c");
    feed_of(&d, 4, "hangs", "b");
    assert_false(triggers_partition_has_room(d.partition));
    wait_ms(&d, 1001);
    assert_true(triggers_partition_has_room(d.partition));
    assert_int_equal(triggers_partition_watermark(d.partition), 4);
    feed(&d, 5, "a");
    good(&d, 5);
    assert_int_equal(triggers_partition_watermark(d.partition), 5);
    assert_int_equal(under_way(&d, 1) + under_way(&d, 2), 2); /* as before */
    good(&d, 2);
    bad(&d, 1);
    good(&d, 3);
    good(&d, 4);
    assert_int_equal(triggers_partition_look(d.partition).parked_tasks, 1);
    wait_ms(&d, 5000);
    good(&d, 1);
    assert_int_equal(triggers_partition_look(d.partition).parked_tasks, 0);
    desk_close(&d);
}

static void test_what_cannot_be_read_is_a_dead_letter(void **state) {
    desk d;
    (void)state;
    desk_open(&d);
    settle(&d);
    core_block *block = core_block_copy(core_slice_text("nonsense"));
    assert_true(triggers_partition_feed(d.partition, 1, block, d.now_ms));
    core_block_release(block);
    settle(&d);
    assert_int_equal(d.bury_count, 1);
    assert_int_equal(d.buries[0].position, 1);
    assert_int_equal(triggers_partition_watermark(d.partition), 1);
    desk_close(&d);
}

/* Outcomes of that kind in all records so far; `*last` gets the last one. */
static size_t told(const desk *d, triggers_entry_kind kind, triggers_entry *last) {
    size_t count = 0;
    for (size_t i = 0; i < d->record_count; i++) {
        triggers_record record;
        triggers_entry entry;
        core_error error = {0};
        assert_true(triggers_record_read(core_block_slice(d->records[i]), &record, &error));
        core_cursor cursor = core_cursor_make(record.outcomes);
        while (triggers_entry_read(&cursor, &entry))
            if (entry.kind == kind) {
                count++;
                *last = entry;
            }
    }
    return count;
}

static void test_what_is_held_back_for_long_is_told_once(void **state) {
    desk d;
    triggers_entry last;
    (void)state;
    desk_open(&d);
    d.not_before_ms = d.now_ms + 10000;
    feed(&d, 1, "a");
    feed(&d, 2, "b");
    assert_int_equal(wait_ms(&d, 999), 1); /* it wants to say so */
    assert_int_equal(told(&d, TRIGGERS_ENTRY_THROTTLED, &last), 0);
    wait_ms(&d, 1);
    assert_int_equal(told(&d, TRIGGERS_ENTRY_THROTTLED, &last), 1);
    assert_int_equal(last.sequence, 1);
    assert_int_equal(last.next_ms, d.not_before_ms);
    assert_true(core_slice_is(last.reason, "its rate"));
    wait_ms(&d, 5000);
    assert_int_equal(told(&d, TRIGGERS_ENTRY_THROTTLED, &last), 1);
    wait_ms(&d, 4000);
    good(&d, 1);
    good(&d, 2);
    desk_close(&d);
}

static void test_what_waits_for_a_place_is_told(void **state) {
    desk d;
    triggers_entry last;
    (void)state;
    desk_open(&d);
    feed(&d, 1, "a");
    feed(&d, 2, "b");
    feed(&d, 3, "c"); /* two at once */
    wait_ms(&d, 1000);
    assert_int_equal(told(&d, TRIGGERS_ENTRY_THROTTLED, &last), 1);
    assert_int_equal(last.sequence, 3);
    assert_int_equal(last.next_ms, 0);
    desk_close(&d);
}

/* Its head is on its way from the stream when the ownership ends: nobody will attempt it here. */
static void test_what_was_admitted_is_given_back_with_the_partition(void **state) {
    desk d;
    int64_t next_ms;
    (void)state;
    desk_open(&d);
    feed(&d, 1, "a");
    bad(&d, 1);
    d.now_ms += 5000;
    triggers_partition_tick(d.partition, d.now_ms, &next_ms);
    assert_int_equal(d.fetch_count, 1);
    assert_int_equal(d.admitted, 1);
    desk_close(&d);
}

static void test_an_endpoint_that_is_gone_is_forgotten_with_its_definition(void **state) {
    desk d;
    (void)state;
    desk_open(&d);
    feed(&d, 1, "a");
    end(&d, 1, TRIGGERS_END_GONE, 0);
    triggers_partition_refresh(d.partition, d.now_ms);
    assert_int_equal(triggers_partition_look(d.partition).lanes, 1);
    d.is_unknown = true;
    triggers_partition_refresh(d.partition, d.now_ms);
    assert_int_equal(triggers_partition_look(d.partition).lanes, 0);
    desk_close(&d);
}

/* Another owner goes on from the log: what is done is not done again, what was under way is. */
static void test_a_takeover_goes_on_from_the_log(void **state) {
    desk d;
    core_error error = {0};
    triggers_record record;
    (void)state;
    desk_open(&d);
    feed(&d, 1, "a");
    feed(&d, 2, "b");
    feed(&d, 3, "a");
    bad(&d, 2); /* parked */
    feed(&d, 4, "c");
    good(&d, 4);
    desk_take_over(&d); /* 1 is under way, 3 waits */
    for (size_t i = 0; i < d.record_done; i++) {
        assert_true(triggers_record_read(core_block_slice(d.records[i]), &record, &error));
        assert_true(triggers_partition_fold(d.partition, i + 1, &record, &error));
    }
    assert_int_equal(triggers_partition_watermark(d.partition), 0);
    size_t before = d.attempt_count;
    memset(d.ended, true, sizeof d.ended[0] * before);
    triggers_partition_begin(d.partition, 8, d.now_ms);
    settle(&d);
    feed(&d, 1, "a");
    feed(&d, 2, "b");
    feed(&d, 3, "a");
    feed(&d, 4, "c");
    assert_int_equal(d.attempt_count, before + 1);
    assert_int_equal(under_way(&d, 1), 1);
    good(&d, 1);
    good(&d, 3);
    assert_int_equal(triggers_partition_watermark(d.partition), 4);
    wait_ms(&d, 5000);
    assert_int_equal(d.attempts[d.attempt_count - 1].number, 2); /* counted on */
    good(&d, 2);
    assert_int_equal(triggers_partition_look(d.partition).parked_tasks, 0);
    desk_close(&d);
}

static void test_a_log_with_a_hole_is_refused(void **state) {
    desk d;
    core_error error = {0};
    triggers_record record;
    (void)state;
    desk_open(&d);
    feed(&d, 1, "a");
    good(&d, 1);
    assert_true(d.record_done >= 2);
    desk_take_over(&d);
    assert_true(triggers_record_read(core_block_slice(d.records[1]), &record, &error));
    assert_false(triggers_partition_fold(d.partition, 2, &record, &error));
    assert_int_equal(error.code, CORE_ERROR_INPUT);
    desk_close(&d);
}

/* Made, or by chance: each trigger's tasks go by its own admission, or nowhere. */
static void test_a_hash_is_one_triggers_at_a_time(void **state) {
    enum { HASH = 4711 };
    desk d;
    (void)state;
    desk_open(&d);
    feed_hashed(&d, 1, "t", "a", HASH);
    feed_hashed(&d, 2, "u", "b", HASH);
    assert_int_equal(under_way(&d, 1), 1);
    assert_int_equal(d.bury_count, 1);
    assert_int_equal(d.buries[0].position, 2);
    assert_non_null(strstr(d.reasons[0], "another trigger's key"));
    bad(&d, 1);
    feed_hashed(&d, 3, "t", "a", HASH); /* parked behind the first one */
    desk_take_over(&d);
    for (size_t i = 0; i < d.record_count; i++) {
        triggers_record record;
        core_error error = {0};
        assert_true(triggers_record_read(core_block_slice(d.records[i]), &record, &error));
        assert_true(triggers_partition_fold(d.partition, i + 1, &record, &error));
    }
    triggers_partition_begin(d.partition, 8, d.now_ms);
    settle(&d);
    feed_hashed(&d, 4, "u", "b", HASH);
    assert_int_equal(d.bury_count, 2);
    assert_int_equal(d.buries[1].position, 4);
    wait_ms(&d, 5000);
    good(&d, 1);
    good(&d, 3);
    feed_hashed(&d, 5, "u", "b", HASH); /* nobody else has it any more */
    good(&d, 5);
    assert_int_equal(d.bury_count, 2);
    assert_int_equal(triggers_partition_watermark(d.partition), 5);
    desk_close(&d);
}

static void test_good_outcomes_gather_and_bad_ones_do_not(void **state) {
    desk d;
    int64_t next_ms;
    (void)state;
    desk_open(&d);
    settle(&d);
    d.append_every_ms = 50;
    desk_take_over(&d);
    triggers_partition_begin(d.partition, 8, d.now_ms);
    settle(&d);
    feed(&d, 1, "a");
    feed(&d, 2, "b");
    feed(&d, 3, "c");
    feed(&d, 4, "d");
    size_t records = d.record_count;
    good(&d, 1);
    good(&d, 2);
    triggers_partition_tick(d.partition, d.now_ms, &next_ms);
    assert_int_equal(d.record_count, records);
    assert_int_equal(next_ms, d.now_ms + 50);
    wait_ms(&d, 50);
    assert_int_equal(d.record_count, records + 1);
    good(&d, 3);
    assert_int_equal(d.record_count, records + 1);
    bad(&d, 4);
    assert_true(d.record_count > records + 1);
    desk_close(&d);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_keys_tasks_go_one_after_another),
        cmocka_unit_test(test_a_failure_parks_its_key_and_no_other),
        cmocka_unit_test(test_a_key_whose_chain_moves_parks_no_more),
        cmocka_unit_test(test_a_lane_at_good_pace_is_not_parked),
        cmocka_unit_test(test_retries_end_as_a_dead_letter),
        cmocka_unit_test(test_an_attempt_that_was_not_made_is_none),
        cmocka_unit_test(test_one_that_waited_long_behind_others_has_no_more_retries),
        cmocka_unit_test(test_gone_ends_the_endpoint_until_its_definition_changes),
        cmocka_unit_test(test_a_paused_trigger_and_a_breaker_wait),
        cmocka_unit_test(test_a_hanging_endpoint_holds_nobody_up),
        cmocka_unit_test(test_what_cannot_be_read_is_a_dead_letter),
        cmocka_unit_test(test_what_is_held_back_for_long_is_told_once),
        cmocka_unit_test(test_what_waits_for_a_place_is_told),
        cmocka_unit_test(test_what_was_admitted_is_given_back_with_the_partition),
        cmocka_unit_test(test_an_endpoint_that_is_gone_is_forgotten_with_its_definition),
        cmocka_unit_test(test_a_takeover_goes_on_from_the_log),
        cmocka_unit_test(test_a_log_with_a_hole_is_refused),
        cmocka_unit_test(test_a_hash_is_one_triggers_at_a_time),
        cmocka_unit_test(test_good_outcomes_gather_and_bad_ones_do_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
