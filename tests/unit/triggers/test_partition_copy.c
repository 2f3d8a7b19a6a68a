/* Copies on their way into a lane's chain, step by step: several at once, one refused among them,
 * and one of a former owner that arrives late. What happens under faults is
 * test_partition_sim.c's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "partition_desk.h"

static uint64_t held(const desk *d) {
    return triggers_partition_look(d->partition).held_tasks;
}

/* Until tasks that wait for a paused trigger are put aside; what was sent is not answered. */
static void tick(desk *d, int64_t for_ms) {
    int64_t next_ms;
    d->now_ms += for_ms;
    triggers_partition_tick(d->partition, d->now_ms, &next_ms);
}

static triggers_parked copy_sent(const desk *d, size_t at) {
    triggers_parked parked;
    core_error error = {0};
    assert_true(at < d->park_count);
    assert_true(triggers_parked_read(core_block_slice(d->parks[at].bytes), &parked, &error));
    return parked;
}

static void store(desk *d, uint64_t ticket, core_block *bytes) {
    d->copy_keys[d->copy_count] = ticket;
    d->copies[d->copy_count++] = core_block_retain(bytes);
}

/* `stored`: it stands in the stream, at its end. */
static void answer(desk *d, size_t at, bool stored, core_error_code code) {
    if (stored)
        store(d, d->parks[at].ticket, d->parks[at].bytes);
    triggers_partition_parked(d->partition, d->parks[at].ticket, d->parks[at].number,
                              stored ? d->copy_count : 0, code, d->now_ms);
    core_block_release(d->parks[at].bytes);
    d->parks[at].bytes = NULL;
    d->park_done++;
}

static void resume(desk *d) {
    d->is_paused = false;
    triggers_partition_refresh(d->partition, d->now_ms);
    wait_ms(d, 200);
    settle(d);
}

static void put_aside_three(desk *d) {
    desk_open(d);
    d->is_paused = true;
    feed(d, 1, "a");
    feed(d, 2, "b");
    feed(d, 3, "c");
    tick(d, 5200);
    assert_int_equal(d->park_count, 3);
}

static void test_several_are_under_way_and_count_in_order(void **state) {
    desk d;
    (void)state;
    put_aside_three(&d);
    uint64_t chain = copy_sent(&d, 0).chain;
    assert_true(chain != 0);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(copy_sent(&d, i).sequence, i + 1);
        assert_int_equal(copy_sent(&d, i).previous, i);
        assert_int_equal(copy_sent(&d, i).chain, chain);
    }
    store(&d, d.parks[0].ticket, d.parks[0].bytes); /* its answer comes last */
    answer(&d, 1, true, CORE_ERROR_NONE);
    answer(&d, 2, true, CORE_ERROR_NONE);
    assert_int_equal(held(&d), 0);
    triggers_partition_parked(d.partition, d.parks[0].ticket, d.parks[0].number, 1, CORE_ERROR_NONE,
                              d.now_ms);
    core_block_release(d.parks[0].bytes);
    d.park_done++;
    assert_int_equal(held(&d), 3);
    assert_int_equal(triggers_partition_watermark(d.partition), 3);
    settle(&d);
    resume(&d);
    good(&d, 1);
    good(&d, 2);
    good(&d, 3);
    assert_int_equal(held(&d), 0);
    assert_int_equal(triggers_partition_look(d.partition).lanes, 0);
    desk_close(&d);
}

/* Those behind it are sent again, and what is stored of the first ones is passed over. */
static void refuse_the_second(core_error_code code, bool is_stored, int64_t again_ms) {
    desk d;
    put_aside_three(&d);
    answer(&d, 0, true, CORE_ERROR_NONE);
    answer(&d, 1, is_stored, code);
    assert_int_equal(held(&d), 1);
    tick(&d, again_ms - 200);
    assert_int_equal(d.park_count, 3);
    tick(&d, 400);
    assert_int_equal(d.park_count, 5);
    assert_int_equal(copy_sent(&d, 3).sequence, 2);
    assert_int_equal(copy_sent(&d, 3).previous, 1);
    assert_int_equal(copy_sent(&d, 4).previous, 2);
    answer(&d, 2, true, CORE_ERROR_NONE); /* void: nobody knows where its predecessor is */
    assert_int_equal(held(&d), 1);
    settle(&d);
    assert_int_equal(held(&d), 3);
    assert_int_equal(d.copy_count, is_stored ? 5 : 4);
    resume(&d);
    good(&d, 1);
    good(&d, 2);
    good(&d, 3);
    assert_int_equal(d.attempt_count, 3);
    assert_int_equal(held(&d), 0);
    desk_close(&d);
}

