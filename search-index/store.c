/* Opening and closing an index file, its settings, its tables, and the statements that write. */
#include "search-index/store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define STORE_APPLICATION_ID 0x57435358 /* "WCSX" */
#define STORE_FORMAT         2
#define STORE_PATH_MAX       4000
#define STORE_BUSY_MS        2000

static const char *const tables =
    "CREATE TABLE state (id INTEGER PRIMARY KEY CHECK (id = 1), change_sequence INTEGER NOT NULL,"
    " change_index INTEGER NOT NULL, log_sequence INTEGER NOT NULL, is_building INTEGER NOT NULL,"
    " fingerprint INTEGER NOT NULL);"
    "CREATE TABLE document (docid INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE,"
    " version INTEGER NOT NULL, norm INTEGER NOT NULL, is_hidden INTEGER NOT NULL,"
    " json BLOB NOT NULL, source BLOB NOT NULL);"
    "CREATE TABLE tombstone (id BLOB PRIMARY KEY, version INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE field (name BLOB PRIMARY KEY, slot INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE side (space INTEGER NOT NULL, key BLOB NOT NULL, parent BLOB NOT NULL,"
    " version INTEGER NOT NULL, bytes BLOB, PRIMARY KEY (space, key)) WITHOUT ROWID;"
    "CREATE INDEX side_parent ON side (space, parent, key) WHERE parent <> x'';";

/* `bytes` of a side row is NULL: it is a tombstone. */
static const char *const statements[SEARCH_SQL_COUNT] = {
    [SEARCH_SQL_FIND] = "SELECT docid, version, is_hidden FROM document WHERE id = ?1",
    [SEARCH_SQL_READ] = "SELECT json, norm FROM document WHERE docid = ?1",
    [SEARCH_SQL_KEPT] = "SELECT id, version, is_hidden, json, source FROM document WHERE id = ?1",
    [SEARCH_SQL_INSERT] = "INSERT INTO document (docid, id, version, norm, is_hidden, json, source)"
                          " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    [SEARCH_SQL_UPDATE] = "UPDATE document SET version = ?3, norm = ?4, is_hidden = ?5, json = ?6,"
                          " source = ?7 WHERE docid = ?1",
    [SEARCH_SQL_DELETE] = "DELETE FROM document WHERE docid = ?1",
    [SEARCH_SQL_TOMBSTONE_GET] = "SELECT version FROM tombstone WHERE id = ?1",
    [SEARCH_SQL_TOMBSTONE_PUT] = "INSERT INTO tombstone (id, version) VALUES (?1, ?2)"
                                 " ON CONFLICT (id) DO UPDATE SET version = excluded.version",
    [SEARCH_SQL_TOMBSTONE_DELETE] = "DELETE FROM tombstone WHERE id = ?1",
    [SEARCH_SQL_FIELD_PUT] = "INSERT INTO field (name, slot) VALUES (?1, ?2)",
    [SEARCH_SQL_SIDE_GET] =
        "SELECT key, parent, version, bytes FROM side WHERE space = ?1 AND key = ?2",
    [SEARCH_SQL_SIDE_PUT] =
        "INSERT INTO side (space, key, parent, version, bytes) VALUES (?1, ?2, ?3, ?4, ?5)"
        " ON CONFLICT (space, key) DO UPDATE SET parent = excluded.parent,"
        " version = excluded.version, bytes = excluded.bytes",
    [SEARCH_SQL_SIDE_DELETE] = "DELETE FROM side WHERE space = ?1 AND key = ?2",
    [SEARCH_SQL_SIDE_EACH] =
        "SELECT key, parent, version, bytes FROM side"
        " WHERE space = ?1 AND key > ?2 AND bytes IS NOT NULL ORDER BY key LIMIT ?3",
    [SEARCH_SQL_SIDE_EACH_OF] =
        "SELECT key, parent, version, bytes FROM side WHERE space = ?1 AND key > ?2"
        " AND parent = ?4 AND parent <> x'' AND bytes IS NOT NULL ORDER BY key LIMIT ?3",
    [SEARCH_SQL_POSITION_PUT] = "UPDATE state SET change_sequence = ?1, change_index = ?2,"
                                " log_sequence = ?3 WHERE id = 1",
    [SEARCH_SQL_BUILT] = "UPDATE state SET is_building = 0 WHERE id = 1",
};

