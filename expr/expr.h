/* The expr room's public header: predicates over a change's columns, compiled once.
 *
 * A client's filter (`id=eq.1`) is parsed at join and bound to a relation's columns when the first
 * change of that shape comes; then evaluated on typed column values without JSON. What cannot be
 * evaluated is refused with a reason, never matched. */
#ifndef WALCAST_EXPR_EXPR_H
#define WALCAST_EXPR_EXPR_H

#include "core/core.h"

#define EXPR_FILTER_TEXT_MAX 4096

typedef struct expr_filter expr_filter;

/* Parses the realtime protocol's filter text. NULL with an INPUT error that quotes what is not
 * understood. An empty text gives a filter that matches everything. */
CORE_MUST_CHECK expr_filter *expr_filter_new(core_slice text, core_error *error);
void expr_filter_free(expr_filter *filter);
/* The first column compared with `eq` and its value as written; false when the filter has none. An
 * index needs typed values: see expr_bound_equality. */
CORE_MUST_CHECK bool expr_filter_equality(const expr_filter *filter, core_slice *column,
                                          core_slice *value);

typedef struct expr_bound expr_bound;
/* Binds to one shape of a relation: finds the column, checks that its type can be compared and that
 * the value is one of that type. NULL with an INPUT error otherwise. `filter` must outlive it. */
CORE_MUST_CHECK expr_bound *expr_filter_bind(const expr_filter *filter,
                                             const core_relation *relation, core_error *error);
void expr_bound_free(expr_bound *bound);

typedef enum { EXPR_FALSE = 0, EXPR_TRUE, EXPR_UNKNOWN } expr_truth;
/* Three-valued: NULL compares to UNKNOWN, an unchanged or absent value too. Only TRUE matches. */
expr_truth expr_bound_evaluate(const expr_bound *bound, const core_tuple *tuple);

/* For an index over bound filters: the column (its index in the relation) that must equal a value,
 * and that value's hash. Values that are equal for the column's type hash equally, whatever their
 * text (1.0 and 1.00), so look up by hash, then evaluate. False when the filter matches
 * everything. */
CORE_MUST_CHECK bool expr_bound_equality(const expr_bound *bound, uint16_t *column, uint64_t *hash);
/* The hash of a row's value in that column; filters bound on one column of one shape share it.
 * False when no filter on the column can match: the value is null, unchanged or absent. */
CORE_MUST_CHECK bool expr_bound_row_hash(const expr_bound *bound, const core_tuple *tuple,
                                         uint64_t *hash);

#endif
