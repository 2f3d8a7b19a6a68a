/* What expr says of SQL conditions over rows, for conditions.test.mjs to hold against PostgreSQL.
 *
 * Standard input is fields, each ended by a NUL: how many columns, of each its name, type's OID,
 * the OID that a domain is over (or 0), the type's name, its collation (d, c, o, l) and "enum" or
 * ""; how many functions, of each its schema, name, body, result's OID, "strict" or "", how many
 * arguments, of each its type's OID and name; how many rows, of each value "-" (null) or "+" and
 * its text (with the argument `images` these are new rows, and behind each stands "old" and the old
 * row's values, or "none"; columns are written new.x and old.x); then cases: the condition, the
 * claims ("-": none, or "+" and their text), the role. Standard output is a line of JSON for each
 * case: {"refused":KIND,"position":N,"error":TEXT} or
 * {"verdicts":"TFUM?E...","keys":N,"reason":TEXT}, one letter a row. What must hold whatever
 * PostgreSQL says ends it where it does not: a key finds each row that the condition takes, and a
 * value left out changes no answer but to "missing". */
#include "tests/lib/place.h"

#include <stdio.h>
#include <stdlib.h>

#define INPUT_MAX     ((size_t)64 << 20)
#define OUTPUT_MAX    ((size_t)16 << 20)
#define FUNCTIONS_MAX 64

typedef struct {
    core_slice schema;
    core_slice name;
    expr_function function;
} sql_function;

typedef struct {
    core_slice rest;
    core_relation relation;
    core_column *columns;
    expr_column_facts *facts;
    sql_function functions[FUNCTIONS_MAX];
    size_t function_count;
    bool has_images;
    core_value *values[2]; /* row after row; of the new and the old image */
    bool *has_old;         /* a row */
    size_t rows;
    core_buffer line;
    core_slice text; /* of the case at hand */
} driver;

static void fail(const char *what) {
    (void)fprintf(stderr, "condition_driver: %s\n", what);
    exit(1);
}

static void *room(size_t count, size_t size) {
    void *memory = calloc(count + 1, size);
    if (memory == NULL)
        fail("no memory");
    return memory;
}

static core_slice field(driver *d) {
    const uint8_t *end = d->rest.length > 0 ? memchr(d->rest.data, '\0', d->rest.length) : NULL;
    if (end == NULL)
        fail("a field is missing");
    core_slice taken = core_slice_make(d->rest.data, (size_t)(end - d->rest.data));
    d->rest = core_slice_make(end + 1, d->rest.length - taken.length - 1);
    return taken;
}

static uint64_t number(driver *d, uint64_t max) {
    uint64_t value = 0;
    if (!core_slice_to_u64(field(d), &value) || value > max)
        fail("not a number");
    return value;
}

static expr_collation collation_of(core_slice letter) {
    if (core_slice_is(letter, "c"))
        return EXPR_COLLATION_C;
    if (core_slice_is(letter, "o"))
        return EXPR_COLLATION_OTHER;
    return core_slice_is(letter, "l") ? EXPR_COLLATION_LOOSE : EXPR_COLLATION_DEFAULT;
}

static void columns_read(driver *d) {
    uint16_t count = (uint16_t)number(d, CORE_COLUMNS_MAX);
    d->columns = room(count, sizeof *d->columns);
    d->facts = room(count, sizeof *d->facts);
    for (size_t i = 0; i < count; i++) {
        d->columns[i].name = field(d);
        d->columns[i].type_oid = (uint32_t)number(d, UINT32_MAX);
        d->columns[i].base_oid = (uint32_t)number(d, UINT32_MAX);
        d->columns[i].type_name = field(d);
        d->facts[i].collation = collation_of(field(d));
        d->facts[i].is_enum = core_slice_is(field(d), "enum");
    }
    d->relation = (core_relation){.schema = core_slice_text("public"),
                                  .table = core_slice_text("samples"),
                                  .column_count = count,
                                  .columns = d->columns};
}

