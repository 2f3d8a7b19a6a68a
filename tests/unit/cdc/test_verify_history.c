/* Records of snapshots: which of them say that a table was read whole. */
#include "cdc/verify_history.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static core_snapshot record_of(const char *id, core_snapshot_state state, uint64_t start) {
    core_snapshot record = {.schema = core_slice_text("My Schema"),
                            .table = core_slice_text("t"),
                            .state = state,
                            .epoch = core_slice_text("e"),
                            .start_sequence = start};
    assert_true(core_slice_to_text(core_slice_text(id), record.id, sizeof record.id));
    return record;
}

static void take(cdc_verify_snapshots *found, const core_snapshot *record) {
    cdc_verify_snapshots_take(record, "My Schema", "t", found);
}

static void the_last_whole_one_that_is_done_counts(void **state) {
    cdc_verify_snapshots found = {0};
    (void)state;
    core_snapshot record = record_of("first", CORE_SNAPSHOT_DONE, 7);
    take(&found, &record);
    record = record_of("older", CORE_SNAPSHOT_DONE, 5);
    take(&found, &record);
    record = record_of("filtered", CORE_SNAPSHOT_DONE, 90);
    record.filter = core_slice_text("id > 3");
    take(&found, &record);
    record = record_of("addressed", CORE_SNAPSHOT_DONE, 91);
    record.stream = core_slice_text("INDEX");
    take(&found, &record);
    record = record_of("failed", CORE_SNAPSHOT_FAILED, 92);
    take(&found, &record);
    record = record_of("other", CORE_SNAPSHOT_DONE, 93);
    record.schema = core_slice_text("public");
    take(&found, &record);
    assert_string_equal(found.done_id, "first");
    assert_string_equal(found.done_epoch, "e");
    assert_int_equal(found.done_sequence, 7);
    assert_false(found.running);
}

static void one_that_is_asked_for_or_under_way_is_told(void **state) {
    static const struct {
        core_snapshot_state state;
        bool running;
    } cases[] = {{CORE_SNAPSHOT_REQUESTED, true}, {CORE_SNAPSHOT_RUNNING, true},
                 {CORE_SNAPSHOT_PAUSED, false},   {CORE_SNAPSHOT_FAILED, false},
                 {CORE_SNAPSHOT_DONE, false},     {CORE_SNAPSHOT_CANCELLED, false}};
    (void)state;
    for (size_t i = 0; i < CORE_COUNT_OF(cases); i++) {
        cdc_verify_snapshots found = {0};
        const core_snapshot record = record_of("a", cases[i].state, 1);
        take(&found, &record);
        assert_int_equal(found.running, cases[i].running);
    }
}

static void partitions_are_read_with_their_root(void **state) {
    cdc_verify_snapshots found = {0};
    core_snapshot_range ranges[] = {
        {.schema = core_slice_text("public"), .table = core_slice_text("t_1")},
        {.schema = core_slice_text("My Schema"), .table = core_slice_text("t")}};
    (void)state;
    core_snapshot record = record_of("a", CORE_SNAPSHOT_DONE, 0);
    record.schema = record.table = core_slice_text("root");
    record.ranges = ranges;
    record.range_count = 1;
    take(&found, &record);
    assert_string_equal(found.done_id, "");
    record.range_count = 2;
    take(&found, &record);
    assert_string_equal(found.done_id, "a");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_whole_one_that_is_done_counts),
        cmocka_unit_test(one_that_is_asked_for_or_under_way_is_told),
        cmocka_unit_test(partitions_are_read_with_their_root),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
