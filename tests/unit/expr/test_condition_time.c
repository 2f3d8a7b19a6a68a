/* Conditions over dates, times and intervals by table: one case of each rule. That they mean what
 * PostgreSQL means, thousands of random ones show (integration/conditions_times.test.mjs). */
#include "expr/expr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define COLUMN(text, oid)                                                                          \
    { .name = {(const uint8_t *)(text), sizeof(text) - 1}, .type_oid = (oid) }

static const core_column columns[] = {
    COLUMN("d", 1082),   COLUMN("ts", 1114), COLUMN("tz", 1184), COLUMN("tm", 1083),
    COLUMN("iv", 1186),  COLUMN("i", 23),    COLUMN("big", 20),  COLUMN("far", 1114),
    COLUMN("ivs", 1187), COLUMN("n", 1700),
};
static const char *const row[CORE_COUNT_OF(columns)] = {
    "2024-01-31",
    "2024-01-31 10:00:00",
    "2024-01-31 10:00:00+00",
    "10:00:00",
    "1 mon 02:00:00",
    "7",
    "7",
    "infinity",
    "{\"1 day\",24:00:00}",
    "1.5",
};

static expr_condition *compile(const char *text, expr_refusal *refusal) {
    core_relation relation = {.schema = core_slice_text("public"),
                              .table = core_slice_text("t"),
                              .column_count = CORE_COUNT_OF(columns),
                              .columns = columns};
    expr_condition_spec spec = {.text = core_slice_text(text), .relation = &relation};
    return expr_condition_new(&spec, refusal);
}

static expr_verdict verdict_of(const char *text, bool is_null) {
    core_value values[CORE_COUNT_OF(columns)];
    expr_refusal refusal;
    for (size_t i = 0; i < CORE_COUNT_OF(columns); i++) {
        values[i] = (core_value){.kind = is_null ? CORE_VALUE_NULL : CORE_VALUE_TEXT};
        if (!is_null)
            values[i].bytes = core_slice_text(row[i]);
    }
    core_tuple tuple = {.count = CORE_COUNT_OF(columns), .values = values};
    expr_condition *condition = compile(text, &refusal);
    if (condition == NULL)
        fail_msg("%s: %s", text, refusal.error.text);
    expr_verdict verdict = expr_condition_evaluate(condition, &tuple, NULL, NULL);
    expr_condition_release(condition);
    return verdict;
}

enum {
    T = EXPR_VERDICT_TRUE,
    F = EXPR_VERDICT_FALSE,
    E = EXPR_VERDICT_ERROR,
    Q = EXPR_VERDICT_UNDECIDED
};

