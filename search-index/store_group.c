/* A group: everything between two commits is one transaction of the file. What FTS5 holds back and
 * the pages that changed are written before the queries' lock is taken, so that it is held for the
 * commit's own record and for memory only. */
#include "search-index/store_private.h"

#define CHECKPOINT_FRAMES 2000  /* pages in the write-ahead log after which it is copied back */
#define RESTART_FRAMES    32000 /* after which queries must wait for that */
#define MERGE_PAGES       250   /* of one step of upkeep */

/* Statements that still show a row would keep the log from being copied. */
static void rows_leave(search_store *store) {
    (void)sqlite3_reset(store->statements[SEARCH_SQL_KEPT]);
    (void)sqlite3_reset(store->statements[SEARCH_SQL_SIDE_GET]);
}

bool search_store_fail(search_store *store) {
    search_store_rollback(&store->backend);
    return false;
}

bool search_store_begin(search_store *store, core_error *error) {
    if (store->is_in_group)
        return true;
    if (!search_sql_run(store->database, "BEGIN IMMEDIATE", error))
        return false;
    store->is_in_group = true;
    store->group_bytes = 0;
    store->group_items = 0;
    store->free_at_begin = store->free_count;
    store->next_at_begin = store->next_docid;
    return true;
}

void search_store_rollback(search_backend *backend) {
    search_store *store = search_store_of(backend);
    if (!store->is_in_group)
        return;
    rows_leave(store);
    /* SQLite may have rolled back by itself; then this says so, which is no news. */
    if (sqlite3_get_autocommit(store->database) == 0)
        (void)sqlite3_exec(store->database, "ROLLBACK", NULL, NULL, NULL);
    search_stage_reset(&store->stage);
    search_terms_free(store->fresh_terms);
    search_columns_free(store->fresh_columns);
    store->fresh_terms = NULL;
    store->fresh_columns = NULL;
    store->is_in_group = false;
    store->free_count = store->free_at_begin;
    store->next_docid = store->next_at_begin;
    store->is_building = store->shared.is_building;
    if (store->slots.found_names != store->shared.slots.found_names &&
        !search_slots_copy(&store->slots, &store->shared.slots))
        store->is_broken = true; /* out of memory: nothing may be written with wrong slots */
}

/* Names of attributes that patterns brought in this group. */
static bool slots_keep(search_store *store, core_error *error) {
    sqlite3_stmt *put = store->statements[SEARCH_SQL_FIELD_PUT];
    for (uint32_t i = store->slots.kept; i < store->slots.name_count; i++) {
        if (!store->slots.names[i].is_found)
            continue;
        search_sql_blob(put, 1, store->slots.names[i].name);
        search_sql_number(put, 2, store->slots.names[i].slot);
        if (!search_sql_do(put, error))
            return false;
    }
    return true;
}

static bool position_keep(search_store *store, const search_position *position, core_error *error) {
    sqlite3_stmt *put = store->statements[SEARCH_SQL_POSITION_PUT];
    search_sql_number(put, 1, position->change_sequence);
    search_sql_number(put, 2, position->change_index);
    search_sql_number(put, 3, position->log_sequence);
    return search_sql_do(put, error);
}

/* A savepoint makes FTS5 write the words that it has gathered. */
static bool pages_write(search_store *store, core_error *error) {
    return search_sql_run(store->database, "SAVEPOINT flush; RELEASE flush", error) &&
           search_sql_flush(store->database, error);
}

/* Copies the log back into the file. While queries read older pages it goes only so far; a log that
 * grows all the same is emptied with the queries waiting, which would be in vain while a copy is
 * made. What fails here is tried again later. */
static void log_copy(search_store *store) {
    if (store->log_frames < CHECKPOINT_FRAMES)
        return;
    if (store->log_frames < RESTART_FRAMES || store->copies > 0) {
        (void)sqlite3_wal_checkpoint_v2(store->database, "main", SQLITE_CHECKPOINT_PASSIVE, NULL,
                                        NULL);
        return;
    }
    (void)pthread_rwlock_wrlock(&store->lock);
    (void)sqlite3_wal_checkpoint_v2(store->database, "main", SQLITE_CHECKPOINT_TRUNCATE, NULL,
                                    NULL);
    (void)pthread_rwlock_unlock(&store->lock);
}

static bool commit_run(search_store *store, const search_position *position, core_error *error) {
    (void)pthread_rwlock_wrlock(&store->lock);
    bool committed = search_sql_run(store->database, "COMMIT", error);
    if (committed)
        search_store_publish(store, position);
    (void)pthread_rwlock_unlock(&store->lock);
    return committed;
}

bool search_store_commit(search_backend *backend, const search_position *position,
                         core_error *error) {
    search_store *store = search_store_of(backend);
    if (store->is_broken)
        return core_error_set(error, CORE_ERROR_INTERNAL,
                              "search index %s: memory ran out before; open it again", store->path);
    rows_leave(store);
    if (!search_store_begin(store, error) || !slots_keep(store, error) ||
        !position_keep(store, position, error) || !pages_write(store, error) ||
        !search_store_publish_prepare(store, error) || !commit_run(store, position, error))
        return search_store_fail(store);
    store->is_in_group = false;
    store->slots.kept = store->slots.name_count;
    store->shared.slots.kept = store->shared.slots.name_count; /* the writer's alone */
    search_stage_reset(&store->stage);
    log_copy(store);
    return true;
}

bool search_store_upkeep(search_backend *backend, bool *is_done, core_error *error) {
    search_store *store = search_store_of(backend);
    char sql[80];
    assert(!store->is_in_group);
    *is_done = true;
    if (!search_store_begin(store, error))
        return false;
    (void)snprintf(sql, sizeof sql, "INSERT INTO words (words, rank) VALUES ('merge', %d)",
                   MERGE_PAGES);
    sqlite3_int64 before = sqlite3_total_changes64(store->database);
    if (!search_sql_run(store->database, sql, error) || !pages_write(store, error))
        return search_store_fail(store);
    *is_done = sqlite3_total_changes64(store->database) - before < 2;
    (void)pthread_rwlock_wrlock(&store->lock);
    bool committed = search_sql_run(store->database, "COMMIT", error);
    (void)pthread_rwlock_unlock(&store->lock);
    if (!committed)
        return search_store_fail(store);
    store->is_in_group = false;
    log_copy(store);
    return true;
}

bool search_store_clear(search_backend *backend, core_error *error) {
    search_store *store = search_store_of(backend);
    if (!search_store_begin(store, error))
        return false;
    if (!search_sql_run(store->database,
                        "INSERT INTO words (words) VALUES ('delete-all'); DELETE FROM document;",
                        error))
        return search_store_fail(store);
    search_stage_reset(&store->stage);
    store->stage.is_cleared = true;
    store->free_count = 0;
    store->next_docid = 1;
    return true;
}

bool search_store_built(search_backend *backend, core_error *error) {
    search_store *store = search_store_of(backend);
    if (!search_store_begin(store, error))
        return false;
    if (!search_sql_run(store->database,
                        "DELETE FROM tombstone; DELETE FROM side WHERE bytes IS NULL", error) ||
        !search_sql_do(store->statements[SEARCH_SQL_BUILT], error))
        return search_store_fail(store);
    store->is_building = false;
    return true;
}