static void test_behind_one_that_is_refused_all_are_sent_again(void **state) {
    (void)state;
    refuse_the_second(CORE_ERROR_FULL, false, 5000);
    refuse_the_second(CORE_ERROR_TRANSIENT, false, 500);
    refuse_the_second(CORE_ERROR_TRANSIENT, true, 500);
}

/* Two overtook one another on their way. */
static void test_one_that_stands_before_its_predecessor_is_sent_again(void **state) {
    desk d;
    (void)state;
    put_aside_three(&d);
    store(&d, d.parks[1].ticket, d.parks[1].bytes);
    answer(&d, 0, true, CORE_ERROR_NONE);
    triggers_partition_parked(d.partition, d.parks[1].ticket, d.parks[1].number, 1, CORE_ERROR_NONE,
                              d.now_ms);
    core_block_release(d.parks[1].bytes);
    d.park_done++;
    assert_int_equal(held(&d), 1);
    answer(&d, 2, true, CORE_ERROR_NONE);
    tick(&d, 600);
    assert_int_equal(copy_sent(&d, 3).sequence, 2);
    settle(&d);
    assert_int_equal(held(&d), 3);
    resume(&d);
    good(&d, 1);
    good(&d, 2);
    good(&d, 3);
    assert_int_equal(d.attempt_count, 3);
    desk_close(&d);
}

/* A former owner had done 2 without getting that into the log, and put 1 and 3 aside: its copy of 3
 * names 1, and comes when the next owner's chain of all three is being written. */
static void test_what_a_former_owner_put_aside_is_not_of_another_chain(void **state) {
    desk d;
    (void)state;
    desk_open(&d);
    feed(&d, 1, "a");
    feed(&d, 2, "b");
    feed(&d, 3, "c");
    good(&d, 2);
    d.is_paused = true;
    end(&d, 1, TRIGGERS_END_WITHDRAWN, 0);
    end(&d, 3, TRIGGERS_END_WITHDRAWN, 0);
    tick(&d, 5200);
    assert_int_equal(d.park_count, 2);
    assert_int_equal(copy_sent(&d, 1).sequence, 3);
    assert_int_equal(copy_sent(&d, 1).previous, 1);
    core_block *late = d.parks[1].bytes;
    answer(&d, 0, false, CORE_ERROR_TRANSIENT); /* that one never came */
    d.park_done++;
    desk_take_over(&d);
    d.record_done = d.record_count;
    triggers_partition_begin(d.partition, 8, d.now_ms);
    settle(&d);
    feed(&d, 1, "a");
    feed(&d, 2, "b");
    feed(&d, 3, "c");
    tick(&d, 5200);
    assert_int_equal(d.park_count, 5);
    answer(&d, 2, true, CORE_ERROR_NONE);
    store(&d, d.parks[3].ticket, late);
    core_block_release(late);
    settle(&d);
    assert_int_equal(held(&d), 3);
    resume(&d);
    good(&d, 1);
    good(&d, 2);
    good(&d, 3);
    assert_int_equal(held(&d), 0);
    assert_int_equal(triggers_partition_watermark(d.partition), 3);
    desk_close(&d);
}

/* The window is full of what waits behind a chain: it waits there as long as the lane's pace is
 * good, and is put aside when it is not. */
