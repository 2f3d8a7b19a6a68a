/* An event as GET /events/v1 shows it, read back; see event_row.h. */
#include "triggers/event_row.h"

typedef struct {
    core_arena *arena;
    triggers_occurrence *out;
} occurrence_reader;

static bool text_read(const occurrence_reader *reader, core_json_token token, core_slice *text) {
    void *memory = core_arena_alloc(reader->arena, token.raw.length + 1);
    if (token.kind != CORE_JSON_STRING || memory == NULL)
        return false;
    core_buffer out = core_buffer_over(memory, token.raw.length + 1);
    *text = core_slice_make(memory, 0);
    if (!core_json_unescape(token.raw, &out))
        return false;
    text->length = out.length;
    return true;
}

static bool time_read(const occurrence_reader *reader, core_json_token token, int64_t *time_us) {
    core_slice text;
    char time[CORE_CLOCK_TEXT_SIZE];
    return text_read(reader, token, &text) && core_slice_to_text(text, time, sizeof time) &&
           core_clock_parse(time, time_us);
}

/* Bytes that are no text. */
static bool bytes_read(const occurrence_reader *reader, core_json_token token, core_slice *data) {
    core_slice text;
    if (!text_read(reader, token, &text))
        return false;
    void *memory = core_arena_alloc(reader->arena, text.length + 1);
    if (memory == NULL)
        return false;
    core_buffer content = core_buffer_over(memory, text.length + 1);
    if (!core_base64_decode(text, &content))
        return false;
    *data = triggers_occurrence_data(core_buffer_slice(&content), reader->arena);
    return data->data != NULL;
}

static bool member_read(const occurrence_reader *reader, core_json_reader *json,
                        core_json_token member) {
    triggers_occurrence *out = reader->out;
    core_slice passed;
    const struct {
        const char *name;
        core_slice *to;
    } texts[] = {{"id", &out->id},
                 {"type", &out->type},
                 {"source", &out->source},
                 {"subject", &out->subject}};
    for (size_t i = 0; i < CORE_COUNT_OF(texts); i++)
        if (core_json_raw_is(member.key, texts[i].name))
            return text_read(reader, member, texts[i].to);
    if (core_json_raw_is(member.key, "time"))
        return time_read(reader, member, &out->time_us);
    if (core_json_raw_is(member.key, "data"))
        return core_json_skip(json, member, &out->data);
    if (core_json_raw_is(member.key, "data_base64"))
        return bytes_read(reader, member, &out->data);
    return core_json_skip(json, member, &passed);
}

bool triggers_occurrence_read(core_slice json, int64_t now_us, core_arena *arena,
                              triggers_occurrence *occurrence, core_error *error) {
    *occurrence = (triggers_occurrence){
        .id = core_slice_text("0-0"), .time_us = now_us, .data = core_slice_text("null")};
    const occurrence_reader reader = {.arena = arena, .out = occurrence};
    core_json_reader it = core_json_reader_make(json);
    core_json_token member;
    bool ok = core_json_next(&it).kind == CORE_JSON_OBJECT_OPEN;
    while (ok && core_json_member_next(&it, &member))
        ok = member_read(&reader, &it, member);
    return (ok && core_json_next(&it).kind == CORE_JSON_END && occurrence->type.length > 0) ||
           core_error_set(error, CORE_ERROR_INPUT,
                          "the event: expected a JSON object as GET /events/v1 shows it, such as "
                          "{\"type\": \"order.paid\", \"data\": {}}");
}
