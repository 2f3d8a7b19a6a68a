/* Casts; see operations.h. What PostgreSQL raises is raised; what it may take in another spelling
 * than the parsers of scalar.h do (dates in words, `0x1F` since 16) is undecided. */
#include "expr/operations.h"
#include "expr/text.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define NUMBER_TEXT_MAX 400 /* of a numeric that becomes a float */
#define US_PER_DAY      INT64_C(86400000000)
#define NAME_MAX_BYTES  63u

/* ---- Text into a type ---- */

static bool text_has_only(core_slice text, const char *allowed) {
    for (size_t i = 0; i < text.length; i++)
        if (text.data[i] == '\0' || strchr(allowed, text.data[i]) == NULL)
            return false;
    return true;
}

static bool text_has_digit(core_slice text) {
    for (size_t i = 0; i < text.length; i++)
        if (expr_text_is_digit(text.data[i]))
            return true;
    return false;
}

/* No version of PostgreSQL takes it, once the parser here has not. Numbers may be written in other
 * bases and with underscores since 16; dates and times in many ways. */
static bool text_is_surely_wrong(expr_type_id id, core_slice text) {
    switch (id) {
    case EXPR_TYPE_BOOL:
        return true;
    case EXPR_TYPE_INT2:
    case EXPR_TYPE_INT4:
    case EXPR_TYPE_INT8:
        return !text_has_digit(text) || text_has_only(text, "0123456789+-.eE ");
    case EXPR_TYPE_FLOAT4:
    case EXPR_TYPE_FLOAT8:
    case EXPR_TYPE_NUMERIC:
        return text.length <= 100 &&
               (!text_has_digit(text) || text_has_only(text, "0123456789+-.eE "));
    case EXPR_TYPE_UUID:
        return expr_text_peek(text) != '{';
    default:
        return false;
    }
}

/* A zone is told: what a text without one means hangs on the session. */
static bool timestamp_has_zone(core_slice text) {
    size_t clock = 0;
    if (text.length > 3 && (text.data[text.length - 2] | 0x20) == 'b') /* " BC" */
        text.length -= 3;
    while (clock < text.length && text.data[clock] != ':')
        clock++;
    for (; clock < text.length; clock++)
        if (memchr("+-zZcC", text.data[clock], 6) != NULL)
            return true;
    return text.length > 0 && (text.data[text.length - 1] | 0x20) == 'y'; /* infinity */
}

static const char *wrong_text(expr_type_id id) {
    switch (id) {
    case EXPR_TYPE_BOOL:
        return "invalid input syntax for type boolean";
    case EXPR_TYPE_INT2:
        return "invalid or too large for type smallint";
    case EXPR_TYPE_INT4:
        return "invalid or too large for type integer";
    case EXPR_TYPE_INT8:
        return "invalid or too large for type bigint";
    case EXPR_TYPE_UUID:
        return "invalid input syntax for type uuid";
    default:
        return "invalid input syntax for the type of a number";
    }
}

void expr_parse_text(expr_type type, core_slice text, expr_datum *result) {
    expr_scalar_kind kind = expr_type_kind(type);
    if (type.is_array || expr_type_is_json(type) || type.id == EXPR_TYPE_NONE) {
        expr_datum_undecided(result, "no text becomes such a value in the engine");
    } else if (type.id == EXPR_TYPE_BPCHAR) {
        expr_datum_text(result, text);
    } else if (type.id == EXPR_TYPE_NAME && text.length > NAME_MAX_BYTES) {
        expr_datum_undecided(result, "a text is longer than a name");
    } else if (type.id == EXPR_TYPE_TIMESTAMPTZ && !timestamp_has_zone(text)) {
        expr_datum_undecided(result, "a time without its zone hangs on the session");
    } else if (expr_scalar_parse(kind, text, &result->scalar)) {
        result->state = EXPR_DATUM_VALUE;
    } else if (text_is_surely_wrong(type.id, text)) {
        expr_datum_error(result, wrong_text(type.id));
    } else {
        expr_datum_undecided(result, "a text is written as the engine does not take it");
    }
}

