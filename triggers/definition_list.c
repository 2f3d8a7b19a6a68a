/* One value each of the kinds that are lists or maps; see definition_private.h. */
#include "triggers/definition_private.h"
#include "triggers/reference.h"

#include <inttypes.h>
#include <stdio.h>

#define REFERENCE_FORM "a column such as new.total, old.total or new.\"Total\""

bool triggers_word_next(core_slice *rest, core_slice *word) {
    while (rest->length > 0 && (*rest->data == ' ' || *rest->data == ','))
        *rest = core_slice_make(rest->data + 1, rest->length - 1);
    size_t length = 0;
    while (length < rest->length && rest->data[length] != ',' && rest->data[length] != ' ')
        length++;
    *word = core_slice_make(rest->data, length);
    *rest = core_slice_make(rest->data + length, rest->length - length);
    return length > 0;
}

/* How many items: a text is one. 0, told: neither a text nor a list, or too many. */
static size_t items_count(triggers_definition_reader *reader, const triggers_key *key,
                          const core_node *node, const char *what) {
    size_t count = node->kind == CORE_NODE_LIST ? node->count : node->kind == CORE_NODE_TEXT;
    if (count > 0 && count <= (size_t)key->max)
        return count;
    (void)core_problem_tell(reader->problems, node->place,
                            "%s: expected %s, or a list of up to %" PRId64 " of them", key->name,
                            what, key->max);
    return 0;
}

static const core_node *items_first(const core_node *node) {
    return node->kind == CORE_NODE_LIST ? node->first : node;
}

static const core_node *items_next(const core_node *node, const core_node *item) {
    return node->kind == CORE_NODE_LIST ? item->next : NULL;
}

/* ---- References ---- */

/* The name is the column's, of an old one `old.column`. */
static bool selected_read(triggers_definition_reader *reader, const triggers_key *key,
                          const core_node *node, triggers_selected *selected) {
    triggers_reference reference;
    char name[TRIGGERS_IDENTIFIER_MAX + 8];
    if (node->kind != CORE_NODE_TEXT || !triggers_reference_read(node->text, &reference))
        return triggers_expected(reader, key, node, REFERENCE_FORM);
    (void)snprintf(name, sizeof name, "%s%s", reference.is_old ? "old." : "", reference.column);
    selected->is_old = reference.is_old;
    return triggers_keep(reader, core_slice_text(reference.column), &selected->column) &&
           triggers_keep(reader, core_slice_text(name), &selected->name);
}

bool triggers_references_value(triggers_definition_reader *reader, const triggers_key *key,
                               const core_node *node) {
    size_t count = items_count(reader, key, node, REFERENCE_FORM), i = 0;
    triggers_selected *selected =
        count > 0 ? triggers_array(reader, count, sizeof *selected) : NULL;
    if (selected == NULL)
        return false;
    for (const core_node *item = items_first(node); item != NULL; item = items_next(node, item))
        if (!selected_read(reader, key, item, &selected[i++]))
            return false;
    *(const triggers_selected **)triggers_field(reader, key->offset) = selected;
    *(size_t *)triggers_field(reader, key->count) = count;
    return true;
}

bool triggers_key_value(triggers_definition_reader *reader, const triggers_key *key,
                        const core_node *node) {
    char memory[TRIGGERS_KEYED_MAX * (TRIGGERS_IDENTIFIER_MAX * 2 + 16)];
    core_buffer text = core_buffer_over(memory, sizeof memory);
    if (!triggers_references_value(reader, key, node))
        return false;
    for (const core_node *item = items_first(node); item != NULL; item = items_next(node, item)) {
        core_buffer_text(&text, text.length > 0 ? ", " : "");
        core_buffer_slice_append(&text, item->text);
    }
    return triggers_keep(reader, core_buffer_slice(&text), &reader->out->key);
}

/* ---- Select ---- */

static bool name_is_taken(const triggers_selected *selected, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (core_slice_equal(selected[i].name, selected[count].name))
            return true;
    return false;
}

/* `item` is a reference, and named where it stands in a map. */
static bool select_add(triggers_definition_reader *reader, const triggers_key *key,
                       const core_node *item, triggers_selected *selected, size_t *count) {
    core_place place = item->key.length > 0 ? item->key_place : item->place;
    if (*count == (size_t)key->max)
        return core_problem_tell(reader->problems, place,
                                 "select: expected at most %" PRId64 " columns", key->max);
    triggers_selected *last = &selected[*count];
    if (!selected_read(reader, key, item, last) ||
        (item->key.length > 0 && !triggers_keep(reader, item->key, &last->name)))
        return false;
    if (name_is_taken(selected, *count))
        return core_problem_tell(reader->problems, place,
                                 "select: %.*s is in it twice; give one another name: {NAME: %.*s}",
                                 CORE_SLICE_ARGS(last->name), CORE_SLICE_ARGS(item->text));
    (*count)++;
    return true;
}

