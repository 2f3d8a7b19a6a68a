/* Comparisons, and what is made of them: IS DISTINCT FROM, ANY, ALL, NULLIF, GREATEST, LEAST.
 *
 * Arguments are of the kind that the node names, but for integers, which are all held alike. Texts
 * are equal where their bytes are, and ordered by them: the compiler lets an order only pass where
 * the collation is "C". */
#include "expr/array.h"
#include "expr/operations.h"

static expr_scalar unpadded(expr_scalar scalar) {
    while (scalar.text.length > 0 && scalar.text.data[scalar.text.length - 1] == ' ')
        scalar.text.length--;
    return scalar;
}

static bool is_equal(uint8_t kind, const expr_scalar *left, const expr_scalar *right) {
    if (kind == EXPR_KIND_JSONB)
        return expr_jsonb_equal(left->text, right->text);
    if (kind == EXPR_SCALAR_PADDED_TEXT) {
        expr_scalar a = unpadded(*left), b = unpadded(*right);
        return expr_scalar_equal(kind, &a, &b);
    }
    return expr_scalar_equal(kind, left, right);
}

static int order_of(uint8_t kind, const expr_scalar *left, const expr_scalar *right) {
    if (kind == EXPR_SCALAR_PADDED_TEXT) {
        expr_scalar a = unpadded(*left), b = unpadded(*right);
        return expr_scalar_compare(kind, &a, &b);
    }
    return expr_scalar_compare(kind, left, right);
}

static bool holds(uint8_t kind, uint8_t op, const expr_scalar *left, const expr_scalar *right) {
    if (op == EXPR_OP_EQ)
        return is_equal(kind, left, right);
    if (op == EXPR_OP_NEQ)
        return !is_equal(kind, left, right);
    int order = order_of(kind, left, right);
    if (op == EXPR_OP_LT)
        return order < 0;
    if (op == EXPR_OP_LTE)
        return order <= 0;
    return op == EXPR_OP_GT ? order > 0 : order >= 0;
}

static void compare_apply(const expr_node *node, expr_evaluation *at, const expr_datum *arguments,
                          expr_datum *result) {
    (void)at;
    expr_datum_bool(result,
                    holds(node->kind, node->option, &arguments[0].scalar, &arguments[1].scalar));
}

/* Both arguments; false, with the result set, when one is neither a value nor null. */
static bool pair_evaluate(const expr_node *node, expr_evaluation *at, expr_datum *left,
                          expr_datum *right, expr_datum *result) {
    expr_node_evaluate(node->arguments[0], at, left);
    expr_node_evaluate(node->arguments[1], at, right);
    if (left->state == EXPR_DATUM_ERROR || right->state == EXPR_DATUM_ERROR)
        *result = left->state == EXPR_DATUM_ERROR ? *left : *right;
    else if (left->state > EXPR_DATUM_NULL || right->state > EXPR_DATUM_NULL)
        *result = left->state > EXPR_DATUM_NULL ? *left : *right;
    else
        return true;
    return false;
}

static void distinct_evaluate(const expr_node *node, expr_evaluation *at, expr_datum *result) {
    expr_datum left;
    expr_datum right;
    if (!pair_evaluate(node, at, &left, &right, result))
        return;
    bool differs = left.state != right.state;
    if (!differs && left.state == EXPR_DATUM_VALUE)
        differs = !is_equal(node->kind, &left.scalar, &right.scalar);
    expr_datum_bool(result, differs == (node->option == 0));
}

static void nullif_evaluate(const expr_node *node, expr_evaluation *at, expr_datum *result) {
    expr_datum left;
    expr_datum right;
    if (!pair_evaluate(node, at, &left, &right, result))
        return;
    *result = left;
    if (left.state == EXPR_DATUM_VALUE && right.state == EXPR_DATUM_VALUE &&
        is_equal(node->kind, &left.scalar, &right.scalar))
        expr_datum_null(result);
}

/* ---- ANY and ALL ---- */

/* What has been seen of the elements. */
typedef struct {
    const expr_node *node;
    expr_datum value;
    expr_datum open;
    bool is_open;
    bool open_raises;
    bool is_null;
    bool is_decided; /* ANY by a true one, ALL by a false one */
    bool decisive;
} quantifier;

