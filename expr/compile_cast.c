/* Casts: which there are between the engine's types, what operation makes each, and type names.
 *
 * A cast that changes nothing of how a value is held makes a copy of the node with another type, so
 * that a column stays one (and can be a key). A row's value as text is the text that the row has,
 * for types whose text no setting of the session changes. */
#include "expr/array.h"
#include "expr/compile.h"

#include <stdlib.h>

static void array_evaluate(const expr_node *node, expr_evaluation *at, expr_datum *result) {
    (void)node;
    (void)at;
    expr_datum_undecided(result, "an array is only taken by ANY and ALL");
}

const expr_operation expr_operation_array = {.name = "array", .evaluate = array_evaluate};

/* ---- Literals ---- */

static const expr_node *literal_array(const expr_compiler *c, const expr_node *node,
                                      expr_type type);

/* Of an enum whose labels are known: whether the text is one. */
static bool is_label(const expr_compiler *c, expr_type type, core_slice text) {
    const expr_condition_spec *spec = c->spec;
    for (uint16_t i = 0; spec->facts != NULL && i < spec->relation->column_count; i++) {
        const expr_column_facts *facts = &spec->facts[i];
        if (facts->label_count == 0 ||
            !core_slice_equal(spec->relation->columns[i].type_name, type.enum_name))
            continue;
        for (size_t j = 0; j < facts->label_count; j++)
            if (core_slice_equal(facts->labels[j], text))
                return true;
        return false;
    }
    return true;
}

/* What a literal is as that type. */
static const expr_node *literal_as(const expr_compiler *c, const expr_node *node, expr_type type) {
    expr_datum value;
    core_slice text = node->constant.scalar.text;
    if (node->constant.state == EXPR_DATUM_NULL)
        return expr_null(c, type, node->location);
    if (type.is_array)
        return literal_array(c, node, type);
    if (expr_type_is(type, EXPR_TYPE_ENUM) && !is_label(c, type, text))
        return expr_wrong(c, node->location, "invalid input value for enum %.*s: \"%.*s\"",
                          CORE_SLICE_ARGS(type.enum_name),
                          (int)(text.length < 80 ? text.length : 80), (const char *)text.data);
    if (expr_type_is(type, EXPR_TYPE_JSONB)) {
        if (!expr_jsonb_normalize(text, &c->condition->arena, &value) &&
            value.state == EXPR_DATUM_VALUE)
            return expr_unsupported(c, node->location, "the expression is too large");
    } else if (expr_type_is(type, EXPR_TYPE_JSON)) {
        if (core_json_valid(text))
            expr_datum_text(&value, text);
        else
            expr_datum_undecided(&value, "a json text is not one that the engine reads");
    } else {
        expr_parse_text(type, text, &value);
    }
    if (value.state == EXPR_DATUM_ERROR)
        return expr_wrong(c, node->location, "%s: \"%.*s\"", value.reason,
                          (int)(text.length < 80 ? text.length : 80), (const char *)text.data);
    if (value.state != EXPR_DATUM_VALUE)
        return expr_unsupported(c, node->location, "the literal \"%.*s\": %s",
                                (int)(text.length < 80 ? text.length : 80), (const char *)text.data,
                                value.reason);
    expr_node *made = expr_node_constant(c->condition, type, &value, c->refusal);
    if (made != NULL)
        made->location = node->location;
    if (made != NULL && expr_type_is(type, EXPR_TYPE_NAME))
        made->collating.collation = EXPR_COLLATION_C;
    if (made != NULL && node->collating.is_explicit)
        made->collating = node->collating;
    return made;
}

static size_t element_count(core_slice text, expr_evaluation at) {
    expr_array array = expr_array_make(text);
    core_slice element;
    bool is_null = false;
    size_t count = 0;
    while (expr_array_text(&array, &at, &element, &is_null))
        count++;
    return array.failed ? SIZE_MAX : count;
}

