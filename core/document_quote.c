/* References `${NAME}` as texts of a flow map or list, where YAML takes their braces for a map's;
 * see document.h. */
#include "core/document_quote.h"

#include "core/json.h"

#include <yaml.h>

static bool is_in_reference(uint8_t byte) {
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') || byte == '_' || byte == '-' || byte == ':' || byte == '.';
}

/* The length of the reference that begins there; 0: none does. */
static size_t reference_length(core_slice text, size_t at) {
    if (text.length - at < 4 || text.data[at] != '$' || text.data[at + 1] != '{')
        return 0;
    size_t end = at + 2;
    while (end < text.length && is_in_reference(text.data[end]))
        end++;
    return end > at + 2 && end < text.length && text.data[end] == '}' ? end + 1 - at : 0;
}

/* It ends where a value does: in front of `,`, `]`, `}` or the line's end. */
static bool ends_value(core_slice text, size_t behind) {
    while (behind < text.length && (text.data[behind] == ' ' || text.data[behind] == '\t'))
        behind++;
    return behind == text.length || memchr(",]}\r\n", text.data[behind], 5) != NULL;
}

/* Marks count characters; a place in the text moves forward to the one of that index. */
typedef struct {
    core_slice text;
    size_t at, character;
} character_place;

static size_t place_move(character_place *place, size_t character) {
    for (; place->character < character && place->at < place->text.length; place->character++)
        do
            place->at++;
        while (place->at < place->text.length && (place->text.data[place->at] & 0xC0) == 0x80);
    return place->at;
}

/* The `$` is a plain text of its own, as only in a flow map or list, where the brace ends it. */
static bool is_dollar(const yaml_token_t *token) {
    return token->type == YAML_SCALAR_TOKEN &&
           token->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && token->data.scalar.length == 1 &&
           token->data.scalar.value[0] == '$';
}

/* Appends what stands before the reference at `at`, and it in quotes; the place behind it. */
static size_t reference_quote(core_slice text, size_t done, size_t at, core_buffer *out) {
    size_t length = reference_length(text, at);
    if (length == 0 || !ends_value(text, at + length))
        return done;
    core_buffer_append(out, text.data + done, at - done);
    core_buffer_u8(out, '"');
    core_buffer_append(out, text.data + at, length);
    core_buffer_u8(out, '"');
    return at + length;
}

/* YAML's own scanner says which are texts of a flow map or list: it knows quotes, comments and
 * blocks. Where it finds no sense it ends, and what is behind stays as it is. */
bool core_document_quote(core_slice text, core_buffer *out) {
    yaml_parser_t scanner;
    character_place place = {.text = text};
    size_t done = 0;
    if (!yaml_parser_initialize(&scanner))
        return false;
    yaml_parser_set_encoding(&scanner, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&scanner, text.data, text.length);
    for (bool ended = false; !ended;) {
        yaml_token_t token;
        if (!yaml_parser_scan(&scanner, &token))
            break;
        if (is_dollar(&token))
            done = reference_quote(text, done, place_move(&place, token.start_mark.index), out);
        ended = token.type == YAML_STREAM_END_TOKEN;
        yaml_token_delete(&token);
    }
    yaml_parser_delete(&scanner);
    core_buffer_append(out, text.data + done, text.length - done);
    return done > 0 && core_buffer_ok(out);
}

/* The four digits of `\uXXXX` at that place; -1: there is no such escape. */
static int32_t escape_unit(core_slice text, size_t at) {
    int32_t unit = 0;
    if (text.length - at < 6 || text.data[at] != '\\' || text.data[at + 1] != 'u')
        return -1;
    for (size_t i = at + 2; i < at + 6; i++) {
        int digit = core_hex_digit(text.data[i]);
        if (digit < 0)
            return -1;
        unit = unit << 4 | digit;
    }
    return unit;
}

/* The character that a pair of escapes at that place stands for; 0: it is none. */
static uint32_t pair_at(core_slice text, size_t at) {
    int32_t high = escape_unit(text, at);
    if (high < 0xD800 || high > 0xDBFF)
        return 0;
    int32_t low = escape_unit(text, at + 6);
    if (low < 0xDC00 || low > 0xDFFF)
        return 0;
    return 0x10000 + (((uint32_t)high - 0xD800) << 10) + ((uint32_t)low - 0xDC00);
}

bool core_document_join(core_slice text, core_buffer *out) {
    bool any = false;
    if (!core_json_valid(text))
        return false;
    for (size_t at = 0; at < text.length;) {
        uint32_t character = pair_at(text, at);
        if (character != 0) {
            core_buffer_format(out, "\\U%08X", character);
            at += 12;
            any = true;
            continue;
        }
        /* Of an escape the second byte begins none. */
        size_t length = text.data[at] == '\\' && at + 1 < text.length ? 2 : 1;
        core_buffer_append(out, text.data + at, length);
        at += length;
    }
    return any && core_buffer_ok(out);
}
