/* See binary_text.h. A row's texts are measured first, so that the room does not move under them;
 * what stays as it is (text and its kin) is not copied at all. */
#include "cdc/binary_text.h"

enum {
    INT2_TEXT_MAX = 6,
    INT4_TEXT_MAX = 11,
    INT8_TEXT_MAX = 20,
    OID_TEXT_MAX = 10,
    UUID_TEXT_MAX = 36,
    DATE_TEXT_MAX = 24,
    TIMESTAMP_TEXT_MAX = 48,
    SECONDS_A_DAY = 86400,
    MICROSECONDS = 1000000,
    JSONB_VERSION = 1,
};

/* The sign word of a numeric. */
enum {
    NUMERIC_POSITIVE = 0,
    NUMERIC_NEGATIVE = 0x4000,
    NUMERIC_NAN = 0xC000,
    NUMERIC_INFINITY = 0xD000,
    NUMERIC_MINUS_INFINITY = 0xF000,
    NUMERIC_DIGITS = 4, /* decimal digits in one of base 10,000 */
    NUMERIC_BASE = 10000,
    NUMERIC_SCALE_MAX = 16383,
};

struct cdc_binary_text {
    const char *functions;
    size_t fixed; /* the longest text; 0: `size` tells */
    size_t (*size)(core_cursor cursor);
    /* Writes the text and returns its end; fails the cursor when the value is not of the type.
     * NULL: the text is the bytes themselves. */
    uint8_t *(*put)(uint8_t *at, core_cursor *cursor);
    bool versioned; /* behind a byte of its own */
};

/* ---- Numbers ---- */

static uint8_t *unsigned_put(uint8_t *at, uint64_t value) {
    uint8_t digits[INT8_TEXT_MAX];
    size_t length = 0;
    do
        digits[length++] = (uint8_t)('0' + value % 10);
    while ((value /= 10) > 0);
    while (length > 0)
        *at++ = digits[--length];
    return at;
}

static uint8_t *signed_put(uint8_t *at, int64_t value) {
    if (value >= 0)
        return unsigned_put(at, (uint64_t)value);
    *at++ = '-';
    return unsigned_put(at, -(uint64_t)value);
}

/* At least `width` digits. */
static uint8_t *padded_put(uint8_t *at, uint64_t value, unsigned width) {
    uint64_t limit = 10;
    for (unsigned digits = 1; digits < width; digits++, limit *= 10)
        if (value < limit)
            *at++ = '0';
    return unsigned_put(at, value);
}

static uint8_t *text_put(uint8_t *at, const char *text) {
    size_t length = strlen(text);
    memcpy(at, text, length);
    return at + length;
}

static uint8_t *bool_put(uint8_t *at, core_cursor *cursor) {
    *at++ = core_cursor_u8(cursor) != 0 ? 't' : 'f';
    return at;
}

static uint8_t *int2_put(uint8_t *at, core_cursor *cursor) {
    return signed_put(at, (int16_t)core_cursor_u16(cursor));
}

static uint8_t *int4_put(uint8_t *at, core_cursor *cursor) {
    return signed_put(at, (int32_t)core_cursor_u32(cursor));
}

static uint8_t *int8_put(uint8_t *at, core_cursor *cursor) {
    return signed_put(at, (int64_t)core_cursor_u64(cursor));
}

static uint8_t *oid_put(uint8_t *at, core_cursor *cursor) {
    return unsigned_put(at, core_cursor_u32(cursor));
}

/* ---- numeric ---- */

typedef struct {
    unsigned count; /* of digits of base 10,000 */
    int weight;     /* of the first one, in such digits */
    unsigned sign;
    unsigned scale; /* decimal digits behind the point */
} numeric_head;

static numeric_head numeric_head_read(core_cursor *cursor) {
    numeric_head head;
    head.count = core_cursor_u16(cursor);
    head.weight = (int16_t)core_cursor_u16(cursor);
    head.sign = core_cursor_u16(cursor);
    head.scale = core_cursor_u16(cursor);
    if (head.scale > NUMERIC_SCALE_MAX)
        core_cursor_fail(cursor);
    return head;
}

static size_t numeric_size(core_cursor cursor) {
    numeric_head head = numeric_head_read(&cursor);
    size_t before = head.weight >= 0 ? (size_t)(head.weight + 1) * NUMERIC_DIGITS : 1;
    return sizeof "-Infinity" + before + head.scale + NUMERIC_DIGITS;
}

/* The digit at a place, which may be one that is not sent: zero. They are asked for in order. */
static unsigned numeric_digit(core_cursor *cursor, const numeric_head *head, int place) {
    if (place < 0 || (unsigned)place >= head->count)
        return 0;
    unsigned digit = core_cursor_u16(cursor);
    if (digit >= NUMERIC_BASE)
        core_cursor_fail(cursor);
    return digit < NUMERIC_BASE ? digit : 0;
}

