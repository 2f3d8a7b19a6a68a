/* Statements that a request asks the source's database: each in a transaction of its own that only
 * reads and is rolled back, at most 3 s. Blocks; for the threads of searches. */
#ifndef WALCAST_SEARCH_INDEX_SOURCE_H
#define WALCAST_SEARCH_INDEX_SOURCE_H

#include "pg/pg.h"
#include "search-index/facts.h"

#define SEARCH_SQLSTATE_SIZE 6

typedef struct {
    const core_route_caller *caller; /* under its role and claims; NULL: as the connection's role */
    const char *settings;            /* a SELECT of settings for the transaction; NULL: none */
    const char *sql;
    const char *const *parameters;
    size_t count;
} search_source_question;

/* NULL: see the error; DENIED where a privilege is missing. `sqlstate` (NULL: not wanted) is the
 * failed statement's, "" when the server said none. */
CORE_MUST_CHECK pg_result *search_source_ask(pg_connection *connection, core_arena *arena,
                                             const search_source_question *question,
                                             char sqlstate[SEARCH_SQLSTATE_SIZE],
                                             core_error *error);
/* Appends the table's name, quoted. */
void search_source_place(const search_table_facts *table, core_buffer *out);

#endif