static const struct {
    const char *text;
    int verdict;
} cases[] = {
    /* dates */
    {"d + 1 = '2024-02-01' AND 1 + d = d - (-1) AND d + i > d", T},
    {"d - date '2023-12-31' = 31 AND d - '2024-02-01' = -1", T},
    {"d + time '10:00' = ts AND tm + d = ts", T},
    {"d + 2147483647 > d", E},
    {"d + interval '1 month' = timestamp '2024-02-29'", T},
    {"interval '1 day' + d = '2024-02-01 00:00'::timestamp", T},
    {"date 'infinity' + i = 'infinity'", T},
    {"(far::date - d) > 1", E},
    /* month ends, years before 1, leap years */
    {"ts + interval '1 month' = '2024-02-29 10:00:00'", T},
    {"ts + '13 months' = '2025-02-28 10:00:00'", T},
    {"ts - interval '2 months' = '2023-11-30 10:00:00'", T},
    {"ts + iv = '2024-02-29 12:00:00'", T},
    {"ts + interval '1 month -1 day' = '2024-02-28 10:00:00'", T},
    {"timestamp '0001-01-31 00:00' - interval '1 month' = timestamp '0001-12-31 00:00 BC'", T},
    {"timestamp '2024-02-29 00:00' + interval '1 year' = '2025-02-28 00:00'", T},
    {"ts + interval '300000 years' > ts", E},
    {"ts - interval '2147483647 days' < ts", E},
    {"far + interval '1 day' = far", T},
    /* with a time zone: hours only */
    {"tz + interval '36 hours' = '2024-02-01 22:00:00+00'", T},
    {"tz + iv > tz", Q},
    {"tz + (tz - '2024-01-31 08:00:00+00') = '2024-01-31 12:00:00Z'", T},
    {"tz - timestamptz '2024-01-01 00:00:00+00' = interval '30 days 10:00'", T},
    {"tz AT TIME ZONE 'UTC' = ts AND ts AT TIME ZONE 'utc' = tz", T},
    {"(tz AT TIME ZONE 'UTC') + interval '1 month' = '2024-02-29 10:00:00'", T},
    {"tz + interval '1000000000 hours' * i > tz", E},
    {"extract(epoch FROM tz) = 1706695200 AND date_trunc('month', tz, 'UTC') <= tz", T},
    /* the difference is in days */
    {"ts - '2024-01-01 12:00:00' = interval '29 days 22:00'", T},
    {"date_part('day', ts - '2024-01-01 12:00:00') = 29", T},
    {"ts - d = tm::interval AND d - ts = - tm::interval", T},
    {"far - ts > '1 day'", Q},
    /* times of the day */
    {"tm + interval '15 hours' = '01:00' AND tm - interval '11 hours' = '23:00'", T},
    {"tm - '08:30' = interval '90 minutes' AND ts::time = tm AND iv::time = '02:00'", T},
    {"tm BETWEEN '09:00' AND '17:00'", T},
    {"far::time IS NULL", T},
    /* intervals */
    {"iv = interval '30 days 2 hours' AND iv <> '1 mon' AND iv IN ('30 days 02:00', '1 day')", T},
    {"iv + '1 day' - interval '1 mon' = '26 hours'", T},
    {"iv * 2 = '2 mons 4 hours' AND 0.5 * iv = '15 days 1 hour' AND iv / 4 = '7 days 12:30'", T},
    {"iv / 0 > iv", E},
    {"- iv < iv AND -(- iv) = iv AND greatest(iv, '40 days') = '40 days'", T},
    {"iv * big * big * big * big * big * big * big * big * big * big * big * big > iv", E},
    {"iv * 'NaN'::float8 > iv", E},
    {"interval '24 hours' = ANY (ivs) AND coalesce(iv, '1 day') = iv", T},
    {"interval '5' day = '5 days' AND interval '1 day 10:20' hour = '34 hours'", T},
    {"'P1DT2H'::interval = '26:00' AND 'infinity' > ts", T},
    {"iv / 'Infinity'::float8 > iv", Q},
    /* parts */
    {"extract(year FROM d) = 2024 AND extract(month FROM ts) IN (1, 2)", T},
    {"extract(dow FROM d) = 3 AND extract(isodow FROM d) = 3 AND extract(doy FROM d) = 31", T},
    {"extract(week FROM date '2021-01-03') = 53 AND extract(isoyear FROM date '2021-01-03') = 2020",
     T},
    {"extract(hour FROM ts) BETWEEN 9 AND 16 AND extract(hour FROM ts)::int % 5 = 0", T},
    {"extract(epoch FROM iv) = 2599200 AND date_part('epoch', iv) / 2 = 1299600", T},
    {"extract(century FROM timestamp '0001-06-01 00:00 BC') = -1", T},
    {"date_part('second', time '10:00:01.5') = 1.5 AND date_part('milliseconds', tm) = 0", T},
    {"extract(year FROM far) > 9999 AND extract(day FROM far) IS NULL", T},
    {"extract(day FROM iv) = 0 AND extract(month FROM iv) = 1 AND extract(hour FROM iv) = 2", T},
    {"date_trunc('month', ts) = '2024-01-01' AND date_trunc('week', ts) = '2024-01-29'", T},
    {"date_trunc('day', iv) = '1 mon' AND date_trunc('century', ts) = '2001-01-01'", T},
    {"age(ts, '2023-12-31 12:00:00') = '30 days 22:00'", T},
    {"age('2024-01-01 00:00', ts) = - interval '30 days 10:00'", T},
};

static void each_rule_holds(void **state) {
    (void)state;
    for (size_t i = 0; i < CORE_COUNT_OF(cases); i++) {
        expr_verdict verdict = verdict_of(cases[i].text, false);
        if ((int)verdict != cases[i].verdict)
            fail_msg("%s: %s", cases[i].text, expr_verdict_name(verdict));
    }
}

/* What is not read as the engine reads it is there all the same. */
static void what_is_not_read_is_not_null(void **state) {
    static const struct {
        const char *text;
        int verdict;
    } tests[] = {
        {"iv IS NULL", F},           {"iv IS NOT NULL", T}, {"iv IS DISTINCT FROM NULL", T},
        {"iv > '1 day'", Q},         {"iv = iv", Q},        {"iv IS NULL OR i = 7", T},
        {"i = 7 AND iv IS NULL", F},
    };
    core_value values[CORE_COUNT_OF(columns)];
    (void)state;
    for (size_t i = 0; i < CORE_COUNT_OF(columns); i++)
        values[i] = (core_value){.kind = CORE_VALUE_TEXT, .bytes = core_slice_text(row[i])};
    values[4].bytes = core_slice_text("infinity"); /* of PostgreSQL 17 */
    core_tuple tuple = {.count = CORE_COUNT_OF(columns), .values = values};
    for (size_t i = 0; i < CORE_COUNT_OF(tests); i++) {
        expr_refusal refusal;
        expr_condition *condition = compile(tests[i].text, &refusal);
        assert_non_null(condition);
        expr_verdict verdict = expr_condition_evaluate(condition, &tuple, NULL, NULL);
        if ((int)verdict != tests[i].verdict)
            fail_msg("%s: %s", tests[i].text, expr_verdict_name(verdict));
        expr_condition_release(condition);
    }
}