static void parse_apply(const expr_node *node, expr_evaluation *at, const expr_datum *arguments,
                        expr_datum *result) {
    (void)at;
    expr_parse_text(node->type, arguments[0].scalar.text, result);
}

/* ---- Integers and booleans ---- */

static bool integer_fits(expr_type_id id, int64_t value) {
    if (id == EXPR_TYPE_INT2)
        return value >= INT16_MIN && value <= INT16_MAX;
    if (id == EXPR_TYPE_INT4)
        return value >= INT32_MIN && value <= INT32_MAX;
    if (id == EXPR_TYPE_OID)
        return value >= 0 && value <= UINT32_MAX;
    return true;
}

static void integer_set(const expr_node *node, int64_t value, expr_datum *result) {
    if (integer_fits(node->type.id, value))
        expr_datum_integer(result, value);
    else
        expr_datum_error(result, "integer out of range");
}

static void integer_to_integer(const expr_node *node, expr_evaluation *at,
                               const expr_datum *arguments, expr_datum *result) {
    (void)at;
    integer_set(node, arguments[0].scalar.integer, result);
}

static void integer_to_bool(const expr_node *node, expr_evaluation *at, const expr_datum *arguments,
                            expr_datum *result) {
    (void)node;
    (void)at;
    expr_datum_bool(result, arguments[0].scalar.integer != 0);
}

static void bool_to_text(const expr_node *node, expr_evaluation *at, const expr_datum *arguments,
                         expr_datum *result) {
    (void)node;
    (void)at;
    expr_datum_text(result, core_slice_text(arguments[0].scalar.integer != 0 ? "true" : "false"));
}

/* The decimal digits in the evaluation's memory. */
static bool integer_write(expr_evaluation *at, int64_t value, core_slice *text,
                          expr_datum *result) {
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%" PRId64, value);
    uint8_t *kept = expr_scratch_take(at, (size_t)length, result);
    if (kept == NULL)
        return false;
    memcpy(kept, digits, (size_t)length);
    *text = core_slice_make(kept, (size_t)length);
    return true;
}

static void integer_to_text(const expr_node *node, expr_evaluation *at, const expr_datum *arguments,
                            expr_datum *result) {
    core_slice text;
    (void)node;
    if (integer_write(at, arguments[0].scalar.integer, &text, result))
        expr_datum_text(result, text);
}

static void integer_to_numeric(const expr_node *node, expr_evaluation *at,
                               const expr_datum *arguments, expr_datum *result) {
    core_slice text;
    (void)node;
    if (!integer_write(at, arguments[0].scalar.integer, &text, result))
        return;
    result->state = EXPR_DATUM_VALUE;
    if (!expr_numeric_parse(text, &result->scalar.numeric))
        expr_datum_undecided(result, "a number is not understood");
}

static void integer_to_real(const expr_node *node, expr_evaluation *at, const expr_datum *arguments,
                            expr_datum *result) {
    int64_t value = arguments[0].scalar.integer;
    (void)at;
    expr_datum_real(result,
                    node->type.id == EXPR_TYPE_FLOAT4 ? (double)(float)value : (double)value);
}

/* ---- Floats ---- */

static void real_to_real(const expr_node *node, expr_evaluation *at, const expr_datum *arguments,
                         expr_datum *result) {
    double value = arguments[0].scalar.real;
    (void)at;
    if (node->type.id != EXPR_TYPE_FLOAT4) {
        expr_datum_real(result, value);
        return;
    }
    double narrow = (double)(float)value;
    if (isinf(narrow) && !isinf(value))
        expr_datum_error(result, "value out of range: overflow");
    else if (narrow == 0 && value != 0)
        expr_datum_error(result, "value out of range: underflow");
    else
        expr_datum_real(result, narrow);
}

