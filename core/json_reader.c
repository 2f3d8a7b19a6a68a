/* Reading JSON token by token; see json.h.
 *
 * The state between two tokens is the nesting (one bit a level), and whether a value has just ended
 * there: then a comma, a closing bracket or the end must follow. Any departure from RFC 8259's
 * grammar makes the reader fail for good. Bytes above 0x7F in strings are let through: who needs
 * UTF-8 checks it, or asks core_json_valid. */
#include "core/json.h"

#include "core/json_scan.h"
#include "core/utf8.h"

core_json_reader core_json_reader_make(core_slice text) {
    return (core_json_reader){.cursor = core_cursor_make(text), .max_depth = CORE_JSON_MAX_DEPTH};
}

core_json_reader core_json_envelope_reader_make(core_slice text) {
    core_json_reader reader = core_json_reader_make(text);
    reader.max_depth += CORE_JSON_ENVELOPE_DEPTH;
    return reader;
}

static core_json_token json_fail(core_json_reader *reader) {
    reader->failed = true;
    return (core_json_token){.kind = CORE_JSON_INVALID};
}

/* The next byte without taking it; 0, which no grammar rule wants, at the end. */
static uint8_t json_peek(const core_json_reader *reader) {
    return reader->cursor.at < reader->cursor.end ? *reader->cursor.at : 0;
}

static bool json_take(core_json_reader *reader, uint8_t byte) {
    bool there = json_peek(reader) == byte;
    reader->cursor.at += there;
    return there;
}

static void json_blanks(core_json_reader *reader) {
    uint8_t byte = json_peek(reader);
    while (byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t') {
        reader->cursor.at++;
        byte = json_peek(reader);
    }
}

static core_slice json_since(const core_json_reader *reader, const uint8_t *start) {
    return core_slice_make(start, (size_t)(reader->cursor.at - start));
}

/* ---- Strings ---- */

/* Four hex digits at `at`; -1 when they are not. */
static int32_t json_hex4(const uint8_t *at, const uint8_t *end) {
    int32_t value = 0;
    if (end - at < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        int digit = core_hex_digit(at[i]);
        if (digit < 0)
            return -1;
        value = value << 4 | digit;
    }
    return value;
}

/* Steps over an escape's form behind the backslash; what it stands for is not looked at. */
static bool json_escape_scan(core_json_reader *reader) {
    uint8_t kind = core_cursor_u8(&reader->cursor);
    if (kind == 'u') {
        bool valid = json_hex4(reader->cursor.at, reader->cursor.end) >= 0;
        reader->cursor.at += valid ? 4 : 0;
        return valid;
    }
    return kind != 0 && strchr("\"\\/bfnrt", kind) != NULL;
}

/* A string with its quotes; `raw` is between them. */
static bool json_string_scan(core_json_reader *reader, core_slice *raw) {
    if (!json_take(reader, '"'))
        return false;
    const uint8_t *start = reader->cursor.at;
    for (;;) {
        size_t left = (size_t)(reader->cursor.end - reader->cursor.at);
        reader->cursor.at += core_json_plain_run(reader->cursor.at, left, 0);
        if (json_peek(reader) == '"')
            break;
        if (!json_take(reader, '\\') || !json_escape_scan(reader)) /* a control, or the end */
            return false;
    }
    *raw = json_since(reader, start);
    reader->cursor.at++;
    return true;
}

/* ---- Values ---- */

static bool json_digits(core_json_reader *reader) {
    const uint8_t *start = reader->cursor.at;
    while (json_peek(reader) >= '0' && json_peek(reader) <= '9')
        reader->cursor.at++;
    return reader->cursor.at > start;
}

static bool json_number_scan(core_json_reader *reader) {
    (void)json_take(reader, '-');
    if (!json_take(reader, '0') && !json_digits(reader))
        return false;
    if (json_take(reader, '.') && !json_digits(reader))
        return false;
    if (!json_take(reader, 'e') && !json_take(reader, 'E'))
        return true;
    if (!json_take(reader, '+'))
        (void)json_take(reader, '-');
    return json_digits(reader);
}

