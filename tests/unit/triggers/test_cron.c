/* Cron expressions: what is taken, which local times they name, what is refused and why. */
#include "triggers/civil.h"
#include "triggers/cron.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static int64_t local(int year, unsigned month, unsigned day, unsigned hour, unsigned minute,
                     unsigned second) {
    const triggers_date date = {.year = year, .month = month, .day = day};
    return triggers_days_of(date) * TRIGGERS_DAY_S + hour * 3600 + minute * 60 + second;
}

static void text_of(int64_t local_s, char text[32]) {
    int64_t days = triggers_floor_div(local_s, TRIGGERS_DAY_S);
    triggers_date date = triggers_date_of(days);
    int rest = (int)(local_s - days * TRIGGERS_DAY_S);
    (void)snprintf(text, 32, "%04d-%02u-%02u %02d:%02d:%02d", date.year, date.month, date.day,
                   rest / 3600, rest / 60 % 60, rest % 60);
}

/* From Wednesday 2026-07-15 10:20:30 on. */
static void expressions_name_local_times(void **state) {
    (void)state;
    static const struct {
        const char *expression;
        const char *next[3];
    } cases[] = {
        {"* * * * *", {"2026-07-15 10:21:00", "2026-07-15 10:22:00", "2026-07-15 10:23:00"}},
        {"*/20 * * * * *", {"2026-07-15 10:20:40", "2026-07-15 10:21:00", "2026-07-15 10:21:20"}},
        {"5/20 * * * *", {"2026-07-15 10:25:00", "2026-07-15 10:45:00", "2026-07-15 11:05:00"}},
        {"0 9-17/4 * * mon-fri",
         {"2026-07-15 13:00:00", "2026-07-15 17:00:00", "2026-07-16 09:00:00"}},
        {"0 0 * * fri-sun", {"2026-07-17 00:00:00", "2026-07-18 00:00:00", "2026-07-19 00:00:00"}},
        {"0 0 * * 7", {"2026-07-19 00:00:00", "2026-07-26 00:00:00", "2026-08-02 00:00:00"}},
        {"0 0 13 * 5", {"2026-07-17 00:00:00", "2026-07-24 00:00:00", "2026-07-31 00:00:00"}},
        {"0 0 */13 * 5", {"2026-08-14 00:00:00", "2026-11-27 00:00:00", "2027-01-01 00:00:00"}},
        {"0 0 13 * ?", {"2026-08-13 00:00:00", "2026-09-13 00:00:00", "2026-10-13 00:00:00"}},
        {"0 0 29 feb *", {"2028-02-29 00:00:00", "2032-02-29 00:00:00", "2036-02-29 00:00:00"}},
        {"0 0 L * *", {"2026-07-31 00:00:00", "2026-08-31 00:00:00", "2026-09-30 00:00:00"}},
        {"0 0 L-3 * *", {"2026-07-28 00:00:00", "2026-08-28 00:00:00", "2026-09-27 00:00:00"}},
        {"0 0 LW * *", {"2026-07-31 00:00:00", "2026-08-31 00:00:00", "2026-09-30 00:00:00"}},
        {"0 0 1W * *", {"2026-08-03 00:00:00", "2026-09-01 00:00:00", "2026-10-01 00:00:00"}},
        {"0 0 15W * *", {"2026-08-14 00:00:00", "2026-09-15 00:00:00", "2026-10-15 00:00:00"}},
        {"0 0 31W * *", {"2026-07-31 00:00:00", "2026-08-31 00:00:00", "2026-10-30 00:00:00"}},
        {"0 0 * * 5L", {"2026-07-31 00:00:00", "2026-08-28 00:00:00", "2026-09-25 00:00:00"}},
        {"0 0 * * FRI#2", {"2026-08-14 00:00:00", "2026-09-11 00:00:00", "2026-10-09 00:00:00"}},
        {"0 0 * * 0#5", {"2026-08-30 00:00:00", "2026-11-29 00:00:00", "2027-01-31 00:00:00"}},
        {"@hourly", {"2026-07-15 11:00:00", "2026-07-15 12:00:00", "2026-07-15 13:00:00"}},
        {"@Weekly", {"2026-07-19 00:00:00", "2026-07-26 00:00:00", "2026-08-02 00:00:00"}},
        {"@yearly", {"2027-01-01 00:00:00", "2028-01-01 00:00:00", "2029-01-01 00:00:00"}},
        {"  30   4  1,15\t*  5 ",
         {"2026-07-17 04:30:00", "2026-07-24 04:30:00", "2026-07-31 04:30:00"}},
        {"59 59 23 31 12 *", {"2026-12-31 23:59:59", "2027-12-31 23:59:59", "2028-12-31 23:59:59"}},
    };
    for (size_t i = 0; i < CORE_COUNT_OF(cases); i++) {
        triggers_cron cron;
        core_error error = {.text = ""};
        int64_t at = local(2026, 7, 15, 10, 20, 30);
        if (!triggers_cron_read(core_slice_text(cases[i].expression), &cron, &error))
            fail_msg("%s", error.text);
        for (size_t n = 0; n < CORE_COUNT_OF(cases[i].next); n++) {
            char text[32];
            at = triggers_cron_next(&cron, at + 1);
            text_of(at, text);
            if (strcmp(text, cases[i].next[n]) != 0)
                fail_msg("%s: %zu. is %s, not %s", cases[i].expression, n, text, cases[i].next[n]);
        }
    }
}

