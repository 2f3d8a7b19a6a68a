/* The embedded engine's insides: one SQLite file, what of it is in memory, and who may touch what.
 *
 * The writer's thread owns `database`, the statements, `slots`, `stage` and the docids; under
 * `lock`, held for writing, it puts a committed group into the shared part. Queries hold it for
 * reading for their whole run, so that file, terms, norms and columns are of one commit. The lock
 * prefers the writer: a commit waits for the queries that run, not for those that come. */
#ifndef WALCAST_SEARCH_INDEX_STORE_PRIVATE_H
#define WALCAST_SEARCH_INDEX_STORE_PRIVATE_H

#include "search-index/backend.h"
#include "search-index/norms.h"
#include "search-index/pieces.h"
#include "search-index/sql.h"
#include "search-index/stage.h"
#include "search-index/synonyms.h"
#include "search-index/terms.h"

#include <pthread.h>

#define SEARCH_STORE_MAGIC  0x53535452u
#define SEARCH_READER_MAGIC 0x53524452u
#define SEARCH_FIELDS_MAX   1000u
/* Beginnings of so many characters are terms of the index themselves. "the" as a beginning is what
 * a second search in twenty ends with, and to merge what begins so takes FTS5 10 ms in 300,000
 * documents; they make the file a fifth larger. */
#define SEARCH_PREFIX_CHARACTERS 3

typedef enum {
    SEARCH_SQL_FIND,
    SEARCH_SQL_READ,
    SEARCH_SQL_KEPT,
    SEARCH_SQL_INSERT,
    SEARCH_SQL_UPDATE,
    SEARCH_SQL_DELETE,
    SEARCH_SQL_WORDS_INSERT,
    SEARCH_SQL_WORDS_DELETE,
    SEARCH_SQL_TOMBSTONE_GET,
    SEARCH_SQL_TOMBSTONE_PUT,
    SEARCH_SQL_TOMBSTONE_DELETE,
    SEARCH_SQL_FIELD_PUT,
    SEARCH_SQL_SIDE_GET,
    SEARCH_SQL_SIDE_PUT,
    SEARCH_SQL_SIDE_DELETE,
    SEARCH_SQL_SIDE_EACH,
    SEARCH_SQL_SIDE_EACH_OF,
    SEARCH_SQL_POSITION_PUT,
    SEARCH_SQL_BUILT,
    SEARCH_SQL_COUNT
} search_sql_number_of;

typedef struct {
    uint8_t *name; /* owned */
    size_t name_length;
    uint64_t documents;
} search_field_count;

static inline core_slice search_field_name(const search_field_count *field) {
    return core_slice_make(field->name, field->name_length);
}

/* What queries see; see above. */
typedef struct {
    search_terms *terms;
    search_norms norms;
    search_columns *columns;
    bool is_columns_full; /* they did not fit: filters, facets and sorts are refused */
    search_slots slots;
    search_field_count *fields;
    uint32_t field_count;
    uint64_t hidden;
    search_position position;
    bool is_building;
} search_shared;

typedef struct {
    search_backend backend;
    uint32_t magic;
    char *path;
    int lock_file;
    size_t columns_max_bytes;
    size_t cache_bytes;
    search_schema *schema; /* changed under the lock */

    pthread_rwlock_t lock;
    bool has_lock;
    search_shared shared;

    sqlite3 *database;
    sqlite3_stmt *statements[SEARCH_SQL_COUNT];
    search_tokenizer *tokenizer;
    search_fts_words words;
    search_slots slots;
    search_pieces before;
    search_pieces after;
    search_stage stage;
    search_terms *fresh_terms; /* of a cleared index, made before the commit */
    search_columns *fresh_columns;
    search_slots fresh_slots;
    bool is_in_group;
    bool is_broken;  /* memory ran out where a rollback needed it */
    int log_frames;  /* in the write-ahead log after the last commit */
    uint32_t copies; /* that are being made (store_copy.c) */
    uint32_t group_items;
    bool is_building;
    size_t group_bytes;
    search_docid *free_docids; /* a stack; what a group takes comes off its end */
    uint32_t free_count;
    uint32_t free_capacity;
    uint32_t free_at_begin;
    search_docid next_docid;
    search_docid next_at_begin;
} search_store;

