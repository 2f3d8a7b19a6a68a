/* jsonb's @>, on texts as jsonb prints them; see operations.h.
 *
 * As JsonbDeepContains does it (src/backend/utils/adt/jsonb_util.c): an object holds each member of
 * the other, an array each element, in any order; on the top an array also holds a scalar. Keys and
 * strings are written alike where they are equal; numbers are compared as numerics. What takes more
 * than BYTES_MAX of reading is undecided. */
#include "expr/operations.h"

#define BYTES_MAX ((size_t)4 << 20)
#define DEPTH_MAX 64u

typedef struct {
    size_t bytes_left;
    bool failed;
} search;

typedef struct {
    core_json_token token;
    core_slice whole;
} value;

static bool holds(search *s, const value *left, const value *right, unsigned depth);

static bool is_container(const value *v) {
    return v->token.kind == CORE_JSON_OBJECT_OPEN || v->token.kind == CORE_JSON_ARRAY_OPEN;
}

static bool scalars_equal(const value *left, const value *right) {
    if (left->token.kind != right->token.kind)
        return false;
    return expr_jsonb_equal(left->whole, right->whole);
}

/* Opens a value to be read from its first part on; false, failed, when it would be too much. */
static bool value_open(search *s, core_slice whole, core_json_reader *reader) {
    if (whole.length > s->bytes_left) {
        s->failed = true;
        return false;
    }
    s->bytes_left -= whole.length;
    *reader = core_json_reader_make(whole);
    return core_json_next(reader).kind != CORE_JSON_INVALID;
}

/* The next member or element; false behind the last. */
static bool part_next(search *s, core_json_reader *reader, bool is_object, value *part) {
    if (is_object) {
        if (!core_json_member_next(reader, &part->token))
            return false;
    } else {
        part->token = core_json_next(reader);
        if (part->token.kind == CORE_JSON_ARRAY_CLOSE)
            return false;
    }
    s->failed = s->failed || !core_json_skip(reader, part->token, &part->whole);
    return !s->failed;
}

/* Of the same kind, and equal or holding. */
static bool part_matches(search *s, const value *left, const value *right, unsigned depth) {
    if (left->token.kind != right->token.kind)
        return false;
    return is_container(right) ? holds(s, left, right, depth + 1) : scalars_equal(left, right);
}

/* Some part of `left` (its member of that name) matches. */
static bool part_is_held(search *s, const value *left, const value *right, unsigned depth) {
    bool is_object = left->token.kind == CORE_JSON_OBJECT_OPEN;
    core_json_reader reader;
    value part;
    if (!value_open(s, left->whole, &reader))
        return false;
    while (part_next(s, &reader, is_object, &part)) {
        if (is_object && !core_slice_equal(part.token.key, right->token.key))
            continue;
        if (part_matches(s, &part, right, depth))
            return true;
    }
    return false;
}

/* Two containers. */
static bool holds(search *s, const value *left, const value *right, unsigned depth) {
    bool is_object = right->token.kind == CORE_JSON_OBJECT_OPEN;
    core_json_reader reader;
    value part;
    if (left->token.kind != right->token.kind)
        return false;
    s->failed = s->failed || depth > DEPTH_MAX;
    if (s->failed || !value_open(s, right->whole, &reader))
        return false;
    while (part_next(s, &reader, is_object, &part))
        if (!part_is_held(s, left, &part, depth))
            return false;
    return !s->failed;
}

static value value_of(core_slice text) {
    core_json_reader reader = core_json_reader_make(text);
    return (value){.token = core_json_next(&reader), .whole = text};
}

static void contains_apply(const expr_node *node, expr_evaluation *at, const expr_datum *arguments,
                           expr_datum *result) {
    value left = value_of(arguments[0].scalar.text);
    value right = value_of(arguments[1].scalar.text);
    search s = {.bytes_left = BYTES_MAX};
    bool is_held = false;
    (void)node;
    (void)at;
    s.failed = left.token.kind == CORE_JSON_INVALID || right.token.kind == CORE_JSON_INVALID;
    if (is_container(&right))
        is_held = holds(&s, &left, &right, 0);
    else if (left.token.kind == CORE_JSON_ARRAY_OPEN)
        is_held = part_is_held(&s, &left, &right, 0);
    else
        is_held = scalars_equal(&left, &right);
    if (s.failed)
        expr_datum_undecided(result, "a json document is not one that the engine reads");
    else
        expr_datum_bool(result, is_held);
}

const expr_operation expr_operation_json_contains = {.name = "contains", .apply = contains_apply};