static const expr_node *array_of_text(const expr_compiler *c, const expr_node *node, expr_type type,
                                      expr_evaluation at) {
    core_slice text = node->constant.scalar.text;
    size_t count = element_count(text, at);
    if (count > EXPR_CONDITION_NODES_MAX)
        return expr_unsupported(c, node->location, "an array's text is not one of one dimension");
    const expr_node **elements =
        core_arena_array(&c->condition->arena, count + 1, sizeof(const expr_node *));
    expr_array array = expr_array_make(text);
    expr_type element_type = type;
    element_type.is_array = false;
    for (size_t i = 0; elements != NULL && i < count; i++) {
        bool is_null = false;
        expr_node element = {.location = node->location};
        expr_datum *value = &element.constant;
        value->state = EXPR_DATUM_NULL;
        if (expr_array_text(&array, &at, &value->scalar.text, &is_null) && !is_null)
            value->state = EXPR_DATUM_VALUE;
        elements[i] = literal_as(c, &element, element_type);
        if (elements[i] == NULL)
            return NULL;
    }
    if (elements == NULL)
        return expr_unsupported(c, node->location, "the expression is too large");
    return expr_make(c, &expr_operation_array, type, node->location, elements, count);
}

static const expr_node *literal_array(const expr_compiler *c, const expr_node *node,
                                      expr_type type) {
    size_t size = node->constant.scalar.text.length + 1;
    uint8_t *scratch = malloc(size);
    if (scratch == NULL)
        return expr_unsupported(c, node->location, "no memory");
    expr_evaluation at = {.scratch = scratch, .scratch_left = size};
    const expr_node *made = array_of_text(c, node, type, at);
    free(scratch);
    return made;
}

/* ---- Between types ---- */

static void relabel_apply(const expr_node *node, expr_evaluation *at, const expr_datum *arguments,
                          expr_datum *result) {
    (void)node;
    (void)at;
    *result = arguments[0];
}

static const expr_operation operation_relabel = {.name = "as", .apply = relabel_apply};

/* Of an operation the type can be what it is told by: it is left as it is. */
static const expr_node *relabelled(const expr_compiler *c, const expr_node *node, expr_type type) {
    bool is_leaf = expr_node_is_constant(node) || expr_node_is_array(node) ||
                   node->operation == &expr_operation_column;
    if (!is_leaf && expr_type_equal(node->type, type))
        return node;
    if (!is_leaf)
        return expr_make(c, &operation_relabel, type, node->location, &node, 1);
    expr_node *copy = expr_node_copy(c->condition, node, c->refusal);
    if (copy != NULL)
        copy->type = type;
    return copy;
}

/* A column's value as the text that the row has. */
static const expr_node *column_as_text(const expr_compiler *c, const expr_node *node,
                                       expr_type type) {
    expr_node *copy = expr_node_copy(c->condition, node, c->refusal);
    if (copy == NULL)
        return NULL;
    copy->type = type;
    copy->kind = EXPR_SCALAR_TEXT;
    return copy;
}

/* The cast's operation where it needs one; NULL: none is known. */
static const expr_operation *number_cast(expr_type from, expr_type to) {
    bool from_integer = expr_type_is_integer(from) || expr_type_is(from, EXPR_TYPE_OID);
    bool from_numeric = expr_type_is(from, EXPR_TYPE_NUMERIC);
    if (expr_type_is_integer(to) || expr_type_is(to, EXPR_TYPE_OID)) {
        if (from_numeric)
            return to.id == EXPR_TYPE_OID ? NULL : &expr_operation_numeric_to_integer;
        if (!from_integer)
            return to.id == EXPR_TYPE_OID ? NULL : &expr_operation_real_to_integer;
        return &expr_operation_integer_to_integer;
    }
    if (expr_type_is(to, EXPR_TYPE_NUMERIC))
        return from.id == EXPR_TYPE_OID ? NULL
               : from_integer           ? &expr_operation_integer_to_numeric
                                        : &expr_operation_real_to_numeric;
    if (from.id == EXPR_TYPE_OID)
        return NULL;
    return from_integer   ? &expr_operation_integer_to_real
           : from_numeric ? &expr_operation_numeric_to_real
                          : &expr_operation_real_to_real;
}

static const expr_operation *text_cast(expr_type from) {
    if (expr_type_is(from, EXPR_TYPE_BOOL))
        return &expr_operation_bool_to_text;
    if (expr_type_is_integer(from) || expr_type_is(from, EXPR_TYPE_OID))
        return &expr_operation_integer_to_text;
    if (expr_type_is(from, EXPR_TYPE_UUID))
        return &expr_operation_uuid_to_text;
    return NULL;
}

