/* Words, values and errors of filters; see filter_parser.h. */
#include "search-index/filter_parser.h"

#include "search-index/letter.h"

#include <stdarg.h>
#include <stdio.h>

enum { FILTER_MESSAGE_MAX = 800 };

/* ---- Errors ---- */
static size_t column_of(core_slice text, size_t at) {
    return search_letter_count(core_slice_make(text.data, at)) + 1;
}

bool filter_fail(filter_parser *parser, size_t start, size_t end, const char *format, ...) {
    char message[FILTER_MESSAGE_MAX];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    parser->failed = true;
    size_t from = column_of(parser->text, start);
    return core_error_set(parser->error, CORE_ERROR_INPUT, "%s\n%zu:%zu %.*s", message, from,
                          from + column_of(parser->text, end) - column_of(parser->text, start),
                          CORE_SLICE_ARGS(parser->text));
}

/* As Rust prints a text for debugging, without the quotes around. */
static void text_escape(core_slice text, core_buffer *out) {
    for (size_t i = 0; i < text.length; i++) {
        uint8_t byte = text.data[i];
        if (byte == '\n' || byte == '\t' || byte == '\r')
            core_buffer_format(out, "\\%c", byte == '\n' ? 'n' : byte == '\t' ? 't' : 'r');
        else if (byte == '\'' || byte == '"' || byte == '\\')
            core_buffer_format(out, "\\%c", byte);
        else if (byte < ' ')
            core_buffer_format(out, "\\u{%x}", byte);
        else
            core_buffer_u8(out, byte);
    }
}

bool filter_fail_at(filter_parser *parser, size_t start, size_t end, const char *before,
                    const char *after) {
    char memory[FILTER_MESSAGE_MAX];
    core_buffer escaped = core_buffer_over(memory, sizeof memory);
    text_escape(core_slice_make(parser->text.data + start, end - start), &escaped);
    return filter_fail(parser, start, end, "%s%.*s%s", before,
                       CORE_SLICE_ARGS(core_buffer_slice(&escaped)), after);
}

bool filter_fail_full(filter_parser *parser) {
    parser->failed = true;
    return core_error_set(parser->error, CORE_ERROR_INPUT,
                          "Too many filter conditions, can't process more than %d filters.",
                          SEARCH_FILTER_NODES_MAX);
}

/* ---- Words ---- */
static bool is_blank(uint8_t byte) {
    return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}

void filter_blanks_skip(filter_parser *parser) {
    while (parser->at < parser->text.length && is_blank(parser->text.data[parser->at]))
        parser->at++;
}

bool filter_is_at_end(const filter_parser *parser) {
    return parser->at == parser->text.length;
}

/* Letters and digits of any script, by leaving out the blocks of blanks, punctuation, signs and
 * pictures. */
static bool is_alphanumeric(uint32_t letter) {
    static const struct {
        uint32_t first;
        uint32_t last;
    } others[] = {
        {0x80, 0xA9},     {0xAB, 0xB4},       {0xB6, 0xB9},          {0xBB, 0xBF},
        {0xD7, 0xD7},     {0xF7, 0xF7},       {0x2000, 0x206F},      {0x20A0, 0x20CF},
        {0x2190, 0x245F}, {0x2500, 0x2BFF},   {0x2E00, 0x3004},      {0x3008, 0x3020},
        {0xD800, 0xF8FF}, {0xFE10, 0xFE6F},   {0xFF00, 0xFF0F},      {0xFF1A, 0xFF20},
        {0xFFF0, 0xFFFF}, {0x1F000, 0x1FAFF}, {0xE0000, UINT32_MAX},
    };
    if (letter < 0x80)
        return (letter >= '0' && letter <= '9') ||
               ((letter | 0x20) >= 'a' && (letter | 0x20) <= 'z');
    for (size_t i = 0; i < CORE_COUNT_OF(others); i++)
        if (letter >= others[i].first && letter <= others[i].last)
            return false;
    return true;
}

core_slice filter_word_at(const filter_parser *parser, size_t at) {
    size_t end = at;
    for (size_t next = at; next < parser->text.length; end = next) {
        uint32_t letter = search_letter_next(parser->text, &next);
        if (!is_alphanumeric(letter) && letter != '_' && letter != '-' && letter != '.')
            break;
    }
    return core_slice_make(parser->text.data + at, end - at);
}

