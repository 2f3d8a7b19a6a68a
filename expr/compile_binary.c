/* Arithmetic, text and json operators: their types; see compile_operator.c. */
#include "expr/compile.h"

static const expr_type boolean = {.id = EXPR_TYPE_BOOL};
static const expr_type text_type = {.id = EXPR_TYPE_TEXT};

/* ---- Arithmetic ---- */

/* PostgreSQL's operator for two numbers gives this type. */
static expr_type number_result(expr_type left, expr_type right) {
    if (expr_type_is_integer(left) && expr_type_is_integer(right))
        return left.id > right.id ? left : right;
    if (left.id == EXPR_TYPE_FLOAT4 && right.id == EXPR_TYPE_FLOAT4)
        return left;
    bool has_float = left.id == EXPR_TYPE_FLOAT4 || left.id == EXPR_TYPE_FLOAT8 ||
                     right.id == EXPR_TYPE_FLOAT4 || right.id == EXPR_TYPE_FLOAT8;
    return expr_type_make(has_float ? EXPR_TYPE_FLOAT8 : EXPR_TYPE_NUMERIC);
}

static const expr_operation *arithmetic_operation(expr_type type, char sign) {
    if (expr_type_is_integer(type))
        return &expr_operation_integer_arithmetic;
    if (type.id == EXPR_TYPE_NUMERIC)
        return sign == '/' || sign == '%' ? NULL : &expr_operation_numeric_arithmetic;
    return sign == '%' ? NULL : &expr_operation_real_arithmetic;
}

static const expr_node *sign_make(const expr_compiler *c, char sign, const expr_node *right,
                                  uint32_t location) {
    if (sign == '-' && expr_type_is(right->type, EXPR_TYPE_INTERVAL))
        return expr_make(c, &expr_operation_interval_negate, right->type, location, &right, 1);
    if (!expr_type_is_number(right->type))
        return expr_unsupported(c, location, "a sign before %.*s is not known to the engine",
                                CORE_SLICE_ARGS(expr_type_name(right->type)));
    return sign == '+' ? right
                       : expr_make(c, &expr_operation_negate, right->type, location, &right, 1);
}

const expr_node *expr_arithmetic(const expr_compiler *c, char sign, const expr_node *left,
                                 const expr_node *right, uint32_t location) {
    if ((left != NULL && !expr_extract_serves(c, left)) || !expr_extract_serves(c, right))
        return NULL;
    if (left == NULL)
        return sign_make(c, sign, right, location);
    if (expr_type_is_timed(left->type) || expr_type_is_timed(right->type))
        return expr_time_arithmetic(c, sign, left, right, location);
    bool left_unknown = expr_type_is(left->type, EXPR_TYPE_UNKNOWN);
    bool right_unknown = expr_type_is(right->type, EXPR_TYPE_UNKNOWN);
    if (left_unknown != right_unknown) {
        const expr_node **open = left_unknown ? &left : &right;
        expr_type other = left_unknown ? right->type : left->type;
        if (expr_type_is_number(other) && (*open = expr_coerce(c, *open, other)) == NULL)
            return NULL;
    }
    const expr_operation *operation = NULL;
    if (expr_type_is_number(left->type) && expr_type_is_number(right->type))
        operation = arithmetic_operation(number_result(left->type, right->type), sign);
    if (operation == NULL)
        return expr_unsupported(c, location, "%.*s %c %.*s is not computed by the engine",
                                CORE_SLICE_ARGS(expr_type_name(left->type)), sign,
                                CORE_SLICE_ARGS(expr_type_name(right->type)));
    expr_type type = number_result(left->type, right->type);
    const expr_node *arguments[] = {left, right};
    for (size_t i = 0; i < 2 && !expr_type_is_integer(type); i++)
        if ((arguments[i] = expr_coerce(c, arguments[i], type)) == NULL)
            return NULL;
    expr_node *node = expr_make(c, operation, type, location, arguments, 2);
    if (node != NULL)
        node->option = (uint8_t)sign;
    return node;
}

/* ---- Texts ---- */

static bool may_be_text(const expr_node *node) {
    return expr_type_is_string(node->type) || expr_type_is(node->type, EXPR_TYPE_UNKNOWN);
}

/* Patterns see the blanks of a char(n) at their left. */
static const expr_node *as_matched(const expr_compiler *c, const expr_node *node) {
    return expr_type_is_string(node->type) ? node : expr_coerce(c, node, text_type);
}

