/* A partition step by step: order, parking, retries, dead letters, endpoints that are gone or hang,
 * and a takeover. What happens under faults is test_partition_sim.c's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "triggers/partition.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MANY = 256 };

typedef struct {
    triggers_partition *partition;
    triggers_attempt attempts[MANY]; /* that have begun, in order */
    bool ended[MANY];
    size_t attempt_count;
    struct {
        uint64_t ticket, position;
        core_block *bytes;
    } parks[MANY], fetches[MANY], buries[MANY];
    size_t park_count, park_done, fetch_count, fetch_done, bury_count, bury_done;
    char reasons[MANY][TRIGGERS_REASON_MAX];
    core_block *records[MANY];
    size_t record_count, record_done;
    core_block *copies[MANY]; /* position is its place + 1 */
    uint64_t copy_keys[MANY];
    size_t copy_count, clears;
    int64_t now_ms;
    bool is_paused, is_unknown;
    uint64_t revision;
    int64_t not_before_ms;
    size_t admitted; /* and neither attempted nor given back */
} desk;

static const int64_t delays[] = {5000, 60000};

static void on_policy(void *context, core_slice project, core_slice trigger,
                      triggers_policy *policy) {
    const desk *d = context;
    (void)project;
    *policy = (triggers_policy){.is_known = !d->is_unknown && !core_slice_is(trigger, "unknown"),
                                .is_paused = d->is_paused,
                                .revision = d->revision,
                                .max_attempts = 2,
                                .retry = {.delays_ms = delays, .count = 2}};
}
static int64_t on_admit(void *context, core_slice project, core_slice trigger, int64_t now_ms,
                        const char **reason) {
    desk *d = context;
    (void)project;
    (void)trigger;
    *reason = "its rate";
    if (d->not_before_ms > now_ms)
        return d->not_before_ms;
    d->admitted++;
    return 0;
}
static void on_unadmit(void *context, core_slice project, core_slice trigger) {
    ((desk *)context)->admitted--;
    (void)project;
    (void)trigger;
}
static void on_attempt(void *context, const triggers_attempt *attempt) {
    desk *d = context;
    d->attempts[d->attempt_count] = *attempt;
    (void)core_block_retain(attempt->task);
    d->attempt_count++;
    d->admitted--;
}
static void on_park(void *context, uint64_t ticket, core_slice parked) {
    desk *d = context;
    d->parks[d->park_count].ticket = ticket;
    d->parks[d->park_count++].bytes = core_block_copy(parked);
}
static void on_fetch(void *context, uint64_t ticket, uint64_t position) {
    desk *d = context;
    d->fetches[d->fetch_count].ticket = ticket;
    d->fetches[d->fetch_count++].position = position;
}
static void on_bury(void *context, const triggers_burial *burial) {
    desk *d = context;
    (void)!core_slice_to_text(burial->reason, d->reasons[d->bury_count], TRIGGERS_REASON_MAX);
    d->buries[d->bury_count].position = burial->sequence;
    d->buries[d->bury_count++].ticket = burial->ticket;
}
static void on_append(void *context, core_slice record) {
    desk *d = context;
    d->records[d->record_count++] = core_block_copy(record);
}
static void on_clear(void *context, uint64_t key_hash, uint64_t position) {
    desk *d = context;
    (void)key_hash;
    (void)position;
    d->clears++;
}

static void desk_take_over(desk *d) {
    const triggers_partition_io io = {d,       on_policy, on_admit, on_unadmit, on_attempt,
                                      on_park, on_fetch,  on_bury,  on_append,  on_clear};
    const triggers_partition_limits limits = {.max_tasks = 4,
                                              .max_bytes = 1 << 20,
                                              .max_done = 100,
                                              .max_parked_keys = 8,
                                              .max_attempts = 8,
                                              .seed = 1};
    core_error error = {0};
    triggers_partition_free(d->partition);
    d->partition = triggers_partition_new(&io, &limits, &error);
    assert_non_null(d->partition);
}

static void desk_open(desk *d) {
    *d = (desk){.now_ms = 1000000, .revision = 1};
    desk_take_over(d);
    triggers_partition_begin(d->partition, 7, d->now_ms);
}

