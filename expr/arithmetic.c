/* + - * / % and signs, over integers, floats and numerics; see operations.h.
 *
 * Integers are checked against their type's range, floats as PostgreSQL checks them
 * (src/include/utils/float.h). A numeric's sum, difference and product are exact; those of more
 * than DIGITS_MAX digits are undecided, and its quotients the compiler refuses. */
#include "expr/operations.h"
#include "expr/text.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#define DIGITS_MAX 300

/* ---- Integers ---- */

static bool integer_fits(expr_type_id id, int64_t value) {
    if (id == EXPR_TYPE_INT2)
        return value >= INT16_MIN && value <= INT16_MAX;
    return id != EXPR_TYPE_INT4 || (value >= INT32_MIN && value <= INT32_MAX);
}

static void integer_apply(const expr_node *node, expr_evaluation *at, const expr_datum *arguments,
                          expr_datum *result) {
    int64_t left = arguments[0].scalar.integer;
    int64_t right = arguments[1].scalar.integer;
    int64_t value = 0;
    bool overflows = false;
    (void)at;
    if ((node->option == '/' || node->option == '%') && right == 0) {
        expr_datum_error(result, "division by zero");
        return;
    }
    if (node->option == '+')
        overflows = __builtin_add_overflow(left, right, &value);
    else if (node->option == '-')
        overflows = __builtin_sub_overflow(left, right, &value);
    else if (node->option == '*')
        overflows = __builtin_mul_overflow(left, right, &value);
    else if (node->option == '%')
        value = right == -1 ? 0 : left % right;
    else if (right == -1)
        overflows = __builtin_sub_overflow(0, left, &value);
    else
        value = left / right;
    if (overflows || !integer_fits(node->type.id, value))
        expr_datum_error(result, "integer out of range");
    else
        expr_datum_integer(result, value);
}

/* ---- Floats ---- */

static double real_compute(uint8_t sign, bool is_single, double left, double right) {
    if (is_single) {
        float a = (float)left, b = (float)right;
        return sign == '+' ? a + b : sign == '-' ? a - b : sign == '*' ? a * b : a / b;
    }
    return sign == '+'   ? left + right
           : sign == '-' ? left - right
           : sign == '*' ? left * right
                         : left / right;
}

static void real_apply(const expr_node *node, expr_evaluation *at, const expr_datum *arguments,
                       expr_datum *result) {
    double left = arguments[0].scalar.real;
    double right = arguments[1].scalar.real;
    bool is_single = node->type.id == EXPR_TYPE_FLOAT4;
    (void)at;
    if (node->option == '/' && right == 0) {
        if (isnan(left))
            expr_datum_undecided(result, "NaN / 0 is an error before PostgreSQL 14");
        else
            expr_datum_error(result, "division by zero");
        return;
    }
    if (node->option == '/' && isinf(right) && left != 0 && !isinf(left) && !isnan(left)) {
        expr_datum_undecided(result, "a number / infinity is an error before PostgreSQL 14");
        return;
    }
    double value = real_compute(node->option, is_single, left, right);
    if (is_single)
        value = (double)(float)value;
    bool scales = node->option == '*' || node->option == '/';
    bool can_vanish = scales && left != 0 && !(node->option == '*' && right == 0);
    if (isinf(value) && !isinf(left) && !isinf(right))
        expr_datum_error(result, "value out of range: overflow");
    else if (value == 0 && can_vanish)
        expr_datum_error(result, "value out of range: underflow");
    else
        expr_datum_real(result, value);
}

/* ---- Numerics ---- */

/* Digits from the top, those behind the last of `count` are zero. */
typedef struct {
    int8_t digits[DIGITS_MAX];
    size_t count;
    int64_t exponent; /* of the last */
    bool negative;
} decimal;

static void decimal_read(const expr_numeric *number, decimal *value) {
    core_slice digits = number->digits;
    value->count = number->digit_count;
    value->exponent = number->exponent;
    value->negative = number->negative;
    for (size_t i = 0; i < value->count; i++) {
        (void)expr_text_take(&digits, '.');
        value->digits[i] = (int8_t)(digits.data[0] - '0');
        digits = expr_text_after(digits, 1);
    }
}

