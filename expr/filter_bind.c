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

/* What would do where a column's type does not. */
static const char *need_text(const expr_term *term) {
    switch (term->operation->need) {
    case EXPR_NEEDS_EQUALITY:
        return "boolean, integer, float, numeric, text, uuid, date, timestamp and enum columns can";
    case EXPR_NEEDS_ORDER:
        return "boolean, integer, float, numeric, text, uuid, date and timestamp columns can";
    case EXPR_NEEDS_TEXT:
        return "text, varchar, char and name columns can";
    case EXPR_NEEDS_NOTHING:
        break;
    }
    return "of columns that are not boolean only is.null can be asked";
}

static bool kind_serves(expr_scalar_kind kind, const expr_term *term) {
    switch (term->operation->need) {
    case EXPR_NEEDS_EQUALITY:
        return kind != EXPR_SCALAR_NONE;
    case EXPR_NEEDS_ORDER:
        return kind != EXPR_SCALAR_NONE && kind != EXPR_SCALAR_LABEL;
    case EXPR_NEEDS_TEXT:
        return kind == EXPR_SCALAR_TEXT || kind == EXPR_SCALAR_PADDED_TEXT;
    case EXPR_NEEDS_NOTHING:
        break;
    }
    return term->literal == EXPR_LITERAL_NULL || kind == EXPR_SCALAR_BOOL;
}

static bool values_parse(const expr_bound_term *bound, expr_scalar *values, core_slice type_name,
                         core_error *error) {
    const expr_term *term = bound->term;
    for (size_t i = 0; i < term->value_count; i++)
        if (!expr_scalar_parse(bound->kind, term->values[i], &values[i]))
            return core_error_set(error, CORE_ERROR_INPUT,
                                  "filter: column \"%.*s\": \"%.*s\" is not a value of type %.*s",
                                  CORE_SLICE_ARGS(term->column), CORE_SLICE_ARGS(term->values[i]),
                                  CORE_SLICE_ARGS(type_name));
    return true;
}

static bool term_bind(const expr_term *term, const core_relation *relation, expr_bound_term *bound,
                      expr_scalar *values, core_error *error) {
    *bound = (expr_bound_term){.term = term,
                               .values = values,
                               .value_count = (uint16_t)term->value_count,
                               .op = (uint8_t)term->operation->op,
                               .negated = term->negated};
    if (!column_find(relation, term->column, &bound->column))
        return core_error_set(error, CORE_ERROR_INPUT,
                              "filter: table \"%.*s\".\"%.*s\" has no column \"%.*s\"",
                              CORE_SLICE_ARGS(relation->schema), CORE_SLICE_ARGS(relation->table),
                              CORE_SLICE_ARGS(term->column));
    const core_column *column = &relation->columns[bound->column];
    core_slice type_name = core_column_type_name(column);
    bound->kind = (uint8_t)expr_scalar_kind_of(column);
    if (!kind_serves(bound->kind, term))
        return core_error_set(error, CORE_ERROR_INPUT,
                              "filter: column \"%.*s\" is of type %.*s, which cannot be compared "
                              "by %s; %s",
                              CORE_SLICE_ARGS(term->column), CORE_SLICE_ARGS(type_name),
                              term->operation->name, need_text(term));
    if (term->regex != NULL && !expr_regex_prepare(term->regex))
        return core_error_set(error, CORE_ERROR_INTERNAL, "filter: no memory");
    return values_parse(bound, values, type_name, error);
}

static expr_bound *bound_new(const expr_filter *filter) {
    size_t values = 0;
    for (size_t i = 0; i < filter->count; i++)
        values += filter->terms[i].value_count;
    return malloc(sizeof(expr_bound) + filter->count * sizeof(expr_bound_term) +
                  values * sizeof(expr_scalar));
}

expr_bound *expr_filter_bind(expr_filter *filter, const core_relation *relation,
                             core_error *error) {
    expr_bound *bound = bound_new(filter);
    if (bound == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "filter: no memory");
        return NULL;
    }
    bound->count = filter->count;
    expr_scalar *values = (expr_scalar *)(bound->terms + filter->count);
    for (size_t i = 0; i < filter->count; i++) {
        if (!term_bind(&filter->terms[i], relation, &bound->terms[i], values, error)) {
            free(bound);
            return NULL;
        }
        values += filter->terms[i].value_count;
    }
    return bound;
}

void expr_bound_free(expr_bound *bound) {
    free(bound);
}
