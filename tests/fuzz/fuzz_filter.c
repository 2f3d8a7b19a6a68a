/* Any bytes as a filter, bound to a relation with a column of every kind and evaluated over rows
 * whose values are pieces of the same input: equal values must hash equally, and a value equals
 * itself. */
#include "expr/expr.h"
#include "expr/scalar.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint32_t type_oids[] = {16,  20,   21,   23,   25,   26,   700,
                                     701, 1042, 1082, 1114, 1184, 1700, 2950};

static void filter_use(const expr_filter *filter, core_slice input) {
    core_slice name = core_slice_text("a");
    core_slice wanted;
    (void)(expr_filter_equality(filter, &name, &wanted) ? 1 : 0);
    for (size_t i = 0; i < CORE_COUNT_OF(type_oids); i++) {
        core_column column = {.name = name, .type_oid = type_oids[i]};
        core_relation relation = {.column_count = 1, .columns = &column};
        core_error error;
        expr_bound *bound = expr_filter_bind(filter, &relation, &error);
        if (bound == NULL)
            continue;
        core_value value = {.kind = CORE_VALUE_TEXT, .bytes = input};
        core_tuple tuple = {.count = 1, .values = &value};
        uint16_t index = 0;
        uint64_t bound_hash = 0;
        uint64_t row_hash = 0;
        if (expr_bound_evaluate(bound, &tuple) == EXPR_TRUE &&
            expr_bound_equality(bound, &index, &bound_hash) &&
            (!expr_bound_row_hash(bound, &tuple, &row_hash) || row_hash != bound_hash))
            abort();
        expr_bound_free(bound);
    }
}

static void scalars_use(core_slice input) {
    for (size_t i = 0; i < CORE_COUNT_OF(type_oids); i++) {
        expr_scalar_kind kind = expr_scalar_kind_of(&(core_column){.type_oid = type_oids[i]});
        expr_scalar scalar;
        if (expr_scalar_parse(kind, input, &scalar) && !expr_scalar_equal(kind, &scalar, &scalar))
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
