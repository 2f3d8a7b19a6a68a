/* The parse tree's nodes one by one: constants, columns, boolean logic; the rest goes to the other
 * compile_*.c. What is not named here is refused as unsupported. */
#include "expr/compile.h"

#include <stdarg.h>
#include <stdio.h>

uint32_t expr_location(const expr_compiler *c, int64_t location) {
    if (c->call != NULL)
        return c->call->location;
    return location >= (int64_t)c->prefix ? (uint32_t)(location - (int64_t)c->prefix + 1) : 0;
}

static const expr_node *refuse(const expr_compiler *c, expr_refusal_kind kind, uint32_t location,
                               const char *format, va_list arguments) {
    char text[CORE_ERROR_TEXT_MAX];
    (void)vsnprintf(text, sizeof text, format, arguments);
    size_t position = location > 0 ? expr_sql_position(c->spec->text, 0, (int64_t)location - 1) : 0;
    if (c->call != NULL)
        (void)expr_refuse(c->refusal, kind, position, "in function %s: %s", c->call->name, text);
    else
        (void)expr_refuse(c->refusal, kind, position, "%s", text);
    return NULL;
}

const expr_node *expr_unsupported(const expr_compiler *c, uint32_t location, const char *format,
                                  ...) {
    va_list arguments;
    va_start(arguments, format);
    (void)refuse(c, EXPR_REFUSED_UNSUPPORTED, location, format, arguments);
    va_end(arguments);
    return NULL;
}

const expr_node *expr_wrong(const expr_compiler *c, uint32_t location, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    (void)refuse(c, EXPR_REFUSED_WRONG, location, format, arguments);
    va_end(arguments);
    return NULL;
}

/* ---- Collations ---- */

/* As src/backend/parser/parse_collate.c joins them: explicit ones first, then any but the
 * database's. Two others may be two different ones. */
static expr_collating collating_join(expr_collating left, expr_collating right) {
    if (left.is_explicit != right.is_explicit)
        return left.is_explicit ? left : right;
    if (left.collation == EXPR_COLLATION_DEFAULT)
        return right;
    if (right.collation == EXPR_COLLATION_DEFAULT)
        return left;
    bool is_column = left.column != 0 && left.column == right.column;
    bool same =
        left.collation == right.collation && (left.collation == EXPR_COLLATION_C || is_column);
    left.column = is_column ? left.column : 0;
    left.conflicts = left.conflicts || right.conflicts || !same;
    if (right.collation == EXPR_COLLATION_LOOSE)
        left.collation = EXPR_COLLATION_LOOSE;
    return left;
}

expr_collating expr_collating_of(const expr_node *const *nodes, size_t count) {
    expr_collating joined = {.collation = EXPR_COLLATION_DEFAULT};
    for (size_t i = 0; i < count; i++)
        if (expr_type_is_string(nodes[i]->type) || nodes[i]->type.is_array)
            joined = collating_join(joined, nodes[i]->collating);
    return joined;
}

bool expr_collating_serves(const expr_compiler *c, expr_collating collating, bool orders,
                           uint32_t location) {
    if (collating.conflicts)
        (void)expr_unsupported(c, location, "which collation counts is not sure: name one");
    else if (collating.collation == EXPR_COLLATION_LOOSE)
        (void)expr_unsupported(c, location, "a collation is not deterministic");
    else if (orders && collating.collation != EXPR_COLLATION_C)
        (void)expr_unsupported(c, location,
                               "the order of texts hangs on a collation: only COLLATE \"C\" is "
                               "known to the engine");
    else
        return true;
    return false;
}

/* ---- Nodes ---- */

expr_node *expr_make(const expr_compiler *c, const expr_operation *operation, expr_type type,
                     uint32_t location, const expr_node *const *arguments, size_t count) {
    expr_node *node = expr_node_new(c->condition, operation, type, arguments, count, c->refusal);
    if (node == NULL)
        return NULL;
    node->location = location;
    node->collating = expr_collating_of(arguments, count);
    return node;
}

static const expr_node *constant_make(const expr_compiler *c, expr_type type,
                                      const expr_datum *value, uint32_t location) {
    expr_node *node = expr_node_constant(c->condition, type, value, c->refusal);
    if (node != NULL)
        node->location = location;
    return node;
}

