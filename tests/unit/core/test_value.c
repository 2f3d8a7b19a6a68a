/* PostgreSQL's text values as JSON: each type's form, arrays, and that whatever bytes come the
 * output is valid JSON. What a good text gives is PostgreSQL 15's own to_json of it, except where
 * value.h says otherwise (bytea). */
#include "core/core.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum {
    BOOL = 16,
    BYTEA = 17,
    INT8 = 20,
    INT2VECTOR = 22,
    INT4 = 23,
    TEXT = 25,
    OID = 26,
    OIDVECTOR = 30,
    JSON = 114,
    FLOAT8 = 701,
    MONEY = 790,
    BOOL_ARRAY = 1000,
    BYTEA_ARRAY = 1001,
    INT4_ARRAY = 1007,
    TEXT_ARRAY = 1009,
    BOX_ARRAY = 1020,
    DATE = 1082,
    TIMESTAMP = 1114,
    TIMESTAMPTZ = 1184,
    TIMESTAMPTZ_ARRAY = 1185,
    NUMERIC_ARRAY = 1231,
    NUMERIC = 1700,
    UUID = 2950,
    JSONB = 3802,
    JSONB_ARRAY = 3807,
    ENUM = 16500,
};

static core_buffer out;

static core_slice json_of(uint32_t type_oid, core_slice text) {
    core_value value = {.kind = CORE_VALUE_TEXT, .bytes = text};
    core_buffer_reset(&out);
    core_json_writer writer = core_json_writer_make(&out);
    core_value_json(&writer, type_oid, &value);
    assert_true(core_buffer_ok(&out));
    return core_buffer_slice(&out);
}

static void assert_json(uint32_t type_oid, const char *text, const char *expected) {
    core_slice json = json_of(type_oid, core_slice_text(text));
    if (!core_slice_is(json, expected))
        fail_msg("type %u, %s: got %.*s, expected %s", type_oid, text, CORE_SLICE_ARGS(json),
                 expected);
    assert_true(core_json_valid(json));
}

static void scalars_keep_what_they_are(void **state) {
    (void)state;
    assert_json(BOOL, "t", "true");
    assert_json(BOOL, "f", "false");
    assert_json(INT4, "-2147483648", "-2147483648");
    assert_json(INT8, "9223372036854775807", "9223372036854775807");
    assert_json(NUMERIC, "0.10", "0.10");
    assert_json(NUMERIC, "123456789012345678901234567890.123456789012345678901234567890",
                "123456789012345678901234567890.123456789012345678901234567890");
    assert_json(FLOAT8, "1e+20", "1e+20");
    assert_json(FLOAT8, "-1.5e-07", "-1.5e-07");
    assert_json(FLOAT8, "-0", "-0");
    assert_json(FLOAT8, "NaN", "\"NaN\"");
    assert_json(NUMERIC, "-Infinity", "\"-Infinity\"");
    assert_json(OID, "4294967295", "\"4294967295\"");
    assert_json(INT2VECTOR, "1 -2", "[1,-2]");
    assert_json(INT2VECTOR, "", "[]");
    assert_json(OIDVECTOR, "1 x", "[\"1\",\"x\"]");
    assert_json(MONEY, "$1,000.00", "\"$1,000.00\"");
    assert_json(UUID, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
                "\"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11\"");
    assert_json(TEXT, "he said \"a\\b\"\n", "\"he said \\\"a\\\\b\\\"\\n\"");
    assert_json(TEXT, "{1,2}", "\"{1,2}\"");
    assert_json(TEXT, "", "\"\"");
    assert_json(ENUM, "happy", "\"happy\"");
    assert_json(BYTEA, "\\xdeadBEEF00", "\"deadBEEF00\"");
    assert_json(BYTEA, "\\x", "\"\"");
}

static void timestamps_are_iso_8601(void **state) {
    (void)state;
    assert_json(TIMESTAMPTZ, "2025-11-03 09:32:55+00", "\"2025-11-03T09:32:55+00:00\"");
    assert_json(TIMESTAMPTZ, "2025-11-03 09:32:55.5+05:30", "\"2025-11-03T09:32:55.5+05:30\"");
    assert_json(TIMESTAMPTZ, "1890-01-01 00:19:32-00:19:32", "\"1890-01-01T00:19:32-00:19:32\"");
    assert_json(TIMESTAMPTZ, "294276-12-31 23:59:59.999999-08",
                "\"294276-12-31T23:59:59.999999-08:00\"");
    assert_json(TIMESTAMP, "2025-11-03 09:32:55.123456", "\"2025-11-03T09:32:55.123456\"");
    assert_json(TIMESTAMP, "infinity", "\"infinity\"");
    assert_json(TIMESTAMPTZ, "-infinity", "\"-infinity\"");
    assert_json(TIMESTAMPTZ, "0044-03-15 12:00:00+00 BC", "\"0044-03-15T12:00:00+00:00 BC\"");
    assert_json(DATE, "2025-11-03", "\"2025-11-03\"");
}

