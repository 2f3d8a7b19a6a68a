/* Calls: the built-in functions that the engine has, settings, and functions in SQL, whose body is
 * compiled in the call's place with the arguments in it. */
#include "expr/compile.h"

#include "expr/text.h"

/* ---- Built-in functions ---- */

typedef struct {
    const char *name;
    uint8_t count;
    uint8_t arguments[EXPR_ARGUMENTS_MAX]; /* expr_type_id */
    uint8_t result;
    const expr_operation *operation;
    uint8_t option;
    bool is_local; /* a locale counts, outside ASCII */
} builtin;

static const builtin builtins[] = {
    {"lower", 1, {EXPR_TYPE_TEXT}, EXPR_TYPE_TEXT, &expr_operation_lower, 0, true},
    {"upper", 1, {EXPR_TYPE_TEXT}, EXPR_TYPE_TEXT, &expr_operation_upper, 0, true},
    {"length", 1, {EXPR_TYPE_TEXT}, EXPR_TYPE_INT4, &expr_operation_length, 0, false},
    {"char_length", 1, {EXPR_TYPE_TEXT}, EXPR_TYPE_INT4, &expr_operation_length, 0, false},
    {"character_length", 1, {EXPR_TYPE_TEXT}, EXPR_TYPE_INT4, &expr_operation_length, 0, false},
    {"btrim", 1, {EXPR_TYPE_TEXT}, EXPR_TYPE_TEXT, &expr_operation_trim, 3, false},
    {"ltrim", 1, {EXPR_TYPE_TEXT}, EXPR_TYPE_TEXT, &expr_operation_trim, 1, false},
    {"rtrim", 1, {EXPR_TYPE_TEXT}, EXPR_TYPE_TEXT, &expr_operation_trim, 2, false},
    {"left", 2, {EXPR_TYPE_TEXT, EXPR_TYPE_INT4}, EXPR_TYPE_TEXT, &expr_operation_left, 0, false},
    {"right", 2, {EXPR_TYPE_TEXT, EXPR_TYPE_INT4}, EXPR_TYPE_TEXT, &expr_operation_right, 0, false},
    {"substr",
     2,
     {EXPR_TYPE_TEXT, EXPR_TYPE_INT4},
     EXPR_TYPE_TEXT,
     &expr_operation_substr,
     0,
     false},
    {"substring",
     2,
     {EXPR_TYPE_TEXT, EXPR_TYPE_INT4},
     EXPR_TYPE_TEXT,
     &expr_operation_substr,
     0,
     false},
    {"substr",
     3,
     {EXPR_TYPE_TEXT, EXPR_TYPE_INT4, EXPR_TYPE_INT4},
     EXPR_TYPE_TEXT,
     &expr_operation_substr,
     0,
     false},
    {"substring",
     3,
     {EXPR_TYPE_TEXT, EXPR_TYPE_INT4, EXPR_TYPE_INT4},
     EXPR_TYPE_TEXT,
     &expr_operation_substr,
     0,
     false},
    {"replace",
     3,
     {EXPR_TYPE_TEXT, EXPR_TYPE_TEXT, EXPR_TYPE_TEXT},
     EXPR_TYPE_TEXT,
     &expr_operation_replace,
     0,
     false},
    {"strpos",
     2,
     {EXPR_TYPE_TEXT, EXPR_TYPE_TEXT},
     EXPR_TYPE_INT4,
     &expr_operation_strpos,
     0,
     false},
    {"position",
     2,
     {EXPR_TYPE_TEXT, EXPR_TYPE_TEXT},
     EXPR_TYPE_INT4,
     &expr_operation_strpos,
     0,
     false},
    {"starts_with",
     2,
     {EXPR_TYPE_TEXT, EXPR_TYPE_TEXT},
     EXPR_TYPE_BOOL,
     &expr_operation_starts_with,
     0,
     false},
    {"split_part",
     3,
     {EXPR_TYPE_TEXT, EXPR_TYPE_TEXT, EXPR_TYPE_INT4},
     EXPR_TYPE_TEXT,
     &expr_operation_split_part,
     0,
     false},
};

static const builtin *builtin_find(const char *name, size_t count) {
    for (size_t i = 0; i < CORE_COUNT_OF(builtins); i++)
        if (builtins[i].count == count && strcmp(builtins[i].name, name) == 0)
            return &builtins[i];
    return NULL;
}

