/* Reads cron expressions; see cron.h. A field is split at commas; an item is read by one of three
 * readers: what both day fields may have besides, then value, range and step. */
#include "triggers/cron.h"

#include <strings.h>

enum {
    FIELDS_MIN = 5,
    FIELDS_MAX = 6,
    NAME_LENGTH = 3,
    NUMBER_MAX = 99,
    WEEKS = 5,
};

typedef enum { SECOND, MINUTE, HOUR, DAY, MONTH, WEEKDAY } cron_field;

static const char month_names[] = "janfebmaraprmayjunjulaugsepoctnovdec";
static const char weekday_names[] = "sunmontuewedthufrisat";

/* In the order of six fields. */
static const struct {
    const char *name;
    unsigned min, max;
    const char *names; /* three letters each; NULL: none */
    unsigned first_name;
    const char *expected;
} field_rows[] = {
    [SECOND] = {"second", 0, 59, NULL, 0, "0 to 59"},
    [MINUTE] = {"minute", 0, 59, NULL, 0, "0 to 59"},
    [HOUR] = {"hour", 0, 23, NULL, 0, "0 to 23"},
    [DAY] = {"day of month", 1, 31, NULL, 0, "1 to 31, L, L-3, LW or 15W"},
    [MONTH] = {"month", 1, 12, month_names, 1, "1 to 12 or jan to dec"},
    [WEEKDAY] = {"day of week", 0, 7, weekday_names, 0,
                 "0 to 7 (0 and 7: Sunday), sun to sat, 5L or 5#2"},
};

static const struct {
    const char *name;
    const char *text;
} macro_rows[] = {
    {"@yearly", "0 0 1 1 *"}, {"@annually", "0 0 1 1 *"}, {"@monthly", "0 0 1 * *"},
    {"@weekly", "0 0 * * 0"}, {"@daily", "0 0 * * *"},    {"@midnight", "0 0 * * *"},
    {"@hourly", "0 * * * *"},
};

/* ---- Values ---- */

static bool letter_is(uint8_t byte, char letter) {
    return (byte | 0x20) == (uint8_t)letter;
}

/* A number or a name at the item's beginning, which moves behind it. */
static bool value_read(core_slice *item, cron_field field, unsigned *value) {
    size_t length = 0;
    unsigned number = 0;
    for (; length < item->length && item->data[length] >= '0' && item->data[length] <= '9';
         length++)
        number = number > NUMBER_MAX ? number : number * 10 + (item->data[length] - '0');
    const char *names = field_rows[field].names;
    if (length == 0 && names != NULL && item->length >= NAME_LENGTH) {
        for (size_t i = 0; names[i] != '\0' && length == 0; i += NAME_LENGTH)
            if (strncasecmp(names + i, (const char *)item->data, NAME_LENGTH) == 0) {
                number = (unsigned)(i / NAME_LENGTH) + field_rows[field].first_name;
                length = NAME_LENGTH;
            }
    }
    *item = core_slice_make(item->data + length, item->length - length);
    *value = number;
    return length > 0 && number >= field_rows[field].min && number <= field_rows[field].max;
}

static bool sign_read(core_slice *item, char sign) {
    if (item->length == 0 || item->data[0] != (uint8_t)sign)
        return false;
    *item = core_slice_make(item->data + 1, item->length - 1);
    return true;
}

/* ---- An item ---- */

/* `*`, `4`, `1-5`, each with or without a step; into a set of the field's values. */
static bool range_read(core_slice item, cron_field field, uint64_t *set) {
    unsigned first = field_rows[field].min, last = field_rows[field].max, step = 1;
    bool day = field == DAY || field == WEEKDAY;
    bool star = sign_read(&item, '*') || (day && sign_read(&item, '?'));
    last -= field == WEEKDAY; /* 7 is 0 again */
    if (!star) {
        if (!value_read(&item, field, &first))
            return false;
        bool range = sign_read(&item, '-');
        if (range && !value_read(&item, field, &last))
            return false;
        if (range && field == WEEKDAY && last == 0 && first > 0)
            last = 7; /* fri-sun */
        if (!range && (item.length == 0 || item.data[0] != '/'))
            last = first;
    }
    if (sign_read(&item, '/')) {
        uint64_t number;
        if (!core_slice_to_u64(item, &number) || number == 0 || number > NUMBER_MAX)
            return false;
        step = (unsigned)number;
    } else if (item.length > 0) {
        return false;
    }
    for (unsigned value = first; value <= last; value += step)
        *set |= UINT64_C(1) << (field == WEEKDAY ? value % 7 : value);
    return first <= last;
}

/* `L`, `L-3`, `LW`, `15W`; false: it is none of these. */
static bool day_read(core_slice item, triggers_cron *cron) {
    unsigned value;
    if (item.length > 0 && letter_is(item.data[0], 'l')) {
        item = core_slice_make(item.data + 1, item.length - 1);
        if (item.length == 1 && letter_is(item.data[0], 'w')) {
            cron->last_weekday = true;
            return true;
        }
        unsigned before = 0;
        if (item.length > 0 && (!sign_read(&item, '-') || !value_read(&item, DAY, &before)))
            return false;
        cron->days_before_last |= UINT32_C(1) << before;
        return item.length == 0 && before < 31;
    }
    if (!value_read(&item, DAY, &value) || item.length != 1 || !letter_is(item.data[0], 'w'))
        return false;
    cron->nearest_weekdays |= UINT32_C(1) << value;
    return true;
}

