/* An index file in a directory of its own, items made from a number, and everything that an index
 * holds as one text: two that hold the same give the same, whatever numbers their documents have.
 */
#ifndef WALCAST_TESTS_SEARCH_STORE_WORLD_H
#define WALCAST_TESTS_SEARCH_STORE_WORLD_H

#include "search-index/store_private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

enum { WORLD_IDS = 200, WORLD_JSON = 512, WORLD_DUMP = 32 << 20 };

typedef struct {
    char directory[64];
    char path[96];
    search_schema *schema;
} world;

static inline search_schema *world_schema(void) {
    static const search_attribute attributes[] = {
        {.name = {(const uint8_t *)"title", 5}, .weight = 2},
        {.name = {(const uint8_t *)"body", 4}, .weight = 1},
        {.name = {(const uint8_t *)"price", 5}, .is_filterable = true, .is_sortable = true},
        {.name = {(const uint8_t *)"tags", 4}, .weight = 1, .is_filterable = true},
        {.name = {(const uint8_t *)"x_*", 3}, .weight = 1}};
    search_schema_spec spec = search_schema_defaults();
    spec.attributes = attributes;
    spec.attribute_count = CORE_COUNT_OF(attributes);
    spec.language = core_slice_text("english");
    search_schema *schema = search_schema_new(&spec, NULL);
    assert_non_null(schema);
    return schema;
}

static inline void world_init(world *w) {
    (void)snprintf(w->directory, sizeof w->directory, "/tmp/walcast-store-XXXXXX");
    assert_non_null(mkdtemp(w->directory));
    (void)snprintf(w->path, sizeof w->path, "%s/a.db", w->directory);
    w->schema = world_schema();
}

static inline void world_fini(world *w) {
    assert_true(search_store_remove(w->path, NULL));
    assert_int_equal(rmdir(w->directory), 0);
    search_schema_release(w->schema);
}

static inline search_backend *world_try(const world *w, const char *path, core_error *error) {
    const search_store_options options = {.path = path,
                                          .schema = w->schema,
                                          .columns_max_bytes = (size_t)64 << 20,
                                          .cache_bytes = (size_t)8 << 20};
    return search_store_open(&options, error);
}

static inline search_backend *world_open(const world *w, const char *path) {
    core_error error = {.code = CORE_ERROR_NONE};
    search_backend *backend = world_try(w, path, &error);
    if (backend == NULL)
        fail_msg("%s", error.text);
    return backend;
}

/* ---- Items ---- */
static inline uint32_t world_random(uint64_t *state) {
    *state += UINT64_C(0x9E3779B97F4A7C15);
    uint64_t z = *state;
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return (uint32_t)(z >> 32);
}

/* The change of that sequence: to one of WORLD_IDS documents, or its end. */
static inline search_item world_item(uint64_t sequence, char id[16], char json[WORLD_JSON]) {
    static const char *const words[] = {"river",  "running", "stones",  "Ärger", "mountain",
                                        "東京都", "blue",    "quickly", "42",    "tree"};
    uint64_t random = sequence * 7919;
    uint32_t kind = world_random(&random) % 10, which = world_random(&random) % WORLD_IDS;
    (void)snprintf(id, 16, "d%u", which);
    search_item item = {.id = core_slice_text(id), .version = sequence};
    if (kind == 0)
        return item;
    item.is_hidden = kind == 1;
    size_t length = (size_t)snprintf(json, WORLD_JSON,
                                     "{\"id\":\"%s\",\"price\":%u,\"tags\":[\"%s\","
                                     "\"T%u\"],\"x_%u\":\"%s\",\"title\":\"",
                                     id, world_random(&random) % 50,
                                     words[world_random(&random) % CORE_COUNT_OF(words)],
                                     world_random(&random) % 5, world_random(&random) % 50,
                                     words[world_random(&random) % CORE_COUNT_OF(words)]);
    /* Often the same texts as before: then only the columns change. */
    if (kind < 5)
        random = which;
    for (uint32_t i = 1 + world_random(&random) % 12; i > 0; i--)
        length += (size_t)snprintf(json + length, WORLD_JSON - length, "%s w%u ",
                                   words[world_random(&random) % CORE_COUNT_OF(words)],
                                   world_random(&random) % 300);
    (void)snprintf(json + length, WORLD_JSON - length, "\"}");
    item.json = core_slice_text(json);
    item.source = core_slice_text(id);
    return item;
}

