/* Decimal text to millionths; see decimal.h. The number is digits times a power of ten: first the
 * text is read into both, then the digits that stand before the millionths' place are summed. */
#include "auth/decimal.h"

enum { MICRO_DIGITS = 6, EXPONENT_LIMIT = 100000 };

typedef struct {
    bool negative;
    core_slice whole;
    core_slice fraction;
    int64_t exponent;
} decimal;

static bool is_digit(uint8_t character) {
    return character >= '0' && character <= '9';
}

static core_slice digits_take(core_slice *text) {
    size_t count = 0;
    while (count < text->length && is_digit(text->data[count]))
        count++;
    core_slice digits = core_slice_make(text->data, count);
    *text = core_slice_make(text->data + count, text->length - count);
    return digits;
}

static bool character_take(core_slice *text, char lower, char upper) {
    if (text->length == 0 || (text->data[0] != lower && text->data[0] != upper))
        return false;
    *text = core_slice_make(text->data + 1, text->length - 1);
    return true;
}

static bool exponent_take(core_slice *text, int64_t *exponent) {
    bool negative = character_take(text, '-', '-');
    if (!negative)
        (void)character_take(text, '+', '+');
    core_slice digits = digits_take(text);
    int64_t value = 0;
    for (size_t i = 0; i < digits.length; i++)
        value = value < EXPONENT_LIMIT ? value * 10 + (digits.data[i] - '0') : EXPONENT_LIMIT;
    *exponent = negative ? -value : value;
    return digits.length > 0;
}

static bool decimal_read(core_slice text, decimal *number) {
    *number = (decimal){.negative = character_take(&text, '-', '-')};
    number->whole = digits_take(&text);
    if (number->whole.length == 0)
        return false;
    if (character_take(&text, '.', '.')) {
        number->fraction = digits_take(&text);
        if (number->fraction.length == 0)
            return false;
    }
    if (character_take(&text, 'e', 'E') && !exponent_take(&text, &number->exponent))
        return false;
    return text.length == 0;
}

static int digit_at(const decimal *number, int64_t index) {
    int64_t whole = (int64_t)number->whole.length;
    int64_t all = whole + (int64_t)number->fraction.length;
    if (index >= all)
        return 0;
    return index < whole ? number->whole.data[index] - '0'
                         : number->fraction.data[index - whole] - '0';
}

/* Sums the digits before the millionths' place. False when that does not fit. */
static bool decimal_magnitude(const decimal *number, int64_t *micro, bool *rest) {
    int64_t all = (int64_t)(number->whole.length + number->fraction.length);
    int64_t kept = (int64_t)number->whole.length + number->exponent + MICRO_DIGITS;
    *micro = 0;
    *rest = false;
    for (int64_t i = kept > 0 ? kept : 0; i < all; i++)
        *rest = *rest || digit_at(number, i) != 0;
    for (int64_t i = 0; i < kept; i++) {
        int digit = digit_at(number, i);
        if (i >= all && *micro == 0)
            return true; /* only zeros are left */
        if (__builtin_mul_overflow(*micro, 10, micro) ||
            __builtin_add_overflow(*micro, digit, micro))
            return false;
    }
    return true;
}

bool auth_decimal_to_micro(core_slice text, int64_t *micro) {
    decimal number;
    if (!decimal_read(text, &number))
        return false;
    bool rest = false;
    bool fits = decimal_magnitude(&number, micro, &rest);
    if (!fits)
        *micro = number.negative ? INT64_MIN : INT64_MAX;
    else if (number.negative)
        *micro = -*micro - (rest ? 1 : 0);
    return true;
}