search_store *search_store_of(search_backend *backend) {
    search_store *store = (search_store *)(void *)backend;
    CORE_MAGIC_CHECK(store, SEARCH_STORE_MAGIC);
    return store;
}

/* ---- Connections ---- */
sqlite3 *search_store_connect(const char *path, size_t cache_bytes, core_error *error) {
    sqlite3 *database = NULL;
    char cache[64];
    (void)snprintf(cache, sizeof cache, "PRAGMA cache_size = -%zu", cache_bytes / 1024);
    if (sqlite3_open_v2(path, &database,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
                        NULL) != SQLITE_OK) {
        (void)(database != NULL ? search_sql_error(database, "opening it", error)
                                : core_error_set(error, CORE_ERROR_INTERNAL,
                                                 "search index %s: out of memory", path));
        (void)sqlite3_close_v2(database);
        return NULL;
    }
    (void)sqlite3_extended_result_codes(database, 1);
    (void)sqlite3_busy_timeout(database, STORE_BUSY_MS);
    if (search_sql_run(database, "PRAGMA page_size = 4096", error) &&
        search_sql_run(database, "PRAGMA journal_mode = WAL", error) &&
        search_sql_run(database,
                       "PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 0;"
                       "PRAGMA secure_delete = 0; PRAGMA temp_store = MEMORY;"
                       "PRAGMA trusted_schema = 0",
                       error) &&
        search_sql_run(database, cache, error))
        return database;
    (void)sqlite3_close_v2(database);
    return NULL;
}

/* SQLite's own locks are the process's; this one keeps a second process out. */
static bool file_lock(search_store *store, core_error *error) {
    char path[STORE_PATH_MAX + 8];
    (void)snprintf(path, sizeof path, "%s.lock", store->path);
    store->lock_file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (store->lock_file < 0)
        return core_error_set(
            error, errno == ENOSPC || errno == EDQUOT ? CORE_ERROR_FULL : CORE_ERROR_INTERNAL,
            "search index %s: opening its lock file: %s; the directory must be "
            "there and writable",
            store->path, strerror(errno));
    if (flock(store->lock_file, LOCK_EX | LOCK_NB) == 0)
        return true;
    return core_error_set(error, CORE_ERROR_TRANSIENT,
                          "search index %s: another process has it open; each process needs a "
                          "search.dir of its own",
                          store->path);
}

/* ---- The file's tables ---- */
static bool number_read(search_store *store, const char *sql, uint64_t *number, core_error *error) {
    bool is_row = false;
    sqlite3_stmt *statement = search_sql_prepare(store->database, sql, error);
    bool read = statement != NULL && search_sql_next(statement, &is_row, error);
    if (read && is_row)
        *number = search_sql_column_number(statement, 0);
    (void)sqlite3_finalize(statement);
    return read;
}

static bool words_create(search_store *store, core_error *error) {
    core_buffer sql;
    core_buffer_init(&sql, (size_t)64 << 10);
    core_buffer_text(&sql, "CREATE VIRTUAL TABLE words USING fts5(");
    for (uint32_t i = 0; i < store->slots.count; i++)
        core_buffer_format(&sql, "c%u, ", i);
    core_buffer_format(&sql, "content='', columnsize=0, prefix='%d', tokenize='walcast')",
                       SEARCH_PREFIX_CHARACTERS);
    core_buffer_u8(&sql, 0);
    bool made = core_buffer_ok(&sql)
                    ? search_sql_run(store->database, (const char *)sql.data, error)
                    : core_error_set(error, CORE_ERROR_INTERNAL, "search index: out of memory");
    core_buffer_fini(&sql);
    return made;
}

