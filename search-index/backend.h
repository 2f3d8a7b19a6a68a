/* The seam between documents and the engine that indexes them: the embedded one (store.h) today, a
 * distributed one (OpenSearch's _bulk with external versions) later.
 *
 * A backend is one index in one generation. One writer, a thread of the caller's, applies items and
 * commits; any number of readers, each with one thread at a time, ask. What was applied since the
 * last commit is seen by no reader and is gone after a kill; commit makes items, side rows,
 * tombstones and position durable as one, so an index that is opened is always exactly what its
 * position says. Applying the same items again from an earlier position changes nothing: each
 * carries a version, and only a greater one than what is there counts.
 *
 * Errors by class: CORE_ERROR_INPUT what was given is wrong; CORE_ERROR_FULL the disk is full, the
 * group was rolled back: apply it again from search_backend_position once there is room;
 * CORE_ERROR_LIMIT a stated maximum (memory of columns); CORE_ERROR_CONFLICT the file was built by
 * another schema: rebuild; CORE_ERROR_GAP the file is damaged or of another format: throw it away
 * and rebuild; CORE_ERROR_INTERNAL the rest. After any error of apply, side or commit the open
 * group is rolled back as a whole, and the position is that of the last commit. */
#ifndef WALCAST_SEARCH_INDEX_BACKEND_H
#define WALCAST_SEARCH_INDEX_BACKEND_H

#include "search-index/columns.h"
#include "search-index/tokenizer.h"

#define SEARCH_ID_BYTES_MAX       511 /* Meilisearch's limit of a document id */
#define SEARCH_DOCUMENT_BYTES_MAX ((size_t)16 << 20)
#define SEARCH_SOURCE_BYTES_MAX   ((size_t)16 << 20)
#define SEARCH_SIDE_KEY_MAX       1024
/* Items of one group that search_backend_apply takes before a commit must come. */
#define SEARCH_GROUP_ITEMS_MAX 10000
#define SEARCH_GROUP_BYTES_MAX ((size_t)64 << 20)

/* How far an index has come in what it is made from. */
typedef struct {
    uint64_t change_sequence; /* in the change stream; 0: nothing yet */
    uint64_t change_index;    /* within that message's run */
    uint64_t log_sequence;    /* in the search log */
} search_position;

typedef struct {
    core_slice id;
    core_slice json;   /* the document, an object; empty: it is deleted */
    core_slice source; /* kept with it for whoever made it, given back by search_backend_kept */
    uint64_t version;  /* greater wins; equal is stale */
    bool is_hidden;    /* kept with its version, and found by no query */
} search_item;

typedef enum {
    SEARCH_ITEM_DONE,
    SEARCH_ITEM_STALE,   /* what is there, or its tombstone, is as new */
    SEARCH_ITEM_REFUSED, /* never to be tried again: see the reason */
} search_item_state;

typedef struct {
    search_item_state state;
    char reason[160]; /* of REFUSED; ends with NUL */
} search_item_result;

/* A document as it is kept; slices are valid until the next call of the same writer or reader. */
typedef struct {
    core_slice id;
    core_slice json;
    core_slice source;
    uint64_t version;
    bool is_hidden;
} search_kept;

/* A row beside the documents, in the same file and group: of joined tables, of queues. */
typedef struct {
    uint8_t space;
    core_slice key;    /* unique within the space */
    core_slice parent; /* rows may be listed by it; may be empty */
    core_slice bytes;
    uint64_t version; /* greater or equal wins here: 0 for those that have none */
} search_side;

/* Called for each; false ends the listing. The slices are valid during the call, in which the
 * backend must not be changed. */
typedef bool search_side_taker(void *context, const search_side *row);
typedef bool search_kept_taker(void *context, const search_kept *document);

typedef struct {
    uint64_t documents;       /* that queries can find */
    uint64_t hidden;          /* that are kept besides */
    uint64_t file_bytes;      /* with its write-ahead log */
    uint64_t memory_bytes;    /* terms, norms and columns */
    uint64_t terms;           /* different words */
    search_position position; /* of the last commit */
    bool is_building;
} search_stats;

