/* Operators: what types each takes and how PostgreSQL brings its arguments to them
 * (src/backend/parser/parse_oper.c, for these types alone). */
#include "expr/compile.h"

static const expr_type boolean = {.id = EXPR_TYPE_BOOL};

int expr_comparison_of(const char *name) {
    static const struct {
        const char *name;
        expr_op op;
    } comparisons[] = {{"=", EXPR_OP_EQ},   {"<>", EXPR_OP_NEQ}, {"<", EXPR_OP_LT},
                       {"<=", EXPR_OP_LTE}, {">", EXPR_OP_GT},   {">=", EXPR_OP_GTE}};
    for (size_t i = 0; i < CORE_COUNT_OF(comparisons); i++)
        if (strcmp(name, comparisons[i].name) == 0)
            return comparisons[i].op;
    return -1;
}

/* ---- What two types are compared as ---- */

typedef enum { COMPARED, NO_OPERATOR, NOT_KNOWN } comparability;

static comparability number_common(expr_type left, expr_type right, expr_type *common) {
    if (left.id == EXPR_TYPE_OID || right.id == EXPR_TYPE_OID) {
        *common = expr_type_make(EXPR_TYPE_OID);
        return left.id == right.id ? COMPARED : NOT_KNOWN;
    }
    if (expr_type_is_integer(left) && expr_type_is_integer(right))
        *common = expr_type_make(EXPR_TYPE_INT8); /* held alike: there is nothing to cast */
    else if (left.id == EXPR_TYPE_FLOAT4 && right.id == EXPR_TYPE_FLOAT4)
        *common = left;
    else if (left.id == EXPR_TYPE_FLOAT4 || left.id == EXPR_TYPE_FLOAT8 ||
             right.id == EXPR_TYPE_FLOAT4 || right.id == EXPR_TYPE_FLOAT8)
        *common = expr_type_make(EXPR_TYPE_FLOAT8);
    else
        *common = expr_type_make(EXPR_TYPE_NUMERIC);
    return COMPARED;
}

/* char(n) beside text is a text, beside varchar one of char(n)'s kind. */
static comparability string_common(expr_type left, expr_type right, expr_type *common) {
    bool left_padded = left.id == EXPR_TYPE_BPCHAR;
    bool right_padded = right.id == EXPR_TYPE_BPCHAR;
    expr_type_id other = left_padded ? right.id : left.id;
    *common = expr_type_make(EXPR_TYPE_TEXT);
    if (!left_padded && !right_padded)
        return COMPARED;
    if (other == EXPR_TYPE_NAME)
        return NOT_KNOWN;
    if (other != EXPR_TYPE_TEXT)
        *common = expr_type_make(EXPR_TYPE_BPCHAR);
    return COMPARED;
}

static comparability common_of(expr_type left, expr_type right, expr_type *common) {
    bool left_unknown = expr_type_is(left, EXPR_TYPE_UNKNOWN);
    bool right_unknown = expr_type_is(right, EXPR_TYPE_UNKNOWN);
    if (left_unknown || right_unknown) {
        *common = left_unknown ? right : left;
        if (left_unknown && right_unknown)
            *common = expr_type_make(EXPR_TYPE_TEXT);
        bool is_json = expr_type_is(*common, EXPR_TYPE_JSON);
        return is_json                                            ? NO_OPERATOR
               : common->is_array || common->id == EXPR_TYPE_NONE ? NOT_KNOWN
                                                                  : COMPARED;
    }
    if (left.is_array || right.is_array || left.id == EXPR_TYPE_NONE || right.id == EXPR_TYPE_NONE)
        return NOT_KNOWN;
    *common = left;
    bool is_number = expr_type_is_number(left) || left.id == EXPR_TYPE_OID;
    bool is_number_too = expr_type_is_number(right) || right.id == EXPR_TYPE_OID;
    if (is_number && is_number_too)
        return number_common(left, right, common);
    if (expr_type_is_string(left) && expr_type_is_string(right))
        return string_common(left, right, common);
    if (expr_type_equal(left, right))
        return left.id == EXPR_TYPE_JSON ? NO_OPERATOR : COMPARED;
    bool has_interval = left.id == EXPR_TYPE_INTERVAL || right.id == EXPR_TYPE_INTERVAL;
    if (has_interval && (left.id == EXPR_TYPE_TIME || right.id == EXPR_TYPE_TIME))
        return NOT_KNOWN;
    if (!expr_type_is_time(left) || !expr_type_is_time(right))
        return NO_OPERATOR;
    *common = expr_type_make(EXPR_TYPE_TIMESTAMP);
    bool has_zone = left.id == EXPR_TYPE_TIMESTAMPTZ || right.id == EXPR_TYPE_TIMESTAMPTZ;
    return has_zone ? NOT_KNOWN : COMPARED;
}

static bool order_is_known(const expr_compiler *c, expr_type type, uint32_t location) {
    if (type.id != EXPR_TYPE_ENUM && type.id != EXPR_TYPE_JSONB)
        return true;
    (void)expr_unsupported(c, location, "the order of type %.*s is not known to the engine",
                           CORE_SLICE_ARGS(expr_type_name(type)));
    return false;
}