static bool pattern_find(const char *name, const expr_operation **operation, uint8_t *option) {
    static const struct {
        const char *name;
        const expr_operation *operation;
        uint8_t option;
    } patterns[] = {
        {"~~", &expr_operation_like, 0},
        {"!~~", &expr_operation_like, EXPR_PATTERN_NEGATED},
        {"~~*", &expr_operation_like, EXPR_PATTERN_FOLD},
        {"!~~*", &expr_operation_like, EXPR_PATTERN_FOLD | EXPR_PATTERN_NEGATED},
        {"~", &expr_operation_regex, 0},
        {"!~", &expr_operation_regex, EXPR_PATTERN_NEGATED},
        {"~*", &expr_operation_regex, EXPR_PATTERN_FOLD},
        {"!~*", &expr_operation_regex, EXPR_PATTERN_FOLD | EXPR_PATTERN_NEGATED},
    };
    for (size_t i = 0; i < CORE_COUNT_OF(patterns); i++) {
        if (strcmp(name, patterns[i].name) != 0)
            continue;
        *operation = patterns[i].operation;
        *option = patterns[i].option;
        return true;
    }
    return false;
}

static const expr_node *pattern_make(const expr_compiler *c, const expr_operation *operation,
                                     uint8_t option, const expr_node *left, const expr_node *right,
                                     uint32_t location) {
    const expr_node *arguments[] = {as_matched(c, left), NULL};
    arguments[1] = arguments[0] != NULL ? expr_coerce(c, right, text_type) : NULL;
    if (arguments[1] == NULL)
        return NULL;
    if (operation == &expr_operation_regex && right->reads_row)
        return expr_unsupported(c, location, "a row's value is not taken for a pattern");
    expr_collating collating = expr_collating_of(arguments, 2);
    if (!expr_collating_serves(c, collating, false, location))
        return NULL;
    expr_node *node = expr_make(c, operation, boolean, location, arguments, 2);
    if (node == NULL)
        return NULL;
    node->option = option;
    node->regex = NULL;
    if (collating.collation != EXPR_COLLATION_C)
        node->option |= EXPR_PATTERN_LOCAL;
    return node;
}

/* One side is a text; the other may be anything with a text that is known. */
static const expr_node *concat_make(const expr_compiler *c, const expr_node *left,
                                    const expr_node *right, uint32_t location) {
    const expr_node *arguments[] = {left, right};
    for (size_t i = 0; i < 2; i++) {
        bool is_other = !may_be_text(arguments[i]);
        arguments[i] = is_other ? expr_cast(c, arguments[i], text_type, location)
                                : expr_coerce(c, arguments[i], text_type);
        if (arguments[i] == NULL)
            return NULL;
    }
    return expr_make(c, &expr_operation_concat, text_type, location, arguments, 2);
}

const expr_node *expr_text_operator(const expr_compiler *c, const char *name, const expr_node *left,
                                    const expr_node *right, uint32_t location) {
    const expr_operation *operation = NULL;
    uint8_t option = 0;
    bool both = may_be_text(left) && may_be_text(right);
    if (both && pattern_find(name, &operation, &option))
        return pattern_make(c, operation, option, left, right, location);
    bool is_concat = strcmp(name, "||") == 0 && !left->type.is_array && !right->type.is_array &&
                     !expr_type_is_json(left->type) && !expr_type_is_json(right->type);
    if (is_concat && (may_be_text(left) || may_be_text(right)))
        return concat_make(c, left, right, location);
    if (!both || strcmp(name, "^@") != 0)
        return NULL;
    const expr_node *arguments[] = {expr_coerce(c, left, text_type), NULL};
    arguments[1] = arguments[0] != NULL ? expr_coerce(c, right, text_type) : NULL;
    if (arguments[1] == NULL)
        return NULL;
    return expr_make(c, &expr_operation_starts_with, boolean, location, arguments, 2);
}

/* ---- json ---- */