static void functions_read(driver *d) {
    d->function_count = number(d, FUNCTIONS_MAX);
    for (size_t i = 0; i < d->function_count; i++) {
        sql_function *f = &d->functions[i];
        f->schema = field(d);
        f->name = field(d);
        f->function.body = field(d);
        f->function.result_oid = (uint32_t)number(d, UINT32_MAX);
        f->function.is_strict = core_slice_is(field(d), "strict");
        f->function.argument_count = number(d, EXPR_FUNCTION_ARGUMENTS_MAX);
        for (size_t k = 0; k < f->function.argument_count; k++) {
            f->function.argument_oids[k] = (uint32_t)number(d, UINT32_MAX);
            f->function.argument_names[k] = field(d);
        }
    }
}

static void row_read(driver *d, core_value *values) {
    for (size_t i = 0; i < d->relation.column_count; i++) {
        core_slice text = field(d);
        if (text.length == 0)
            fail("a value without its mark");
        if (text.data[0] == '+')
            values[i] = (core_value){.kind = CORE_VALUE_TEXT,
                                     .bytes = core_slice_make(text.data + 1, text.length - 1)};
    }
}

static void rows_read(driver *d) {
    size_t columns = d->relation.column_count;
    d->rows = number(d, 100000);
    d->values[0] = room(d->rows * columns, sizeof(core_value));
    d->values[1] = room(d->rows * columns, sizeof(core_value));
    d->has_old = room(d->rows, sizeof *d->has_old);
    for (size_t row = 0; row < d->rows; row++) {
        row_read(d, d->values[0] + row * columns);
        d->has_old[row] = d->has_images && core_slice_is(field(d), "old");
        if (d->has_old[row])
            row_read(d, d->values[1] + row * columns);
    }
}

static bool function_find(void *context, core_slice schema, core_slice name, size_t arguments,
                          expr_function *function) {
    const driver *d = context;
    for (size_t i = 0; i < d->function_count; i++) {
        const sql_function *f = &d->functions[i];
        bool here = schema.length == 0 ? core_slice_is(f->schema, "public")
                                       : core_slice_equal(f->schema, schema);
        if (here && core_slice_equal(f->name, name) && f->function.argument_count == arguments) {
            *function = f->function;
            return true;
        }
    }
    return false;
}

static core_tuple row_of(const driver *d, size_t image, size_t row) {
    return (core_tuple){.count = d->relation.column_count,
                        .values = d->values[image] + row * d->relation.column_count};
}

static void fail_case(const driver *d, const char *what) {
    (void)fprintf(stderr, "condition_driver: %.*s: %s\n", CORE_SLICE_ARGS(d->text), what);
    exit(1);
}

static bool key_finds(const driver *d, const expr_key *key, const core_tuple *tuple) {
    uint64_t hash = 0;
    bool found = false;
    if (expr_row_hash(&d->relation, key->column, tuple, &hash))
        for (size_t at = 0; at < key->count; at++)
            found = found || key->hashes[at] == hash;
    return found;
}

/* Of a row that it takes. Returns how many keys there are. */
static size_t keys_check(const driver *d, const expr_condition *condition,
                         const core_tuple *tuple) {
    expr_key keys[EXPR_ALTERNATIVES_MAX];
    size_t count = expr_condition_alternatives(condition, keys);
    bool found = count == 0;
    for (size_t i = 0; i < count; i++)
        found = found || key_finds(d, &keys[i], tuple);
    if (!found)
        fail_case(d, "a row that it takes has none of its alternatives");
    for (count = 0; expr_condition_key(condition, count, keys); count++)
        if (!key_finds(d, keys, tuple))
            fail_case(d, "a row that it takes is not found by its key");
    return count;
}

/* The row's new and old image; the old one may be none. */
typedef struct {
    core_tuple tuples[2];
    const core_tuple *old;
} images;

/* Without one of the values that it reads the answer is the same or that it is missing. */
static void missing_check(const driver *d, const expr_condition *condition, images *row,
                          size_t image, expr_verdict whole) {
    uint16_t columns[CORE_COLUMNS_MAX];
    size_t count = expr_condition_columns(condition, image == 1, columns);
    if (image == 1 && row->old == NULL)
        return;
    for (size_t i = 0; i < count; i++) {
        core_value *value = &row->tuples[image].values[columns[i]];
        core_value kept = *value;
        *value = (core_value){.kind = CORE_VALUE_UNCHANGED};
        expr_verdict verdict = expr_condition_evaluate(condition, &row->tuples[0], row->old, NULL);
        bool holds = places_hold(condition, &d->relation, &row->tuples[0], row->old, verdict);
        *value = kept;
        if (!holds)
            fail_case(d, "a row without a value is not at its places");
        if (verdict != whole && verdict != EXPR_VERDICT_MISSING &&
            verdict != EXPR_VERDICT_UNDECIDED && whole != EXPR_VERDICT_UNDECIDED)
            fail_case(d, "it decides otherwise without a value");
    }
}

