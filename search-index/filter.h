/* Meilisearch's filter language: parsed into a tree, bound to an index's columns, asked a document.
 *
 *     genre = horror AND (year > 1979 OR rating 7 TO 10) AND NOT tags IN [silent, "black & white"]
 *
 * = != > >= < <= TO, IN [..], EXISTS, IS NULL, IS EMPTY, CONTAINS, STARTS WITH, each with NOT, and
 * _geoRadius(lat, lng, metres), _geoBoundingBox([top, right], [bottom, left]), _geoPolygon([lat,
 * lng], ..). A value that reads as a number is compared with numbers and as a text with texts;
 * texts compare without regard to case, by their bytes; of an array any element will do. Errors are
 * in Meilisearch's words (CORE_ERROR_INPUT), in two lines: what is wrong, then the first and the
 * last column and the filter. Trees live in the caller's arena, are never changed, and point into
 * the text that they were read from. */
#ifndef WALCAST_SEARCH_INDEX_FILTER_H
#define WALCAST_SEARCH_INDEX_FILTER_H

#include "search-index/columns.h"

#define SEARCH_FILTER_BYTES_MAX ((size_t)1 << 20) /* of one expression */
#define SEARCH_FILTER_NODES_MAX 2000              /* conditions and operators of one request */
#define SEARCH_FILTER_DEPTH_MAX                                                                    \
    150 /* a bracket counts four, NOT one: 36 brackets in one another                              \
         */
#define SEARCH_FILTER_WORDS_MAX 100000 /* values of all IN lists of one request */

typedef enum {
    SEARCH_FILTER_AND,
    SEARCH_FILTER_OR,
    SEARCH_FILTER_NOT,
    SEARCH_FILTER_EQUAL,
    SEARCH_FILTER_NOT_EQUAL,
    SEARCH_FILTER_GREATER,
    SEARCH_FILTER_GREATER_EQUAL,
    SEARCH_FILTER_LESS,
    SEARCH_FILTER_LESS_EQUAL,
    SEARCH_FILTER_BETWEEN, /* both ends included */
    SEARCH_FILTER_IN,
    SEARCH_FILTER_EXISTS,
    SEARCH_FILTER_NULL,
    SEARCH_FILTER_EMPTY,
    SEARCH_FILTER_CONTAINS,
    SEARCH_FILTER_STARTS_WITH,
    SEARCH_FILTER_GEO_RADIUS,
    SEARCH_FILTER_GEO_BOX,
    SEARCH_FILTER_GEO_POLYGON,
} search_filter_kind;

typedef struct search_filter search_filter;

struct search_filter {
    search_filter_kind kind;
    /* AND, OR: two or more; NOT: one. */
    search_filter *child;
    search_filter *next; /* of the same parent */
    /* All others. */
    core_slice attribute;
    const core_slice *values;
    size_t value_count;
    /* GEO_: latitude and longitude by turns; of a radius the metres behind them. */
    const double *numbers;
    size_t number_count;
    /* Where the attribute stands, for errors. */
    core_slice text;
    size_t start; /* bytes into text */
    size_t end;
};

/* What one request's filters may still take; begin with SEARCH_FILTER_BUDGET. */
typedef struct {
    uint32_t nodes;
    uint32_t words;
} search_filter_budget;
#define SEARCH_FILTER_BUDGET                                                                       \
    (search_filter_budget) {                                                                       \
        .nodes = SEARCH_FILTER_NODES_MAX, .words = SEARCH_FILTER_WORDS_MAX                         \
    }

/* One expression. `*filter` is NULL where the text is blank: all documents. */
CORE_MUST_CHECK bool search_filter_parse(core_arena *arena, core_slice text,
                                         search_filter_budget *budget, search_filter **filter,
                                         core_error *error);
/* A request's `filter` in JSON: a string, or an array of strings and arrays of strings (all of the
 * outer, any of the inner), or null. */
CORE_MUST_CHECK bool search_filter_read(core_arena *arena, core_slice json,
                                        search_filter_budget *budget, search_filter **filter,
                                        core_error *error);
/* Both must hold; either may be NULL. NULL with `*ok` false: the arena is full. */
search_filter *search_filter_and(core_arena *arena, search_filter *a, search_filter *b, bool *ok);

/* Whether every attribute in it is filterable; search_filter_bind refuses the same, in the same
 * words. The arena is for the time of the call. */
CORE_MUST_CHECK bool search_filter_check(core_arena *arena, const search_filter *filter,
                                         const search_schema *schema, core_error *error);

/* A text that is a finite decimal number as a whole: what a filter compares with numbers. */
bool search_filter_number(core_slice text, double *number);

/* ---- Evaluation ---- */
typedef struct search_bound_filter search_bound_filter;

/* Names and texts looked up once. Valid while neither arena, filter nor columns change (the index's
 * lock is held). False: an attribute is not filterable, or the arena is full (CORE_ERROR_LIMIT).
 * `filter` may be NULL: all pass. */
CORE_MUST_CHECK bool search_filter_bind(core_arena *arena, const search_filter *filter,
                                        const search_schema *schema, const search_columns *columns,
                                        const search_bound_filter **bound, core_error *error);
/* Allocates nothing. */
bool search_filter_passes(const search_bound_filter *bound, search_docid docid);

#endif