/* What is not known of the value may be an error, which is raised even beside an empty array. */
static void value_look(quantifier *q) {
    if (q->value.state <= EXPR_DATUM_NULL || !q->node->arguments[0]->raises)
        return;
    q->open = q->value;
    q->is_open = true;
    q->open_raises = true;
}

static void element_look(quantifier *q, const expr_datum *element, bool raises) {
    const expr_datum *open = q->value.state > EXPR_DATUM_NULL ? &q->value : element;
    if (open->state > EXPR_DATUM_NULL) {
        q->open = q->is_open ? q->open : *open;
        q->is_open = true;
        q->open_raises = q->open_raises || raises;
    } else if (q->value.state == EXPR_DATUM_NULL || element->state == EXPR_DATUM_NULL) {
        q->is_null = true;
    } else if (holds(q->node->kind, q->node->option, &q->value.scalar, &element->scalar) ==
               q->decisive) {
        q->is_decided = true;
    }
}

static void quantifier_end(const quantifier *q, expr_datum *result) {
    if (q->is_decided && !q->open_raises)
        expr_datum_bool(result, q->decisive);
    else if (q->is_open)
        *result = q->open;
    else if (q->is_null)
        expr_datum_null(result);
    else
        expr_datum_bool(result, !q->decisive);
}

/* PostgreSQL makes the array, with whatever error there is in it, before it compares. */
static void list_evaluate(const expr_node *node, expr_evaluation *at, bool decisive,
                          expr_datum *result) {
    quantifier q = {.node = node, .decisive = decisive};
    expr_node_evaluate(node->arguments[0], at, &q.value);
    if (q.value.state == EXPR_DATUM_ERROR) {
        *result = q.value;
        return;
    }
    value_look(&q);
    for (size_t i = 1; i < node->argument_count && (!q.is_decided || node->raises); i++) {
        expr_datum element;
        expr_node_evaluate(node->arguments[i], at, &element);
        if (element.state == EXPR_DATUM_ERROR) {
            *result = element;
            return;
        }
        element_look(&q, &element, node->arguments[i]->raises);
    }
    quantifier_end(&q, result);
}

static void any_evaluate(const expr_node *node, expr_evaluation *at, expr_datum *result) {
    list_evaluate(node, at, true, result);
}

static void all_evaluate(const expr_node *node, expr_evaluation *at, expr_datum *result) {
    list_evaluate(node, at, false, result);
}

/* The second argument is an array's text, whose elements are of the first's kind. */
static void array_evaluate(const expr_node *node, expr_evaluation *at, bool decisive,
                           expr_datum *result) {
    quantifier q = {.node = node, .decisive = decisive};
    expr_datum array;
    expr_node_evaluate(node->arguments[0], at, &q.value);
    expr_node_evaluate(node->arguments[1], at, &array);
    bool may_fail = q.value.state > EXPR_DATUM_NULL && node->arguments[0]->raises;
    if (q.value.state == EXPR_DATUM_ERROR || array.state != EXPR_DATUM_VALUE) {
        *result = q.value.state == EXPR_DATUM_ERROR || may_fail ? q.value : array;
        return;
    }
    value_look(&q);
    expr_array reader = expr_array_make(array.scalar.text);
    expr_datum element;
    while (!q.is_decided && expr_array_next(&reader, at, node->kind, &element))
        element_look(&q, &element, false);
    if (reader.failed)
        expr_datum_undecided(result, "an array is not one of one dimension, or too long");
    else
        quantifier_end(&q, result);
}

static void any_array_evaluate(const expr_node *node, expr_evaluation *at, expr_datum *result) {
    array_evaluate(node, at, true, result);
}

static void all_array_evaluate(const expr_node *node, expr_evaluation *at, expr_datum *result) {
    array_evaluate(node, at, false, result);
}

/* ---- @> and && of arrays: the row's array, then elements ---- */

/* Some element of the array is equal. False, failed, where the text is none of one dimension. */
static bool array_has(const expr_node *node, expr_evaluation at, core_slice text,
                      const expr_scalar *wanted, bool *failed) {
    expr_array reader = expr_array_make(text);
    expr_datum element;
    bool found = false;
    while (!found && expr_array_next(&reader, &at, node->kind, &element)) {
        *failed = *failed || element.state > EXPR_DATUM_NULL;
        found = element.state == EXPR_DATUM_VALUE && is_equal(node->kind, wanted, &element.scalar);
    }
    *failed = *failed || reader.failed;
    return found;
}