static void decimal_write(const decimal *value, expr_evaluation *at, expr_datum *result) {
    char exponent[24];
    int length = snprintf(exponent, sizeof exponent, "e%" PRId64, value->exponent);
    uint8_t *text = expr_scratch_take(at, value->count + 2 + (size_t)length, result);
    size_t used = 0;
    if (text == NULL)
        return;
    if (value->negative)
        text[used++] = '-';
    for (size_t i = 0; i < value->count; i++)
        text[used++] = (uint8_t)('0' + value->digits[i]);
    if (value->count == 0)
        text[used++] = '0';
    memcpy(text + used, exponent, (size_t)length);
    result->state = EXPR_DATUM_VALUE;
    if (!expr_numeric_parse(core_slice_make(text, used + (size_t)length), &result->scalar.numeric))
        expr_datum_undecided(result, "a number is not understood");
}

/* The digit at a power of ten. */
static int decimal_at(const decimal *value, int64_t power) {
    int64_t index = value->exponent + (int64_t)value->count - 1 - power;
    return index >= 0 && index < (int64_t)value->count ? value->digits[index] : 0;
}

/* left + right, or left - right where `subtracts`, which must not be below zero: of the digits
 * alone. False when there are too many. */
static bool magnitudes_join(const decimal *left, const decimal *right, bool subtracts,
                            decimal *sum) {
    int64_t low = left->exponent < right->exponent ? left->exponent : right->exponent;
    int64_t left_top = left->exponent + (int64_t)left->count;
    int64_t right_top = right->exponent + (int64_t)right->count;
    int64_t top = (left_top > right_top ? left_top : right_top) + 1;
    if (top - low > DIGITS_MAX)
        return false;
    sum->count = (size_t)(top - low);
    sum->exponent = low;
    int carry = 0;
    for (int64_t power = low; power < top; power++) {
        int digit = decimal_at(right, power);
        int value = decimal_at(left, power) + (subtracts ? -digit : digit) + carry;
        carry = value < 0 ? -1 : value / 10;
        sum->digits[top - 1 - power] = (int8_t)(value < 0 ? value + 10 : value % 10);
    }
    return true;
}

static bool decimal_add(const decimal *left, const decimal *right, decimal *sum) {
    if (left->negative == right->negative) {
        sum->negative = left->negative;
        return magnitudes_join(left, right, false, sum);
    }
    int64_t low = left->exponent < right->exponent ? left->exponent : right->exponent;
    int64_t left_top = left->exponent + (int64_t)left->count;
    int64_t right_top = right->exponent + (int64_t)right->count;
    int64_t top = left_top > right_top ? left_top : right_top;
    if (top - low > DIGITS_MAX)
        return false;
    int order = 0;
    for (int64_t power = top - 1; power >= low && order == 0; power--)
        order = decimal_at(left, power) - decimal_at(right, power);
    const decimal *greater = order >= 0 ? left : right;
    sum->negative = greater->negative;
    return magnitudes_join(greater, greater == left ? right : left, true, sum);
}

static bool decimal_multiply(const decimal *left, const decimal *right, decimal *product) {
    int cells[DIGITS_MAX] = {0};
    if (left->count + right->count > DIGITS_MAX)
        return false;
    product->count = left->count + right->count;
    product->exponent = left->exponent + right->exponent;
    product->negative = left->negative != right->negative;
    for (size_t i = 0; i < left->count; i++)
        for (size_t k = 0; k < right->count; k++)
            cells[i + k + 1] += left->digits[i] * right->digits[k];
    int carry = 0;
    for (size_t i = product->count; i-- > 0;) {
        int value = cells[i] + carry;
        product->digits[i] = (int8_t)(value % 10);
        carry = value / 10;
    }
    return true;
}

