/* A definition as it is stored; see definition.h. */
#include "fanout/definition.h"

#include <stdio.h>

#define STORED_VERSION 1

static const char *const origin_names[] = {"rest", "directory", "apply"};

/* Kept beside the definition, since they change without it. */
static const char *const kept_beside[] = {"disabled", "paused", "project", NULL};

bool fanout_definition_key(const char *token, const char *project, const char *name,
                           char key[FANOUT_DEFINITION_KEY_MAX]) {
    int length = snprintf(key, FANOUT_DEFINITION_KEY_MAX, "%s.%s.%s", token, project, name);
    return length > 0 && length < FANOUT_DEFINITION_KEY_MAX && *project != '\0' && *name != '\0';
}

void fanout_definition_canonical(const core_document *document, core_buffer *out) {
    core_json_writer json = core_json_writer_make(out);
    core_node_write(core_document_root(document), kept_beside, &json);
}

bool fanout_definition_equal(const fanout_definition *a, const fanout_definition *b) {
    return core_slice_equal(a->definition, b->definition) && a->origin == b->origin &&
           core_slice_equal(a->environment, b->environment) && core_slice_equal(a->file, b->file) &&
           core_slice_equal(a->facts, b->facts) && a->disabled == b->disabled &&
           a->paused == b->paused;
}

/* ---- Writing ---- */

static void time_write(core_json_writer *json, const char *name, int64_t wall_us) {
    char text[CORE_CLOCK_TEXT_SIZE];
    core_clock_format(wall_us, text);
    core_json_key_text(json, name);
    core_json_text(json, text);
}

static void slice_write(core_json_writer *json, const char *name, core_slice text) {
    core_json_key_text(json, name);
    core_json_string(json, text);
}

static void state_write(core_json_writer *json, const fanout_definition *stored) {
    if (!stored->has_state)
        return;
    core_json_key_text(json, "disabled");
    core_json_bool(json, stored->disabled);
    core_json_key_text(json, "paused");
    core_json_bool(json, stored->paused);
    slice_write(json, "since", stored->since);
    if (stored->partitions == 0)
        return;
    core_json_key_text(json, "partitions");
    core_json_unsigned(json, stored->partitions);
}

void fanout_definition_write(const fanout_definition *stored, core_buffer *out) {
    core_json_writer json = core_json_writer_make(out);
    core_json_object_open(&json);
    core_json_key_text(&json, "version");
    core_json_unsigned(&json, STORED_VERSION);
    slice_write(&json, "project", stored->project);
    slice_write(&json, "name", stored->name);
    if (stored->environment.length > 0)
        slice_write(&json, "environment", stored->environment);
    core_json_key_text(&json, "origin");
    core_json_text(&json, origin_names[stored->origin]);
    if (stored->file.length > 0)
        slice_write(&json, "file", stored->file);
    state_write(&json, stored);
    time_write(&json, "created_at", stored->created_us);
    time_write(&json, "changed_at", stored->changed_us);
    if (stored->facts.length > 0) {
        core_json_key_text(&json, "facts");
        core_json_raw(&json, stored->facts);
    }
    core_json_key_text(&json, "definition");
    core_json_raw(&json, stored->definition);
    core_json_object_close(&json);
}

void fanout_definition_view(const fanout_definition *stored, uint64_t revision,
                            const core_problems *warnings, core_json_writer *json) {
    core_json_object_open(json);
    slice_write(json, "name", stored->name);
    slice_write(json, "project", stored->project);
    if (stored->environment.length > 0)
        slice_write(json, "environment", stored->environment);
    core_json_key_text(json, "revision");
    core_json_unsigned(json, revision);
    slice_write(json, "origin",
                core_slice_text(stored->origin == FANOUT_ORIGIN_REST ? "rest" : "file"));
    if (stored->file.length > 0)
        slice_write(json, "file", stored->file);
    state_write(json, stored);
    time_write(json, "created_at", stored->created_us);
    time_write(json, "changed_at", stored->changed_us);
    core_json_key_text(json, "definition");
    core_json_raw(json, stored->definition);
    if (warnings != NULL && warnings->count > 0) {
        core_json_key_text(json, "warnings");
        core_problems_write(warnings, json);
    }
    core_json_object_close(json);
}

/* ---- Reading ---- */

