/* Booleans and numbers; see scalar.h.
 *
 * Integers and numerics never pass through a double. Floats do, since that is what they are: text
 * of the shortest digits and any other text of the same float give the same double. */
#include "expr/scalar.h"
#include "expr/text.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

/* Longer spellings of a float than this are refused; PostgreSQL prints at most 24 characters. */
#define REAL_TEXT_MAX 128

/* An exponent beyond any that a numeric may have (src/backend/utils/adt/numeric.c). */
#define NUMERIC_EXPONENT_MAX INT64_C(200000)

bool expr_integer_parse(core_slice text, int64_t min, int64_t max, int64_t *value) {
    text = expr_text_trim(text);
    bool negative = expr_text_take(&text, '-');
    if (!negative)
        (void)expr_text_take(&text, '+');
    if (text.length == 0)
        return false;
    int64_t sum = 0;
    for (size_t i = 0; i < text.length; i++) {
        int digit = text.data[i] - '0';
        if (digit < 0 || digit > 9 || __builtin_mul_overflow(sum, 10, &sum) ||
            __builtin_sub_overflow(sum, digit, &sum)) /* downwards: there is one more below zero */
            return false;
    }
    if (!negative && sum == INT64_MIN)
        return false;
    *value = negative ? sum : -sum;
    return *value >= min && *value <= max;
}

/* Any beginning of true, false, yes and no, of on and off as far as it tells them apart. */
bool expr_bool_parse(core_slice text, int64_t *value) {
    text = expr_text_trim(text);
    *value = expr_text_begins_word(text, "true") || expr_text_begins_word(text, "yes") ||
             expr_text_is_word(text, "on") || core_slice_is(text, "1");
    if (*value != 0)
        return true;
    return expr_text_begins_word(text, "false") || expr_text_begins_word(text, "no") ||
           (text.length > 1 && expr_text_begins_word(text, "off")) || core_slice_is(text, "0");
}

/* "inf" or "infinity" with or without a sign. */
static bool infinity_parse(core_slice text, bool *negative) {
    *negative = expr_text_take(&text, '-');
    if (!*negative)
        (void)expr_text_take(&text, '+');
    return expr_text_is_word(text, "infinity") || expr_text_is_word(text, "inf");
}

bool expr_real_parse(core_slice text, bool single, double *value) {
    char number[REAL_TEXT_MAX];
    bool negative = false;
    text = expr_text_trim(text);
    if (expr_text_is_word(text, "nan")) {
        *value = NAN;
        return true;
    }
    if (infinity_parse(text, &negative)) {
        *value = negative ? -INFINITY : INFINITY;
        return true;
    }
    for (size_t i = 0; i < text.length; i++)
        if (!expr_text_is_digit(text.data[i]) && memchr("+-.eE", text.data[i], 5) == NULL)
            return false;
    if (text.length == 0 || !core_slice_to_text(text, number, sizeof number))
        return false;
    char *end = number;
    errno = 0;
    *value = single ? (double)strtof(number, &end) : strtod(number, &end);
    bool lost = errno == ERANGE && (*value == 0 || isinf(*value));
    return *end == '\0' && !lost;
}

static bool exponent_parse(core_slice *text, int64_t *exponent) {
    bool negative = expr_text_take(text, '-');
    if (!negative)
        (void)expr_text_take(text, '+');
    core_slice digits = expr_text_digits(text);
    int64_t value = 0;
    for (size_t i = 0; i < digits.length; i++) {
        value = value * 10 + (digits.data[i] - '0');
        if (value > NUMERIC_EXPONENT_MAX)
            return false;
    }
    *exponent = negative ? -value : value;
    return digits.length > 0;
}

/* Zeros at both ends cut off; whoever cuts one at the right raises the exponent. */
static void numeric_trim(expr_numeric *number) {
    core_slice digits = number->digits;
    while (expr_text_peek(digits) == '0' || expr_text_peek(digits) == '.') {
        number->digit_count -= digits.data[0] == '0' ? 1 : 0;
        digits = expr_text_after(digits, 1);
    }
    while (digits.length > 0 &&
           (digits.data[digits.length - 1] == '0' || digits.data[digits.length - 1] == '.')) {
        size_t zero = digits.data[digits.length - 1] == '0' ? 1 : 0;
        number->digit_count -= zero;
        number->exponent += (int64_t)zero;
        digits.length--;
    }
    number->digits = digits;
    if (number->digit_count == 0) {
        number->negative = false;
        number->exponent = 0;
    }
}

