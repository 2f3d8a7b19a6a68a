/* Any bytes as an SQL condition, the claims and a value: the condition up to a NUL, the claims up
 * to the next, then the value of every column. What is taken folds, evaluates twice alike, says the
 * same or "missing" without its values, and its keys, or one of its alternatives, find the row that
 * it takes. */
#include "tests/lib/place.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define COLUMN(text, oid)                                                                          \
    { .name = {(const uint8_t *)(text), sizeof(text) - 1}, .type_oid = (oid) }

static const core_column columns[] = {
    COLUMN("b", 16),   COLUMN("i", 23),   COLUMN("l", 20),   COLUMN("f", 701),  COLUMN("n", 1700),
    COLUMN("t", 25),   COLUMN("c", 1042), COLUMN("u", 2950), COLUMN("d", 1082), COLUMN("s", 1114),
    COLUMN("z", 1184), COLUMN("j", 3802), COLUMN("a", 1009), COLUMN("x", 1007), COLUMN("m", 20000),
    COLUMN("v", 1186), COLUMN("w", 1083),
};
#define COLUMNS CORE_COUNT_OF(columns)

static bool function_find(void *context, core_slice schema, core_slice name, size_t arguments,
                          expr_function *function) {
    (void)context;
    (void)schema;
    if (!core_slice_is(name, "g") || arguments > 1)
        return false;
    *function = (expr_function){.body = core_slice_text("SELECT g($1 || 'x')"),
                                .result_oid = 25,
                                .argument_count = arguments,
                                .argument_oids = {25}};
    if (arguments == 0)
        function->body =
            core_slice_text("SELECT current_setting('request.jwt.claims', true)::jsonb ->> 'a'");
    return true;
}

static core_slice part_take(core_slice *rest) {
    const uint8_t *end = rest->length > 0 ? memchr(rest->data, '\0', rest->length) : NULL;
    core_slice part = *rest;
    if (end != NULL)
        part.length = (size_t)(end - rest->data);
    size_t taken = part.length + (end != NULL ? 1 : 0);
    *rest = core_slice_make(rest->data + taken, rest->length - taken);
    return part;
}

static bool key_finds(const expr_key *key, const core_relation *relation, const core_tuple *tuple) {
    uint64_t hash = 0;
    if (!expr_row_hash(relation, key->column, tuple, &hash))
        return false;
    for (size_t at = 0; at < key->count; at++)
        if (key->hashes[at] == hash)
            return true;
    return false;
}

static void keys_check(const expr_condition *condition, const core_relation *relation,
                       const core_tuple *tuple) {
    expr_key key, keys[EXPR_ALTERNATIVES_MAX];
    for (size_t i = 0; expr_condition_key(condition, i, &key); i++)
        if (!key_finds(&key, relation, tuple))
            abort();
    size_t count = expr_condition_alternatives(condition, keys);
    bool found = count == 0;
    for (size_t i = 0; i < count; i++)
        found = found || key_finds(&keys[i], relation, tuple);
    if (!found)
        abort();
}

static void condition_use(const expr_condition *condition, const core_relation *relation,
                          core_slice value) {
    core_value values[COLUMNS];
    uint16_t read[CORE_COLUMNS_MAX];
    core_tuple tuple = {.count = COLUMNS, .values = values};
    for (size_t i = 0; i < COLUMNS; i++)
        values[i] = (core_value){.kind = CORE_VALUE_TEXT, .bytes = value};
    expr_verdict verdict = expr_condition_evaluate(condition, &tuple, NULL, NULL);
    if (expr_condition_evaluate(condition, &tuple, NULL, NULL) != verdict)
        abort();
    if (verdict == EXPR_VERDICT_TRUE)
        keys_check(condition, relation, &tuple);
    if (!places_hold(condition, relation, &tuple, NULL, verdict))
        abort();
    size_t count = expr_condition_columns(condition, false, read);
    for (size_t i = 0; i < count; i++)
        values[read[i]].kind = CORE_VALUE_UNCHANGED;
    expr_verdict without = expr_condition_evaluate(condition, &tuple, NULL, NULL);
    if (without != verdict && without != EXPR_VERDICT_MISSING &&
        without != EXPR_VERDICT_UNDECIDED && verdict != EXPR_VERDICT_UNDECIDED)
        abort();
    for (size_t i = 0; i < COLUMNS; i++)
        values[i].kind = CORE_VALUE_NULL;
    (void)expr_condition_evaluate(condition, &tuple, NULL, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    core_slice rest = core_slice_make(data, size);
    core_slice text = part_take(&rest);
    core_slice claims = part_take(&rest);
    core_relation relation = {.schema = core_slice_text("public"),
                              .table = core_slice_text("t"),
                              .column_count = COLUMNS,
                              .columns = columns};
    expr_condition_spec spec = {.text = text, .relation = &relation, .function = function_find};
    expr_settings settings = {.claims_json = claims, .role = "anon"};
    expr_refusal refusal;
    expr_condition *condition = expr_condition_new(&spec, &refusal);
    if (condition == NULL) {
        if (refusal.kind == EXPR_REFUSED_NOT || refusal.kind == EXPR_REFUSED_MEMORY)
            abort();
        return 0;
    }
    expr_condition *folded = expr_condition_fold(condition, &settings, &refusal);
    expr_condition_release(condition);
    if (folded != NULL)
        condition_use(folded, &relation, rest);
    expr_condition_release(folded);
    return 0;
}
