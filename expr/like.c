/* LIKE by one pass with one place to come back to; see like.h. Where a later % begins, what stands
 * before it is settled, so that no more than (length of the text) * (length of a piece between two
 * %) steps are taken, and those are bounded. */
#include "expr/like.h"

#include "expr/text.h"

/* Of one text, so that a subscriber cannot hold the others up for longer than some milliseconds. */
#define STEPS_MAX 2000000u

bool expr_like_check(core_slice pattern) {
    for (size_t i = 0; i < pattern.length; i++)
        if (pattern.data[i] == '\\' && ++i == pattern.length)
            return false;
    return true;
}

static bool pattern_counts_characters(core_slice pattern) {
    for (size_t i = 0; i < pattern.length; i++) {
        if (pattern.data[i] == '_')
            return true;
        if (pattern.data[i] == '\\')
            i++;
    }
    return false;
}

/* Without the first character; `text` is valid UTF-8 wherever that counts. */
static core_slice after_character(core_slice text) {
    size_t length = 1;
    while (length < text.length && (text.data[length] & 0xC0) == 0x80)
        length++;
    return expr_text_after(text, length);
}

static uint8_t folded(uint8_t byte, bool fold) {
    return fold && byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte | 0x20) : byte;
}

/* Takes one step of the pattern that is no %: false when the text does not go on so. */
static bool step(core_slice *text, core_slice *pattern, bool fold) {
    if (pattern->length == 0)
        return false;
    if (pattern->data[0] == '_') {
        *pattern = expr_text_after(*pattern, 1);
        *text = after_character(*text);
        return true;
    }
    size_t escape = pattern->data[0] == '\\' && pattern->length > 1 ? 1 : 0;
    if (folded(pattern->data[escape], fold) != folded(text->data[0], fold))
        return false;
    *pattern = expr_text_after(*pattern, escape + 1);
    *text = expr_text_after(*text, 1);
    return true;
}

expr_truth expr_like(core_slice text, core_slice pattern, bool fold) {
    core_slice back_text = {0};
    core_slice back_pattern = {0};
    bool has_back = false;
    bool characters = pattern_counts_characters(pattern);
    if (characters && !core_utf8_valid(text))
        return EXPR_UNKNOWN;
    for (size_t steps = 0; text.length > 0; steps++) {
        if (steps == STEPS_MAX)
            return EXPR_UNKNOWN;
        if (expr_text_take(&pattern, '%')) {
            has_back = true;
            back_text = text;
            back_pattern = pattern;
        } else if (!step(&text, &pattern, fold)) {
            if (!has_back)
                return EXPR_FALSE;
            back_text = characters ? after_character(back_text) : expr_text_after(back_text, 1);
            text = back_text;
            pattern = back_pattern;
        }
    }
    while (expr_text_take(&pattern, '%'))
        ;
    return pattern.length == 0 ? EXPR_TRUE : EXPR_FALSE;
}