static void documents_stay_documents_on_one_line(void **state) {
    (void)state;
    assert_json(JSONB, "{\"a\": [1, 2.50, null]}", "{\"a\": [1, 2.50, null]}");
    assert_json(JSONB, "\"text\"", "\"text\"");
    assert_json(JSONB, "null", "null");
    assert_json(JSON, "{\r\n\t\"a\" :\n1e400}", "{  \t\"a\" : 1e400}");
}

static void arrays_are_arrays(void **state) {
    (void)state;
    assert_json(INT4_ARRAY, "{}", "[]");
    assert_json(INT4_ARRAY, "{1,NULL,-3}", "[1,null,-3]");
    assert_json(INT4_ARRAY, "{{1,2},{3,4}}", "[[1,2],[3,4]]");
    assert_json(INT4_ARRAY, "[0:1]={1,2}", "[1,2]");
    assert_json(INT4_ARRAY, "[-2:-1][0:0]={{1},{2}}", "[[1],[2]]");
    assert_json(INT4_ARRAY, "{{{{{{1}}}}}}", "[[[[[[1]]]]]]");
    assert_json(BOOL_ARRAY, "{t,f,NULL}", "[true,false,null]");
    assert_json(NUMERIC_ARRAY, "{1.10,NaN}", "[1.10,\"NaN\"]");
    assert_json(TEXT_ARRAY, "{a,\"b c\",\"NULL\",NULL,\"\",\"q\\\"\\\\,}{\"}",
                "[\"a\",\"b c\",\"NULL\",null,\"\",\"q\\\"\\\\,}{\"]");
    assert_json(BYTEA_ARRAY, "{\"\\\\xdead\"}", "[\"dead\"]");
    assert_json(TIMESTAMPTZ_ARRAY, "{\"2025-11-03 09:32:55+00\"}",
                "[\"2025-11-03T09:32:55+00:00\"]");
    assert_json(JSONB_ARRAY, "{\"{\\\"a\\\": [1, 2]}\",NULL,3}", "[{\"a\": [1, 2]},null,3]");
    assert_json(BOX_ARRAY, "{(1,1),(0,0);(2,2),(1,1)}", "[\"(1,1),(0,0)\",\"(2,2),(1,1)\"]");
}

static void malformed_text_is_a_string(void **state) {
    (void)state;
    assert_json(BOOL, "true", "\"true\"");
    assert_json(INT4, "", "\"\"");
    assert_json(INT4, "007", "\"007\"");
    assert_json(INT4, "1 ", "\"1 \"");
    assert_json(INT4, "-", "\"-\"");
    assert_json(FLOAT8, "1.", "\"1.\"");
    assert_json(FLOAT8, ".5", "\".5\"");
    assert_json(FLOAT8, "1e", "\"1e\"");
    assert_json(FLOAT8, "1e5,\"x\":1", "\"1e5,\\\"x\\\":1\"");
    assert_json(JSONB, "{\"a\":1", "\"{\\\"a\\\":1\"");
    assert_json(JSONB, "1,2", "\"1,2\"");
    assert_json(JSONB, "", "\"\"");
    assert_json(TIMESTAMPTZ, "2025-11-03 09:32:55", "\"2025-11-03 09:32:55\"");
    assert_json(TIMESTAMP, "25-11-03 09:32:55", "\"25-11-03 09:32:55\"");
    assert_json(TIMESTAMP, "2025-11-03 9:32:55", "\"2025-11-03 9:32:55\"");
    assert_json(BYTEA, "abc\\000", "\"abc\\\\000\"");
    static const char *const arrays[] = {"{",        "{1",       "{1,}",   "{,1}",
                                         "}",        "{1}}",     "{1}x",   "{{1}",
                                         "{\"a}",    "{a\\",     "[0:1]",  "[a]={1}",
                                         "[0:1]{1}", "{a\"b\"}", "{1}{2}", "{{{{{{{1}}}}}}}",
                                         "{\"a\\",   "{\"a\"b}"};
    for (size_t i = 0; i < CORE_COUNT_OF(arrays); i++) {
        core_slice json = json_of(INT4_ARRAY, core_slice_text(arrays[i]));
        assert_true(core_json_valid(json));
        assert_int_equal(json.data[0], '"');
    }
}