/* How many documents hold each attribute, for Meilisearch's fieldDistribution. */
typedef bool search_field_taker(void *context, core_slice attribute, uint64_t documents);

/* ---- Hits ---- */
typedef struct search_request search_request; /* request.h */

typedef struct {
    core_slice id;
    core_slice json;
    double score;      /* 0 to 1, as Meilisearch's _rankingScore; only comparable in one answer */
    double relevance;  /* BM25 with fields' weights, for fusing with others */
    double distance_m; /* of a sort by _geoPoint; negative: none */
    uint32_t words;    /* of the query's words that were found */
    uint32_t typos;
    /* Of a fused query: its places in the two lists, from 1; 0: it is not in that one. */
    uint32_t word_rank;
    uint32_t near_rank;
} search_hit;

/* What counts as found in a text, for highlights and crops. */
typedef struct {
    core_slice text; /* as the tokenizer gives it */
    uint32_t word;   /* of the query's words, from 0 */
    bool is_prefix;  /* whatever begins so */
    /* How many of the terms right behind this one must follow it in the text, each with its own
     * number of those behind it: a phrase of three has 2, 1, 0. */
    uint32_t phrase_left;
} search_match_term;

typedef struct {
    core_slice shown;
    uint64_t count;
} search_facet_value;

typedef struct {
    core_slice attribute;
    const search_facet_value *values; /* in the schema's order of facets: by value */
    uint32_t value_count;
    bool is_cut; /* there are more values than the schema's maximum */
    bool has_numbers;
    double number_min; /* facetStats */
    double number_max;
} search_facet;

/* An answer; its slices live as long as it does. Owned by whoever asked. */
typedef struct {
    core_arena arena;
    const search_hit *hits; /* from the request's offset on */
    uint32_t hit_count;
    uint64_t total;             /* of documents that match, at most the schema's max_total_hits */
    bool is_total_exact;        /* else an estimate: not every match was looked at */
    const search_facet *facets; /* in the request's order */
    uint32_t facet_count;
    bool is_facets_exact; /* else counted over the first matches only */
    const search_match_term *terms;
    uint32_t term_count;
    uint32_t word_count;      /* of the query */
    uint32_t near_count;      /* of the request's neighbours those that are here and pass */
    search_position position; /* that the answer is of */
} search_hits;

void search_hits_free(search_hits *hits); /* NULL is allowed */

/* ---- The interface ---- */
typedef struct search_backend search_backend;
typedef struct search_reader search_reader;
typedef struct search_copy search_copy;

/* What an engine must offer. `self` is its own object. Wrappers below; nobody calls these directly.
 */
typedef struct {
    bool (*apply)(search_backend *self, const search_item *items, size_t count,
                  search_item_result *results, core_error *error);
    bool (*kept)(search_backend *self, core_slice id, search_kept *out, core_error *error);
    bool (*side_put)(search_backend *self, const search_side *row, core_error *error);
    bool (*side_delete)(search_backend *self, uint8_t space, core_slice key, uint64_t version,
                        core_error *error);
    bool (*side_get)(search_backend *self, uint8_t space, core_slice key, search_side *out,
                     core_error *error);
    bool (*side_each)(search_backend *self, uint8_t space, const core_slice *parent,
                      core_slice after, uint32_t max, search_side_taker *taker, void *context,
                      core_error *error);
    bool (*built)(search_backend *self, core_error *error);
    bool (*clear)(search_backend *self, core_error *error);
    bool (*commit)(search_backend *self, const search_position *position, core_error *error);
    void (*rollback)(search_backend *self);
    bool (*upkeep)(search_backend *self, bool *is_done, core_error *error);
    search_stats (*stats)(search_backend *self);
    bool (*schema_set)(search_backend *self, search_schema *schema, core_error *error);
    search_schema *(*schema_get)(search_backend *self);
    search_copy *(*copy_new)(search_backend *self, core_error *error);
    bool (*copy_next)(search_copy *copy, search_kept *out, core_error *error);
    void (*copy_free)(search_copy *copy);
    void (*close)(search_backend *self);

    search_reader *(*reader_new)(search_backend *self, core_error *error);
    void (*reader_free)(search_reader *reader);
    search_hits *(*query)(search_reader *reader, const search_request *request, core_error *error);
    bool (*get)(search_reader *reader, core_slice id, search_kept *out, core_error *error);
    bool (*list)(search_reader *reader, const search_request *request, search_kept_taker *taker,
                 void *context, uint64_t *total, core_error *error);
    bool (*fields)(search_reader *reader, search_field_taker *taker, void *context,
                   core_error *error);
} search_backend_calls;