/* Items `first` to `last` as one group, not committed. */
static inline bool world_apply(search_backend *backend, uint64_t first, uint64_t last,
                               core_error *error) {
    size_t count = (size_t)(last - first + 1);
    search_item *items = calloc(count, sizeof *items);
    search_item_result *results = calloc(count, sizeof *results);
    char(*ids)[16] = calloc(count, 16), (*jsons)[WORLD_JSON] = calloc(count, WORLD_JSON);
    assert_true(items != NULL && results != NULL && ids != NULL && jsons != NULL);
    for (size_t i = 0; i < count; i++)
        items[i] = world_item(first + i, ids[i], jsons[i]);
    bool done = search_backend_apply(backend, items, count, results, error);
    free(items);
    free(results);
    free(ids);
    free(jsons);
    return done;
}

static inline bool world_commit(search_backend *backend, uint64_t sequence, core_error *error) {
    search_position position = {.change_sequence = sequence, .log_sequence = sequence * 2};
    return search_backend_commit(backend, &position, error);
}

/* What items 1 to `last` come to, in another file: only the last of each id. */
static inline void world_rebuild(const world *w, const char *path, uint64_t last) {
    static uint64_t newest[WORLD_IDS];
    core_error error = {.code = CORE_ERROR_NONE};
    char id[16], json[WORLD_JSON];
    memset(newest, 0, sizeof newest);
    for (uint64_t i = 1; i <= last; i++)
        newest[strtoul((const char *)world_item(i, id, json).id.data + 1, NULL, 10)] = i;
    search_backend *backend = world_open(w, path);
    for (size_t i = 0; i < WORLD_IDS; i++)
        if (newest[i] > 0 && !world_apply(backend, newest[i], newest[i], &error))
            fail_msg("%s", error.text);
    if (!world_commit(backend, last, &error))
        fail_msg("%s", error.text);
    search_backend_close(backend);
}

/* ---- Everything that there is ---- */
typedef struct {
    char *text;
    size_t length;
} dump;

static inline void dump_row(dump *d, sqlite3_stmt *rows) {
    int count = sqlite3_column_count(rows);
    for (int i = 0; i < count; i++)
        d->length += (size_t)snprintf(
            d->text + d->length, WORLD_DUMP - d->length, "%.*s%s", sqlite3_column_bytes(rows, i),
            (const char *)sqlite3_column_blob(rows, i), i + 1 < count ? "|" : "\n");
    assert_true(d->length < WORLD_DUMP - 1);
}

static inline void dump_rows(dump *d, sqlite3 *database, const char *sql) {
    sqlite3_stmt *rows = NULL;
    int code;
    assert_int_equal(sqlite3_prepare_v2(database, sql, -1, &rows, NULL), SQLITE_OK);
    while ((code = sqlite3_step(rows)) == SQLITE_ROW)
        dump_row(d, rows);
    assert_int_equal(code, SQLITE_DONE);
    (void)sqlite3_finalize(rows);
}

static inline void dump_file(dump *d, const char *path) {
    search_fts_words words = {.tokenizer = NULL};
    sqlite3 *database = search_store_connect(path, 1 << 20, NULL);
    assert_non_null(database);
    assert_true(search_fts_register(database, &words));
    assert_int_equal(
        sqlite3_exec(database,
                     "INSERT INTO words (words) VALUES ('integrity-check');"
                     "CREATE VIRTUAL TABLE temp.v USING fts5vocab(main, words, instance)",
                     NULL, NULL, NULL),
        SQLITE_OK);
    dump_rows(d, database, "PRAGMA quick_check");
    dump_rows(d, database, "SELECT change_sequence, change_index, log_sequence FROM state");
    dump_rows(d, database,
              "SELECT id, version, norm, is_hidden, json, source FROM document ORDER BY id");
    /* Patterns' slots depend on what came first: by name. */
    dump_rows(d, database,
              "SELECT v.term, d.id, CASE WHEN substr(v.col, 2) + 0 < 3 THEN v.col ELSE 'x' END,"
              " v.offset FROM temp.v AS v LEFT JOIN document AS d ON d.docid = v.doc"
              " ORDER BY 1, 2, 3, 4");
    (void)sqlite3_close(database);
}

