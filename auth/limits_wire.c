/* See limits_wire.h. The head's members come before the projects, so that a row is read knowing
 * them; members that are not known are passed over. */
#include "auth/limits_wire.h"

#define WIRE_VERSION 1
#define ROW_NUMBERS  (2 * AUTH_QUOTA_KINDS)

/* ---- Writing ---- */

static bool row_write(core_json_writer *json, const auth_project *project,
                      const auth_quota_rule *rule, int64_t wall_ms) {
    auth_quota_claim claims[AUTH_QUOTA_KINDS];
    bool any = false;
    for (size_t kind = 0; kind < AUTH_QUOTA_KINDS; kind++) {
        claims[kind] = auth_quota_tell(&project->quotas[kind], rule, wall_ms);
        any = any || claims[kind].claim > 0 || claims[kind].before > 0;
    }
    if (!any)
        return false;
    core_json_key_text(json, project->name);
    core_json_array_open(json);
    for (size_t kind = 0; kind < AUTH_QUOTA_KINDS; kind++) {
        core_json_unsigned(json, claims[kind].claim);
        core_json_unsigned(json, claims[kind].before);
    }
    core_json_array_close(json);
    return true;
}

size_t auth_limits_write(core_buffer *out, const auth_quota_table *table, size_t first,
                         const auth_quota_rule *rule, int64_t wall_ms) {
    size_t told = 0, count = atomic_load(&table->count);
    core_json_writer json = core_json_writer_make(out);
    core_json_object_open(&json);
    core_json_key_text(&json, "v");
    core_json_unsigned(&json, WIRE_VERSION);
    core_json_key_text(&json, "window_ms");
    core_json_signed(&json, rule->window_ms);
    core_json_key_text(&json, "window");
    core_json_signed(&json, wall_ms / rule->window_ms);
    core_json_key_text(&json, "projects");
    core_json_object_open(&json);
    for (size_t i = first; i < count && i < first + AUTH_LIMITS_PART; i++)
        told += row_write(&json, auth_quota_table_at(table, i), rule, wall_ms) ? 1 : 0;
    core_json_object_close(&json);
    core_json_object_close(&json);
    return told;
}

/* ---- Reading ---- */

static bool number_read(core_json_token token, uint64_t max, uint64_t *number) {
    return token.kind == CORE_JSON_NUMBER && core_slice_to_u64(token.raw, number) && *number <= max;
}

static bool row_read(core_json_reader *json, core_json_token member, auth_limits_row *row) {
    uint64_t numbers[ROW_NUMBERS];
    if (member.kind != CORE_JSON_ARRAY_OPEN)
        return false;
    for (size_t i = 0; i < ROW_NUMBERS; i++)
        if (!number_read(core_json_next(json), UINT32_MAX, &numbers[i]))
            return false;
    for (size_t kind = 0; kind < AUTH_QUOTA_KINDS; kind++) {
        row->claims[kind] = (uint32_t)numbers[2 * kind];
        row->before[kind] = (uint32_t)numbers[2 * kind + 1];
    }
    return core_json_next(json).kind == CORE_JSON_ARRAY_CLOSE;
}

static bool rows_read(core_json_reader *json, auth_limits_row_handler handler, void *context) {
    core_json_token member;
    size_t rows = 0;
    uint8_t memory[AUTH_PROJECT_MAX];
    while (core_json_member_next(json, &member)) {
        auth_limits_row row;
        core_buffer name = core_buffer_over(memory, sizeof memory);
        bool named = core_json_unescape(member.key, &name) && core_buffer_ok(&name);
        if (rows++ >= AUTH_LIMITS_PART || !row_read(json, member, &row))
            return false;
        row.project = core_buffer_slice(&name);
        if (named)
            handler(context, &row);
    }
    return true;
}

static bool member_read(core_json_reader *json, core_json_token member, auth_limits_head *head,
                        auth_limits_row_handler handler, void *context) {
    core_slice whole;
    uint64_t number;
    if (core_json_raw_is(member.key, "v"))
        return number_read(member, WIRE_VERSION, &number) && number == WIRE_VERSION;
    if (core_json_raw_is(member.key, "window"))
        return number_read(member, UINT32_MAX, &head->window);
    if (core_json_raw_is(member.key, "window_ms")) {
        if (!number_read(member, INT32_MAX, &number))
            return false;
        head->window_ms = (int64_t)number;
        return true;
    }
    if (core_json_raw_is(member.key, "projects"))
        return member.kind == CORE_JSON_OBJECT_OPEN && head->window_ms > 0 && head->window > 0 &&
               rows_read(json, handler, context);
    return core_json_skip(json, member, &whole);
}

bool auth_limits_read(core_slice value, auth_limits_head *head, auth_limits_row_handler handler,
                      void *context) {
    core_json_reader json = core_json_reader_make(value);
    core_json_token member;
    *head = (auth_limits_head){0};
    if (value.length > AUTH_LIMITS_VALUE_MAX || core_json_next(&json).kind != CORE_JSON_OBJECT_OPEN)
        return false;
    while (core_json_member_next(&json, &member))
        if (!member_read(&json, member, head, handler, context))
            return false;
    return core_json_next(&json).kind == CORE_JSON_END && head->window > 0;
}
