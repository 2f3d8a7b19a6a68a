/* The GAP event's content: what it tells, and that the writer finds its position in it again. */
#include "cdc/gap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const cdc_gap sample = {
    .reason = CDC_GAP_SLOT_MISSING,
    .text = "slot \"walcast\" is gone",
    .from_lsn = 0x100000010,
    .to_lsn = 0x200000020,
    .from_sequence = 41,
    .old_epoch = "oldepoch",
    .old_system_id = 7300000000000000001,
    .old_timeline = 1,
};

static const cdc_position after = {
    .epoch = "newepoch",
    .sequence = 42,
    .complete = true,
    .end_lsn = 0x200000020,
    .system_id = 7300000000000000002,
    .timeline = 3,
    .stream_created_us = 1700000000000001,
    .gaps = 2,
    .gap_sequence = 42,
    .publication_oids = {16400, 4000000000},
};

static void encoded(const cdc_gap *gap, const char *policy, core_buffer *out) {
    core_buffer_init(out, CDC_GAP_CONTENT_MAX);
    cdc_gap_encode(gap, &after, policy, 1700000000000000, out);
    assert_true(core_buffer_ok(out));
    assert_true(core_json_valid(core_buffer_slice(out)));
}

static void it_tells_what_is_missing(void **state) {
    (void)state;
    core_buffer out;
    encoded(&sample, "continue", &out);
    core_buffer_u8(&out, '\0');
    const char *text = (const char *)out.data;
    assert_non_null(strstr(text, "\"reason\":\"slot_missing\""));
    assert_non_null(strstr(text, "\"text\":\"slot \\\"walcast\\\" is gone\""));
    assert_non_null(strstr(text, "\"missing\":true"));
    assert_non_null(strstr(text, "\"from_lsn\":\"1/10\",\"to_lsn\":\"2/20\""));
    assert_non_null(strstr(text, "\"from_sequence\":41"));
    assert_non_null(strstr(text, "\"old\":{\"system_id\":\"7300000000000000001\",\"timeline\":1,"
                                 "\"epoch\":\"oldepoch\"}"));
    assert_non_null(strstr(text, "\"new\":{\"system_id\":\"7300000000000000002\",\"timeline\":3,"
                                 "\"epoch\":\"newepoch\"}"));
    assert_non_null(strstr(text, "\"time\":\"2023-11-14T22:13:20"));
    core_buffer_fini(&out);
}

static void its_position_survives_a_round_trip(void **state) {
    (void)state;
    core_buffer out;
    cdc_position got;
    bool snapshot = true;
    core_error error = {0};
    encoded(&sample, "continue", &out);
    assert_true(cdc_gap_decode(core_buffer_slice(&out), &got, &snapshot, &error));
    assert_false(snapshot);
    assert_string_equal(got.epoch, after.epoch);
    assert_true(got.sequence == after.sequence && got.end_lsn == after.end_lsn);
    assert_true(got.system_id == after.system_id && got.timeline == after.timeline);
    assert_true(got.gaps == after.gaps && got.gap_sequence == after.gap_sequence);
    assert_memory_equal(got.publication_oids, after.publication_oids, sizeof got.publication_oids);
    core_buffer_fini(&out);
}

static void a_snapshot_is_wanted_only_of_what_is_missing(void **state) {
    (void)state;
    core_buffer out;
    cdc_position got;
    bool snapshot = false;
    core_error error = {0};
    cdc_gap gap = sample;
    encoded(&gap, "snapshot", &out);
    assert_true(cdc_gap_decode(core_buffer_slice(&out), &got, &snapshot, &error));
    assert_true(snapshot);
    core_buffer_fini(&out);
    gap.reason = CDC_GAP_REPLAYED;
    encoded(&gap, "snapshot", &out);
    assert_true(cdc_gap_decode(core_buffer_slice(&out), &got, &snapshot, &error));
    assert_false(snapshot);
    core_buffer_fini(&out);
}

static void the_longest_fits(void **state) {
    (void)state;
    core_buffer out;
    cdc_gap gap = sample;
    memset(gap.text, '\x01', sizeof gap.text - 1); /* each is escaped as \u0001 */
    gap.text[sizeof gap.text - 1] = '\0';
    encoded(&gap, "snapshot", &out);
    core_buffer_fini(&out);
}

static void anything_else_is_refused(void **state) {
    (void)state;
    static const char *const texts[] = {
        "",
        "{}",
        "[]",
        "{\"position\":{}}",
        "{\"position\":1}",
        "{\"reason\":\"slot_lost\"}",
        "{\"position\":",
    };
    for (size_t i = 0; i < CORE_COUNT_OF(texts); i++) {
        cdc_position got;
        bool snapshot;
        core_error error = {0};
        assert_false(cdc_gap_decode(core_slice_text(texts[i]), &got, &snapshot, &error));
        assert_int_equal(error.code, CORE_ERROR_INPUT);
    }
}

/* Sequences and (commit LSN, index) may only come again in a new epoch; see the table. */
static void what_may_repeat_has_a_new_epoch(void **state) {
    (void)state;
    for (cdc_gap_reason reason = CDC_GAP_NONE; reason < CDC_GAP_REASONS; reason++) {
        assert_non_null(cdc_gap_reason_name(reason));
        bool on_the_same_history = reason <= CDC_GAP_PUBLICATION_REMADE;
        assert_int_equal(cdc_gap_new_epoch(reason), !on_the_same_history);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_tells_what_is_missing),
        cmocka_unit_test(its_position_survives_a_round_trip),
        cmocka_unit_test(a_snapshot_is_wanted_only_of_what_is_missing),
        cmocka_unit_test(the_longest_fits),
        cmocka_unit_test(anything_else_is_refused),
        cmocka_unit_test(what_may_repeat_has_a_new_epoch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