static bool json_literal_scan(core_json_reader *reader, const char *word) {
    return core_slice_is(core_cursor_bytes(&reader->cursor, strlen(word)), word);
}

static core_json_token json_open(core_json_reader *reader, core_slice key, core_json_kind kind) {
    if (reader->depth == reader->max_depth)
        return json_fail(reader);
    uint8_t *bits = &reader->object_bits[reader->depth / 8];
    uint8_t bit = (uint8_t)(1u << reader->depth++ % 8);
    *bits = kind == CORE_JSON_OBJECT_OPEN ? *bits | bit : *bits & (uint8_t)~bit;
    reader->after_value = false;
    core_slice bracket = core_cursor_bytes(&reader->cursor, 1);
    return (core_json_token){.kind = kind, .key = key, .raw = bracket};
}

static core_json_token json_scalar(core_json_reader *reader, core_slice key) {
    const uint8_t *start = reader->cursor.at;
    core_json_token token = {.kind = CORE_JSON_NUMBER, .key = key};
    bool valid;
    switch (*start) {
    case '"':
        token.kind = CORE_JSON_STRING;
        valid = json_string_scan(reader, &token.raw);
        break;
    case 't':
        token.kind = CORE_JSON_TRUE;
        valid = json_literal_scan(reader, "true");
        break;
    case 'f':
        token.kind = CORE_JSON_FALSE;
        valid = json_literal_scan(reader, "false");
        break;
    case 'n':
        token.kind = CORE_JSON_NULL;
        valid = json_literal_scan(reader, "null");
        break;
    default:
        valid = json_number_scan(reader);
        break;
    }
    if (!valid)
        return json_fail(reader);
    if (token.kind != CORE_JSON_STRING)
        token.raw = json_since(reader, start);
    reader->after_value = true;
    return token;
}

static core_json_token json_value(core_json_reader *reader, core_slice key) {
    json_blanks(reader);
    if (reader->cursor.at == reader->cursor.end)
        return json_fail(reader);
    if (json_peek(reader) == '{')
        return json_open(reader, key, CORE_JSON_OBJECT_OPEN);
    if (json_peek(reader) == '[')
        return json_open(reader, key, CORE_JSON_ARRAY_OPEN);
    return json_scalar(reader, key);
}

static core_json_token json_member(core_json_reader *reader) {
    core_slice key;
    json_blanks(reader);
    if (!json_string_scan(reader, &key))
        return json_fail(reader);
    json_blanks(reader);
    if (!json_take(reader, ':'))
        return json_fail(reader);
    return json_value(reader, key);
}

static core_json_token json_close(core_json_reader *reader, bool object) {
    reader->depth--;
    reader->after_value = true;
    return (core_json_token){.kind = object ? CORE_JSON_OBJECT_CLOSE : CORE_JSON_ARRAY_CLOSE,
                             .raw = core_cursor_bytes(&reader->cursor, 1)};
}

core_json_token core_json_next(core_json_reader *reader) {
    if (reader->failed)
        return json_fail(reader);
    json_blanks(reader);
    if (reader->depth == 0) {
        if (!reader->after_value)
            return json_value(reader, core_slice_make(NULL, 0));
        return core_cursor_done(&reader->cursor) ? (core_json_token){.kind = CORE_JSON_END}
                                                 : json_fail(reader);
    }
    unsigned level = reader->depth - 1;
    bool object = reader->object_bits[level / 8] >> level % 8 & 1;
    if (json_peek(reader) == (object ? '}' : ']'))
        return json_close(reader, object);
    if (reader->after_value && !json_take(reader, ','))
        return json_fail(reader);
    return object ? json_member(reader) : json_value(reader, core_slice_make(NULL, 0));
}

bool core_json_member_next(core_json_reader *reader, core_json_token *member) {
    *member = core_json_next(reader);
    return member->kind != CORE_JSON_OBJECT_CLOSE && member->kind != CORE_JSON_INVALID;
}

/* Reads on until the nesting is back at `depth`. */
static bool json_skip_to_depth(core_json_reader *reader, unsigned depth) {
    while (reader->depth > depth)
        if (core_json_next(reader).kind == CORE_JSON_INVALID)
            return false;
    return true;
}

