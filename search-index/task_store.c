/* See task_store.h. */
#include "search-index/task_store.h"

#include "search-index/backend.h"
#include "search-index/sql.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define STORE_MAGIC    UINT32_C(0x53545354) /* "STST" */
#define STORE_APP_ID   0x57435354           /* "WCST" */
#define STORE_FORMAT   1
#define STORE_PATH_MAX 4100
#define FORGET_EVERY   256 /* tasks, between two looks for those that are too many */

enum { SQL_PUT, SQL_GET, SQL_FORGET, SQL_BEGIN, SQL_COMMIT, SQL_COUNT };

static const char *const statements[SQL_COUNT] = {
    [SQL_PUT] =
        "INSERT OR REPLACE INTO task (uid, confirmed, kind, status, project, name, enqueued,"
        " started, finished, received, expected, indexed, canceled_by, code, message)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
    [SQL_GET] = "SELECT confirmed, kind, status, project, name, enqueued, started, finished,"
                " received, expected, indexed, canceled_by, code, message FROM task WHERE uid = ?1",
    [SQL_FORGET] = "DELETE FROM task WHERE uid <="
                   " (SELECT uid FROM task ORDER BY uid DESC LIMIT 1 OFFSET ?1)",
    [SQL_BEGIN] = "BEGIN IMMEDIATE",
    [SQL_COMMIT] = "COMMIT",
};

struct search_task_store {
    uint32_t magic;
    sqlite3 *database;
    sqlite3_stmt *statements[SQL_COUNT];
    size_t kept;
    size_t put; /* since the oldest were forgotten */
    char path[STORE_PATH_MAX + 1];
};

/* ---- The file ---- */

static bool tables_make(search_task_store *store, core_error *error) {
    char sql[600];
    sqlite3_stmt *look = search_sql_prepare(store->database, "PRAGMA user_version", error);
    bool is_row = false, ok = look != NULL && search_sql_next(look, &is_row, error);
    uint64_t format = ok && is_row ? search_sql_column_number(look, 0) : 0;
    (void)sqlite3_finalize(look);
    if (!ok)
        return false;
    if (format == STORE_FORMAT)
        return true;
    if (format != 0)
        return core_error_set(error, CORE_ERROR_GAP, "tasks are kept in another format");
    (void)snprintf(sql, sizeof sql,
                   "BEGIN IMMEDIATE;"
                   "CREATE TABLE task (uid INTEGER PRIMARY KEY, confirmed INTEGER NOT NULL,"
                   " kind INTEGER NOT NULL, status INTEGER NOT NULL, project BLOB NOT NULL,"
                   " name BLOB NOT NULL, enqueued INTEGER NOT NULL, started INTEGER NOT NULL,"
                   " finished INTEGER NOT NULL, received INTEGER NOT NULL,"
                   " expected INTEGER NOT NULL, indexed INTEGER NOT NULL,"
                   " canceled_by INTEGER NOT NULL, code BLOB NOT NULL, message BLOB NOT NULL);"
                   "PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT",
                   STORE_APP_ID, STORE_FORMAT);
    return search_sql_run(store->database, sql, error);
}

static bool file_open(search_task_store *store, core_error *error) {
    if (sqlite3_open_v2(store->path, &store->database,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
                        NULL) != SQLITE_OK)
        return store->database != NULL
                   ? search_sql_error(store->database, "opening it", error)
                   : core_error_set(error, CORE_ERROR_INTERNAL, "no memory for tasks");
    bool ok = search_sql_run(store->database,
                             "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
                             "PRAGMA trusted_schema = 0; PRAGMA cache_size = -1024",
                             error) &&
              tables_make(store, error);
    for (size_t i = 0; ok && i < SQL_COUNT; i++) {
        store->statements[i] = search_sql_prepare(store->database, statements[i], error);
        ok = store->statements[i] != NULL;
    }
    return ok;
}

static void file_close(search_task_store *store) {
    for (size_t i = 0; i < SQL_COUNT; i++) {
        (void)sqlite3_finalize(store->statements[i]);
        store->statements[i] = NULL;
    }
    (void)sqlite3_close_v2(store->database);
    store->database = NULL;
}

/* One that is damaged is made anew. */
static bool file_renew(search_task_store *store, core_error *error) {
    static const char *const endings[] = {"-wal", "-shm", ""};
    file_close(store);
    for (size_t i = 0; i < CORE_COUNT_OF(endings); i++) {
        char name[STORE_PATH_MAX + 8];
        (void)snprintf(name, sizeof name, "%s%s", store->path, endings[i]);
        (void)unlink(name); /* one that stays is opened, and tells why */
    }
    if (file_open(store, error))
        return true;
    file_close(store);
    return false;
}

search_task_store *search_task_store_open(const char *path, size_t kept, core_error *error) {
    search_task_store *store = calloc(1, sizeof *store);
    if (store == NULL || strlen(path) > STORE_PATH_MAX) {
        free(store);
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "no memory for tasks, or a path too long");
        return NULL;
    }
    *store = (search_task_store){.magic = STORE_MAGIC, .kept = kept};
    (void)snprintf(store->path, sizeof store->path, "%s", path);
    if (file_open(store, error) || (error->code == CORE_ERROR_GAP && file_renew(store, error)))
        return store;
    search_task_store_close(store);
    return NULL;
}

