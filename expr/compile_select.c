/* Sub-selects that read no table: `( SELECT value )`, `x IN ( SELECT value )`, and with the
 * elements of a json array for the value. All others are refused: they see the database as it is
 * now. */
#include "expr/compile.h"

/* In a node that the planner does not compute, before settings are known. */
static const expr_node *select_around(const expr_compiler *c, const expr_node *node) {
    expr_node *made = expr_make(c, &expr_operation_subselect, node->type, node->location, &node, 1);
    if (made == NULL)
        return NULL;
    made->reads_claims = true;
    made->collating = node->collating;
    made->collating.is_explicit = false;
    return made;
}

/* The value of a sub-select without FROM. */
static const expr_node *select_compile(expr_compiler *c, const PgQuery__SubLink *tree) {
    const PgQuery__Node *value = NULL;
    uint32_t location = expr_location(c, tree->location);
    if (tree->subselect->node_case == PG_QUERY__NODE__NODE_SELECT_STMT)
        value = expr_sql_select_value(tree->subselect->select_stmt);
    if (value == NULL)
        return expr_unsupported(c, location, "a sub-query reads the database");
    c->selects++;
    const expr_node *node = expr_compile(c, value);
    c->selects--;
    if (node != NULL && expr_type_is(node->type, EXPR_TYPE_UNKNOWN))
        node = expr_coerce(c, node, expr_type_make(EXPR_TYPE_TEXT));
    return node == NULL || expr_node_is_array(node) ? node : select_around(c, node);
}

/* ---- The elements of a json array ---- */

/* json_array_elements_text(document), perhaps cast. */
typedef struct {
    const PgQuery__FuncCall *call; /* NULL: it is not that */
    const PgQuery__TypeCast *cast;
} element_source;

static element_source elements_find(const PgQuery__Node *value) {
    element_source source = {.call = NULL};
    if (value->node_case == PG_QUERY__NODE__NODE_TYPE_CAST) {
        source.cast = value->type_cast;
        value = source.cast->arg;
    }
    if (value->node_case != PG_QUERY__NODE__NODE_FUNC_CALL || value->func_call->n_args != 1)
        return source;
    const PgQuery__FuncCall *call = value->func_call;
    const char *name = expr_sql_string(call->funcname[call->n_funcname - 1]);
    const char *schema = call->n_funcname > 1 ? expr_sql_string(call->funcname[0]) : "pg_catalog";
    bool is_catalog = schema != NULL && strcmp(schema, "pg_catalog") == 0;
    bool is_it = is_catalog && name != NULL &&
                 (strcmp(name, "jsonb_array_elements_text") == 0 ||
                  strcmp(name, "json_array_elements_text") == 0);
    source.call = is_it ? call : NULL;
    return source;
}

/* The elements as an array of the type that they are cast to. */
static const expr_node *elements_compile(expr_compiler *c, const element_source *source,
                                         uint32_t location) {
    expr_type type = expr_type_make(EXPR_TYPE_TEXT);
    if (source->cast != NULL && !expr_type_named(c, source->cast->type_name, &type, location))
        return NULL;
    const char *name = expr_sql_string(source->call->funcname[source->call->n_funcname - 1]);
    expr_type document_type = expr_type_make(name[4] == 'b' ? EXPR_TYPE_JSONB : EXPR_TYPE_JSON);
    c->selects++;
    const expr_node *document = expr_compile(c, source->call->args[0]);
    c->selects--;
    if (document == NULL || (document = expr_coerce(c, document, document_type)) == NULL)
        return NULL;
    bool is_plain = !type.is_array && type.id != EXPR_TYPE_ENUM && !expr_type_is_json(type) &&
                    type.id != EXPR_TYPE_BPCHAR && type.id != EXPR_TYPE_NAME;
    if (!is_plain)
        return expr_unsupported(c, location,
                                "elements cast to that type are not known to the "
                                "engine");
    const expr_node *node = expr_make(c, &expr_operation_json_elements, expr_type_array_of(type),
                                      location, &document, 1);
    return node != NULL ? select_around(c, node) : NULL;
}

/* x OP ANY or ALL of them: without elements PostgreSQL does not look at x. */
static const expr_node *elements_compare(expr_compiler *c, const PgQuery__SubLink *tree,
                                         const char *name, const element_source *source) {
    uint32_t location = expr_location(c, tree->location);
    const expr_node *array = elements_compile(c, source, location);
    const expr_node *left = array != NULL ? expr_compile(c, tree->testexpr) : NULL;
    if (left == NULL)
        return NULL;
    if (left->raises || name == NULL || expr_comparison_of(name) < 0)
        return expr_unsupported(c, location, "a sub-query is compared as the engine does not know");
    bool is_any = tree->sub_link_type == PG_QUERY__SUB_LINK_TYPE__ANY_SUBLINK;
    return expr_any_of_array(c, (uint8_t)expr_comparison_of(name), is_any, left, array, location);
}

/* ---- All ---- */

/* NULL: one of another schema. */
static const char *sublink_operator(const PgQuery__SubLink *tree) {
    const char *schema = tree->n_oper_name > 1 ? expr_sql_string(tree->oper_name[0]) : "pg_catalog";
    bool is_catalog = schema != NULL && strcmp(schema, "pg_catalog") == 0;
    return is_catalog ? expr_sql_string(tree->oper_name[tree->n_oper_name - 1]) : NULL;
}

static const PgQuery__Node *value_of(const PgQuery__SubLink *tree) {
    if (tree->subselect->node_case != PG_QUERY__NODE__NODE_SELECT_STMT)
        return NULL;
    return expr_sql_select_value(tree->subselect->select_stmt);
}

/* ( SELECT value ), and x IN ( SELECT value ), x OP ANY/ALL ( SELECT value ): of one row. */
const expr_node *expr_compile_select(expr_compiler *c, const PgQuery__SubLink *tree) {
    uint32_t location = expr_location(c, tree->location);
    const char *name = "=";
    const PgQuery__Node *row = value_of(tree);
    element_source source = {.call = NULL};
    if (row != NULL)
        source = elements_find(row);
    switch (tree->sub_link_type) {
    case PG_QUERY__SUB_LINK_TYPE__EXPR_SUBLINK:
        return select_compile(c, tree);
    case PG_QUERY__SUB_LINK_TYPE__ARRAY_SUBLINK:
        if (source.call != NULL)
            return elements_compile(c, &source, location);
        return expr_unsupported(c, location, "a sub-query reads the database");
    case PG_QUERY__SUB_LINK_TYPE__ANY_SUBLINK:
    case PG_QUERY__SUB_LINK_TYPE__ALL_SUBLINK:
        if (tree->n_oper_name > 0)
            name = sublink_operator(tree);
        break;
    default:
        return expr_unsupported(c, location, "a sub-query reads the database");
    }
    if (source.call != NULL)
        return elements_compare(c, tree, name, &source);
    const expr_node *value = select_compile(c, tree);
    const expr_node *left = value != NULL ? expr_compile(c, tree->testexpr) : NULL;
    if (left == NULL)
        return NULL;
    if (name == NULL || expr_comparison_of(name) < 0 || value->type.is_array)
        return expr_unsupported(c, location, "a sub-query is compared as the engine does not know");
    if (!expr_type_is(left->type, EXPR_TYPE_UNKNOWN) && (left = select_around(c, left)) == NULL)
        return NULL;
    return expr_compare(c, (uint8_t)expr_comparison_of(name), left, value, location);
}
