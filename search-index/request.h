/* What a search asks for, as Meilisearch's clients say it: the JSON of a POST or the query of a
 * GET, read once into a plain struct and checked against an index's schema.
 *
 * Everything points into the caller's arena or into the text that it was read from, and is not
 * changed afterwards. Unknown parameters, wrong types and values out of range are refused with
 * Meilisearch's code and in its words. Two parameters are our own: `min_offset` (the answer must be
 * of that place of the change stream, or a later one) and `boolean` (OR, NOT and AND in `q`). */
#ifndef WALCAST_SEARCH_INDEX_REQUEST_H
#define WALCAST_SEARCH_INDEX_REQUEST_H

#include "search-index/code.h"
#include "search-index/filter.h"

#define SEARCH_REQUEST_NAMES_MAX   1000 /* of one list of attributes */
#define SEARCH_REQUEST_SORTS_MAX   20
#define SEARCH_REQUEST_VECTOR_MAX  16000              /* numbers, as pgvector's halfvec */
#define SEARCH_REQUEST_ARENA_BYTES ((size_t)16 << 20) /* enough for any one request */

typedef struct {
    const core_slice *names;
    uint32_t count;
    bool is_given; /* else the list was left out, or null */
} search_names;

/* An attribute to crop, `name` or `name:length`. */
typedef struct {
    core_slice name;
    uint32_t length; /* words */
} search_crop;

typedef struct {
    core_slice attribute; /* of a place: empty */
    bool is_descending;
    bool is_geo;
    double latitude;
    double longitude;
} search_sort;

typedef enum {
    SEARCH_STRATEGY_LAST,
    SEARCH_STRATEGY_ALL,
    SEARCH_STRATEGY_FREQUENCY,
} search_strategy;

typedef struct search_request {
    core_slice q;
    uint32_t offset; /* of pages: where the page begins */
    uint32_t limit;
    bool is_paged; /* `page` or `hitsPerPage` was given: the answer has totalHits and totalPages */
    uint32_t page; /* from 1; 0 has no hits */
    uint32_t hits_per_page;
    search_names retrieve;
    search_names highlight;
    search_names facets;
    search_names search_on;
    search_names locales;
    const search_crop *crops;
    uint32_t crop_count;
    uint32_t crop_length; /* words, for those without a length of their own */
    core_slice crop_marker;
    core_slice highlight_pre;
    core_slice highlight_post;
    bool shows_matches;
    bool shows_score;
    bool shows_score_details;
    bool retrieves_vectors;
    search_filter *filter; /* NULL: none */
    const search_sort *sorts;
    uint32_t sort_count;
    core_slice distinct; /* empty: as the schema says */
    search_strategy strategy;
    bool has_threshold;
    double threshold;
    bool has_hybrid;
    core_slice embedder;
    double semantic_ratio;
    const float *vector;
    uint32_t vector_count;
    /* Set by who asks the engine, not by readers of requests (hybrid.h): what words find is fused
     * with these documents, the nearest first; of is_near_only words find nothing. */
    bool is_fused;
    bool is_near_only;
    const core_slice *near; /* ids */
    uint32_t near_count;
    bool has_min_offset;
    core_offset min_offset;
    bool is_boolean;
    /* Of a query of several (search_request_options.is_multi). */
    core_slice index_uid;
    core_slice federation_options; /* JSON; empty: none */
} search_request;

typedef struct {
    bool is_multi; /* `indexUid` must be there and `federationOptions` may */
    /* Where in the body the object stands, for errors: "" or ".queries[0]". */
    const char *location;
} search_request_options;

/* All as Meilisearch has it where nothing is given. */
search_request search_request_defaults(void);

/* A POST's body, an object; empty: all defaults. */
CORE_MUST_CHECK bool search_request_read_json(core_arena *arena, core_slice json,
                                              const search_request_options *options,
                                              search_request *request, search_refusal *refusal);
/* What stands behind the `?` of a GET. */
CORE_MUST_CHECK bool search_request_read_query(core_arena *arena, core_slice query,
                                               search_request *request, search_refusal *refusal);
/* Whether the index can answer it: attributes of filter, sort, facets, distinct and
 * attributesToSearchOn are what they must be. The arena is for the time of the call. */
CORE_MUST_CHECK bool search_request_check(core_arena *arena, const search_request *request,
                                          const search_schema *schema, search_refusal *refusal);

/* `name:asc`, `name:desc`, `_geoPoint(latitude, longitude):asc`. False: refused with `code`. */
CORE_MUST_CHECK bool search_sort_read(core_slice text, search_code code, search_sort *sort,
                                      search_refusal *refusal);
/* Whether `name` is in the list, by itself or as `*`. */
bool search_names_have(const search_names *names, core_slice name);

#endif
