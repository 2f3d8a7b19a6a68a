/* AND, OR, NOT, IS ..., CASE and COALESCE over values, nulls, errors, and what is not known.
 *
 * Three-valued as in SQL, and beyond: what is not known (missing, undecided) stays so unless the
 * rest decides whatever it is. It could also be an error, which would be raised before the rest is
 * looked at: then the rest decides nothing. */
#include "expr/operations.h"

/* AND stops at false, OR at true. */
static void junction(const expr_node *node, expr_evaluation *at, bool decisive,
                     expr_datum *result) {
    expr_datum open;
    bool is_open = false;
    bool open_raises = false;
    bool is_null = false;
    for (size_t i = 0; i < node->argument_count; i++) {
        expr_node_evaluate(node->arguments[i], at, result);
        if (result->state == EXPR_DATUM_ERROR && !is_open)
            return;
        if (result->state == EXPR_DATUM_VALUE && (result->scalar.integer != 0) == decisive &&
            !open_raises)
            return;
        is_null = is_null || result->state == EXPR_DATUM_NULL;
        if (result->state == EXPR_DATUM_VALUE || result->state == EXPR_DATUM_NULL)
            continue;
        if (!is_open)
            open = *result;
        if (open.state == EXPR_DATUM_ERROR) /* only behind an open one, which may stop before it */
            expr_datum_undecided(&open, result->reason);
        is_open = true;
        open_raises = open_raises || node->arguments[i]->raises;
    }
    if (is_open)
        *result = open;
    else if (is_null)
        expr_datum_null(result);
    else
        expr_datum_bool(result, !decisive);
}

static void and_evaluate(const expr_node *node, expr_evaluation *at, expr_datum *result) {
    junction(node, at, false, result);
}

static void or_evaluate(const expr_node *node, expr_evaluation *at, expr_datum *result) {
    junction(node, at, true, result);
}

static void not_apply(const expr_node *node, expr_evaluation *at, const expr_datum *arguments,
                      expr_datum *result) {
    (void)node;
    (void)at;
    expr_datum_bool(result, arguments[0].scalar.integer == 0);
}

static void is_null_evaluate(const expr_node *node, expr_evaluation *at, expr_datum *result) {
    expr_node_evaluate(node->arguments[0], at, result);
    if (result->state <= EXPR_DATUM_NULL)
        expr_datum_bool(result, (result->state == EXPR_DATUM_NULL) == (node->option == 0));
}

static void is_evaluate(const expr_node *node, expr_evaluation *at, expr_datum *result) {
    expr_node_evaluate(node->arguments[0], at, result);
    if (result->state > EXPR_DATUM_NULL)
        return;
    bool is_value = result->state == EXPR_DATUM_VALUE;
    unsigned test = node->option & ~(unsigned)EXPR_IS_NEGATED;
    bool holds = test == EXPR_IS_UNKNOWN
                     ? !is_value
                     : is_value && (result->scalar.integer != 0) == (test == EXPR_IS_TRUE);
    expr_datum_bool(result, holds == ((node->option & EXPR_IS_NEGATED) == 0));
}

static void case_evaluate(const expr_node *node, expr_evaluation *at, expr_datum *result) {
    size_t i = 0;
    for (; i + 1 < node->argument_count; i += 2) {
        expr_node_evaluate(node->arguments[i], at, result);
        if (result->state > EXPR_DATUM_NULL)
            return;
        if (result->state == EXPR_DATUM_NULL || result->scalar.integer == 0)
            continue;
        i++;
        break;
    }
    expr_node_evaluate(node->arguments[i], at, result);
}

static void coalesce_evaluate(const expr_node *node, expr_evaluation *at, expr_datum *result) {
    for (size_t i = 0; i < node->argument_count; i++) {
        expr_node_evaluate(node->arguments[i], at, result);
        if (result->state != EXPR_DATUM_NULL)
            return;
    }
}

static void subselect_evaluate(const expr_node *node, expr_evaluation *at, expr_datum *result) {
    expr_node_evaluate(node->arguments[0], at, result);
}

const expr_operation expr_operation_subselect = {.name = "select", .evaluate = subselect_evaluate};
const expr_operation expr_operation_and = {.name = "and", .evaluate = and_evaluate};
const expr_operation expr_operation_or = {.name = "or", .evaluate = or_evaluate};
const expr_operation expr_operation_not = {.name = "not", .apply = not_apply};
const expr_operation expr_operation_is_null = {.name = "is_null", .evaluate = is_null_evaluate};
const expr_operation expr_operation_is = {.name = "is", .evaluate = is_evaluate};
const expr_operation expr_operation_case = {.name = "case", .evaluate = case_evaluate};
const expr_operation expr_operation_coalesce = {.name = "coalesce", .evaluate = coalesce_evaluate};
