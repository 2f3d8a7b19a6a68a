/* Tasks that wait for their trigger, step by step: put aside in one chain, recalled in order, and
 * what it costs others. What happens under faults is test_partition_sim.c's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "partition_desk.h"

static triggers_partition_stats look(const desk *d) {
    return triggers_partition_look(d->partition);
}

static void resume(desk *d) {
    d->is_paused = false;
    triggers_partition_refresh(d->partition, d->now_ms);
    wait_ms(d, 200);
    settle(d);
}

/* One chain, however many keys. */
static void test_what_a_paused_trigger_has_is_put_aside(void **state) {
    desk d;
    (void)state;
    desk_open(&d);
    d.is_paused = true;
    feed(&d, 1, "a");
    feed(&d, 2, "b");
    feed(&d, 3, "a");
    wait_ms(&d, 5000);
    assert_int_equal(d.park_count, 0);
    wait_ms(&d, 200);
    wait_ms(&d, 200);
    assert_int_equal(d.park_count, 3);
    assert_int_equal(look(&d).held_tasks, 3);
    assert_int_equal(look(&d).parked_keys, 0);
    assert_int_equal(triggers_partition_watermark(d.partition), 3);
    feed(&d, 4, "c"); /* at once */
    assert_int_equal(triggers_partition_watermark(d.partition), 4);
    assert_int_equal(d.attempt_count, 0);
    resume(&d);
    assert_int_equal(under_way(&d, 1) + under_way(&d, 2), 2);
    assert_int_equal(under_way(&d, 3), 0); /* behind 1 */
    good(&d, 1);
    good(&d, 4);
    good(&d, 3);
    good(&d, 2);
    assert_int_equal(look(&d).held_tasks, 0);
    assert_int_equal(look(&d).lanes, 0);
    feed(&d, 5, "a"); /* live again */
    assert_int_equal(under_way(&d, 5), 1);
    assert_int_equal(d.park_count, 4);
    desk_close(&d);
}

/* What comes while the chain is not done waits behind it, and is not put aside. */
static void test_what_comes_behind_the_chain_waits_for_its_end(void **state) {
    desk d;
    (void)state;
    desk_open(&d);
    d.is_paused = true;
    feed(&d, 1, "a");
    wait_ms(&d, 5200);
    wait_ms(&d, 200);
    assert_int_equal(look(&d).held_tasks, 1);
    resume(&d);
    assert_int_equal(under_way(&d, 1), 1);
    feed(&d, 2, "b");
    assert_int_equal(under_way(&d, 2), 0);
    assert_int_equal(d.park_count, 1);
    good(&d, 1);
    assert_int_equal(under_way(&d, 2), 1);
    assert_int_equal(d.park_count, 1);
    assert_int_equal(look(&d).held_tasks, 0);
    desk_close(&d);
}

/* A recalled one that fails is parked by its key, with those of the key that are recalled next. */
static void test_a_recalled_one_that_fails_parks_its_key(void **state) {
    desk d;
    (void)state;
    desk_open(&d);
    d.is_paused = true;
    feed(&d, 1, "a");
    feed(&d, 2, "a");
    feed(&d, 3, "b");
    wait_ms(&d, 5200);
    wait_ms(&d, 200);
    resume(&d);
    bad(&d, 1);
    assert_int_equal(look(&d).held_tasks, 1);
    assert_int_equal(look(&d).parked_keys, 1);
    good(&d, 3);
    assert_int_equal(look(&d).held_tasks, 0);
    wait_ms(&d, 5000);
    good(&d, 1);
    good(&d, 2);
    assert_int_equal(look(&d).parked_tasks, 0);
    desk_close(&d);
}

/* The chain begins only when nothing of the lane is under way; what takes long goes to its key's.
 */
static void test_a_lane_closes_before_its_chain_begins(void **state) {
    desk d;
    (void)state;
    desk_open(&d);
    feed(&d, 1, "a");
    feed(&d, 2, "b");
    feed(&d, 3, "c"); /* two at once */
    wait_ms(&d, 5200);
    assert_int_equal(d.park_count, 0);
    good(&d, 1); /* and 3 does not begin */
    assert_int_equal(under_way(&d, 3), 0);
    wait_ms(&d, 1100);
    wait_ms(&d, 200);
    assert_int_equal(d.park_count, 2); /* 2 by its key, 3 by its lane */
    assert_int_equal(triggers_partition_watermark(d.partition), 3);
    assert_int_equal(under_way(&d, 3), 1); /* recalled: there is a place */
    good(&d, 2);
    good(&d, 3);
    assert_int_equal(look(&d).parked_tasks, 0);
    desk_close(&d);
}

