/* A copy: all documents as one commit left them, read by and by on a connection of its own while
 * the writer goes on. The file's write-ahead log cannot be emptied meanwhile (store_group.c), so it
 * grows by what is written until the copy ends. */
#include "search-index/store_private.h"

#include <stdlib.h>

typedef struct {
    search_copy copy;
    uint32_t magic;
    search_store *store;
    sqlite3 *database;
    sqlite3_stmt *documents;
    bool is_over;
} store_copy;

#define COPY_MAGIC 0x53434f50u

static store_copy *copy_of(search_copy *copy) {
    store_copy *found = (store_copy *)(void *)copy;
    CORE_MAGIC_CHECK(found, COPY_MAGIC);
    return found;
}

/* What is read first says of which commit all else is. */
static bool copy_open(store_copy *it, core_error *error) {
    bool is_row;
    it->database = search_store_connect(it->store->path, it->store->cache_bytes / 4, error);
    if (it->database == NULL || !search_sql_run(it->database, "PRAGMA query_only = 1", error) ||
        !search_sql_run(it->database, "BEGIN", error))
        return false;
    sqlite3_stmt *state = search_sql_prepare(it->database, "SELECT id FROM state", error);
    bool ok = state != NULL && search_sql_next(state, &is_row, error);
    (void)sqlite3_finalize(state);
    it->documents = ok ? search_sql_prepare(it->database,
                                            "SELECT id, version, is_hidden, json, source"
                                            " FROM document ORDER BY docid",
                                            error)
                       : NULL;
    return it->documents != NULL;
}

search_copy *search_store_copy_new(search_backend *backend, core_error *error) {
    store_copy *it = calloc(1, sizeof *it);
    if (it == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "search index: out of memory");
        return NULL;
    }
    *it = (store_copy){
        .copy = {.calls = backend->calls}, .magic = COPY_MAGIC, .store = search_store_of(backend)};
    it->store->copies++;
    if (copy_open(it, error))
        return &it->copy;
    search_store_copy_free(&it->copy);
    return NULL;
}

bool search_store_copy_next(search_copy *copy, search_kept *out, core_error *error) {
    store_copy *it = copy_of(copy);
    bool is_row = false;
    *out = (search_kept){.version = 0};
    if (it->is_over) /* the statement would begin again */
        return true;
    if (!search_sql_next(it->documents, &is_row, error))
        return false;
    it->is_over = !is_row;
    if (is_row)
        *out = search_store_kept_row(it->documents, 0);
    return true;
}

void search_store_copy_free(search_copy *copy) {
    store_copy *it = copy_of(copy);
    it->store->copies--;
    (void)sqlite3_finalize(it->documents);
    (void)sqlite3_close_v2(it->database);
    it->magic = 0;
    free(it);
}
