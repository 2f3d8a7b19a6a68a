/* @>, <@ and &&: of jsonb, and of a row's array with elements that are written out. */
#include "expr/compile.h"

static const expr_type boolean = {.id = EXPR_TYPE_BOOL};

static const expr_node *json_contains(const expr_compiler *c, const expr_node *left,
                                      const expr_node *right, uint32_t location) {
    expr_type type = expr_type_make(EXPR_TYPE_JSONB);
    const expr_node *arguments[] = {expr_coerce(c, left, type), NULL};
    arguments[1] = arguments[0] != NULL ? expr_coerce(c, right, type) : NULL;
    if (arguments[1] == NULL)
        return NULL;
    return expr_make(c, &expr_operation_json_contains, boolean, location, arguments, 2);
}

static const expr_node *array_contains(const expr_compiler *c, const expr_node *array,
                                       const expr_node *elements, bool is_all, uint32_t location) {
    if (expr_type_is(elements->type, EXPR_TYPE_UNKNOWN) &&
        (elements = expr_coerce(c, elements, array->type)) == NULL)
        return NULL;
    bool is_known = !expr_node_is_array(array) && expr_node_is_array(elements) &&
                    expr_type_equal(array->type, elements->type);
    if (!is_known)
        return expr_unsupported(c, location,
                                "arrays are only compared with elements that are written out");
    const expr_node **nodes = core_arena_array(&c->condition->arena, elements->argument_count + 1u,
                                               sizeof(const expr_node *));
    if (nodes == NULL)
        return expr_unsupported(c, location, "the expression is too large");
    nodes[0] = array;
    for (size_t i = 0; i < elements->argument_count; i++)
        nodes[i + 1] = elements->arguments[i];
    expr_type element = array->type;
    element.is_array = false;
    if (element.id == EXPR_TYPE_JSON || element.id == EXPR_TYPE_JSONB)
        return expr_unsupported(c, location, "arrays of json are not compared");
    if (expr_type_is_string(element) &&
        !expr_collating_serves(c, expr_collating_of(nodes, elements->argument_count + 1u), false,
                               location))
        return NULL;
    expr_node *node =
        expr_make(c, is_all ? &expr_operation_array_contains : &expr_operation_array_overlaps,
                  boolean, location, nodes, elements->argument_count + 1u);
    if (node != NULL)
        node->kind = (uint8_t)expr_type_kind(element);
    return node;
}

const expr_node *expr_contains_operator(const expr_compiler *c, const char *name,
                                        const expr_node *left, const expr_node *right,
                                        uint32_t location) {
    bool is_overlap = strcmp(name, "&&") == 0;
    bool is_within = strcmp(name, "<@") == 0;
    if (!is_overlap && !is_within && strcmp(name, "@>") != 0)
        return NULL;
    const expr_node *outer = is_within ? right : left;
    const expr_node *inner = is_within ? left : right;
    if (is_overlap && expr_node_is_array(outer)) { /* it does not matter which */
        outer = right;
        inner = left;
    }
    if (outer->type.is_array)
        return array_contains(c, outer, inner, !is_overlap, location);
    bool is_json = expr_type_is(outer->type, EXPR_TYPE_JSONB) ||
                   (expr_type_is(outer->type, EXPR_TYPE_UNKNOWN) &&
                    expr_type_is(inner->type, EXPR_TYPE_JSONB));
    bool fits =
        expr_type_is(inner->type, EXPR_TYPE_JSONB) || expr_type_is(inner->type, EXPR_TYPE_UNKNOWN);
    return is_json && fits && !is_overlap ? json_contains(c, outer, inner, location) : NULL;
}
