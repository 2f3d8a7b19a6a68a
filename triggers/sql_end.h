/* What the end of a statement means for its trigger: whether another attempt may help. */
#ifndef WALCAST_TRIGGERS_SQL_END_H
#define WALCAST_TRIGGERS_SQL_END_H

#include "net/net.h"
#include "triggers/partition.h"

typedef struct {
    triggers_end_kind kind;
    net_breaker_word word;
} triggers_sql_verdict;

/* Of a statement that failed with this SQLSTATE; "": the connection or the server's answer did. */
triggers_sql_verdict triggers_sql_end(const char *sqlstate);

#endif
