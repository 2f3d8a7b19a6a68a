/* Schedules: where clocks are moved, and what is due after a pause. */
#include "triggers/timetable.h"

#include "triggers/civil.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static int64_t moment(const char *text) {
    int year;
    unsigned month, day, hour, minute, second = 0;
    assert_true(sscanf(text, "%d-%u-%uT%u:%u:%u", &year, &month, &day, &hour, &minute, &second) >=
                5);
    const triggers_date date = {.year = year, .month = month, .day = day};
    return (triggers_days_of(date) * TRIGGERS_DAY_S + hour * 3600 + minute * 60 + second) *
           CORE_US_PER_S;
}

static triggers_timetable *schedule_of(const char *expression, const char *zone) {
    core_error error = {.text = ""};
    triggers_timetable *schedule = triggers_timetable_new(
        core_slice_text(expression), core_slice_text(zone), TRIGGERS_ZONE_DIRECTORY, &error);
    if (schedule == NULL)
        fail_msg("%s", error.text);
    return schedule;
}

/* All in UTC, from the first column on. */
static const struct {
    const char *zone, *expression, *after;
    const char *next[4];
} move_cases[] = {
    /* Berlin, 2026-03-29: 02:00 to 03:00 at 01:00 UTC. */
    {"Europe/Berlin",
     "30 2 * * *",
     "2026-03-27T12:00",
     {"2026-03-28T01:30", "2026-03-29T01:00", "2026-03-30T00:30", "2026-03-31T00:30"}},
    {"Europe/Berlin",
     "*/15 2 * * *",
     "2026-03-29T00:00",
     {"2026-03-29T01:00", "2026-03-30T00:00", "2026-03-30T00:15", "2026-03-30T00:30"}},
    {"Europe/Berlin",
     "0 2,3 * * *",
     "2026-03-29T00:00",
     {"2026-03-29T01:00", "2026-03-30T00:00", "2026-03-30T01:00", "2026-03-31T00:00"}},
    {"Europe/Berlin",
     "30 * * * *",
     "2026-03-29T00:00",
     {"2026-03-29T00:30", "2026-03-29T01:30", "2026-03-29T02:30", "2026-03-29T03:30"}},
    {"Europe/Berlin",
     "0 */2 * * *",
     "2026-03-28T22:30",
     {"2026-03-28T23:00", "2026-03-29T02:00", "2026-03-29T04:00", "2026-03-29T06:00"}},
    /* 2026-10-25: 03:00 to 02:00 at 01:00 UTC. */
    {"Europe/Berlin",
     "30 2 * * *",
     "2026-10-24T12:00",
     {"2026-10-25T00:30", "2026-10-26T01:30", "2026-10-27T01:30", "2026-10-28T01:30"}},
    {"Europe/Berlin",
     "*/30 2 * * *",
     "2026-10-24T12:00",
     {"2026-10-25T00:00", "2026-10-25T00:30", "2026-10-26T01:00", "2026-10-26T01:30"}},
    {"Europe/Berlin",
     "30 * * * *",
     "2026-10-24T23:45",
     {"2026-10-25T00:30", "2026-10-25T01:30", "2026-10-25T02:30", "2026-10-25T03:30"}},
    {"Europe/Berlin",
     "0 3 * * *",
     "2026-10-24T12:00",
     {"2026-10-25T02:00", "2026-10-26T02:00", "2026-10-27T02:00", "2026-10-28T02:00"}},
    /* In the middle of the second pass the first one is over. */
    {"Europe/Berlin",
     "30 2 * * *",
     "2026-10-25T01:10",
     {"2026-10-26T01:30", "2026-10-27T01:30", "2026-10-28T01:30", "2026-10-29T01:30"}},
    /* New York, 2026-03-08 and 2026-11-01. */
    {"America/New_York",
     "30 2 * * *",
     "2026-03-08T00:00",
     {"2026-03-08T07:00", "2026-03-09T06:30", "2026-03-10T06:30", "2026-03-11T06:30"}},
    {"America/New_York",
     "30 1 * * *",
     "2026-10-31T12:00",
     {"2026-11-01T05:30", "2026-11-02T06:30", "2026-11-03T06:30", "2026-11-04T06:30"}},
    /* Lord Howe moves by half an hour: 2026-10-04 02:00 to 02:30, 2026-04-05 02:00 to 01:30. */
    {"Australia/Lord_Howe",
     "15 2 * * *",
     "2026-10-03T00:00",
     {"2026-10-03T15:30", "2026-10-04T15:15", "2026-10-05T15:15", "2026-10-06T15:15"}},
    {"Australia/Lord_Howe",
     "45 1 * * *",
     "2026-04-04T00:00",
     {"2026-04-04T14:45", "2026-04-05T15:15", "2026-04-06T15:15", "2026-04-07T15:15"}},
    {"Australia/Lord_Howe",
     "45 * * * *",
     "2026-04-04T14:00",
     {"2026-04-04T14:45", "2026-04-04T15:15", "2026-04-04T16:15", "2026-04-04T17:15"}},
    /* Beirut moves at midnight: 2026-03-29 00:00 to 01:00. */
    {"Asia/Beirut",
     "0 0 * * *",
     "2026-03-28T00:00",
     {"2026-03-28T22:00", "2026-03-29T21:00", "2026-03-30T21:00", "2026-03-31T21:00"}},
    {"Asia/Beirut",
     "@hourly",
     "2026-03-28T20:30",
     {"2026-03-28T21:00", "2026-03-28T22:00", "2026-03-28T23:00", "2026-03-29T00:00"}},
    /* Casablanca goes back for Ramadan: 2026-02-15 03:00 to 02:00, 2026-03-22 02:00 to 03:00.
     */
    {"Africa/Casablanca",
     "30 2 * * *",
     "2026-02-14T12:00",
     {"2026-02-15T01:30", "2026-02-16T02:30", "2026-02-17T02:30", "2026-02-18T02:30"}},
    {"Africa/Casablanca",
     "30 2 * * *",
     "2026-03-21T12:00",
     {"2026-03-22T02:00", "2026-03-23T01:30", "2026-03-24T01:30", "2026-03-25T01:30"}},
    /* Apia had no 2011-12-30: what is of that day happens as it would have begun. */
    {"Pacific/Apia",
     "0 12 * * *",
     "2011-12-29T00:00",
     {"2011-12-29T22:00", "2011-12-30T10:00", "2011-12-30T22:00", "2011-12-31T22:00"}},
    /* By the rule, far ahead; and long ago. */
    {"Europe/Berlin",
     "30 2 * * *",
     "2199-03-30T12:00",
     {"2199-03-31T01:00", "2199-04-01T00:30", "2199-04-02T00:30", "2199-04-03T00:30"}},
    {"Europe/Berlin",
     "0 12 * * *",
     "1916-04-30T00:00",
     {"1916-04-30T11:00", "1916-05-01T10:00", "1916-05-02T10:00", "1916-05-03T10:00"}},
    {"Europe/Berlin",
     "0 0 * * *",
     "1880-01-01T12:00",
     {"1880-01-01T23:06:32", "1880-01-02T23:06:32", "1880-01-03T23:06:32", "1880-01-04T23:06:32"}},
    {"",
     "0 0 29 2 *",
     "2096-02-29T00:00",
     {"2104-02-29T00:00", "2108-02-29T00:00", "2112-02-29T00:00", "2116-02-29T00:00"}},
};