const expr_node *expr_null(const expr_compiler *c, expr_type type, uint32_t location) {
    return constant_make(c, type, &(expr_datum){.state = EXPR_DATUM_NULL}, location);
}

/* ---- Constants ---- */

/* Digits without a point are a bigint where they fit. */
static const expr_node *number_compile(const expr_compiler *c, const char *digits,
                                       uint32_t location) {
    core_slice text = core_slice_text(digits);
    expr_datum value = {.state = EXPR_DATUM_VALUE};
    if (expr_scalar_parse(EXPR_SCALAR_INT4, text, &value.scalar)) /* -2147483648 */
        return constant_make(c, expr_type_make(EXPR_TYPE_INT4), &value, location);
    if (expr_scalar_parse(EXPR_SCALAR_INT8, text, &value.scalar))
        return constant_make(c, expr_type_make(EXPR_TYPE_INT8), &value, location);
    if (expr_scalar_parse(EXPR_SCALAR_NUMERIC, text, &value.scalar))
        return constant_make(c, expr_type_make(EXPR_TYPE_NUMERIC), &value, location);
    return expr_unsupported(c, location, "the number \"%.40s\" is not taken", digits);
}

static const expr_node *constant_compile(const expr_compiler *c, const PgQuery__AConst *tree) {
    uint32_t location = expr_location(c, tree->location);
    expr_datum value = {.state = EXPR_DATUM_VALUE};
    if (tree->isnull)
        return expr_null(c, expr_type_make(EXPR_TYPE_UNKNOWN), location);
    switch (tree->val_case) {
    case PG_QUERY__A__CONST__VAL_IVAL:
        value.scalar.integer = tree->ival->ival;
        return constant_make(c, expr_type_make(EXPR_TYPE_INT4), &value, location);
    case PG_QUERY__A__CONST__VAL_FVAL:
        return number_compile(c, tree->fval->fval, location);
    case PG_QUERY__A__CONST__VAL_BOOLVAL:
        value.scalar.integer = tree->boolval->boolval ? 1 : 0;
        return constant_make(c, expr_type_make(EXPR_TYPE_BOOL), &value, location);
    case PG_QUERY__A__CONST__VAL_SVAL:
        value.scalar.text = core_slice_text(tree->sval->sval);
        return constant_make(c, expr_type_make(EXPR_TYPE_UNKNOWN), &value, location);
    default:
        return expr_unsupported(c, location, "bit strings are not taken");
    }
}

/* ---- Columns ---- */

static bool column_find(const core_relation *relation, core_slice name, uint16_t *index) {
    for (uint16_t i = 0; i < relation->column_count; i++) {
        if (!core_slice_equal(relation->columns[i].name, name))
            continue;
        *index = i;
        return true;
    }
    return false;
}

static expr_type column_type(const expr_compiler *c, uint16_t index) {
    expr_type type = expr_type_of_column(&c->spec->relation->columns[index]);
    bool is_other =
        type.id == EXPR_TYPE_ENUM && c->spec->facts != NULL && !c->spec->facts[index].is_enum;
    if (is_other)
        return expr_type_make(EXPR_TYPE_NONE);
    if (type.id == EXPR_TYPE_ENUM) /* the relation does not live as long */
        type.enum_name = core_arena_copy(&c->condition->arena, type.enum_name);
    return type;
}

static const expr_node *column_make(const expr_compiler *c, uint16_t index, bool is_old,
                                    uint32_t location) {
    const core_column *column = &c->spec->relation->columns[index];
    expr_type type = column_type(c, index);
    expr_node *node = expr_make(c, &expr_operation_column, type, location, NULL, 0);
    if (node == NULL)
        return NULL;
    bool is_opaque = type.id == EXPR_TYPE_NONE;
    node->kind = is_opaque ? EXPR_SCALAR_TEXT : (uint8_t)expr_type_kind(type);
    node->option = is_opaque && core_column_base_oid(column) >= 16384 ? 1 : 0; /* perhaps a row */
    node->reads_row = true;
    node->column.index = index;
    node->column.is_old = is_old;
    node->column.row_kind = is_opaque || type.is_array ? EXPR_SCALAR_NONE : node->kind;
    bool is_keyless = expr_type_is_json(type) || expr_type_is(type, EXPR_TYPE_TIME) ||
                      expr_type_is(type, EXPR_TYPE_INTERVAL);
    if (is_keyless) /* an index does not read such columns */
        node->column.row_kind = EXPR_SCALAR_NONE;
    if (expr_type_is(type, EXPR_TYPE_NAME))
        node->collating.collation = EXPR_COLLATION_C;
    if (c->spec->facts != NULL && (expr_type_is_string(type) || type.is_array))
        node->collating = (expr_collating){.collation = c->spec->facts[index].collation,
                                           .column = (uint16_t)(index + 1)};
    return node;
}

