/* What takes several values and finds what they have in common: IN, ANY, ALL, ARRAY[], CASE,
 * COALESCE, GREATEST and LEAST. As src/backend/parser/parse_expr.c transforms them. */
#include "expr/compile.h"

static const expr_type boolean = {.id = EXPR_TYPE_BOOL};

static const expr_node **nodes_room(const expr_compiler *c, size_t count) {
    const expr_node **room =
        core_arena_array(&c->condition->arena, count + 1, sizeof(const expr_node *));
    if (room == NULL)
        (void)expr_unsupported(c, 0, "the expression is too large");
    return room;
}

static const expr_node **nodes_compile(expr_compiler *c, PgQuery__Node *const *trees,
                                       size_t count) {
    const expr_node **nodes = nodes_room(c, count);
    for (size_t i = 0; nodes != NULL && i < count; i++)
        if ((nodes[i] = expr_compile(c, trees[i])) == NULL)
            return NULL;
    return nodes;
}

static bool common_of(const expr_compiler *c, const expr_node *const *nodes, size_t count,
                      expr_type *common, uint32_t location) {
    expr_type *types = core_arena_array(&c->condition->arena, count + 1, sizeof *types);
    if (types == NULL)
        return expr_unsupported(c, location, "the expression is too large") != NULL;
    for (size_t i = 0; i < count; i++) {
        types[i] = nodes[i]->type;
        if (types[i].is_array || types[i].id == EXPR_TYPE_NONE)
            return expr_unsupported(c, nodes[i]->location,
                                    "a value of that type is not taken here") != NULL;
    }
    if (expr_type_common(types, count, common))
        return true;
    return expr_wrong(c, location, "the types of the values cannot be matched") != NULL;
}

/* All brought to the type that they have in common. */
static bool unify(const expr_compiler *c, const expr_node **nodes, size_t count, expr_type *common,
                  uint32_t location) {
    for (size_t i = 0; i < count; i++)
        if (!expr_extract_serves(c, nodes[i]))
            return false;
    if (!common_of(c, nodes, count, common, location))
        return false;
    for (size_t i = 0; i < count; i++)
        if ((nodes[i] = expr_coerce(c, nodes[i], *common)) == NULL)
            return false;
    return true;
}

/* ---- ANY and ALL ---- */

/* All texts of an array have one collation. */
static bool collatings_serve(const expr_compiler *c, const expr_node *const *nodes, size_t count,
                             uint32_t location) {
    return expr_collating_serves(c, expr_collating_of(nodes, count), false, location);
}

/* `nodes`: the value, then the elements, all of one type or of the value's. */
static const expr_node *quantified_make(const expr_compiler *c, uint8_t op, bool is_any,
                                        const expr_node **nodes, size_t count, uint32_t location) {
    uint8_t kind = 0;
    const expr_node *value = nodes[0];
    for (size_t i = 1; i < count; i++) {
        const expr_node *left = value;
        if (!expr_compare_types(c, op, &left, &nodes[i], &kind, location))
            return NULL;
        nodes[0] = i == 1 ? left : nodes[0];
    }
    if (expr_type_is_string(nodes[0]->type) && !collatings_serve(c, nodes, count, location))
        return NULL;
    expr_node *node = expr_make(c, is_any ? &expr_operation_any : &expr_operation_all, boolean,
                                location, nodes, count);
    if (node != NULL) {
        node->kind = kind;
        node->option = op;
    }
    return node;
}

/* Patterns: one operator for each element. */
static const expr_node *patterns_make(const expr_compiler *c, const char *name, bool is_any,
                                      const expr_node *value, const expr_node *array,
                                      uint32_t location) {
    const expr_node *both[] = {value, array};
    const expr_node **tests = nodes_room(c, array->argument_count);
    if (!collatings_serve(c, both, 2, location))
        return NULL;
    for (size_t i = 0; tests != NULL && i < array->argument_count; i++) {
        tests[i] = expr_text_operator(c, name, value, array->arguments[i], location);
        if (tests[i] != NULL)
            continue;
        return c->refusal->kind != EXPR_REFUSED_NOT
                   ? NULL
                   : expr_unsupported(c, location, "%s with ANY or ALL is not known", name);
    }
    if (tests == NULL)
        return NULL;
    return expr_make(c, is_any ? &expr_operation_or : &expr_operation_and, boolean, location, tests,
                     array->argument_count);
}

