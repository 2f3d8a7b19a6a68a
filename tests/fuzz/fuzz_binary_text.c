/* Values of COPY in binary form: the first byte picks the type, the rest is the value. Any bytes
 * give a text or INPUT and stay inside the room that was measured; the text gives the value back.
 */
#include "cdc/binary_text.h"

#include <stdio.h>
#include <stdlib.h>

enum { NUMERIC_HEAD = 8, SIGN_NEGATIVE = 0x4000 };

#define SECONDS_A_DAY INT64_C(86400)
#define MICROSECONDS  INT64_C(1000000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool right) {
    if (!right)
        abort();
}

/* ---- What a text says ---- */

static uint64_t big_endian(core_slice bytes) {
    uint64_t value = 0;
    for (size_t i = 0; i < bytes.length; i++)
        value = value << 8 | bytes.data[i];
    return value;
}

static int64_t sign_extended(core_slice bytes) {
    unsigned above = (unsigned)(64 - 8 * bytes.length);
    return (int64_t)(big_endian(bytes) << above) >> above;
}

static void bool_check(core_slice value, const char *text) {
    check(value.length == 1 && strcmp(text, value.data[0] != 0 ? "t" : "f") == 0);
}

static void integer_check(core_slice value, const char *text) {
    char *end = NULL;
    check(strtoll(text, &end, 10) == sign_extended(value) && *end == '\0');
}

static void oid_check(core_slice value, const char *text) {
    char *end = NULL;
    check(value.length == 4 && strtoull(text, &end, 10) == big_endian(value) && *end == '\0');
}

/* The digit of 10^exponent; `before`: how many stand before the point. */
static unsigned digit_of(const char *text, size_t before, int exponent) {
    int at = exponent >= 0 ? (int)before - 1 - exponent : (int)before - exponent;
    return at < 0 ? 0 : (unsigned)(text[at] - '0');
}

/* Each sent digit of base 10,000 stands in its place, as far as the scale goes. */
static void digits_check(core_slice value, const char *text, size_t before, int scale) {
    int exponent = 4 * (int16_t)big_endian(core_slice_make(value.data + 2, 2)) + 3;
    for (size_t at = NUMERIC_HEAD; at < value.length; at += 2) {
        unsigned group = (unsigned)big_endian(core_slice_make(value.data + at, 2));
        check(group < 10000);
        for (unsigned unit = 1000; unit > 0; unit /= 10, exponent--)
            check(-exponent > scale || digit_of(text, before, exponent) == group / unit % 10);
    }
}

/* Digits, and as many behind the point as the value says. */
static void numeric_check(core_slice value, const char *text) {
    static const char digits[] = "0123456789";
    unsigned sign = (unsigned)big_endian(core_slice_make(value.data + 4, 2));
    size_t scale = (size_t)big_endian(core_slice_make(value.data + 6, 2));
    check(scale < 16384);
    if (sign > SIGN_NEGATIVE) {
        check(strcmp(text, "NaN") == 0 || strcmp(text, "Infinity") == 0 ||
              strcmp(text, "-Infinity") == 0);
        return;
    }
    check((text[0] == '-') == (sign == SIGN_NEGATIVE));
    text += text[0] == '-';
    size_t before = strspn(text, digits);
    check(before > 0 && strlen(text) == before + (scale > 0 ? 1 + scale : 0));
    check(scale == 0 || (text[before] == '.' && strspn(text + before + 1, digits) == scale));
    digits_check(value, text, before, (int)scale);
}

static bool is_leap(int64_t year) {
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* Days from 2000-01-01; year 0 is 1 BC. */
static int64_t days_of(int64_t year, unsigned month, unsigned day) {
    static const unsigned before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365};
    check(month >= 1 && month <= 12);
    unsigned length = before[month] - before[month - 1] + (month == 2 && is_leap(year) ? 1 : 0);
    check(day >= 1 && day <= length);
    int64_t era = year >= 0 ? year / 400 : (year - 399) / 400;
    int64_t days = era * 146097 - 730485;
    for (int64_t past = era * 400; past < year; past++)
        days += is_leap(past) ? 366 : 365;
    return days + before[month - 1] + (month > 2 && is_leap(year) ? 1 : 0) + day - 1;
}

static int64_t day_read(const char **text, bool is_before_christ) {
    long long year = 0;
    unsigned month = 0;
    unsigned day = 0;
    int length = 0;
    check(sscanf(*text, "%lld-%2u-%2u%n", &year, &month, &day, &length) == 3 && year > 0);
    check(strcspn(*text, "-") >= 4);
    *text += length;
    return days_of(is_before_christ ? 1 - year : year, month, day);
}

/* Of a time of day with a fraction that does not end with 0. */
static int64_t time_read(const char **text) {
    unsigned hours = 0;
    unsigned minutes = 0;
    unsigned seconds = 0;
    int length = 0;
    check(sscanf(*text, " %2u:%2u:%2u%n", &hours, &minutes, &seconds, &length) == 3);
    check(length == (int)strlen(" 00:00:00") && hours < 24 && minutes < 60 && seconds < 60);
    *text += length;
    int64_t time_us = ((hours * 60 + minutes) * 60 + seconds) * MICROSECONDS;
    if (**text != '.')
        return time_us;
    int64_t unit_us = MICROSECONDS;
    for (++*text; **text >= '0' && **text <= '9'; ++*text)
        time_us += (**text - '0') * (unit_us /= 10);
    check(unit_us >= 1 && (*text)[-1] != '0' && (*text)[-1] != '.');
    return time_us;
}

