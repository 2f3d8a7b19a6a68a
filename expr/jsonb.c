/* A JSON text as jsonb prints it: keys in jsonb's order (shorter ones first), each once, ", " and
 * ": " between, escapes only where they must be. For settings only, once a fold: it allocates.
 *
 * Numbers keep their digits; one with an exponent, which jsonb writes out, is undecided, as is what
 * is nested deeper than DEPTH_MAX. */
#include "expr/operations.h"

#include <stdlib.h>

#define DEPTH_MAX  64u
#define OUTPUT_MAX (6 * EXPR_CONDITION_TEXT_MAX + 64)
#define ARENA_MAX  ((size_t)4 << 20)

typedef struct {
    core_slice key; /* escapes undone */
    core_slice whole;
    size_t index;
} member;

typedef struct {
    core_arena arena;
    core_buffer out;
    bool is_odd; /* not told here what jsonb makes of it */
} normalizer;

static bool value_write(normalizer *n, core_slice whole, unsigned depth);

static void string_write(core_buffer *out, core_slice text) {
    static const char shorts[] = "\"\\\b\f\n\r\t";
    static const char letters[] = "\"\\bfnrt";
    core_buffer_u8(out, '"');
    for (size_t i = 0; i < text.length; i++) {
        uint8_t byte = text.data[i];
        const char *found = byte != 0 ? strchr(shorts, byte) : NULL;
        if (found != NULL)
            core_buffer_format(out, "\\%c", letters[found - shorts]);
        else if (byte < ' ')
            core_buffer_format(out, "\\u%04x", byte);
        else
            core_buffer_u8(out, byte);
    }
    core_buffer_u8(out, '"');
}

/* The raw string without its escapes; jsonb takes no NUL. */
static bool plain_of(normalizer *n, core_slice raw, core_slice *plain) {
    core_buffer buffer;
    core_buffer_init(&buffer, raw.length + 1);
    bool ok = core_json_unescape(raw, &buffer) &&
              (buffer.length == 0 || memchr(buffer.data, '\0', buffer.length) == NULL);
    if (ok)
        *plain = core_arena_copy(&n->arena, core_buffer_slice(&buffer));
    core_buffer_fini(&buffer);
    return ok && plain->data != NULL;
}

static void number_write(normalizer *n, core_slice raw) {
    bool is_zero = true;
    for (size_t i = 0; i < raw.length; i++) {
        n->is_odd = n->is_odd || (raw.data[i] | 0x20) == 'e';
        is_zero = is_zero && (raw.data[i] < '1' || raw.data[i] > '9');
    }
    if (is_zero && raw.length > 0 && raw.data[0] == '-')
        raw = core_slice_make(raw.data + 1, raw.length - 1);
    core_buffer_slice_append(&n->out, raw);
}

static int by_key(const void *left, const void *right) {
    const member *a = left, *b = right;
    if (a->key.length != b->key.length)
        return a->key.length < b->key.length ? -1 : 1;
    int order = a->key.length > 0 ? memcmp(a->key.data, b->key.data, a->key.length) : 0;
    return order != 0 ? order : (a->index > b->index) - (a->index < b->index);
}

static bool members_write(normalizer *n, member *members, size_t count, unsigned depth) {
    bool is_first = true;
    if (count > 1)
        qsort(members, count, sizeof *members, by_key);
    core_buffer_u8(&n->out, '{');
    for (size_t i = 0; i < count; i++) {
        if (i + 1 < count && core_slice_equal(members[i].key, members[i + 1].key))
            continue; /* the last one counts */
        core_buffer_text(&n->out, is_first ? "" : ", ");
        is_first = false;
        string_write(&n->out, members[i].key);
        core_buffer_text(&n->out, ": ");
        if (!value_write(n, members[i].whole, depth + 1))
            return false;
    }
    core_buffer_u8(&n->out, '}');
    return true;
}

