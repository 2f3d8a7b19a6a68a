/* Reading a short text from its front: each take moves the slice's beginning and cannot leave it.
 *
 * Private to expr. */
#ifndef WALCAST_EXPR_TEXT_H
#define WALCAST_EXPR_TEXT_H

#include "core/core.h"

static inline core_slice expr_text_after(core_slice text, size_t count) {
    return core_slice_make(text.data + count, text.length - count);
}

/* The next byte, which stays; -1 at the end. */
static inline int expr_text_peek(core_slice text) {
    return text.length > 0 ? text.data[0] : -1;
}

static inline bool expr_text_take(core_slice *text, char character) {
    if (expr_text_peek(*text) != (uint8_t)character)
        return false;
    *text = expr_text_after(*text, 1);
    return true;
}

static inline bool expr_text_is_digit(int character) {
    return character >= '0' && character <= '9';
}

/* What PostgreSQL's input functions pass over. */
static inline bool expr_text_is_blank(int character) {
    return character == ' ' || (character >= '\t' && character <= '\r');
}

/* As many digits as come. */
static inline core_slice expr_text_digits(core_slice *text) {
    size_t count = 0;
    while (count < text->length && expr_text_is_digit(text->data[count]))
        count++;
    core_slice digits = core_slice_make(text->data, count);
    *text = expr_text_after(*text, count);
    return digits;
}

/* Without the blanks around it. */
core_slice expr_text_trim(core_slice text);
/* Equal but for the case of ASCII letters; `word` is in lower case. */
bool expr_text_is_word(core_slice text, const char *word);
/* `text` is a beginning, not empty, of `word`. */
bool expr_text_begins_word(core_slice text, const char *word);

#endif