/* An array that is a row's, or null: its elements are compared as what they are. */
const expr_node *expr_any_of_array(const expr_compiler *c, uint8_t op, bool is_any,
                                   const expr_node *value, const expr_node *array,
                                   uint32_t location) {
    expr_type element = array->type;
    uint8_t kind = 0;
    element.is_array = false;
    const expr_node *sample = expr_null(c, element, location);
    if (sample == NULL || !expr_extract_serves(c, value) ||
        !expr_compare_types(c, op, &value, &sample, &kind, location))
        return NULL;
    bool is_integer = kind == EXPR_SCALAR_INT8 && expr_type_is_integer(element);
    if (kind != expr_type_kind(element) && !is_integer)
        return expr_unsupported(c, location, "the array's elements would have to be cast");
    const expr_node *arguments[] = {value, array};
    if (expr_type_is_string(element) &&
        !expr_collating_serves(c, expr_collating_of(arguments, 2),
                               op != EXPR_OP_EQ && op != EXPR_OP_NEQ, location))
        return NULL;
    expr_node *node = expr_make(c, is_any ? &expr_operation_any_array : &expr_operation_all_array,
                                boolean, location, arguments, 2);
    if (node != NULL) {
        node->kind = kind;
        node->option = op;
    }
    return node;
}

/* A literal's elements are of the value's type. */
static const expr_node *literal_array(const expr_compiler *c, const expr_node *value,
                                      const expr_node *literal) {
    expr_type element = value->type;
    if (expr_type_is_string(element) || expr_type_is(element, EXPR_TYPE_UNKNOWN))
        element =
            expr_type_is(element, EXPR_TYPE_BPCHAR) ? element : expr_type_make(EXPR_TYPE_TEXT);
    if (element.is_array)
        return expr_unsupported(c, literal->location, "arrays of arrays are not taken");
    return expr_coerce(c, literal, expr_type_array_of(element));
}

const expr_node *expr_compile_quantified(expr_compiler *c, const PgQuery__AExpr *tree,
                                         const char *name) {
    uint32_t location = expr_location(c, tree->location);
    bool is_any = tree->kind == PG_QUERY__A__EXPR__KIND__AEXPR_OP_ANY;
    const expr_node *value = expr_compile(c, tree->lexpr);
    const expr_node *array = value != NULL ? expr_compile(c, tree->rexpr) : NULL;
    if (array != NULL && expr_type_is(array->type, EXPR_TYPE_UNKNOWN))
        array = literal_array(c, value, array);
    if (array == NULL)
        return NULL;
    if (!array->type.is_array)
        return expr_wrong(c, location, "op ANY/ALL (array) requires an array on its right side");
    int op = expr_comparison_of(name);
    if (expr_node_is_array(array) && op < 0 && array->argument_count > 0)
        return patterns_make(c, name, is_any, value, array, location);
    if (op < 0)
        return expr_unsupported(c, location, "%s with ANY or ALL is not known to the engine", name);
    if (!expr_node_is_array(array))
        return expr_any_of_array(c, (uint8_t)op, is_any, value, array, location);
    const expr_node **nodes = nodes_room(c, array->argument_count + 1u);
    if (nodes == NULL)
        return NULL;
    nodes[0] = value;
    for (size_t i = 0; i < array->argument_count; i++)
        nodes[i + 1] = array->arguments[i];
    return quantified_make(c, (uint8_t)op, is_any, nodes, array->argument_count + 1u, location);
}

