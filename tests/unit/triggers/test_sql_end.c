/* Whether another attempt of a statement may help, by its SQLSTATE. */
#include "triggers/sql_end.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void test_states(void **state) {
    static const struct {
        const char *sqlstate;
        triggers_end_kind kind;
        net_breaker_word word;
    } cases[] = {
        {"", TRIGGERS_END_FAILED, NET_BREAKER_BAD},        /* no connection */
        {"08006", TRIGGERS_END_FAILED, NET_BREAKER_BAD},   /* it was lost */
        {"22003", TRIGGERS_END_REFUSED, NET_BREAKER_GOOD}, /* out of range */
        {"22P02", TRIGGERS_END_REFUSED, NET_BREAKER_GOOD}, /* no such number */
        {"23505", TRIGGERS_END_REFUSED, NET_BREAKER_GOOD}, /* unique */
        {"23503", TRIGGERS_END_FAILED, NET_BREAKER_GOOD},  /* foreign key */
        {"25001", TRIGGERS_END_REFUSED, NET_BREAKER_GOOD}, /* VACUUM */
        {"28P01", TRIGGERS_END_FAILED, NET_BREAKER_BAD},   /* password */
        {"40001", TRIGGERS_END_FAILED, NET_BREAKER_GOOD},  /* serialization */
        {"40P01", TRIGGERS_END_FAILED, NET_BREAKER_GOOD},  /* deadlock */
        {"42P01", TRIGGERS_END_FAILED, NET_BREAKER_BAD},   /* no such table */
        {"42501", TRIGGERS_END_FAILED, NET_BREAKER_BAD},   /* no privilege */
        {"53300", TRIGGERS_END_FAILED, NET_BREAKER_BAD},   /* too many connections */
        {"55P03", TRIGGERS_END_FAILED, NET_BREAKER_GOOD},  /* lock */
        {"57014", TRIGGERS_END_FAILED, NET_BREAKER_BAD},   /* statement_timeout */
        {"57P01", TRIGGERS_END_FAILED, NET_BREAKER_BAD},   /* shut down */
        {"P0001", TRIGGERS_END_FAILED, NET_BREAKER_GOOD},  /* raised */
    };
    (void)state;
    for (size_t i = 0; i < CORE_COUNT_OF(cases); i++) {
        triggers_sql_verdict verdict = triggers_sql_end(cases[i].sqlstate);
        if (verdict.kind != cases[i].kind || verdict.word != cases[i].word)
            fail_msg("%s", cases[i].sqlstate);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_states)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