/* Integers are left as they are, and so is name beside text: it is held like it. */
static const expr_node *as_common(const expr_compiler *c, const expr_node *node, expr_type common) {
    bool is_held_so = expr_type_is_integer(node->type) && expr_type_is_integer(common);
    return is_held_so ? node : expr_coerce(c, node, common);
}

bool expr_compare_types(const expr_compiler *c, uint8_t op, const expr_node **left,
                        const expr_node **right, uint8_t *kind, uint32_t location) {
    expr_type common;
    if (!expr_extract_compares(c, *left, *right, location))
        return false;
    comparability can = common_of((*left)->type, (*right)->type, &common);
    if (can != COMPARED) {
        (void)(can == NO_OPERATOR ? expr_wrong : expr_unsupported)(
            c, location, "no comparison of %.*s with %.*s is known%s",
            CORE_SLICE_ARGS(expr_type_name((*left)->type)),
            CORE_SLICE_ARGS(expr_type_name((*right)->type)),
            can == NO_OPERATOR ? "" : " to the engine");
        return false;
    }
    bool orders = op != EXPR_OP_EQ && op != EXPR_OP_NEQ;
    if (orders && !order_is_known(c, common, location))
        return false;
    if ((*left = as_common(c, *left, common)) == NULL ||
        (*right = as_common(c, *right, common)) == NULL)
        return false;
    const expr_node *both[] = {*left, *right};
    *kind =
        expr_type_is(common, EXPR_TYPE_JSONB) ? EXPR_KIND_JSONB : (uint8_t)expr_type_kind(common);
    return !expr_type_is_string(common) ||
           expr_collating_serves(c, expr_collating_of(both, 2), orders, location);
}

const expr_node *expr_compare(const expr_compiler *c, uint8_t op, const expr_node *left,
                              const expr_node *right, uint32_t location) {
    uint8_t kind = 0;
    if (!expr_compare_types(c, op, &left, &right, &kind, location))
        return NULL;
    const expr_node *arguments[] = {left, right};
    expr_node *node = expr_make(c, &expr_operation_compare, boolean, location, arguments, 2);
    if (node != NULL) {
        node->kind = kind;
        node->option = op;
    }
    return node;
}

/* ---- Operators by name ---- */

/* The last part; NULL, with a refusal, when the operator is of another schema. */
static const char *operator_name(const expr_compiler *c, const PgQuery__AExpr *tree) {
    const char *schema = tree->n_name > 1 ? expr_sql_string(tree->name[0]) : "pg_catalog";
    const char *name = tree->n_name > 0 ? expr_sql_string(tree->name[tree->n_name - 1]) : NULL;
    if (name != NULL && schema != NULL && strcmp(schema, "pg_catalog") == 0)
        return name;
    (void)expr_unsupported(c, expr_location(c, tree->location),
                           "an operator of another schema is not known to the engine");
    return NULL;
}

static const expr_node *binary_compile(const expr_compiler *c, const char *name,
                                       const expr_node *left, const expr_node *right,
                                       uint32_t location) {
    int op = expr_comparison_of(name);
    if (op >= 0)
        return expr_compare(c, (uint8_t)op, left, right, location);
    if (strlen(name) == 1 && strchr("+-*/%", name[0]) != NULL)
        return expr_arithmetic(c, name[0], left, right, location);
    const expr_node *node = expr_text_operator(c, name, left, right, location);
    if (node == NULL && c->refusal->kind == EXPR_REFUSED_NOT)
        node = expr_json_operator(c, name, left, right, location);
    if (node == NULL && c->refusal->kind == EXPR_REFUSED_NOT)
        node = expr_contains_operator(c, name, left, right, location);
    if (node == NULL && c->refusal->kind == EXPR_REFUSED_NOT)
        return expr_unsupported(c, location,
                                "operator %s between %.*s and %.*s is not known to "
                                "the engine",
                                name, CORE_SLICE_ARGS(expr_type_name(left->type)),
                                CORE_SLICE_ARGS(expr_type_name(right->type)));
    return node;
}

static const expr_node *plain_compile(expr_compiler *c, const PgQuery__AExpr *tree) {
    uint32_t location = expr_location(c, tree->location);
    const char *name = operator_name(c, tree);
    const expr_node *left = NULL;
    if (name == NULL)
        return NULL;
    if (tree->lexpr != NULL && (left = expr_compile(c, tree->lexpr)) == NULL)
        return NULL;
    const expr_node *right = expr_compile(c, tree->rexpr);
    if (right == NULL)
        return NULL;
    if (left != NULL)
        return binary_compile(c, name, left, right, location);
    if (strcmp(name, "-") == 0 || strcmp(name, "+") == 0)
        return expr_arithmetic(c, name[0], NULL, right, location);
    return expr_unsupported(c, location, "operator %s is not known to the engine", name);
}

