/* What an index or an access check asks a condition; see expr.h. */
#include "expr/condition.h"
#include "expr/operations.h"

#include <stdlib.h>

static bool kind_is_integer(uint8_t kind) {
    return kind == EXPR_SCALAR_INT2 || kind == EXPR_SCALAR_INT4 || kind == EXPR_SCALAR_INT8;
}

/* A column of the new row that is compared as expr_row_hash takes its values. */
static bool is_key_column(const expr_node *node, uint8_t compared) {
    if (node->operation != &expr_operation_column || node->column.is_old)
        return false;
    uint8_t kind = node->column.row_kind;
    return kind != EXPR_SCALAR_NONE && kind == node->kind &&
           (kind == compared || (kind_is_integer(kind) && kind_is_integer(compared)));
}

/* False when there is no more room. */
static bool hash_add(expr_key *key, uint64_t hash) {
    for (size_t i = 0; i < key->count; i++)
        if (key->hashes[i] == hash)
            return true;
    if (key->count == EXPR_IN_VALUES_MAX)
        return false;
    key->hashes[key->count++] = hash;
    return true;
}

/* A null is equal to nothing. */
static bool value_add(expr_key *key, const expr_node *column, const expr_node *constant) {
    if (!expr_node_is_known(constant))
        return false;
    if (expr_node_is_null(constant))
        return true;
    uint8_t kind = column->column.row_kind;
    expr_scalar scalar = constant->constant.scalar;
    if (kind == EXPR_SCALAR_PADDED_TEXT)
        while (scalar.text.length > 0 && scalar.text.data[scalar.text.length - 1] == ' ')
            scalar.text.length--;
    return hash_add(key, expr_scalar_hash(kind, &scalar));
}

static bool column_take(expr_key *key, const expr_node *column, bool is_first) {
    if (!is_first && key->column != column->column.index)
        return false;
    key->column = column->column.index;
    return true;
}

static bool comparison_add(const expr_node *node, bool is_first, expr_key *key) {
    size_t at = is_key_column(node->arguments[0], node->kind) ? 0 : 1;
    const expr_node *column = node->arguments[at];
    return is_key_column(column, node->kind) && column_take(key, column, is_first) &&
           value_add(key, column, node->arguments[1 - at]);
}

static bool list_add(const expr_node *node, bool is_first, expr_key *key) {
    const expr_node *column = node->arguments[0];
    if (!is_key_column(column, node->kind) || !column_take(key, column, is_first))
        return false;
    for (size_t i = 1; i < node->argument_count; i++)
        if (!value_add(key, column, node->arguments[i]))
            return false;
    return true;
}

/* Adds the values of a conjunct; false when it bounds no column, or another. */
static bool conjunct_add(const expr_node *node, bool is_first, expr_key *key) {
    if (node->operation == &expr_operation_compare && node->option == EXPR_OP_EQ)
        return comparison_add(node, is_first, key);
    if (node->operation == &expr_operation_any && node->option == EXPR_OP_EQ)
        return list_add(node, is_first, key);
    if (node->operation != &expr_operation_or)
        return false;
    for (size_t i = 0; i < node->argument_count; i++)
        if (!conjunct_add(node->arguments[i], is_first && i == 0, key))
            return false;
    return true;
}

static int by_value(const void *left, const void *right) {
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

/* The `*number`th below this node; counts down. */
static bool key_find(const expr_node *node, size_t *number, expr_key *key) {
    if (node->operation == &expr_operation_and) {
        for (size_t i = 0; i < node->argument_count; i++)
            if (key_find(node->arguments[i], number, key))
                return true;
        return false;
    }
    key->count = 0;
    if (!conjunct_add(node, true, key) || key->count == 0 || (*number)-- > 0)
        return false;
    qsort(key->hashes, key->count, sizeof key->hashes[0], by_value);
    return true;
}

bool expr_condition_key(const expr_condition *condition, size_t number, expr_key *key) {
    return key_find(condition->root, &number, key);
}

/* ---- Columns ---- */

static void columns_mark(const expr_node *node, bool is_old, bool *seen) {
    if (node->operation == &expr_operation_column && node->column.is_old == is_old)
        seen[node->column.index] = true;
    for (size_t i = 0; node->reads_row && i < node->argument_count; i++)
        columns_mark(node->arguments[i], is_old, seen);
}

size_t expr_condition_columns(const expr_condition *condition, bool is_old, uint16_t *indexes) {
    bool seen[CORE_COLUMNS_MAX] = {false};
    size_t count = 0;
    columns_mark(condition->root, is_old, seen);
    for (uint16_t i = 0; i < CORE_COLUMNS_MAX; i++)
        if (seen[i])
            indexes[count++] = i;
    return count;
}

bool expr_condition_reads_keys_only(const expr_condition *condition,
                                    const core_relation *relation) {
    bool seen[CORE_COLUMNS_MAX] = {false};
    columns_mark(condition->root, false, seen);
    columns_mark(condition->root, true, seen);
    for (uint16_t i = 0; i < CORE_COLUMNS_MAX; i++)
        if (seen[i] && (i >= relation->column_count || !relation->columns[i].key))
            return false;
    return true;
}
