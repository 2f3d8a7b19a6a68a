/* Text out of databases' own encodings: characters, what has no equivalent, where text stands in
 * messages, and that whatever the bytes UTF-8 comes out. */
#include "cdc/transcoder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define REPLACED "\xEF\xBF\xBD"

static core_slice converted(cdc_transcoder *transcoder, core_slice text) {
    static core_value value;
    core_error error = {0};
    value = (core_value){.kind = CORE_VALUE_TEXT, .bytes = text};
    cdc_message message = {.kind = CDC_INSERT, .row = {.new_tuple = {1, &value}}};
    assert_true(cdc_transcoder_message(transcoder, &message, &error));
    return value.bytes;
}

static void assert_text(const char *encoding, const char *stored, const char *expected) {
    cdc_transcoder *transcoder = cdc_transcoder_new(encoding);
    assert_non_null(transcoder);
    core_slice text = converted(transcoder, core_slice_text(stored));
    if (!core_slice_is(text, expected))
        fail_msg("%s: got %.*s, expected %s", encoding, CORE_SLICE_ARGS(text), expected);
    cdc_transcoder_free(transcoder);
}

static void characters_are_converted(void **state) {
    (void)state;
    assert_text("LATIN1", "", "");
    assert_text("LATIN1", "plain", "plain");
    assert_text("LATIN1", "\xe9\xff", "éÿ");
    assert_text("LATIN9", "\xa4", "€");
    assert_text("WIN1252", "\x80", "€");
    assert_text("WIN1251", "\xcf\xf0\xe8", "При");
    assert_text("KOI8R", "\xf0", "П");
    assert_text("WIN1258", "a\xcc", "à"); /* two become one */
    assert_text("EUC_JP", "\xb4\xc1\xbb\xfa \xa5\xab", "漢字 カ");
    assert_text("EUC_JP", "\x8e\xb1\x8f\xb0\xa1", "ｱ丂");
    assert_text("EUC_JIS_2004", "\xa4\xf7", "か\xE3\x82\x9A"); /* one character becomes two */
    assert_text("EUC_KR", "\xc7\xd1", "한");
    assert_text("EUC_CN", "\xba\xba", "汉");
    assert_text("JOHAB", "\xd0\x65", "한");
}

static void what_has_no_equivalent_is_replaced_alone(void **state) {
    (void)state;
    assert_text("WIN1252",
                "a\x81\x80"
                "b",
                "a" REPLACED "€b");
    assert_text("EUC_JP", "\xf5\xa1\xb4\xc1", REPLACED "漢");
    assert_text("EUC_JP", "\x8f\xfe\xfe\xb4\xc1", REPLACED "漢");
    assert_text("EUC_JP", "\xb4", REPLACED);
    assert_text("EUC_TW",
                "\x8e\xff\xff\xff"
                "b",
                REPLACED "b");
}

static void of_an_unknown_encoding_ascii_is_kept(void **state) {
    (void)state;
    assert_text("MULE_INTERNAL",
                "a\x81\xe9"
                "b",
                "a" REPLACED REPLACED "b");
    cdc_transcoder *transcoder = cdc_transcoder_new("MULE_INTERNAL");
    assert_false(cdc_transcoder_is_able(transcoder));
    cdc_transcoder_free(transcoder);
    transcoder = cdc_transcoder_new("LATIN1");
    assert_true(cdc_transcoder_is_able(transcoder));
    cdc_transcoder_free(transcoder);
}

static void names_are_converted_and_bytes_are_not(void **state) {
    (void)state;
    core_error error = {0};
    const core_slice stored = core_slice_text("\xe9");
    core_value values[] = {{.kind = CORE_VALUE_BINARY, .bytes = stored},
                           {.kind = CORE_VALUE_NULL},
                           {.kind = CORE_VALUE_UNCHANGED},
                           {.kind = CORE_VALUE_TEXT, .bytes = stored}};
    const core_column column = {.name = stored, .type_oid = 25, .key = true};
    cdc_message relation = {
        .kind = CDC_RELATION,
        .relation = {.schema = stored, .table = stored, .column_count = 1, .columns = &column}};
    cdc_message origin = {.kind = CDC_ORIGIN, .origin = {.name = stored}};
    cdc_message type = {.kind = CDC_TYPE, .type = {.schema = stored, .name = stored}};
    cdc_message logical = {.kind = CDC_MESSAGE, .message = {.prefix = stored, .content = stored}};
    cdc_message row = {.kind = CDC_UPDATE,
                       .row = {.old_tuple = {4, values}, .new_tuple = {0, NULL}}};
    cdc_transcoder *transcoder = cdc_transcoder_new("LATIN1");
    assert_true(cdc_transcoder_message(transcoder, &relation, &error));
    assert_true(core_slice_is(relation.relation.schema, "é"));
    assert_true(core_slice_is(relation.relation.table, "é"));
    assert_true(core_slice_is(relation.relation.columns[0].name, "é"));
    assert_true(relation.relation.columns[0].key);
    assert_int_equal(relation.relation.columns[0].type_oid, 25);
    assert_true(cdc_transcoder_message(transcoder, &origin, &error));
    assert_true(core_slice_is(origin.origin.name, "é"));
    assert_true(cdc_transcoder_message(transcoder, &type, &error));
    assert_true(core_slice_is(type.type.schema, "é") && core_slice_is(type.type.name, "é"));
    assert_true(cdc_transcoder_message(transcoder, &logical, &error));
    assert_true(core_slice_is(logical.message.prefix, "é"));
    assert_true(core_slice_equal(logical.message.content, stored));
    assert_true(cdc_transcoder_message(transcoder, &row, &error));
    assert_true(core_slice_equal(values[0].bytes, stored));
    assert_int_equal(values[1].kind, CORE_VALUE_NULL);
    assert_int_equal(values[2].kind, CORE_VALUE_UNCHANGED);
    assert_true(core_slice_is(values[3].bytes, "é"));
    cdc_transcoder_free(transcoder);
}

static void any_bytes_become_utf8(void **unused) {
    (void)unused;
    static const char *const names[] = {"EUC_JP",  "EUC_TW",  "EUC_JIS_2004", "JOHAB",
                                        "WIN1258", "WIN1255", "MULE_INTERNAL"};
    uint64_t state = 7;
    for (size_t i = 0; i < CORE_COUNT_OF(names); i++) {
        cdc_transcoder *transcoder = cdc_transcoder_new(names[i]);
        for (unsigned round = 0; round < 20000; round++) {
            uint8_t bytes[24];
            state = state * UINT64_C(6364136223846793005) + 1442695040888963407;
            size_t length = state >> 59;
            length = length < sizeof bytes ? length : sizeof bytes;
            for (size_t k = 0; k < length; k++) {
                state = state * UINT64_C(6364136223846793005) + 1442695040888963407;
                bytes[k] = (uint8_t)(state >> 40 | (k % 3 ? 0x80 : 0));
            }
            core_slice text = converted(transcoder, core_slice_make(bytes, length));
            if (!core_utf8_valid(text))
                fail_msg("%s, round %u", names[i], round);
        }
        cdc_transcoder_free(transcoder);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(characters_are_converted),
        cmocka_unit_test(what_has_no_equivalent_is_replaced_alone),
        cmocka_unit_test(of_an_unknown_encoding_ascii_is_kept),
        cmocka_unit_test(names_are_converted_and_bytes_are_not),
        cmocka_unit_test(any_bytes_become_utf8),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