/* Where one is not finite. */
static void special_compute(uint8_t sign, const expr_numeric *left, const expr_numeric *right,
                            expr_numeric *value) {
    bool right_negative = right->negative != (sign == '-');
    bool both = left->form == EXPR_NUMERIC_INFINITE && right->form == EXPR_NUMERIC_INFINITE;
    *value = (expr_numeric){.form = EXPR_NUMERIC_NAN};
    if (left->form == EXPR_NUMERIC_NAN || right->form == EXPR_NUMERIC_NAN)
        return;
    if (sign == '*') {
        bool has_zero = (left->form == EXPR_NUMERIC_FINITE && left->digit_count == 0) ||
                        (right->form == EXPR_NUMERIC_FINITE && right->digit_count == 0);
        if (!has_zero)
            *value = (expr_numeric){.form = EXPR_NUMERIC_INFINITE,
                                    .negative = left->negative != right->negative};
        return;
    }
    if (both && left->negative != right_negative)
        return;
    bool is_left = left->form == EXPR_NUMERIC_INFINITE;
    *value = (expr_numeric){.form = EXPR_NUMERIC_INFINITE,
                            .negative = is_left ? left->negative : right_negative};
}

static void numeric_apply(const expr_node *node, expr_evaluation *at, const expr_datum *arguments,
                          expr_datum *result) {
    const expr_numeric *left = &arguments[0].scalar.numeric;
    const expr_numeric *right = &arguments[1].scalar.numeric;
    decimal a, b, value;
    if (left->form != EXPR_NUMERIC_FINITE || right->form != EXPR_NUMERIC_FINITE) {
        result->state = EXPR_DATUM_VALUE;
        special_compute(node->option, left, right, &result->scalar.numeric);
        return;
    }
    bool fits = left->digit_count <= DIGITS_MAX && right->digit_count <= DIGITS_MAX;
    if (fits) {
        decimal_read(left, &a);
        decimal_read(right, &b);
        if (node->option == '-')
            b.negative = !b.negative;
        fits = node->option == '*' ? decimal_multiply(&a, &b, &value) : decimal_add(&a, &b, &value);
    }
    if (fits)
        decimal_write(&value, at, result);
    else
        expr_datum_undecided(result, "a numeric has too many digits for the engine");
}

/* ---- Signs ---- */

static void negate_apply(const expr_node *node, expr_evaluation *at, const expr_datum *arguments,
                         expr_datum *result) {
    (void)at;
    *result = arguments[0];
    if (expr_type_is(node->type, EXPR_TYPE_NUMERIC)) {
        expr_numeric *number = &result->scalar.numeric;
        bool is_signed = number->form == EXPR_NUMERIC_INFINITE || number->digit_count > 0;
        number->negative = is_signed && !number->negative;
    } else if (!expr_type_is_integer(node->type)) {
        expr_datum_real(result, -result->scalar.real);
    } else if (!integer_fits(node->type.id, result->scalar.integer) ||
               result->scalar.integer == INT64_MIN ||
               !integer_fits(node->type.id, -result->scalar.integer)) {
        expr_datum_error(result, "integer out of range");
    } else {
        expr_datum_integer(result, -result->scalar.integer);
    }
}

static void absolute_apply(const expr_node *node, expr_evaluation *at, const expr_datum *arguments,
                           expr_datum *result) {
    bool is_negative = expr_type_is(node->type, EXPR_TYPE_NUMERIC)
                           ? arguments[0].scalar.numeric.negative
                       : expr_type_is_integer(node->type) ? arguments[0].scalar.integer < 0
                                                          : signbit(arguments[0].scalar.real) != 0;
    *result = arguments[0];
    if (is_negative)
        negate_apply(node, at, arguments, result);
}

const expr_operation expr_operation_integer_arithmetic = {
    .name = "integer", .raises = true, .apply = integer_apply};
const expr_operation expr_operation_real_arithmetic = {
    .name = "real", .raises = true, .apply = real_apply};
const expr_operation expr_operation_numeric_arithmetic = {
    .name = "numeric", .raises = true, .apply = numeric_apply};
const expr_operation expr_operation_negate = {
    .name = "negate", .raises = true, .apply = negate_apply};
const expr_operation expr_operation_absolute = {
    .name = "absolute", .raises = true, .apply = absolute_apply};