static void a_wrong_field_is_named(void **state) {
    (void)state;
    static const struct {
        const char *expression;
        const char *says;
    } cases[] = {
        {"", "expected five fields"},
        {"* * * *", "expected five fields"},
        {"* * * * * * *", "expected five fields"},
        {"60 * * * *", "\"60\" is no minute"},
        {"60 * * * * *", "\"60\" is no second"},
        {"* 24 * * *", "\"24\" is no hour"},
        {"* * 0 * *", "\"0\" is no day of month"},
        {"* * 32 * *", "\"32\" is no day of month"},
        {"* * * 13 *", "\"13\" is no month"},
        {"* * * jan-foo *", "\"jan-foo\" is no month"},
        {"* * * * 8", "\"8\" is no day of week"},
        {"* * * * sunday", "\"sunday\" is no day of week"},
        {"* * * * fri-mon", "\"fri-mon\" is no day of week"},
        {"* * * * 5#6", "\"5#6\" is no day of week"},
        {"* * * * 5#0", "\"5#0\" is no day of week"},
        {"* * L-31 * *", "\"L-31\" is no day of month"},
        {"* * W * *", "\"W\" is no day of month"},
        {"* * 5L * *", "\"5L\" is no day of month"},
        {"*/0 * * * *", "\"*/0\" is no minute"},
        {"*/ * * * *", "\"*/\" is no minute"},
        {"5-1 * * * *", "\"5-1\" is no minute"},
        {"1,,2 * * * *", "\"\" is no minute"},
        {"1, * * * *", "\"\" is no minute"},
        {"? * * * *", "\"?\" is no minute"},
        {"99999999999999999999 * * * *", "is no minute"},
        {"-1 * * * *", "\"-1\" is no minute"},
        {"0 0 30 2 *", "names no day that ever comes"},
        {"0 0 31 4,6,9,11 *", "names no day that ever comes"},
        {"@reboot", "expected five fields"},
    };
    for (size_t i = 0; i < CORE_COUNT_OF(cases); i++) {
        triggers_cron cron;
        core_error error = {.text = ""};
        assert_false(triggers_cron_read(core_slice_text(cases[i].expression), &cron, &error));
        assert_int_equal(error.code, CORE_ERROR_INPUT);
        if (strstr(error.text, cases[i].says) == NULL)
            fail_msg("%s: \"%s\" does not say \"%s\"", cases[i].expression, error.text,
                     cases[i].says);
    }
}

static void the_longest_text_is_bounded(void **state) {
    (void)state;
    char text[TRIGGERS_CRON_TEXT_MAX + 2];
    triggers_cron cron;
    core_error error = {.text = ""};
    memset(text, ' ', sizeof text);
    memcpy(text, "* * * * *", 9);
    text[sizeof text - 1] = '\0';
    assert_false(triggers_cron_read(core_slice_text(text), &cron, &error));
    text[sizeof text - 2] = '\0';
    assert_true(triggers_cron_read(core_slice_text(text), &cron, &error));
}

/* Every day of 800 years, there and back. */
static void dates_are_days_and_back(void **state) {
    (void)state;
    triggers_date before = triggers_date_of(triggers_days_of((triggers_date){1599, 12, 31}));
    for (int64_t day = triggers_days_of((triggers_date){1600, 1, 1}); before.year < 2400; day++) {
        triggers_date date = triggers_date_of(day);
        assert_int_equal(triggers_days_of(date), day);
        bool next_day =
            date.year == before.year && date.month == before.month && date.day == before.day + 1;
        bool new_month =
            date.day == 1 && before.day == triggers_month_days(before.year, before.month) &&
            (date.month == before.month + 1 || (date.month == 1 && before.month == 12));
        assert_true(next_day || new_month);
        before = date;
    }
    assert_int_equal(triggers_days_of((triggers_date){1970, 1, 1}), 0);
    assert_int_equal(triggers_weekday(-1), 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(expressions_name_local_times),
        cmocka_unit_test(a_wrong_field_is_named),
        cmocka_unit_test(the_longest_text_is_bounded),
        cmocka_unit_test(dates_are_days_and_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
