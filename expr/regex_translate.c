/* From PostgreSQL's advanced regular expressions, in the part that is taken, to PCRE2's; see
 * regex.h.
 *
 *     regex  = branch *("|" branch)        branch = *(atom [quantifier] / "^" / "$" / lookahead)
 *     atom   = "(" regex ")" / "(?:" regex ")" / "." / bracket / escape / character
 *     lookahead = ("(?=" / "(?!") regex ")"
 *     quantifier = ("*" / "+" / "?" / "{m}" / "{m,}" / "{m,n}") ["?"]
 *     escape = "\" (d / s / w / D / S / W / n / r / t / f / punctuation)
 *     bracket = "[" ["^"] (character / range / "[:class:]" / escape)... "]"
 *
 * Everything that is written out is written anew: letters and digits as they are, all other ASCII
 * behind a backslash, so that nothing that PostgreSQL takes for itself can mean more to PCRE2.
 * Groups do not capture. Without regard to case a letter becomes [aA], since PCRE2 would fold all
 * of Unicode and COLLATE "C" folds ASCII. */
#include "expr/regex.h"

#include "expr/text.h"

#include <stdio.h>

#define REPEAT_MAX 255u /* PostgreSQL's DUPMAX */
#define SHOWN_MAX  40
#define DEPTH_MAX  50u

typedef struct {
    core_slice rest;
    core_slice pattern;
    core_buffer *out;
    core_error *error;
    bool fold;
    unsigned depth;
} translator;

static bool refuse(const translator *t, core_slice where, const char *reason) {
    return core_error_set(t->error, CORE_ERROR_INPUT, "filter: regular expression: at \"%.*s\": %s",
                          (int)(where.length < SHOWN_MAX ? where.length : SHOWN_MAX),
                          (const char *)where.data, reason);
}

static bool is_letter(int character) {
    return (character >= 'a' && character <= 'z') || (character >= 'A' && character <= 'Z');
}

static bool is_word(int character) {
    return is_letter(character) || expr_text_is_digit(character);
}

static bool begins(core_slice text, const char *with) {
    size_t length = strlen(with);
    return text.length >= length && memcmp(text.data, with, length) == 0;
}

/* ---- Characters ---- */

/* One byte, so that it stands for itself in and outside of brackets. */
static void literal_write(const translator *t, uint8_t byte) {
    if (byte > ' ' && byte < 0x7F && !is_word(byte))
        core_buffer_u8(t->out, '\\');
    core_buffer_u8(t->out, byte);
}

/* The next character as a code point, which is taken; the pattern is valid UTF-8. */
static uint32_t character_take(core_slice *text) {
    uint8_t lead = text->data[0];
    size_t length = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    uint32_t character = length == 1 ? lead : lead & (0x7Fu >> length);
    assert(length <= text->length);
    for (size_t i = 1; i < length; i++)
        character = character << 6 | (text->data[i] & 0x3Fu);
    *text = expr_text_after(*text, length);
    return character;
}

static void character_write(const translator *t, uint32_t character) {
    if (character < 0x80)
        literal_write(t, (uint8_t)character);
    else
        core_buffer_format(t->out, "\\x{%x}", (unsigned)character);
}

/* Outside of brackets. */
static void atom_write(const translator *t, uint32_t character) {
    if (t->fold && character < 0x80 && is_letter((int)character))
        core_buffer_format(t->out, "[%c%c]", (int)character, (int)character ^ 0x20);
    else
        character_write(t, character);
}

typedef enum { ESCAPE_CHARACTER, ESCAPE_CLASS } escape_kind;

/* Behind a backslash that is taken already: a character, or the letter of a class. */
static bool escape_take(translator *t, escape_kind *kind, uint32_t *character) {
    static const char letters[] = "nrtf", meanings[] = "\n\r\t\f";
    core_slice start = t->rest;
    int next = expr_text_peek(t->rest);
    if (next < 0)
        return refuse(t, t->pattern, "a backslash at the end takes nothing: write \\\\");
    if (next >= 0x80)
        return refuse(t, start, "a backslash before a letter that is not ASCII: leave it out");
    t->rest = expr_text_after(t->rest, 1);
    *character = (uint32_t)next;
    *kind = memchr("dswDSW", next, 6) != NULL ? ESCAPE_CLASS : ESCAPE_CHARACTER;
    if (*kind == ESCAPE_CLASS || !is_word(next))
        return true;
    const char *found = memchr(letters, next, sizeof letters - 1);
    if (found == NULL)
        return refuse(t, start,
                      "this escape is not taken; \\d \\s \\w \\D \\S \\W \\n \\r \\t \\f and a "
                      "backslash before punctuation are");
    *character = (uint8_t)meanings[found - letters];
    return true;
}

/* ---- Brackets ---- */

static void range_write(const translator *t, uint32_t from, uint32_t to) {
    character_write(t, from);
    if (to == from)
        return;
    core_buffer_u8(t->out, '-');
    character_write(t, to);
}