static bool ends_before_christ(const char *text) {
    size_t length = strlen(text);
    return length > 3 && strcmp(text + length - 3, " BC") == 0;
}

static void date_check(core_slice value, const char *text) {
    int64_t days = sign_extended(value);
    bool is_bc = ends_before_christ(text);
    if (days == INT32_MAX || days == INT32_MIN)
        check(strcmp(text, days > 0 ? "infinity" : "-infinity") == 0);
    else
        check(day_read(&text, is_bc) == days && strcmp(text, is_bc ? " BC" : "") == 0);
}

static void moment_check(core_slice value, const char *text, const char *zone) {
    int64_t time_us = sign_extended(value);
    bool is_bc = ends_before_christ(text);
    if (time_us == INT64_MAX || time_us == INT64_MIN) {
        check(strcmp(text, time_us > 0 ? "infinity" : "-infinity") == 0);
        return;
    }
    __int128 read_us = (__int128)day_read(&text, is_bc) * SECONDS_A_DAY * MICROSECONDS;
    read_us += time_read(&text);
    check(read_us == time_us && strncmp(text, zone, strlen(zone)) == 0);
    check(strcmp(text + strlen(zone), is_bc ? " BC" : "") == 0);
}

static void timestamp_check(core_slice value, const char *text) {
    moment_check(value, text, "");
}

static void timestamptz_check(core_slice value, const char *text) {
    moment_check(value, text, "+00");
}

static void hex_check(core_slice value, const char *text) {
    for (size_t i = 0; i < value.length; i++) {
        char byte[3];
        text += *text == '-';
        (void)snprintf(byte, sizeof byte, "%02x", value.data[i]);
        check(strncmp(text, byte, 2) == 0);
        text += 2;
    }
    check(*text == '\0');
}

static void uuid_check(core_slice value, const char *text) {
    check(value.length == 16 && strlen(text) == 36);
    hex_check(value, text);
}

static void bytea_check(core_slice value, const char *text) {
    check(strncmp(text, "\\x", 2) == 0);
    hex_check(value, text + 2);
}

/* ---- The types ---- */

static const struct {
    const char *functions;
    void (*check)(core_slice value, const char *text); /* NULL: the bytes stay where they are */
    size_t behind;                                     /* which begin behind so many */
} types[] = {
    {"boolout boolsend", bool_check, 0},
    {"int2out int2send", integer_check, 0},
    {"int4out int4send", integer_check, 0},
    {"int8out int8send", integer_check, 0},
    {"oidout oidsend", oid_check, 0},
    {"numeric_out numeric_send", numeric_check, 0},
    {"date_out date_send", date_check, 0},
    {"timestamp_out timestamp_send", timestamp_check, 0},
    {"timestamptz_out timestamptz_send", timestamptz_check, 0},
    {"uuid_out uuid_send", uuid_check, 0},
    {"byteaout byteasend", bytea_check, 0},
    {"textout textsend", NULL, 0},
    {"jsonb_out jsonb_send", NULL, 1},
};

static void text_check(size_t type, core_slice value, core_slice text, const core_buffer *room) {
    if (types[type].check == NULL) {
        check(text.length == 0 || text.data == value.data + types[type].behind);
        check(text.length == value.length - types[type].behind);
        return;
    }
    check(text.data >= room->data && text.data + text.length <= room->data + room->length);
    char *terminated = calloc(text.length + 1, 1);
    check(terminated != NULL);
    memcpy(terminated, text.data, text.length);
    check(strlen(terminated) == text.length);
    types[type].check(value, terminated);
    free(terminated);
}

/* ---- A row ---- */

/* The value twice, so that the second text's place depends on the first one's length. */
static bool row_make(size_t type, core_slice value, core_value values[2], core_buffer *room,
                     core_error *error) {
    const cdc_binary_text *text = cdc_binary_text_of(core_slice_text(types[type].functions));
    check(text != NULL);
    values[0] = values[1] = (core_value){.kind = CORE_VALUE_BINARY, .bytes = value};
    return cdc_binary_text_row((const cdc_binary_text *[]){text, text}, values, 2, room, error);
}

/* What a room of no size would have to hold: the refusal says it. */
static size_t row_measure(size_t type, core_slice value) {
    uint8_t byte;
    size_t size = 0;
    core_value values[2];
    core_error error = {0};
    core_buffer room = core_buffer_over(&byte, sizeof byte);
    if (row_make(type, value, values, &room, &error) || error.code == CORE_ERROR_INPUT)
        return sizeof byte;
    check(error.code == CORE_ERROR_LIMIT);
    check(sscanf(error.text, "a row's text takes up to %zu bytes", &size) == 1);
    return size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0)
        return 0;
    size_t type = data[0] % CORE_COUNT_OF(types);
    core_slice value = core_slice_make(data + 1, size - 1);
    core_value values[2];
    core_error error = {0};
    size_t measured = row_measure(type, value);
    uint8_t *memory = malloc(measured); /* of exactly this size */
    check(memory != NULL);
    core_buffer room = core_buffer_over(memory, measured);
    if (!row_make(type, value, values, &room, &error))
        check(error.code == CORE_ERROR_INPUT);
    else
        for (size_t i = 0; i < 2; i++) {
            check(values[i].kind == CORE_VALUE_TEXT);
            text_check(type, value, values[i].bytes, &room);
        }
    free(memory);
    return 0;
}
