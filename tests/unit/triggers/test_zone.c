/* Time zones: real files of the system's tz database, rules by hand, files that are broken. */
#include "triggers/zone.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void zones_have_the_offsets_that_they_had(void **state) {
    (void)state;
    static const struct {
        const char *zone;
        int64_t utc_s;
        int32_t offset_s;
    } cases[] = {
        {"Europe/Berlin", 1700000000, 3600},           /* 2023-11 */
        {"Europe/Berlin", 1690000000, 7200},           /* 2023-07 */
        {"Europe/Berlin", 1711846799, 3600},           /* the second before summer 2024 */
        {"Europe/Berlin", 1711846800, 7200},           /* its first */
        {"Europe/Berlin", INT64_C(-2500000000), 3208}, /* 1890, local mean time */
        {"Europe/Berlin", INT64_C(7258118400), 3600},  /* 2200-01-01, by the rule */
        {"Europe/Berlin", INT64_C(7274000000), 7200},  /* 2200-07 */
        {"America/New_York", 1704067200, -18000},
        {"America/New_York", 1720000000, -14400},
        {"Australia/Lord_Howe", 1704067200, 39600},
        {"Australia/Lord_Howe", 1720000000, 37800},
        {"Asia/Kolkata", 1720000000, 19800},
        {"Africa/Casablanca", 1710000000, 3600},
        {"Africa/Casablanca", 1711000000, 0}, /* Ramadan 2024 */
        {"Pacific/Apia", 1325239199, -36000}, /* the second before the day that it left out */
        {"Pacific/Apia", 1325239200, 50400},
        {"UTC", 1720000000, 0},
        {"Etc/GMT+5", 1720000000, -18000},
    };
    for (size_t i = 0; i < CORE_COUNT_OF(cases); i++) {
        core_error error = {.text = ""};
        triggers_zone *zone =
            triggers_zone_open(TRIGGERS_ZONE_DIRECTORY, core_slice_text(cases[i].zone), &error);
        if (zone == NULL)
            fail_msg("%s", error.text);
        triggers_zone_span span = triggers_zone_at(zone, cases[i].utc_s);
        assert_int_equal(span.offset_s, cases[i].offset_s);
        assert_true(span.start_s <= cases[i].utc_s && span.end_s > cases[i].utc_s);
        triggers_zone_free(zone);
    }
}

/* Spans of a zone meet, whether they come of its table or of its rule. */
static void spans_follow_each_other(void **state) {
    (void)state;
    static const char *const zones[] = {"Europe/Berlin",     "America/Sao_Paulo",
                                        "Africa/Casablanca", "Australia/Lord_Howe",
                                        "Asia/Gaza",         "America/Scoresbysund"};
    for (size_t i = 0; i < CORE_COUNT_OF(zones); i++) {
        core_error error;
        triggers_zone *zone =
            triggers_zone_open(TRIGGERS_ZONE_DIRECTORY, core_slice_text(zones[i]), &error);
        assert_non_null(zone);
        triggers_zone_span span = triggers_zone_at(zone, INT64_C(-62135596800));
        assert_int_equal(span.start_s, INT64_MIN);
        for (size_t n = 0; n < 3000 && span.end_s < INT64_C(30000000000); n++) {
            triggers_zone_span next = triggers_zone_at(zone, span.end_s);
            assert_int_equal(next.start_s, span.end_s);
            assert_int_equal(triggers_zone_at(zone, span.end_s - 1).offset_s, span.offset_s);
            span = next;
        }
        triggers_zone_free(zone);
    }
}

static void names_stay_within_the_directory(void **state) {
    (void)state;
    static const char *const wrong[] = {"",
                                        "../etc/passwd",
                                        "/etc/localtime",
                                        "Europe/../UTC",
                                        "Europe",
                                        "Europe/Atlantis",
                                        "tzdata.zi",
                                        "zone.tab",
                                        "Europe/Berlin ",
                                        "right/Europe/Berlin"};
    for (size_t i = 0; i < CORE_COUNT_OF(wrong); i++) {
        core_error error = {.text = ""};
        assert_null(triggers_zone_open(TRIGGERS_ZONE_DIRECTORY, core_slice_text(wrong[i]), &error));
        assert_int_equal(error.code, CORE_ERROR_INPUT);
    }
    core_error error = {.text = ""};
    assert_null(triggers_zone_open("/nowhere", core_slice_text("Europe/Berlin"), &error));
    assert_int_equal(error.code, CORE_ERROR_CONFIG);
    assert_non_null(strstr(error.text, "tzdata"));
    triggers_zone *utc = triggers_zone_open("/nowhere", core_slice_text("UTC"), &error);
    assert_non_null(utc);
    triggers_zone_free(utc);
}

