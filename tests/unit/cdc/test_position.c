/* The position record: out and in again, and nothing but a whole one. */
#include "cdc/position.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const cdc_position sample = {
    .epoch = "abcdefghij012345",
    .sequence = UINT64_MAX,
    .commit_lsn = 0x16B374D848,
    .index = 10000000,
    .complete = true,
    .end_lsn = 0xFFFFFFFF00000001,
    .system_id = 7300000000000000001,
    .timeline = 3,
    .stream_created_us = 1700000000000001,
    .gaps = 2,
    .gap_sequence = 77,
    .publication_oids = {16400, UINT32_MAX},
};

static void a_record_survives_a_round_trip(void **state) {
    (void)state;
    core_buffer json;
    cdc_position got;
    core_error error = {0};
    core_buffer_init(&json, CDC_POSITION_JSON_MAX);
    cdc_position_encode(&sample, &json);
    assert_true(cdc_position_decode(core_buffer_slice(&json), &got, &error));
    assert_string_equal(got.epoch, sample.epoch);
    assert_true(got.sequence == sample.sequence);
    assert_int_equal(got.commit_lsn, sample.commit_lsn);
    assert_int_equal(got.index, sample.index);
    assert_true(got.complete);
    assert_true(got.end_lsn == sample.end_lsn);
    assert_true(got.system_id == sample.system_id);
    assert_int_equal(got.timeline, sample.timeline);
    assert_int_equal(got.stream_created_us, sample.stream_created_us);
    assert_int_equal(got.gaps, sample.gaps);
    assert_int_equal(got.gap_sequence, sample.gap_sequence);
    assert_memory_equal(got.publication_oids, sample.publication_oids, sizeof got.publication_oids);
    core_buffer_fini(&json);
}

#define REST                                                                                       \
    "\"index\":0,\"complete\":false,\"end_lsn\":\"0/0\",\"system_id\":\"1\",\"timeline\":1,"       \
    "\"stream_created_us\":-5}"

static void unknown_members_are_skipped(void **state) {
    (void)state;
    cdc_position got;
    core_error error = {0};
    const char *text = "{\"later\":{\"a\":[1,2]},\"epoch\":\"e\",\"sequence\":1,"
                       "\"commit_lsn\":\"A/b\"," REST;
    assert_true(cdc_position_decode(core_slice_text(text), &got, &error));
    assert_int_equal(got.commit_lsn, 0xA0000000B);
    assert_int_equal(got.stream_created_us, -5);
}

static void anything_else_is_refused(void **state) {
    (void)state;
    static const char *const texts[] = {
        "",
        "{}",
        "null",
        "{\"epoch\":\"e\"}",
        "{\"epoch\":\"e\",\"sequence\":1,\"commit_lsn\":\"0/0\"," REST "x",
        "{\"epoch\":\"e\",\"sequence\":1,\"commit_lsn\":\"0-0\"," REST,
        "{\"epoch\":\"e\",\"sequence\":-1,\"commit_lsn\":\"0/0\"," REST,
        "{\"epoch\":\"longer_than_sixteen\",\"sequence\":1,\"commit_lsn\":\"0/0\"," REST,
    };
    for (size_t i = 0; i < CORE_COUNT_OF(texts); i++) {
        cdc_position got;
        core_error error = {0};
        assert_false(cdc_position_decode(core_slice_text(texts[i]), &got, &error));
        assert_int_equal(error.code, CORE_ERROR_INPUT);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_survives_a_round_trip),
        cmocka_unit_test(unknown_members_are_skipped),
        cmocka_unit_test(anything_else_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
