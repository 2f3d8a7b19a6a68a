/* See retry_after.h. Strict where a date could mean another one, lenient nowhere: what is not
 * understood is no Retry-After. */
#include "net/retry_after.h"

enum { DIGITS_MAX = 10, CENTURY = 100, WINDOW_YEARS = 50 };

static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

typedef struct {
    int64_t year;
    int64_t month; /* 1 to 12 */
    int64_t day, hour, minute, second;
} http_date;

/* `form`: a digit's place 'd', 'D' a digit or a blank, 'm' the month (three letters), 'w' a
 * letter, all else itself. Digits go to `numbers` in groups. */
static bool form_match(core_slice text, const char *form, int64_t numbers[6], int64_t *month) {
    size_t group = 0, at = 0;
    bool in_group = false;
    for (; *form != '\0' && at < text.length; form++, at++) {
        uint8_t byte = text.data[at];
        bool is_digit = byte >= '0' && byte <= '9';
        if (*form == 'd' || *form == 'D') {
            if (!is_digit && !(*form == 'D' && byte == ' '))
                return false;
            if (!in_group)
                numbers[group++] = 0;
            in_group = true;
            numbers[group - 1] = numbers[group - 1] * 10 + (is_digit ? byte - '0' : 0);
            continue;
        }
        in_group = false;
        if (*form == 'm') {
            const uint8_t *found =
                text.length - at >= 3 ? memmem(months, sizeof months - 1, text.data + at, 3) : NULL;
            size_t offset = found != NULL ? (size_t)(found - (const uint8_t *)months) : 1;
            if (offset % 3 != 0)
                return false;
            *month = (int64_t)offset / 3 + 1;
            at += 2;
        } else if (*form == 'w' ? (byte | 0x20) < 'a' || (byte | 0x20) > 'z'
                                : byte != (uint8_t)*form)
            return false;
    }
    return *form == '\0' && at == text.length;
}

/* Two digits: the year of that ending that is nearest to now (RFC 9110 5.6.7: not more than 50
 * years ahead). */
static int64_t year_widen(int64_t two_digits, int64_t year_now) {
    int64_t year = year_now - year_now % CENTURY + two_digits;
    return year > year_now + WINDOW_YEARS ? year - CENTURY : year;
}

/* The weekday's full name stands before the comma. */
static bool rfc850_read(core_slice text, int64_t year_now, http_date *date) {
    int64_t n[6];
    const uint8_t *comma = memchr(text.data, ',', text.length);
    size_t name = comma != NULL ? (size_t)(comma - text.data) : 0;
    if (name < 6 || name > 9)
        return false;
    core_slice rest = core_slice_make(text.data + name, text.length - name);
    if (!form_match(rest, ", dd-m-dd dd:dd:dd GMT", n, &date->month))
        return false;
    *date = (http_date){year_widen(n[1], year_now), date->month, n[0], n[2], n[3], n[4]};
    return true;
}

static bool date_read(core_slice text, int64_t year_now, http_date *date) {
    int64_t n[6];
    *date = (http_date){.month = 0};
    if (form_match(text, "www, dd m dddd dd:dd:dd GMT", n, &date->month))
        *date = (http_date){n[1], date->month, n[0], n[2], n[3], n[4]};
    else if (form_match(text, "www m Dd dd:dd:dd dddd", n, &date->month))
        *date = (http_date){n[4], date->month, n[0], n[1], n[2], n[3]};
    else if (!rfc850_read(text, year_now, date))
        return false;
    return date->day >= 1 && date->day <= 31 && date->hour <= 23 && date->minute <= 59 &&
           date->second <= 60;
}

/* Days since 1970 of a date of the Gregorian calendar; a year that begins in March makes the leap
 * day its last. */
static int64_t days_of(int64_t year, int64_t month, int64_t day) {
    int64_t from_march = (month + 9) % 12;
    int64_t y = year - (month <= 2);
    return y * 365 + y / 4 - y / 100 + y / 400 + (from_march * 153 + 2) / 5 + day - 1 - 719468;
}

static int64_t year_of(int64_t wall_us) {
    return 1970 +
           wall_us / CORE_US_PER_S / 31556952; /* a mean year; its last hours do not matter */
}

int64_t net_retry_after_read(core_slice text, int64_t wall_us, int64_t max_ms) {
    uint64_t seconds;
    http_date date;
    if (text.length > 0 && text.data[0] >= '0' && text.data[0] <= '9') {
        for (size_t i = 0; i < text.length; i++)
            if (text.data[i] < '0' || text.data[i] > '9')
                return -1;
        if (text.length > DIGITS_MAX || !core_slice_to_u64(text, &seconds))
            return max_ms;
        return (int64_t)seconds < max_ms / CORE_MS_PER_S ? (int64_t)seconds * CORE_MS_PER_S
                                                         : max_ms;
    }
    if (text.length == 0 || !date_read(text, year_of(wall_us), &date))
        return -1;
    int64_t at_s = days_of(date.year, date.month, date.day) * 86400 + date.hour * 3600 +
                   date.minute * 60 + date.second;
    int64_t left_ms = at_s * CORE_MS_PER_S - wall_us / CORE_US_PER_MS;
    return left_ms < 0 ? 0 : left_ms < max_ms ? left_ms : max_ms;
}