const expr_node *expr_compile_array(expr_compiler *c, const PgQuery__AArrayExpr *tree) {
    uint32_t location = expr_location(c, tree->location);
    expr_type common;
    if (tree->n_elements == 0)
        return expr_wrong(c, location, "cannot determine type of empty array");
    const expr_node **elements = nodes_compile(c, tree->elements, tree->n_elements);
    if (elements == NULL || !unify(c, elements, tree->n_elements, &common, location))
        return NULL;
    return expr_make(c, &expr_operation_array, expr_type_array_of(common), location, elements,
                     tree->n_elements);
}

/* ---- IN ---- */

/* A column of the query at hand: not one of a query around, nor a function's argument. */
static bool is_variable(const expr_compiler *c, const expr_node *node) {
    return node->reads_row && c->selects == 0 && c->call == NULL;
}

/* Values that read no column are one array where there are several: of the type that they and what
 * is looked for have in common, which can be another than each alone would be compared as. */
static const expr_node *in_constants(const expr_compiler *c, uint8_t op, const expr_node **nodes,
                                     size_t count, uint32_t location) {
    expr_type common;
    if (!common_of(c, nodes, count, &common, location))
        return NULL;
    for (size_t i = 1; i < count; i++)
        if ((nodes[i] = expr_coerce(c, nodes[i], common)) == NULL)
            return NULL;
    return quantified_make(c, op, op == EXPR_OP_EQ, nodes, count, location);
}

const expr_node *expr_compile_in(expr_compiler *c, const PgQuery__AExpr *tree) {
    uint32_t location = expr_location(c, tree->location);
    if (tree->rexpr->node_case != PG_QUERY__NODE__NODE_LIST || tree->rexpr->list->n_items == 0)
        return expr_unsupported(c, location, "IN is not understood");
    const PgQuery__List *list = tree->rexpr->list;
    uint8_t op = strcmp(expr_sql_string(tree->name[0]), "<>") == 0 ? EXPR_OP_NEQ : EXPR_OP_EQ;
    const expr_node *value = expr_compile(c, tree->lexpr);
    const expr_node **items = value != NULL ? nodes_compile(c, list->items, list->n_items) : NULL;
    const expr_node **constants = items != NULL ? nodes_room(c, list->n_items + 1) : NULL;
    const expr_node **tests = constants != NULL ? nodes_room(c, list->n_items + 1) : NULL;
    size_t constant_count = 1;
    size_t test_count = 0;
    if (tests == NULL)
        return NULL;
    constants[0] = value;
    for (size_t i = 0; i < list->n_items; i++)
        if (!is_variable(c, items[i]))
            constants[constant_count++] = items[i];
    bool has_array = constant_count > 2;
    if (has_array &&
        (tests[test_count++] = in_constants(c, op, constants, constant_count, location)) == NULL)
        return NULL;
    for (size_t i = 0; i < list->n_items; i++)
        if ((is_variable(c, items[i]) || !has_array) &&
            (tests[test_count++] = expr_compare(c, op, value, items[i], location)) == NULL)
            return NULL;
    if (test_count == 1)
        return tests[0];
    return expr_make(c, op == EXPR_OP_EQ ? &expr_operation_or : &expr_operation_and, boolean,
                     location, tests, test_count);
}

/* ---- CASE, COALESCE, GREATEST, LEAST ---- */

/* The condition of one WHEN: it, or `tested = it`. */
static const expr_node *when_compile(expr_compiler *c, const expr_node *tested,
                                     const PgQuery__CaseWhen *when) {
    if (tested == NULL)
        return expr_compile_boolean(c, when->expr, "CASE/WHEN");
    const expr_node *value = expr_compile(c, when->expr);
    if (value == NULL)
        return NULL;
    return expr_compare(c, EXPR_OP_EQ, tested, value, expr_location(c, when->location));
}