static const expr_node *builtin_make(const expr_compiler *c, const builtin *function,
                                     const expr_node **arguments, uint32_t location) {
    for (size_t i = 0; i < function->count; i++) {
        expr_type type = expr_type_make((expr_type_id)function->arguments[i]);
        if (!expr_type_is_implicit(arguments[i]->type, type))
            return expr_unsupported(c, location, "%s of %.*s is not known to the engine",
                                    function->name,
                                    CORE_SLICE_ARGS(expr_type_name(arguments[i]->type)));
        if ((arguments[i] = expr_coerce(c, arguments[i], type)) == NULL)
            return NULL;
    }
    expr_collating collating = expr_collating_of(arguments, function->count);
    bool compares = function->count > 1 && function->arguments[1] == EXPR_TYPE_TEXT;
    if ((compares || function->is_local) && !expr_collating_serves(c, collating, false, location))
        return NULL;
    expr_node *node =
        expr_make(c, function->operation, expr_type_make((expr_type_id)function->result), location,
                  arguments, function->count);
    if (node == NULL)
        return NULL;
    node->option = function->option;
    if (function->is_local && collating.collation != EXPR_COLLATION_C)
        node->option |= EXPR_PATTERN_LOCAL;
    return node;
}

/* string_to_array(text, separator): of constants that are not null. */
static const expr_node *split_make(const expr_compiler *c, const expr_node **arguments,
                                   uint32_t location) {
    expr_type type = expr_type_make(EXPR_TYPE_TEXT);
    for (size_t i = 0; i < 2; i++)
        if ((arguments[i] = expr_coerce(c, arguments[i], type)) == NULL)
            return NULL;
    if (!expr_node_is_known(arguments[1]) || expr_node_is_null(arguments[1]))
        return expr_unsupported(c, location, "a separator that is no constant is not taken");
    if (!expr_collating_serves(c, expr_collating_of(arguments, 2), false, location))
        return NULL;
    return expr_make(c, &expr_operation_string_to_array, expr_type_array_of(type), location,
                     arguments, 2);
}

static const expr_node *absolute_make(const expr_compiler *c, const expr_node *argument,
                                      uint32_t location) {
    if (!expr_extract_serves(c, argument))
        return NULL;
    if (!expr_type_is_number(argument->type))
        return expr_unsupported(c, location, "abs of %.*s is not known to the engine",
                                CORE_SLICE_ARGS(expr_type_name(argument->type)));
    return expr_make(c, &expr_operation_absolute, argument->type, location, &argument, 1);
}

/* Why a function that many know is not here; NULL: there is nothing to say. */
static const char *refusal_reason(const char *name) {
    static const char *const times[] = {
        "now", "clock_timestamp", "statement_timestamp", "transaction_timestamp", "timeofday",
        "age",
    };
    static const char *const others[] = {"random", "gen_random_uuid", "uuid_generate_v4", "nextval",
                                         "txid_current"};
    for (size_t i = 0; i < CORE_COUNT_OF(times); i++)
        if (strcmp(name, times[i]) == 0)
            return "its result hangs on the time or its zone";
    for (size_t i = 0; i < CORE_COUNT_OF(others); i++)
        if (strcmp(name, others[i]) == 0)
            return "its result is another each time";
    return NULL;
}

/* ---- Settings ---- */

static const expr_node *setting_make(const expr_compiler *c, const expr_operation *operation,
                                     expr_type_id type, uint32_t location) {
    expr_node *node = expr_make(c, operation, expr_type_make(type), location, NULL, 0);
    if (node != NULL) {
        node->reads_claims = true;
        if (type == EXPR_TYPE_NAME)
            node->collating.collation = EXPR_COLLATION_C;
    }
    return node;
}

static bool begins_word(core_slice text, const char *word) {
    size_t length = strlen(word);
    return text.length > length && expr_text_is_word(core_slice_make(text.data, length), word);
}

/* current_setting(name [, missing_ok]): nobody but Walcast sets what begins with "request.". */
static const expr_node *current_setting_make(const expr_compiler *c,
                                             const expr_node *const *arguments, size_t count,
                                             uint32_t location) {
    const expr_node *name = expr_coerce(c, arguments[0], expr_type_make(EXPR_TYPE_TEXT));
    const expr_node *may_miss = NULL;
    if (name == NULL)
        return NULL;
    if (count == 2 &&
        (may_miss = expr_coerce(c, arguments[1], expr_type_make(EXPR_TYPE_BOOL))) == NULL)
        return NULL;
    bool is_plain =
        expr_node_is_known(name) && !expr_node_is_null(name) &&
        (may_miss == NULL || (expr_node_is_known(may_miss) && !expr_node_is_null(may_miss)));
    if (!is_plain)
        return expr_unsupported(c, location, "current_setting is only known of constants");
    core_slice text = name->constant.scalar.text;
    if (expr_text_is_word(text, "request.jwt.claims"))
        return setting_make(c, &expr_operation_claims, EXPR_TYPE_TEXT, location);
    if (expr_text_is_word(text, "role"))
        return setting_make(c, &expr_operation_role, EXPR_TYPE_TEXT, location);
    if (!begins_word(text, "request."))
        return expr_unsupported(c, location, "setting \"%.*s\" is not known to the engine",
                                (int)(text.length < 80 ? text.length : 80),
                                (const char *)text.data);
    if (may_miss == NULL || may_miss->constant.scalar.integer == 0)
        return expr_unsupported(c, location, "setting \"%.*s\" is never set: PostgreSQL fails",
                                (int)(text.length < 80 ? text.length : 80),
                                (const char *)text.data);
    return setting_make(c, &expr_operation_unset, EXPR_TYPE_TEXT, location);
}