static bool select_map(triggers_definition_reader *reader, const triggers_key *key,
                       const core_node *map, triggers_selected *selected, size_t *count) {
    bool good = true;
    for (const core_node *item = map->first; item != NULL; item = item->next)
        good &= select_add(reader, key, item, selected, count);
    return good;
}

bool triggers_select_value(triggers_definition_reader *reader, const triggers_key *key,
                           const core_node *node) {
    triggers_selected selected[TRIGGERS_SELECTED_MAX] = {0};
    size_t count = 0;
    bool good = true;
    if (node->kind == CORE_NODE_MAP)
        good = select_map(reader, key, node, selected, &count);
    else
        for (const core_node *item = items_first(node); item != NULL; item = items_next(node, item))
            good &= item->kind == CORE_NODE_MAP ? select_map(reader, key, item, selected, &count)
                                                : select_add(reader, key, item, selected, &count);
    if (!good)
        return false;
    if (count == 0)
        return triggers_expected(reader, key, node, REFERENCE_FORM ", and at least one");
    triggers_selected *kept = triggers_array(reader, count, sizeof *kept);
    if (kept == NULL)
        return false;
    memcpy(kept, selected, count * sizeof *kept);
    reader->out->selected = kept;
    reader->out->selected_count = count;
    return true;
}

/* ---- Secrets ---- */

static bool text_has_secret(core_slice text) {
    return memmem(text.data, text.length, "${secret:", 9) != NULL;
}

static bool secret_read(triggers_definition_reader *reader, const triggers_key *key,
                        const core_node *node, core_slice *secret) {
    if (node->kind != CORE_NODE_TEXT || node->text.length == 0 || node->text.length > 1024)
        return triggers_expected(reader, key, node, "${secret:NAME}");
    if (!text_has_secret(node->text))
        core_problem_warn(reader->problems, node->place,
                          "secret: a literal secret is kept as it stands here; better "
                          "`walcast secret set NAME` and ${secret:NAME}");
    return triggers_keep(reader, node->text, secret);
}

bool triggers_secret_value(triggers_definition_reader *reader, const triggers_key *key,
                           const core_node *node) {
    size_t count = items_count(reader, key, node, "${secret:NAME}"), i = 0;
    core_slice *secrets = count > 0 ? triggers_array(reader, count, sizeof *secrets) : NULL;
    if (secrets == NULL)
        return false;
    for (const core_node *item = items_first(node); item != NULL; item = items_next(node, item))
        if (!secret_read(reader, key, item, &secrets[i++]))
            return false;
    *(const core_slice **)triggers_field(reader, key->offset) = secrets;
    *(size_t *)triggers_field(reader, key->count) = count;
    return true;
}

/* ---- Headers ---- */

/* Those that the delivery writes itself, or that would change how it is framed. */
static bool header_is_ours(core_slice name) {
    static const char *const ours[] = {
        "connection", "content-length",    "content-type",      "expect",           "host",
        "te",         "transfer-encoding", "trailer",           "upgrade",          "webhook-id",
        "keep-alive", "webhook-signature", "webhook-timestamp", "proxy-connection",
    };
    char text[64];
    if (!core_slice_to_text(name, text, sizeof text))
        return false;
    for (size_t i = 0; i < CORE_COUNT_OF(ours); i++)
        if (strcasecmp(text, ours[i]) == 0)
            return true;
    return false;
}

static bool header_name_ok(core_slice name) {
    for (size_t i = 0; i < name.length; i++)
        if (name.data[i] <= ' ' || name.data[i] >= 0x7F ||
            strchr("()<>@,;:\\\"/[]?={}", name.data[i]) != NULL)
            return false;
    return name.length > 0 && name.length <= 64;
}

static bool header_value_ok(core_slice value) {
    for (size_t i = 0; i < value.length; i++)
        if (value.data[i] < ' ' || value.data[i] == 0x7F)
            return false;
    return value.length <= 4096;
}

static bool header_is_sensitive(core_slice name) {
    char text[65];
    return core_slice_to_text(name, text, sizeof text) &&
           (strcasecmp(text, "authorization") == 0 || strcasestr(text, "token") != NULL ||
            strcasestr(text, "secret") != NULL || strcasestr(text, "key") != NULL);
}