void search_task_store_close(search_task_store *store) {
    if (store == NULL)
        return;
    CORE_MAGIC_CHECK(store, STORE_MAGIC);
    file_close(store);
    store->magic = 0;
    free(store);
}

/* ---- Tasks ---- */

static bool task_put(search_task_store *store, const search_task *task, bool is_confirmed,
                     core_error *error) {
    sqlite3_stmt *put = store->statements[SQL_PUT];
    const uint64_t numbers[] = {task->uid, is_confirmed, (uint64_t)task->kind,
                                (uint64_t)task->status};
    const uint64_t more[] = {(uint64_t)task->enqueued_us,
                             (uint64_t)task->started_us,
                             (uint64_t)task->finished_us,
                             task->received,
                             task->expected,
                             task->indexed,
                             task->canceled_by};
    for (size_t i = 0; i < CORE_COUNT_OF(numbers); i++)
        search_sql_number(put, (int)i + 1, numbers[i]);
    search_sql_blob(put, 5, core_slice_text(task->project));
    search_sql_blob(put, 6, core_slice_text(task->index));
    for (size_t i = 0; i < CORE_COUNT_OF(more); i++)
        search_sql_number(put, (int)i + 7, more[i]);
    search_sql_blob(put, 14, core_slice_text(task->code));
    search_sql_blob(put, 15, core_slice_text(task->message));
    return search_sql_do(put, error);
}

static bool oldest_forget(search_task_store *store, size_t count, core_error *error) {
    store->put += count;
    if (store->put < FORGET_EVERY)
        return true;
    store->put = 0;
    search_sql_number(store->statements[SQL_FORGET], 1, store->kept);
    return search_sql_do(store->statements[SQL_FORGET], error);
}

static bool tasks_put(search_task_store *store, const search_task *tasks, size_t count,
                      bool is_confirmed, core_error *error) {
    bool ok = search_sql_do(store->statements[SQL_BEGIN], error);
    for (size_t i = 0; ok && i < count; i++)
        ok = task_put(store, &tasks[i], is_confirmed, error);
    ok = ok && oldest_forget(store, count, error) &&
         search_sql_do(store->statements[SQL_COMMIT], error);
    if (!ok && sqlite3_get_autocommit(store->database) == 0)
        (void)sqlite3_exec(store->database, "ROLLBACK", NULL, NULL, NULL);
    return ok;
}

bool search_task_store_put(search_task_store *store, const search_task *tasks, size_t count,
                           bool is_confirmed, core_error *error) {
    CORE_MAGIC_CHECK(store, STORE_MAGIC);
    if (store->database == NULL && !file_renew(store, error))
        return false;
    return tasks_put(store, tasks, count, is_confirmed, error) ||
           (error->code == CORE_ERROR_GAP && file_renew(store, error) &&
            tasks_put(store, tasks, count, is_confirmed, error));
}

static bool text_get(sqlite3_stmt *row, int at, char *text, size_t size) {
    return core_slice_to_text(search_sql_column(row, at), text, size);
}

/* What another version wrote, with numbers that this one does not have, is none. */
static bool row_read(sqlite3_stmt *row, search_task *task, bool *is_confirmed) {
    uint64_t kind = search_sql_column_number(row, 1), status = search_sql_column_number(row, 2);
    *is_confirmed = search_sql_column_number(row, 0) != 0;
    task->kind = (search_task_kind)kind;
    task->status = (search_task_status)status;
    task->enqueued_us = (int64_t)search_sql_column_number(row, 5);
    task->started_us = (int64_t)search_sql_column_number(row, 6);
    task->finished_us = (int64_t)search_sql_column_number(row, 7);
    task->received = search_sql_column_number(row, 8);
    task->expected = search_sql_column_number(row, 9);
    task->indexed = search_sql_column_number(row, 10);
    task->canceled_by = search_sql_column_number(row, 11);
    return kind < SEARCH_TASK_KINDS && status <= SEARCH_TASK_CANCELED &&
           text_get(row, 3, task->project, sizeof task->project) &&
           text_get(row, 4, task->index, sizeof task->index) &&
           text_get(row, 12, task->code, sizeof task->code) &&
           text_get(row, 13, task->message, sizeof task->message);
}

bool search_task_store_get(search_task_store *store, uint64_t uid, search_task *task, bool *found,
                           bool *is_confirmed, core_error *error) {
    CORE_MAGIC_CHECK(store, STORE_MAGIC);
    sqlite3_stmt *get = store->statements[SQL_GET];
    bool is_row = false;
    *task = (search_task){.uid = uid};
    *found = false;
    if (get == NULL)
        return core_error_set(error, CORE_ERROR_INTERNAL, "the file of tasks is not open");
    search_sql_number(get, 1, uid);
    if (!search_sql_next(get, &is_row, error))
        return false;
    if (is_row) {
        *found = row_read(get, task, is_confirmed);
        (void)sqlite3_reset(get);
    }
    return true;
}
