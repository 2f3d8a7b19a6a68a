/* One value each of the simple kinds; see definition_private.h. */
#include "triggers/definition_private.h"
#include "triggers/reference.h"

#include <inttypes.h>
#include <stdio.h>

#define VALUE_TEXT_MAX 128 /* of numbers, choices and their like */

void *triggers_field(const triggers_definition_reader *reader, size_t offset) {
    return (uint8_t *)reader->out + offset;
}

bool triggers_expected(triggers_definition_reader *reader, const triggers_key *key,
                       const core_node *node, const char *what) {
    return core_problem_tell(reader->problems, node->place, "%s: expected %s", key->name, what);
}

bool triggers_keep(triggers_definition_reader *reader, core_slice text, core_slice *kept) {
    *kept = core_arena_copy(reader->arena, text);
    return kept->data != NULL ||
           core_problem_tell(reader->problems, (core_place){0}, "out of memory");
}

void *triggers_array(triggers_definition_reader *reader, size_t count, size_t size) {
    void *array = core_arena_array(reader->arena, count, size);
    if (array == NULL)
        (void)core_problem_tell(reader->problems, (core_place){0}, "out of memory");
    return array;
}

static bool text_value(triggers_definition_reader *reader, const triggers_key *key,
                       const core_node *node) {
    char what[VALUE_TEXT_MAX];
    if (node->kind == CORE_NODE_TEXT && node->text.length > 0 &&
        node->text.length <= (size_t)key->max)
        return triggers_keep(reader, node->text, triggers_field(reader, key->offset));
    (void)snprintf(what, sizeof what, "a text of 1 to %" PRId64 " bytes", key->max);
    return triggers_expected(reader, key, node, what);
}

static bool is_letter(uint8_t byte) {
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || byte == '_';
}

bool triggers_name_ok(core_slice name) {
    if (name.length == 0 || name.length > TRIGGERS_NAME_MAX ||
        !(is_letter(name.data[0]) || (name.data[0] >= '0' && name.data[0] <= '9')))
        return false;
    for (size_t i = 1; i < name.length; i++)
        if (!is_letter(name.data[i]) && !(name.data[i] >= '0' && name.data[i] <= '9') &&
            name.data[i] != '-')
            return false;
    return true;
}

static bool name_value(triggers_definition_reader *reader, const triggers_key *key,
                       const core_node *node) {
    if (node->kind != CORE_NODE_TEXT || !triggers_name_ok(node->text))
        return triggers_expected(reader, key, node,
                                 "a name: a letter, digit or _, then letters, digits, _ and -, "
                                 "at most 128");
    return triggers_keep(reader, node->text, triggers_field(reader, key->offset));
}

static bool bool_value(triggers_definition_reader *reader, const triggers_key *key,
                       const core_node *node) {
    bool yes = core_slice_is(node->text, "true");
    if (node->kind != CORE_NODE_TEXT || (!yes && !core_slice_is(node->text, "false")))
        return triggers_expected(reader, key, node, "true or false");
    *(bool *)triggers_field(reader, key->offset) = yes;
    return true;
}

static bool integer_value(triggers_definition_reader *reader, const triggers_key *key,
                          const core_node *node) {
    char what[VALUE_TEXT_MAX];
    int64_t number;
    if (node->kind == CORE_NODE_TEXT && core_slice_to_i64(node->text, &number) &&
        number >= key->min && number <= key->max) {
        *(int32_t *)triggers_field(reader, key->offset) = (int32_t)number;
        return true;
    }
    (void)snprintf(what, sizeof what, "a number from %" PRId64 " to %" PRId64, key->min, key->max);
    return triggers_expected(reader, key, node, what);
}

/* The config's reader's own "expected WHAT" has the bounds. */
static bool duration_value(triggers_definition_reader *reader, const triggers_key *key,
                           const core_node *node) {
    char text[VALUE_TEXT_MAX];
    core_error error = {.text = "expected a duration such as 5s"};
    return (node->kind == CORE_NODE_TEXT && core_slice_to_text(node->text, text, sizeof text) &&
            core_config_number_read(CORE_CONFIG_DURATION, text, key->min, key->max,
                                    triggers_field(reader, key->offset), &error)) ||
           core_problem_tell(reader->problems, node->place, "%s: %s", key->name, error.text);
}

/* ---- Choices ---- */

/* The word's place among "a|b|c"; -1: it is none. */
static int choice_find(const char *choices, core_slice word) {
    int place = 0;
    for (const char *at = choices; *at != '\0'; place++) {
        size_t length = strcspn(at, "|");
        if (core_slice_equal(word, core_slice_make(at, length)))
            return place;
        at += length + (at[length] == '|');
    }
    return -1;
}

static bool choice_expected(triggers_definition_reader *reader, const triggers_key *key,
                            const core_node *node, const char *how) {
    char what[VALUE_TEXT_MAX];
    (void)snprintf(what, sizeof what, "%s %s", how, key->choices);
    return triggers_expected(reader, key, node, what);
}

