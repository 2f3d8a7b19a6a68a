/* A filter bound to a relation's shape, its values parsed once; see expr.h. Every refusal names the
 * table, the column and what would do. */
#include "expr/bound.h"

#include <stdlib.h>

static bool column_find(const core_relation *relation, core_slice name, uint16_t *index) {
    for (uint16_t i = 0; i < relation->column_count; i++) {
        if (!core_slice_equal(relation->columns[i].name, name))
            continue;
        *index = i;
        return true;
    }
    return false;
}

static bool term_bind(const expr_term *term, const core_relation *relation, expr_bound_term *bound,
                      core_error *error) {
    if (!column_find(relation, term->column, &bound->column))
        return core_error_set(error, CORE_ERROR_INPUT,
                              "filter: table \"%.*s\".\"%.*s\" has no column \"%.*s\"",
                              CORE_SLICE_ARGS(relation->schema), CORE_SLICE_ARGS(relation->table),
                              CORE_SLICE_ARGS(term->column));
    const core_column *column = &relation->columns[bound->column];
    core_slice type_name = core_column_type_name(column);
    bound->kind = expr_scalar_kind_of(column);
    if (bound->kind == EXPR_SCALAR_NONE)
        return core_error_set(error, CORE_ERROR_INPUT,
                              "filter: column \"%.*s\" is of type %.*s, which cannot be compared; "
                              "boolean, integer, float, numeric, text, uuid, date, timestamp and "
                              "enum columns can",
                              CORE_SLICE_ARGS(term->column), CORE_SLICE_ARGS(type_name));
    if (!expr_scalar_parse(bound->kind, term->value, &bound->value))
        return core_error_set(error, CORE_ERROR_INPUT,
                              "filter: column \"%.*s\": \"%.*s\" is not a value of type %.*s",
                              CORE_SLICE_ARGS(term->column), CORE_SLICE_ARGS(term->value),
                              CORE_SLICE_ARGS(type_name));
    return true;
}

expr_bound *expr_filter_bind(const expr_filter *filter, const core_relation *relation,
                             core_error *error) {
    expr_bound *bound = malloc(sizeof *bound + filter->count * sizeof bound->terms[0]);
    if (bound == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "filter: no memory");
        return NULL;
    }
    bound->count = filter->count;
    for (size_t i = 0; i < filter->count; i++) {
        if (!term_bind(&filter->terms[i], relation, &bound->terms[i], error)) {
            free(bound);
            return NULL;
        }
    }
    return bound;
}

void expr_bound_free(expr_bound *bound) {
    free(bound);
}