static uint8_t *numeric_finite_put(uint8_t *at, core_cursor *cursor, const numeric_head *head) {
    int place = 0;
    if (head->sign == NUMERIC_NEGATIVE)
        *at++ = '-';
    if (head->weight < 0) {
        place = head->weight + 1;
        *at++ = '0';
    }
    for (; place <= head->weight; place++) {
        unsigned digit = numeric_digit(cursor, head, place);
        at = place == 0 ? unsigned_put(at, digit) : padded_put(at, digit, NUMERIC_DIGITS);
    }
    if (head->scale == 0)
        return at;
    *at++ = '.';
    uint8_t *end = at + head->scale;
    for (; at < end; place++)
        at = padded_put(at, numeric_digit(cursor, head, place), NUMERIC_DIGITS);
    return end;
}

static uint8_t *numeric_put(uint8_t *at, core_cursor *cursor) {
    numeric_head head = numeric_head_read(cursor);
    if (!core_cursor_ok(cursor))
        return at;
    switch (head.sign) {
    case NUMERIC_NAN:
        return text_put(at, "NaN");
    case NUMERIC_INFINITY:
        return text_put(at, "Infinity");
    case NUMERIC_MINUS_INFINITY:
        return text_put(at, "-Infinity");
    case NUMERIC_POSITIVE:
    case NUMERIC_NEGATIVE:
        return numeric_finite_put(at, cursor, &head);
    default:
        core_cursor_fail(cursor);
        return at;
    }
}

/* ---- Dates and times ---- */

typedef struct {
    int64_t year; /* 0 is 1 BC */
    unsigned month;
    unsigned day;
} calendar_day;

/* Of days since 2000-01-01, in the Gregorian calendar as it would always have been: years are
 * counted from March in eras of 400. */
static calendar_day calendar_day_of(int64_t day) {
    const int64_t days_an_era = 146097;
    int64_t from_march_0 = day + 730425;
    int64_t era = (from_march_0 >= 0 ? from_march_0 : from_march_0 - days_an_era + 1) / days_an_era;
    int64_t in_era = from_march_0 - era * days_an_era;
    int64_t year = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
    int64_t in_year = in_era - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * in_year + 2) / 153; /* from March */
    return (calendar_day){
        .year = year + era * 400 + (month >= 10),
        .month = (unsigned)(month < 10 ? month + 3 : month - 9),
        .day = (unsigned)(in_year - (153 * month + 2) / 5 + 1),
    };
}

static uint8_t *day_put(uint8_t *at, const calendar_day *day) {
    at = padded_put(at, (uint64_t)(day->year > 0 ? day->year : 1 - day->year), 4);
    *at++ = '-';
    at = padded_put(at, day->month, 2);
    *at++ = '-';
    return padded_put(at, day->day, 2);
}

static uint8_t *era_put(uint8_t *at, const calendar_day *day) {
    return day->year > 0 ? at : text_put(at, " BC");
}

static uint8_t *date_put(uint8_t *at, core_cursor *cursor) {
    int32_t days = (int32_t)core_cursor_u32(cursor);
    if (days == INT32_MAX || days == INT32_MIN)
        return text_put(at, days > 0 ? "infinity" : "-infinity");
    calendar_day day = calendar_day_of(days);
    return era_put(day_put(at, &day), &day);
}

static uint8_t *time_put(uint8_t *at, int64_t time_us) {
    int64_t seconds = time_us / MICROSECONDS;
    uint64_t fraction = (uint64_t)(time_us % MICROSECONDS);
    at = padded_put(at, (uint64_t)(seconds / 3600), 2);
    *at++ = ':';
    at = padded_put(at, (uint64_t)(seconds / 60 % 60), 2);
    *at++ = ':';
    at = padded_put(at, (uint64_t)(seconds % 60), 2);
    if (fraction == 0)
        return at;
    *at++ = '.';
    at = padded_put(at, fraction, 6);
    while (at[-1] == '0')
        at--;
    return at;
}

static uint8_t *moment_put(uint8_t *at, core_cursor *cursor, const char *zone) {
    const int64_t day_us = (int64_t)SECONDS_A_DAY * MICROSECONDS;
    int64_t time_us = (int64_t)core_cursor_u64(cursor);
    if (time_us == INT64_MAX || time_us == INT64_MIN)
        return text_put(at, time_us > 0 ? "infinity" : "-infinity");
    int64_t in_day_us = time_us % day_us;
    bool begun = in_day_us < 0; /* a day before 2000, counted down */
    calendar_day day = calendar_day_of(time_us / day_us - begun);
    at = day_put(at, &day);
    *at++ = ' ';
    at = time_put(at, begun ? in_day_us + day_us : in_day_us);
    return era_put(text_put(at, zone), &day);
}

static uint8_t *timestamp_put(uint8_t *at, core_cursor *cursor) {
    return moment_put(at, cursor, "");
}

static uint8_t *timestamptz_put(uint8_t *at, core_cursor *cursor) {
    return moment_put(at, cursor, "+00");
}

/* ---- Bytes ---- */