static inline void dump_columns(dump *d, search_store *store) {
    const search_columns *columns = store->shared.columns;
    sqlite3_stmt *rows = NULL;
    assert_int_equal(sqlite3_prepare_v2(store->database,
                                        "SELECT id, docid FROM document WHERE is_hidden = 0"
                                        " ORDER BY id",
                                        -1, &rows, NULL),
                     SQLITE_OK);
    while (sqlite3_step(rows) == SQLITE_ROW) {
        search_docid docid = (search_docid)sqlite3_column_int64(rows, 1);
        assert_true(search_columns_has(columns, docid));
        d->length += (size_t)snprintf(d->text + d->length, WORLD_DUMP - d->length, "%.*s n%u",
                                      sqlite3_column_bytes(rows, 0),
                                      (const char *)sqlite3_column_blob(rows, 0),
                                      search_norms_of(&store->shared.norms, docid));
        for (uint32_t c = 0; c < search_columns_count(columns); c++) {
            search_values values = search_column_values(columns, c, docid);
            for (uint32_t i = 0; i < values.count; i++) {
                search_value value = values.values[i];
                core_slice text = search_value_is_number(value)
                                      ? core_slice_make(NULL, 0)
                                      : search_column_text(columns, c, search_value_text(value));
                d->length += (size_t)snprintf(
                    d->text + d->length, WORLD_DUMP - d->length, " %.*s=%.*s%g",
                    CORE_SLICE_ARGS(search_column_name(columns, c)), CORE_SLICE_ARGS(text),
                    search_value_is_number(value) ? search_value_number(value) : 0);
            }
        }
        d->length += (size_t)snprintf(d->text + d->length, WORLD_DUMP - d->length, "\n");
    }
    (void)sqlite3_finalize(rows);
}

static inline void dump_memory(dump *d, search_backend *backend) {
    search_store *store = search_store_of(backend);
    search_shared *shared = &store->shared;
    static search_term_match matches[20000];
    size_t count = search_terms_prefix(shared->terms, core_slice_text(""), matches, 20000, NULL);
    assert_true(count < 20000);
    for (size_t i = 0; i < count; i++)
        d->length += (size_t)snprintf(d->text + d->length, WORLD_DUMP - d->length, "%.*s %u\n",
                                      CORE_SLICE_ARGS(matches[i].text), matches[i].documents);
    d->length += (size_t)snprintf(d->text + d->length, WORLD_DUMP - d->length,
                                  "%u documents, %llu hidden, %llu words of %u\n",
                                  search_columns_documents(shared->columns),
                                  (unsigned long long)shared->hidden,
                                  (unsigned long long)shared->norms.words, shared->norms.documents);
    dump_columns(d, store);
}

static inline void dump_init(dump *d) {
    d->text = malloc(WORLD_DUMP);
    assert_non_null(d->text);
    d->text[0] = '\0';
    d->length = 0;
}

/* File and memory of an index that is not open. */
static inline dump world_dump(const world *w, const char *path) {
    dump d;
    dump_init(&d);
    dump_file(&d, path);
    search_backend *backend = world_open(w, path);
    dump_memory(&d, backend);
    search_backend_close(backend);
    return d;
}

static inline void dumps_equal(const dump *a, const dump *b, uint64_t at) {
    size_t i = 0;
    if (a->length == b->length && memcmp(a->text, b->text, a->length) == 0)
        return;
    while (i < a->length && i < b->length && a->text[i] == b->text[i])
        i++;
    size_t from = i > 80 ? i - 80 : 0;
    fail_msg("at %llu they differ at byte %zu:\n--- %.*s\n--- %.*s", (unsigned long long)at, i, 200,
             a->text + from, 200, b->text + from);
}

/* It is what a fresh rebuild up to its position is. */
static inline void world_compare(const world *w, uint64_t last) {
    char path[96];
    (void)snprintf(path, sizeof path, "%s/fresh.db", w->directory);
    world_rebuild(w, path, last);
    dump is = world_dump(w, w->path), should = world_dump(w, path);
    dumps_equal(&is, &should, last);
    free(is.text);
    free(should.text);
    assert_true(search_store_remove(path, NULL));
}

#endif
