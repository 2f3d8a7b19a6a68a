/* What the filter's grammar is read with: a place in the text, values and keywords there, and
 * errors in Meilisearch's form. Private to the filter's files. */
#ifndef WALCAST_SEARCH_INDEX_FILTER_PARSER_H
#define WALCAST_SEARCH_INDEX_FILTER_PARSER_H

#include "search-index/filter.h"

typedef struct {
    core_arena *arena;
    search_filter_budget *budget;
    core_slice text;
    size_t at;
    core_error *error;
    bool failed; /* error is set: nothing else may be tried */
} filter_parser;

typedef enum {
    FILTER_VALUE_READ,
    FILTER_VALUE_NONE,    /* nothing that can be a value stands here */
    FILTER_VALUE_KEYWORD, /* a reserved word without quotes */
    FILTER_VALUE_FAILED,  /* the parser has failed */
} filter_value_result;

typedef struct {
    core_slice text; /* quotes and escapes undone */
    size_t start;    /* as it was written, quotes left out */
    size_t end;
} filter_value;

/* Fails with a text about what stands from `start` to `end`: the message, then the columns and the
 * whole filter. False, so that `return filter_fail(..)` reads well. */
bool filter_fail(filter_parser *parser, size_t start, size_t end, const char *format, ...)
    CORE_PRINTF(4, 5);
/* The same, with that part of the text, quotes and control characters escaped, between `before` and
 * `after`. */
bool filter_fail_at(filter_parser *parser, size_t start, size_t end, const char *before,
                    const char *after);
bool filter_fail_full(filter_parser *parser);

void filter_blanks_skip(filter_parser *parser);
bool filter_is_at_end(const filter_parser *parser);
/* The run of letters, digits, `_`, `-` and `.` at `at`. */
core_slice filter_word_at(const filter_parser *parser, size_t at);
/* Takes the word, exactly, and blanks around it; false: another stands there, nothing is taken. */
bool filter_word_take(filter_parser *parser, const char *word);
/* Takes the bytes, blanks before them too. */
bool filter_text_take(filter_parser *parser, const char *text);

/* Blanks, a value, blanks. */
filter_value_result filter_value_take(filter_parser *parser, filter_value *value);
/* The error of a value that should stand here and was `result`. */
bool filter_value_fail(filter_parser *parser, filter_value_result result);

/* A node with its attribute's place; NULL: failed. */
search_filter *filter_node(filter_parser *parser, search_filter_kind kind);

/* filter_geo.c: if one of its words stands here, the condition; `*is_geo` false: nothing taken. */
search_filter *filter_geo_take(filter_parser *parser, bool *is_geo);

#endif
