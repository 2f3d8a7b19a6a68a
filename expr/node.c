/* What all operations share: strict evaluation, the leaves, memory; see node.h. */
#include "expr/node.h"

#include <stdlib.h>

/* PostgreSQL evaluates every argument of a strict operation before it looks for nulls, so an error
 * in any is the result. One that is not known may be an error too: only where it cannot, a null
 * beside it decides. */
void expr_node_strict(const expr_node *node, expr_evaluation *at, expr_datum *result) {
    expr_datum arguments[EXPR_ARGUMENTS_MAX];
    const expr_datum *open = NULL;
    bool open_raises = false;
    bool is_null = false;
    assert(node->argument_count <= EXPR_ARGUMENTS_MAX);
    for (size_t i = 0; i < node->argument_count; i++) {
        expr_node_evaluate(node->arguments[i], at, &arguments[i]);
        if (arguments[i].state == EXPR_DATUM_ERROR) {
            *result = arguments[i];
            return;
        }
        is_null = is_null || arguments[i].state == EXPR_DATUM_NULL;
        if (arguments[i].state <= EXPR_DATUM_NULL)
            continue;
        open = open != NULL ? open : &arguments[i];
        open_raises = open_raises || node->arguments[i]->raises;
    }
    if (is_null && !open_raises)
        expr_datum_null(result);
    else if (open != NULL)
        *result = *open;
    else
        node->operation->apply(node, at, arguments, result);
}

static void constant_evaluate(const expr_node *node, expr_evaluation *at, expr_datum *result) {
    (void)at;
    *result = node->constant;
}

/* A type that is only asked for null has no kind, and its text does. */
static void column_evaluate(const expr_node *node, expr_evaluation *at, expr_datum *result) {
    const core_tuple *tuple = at->tuples[node->column.is_old ? 1 : 0];
    if (tuple == NULL) {
        expr_datum_null(result);
        return;
    }
    if (node->column.index >= tuple->count ||
        tuple->values[node->column.index].kind == CORE_VALUE_UNCHANGED) {
        result->state = EXPR_DATUM_MISSING;
        return;
    }
    const core_value *value = &tuple->values[node->column.index];
    if (value->kind == CORE_VALUE_NULL)
        expr_datum_null(result);
    else if (value->kind == CORE_VALUE_BINARY)
        expr_datum_undecided(result, "a value came in binary form");
    else if (node->kind == EXPR_SCALAR_TEXT || node->kind == EXPR_SCALAR_PADDED_TEXT)
        expr_datum_text(result, value->bytes);
    else if (expr_scalar_parse(node->kind, value->bytes, &result->scalar))
        result->state = EXPR_DATUM_VALUE;
    else
        expr_datum_undecided(result, "a value is written as its type's values are not");
}

static void setting_evaluate(const expr_node *node, expr_evaluation *at, expr_datum *result) {
    (void)node;
    (void)at;
    expr_datum_undecided(result, "the settings are not known yet");
}

const expr_operation expr_operation_constant = {.name = "constant", .evaluate = constant_evaluate};
const expr_operation expr_operation_column = {.name = "column", .evaluate = column_evaluate};
const expr_operation expr_operation_claims = {.name = "claims", .evaluate = setting_evaluate};
const expr_operation expr_operation_role = {.name = "role", .evaluate = setting_evaluate};
const expr_operation expr_operation_unset = {.name = "unset", .evaluate = setting_evaluate};

uint8_t *expr_scratch_take(expr_evaluation *at, size_t length, expr_datum *result) {
    if (length > at->scratch_left) {
        expr_datum_undecided(result, "a text that has to be made is too long for the engine");
        return NULL;
    }
    uint8_t *taken = at->scratch;
    at->scratch += length;
    at->scratch_left -= length;
    return taken;
}

bool expr_datum_copy(core_arena *arena, expr_type type, const expr_datum *from, expr_datum *to) {
    expr_scalar_kind kind = expr_type_kind(type);
    *to = *from;
    if (from->state != EXPR_DATUM_VALUE)
        return true;
    core_slice *bytes = NULL;
    if (kind == EXPR_SCALAR_TEXT || kind == EXPR_SCALAR_PADDED_TEXT || kind == EXPR_SCALAR_LABEL)
        bytes = &to->scalar.text;
    else if (kind == EXPR_SCALAR_NUMERIC)
        bytes = &to->scalar.numeric.digits;
    if (bytes == NULL)
        return true;
    *bytes = core_arena_copy(arena, *bytes);
    return bytes->data != NULL;
}