static void fold_all(desk *d) {
    triggers_record record;
    core_error error = {0};
    for (size_t i = 0; i < d->record_done; i++) {
        assert_true(triggers_record_read(core_block_slice(d->records[i]), &record, &error));
        assert_true(triggers_partition_fold(d->partition, i + 1, &record, &error));
    }
}

static void test_a_takeover_knows_what_is_put_aside_and_done(void **state) {
    desk d;
    (void)state;
    desk_open(&d);
    d.is_paused = true;
    feed(&d, 1, "a");
    feed(&d, 2, "b");
    feed(&d, 3, "a");
    wait_ms(&d, 5200);
    wait_ms(&d, 200);
    resume(&d);
    good(&d, 2); /* above the base, which 1 holds */
    size_t before = d.attempt_count;
    memset(d.ended, true, sizeof d.ended[0] * before);
    desk_take_over(&d);
    fold_all(&d);
    assert_int_equal(look(&d).held_tasks, 2);
    triggers_partition_begin(d.partition, 8, d.now_ms);
    settle(&d);
    feed(&d, 4, "a");
    wait_ms(&d, 200);
    settle(&d);
    assert_int_equal(d.attempt_count, before + 1);
    assert_int_equal(under_way(&d, 1), 1);
    good(&d, 1);
    good(&d, 3);
    good(&d, 4);
    assert_int_equal(look(&d).parked_tasks, 0);
    assert_int_equal(triggers_partition_watermark(d.partition), 4);
    desk_close(&d);
}

/* Of eight keys one trigger gets half, and another's first failure finds room; it waits unattempted
 * meanwhile, which is told. */
static void test_a_trigger_has_no_more_parked_keys_than_it_leaves_free(void **state) {
    static const char *const keys[] = {"a", "b", "c", "d", "e", "f"};
    desk d;
    (void)state;
    desk_open(&d);
    for (uint64_t i = 1; i <= 4; i++) {
        feed_of(&d, i, "down", keys[i - 1]);
        bad(&d, i);
    }
    assert_int_equal(look(&d).parked_keys, 4);
    assert_false(look(&d).is_limited);
    feed_of(&d, 5, "down", keys[4]);
    assert_int_equal(under_way(&d, 5), 0);
    assert_true(look(&d).is_limited);
    feed_of(&d, 6, "other", keys[5]);
    bad(&d, 6);
    assert_int_equal(look(&d).parked_keys, 5);
    assert_int_equal(d.bury_count, 0);
    wait_ms(&d, 5000);
    for (uint64_t i = 1; i <= 12; i++)
        if (under_way(&d, 1 + i % 6) == 1)
            good(&d, 1 + i % 6);
    assert_int_equal(look(&d).parked_tasks, 0);
    assert_int_equal(triggers_partition_watermark(d.partition), 6);
    desk_close(&d);
}

/* What it has in other partitions, too, counts against what it leaves free; and what those have. */
static void test_a_trigger_has_no_more_put_aside_than_it_leaves_free(void **state) {
    static const struct {
        uint32_t partitions;
        size_t held;
    } rows[] = {{0, 6}, {1, 6}, {3, 3}, {11, 1}};
    (void)state;
    for (size_t row = 0; row < CORE_COUNT_OF(rows); row++) {
        desk d;
        desk_open_batches(&d, 16, 0, 0);
        d.is_paused = true;
        d.partitions = rows[row].partitions;
        feed(&d, 1, "a");
        wait_ms(&d, 5200);
        wait_ms(&d, 200);
        uint64_t one = triggers_partition_held_bytes(d.partition);
        assert_int_equal(look(&d).held_tasks, 1);
        triggers_partition_held_max(d.partition, 12 * one, 1);
        for (uint64_t i = 2; i <= 12; i++)
            feed(&d, i, "a");
        wait_ms(&d, 200);
        settle(&d);
        assert_int_equal(look(&d).held_tasks, rows[row].held);
        assert_true(look(&d).is_limited);
        triggers_partition_held_max(d.partition, one, 1); /* the others have it */
        resume(&d);
        for (uint64_t i = 1; i <= 12; i++)
            good(&d, i);
        assert_int_equal(triggers_partition_watermark(d.partition), 12);
        desk_close(&d);
    }
}

