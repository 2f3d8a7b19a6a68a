/* See stored.h. Members that are not needed are skipped; what is needed must be there and whole. */
#include "fanout/stored.h"

enum { YEAR_MAX = 9999 };

/* Exactly `digits` of them. */
static uint64_t digits_read(core_cursor *cursor, size_t digits) {
    uint64_t value = 0;
    core_slice text = core_cursor_bytes(cursor, digits);
    if (core_cursor_ok(cursor) && !core_slice_to_u64(text, &value))
        core_cursor_fail(cursor);
    return value;
}

static void byte_expect(core_cursor *cursor, uint8_t expected) {
    if (core_cursor_u8(cursor) != expected)
        core_cursor_fail(cursor);
}

/* ".123456789Z", the fraction of any length or none; further digits than microseconds are cut. */
static int64_t fraction_read(core_cursor *cursor) {
    int64_t micros = 0, unit = 100000;
    uint8_t byte = core_cursor_u8(cursor);
    if (byte == '.')
        for (byte = core_cursor_u8(cursor); byte >= '0' && byte <= '9';
             byte = core_cursor_u8(cursor), unit /= 10)
            micros += unit * (byte - '0');
    if (byte != 'Z')
        core_cursor_fail(cursor);
    return micros;
}

/* Days since 1970-01-01 of the proleptic Gregorian calendar, years from March on. */
static int64_t days_of(int64_t year, int64_t month, int64_t day) {
    year -= month <= 2;
    int64_t era = year / 400, of_era = year - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

/* RFC 3339 in UTC, as Go writes it. */
static bool time_read(core_slice text, int64_t *time_us) {
    core_cursor cursor = core_cursor_make(text);
    int64_t year = (int64_t)digits_read(&cursor, 4);
    byte_expect(&cursor, '-');
    int64_t month = (int64_t)digits_read(&cursor, 2);
    byte_expect(&cursor, '-');
    int64_t day = (int64_t)digits_read(&cursor, 2);
    byte_expect(&cursor, 'T');
    int64_t hour = (int64_t)digits_read(&cursor, 2);
    byte_expect(&cursor, ':');
    int64_t minute = (int64_t)digits_read(&cursor, 2);
    byte_expect(&cursor, ':');
    int64_t second = (int64_t)digits_read(&cursor, 2);
    int64_t micros = fraction_read(&cursor);
    if (!core_cursor_done(&cursor) || year < 1 || year > YEAR_MAX || month < 1 || month > 12 ||
        day < 1 || day > 31 || hour > 23 || minute > 59 || second > 60)
        return false;
    int64_t seconds = days_of(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
    *time_us = seconds * CORE_MS_PER_S * CORE_US_PER_MS + micros;
    return true;
}

static bool message_read(core_json_reader *reader, fanout_stored *stored) {
    core_json_token member;
    core_slice whole;
    bool has_sequence = false, has_time = false, ok = true;
    while (ok && core_json_member_next(reader, &member)) {
        if (core_json_raw_is(member.key, "seq"))
            ok = has_sequence =
                member.kind == CORE_JSON_NUMBER && core_slice_to_u64(member.raw, &stored->sequence);
        else if (core_json_raw_is(member.key, "time"))
            ok = has_time =
                member.kind == CORE_JSON_STRING && time_read(member.raw, &stored->stored_us);
        else if (core_json_raw_is(member.key, "data") && member.kind == CORE_JSON_STRING)
            stored->data = member.raw;
        else if (core_json_raw_is(member.key, "hdrs") && member.kind == CORE_JSON_STRING)
            stored->headers = member.raw;
        else if (core_json_raw_is(member.key, "subject") && member.kind == CORE_JSON_STRING)
            stored->subject = member.raw;
        else
            ok = core_json_skip(reader, member, &whole);
    }
    return ok && has_sequence && has_time;
}

static bool error_read(core_json_reader *reader, fanout_stored *stored) {
    core_json_token member;
    core_slice whole;
    bool ok = true;
    while (ok && core_json_member_next(reader, &member)) {
        if (core_json_raw_is(member.key, "err_code"))
            ok = member.kind == CORE_JSON_NUMBER &&
                 core_slice_to_u64(member.raw, &stored->error_code);
        else
            ok = core_json_skip(reader, member, &whole);
    }
    return ok && stored->error_code != 0;
}

bool fanout_stored_read(core_slice reply, fanout_stored *stored) {
    core_json_reader reader = core_json_reader_make(reply);
    core_json_token member;
    core_slice whole;
    bool has = false, ok = core_json_next(&reader).kind == CORE_JSON_OBJECT_OPEN;
    *stored = (fanout_stored){0};
    while (ok && core_json_member_next(&reader, &member)) {
        bool is_object = member.kind == CORE_JSON_OBJECT_OPEN;
        if (is_object && !has && core_json_raw_is(member.key, "message"))
            ok = has = message_read(&reader, stored);
        else if (is_object && !has && core_json_raw_is(member.key, "error"))
            ok = has = error_read(&reader, stored);
        else
            ok = core_json_skip(&reader, member, &whole);
    }
    return ok && has && core_json_next(&reader).kind == CORE_JSON_END;
}
