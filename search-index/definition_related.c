/* Tables, and what is joined to them; see definition_private.h. */
#include "search-index/definition_private.h"

#include <stdio.h>

#define TABLE_FORM "SCHEMA.TABLE; a name that holds a dot in double quotes"

/* ---- A table's name ---- */

/* One part, as SQL reads it: small letters unless quoted. */
static bool part_take(core_slice *rest, char name[SEARCH_IDENTIFIER_MAX + 1]) {
    size_t used = 0, at = 0;
    bool is_quoted = rest->length > 0 && rest->data[0] == '"', is_closed = false;
    for (at = is_quoted; at < rest->length; at++) {
        uint8_t byte = rest->data[at];
        if (is_quoted && byte == '"') {
            is_closed = !(at + 1 < rest->length && rest->data[at + 1] == '"');
            if (is_closed)
                break;
            at++;
        }
        if (!is_quoted && (byte == '.' || byte <= ' ' || byte == '"'))
            break;
        if (used == SEARCH_IDENTIFIER_MAX)
            return false;
        bool is_large = !is_quoted && byte >= 'A' && byte <= 'Z';
        name[used++] = (char)(is_large ? byte - 'A' + 'a' : byte);
    }
    name[used] = '\0';
    at += is_closed;
    *rest = core_slice_make(rest->data + at, rest->length - at);
    return used > 0 && is_quoted == is_closed;
}

static bool table_read(search_definition_reader *reader, const search_key *key,
                       const core_node *node, search_table *table) {
    char first[SEARCH_IDENTIFIER_MAX + 1], second[SEARCH_IDENTIFIER_MAX + 1] = "";
    core_slice rest = node->text;
    bool good = node->kind == CORE_NODE_TEXT && part_take(&rest, first);
    if (good && rest.length > 0) {
        good = rest.data[0] == '.';
        rest = core_slice_make(rest.data + 1, rest.length - 1);
        good = good && part_take(&rest, second) && rest.length == 0;
    }
    if (!good)
        return search_expected(reader, key, node, TABLE_FORM);
    bool has_schema = *second != '\0';
    table->place = node->place;
    return search_keep(reader, core_slice_text(has_schema ? first : CORE_TENANT_HOME),
                       &table->schema) &&
           search_keep(reader, core_slice_text(has_schema ? second : first), &table->table);
}

bool search_key_table(search_definition_reader *reader, const search_key *key,
                      const core_node *node) {
    search_table *table = search_array(reader, 1, sizeof *table);
    if (table == NULL || !table_read(reader, key, node, table))
        return false;
    reader->out->tables = table;
    reader->out->table_count = 1;
    return true;
}

/* One of several: its name, or with a condition of its own. */
static bool tables_item(search_definition_reader *reader, const search_key *key,
                        const core_node *item, search_table *table) {
    if (item->kind != CORE_NODE_MAP)
        return table_read(reader, key, item, table);
    const core_node *name = core_node_find(item, "table"), *when = core_node_find(item, "when");
    if (name == NULL || item->count != 1 + (size_t)(when != NULL))
        return search_expected(reader, key, item, "{table: SCHEMA.TABLE, when: CONDITION}");
    if (when != NULL && (when->kind != CORE_NODE_TEXT || when->text.length == 0 ||
                         when->text.length > SEARCH_WHEN_MAX))
        return search_expected(reader, key, when, "a condition as when");
    return table_read(reader, key, name, table) &&
           (when == NULL || search_keep(reader, when->text, &table->when));
}

bool search_key_tables(search_definition_reader *reader, const search_key *key,
                       const core_node *node) {
    if (node->kind != CORE_NODE_LIST || node->count == 0 || node->count > (size_t)key->max)
        return search_expected(reader, key, node, "a list of 1 to 16 tables");
    search_table *tables = search_array(reader, node->count, sizeof *tables);
    size_t count = 0;
    if (tables == NULL)
        return false;
    for (const core_node *item = node->first; item != NULL; item = item->next) {
        if (!tables_item(reader, key, item, &tables[count]))
            return false;
        for (size_t i = 0; i < count; i++)
            if (core_slice_equal(tables[i].schema, tables[count].schema) &&
                core_slice_equal(tables[i].table, tables[count].table))
                return core_problem_tell(reader->problems, tables[count].place,
                                         "tables: %.*s is in it twice",
                                         CORE_SLICE_ARGS(tables[count].table));
        count++;
    }
    reader->out->tables = tables;
    reader->out->table_count = count;
    return true;
}