/* Of eight keys a project's triggers get half together, and another's first failure finds room. One
 * that is alone, so to say, is not held to that. */
static void test_a_project_has_no_more_parked_keys_than_it_leaves_free(void **state) {
    static const char *const triggers[] = {"t1", "t2", "t3", "t4", "t5"};
    (void)state;
    for (int has_projects = 0; has_projects <= 1; has_projects++) {
        desk d;
        desk_open_of(&d, has_projects == 1);
        for (uint64_t i = 1; i <= 4; i++) {
            feed_of(&d, i, triggers[i - 1], "a");
            bad(&d, i);
        }
        assert_int_equal(look(&d).parked_keys, 4);
        feed_of(&d, 5, triggers[4], "a");
        assert_int_equal(under_way(&d, 5), has_projects == 1 ? 0 : 1);
        assert_int_equal(look(&d).is_limited, has_projects == 1);
        d.project = "q";
        feed_of(&d, 6, "t1", "a");
        bad(&d, 6);
        assert_int_equal(look(&d).parked_keys, 5);
        wait_ms(&d, 5000);
        for (uint64_t i = 1; i <= 12; i++)
            if (under_way(&d, 1 + i % 6) == 1)
                good(&d, 1 + i % 6);
        assert_int_equal(look(&d).parked_tasks, 0);
        assert_int_equal(triggers_partition_watermark(d.partition), 6);
        desk_close(&d);
    }
}

/* All triggers of a project together, and what it is taken to have in the driver's other
 * partitions. */
static void test_a_project_has_no_more_put_aside_than_it_leaves_free(void **state) {
    static const struct {
        bool has_projects;
        uint32_t partitions;
        size_t held;
    } rows[] = {{false, 4, 8}, {true, 1, 6}, {true, 2, 4}};
    (void)state;
    for (size_t row = 0; row < CORE_COUNT_OF(rows); row++) {
        static const char *const triggers[] = {"t1", "t2", "t3", "t4"};
        desk d;
        desk_open_of(&d, rows[row].has_projects);
        d.is_paused = true;
        for (uint64_t i = 0; i < 4; i++)
            feed_of(&d, i + 1, triggers[i], "a");
        wait_ms(&d, 5200);
        wait_ms(&d, 200);
        uint64_t four = triggers_partition_held_bytes(d.partition);
        assert_int_equal(look(&d).held_tasks, 4);
        triggers_partition_held_max(d.partition, 3 * four, rows[row].partitions);
        for (uint64_t i = 0; i < 4; i++)
            feed_of(&d, i + 5, triggers[i], "a");
        wait_ms(&d, 200);
        settle(&d);
        assert_int_equal(look(&d).held_tasks, rows[row].held);
        assert_int_equal(look(&d).is_limited, rows[row].has_projects);
        d.project = "q"; /* which finds room */
        feed_of(&d, 9, "t1", "a");
        wait_ms(&d, 5200);
        wait_ms(&d, 200);
        assert_int_equal(look(&d).held_tasks, rows[row].held + 1);
        resume(&d);
        for (int turn = 0; turn < 9; turn++)
            for (uint64_t i = 1; i <= 9; i++)
                if (under_way(&d, i) == 1)
                    good(&d, i);
        assert_int_equal(look(&d).held_tasks, 0);
        assert_int_equal(triggers_partition_watermark(d.partition), 9);
        desk_close(&d);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_a_paused_trigger_has_is_put_aside),
        cmocka_unit_test(test_what_comes_behind_the_chain_waits_for_its_end),
        cmocka_unit_test(test_a_recalled_one_that_fails_parks_its_key),
        cmocka_unit_test(test_a_lane_closes_before_its_chain_begins),
        cmocka_unit_test(test_a_takeover_knows_what_is_put_aside_and_done),
        cmocka_unit_test(test_a_trigger_has_no_more_parked_keys_than_it_leaves_free),
        cmocka_unit_test(test_a_trigger_has_no_more_put_aside_than_it_leaves_free),
        cmocka_unit_test(test_a_project_has_no_more_parked_keys_than_it_leaves_free),
        cmocka_unit_test(test_a_project_has_no_more_put_aside_than_it_leaves_free),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