static void null_and_binary(void **state) {
    (void)state;
    core_value null = {.kind = CORE_VALUE_NULL};
    core_value binary = {.kind = CORE_VALUE_BINARY, .bytes = core_slice_make("\0\xFF\x1a", 3)};
    core_buffer_reset(&out);
    core_json_writer writer = core_json_writer_make(&out);
    core_json_array_open(&writer);
    core_value_json(&writer, INT4, &null);
    core_value_json(&writer, INT4, &binary);
    core_value_json(&writer, TEXT, &binary);
    core_json_array_close(&writer);
    assert_true(core_slice_is(core_buffer_slice(&out), "[null,\"00ff1a\",\"00ff1a\"]"));
}

/* ---- Tuples ---- */

static const core_value tuple_values[] = {
    {.kind = CORE_VALUE_TEXT, .bytes = {(const uint8_t *)"7", 1}},
    {.kind = CORE_VALUE_UNCHANGED},
    {.kind = CORE_VALUE_NULL, .read_later = true},
    {.kind = CORE_VALUE_TEXT, .bytes = {(const uint8_t *)"{ok,\"so so\",NULL}", 17}},
    {.kind = CORE_VALUE_TEXT, .bytes = {(const uint8_t *)"{ok}", 4}},
};

static core_relation tuple_relation(core_column columns[5]) {
    static const char *const names[] = {"id", "body", "Quoted \"name\"", "moods", "mood"};
    static const uint32_t oids[] = {INT8, TEXT, INT4, 16501, ENUM};
    for (size_t i = 0; i < 5; i++)
        columns[i] = (core_column){.name = core_slice_text(names[i]), .type_oid = oids[i]};
    columns[0].key = true;
    columns[3].type_name = core_slice_text("_mood");
    columns[4].type_name = core_slice_text("mood");
    return (core_relation){.column_count = 5, .columns = columns};
}

static void marks_object(core_json_writer *writer, const core_relation *relation,
                         const core_tuple *tuple) {
    core_json_object_open(writer);
    core_tuple_marks_json(writer, relation, tuple);
    core_json_object_close(writer);
}

static void tuples_leave_out_the_unchanged(void **state) {
    (void)state;
    core_value values[5];
    memcpy(values, tuple_values, sizeof values);
    core_column columns[5];
    core_relation relation = tuple_relation(columns);
    core_tuple tuple = {5, values};
    core_buffer_reset(&out);
    core_json_writer writer = core_json_writer_make(&out);
    core_json_array_open(&writer);
    core_tuple_json(&writer, &relation, &tuple, false);
    core_tuple_json(&writer, &relation, &tuple, true);
    marks_object(&writer, &relation, &tuple);
    tuple.count = 1;
    core_tuple_json(&writer, &relation, &tuple, false);
    marks_object(&writer, &relation, &tuple);
    core_json_array_close(&writer);
    core_buffer_u8(&out, 0);
    assert_true(core_buffer_ok(&out));
    assert_string_equal((const char *)out.data,
                        "[{\"id\":7,\"Quoted \\\"name\\\"\":null,"
                        "\"moods\":[\"ok\",\"so so\",null],\"mood\":\"{ok}\"},"
                        "{\"id\":7},"
                        "{\"unchanged\":[\"body\"],\"read_later\":[\"Quoted \\\"name\\\"\"]},"
                        "{\"id\":7},{}]");
}

static void assert_column_json(core_column column, const char *text, const char *expected) {
    core_value value = {.kind = CORE_VALUE_TEXT, .bytes = core_slice_text(text)};
    core_buffer_reset(&out);
    core_json_writer writer = core_json_writer_make(&out);
    core_column_value_json(&writer, &column, &value);
    core_slice json = core_buffer_slice(&out);
    if (!core_slice_is(json, expected))
        fail_msg("%s: got %.*s, expected %s", text, CORE_SLICE_ARGS(json), expected);
}