static void clocks_are_moved(void **state) {
    (void)state;
    for (size_t i = 0; i < CORE_COUNT_OF(move_cases); i++) {
        triggers_timetable *schedule = schedule_of(move_cases[i].expression, move_cases[i].zone);
        int64_t at = moment(move_cases[i].after);
        for (size_t n = 0; n < CORE_COUNT_OF(move_cases[i].next); n++) {
            at = triggers_timetable_next(schedule, at);
            char text[CORE_CLOCK_TEXT_SIZE];
            core_clock_format(at, text);
            if (at != moment(move_cases[i].next[n]))
                fail_msg("%s in %s: %zu. is %s, not %s", move_cases[i].expression,
                         move_cases[i].zone, n, text, move_cases[i].next[n]);
        }
        triggers_timetable_free(schedule);
    }
}

static void a_moment_follows_itself_never(void **state) {
    (void)state;
    triggers_timetable *schedule = schedule_of("* * * * * *", "UTC");
    int64_t ten = moment("2026-01-01T00:00:10"), eleven = moment("2026-01-01T00:00:11");
    assert_int_equal(triggers_timetable_next(schedule, ten - 1), ten);
    assert_int_equal(triggers_timetable_next(schedule, ten), eleven);
    assert_int_equal(triggers_timetable_next(schedule, ten + 1), eleven);
    assert_int_equal(triggers_timetable_next(schedule, -1), 0);
    assert_int_equal(triggers_timetable_next(schedule, -CORE_US_PER_S - 1), -CORE_US_PER_S);
    assert_int_equal(triggers_timetable_next(schedule, moment("9999-12-31T23:59:59")),
                     TRIGGERS_TIMETABLE_NEVER);
    assert_int_not_equal(triggers_timetable_next(schedule, INT64_MIN / 2),
                         TRIGGERS_TIMETABLE_NEVER);
    triggers_timetable_free(schedule);
}