static const expr_node *column_named(const expr_compiler *c, const char *name, bool is_old,
                                     uint32_t location) {
    static const char *const system[] = {"tableoid", "ctid", "xmin", "xmax", "cmin", "cmax"};
    uint16_t index = 0;
    if (column_find(c->spec->relation, core_slice_text(name), &index))
        return column_make(c, index, is_old, location);
    for (size_t i = 0; i < CORE_COUNT_OF(system); i++)
        if (strcmp(name, system[i]) == 0)
            return expr_unsupported(c, location, "a change does not tell \"%s\"", name);
    if (core_slice_is(c->spec->relation->table, name))
        return expr_unsupported(c, location, "a whole row is not taken");
    return expr_wrong(c, location, "column \"%s\" does not exist in \"%.*s\".\"%.*s\"", name,
                      CORE_SLICE_ARGS(c->spec->relation->schema),
                      CORE_SLICE_ARGS(c->spec->relation->table));
}

static const expr_node *image_column(const expr_compiler *c, const char *const *names, size_t count,
                                     uint32_t location) {
    bool is_new = count == 2 && strcmp(names[0], "new") == 0;
    bool is_old = count == 2 && strcmp(names[0], "old") == 0;
    if (!is_new && !is_old)
        return expr_wrong(c, location, "columns are written new.%s or old.%s here",
                          names[count - 1], names[count - 1]);
    return column_named(c, names[1], is_old, location);
}

static const expr_node *table_column(const expr_compiler *c, const char *const *names, size_t count,
                                     uint32_t location) {
    const core_relation *relation = c->spec->relation;
    if ((count >= 2 && !core_slice_is(relation->table, names[count - 2])) ||
        (count >= 3 && !core_slice_is(relation->schema, names[count - 3])) || count > 3)
        return expr_wrong(c, location, "there is no table \"%s\" here", names[count - 2]);
    return column_named(c, names[count - 1], false, location);
}

/* In a function's body a name is an argument's. */
static const expr_node *argument_named(const expr_compiler *c, const char *name,
                                       uint32_t location) {
    for (size_t i = 0; i < c->call->function->argument_count; i++)
        if (core_slice_is(c->call->function->argument_names[i], name))
            return c->call->arguments[i];
    return expr_wrong(c, location, "there is no argument \"%s\"", name);
}

static const expr_node *reference_compile(const expr_compiler *c, const PgQuery__ColumnRef *tree) {
    const char *names[4];
    uint32_t location = expr_location(c, tree->location);
    for (size_t i = 0; i < tree->n_fields; i++) {
        if (i == CORE_COUNT_OF(names))
            return expr_wrong(c, location, "the name has too many parts");
        names[i] = expr_sql_string(tree->fields[i]);
        if (names[i] == NULL)
            return expr_unsupported(c, location, "a whole row is not taken");
    }
    if (tree->n_fields == 0)
        return expr_wrong(c, location, "a name is missing");
    if (c->call != NULL)
        return argument_named(c, names[tree->n_fields - 1], location);
    return c->spec->has_images ? image_column(c, names, tree->n_fields, location)
                               : table_column(c, names, tree->n_fields, location);
}

static const expr_node *parameter_compile(const expr_compiler *c, const PgQuery__ParamRef *tree) {
    if (c->call == NULL || tree->number < 1 ||
        (size_t)tree->number > c->call->function->argument_count)
        return expr_wrong(c, expr_location(c, tree->location), "there is no parameter $%d",
                          tree->number);
    return c->call->arguments[tree->number - 1];
}

/* ---- Booleans ---- */

