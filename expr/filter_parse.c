/* The realtime protocol's filter text into terms; see expr.h.
 *
 *     filter = [term *("," term)]      term = column "=" ["not."] operator "." value
 *
 * A comma inside double quotes or parentheses belongs to the value. A value (or column) that begins
 * with a double quote ends with one, and a backslash inside takes the next character as it is; any
 * other quote is an ordinary character. The whole grammar is read, so that a filter which cannot be
 * evaluated yet is told from one that is malformed; both are refused. */
#include "expr/filter.h"

#include "expr/text.h"

#include <stdlib.h>

/* Quoted in an error's text at the most. */
#define SHOWN_MAX 80

typedef struct {
    core_slice rest;
    uint8_t *out; /* where unquoted names and values go; has room for the whole text */
    expr_term terms[EXPR_FILTER_TERMS_MAX];
    size_t count;
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

/* "..." with \ escapes; the quotes are taken, the plain bytes go to `out`. */
static bool quoted_take(filter_parser *parser, core_slice *plain) {
    core_slice start = parser->rest;
    core_slice rest = expr_text_after(start, 1);
    uint8_t *from = parser->out;
    while (rest.length > 0 && rest.data[0] != '"') {
        if (rest.data[0] == '\\' && rest.length > 1)
            rest = expr_text_after(rest, 1);
        *parser->out++ = rest.data[0];
        rest = expr_text_after(rest, 1);
    }
    if (!expr_text_take(&rest, '"'))
        return refuse(parser, start, "a closing double quote");
    *plain = core_slice_make(from, (size_t)(parser->out - from));
    parser->rest = rest;
    return true;
}

static core_slice plain_copy(filter_parser *parser, size_t length) {
    core_slice copy = core_slice_make(parser->out, length);
    memcpy(parser->out, parser->rest.data, length);
    parser->out += length;
    parser->rest = expr_text_after(parser->rest, length);
    return copy;
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

static bool operator_is_known(core_slice name) {
    static const char *const known[] = {"eq",   "neq",   "lt", "lte",   "gt",     "gte",       "in",
                                        "like", "ilike", "is", "match", "imatch", "isdistinct"};
    for (size_t i = 0; i < CORE_COUNT_OF(known); i++)
        if (core_slice_is(name, known[i]))
            return true;
    return false;
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

/* Only `eq`, not negated, can be evaluated. */
static bool operator_take(filter_parser *parser) {
    core_slice start = parser->rest;
    core_slice name;
    if (!word_take(&parser->rest, &name))
        return refuse(parser, start, "an operator and a dot");
    bool negated = core_slice_is(name, "not");
    if (negated && !word_take(&parser->rest, &name))
        return refuse(parser, start, "an operator and a dot behind \"not.\"");
    if (!operator_is_known(name))
        return refuse(parser, start, "an operator");
    if (!negated && core_slice_is(name, "eq"))
        return true;
    return core_error_set(parser->error, CORE_ERROR_INPUT,
                          "filter: operator \"%s%.*s\" is not supported: only eq is (several eq "
                          "terms joined by commas must all hold)",
                          negated ? "not." : "", CORE_SLICE_ARGS(name));
}

static bool term_take(filter_parser *parser) {
    expr_term term;
    if (parser->count == EXPR_FILTER_TERMS_MAX)
        return core_error_set(parser->error, CORE_ERROR_INPUT, "filter: more than %d terms",
                              EXPR_FILTER_TERMS_MAX);
    while (expr_text_take(&parser->rest, ' '))
        ;
    if (!column_take(parser, &term.column) || !operator_take(parser) ||
        !value_take(parser, &term.value))
        return false;
    parser->terms[parser->count++] = term;
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

/* One block: the filter, its terms, the bytes they point to. */
static expr_filter *filter_make(const filter_parser *parser, const uint8_t *bytes) {
    size_t terms_size = parser->count * sizeof(expr_term);
    size_t length = (size_t)(parser->out - bytes);
    expr_filter *filter = malloc(sizeof *filter + terms_size + length);
    if (filter == NULL) {
        (void)core_error_set(parser->error, CORE_ERROR_INTERNAL, "filter: no memory");
        return NULL;
    }
    expr_term *terms = (expr_term *)(filter + 1);
    uint8_t *copy = (uint8_t *)(terms + parser->count);
    if (length > 0)
        memcpy(copy, bytes, length);
    for (size_t i = 0; i < parser->count; i++) {
        const expr_term *term = &parser->terms[i];
        terms[i].column = core_slice_make(copy + (term->column.data - bytes), term->column.length);
        terms[i].value = core_slice_make(copy + (term->value.data - bytes), term->value.length);
    }
    *filter = (expr_filter){.count = parser->count, .terms = terms};
    return filter;
}

expr_filter *expr_filter_new(core_slice text, core_error *error) {
    uint8_t bytes[EXPR_FILTER_TEXT_MAX];
    filter_parser parser = {.rest = text, .out = bytes, .error = error};
    if (text.length > EXPR_FILTER_TEXT_MAX) {
        (void)core_error_set(error, CORE_ERROR_INPUT, "filter: %zu bytes, more than %d",
                             text.length, EXPR_FILTER_TEXT_MAX);
        return NULL;
    }
    if (!core_utf8_valid(text)) {
        (void)core_error_set(error, CORE_ERROR_INPUT, "filter: the text is not valid UTF-8");
        return NULL;
    }
    return filter_parse(&parser) ? filter_make(&parser, bytes) : NULL;
}

void expr_filter_free(expr_filter *filter) {
    free(filter);
}

bool expr_filter_equality(const expr_filter *filter, core_slice *column, core_slice *value) {
    if (filter->count == 0)
        return false;
    *column = filter->terms[0].column;
    *value = filter->terms[0].value;
    return true;
}