/* Everything but attempts is answered, well. */
static void settle(desk *d) {
    bool busy = true;
    while (busy) {
        busy = false;
        if (d->record_done < d->record_count && (busy = true))
            triggers_partition_appended(d->partition, ++d->record_done, d->now_ms);
        if (d->park_done < d->park_count && (busy = true)) {
            size_t i = d->park_done++;
            d->copy_keys[d->copy_count] = d->parks[i].ticket;
            d->copies[d->copy_count++] = d->parks[i].bytes;
            triggers_partition_parked(d->partition, d->parks[i].ticket, d->copy_count,
                                      CORE_ERROR_NONE, d->now_ms);
        }
        if (d->fetch_done < d->fetch_count && (busy = true)) {
            size_t i = d->fetch_done++, at = d->fetches[i].position - 1;
            while (at < d->copy_count && d->copy_keys[at] != d->fetches[i].ticket)
                at++;
            assert_true(at < d->copy_count);
            triggers_partition_fetched(d->partition, d->fetches[i].ticket, d->copies[at], at + 1,
                                       CORE_ERROR_NONE, d->now_ms);
        }
        if (d->bury_done < d->bury_count && (busy = true))
            triggers_partition_buried(d->partition, d->buries[d->bury_done++].ticket,
                                      CORE_ERROR_NONE, d->now_ms);
    }
}

static void desk_close(desk *d) {
    triggers_partition_free(d->partition);
    assert_int_equal(d->admitted, 0);
    for (size_t i = 0; i < MANY; i++) {
        core_block_release(d->records[i]);
        core_block_release(d->copies[i]);
        if (i < d->attempt_count)
            core_block_release(d->attempts[i].task);
    }
}

static void feed_of(desk *d, uint64_t sequence, const char *trigger, const char *key) {
    core_buffer out;
    core_buffer_init(&out, 4096);
    const triggers_task task = {
        .project = core_slice_text("p"),
        .trigger = core_slice_text(trigger),
        .event_id = core_slice_text("e"),
        .key = core_slice_text(key),
        .key_hash =
            triggers_key_hash(core_slice_text("p"), core_slice_text(trigger), core_slice_text(key)),
        .body = core_slice_text("{}"),
    };
    triggers_task_write(&task, &out);
    core_block *block = core_block_copy(core_buffer_slice(&out));
    assert_true(triggers_partition_feed(d->partition, sequence, block, d->now_ms));
    core_block_release(block);
    core_buffer_fini(&out);
    settle(d);
}
static void feed(desk *d, uint64_t sequence, const char *key) {
    feed_of(d, sequence, "t", key);
}

static void end(desk *d, uint64_t sequence, triggers_end_kind kind, int64_t retry_after_ms) {
    const triggers_end how = {.kind = kind,
                              .status = kind == TRIGGERS_END_DELIVERED ? 200 : 500,
                              .retry_after_ms = retry_after_ms,
                              .reason = core_slice_text("status 500")};
    for (size_t i = 0; i < d->attempt_count; i++)
        if (d->attempts[i].sequence == sequence && !d->ended[i]) {
            d->ended[i] = true;
            triggers_partition_attempted(d->partition, d->attempts[i].ticket, &how, d->now_ms);
            settle(d);
            return;
        }
    fail_msg("no attempt of %llu is under way", (unsigned long long)sequence);
}
static void good(desk *d, uint64_t sequence) {
    end(d, sequence, TRIGGERS_END_DELIVERED, 0);
}
static void bad(desk *d, uint64_t sequence) {
    end(d, sequence, TRIGGERS_END_FAILED, 0);
}

static int64_t wait_ms(desk *d, int64_t for_ms) {
    int64_t next_ms;
    d->now_ms += for_ms;
    triggers_partition_tick(d->partition, d->now_ms, &next_ms);
    settle(d);
    triggers_partition_tick(d->partition, d->now_ms, &next_ms);
    return next_ms - d->now_ms;
}

static size_t under_way(const desk *d, uint64_t sequence) {
    size_t count = 0;
    for (size_t i = 0; i < d->attempt_count; i++)
        count += d->attempts[i].sequence == sequence && !d->ended[i];
    return count;
}

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

/* Its head is on its way from the stream when the ownership ends: nobody will attempt it here. */
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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_keys_tasks_go_one_after_another),
        cmocka_unit_test(test_a_failure_parks_its_key_and_no_other),
        cmocka_unit_test(test_a_key_whose_chain_moves_parks_no_more),
        cmocka_unit_test(test_a_lane_at_good_pace_is_not_parked),
        cmocka_unit_test(test_retries_end_as_a_dead_letter),
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
