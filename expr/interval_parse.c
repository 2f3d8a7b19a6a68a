/* Intervals as texts; see expr_interval_parse in scalar.h.
 *
 * Less than PostgreSQL takes (DecodeInterval, src/backend/utils/adt/datetime.c): only what all its
 * versions read alike, whatever the session's IntervalStyle. So a number has a unit, unless it
 * stands alone (seconds) or before a time of the day (days); a unit is named once; a fraction has
 * six digits at the most, since all of those are whole microseconds, however they are rounded; a
 * first minus that might be for all that follows (IntervalStyle sql_standard) is not taken. */
#include "expr/calendar.h"
#include "expr/scalar.h"
#include "expr/text.h"

#include <math.h>

#define FRACTION_DIGITS  6
#define FRACTION_ONE     1000000
#define ISO_WHOLE_MAX    999        /* beside a fraction: PostgreSQL reads both as one float */
#define SECONDS_MAX      2000000000 /* and what fractions add to them, in four bytes before 15 */
#define ISO_FIELDS       7
#define MONTHS_PER_YEAR  12
#define FIELD_CLOCK_BITS (FIELD_HOUR | FIELD_MINUTE | FIELD_SECOND)

/* Which have been named. */
enum {
    FIELD_SECOND = 1,
    FIELD_MINUTE = 2,
    FIELD_HOUR = 4,
    FIELD_DAY = 8,
    FIELD_WEEK = 16,
    FIELD_MONTH = 32,
    FIELD_YEAR = 64,
    FIELD_DECADE = 128,
    FIELD_CENTURY = 256,
};

typedef struct {
    const char *name;
    unsigned field;
    int64_t months; /* one of the three */
    int64_t days;
    int64_t us;
} unit_row;

static const unit_row units[] = {
    {"microseconds", FIELD_SECOND, 0, 0, 1},
    {"microsecond", FIELD_SECOND, 0, 0, 1},
    {"us", FIELD_SECOND, 0, 0, 1},
    {"milliseconds", FIELD_SECOND, 0, 0, 1000},
    {"millisecond", FIELD_SECOND, 0, 0, 1000},
    {"ms", FIELD_SECOND, 0, 0, 1000},
    {"seconds", FIELD_SECOND, 0, 0, CORE_US_PER_S},
    {"second", FIELD_SECOND, 0, 0, CORE_US_PER_S},
    {"secs", FIELD_SECOND, 0, 0, CORE_US_PER_S},
    {"sec", FIELD_SECOND, 0, 0, CORE_US_PER_S},
    {"s", FIELD_SECOND, 0, 0, CORE_US_PER_S},
    {"minutes", FIELD_MINUTE, 0, 0, EXPR_US_PER_MINUTE},
    {"minute", FIELD_MINUTE, 0, 0, EXPR_US_PER_MINUTE},
    {"mins", FIELD_MINUTE, 0, 0, EXPR_US_PER_MINUTE},
    {"min", FIELD_MINUTE, 0, 0, EXPR_US_PER_MINUTE},
    {"m", FIELD_MINUTE, 0, 0, EXPR_US_PER_MINUTE},
    {"hours", FIELD_HOUR, 0, 0, EXPR_US_PER_HOUR},
    {"hour", FIELD_HOUR, 0, 0, EXPR_US_PER_HOUR},
    {"hrs", FIELD_HOUR, 0, 0, EXPR_US_PER_HOUR},
    {"hr", FIELD_HOUR, 0, 0, EXPR_US_PER_HOUR},
    {"h", FIELD_HOUR, 0, 0, EXPR_US_PER_HOUR},
    {"days", FIELD_DAY, 0, 1, 0},
    {"day", FIELD_DAY, 0, 1, 0},
    {"d", FIELD_DAY, 0, 1, 0},
    {"weeks", FIELD_WEEK, 0, 7, 0},
    {"week", FIELD_WEEK, 0, 7, 0},
    {"w", FIELD_WEEK, 0, 7, 0},
    {"months", FIELD_MONTH, 1, 0, 0},
    {"month", FIELD_MONTH, 1, 0, 0},
    {"mons", FIELD_MONTH, 1, 0, 0},
    {"mon", FIELD_MONTH, 1, 0, 0},
    {"years", FIELD_YEAR, MONTHS_PER_YEAR, 0, 0},
    {"year", FIELD_YEAR, MONTHS_PER_YEAR, 0, 0},
    {"yrs", FIELD_YEAR, MONTHS_PER_YEAR, 0, 0},
    {"yr", FIELD_YEAR, MONTHS_PER_YEAR, 0, 0},
    {"y", FIELD_YEAR, MONTHS_PER_YEAR, 0, 0},
    {"decades", FIELD_DECADE, 10 * MONTHS_PER_YEAR, 0, 0},
    {"decade", FIELD_DECADE, 10 * MONTHS_PER_YEAR, 0, 0},
    {"centuries", FIELD_CENTURY, 100 * MONTHS_PER_YEAR, 0, 0},
    {"century", FIELD_CENTURY, 100 * MONTHS_PER_YEAR, 0, 0},
};

