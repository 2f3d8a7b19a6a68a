/* See sql.h. */
#include "search-index/sql.h"

#include <errno.h>

/* Where the file system says that there is no room: a full disk, a quota, a file's own limit. */
static bool is_full_errno(int code) {
    return code == ENOSPC || code == EDQUOT || code == EFBIG;
}

static core_error_code class_of(int code, int system) {
    switch (code & 0xFF) {
    case SQLITE_FULL:
        return CORE_ERROR_FULL;
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
        return is_full_errno(system) ? CORE_ERROR_FULL : CORE_ERROR_INTERNAL;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_FORMAT:
        return CORE_ERROR_GAP;
    case SQLITE_TOOBIG:
        return CORE_ERROR_INPUT;
    default:
        return CORE_ERROR_INTERNAL;
    }
}

static const char *advice_of(core_error_code code) {
    switch (code) {
    case CORE_ERROR_FULL:
        return "make room on its disk; nothing is lost, what was not committed is applied again";
    case CORE_ERROR_GAP:
        return "the file is damaged: it must be rebuilt";
    case CORE_ERROR_INPUT:
        return "what was given is too large";
    default:
        return "see the system's log";
    }
}

/* The last failed call on the file or its log: a failed COMMIT leaves its errno nowhere else. */
static int system_of(sqlite3 *database) {
    int system = sqlite3_system_errno(database), last = 0;
    sqlite3_file *log = NULL;
    if (system != 0)
        return system;
    if (sqlite3_file_control(database, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log) == SQLITE_OK &&
        log != NULL && log->pMethods != NULL)
        (void)log->pMethods->xFileControl(log, SQLITE_FCNTL_LAST_ERRNO, &last);
    if (last == 0)
        (void)sqlite3_file_control(database, "main", SQLITE_FCNTL_LAST_ERRNO, &last);
    return last;
}

static bool error_fill(sqlite3 *database, const char *doing, int code, int system,
                       core_error *error) {
    const char *path = sqlite3_db_filename(database, "main");
    core_error_code class = class_of(code, system);
    return core_error_set(error, class, "search index %s: %s: %s (SQLite %d, system %d); %s",
                          path != NULL && *path != '\0' ? path : "in memory", doing,
                          sqlite3_errcode(database) == (code & 0xFF) ? sqlite3_errmsg(database)
                                                                     : sqlite3_errstr(code),
                          code, system, advice_of(class));
}

bool search_sql_error(sqlite3 *database, const char *doing, core_error *error) {
    return error_fill(database, doing, sqlite3_extended_errcode(database), system_of(database),
                      error);
}

/* This call of SQLite's leaves no trace of its failure but its result and errno. */
bool search_sql_flush(sqlite3 *database, core_error *error) {
    errno = 0;
    int code = sqlite3_db_cacheflush(database), system = errno;
    return code == SQLITE_OK || code == SQLITE_BUSY ||
           error_fill(database, "writing pages", code, system, error);
}

bool search_sql_run(sqlite3 *database, const char *sql, core_error *error) {
    return sqlite3_exec(database, sql, NULL, NULL, NULL) == SQLITE_OK ||
           search_sql_error(database, sql, error);
}

sqlite3_stmt *search_sql_prepare(sqlite3 *database, const char *sql, core_error *error) {
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v3(database, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL) ==
        SQLITE_OK)
        return statement;
    (void)search_sql_error(database, sql, error);
    return NULL;
}

bool search_sql_next(sqlite3_stmt *statement, bool *is_row, core_error *error) {
    int code = sqlite3_step(statement);
    *is_row = code == SQLITE_ROW;
    if (*is_row)
        return true;
    bool done = code == SQLITE_DONE ||
                search_sql_error(sqlite3_db_handle(statement), sqlite3_sql(statement), error);
    (void)sqlite3_reset(statement);
    return done;
}

bool search_sql_do(sqlite3_stmt *statement, core_error *error) {
    bool is_row;
    bool done = search_sql_next(statement, &is_row, error);
    if (done && is_row)
        (void)sqlite3_reset(statement);
    return done;
}

/* A NULL pointer would be SQL's NULL. */
void search_sql_blob(sqlite3_stmt *statement, int at, core_slice bytes) {
    if (bytes.length == 0)
        (void)sqlite3_bind_zeroblob(statement, at, 0);
    else
        (void)sqlite3_bind_blob64(statement, at, bytes.data, bytes.length, SQLITE_STATIC);
}

void search_sql_text(sqlite3_stmt *statement, int at, core_slice text) {
    (void)sqlite3_bind_text64(statement, at, text.length > 0 ? (const char *)text.data : "",
                              text.length, SQLITE_STATIC, SQLITE_UTF8);
}

void search_sql_number(sqlite3_stmt *statement, int at, uint64_t number) {
    (void)sqlite3_bind_int64(statement, at, (sqlite3_int64)number);
}

core_slice search_sql_column(sqlite3_stmt *statement, int at) {
    const void *bytes = sqlite3_column_blob(statement, at);
    return core_slice_make(bytes, (size_t)sqlite3_column_bytes(statement, at));
}

uint64_t search_sql_column_number(sqlite3_stmt *statement, int at) {
    return (uint64_t)sqlite3_column_int64(statement, at);
}