bool filter_word_take(filter_parser *parser, const char *word) {
    size_t before = parser->at;
    filter_blanks_skip(parser);
    core_slice found = filter_word_at(parser, parser->at);
    if (!core_slice_is(found, word)) {
        parser->at = before;
        return false;
    }
    parser->at += found.length;
    filter_blanks_skip(parser);
    return true;
}

bool filter_text_take(filter_parser *parser, const char *text) {
    size_t before = parser->at;
    filter_blanks_skip(parser);
    core_slice rest =
        core_slice_make(parser->text.data + parser->at, parser->text.length - parser->at);
    if (!core_slice_begins(rest, core_slice_text(text))) {
        parser->at = before;
        return false;
    }
    parser->at += strlen(text);
    return true;
}

static bool is_keyword(core_slice word) {
    static const char *const keywords[] = {
        "AND",  "OR",    "IN",       "NOT",    "TO",   "EXISTS",     "IS",
        "NULL", "EMPTY", "CONTAINS", "STARTS", "WITH", "_geoRadius", "_geoBoundingBox"};
    for (size_t i = 0; i < CORE_COUNT_OF(keywords); i++)
        if (core_slice_is(word, keywords[i]))
            return true;
    return false;
}

/* ---- Values ---- */
static const char reserved_geo[] =
    "is a reserved keyword and thus can't be used as a filter expression. Use the "
    "`_geoRadius(latitude, longitude, distance)` or `_geoBoundingBox([latitude, longitude], "
    "[latitude, longitude])` built-in rules to filter on `_geo` coordinates.";

/* Words about places that are no values. */
static bool geo_refuse(filter_parser *parser) {
    core_slice word = filter_word_at(parser, parser->at);
    size_t end = parser->text.length;
    static const char *const operations[] = {"_geoRadius", "_geoBoundingBox", "_geoPolygon"};
    for (size_t i = 0; i < CORE_COUNT_OF(operations); i++)
        if (core_slice_is(word, operations[i]))
            return filter_fail(parser, parser->at, end,
                               "The `%s` filter is an operation and can't be used as a value.",
                               operations[i]);
    static const char *const names[] = {"_geoPoint", "_geoDistance"};
    for (size_t i = 0; i < CORE_COUNT_OF(names); i++)
        if (core_slice_begins(word, core_slice_text(names[i])))
            return filter_fail(parser, parser->at, end, "`%s` %s", names[i], reserved_geo);
    if (core_slice_is(word, "_geo"))
        return filter_fail(parser, parser->at, end, "`_geo` %s", reserved_geo);
    return true;
}

/* The quote that closes the one before `from`; the text's length: there is none. */
static size_t quote_find(core_slice text, size_t from, uint8_t quote) {
    size_t at = from;
    while (at < text.length && text.data[at] != quote)
        at += text.data[at] == '\\' && at + 1 < text.length ? 2 : 1;
    return at < text.length ? at : text.length;
}

static bool hex_take(core_slice text, size_t *at, size_t min, size_t max, uint32_t *code) {
    size_t count = 0;
    for (*code = 0; count < max && *at < text.length; count++, (*at)++) {
        int digit = core_hex_digit(text.data[*at]);
        if (digit < 0)
            break;
        *code = *code << 4 | (uint32_t)digit;
    }
    return count >= min;
}

/* What stands behind `\u` or `\x`. */
static bool code_take(core_slice text, size_t *at, bool is_byte, uint32_t *code) {
    if (is_byte)
        return hex_take(text, at, 2, 2, code);
    bool is_braced = *at < text.length && text.data[*at] == '{';
    *at += is_braced;
    if (!hex_take(text, at, is_braced ? 1 : 4, is_braced ? 6 : 4, code))
        return false;
    if (is_braced && (*at == text.length || text.data[(*at)++] != '}'))
        return false;
    return *code <= 0x10FFFF && (*code < 0xD800 || *code > 0xDFFF);
}

static size_t code_put(uint32_t code, uint8_t *out) {
    if (code < 0x80) {
        out[0] = (uint8_t)code;
        return 1;
    }
    static const uint8_t leads[] = {0, 0, 0xC0, 0xE0, 0xF0};
    size_t length = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = length - 1; i > 0; i--, code >>= 6)
        out[i] = (uint8_t)(0x80 | (code & 0x3F));
    out[0] = (uint8_t)(leads[length] | code);
    return length;
}