const expr_node *expr_compile_value_function(expr_compiler *c,
                                             const PgQuery__SQLValueFunction *tree) {
    uint32_t location = expr_location(c, tree->location);
    switch (tree->op) {
    case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_CURRENT_ROLE:
    case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_CURRENT_USER:
    case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_USER:
        return setting_make(c, &expr_operation_role, EXPR_TYPE_NAME, location);
    case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_SESSION_USER:
    case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_CURRENT_CATALOG:
    case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_CURRENT_SCHEMA:
        return expr_unsupported(c, location, "what the session is, is not known to the engine");
    default:
        return expr_unsupported(c, location, "the result hangs on the time");
    }
}

/* ---- Functions in SQL ---- */

/* The arguments as the function's types. */
static bool arguments_cast(const expr_compiler *c, const expr_function *function,
                           const expr_node **arguments, uint32_t location) {
    for (size_t i = 0; i < function->argument_count; i++) {
        expr_type type = expr_type_of_oid(function->argument_oids[i]);
        if (!expr_extract_serves(c, arguments[i]))
            return false;
        if (type.id == EXPR_TYPE_NONE || !expr_type_is_implicit(arguments[i]->type, type))
            return expr_unsupported(c, location, "an argument's type is not known to the engine") !=
                   NULL;
        if ((arguments[i] = expr_coerce(c, arguments[i], type)) == NULL)
            return false;
    }
    return true;
}

static const expr_node *body_compile(expr_compiler *c, const expr_function *function,
                                     const char *name, const expr_node *const *arguments,
                                     uint32_t location) {
    expr_call call = {.function = function,
                      .name = name,
                      .arguments = arguments,
                      .location = location,
                      .depth = c->call != NULL ? c->call->depth + 1 : 1};
    expr_sql sql;
    if (call.depth > EXPR_CALL_DEPTH_MAX)
        return expr_unsupported(c, location, "functions call each other too deeply");
    if (!expr_sql_parse_body(function->body, &sql, c->refusal)) {
        (void)core_error_wrap(&c->refusal->error, "in function %s", name);
        c->refusal->position =
            location > 0 ? expr_sql_position(c->spec->text, 0, (int64_t)location - 1) : 0;
        c->refusal->kind =
            c->refusal->kind == EXPR_REFUSED_WRONG ? EXPR_REFUSED_UNSUPPORTED : c->refusal->kind;
        return NULL;
    }
    const expr_call *outer = c->call;
    size_t prefix = c->prefix;
    c->call = &call;
    c->prefix = sql.prefix;
    const expr_node *node = expr_compile(c, sql.expression);
    c->call = outer;
    c->prefix = prefix;
    expr_sql_free(&sql);
    return node;
}

/* NULL when an argument is. */
static const expr_node *strict_make(const expr_compiler *c, const expr_node *body,
                                    const expr_node *const *arguments, size_t count,
                                    uint32_t location) {
    const expr_node *nodes[2 * EXPR_FUNCTION_ARGUMENTS_MAX + 1];
    for (size_t i = 0; i < count; i++) {
        nodes[2 * i] = expr_make(c, &expr_operation_is_null, expr_type_make(EXPR_TYPE_BOOL),
                                 location, &arguments[i], 1);
        nodes[2 * i + 1] = expr_null(c, body->type, location);
        if (nodes[2 * i] == NULL || nodes[2 * i + 1] == NULL)
            return NULL;
    }
    nodes[2 * count] = body;
    return expr_make(c, &expr_operation_case, body->type, location, nodes, 2 * count + 1);
}