static void columns_go_by_what_the_catalog_told(void **state) {
    (void)state;
    core_column domain = {.type_oid = 16600, .base_oid = INT8};
    assert_column_json(domain, "9007199254740993", "9007199254740993");
    domain.base_oid = JSONB;
    assert_column_json(domain, "{\"a\": 1.0}", "{\"a\": 1.0}");
    domain.base_oid = INT4_ARRAY;
    assert_column_json(domain, "{1,NULL}", "[1,null]");
    domain.base_oid = 16700; /* over an enum */
    assert_column_json(domain, "{1}", "\"{1}\"");
    domain.type_name = core_slice_text("_odd"); /* the base's name says nothing then */
    assert_column_json(domain, "{1}", "\"{1}\"");
    core_column array = {.type_oid = 16601, .element_oid = NUMERIC};
    assert_column_json(array, "{{1.10,NaN},{NULL,-3}}", "[[1.10,\"NaN\"],[null,-3]]");
    array.element_oid = INT4_ARRAY; /* of a domain over an array */
    assert_column_json(array, "{\"{1,2}\",NULL}", "[[1,2],null]");
    array.element_oid = 16700;
    array.delimiter = ':';
    assert_column_json(array, "{0101:NULL:\"a,b\"}", "[\"0101\",null,\"a,b\"]");
    assert_column_json(array, "no array", "\"no array\"");
}

/* ---- Types ---- */

static void built_in_types_have_names(void **state) {
    (void)state;
    assert_string_equal(core_type_name(BOOL), "bool");
    assert_string_equal(core_type_name(TIMESTAMPTZ), "timestamptz");
    assert_string_equal(core_type_name(INT4_ARRAY), "_int4");
    assert_string_equal(core_type_name(6157), "_int8multirange");
    assert_null(core_type_name(0));
    assert_null(core_type_name(15));
    assert_null(core_type_name(ENUM));
    assert_null(core_type_name(UINT32_MAX));
    assert_int_equal(core_type_element(INT4_ARRAY), INT4);
    assert_int_equal(core_type_element(INT4), 0);
    core_column column = {.type_oid = INT8};
    assert_true(core_slice_is(core_column_type_name(&column), "int8"));
    column.type_oid = ENUM;
    assert_true(core_slice_is(core_column_type_name(&column), "text"));
    column.type_name = core_slice_text("mood");
    assert_true(core_slice_is(core_column_type_name(&column), "mood"));
}

/* Every array's element is a type that an array of it may have, and names pair: _x of x. */
static void array_types_pair_with_their_elements(void **state) {
    (void)state;
    size_t arrays = 0;
    for (uint32_t oid = 1; oid < 10000; oid++) {
        const char *element = core_type_name(core_type_element(oid));
        if (element == NULL)
            continue;
        assert_int_equal(core_type_name(oid)[0], '_');
        assert_string_equal(core_type_name(oid) + 1, element);
        arrays++;
    }
    assert_in_range(arrays, 70, 100);
}

/* ---- Any bytes ---- */

static uint64_t random_next(uint64_t *state) {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(0x2545F4914F6CDD1D);
}

static void any_bytes_give_valid_json(void **unused) {
    (void)unused;
    static const uint32_t types[] = {BOOL, BYTEA,      INT4,       TEXT,        FLOAT8,
                                     JSON, INT4_ARRAY, TEXT_ARRAY, TIMESTAMPTZ, JSONB_ARRAY};
    static const char alphabet[] = "{}[]\",\\:=0123456789NULtfx .-+e\n\xC3\xA4\xFF";
    uint64_t state = 11;
    for (unsigned round = 0; round < 200000; round++) {
        char text[24];
        size_t length = random_next(&state) % (sizeof text + 1);
        for (size_t i = 0; i < length; i++)
            text[i] = alphabet[(random_next(&state) >> 20) % sizeof alphabet];
        uint32_t type_oid = types[(random_next(&state) >> 20) % CORE_COUNT_OF(types)];
        core_slice json = json_of(type_oid, core_slice_make(text, length));
        if (!core_json_valid(json))
            fail_msg("round %u, type %u: %.*s", round, type_oid, CORE_SLICE_ARGS(json));
    }
}

static int out_init(void **state) {
    (void)state;
    core_buffer_init(&out, 1u << 20);
    return 0;
}

static int out_fini(void **state) {
    (void)state;
    core_buffer_fini(&out);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scalars_keep_what_they_are),
        cmocka_unit_test(timestamps_are_iso_8601),
        cmocka_unit_test(documents_stay_documents_on_one_line),
        cmocka_unit_test(arrays_are_arrays),
        cmocka_unit_test(malformed_text_is_a_string),
        cmocka_unit_test(null_and_binary),
        cmocka_unit_test(tuples_leave_out_the_unchanged),
        cmocka_unit_test(columns_go_by_what_the_catalog_told),
        cmocka_unit_test(built_in_types_have_names),
        cmocka_unit_test(array_types_pair_with_their_elements),
        cmocka_unit_test(any_bytes_give_valid_json),
    };
    return cmocka_run_group_tests(tests, out_init, out_fini);
}
