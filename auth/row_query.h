/* Rows held against policies that only PostgreSQL can evaluate: one round trip for several rows of
 * one table and several claims of one role.
 *
 * Part of the room's public interface (auth.h includes it). The question is written once, by
 * whoever asks; then asked on a thread of the pool. A sub-query of a policy sees the database as it
 * is now. */
#ifndef WALCAST_AUTH_ROW_QUERY_H
#define WALCAST_AUTH_ROW_QUERY_H

#include "core/core.h"
#include "pg/pg.h"

/* auth/row_body.sql; made by cmake/WalcastText.cmake. */
extern const char auth_row_body_sql[];

#define AUTH_ROWS_MAX         32  /* of one question */
#define AUTH_ROW_CLAIMS_MAX   100 /* claims of one question */
#define AUTH_ROW_QUESTION_MAX ((size_t)8 << 20)
#define AUTH_ROW_REASON_MAX   256

typedef enum {
    AUTH_ROW_HIDDEN,
    AUTH_ROW_SEEN,
    AUTH_ROW_FAILED, /* an error of the policies, or their time is over: hidden, with a reason */
    AUTH_ROW_UNKNOWN /* the database could not be asked */
} auth_row_verdict;

/* Writes a question as JSON: open, its rows, close; its claims and its end follow when it is asked.
 * `condition` is auth_table_policy; of the relation it may read the columns that `reads` says, one
 * for each. A row's values of those must all have come, as texts or nulls. */
void auth_row_question_open(core_buffer *out, const char *role, core_slice condition,
                            const core_relation *relation, const bool *reads);
void auth_row_question_add(core_buffer *out, const core_tuple *row, const bool *reads);
/* False when `out` was full. */
CORE_MUST_CHECK bool auth_row_question_close(core_buffer *out);

typedef struct {
    auth_row_verdict verdicts[AUTH_ROWS_MAX];
    bool late;                        /* FAILED because the time was over */
    char reason[AUTH_ROW_REASON_MAX]; /* of the first that FAILED or is UNKNOWN */
} auth_row_answer;

typedef struct {
    core_slice question; /* as it was written */
    size_t row_count;
    const core_slice *claims; /* texts of JSON */
    size_t claims_count;
    auth_row_answer *answers; /* room for one of each claims */
} auth_row_asked;

/* Asks, and fills the answers whatever happens. Where several claims together fail or take longer
 * than `timeout_ms`, each is asked by itself, so that one alone is denied; all
 * together take at most about five times as long, and who was not asked by then is denied. False
 * when the database could not be asked. On a thread of the pool. */
CORE_MUST_CHECK bool auth_row_query(pg_connection *connection, const auth_row_asked *asked,
                                    int64_t timeout_ms, core_error *error);

#endif
