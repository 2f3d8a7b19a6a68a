/* What queries need in memory, read out of the file when it is opened. */
#include "search-index/store_private.h"

#include <stdlib.h>

static bool memory_error(search_store *store, core_error *error) {
    return core_error_set(error, CORE_ERROR_INTERNAL, "search index %s: out of memory",
                          store->path);
}

static bool damaged(search_store *store, const char *what, core_error *error) {
    return core_error_set(error, CORE_ERROR_GAP,
                          "search index %s: it is damaged (%s): it must be rebuilt", store->path,
                          what);
}

static bool state_load(search_store *store, core_error *error) {
    bool is_row = false;
    sqlite3_stmt *rows =
        search_sql_prepare(store->database,
                           "SELECT change_sequence, change_index, log_sequence, is_building"
                           " FROM state WHERE id = 1",
                           error);
    bool loaded = rows != NULL && search_sql_next(rows, &is_row, error);
    if (loaded && is_row) {
        store->shared.position =
            (search_position){.change_sequence = search_sql_column_number(rows, 0),
                              .change_index = search_sql_column_number(rows, 1),
                              .log_sequence = search_sql_column_number(rows, 2)};
        store->is_building = store->shared.is_building = search_sql_column_number(rows, 3) != 0;
    }
    (void)sqlite3_finalize(rows);
    return loaded && (is_row || damaged(store, "it has no position", error));
}

static bool slots_load(search_store *store, core_error *error) {
    bool is_row = false;
    sqlite3_stmt *rows =
        search_sql_prepare(store->database, "SELECT name, slot FROM field ORDER BY slot", error);
    bool loaded = rows != NULL;
    while (loaded && (loaded = search_sql_next(rows, &is_row, error)) && is_row) {
        core_slice name = search_sql_column(rows, 0);
        uint64_t slot = search_sql_column_number(rows, 1);
        loaded = (slot < UINT32_MAX && search_slots_restore(&store->slots, name, (uint32_t)slot)) ||
                 damaged(store, "an attribute has no slot", error);
    }
    (void)sqlite3_finalize(rows);
    if (!loaded)
        return false;
    store->slots.kept = store->slots.name_count;
    return search_slots_copy(&store->shared.slots, &store->slots) || memory_error(store, error);
}

/* ---- Documents ---- */
static bool docid_free(search_store *store, search_docid docid) {
    if (store->free_count == store->free_capacity) {
        uint32_t capacity = store->free_capacity > 0 ? 2 * store->free_capacity : 256;
        search_docid *grown = realloc(store->free_docids, capacity * sizeof *grown);
        if (grown == NULL)
            return false;
        store->free_docids = grown;
        store->free_capacity = capacity;
    }
    store->free_docids[store->free_count++] = docid;
    return true;
}

static bool row_put(search_columns *columns, search_docid docid, core_slice json, bool *is_full,
                    search_shared *fields, core_error *error) {
    search_row *row = search_row_read(columns, json, error);
    if (row == NULL)
        return false;
    if (!search_columns_put(columns, docid, row, NULL))
        *is_full = true;
    if (fields != NULL)
        search_fields_count(fields, row, 1);
    search_row_free(row);
    return true;
}

static bool document_load(search_store *store, sqlite3_stmt *rows, core_error *error) {
    search_shared *shared = &store->shared;
    uint64_t docid = search_sql_column_number(rows, 0);
    if (docid < store->next_docid || docid > SEARCH_DOCID_MAX)
        return damaged(store, "a document has no number", error);
    for (; store->next_docid < docid; store->next_docid++)
        if (!docid_free(store, store->next_docid))
            return memory_error(store, error);
    store->next_docid = (search_docid)docid + 1;
    if (!search_norms_reserve(&shared->norms, (search_docid)docid))
        return memory_error(store, error);
    if (search_sql_column_number(rows, 2) != 0) {
        shared->hidden++;
        return true;
    }
    search_norms_put(&shared->norms, (search_docid)docid,
                     (uint8_t)search_sql_column_number(rows, 1));
    return row_put(shared->columns, (search_docid)docid, search_sql_column(rows, 3),
                   &shared->is_columns_full, shared, error) ||
           damaged(store, "a document is no JSON", error);
}

static bool documents_load(search_store *store, core_error *error) {
    bool is_row = false;
    sqlite3_stmt *rows = search_sql_prepare(
        store->database, "SELECT docid, norm, is_hidden, json FROM document ORDER BY docid", error);
    bool loaded = rows != NULL;
    while (loaded && (loaded = search_sql_next(rows, &is_row, error)) && is_row)
        loaded = document_load(store, rows, error);
    (void)sqlite3_finalize(rows);
    return loaded;
}

search_columns *search_store_columns_load(search_store *store, search_schema *schema, bool *is_full,
                                          core_error *error) {
    bool is_row = false;
    search_columns *columns = search_columns_new(schema, store->columns_max_bytes);
    sqlite3_stmt *rows = search_sql_prepare(
        store->database, "SELECT docid, json FROM document WHERE is_hidden = 0 ORDER BY docid",
        error);
    bool loaded = rows != NULL && (columns != NULL || memory_error(store, error));
    while (loaded && (loaded = search_sql_next(rows, &is_row, error)) && is_row)
        loaded = row_put(columns, (search_docid)search_sql_column_number(rows, 0),
                         search_sql_column(rows, 1), is_full, NULL, error);
    (void)sqlite3_finalize(rows);
    if (loaded)
        return columns;
    search_columns_free(columns);
    return NULL;
}

/* ---- Terms ---- */
/* What does not fit the dictionary is found as it is written only; see terms.h. */
static bool terms_load(search_store *store, core_error *error) {
    static const uint8_t mark = SEARCH_BREAK;
    bool is_row = false;
    sqlite3_stmt *rows =
        search_sql_prepare(store->database, "SELECT term, doc FROM temp.vocabulary", error);
    bool loaded = rows != NULL;
    while (loaded && (loaded = search_sql_next(rows, &is_row, error)) && is_row) {
        core_slice term = search_sql_column(rows, 0);
        if (!core_slice_equal(term, core_slice_make(&mark, 1)))
            (void)!search_terms_add(store->shared.terms, term,
                                    (uint32_t)search_sql_column_number(rows, 1));
    }
    (void)sqlite3_finalize(rows);
    return loaded;
}

bool search_store_load(search_store *store, core_error *error) {
    search_shared *shared = &store->shared;
    shared->terms = search_terms_new();
    shared->columns = search_columns_new(store->schema, store->columns_max_bytes);
    if (shared->terms == NULL || shared->columns == NULL)
        return memory_error(store, error);
    return search_sql_run(store->database,
                          "CREATE VIRTUAL TABLE temp.vocabulary USING"
                          " fts5vocab('main', 'words', 'row')",
                          error) &&
           state_load(store, error) && slots_load(store, error) && documents_load(store, error) &&
           terms_load(store, error);
}