static void between_has_both_ends_right(void **state) {
    (void)state;
    int64_t moments[10];
    triggers_timetable *schedule = schedule_of("0 * * * *", "Europe/Berlin");
    size_t count = triggers_timetable_between(schedule, moment("2026-01-01T00:00"),
                                              moment("2026-01-01T03:00"), moments, 10);
    assert_int_equal(count, 3);
    assert_int_equal(moments[0], moment("2026-01-01T01:00"));
    assert_int_equal(moments[2], moment("2026-01-01T03:00"));
    assert_int_equal(triggers_timetable_between(schedule, 0, INT64_MAX / 2, moments, 4), 4);
    assert_int_equal(triggers_timetable_between(schedule, 100, 99, moments, 4), 0);
    triggers_timetable_free(schedule);
}

/* Every hour; the last one decided is 00:00, tolerance one minute. */
static void what_is_due_after_a_pause(void **state) {
    (void)state;
    static const struct {
        triggers_catch_up catch_up;
        size_t max_runs;
        const char *now;
        size_t count;
        const char *first, *last;
        size_t left_out;
    } cases[] = {
        {TRIGGERS_CATCH_UP_NONE, 1, "2026-01-01T00:59:59", 0, NULL, NULL, 0},
        {TRIGGERS_CATCH_UP_NONE, 1, "2026-01-01T01:00", 1, "2026-01-01T01:00", "2026-01-01T01:00",
         0},
        {TRIGGERS_CATCH_UP_NONE, 1, "2026-01-01T01:01", 1, "2026-01-01T01:00", "2026-01-01T01:00",
         0},
        {TRIGGERS_CATCH_UP_NONE, 1, "2026-01-01T01:01:01", 0, NULL, NULL, 1},
        {TRIGGERS_CATCH_UP_NONE, 1, "2026-01-01T05:00:30", 1, "2026-01-01T05:00",
         "2026-01-01T05:00", 4},
        {TRIGGERS_CATCH_UP_LAST, 1, "2026-01-01T05:30", 1, "2026-01-01T05:00", "2026-01-01T05:00",
         4},
        {TRIGGERS_CATCH_UP_LAST, 1, "2026-01-01T05:00:30", 1, "2026-01-01T05:00",
         "2026-01-01T05:00", 4},
        {TRIGGERS_CATCH_UP_ALL, 100, "2026-01-01T05:30", 5, "2026-01-01T01:00", "2026-01-01T05:00",
         0},
        {TRIGGERS_CATCH_UP_ALL, 3, "2026-01-01T05:30", 3, "2026-01-01T03:00", "2026-01-01T05:00",
         2},
        {TRIGGERS_CATCH_UP_ALL, 3, "2026-01-01T06:00:10", 4, "2026-01-01T03:00", "2026-01-01T06:00",
         2},
        {TRIGGERS_CATCH_UP_ALL, 48, "2026-07-01T00:30", 48, "2026-06-29T01:00", "2026-07-01T00:00",
         4296},
        {TRIGGERS_CATCH_UP_ALL, 1, "2029-01-01T00:30", 1, "2029-01-01T00:00", "2029-01-01T00:00",
         10000},
        {TRIGGERS_CATCH_UP_LAST, 1, "2025-12-31T23:00", 0, NULL, NULL, 0}, /* the clock went back */
    };
    static triggers_timetable_due due;
    triggers_timetable *schedule = schedule_of("0 * * * *", "UTC");
    int64_t last = moment("2026-01-01T00:00");
    for (size_t i = 0; i < CORE_COUNT_OF(cases); i++) {
        const triggers_timetable_policy policy = {.catch_up = cases[i].catch_up,
                                                  .tolerance_us = 60 * CORE_US_PER_S,
                                                  .max_runs = cases[i].max_runs};
        int64_t now = moment(cases[i].now);
        triggers_timetable_due_at(schedule, &policy, last, now, &due);
        assert_int_equal(due.count, cases[i].count);
        assert_int_equal(due.left_out, cases[i].left_out);
        assert_int_equal(due.left_out_more, cases[i].left_out == 10000);
        assert_int_equal(due.covered_us, now > last ? now : last);
        if (due.count > 0) {
            assert_int_equal(due.moments[0], moment(cases[i].first));
            assert_int_equal(due.moments[due.count - 1], moment(cases[i].last));
        }
    }
    triggers_timetable_free(schedule);
}