static void rules_are_read_as_posix_and_rfc_8536_have_them(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool taken;
        int64_t utc_s;
        int32_t offset_s;
    } cases[] = {
        {"CET-1CEST,M3.5.0,M10.5.0/3", true, 1720000000, 7200},
        {"EST5EDT,M3.2.0,M11.1.0", true, 1720000000, -14400},
        {"<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", true, 1704067200, 39600},
        {"<-03>3<-02>,M3.5.0/-2,M10.5.0/-1", true, 1720000000, -7200},
        {"XXX3EDT4,0/0,J365/23", true, 1720000000, -14400}, /* saving all year */
        {"XXX3EDT4,0/0,J365/23", true, 1704067200, -14400},
        {"IST-2IDT,M3.4.4/26,M10.5.0", true, 1720000000, 10800},
        {"UTC0", true, 0, 0},
        {"AAA-24:59:59", true, 0, 89999},
        {"", false, 0, 0},
        {"CE-1", false, 0, 0},
        {"<CET-1", false, 0, 0},
        {"CET", false, 0, 0},
        {"CET-1CEST", false, 0, 0},
        {"CET-1CEST,M3.5.0", false, 0, 0},
        {"CET-1CEST,M13.5.0,M10.5.0", false, 0, 0},
        {"CET-1CEST,M3.6.0,M10.5.0", false, 0, 0},
        {"CET-1CEST,M3.5.7,M10.5.0", false, 0, 0},
        {"CET-1CEST,J0,J365", false, 0, 0},
        {"CET-1CEST,M3.5.0/168,M10.5.0", false, 0, 0},
        {"CET-25", false, 0, 0},
        {"CET-1 ", false, 0, 0},
    };
    for (size_t i = 0; i < CORE_COUNT_OF(cases); i++) {
        triggers_zone_rule rule;
        core_error error = {.text = ""};
        bool taken = triggers_zone_rule_read(core_slice_text(cases[i].text), &rule, &error);
        if (taken != cases[i].taken)
            fail_msg("%s: %s", cases[i].text, taken ? "was taken" : error.text);
        if (taken)
            assert_int_equal(triggers_zone_rule_span(&rule, cases[i].utc_s).offset_s,
                             cases[i].offset_s);
    }
}

static uint8_t *file_bytes(const char *path, size_t *size) {
    FILE *file = fopen(path, "r");
    uint8_t *bytes = malloc(TRIGGERS_ZONE_FILE_MAX);
    assert_non_null(file);
    assert_non_null(bytes);
    *size = fread(bytes, 1, TRIGGERS_ZONE_FILE_MAX, file);
    (void)fclose(file);
    return bytes;
}

/* Wherever it is cut it is refused: nothing is read behind its end (the sanitizers watch). */
static void a_cut_file_is_refused(void **state) {
    (void)state;
    size_t size;
    uint8_t *bytes = file_bytes(TRIGGERS_ZONE_DIRECTORY "/Europe/Berlin", &size);
    core_error error;
    for (size_t length = 0; length < size; length++) {
        uint8_t *cut = malloc(length + 1);
        memcpy(cut, bytes, length);
        assert_null(triggers_zone_read(core_slice_make(cut, length), &error));
        free(cut);
    }
    triggers_zone *zone = triggers_zone_read(core_slice_make(bytes, size), &error);
    assert_non_null(zone);
    triggers_zone_free(zone);
    free(bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zones_have_the_offsets_that_they_had),
        cmocka_unit_test(spans_follow_each_other),
        cmocka_unit_test(names_stay_within_the_directory),
        cmocka_unit_test(rules_are_read_as_posix_and_rfc_8536_have_them),
        cmocka_unit_test(a_cut_file_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