const expr_node *expr_compile_boolean(expr_compiler *c, const PgQuery__Node *tree,
                                      const char *of_what) {
    const expr_node *node = expr_compile(c, tree);
    if (node == NULL)
        return NULL;
    if (expr_type_is(node->type, EXPR_TYPE_BOOL) || expr_type_is(node->type, EXPR_TYPE_UNKNOWN))
        return expr_coerce(c, node, expr_type_make(EXPR_TYPE_BOOL));
    return expr_wrong(c, node->location, "argument of %s must be type boolean, not type %.*s",
                      of_what, CORE_SLICE_ARGS(expr_type_name(node->type)));
}

static const expr_node *junction_compile(expr_compiler *c, const PgQuery__BoolExpr *tree) {
    static const struct {
        const char *name;
        const expr_operation *operation;
    } junctions[] = {
        [PG_QUERY__BOOL_EXPR_TYPE__AND_EXPR] = {"AND", &expr_operation_and},
        [PG_QUERY__BOOL_EXPR_TYPE__OR_EXPR] = {"OR", &expr_operation_or},
        [PG_QUERY__BOOL_EXPR_TYPE__NOT_EXPR] = {"NOT", &expr_operation_not},
    };
    uint32_t location = expr_location(c, tree->location);
    size_t kind = (size_t)tree->boolop;
    if (kind == 0 || kind >= CORE_COUNT_OF(junctions))
        return expr_unsupported(c, location, "an expression is not known");
    const expr_node **arguments =
        core_arena_array(&c->condition->arena, tree->n_args, sizeof(const expr_node *));
    if (arguments == NULL)
        return expr_unsupported(c, location, "the expression is too large");
    for (size_t i = 0; i < tree->n_args; i++) {
        arguments[i] = expr_compile_boolean(c, tree->args[i], junctions[kind].name);
        if (arguments[i] == NULL)
            return NULL;
    }
    return expr_make(c, junctions[kind].operation, expr_type_make(EXPR_TYPE_BOOL), location,
                     arguments, tree->n_args);
}

const expr_node *expr_null_test(const expr_compiler *c, const expr_node *argument, bool is_negated,
                                uint32_t location) {
    if (argument->type.id == EXPR_TYPE_NONE && argument->option != 0)
        return expr_unsupported(c, location, "the column's type may be one of rows");
    if (expr_node_is_array(argument))
        return expr_unsupported(c, location, "an array is only taken by ANY and ALL");
    if (argument->operation == &expr_operation_column) {
        expr_node *as_it_is = expr_node_copy(c->condition, argument, c->refusal);
        if (as_it_is == NULL)
            return NULL;
        as_it_is->kind = EXPR_SCALAR_TEXT;
        argument = as_it_is;
    }
    expr_node *node = expr_make(c, &expr_operation_is_null, expr_type_make(EXPR_TYPE_BOOL),
                                location, &argument, 1);
    if (node != NULL)
        node->option = is_negated ? 1 : 0;
    return node;
}

static const expr_node *null_test_compile(expr_compiler *c, const PgQuery__NullTest *tree) {
    const expr_node *argument = expr_compile(c, tree->arg);
    if (argument == NULL)
        return NULL;
    return expr_null_test(c, argument, tree->nulltesttype == PG_QUERY__NULL_TEST_TYPE__IS_NOT_NULL,
                          expr_location(c, tree->location));
}

static const expr_node *boolean_test_compile(expr_compiler *c, const PgQuery__BooleanTest *tree) {
    static const uint8_t tests[] = {
        [PG_QUERY__BOOL_TEST_TYPE__IS_TRUE] = EXPR_IS_TRUE,
        [PG_QUERY__BOOL_TEST_TYPE__IS_NOT_TRUE] = EXPR_IS_TRUE | EXPR_IS_NEGATED,
        [PG_QUERY__BOOL_TEST_TYPE__IS_FALSE] = EXPR_IS_FALSE,
        [PG_QUERY__BOOL_TEST_TYPE__IS_NOT_FALSE] = EXPR_IS_FALSE | EXPR_IS_NEGATED,
        [PG_QUERY__BOOL_TEST_TYPE__IS_UNKNOWN] = EXPR_IS_UNKNOWN,
        [PG_QUERY__BOOL_TEST_TYPE__IS_NOT_UNKNOWN] = EXPR_IS_UNKNOWN | EXPR_IS_NEGATED,
    };
    const expr_node *argument = expr_compile_boolean(c, tree->arg, "IS TRUE and the like");
    if (argument == NULL)
        return NULL;
    expr_node *node = expr_make(c, &expr_operation_is, expr_type_make(EXPR_TYPE_BOOL),
                                expr_location(c, tree->location), &argument, 1);
    if (node != NULL && (size_t)tree->booltesttype < CORE_COUNT_OF(tests))
        node->option = tests[tree->booltesttype];
    return node;
}