/* A number with its sign: -1.5 is 1 and 500000, negative. */
typedef struct {
    bool is_signed;
    bool is_negative;
    int64_t whole;
    int64_t millionths;
} amount;

/* What has been read. */
typedef struct {
    core_slice rest;
    unsigned fields;
    int64_t months;
    int64_t days;
    int64_t time_us;
    unsigned amounts;
    unsigned signs;       /* of all but the first amount */
    bool begins_negative; /* the first one has a minus */
} reader;

/* ---- Amounts ---- */

/* Digits up to INT32_MAX: a larger one overflows in some versions. */
static bool whole_take(core_slice *text, int64_t *whole) {
    uint64_t value = 0;
    core_slice digits = expr_text_digits(text);
    if (digits.length == 0 || digits.length > 10 || !core_slice_to_u64(digits, &value))
        return false;
    *whole = (int64_t)value;
    return value <= INT32_MAX;
}

/* What is behind a point. */
static bool fraction_take(core_slice *text, int64_t *millionths) {
    *millionths = 0;
    if (!expr_text_take(text, '.'))
        return true;
    core_slice digits = expr_text_digits(text);
    for (size_t i = 0; i < FRACTION_DIGITS; i++)
        *millionths = *millionths * 10 + (i < digits.length ? digits.data[i] - '0' : 0);
    return digits.length > 0 && digits.length <= FRACTION_DIGITS;
}

static bool sign_take(core_slice *text, amount *number) {
    number->is_negative = expr_text_take(text, '-');
    number->is_signed = number->is_negative || expr_text_take(text, '+');
    return expr_text_is_digit(expr_text_peek(*text));
}

static bool fields_name(reader *r, unsigned fields) {
    bool is_free = (r->fields & fields) == 0;
    r->fields |= fields;
    return is_free;
}

static bool days_add(reader *r, const unit_row *unit, const amount *number, int64_t sign) {
    double part = (double)number->millionths / FRACTION_ONE * (double)unit->days;
    int64_t whole = (int64_t)part;
    r->days += sign * (number->whole * unit->days + whole);
    r->time_us += sign * (int64_t)rint((part - (double)whole) * (double)EXPR_US_PER_DAY);
    return true;
}

/* A fraction of a month is of 30 days, one of a year has to be months. */
static bool months_add(reader *r, const unit_row *unit, const amount *number, int64_t sign) {
    static const unit_row day_of_month = {.days = 30};
    amount part = {.millionths = number->millionths};
    r->months += sign * number->whole * unit->months;
    if (part.millionths == 0)
        return true;
    if (unit->months == 1)
        return days_add(r, &day_of_month, &part, sign);
    int64_t months = part.millionths * MONTHS_PER_YEAR;
    r->months += sign * (months / FRACTION_ONE);
    return unit->months == MONTHS_PER_YEAR && months % FRACTION_ONE == 0;
}

