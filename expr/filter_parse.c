/* The realtime protocol's filter text into terms; see expr.h.
 *
 *     filter = [term *("," term)]      term = column "=" ["not."] operator "." value
 *
 * A comma inside double quotes or parentheses belongs to the value. A value (or column) that begins
 * with a double quote ends with one, and a backslash inside takes the next character as it is; any
 * other quote is an ordinary character. The values of `in` stand in parentheses; one that holds a
 * comma or a parenthesis is quoted. What a pattern means is checked here too, so that a bad one is
 * refused at join; types are checked when the filter is bound. */
#include "expr/filter.h"

#include "expr/like.h"
#include "expr/text.h"

#include <stdlib.h>

/* Quoted in an error's text at the most. */
#define SHOWN_MAX 80

/* Where unquoted names and values go, each with a NUL behind it: for each there is a delimiter in
 * the text that is not copied. */
#define BYTES_MAX (EXPR_FILTER_TEXT_MAX + 2)

typedef struct {
    core_slice rest;
    uint8_t bytes[BYTES_MAX];
    size_t used;
    expr_term terms[EXPR_FILTER_TERMS_MAX]; /* their regexes are owned */
    size_t count;
    core_slice values[EXPR_FILTER_VALUES_MAX];
    size_t value_count;
    core_error *error;
} filter_parser;

static int shown_length(core_slice text) {
    return (int)(text.length < SHOWN_MAX ? text.length : SHOWN_MAX);
}

static bool refuse(const filter_parser *parser, core_slice where, const char *expected) {
    return core_error_set(parser->error, CORE_ERROR_INPUT,
                          "filter: at \"%.*s\": expected %s, as in column=eq.value",
                          shown_length(where), (const char *)where.data, expected);
}

static void byte_put(filter_parser *parser, uint8_t byte) {
    assert(parser->used < sizeof parser->bytes);
    parser->bytes[parser->used++] = byte;
}

/* What was put since `from`, ended by a NUL. */
static core_slice plain_end(filter_parser *parser, size_t from) {
    core_slice plain = core_slice_make(parser->bytes + from, parser->used - from);
    byte_put(parser, '\0');
    return plain;
}

/* "..." with \ escapes; the quotes are taken. */
static bool quoted_take(filter_parser *parser, core_slice *plain) {
    core_slice start = parser->rest;
    core_slice rest = expr_text_after(start, 1);
    size_t from = parser->used;
    while (rest.length > 0 && rest.data[0] != '"') {
        if (rest.data[0] == '\\' && rest.length > 1)
            rest = expr_text_after(rest, 1);
        byte_put(parser, rest.data[0]);
        rest = expr_text_after(rest, 1);
    }
    if (!expr_text_take(&rest, '"'))
        return refuse(parser, start, "a closing double quote");
    *plain = plain_end(parser, from);
    parser->rest = rest;
    return true;
}

static core_slice plain_copy(filter_parser *parser, size_t length) {
    size_t from = parser->used;
    for (size_t i = 0; i < length; i++)
        byte_put(parser, parser->rest.data[i]);
    parser->rest = expr_text_after(parser->rest, length);
    return plain_end(parser, from);
}

static bool column_take(filter_parser *parser, core_slice *column) {
    core_slice start = parser->rest;
    if (expr_text_peek(parser->rest) == '"') {
        if (!quoted_take(parser, column))
            return false;
    } else {
        size_t length = 0;
        while (length < start.length && start.data[length] != '=' && start.data[length] != ',')
            length++;
        *column = plain_copy(parser, length);
    }
    if (column->length == 0)
        return refuse(parser, start, "a column's name");
    return expr_text_take(&parser->rest, '=') || refuse(parser, start, "\"=\" behind the column");
}

/* The length of an unquoted value: up to a comma outside parentheses, in which quotes count. False
 * when a parenthesis that holds a comma is not closed. */
static bool value_length(core_slice text, size_t *length) {
    size_t depth = 0;
    bool quoted = false;
    bool comma_inside = false;
    size_t i = 0;
    for (; i < text.length; i++) {
        uint8_t character = text.data[i];
        if (quoted && character == '\\')
            i++;
        else if (character == '"' && depth > 0)
            quoted = !quoted;
        else if (!quoted && character == '(')
            depth++;
        else if (!quoted && character == ')' && depth > 0)
            depth--;
        else if (character == ',' && depth == 0)
            break;
        else if (character == ',')
            comma_inside = true;
    }
    *length = i < text.length ? i : text.length;
    return depth == 0 || !comma_inside;
}