/* ---- The others ---- */

static const expr_node *collate_compile(expr_compiler *c, const PgQuery__CollateClause *tree) {
    const expr_node *argument = expr_compile(c, tree->arg);
    if (argument == NULL)
        return NULL;
    uint32_t location = expr_location(c, tree->location);
    const char *name = expr_sql_string(tree->collname[tree->n_collname - 1]);
    bool is_text =
        expr_type_is_string(argument->type) || expr_type_is(argument->type, EXPR_TYPE_UNKNOWN);
    if (!is_text)
        return expr_wrong(c, location, "collations are not supported by type %.*s",
                          CORE_SLICE_ARGS(expr_type_name(argument->type)));
    if (name == NULL || (strcmp(name, "C") != 0 && strcmp(name, "POSIX") != 0))
        return expr_unsupported(c, location, "the only collation that the engine knows is \"C\"");
    expr_node *node = expr_node_copy(c->condition, argument, c->refusal);
    if (node != NULL)
        node->collating = (expr_collating){.collation = EXPR_COLLATION_C, .is_explicit = true};
    return node;
}

static const expr_node *tree_compile(expr_compiler *c, const PgQuery__Node *tree) {
    switch (tree->node_case) {
    case PG_QUERY__NODE__NODE_A_CONST:
        return constant_compile(c, tree->a_const);
    case PG_QUERY__NODE__NODE_COLUMN_REF:
        return reference_compile(c, tree->column_ref);
    case PG_QUERY__NODE__NODE_PARAM_REF:
        return parameter_compile(c, tree->param_ref);
    case PG_QUERY__NODE__NODE_A_EXPR:
        return expr_compile_operator(c, tree->a_expr);
    case PG_QUERY__NODE__NODE_BOOL_EXPR:
        return junction_compile(c, tree->bool_expr);
    case PG_QUERY__NODE__NODE_NULL_TEST:
        return null_test_compile(c, tree->null_test);
    case PG_QUERY__NODE__NODE_BOOLEAN_TEST:
        return boolean_test_compile(c, tree->boolean_test);
    case PG_QUERY__NODE__NODE_TYPE_CAST:
        return expr_compile_cast(c, tree->type_cast);
    case PG_QUERY__NODE__NODE_FUNC_CALL:
        return expr_compile_call(c, tree->func_call);
    case PG_QUERY__NODE__NODE_SQLVALUE_FUNCTION:
        return expr_compile_value_function(c, tree->sqlvalue_function);
    case PG_QUERY__NODE__NODE_SUB_LINK:
        return expr_compile_select(c, tree->sub_link);
    case PG_QUERY__NODE__NODE_COLLATE_CLAUSE:
        return collate_compile(c, tree->collate_clause);
    case PG_QUERY__NODE__NODE_CASE_EXPR:
        return expr_compile_case(c, tree->case_expr);
    case PG_QUERY__NODE__NODE_COALESCE_EXPR:
        return expr_compile_coalesce(c, tree->coalesce_expr);
    case PG_QUERY__NODE__NODE_MIN_MAX_EXPR:
        return expr_compile_extreme(c, tree->min_max_expr);
    case PG_QUERY__NODE__NODE_A_ARRAY_EXPR:
        return expr_compile_array(c, tree->a_array_expr);
    default:
        return expr_unsupported(c, c->call != NULL ? c->call->location : 0,
                                "the expression uses what the engine does not know (a row, a "
                                "subscript, XML or the like)");
    }
}

const expr_node *expr_compile(expr_compiler *c, const PgQuery__Node *tree) {
    if (++c->depth > EXPR_CONDITION_DEPTH_MAX) {
        (void)expr_refuse(c->refusal, EXPR_REFUSED_LIMIT, 0,
                          "the expression is nested more than %u levels deep",
                          EXPR_CONDITION_DEPTH_MAX);
        return NULL;
    }
    const expr_node *node = tree_compile(c, tree);
    c->depth--;
    return node;
}
