/* Rows beside the documents: of joined tables, of queues. A deleted one leaves a tombstone (a row
 * without bytes) while the index is building, so that the snapshot's older row cannot come after.
 */
#include "search-index/store_private.h"

#define SIDE_EACH_MAX 100000u

static bool key_check(search_store *store, core_slice key, core_slice parent, core_error *error) {
    if (key.length > 0 && key.length <= SEARCH_SIDE_KEY_MAX && parent.length <= SEARCH_SIDE_KEY_MAX)
        return true;
    return core_error_set(error, CORE_ERROR_INPUT,
                          "search index %s: a side row's key must be 1 to %d bytes, its parent at "
                          "most as many",
                          store->path, SEARCH_SIDE_KEY_MAX);
}

/* What is there, tombstones too; the statement stays on its row. */
static bool side_find(search_store *store, uint8_t space, core_slice key, bool *is_there,
                      core_error *error) {
    sqlite3_stmt *get = store->statements[SEARCH_SQL_SIDE_GET];
    (void)sqlite3_reset(get);
    search_sql_number(get, 1, space);
    search_sql_blob(get, 2, key);
    return search_sql_next(get, is_there, error);
}

/* Whether a row of that version may take the place of what is there. */
static bool side_counts(search_store *store, uint8_t space, core_slice key, uint64_t version,
                        bool *counts, bool *is_there, core_error *error) {
    sqlite3_stmt *get = store->statements[SEARCH_SQL_SIDE_GET];
    if (!side_find(store, space, key, is_there, error))
        return false;
    *counts = !*is_there || version >= search_sql_column_number(get, 2);
    (void)sqlite3_reset(get);
    return true;
}

static search_side side_row(sqlite3_stmt *rows, uint8_t space) {
    return (search_side){.space = space,
                         .key = search_sql_column(rows, 0),
                         .parent = search_sql_column(rows, 1),
                         .version = search_sql_column_number(rows, 2),
                         .bytes = search_sql_column(rows, 3)};
}

static bool side_write(search_store *store, const search_side *row, bool is_tombstone,
                       core_error *error) {
    sqlite3_stmt *put = store->statements[SEARCH_SQL_SIDE_PUT];
    search_sql_number(put, 1, row->space);
    search_sql_blob(put, 2, row->key);
    search_sql_blob(put, 3, row->parent);
    search_sql_number(put, 4, row->version);
    if (is_tombstone)
        (void)sqlite3_bind_null(put, 5);
    else
        search_sql_blob(put, 5, row->bytes);
    return search_sql_do(put, error);
}

bool search_store_side_put(search_backend *backend, const search_side *row, core_error *error) {
    search_store *store = search_store_of(backend);
    bool counts = false, is_there = false;
    if (search_store_begin(store, error) && key_check(store, row->key, row->parent, error) &&
        side_counts(store, row->space, row->key, row->version, &counts, &is_there, error) &&
        (!counts || side_write(store, row, false, error)))
        return true;
    return search_store_fail(store);
}

bool search_store_side_delete(search_backend *backend, uint8_t space, core_slice key,
                              uint64_t version, core_error *error) {
    search_store *store = search_store_of(backend);
    sqlite3_stmt *delete = store->statements[SEARCH_SQL_SIDE_DELETE];
    bool counts = false, is_there = false;
    if (!search_store_begin(store, error) ||
        !key_check(store, key, core_slice_make(NULL, 0), error) ||
        !side_counts(store, space, key, version, &counts, &is_there, error))
        return search_store_fail(store);
    if (!counts || (!is_there && !store->is_building))
        return true;
    if (store->is_building) {
        search_side row = {.space = space, .key = key, .version = version};
        return side_write(store, &row, true, error) || search_store_fail(store);
    }
    search_sql_number(delete, 1, space);
    search_sql_blob(delete, 2, key);
    return search_sql_do(delete, error) || search_store_fail(store);
}

bool search_store_side_get(search_backend *backend, uint8_t space, core_slice key, search_side *out,
                           core_error *error) {
    search_store *store = search_store_of(backend);
    sqlite3_stmt *get = store->statements[SEARCH_SQL_SIDE_GET];
    bool is_there = false;
    *out = (search_side){.space = space};
    if (!side_find(store, space, key, &is_there, error))
        return false;
    if (is_there && sqlite3_column_type(get, 3) != SQLITE_NULL)
        *out = side_row(get, space);
    return true;
}

bool search_store_side_each(search_backend *backend, uint8_t space, const core_slice *parent,
                            core_slice after, uint32_t max, search_side_taker *taker, void *context,
                            core_error *error) {
    search_store *store = search_store_of(backend);
    sqlite3_stmt *rows =
        store->statements[parent != NULL ? SEARCH_SQL_SIDE_EACH_OF : SEARCH_SQL_SIDE_EACH];
    bool is_row = false, goes_on = true;
    search_sql_number(rows, 1, space);
    search_sql_blob(rows, 2, after);
    search_sql_number(rows, 3, max < SIDE_EACH_MAX ? max : SIDE_EACH_MAX);
    if (parent != NULL)
        search_sql_blob(rows, 4, *parent);
    while (goes_on) {
        if (!search_sql_next(rows, &is_row, error))
            return false;
        if (!is_row)
            return true;
        search_side row = side_row(rows, space);
        goes_on = taker(context, &row);
    }
    (void)sqlite3_reset(rows);
    return true;
}
