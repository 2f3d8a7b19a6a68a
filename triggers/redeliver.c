/* See redeliver.h. */
#include "triggers/redeliver.h"

#include "triggers/task.h"

void triggers_redelivery_write(const triggers_redelivery *redelivery, core_buffer *out) {
    core_json_writer json = core_json_writer_make(out);
    assert((redelivery->event_id.length > 0) != (redelivery->dead != 0));
    core_json_object_open(&json);
    core_json_key_text(&json, "trigger");
    core_json_string(&json, redelivery->trigger);
    if (redelivery->dead != 0) {
        core_json_key_text(&json, "dead");
        core_json_unsigned(&json, redelivery->dead);
    } else {
        core_json_key_text(&json, "event_id");
        core_json_string(&json, redelivery->event_id);
    }
    core_json_object_close(&json);
}

/* An offset or an event's id has only such. */
static bool id_ok(core_slice id) {
    for (size_t i = 0; i < id.length; i++) {
        uint8_t byte = id.data[i];
        if (!((byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') || byte == '-' ||
              byte == '.'))
            return false;
    }
    return id.length <= TRIGGERS_EVENT_ID_MAX;
}

static bool text_read(core_json_token token, core_arena *arena, core_slice *text) {
    uint8_t memory[TRIGGERS_REDELIVER_MAX];
    core_buffer out = core_buffer_over(memory, sizeof memory);
    if (token.kind != CORE_JSON_STRING || !core_json_unescape(token.raw, &out) || out.length == 0)
        return false;
    *text = core_arena_copy(arena, core_buffer_slice(&out));
    return text->data != NULL;
}

bool triggers_redelivery_read(core_slice json, core_arena *arena, triggers_redelivery *redelivery,
                              core_error *error) {
    core_json_reader reader = core_json_reader_make(json);
    core_json_token member;
    core_slice whole;
    bool ok = core_json_next(&reader).kind == CORE_JSON_OBJECT_OPEN;
    *redelivery = (triggers_redelivery){.dead = 0};
    while (ok && core_json_member_next(&reader, &member)) {
        if (core_json_raw_is(member.key, "trigger"))
            ok = text_read(member, arena, &redelivery->trigger);
        else if (core_json_raw_is(member.key, "event_id"))
            ok = text_read(member, arena, &redelivery->event_id);
        else if (core_json_raw_is(member.key, "dead"))
            ok = member.kind == CORE_JSON_NUMBER &&
                 core_slice_to_u64(member.raw, &redelivery->dead) && redelivery->dead != 0;
        else
            ok = core_json_skip(&reader, member, &whole);
    }
    return (ok && core_json_next(&reader).kind == CORE_JSON_END &&
            triggers_name_ok(redelivery->trigger) && id_ok(redelivery->event_id) &&
            (redelivery->event_id.length > 0) != (redelivery->dead != 0)) ||
           core_error_set(error, CORE_ERROR_INPUT,
                          "not a wish for a redelivery: expected {\"trigger\", \"event_id\"} or "
                          "{\"trigger\", \"dead\"}");
}