static bool numeric_special(core_slice text, expr_numeric *value) {
    if (expr_text_is_word(text, "nan"))
        value->form = EXPR_NUMERIC_NAN;
    else if (infinity_parse(text, &value->negative))
        value->form = EXPR_NUMERIC_INFINITE;
    else
        return false;
    return true;
}

bool expr_numeric_parse(core_slice text, expr_numeric *value) {
    *value = (expr_numeric){.form = EXPR_NUMERIC_FINITE};
    text = expr_text_trim(text);
    if (numeric_special(text, value))
        return true;
    value->negative = expr_text_take(&text, '-');
    if (!value->negative)
        (void)expr_text_take(&text, '+');
    const uint8_t *start = text.data;
    size_t whole = expr_text_digits(&text).length;
    size_t fraction = expr_text_take(&text, '.') ? expr_text_digits(&text).length : 0;
    if (whole + fraction == 0)
        return false;
    value->digits = core_slice_make(start, (size_t)(text.data - start));
    value->digit_count = whole + fraction;
    bool has_exponent = expr_text_take(&text, 'e') || expr_text_take(&text, 'E');
    if (has_exponent && !exponent_parse(&text, &value->exponent))
        return false;
    value->exponent -= (int64_t)fraction;
    numeric_trim(value);
    return text.length == 0;
}

static bool digits_equal(core_slice left, core_slice right) {
    while (left.length > 0 && right.length > 0) {
        (void)expr_text_take(&left, '.');
        (void)expr_text_take(&right, '.');
        if (left.data[0] != right.data[0]) /* a last character is a digit: one is there */
            return false;
        left = expr_text_after(left, 1);
        right = expr_text_after(right, 1);
    }
    return left.length == right.length;
}

bool expr_numeric_equal(const expr_numeric *left, const expr_numeric *right) {
    return left->form == right->form && left->negative == right->negative &&
           left->exponent == right->exponent && left->digit_count == right->digit_count &&
           digits_equal(left->digits, right->digits);
}

static int digits_compare(core_slice left, core_slice right) {
    while (left.length > 0 && right.length > 0) {
        (void)expr_text_take(&left, '.');
        (void)expr_text_take(&right, '.');
        if (left.data[0] != right.data[0])
            return left.data[0] < right.data[0] ? -1 : 1;
        left = expr_text_after(left, 1);
        right = expr_text_after(right, 1);
    }
    return (left.length > 0) - (right.length > 0); /* what is left over is not all zeros */
}

/* Of two that are finite and not zero, without their signs. */
static int magnitude_compare(const expr_numeric *left, const expr_numeric *right) {
    int64_t left_top = left->exponent + (int64_t)left->digit_count;
    int64_t right_top = right->exponent + (int64_t)right->digit_count;
    if (left_top != right_top)
        return left_top < right_top ? -1 : 1;
    return digits_compare(left->digits, right->digits);
}

/* -infinity, the negative, zero, the positive, infinity, NaN. */
static int numeric_rank(const expr_numeric *value) {
    if (value->form == EXPR_NUMERIC_NAN)
        return 3;
    int size = value->form == EXPR_NUMERIC_INFINITE ? 2 : value->digit_count > 0 ? 1 : 0;
    return value->negative ? -size : size;
}

int expr_numeric_compare(const expr_numeric *left, const expr_numeric *right) {
    int left_rank = numeric_rank(left);
    int right_rank = numeric_rank(right);
    if (left_rank != right_rank)
        return left_rank < right_rank ? -1 : 1;
    if (left_rank == 1)
        return magnitude_compare(left, right);
    return left_rank == -1 ? magnitude_compare(right, left) : 0;
}

uint64_t expr_numeric_hash(const expr_numeric *value) {
    const uint64_t factor = UINT64_C(0x100000001b3); /* FNV-1a's, over the digits alone */
    uint64_t hash = UINT64_C(0xcbf29ce484222325) ^ (uint64_t)value->exponent;
    hash = hash * factor ^ (uint64_t)value->form;
    hash = hash * factor ^ (value->negative ? 1u : 0u);
    for (size_t i = 0; i < value->digits.length; i++)
        if (value->digits.data[i] != '.')
            hash = (hash ^ value->digits.data[i]) * factor;
    return hash;
}