static bool value_take(filter_parser *parser, core_slice *value) {
    core_slice start = parser->rest;
    if (expr_text_peek(start) == '"') {
        if (!quoted_take(parser, value))
            return false;
        return parser->rest.length == 0 || parser->rest.data[0] == ',' ||
               refuse(parser, start, "a comma or the end behind the quoted value");
    }
    size_t length = 0;
    if (!value_length(start, &length))
        return refuse(parser, start, "a closing parenthesis (or the value in double quotes)");
    *value = plain_copy(parser, length);
    return true;
}

/* Up to the next dot, which is taken too. */
static bool word_take(core_slice *text, core_slice *word) {
    const uint8_t *dot = text->length > 0 ? memchr(text->data, '.', text->length) : NULL;
    if (dot == NULL)
        return false;
    *word = core_slice_make(text->data, (size_t)(dot - text->data));
    *text = expr_text_after(*text, word->length + 1);
    return true;
}

static bool operator_take(filter_parser *parser, expr_term *term) {
    core_slice start = parser->rest;
    core_slice name;
    if (!word_take(&parser->rest, &name))
        return refuse(parser, start, "an operator and a dot");
    term->negated = core_slice_is(name, "not");
    if (term->negated && !word_take(&parser->rest, &name))
        return refuse(parser, start, "an operator and a dot behind \"not.\"");
    term->operation = expr_operator_find(name);
    return term->operation != NULL ||
           refuse(parser, start,
                  "an operator (eq, neq, lt, lte, gt, gte, in, like, ilike, match, imatch, is, "
                  "isdistinct)");
}

/* ---- What stands behind the operator ---- */

static bool value_keep(filter_parser *parser, expr_term *term, core_slice value) {
    if (parser->value_count == EXPR_FILTER_VALUES_MAX)
        return core_error_set(parser->error, CORE_ERROR_INPUT, "filter: more than %d values",
                              EXPR_FILTER_VALUES_MAX);
    parser->values[parser->value_count++] = value;
    term->value_count++;
    return true;
}

static void blanks_pass(core_slice *text) {
    while (expr_text_is_blank(expr_text_peek(*text)))
        *text = expr_text_after(*text, 1);
}

/* One of `in`: quoted, or plain up to a comma or a parenthesis; blanks around it do not count, as
 * in an array's text, (red, blue). */
static bool member_take(filter_parser *parser, core_slice *value) {
    blanks_pass(&parser->rest);
    if (expr_text_peek(parser->rest) == '"') {
        if (!quoted_take(parser, value))
            return false;
    } else {
        core_slice rest = parser->rest;
        size_t length = 0;
        while (length < rest.length && memchr(",()", rest.data[length], 3) == NULL)
            length++;
        *value = plain_copy(parser, expr_text_trim(core_slice_make(rest.data, length)).length);
    }
    blanks_pass(&parser->rest);
    return true;
}

static bool list_take(filter_parser *parser, expr_term *term) {
    core_slice start = parser->rest;
    if (!expr_text_take(&parser->rest, '('))
        return refuse(parser, start, "(value,value,...) behind \"in.\"");
    if (expr_text_peek(parser->rest) == ')')
        return refuse(parser, start, "at least one value behind \"in.\" (an empty text is \"\")");
    do {
        core_slice value;
        if (term->value_count == EXPR_IN_VALUES_MAX)
            return core_error_set(parser->error, CORE_ERROR_INPUT,
                                  "filter: more than %d values in one \"in\"", EXPR_IN_VALUES_MAX);
        if (!member_take(parser, &value) || !value_keep(parser, term, value))
            return false;
    } while (expr_text_take(&parser->rest, ','));
    core_slice end = parser->rest;
    if (!expr_text_take(&parser->rest, ')'))
        return refuse(parser, end.length > 0 ? end : start,
                      "a comma or the closing parenthesis behind a value (one with commas or "
                      "parentheses in double quotes)");
    return parser->rest.length == 0 || parser->rest.data[0] == ',' ||
           refuse(parser, parser->rest, "a comma or the end behind the list");
}

static bool literal_take(filter_parser *parser, expr_term *term) {
    core_slice start = parser->rest;
    core_slice word;
    if (!value_take(parser, &word))
        return false;
    term->literal = expr_literal_of(word);
    return term->literal != EXPR_LITERAL_NONE ||
           refuse(parser, start, "null, true, false or unknown behind \"is.\"");
}

