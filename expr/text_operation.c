/* Operations on texts; see operations.h.
 *
 * What a locale decides (which letters are one in two cases, which are letters at all) is only
 * decided here for ASCII, or under "C"; else it is undecided. `option` has EXPR_PATTERN_LOCAL where
 * the collation is not "C" and so the locale counts. */
#include "expr/like.h"
#include "expr/operations.h"
#include "expr/text.h"

#include <stdlib.h>

static const char locale_reason[] =
    "letters outside ASCII are compared or changed as the database's locale has it";

bool expr_text_is_ascii(core_slice text) {
    for (size_t i = 0; i < text.length; i++)
        if (text.data[i] >= 0x80)
            return false;
    return true;
}

/* Classes of characters, by name or by escape. */
bool expr_pattern_is_local(core_slice pattern) {
    for (size_t i = 0; i + 1 < pattern.length; i++) {
        if (pattern.data[i] == '[' && pattern.data[i + 1] == ':')
            return true;
        if (pattern.data[i] != '\\')
            continue;
        if (memchr("dswDSW", pattern.data[i + 1], 6) != NULL)
            return true;
        i++;
    }
    return false;
}

/* ---- Patterns ---- */

static void pattern_end(const expr_node *node, expr_truth truth, expr_datum *result) {
    if (truth == EXPR_UNKNOWN)
        expr_datum_undecided(result, "matching took more steps than the engine takes");
    else
        expr_datum_bool(result,
                        (truth == EXPR_TRUE) == ((node->option & EXPR_PATTERN_NEGATED) == 0));
}

static void like_apply(const expr_node *node, expr_evaluation *at, const expr_datum *arguments,
                       expr_datum *result) {
    core_slice text = arguments[0].scalar.text;
    core_slice pattern = arguments[1].scalar.text;
    bool folds = (node->option & EXPR_PATTERN_FOLD) != 0;
    bool is_local = (node->option & EXPR_PATTERN_LOCAL) != 0;
    (void)at;
    if (!expr_like_check(pattern))
        expr_datum_undecided(result, "a LIKE pattern ends with its escape character");
    else if (folds && is_local && !(expr_text_is_ascii(text) && expr_text_is_ascii(pattern)))
        expr_datum_undecided(result, locale_reason);
    else
        pattern_end(node, expr_like(text, pattern, folds), result);
}

static void regex_apply(const expr_node *node, expr_evaluation *at, const expr_datum *arguments,
                        expr_datum *result) {
    core_slice text = arguments[0].scalar.text;
    (void)at;
    if ((node->option & EXPR_PATTERN_LOCAL) != 0 && !expr_text_is_ascii(text))
        expr_datum_undecided(result, locale_reason);
    else if (node->regex == NULL)
        expr_datum_undecided(result, "the pattern is not known yet");
    else
        pattern_end(node, expr_regex_match_shared(node->regex, text), result);
}

/* ---- Making texts ---- */

static void concat_apply(const expr_node *node, expr_evaluation *at, const expr_datum *arguments,
                         expr_datum *result) {
    core_slice left = arguments[0].scalar.text;
    core_slice right = arguments[1].scalar.text;
    (void)node;
    uint8_t *text = expr_scratch_take(at, left.length + right.length, result);
    if (text == NULL)
        return;
    uint8_t *room = text;
    (void)core_slice_keep(&room, left);
    (void)core_slice_keep(&room, right);
    expr_datum_text(result, core_slice_make(text, left.length + right.length));
}

static void fold_letters(const expr_node *node, expr_evaluation *at, core_slice from, char first,
                         expr_datum *result) {
    if ((node->option & EXPR_PATTERN_LOCAL) != 0 && !expr_text_is_ascii(from)) {
        expr_datum_undecided(result, locale_reason);
        return;
    }
    uint8_t *text = expr_scratch_take(at, from.length, result);
    if (text == NULL)
        return;
    for (size_t i = 0; i < from.length; i++) {
        bool changes = from.data[i] >= first && from.data[i] <= first + 25;
        text[i] = changes ? from.data[i] ^ 0x20 : from.data[i];
    }
    expr_datum_text(result, core_slice_make(text, from.length));
}

