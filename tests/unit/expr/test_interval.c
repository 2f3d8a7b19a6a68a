/* Intervals as texts by table: what each means, and what is not taken. That PostgreSQL means the
 * same, thousands of random texts show (integration/conditions_times.test.mjs). */
#include "expr/calendar.h"
#include "expr/interval.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define S (CORE_US_PER_S)
#define M (EXPR_US_PER_MINUTE)
#define H (EXPR_US_PER_HOUR)

static const struct {
    const char *text;
    expr_interval value;
} taken[] = {
    /* as PostgreSQL prints them under each IntervalStyle */
    {"00:00:00", {0, 0, 0}},
    {"1 year 2 mons 3 days 04:05:06.7", {14, 3, 4 * H + 5 * M + 6 * S + 700000}},
    {"-1 years -2 mons +3 days -04:05:06", {-14, 3, -(4 * H + 5 * M + 6 * S)}},
    {"-1 days +02:03:00", {0, -1, 2 * H + 3 * M}},
    {"@ 1 year 2 mons -3 days 4 hours ago", {-14, 3, -4 * H}},
    {"1-2", {14, 0, 0}},
    {"+1-2 -3 +4:05:06", {14, -3, 4 * H + 5 * M + 6 * S}},
    {"3 4:05:06", {0, 3, 4 * H + 5 * M + 6 * S}},
    {"-1-2", {-14, 0, 0}},
    {"P1Y2M3DT4H5M6.7S", {14, 3, 4 * H + 5 * M + 6 * S + 700000}},
    {"P-1Y-2M3DT-4H-5M-6S", {-14, 3, -(4 * H + 5 * M + 6 * S)}},
    {"PT0S", {0, 0, 0}},
    {"P2W", {0, 14, 0}},
    {"PT1.5H", {0, 0, H + 30 * M}},
    /* as people write them */
    {"1 day", {0, 1, 0}},
    {"  1  day  2   HOURS ", {0, 1, 2 * H}},
    {"2 hours 1 day", {0, 1, 2 * H}},
    {"1day", {0, 1, 0}},
    {"2h 3m 4s", {0, 0, 2 * H + 3 * M + 4 * S}},
    {"90 minutes", {0, 0, 90 * M}},
    {"5", {0, 0, 5 * S}},
    {"-7.5", {0, 0, -7 * S - 500000}},
    {"1.5 hours", {0, 0, H + 30 * M}},
    {"1.5 days", {0, 1, 12 * H}},
    {"-0.5 days", {0, 0, -12 * H}},
    {"1.5 weeks", {0, 10, 12 * H}},
    {"1.5 months", {1, 15, 0}},
    {"1.25 years", {15, 0, 0}},
    {"0.000001 s", {0, 0, 1}},
    {"7 us", {0, 0, 7}},
    {"1.5 ms", {0, 0, 1500}},
    {"3 days ago", {0, -3, 0}},
    {"1 decade 1 century", {1320, 0, 0}},
    {"04:05", {0, 0, 4 * H + 5 * M}},
    {"1000000:00:00", {0, 0, 1000000 * H}},
    {"2147483647 days", {0, 2147483647, 0}},
    {"-2147483647 mons", {-2147483647, 0, 0}},
};

static const char *const refused[] = {
    "",
    " ",
    "@",
    "ago",
    "day",
    "1 fortnight",
    "1 2",
    "1 day 2",
    "1 day 1 day",
    "1 hour 02:00",
    "2 s 5 ms",
    "1:2:3",
    "1:60",
    "1:00:60",
    "1.5:00",
    "1.5 2:00",
    "1-12",
    "1- 2",
    "1. days",
    ".5 days",
    "1.1234567 s",
    "1.1 years",
    "1.0001 ms",
    "0.5 us",
    "0.5 centuries",
    "- 1 day",
    "+-1 day",
    "1 day ago 2 hours",
    "infinity",
    "-infinity",
    "-1 day 2 hours", /* hangs on IntervalStyle */
    "-1 2:03",
    "-1 day 2 hours ago",
    "2147483648 days",
    "2147483647 weeks",
    "2147483647 years",
    "2147483647 hours 60 minutes",
    "2147483648:00:00",
    "2000000001 s",
    "99999999999999999999 s",
    "P",
    "PT",
    "P1",
    "P1DT",
    "p1d",
    "P1D2Y",
    "P1H",
    "PT1D",
    "P1.5M",
    "P1.5Y",
    "P1000.5D",
    "P1Y 2M",
    "P0001-02-03",
    "1 day\x80",
};

static void texts_mean_what_they_do(void **state) {
    (void)state;
    for (size_t i = 0; i < CORE_COUNT_OF(taken); i++) {
        expr_interval value;
        if (!expr_interval_parse(core_slice_text(taken[i].text), &value))
            fail_msg("%s is not taken", taken[i].text);
        if (value.months != taken[i].value.months || value.days != taken[i].value.days ||
            value.time_us != taken[i].value.time_us)
            fail_msg("%s: %d months, %d days, %lld us", taken[i].text, value.months, value.days,
                     (long long)value.time_us);
    }
}

static void what_is_not_sure_is_not_taken(void **state) {
    (void)state;
    for (size_t i = 0; i < CORE_COUNT_OF(refused); i++) {
        expr_interval value;
        if (expr_interval_parse(core_slice_text(refused[i]), &value))
            fail_msg("\"%s\" is taken", refused[i]);
    }
}