static bool text_read(core_json_token token, core_arena *arena, core_slice *text) {
    uint8_t memory[4096];
    core_buffer out = core_buffer_over(memory, sizeof memory);
    if (token.kind != CORE_JSON_STRING || !core_json_unescape(token.raw, &out))
        return false;
    *text = core_arena_copy(arena, core_buffer_slice(&out));
    return text->data != NULL;
}

static bool time_read(core_json_token token, core_arena *arena, int64_t *wall_us) {
    core_slice text;
    return text_read(token, arena, &text) && core_clock_parse((const char *)text.data, wall_us);
}

static bool bool_read(core_json_token token, bool *value) {
    *value = token.kind == CORE_JSON_TRUE;
    return token.kind == CORE_JSON_TRUE || token.kind == CORE_JSON_FALSE;
}

static bool origin_read(core_json_token token, fanout_origin *origin) {
    for (size_t i = 0; token.kind == CORE_JSON_STRING && i < CORE_COUNT_OF(origin_names); i++)
        if (core_json_raw_is(token.raw, origin_names[i])) {
            *origin = (fanout_origin)i;
            return true;
        }
    return false;
}

static bool partitions_read(core_json_token token, uint32_t *partitions) {
    uint64_t number;
    if (token.kind != CORE_JSON_NUMBER || !core_slice_to_u64(token.raw, &number) ||
        number > UINT32_MAX)
        return false;
    *partitions = (uint32_t)number;
    return true;
}

/* One member; unknown ones are passed over. */
static bool member_read(core_json_reader *reader, core_json_token member, core_arena *arena,
                        fanout_definition *stored, uint64_t *version) {
    core_slice skipped;
    const struct {
        const char *name;
        core_slice *text;
    } texts[] = {{"project", &stored->project},
                 {"name", &stored->name},
                 {"environment", &stored->environment},
                 {"file", &stored->file},
                 {"since", &stored->since}};
    for (size_t i = 0; i < CORE_COUNT_OF(texts); i++)
        if (core_json_raw_is(member.key, texts[i].name))
            return text_read(member, arena, texts[i].text);
    stored->has_state |= core_json_raw_is(member.key, "disabled");
    if (core_json_raw_is(member.key, "version"))
        return member.kind == CORE_JSON_NUMBER && core_slice_to_u64(member.raw, version);
    if (core_json_raw_is(member.key, "partitions"))
        return partitions_read(member, &stored->partitions);
    if (core_json_raw_is(member.key, "origin"))
        return origin_read(member, &stored->origin);
    if (core_json_raw_is(member.key, "disabled"))
        return bool_read(member, &stored->disabled);
    if (core_json_raw_is(member.key, "paused"))
        return bool_read(member, &stored->paused);
    if (core_json_raw_is(member.key, "created_at"))
        return time_read(member, arena, &stored->created_us);
    if (core_json_raw_is(member.key, "changed_at"))
        return time_read(member, arena, &stored->changed_us);
    if (core_json_raw_is(member.key, "facts"))
        return core_json_skip(reader, member, &stored->facts);
    bool is_definition = core_json_raw_is(member.key, "definition");
    return core_json_skip(reader, member, is_definition ? &stored->definition : &skipped);
}

bool fanout_definition_read(core_slice value, core_arena *arena, fanout_definition *stored,
                            core_error *error) {
    core_json_reader reader = core_json_envelope_reader_make(value);
    core_json_token member;
    uint64_t version = 0;
    bool ok = core_json_next(&reader).kind == CORE_JSON_OBJECT_OPEN;
    *stored = (fanout_definition){.origin = FANOUT_ORIGIN_REST};
    while (ok && core_json_member_next(&reader, &member))
        ok = member_read(&reader, member, arena, stored, &version);
    if (version > STORED_VERSION)
        return core_error_set(error, CORE_ERROR_INPUT,
                              "written by a later version of Walcast (%llu): this one cannot read "
                              "it",
                              (unsigned long long)version);
    if (ok && core_json_next(&reader).kind == CORE_JSON_END && version == STORED_VERSION &&
        stored->project.length > 0 && stored->name.length > 0 && stored->definition.length > 0)
        return true;
    return core_error_set(error, CORE_ERROR_INPUT, "not a stored definition");
}
