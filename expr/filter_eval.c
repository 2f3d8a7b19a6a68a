/* A bound filter against a row; see expr.h. Nothing is allocated. */
#include "expr/bound.h"
#include "expr/like.h"

static expr_truth truth_of(bool holds) {
    return holds ? EXPR_TRUE : EXPR_FALSE;
}

/* The column's value; NULL when the tuple does not tell it. */
static const core_value *term_value(const expr_bound_term *bound, const core_tuple *tuple) {
    if (bound->column >= tuple->count)
        return NULL;
    const core_value *value = &tuple->values[bound->column];
    return value->kind == CORE_VALUE_UNCHANGED ? NULL : value;
}

static bool is_among(const expr_bound_term *bound, const expr_scalar *scalar) {
    for (size_t i = 0; i < bound->value_count; i++)
        if (expr_scalar_equal(bound->kind, scalar, &bound->values[i]))
            return true;
    return false;
}

/* eq, neq, in, isdistinct and the orders; a text that is not of the column's type is UNKNOWN. */
static expr_truth compare(const expr_bound_term *bound, core_slice text) {
    expr_scalar scalar;
    expr_op op = bound->op;
    if (!expr_scalar_parse(bound->kind, text, &scalar))
        return EXPR_UNKNOWN;
    if (op == EXPR_OP_EQ || op == EXPR_OP_IN)
        return truth_of(is_among(bound, &scalar));
    if (op == EXPR_OP_NEQ || op == EXPR_OP_ISDISTINCT)
        return truth_of(!is_among(bound, &scalar));
    int order = expr_scalar_compare(bound->kind, &scalar, bound->values);
    if (op == EXPR_OP_LT)
        return truth_of(order < 0);
    if (op == EXPR_OP_LTE)
        return truth_of(order <= 0);
    return truth_of(op == EXPR_OP_GT ? order > 0 : order >= 0);
}

static expr_truth is_literal(const expr_bound_term *bound, const core_value *value) {
    int64_t truth = 0;
    expr_literal literal = bound->term->literal;
    if (literal == EXPR_LITERAL_NULL || literal == EXPR_LITERAL_UNKNOWN)
        return truth_of(value->kind == CORE_VALUE_NULL);
    if (value->kind == CORE_VALUE_NULL)
        return EXPR_FALSE;
    if (value->kind != CORE_VALUE_TEXT || !expr_bool_parse(value->bytes, &truth))
        return EXPR_UNKNOWN;
    return truth_of((truth != 0) == (literal == EXPR_LITERAL_TRUE));
}

static expr_truth term_holds(const expr_bound_term *bound, const core_value *value) {
    expr_op op = bound->op;
    if (op == EXPR_OP_IS)
        return is_literal(bound, value);
    if (value->kind == CORE_VALUE_NULL)
        return op == EXPR_OP_ISDISTINCT ? EXPR_TRUE : EXPR_UNKNOWN;
    if (value->kind != CORE_VALUE_TEXT)
        return EXPR_UNKNOWN;
    if (op == EXPR_OP_LIKE || op == EXPR_OP_ILIKE)
        return expr_like(value->bytes, bound->term->values[0], op == EXPR_OP_ILIKE);
    if (op == EXPR_OP_MATCH || op == EXPR_OP_IMATCH)
        return expr_regex_match(bound->term->regex, value->bytes);
    return compare(bound, value->bytes);
}

static expr_truth term_evaluate(const expr_bound_term *bound, const core_tuple *tuple) {
    const core_value *value = term_value(bound, tuple);
    if (value == NULL)
        return EXPR_UNKNOWN;
    expr_truth truth = term_holds(bound, value);
    if (!bound->negated || truth == EXPR_UNKNOWN)
        return truth;
    return truth_of(truth == EXPR_FALSE);
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

bool expr_bound_is_covered(const expr_bound *bound, const core_tuple *tuple) {
    for (size_t i = 0; i < bound->count; i++)
        if (term_value(&bound->terms[i], tuple) == NULL)
            return false;
    return true;
}