struct search_backend {
    const search_backend_calls *calls;
};
struct search_reader {
    const search_backend_calls *calls;
};
struct search_copy {
    const search_backend_calls *calls;
};

/* ---- Writer: one thread ---- */
/* Applies up to SEARCH_GROUP_ITEMS_MAX items to the open group, in order; of several with one id
 * the last that counts stands. `results` has room for `count`. False: nothing of the group stands.
 */
CORE_MUST_CHECK static inline bool search_backend_apply(search_backend *backend,
                                                        const search_item *items, size_t count,
                                                        search_item_result *results,
                                                        core_error *error) {
    return backend->calls->apply(backend, items, count, results, error);
}
/* The document as the open group has it, hidden ones too. `out->id.data` is NULL: there is none. */
CORE_MUST_CHECK static inline bool search_backend_kept(search_backend *backend, core_slice id,
                                                       search_kept *out, core_error *error) {
    return backend->calls->kept(backend, id, out, error);
}
/* A row of a lower version than what is there, or than its tombstone, changes nothing. */
CORE_MUST_CHECK static inline bool
search_backend_side_put(search_backend *backend, const search_side *row, core_error *error) {
    return backend->calls->side_put(backend, row, error);
}
/* While the index is building a tombstone with the version stays. */
CORE_MUST_CHECK static inline bool search_backend_side_delete(search_backend *backend,
                                                              uint8_t space, core_slice key,
                                                              uint64_t version, core_error *error) {
    return backend->calls->side_delete(backend, space, key, version, error);
}
/* `out->key.data` is NULL: there is none. */
CORE_MUST_CHECK static inline bool search_backend_side_get(search_backend *backend, uint8_t space,
                                                           core_slice key, search_side *out,
                                                           core_error *error) {
    return backend->calls->side_get(backend, space, key, out, error);
}
/* Rows of a space in the order of their keys' bytes, those behind `after` (empty: all), at most
 * `max`; with `parent` those of that parent only. */
CORE_MUST_CHECK static inline bool search_backend_side_each(search_backend *backend, uint8_t space,
                                                            const core_slice *parent,
                                                            core_slice after, uint32_t max,
                                                            search_side_taker *taker, void *context,
                                                            core_error *error) {
    return backend->calls->side_each(backend, space, parent, after, max, taker, context, error);
}
/* The snapshot is in: tombstones are forgotten, in the open group. A file begins as building. */
CORE_MUST_CHECK static inline bool search_backend_built(search_backend *backend,
                                                        core_error *error) {
    return backend->calls->built(backend, error);
}
/* Every document goes, in the open group (DELETE of all documents). Side rows stay. */
CORE_MUST_CHECK static inline bool search_backend_clear(search_backend *backend,
                                                        core_error *error) {
    return backend->calls->clear(backend, error);
}
/* Ends the group. True: durable against the death of the process, and what queries see from now
 * on. Waits for the queries that run; those that come meanwhile wait for it. */
CORE_MUST_CHECK static inline bool
search_backend_commit(search_backend *backend, const search_position *position, core_error *error) {
    return backend->calls->commit(backend, position, error);
}
static inline void search_backend_rollback(search_backend *backend) {
    backend->calls->rollback(backend);
}
/* One bounded step (some 10 ms) of what makes queries faster and files smaller, between groups;
 * `*is_done`: there is nothing more to do now. */