static const expr_operation *cast_operation(expr_type from, expr_type to) {
    bool from_number = expr_type_is_number(from) || expr_type_is(from, EXPR_TYPE_OID);
    bool to_number = expr_type_is_number(to) || expr_type_is(to, EXPR_TYPE_OID);
    if (from_number && to_number)
        return number_cast(from, to);
    if (expr_type_is_string(to))
        return text_cast(from);
    if (expr_type_is(from, EXPR_TYPE_INT4) && expr_type_is(to, EXPR_TYPE_BOOL))
        return &expr_operation_integer_to_bool;
    if (expr_type_is(from, EXPR_TYPE_BOOL) && expr_type_is(to, EXPR_TYPE_INT4))
        return &expr_operation_integer_to_integer;
    if (expr_type_is(from, EXPR_TYPE_DATE) && expr_type_is(to, EXPR_TYPE_TIMESTAMP))
        return &expr_operation_date_to_timestamp;
    if (expr_type_is(from, EXPR_TYPE_TIMESTAMP) && expr_type_is(to, EXPR_TYPE_DATE))
        return &expr_operation_timestamp_to_date;
    if (expr_type_is(from, EXPR_TYPE_TIMESTAMP) && expr_type_is(to, EXPR_TYPE_TIME))
        return &expr_operation_timestamp_to_clock;
    if (expr_type_is(from, EXPR_TYPE_TIME) && expr_type_is(to, EXPR_TYPE_INTERVAL))
        return &expr_operation_clock_to_interval;
    if (expr_type_is(from, EXPR_TYPE_INTERVAL) && expr_type_is(to, EXPR_TYPE_TIME))
        return &expr_operation_interval_to_clock;
    return NULL;
}

static const expr_node *operation_make(const expr_compiler *c, const expr_operation *operation,
                                       const expr_node *node, expr_type type, uint32_t location) {
    expr_node *made = expr_make(c, operation, type, location, &node, 1);
    return made;
}

/* From a string type. */
static const expr_node *string_cast(const expr_compiler *c, const expr_node *node, expr_type type,
                                    uint32_t location) {
    if (expr_type_is(node->type, EXPR_TYPE_BPCHAR) && !expr_type_is(type, EXPR_TYPE_BPCHAR))
        node = operation_make(c, &expr_operation_unpadded, node, expr_type_make(EXPR_TYPE_TEXT),
                              location);
    if (node == NULL)
        return NULL;
    if (expr_type_is(type, EXPR_TYPE_NAME))
        return operation_make(c, &expr_operation_parse, node, type, location);
    if (expr_type_is_string(type))
        return relabelled(c, node, type);
    if (expr_type_is_json(type)) {
        if (node->reads_row)
            return expr_unsupported(c, location, "a row's text is not read as json");
        return operation_make(c, &expr_operation_text_to_json, node, type, location);
    }
    if (type.is_array || type.id == EXPR_TYPE_ENUM || type.id == EXPR_TYPE_NONE)
        return expr_unsupported(c, location, "a text that is no literal is not cast to that type");
    return operation_make(c, &expr_operation_parse, node, type, location);
}

static bool is_text_in_row(const expr_node *node) {
    bool serves = expr_type_is_integer(node->type) || node->type.id == EXPR_TYPE_OID ||
                  node->type.id == EXPR_TYPE_NUMERIC || node->type.id == EXPR_TYPE_UUID;
    return node->operation == &expr_operation_column && serves && !node->type.is_array;
}

const expr_node *expr_cast(const expr_compiler *c, const expr_node *node, expr_type type,
                           uint32_t location) {
    if (!expr_extract_casts(c, node, type))
        return NULL;
    if (expr_type_is(node->type, EXPR_TYPE_UNKNOWN))
        return literal_as(c, node, type);
    if (expr_type_equal(node->type, type) ||
        (expr_node_is_array(node) && type.is_array && expr_type_is_string(node->type) &&
         expr_type_is_string(type)))
        return relabelled(c, node, type);
    if (expr_type_is_string(node->type))
        return string_cast(c, node, type, location);
    bool to_text = expr_type_is(type, EXPR_TYPE_TEXT) || expr_type_is(type, EXPR_TYPE_VARCHAR);
    if (to_text && is_text_in_row(node))
        return column_as_text(c, node, type);
    if (to_text && (expr_type_is_json(node->type) || expr_type_is(node->type, EXPR_TYPE_ENUM)))
        return relabelled(c, node, type);
    if (node->type.is_array || type.is_array)
        return expr_unsupported(c, location, "arrays are not cast");
    const expr_operation *operation = cast_operation(node->type, type);
    if (operation == NULL)
        return expr_unsupported(c, location, "no cast from %.*s to %.*s is known to the engine",
                                CORE_SLICE_ARGS(expr_type_name(node->type)),
                                CORE_SLICE_ARGS(expr_type_name(type)));
    return operation_make(c, operation, node, type, location);
}

