/* See facts.h. */
#include "triggers/facts.h"

static const char primary_key[] = "primary_key", enums[] = "enum";
static const char *const collations[] = {[EXPR_COLLATION_DEFAULT] = NULL,
                                         [EXPR_COLLATION_C] = "collation_c",
                                         [EXPR_COLLATION_OTHER] = "collation_other",
                                         [EXPR_COLLATION_LOOSE] = "collation_loose"};

/* ---- written ---- */

/* The array's members come with the first of them. */
static void name_write(core_json_writer *json, const char *key, bool *is_open, core_slice name) {
    if (!*is_open) {
        core_json_key_text(json, key);
        core_json_array_open(json);
    }
    *is_open = true;
    core_json_string(json, name);
}

static void array_end(core_json_writer *json, bool *is_open) {
    if (*is_open)
        core_json_array_close(json);
    *is_open = false;
}

void triggers_facts_write(const core_relation *relation, const triggers_relation_facts *facts,
                          core_buffer *out) {
    core_json_writer json = core_json_writer_make(out);
    bool is_open = false;
    core_json_object_open(&json);
    for (size_t i = 0; i < facts->primary_key_count; i++)
        name_write(&json, primary_key, &is_open, facts->primary_key[i]);
    array_end(&json, &is_open);
    for (size_t kind = 1; kind < CORE_COUNT_OF(collations); kind++) {
        for (size_t i = 0; i < relation->column_count; i++)
            if (facts->columns[i].collation == (expr_collation)kind)
                name_write(&json, collations[kind], &is_open, relation->columns[i].name);
        array_end(&json, &is_open);
    }
    for (size_t i = 0; i < relation->column_count; i++)
        if (facts->columns[i].is_enum)
            name_write(&json, enums, &is_open, relation->columns[i].name);
    array_end(&json, &is_open);
    core_json_object_close(&json);
}

/* ---- read ---- */

typedef struct {
    const core_relation *relation;
    expr_column_facts *columns;
    core_slice *keys;
    size_t key_count;
} facts_reader;

static void name_take(facts_reader *reader, core_slice array, core_slice raw) {
    const core_relation *relation = reader->relation;
    for (size_t i = 0; i < relation->column_count; i++) {
        char name[CORE_TENANT_SCHEMA_SIZE];
        if (!core_slice_to_text(relation->columns[i].name, name, sizeof name) ||
            !core_json_raw_is(raw, name))
            continue;
        if (core_json_raw_is(array, primary_key) && reader->key_count < relation->column_count)
            reader->keys[reader->key_count++] = relation->columns[i].name;
        if (core_json_raw_is(array, enums))
            reader->columns[i].is_enum = true;
        for (size_t kind = 1; kind < CORE_COUNT_OF(collations); kind++)
            if (core_json_raw_is(array, collations[kind]))
                reader->columns[i].collation = (expr_collation)kind;
    }
}

static bool array_take(facts_reader *reader, core_json_reader *json, core_slice array) {
    core_json_token token;
    while ((token = core_json_next(json)).kind == CORE_JSON_STRING)
        name_take(reader, array, token.raw);
    return token.kind == CORE_JSON_ARRAY_CLOSE;
}

bool triggers_facts_read(core_slice text, const core_relation *relation, core_arena *arena,
                         triggers_relation_facts *facts) {
    core_json_reader json = core_json_reader_make(text);
    core_json_token member;
    size_t count = (size_t)relation->column_count + 1;
    facts_reader reader = {.relation = relation,
                           .columns = core_arena_array(arena, count, sizeof *reader.columns),
                           .keys = core_arena_array(arena, count, sizeof *reader.keys)};
    bool ok = reader.columns != NULL && reader.keys != NULL &&
              core_json_next(&json).kind == CORE_JSON_OBJECT_OPEN;
    for (size_t i = 0; ok && i < count; i++)
        reader.columns[i] = (expr_column_facts){.is_enum = false};
    while (ok && core_json_member_next(&json, &member))
        ok = member.kind == CORE_JSON_ARRAY_OPEN && array_take(&reader, &json, member.key);
    *facts = (triggers_relation_facts){.columns = reader.columns,
                                       .primary_key = reader.keys,
                                       .primary_key_count = reader.key_count};
    return ok && core_json_next(&json).kind == CORE_JSON_END;
}