/* The part of from-to within the letters `first` to first+25, in the other case. */
static void range_fold(const translator *t, uint32_t from, uint32_t to, uint32_t first) {
    uint32_t low = from > first ? from : first;
    uint32_t high = to < first + 25 ? to : first + 25;
    if (low <= high)
        range_write(t, low ^ 0x20, high ^ 0x20);
}

static void range_write_folded(const translator *t, uint32_t from, uint32_t to) {
    range_write(t, from, to);
    if (!t->fold)
        return;
    range_fold(t, from, to, 'a');
    range_fold(t, from, to, 'A');
}

/* [:name:], which begins at the rest. Without regard to case, lower and upper are letters. */
static bool class_take(translator *t) {
    static const char *const names[] = {"alnum", "alpha", "blank", "cntrl", "digit", "graph",
                                        "lower", "print", "punct", "space", "upper", "xdigit"};
    for (size_t i = 0; i < CORE_COUNT_OF(names); i++) {
        char form[16];
        (void)snprintf(form, sizeof form, "[:%s:]", names[i]);
        if (!begins(t->rest, form))
            continue;
        bool cased = strcmp(names[i], "lower") == 0 || strcmp(names[i], "upper") == 0;
        core_buffer_text(t->out, cased && t->fold ? "[:alpha:]" : form);
        t->rest = expr_text_after(t->rest, strlen(form));
        return true;
    }
    return refuse(t, t->rest,
                  "of what begins so in brackets [:alnum:], [:alpha:], [:blank:], [:cntrl:], "
                  "[:digit:], [:graph:], [:lower:], [:print:], [:punct:], [:space:], [:upper:] and "
                  "[:xdigit:] are taken");
}

/* One character of a bracket, plain or escaped. `*is_class`: it was a class, and is written. */
static bool member_take(translator *t, uint32_t *character, bool *is_class) {
    escape_kind kind = ESCAPE_CHARACTER;
    core_slice start = t->rest;
    *is_class = false;
    if (t->rest.length == 0)
        return refuse(t, t->pattern, "a bracket is not closed");
    if (begins(t->rest, "[:") || begins(t->rest, "[.") || begins(t->rest, "[=")) {
        *is_class = true;
        return class_take(t);
    }
    if (!expr_text_take(&t->rest, '\\')) {
        *character = character_take(&t->rest);
        return true;
    }
    if (!escape_take(t, &kind, character))
        return false;
    *is_class = kind == ESCAPE_CLASS;
    if (*is_class && !memchr("dsw", (int)*character, 3))
        return refuse(t, start, "\\D, \\S and \\W are not taken in brackets");
    if (*is_class)
        core_buffer_format(t->out, "\\%c", (int)*character);
    return true;
}

/* A hyphen that is neither first nor last makes a range. */
static bool at_range(core_slice rest) {
    return rest.length > 1 && rest.data[0] == '-' && rest.data[1] != ']';
}

static bool range_take(translator *t, bool first) {
    core_slice start = t->rest;
    uint32_t from = 0;
    uint32_t to = 0;
    bool is_class = false;
    if (!first && at_range(start))
        return refuse(t, start, "a hyphen in brackets stands first, last or between two ends");
    if (!member_take(t, &from, &is_class))
        return false;
    if (is_class)
        return !at_range(t->rest) || refuse(t, start, "a class is no end of a range");
    if (!at_range(t->rest)) {
        range_write_folded(t, from, from);
        return true;
    }
    t->rest = expr_text_after(t->rest, 1);
    if (start.data[0] == '-' || t->rest.data[0] == '-')
        return refuse(t, start, "a hyphen is an end of a range only behind a backslash");
    if (!member_take(t, &to, &is_class))
        return false;
    if (is_class || to < from)
        return refuse(t, start, "a range of characters goes from one to the same or a later one");
    range_write_folded(t, from, to);
    return true;
}

static bool bracket_take(translator *t) {
    core_slice start = t->rest;
    if (begins(start, "[[:<:]]") || begins(start, "[[:>:]]"))
        return refuse(t, start, "ends of words are not taken");
    t->rest = expr_text_after(t->rest, 1);
    core_buffer_u8(t->out, '[');
    if (expr_text_take(&t->rest, '^'))
        core_buffer_u8(t->out, '^');
    for (bool first = true; first || expr_text_peek(t->rest) != ']'; first = false) {
        if (t->rest.length == 0)
            return refuse(t, start, "a bracket is not closed");
        if (!range_take(t, first))
            return false;
    }
    t->rest = expr_text_after(t->rest, 1);
    core_buffer_u8(t->out, ']');
    return true;
}

/* ---- Quantifiers ---- */

static bool at_bound(core_slice rest) {
    return rest.length > 1 && rest.data[0] == '{' && expr_text_is_digit(rest.data[1]);
}

static bool at_quantifier(core_slice rest) {
    int next = expr_text_peek(rest);
    return next == '*' || next == '+' || next == '?' || at_bound(rest);
}

static bool number_take(core_slice *text, uint64_t *number) {
    core_slice digits = expr_text_digits(text);
    return digits.length > 0 && digits.length <= 3 && core_slice_to_u64(digits, number) &&
           *number <= REPEAT_MAX;
}