const expr_node *expr_coerce(const expr_compiler *c, const expr_node *node, expr_type type) {
    if (expr_type_equal(node->type, type))
        return node;
    if (expr_type_is_implicit(node->type, type))
        return expr_cast(c, node, type, node->location);
    return expr_wrong(c, node->location, "%.*s is given where %.*s is expected",
                      CORE_SLICE_ARGS(expr_type_name(node->type)),
                      CORE_SLICE_ARGS(expr_type_name(type)));
}

/* ---- Names of types ---- */

/* An enum is one that some column has. */
static expr_type enum_named(const expr_compiler *c, core_slice name) {
    const core_relation *relation = c->spec->relation;
    for (size_t i = 0; i < relation->column_count; i++) {
        const core_column *column = &relation->columns[i];
        bool is_enum = expr_scalar_kind_of(column) == EXPR_SCALAR_LABEL &&
                       (c->spec->facts == NULL || c->spec->facts[i].is_enum);
        if (is_enum && core_slice_equal(column->type_name, name))
            return (expr_type){.id = EXPR_TYPE_ENUM,
                               .enum_name = core_arena_copy(&c->condition->arena, name)};
    }
    return expr_type_make(EXPR_TYPE_NONE);
}

bool expr_type_named(const expr_compiler *c, const PgQuery__TypeName *name, expr_type *type,
                     uint32_t location) {
    const char *last = name->n_names > 0 ? expr_sql_string(name->names[name->n_names - 1]) : NULL;
    const char *schema = name->n_names > 1 ? expr_sql_string(name->names[0]) : "pg_catalog";
    *type = expr_type_make(EXPR_TYPE_NONE);
    if (last != NULL && schema != NULL && strcmp(schema, "pg_catalog") == 0)
        *type = expr_type_of_name(core_slice_text(last));
    if (last != NULL && type->id == EXPR_TYPE_NONE)
        *type = enum_named(c, core_slice_text(last));
    type->is_array = name->n_array_bounds > 0;
    if (type->id == EXPR_TYPE_NONE || name->setof || name->pct_type || name->n_array_bounds > 1) {
        (void)expr_unsupported(c, location, "type \"%s\" is not known to the engine",
                               last != NULL ? last : "");
        return false;
    }
    if (name->n_typmods > 0) {
        (void)expr_unsupported(c, location, "a cast to \"%s\" with a length or precision",
                               last != NULL ? last : "");
        return false;
    }
    return true;
}

/* Of `interval '1 s'` the parser tells the place of the literal only. */
uint32_t expr_cast_location(const expr_compiler *c, const PgQuery__TypeCast *cast) {
    bool is_told = cast->location >= 0 || cast->arg->node_case != PG_QUERY__NODE__NODE_A_CONST;
    return expr_location(c, is_told ? cast->location : cast->arg->a_const->location);
}

const expr_node *expr_compile_cast(expr_compiler *c, const PgQuery__TypeCast *cast) {
    expr_type type;
    uint32_t location = expr_cast_location(c, cast);
    const expr_node *interval = expr_compile_interval(c, cast);
    if (interval != NULL || c->refusal->kind != EXPR_REFUSED_NOT)
        return interval;
    if (!expr_type_named(c, cast->type_name, &type, location))
        return NULL;
    bool is_list = type.is_array && cast->arg->node_case == PG_QUERY__NODE__NODE_A_ARRAY_EXPR &&
                   cast->arg->a_array_expr->n_elements == 0;
    if (is_list) /* ARRAY[]::text[] */
        return expr_make(c, &expr_operation_array, type, location, NULL, 0);
    const expr_node *node = expr_compile(c, cast->arg);
    if (node == NULL)
        return NULL;
    if (!expr_node_is_array(node) || !type.is_array || expr_type_equal(node->type, type))
        return expr_cast(c, node, type, location);
    /* ARRAY[...]::type[] casts each element. */
    const expr_node **elements =
        core_arena_array(&c->condition->arena, node->argument_count + 1u, sizeof *elements);
    expr_type element = type;
    element.is_array = false;
    for (size_t i = 0; elements != NULL && i < node->argument_count; i++) {
        elements[i] = expr_cast(c, node->arguments[i], element, location);
        if (elements[i] == NULL)
            return NULL;
    }
    if (elements == NULL)
        return expr_unsupported(c, location, "the expression is too large");
    return expr_make(c, &expr_operation_array, type, location, elements, node->argument_count);
}