static void real_to_integer(const expr_node *node, expr_evaluation *at, const expr_datum *arguments,
                            expr_datum *result) {
    double value = rint(arguments[0].scalar.real);
    (void)at;
    if (isnan(value) || value < -0x1p63 || value >= 0x1p63)
        expr_datum_error(result, "integer out of range");
    else
        integer_set(node, (int64_t)value, result);
}

/* To 15 digits, or 6: as PostgreSQL does it. */
static void real_to_numeric(const expr_node *node, expr_evaluation *at, const expr_datum *arguments,
                            expr_datum *result) {
    double value = arguments[0].scalar.real;
    char digits[40];
    bool is_single = expr_type_is(node->arguments[0]->type, EXPR_TYPE_FLOAT4);
    int length = snprintf(digits, sizeof digits, "%.*g", is_single ? 6 : 15, value);
    if (isinf(value)) { /* an error before PostgreSQL 14 */
        expr_datum_undecided(result, "an infinite float as numeric hangs on the server's version");
        return;
    }
    uint8_t *kept = expr_scratch_take(at, (size_t)length, result);
    if (kept == NULL)
        return;
    memcpy(kept, digits, (size_t)length);
    core_slice text = core_slice_make(kept, (size_t)length);
    result->state = EXPR_DATUM_VALUE;
    if (isnan(value))
        result->scalar.numeric = (expr_numeric){.form = EXPR_NUMERIC_NAN};
    else if (!expr_numeric_parse(text, &result->scalar.numeric))
        expr_datum_undecided(result, "a number is not understood");
}

/* ---- Numerics ---- */

/* The digit at a place of ten, from the top. */
static int digit_next(core_slice *digits) {
    (void)expr_text_take(digits, '.');
    int digit = expr_text_peek(*digits) - '0';
    *digits = expr_text_after(*digits, 1);
    return digit;
}

/* Rounds half away from zero. False when it does not fit into int64. */
static bool numeric_round(const expr_numeric *number, int64_t *value) {
    core_slice digits = number->digits;
    int64_t whole_digits = number->exponent + (int64_t)number->digit_count;
    int64_t sum = 0; /* below zero, where there is one more */
    if (whole_digits > 19)
        return false;
    for (int64_t i = 0; i < whole_digits; i++) {
        int digit = i < (int64_t)number->digit_count ? digit_next(&digits) : 0;
        if (__builtin_mul_overflow(sum, 10, &sum) || __builtin_sub_overflow(sum, digit, &sum))
            return false;
    }
    bool has_tenth = whole_digits >= 0 && whole_digits < (int64_t)number->digit_count;
    if (has_tenth && digit_next(&digits) >= 5 && __builtin_sub_overflow(sum, 1, &sum))
        return false;
    if (!number->negative && sum == INT64_MIN)
        return false;
    *value = number->negative ? sum : -sum;
    return true;
}

static void numeric_to_integer(const expr_node *node, expr_evaluation *at,
                               const expr_datum *arguments, expr_datum *result) {
    const expr_numeric *number = &arguments[0].scalar.numeric;
    int64_t value = 0;
    (void)at;
    if (number->form != EXPR_NUMERIC_FINITE || !numeric_round(number, &value))
        expr_datum_error(result, "numeric out of the integer's range");
    else
        integer_set(node, value, result);
}

static bool numeric_write(const expr_numeric *number, char text[NUMBER_TEXT_MAX]) {
    core_slice digits = number->digits;
    size_t length = 0;
    if (number->digit_count + 32 > NUMBER_TEXT_MAX)
        return false;
    if (number->negative)
        text[length++] = '-';
    for (size_t i = 0; i < number->digit_count; i++)
        text[length++] = (char)('0' + digit_next(&digits));
    if (number->digit_count == 0)
        text[length++] = '0';
    (void)snprintf(text + length, NUMBER_TEXT_MAX - length, "e%" PRId64, number->exponent);
    return true;
}

