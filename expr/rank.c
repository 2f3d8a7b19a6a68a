/* What an index over ranges compares: a number for each scalar, in their order; see scalar.h. */
#include "expr/scalar.h"

#define NUMERIC_DIGITS   15 /* that are looked at: below 2^50 */
#define NUMERIC_BITS     50
#define MAGNITUDE_MAX    2047
#define NUMERIC_INFINITE (INT64_MAX - 1)

/* The first eight bytes. */
static int64_t bytes_rank(const uint8_t *data, size_t length) {
    uint64_t rank = 0;
    for (size_t i = 0; i < sizeof rank; i++)
        rank = rank << 8 | (i < length ? data[i] : 0);
    uint64_t flipped = rank ^ (UINT64_C(1) << 63);
    int64_t ordered;
    memcpy(&ordered, &flipped, sizeof ordered);
    return ordered;
}

/* A double's bits go up with it; below zero they go down. */
static int64_t real_rank(double value) {
    int64_t bits;
    if (value != value)
        return INT64_MAX;
    if (value == 0)
        return 0;
    memcpy(&bits, &value, sizeof bits);
    return bits >= 0 ? bits : -(bits & INT64_MAX);
}

static uint64_t first_digits(core_slice digits) {
    uint64_t value = 0;
    size_t count = 0;
    for (size_t i = 0; i < digits.length && count < NUMERIC_DIGITS; i++) {
        if (digits.data[i] == '.')
            continue;
        value = value * 10 + (uint64_t)(digits.data[i] - '0');
        count++;
    }
    for (; count < NUMERIC_DIGITS; count++)
        value *= 10;
    return value;
}

/* Where its first digit stands, then its first digits. */
static int64_t magnitude_rank(const expr_numeric *value) {
    int64_t magnitude = value->exponent + (int64_t)value->digit_count;
    uint64_t digits = first_digits(value->digits);
    if (magnitude > MAGNITUDE_MAX) {
        magnitude = MAGNITUDE_MAX;
        digits = (UINT64_C(1) << NUMERIC_BITS) - 1;
    } else if (magnitude < -MAGNITUDE_MAX) {
        magnitude = -MAGNITUDE_MAX;
        digits = 0;
    }
    return (int64_t)((uint64_t)(magnitude + MAGNITUDE_MAX + 1) << NUMERIC_BITS | digits);
}

static int64_t numeric_rank(const expr_numeric *value) {
    if (value->form == EXPR_NUMERIC_NAN)
        return INT64_MAX;
    int64_t rank = 0;
    if (value->form == EXPR_NUMERIC_INFINITE)
        rank = NUMERIC_INFINITE;
    else if (value->digits.length > 0)
        rank = magnitude_rank(value);
    return value->negative ? -rank : rank;
}

int64_t expr_scalar_rank(expr_scalar_kind kind, const expr_scalar *scalar) {
    assert(kind != EXPR_SCALAR_INTERVAL);
    switch (kind) {
    case EXPR_SCALAR_TEXT:
    case EXPR_SCALAR_PADDED_TEXT:
    case EXPR_SCALAR_LABEL:
        return bytes_rank(scalar->text.data, scalar->text.length);
    case EXPR_SCALAR_UUID:
        return bytes_rank(scalar->uuid, sizeof scalar->uuid);
    case EXPR_SCALAR_FLOAT4:
    case EXPR_SCALAR_FLOAT8:
        return real_rank(scalar->real);
    case EXPR_SCALAR_NUMERIC:
        return numeric_rank(&scalar->numeric);
    default:
        return scalar->integer;
    }
}
