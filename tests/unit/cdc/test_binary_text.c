/* Texts of values in binary form: those that PostgreSQL's documentation and its regression tests
 * show. tests/integration/snapshots_texts.test.mjs holds them against a server's. */
#include "cdc/binary_text.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { ROOM_MAX = 1 << 20 };

typedef struct {
    const char *functions;
    const char *hex;  /* the bytes; NULL: SQL's null */
    const char *text; /* NULL: refused */
} text_case;

static size_t bytes_of(const char *hex, uint8_t *bytes) {
    size_t length = 0;
    unsigned byte;
    for (; *hex != '\0'; hex += strspn(hex, " "), length++) {
        assert_int_equal(sscanf(hex, "%2x", &byte), 1);
        bytes[length] = (uint8_t)byte;
        hex += 2;
    }
    return length;
}

static void case_check(const text_case *it, core_buffer *room) {
    uint8_t bytes[64];
    core_error error = {0};
    const cdc_binary_text *type = cdc_binary_text_of(core_slice_text(it->functions));
    core_value value = {.kind = CORE_VALUE_NULL};
    assert_non_null(type);
    if (it->hex != NULL)
        value = (core_value){.kind = CORE_VALUE_BINARY,
                             .bytes = core_slice_make(bytes, bytes_of(it->hex, bytes))};
    bool ok = cdc_binary_text_row(&type, &value, 1, room, &error);
    if (ok != (it->text != NULL))
        fail_msg("%s %s: %s", it->functions, it->hex, ok ? "taken" : error.text);
    if (ok && !core_slice_is(value.bytes, it->text))
        fail_msg("%s %s: %.*s, expected %s", it->functions, it->hex, CORE_SLICE_ARGS(value.bytes),
                 it->text);
}

static void cases_check(const text_case *cases, size_t count) {
    core_buffer room;
    core_buffer_init(&room, ROOM_MAX);
    for (size_t i = 0; i < count; i++)
        case_check(&cases[i], &room);
    core_buffer_fini(&room);
}

static void every_type_has_the_servers_text(void **state) {
    static const text_case cases[] = {
        {"boolout boolsend", "01", "t"},
        {"boolout boolsend", "00", "f"},
        {"int2out int2send", "8000", "-32768"},
        {"int4out int4send", "80000000", "-2147483648"},
        {"int4out int4send", "00000000", "0"},
        {"int8out int8send", "8000000000000000", "-9223372036854775808"},
        {"int8out int8send", "7fffffffffffffff", "9223372036854775807"},
        {"oidout oidsend", "ffffffff", "4294967295"},
        {"numeric_out numeric_send", "0000 0000 0000 0000", "0"},
        {"numeric_out numeric_send", "0000 0000 0000 0002", "0.00"},
        {"numeric_out numeric_send", "0002 0000 0000 0002 04d2 1644", "1234.57"},
        {"numeric_out numeric_send", "0002 0000 4000 0001 04d2 1388", "-1234.5"},
        {"numeric_out numeric_send", "0001 ffff 0000 0005 0064", "0.01000"},
        {"numeric_out numeric_send", "0001 fffe 0000 0008 0001", "0.00000001"},
        {"numeric_out numeric_send", "0001 0002 0000 0000 0001", "100000000"},
        {"numeric_out numeric_send", "0002 0001 0000 0000 0001 0002", "10002"},
        {"numeric_out numeric_send", "0000 0000 c000 0000", "NaN"},
        {"numeric_out numeric_send", "0000 0000 d000 0000", "Infinity"},
        {"numeric_out numeric_send", "0000 0000 f000 0000", "-Infinity"},
        {"date_out date_send", "00000000", "2000-01-01"},
        {"date_out date_send", "0000003b", "2000-02-29"},
        {"date_out date_send", "ffffffff", "1999-12-31"},
        {"date_out date_send", "fff4dbf8", "0001-12-31 BC"},
        {"date_out date_send", "7fffffff", "infinity"},
        {"date_out date_send", "80000000", "-infinity"},
        {"timestamp_out timestamp_send", "0000000000000000", "2000-01-01 00:00:00"},
        {"timestamp_out timestamp_send", "ffffffffffffffff", "1999-12-31 23:59:59.999999"},
        {"timestamp_out timestamp_send", "00000000000186a0", "2000-01-01 00:00:00.1"},
        {"timestamptz_out timestamptz_send", "0000000000000001", "2000-01-01 00:00:00.000001+00"},
        {"timestamptz_out timestamptz_send", "7fffffffffffffff", "infinity"},
        {"timestamptz_out timestamptz_send", "8000000000000000", "-infinity"},
        {"timestamptz_out timestamptz_send", "fd0f7cc1411fa000", "4714-11-24 00:00:00+00 BC"},
        {"uuid_out uuid_send", "a0eebc999c0b4ef8bb6d6bb9bd380a11",
         "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"},
        {"byteaout byteasend", "00ff5c", "\\x00ff5c"},
        {"byteaout byteasend", "", "\\x"},
        {"textout textsend", "615c62", "a\\b"},
        {"bpcharout bpcharsend", "6120", "a "},
        {"enum_out enum_send", "736164", "sad"},
        {"jsonb_out jsonb_send", "017b7d", "{}"},
        {"int4out int4send", NULL, ""},
    };
    (void)state;
    cases_check(cases, CORE_COUNT_OF(cases));
}