static void numeric_to_real(const expr_node *node, expr_evaluation *at, const expr_datum *arguments,
                            expr_datum *result) {
    const expr_numeric *number = &arguments[0].scalar.numeric;
    char text[NUMBER_TEXT_MAX];
    (void)at;
    if (number->form == EXPR_NUMERIC_NAN) {
        expr_datum_real(result, NAN);
    } else if (number->form == EXPR_NUMERIC_INFINITE) {
        expr_datum_real(result, number->negative ? -INFINITY : INFINITY);
    } else if (!numeric_write(number, text)) {
        expr_datum_undecided(result, "a numeric has too many digits for the engine");
    } else {
        bool is_single = node->type.id == EXPR_TYPE_FLOAT4;
        double value = is_single ? (double)strtof(text, NULL) : strtod(text, NULL);
        if (isinf(value) || (value == 0 && number->digit_count > 0))
            expr_datum_error(result, "a number is out of the float's range");
        else
            expr_datum_real(result, value);
    }
}

/* ---- Texts and times ---- */

static void uuid_to_text(const expr_node *node, expr_evaluation *at, const expr_datum *arguments,
                         expr_datum *result) {
    static const char hex[] = "0123456789abcdef";
    (void)node;
    uint8_t *text = expr_scratch_take(at, 36, result);
    if (text == NULL)
        return;
    size_t length = 0;
    for (size_t i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            text[length++] = '-';
        text[length++] = (uint8_t)hex[arguments[0].scalar.uuid[i] >> 4];
        text[length++] = (uint8_t)hex[arguments[0].scalar.uuid[i] & 15];
    }
    expr_datum_text(result, core_slice_make(text, length));
}

static void unpadded(const expr_node *node, expr_evaluation *at, const expr_datum *arguments,
                     expr_datum *result) {
    core_slice text = arguments[0].scalar.text;
    (void)node;
    (void)at;
    while (text.length > 0 && text.data[text.length - 1] == ' ')
        text.length--;
    expr_datum_text(result, text);
}

static void date_to_timestamp(const expr_node *node, expr_evaluation *at,
                              const expr_datum *arguments, expr_datum *result) {
    int64_t days = arguments[0].scalar.integer;
    int64_t time_us = days;
    (void)node;
    (void)at;
    bool is_infinite = days == INT64_MIN || days == INT64_MAX;
    if (!is_infinite &&
        (days > INT64_C(106751000) || __builtin_mul_overflow(days, US_PER_DAY, &time_us)))
        expr_datum_undecided(result, "a date is beyond what a timestamp can be");
    else
        expr_datum_integer(result, time_us);
}

static void timestamp_to_date(const expr_node *node, expr_evaluation *at,
                              const expr_datum *arguments, expr_datum *result) {
    int64_t time_us = arguments[0].scalar.integer;
    (void)node;
    (void)at;
    int64_t days = time_us / US_PER_DAY - (time_us % US_PER_DAY < 0 ? 1 : 0);
    bool is_infinite = time_us == INT64_MIN || time_us == INT64_MAX;
    expr_datum_integer(result, is_infinite ? time_us : days);
}

#define CAST(function, raising)                                                                    \
    const expr_operation expr_operation_##function = {                                             \
        .name = #function, .raises = (raising), .apply = (function)}

const expr_operation expr_operation_parse = {.name = "parse", .raises = true, .apply = parse_apply};
CAST(integer_to_integer, true);
CAST(integer_to_real, false);
CAST(integer_to_numeric, false);
CAST(integer_to_bool, false);
CAST(integer_to_text, false);
CAST(bool_to_text, false);
CAST(real_to_real, true);
CAST(real_to_integer, true);
CAST(real_to_numeric, true);
CAST(numeric_to_integer, true);
CAST(numeric_to_real, true);
CAST(uuid_to_text, false);
CAST(unpadded, false);
CAST(date_to_timestamp, true);
CAST(timestamp_to_date, false);