static bool choice_value(triggers_definition_reader *reader, const triggers_key *key,
                         const core_node *node) {
    int place = node->kind == CORE_NODE_TEXT ? choice_find(key->choices, node->text) : -1;
    if (place < 0)
        return choice_expected(reader, key, node, "one of");
    *(int *)triggers_field(reader, key->offset) = place;
    return true;
}

/* One word more of a set. */
static bool choices_add(triggers_definition_reader *reader, const triggers_key *key,
                        const core_node *node, core_slice word, unsigned *set) {
    int place = choice_find(key->choices, word);
    if (place < 0)
        return choice_expected(reader, key, node, "a list of");
    *set |= 1u << place;
    return true;
}

/* Words apart by commas. */
static bool choices_text(triggers_definition_reader *reader, const triggers_key *key,
                         const core_node *node, unsigned *set) {
    core_slice rest = node->text, word;
    while (triggers_word_next(&rest, &word))
        if (!choices_add(reader, key, node, word, set))
            return false;
    return true;
}

static bool choices_value(triggers_definition_reader *reader, const triggers_key *key,
                          const core_node *node) {
    unsigned set = 0;
    bool good = node->kind != CORE_NODE_TEXT || choices_text(reader, key, node, &set);
    if (node->kind == CORE_NODE_LIST)
        for (const core_node *item = node->first; item != NULL; item = item->next)
            good &= choices_add(reader, key, item, item->text, &set);
    if (good && set == 0)
        return choice_expected(reader, key, node, "a list of");
    *(unsigned *)triggers_field(reader, key->offset) = set;
    return good;
}

/* ---- Names of things ---- */

static bool table_value(triggers_definition_reader *reader, const triggers_key *key,
                        const core_node *node) {
    triggers_table_name name;
    if (node->kind != CORE_NODE_TEXT || !triggers_table_name_read(node->text, &name))
        return triggers_expected(reader, key, node,
                                 "SCHEMA.TABLE; a name that holds a dot in double quotes");
    return triggers_keep(reader, core_slice_text(name.schema), &reader->out->schema) &&
           triggers_keep(reader, core_slice_text(name.table), &reader->out->table);
}

static bool has_blank(core_slice text) {
    for (size_t i = 0; i < text.length; i++)
        if (text.data[i] <= ' ' || text.data[i] == 0x7F)
            return true;
    return false;
}

static bool event_value(triggers_definition_reader *reader, const triggers_key *key,
                        const core_node *node) {
    const uint8_t *star = node->kind == CORE_NODE_TEXT && node->text.length > 0
                              ? memchr(node->text.data, '*', node->text.length)
                              : NULL;
    if (node->kind != CORE_NODE_TEXT || node->text.length == 0 || node->text.length > 255 ||
        has_blank(node->text) || (star != NULL && star != node->text.data + node->text.length - 1))
        return triggers_expected(reader, key, node,
                                 "an event's type of at most 255 bytes without blanks, such as "
                                 "auth.user.created; a * only at its end");
    return triggers_keep(reader, node->text, triggers_field(reader, key->offset));
}

/* The authority's length behind "https://". */
static size_t url_authority(core_slice text, size_t from) {
    size_t at = from;
    while (at < text.length && strchr("/?#", text.data[at]) == NULL)
        at++;
    return at - from;
}

static bool url_value(triggers_definition_reader *reader, const triggers_key *key,
                      const core_node *node) {
    core_slice url = node->text;
    size_t scheme = url.length > 8 && memcmp(url.data, "https://", 8) == 0  ? 8
                    : url.length > 7 && memcmp(url.data, "http://", 7) == 0 ? 7
                                                                            : 0;
    size_t authority = scheme > 0 ? url_authority(url, scheme) : 0;
    if (authority == 0 || url.length > (size_t)key->max || has_blank(url))
        return triggers_expected(reader, key, node,
                                 "a URL such as https://example.org/hook, without blanks, of at "
                                 "most 2048 bytes");
    if (memchr(url.data + scheme, '@', authority) != NULL)
        return triggers_expected(reader, key, node,
                                 "a URL without user or password; put them into a header");
    return triggers_keep(reader, url, triggers_field(reader, key->offset));
}

static bool subject_is_ours(core_slice subject) {
    return subject.data[0] == '$' ||
           (subject.length >= 6 && memcmp(subject.data, "_INBOX", 6) == 0);
}

/* Tokens that are not empty, apart by dots, without wildcards. */
static bool subject_ok(core_slice subject) {
    uint8_t before = '.';
    for (size_t i = 0; i < subject.length; i++) {
        uint8_t byte = subject.data[i];
        if ((byte == '.' && before == '.') || byte == '*' || byte == '>')
            return false;
        before = byte;
    }
    return before != '.' && !has_blank(subject);
}