static expr_verdict row_check(const driver *d, const expr_condition *condition, size_t number,
                              const char **reason, size_t *keys) {
    images row = {.tuples = {row_of(d, 0, number), row_of(d, 1, number)}};
    row.old = d->has_old[number] ? &row.tuples[1] : NULL;
    expr_verdict verdict = expr_condition_evaluate(condition, &row.tuples[0], row.old, reason);
    if (verdict == EXPR_VERDICT_TRUE)
        *keys = keys_check(d, condition, &row.tuples[0]);
    if (!places_hold(condition, &d->relation, &row.tuples[0], row.old, verdict))
        fail_case(d, "a row is not at its places");
    missing_check(d, condition, &row, 0, verdict);
    missing_check(d, condition, &row, 1, verdict);
    return verdict;
}

static void verdicts_write(const driver *d, core_json_writer *json,
                           const expr_condition *condition) {
    static const char letters[] = "FTUM?E";
    char *verdicts = room(d->rows, 1);
    const char *last_reason = "";
    size_t keys = 0;
    for (size_t row = 0; row < d->rows; row++) {
        const char *reason = NULL;
        verdicts[row] = letters[row_check(d, condition, row, &reason, &keys)];
        last_reason = reason != NULL ? reason : last_reason;
    }
    core_json_key_text(json, "verdicts");
    core_json_text(json, verdicts);
    core_json_key_text(json, "keys");
    core_json_unsigned(json, keys);
    core_json_key_text(json, "reason");
    core_json_text(json, last_reason);
    free(verdicts);
}

static void refusal_write(core_json_writer *json, const expr_refusal *refusal) {
    static const char *const kinds[] = {"", "wrong", "unsupported", "limit", "memory"};
    core_json_key_text(json, "refused");
    core_json_text(json, kinds[refusal->kind]);
    core_json_key_text(json, "position");
    core_json_unsigned(json, refusal->position);
    core_json_key_text(json, "error");
    core_json_text(json, refusal->error.text);
}

static expr_condition *condition_make(driver *d, core_slice text, expr_refusal *refusal) {
    expr_condition_spec spec = {.text = text,
                                .relation = &d->relation,
                                .facts = d->facts,
                                .has_images = d->has_images,
                                .function = function_find,
                                .context = d};
    return expr_condition_new(&spec, refusal);
}

static void case_run(driver *d) {
    char role[64];
    expr_refusal refusal;
    d->text = field(d);
    core_slice claims = field(d);
    if (claims.length == 0 || !core_slice_to_text(field(d), role, sizeof role))
        fail("a case without claims or role");
    expr_settings settings = {.role = role};
    if (claims.data[0] == '+')
        settings.claims_json = core_slice_make(claims.data + 1, claims.length - 1);
    expr_condition *condition = condition_make(d, d->text, &refusal);
    expr_condition *folded =
        condition != NULL ? expr_condition_fold(condition, &settings, &refusal) : NULL;
    expr_condition_release(condition);
    core_buffer_reset(&d->line);
    core_json_writer json = core_json_writer_make(&d->line);
    core_json_object_open(&json);
    if (folded == NULL)
        refusal_write(&json, &refusal);
    else
        verdicts_write(d, &json, folded);
    core_json_object_close(&json);
    expr_condition_release(folded);
    (void)printf("%.*s\n", CORE_SLICE_ARGS(core_buffer_slice(&d->line)));
}

static void input_read(driver *d) {
    uint8_t *input = room(INPUT_MAX, 1);
    size_t length = fread(input, 1, INPUT_MAX, stdin);
    if (length == INPUT_MAX)
        fail("too much input");
    d->rest = core_slice_make(input, length);
}

int main(int argc, char **argv) {
    static driver d;
    d.has_images = argc > 1 && strcmp(argv[1], "images") == 0;
    core_buffer_init(&d.line, OUTPUT_MAX);
    input_read(&d);
    columns_read(&d);
    functions_read(&d);
    rows_read(&d);
    while (d.rest.length > 0)
        case_run(&d);
    return 0;
}
