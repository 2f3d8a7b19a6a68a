/* SQLite's statements with our errors: each failure has its class (backend.h), its file and what to
 * do. */
#ifndef WALCAST_SEARCH_INDEX_SQL_H
#define WALCAST_SEARCH_INDEX_SQL_H

#include "core/core.h"

#include <sqlite3.h>

/* What the connection's last failure is; false. `doing` says what was tried. */
bool search_sql_error(sqlite3 *database, const char *doing, core_error *error);

/* Writes the pages that the open transaction changed. */
CORE_MUST_CHECK bool search_sql_flush(sqlite3 *database, core_error *error);

/* Statements without a result. */
CORE_MUST_CHECK bool search_sql_run(sqlite3 *database, const char *sql, core_error *error);
/* NULL: see `error`. */
CORE_MUST_CHECK sqlite3_stmt *search_sql_prepare(sqlite3 *database, const char *sql,
                                                 core_error *error);
/* Runs a statement that gives no row, and resets it. */
CORE_MUST_CHECK bool search_sql_do(sqlite3_stmt *statement, core_error *error);
/* The next row: *is_row. At the end, and at a failure, the statement is reset. */
CORE_MUST_CHECK bool search_sql_next(sqlite3_stmt *statement, bool *is_row, core_error *error);

/* Binds without copying: the bytes must stay until the statement is reset. A failure (none but out
 * of memory) shows at the next step, as SQLite's own. */
void search_sql_blob(sqlite3_stmt *statement, int at, core_slice bytes);
void search_sql_text(sqlite3_stmt *statement, int at, core_slice text);
void search_sql_number(sqlite3_stmt *statement, int at, uint64_t number);
/* Of the current row; valid until the next step or reset. */
core_slice search_sql_column(sqlite3_stmt *statement, int at);
uint64_t search_sql_column_number(sqlite3_stmt *statement, int at);

#endif