static bool pattern_check(const filter_parser *parser, expr_term *term, core_slice pattern) {
    expr_op op = term->operation->op;
    if (op == EXPR_OP_LIKE || op == EXPR_OP_ILIKE)
        return expr_like_check(pattern) ||
               core_error_set(parser->error, CORE_ERROR_INPUT,
                              "filter: pattern \"%.*s\" ends with a backslash that takes nothing: "
                              "write \\\\",
                              CORE_SLICE_ARGS(pattern));
    if (op == EXPR_OP_MATCH || op == EXPR_OP_IMATCH) {
        term->regex = expr_regex_new(pattern, op == EXPR_OP_IMATCH, parser->error);
        return term->regex != NULL;
    }
    return true;
}

static bool operand_take(filter_parser *parser, expr_term *term) {
    core_slice value;
    if (term->operation->op == EXPR_OP_IN)
        return list_take(parser, term);
    if (term->operation->op == EXPR_OP_IS)
        return literal_take(parser, term);
    return value_take(parser, &value) && value_keep(parser, term, value) &&
           pattern_check(parser, term, value);
}

static bool term_take(filter_parser *parser) {
    if (parser->count == EXPR_FILTER_TERMS_MAX)
        return core_error_set(parser->error, CORE_ERROR_INPUT, "filter: more than %d terms",
                              EXPR_FILTER_TERMS_MAX);
    expr_term *term = &parser->terms[parser->count];
    *term = (expr_term){.values = &parser->values[parser->value_count]};
    while (expr_text_take(&parser->rest, ' '))
        ;
    if (!column_take(parser, &term->column) || !operator_take(parser, term) ||
        !operand_take(parser, term))
        return false;
    parser->count++;
    return true;
}

static bool filter_parse(filter_parser *parser) {
    if (parser->rest.length == 0)
        return true;
    do {
        if (!term_take(parser))
            return false;
    } while (expr_text_take(&parser->rest, ','));
    return true;
}

/* ---- The filter ---- */

static core_slice slice_move(core_slice slice, const uint8_t *from, const uint8_t *to) {
    return core_slice_make(to + (slice.data - from), slice.length);
}

/* One block: the filter, its terms, their values, the bytes that those point to. */
static expr_filter *filter_make(const filter_parser *parser) {
    size_t terms_size = parser->count * sizeof(expr_term);
    size_t values_size = parser->value_count * sizeof(core_slice);
    expr_filter *filter = malloc(sizeof *filter + terms_size + values_size + parser->used);
    if (filter == NULL) {
        (void)core_error_set(parser->error, CORE_ERROR_INTERNAL, "filter: no memory");
        return NULL;
    }
    *filter = (expr_filter){.count = parser->count, .terms = (expr_term *)(filter + 1)};
    core_slice *values = (core_slice *)(filter->terms + parser->count);
    uint8_t *bytes = (uint8_t *)(values + parser->value_count);
    memcpy(bytes, parser->bytes, parser->used);
    for (size_t i = 0; i < parser->value_count; i++)
        values[i] = slice_move(parser->values[i], parser->bytes, bytes);
    for (size_t i = 0; i < parser->count; i++) {
        expr_term *term = &filter->terms[i];
        *term = parser->terms[i];
        term->column = slice_move(term->column, parser->bytes, bytes);
        term->values = values + (term->values - parser->values);
    }
    return filter;
}

/* A term that is refused has none: its regex is the last thing that is made of it. */
static void parser_free_regexes(filter_parser *parser) {
    for (size_t i = 0; i < parser->count; i++)
        expr_regex_free(parser->terms[i].regex);
}

static bool text_check(core_slice text, core_error *error) {
    if (text.length > EXPR_FILTER_TEXT_MAX)
        return core_error_set(error, CORE_ERROR_INPUT, "filter: %zu bytes, more than %d",
                              text.length, EXPR_FILTER_TEXT_MAX);
    if (!core_utf8_valid(text))
        return core_error_set(error, CORE_ERROR_INPUT, "filter: the text is not valid UTF-8");
    if (text.length > 0 && memchr(text.data, '\0', text.length) != NULL)
        return core_error_set(error, CORE_ERROR_INPUT,
                              "filter: the text holds a NUL character, which no value can");
    return true;
}

expr_filter *expr_filter_new(core_slice text, core_error *error) {
    if (!text_check(text, error))
        return NULL;
    filter_parser *parser = malloc(sizeof *parser);
    if (parser == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "filter: no memory");
        return NULL;
    }
    parser->rest = text;
    parser->error = error;
    parser->used = parser->count = parser->value_count = 0;
    expr_filter *filter = filter_parse(parser) ? filter_make(parser) : NULL;
    if (filter == NULL)
        parser_free_regexes(parser);
    free(parser);
    return filter;
}

void expr_filter_free(expr_filter *filter) {
    if (filter == NULL)
        return;
    for (size_t i = 0; i < filter->count; i++)
        expr_regex_free(filter->terms[i].regex);
    free(filter);
}
