/* The record of a snapshot: what is written is what is read, and what is none is refused. */
#include "core/core.h"
#include "core/snapshot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static core_arena arena;

static int setup(void **state) {
    (void)state;
    core_arena_init(&arena, 4096, (size_t)4 << 20);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    core_arena_fini(&arena);
    return 0;
}

static void a_record_comes_back_as_it_was(void **state) {
    (void)state;
    core_snapshot_range ranges[] = {
        {.schema = core_slice_text("a.b \"c"),
         .table = core_slice_text("t\\x"),
         .up_to = core_slice_text("[\"5\",\"x \\\"y\"]"),
         .last = core_slice_text("[\"2\",\"\\u0001\"]"),
         .key = core_slice_text("[\"1 23 0\"]")},
        {.schema = core_slice_text("s"), .table = core_slice_text("u"), .done = true},
    };
    core_snapshot out = {.id = "abc123",
                         .schema = core_slice_text("s"),
                         .table = core_slice_text("t"),
                         .filter = core_slice_text("a = 'b' -- \n"),
                         .initial = true,
                         .rate_bytes = 1 << 20,
                         .wanted = CORE_SNAPSHOT_CANCEL,
                         .state = CORE_SNAPSHOT_FAILED,
                         .error = core_slice_text("no \"table\""),
                         .epoch = core_slice_text("abcd"),
                         .low = core_slice_text("7:9:8"),
                         .requested_us = -5,
                         .finished_us = INT64_MAX,
                         .rows = UINT64_MAX,
                         .chunks = 3,
                         .ranges = ranges,
                         .range_count = 2};
    core_buffer json;
    core_buffer again;
    core_snapshot in;
    core_error error = {0};
    core_buffer_init(&json, CORE_SNAPSHOT_JSON_MAX);
    core_buffer_init(&again, CORE_SNAPSHOT_JSON_MAX);
    core_snapshot_encode(&out, &json);
    if (!core_snapshot_decode(core_buffer_slice(&json), &arena, &in, &error))
        fail_msg("%s", error.text);
    core_snapshot_encode(&in, &again);
    assert_true(core_slice_equal(core_buffer_slice(&json), core_buffer_slice(&again)));
    assert_string_equal(in.id, "abc123");
    assert_int_equal(in.state, CORE_SNAPSHOT_FAILED);
    assert_int_equal(in.wanted, CORE_SNAPSHOT_CANCEL);
    assert_true(in.initial);
    assert_true(in.rows == UINT64_MAX && in.requested_us == -5 && in.finished_us == INT64_MAX);
    assert_int_equal(in.range_count, 2);
    assert_true(core_slice_is(in.ranges[0].schema, "a.b \"c"));
    assert_true(core_slice_is(in.ranges[0].key, "[\"1 23 0\"]"));
    assert_int_equal(in.ranges[0].after.length, 0);
    assert_true(in.ranges[1].done);
    assert_int_equal(in.stream.length, 0);
    core_buffer_fini(&json);
    core_buffer_fini(&again);
}

static void what_is_no_record_is_refused(void **state) {
    (void)state;
    static const char *const refused[] = {
        "",
        "[]",
        "{",
        "{}",
        "{\"id\":\"a\"}",
        "{\"table\":\"t\"}",
        "{\"id\":\"a.b\",\"table\":\"t\"}",
        "{\"id\":\"A\",\"table\":\"t\"}",
        "{\"id\":\"\",\"table\":\"t\"}",
        "{\"id\":\"aaaaaaaaaaaaaaaaaaaaaaaaa\",\"table\":\"t\"}",
        "{\"id\":1,\"table\":\"t\"}",
        "{\"id\":\"a\",\"table\":1}",
        "{\"id\":\"a\",\"table\":\"t\"} ",
        "{\"id\":\"a\",\"table\":\"t\"}x",
        "{\"id\":\"a\",\"table\":\"t\",\"state\":\"odd\"}",
        "{\"id\":\"a\",\"table\":\"t\",\"wanted\":null}",
        "{\"id\":\"a\",\"table\":\"t\",\"rows\":-1}",
        "{\"id\":\"a\",\"table\":\"t\",\"rows\":1.5}",
        "{\"id\":\"a\",\"table\":\"t\",\"rows\":99999999999999999999}",
        "{\"id\":\"a\",\"table\":\"t\",\"initial\":1}",
        "{\"id\":\"a\",\"table\":\"t\",\"ranges\":{}}",
        "{\"id\":\"a\",\"table\":\"t\",\"ranges\":[1]}",
        "{\"id\":\"a\",\"table\":\"t\",\"ranges\":[],\"ranges\":[]}",
        "{\"id\":\"a\",\"table\":\"t\",\"ranges\":[{\"last\":\"x\"}]}",
        "{\"id\":\"a\",\"table\":\"t\",\"ranges\":[{\"done\":0}]}",
    };
    for (size_t i = 0; i < CORE_COUNT_OF(refused); i++) {
        core_snapshot snapshot;
        core_error error = {0};
        bool blank = i == 12; /* white space behind it is JSON */
        bool taken = core_snapshot_decode(core_slice_text(refused[i]), &arena, &snapshot, &error);
        if (taken != blank)
            fail_msg("%zu: %s", i, refused[i]);
        if (!taken)
            assert_int_equal(error.code, CORE_ERROR_INPUT);
    }
}