static void what_is_no_value_of_the_type_is_refused(void **state) {
    static const text_case cases[] = {
        {"int4out int4send", "000000", NULL},
        {"int4out int4send", "0000000000", NULL},
        {"boolout boolsend", "", NULL},
        {"uuid_out uuid_send", "a0eebc999c0b4ef8bb6d6bb9bd380a", NULL},
        {"numeric_out numeric_send", "0001 0000 0000 0000", NULL},
        {"numeric_out numeric_send", "0001 0000 0000 0000 2710", NULL},
        {"numeric_out numeric_send", "0001 0000 1234 0000 0001", NULL},
        {"numeric_out numeric_send", "0001 0000 0000 4000 0001", NULL},
        {"numeric_out numeric_send", "0002 0000 0000 0000 0001 0001", NULL},
        {"jsonb_out jsonb_send", "027b7d", NULL},
    };
    (void)state;
    cases_check(cases, CORE_COUNT_OF(cases));
}

static void what_is_not_ours_to_write_has_none(void **state) {
    (void)state;
    assert_null(cdc_binary_text_of(core_slice_text("float8out float8send")));
    assert_null(cdc_binary_text_of(core_slice_text("textout my.textsend")));
    assert_null(cdc_binary_text_of(core_slice_text("boolout -")));
}

/* The texts of a row lie side by side, whatever their number and length. */
static void a_row_is_made_at_once(void **state) {
    static const uint8_t number[] = {0, 0, 0, 7};
    const cdc_binary_text *types[] = {
        cdc_binary_text_of(core_slice_text("int4out int4send")),
        cdc_binary_text_of(core_slice_text("textout textsend")),
        cdc_binary_text_of(core_slice_text("byteaout byteasend")),
    };
    static uint8_t large[8192];
    core_value values[] = {
        {.kind = CORE_VALUE_BINARY, .bytes = core_slice_make(number, sizeof number)},
        {.kind = CORE_VALUE_BINARY, .bytes = core_slice_text("kept")},
        {.kind = CORE_VALUE_BINARY, .bytes = core_slice_make(large, sizeof large)},
    };
    core_error error = {0};
    core_buffer room;
    (void)state;
    core_buffer_init(&room, ROOM_MAX);
    const uint8_t *kept = values[1].bytes.data;
    assert_true(cdc_binary_text_row(types, values, CORE_COUNT_OF(values), &room, &error));
    assert_true(core_slice_is(values[0].bytes, "7"));
    assert_ptr_equal(values[1].bytes.data, kept);
    assert_int_equal(values[2].bytes.length, 2 + 2 * sizeof large);
    core_buffer_fini(&room);
}

static void a_row_beyond_the_room_is_refused(void **state) {
    static uint8_t large[ROOM_MAX];
    const cdc_binary_text *type = cdc_binary_text_of(core_slice_text("byteaout byteasend"));
    core_value value = {.kind = CORE_VALUE_BINARY, .bytes = core_slice_make(large, sizeof large)};
    core_error error = {0};
    core_buffer room;
    (void)state;
    core_buffer_init(&room, ROOM_MAX);
    assert_false(cdc_binary_text_row(&type, &value, 1, &room, &error));
    assert_int_equal(error.code, CORE_ERROR_LIMIT);
    core_buffer_fini(&room);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_has_the_servers_text),
        cmocka_unit_test(what_is_no_value_of_the_type_is_refused),
        cmocka_unit_test(what_is_not_ours_to_write_has_none),
        cmocka_unit_test(a_row_is_made_at_once),
        cmocka_unit_test(a_row_beyond_the_room_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