typedef struct {
    search_reader reader;
    uint32_t magic;
    search_store *store;
    sqlite3 *database;
    search_tokenizer *tokenizer;
    search_fts_words words;
    search_schema *synonyms_of; /* whose `synonyms` are */
    search_synonyms *synonyms;
    sqlite3_stmt *kept;
    sqlite3_stmt *by_docid;
    sqlite3_stmt *docid_of; /* an id */
    sqlite3_stmt *match;
    core_buffer copy;       /* of the document that was got last */
    struct search_run *run; /* the query that FTS5's function works for; NULL between queries */
} search_store_reader;

search_store *search_store_of(search_backend *backend);
search_store_reader *search_store_reader_of(search_reader *reader);
/* Those of the schema that the index has now, taken apart when it is another than before. With the
 * lock held for reading; valid until the next call. NULL: see `error`. */
CORE_MUST_CHECK const search_synonyms *search_store_reader_synonyms(search_store_reader *reader,
                                                                    core_error *error);

/* ---- store.c ---- */
CORE_MUST_CHECK sqlite3 *search_store_connect(const char *path, size_t cache_bytes,
                                              core_error *error);
/* ---- store_load.c: the shared part out of the file ---- */
CORE_MUST_CHECK bool search_store_load(search_store *store, core_error *error);
/* Columns of another schema, out of the documents. NULL: see `error`. */
CORE_MUST_CHECK search_columns *search_store_columns_load(search_store *store,
                                                          search_schema *schema, bool *is_full,
                                                          core_error *error);
/* ---- store_group.c ---- */
/* Opens the group unless it is. */
CORE_MUST_CHECK bool search_store_begin(search_store *store, core_error *error);
bool search_store_commit(search_backend *backend, const search_position *position,
                         core_error *error);
void search_store_rollback(search_backend *backend);
bool search_store_upkeep(search_backend *backend, bool *is_done, core_error *error);
bool search_store_clear(search_backend *backend, core_error *error);
bool search_store_built(search_backend *backend, core_error *error);
/* A failure of a write: the group goes. False. */
bool search_store_fail(search_store *store);
/* ---- store_publish.c ---- */
/* Makes room so that publishing cannot fail. False: memory. */
CORE_MUST_CHECK bool search_store_publish_prepare(search_store *store, core_error *error);
/* With the lock held for writing. */
void search_store_publish(search_store *store, const search_position *position);
/* How many documents have each of the row's members. */
void search_fields_count(search_shared *shared, const search_row *row, int64_t by);
void search_fields_free(search_shared *shared);
/* ---- store_apply.c ---- */
bool search_store_apply(search_backend *backend, const search_item *items, size_t count,
                        search_item_result *results, core_error *error);
bool search_store_kept(search_backend *backend, core_slice id, search_kept *out, core_error *error);
/* A row of docid.., id, version, hidden, json, source from column `at` on. */
search_kept search_store_kept_row(sqlite3_stmt *statement, int at);
/* ---- store_side.c ---- */
bool search_store_side_put(search_backend *backend, const search_side *row, core_error *error);
bool search_store_side_delete(search_backend *backend, uint8_t space, core_slice key,
                              uint64_t version, core_error *error);
bool search_store_side_get(search_backend *backend, uint8_t space, core_slice key, search_side *out,
                           core_error *error);
bool search_store_side_each(search_backend *backend, uint8_t space, const core_slice *parent,
                            core_slice after, uint32_t max, search_side_taker *taker, void *context,
                            core_error *error);
/* ---- store_reader.c ---- */
search_reader *search_store_reader_new(search_backend *backend, core_error *error);
void search_store_reader_free(search_reader *reader);
bool search_store_get(search_reader *reader, core_slice id, search_kept *out, core_error *error);
bool search_store_list(search_reader *reader, const search_request *request,
                       search_kept_taker *taker, void *context, uint64_t *total, core_error *error);
bool search_store_fields(search_reader *reader, search_field_taker *taker, void *context,
                         core_error *error);
/* ---- store_copy.c ---- */
search_copy *search_store_copy_new(search_backend *backend, core_error *error);
bool search_store_copy_next(search_copy *copy, search_kept *out, core_error *error);
void search_store_copy_free(search_copy *copy);
/* ---- query.c ---- */
search_hits *search_store_query(search_reader *reader, const search_request *request,
                                core_error *error);

#endif