/* More on time than a call gives: the next ones give the rest, each once. */
static void a_wide_tolerance_comes_in_pieces(void **state) {
    (void)state;
    static triggers_timetable_due due;
    triggers_timetable *schedule = schedule_of("* * * * * *", "UTC");
    const triggers_timetable_policy policy = {
        .catch_up = TRIGGERS_CATCH_UP_NONE, .tolerance_us = 3600 * CORE_US_PER_S, .max_runs = 1};
    int64_t last = moment("2026-01-01T00:00"), now = moment("2026-01-01T00:50"), expected = last;
    while (last < now) {
        triggers_timetable_due_at(schedule, &policy, last, now, &due);
        assert_true(due.count > 0);
        for (size_t i = 0; i < due.count; i++)
            assert_int_equal(due.moments[i], expected += CORE_US_PER_S);
        last = due.covered_us;
    }
    assert_int_equal(expected, now);
    triggers_timetable_free(schedule);
}

static void what_cannot_be_a_schedule_is_refused(void **state) {
    (void)state;
    core_error error = {.text = ""};
    assert_null(triggers_timetable_new(core_slice_text("* * * *"), core_slice_text("UTC"),
                                       TRIGGERS_ZONE_DIRECTORY, &error));
    assert_null(triggers_timetable_new(core_slice_text("* * * * *"),
                                       core_slice_text("Mars/Olympus"), TRIGGERS_ZONE_DIRECTORY,
                                       &error));
    assert_non_null(strstr(error.text, "Mars/Olympus"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clocks_are_moved),
        cmocka_unit_test(a_moment_follows_itself_never),
        cmocka_unit_test(between_has_both_ends_right),
        cmocka_unit_test(what_is_due_after_a_pause),
        cmocka_unit_test(a_wide_tolerance_comes_in_pieces),
        cmocka_unit_test(what_cannot_be_a_schedule_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