/* One escape, `*at` behind its backslash; 0: it is none. */
static size_t escape_undo(core_slice text, size_t *at, uint8_t *out) {
    static const char plain[] = "bfnrt'\"\\/";
    static const char meant[] = "\b\f\n\r\t'\"\\/";
    uint8_t byte = text.data[(*at)++];
    const char *found = byte != '\0' ? strchr(plain, byte) : NULL;
    uint32_t code;
    if (found != NULL) {
        out[0] = (uint8_t)meant[found - plain];
        return 1;
    }
    if ((byte == 'u' || byte == 'x') && code_take(text, at, byte == 'x', &code))
        return code_put(code, out);
    return 0;
}

/* A quoted value's text, escapes undone in the arena where there are any. */
static bool escapes_undo(filter_parser *parser, filter_value *value) {
    core_slice raw = value->text;
    if (raw.length == 0 || memchr(raw.data, '\\', raw.length) == NULL)
        return true;
    uint8_t *out = core_arena_alloc(parser->arena, raw.length + 4);
    if (out == NULL)
        return filter_fail_full(parser);
    size_t length = 0;
    for (size_t at = 0; at < raw.length;) {
        if (raw.data[at] != '\\') {
            out[length++] = raw.data[at++];
            continue;
        }
        size_t wrote = ++at < raw.length ? escape_undo(raw, &at, out + length) : 0;
        if (wrote == 0)
            return filter_fail_at(parser, value->start, value->end, "Malformed value: `", "`.");
        length += wrote;
    }
    value->text = core_slice_make(out, length);
    return true;
}

static filter_value_result quoted_take(filter_parser *parser, filter_value *value) {
    uint8_t quote = parser->text.data[parser->at];
    size_t end = quote_find(parser->text, parser->at + 1, quote);
    if (end == parser->text.length) {
        const char *after = quote == '"' ? "` is missing the following closing delimiter: `\"`."
                                         : "` is missing the following closing delimiter: `'`.";
        (void)filter_fail_at(parser, parser->at, parser->text.length, "Expression `", after);
        return FILTER_VALUE_FAILED;
    }
    value->start = parser->at + 1;
    value->end = end;
    value->text = core_slice_make(parser->text.data + value->start, end - value->start);
    parser->at = end + 1;
    return escapes_undo(parser, value) ? FILTER_VALUE_READ : FILTER_VALUE_FAILED;
}

filter_value_result filter_value_take(filter_parser *parser, filter_value *value) {
    filter_blanks_skip(parser);
    if (!geo_refuse(parser))
        return FILTER_VALUE_FAILED;
    uint8_t first = filter_is_at_end(parser) ? '\0' : parser->text.data[parser->at];
    if (first == '\'' || first == '"') {
        filter_value_result result = quoted_take(parser, value);
        filter_blanks_skip(parser);
        return result;
    }
    core_slice word = filter_word_at(parser, parser->at);
    if (word.length == 0)
        return FILTER_VALUE_NONE;
    if (is_keyword(word))
        return FILTER_VALUE_KEYWORD;
    *value = (filter_value){.text = word, .start = parser->at, .end = parser->at + word.length};
    parser->at = value->end;
    filter_blanks_skip(parser);
    return FILTER_VALUE_READ;
}

/* What stands up to the next blank or sign of the language. */
static size_t unreadable_end(const filter_parser *parser) {
    size_t at = parser->at;
    while (at < parser->text.length && !is_blank(parser->text.data[at]) &&
           strchr("()=<>!", parser->text.data[at]) == NULL)
        at++;
    return at;
}

bool filter_value_fail(filter_parser *parser, filter_value_result result) {
    if (result == FILTER_VALUE_FAILED)
        return false;
    size_t start = parser->at;
    size_t end = unreadable_end(parser);
    if (start == end)
        return filter_fail(parser, start, end, "Was expecting a value but instead got nothing.");
    if (result != FILTER_VALUE_KEYWORD)
        return filter_fail_at(parser, start, end, "Was expecting a value but instead got `", "`.");
    core_slice word = core_slice_make(parser->text.data + start, end - start);
    return filter_fail(parser, start, end,
                       "Was expecting a value but instead got `%.*s`, which is a reserved keyword. "
                       "To use `%.*s` as a field name or a value, surround it by quotes.",
                       CORE_SLICE_ARGS(word), CORE_SLICE_ARGS(word));
}

search_filter *filter_node(filter_parser *parser, search_filter_kind kind) {
    search_filter *node = NULL;
    if (parser->budget->nodes > 0)
        node = core_arena_alloc(parser->arena, sizeof *node);
    if (node == NULL) {
        (void)filter_fail_full(parser);
        return NULL;
    }
    parser->budget->nodes--;
    node->kind = kind;
    node->text = parser->text;
    return node;
}