static void unknown_members_are_skipped(void **state) {
    (void)state;
    core_snapshot snapshot;
    core_error error = {0};
    assert_true(core_snapshot_decode(
        core_slice_text("{\"new\":[{\"a\":1}],\"id\":\"a\",\"table\":\"t\",\"error\":null,"
                        "\"ranges\":[{\"x\":{},\"schema\":\"s\"}]}"),
        &arena, &snapshot, &error));
    assert_int_equal(snapshot.range_count, 1);
}

static void too_many_ranges_are_refused(void **state) {
    (void)state;
    core_buffer json;
    core_snapshot snapshot;
    core_error error = {0};
    core_buffer_init(&json, (size_t)1 << 20);
    core_buffer_text(&json, "{\"id\":\"a\",\"table\":\"t\",\"ranges\":[{}");
    for (size_t i = 0; i < CORE_SNAPSHOT_RANGES_MAX; i++)
        core_buffer_text(&json, ",{}");
    core_buffer_text(&json, "]}");
    assert_false(core_snapshot_decode(core_buffer_slice(&json), &arena, &snapshot, &error));
    core_buffer_fini(&json);
}

static void places_keep_any_text(void **state) {
    (void)state;
    const core_slice values[] = {core_slice_text(""), core_slice_text("it's \"x\"\\\n\x01"),
                                 core_slice_text("Ünï")};
    core_slice read[4];
    size_t count;
    core_buffer place;
    core_buffer_init(&place, 1024);
    core_snapshot_place_write(&place, values, 3);
    assert_true(core_snapshot_place_read(core_buffer_slice(&place), &arena, read, 4, &count));
    assert_int_equal(count, 3);
    for (size_t i = 0; i < count; i++)
        assert_true(core_slice_equal(values[i], read[i]));
    assert_false(core_snapshot_place_read(core_buffer_slice(&place), &arena, read, 2, &count));
    core_buffer_fini(&place);
    static const char *const refused[] = {"", "{}", "[1]", "[null]", "[\"a\"", "[\"a\"]]", "\"a\""};
    for (size_t i = 0; i < CORE_COUNT_OF(refused); i++)
        assert_false(
            core_snapshot_place_read(core_slice_text(refused[i]), &arena, read, 4, &count));
}

static void ids_are_random_and_fit_subjects(void **state) {
    (void)state;
    char one[CORE_SNAPSHOT_ID_SIZE];
    char other[CORE_SNAPSHOT_ID_SIZE];
    char key[CORE_SNAPSHOT_ID_SIZE + 16];
    core_error error = {0};
    assert_true(core_snapshot_id_make(one, &error) && core_snapshot_id_make(other, &error));
    assert_string_not_equal(one, other);
    assert_int_equal(strspn(one, "0123456789abcdefghijklmnopqrstuvwxyz"), 16);
    core_snapshot_key("abc", key);
    assert_string_equal(key, "snapshot.abc");
}

static void an_initial_one_has_its_id_from_its_history_and_table(void **state) {
    (void)state;
    static const char *const of[][3] = {
        {"epoch", "public", "items"},
        {"other", "public", "items"},
        {"epoch", "public", "lines"},
        {"epoch", "publi", "citems"},
        {"", "", ""},
    };
    char ids[CORE_COUNT_OF(of)][CORE_SNAPSHOT_ID_SIZE];
    for (size_t i = 0; i < CORE_COUNT_OF(of); i++) {
        char again[CORE_SNAPSHOT_ID_SIZE];
        core_snapshot_id_initial(core_slice_text(of[i][0]), core_slice_text(of[i][1]),
                                 core_slice_text(of[i][2]), ids[i]);
        core_snapshot_id_initial(core_slice_text(of[i][0]), core_slice_text(of[i][1]),
                                 core_slice_text(of[i][2]), again);
        assert_string_equal(ids[i], again);
        assert_int_equal(strspn(ids[i], "0123456789abcdefghijklmnopqrstuvwxyz"), 16);
        for (size_t j = 0; j < i; j++) /* in both halves */
            assert_true(strncmp(ids[i], ids[j], 8) != 0 && strcmp(ids[i] + 8, ids[j] + 8) != 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_record_comes_back_as_it_was, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_no_record_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(unknown_members_are_skipped, setup, teardown),
        cmocka_unit_test_setup_teardown(too_many_ranges_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(places_keep_any_text, setup, teardown),
        cmocka_unit_test(ids_are_random_and_fit_subjects),
        cmocka_unit_test(an_initial_one_has_its_id_from_its_history_and_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