static size_t member_count(core_json_reader reader) {
    size_t count = 0;
    core_json_token token;
    core_slice whole;
    while (core_json_member_next(&reader, &token) && core_json_skip(&reader, token, &whole))
        count++;
    return count;
}

static bool object_write(normalizer *n, core_json_reader *reader, unsigned depth) {
    size_t count = member_count(*reader);
    member *members = core_arena_array(&n->arena, count + 1, sizeof *members);
    core_json_token token;
    if (members == NULL)
        return false;
    for (size_t i = 0; i < count; i++) {
        members[i].index = i;
        if (!core_json_member_next(reader, &token) ||
            !core_json_skip(reader, token, &members[i].whole) ||
            !plain_of(n, token.key, &members[i].key))
            return false;
    }
    return members_write(n, members, count, depth);
}

static bool array_write(normalizer *n, core_json_reader *reader, unsigned depth) {
    bool is_first = true;
    core_buffer_u8(&n->out, '[');
    for (;;) {
        core_slice whole;
        core_json_token token = core_json_next(reader);
        if (token.kind == CORE_JSON_ARRAY_CLOSE)
            break;
        core_buffer_text(&n->out, is_first ? "" : ", ");
        is_first = false;
        if (!core_json_skip(reader, token, &whole) || !value_write(n, whole, depth + 1))
            return false;
    }
    core_buffer_u8(&n->out, ']');
    return true;
}

static bool value_write(normalizer *n, core_slice whole, unsigned depth) {
    core_json_reader reader = core_json_reader_make(whole);
    core_json_token token = core_json_next(&reader);
    core_slice plain;
    if (depth > DEPTH_MAX) {
        n->is_odd = true;
        return true;
    }
    switch (token.kind) {
    case CORE_JSON_OBJECT_OPEN:
        return object_write(n, &reader, depth);
    case CORE_JSON_ARRAY_OPEN:
        return array_write(n, &reader, depth);
    case CORE_JSON_STRING:
        if (!plain_of(n, token.raw, &plain))
            return false;
        string_write(&n->out, plain);
        return true;
    case CORE_JSON_NUMBER:
        number_write(n, token.raw);
        return true;
    case CORE_JSON_NULL:
    case CORE_JSON_TRUE:
    case CORE_JSON_FALSE:
        core_buffer_text(&n->out, token.kind == CORE_JSON_NULL   ? "null"
                                  : token.kind == CORE_JSON_TRUE ? "true"
                                                                 : "false");
        return true;
    default:
        return false;
    }
}

bool expr_jsonb_normalize(core_slice json, core_arena *arena, expr_datum *result) {
    if (json.length > EXPR_CONDITION_TEXT_MAX) {
        expr_datum_undecided(result, "a json text is too long for the engine");
        return false;
    }
    if (!core_json_valid(json)) {
        expr_datum_error(result, "invalid input syntax for type json");
        return false;
    }
    normalizer n = {.is_odd = false};
    core_arena_init(&n.arena, 4096, ARENA_MAX);
    core_buffer_init(&n.out, OUTPUT_MAX);
    bool ok = value_write(&n, json, 0) && core_buffer_ok(&n.out);
    if (!ok || n.is_odd)
        expr_datum_undecided(result, "a json text holds what the engine leaves to PostgreSQL");
    else
        expr_datum_text(result, core_arena_copy(arena, core_buffer_slice(&n.out)));
    core_buffer_fini(&n.out);
    core_arena_fini(&n.arena);
    return ok && !n.is_odd && result->scalar.text.data != NULL;
}

/* Reached only while the settings are not known: folding does it (simplify.c). */
static void text_to_json_apply(const expr_node *node, expr_evaluation *at,
                               const expr_datum *arguments, expr_datum *result) {
    (void)node;
    (void)at;
    (void)arguments;
    expr_datum_undecided(result, "the settings are not known yet");
}

const expr_operation expr_operation_text_to_json = {
    .name = "to_json", .raises = true, .apply = text_to_json_apply};