/* The array, and whether any element ends in an error or is open. False: `result` is the end. */
static bool holder_evaluate(const expr_node *node, expr_evaluation *at, expr_datum *array,
                            expr_datum *result) {
    bool is_open = false;
    expr_node_evaluate(node->arguments[0], at, array);
    *result = *array;
    if (array->state == EXPR_DATUM_ERROR)
        return false;
    for (size_t i = 1; i < node->argument_count; i++) {
        expr_datum element;
        expr_node_evaluate(node->arguments[i], at, &element);
        bool counts = array->state != EXPR_DATUM_NULL || node->arguments[i]->raises;
        if (element.state == EXPR_DATUM_ERROR) {
            *result = element;
            return false;
        }
        if (element.state > EXPR_DATUM_NULL && counts && !is_open) {
            *result = element;
            is_open = true;
        }
    }
    return !is_open && array->state == EXPR_DATUM_VALUE;
}

/* Holds all, or one; a null is never held. */
static void holder_decide(const expr_node *node, expr_evaluation *at, bool is_all,
                          expr_datum *result) {
    expr_datum array;
    bool failed = false;
    if (!holder_evaluate(node, at, &array, result))
        return;
    bool decided = false;
    for (size_t i = 1; i < node->argument_count && !decided; i++) {
        expr_datum element;
        expr_node_evaluate(node->arguments[i], at, &element);
        bool is_held = element.state == EXPR_DATUM_VALUE &&
                       array_has(node, *at, array.scalar.text, &element.scalar, &failed);
        decided = is_held != is_all;
    }
    if (failed)
        expr_datum_undecided(result, "an array is not one of one dimension, or too long");
    else
        expr_datum_bool(result, decided != is_all);
}

static void array_contains_evaluate(const expr_node *node, expr_evaluation *at,
                                    expr_datum *result) {
    holder_decide(node, at, true, result);
}

static void array_overlaps_evaluate(const expr_node *node, expr_evaluation *at,
                                    expr_datum *result) {
    holder_decide(node, at, false, result);
}

/* ---- GREATEST and LEAST ---- */

static void extreme_evaluate(const expr_node *node, expr_evaluation *at, int sign,
                             expr_datum *result) {
    expr_datum best = {.state = EXPR_DATUM_NULL};
    bool is_open = false;
    for (size_t i = 0; i < node->argument_count; i++) {
        expr_datum next;
        expr_node_evaluate(node->arguments[i], at, &next);
        if (next.state == EXPR_DATUM_ERROR) {
            *result = next;
            return;
        }
        if (next.state == EXPR_DATUM_NULL || is_open)
            continue;
        is_open = next.state != EXPR_DATUM_VALUE;
        if (is_open || best.state == EXPR_DATUM_NULL ||
            order_of(node->kind, &next.scalar, &best.scalar) * sign > 0)
            best = next;
    }
    *result = best;
}

static void greatest_evaluate(const expr_node *node, expr_evaluation *at, expr_datum *result) {
    extreme_evaluate(node, at, 1, result);
}

static void least_evaluate(const expr_node *node, expr_evaluation *at, expr_datum *result) {
    extreme_evaluate(node, at, -1, result);
}

const expr_operation expr_operation_compare = {.name = "compare", .apply = compare_apply};
const expr_operation expr_operation_distinct = {.name = "distinct", .evaluate = distinct_evaluate};
const expr_operation expr_operation_any = {.name = "any", .evaluate = any_evaluate};
const expr_operation expr_operation_all = {.name = "all", .evaluate = all_evaluate};
const expr_operation expr_operation_any_array = {.name = "any_array",
                                                 .evaluate = any_array_evaluate};
const expr_operation expr_operation_all_array = {.name = "all_array",
                                                 .evaluate = all_array_evaluate};
const expr_operation expr_operation_nullif = {.name = "nullif", .evaluate = nullif_evaluate};
const expr_operation expr_operation_greatest = {.name = "greatest", .evaluate = greatest_evaluate};
const expr_operation expr_operation_least = {.name = "least", .evaluate = least_evaluate};
const expr_operation expr_operation_array_contains = {.name = "array_contains",
                                                      .evaluate = array_contains_evaluate};
const expr_operation expr_operation_array_overlaps = {.name = "array_overlaps",
                                                      .evaluate = array_overlaps_evaluate};