CORE_MUST_CHECK static inline bool search_backend_upkeep(search_backend *backend, bool *is_done,
                                                         core_error *error) {
    return backend->calls->upkeep(backend, is_done, error);
}
/* Any thread. */
static inline search_stats search_backend_stats(search_backend *backend) {
    return backend->calls->stats(backend);
}
static inline search_position search_backend_position(search_backend *backend) {
    return backend->calls->stats(backend).position;
}
/* Between groups. Another schema that is built alike (search_schema_is_built_alike); else
 * CORE_ERROR_CONFLICT. */
CORE_MUST_CHECK static inline bool
search_backend_schema_set(search_backend *backend, search_schema *schema, core_error *error) {
    return backend->calls->schema_set(backend, schema, error);
}
/* Retained for the caller. Any thread. */
static inline search_schema *search_backend_schema_get(search_backend *backend) {
    return backend->calls->schema_get(backend);
}
/* Between groups: all documents as the last commit left them, in the order they came, whatever is
 * written while they are read. Must be freed before the backend is closed. NULL: see `error`. */
CORE_MUST_CHECK static inline search_copy *search_backend_copy_new(search_backend *backend,
                                                                   core_error *error) {
    return backend->calls->copy_new(backend, error);
}
/* The next one, hidden ones too; `out->id.data` is NULL: it was the last. Slices are valid until
 * the next call. */
CORE_MUST_CHECK static inline bool search_copy_next(search_copy *copy, search_kept *out,
                                                    core_error *error) {
    return copy->calls->copy_next(copy, out, error);
}
static inline void search_copy_free(search_copy *copy) {
    copy->calls->copy_free(copy);
}
/* All readers are gone. An open group is rolled back. */
static inline void search_backend_close(search_backend *backend) {
    backend->calls->close(backend);
}

/* ---- Readers: one thread each ---- */
CORE_MUST_CHECK static inline search_reader *search_backend_reader_new(search_backend *backend,
                                                                       core_error *error) {
    return backend->calls->reader_new(backend, error);
}
static inline void search_reader_free(search_reader *reader) {
    reader->calls->reader_free(reader);
}
/* NULL: the request cannot be answered by this index (an attribute that is not filterable:
 * CORE_ERROR_INPUT, in Meilisearch's words) or CORE_ERROR_INTERNAL, CORE_ERROR_GAP. */
CORE_MUST_CHECK static inline search_hits *
search_reader_query(search_reader *reader, const search_request *request, core_error *error) {
    return reader->calls->query(reader, request, error);
}
/* By id; not hidden ones. `out->id.data` is NULL: there is none. */
CORE_MUST_CHECK static inline bool search_reader_get(search_reader *reader, core_slice id,
                                                     search_kept *out, core_error *error) {
    return reader->calls->get(reader, id, out, error);
}
/* Documents in the order they came, by the request's filter, offset and limit (not bounded by
 * max_total_hits); `total` counts all that fit. Holds the index for reading. */
CORE_MUST_CHECK static inline bool search_reader_list(search_reader *reader,
                                                      const search_request *request,
                                                      search_kept_taker *taker, void *context,
                                                      uint64_t *total, core_error *error) {
    return reader->calls->list(reader, request, taker, context, total, error);
}
CORE_MUST_CHECK static inline bool search_reader_fields(search_reader *reader,
                                                        search_field_taker *taker, void *context,
                                                        core_error *error) {
    return reader->calls->fields(reader, taker, context, error);
}

/* ---- The embedded engine ---- */
typedef struct {
    const char *path; /* of the file; its directory exists */
    search_schema *schema;
    size_t columns_max_bytes;
    size_t cache_bytes; /* SQLite's page cache of the writer; readers have a quarter each */
} search_store_options;

/* Opens or makes the file. NULL: see the classes above; a damaged file is left where it is. Opening
 * reads the whole index once (about 3 s for 300,000 short documents). */
CORE_MUST_CHECK search_backend *search_store_open(const search_store_options *options,
                                                  core_error *error);
/* Removes a file that is not open, its log files too. */
CORE_MUST_CHECK bool search_store_remove(const char *path, core_error *error);

#endif