static bool is_null_literal(const expr_node *node) {
    return expr_type_is(node->type, EXPR_TYPE_UNKNOWN) && expr_node_is_null(node);
}

static const expr_node *distinct_compile(expr_compiler *c, const PgQuery__AExpr *tree) {
    uint32_t location = expr_location(c, tree->location);
    uint8_t option = tree->kind == PG_QUERY__A__EXPR__KIND__AEXPR_NOT_DISTINCT ? 1 : 0;
    const expr_node *arguments[2];
    uint8_t kind = 0;
    if ((arguments[0] = expr_compile(c, tree->lexpr)) == NULL ||
        (arguments[1] = expr_compile(c, tree->rexpr)) == NULL)
        return NULL;
    bool is_test = is_null_literal(arguments[0]) || is_null_literal(arguments[1]);
    if (is_test) /* as PostgreSQL writes it anew: IS NOT NULL */
        return expr_null_test(c, arguments[is_null_literal(arguments[1]) ? 0 : 1], option == 0,
                              location);
    if (!expr_compare_types(c, EXPR_OP_EQ, &arguments[0], &arguments[1], &kind, location))
        return NULL;
    expr_node *node = expr_make(c, &expr_operation_distinct, boolean, location, arguments, 2);
    if (node != NULL) {
        node->kind = kind;
        node->option = option;
    }
    return node;
}

static const expr_node *nullif_compile(expr_compiler *c, const PgQuery__AExpr *tree) {
    uint32_t location = expr_location(c, tree->location);
    const expr_node *arguments[2];
    uint8_t kind = 0;
    if ((arguments[0] = expr_compile(c, tree->lexpr)) == NULL ||
        (arguments[1] = expr_compile(c, tree->rexpr)) == NULL ||
        !expr_extract_serves(c, arguments[0]) ||
        !expr_compare_types(c, EXPR_OP_EQ, &arguments[0], &arguments[1], &kind, location))
        return NULL;
    expr_node *node =
        expr_make(c, &expr_operation_nullif, arguments[0]->type, location, arguments, 2);
    if (node != NULL)
        node->kind = kind;
    return node;
}

/* x >= low AND x <= high. */
static const expr_node *between_compile(expr_compiler *c, const PgQuery__AExpr *tree) {
    uint32_t location = expr_location(c, tree->location);
    bool is_negated = tree->kind == PG_QUERY__A__EXPR__KIND__AEXPR_NOT_BETWEEN;
    if (tree->rexpr->node_case != PG_QUERY__NODE__NODE_LIST || tree->rexpr->list->n_items != 2)
        return expr_unsupported(c, location, "BETWEEN is not understood");
    const expr_node *value = expr_compile(c, tree->lexpr);
    const expr_node *low = value != NULL ? expr_compile(c, tree->rexpr->list->items[0]) : NULL;
    const expr_node *high = low != NULL ? expr_compile(c, tree->rexpr->list->items[1]) : NULL;
    if (high == NULL)
        return NULL;
    const expr_node *ends[2];
    ends[0] = expr_compare(c, is_negated ? EXPR_OP_LT : EXPR_OP_GTE, value, low, location);
    if (ends[0] == NULL)
        return NULL;
    ends[1] = expr_compare(c, is_negated ? EXPR_OP_GT : EXPR_OP_LTE, value, high, location);
    if (ends[1] == NULL)
        return NULL;
    return expr_make(c, is_negated ? &expr_operation_or : &expr_operation_and, boolean, location,
                     ends, 2);
}

const expr_node *expr_compile_operator(expr_compiler *c, const PgQuery__AExpr *tree) {
    const char *name = NULL;
    switch (tree->kind) {
    case PG_QUERY__A__EXPR__KIND__AEXPR_OP:
    case PG_QUERY__A__EXPR__KIND__AEXPR_LIKE:
    case PG_QUERY__A__EXPR__KIND__AEXPR_ILIKE:
        return plain_compile(c, tree);
    case PG_QUERY__A__EXPR__KIND__AEXPR_OP_ANY:
    case PG_QUERY__A__EXPR__KIND__AEXPR_OP_ALL:
        name = operator_name(c, tree);
        return name != NULL ? expr_compile_quantified(c, tree, name) : NULL;
    case PG_QUERY__A__EXPR__KIND__AEXPR_IN:
        return expr_compile_in(c, tree);
    case PG_QUERY__A__EXPR__KIND__AEXPR_DISTINCT:
    case PG_QUERY__A__EXPR__KIND__AEXPR_NOT_DISTINCT:
        return distinct_compile(c, tree);
    case PG_QUERY__A__EXPR__KIND__AEXPR_NULLIF:
        return nullif_compile(c, tree);
    case PG_QUERY__A__EXPR__KIND__AEXPR_BETWEEN:
    case PG_QUERY__A__EXPR__KIND__AEXPR_NOT_BETWEEN:
        return between_compile(c, tree);
    default:
        return expr_unsupported(c, expr_location(c, tree->location),
                                "SIMILAR TO and BETWEEN SYMMETRIC are not known to the engine");
    }
}