/* A month has 30 days, and a day 24 hours. */
static void intervals_are_ordered_by_what_they_span(void **state) {
    static const struct {
        expr_interval left, right;
        int order;
    } pairs[] = {
        {{1, 0, 0}, {0, 30, 0}, 0},
        {{0, 1, 0}, {0, 0, 24 * H}, 0},
        {{1, -30, 0}, {0, 0, 0}, 0},
        {{0, -1, 24 * H}, {0, 0, 0}, 0},
        {{1, 0, 0}, {0, 30, 1}, -1},
        {{0, 0, -1}, {0, 0, 0}, -1},
        {{12, 0, 0}, {0, 365, 0}, -1},
        {{0, 0, 1}, {0, 0, -1}, 1},
        {{INT32_MAX, INT32_MAX, INT64_MAX}, {INT32_MAX, INT32_MAX, INT64_MAX - 1}, 1},
        {{INT32_MIN, INT32_MIN, INT64_MIN}, {INT32_MAX, INT32_MAX, INT64_MAX}, -1},
    };
    (void)state;
    for (size_t i = 0; i < CORE_COUNT_OF(pairs); i++) {
        const expr_interval *left = &pairs[i].left, *right = &pairs[i].right;
        assert_int_equal(expr_interval_compare(left, right), pairs[i].order);
        assert_int_equal(expr_interval_compare(right, left), -pairs[i].order);
        assert_int_equal(expr_interval_hash(left) == expr_interval_hash(right),
                         pairs[i].order == 0);
    }
}

static void fields_say_the_unit_and_cut_off(void **state) {
    enum {
        YEAR = EXPR_INTERVAL_YEAR,
        MONTH = EXPR_INTERVAL_MONTH,
        DAY = EXPR_INTERVAL_DAY,
        HOUR = EXPR_INTERVAL_HOUR,
        MINUTE = EXPR_INTERVAL_MINUTE,
        SECOND = EXPR_INTERVAL_SECOND,
    };
    static const char all[] = "1 year 2 mons 3 days 04:05:06.7";
    static const struct {
        const char *text;
        int64_t fields;
        expr_interval value;
    } literals[] = {
        {"5", YEAR, {60, 0, 0}},
        {"-5", MONTH, {-5, 0, 0}},
        {"+5", DAY, {0, 5, 0}},
        {"5", DAY | HOUR, {0, 0, 5 * H}},
        {" 5 ", MINUTE, {0, 0, 5 * M}},
        {"5", SECOND, {0, 0, 5 * S}},
        {all, YEAR, {12, 0, 0}},
        {all, YEAR | MONTH, {14, 0, 0}},
        {all, DAY, {14, 3, 0}},
        {all, DAY | HOUR, {14, 3, 4 * H}},
        {all, DAY | HOUR | MINUTE, {14, 3, 4 * H + 5 * M}},
        {all, SECOND, {14, 3, 4 * H + 5 * M + 6 * S + 700000}},
        {"-00:01:30", MINUTE, {0, 0, -M}},
    };
    (void)state;
    for (size_t i = 0; i < CORE_COUNT_OF(literals); i++) {
        expr_interval value;
        assert_true(expr_interval_parse_fields(core_slice_text(literals[i].text),
                                               literals[i].fields, &value));
        assert_int_equal(value.months, literals[i].value.months);
        assert_int_equal(value.days, literals[i].value.days);
        assert_int_equal(value.time_us, literals[i].value.time_us);
    }
    expr_interval value;
    assert_false(expr_interval_parse_fields(core_slice_text("1:02"), MINUTE | SECOND, &value));
    assert_false(expr_interval_parse_fields(core_slice_text("5"), 0, &value));
}

/* Each day that a date can be leads to its parts and back, and follows the one before. */
static void days_and_dates_lead_to_each_other(void **state) {
    (void)state;
    static const int64_t begins[] = {EXPR_DATE_MIN, -800000, -1000, 100000, EXPR_DATE_END - 150000};
    for (size_t i = 0; i < CORE_COUNT_OF(begins); i++) {
        expr_day before = expr_calendar_day(begins[i]);
        for (int64_t days = begins[i] + 1; days < begins[i] + 150000; days++) {
            expr_day day = expr_calendar_day(days);
            bool is_next_month =
                before.day == expr_calendar_month_length(before.year, before.month);
            assert_int_equal(day.day, is_next_month ? 1 : before.day + 1);
            assert_int_equal(day.month, is_next_month ? before.month % 12 + 1 : before.month);
            assert_int_equal(day.year, before.year + (is_next_month && before.month == 12));
            assert_int_equal(expr_calendar_days(day), days);
            before = day;
        }
    }
    expr_day first = expr_calendar_day(EXPR_DATE_MIN), epoch = expr_calendar_day(0);
    assert_true(first.year == -4713 && first.month == 11 && first.day == 24);
    assert_true(epoch.year == 2000 && epoch.month == 1 && epoch.day == 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_mean_what_they_do),
        cmocka_unit_test(what_is_not_sure_is_not_taken),
        cmocka_unit_test(intervals_are_ordered_by_what_they_span),
        cmocka_unit_test(fields_say_the_unit_and_cut_off),
        cmocka_unit_test(days_and_dates_lead_to_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