bool core_json_skip(core_json_reader *reader, core_json_token token, core_slice *whole) {
    switch (token.kind) {
    case CORE_JSON_OBJECT_OPEN:
    case CORE_JSON_ARRAY_OPEN:
        if (!json_skip_to_depth(reader, reader->depth - 1))
            return false;
        *whole = json_since(reader, token.raw.data);
        return true;
    case CORE_JSON_STRING:
        *whole = core_slice_make(token.raw.data - 1, token.raw.length + 2);
        return true;
    case CORE_JSON_NULL:
    case CORE_JSON_TRUE:
    case CORE_JSON_FALSE:
    case CORE_JSON_NUMBER:
        *whole = token.raw;
        return true;
    default:
        return false;
    }
}

bool core_json_is_true(core_json_token token) {
    return token.kind == CORE_JSON_TRUE ||
           (token.kind == CORE_JSON_STRING && core_json_raw_is(token.raw, "true"));
}

bool core_json_valid(core_slice text) {
    core_json_reader reader = core_json_reader_make(text);
    core_json_kind kind;
    do
        kind = core_json_next(&reader).kind;
    while (kind != CORE_JSON_INVALID && kind != CORE_JSON_END);
    return kind == CORE_JSON_END && core_utf8_valid(text);
}

/* ---- Escapes undone ---- */

/* The code point of \uXXXX (`at` behind the u), a pair of surrogates as one. -1 when not valid. */
static int32_t json_unicode_escape(const uint8_t **at, const uint8_t *end) {
    int32_t first = json_hex4(*at, end);
    if (first < 0)
        return -1;
    *at += 4;
    if (first < 0xD800 || first > 0xDFFF)
        return first;
    if (first > 0xDBFF || end - *at < 6 || (*at)[0] != '\\' || (*at)[1] != 'u')
        return -1;
    int32_t second = json_hex4(*at + 2, end);
    *at += 6;
    if (second < 0xDC00 || second > 0xDFFF)
        return -1;
    return 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
}

/* One escape's bytes (`at` behind the backslash, moved past it). 0 when it is not valid. */
static size_t json_escape_undo(const uint8_t **at, const uint8_t *end, uint8_t bytes[4]) {
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    if (*at == end)
        return 0;
    uint8_t kind = *(*at)++;
    if (kind == 'u') {
        int32_t code_point = json_unicode_escape(at, end);
        return code_point < 0 ? 0 : core_utf8_encode((uint32_t)code_point, bytes);
    }
    const char *name = kind != 0 ? strchr(names, kind) : NULL;
    if (name == NULL)
        return 0;
    bytes[0] = (uint8_t)values[name - names];
    return 1;
}

bool core_json_unescape(core_slice raw, core_buffer *out) {
    if (raw.length == 0)
        return core_buffer_ok(out);
    const uint8_t *at = raw.data, *end = raw.data + raw.length;
    while (at < end) {
        const uint8_t *backslash = memchr(at, '\\', (size_t)(end - at));
        const uint8_t *plain_end = backslash != NULL ? backslash : end;
        core_buffer_append(out, at, (size_t)(plain_end - at));
        if (backslash == NULL)
            break;
        uint8_t bytes[4];
        at = backslash + 1;
        size_t length = json_escape_undo(&at, end, bytes);
        if (length == 0)
            return false;
        core_buffer_append(out, bytes, length);
    }
    return core_buffer_ok(out);
}

bool core_json_raw_is(core_slice raw, const char *text) {
    if (raw.length == 0)
        return *text == '\0';
    const uint8_t *at = raw.data, *end = raw.data + raw.length;
    size_t left = strlen(text);
    while (at < end) {
        uint8_t bytes[4] = {*at++};
        size_t length = bytes[0] == '\\' ? json_escape_undo(&at, end, bytes) : 1;
        if (length == 0 || length > left || memcmp(bytes, text, length) != 0)
            return false;
        text += length;
        left -= length;
    }
    return left == 0;
}
