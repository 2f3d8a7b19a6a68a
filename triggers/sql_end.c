/* See sql_end.h. The states are PostgreSQL's (appendix A); the first row that fits counts.
 *
 * What the row itself brings about comes again with each attempt: a value that does not fit, a
 * constraint that it violates. That is given up at once. What others can mend (a table that is not
 * there yet, a privilege, a referenced row that has not come) is tried again, in order, for as long
 * as the trigger says; and so is what a function raises, since nobody knows what it means. */
#include "triggers/sql_end.h"

#include <string.h>

typedef struct {
    const char *prefix; /* a whole state or a class */
    triggers_sql_verdict verdict;
} end_row;

static const end_row end_rows[] = {
    {"", {TRIGGERS_END_FAILED, NET_BREAKER_BAD}},        /* only "" itself: see below */
    {"22", {TRIGGERS_END_REFUSED, NET_BREAKER_GOOD}},    /* data exception */
    {"23503", {TRIGGERS_END_FAILED, NET_BREAKER_GOOD}},  /* the referenced row may come */
    {"23", {TRIGGERS_END_REFUSED, NET_BREAKER_GOOD}},    /* integrity constraint violation */
    {"25001", {TRIGGERS_END_REFUSED, NET_BREAKER_GOOD}}, /* not within a transaction: VACUUM */
    {"40", {TRIGGERS_END_FAILED, NET_BREAKER_GOOD}},     /* serialization failure, deadlock */
    {"44", {TRIGGERS_END_REFUSED, NET_BREAKER_GOOD}},    /* WITH CHECK OPTION violation */
    {"55P03", {TRIGGERS_END_FAILED, NET_BREAKER_GOOD}},  /* lock not available */
    {"P0", {TRIGGERS_END_FAILED, NET_BREAKER_GOOD}},     /* raised by a function */
};

triggers_sql_verdict triggers_sql_end(const char *sqlstate) {
    for (size_t i = 1; i < CORE_COUNT_OF(end_rows) && sqlstate[0] != '\0'; i++)
        if (strncmp(sqlstate, end_rows[i].prefix, strlen(end_rows[i].prefix)) == 0)
            return end_rows[i].verdict;
    return end_rows[0].verdict; /* no connection, resources, privileges, names, shutdown */
}
