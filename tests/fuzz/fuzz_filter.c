/* Any bytes as a filter, bound to a relation with a column of every kind and evaluated over rows
 * whose values are pieces of the same input: what evaluation takes an index must find, a negation
 * is the opposite, SQL is always written, and a value equals itself. */
#include "expr/expr.h"
#include "expr/scalar.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint32_t type_oids[] = {16,   20,   21,   23,   25,   26,   700,  701,
                                     1042, 1082, 1114, 1184, 1700, 2950, 3802, 16400};

/* A row that is TRUE is found by each key. */
static void keys_use(const expr_bound *bound, const core_relation *relation,
                     const core_tuple *tuple) {
    expr_key key;
    bool matches = expr_bound_evaluate(bound, tuple) == EXPR_TRUE;
    for (size_t i = 0; expr_bound_key(bound, i, &key); i++) {
        uint64_t hash = 0;
        bool found = false;
        if (expr_row_hash(relation, key.column, tuple, &hash))
            for (size_t at = 0; at < key.count; at++)
                found = found || key.hashes[at] == hash;
        if (matches && !found)
            abort();
    }
}

static void sql_use(const expr_bound *bound) {
    static const char *parameters[EXPR_FILTER_VALUES_MAX];
    core_buffer out;
    size_t count = 0;
    core_buffer_init(&out, 1u << 20);
    if (!expr_bound_sql(bound, 1, &out, parameters, &count) || count > EXPR_FILTER_VALUES_MAX)
        abort();
    for (size_t i = 0; i < count; i++)
        if (strlen(parameters[i]) > EXPR_FILTER_TEXT_MAX)
            abort();
    core_buffer_fini(&out);
}

static void filter_use(expr_filter *filter, core_slice input) {
    core_slice names[EXPR_FILTER_TERMS_MAX];
    size_t count = expr_filter_columns(filter, names);
    for (size_t i = 0; i < CORE_COUNT_OF(type_oids); i++) {
        core_column columns[EXPR_FILTER_TERMS_MAX];
        core_value values[EXPR_FILTER_TERMS_MAX];
        for (size_t at = 0; at < count; at++) {
            columns[at] = (core_column){.name = names[at], .type_oid = type_oids[i]};
            values[at] = (core_value){.kind = CORE_VALUE_TEXT, .bytes = input};
        }
        core_relation relation = {.column_count = (uint16_t)count, .columns = columns};
        core_tuple tuple = {.count = (uint16_t)count, .values = values};
        core_error error;
        expr_bound *bound = expr_filter_bind(filter, &relation, &error);
        if (bound == NULL)
            continue;
        keys_use(bound, &relation, &tuple);
        sql_use(bound);
        if (count > 0)
            values[0].kind = CORE_VALUE_UNCHANGED;
        if (count > 0 && expr_bound_evaluate(bound, &tuple) == EXPR_TRUE)
            abort();
        expr_bound_free(bound);
    }
}

static void scalars_use(core_slice input) {
    for (size_t i = 0; i < CORE_COUNT_OF(type_oids); i++) {
        expr_scalar_kind kind = expr_scalar_kind_of(&(core_column){.type_oid = type_oids[i]});
        expr_scalar scalar;
        if (!expr_scalar_parse(kind, input, &scalar))
            continue;
        if (!expr_scalar_equal(kind, &scalar, &scalar))
            abort();
        if (kind != EXPR_SCALAR_LABEL && expr_scalar_compare(kind, &scalar, &scalar) != 0)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    core_slice input = core_slice_make(data, size);
    const uint8_t *split = size > 0 ? memchr(data, '\0', size) : NULL;
    core_slice text = split != NULL ? core_slice_make(data, (size_t)(split - data)) : input;
    core_slice row = split != NULL ? core_slice_make(split + 1, size - text.length - 1) : input;
    core_error error;
    expr_filter *filter = expr_filter_new(text, &error);
    if (filter != NULL)
        filter_use(filter, row);
    expr_filter_free(filter);
    scalars_use(row);
    return 0;
}