static void lower_apply(const expr_node *node, expr_evaluation *at, const expr_datum *arguments,
                        expr_datum *result) {
    fold_letters(node, at, arguments[0].scalar.text, 'A', result);
}

static void upper_apply(const expr_node *node, expr_evaluation *at, const expr_datum *arguments,
                        expr_datum *result) {
    fold_letters(node, at, arguments[0].scalar.text, 'a', result);
}

/* ---- Parts of texts ---- */

/* Characters of UTF-8. */
static int64_t character_count(core_slice text) {
    int64_t count = 0;
    for (size_t i = 0; i < text.length; i++)
        count += (text.data[i] & 0xC0) != 0x80 ? 1 : 0;
    return count;
}

static void length_apply(const expr_node *node, expr_evaluation *at, const expr_datum *arguments,
                         expr_datum *result) {
    (void)node;
    (void)at;
    expr_datum_integer(result, character_count(arguments[0].scalar.text));
}

static void starts_with_apply(const expr_node *node, expr_evaluation *at,
                              const expr_datum *arguments, expr_datum *result) {
    core_slice text = arguments[0].scalar.text;
    core_slice with = arguments[1].scalar.text;
    (void)node;
    (void)at;
    text.length = text.length < with.length ? text.length : with.length;
    expr_datum_bool(result, core_slice_equal(text, with));
}

/* Where `part` is, in bytes; the text's length when it is nowhere. */
static size_t find(core_slice text, core_slice part) {
    if (part.length == 0)
        return 0;
    const uint8_t *at =
        text.length >= part.length ? memmem(text.data, text.length, part.data, part.length) : NULL;
    return at != NULL ? (size_t)(at - text.data) : text.length;
}

static void strpos_apply(const expr_node *node, expr_evaluation *at, const expr_datum *arguments,
                         expr_datum *result) {
    core_slice text = arguments[0].scalar.text;
    core_slice part = arguments[1].scalar.text;
    size_t place = find(text, part);
    (void)node;
    (void)at;
    bool is_there = part.length == 0 || place < text.length;
    expr_datum_integer(result,
                       is_there ? character_count(core_slice_make(text.data, place)) + 1 : 0);
}

static void split_part_apply(const expr_node *node, expr_evaluation *at,
                             const expr_datum *arguments, expr_datum *result) {
    core_slice text = arguments[0].scalar.text;
    core_slice by = arguments[1].scalar.text;
    int64_t number = arguments[2].scalar.integer;
    (void)node;
    (void)at;
    if (number < 0) {
        expr_datum_undecided(result, "split_part from the end hangs on the server's version");
        return;
    }
    if (number == 0) {
        expr_datum_error(result, "field position must not be zero");
        return;
    }
    if (by.length == 0 || text.length == 0) {
        expr_datum_text(result, number == 1 ? text : core_slice_make(text.data, 0));
        return;
    }
    for (; number > 1; number--) {
        size_t place = find(text, by);
        if (place == text.length) {
            expr_datum_text(result, core_slice_make(text.data, 0));
            return;
        }
        text = expr_text_after(text, place + by.length);
    }
    expr_datum_text(result, core_slice_make(text.data, find(text, by)));
}

static void trim_apply(const expr_node *node, expr_evaluation *at, const expr_datum *arguments,
                       expr_datum *result) {
    core_slice text = arguments[0].scalar.text;
    (void)at;
    while ((node->option & 2) != 0 && text.length > 0 && text.data[text.length - 1] == ' ')
        text.length--;
    while ((node->option & 1) != 0 && expr_text_peek(text) == ' ')
        text = expr_text_after(text, 1);
    expr_datum_text(result, text);
}

/* Bytes of the first characters. */
static size_t bytes_of(core_slice text, int64_t characters) {
    size_t end = 0;
    for (; end < text.length; end++) {
        characters -= (text.data[end] & 0xC0) != 0x80 ? 1 : 0;
        if (characters < 0)
            break;
    }
    return end;
}