static bool amount_add(reader *r, const unit_row *unit, const amount *number) {
    int64_t sign = number->is_negative ? -1 : 1;
    if (!fields_name(r, unit->field))
        return false;
    if (unit->months != 0)
        return months_add(r, unit, number, sign);
    if (unit->days != 0)
        return days_add(r, unit, number, sign);
    if (unit->field == FIELD_SECOND && number->whole > SECONDS_MAX)
        return false;
    int64_t part = number->millionths * unit->us;
    r->time_us += sign * (number->whole * unit->us + part / FRACTION_ONE);
    return part % FRACTION_ONE == 0;
}

static bool is_small(int64_t value) {
    return value <= INT32_MAX && value >= -INT32_MAX;
}

/* False when a part is beyond four bytes, hours too: some versions wrap around there. */
static bool reader_end(const reader *r, bool is_negated, expr_interval *value) {
    if (!is_small(r->months) || !is_small(r->days) || !is_small(r->time_us / EXPR_US_PER_HOUR))
        return false;
    *value = (expr_interval){.months = (int32_t)(is_negated ? -r->months : r->months),
                             .days = (int32_t)(is_negated ? -r->days : r->days),
                             .time_us = is_negated ? -r->time_us : r->time_us};
    return true;
}

/* ---- Words and times ---- */

static void blanks_skip(core_slice *text) {
    while (text->length > 0 && expr_text_is_blank(text->data[0]))
        *text = expr_text_after(*text, 1);
}

static core_slice word_take(core_slice *text) {
    size_t length = 0;
    while (length < text->length) {
        int folded = text->data[length] | 0x20;
        if (folded < 'a' || folded > 'z')
            break;
        length++;
    }
    core_slice word = core_slice_make(text->data, length);
    *text = expr_text_after(*text, length);
    return word;
}

static const unit_row *unit_find(core_slice word) {
    for (size_t i = 0; i < CORE_COUNT_OF(units); i++)
        if (expr_text_is_word(word, units[i].name))
            return &units[i];
    return NULL;
}

/* Two digits up to 59. */
static bool sixtieth_take(core_slice *text, int64_t *value) {
    size_t length = text->length;
    return whole_take(text, value) && length - text->length == 2 && *value <= 59;
}

/* :MM or :MM:SS.ffffff behind the hours. */
static bool clock_add(reader *r, const amount *number) {
    int64_t minutes = 0;
    int64_t seconds = 0;
    int64_t us = 0;
    int64_t sign = number->is_negative ? -1 : 1;
    if (!fields_name(r, FIELD_CLOCK_BITS) || !expr_text_take(&r->rest, ':') ||
        !sixtieth_take(&r->rest, &minutes))
        return false;
    if (expr_text_take(&r->rest, ':') &&
        (!sixtieth_take(&r->rest, &seconds) || !fraction_take(&r->rest, &us)))
        return false;
    r->time_us += sign * (((number->whole * 60 + minutes) * 60 + seconds) * CORE_US_PER_S + us);
    return r->rest.length == 0 || expr_text_is_blank(r->rest.data[0]);
}

/* -MM behind the years. */
static bool months_behind_add(reader *r, const amount *number) {
    int64_t months = 0;
    int64_t sign = number->is_negative ? -1 : 1;
    if (!fields_name(r, FIELD_YEAR | FIELD_MONTH) || !expr_text_take(&r->rest, '-') ||
        !whole_take(&r->rest, &months) || months >= MONTHS_PER_YEAR)
        return false;
    r->months += sign * (number->whole * MONTHS_PER_YEAR + months);
    return r->rest.length == 0 || expr_text_is_blank(r->rest.data[0]);
}

/* A number without a unit: days before a time, seconds where it is all there is. */
static bool bare_add(reader *r, const amount *number) {
    static const unit_row seconds = {.field = FIELD_SECOND, .us = CORE_US_PER_S};
    static const unit_row days = {.field = FIELD_DAY, .days = 1};
    if (r->rest.length == 0)
        return r->amounts == 1 && amount_add(r, &seconds, number);
    core_slice ahead = r->rest;
    amount next;
    if (number->millionths != 0 || !sign_take(&ahead, &next))
        return false;
    (void)expr_text_digits(&ahead);
    return expr_text_peek(ahead) == ':' && amount_add(r, &days, number);
}

