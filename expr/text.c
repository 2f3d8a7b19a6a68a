/* Blanks and words; see text.h. */
#include "expr/text.h"

core_slice expr_text_trim(core_slice text) {
    while (text.length > 0 && expr_text_is_blank(text.data[text.length - 1]))
        text.length--;
    while (expr_text_is_blank(expr_text_peek(text)))
        text = expr_text_after(text, 1);
    return text;
}

static uint8_t lower(uint8_t character) {
    return character >= 'A' && character <= 'Z' ? (uint8_t)(character | 0x20) : character;
}

bool expr_text_begins_word(core_slice text, const char *word) {
    if (text.length == 0 || text.length > strlen(word))
        return false;
    for (size_t i = 0; i < text.length; i++)
        if (lower(text.data[i]) != (uint8_t)word[i])
            return false;
    return true;
}

bool expr_text_is_word(core_slice text, const char *word) {
    return text.length == strlen(word) && expr_text_begins_word(text, word);
}