static void test_behind_a_chain_that_is_done_soon_nothing_is_put_aside(void **state) {
    static const char *const keys[] = {"a", "b", "c", "d"};
    desk d;
    (void)state;
    desk_open(&d);
    d.is_paused = true;
    for (uint64_t i = 1; i <= 4; i++)
        feed(&d, i, keys[i - 1]);
    wait_ms(&d, 5200);
    wait_ms(&d, 200);
    assert_int_equal(held(&d), 4);
    resume(&d);
    for (uint64_t i = 5; i <= 8; i++)
        feed(&d, i, keys[i - 5]);
    assert_false(triggers_partition_has_room(d.partition));
    good(&d, 1);
    wait_ms(&d, 900);
    good(&d, 2);
    wait_ms(&d, 300);
    assert_int_equal(held(&d), 2);
    assert_int_equal(d.park_count, 4);
    wait_ms(&d, 3000); /* nothing is delivered */
    wait_ms(&d, 200);
    assert_int_equal(d.park_count, 8);
    assert_int_equal(held(&d), 6);
    for (uint64_t i = 3; i <= 8; i++)
        good(&d, i);
    assert_int_equal(held(&d), 0);
    desk_close(&d);
}

/* A chain that a version put aside which gave it no number: of one lane one task, at position 1. */
static void former_state(core_buffer *out) {
    static const uint64_t hold[] = {1, 10, 1, 1, 1, 0, 0}; /* held, bytes, head, last, positions */
    core_buffer_u8(out, 2);
    core_buffer_u32(out, 1);
    core_buffer_u16(out, 1);
    core_buffer_text(out, "p");
    core_buffer_u16(out, 1);
    core_buffer_text(out, "t");
    core_buffer_u64(out, 0); /* its endpoint is not gone */
    for (size_t i = 0; i < CORE_COUNT_OF(hold); i++)
        core_buffer_u64(out, hold[i]);
    core_buffer_u32(out, 0); /* nothing done of it, no key, nothing done of others */
    core_buffer_u32(out, 0);
    core_buffer_u32(out, 0);
}

static core_block *former_copy(uint64_t sequence) {
    core_buffer task, out;
    core_buffer_init(&task, 4096);
    core_buffer_init(&out, 4096);
    const triggers_task wire = {.project = core_slice_text("p"),
                                .trigger = core_slice_text("t"),
                                .event_id = core_slice_text("e"),
                                .key_hash = TRIGGERS_PARTITIONS};
    triggers_task_write(&wire, &task);
    const triggers_parked parked = {.sequence = sequence, .task = core_buffer_slice(&task)};
    triggers_parked_write(&parked, &out);
    core_block *copy = core_block_copy(core_buffer_slice(&out));
    core_buffer_fini(&task);
    core_buffer_fini(&out);
    return copy;
}

static void test_what_a_former_version_put_aside_is_recalled(void **state) {
    desk d;
    core_buffer written;
    core_error error = {0};
    (void)state;
    desk_open(&d);
    desk_take_over(&d);
    d.record_done = d.record_count;
    core_buffer_init(&written, 4096);
    former_state(&written);
    const triggers_record record = {
        .owner = 7, .number = 1, .has_state = true, .state = core_buffer_slice(&written)};
    assert_true(triggers_partition_fold(d.partition, 1, &record, &error));
    core_buffer_fini(&written);
    assert_int_equal(held(&d), 1);
    triggers_partition_begin(d.partition, 8, d.now_ms);
    wait_ms(&d, 200);
    assert_int_equal(d.fetch_count, 1);
    core_block *copy = former_copy(1);
    store(&d, d.fetches[0].ticket, copy);
    core_block_release(copy);
    settle(&d);
    good(&d, 1);
    assert_int_equal(held(&d), 0);
    desk_close(&d);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_several_are_under_way_and_count_in_order),
        cmocka_unit_test(test_behind_one_that_is_refused_all_are_sent_again),
        cmocka_unit_test(test_one_that_stands_before_its_predecessor_is_sent_again),
        cmocka_unit_test(test_what_a_former_owner_put_aside_is_not_of_another_chain),
        cmocka_unit_test(test_behind_a_chain_that_is_done_soon_nothing_is_put_aside),
        cmocka_unit_test(test_what_a_former_version_put_aside_is_recalled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