/* ---- Joins and children ---- */

/* The related table's own fields, under its name. */
static bool related_fields(search_definition_reader *reader, const search_key *key,
                           const core_node *related, const core_node *fields) {
    bool good = true, is_map = fields->kind == CORE_NODE_MAP;
    const search_key row = {.name = key->name, .uses = SEARCH_USE_SEARCH | SEARCH_USE_SHOW};
    for (const core_node *item = fields->first; item != NULL; item = item->next) {
        char memory[SEARCH_NAME_MAX * 4];
        core_buffer text = core_buffer_over(memory, sizeof memory);
        core_buffer_slice_append(&text, related->key);
        core_buffer_u8(&text, '.');
        core_buffer_slice_append(&text, is_map ? item->key : item->text);
        core_node one = *item;
        one.key = is_map ? core_buffer_slice(&text) : item->key;
        one.text = is_map ? item->text : core_buffer_slice(&text);
        one.next = NULL;
        const core_node list = {
            .kind = fields->kind, .place = fields->place, .count = 1, .first = &one};
        good &= core_buffer_ok(&text) && item->kind == CORE_NODE_TEXT
                    ? search_key_fields(reader, &row, &list)
                    : search_expected(reader, key, item, "columns of the table");
    }
    return good;
}

static bool related_key_unknown(search_definition_reader *reader, const core_node *map) {
    bool good = true;
    for (const core_node *item = map->first; item != NULL; item = item->next)
        if (!core_slice_is(item->key, "table") && !core_slice_is(item->key, "key") &&
            !core_slice_is(item->key, "fields"))
            good = core_problem_tell(reader->problems, item->key_place,
                                     "%.*s: unknown key; expected table, key, fields",
                                     CORE_SLICE_ARGS(item->key));
    return good;
}

static bool related_read(search_definition_reader *reader, const search_key *key,
                         const core_node *item, bool is_child, search_related *related) {
    const core_node *table = core_node_find(item, "table"), *column = core_node_find(item, "key");
    const core_node *fields = core_node_find(item, "fields");
    core_slice key_name;
    if (item->kind != CORE_NODE_MAP || table == NULL || column == NULL || fields == NULL ||
        column->kind != CORE_NODE_TEXT || fields->count == 0)
        return search_expected(reader, key, item,
                               "{table: SCHEMA.TABLE, key: COLUMN, fields: [COLUMN, ...]}");
    char name[SEARCH_IDENTIFIER_MAX + 1];
    core_slice rest = column->text;
    if (!related_key_unknown(reader, item) || !search_name_ok(item->key) ||
        item->key.length > SEARCH_IDENTIFIER_MAX || !part_take(&rest, name) || rest.length > 0)
        return search_expected(reader, key, item, "a name of letters, digits and _, and a column");
    key_name = core_slice_text(name);
    *related = (search_related){.is_child = is_child, .key_place = column->place};
    return search_keep(reader, item->key, &related->name) &&
           search_keep(reader, key_name, &related->key) &&
           table_read(reader, key, table, &related->table) &&
           related_fields(reader, key, item, fields);
}

static bool related_all(search_definition_reader *reader, const search_key *key,
                        const core_node *node, bool is_child) {
    search_definition *out = reader->out;
    if (node->kind != CORE_NODE_MAP || node->count == 0 ||
        node->count + out->related_count > (size_t)key->max)
        return search_expected(reader, key, node,
                               "a map of names, at most 16 with joins and children together");
    search_related *all = search_array(reader, node->count + out->related_count, sizeof *all);
    size_t count = out->related_count;
    if (all == NULL)
        return false;
    if (count > 0)
        memcpy(all, out->related, count * sizeof *all);
    for (const core_node *item = node->first; item != NULL; item = item->next) {
        for (size_t i = 0; i < count; i++)
            if (core_slice_equal(all[i].name, item->key))
                return core_problem_tell(reader->problems, item->key_place,
                                         "%s: %.*s is in joins already", key->name,
                                         CORE_SLICE_ARGS(item->key));
        if (!related_read(reader, key, item, is_child, &all[count]))
            return false;
        count++;
    }
    out->related = all;
    out->related_count = count;
    return true;
}

bool search_key_joins(search_definition_reader *reader, const search_key *key,
                      const core_node *node) {
    return related_all(reader, key, node, false);
}

bool search_key_children(search_definition_reader *reader, const search_key *key,
                         const core_node *node) {
    return related_all(reader, key, node, true);
}