static bool file_create(search_store *store, core_error *error) {
    char sql[400];
    (void)snprintf(sql, sizeof sql,
                   "INSERT INTO state VALUES (1, 0, 0, 0, 1, %lld);"
                   "PRAGMA application_id = %d; PRAGMA user_version = %d",
                   (long long)search_schema_fingerprint(store->schema), STORE_APPLICATION_ID,
                   STORE_FORMAT);
    return search_sql_run(store->database, "BEGIN IMMEDIATE", error) &&
           search_sql_run(store->database, tables, error) && words_create(store, error) &&
           search_sql_run(store->database,
                          "INSERT INTO words (words, rank) VALUES ('automerge', 8);"
                          "INSERT INTO words (words, rank) VALUES ('usermerge', 2);"
                          "INSERT INTO words (words, rank) VALUES ('crisismerge', 32);"
                          "INSERT INTO words (words, rank) VALUES ('hashsize', 16777216);"
                          "INSERT INTO words (words, rank) VALUES ('pgsz', 2000)",
                          error) &&
           search_sql_run(store->database, sql, error) &&
           search_sql_run(store->database, "COMMIT", error);
}

static bool file_check(search_store *store, core_error *error) {
    uint64_t application = 0, format = 0, schemas = 0, fingerprint = 0;
    if (!number_read(store, "PRAGMA application_id", &application, error) ||
        !number_read(store, "PRAGMA user_version", &format, error) ||
        !number_read(store, "SELECT count(*) FROM sqlite_schema", &schemas, error))
        return false;
    if (application == 0 && format == 0 && schemas == 0)
        return file_create(store, error);
    if (application != STORE_APPLICATION_ID || format != STORE_FORMAT)
        return core_error_set(error, CORE_ERROR_GAP,
                              "search index %s: it is no index of this version (format %llu, %d is "
                              "expected): it must be rebuilt",
                              store->path, (unsigned long long)format, STORE_FORMAT);
    if (!number_read(store, "SELECT fingerprint FROM state WHERE id = 1", &fingerprint, error))
        return false;
    return fingerprint == search_schema_fingerprint(store->schema) ||
           core_error_set(error, CORE_ERROR_CONFLICT,
                          "search index %s: it was built by other settings (searchable attributes, "
                          "language, stop-words or separators): it must be rebuilt",
                          store->path);
}

static bool words_prepare(search_store *store, core_error *error) {
    core_buffer put, delete;
    core_buffer_init(&put, (size_t)64 << 10);
    core_buffer_init(&delete, (size_t)64 << 10);
    core_buffer_text(&put, "INSERT INTO words (rowid");
    core_buffer_text(&delete, "INSERT INTO words (words, rowid");
    for (uint32_t i = 0; i < store->slots.count; i++) {
        core_buffer_format(&put, ", c%u", i);
        core_buffer_format(&delete, ", c%u", i);
    }
    core_buffer_text(&put, ") VALUES (?1");
    core_buffer_text(&delete, ") VALUES ('delete', ?1");
    for (uint32_t i = 0; i < store->slots.count; i++) {
        core_buffer_format(&put, ", ?%u", i + 2);
        core_buffer_format(&delete, ", ?%u", i + 2);
    }
    core_buffer_append(&put, ")", 2);
    core_buffer_append(&delete, ")", 2);
    bool made = core_buffer_ok(&put) && core_buffer_ok(&delete);
    if (made) {
        store->statements[SEARCH_SQL_WORDS_INSERT] =
            search_sql_prepare(store->database, (const char *)put.data, error);
        store->statements[SEARCH_SQL_WORDS_DELETE] =
            search_sql_prepare(store->database, (const char *)delete.data, error);
    }
    core_buffer_fini(&put);
    core_buffer_fini(&delete);
    return store->statements[SEARCH_SQL_WORDS_DELETE] != NULL &&
           store->statements[SEARCH_SQL_WORDS_INSERT] != NULL;
}

static bool statements_prepare(search_store *store, core_error *error) {
    for (size_t i = 0; i < SEARCH_SQL_COUNT; i++) {
        if (statements[i] == NULL)
            continue;
        store->statements[i] = search_sql_prepare(store->database, statements[i], error);
        if (store->statements[i] == NULL)
            return false;
    }
    return words_prepare(store, error);
}

