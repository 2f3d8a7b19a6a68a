/* A definition's maps, walked by the table of keys; see definition_private.h. Keys that are not
 * given get what the table says, in the form that an author would write. */
#include "triggers/definition_private.h"

#include <stdio.h>

#define SECTION_MAX 64

/* "do" and "webhook" to "do.webhook". */
static void section_join(const char *section, const char *name, char joined[SECTION_MAX]) {
    (void)snprintf(joined, SECTION_MAX, "%s%s%s", section, *section == '\0' ? "" : ".", name);
}

/* ---- What is not known ---- */

static const char *nearest_key(const char *section, const char *name) {
    size_t count, best = strlen(name) / 3 + 1;
    const triggers_key *keys = triggers_keys(&count), *nearest = NULL;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(keys[i].section, section) != 0)
            continue;
        size_t distance = core_text_distance(name, keys[i].name);
        if (distance > best)
            continue;
        best = distance;
        nearest = &keys[i];
    }
    return nearest != NULL ? nearest->name : NULL;
}

/* "name, on, when" */
static void keys_listed(const char *section, char *text, size_t size) {
    size_t count, used = 0;
    const triggers_key *keys = triggers_keys(&count);
    for (size_t i = 0; i < count && used < size; i++)
        if (strcmp(keys[i].section, section) == 0)
            used += (size_t)snprintf(text + used, size - used, "%s%s", used > 0 ? ", " : "",
                                     keys[i].name);
}

static bool unknown_tell(triggers_definition_reader *reader, const char *section,
                         const core_node *node) {
    char listed[CORE_PROBLEM_TEXT_MAX / 2] = "";
    const char *name = (const char *)node->key.data;
    const char *nearest = nearest_key(section, name);
    if (nearest != NULL)
        return core_problem_tell(reader->problems, node->key_place,
                                 "%s: unknown key; did you mean %s?", name, nearest);
    keys_listed(section, listed, sizeof listed);
    return core_problem_tell(reader->problems, node->key_place, "%s: unknown key; expected %s",
                             name, listed);
}

/* ---- What is given ---- */

static bool value_read(triggers_definition_reader *reader, const triggers_key *key,
                       const core_node *node) {
    char section[SECTION_MAX];
    if (key->kind != TRIGGERS_KEY_SECTION)
        return triggers_value_reader_of(key->kind)(reader, key, node);
    section_join(key->section, key->name, section);
    if (node->kind == CORE_NODE_MAP)
        return triggers_section_read(reader, section, node);
    char listed[CORE_PROBLEM_TEXT_MAX / 2] = "keys below it: ";
    size_t used = strlen(listed);
    keys_listed(section, listed + used, sizeof listed - used);
    return triggers_expected(reader, key, node, listed);
}

static bool child_read(triggers_definition_reader *reader, const char *section,
                       const core_node *map, const core_node *child) {
    const triggers_key *key = triggers_key_find(section, child->key);
    if (key == NULL)
        return unknown_tell(reader, section, child);
    if (key->needs != NULL && core_node_find(map, key->needs) == NULL)
        return core_problem_tell(reader->problems, child->key_place,
                                 "%s: goes with %s, which is not given", key->name, key->needs);
    if (child->kind == CORE_NODE_NULL)
        return core_problem_tell(reader->problems, child->key_place,
                                 "%s: has no value: give one or remove the line", key->name);
    return value_read(reader, key, child);
}

/* ---- What is not given ---- */

static bool default_read(triggers_definition_reader *reader, const triggers_key *key) {
    core_node node = {.kind = CORE_NODE_TEXT, .text = core_slice_text(key->initial)};
    return value_read(reader, key, &node);
}

static bool absent_read(triggers_definition_reader *reader, const triggers_key *key,
                        const core_node *map) {
    if (key->required)
        return core_problem_tell(reader->problems, map->place, "%s%s%s: expected, and not given",
                                 key->section, *key->section == '\0' ? "" : ".", key->name);
    if (key->needs != NULL && core_node_find(map, key->needs) == NULL)
        return true;
    return key->initial == NULL || default_read(reader, key);
}

static const core_node empty_map = {.kind = CORE_NODE_MAP};

/* `retry` has defaults though nobody names it. */
static bool section_defaults(triggers_definition_reader *reader, const core_node *root) {
    return core_node_find(root, "retry") != NULL ||
           triggers_section_read(reader, "retry", &empty_map);
}

bool triggers_section_read(triggers_definition_reader *reader, const char *section,
                           const core_node *map) {
    bool good = true;
    for (const core_node *child = map->first; child != NULL; child = child->next)
        good &= child_read(reader, section, map, child);
    size_t count;
    const triggers_key *keys = triggers_keys(&count);
    for (size_t i = 0; i < count; i++)
        if (strcmp(keys[i].section, section) == 0 && core_node_find(map, keys[i].name) == NULL)
            good &= absent_read(reader, &keys[i], map);
    if (*section == '\0')
        good &= section_defaults(reader, map);
    return good;
}
