/* See payload.h. */
#include "search-index/payload_private.h"

#include <strings.h>

/* ---- Content types ---- */

#define ACCEPTED "`application/json`, `application/x-ndjson`, `text/csv`"

/* Without parameters and blanks. */
static core_slice mime_of(core_slice type) {
    size_t length = 0;
    while (length < type.length && type.data[length] != ';')
        length++;
    while (length > 0 && type.data[length - 1] == ' ')
        length--;
    return core_slice_make(type.data, length);
}

static bool mime_is(core_slice mime, const char *name) {
    return mime.length == strlen(name) &&
           strncasecmp((const char *)mime.data, name, mime.length) == 0;
}

static bool type_refuse(core_slice type, const char *accepted, search_refusal *refusal) {
    if (type.length == 0)
        return search_refuse(refusal, SEARCH_CODE_MISSING_CONTENT_TYPE,
                             "A Content-Type header is missing. Accepted values for the "
                             "Content-Type header are: %s",
                             accepted);
    return search_refuse(refusal, SEARCH_CODE_INVALID_CONTENT_TYPE,
                         "The Content-Type `%.*s` is invalid. Accepted values for the Content-Type "
                         "header are: %s",
                         type.length < 100 ? (int)type.length : 100, (const char *)type.data,
                         accepted);
}

bool search_payload_kind_find(core_slice content_type, search_payload_kind *kind,
                              search_refusal *refusal) {
    static const struct {
        const char *mime;
        search_payload_kind kind;
    } rows[] = {{"application/json", SEARCH_PAYLOAD_JSON},
                {"application/x-ndjson", SEARCH_PAYLOAD_NDJSON},
                {"text/csv", SEARCH_PAYLOAD_CSV}};
    core_slice mime = mime_of(content_type);
    for (size_t i = 0; i < CORE_COUNT_OF(rows); i++)
        if (mime_is(mime, rows[i].mime)) {
            *kind = rows[i].kind;
            return true;
        }
    return type_refuse(mime, ACCEPTED, refusal);
}

bool search_payload_is_json(core_slice content_type, search_refusal *refusal) {
    core_slice mime = mime_of(content_type);
    return mime_is(mime, "application/json") || type_refuse(mime, "`application/json`", refusal);
}

/* ---- JSON ---- */

static bool json_malformed(const char *name, const char *what, search_refusal *refusal) {
    return search_refuse(refusal, SEARCH_CODE_MALFORMED_PAYLOAD,
                         "The `%s` payload provided is malformed. `Couldn't serialize document "
                         "value: %s`.",
                         name, what);
}

/* Where the text is no JSON, as well as can be told: line and column from 1. */
static bool json_misread(core_slice body, const char *name, const core_json_reader *reader,
                         search_refusal *refusal) {
    size_t line = 1, column = 1, end = core_cursor_offset(&reader->cursor);
    char what[80];
    for (size_t i = 0; i < end && i < body.length; i++) {
        column = body.data[i] == '\n' ? 1 : column + 1;
        line += body.data[i] == '\n';
    }
    (void)snprintf(what, sizeof what, "%s at line %zu column %zu",
                   end >= body.length ? "unexpected end of the text" : "not JSON", line, column);
    return json_malformed(name, what, refusal);
}

static bool list_read(core_slice body, core_buffer *out, size_t *count, search_refusal *refusal) {
    core_json_reader reader = core_json_reader_make(body);
    core_json_token token = core_json_next(&reader);
    core_slice whole;
    bool is_list = token.kind == CORE_JSON_ARRAY_OPEN;
    if (token.kind == CORE_JSON_INVALID)
        return json_misread(body, "json", &reader, refusal);
    if (is_list)
        token = core_json_next(&reader);
    for (; token.kind == CORE_JSON_OBJECT_OPEN; token = core_json_next(&reader)) {
        if (*count == SEARCH_DOCUMENTS_MAX)
            return json_malformed("json", "there are more than 1048576 documents", refusal);
        if (!core_json_skip(&reader, token, &whole))
            return json_misread(body, "json", &reader, refusal);
        ++*count;
    }
    if (token.kind == CORE_JSON_INVALID)
        return json_misread(body, "json", &reader, refusal);
    if (is_list ? token.kind != CORE_JSON_ARRAY_CLOSE : token.kind != CORE_JSON_END)
        return json_malformed("json", "data are neither an object nor a list of objects", refusal);
    if (is_list && core_json_next(&reader).kind != CORE_JSON_END)
        return json_misread(body, "json", &reader, refusal);
    core_buffer_text(out, is_list ? "" : "[");
    core_buffer_slice_append(out, body);
    core_buffer_text(out, is_list ? "" : "]");
    return true;
}

/* Lines that are empty are passed over. */
static bool lines_read(core_slice body, core_buffer *out, size_t *count, search_refusal *refusal) {
    size_t at = 0;
    core_buffer_u8(out, '[');
    while (at < body.length) {
        const uint8_t *end = memchr(body.data + at, '\n', body.length - at);
        size_t length = end != NULL ? (size_t)(end - body.data) - at : body.length - at;
        core_slice line = core_slice_make(body.data + at, length);
        at += length + 1;
        while (line.length > 0 && strchr(" \t\r", line.data[line.length - 1]) != NULL)
            line.length--;
        if (line.length == 0)
            continue;
        core_json_reader reader = core_json_reader_make(line);
        if (!core_json_valid(line))
            return json_misread(line, "ndjson", &reader, refusal);
        if (core_json_next(&reader).kind != CORE_JSON_OBJECT_OPEN)
            return json_malformed("ndjson", "data are neither an object nor a list of objects",
                                  refusal);
        if (*count == SEARCH_DOCUMENTS_MAX)
            return json_malformed("ndjson", "there are more than 1048576 documents", refusal);
        if ((*count)++ > 0)
            core_buffer_u8(out, ',');
        core_buffer_slice_append(out, line);
    }
    core_buffer_u8(out, ']');
    return true;
}

bool search_payload_read(search_payload_kind kind, core_slice body, char delimiter,
                         core_buffer *out, size_t *count, search_refusal *refusal) {
    static const char *const names[] = {"json", "ndjson", "csv"};
    *count = 0;
    if (body.length == 0)
        return search_refuse(refusal, SEARCH_CODE_MISSING_PAYLOAD, "A %s payload is missing.",
                             names[kind]);
    if (!core_utf8_valid(body))
        return json_malformed(names[kind], "it is not valid UTF-8", refusal);
    bool ok = kind == SEARCH_PAYLOAD_JSON ? list_read(body, out, count, refusal)
              : kind == SEARCH_PAYLOAD_NDJSON
                  ? lines_read(body, out, count, refusal)
                  : search_csv_read(body, delimiter, out, count, refusal);
    return ok && (core_buffer_ok(out) ||
                  search_refuse(refusal, SEARCH_CODE_PAYLOAD_TOO_LARGE,
                                "The documents are larger than %zu bytes.", out->max_bytes));
}