/* #> and #>>: the steps are constants. */
static const expr_node *path_make(const expr_compiler *c, const expr_node *document,
                                  const expr_node *path, expr_type type, uint32_t location) {
    expr_type steps = expr_type_array_of(text_type);
    if (expr_type_is(path->type, EXPR_TYPE_UNKNOWN))
        path = expr_coerce(c, path, steps);
    if (path == NULL)
        return NULL;
    if (!expr_node_is_array(path) || !expr_type_is_string((expr_type){.id = path->type.id}))
        return expr_unsupported(c, location, "a path that is no constant is not taken");
    const expr_node **arguments = core_arena_array(&c->condition->arena, path->argument_count + 1u,
                                                   sizeof(const expr_node *));
    if (arguments == NULL)
        return expr_unsupported(c, location, "the expression is too large");
    arguments[0] = document;
    for (size_t i = 0; i < path->argument_count; i++) {
        arguments[i + 1] = path->arguments[i];
        if (!expr_node_is_known(arguments[i + 1]))
            return expr_unsupported(c, location, "a path that is no constant is not taken");
    }
    return expr_make(c, &expr_operation_json_path, type, location, arguments,
                     path->argument_count + 1u);
}

/* -> and ->>. */
static const expr_node *step_make(const expr_compiler *c, const expr_node *document,
                                  const expr_node *step, expr_type type, uint32_t location) {
    const expr_operation *operation = &expr_operation_json_member;
    if (may_be_text(step))
        step = expr_coerce(c, step, text_type);
    else if (expr_type_is(step->type, EXPR_TYPE_INT4) || expr_type_is(step->type, EXPR_TYPE_INT2))
        operation = &expr_operation_json_element;
    else
        return expr_wrong(c, location, "a step into json is a text or an integer");
    const expr_node *arguments[] = {document, step};
    return step != NULL ? expr_make(c, operation, type, location, arguments, 2) : NULL;
}

/* ?| and ?&: one ? for each. */
static const expr_node *exists_several(const expr_compiler *c, const expr_operation *junction,
                                       const expr_node *document, const expr_node *keys,
                                       uint32_t location) {
    if (expr_type_is(keys->type, EXPR_TYPE_UNKNOWN))
        keys = expr_coerce(c, keys, expr_type_array_of(text_type));
    if (keys == NULL)
        return NULL;
    if (!expr_node_is_array(keys) || keys->argument_count == 0)
        return expr_unsupported(c, location, "keys that are no constants are not taken");
    const expr_node **tests =
        core_arena_array(&c->condition->arena, keys->argument_count, sizeof(const expr_node *));
    for (size_t i = 0; tests != NULL && i < keys->argument_count; i++) {
        const expr_node *arguments[] = {document, keys->arguments[i]};
        if (!expr_node_is_known(arguments[1]) || expr_node_is_null(arguments[1]))
            return expr_unsupported(c, location, "keys that are no constants are not taken");
        tests[i] = expr_make(c, &expr_operation_json_exists, boolean, location, arguments, 2);
        if (tests[i] == NULL)
            return NULL;
    }
    if (tests == NULL)
        return expr_unsupported(c, location, "the expression is too large");
    return expr_make(c, junction, boolean, location, tests, keys->argument_count);
}

const expr_node *expr_json_operator(const expr_compiler *c, const char *name, const expr_node *left,
                                    const expr_node *right, uint32_t location) {
    bool is_binary = expr_type_is(left->type, EXPR_TYPE_JSONB);
    if (!expr_type_is_json(left->type))
        return NULL;
    bool is_text = strlen(name) == 3 && name[1] == '>' && name[2] == '>';
    expr_type type = is_text ? text_type : left->type;
    const expr_node *made = NULL;
    if (strcmp(name, "->") == 0 || strcmp(name, "->>") == 0)
        made = step_make(c, left, right, type, location);
    else if (strcmp(name, "#>") == 0 || strcmp(name, "#>>") == 0)
        made = path_make(c, left, right, type, location);
    else if (is_binary && strcmp(name, "?|") == 0)
        return exists_several(c, &expr_operation_or, left, right, location);
    else if (is_binary && strcmp(name, "?&") == 0)
        return exists_several(c, &expr_operation_and, left, right, location);
    else if (is_binary && strcmp(name, "?") == 0 && may_be_text(right)) {
        const expr_node *arguments[] = {left, expr_coerce(c, right, text_type)};
        return arguments[1] == NULL
                   ? NULL
                   : expr_make(c, &expr_operation_json_exists, boolean, location, arguments, 2);
    }
    if (made == NULL || !is_text)
        return made;
    expr_node *copy = expr_node_copy(c->condition, made, c->refusal);
    if (copy != NULL) {
        copy->option = 1;
        copy->collating = (expr_collating){.collation = EXPR_COLLATION_DEFAULT};
    }
    return copy;
}
