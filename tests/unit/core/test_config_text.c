/* Values: units, bounds and overflow, and that what is printed reads back as what it was. */
#include "core/config_private.h"
#include "core/core.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const core_config_row duration = {
    .key = "d", .type = CORE_CONFIG_DURATION, .min = 0, .max = INT64_MAX};
static const core_config_row bytes = {
    .key = "b", .type = CORE_CONFIG_BYTES, .min = 0, .max = INT64_MAX};
static const core_config_row integer = {
    .key = "i", .type = CORE_CONFIG_INTEGER, .min = 1, .max = 100};

static bool parse(const core_config_row *row, const char *text, int64_t *number) {
    core_config_entry entry = {.key = row->key, .items = &text, .count = 1, .origin = "test"};
    core_config_value value;
    core_error error;
    if (!core_config_value_parse(row, &entry, &value, &error)) {
        assert_int_equal(strncmp(error.text, "expected ", 9), 0);
        return false;
    }
    *number = value.number;
    core_config_value_fini(&value);
    return true;
}

static void assert_number(const core_config_row *row, const char *text, int64_t expected) {
    int64_t number;
    assert_true(parse(row, text, &number));
    assert_true(number == expected);
}

static void assert_none(const core_config_row *row, const char *text) {
    int64_t number;
    assert_false(parse(row, text, &number));
}

static void durations_have_units(void **state) {
    (void)state;
    assert_number(&duration, "0", 0);
    assert_number(&duration, "1ms", 1);
    assert_number(&duration, "5s", 5000);
    assert_number(&duration, "2 m", 120000);
    assert_number(&duration, "12h", 43200000);
    assert_number(&duration, "7d", 604800000);
    static const char *const refused[] = {"",
                                          "s",
                                          "5",
                                          "-1s",
                                          "1.5h",
                                          "1h30m",
                                          "5 parsecs",
                                          " 5s",
                                          "5s ",
                                          "0x5s",
                                          "--5s",
                                          "5-s",
                                          "106751991168d",
                                          "9223372036854775808ms",
                                          "99999999999999999999"};
    for (size_t i = 0; i < CORE_COUNT_OF(refused); i++)
        assert_none(&duration, refused[i]);
}

static void sizes_have_units(void **state) {
    (void)state;
    assert_number(&bytes, "0", 0);
    assert_number(&bytes, "512", 512);
    assert_number(&bytes, "1KiB", 1024);
    assert_number(&bytes, "1kb", 1000);
    assert_number(&bytes, "16MiB", 16777216);
    assert_number(&bytes, "10GB", INT64_C(10000000000));
    assert_number(&bytes, "1TiB", INT64_C(1099511627776));
    assert_none(&bytes, "1K");
    assert_none(&bytes, "9999999999TiB");
    assert_none(&bytes, "-5");
}

static void integers_have_bounds(void **state) {
    (void)state;
    assert_number(&integer, "1", 1);
    assert_number(&integer, "100", 100);
    static const char *const refused[] = {
        "0", "101", "-1", "1.0", "1s", "1B", "one", "", "18446744073709551617"};
    for (size_t i = 0; i < CORE_COUNT_OF(refused); i++)
        assert_none(&integer, refused[i]);
}

static void what_is_printed_reads_back(void **state) {
    (void)state;
    static const int64_t numbers[] = {
        0,         1,        999,      1000,     1024,
        60000,     3600000,  86400000, 16777216, INT64_C(1099511627776),
        123456789, INT64_MAX};
    static const core_config_row *const rows[] = {&duration, &bytes};
    for (size_t i = 0; i < CORE_COUNT_OF(numbers); i++) {
        for (size_t row = 0; row < 2; row++) {
            core_buffer text;
            core_buffer_init(&text, 64);
            core_config_number_append(&text, rows[row]->type, numbers[i]);
            core_buffer_u8(&text, '\0');
            assert_number(rows[row], (const char *)text.data, numbers[i]);
            core_buffer_fini(&text);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations_have_units),
        cmocka_unit_test(sizes_have_units),
        cmocka_unit_test(integers_have_bounds),
        cmocka_unit_test(what_is_printed_reads_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
