/* One value between its text and its type: 7d is 604800000 ms; see config_private.h.
 *
 * Texts come from outside: every one is refused with what was expected, never guessed at. Numbers
 * are whole, within the row's bounds, and checked for overflow before they are scaled. */
#include "core/config_private.h"

#include <stdlib.h>
#include <strings.h>

#define CONFIG_LIST_MAX 1024

typedef struct {
    const char *name;
    int64_t scale;
} config_unit;

/* Largest first: the first that divides a number prints it. */
static const config_unit config_byte_units[] = {
    {"TiB", INT64_C(1) << 40},
    {"GiB", INT64_C(1) << 30},
    {"MiB", INT64_C(1) << 20},
    {"KiB", INT64_C(1) << 10},
    {"TB", 1000000000000},
    {"GB", 1000000000},
    {"MB", 1000000},
    {"KB", 1000},
    {"B", 1},
};
static const config_unit config_time_units[] = {
    {"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1},
};

static const config_unit *config_units(core_config_type type, size_t *count) {
    *count = type == CORE_CONFIG_BYTES ? CORE_COUNT_OF(config_byte_units)
                                       : CORE_COUNT_OF(config_time_units);
    return type == CORE_CONFIG_BYTES ? config_byte_units : config_time_units;
}

const char *core_config_type_expected(core_config_type type) {
    static const char *const expected[] = {
        [CORE_CONFIG_TEXT] = "a text",
        [CORE_CONFIG_LIST] = "a list such as [a, b]",
        [CORE_CONFIG_BOOL] = "true or false",
        [CORE_CONFIG_INTEGER] = "a whole number",
        [CORE_CONFIG_BYTES] = "a size such as 64KiB, 16MiB or 10GB",
        [CORE_CONFIG_DURATION] = "a duration such as 7d, 12h or 500ms",
        [CORE_CONFIG_CHOICE] = "one word",
    };
    return expected[type];
}

void core_config_number_append(core_buffer *out, core_config_type type, int64_t number) {
    size_t count;
    const config_unit *units = config_units(type, &count);
    if (type == CORE_CONFIG_BOOL) {
        core_buffer_text(out, number != 0 ? "true" : "false");
        return;
    }
    if (type == CORE_CONFIG_INTEGER || number == 0) {
        core_buffer_format(out, "%lld", (long long)number);
        return;
    }
    size_t at = 0;
    while (number % units[at].scale != 0)
        at++;
    core_buffer_format(out, "%lld%s", (long long)(number / units[at].scale), units[at].name);
}

static bool config_expected_range(const core_config_row *row, core_error *error) {
    core_buffer low, high;
    core_buffer_init(&low, 64);
    core_buffer_init(&high, 64);
    core_config_number_append(&low, row->type, row->min);
    core_config_number_append(&high, row->type, row->max);
    (void)core_error_set(error, CORE_ERROR_CONFIG, "expected %.*s to %.*s",
                         CORE_SLICE_ARGS(core_buffer_slice(&low)),
                         CORE_SLICE_ARGS(core_buffer_slice(&high)));
    core_buffer_fini(&low);
    core_buffer_fini(&high);
    return false;
}

static bool config_expected_type(const core_config_row *row, core_error *error) {
    return core_error_set(error, CORE_ERROR_CONFIG, "expected %s",
                          core_config_type_expected(row->type));
}

/* The scale of what stands behind the digits; 0 when it is no unit of the type. A size may stand
 * without one; a duration may not, unless it is 0, since seconds and milliseconds are both usual.
 */
static int64_t config_unit_scale(core_config_type type, const char *unit, bool zero) {
    if (*unit == '\0')
        return type != CORE_CONFIG_DURATION || zero ? 1 : 0;
    size_t count;
    const config_unit *units = config_units(type, &count);
    for (size_t i = 0; type != CORE_CONFIG_INTEGER && i < count; i++)
        if (strcasecmp(unit, units[i].name) == 0)
            return units[i].scale;
    return 0;
}

static bool config_number_parse(const core_config_row *row, const char *text, int64_t *number,
                                core_error *error) {
    size_t digits = strspn(text, "-0123456789");
    int64_t value;
    if (!core_slice_to_i64(core_slice_make(text, digits), &value))
        return digits > 18 && text[digits] == '\0' ? config_expected_range(row, error)
                                                   : config_expected_type(row, error);
    const char *unit = text + digits + strspn(text + digits, " ");
    int64_t scale = config_unit_scale(row->type, unit, value == 0);
    if (scale == 0)
        return config_expected_type(row, error);
    if (value < 0 || value > INT64_MAX / scale || value * scale < row->min ||
        value * scale > row->max)
        return config_expected_range(row, error);
    *number = value * scale;
    return true;
}

bool core_config_number_read(core_config_type type, const char *text, int64_t min, int64_t max,
                             int64_t *number, core_error *error) {
    const core_config_row row = {.type = type, .min = min, .max = max, .unit = ""};
    return config_number_parse(&row, text, number, error);
}

static bool config_bool_parse(const core_config_row *row, const char *text, int64_t *number,
                              core_error *error) {
    *number = strcmp(text, "true") == 0;
    return *number == 1 || strcmp(text, "false") == 0 || config_expected_type(row, error);
}

/* Is `word` one of "a|b|c"? */
static bool config_choice_has(const char *choices, const char *word) {
    size_t length = strlen(word);
    for (const char *at = choices; *at != '\0';) {
        size_t choice = strcspn(at, "|");
        if (choice == length && memcmp(at, word, length) == 0)
            return true;
        at += choice + (at[choice] == '|');
    }
    return false;
}

static bool config_expected_choice(const core_config_row *row, core_error *error) {
    char words[CORE_CONFIG_SHOWN_MAX] = "";
    size_t used = 0;
    for (const char *at = row->choices; *at != '\0' && used < sizeof words; at++)
        used += (size_t)snprintf(words + used, sizeof words - used, *at == '|' ? ", " : "%c", *at);
    return core_error_set(error, CORE_ERROR_CONFIG, "expected %s%s",
                          strchr(row->choices, '|') != NULL ? "one of " : "", words);
}

/* A text, a choice's word or an item of a list. */
static bool config_text_check(const core_config_row *row, const char *text, core_error *error) {
    if (*text == '\0')
        return core_error_set(error, CORE_ERROR_CONFIG, "expected %s that is not empty",
                              row->type == CORE_CONFIG_LIST ? "items" : "a text");
    for (const char *at = text; *at != '\0'; at++)
        if ((unsigned char)*at < ' ' || *at == 0x7F)
            return core_error_set(error, CORE_ERROR_CONFIG,
                                  "expected a text without control characters");
    if (row->choices != NULL && !config_choice_has(row->choices, text))
        return config_expected_choice(row, error);
    return row->check == NULL || row->check(text, error);
}

static bool config_out_of_memory(core_error *error) {
    return core_error_set(error, CORE_ERROR_INTERNAL, "out of memory");
}

static bool config_item_add(const core_config_row *row, core_config_value *value, const char *text,
                            size_t length, core_error *error) {
    if (value->count == CONFIG_LIST_MAX)
        return core_error_set(error, CORE_ERROR_CONFIG, "expected at most %d items",
                              CONFIG_LIST_MAX);
    char **items = realloc(value->items, (value->count + 1) * sizeof *items);
    if (items == NULL)
        return config_out_of_memory(error);
    value->items = items;
    char *item = strndup(text, length);
    if (item == NULL)
        return config_out_of_memory(error);
    items[value->count++] = item;
    return config_text_check(row, item, error);
}

/* "a, b" of a scalar; blanks around items do not count. */
static bool config_list_split(const core_config_row *row, core_config_value *value,
                              const char *text, core_error *error) {
    for (const char *at = text;;) {
        at += strspn(at, " ");
        size_t whole = strcspn(at, ","), length = whole;
        while (length > 0 && at[length - 1] == ' ')
            length--;
        if (!config_item_add(row, value, at, length, error))
            return false;
        if (at[whole] == '\0')
            return true;
        at += whole + 1;
    }
}

static bool config_list_parse(const core_config_row *row, const core_config_entry *entry,
                              core_config_value *value, core_error *error) {
    if (entry->count == 0 && row->initial != NULL)
        return core_error_set(error, CORE_ERROR_CONFIG, "expected at least one item");
    if (!entry->list)
        return config_list_split(row, value, entry->items[0], error);
    for (size_t i = 0; i < entry->count; i++)
        if (!config_item_add(row, value, entry->items[i], strlen(entry->items[i]), error))
            return false;
    return true;
}

static bool config_scalar_parse(const core_config_row *row, const char *text,
                                core_config_value *value, core_error *error) {
    switch (row->type) {
    case CORE_CONFIG_BOOL:
        return config_bool_parse(row, text, &value->number, error);
    case CORE_CONFIG_INTEGER:
    case CORE_CONFIG_BYTES:
    case CORE_CONFIG_DURATION:
        return config_number_parse(row, text, &value->number, error);
    default:
        if (!config_text_check(row, text, error))
            return false;
        value->text = strdup(text);
        return value->text != NULL || config_out_of_memory(error);
    }
}

bool core_config_value_parse(const core_config_row *row, const core_config_entry *entry,
                             core_config_value *value, core_error *error) {
    *value = (core_config_value){.set = true, .layer = entry->layer};
    bool ok = entry->list && row->type != CORE_CONFIG_LIST ? config_expected_type(row, error)
              : row->type == CORE_CONFIG_LIST
                  ? config_list_parse(row, entry, value, error)
                  : config_scalar_parse(row, entry->items[0], value, error);
    if (ok)
        value->origin = strdup(entry->origin);
    if (ok && value->origin == NULL)
        ok = config_out_of_memory(error);
    if (!ok)
        core_config_value_fini(value);
    return ok;
}

void core_config_value_fini(core_config_value *value) {
    for (size_t i = 0; i < value->count; i++)
        free(value->items[i]);
    free(value->items);
    free(value->text);
    free(value->origin);
    *value = (core_config_value){.set = false};
}

static bool text_copy(char **to, const char *from) {
    *to = from != NULL ? strdup(from) : NULL;
    return from == NULL || *to != NULL;
}

bool core_config_value_copy(core_config_value *to, const core_config_value *from) {
    *to = (core_config_value){.set = from->set, .number = from->number, .layer = from->layer};
    bool ok = text_copy(&to->text, from->text) && text_copy(&to->origin, from->origin);
    if (ok && from->count > 0)
        ok = (to->items = calloc(from->count, sizeof *to->items)) != NULL;
    for (size_t i = 0; ok && i < from->count; i++) {
        ok = text_copy(&to->items[i], from->items[i]);
        to->count += ok;
    }
    if (!ok)
        core_config_value_fini(to);
    return ok;
}