static uint8_t *hex_put(uint8_t *at, core_slice bytes) {
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < bytes.length; i++) {
        *at++ = (uint8_t)digits[bytes.data[i] >> 4];
        *at++ = (uint8_t)digits[bytes.data[i] & 15];
    }
    return at;
}

static uint8_t *uuid_put(uint8_t *at, core_cursor *cursor) {
    static const uint8_t groups[] = {4, 2, 2, 2, 6};
    for (size_t i = 0; i < sizeof groups; i++) {
        if (i > 0)
            *at++ = '-';
        at = hex_put(at, core_cursor_bytes(cursor, groups[i]));
    }
    return at;
}

static size_t bytea_size(core_cursor cursor) {
    return 2 + 2 * core_cursor_left(&cursor);
}

static uint8_t *bytea_put(uint8_t *at, core_cursor *cursor) {
    return hex_put(text_put(at, "\\x"), core_cursor_rest(cursor));
}

/* ---- The types ---- */

const cdc_binary_text *cdc_binary_text_of(core_slice functions) {
    static const cdc_binary_text types[] = {
        {.functions = "boolout boolsend", .fixed = 1, .put = bool_put},
        {.functions = "int2out int2send", .fixed = INT2_TEXT_MAX, .put = int2_put},
        {.functions = "int4out int4send", .fixed = INT4_TEXT_MAX, .put = int4_put},
        {.functions = "int8out int8send", .fixed = INT8_TEXT_MAX, .put = int8_put},
        {.functions = "oidout oidsend", .fixed = OID_TEXT_MAX, .put = oid_put},
        {.functions = "numeric_out numeric_send", .size = numeric_size, .put = numeric_put},
        {.functions = "date_out date_send", .fixed = DATE_TEXT_MAX, .put = date_put},
        {.functions = "timestamp_out timestamp_send",
         .fixed = TIMESTAMP_TEXT_MAX,
         .put = timestamp_put},
        {.functions = "timestamptz_out timestamptz_send",
         .fixed = TIMESTAMP_TEXT_MAX,
         .put = timestamptz_put},
        {.functions = "uuid_out uuid_send", .fixed = UUID_TEXT_MAX, .put = uuid_put},
        {.functions = "byteaout byteasend", .size = bytea_size, .put = bytea_put},
        {.functions = "textout textsend"},
        {.functions = "varcharout varcharsend"},
        {.functions = "bpcharout bpcharsend"},
        {.functions = "nameout namesend"},
        {.functions = "enum_out enum_send"},
        {.functions = "json_out json_send"},
        {.functions = "jsonb_out jsonb_send", .versioned = true},
    };
    for (size_t i = 0; i < CORE_COUNT_OF(types); i++)
        if (core_slice_is(functions, types[i].functions))
            return &types[i];
    return NULL;
}

/* ---- A row ---- */

static bool value_refuse(const cdc_binary_text *type, core_slice bytes, core_error *error) {
    return core_error_set(error, CORE_ERROR_INPUT,
                          "%zu bytes of COPY are no value in the binary form of %s", bytes.length,
                          type->functions);
}

static bool plain_take(const cdc_binary_text *type, core_value *value) {
    core_cursor cursor = core_cursor_make(value->bytes);
    bool ok = !type->versioned || core_cursor_u8(&cursor) == JSONB_VERSION;
    value->bytes = core_cursor_rest(&cursor);
    value->kind = CORE_VALUE_TEXT;
    return ok;
}

static bool value_take(const cdc_binary_text *type, core_value *value, core_buffer *room) {
    if (type->put == NULL)
        return plain_take(type, value);
    core_cursor cursor = core_cursor_make(value->bytes);
    uint8_t *start = room->data + room->length;
    size_t length = (size_t)(type->put(start, &cursor) - start);
    assert(length <= room->capacity - room->length);
    core_buffer_commit(room, length);
    *value = (core_value){.kind = CORE_VALUE_TEXT, .bytes = core_slice_make(start, length)};
    return core_cursor_done(&cursor);
}

static size_t size_of(const cdc_binary_text *type, const core_value *value) {
    if (value->kind != CORE_VALUE_BINARY || type->put == NULL)
        return 0;
    return type->fixed > 0 ? type->fixed : type->size(core_cursor_make(value->bytes));
}

bool cdc_binary_text_row(const cdc_binary_text *const *types, core_value *values, size_t count,
                         core_buffer *room, core_error *error) {
    size_t size = 0;
    for (size_t i = 0; i < count; i++)
        size += size_of(types[i], &values[i]);
    core_buffer_reset(room);
    if (core_buffer_reserve(room, size) == NULL)
        return core_error_set(error, CORE_ERROR_LIMIT, "a row's text takes up to %zu bytes", size);
    for (size_t i = 0; i < count; i++) {
        core_slice bytes = values[i].bytes;
        if (values[i].kind == CORE_VALUE_BINARY && !value_take(types[i], &values[i], room))
            return value_refuse(types[i], bytes, error);
    }
    return true;
}