/* A null beside an operation is null, whatever the other operand would raise. */
static void nulls_are_null(void **state) {
    static const char *const unknown[] = {
        "d + 1 > '2024-01-01'",
        "date '5874897-12-31' + iv > ts",
        "date '5874897-12-31' + tm > ts",
        "ts - ts > iv",
        "iv * 2 > '1 day'",
        "iv / 0 > '1 day'",
        "tz + iv > tz",
        "extract(year FROM d) = 2024",
        "age(ts, far) > iv",
        "- iv > '1 day'",
        "tm + iv > '10:00'",
        "date_trunc('day', ts) = ts",
    };
    (void)state;
    for (size_t i = 0; i < CORE_COUNT_OF(unknown); i++)
        if (verdict_of(unknown[i], true) != EXPR_VERDICT_UNKNOWN)
            fail_msg("%s is not null", unknown[i]);
}

static const struct {
    const char *text;
    size_t position;
    const char *shown;
} refusals[] = {
    {"tz + interval '1 day' > tz", 4, "hang on TimeZone"},
    {"tz - 2 * interval '1 month' > tz", 4, "hang on TimeZone"},
    {"date_trunc('day', tz) = tz", 1, "hangs on TimeZone"},
    {"date_trunc('month', d) = d", 1, "hangs on TimeZone"},
    {"extract(hour FROM tz) = 7", 1, "hangs on TimeZone"},
    {"age(tz, tz) > '1 day'", 1, "hangs on TimeZone"},
    {"age(ts) > '1 day'", 1, "hangs on the time"},
    {"tz - ts > '1 day'", 4, "not computed"},
    {"tz AT TIME ZONE 'Europe/Berlin' > ts", 4, "only time zone"},
    {"d + '1' > d", 3, "not computed"},
    {"d + big > d", 3, "not computed"},
    {"ts + 1 > ts", 4, "not computed"},
    {"iv * iv > iv", 4, "not computed"},
    {"iv > '-1 day 2 hours'", 6, "is written"},
    {"iv > interval '1.1 years'", 15, "is written"},
    {"iv > 'infinity'", 6, "is written"},
    {"iv > interval(2) '1 s'", 18, "length or precision"},
    {"iv > interval '1:02' minute to second", 15, "is written"},
    {"iv::text = ''", 3, "no cast"},
    {"iv = tm", 4, "no comparison"},
    {"extract(epoch FROM ts) > 1.5", 24, "the server's version"},
    {"extract(year FROM ts) = n", 23, "the server's version"},
    {"extract(year FROM ts) * 2 > 1", 1, "the server's version"},
    {"extract(second FROM ts)::int = 1", 1, "the server's version"},
    {"extract(hour FROM d) = 1", 1, "that field"},
    {"extract(timezone FROM ts) = 1", 1, "the field"},
    {"date_part('week', iv) = 1", 1, "that field"},
    {"now() - ts > '1 day'", 1, "hangs on the time"},
};

static void what_hangs_on_something_is_refused(void **state) {
    (void)state;
    for (size_t i = 0; i < CORE_COUNT_OF(refusals); i++) {
        expr_refusal refusal;
        expr_condition *condition = compile(refusals[i].text, &refusal);
        if (condition != NULL)
            fail_msg("%s is taken", refusals[i].text);
        if (refusal.kind != EXPR_REFUSED_UNSUPPORTED || refusal.position != refusals[i].position ||
            strstr(refusal.error.text, refusals[i].shown) == NULL)
            fail_msg("%s: position %zu: %s", refusals[i].text, refusal.position,
                     refusal.error.text);
    }
}

/* An index does not read such columns, so they give it nothing to go by. */
static void no_index_goes_by_an_interval(void **state) {
    static const char *const texts[] = {"iv = '1 day'", "iv IN ('1 day')", "tm = '10:00'",
                                        "tm BETWEEN '10:00' AND '11:00'", "d + 1 = '2024-01-01'"};
    (void)state;
    for (size_t i = 0; i < CORE_COUNT_OF(texts); i++) {
        expr_refusal refusal;
        expr_key key;
        expr_place places[EXPR_PLACES_MAX];
        expr_condition *condition = compile(texts[i], &refusal);
        assert_non_null(condition);
        assert_false(expr_condition_key(condition, 0, &key));
        assert_int_equal(expr_condition_places(condition, 0, places), 0);
        expr_condition_release(condition);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_rule_holds),
        cmocka_unit_test(what_is_not_read_is_not_null),
        cmocka_unit_test(nulls_are_null),
        cmocka_unit_test(what_hangs_on_something_is_refused),
        cmocka_unit_test(no_index_goes_by_an_interval),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
