/* A table of a plan, bound to the shape that its rows have now: where the plan's columns stand in
 * the relation and of which types they are, and the condition compiled. Bound anew when the shape
 * changes. For one thread. */
#ifndef WALCAST_SEARCH_INDEX_BINDING_H
#define WALCAST_SEARCH_INDEX_BINDING_H

#include "expr/expr.h"
#include "search-index/plan.h"

typedef struct {
    const search_plan *plan;
    const search_plan_table *table;
    bool is_bound;
    uint32_t version; /* the relation's */
    core_arena arena;
    const core_column *columns; /* one a plan's column; of an absent one the name is empty */
    const int *places;          /* in the relation; -1: the table does not have it any more */
    expr_condition *when;       /* NULL: every row belongs */
    core_value *row;            /* room for the relation's columns */
    uint16_t row_count;
    bool when_fails; /* the condition does not compile for this shape: no row belongs */
    char problem[CORE_ERROR_TEXT_MAX]; /* what is wrong with this shape; "": nothing */
} search_binding;

void search_binding_init(search_binding *binding, const search_plan *plan, size_t table);
void search_binding_fini(search_binding *binding);
/* Does nothing when it is bound to this shape already. A column that is not there any more is null
 * in documents; `problem` says so. False: memory is out, or the table's key is another one now. */
CORE_MUST_CHECK bool search_binding_bind(search_binding *binding, const core_relation *relation,
                                         core_error *error);

#endif