static bool subject_value(triggers_definition_reader *reader, const triggers_key *key,
                          const core_node *node) {
    if (node->kind != CORE_NODE_TEXT || node->text.length > (size_t)key->max ||
        !subject_ok(node->text) || subject_is_ours(node->text))
        return triggers_expected(reader, key, node,
                                 "a NATS subject such as orders.paid, without wildcards and "
                                 "blanks, that does not begin with $ or _INBOX");
    return triggers_keep(reader, node->text, triggers_field(reader, key->offset));
}

/* "100/s" */
static bool rate_read(core_slice text, uint64_t *count, int64_t *period_ms) {
    static const struct {
        char unit;
        int64_t ms;
    } units[] = {{'s', 1000}, {'m', 60000}, {'h', 3600000}};
    if (text.length < 3 || text.data[text.length - 2] != '/' ||
        !core_slice_to_u64(core_slice_make(text.data, text.length - 2), count))
        return false;
    for (size_t i = 0; i < CORE_COUNT_OF(units); i++)
        if (text.data[text.length - 1] == units[i].unit)
            *period_ms = units[i].ms;
    return *period_ms > 0 && *count > 0 && *count <= 1000000;
}

static bool rate_value(triggers_definition_reader *reader, const triggers_key *key,
                       const core_node *node) {
    uint64_t count = 0;
    int64_t period_ms = 0;
    if (node->kind != CORE_NODE_TEXT || !rate_read(node->text, &count, &period_ms))
        return triggers_expected(reader, key, node,
                                 "so many a second, minute or hour: 100/s, 600/m, 1000/h");
    *(uint32_t *)triggers_field(reader, key->count) = (uint32_t)count;
    *(int64_t *)triggers_field(reader, key->offset) = period_ms;
    return true;
}

/* An offset, or an event's id, which is one without a row. */
static bool place_read(core_slice text, core_offset *offset) {
    char row[VALUE_TEXT_MAX];
    (void)snprintf(row, sizeof row, "%.*s.0", CORE_SLICE_ARGS(text));
    return core_offset_parse(text, offset) || core_offset_parse(core_slice_text(row), offset);
}

static bool start_value(triggers_definition_reader *reader, const triggers_key *key,
                        const core_node *node) {
    triggers_definition *out = reader->out;
    char text[VALUE_TEXT_MAX];
    if (node->kind != CORE_NODE_TEXT || !core_slice_to_text(node->text, text, sizeof text))
        *text = '\0';
    if (strcmp(text, "now") == 0)
        out->start = TRIGGERS_START_NOW;
    else if (strcmp(text, "first") == 0)
        out->start = TRIGGERS_START_FIRST;
    else if (place_read(node->text, &out->start_offset))
        out->start = TRIGGERS_START_OFFSET;
    else if (core_clock_parse(text, &out->start_us))
        out->start = TRIGGERS_START_TIME;
    else
        return triggers_expected(
            reader, key, node,
            "now, first, an offset, an event's id, or a time such as 2025-11-19T00:22:40Z");
    return true;
}

/* ---- Which of them ---- */

static const struct {
    triggers_key_kind kind;
    triggers_value_reader read;
    const char *form;
} kind_rows[] = {
    {TRIGGERS_KEY_TEXT, text_value, "text"},
    {TRIGGERS_KEY_NAME, name_value, "name"},
    {TRIGGERS_KEY_BOOL, bool_value, "true or false"},
    {TRIGGERS_KEY_INTEGER, integer_value, "number"},
    {TRIGGERS_KEY_DURATION, duration_value, "duration"},
    {TRIGGERS_KEY_CHOICE, choice_value, "one of"},
    {TRIGGERS_KEY_CHOICES, choices_value, "list of"},
    {TRIGGERS_KEY_TABLE, table_value, "table"},
    {TRIGGERS_KEY_EVENT, event_value, "event type"},
    {TRIGGERS_KEY_REFERENCES, triggers_references_value, "references"},
    {TRIGGERS_KEY_KEY, triggers_key_value, "references"},
    {TRIGGERS_KEY_SELECT, triggers_select_value, "references"},
    {TRIGGERS_KEY_URL, url_value, "URL"},
    {TRIGGERS_KEY_SECRET, triggers_secret_value, "text, or list"},
    {TRIGGERS_KEY_HEADERS, triggers_headers_value, "map of texts"},
    {TRIGGERS_KEY_RATE, rate_value, "rate"},
    {TRIGGERS_KEY_SUBJECT, subject_value, "NATS subject"},
    {TRIGGERS_KEY_PARAMETERS, triggers_parameters_value, "list"},
    {TRIGGERS_KEY_DELAYS, triggers_delays_value, "list of durations"},
    {TRIGGERS_KEY_START, start_value, "place"},
    {TRIGGERS_KEY_SECTION, NULL, "keys"},
};

triggers_value_reader triggers_value_reader_of(triggers_key_kind kind) {
    assert(kind_rows[kind].kind == kind);
    return kind_rows[kind].read;
}

const char *triggers_value_form(triggers_key_kind kind) {
    return kind_rows[kind].form;
}
