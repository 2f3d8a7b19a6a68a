/* The expr room's public header: predicates over a change's columns, compiled once.
 *
 * A client's filter (`id=eq.1`) is parsed at join and bound to a relation's columns when the first
 * change of that shape comes; then evaluated on typed column values without JSON and without
 * allocation. It means what the same condition means in PostgreSQL under COLLATE "C"
 * (docs/FILTERS.md); expr_bound_sql writes that condition. What cannot be evaluated is refused with
 * a reason, never matched. A filter and what is bound from it belong to one thread at a time. */
#ifndef WALCAST_EXPR_EXPR_H
#define WALCAST_EXPR_EXPR_H

#include "core/core.h"

#define EXPR_FILTER_TEXT_MAX  4096
#define EXPR_FILTER_TERMS_MAX 32
#define EXPR_IN_VALUES_MAX    100 /* of one `in` */
/* Values of all terms together. */
#define EXPR_FILTER_VALUES_MAX (EXPR_FILTER_TEXT_MAX / 2)

typedef struct expr_filter expr_filter;

/* Parses the realtime protocol's filter text. NULL with an INPUT error that quotes what is not
 * understood. An empty text gives a filter that matches everything. */
CORE_MUST_CHECK expr_filter *expr_filter_new(core_slice text, core_error *error);
void expr_filter_free(expr_filter *filter);
/* The columns that it reads, each once; how many. They live as long as the filter. */
size_t expr_filter_columns(const expr_filter *filter, core_slice names[EXPR_FILTER_TERMS_MAX]);

typedef struct expr_bound expr_bound;
/* Binds to one shape of a relation: finds the columns, checks that their types can be compared so
 * and that the values are of those types. NULL with an INPUT error otherwise. `filter` must outlive
 * it. */
CORE_MUST_CHECK expr_bound *expr_filter_bind(expr_filter *filter, const core_relation *relation,
                                             core_error *error);
void expr_bound_free(expr_bound *bound);

typedef enum { EXPR_FALSE = 0, EXPR_TRUE, EXPR_UNKNOWN } expr_truth;
/* Three-valued, as in SQL; of an unchanged or absent value UNKNOWN, whatever the operator. Only
 * TRUE matches. */
expr_truth expr_bound_evaluate(const expr_bound *bound, const core_tuple *tuple);
/* Whether the tuple has all values that are read: an UNKNOWN is SQL's then. */
bool expr_bound_is_covered(const expr_bound *bound, const core_tuple *tuple);
/* Whether it reads nothing but key columns: an old image of only the key is enough. */
bool expr_bound_reads_keys_only(const expr_bound *bound, const core_relation *relation);

/* ---- For an index over bound filters ---- */

/* A row can only match if this column has one of these values. Values that are equal for the
 * column's type hash equally, whatever their text (1.0 and 1.00), so look up by hash, then
 * evaluate. Hashes are of use beside those of filters bound to the same column of the same shape.
 */
typedef struct {
    uint16_t column; /* its index in the relation */
    uint16_t count;  /* of different hashes */
    uint64_t hashes[EXPR_IN_VALUES_MAX];
} expr_key;
/* The `number`th of the filter's keys, from 0: one for each `eq` and `in` that is not negated.
 * False when there is none of that number. */
CORE_MUST_CHECK bool expr_bound_key(const expr_bound *bound, size_t number, expr_key *key);
/* The hash of a row's value in that column. False when no key can match it: it is null, unchanged,
 * absent, or not of the column's type. */
CORE_MUST_CHECK bool expr_row_hash(const core_relation *relation, uint16_t column,
                                   const core_tuple *tuple, uint64_t *hash);

/* Appends the same predicate as an SQL condition over unqualified quoted column names, with
 * placeholders from $`first` on; `parameters` gets their texts (the filter's, ended by NUL) and
 * `count` how many. SELECT ... WHERE it picks the rows for which evaluation is TRUE, in a session
 * with TimeZone UTC and DateStyle ISO. False when `out` is full. */
CORE_MUST_CHECK bool expr_bound_sql(const expr_bound *bound, size_t first, core_buffer *out,
                                    const char *parameters[EXPR_FILTER_VALUES_MAX], size_t *count);

#endif