static bool header_read(triggers_definition_reader *reader, const core_node *node,
                        triggers_header *header) {
    const char *name = (const char *)node->key.data;
    if (!header_name_ok(node->key))
        return core_problem_tell(reader->problems, node->key_place,
                                 "headers: \"%s\" is no header's name", name);
    if (header_is_ours(node->key))
        return core_problem_tell(reader->problems, node->key_place,
                                 "headers: %s is set by the delivery itself", name);
    if (node->kind != CORE_NODE_TEXT || !header_value_ok(node->text))
        return core_problem_tell(reader->problems, node->place,
                                 "%s: expected a text of at most 4096 bytes in one line", name);
    if (header_is_sensitive(node->key) && !text_has_secret(node->text))
        core_problem_warn(reader->problems, node->place,
                          "%s: kept as it stands here; better `walcast secret set NAME` and "
                          "${secret:NAME}",
                          name);
    return triggers_keep(reader, node->key, &header->name) &&
           triggers_keep(reader, node->text, &header->value);
}

bool triggers_headers_value(triggers_definition_reader *reader, const triggers_key *key,
                            const core_node *node) {
    if (node->kind != CORE_NODE_MAP || node->count > (size_t)key->max)
        return triggers_expected(reader, key, node, "a map of up to 32 names to texts");
    size_t i = 0;
    bool good = true;
    triggers_header *headers = triggers_array(reader, node->count, sizeof *headers);
    if (headers == NULL)
        return false;
    for (const core_node *item = node->first; item != NULL; item = item->next)
        good &= header_read(reader, item, &headers[i++]);
    reader->out->webhook.headers = headers;
    reader->out->webhook.header_count = node->count;
    return good;
}

/* ---- Parameters ---- */

static bool parameter_read(triggers_definition_reader *reader, const triggers_key *key,
                           const core_node *node, triggers_value *value) {
    static const struct {
        const char *word;
        triggers_value_of of;
    } words[] = {{"data", TRIGGERS_VALUE_DATA},
                 {"type", TRIGGERS_VALUE_TYPE},
                 {"timestamp", TRIGGERS_VALUE_TIME},
                 {"offset", TRIGGERS_VALUE_OFFSET},
                 {"id", TRIGGERS_VALUE_ID}};
    triggers_selected selected;
    if (node->kind == CORE_NODE_TEXT)
        for (size_t i = 0; i < CORE_COUNT_OF(words); i++)
            if (core_slice_is(node->text, words[i].word)) {
                value->of = words[i].of;
                return true;
            }
    if (!selected_read(reader, key, node, &selected))
        return false;
    *value = (triggers_value){.of = selected.is_old ? TRIGGERS_VALUE_OLD : TRIGGERS_VALUE_NEW,
                              .column = selected.column};
    return true;
}

bool triggers_parameters_value(triggers_definition_reader *reader, const triggers_key *key,
                               const core_node *node) {
    if (node->kind != CORE_NODE_LIST || node->count > (size_t)key->max)
        return triggers_expected(reader, key, node, "a list of up to 64 values");
    size_t i = 0;
    bool good = true;
    triggers_value *values = triggers_array(reader, node->count, sizeof *values);
    if (values == NULL)
        return false;
    for (const core_node *item = node->first; item != NULL; item = item->next)
        good &= parameter_read(reader, key, item, &values[i++]);
    reader->out->sql.parameters = values;
    reader->out->sql.parameter_count = node->count;
    return good;
}

/* ---- Delays ---- */

static bool delay_add(triggers_definition_reader *reader, const triggers_key *key,
                      const core_node *node, core_slice word, int64_t *delays, size_t *count) {
    char text[32];
    core_error error = {.text = "expected a duration such as 5s"};
    if (*count == TRIGGERS_DELAYS_MAX)
        return triggers_expected(reader, key, node, "at most 32 durations");
    if (!core_slice_to_text(word, text, sizeof text) ||
        !core_config_number_read(CORE_CONFIG_DURATION, text, key->min, key->max, &delays[*count],
                                 &error))
        return core_problem_tell(reader->problems, node->place, "delays: %s", error.text);
    (*count)++;
    return true;
}

bool triggers_delays_value(triggers_definition_reader *reader, const triggers_key *key,
                           const core_node *node) {
    int64_t delays[TRIGGERS_DELAYS_MAX];
    size_t count = 0;
    bool good = node->kind == CORE_NODE_TEXT || node->kind == CORE_NODE_LIST ||
                triggers_expected(reader, key, node, "a list of durations such as [5s, 5m]");
    core_slice rest = node->text, word;
    while (good && node->kind == CORE_NODE_TEXT && triggers_word_next(&rest, &word))
        good = delay_add(reader, key, node, word, delays, &count);
    if (node->kind == CORE_NODE_LIST)
        for (const core_node *item = node->first; item != NULL && good; item = item->next)
            good = delay_add(reader, key, item, item->text, delays, &count);
    int64_t *kept = good ? triggers_array(reader, count, sizeof *kept) : NULL;
    if (kept == NULL)
        return false;
    if (count > 0)
        memcpy(kept, delays, count * sizeof *kept);
    reader->out->retry.delays_ms = kept;
    reader->out->retry.count = count;
    return true;
}