static bool item_take(reader *r) {
    amount number = {.whole = 0};
    if (!sign_take(&r->rest, &number) || !whole_take(&r->rest, &number.whole))
        return false;
    if (r->amounts++ == 0)
        r->begins_negative = number.is_negative;
    else
        r->signs += number.is_signed ? 1 : 0;
    if (expr_text_peek(r->rest) == ':')
        return clock_add(r, &number);
    if (expr_text_peek(r->rest) == '-')
        return months_behind_add(r, &number);
    if (!fraction_take(&r->rest, &number.millionths))
        return false;
    blanks_skip(&r->rest);
    core_slice word = word_take(&r->rest);
    if (word.length == 0)
        return bare_add(r, &number);
    const unit_row *unit = unit_find(word);
    return unit != NULL && amount_add(r, unit, &number);
}

/* "ago" at the end, which is cut off. */
static bool ago_take(core_slice *text) {
    if (text->length < 4 || !expr_text_is_blank(text->data[text->length - 4]) ||
        !expr_text_is_word(expr_text_after(*text, text->length - 3), "ago"))
        return false;
    text->length -= 4;
    return true;
}

static bool words_parse(core_slice text, expr_interval *value) {
    reader r = {.rest = text};
    (void)expr_text_take(&r.rest, '@');
    bool is_ago = ago_take(&r.rest);
    r.rest = expr_text_trim(r.rest);
    while (r.rest.length > 0) {
        if (!item_take(&r))
            return false;
        blanks_skip(&r.rest);
    }
    bool is_ambiguous = r.begins_negative && r.amounts > 1 && r.signs == 0;
    return r.amounts > 0 && !is_ambiguous && reader_end(&r, is_ago, value);
}

/* ---- ISO 8601: PnYnMnWnDTnHnMnS ---- */

static const struct {
    char designator;
    bool is_time;
    bool takes_fraction;
    unit_row unit;
} iso_units[ISO_FIELDS] = {
    {'Y', false, false, {"", FIELD_YEAR, MONTHS_PER_YEAR, 0, 0}},
    {'M', false, false, {"", FIELD_MONTH, 1, 0, 0}},
    {'W', false, false, {"", FIELD_WEEK, 0, 7, 0}},
    {'D', false, true, {"", FIELD_DAY, 0, 1, 0}},
    {'H', true, true, {"", FIELD_HOUR, 0, 0, EXPR_US_PER_HOUR}},
    {'M', true, true, {"", FIELD_MINUTE, 0, 0, EXPR_US_PER_MINUTE}},
    {'S', true, true, {"", FIELD_SECOND, 0, 0, CORE_US_PER_S}},
};

/* Behind the numbers before it: `next` is the first that may come. */
static bool iso_item_take(reader *r, bool is_time, size_t *next) {
    amount number = {.whole = 0};
    if (!sign_take(&r->rest, &number) || !whole_take(&r->rest, &number.whole) ||
        !fraction_take(&r->rest, &number.millionths))
        return false;
    for (size_t i = *next; i < ISO_FIELDS; i++) {
        if (iso_units[i].is_time != is_time || !expr_text_take(&r->rest, iso_units[i].designator))
            continue;
        *next = i + 1;
        bool serves = number.millionths == 0 ||
                      (iso_units[i].takes_fraction && number.whole <= ISO_WHOLE_MAX);
        return serves && amount_add(r, &iso_units[i].unit, &number);
    }
    return false;
}

static bool iso_parse(core_slice text, expr_interval *value) {
    reader r = {.rest = text};
    bool is_time = false;
    size_t next = 0;
    while (r.rest.length > 0) {
        if (!is_time && expr_text_take(&r.rest, 'T'))
            is_time = true;
        if (!iso_item_take(&r, is_time, &next))
            return false;
    }
    return next > 0 && reader_end(&r, false, value);
}

bool expr_interval_parse(core_slice text, expr_interval *value) {
    text = expr_text_trim(text);
    if (expr_text_take(&text, 'P'))
        return iso_parse(text, value);
    return words_parse(text, value);
}
