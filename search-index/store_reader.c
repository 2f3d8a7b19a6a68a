/* Readers: a connection each, and what is asked of documents without searching. */
#include "search-index/store_private.h"

#include "search-index/query.h"

#include <stdlib.h>

search_store_reader *search_store_reader_of(search_reader *reader) {
    search_store_reader *found = (search_store_reader *)(void *)reader;
    CORE_MAGIC_CHECK(found, SEARCH_READER_MAGIC);
    return found;
}

static bool reader_open(search_store_reader *reader, core_error *error) {
    search_store *store = reader->store;
    search_schema *schema = search_backend_schema_get(&store->backend);
    reader->tokenizer = search_tokenizer_new(schema, error);
    search_schema_release(schema);
    if (reader->tokenizer == NULL)
        return false;
    reader->words = (search_fts_words){.tokenizer = NULL}; /* it only matches */
    reader->database = search_store_connect(store->path, store->cache_bytes / 4, error);
    if (reader->database == NULL ||
        !search_sql_run(reader->database, "PRAGMA query_only = 1", error))
        return false;
    if (!search_fts_register(reader->database, &reader->words) || !search_run_register(reader))
        return search_sql_error(reader->database, "registering the tokenizer", error);
    reader->kept = search_sql_prepare(
        reader->database, "SELECT id, version, is_hidden, json, source FROM document WHERE id = ?1",
        error);
    reader->by_docid = search_sql_prepare(
        reader->database,
        "SELECT id, version, is_hidden, json, source FROM document WHERE docid = ?1", error);
    reader->docid_of = search_sql_prepare(
        reader->database, "SELECT docid FROM document WHERE id = ?1 AND NOT is_hidden", error);
    /* The function says when to end: then a row comes, else none. */
    reader->match = search_sql_prepare(
        reader->database,
        "SELECT 1 FROM words WHERE words MATCH ?1 AND rowid BETWEEN ?2 AND ?3 AND "
        "walcast_match(words)",
        error);
    return reader->kept != NULL && reader->by_docid != NULL && reader->docid_of != NULL &&
           reader->match != NULL;
}

search_reader *search_store_reader_new(search_backend *backend, core_error *error) {
    search_store_reader *reader = calloc(1, sizeof *reader);
    if (reader == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "search index: out of memory");
        return NULL;
    }
    reader->reader.calls = backend->calls;
    reader->magic = SEARCH_READER_MAGIC;
    reader->store = search_store_of(backend);
    core_buffer_init(&reader->copy, SEARCH_DOCUMENT_BYTES_MAX + SEARCH_SOURCE_BYTES_MAX + 4096);
    if (reader_open(reader, error))
        return &reader->reader;
    search_store_reader_free(&reader->reader);
    return NULL;
}

void search_store_reader_free(search_reader *public) {
    search_store_reader *reader = search_store_reader_of(public);
    (void)sqlite3_finalize(reader->kept);
    (void)sqlite3_finalize(reader->by_docid);
    (void)sqlite3_finalize(reader->docid_of);
    (void)sqlite3_finalize(reader->match);
    (void)sqlite3_close_v2(reader->database);
    search_tokenizer_free(reader->tokenizer);
    search_synonyms_free(reader->synonyms);
    search_schema_release(reader->synonyms_of);
    core_buffer_fini(&reader->copy);
    reader->magic = 0;
    free(reader);
}

const search_synonyms *search_store_reader_synonyms(search_store_reader *reader,
                                                    core_error *error) {
    search_schema *schema = reader->store->schema;
    if (reader->synonyms != NULL && reader->synonyms_of == schema)
        return reader->synonyms;
    const search_token_source source = search_tokenizer_source(reader->tokenizer);
    search_synonyms *made = search_synonyms_new(schema, &source, error);
    if (made == NULL)
        return NULL;
    search_synonyms_free(reader->synonyms);
    search_schema_release(reader->synonyms_of);
    reader->synonyms = made;
    reader->synonyms_of = search_schema_retain(schema);
    return made;
}

/* A copy: a statement that stays on its row would hold the log back. */
static bool kept_copy(search_store_reader *reader, search_kept *kept) {
    core_buffer *copy = &reader->copy;
    core_slice *const parts[] = {&kept->id, &kept->json, &kept->source};
    core_buffer_reset(copy);
    for (size_t i = 0; i < CORE_COUNT_OF(parts); i++)
        core_buffer_slice_append(copy, *parts[i]);
    core_buffer_u8(copy, 0); /* so that there is memory */
    if (!core_buffer_ok(copy))
        return false;
    size_t at = 0;
    for (size_t i = 0; i < CORE_COUNT_OF(parts); i++) {
        parts[i]->data = copy->data + at;
        at += parts[i]->length;
    }
    return true;
}

bool search_store_get(search_reader *public, core_slice id, search_kept *out, core_error *error) {
    search_store_reader *reader = search_store_reader_of(public);
    bool is_row = false;
    *out = (search_kept){.version = 0};
    search_sql_blob(reader->kept, 1, id);
    if (!search_sql_next(reader->kept, &is_row, error))
        return false;
    if (!is_row)
        return true;
    *out = search_store_kept_row(reader->kept, 0);
    bool copied = out->is_hidden || kept_copy(reader, out);
    if (out->is_hidden || !copied)
        *out = (search_kept){.version = 0};
    (void)sqlite3_reset(reader->kept);
    return copied || core_error_set(error, CORE_ERROR_INTERNAL, "search index: out of memory");
}

bool search_store_fields(search_reader *public, search_field_taker *taker, void *context,
                         core_error *error) {
    search_store *store = search_store_reader_of(public)->store;
    const search_shared *shared = &store->shared;
    bool goes_on = true;
    (void)error;
    (void)pthread_rwlock_rdlock(&store->lock);
    for (uint32_t i = 0; goes_on && i < shared->field_count; i++)
        if (shared->fields[i].documents > 0)
            goes_on =
                taker(context, search_field_name(&shared->fields[i]), shared->fields[i].documents);
    (void)pthread_rwlock_unlock(&store->lock);
    return true;
}
