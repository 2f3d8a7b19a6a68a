/* What expr says of filters over rows, for filters.test.mjs to hold against PostgreSQL.
 *
 * Standard input is fields, each ended by a NUL: how many columns, of each its name, type's OID,
 * the OID that a domain is over (or 0) and the type's name; how many rows, of each value "-" (null)
 * or
 * "+" and its text; then filters. Standard output is a line of JSON for each filter: {"error":TEXT}
 * or {"truths":"TFU...","sql":TEXT,"parameters":[...]}. A key that does not find a row which the
 * filter takes ends it. */
#include "expr/expr.h"

#include <stdio.h>
#include <stdlib.h>

#define INPUT_MAX  ((size_t)64 << 20)
#define OUTPUT_MAX ((size_t)16 << 20)

typedef struct {
    core_slice rest;
    core_relation relation;
    core_column *columns;
    core_value *values; /* row after row */
    size_t rows;
    core_buffer line;
} driver;

static void fail(const char *what) {
    (void)fprintf(stderr, "filter_driver: %s\n", what);
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

static void columns_read(driver *d) {
    uint16_t count = (uint16_t)number(d, CORE_COLUMNS_MAX);
    core_column *columns = d->columns = room(count, sizeof *columns);
    for (size_t i = 0; i < count; i++) {
        columns[i].name = field(d);
        columns[i].type_oid = (uint32_t)number(d, UINT32_MAX);
        columns[i].base_oid = (uint32_t)number(d, UINT32_MAX);
        columns[i].type_name = field(d);
    }
    d->relation = (core_relation){.schema = core_slice_text("public"),
                                  .table = core_slice_text("samples"),
                                  .column_count = count,
                                  .columns = columns};
}

static void rows_read(driver *d) {
    d->rows = number(d, 100000);
    size_t count = d->rows * d->relation.column_count;
    d->values = room(count, sizeof *d->values);
    for (size_t i = 0; i < count; i++) {
        core_slice text = field(d);
        if (text.length == 0)
            fail("a value without its mark");
        if (text.data[0] == '+')
            d->values[i] = (core_value){.kind = CORE_VALUE_TEXT,
                                        .bytes = core_slice_make(text.data + 1, text.length - 1)};
    }
}

static core_tuple row_of(const driver *d, size_t row) {
    return (core_tuple){.count = d->relation.column_count,
                        .values = d->values + row * d->relation.column_count};
}

static void keys_check(const driver *d, const expr_bound *bound, const core_tuple *tuple) {
    expr_key key;
    for (size_t i = 0; expr_bound_key(bound, i, &key); i++) {
        uint64_t hash = 0;
        bool found = false;
        if (expr_row_hash(&d->relation, key.column, tuple, &hash))
            for (size_t at = 0; at < key.count; at++)
                found = found || key.hashes[at] == hash;
        if (!found)
            fail("a row that matches is not found by its key");
    }
}

static void truths_write(const driver *d, core_json_writer *json, const expr_bound *bound) {
    char *truths = room(d->rows, 1);
    for (size_t row = 0; row < d->rows; row++) {
        core_tuple tuple = row_of(d, row);
        expr_truth truth = expr_bound_evaluate(bound, &tuple);
        truths[row] = truth == EXPR_TRUE ? 'T' : truth == EXPR_FALSE ? 'F' : 'U';
        if (truth == EXPR_TRUE)
            keys_check(d, bound, &tuple);
    }
    core_json_key_text(json, "truths");
    core_json_text(json, truths);
    free(truths);
}

static void sql_write(core_json_writer *json, const expr_bound *bound) {
    static const char *parameters[EXPR_FILTER_VALUES_MAX];
    size_t count = 0;
    core_buffer sql;
    core_buffer_init(&sql, OUTPUT_MAX);
    if (!expr_bound_sql(bound, 1, &sql, parameters, &count))
        fail("no room for the SQL");
    core_json_key_text(json, "sql");
    core_json_string(json, core_buffer_slice(&sql));
    core_json_key_text(json, "parameters");
    core_json_array_open(json);
    for (size_t i = 0; i < count; i++)
        core_json_text(json, parameters[i]);
    core_json_array_close(json);
    core_buffer_fini(&sql);
}

static void filter_run(driver *d, core_slice text) {
    core_error error = {.text = ""};
    expr_filter *filter = expr_filter_new(text, &error);
    expr_bound *bound = filter != NULL ? expr_filter_bind(filter, &d->relation, &error) : NULL;
    core_buffer_reset(&d->line);
    core_json_writer json = core_json_writer_make(&d->line);
    core_json_object_open(&json);
    if (bound != NULL) {
        truths_write(d, &json, bound);
        sql_write(&json, bound);
    } else {
        core_json_key_text(&json, "error");
        core_json_text(&json, error.text);
    }
    core_json_object_close(&json);
    core_buffer_u8(&d->line, '\n');
    if (!core_buffer_ok(&d->line) ||
        fwrite(d->line.data, 1, d->line.length, stdout) != d->line.length)
        fail("cannot write");
    expr_bound_free(bound);
    expr_filter_free(filter);
}

int main(void) {
    driver d = {0};
    uint8_t *input = room(INPUT_MAX, 1);
    d.rest = core_slice_make(input, fread(input, 1, INPUT_MAX, stdin));
    core_buffer_init(&d.line, OUTPUT_MAX);
    columns_read(&d);
    rows_read(&d);
    while (d.rest.length > 0)
        filter_run(&d, field(&d));
    core_buffer_fini(&d.line);
    free(d.columns);
    free(d.values);
    free(input);
    return 0;
}
