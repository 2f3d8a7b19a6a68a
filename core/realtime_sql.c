/* A broadcast from SQL; see realtime_message.h. Anybody who may run SQL can write such a message,
 * so it is read as what comes from outside. */
#include "core/json.h"
#include "core/realtime_message.h"

static bool sql_refuse(core_error *error, const char *text) {
    return core_error_set(error, CORE_ERROR_INPUT, "a logical message %s: %s", CORE_REALTIME_PREFIX,
                          text);
}

/* A string member, its escapes undone into `texts`, which does not move: it was reserved whole. */
static bool sql_text(core_json_token token, core_buffer *texts, core_slice *text) {
    const uint8_t *start = texts->data + texts->length;
    if (token.kind != CORE_JSON_STRING || !core_json_unescape(token.raw, texts))
        return false;
    *text = core_slice_make(start, (size_t)(texts->data + texts->length - start));
    return true;
}

static bool sql_member(core_json_reader *json, core_json_token member, core_buffer *texts,
                       core_realtime_message *message) {
    core_slice whole;
    if (core_json_raw_is(member.key, "topic") && !sql_text(member, texts, &message->channel))
        return false;
    if (core_json_raw_is(member.key, "event") && !sql_text(member, texts, &message->event))
        return false;
    if (core_json_raw_is(member.key, "project") && !sql_text(member, texts, &message->project))
        return false;
    if (core_json_raw_is(member.key, "schema") && !sql_text(member, texts, &message->schema))
        return false;
    if (core_json_raw_is(member.key, "private"))
        message->is_private = core_json_is_true(member);
    if (core_json_raw_is(member.key, "id") &&
        (member.kind != CORE_JSON_STRING ||
         !core_slice_to_text(member.raw, message->id, sizeof message->id)))
        return false;
    if (!core_json_skip(json, member, &whole))
        return false;
    if (core_json_raw_is(member.key, "payload"))
        message->payload = whole;
    return true;
}

bool core_realtime_message_from_sql(core_slice content, core_buffer *texts,
                                    core_realtime_message *message, core_error *error) {
    core_json_reader json = core_json_reader_make(content);
    core_json_token member;
    *message = (core_realtime_message){.payload = core_slice_text("{}"),
                                       .encoding = CORE_REALTIME_JSON,
                                       .origin = CORE_REALTIME_DATABASE};
    core_buffer_reset(texts);
    if (core_buffer_reserve(texts, content.length + 1) == NULL)
        return core_error_set(error, CORE_ERROR_INTERNAL, "out of memory");
    if (!core_json_valid(content) || core_json_next(&json).kind != CORE_JSON_OBJECT_OPEN)
        return sql_refuse(error, "its content is not a JSON object in UTF-8");
    while (core_json_member_next(&json, &member))
        if (!sql_member(&json, member, texts, message))
            return sql_refuse(error, "id, topic, event, project and schema must be strings");
    if (message->channel.length == 0 || message->channel.length > CORE_REALTIME_CHANNEL_MAX ||
        message->event.length > CORE_REALTIME_EVENT_MAX)
        return sql_refuse(error, "topic must have 1 to 1024 bytes, event at most 255");
    return true;
}

core_slice core_realtime_message_tenant(const core_realtime_message *message,
                                        const core_tenants *tenants) {
    char home[CORE_TENANT_SCHEMA_SIZE];
    core_slice tenant = core_tenants_project(tenants, message->schema);
    if (tenant.length == 0 && core_tenants_home(tenants, message->project, home))
        tenant = message->project;
    return tenant;
}