/* A function's texts are all compared by what its arguments have together. */
static const expr_node *collating_set(const expr_compiler *c, const expr_node *node,
                                      expr_collating collating) {
    if (!expr_type_is_string(node->type))
        return node;
    expr_node *copy = expr_node_copy(c->condition, node, c->refusal);
    if (copy != NULL)
        copy->collating = collating;
    return copy;
}

static const expr_node *collated_body(expr_compiler *c, const expr_function *function,
                                      const char *name, const expr_node **arguments,
                                      uint32_t location) {
    expr_collating collating = expr_collating_of(arguments, function->argument_count);
    collating.is_explicit = false;
    for (size_t i = 0; i < function->argument_count; i++)
        if ((arguments[i] = collating_set(c, arguments[i], collating)) == NULL)
            return NULL;
    const expr_node *body = body_compile(c, function, name, arguments, location);
    return body != NULL ? collating_set(c, body, collating) : NULL;
}

static const expr_node *function_inline(expr_compiler *c, const expr_function *function,
                                        const char *name, const expr_node **arguments,
                                        uint32_t location) {
    expr_type result = expr_type_of_oid(function->result_oid);
    if (result.id == EXPR_TYPE_NONE || result.is_array)
        return expr_unsupported(c, location,
                                "the function's result is of a type that the engine "
                                "does not know");
    if (!arguments_cast(c, function, arguments, location))
        return NULL;
    const expr_node *body = collated_body(c, function, name, arguments, location);
    if (body == NULL)
        return NULL;
    if (!expr_type_is_implicit(body->type, result))
        return expr_unsupported(c, location, "the function's body is of another type than it");
    body = expr_coerce(c, body, result);
    if (body == NULL || !function->is_strict || function->argument_count == 0)
        return body;
    return strict_make(c, body, arguments, function->argument_count, location);
}

/* ---- Calls ---- */

static bool call_is_plain(const PgQuery__FuncCall *tree) {
    return tree->n_agg_order == 0 && tree->agg_filter == NULL && tree->over == NULL &&
           !tree->agg_within_group && !tree->agg_star && !tree->agg_distinct &&
           !tree->func_variadic && tree->n_funcname >= 1 && tree->n_funcname <= 2 &&
           tree->n_args <= EXPR_FUNCTION_ARGUMENTS_MAX;
}

static const expr_node *catalog_call(const expr_compiler *c, const char *name,
                                     const expr_node **arguments, size_t count, uint32_t location) {
    const builtin *function = builtin_find(name, count);
    if (function != NULL)
        return builtin_make(c, function, arguments, location);
    if (count == 1 && strcmp(name, "abs") == 0)
        return absolute_make(c, arguments[0], location);
    if (count == 2 && strcmp(name, "string_to_array") == 0)
        return split_make(c, arguments, location);
    if ((count == 1 || count == 2) && strcmp(name, "current_setting") == 0)
        return current_setting_make(c, arguments, count, location);
    return expr_time_call(c, name, arguments, count, location);
}

const expr_node *expr_compile_call(expr_compiler *c, const PgQuery__FuncCall *tree) {
    uint32_t location = expr_location(c, tree->location);
    const expr_node *arguments[EXPR_FUNCTION_ARGUMENTS_MAX];
    const char *name =
        tree->n_funcname > 0 ? expr_sql_string(tree->funcname[tree->n_funcname - 1]) : NULL;
    const char *schema = tree->n_funcname > 1 ? expr_sql_string(tree->funcname[0]) : "";
    if (!call_is_plain(tree) || name == NULL || schema == NULL)
        return expr_unsupported(c, location, "a call of this form is not known to the engine");
    for (size_t i = 0; i < tree->n_args; i++)
        if ((arguments[i] = expr_compile(c, tree->args[i])) == NULL)
            return NULL;
    bool is_catalog = schema[0] == '\0' || strcmp(schema, "pg_catalog") == 0;
    const expr_node *node =
        is_catalog ? catalog_call(c, name, arguments, tree->n_args, location) : NULL;
    if (node != NULL || c->refusal->kind != EXPR_REFUSED_NOT)
        return node;
    expr_function function = {0};
    if (c->spec->function != NULL && strcmp(schema, "pg_catalog") != 0 &&
        c->spec->function(c->spec->context, core_slice_text(schema), core_slice_text(name),
                          tree->n_args, &function) &&
        function.argument_count == tree->n_args)
        return function_inline(c, &function, name, arguments, location);
    const char *reason = is_catalog ? refusal_reason(name) : NULL;
    return expr_unsupported(c, location, "function %s%s%s is not known to the engine%s%s", schema,
                            schema[0] != '\0' ? "." : "", name, reason != NULL ? ": " : "",
                            reason != NULL ? reason : "");
}