static bool bound_take(translator *t) {
    core_slice start = t->rest;
    uint64_t least = 0;
    uint64_t most = REPEAT_MAX;
    t->rest = expr_text_after(t->rest, 1);
    bool ok = number_take(&t->rest, &least);
    bool open = ok && expr_text_take(&t->rest, ',');
    if (open && expr_text_is_digit(expr_text_peek(t->rest)))
        ok = number_take(&t->rest, &most) && most >= least;
    if (!ok || !expr_text_take(&t->rest, '}'))
        return refuse(t, start, "expected {m}, {m,} or {m,n} with m <= n <= 255");
    core_buffer_append(t->out, start.data, start.length - t->rest.length);
    return true;
}

/* None is fine. */
static bool quantifier_take(translator *t) {
    core_slice start = t->rest;
    if (!at_quantifier(t->rest))
        return true;
    if (at_bound(t->rest)) {
        if (!bound_take(t))
            return false;
    } else {
        core_buffer_u8(t->out, t->rest.data[0]);
        t->rest = expr_text_after(t->rest, 1);
    }
    if (expr_text_take(&t->rest, '?'))
        core_buffer_u8(t->out, '?');
    return !at_quantifier(t->rest) || refuse(t, start, "a quantifier behind another");
}

/* ---- The whole ---- */

/* What opens a group; lookaheads take no quantifier. */
static bool open_take(translator *t, bool *is_lookahead) {
    static const char *const forms[] = {"(?:", "(?=", "(?!"};
    *is_lookahead = false;
    for (size_t i = 0; i < CORE_COUNT_OF(forms); i++) {
        if (!begins(t->rest, forms[i]))
            continue;
        *is_lookahead = i > 0;
        core_buffer_text(t->out, forms[i]);
        t->rest = expr_text_after(t->rest, 3);
        return true;
    }
    if (begins(t->rest, "(?"))
        return refuse(t, t->rest, "of groups that begin so (?:...), (?=...) and (?!...) are taken");
    core_buffer_text(t->out, "(?:");
    t->rest = expr_text_after(t->rest, 1);
    return true;
}

static bool escape_write(translator *t) {
    escape_kind kind = ESCAPE_CHARACTER;
    uint32_t character = 0;
    t->rest = expr_text_after(t->rest, 1);
    if (!escape_take(t, &kind, &character))
        return false;
    if (kind == ESCAPE_CLASS)
        core_buffer_format(t->out, "\\%c", (int)character);
    else
        atom_write(t, character);
    return true;
}

/* An atom that is no group, with its quantifier. */
static bool atom_take(translator *t) {
    int next = expr_text_peek(t->rest);
    bool ok = true;
    if (next == '^' || next == '$') {
        core_buffer_u8(t->out, (uint8_t)next);
        t->rest = expr_text_after(t->rest, 1);
        return !at_quantifier(t->rest) || refuse(t, t->rest, "a quantifier that follows nothing");
    }
    if (next == '[') {
        ok = bracket_take(t);
    } else if (next == '\\') {
        ok = escape_write(t);
    } else if (next == '.') {
        core_buffer_u8(t->out, '.');
        t->rest = expr_text_after(t->rest, 1);
    } else {
        atom_write(t, character_take(&t->rest));
    }
    return ok && quantifier_take(t);
}

/* Without recursion: which open groups are lookaheads is all that a nesting needs to remember. */
static bool pattern_take(translator *t) {
    bool is_lookahead[DEPTH_MAX];
    bool at_start = true;
    while (t->rest.length > 0) {
        int next = t->rest.data[0];
        bool ok = true;
        if (at_start && at_quantifier(t->rest))
            return refuse(t, t->rest, "a quantifier that follows nothing");
        at_start = next == '(' || next == '|';
        if (next == '(') {
            if (t->depth == DEPTH_MAX)
                return refuse(t, t->rest, "more than 50 groups in each other");
            ok = open_take(t, &is_lookahead[t->depth++]);
        } else if (next == ')') {
            if (t->depth-- == 0)
                return refuse(t, t->pattern, "a closing parenthesis without an opening one");
            core_buffer_u8(t->out, ')');
            t->rest = expr_text_after(t->rest, 1);
            at_start = is_lookahead[t->depth]; /* takes no quantifier either */
            ok = is_lookahead[t->depth] || quantifier_take(t);
        } else if (next == '|') {
            core_buffer_u8(t->out, '|');
            t->rest = expr_text_after(t->rest, 1);
        } else {
            ok = atom_take(t);
        }
        if (!ok)
            return false;
    }
    return t->depth == 0 || refuse(t, t->pattern, "a parenthesis is not closed");
}

bool expr_regex_translate(core_slice pattern, bool fold, core_buffer *out, core_error *error) {
    translator t = {.rest = pattern, .pattern = pattern, .out = out, .error = error, .fold = fold};
    if (!pattern_take(&t))
        return false;
    return core_buffer_ok(out) ||
           core_error_set(error, CORE_ERROR_INPUT, "filter: regular expression is too long");
}
