/* What an index or an access check asks a filter; see expr.h. */
#include "expr/bound.h"

#include <stdlib.h>

size_t expr_filter_columns(const expr_filter *filter, core_slice names[EXPR_FILTER_TERMS_MAX]) {
    size_t count = 0;
    for (size_t i = 0; i < filter->count; i++) {
        size_t same = 0;
        while (same < count && !core_slice_equal(names[same], filter->terms[i].column))
            same++;
        if (same == count)
            names[count++] = filter->terms[i].column;
    }
    return count;
}

bool expr_bound_reads_keys_only(const expr_bound *bound, const core_relation *relation) {
    for (size_t i = 0; i < bound->count; i++)
        if (!relation->columns[bound->terms[i].column].key)
            return false;
    return true;
}

static bool term_is_key(const expr_term *term) {
    return !term->negated &&
           (term->operation->op == EXPR_OP_EQ || term->operation->op == EXPR_OP_IN);
}

static int by_value(const void *left, const void *right) {
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

static void key_fill(const expr_bound_term *bound, expr_key *key) {
    size_t count = bound->term->value_count;
    assert(count > 0 && count <= EXPR_IN_VALUES_MAX);
    for (size_t i = 0; i < count; i++)
        key->hashes[i] = expr_scalar_hash(bound->kind, &bound->values[i]);
    qsort(key->hashes, count, sizeof key->hashes[0], by_value);
    key->column = bound->column;
    key->count = 1;
    for (size_t i = 1; i < count; i++)
        if (key->hashes[i] != key->hashes[key->count - 1])
            key->hashes[key->count++] = key->hashes[i];
}

bool expr_bound_key(const expr_bound *bound, size_t number, expr_key *key) {
    for (size_t i = 0; i < bound->count; i++) {
        if (!term_is_key(bound->terms[i].term) || number-- > 0)
            continue;
        key_fill(&bound->terms[i], key);
        return true;
    }
    return false;
}

bool expr_row_hash(const core_relation *relation, uint16_t column, const core_tuple *tuple,
                   uint64_t *hash) {
    expr_scalar scalar;
    if (column >= tuple->count || column >= relation->column_count ||
        tuple->values[column].kind != CORE_VALUE_TEXT)
        return false;
    expr_scalar_kind kind = expr_scalar_kind_of(&relation->columns[column]);
    if (!expr_scalar_parse(kind, tuple->values[column].bytes, &scalar))
        return false;
    *hash = expr_scalar_hash(kind, &scalar);
    return true;
}