/* `5L`, `friL`, `5#2`; false: it is none of these. */
static bool weekday_read(core_slice item, triggers_cron *cron) {
    unsigned value;
    if (!value_read(&item, WEEKDAY, &value) || item.length == 0)
        return false;
    if (item.length == 1 && letter_is(item.data[0], 'l')) {
        cron->last_weekdays |= (uint8_t)(1u << value % 7);
        return true;
    }
    if (item.length != 2 || !sign_read(&item, '#') || item.data[0] < '1' ||
        item.data[0] > '0' + WEEKS)
        return false;
    cron->nth_weekdays[item.data[0] - '1'] |= (uint8_t)(1u << value % 7);
    return true;
}

/* ---- A field ---- */

static bool item_read(core_slice item, cron_field field, triggers_cron *cron, uint64_t *set) {
    uint64_t values = 0;
    if (range_read(item, field, &values)) {
        *set |= values;
        return true;
    }
    return (field == DAY && day_read(item, cron)) || (field == WEEKDAY && weekday_read(item, cron));
}

static bool field_read(core_slice text, cron_field field, triggers_cron *cron, uint64_t *set,
                       core_error *error) {
    for (core_slice rest = text;;) {
        const uint8_t *comma = memchr(rest.data, ',', rest.length);
        size_t length = comma != NULL ? (size_t)(comma - rest.data) : rest.length;
        if (!item_read(core_slice_make(rest.data, length), field, cron, set))
            return core_error_set(error, CORE_ERROR_INPUT,
                                  "cron expression: \"%.*s\" is no %s; expected %s, ranges such as "
                                  "1-5, steps such as */10, lists with commas",
                                  (int)length, (const char *)rest.data, field_rows[field].name,
                                  field_rows[field].expected);
        if (comma == NULL)
            return true;
        rest = core_slice_make(comma + 1, rest.length - length - 1);
    }
}

static bool field_has_star(core_slice text) {
    return text.data[0] == '*' || text.data[0] == '?';
}

static void cron_fill(triggers_cron *cron, const uint64_t sets[], const core_slice *fields) {
    cron->seconds = sets[SECOND];
    cron->minutes = sets[MINUTE];
    cron->hours = (uint32_t)sets[HOUR];
    cron->days = (uint32_t)sets[DAY];
    cron->months = (uint32_t)sets[MONTH];
    cron->weekdays = (uint8_t)sets[WEEKDAY];
    cron->every_hour = field_has_star(fields[HOUR]);
    cron->either_day = !field_has_star(fields[DAY]) && !field_has_star(fields[WEEKDAY]);
}

/* ---- The expression ---- */

/* Splits at blanks. SIZE_MAX: more than there may be. */
static size_t fields_split(core_slice text, core_slice fields[FIELDS_MAX]) {
    size_t count = 0;
    for (size_t at = 0; at < text.length;) {
        size_t length = 0;
        while (at + length < text.length && text.data[at + length] != ' ' &&
               text.data[at + length] != '\t')
            length++;
        if (length > 0 && count == FIELDS_MAX)
            return SIZE_MAX;
        if (length > 0)
            fields[count++] = core_slice_make(text.data + at, length);
        at += length + 1;
    }
    return count;
}

static core_slice macro_open(core_slice text) {
    for (size_t i = 0; i < CORE_COUNT_OF(macro_rows); i++)
        if (strlen(macro_rows[i].name) == text.length &&
            strncasecmp(macro_rows[i].name, (const char *)text.data, text.length) == 0)
            return core_slice_text(macro_rows[i].text);
    return text;
}

bool triggers_cron_read(core_slice text, triggers_cron *cron, core_error *error) {
    core_slice fields[FIELDS_MAX + 1] = {{0}};
    uint64_t sets[FIELDS_MAX] = {0};
    *cron = (triggers_cron){.seconds = 0};
    if (text.length > TRIGGERS_CRON_TEXT_MAX)
        return core_error_set(error, CORE_ERROR_INPUT,
                              "cron expression of %zu bytes; at most %d are taken", text.length,
                              TRIGGERS_CRON_TEXT_MAX);
    size_t count = fields_split(macro_open(text), fields + 1);
    if (count < FIELDS_MIN || count > FIELDS_MAX)
        return core_error_set(error, CORE_ERROR_INPUT,
                              "cron expression \"%.*s\": expected five fields (minute, hour, day "
                              "of month, month, day "
                              "of week), six with seconds before them, or @hourly, @daily, "
                              "@weekly, @monthly, @yearly",
                              CORE_SLICE_ARGS(text));
    const core_slice *first = count == FIELDS_MAX ? fields + 1 : fields;
    sets[SECOND] = count == FIELDS_MIN; /* second 0, where none is written */
    for (unsigned i = 0; i < FIELDS_MAX; i++)
        if (first[i].length > 0 && !field_read(first[i], (cron_field)i, cron, &sets[i], error))
            return false;
    cron_fill(cron, sets, first);
    if (triggers_cron_next(cron, 0) == TRIGGERS_CRON_NEVER)
        return core_error_set(error, CORE_ERROR_INPUT,
                              "cron expression \"%.*s\" names no day that ever comes",
                              CORE_SLICE_ARGS(text));
    return true;
}