/* ---- Life ---- */
static bool lock_init(search_store *store) {
    pthread_rwlockattr_t attributes;
    if (pthread_rwlockattr_init(&attributes) != 0)
        return false;
    (void)pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    store->has_lock = pthread_rwlock_init(&store->lock, &attributes) == 0;
    (void)pthread_rwlockattr_destroy(&attributes);
    return store->has_lock;
}

static int log_written(void *context, sqlite3 *database, const char *name, int frames) {
    search_store *store = context;
    (void)database;
    (void)name;
    CORE_MAGIC_CHECK(store, SEARCH_STORE_MAGIC);
    store->log_frames = frames;
    return SQLITE_OK;
}

static bool store_open(search_store *store, core_error *error) {
    if (!lock_init(store) || !search_slots_init(&store->slots, store->schema) ||
        !search_slots_init(&store->shared.slots, store->schema) ||
        !search_slots_init(&store->fresh_slots, store->schema))
        return core_error_set(error, CORE_ERROR_INTERNAL, "search index %s: out of memory",
                              store->path);
    if (!file_lock(store, error))
        return false;
    store->tokenizer = search_tokenizer_new(store->schema, error);
    if (store->tokenizer == NULL)
        return false;
    store->words = (search_fts_words){
        .tokenizer = store->tokenizer, .seen = search_stage_word, .context = &store->stage};
    store->database = search_store_connect(store->path, store->cache_bytes, error);
    if (store->database == NULL)
        return false;
    (void)sqlite3_wal_hook(store->database, log_written, store);
    if (!search_fts_register(store->database, &store->words))
        return search_sql_error(store->database, "registering the tokenizer", error);
    return file_check(store, error) && statements_prepare(store, error) &&
           search_store_load(store, error);
}

static void store_close(search_backend *backend) {
    search_store *store = search_store_of(backend);
    if (store->database != NULL && store->is_in_group)
        search_store_rollback(backend);
    for (size_t i = 0; i < SEARCH_SQL_COUNT; i++)
        (void)sqlite3_finalize(store->statements[i]);
    (void)sqlite3_close_v2(store->database);
    search_tokenizer_free(store->tokenizer);
    search_stage_fini(&store->stage);
    search_pieces_fini(&store->before);
    search_pieces_fini(&store->after);
    search_slots_fini(&store->slots);
    search_slots_fini(&store->shared.slots);
    search_slots_fini(&store->fresh_slots);
    search_terms_free(store->fresh_terms);
    search_columns_free(store->fresh_columns);
    search_terms_free(store->shared.terms);
    search_norms_fini(&store->shared.norms);
    search_columns_free(store->shared.columns);
    search_fields_free(&store->shared);
    if (store->has_lock)
        (void)pthread_rwlock_destroy(&store->lock);
    if (store->lock_file >= 0)
        (void)close(store->lock_file);
    search_schema_release(store->schema);
    free(store->free_docids);
    free(store->path);
    store->magic = 0;
    free(store);
}

static uint64_t file_size(const char *path, const char *ending) {
    char name[STORE_PATH_MAX + 8];
    struct stat found;
    (void)snprintf(name, sizeof name, "%s%s", path, ending);
    return stat(name, &found) == 0 ? (uint64_t)found.st_size : 0;
}

static search_stats store_stats(search_backend *backend) {
    search_store *store = search_store_of(backend);
    search_shared *shared = &store->shared;
    (void)pthread_rwlock_rdlock(&store->lock);
    search_stats stats = {.documents = search_columns_documents(shared->columns),
                          .hidden = shared->hidden,
                          .memory_bytes = search_terms_bytes(shared->terms) +
                                          shared->norms.capacity +
                                          search_columns_bytes(shared->columns),
                          .terms = search_terms_count(shared->terms),
                          .position = shared->position,
                          .is_building = shared->is_building};
    (void)pthread_rwlock_unlock(&store->lock);
    stats.file_bytes = file_size(store->path, "") + file_size(store->path, "-wal");
    return stats;
}

