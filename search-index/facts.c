/* See facts.h. */
#include "search-index/facts.h"

/* ---- Writing ---- */

static void names_write(core_json_writer *json, const char *key, const core_slice *names,
                        size_t count) {
    core_json_key_text(json, key);
    core_json_array_open(json);
    for (size_t i = 0; i < count; i++)
        core_json_string(json, names[i]);
    core_json_array_close(json);
}

void search_facts_write(const search_facts *facts, core_buffer *out) {
    core_json_writer json = core_json_writer_make(out);
    core_json_object_open(&json);
    core_json_key_text(&json, "tables");
    core_json_array_open(&json);
    for (size_t i = 0; i < facts->table_count; i++) {
        const search_table_facts *table = &facts->tables[i];
        core_json_object_open(&json);
        core_json_key_text(&json, "schema");
        core_json_string(&json, table->schema);
        core_json_key_text(&json, "table");
        core_json_string(&json, table->table);
        names_write(&json, "key", table->key, table->key_count);
        if (table->when_count > 0)
            names_write(&json, "when", table->when, table->when_count);
        core_json_object_close(&json);
    }
    core_json_array_close(&json);
    names_write(&json, "when", facts->when, facts->when_count);
    core_json_object_close(&json);
}

/* ---- Reading ---- */

static bool text_read(core_json_token token, core_arena *arena, core_slice *text) {
    char memory[4 * SEARCH_IDENTIFIER_MAX];
    core_buffer unescaped = core_buffer_over(memory, sizeof memory);
    if (token.kind != CORE_JSON_STRING || !core_json_unescape(token.raw, &unescaped))
        return false;
    *text = core_arena_copy(arena, core_buffer_slice(&unescaped));
    return text->data != NULL;
}

static bool names_read(core_json_reader *reader, core_json_token token, size_t max,
                       core_arena *arena, const core_slice **names, size_t *count) {
    core_slice *read = core_arena_array(arena, max, sizeof *read);
    *names = read;
    *count = 0;
    if (token.kind != CORE_JSON_ARRAY_OPEN || read == NULL)
        return false;
    for (token = core_json_next(reader); token.kind != CORE_JSON_ARRAY_CLOSE;
         token = core_json_next(reader))
        if (*count == max || !text_read(token, arena, &read[(*count)++]))
            return false;
    return true;
}

static bool table_read(core_json_reader *reader, core_arena *arena, search_table_facts *table) {
    core_json_token member;
    core_slice whole;
    bool ok = true;
    while (ok && core_json_member_next(reader, &member)) {
        if (core_slice_is(member.key, "schema"))
            ok = text_read(member, arena, &table->schema);
        else if (core_slice_is(member.key, "table"))
            ok = text_read(member, arena, &table->table);
        else if (core_slice_is(member.key, "key"))
            ok = names_read(reader, member, SEARCH_KEY_COLUMNS_MAX, arena, &table->key,
                            &table->key_count);
        else if (core_slice_is(member.key, "when"))
            ok = names_read(reader, member, CORE_COLUMNS_MAX, arena, &table->when,
                            &table->when_count);
        else
            ok = core_json_skip(reader, member, &whole);
    }
    return ok && table->schema.length > 0 && table->table.length > 0 && table->key_count > 0;
}

static bool tables_read(core_json_reader *reader, core_json_token token, core_arena *arena,
                        search_facts *facts) {
    enum { MAX = SEARCH_TABLES_MAX + SEARCH_RELATED_MAX };
    search_table_facts *tables = core_arena_array(arena, MAX, sizeof *tables);
    facts->tables = tables;
    facts->table_count = 0;
    if (token.kind != CORE_JSON_ARRAY_OPEN || tables == NULL)
        return false;
    for (token = core_json_next(reader); token.kind != CORE_JSON_ARRAY_CLOSE;
         token = core_json_next(reader))
        if (token.kind != CORE_JSON_OBJECT_OPEN || facts->table_count == MAX ||
            !table_read(reader, arena, &tables[facts->table_count++]))
            return false;
    return true;
}

bool search_facts_read(core_slice json, const search_definition *definition, core_arena *arena,
                       search_facts *facts, core_error *error) {
    core_json_reader reader = core_json_reader_make(json);
    core_json_token member;
    core_slice whole;
    *facts = (search_facts){.table_count = 0};
    bool ok = core_json_next(&reader).kind == CORE_JSON_OBJECT_OPEN;
    while (ok && core_json_member_next(&reader, &member)) {
        if (core_slice_is(member.key, "tables"))
            ok = tables_read(&reader, member, arena, facts);
        else if (core_slice_is(member.key, "when"))
            ok = names_read(&reader, member, CORE_COLUMNS_MAX, arena, &facts->when,
                            &facts->when_count);
        else
            ok = core_json_skip(&reader, member, &whole);
    }
    ok = ok && core_json_next(&reader).kind == CORE_JSON_END &&
         facts->table_count == definition->table_count + definition->related_count;
    return ok || core_error_set(error, CORE_ERROR_INPUT,
                                "index %.*s: what was seen of its tables cannot be read",
                                CORE_SLICE_ARGS(definition->name));
}
