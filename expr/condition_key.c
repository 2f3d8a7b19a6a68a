/* What an index or an access check asks a condition; see expr.h. */
#include "expr/condition.h"
#include "expr/operations.h"

#include <stdlib.h>

static bool kind_is_integer(uint8_t kind) {
    return kind == EXPR_SCALAR_INT2 || kind == EXPR_SCALAR_INT4 || kind == EXPR_SCALAR_INT8;
}

/* A column of the image that is compared as expr_row_hash takes its values. */
static bool is_key_column(const expr_node *node, uint8_t compared, bool is_old) {
    if (node->operation != &expr_operation_column || node->column.is_old != is_old)
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
    size_t at = is_key_column(node->arguments[0], node->kind, key->is_old) ? 0 : 1;
    const expr_node *column = node->arguments[at];
    return is_key_column(column, node->kind, key->is_old) && column_take(key, column, is_first) &&
           value_add(key, column, node->arguments[1 - at]);
}

static bool list_add(const expr_node *node, bool is_first, expr_key *key) {
    const expr_node *column = node->arguments[0];
    if (!is_key_column(column, node->kind, key->is_old) || !column_take(key, column, is_first))
        return false;
    for (size_t i = 1; i < node->argument_count; i++)
        if (!value_add(key, column, node->arguments[i]))
            return false;
    return true;
}

static bool bool_add(const expr_node *column, bool value, bool is_first, expr_key *key) {
    expr_scalar scalar = {.integer = value ? 1 : 0};
    return is_key_column(column, EXPR_SCALAR_BOOL, key->is_old) &&
           column_take(key, column, is_first) &&
           hash_add(key, expr_scalar_hash(EXPR_SCALAR_BOOL, &scalar));
}

/* A boolean column by itself: it, NOT it, IS TRUE, IS FALSE. */
static bool condition_of_bool(const expr_node *node, bool is_first, expr_key *key) {
    const expr_node *below = node->argument_count > 0 ? node->arguments[0] : NULL;
    if (node->operation == &expr_operation_column)
        return bool_add(node, true, is_first, key);
    if (node->operation == &expr_operation_not)
        return bool_add(below, false, is_first, key);
    if (node->operation == &expr_operation_is &&
        (node->option == EXPR_IS_TRUE || node->option == EXPR_IS_FALSE))
        return bool_add(below, node->option == EXPR_IS_TRUE, is_first, key);
    return false;
}

/* Adds the values of a conjunct; false when it bounds no column, or another. key->is_old says of
 * which image. */
static bool conjunct_add(const expr_node *node, bool is_first, expr_key *key) {
    if (node->operation == &expr_operation_compare && node->option == EXPR_OP_EQ)
        return comparison_add(node, is_first, key);
    if (node->operation == &expr_operation_any && node->option == EXPR_OP_EQ)
        return list_add(node, is_first, key);
    if (node->operation == &expr_operation_distinct && node->option == 1)
        return !expr_node_is_null(node->arguments[0]) && !expr_node_is_null(node->arguments[1]) &&
               comparison_add(node, is_first, key);
    if (node->operation != &expr_operation_or)
        return condition_of_bool(node, is_first, key);
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
    key->is_old = false;
    if (!conjunct_add(node, true, key) || key->count == 0 || (*number)-- > 0)
        return false;
    qsort(key->hashes, key->count, sizeof key->hashes[0], by_value);
    return true;
}

bool expr_condition_key(const expr_condition *condition, size_t number, expr_key *key) {
    return key_find(condition->root, &number, key);
}

bool expr_conjunct_key(const expr_node *node, bool is_old, expr_key *key) {
    key->count = 0;
    key->is_old = is_old;
    if (!conjunct_add(node, true, key))
        return false;
    qsort(key->hashes, key->count, sizeof key->hashes[0], by_value);
    return true;
}

/* ---- One of several ---- */

/* A further one, or its values to those of the same column. */
static bool alternative_add(expr_key *keys, size_t *count, const expr_key *key) {
    size_t at = 0;
    while (at < *count && keys[at].column != key->column)
        at++;
    if (at == EXPR_ALTERNATIVES_MAX)
        return false;
    if (at == *count) {
        keys[(*count)++] = *key;
        return true;
    }
    for (size_t i = 0; i < key->count; i++)
        if (!hash_add(&keys[at], key->hashes[i]))
            return false;
    qsort(keys[at].hashes, keys[at].count, sizeof keys[at].hashes[0], by_value);
    return true;
}

/* A key of each branch of an OR, at any depth. */
static bool branches_add(const expr_node *node, expr_key *keys, size_t *count) {
    size_t number = 0;
    expr_key key;
    if (key_find(node, &number, &key))
        return alternative_add(keys, count, &key);
    if (node->operation != &expr_operation_or)
        return false;
    for (size_t i = 0; i < node->argument_count; i++)
        if (!branches_add(node->arguments[i], keys, count))
            return false;
    return true;
}

size_t expr_condition_alternatives(const expr_condition *condition,
                                   expr_key keys[EXPR_ALTERNATIVES_MAX]) {
    const expr_node *root = condition->root;
    size_t conjuncts = root->operation == &expr_operation_and ? root->argument_count : 1;
    for (size_t i = 0; i < conjuncts; i++) {
        size_t count = 0;
        const expr_node *node = root->operation == &expr_operation_and ? root->arguments[i] : root;
        if (branches_add(node, keys, &count))
            return count;
    }
    return 0;
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
