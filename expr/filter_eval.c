/* A bound filter against a row; see expr.h. Nothing is allocated. */
#include "expr/bound.h"

/* The column's value, parsed. False when there is nothing to compare: null, unchanged, not in the
 * tuple, or not in the text form that the type has. */
static bool term_scalar(const expr_bound_term *term, const core_tuple *tuple, expr_scalar *scalar) {
    if (term->column >= tuple->count)
        return false;
    const core_value *value = &tuple->values[term->column];
    return value->kind == CORE_VALUE_TEXT && expr_scalar_parse(term->kind, value->bytes, scalar);
}

static expr_truth term_evaluate(const expr_bound_term *term, const core_tuple *tuple) {
    expr_scalar scalar;
    if (!term_scalar(term, tuple, &scalar))
        return EXPR_UNKNOWN;
    return expr_scalar_equal(term->kind, &term->value, &scalar) ? EXPR_TRUE : EXPR_FALSE;
}

expr_truth expr_bound_evaluate(const expr_bound *bound, const core_tuple *tuple) {
    expr_truth truth = EXPR_TRUE;
    for (size_t i = 0; i < bound->count; i++) {
        expr_truth term = term_evaluate(&bound->terms[i], tuple);
        if (term == EXPR_FALSE)
            return EXPR_FALSE;
        if (term == EXPR_UNKNOWN)
            truth = EXPR_UNKNOWN;
    }
    return truth;
}

bool expr_bound_equality(const expr_bound *bound, uint16_t *column, uint64_t *hash) {
    if (bound->count == 0)
        return false;
    const expr_bound_term *term = &bound->terms[0];
    *column = term->column;
    *hash = expr_scalar_hash(term->kind, &term->value);
    return true;
}

bool expr_bound_row_hash(const expr_bound *bound, const core_tuple *tuple, uint64_t *hash) {
    expr_scalar scalar;
    if (bound->count == 0 || !term_scalar(&bound->terms[0], tuple, &scalar))
        return false;
    *hash = expr_scalar_hash(bound->terms[0].kind, &scalar);
    return true;
}
