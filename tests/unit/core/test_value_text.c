/* Texts back from their JSON: what comes back as it was, and what does not and must be carried. */
#include "core/core.h"
#include "core/value_text.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum {
    BOOL = 16,
    BYTEA = 17,
    INT8 = 20,
    INT2VECTOR = 22,
    TEXT = 25,
    OIDVECTOR = 30,
    JSON = 114,
    JSON_ARRAY = 199,
    BOOL_ARRAY = 1000,
    BYTEA_ARRAY = 1001,
    INT4_ARRAY = 1007,
    TEXT_ARRAY = 1009,
    BOX_ARRAY = 1020,
    TIMESTAMP = 1114,
    TIMESTAMP_ARRAY = 1115,
    TIMESTAMPTZ = 1184,
    NUMERIC = 1700,
    JSONB = 3802,
    MOOD = 16500,
    MOODS = 16501,
};

static core_buffer out, json;

static int setup(void **state) {
    (void)state;
    core_buffer_init(&out, 4096);
    core_buffer_init(&json, 4096);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    core_buffer_fini(&out);
    core_buffer_fini(&json);
    return 0;
}

/* Writes the value and reads it back, in no more room than was promised. */
static bool comes_back(const core_column *column, core_slice text) {
    core_value value = {.kind = CORE_VALUE_TEXT, .bytes = text}, again;
    core_buffer_reset(&json);
    core_buffer_reset(&out);
    core_json_writer writer = core_json_writer_make(&json);
    core_column_value_json(&writer, column, &value);
    assert_true(core_column_text(column, core_buffer_slice(&json), &out, &again));
    assert_in_range(out.length, 0, core_column_text_room(core_buffer_slice(&json)));
    return again.kind == CORE_VALUE_TEXT && core_slice_equal(again.bytes, text);
}

static bool type_comes_back(uint32_t oid, const char *text) {
    const core_column column = {.type_oid = oid, .typmod = -1};
    return comes_back(&column, core_slice_text(text));
}

static void usual_values_come_back(void **state) {
    (void)state;
    static const struct {
        uint32_t oid;
        const char *text;
    } values[] = {
        {BOOL, "t"},
        {BOOL, "f"},
        {INT8, "9223372036854775807"},
        {NUMERIC, "-0.00100"},
        {NUMERIC, "NaN"},
        {NUMERIC, "-Infinity"},
        {TEXT, ""},
        {TEXT, "NULL"},
        {TEXT, "a\"b\\c\n\x01 \xc3\xa9"},
        {TEXT, "{1,2}"},
        {BYTEA, "\\x"},
        {BYTEA, "\\x00ff"},
        {JSON, "{\"b\" : 1, \"b\":[ ]}"},
        {JSONB, "\"text\""},
        {JSONB, "1.10"},
        {TIMESTAMP, "2024-02-29 01:02:03.4"},
        {TIMESTAMP, "0044-03-15 12:00:00 BC"},
        {TIMESTAMP, "infinity"},
        {TIMESTAMPTZ, "2024-02-29 01:02:03+00"},
        {TIMESTAMPTZ, "1883-11-18 12:00:00.000001+00 BC"},
        {TIMESTAMPTZ, "2024-02-29 01:02:03+05:30"},
        {TIMESTAMPTZ, "2024-02-29 01:02:03-00:19:32"},
        {TIMESTAMPTZ, "-infinity"},
        {INT2VECTOR, "1 2 -3"},
        {INT2VECTOR, ""},
        {OIDVECTOR, "1 4294967295"},
        {BOOL_ARRAY, "{t,f,NULL}"},
        {INT4_ARRAY, "{}"},
        {INT4_ARRAY, "{{1,2},{3,NULL}}"},
        {TEXT_ARRAY, "{a,\"\",\"NULL\",\"nUlL\",\"a b\",\"{\",\"a,b\",\"\\\"\\\\\",NULL}"},
        {TEXT_ARRAY, "{\"a\nb\",\xc3\xa9}"},
        {BYTEA_ARRAY, "{\"\\\\x\",\"\\\\x00ff\"}"},
        {BOX_ARRAY, "{(1,2),(0,0);(3,4),(0,0)}"},
        {TIMESTAMP_ARRAY, "{\"2024-02-29 01:02:03\",infinity}"},
        {JSON_ARRAY, "{\"{\\\"a\\\": 1}\",2,\"\\\"x\\\"\"}"},
    };
    for (size_t i = 0; i < CORE_COUNT_OF(values); i++)
        if (!type_comes_back(values[i].oid, values[i].text))
            fail_msg("type %u, %s: came back otherwise from %.*s", values[i].oid, values[i].text,
                     CORE_SLICE_ARGS(core_buffer_slice(&json)));
}

static void types_of_ones_own_go_by_their_column(void **state) {
    (void)state;
    const core_column domain = {.type_oid = MOOD, .base_oid = NUMERIC};
    const core_column array = {.type_oid = MOODS, .element_oid = MOOD};
    const core_column named = {.type_oid = MOODS, .type_name = core_slice_text("_mood")};
    const core_column other = {.type_oid = MOODS, .element_oid = MOOD, .delimiter = '|'};
    const core_column over_array = {.type_oid = MOOD, .base_oid = INT4_ARRAY};
    assert_true(comes_back(&domain, core_slice_text("1.50")));
    assert_true(comes_back(&array, core_slice_text("{sad,\"so, so\"}")));
    assert_true(comes_back(&named, core_slice_text("{sad,NULL}")));
    assert_true(comes_back(&other, core_slice_text("{a|\"b|c\"|d,e}")));
    assert_true(comes_back(&over_array, core_slice_text("{1,2}")));
}

/* What a writer that promises the text must carry beside its JSON. */
static void what_json_does_not_tell_comes_back_otherwise(void **state) {
    (void)state;
    const core_column text = {.type_oid = TEXT};
    assert_false(type_comes_back(INT4_ARRAY, "[0:1]={1,2}"));
    assert_false(type_comes_back(JSON, "{\"a\":\n1}"));
    assert_false(type_comes_back(JSON, "null"));
    assert_false(type_comes_back(JSON_ARRAY, "{\"[1,2]\"}"));
    assert_false(type_comes_back(JSON_ARRAY, "{\"null\",NULL}"));
    assert_false(type_comes_back(BYTEA, "no hex"));
    assert_false(comes_back(&text, core_slice_make("\xff", 1)));
}

static void what_is_no_value_of_the_type_is_refused(void **state) {
    (void)state;
    static const struct {
        uint32_t oid;
        const char *json;
    } wrong[] = {
        {TEXT, "{}"},          {TEXT, "[1]"},          {INT8, "{\"a\":1}"}, {TEXT, ""},
        {TEXT, "\"\\ud800\""}, {INT4_ARRAY, "[1,{}]"}, {INT4_ARRAY, "[1"},  {INT2VECTOR, "[true]"},
        {JSON, "{\"a\"}"},     {BYTEA, "[]"},
    };
    for (size_t i = 0; i < CORE_COUNT_OF(wrong); i++) {
        const core_column column = {.type_oid = wrong[i].oid};
        core_value value;
        core_buffer_reset(&out);
        if (core_column_text(&column, core_slice_text(wrong[i].json), &out, &value))
            fail_msg("type %u, %s: was taken", wrong[i].oid, wrong[i].json);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(usual_values_come_back),
        cmocka_unit_test(types_of_ones_own_go_by_their_column),
        cmocka_unit_test(what_json_does_not_tell_comes_back_otherwise),
        cmocka_unit_test(what_is_no_value_of_the_type_is_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