/* The first characters; below zero: all but so many at the end. */
static void left_apply(const expr_node *node, expr_evaluation *at, const expr_datum *arguments,
                       expr_datum *result) {
    core_slice text = arguments[0].scalar.text;
    int64_t count = arguments[1].scalar.integer;
    (void)node;
    (void)at;
    count = count < 0 ? character_count(text) + count : count;
    size_t end = bytes_of(text, count > 0 ? count : 0);
    expr_datum_text(result, core_slice_make(text.data, end));
}

/* The last characters; below zero: all but so many at the beginning. */
static void right_apply(const expr_node *node, expr_evaluation *at, const expr_datum *arguments,
                        expr_datum *result) {
    core_slice text = arguments[0].scalar.text;
    int64_t count = arguments[1].scalar.integer;
    (void)node;
    (void)at;
    int64_t passed = count < 0 ? -count : character_count(text) - count;
    expr_datum_text(result, expr_text_after(text, bytes_of(text, passed > 0 ? passed : 0)));
}

/* From a character on, counted from 1, perhaps beginning in front of the text. */
static void substr_apply(const expr_node *node, expr_evaluation *at, const expr_datum *arguments,
                         expr_datum *result) {
    core_slice text = arguments[0].scalar.text;
    int64_t from = arguments[1].scalar.integer;
    int64_t end = INT64_MAX;
    (void)at;
    if (node->argument_count == 3) {
        if (arguments[2].scalar.integer < 0) {
            expr_datum_error(result, "negative substring length not allowed");
            return;
        }
        end = from + arguments[2].scalar.integer;
    }
    from = from < 1 ? 1 : from;
    text = expr_text_after(text, bytes_of(text, from - 1));
    text.length = end > from ? bytes_of(text, end - from) : 0;
    expr_datum_text(result, text);
}

static void replace_apply(const expr_node *node, expr_evaluation *at, const expr_datum *arguments,
                          expr_datum *result) {
    core_slice text = arguments[0].scalar.text;
    core_slice old = arguments[1].scalar.text;
    core_slice new = arguments[2].scalar.text;
    (void)node;
    if (text.length == 0 || old.length == 0 || at->scratch_left == 0) {
        if (text.length == 0 || old.length == 0)
            expr_datum_text(result, text);
        else
            (void)expr_scratch_take(at, 1, result);
        return;
    }
    core_buffer out = core_buffer_over(at->scratch, at->scratch_left);
    for (size_t place = find(text, old); place < text.length; place = find(text, old)) {
        core_buffer_append(&out, text.data, place);
        core_buffer_slice_append(&out, new);
        text = expr_text_after(text, place + old.length);
    }
    core_buffer_slice_append(&out, text);
    size_t length = core_buffer_ok(&out) ? out.length : at->scratch_left + 1;
    if (expr_scratch_take(at, length, result) != NULL)
        expr_datum_text(result, core_slice_make(out.data, length));
}

const expr_operation expr_operation_right = {.name = "right", .apply = right_apply};
const expr_operation expr_operation_substr = {
    .name = "substr", .raises = true, .apply = substr_apply};
const expr_operation expr_operation_replace = {.name = "replace", .apply = replace_apply};
const expr_operation expr_operation_like = {.name = "like", .raises = true, .apply = like_apply};
const expr_operation expr_operation_regex = {.name = "regex", .apply = regex_apply};
const expr_operation expr_operation_concat = {.name = "concat", .apply = concat_apply};
const expr_operation expr_operation_lower = {.name = "lower", .apply = lower_apply};
const expr_operation expr_operation_upper = {.name = "upper", .apply = upper_apply};
const expr_operation expr_operation_length = {.name = "length", .apply = length_apply};
const expr_operation expr_operation_starts_with = {.name = "starts_with",
                                                   .apply = starts_with_apply};
const expr_operation expr_operation_strpos = {.name = "strpos", .apply = strpos_apply};
const expr_operation expr_operation_split_part = {
    .name = "split_part", .raises = true, .apply = split_part_apply};
const expr_operation expr_operation_trim = {.name = "trim", .apply = trim_apply};
const expr_operation expr_operation_left = {.name = "left", .apply = left_apply};