/* PostgreSQL looks at the default first when it seeks the type. */
static bool results_unify(const expr_compiler *c, const expr_node **nodes, size_t whens,
                          expr_type *common, uint32_t location) {
    const expr_node **results = nodes_room(c, whens + 1);
    if (results == NULL)
        return false;
    results[0] = nodes[2 * whens];
    for (size_t i = 0; i < whens; i++)
        results[i + 1] = nodes[2 * i + 1];
    if (!unify(c, results, whens + 1, common, location))
        return false;
    nodes[2 * whens] = results[0];
    for (size_t i = 0; i < whens; i++)
        nodes[2 * i + 1] = results[i + 1];
    return true;
}

static const expr_node *case_tested(expr_compiler *c, const PgQuery__CaseExpr *tree) {
    const expr_node *tested = expr_compile(c, tree->arg);
    if (tested != NULL && expr_type_is(tested->type, EXPR_TYPE_UNKNOWN))
        return expr_coerce(c, tested, expr_type_make(EXPR_TYPE_TEXT));
    return tested;
}

const expr_node *expr_compile_case(expr_compiler *c, const PgQuery__CaseExpr *tree) {
    uint32_t location = expr_location(c, tree->location);
    const expr_node **nodes = nodes_room(c, 2 * tree->n_args + 1);
    const expr_node *tested = NULL;
    expr_type common;
    if (nodes == NULL || (tree->arg != NULL && (tested = case_tested(c, tree)) == NULL))
        return NULL;
    for (size_t i = 0; i < tree->n_args; i++) {
        const PgQuery__CaseWhen *when = tree->args[i]->case_when;
        if ((nodes[2 * i] = when_compile(c, tested, when)) == NULL ||
            (nodes[2 * i + 1] = expr_compile(c, when->result)) == NULL)
            return NULL;
    }
    nodes[2 * tree->n_args] = tree->defresult != NULL
                                  ? expr_compile(c, tree->defresult)
                                  : expr_null(c, expr_type_make(EXPR_TYPE_UNKNOWN), location);
    if (nodes[2 * tree->n_args] == NULL ||
        !results_unify(c, nodes, tree->n_args, &common, location))
        return NULL;
    expr_node *node =
        expr_make(c, &expr_operation_case, common, location, nodes, 2 * tree->n_args + 1);
    if (node == NULL || !expr_type_is_string(common))
        return node;
    const expr_node **results = nodes_room(c, tree->n_args + 1);
    if (results == NULL)
        return NULL;
    for (size_t i = 0; i <= tree->n_args; i++)
        results[i] = node->arguments[i < tree->n_args ? 2 * i + 1 : 2 * i];
    node->collating = expr_collating_of(results, tree->n_args + 1);
    return node;
}

const expr_node *expr_compile_coalesce(expr_compiler *c, const PgQuery__CoalesceExpr *tree) {
    uint32_t location = expr_location(c, tree->location);
    expr_type common;
    const expr_node **nodes = nodes_compile(c, tree->args, tree->n_args);
    if (nodes == NULL || !unify(c, nodes, tree->n_args, &common, location))
        return NULL;
    return expr_make(c, &expr_operation_coalesce, common, location, nodes, tree->n_args);
}

const expr_node *expr_compile_extreme(expr_compiler *c, const PgQuery__MinMaxExpr *tree) {
    uint32_t location = expr_location(c, tree->location);
    expr_type common;
    const expr_node **nodes = nodes_compile(c, tree->args, tree->n_args);
    if (nodes == NULL || !unify(c, nodes, tree->n_args, &common, location))
        return NULL;
    const expr_node *left = nodes[0];
    const expr_node *right = nodes[0];
    uint8_t kind = 0;
    if (!expr_compare_types(c, EXPR_OP_LT, &left, &right, &kind, location))
        return NULL;
    if (expr_type_is_string(common) &&
        !expr_collating_serves(c, expr_collating_of(nodes, tree->n_args), true, location))
        return NULL;
    bool is_greatest = tree->op == PG_QUERY__MIN_MAX_OP__IS_GREATEST;
    expr_node *node = expr_make(c, is_greatest ? &expr_operation_greatest : &expr_operation_least,
                                common, location, nodes, tree->n_args);
    if (node != NULL)
        node->kind = kind;
    return node;
}