static search_schema *store_schema_get(search_backend *backend) {
    search_store *store = search_store_of(backend);
    (void)pthread_rwlock_rdlock(&store->lock);
    search_schema *schema = search_schema_retain(store->schema);
    (void)pthread_rwlock_unlock(&store->lock);
    return schema;
}

/* New columns are made beside the old ones, so queries wait only for the change of a pointer. */
static bool store_schema_set(search_backend *backend, search_schema *schema, core_error *error) {
    search_store *store = search_store_of(backend);
    bool is_full = false;
    assert(!store->is_in_group);
    if (!search_schema_is_built_alike(store->schema, schema))
        return core_error_set(error, CORE_ERROR_CONFLICT,
                              "search index %s: these settings need another index: rebuild it",
                              store->path);
    search_columns *made = search_store_columns_load(store, schema, &is_full, error);
    if (made == NULL)
        return false;
    (void)pthread_rwlock_wrlock(&store->lock);
    search_columns *before = store->shared.columns;
    search_schema *schema_before = store->schema;
    store->shared.columns = made;
    store->shared.is_columns_full = is_full;
    store->schema = search_schema_retain(schema);
    search_slots_weigh(&store->shared.slots, schema);
    (void)pthread_rwlock_unlock(&store->lock);
    search_slots_weigh(&store->slots, schema);
    search_columns_free(before);
    search_schema_release(schema_before);
    return true;
}

static const search_backend_calls store_calls = {
    .apply = search_store_apply,
    .kept = search_store_kept,
    .side_put = search_store_side_put,
    .side_delete = search_store_side_delete,
    .side_get = search_store_side_get,
    .side_each = search_store_side_each,
    .built = search_store_built,
    .clear = search_store_clear,
    .commit = search_store_commit,
    .rollback = search_store_rollback,
    .upkeep = search_store_upkeep,
    .stats = store_stats,
    .schema_set = store_schema_set,
    .schema_get = store_schema_get,
    .close = store_close,
    .copy_new = search_store_copy_new,
    .copy_next = search_store_copy_next,
    .copy_free = search_store_copy_free,
    .reader_new = search_store_reader_new,
    .reader_free = search_store_reader_free,
    .query = search_store_query,
    .get = search_store_get,
    .list = search_store_list,
    .fields = search_store_fields,
};

search_backend *search_store_open(const search_store_options *options, core_error *error) {
    search_store *store = calloc(1, sizeof *store);
    char *path = strlen(options->path) <= STORE_PATH_MAX ? strdup(options->path) : NULL;
    if (store == NULL || path == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL,
                             "search index: out of memory, or a path of more than %d bytes",
                             STORE_PATH_MAX);
        free(store);
        free(path);
        return NULL;
    }
    store->backend.calls = &store_calls;
    store->magic = SEARCH_STORE_MAGIC;
    store->path = path;
    store->lock_file = -1;
    store->schema = search_schema_retain(options->schema);
    store->columns_max_bytes = options->columns_max_bytes;
    store->cache_bytes = options->cache_bytes;
    store->next_docid = 1;
    search_stage_init(&store->stage);
    search_pieces_init(&store->before, &store->slots);
    search_pieces_init(&store->after, &store->slots);
    search_norms_init(&store->shared.norms);
    if (store_open(store, error))
        return &store->backend;
    store_close(&store->backend);
    return NULL;
}

bool search_store_remove(const char *path, core_error *error) {
    static const char *const endings[] = {"-wal", "-shm", "", ".lock"};
    for (size_t i = 0; i < CORE_COUNT_OF(endings); i++) {
        char name[STORE_PATH_MAX + 8];
        (void)snprintf(name, sizeof name, "%s%s", path, endings[i]);
        if (unlink(name) != 0 && errno != ENOENT)
            return core_error_set(error, CORE_ERROR_INTERNAL, "search index %s: removing it: %s",
                                  name, strerror(errno));
    }
    return true;
}
