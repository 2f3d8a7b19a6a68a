/* Documents in CSV; see payload_private.h. */
#include "search-index/payload_private.h"

#include <stdlib.h>

typedef enum { CSV_STRING, CSV_NUMBER, CSV_BOOLEAN } csv_type;

typedef struct {
    core_slice body;
    size_t at;
    char delimiter;
    core_buffer field; /* the last one that was read, quotes undone */
    core_slice names[SEARCH_CSV_COLUMNS_MAX];
    csv_type types[SEARCH_CSV_COLUMNS_MAX];
    size_t columns;
    core_arena arena;
    search_refusal *refusal;
} csv;

static bool csv_refuse(const csv *it, size_t record, const char *what) {
    return search_refuse(it->refusal, SEARCH_CODE_MALFORMED_PAYLOAD,
                         "The `csv` payload provided is malformed: `CSV error: record %zu (byte: "
                         "%zu): %s`.",
                         record, it->at, what);
}

static bool at_end(const csv *it) {
    return it->at == it->body.length;
}

static bool at_line_end(const csv *it) {
    return at_end(it) || it->body.data[it->at] == '\n' || it->body.data[it->at] == '\r';
}

static bool quoted_read(csv *it) {
    for (it->at++; !at_end(it); it->at++) {
        uint8_t byte = it->body.data[it->at];
        if (byte != '"') {
            core_buffer_u8(&it->field, byte);
            continue;
        }
        if (it->at + 1 == it->body.length || it->body.data[it->at + 1] != '"') {
            it->at++;
            return true;
        }
        core_buffer_u8(&it->field, byte);
        it->at++;
    }
    return false;
}

/* One field, and the delimiter behind it; `*is_last`: the line ended with it. */
static bool field_read(csv *it, bool *is_last) {
    core_buffer_reset(&it->field);
    if (!at_end(it) && it->body.data[it->at] == '"' && !quoted_read(it))
        return false;
    while (!at_line_end(it) && it->body.data[it->at] != (uint8_t)it->delimiter)
        core_buffer_u8(&it->field, it->body.data[it->at++]);
    *is_last = at_line_end(it);
    if (!*is_last) {
        it->at++;
        return true;
    }
    if (!at_end(it) && it->body.data[it->at] == '\r')
        it->at++;
    if (!at_end(it) && it->body.data[it->at] == '\n')
        it->at++;
    return true;
}

/* A name, and behind its last `:` perhaps a type. */
static bool name_take(csv *it) {
    static const struct {
        const char *ending;
        csv_type type;
    } rows[] = {{":string", CSV_STRING}, {":number", CSV_NUMBER}, {":boolean", CSV_BOOLEAN}};
    core_slice name = core_arena_copy(&it->arena, core_buffer_slice(&it->field));
    csv_type type = CSV_STRING;
    for (size_t i = 0; i < CORE_COUNT_OF(rows); i++) {
        size_t length = strlen(rows[i].ending);
        if (name.length >= length &&
            memcmp(name.data + name.length - length, rows[i].ending, length) == 0) {
            name.length -= length;
            type = rows[i].type;
            break;
        }
    }
    it->names[it->columns] = name;
    it->types[it->columns++] = type;
    return name.data != NULL;
}

static bool head_read(csv *it) {
    bool is_last = false;
    while (!is_last) {
        if (it->columns == SEARCH_CSV_COLUMNS_MAX)
            return csv_refuse(it, 0, "it has more than 1000 columns");
        if (!field_read(it, &is_last))
            return csv_refuse(it, 0, "a quote is not closed");
        if (!name_take(it))
            return csv_refuse(it, 0, "its head is too long");
    }
    return true;
}

static core_slice trimmed(core_slice text) {
    while (text.length > 0 && text.data[text.length - 1] <= ' ')
        text.length--;
    while (text.length > 0 && text.data[0] <= ' ')
        text = core_slice_make(text.data + 1, text.length - 1);
    return text;
}

/* Digits as JSON has them; others that strtod takes are written anew. */
static bool number_write(core_slice text, core_json_writer *json) {
    char copy[64], *end;
    core_json_reader reader = core_json_reader_make(text);
    if (core_json_next(&reader).kind == CORE_JSON_NUMBER &&
        core_json_next(&reader).kind == CORE_JSON_END) {
        core_json_raw(json, text);
        return true;
    }
    if (!core_slice_to_text(text, copy, sizeof copy))
        return false;
    double number = strtod(copy, &end);
    if (*end != '\0' || !(number - number == 0))
        return false;
    (void)snprintf(copy, sizeof copy, "%.17g", number);
    core_json_raw(json, core_slice_text(copy));
    return true;
}

static bool value_write(csv *it, size_t column, size_t record, core_json_writer *json) {
    core_slice text = core_buffer_slice(&it->field), bare = trimmed(text);
    char what[160];
    csv_type type = it->types[column];
    bool ok = true;
    if (type == CSV_STRING ? text.length == 0 : bare.length == 0)
        core_json_null(json);
    else if (type == CSV_STRING)
        core_json_string(json, text);
    else if (type == CSV_NUMBER)
        ok = number_write(bare, json);
    else if (core_slice_is(bare, "true") || core_slice_is(bare, "false"))
        core_json_raw(json, bare);
    else
        ok = false;
    (void)snprintf(what, sizeof what, "`%.*s` is no %s", bare.length < 60 ? (int)bare.length : 60,
                   (const char *)bare.data, type == CSV_NUMBER ? "number" : "boolean");
    return ok || csv_refuse(it, record, what);
}

static bool record_read(csv *it, size_t record, core_json_writer *json) {
    char what[120];
    bool is_last = false;
    size_t fields = 0;
    core_json_object_open(json);
    for (; !is_last; fields++) {
        if (!field_read(it, &is_last))
            return csv_refuse(it, record, "a quote is not closed");
        if (fields >= it->columns)
            continue;
        core_json_key(json, it->names[fields]);
        if (!value_write(it, fields, record, json))
            return false;
    }
    core_json_object_close(json);
    (void)snprintf(what, sizeof what,
                   "found record with %zu fields, but the previous record has %zu fields", fields,
                   it->columns);
    return fields == it->columns || csv_refuse(it, record, what);
}

static bool records_read(csv *it, core_buffer *out, size_t *count) {
    core_json_writer json = core_json_writer_make(out);
    if (!head_read(it))
        return false;
    core_json_array_open(&json);
    while (!at_end(it)) {
        if (at_line_end(it)) { /* an empty line */
            it->at++;
            continue;
        }
        if (*count == SEARCH_DOCUMENTS_MAX)
            return csv_refuse(it, *count, "there are more than 1048576 documents");
        if (!record_read(it, ++*count, &json))
            return false;
        if (!core_buffer_ok(out))
            return true; /* told by the caller */
    }
    core_json_array_close(&json);
    return true;
}

bool search_csv_read(core_slice body, char delimiter, core_buffer *out, size_t *count,
                     search_refusal *refusal) {
    csv *it = calloc(1, sizeof *it);
    if (it == NULL)
        return search_refuse(refusal, SEARCH_CODE_INTERNAL, "no memory for the documents");
    it->body = body;
    it->delimiter = delimiter;
    it->refusal = refusal;
    core_buffer_init(&it->field, SEARCH_PAYLOAD_MAX);
    core_arena_init(&it->arena, 4096, (size_t)1 << 20);
    bool ok = records_read(it, out, count);
    core_arena_fini(&it->arena);
    core_buffer_fini(&it->field);
    free(it);
    return ok;
}
