/* See heard.h. */
#include "triggers/heard.h"

/* ---- from the message ---- */

static int64_t time_of(const fanout_message *message) {
    char text[CORE_CLOCK_TEXT_SIZE];
    int64_t time_us;
    core_slice told = fanout_message_header(message, "Walcast-Time");
    bool is_told = told.length > 0 && core_slice_to_text(told, text, sizeof text) &&
                   core_clock_parse(text, &time_us);
    return is_told ? time_us : message->stored_us;
}

static uint16_t depth_of(const fanout_message *message) {
    uint64_t depth = 0;
    if (!core_slice_to_u64(fanout_message_header(message, "Walcast-Depth"), &depth))
        return 0;
    return (uint16_t)(depth < CORE_CHAIN_DEPTH_MAX ? depth : CORE_CHAIN_DEPTH_MAX);
}

triggers_heard triggers_heard_of(const fanout_message *message) {
    return (triggers_heard){
        .subject = core_slice_text(message->subject),
        .source = fanout_message_header(message, "Walcast-Source"),
        .offset = fanout_message_header(message, "Walcast-Offset"),
        .type = fanout_message_header(message, "Walcast-Type"),
        .time_us = time_of(message),
        .depth = depth_of(message),
        .is_cut = fanout_message_header(message, "Walcast-Too-Large").length > 0,
        .payload = message->payload,
    };
}

/* ---- as bytes ---- */

static void text_write(core_buffer *out, core_slice text) {
    core_slice kept =
        core_slice_make(text.data, text.length < UINT16_MAX ? text.length : UINT16_MAX);
    core_buffer_u16(out, (uint16_t)kept.length);
    core_buffer_slice_append(out, kept);
}

void triggers_heard_write(const triggers_heard *heard, core_buffer *out) {
    core_buffer_u64(out, (uint64_t)heard->time_us);
    core_buffer_u16(out, heard->depth);
    core_buffer_u8(out, heard->is_cut);
    text_write(out, heard->subject);
    text_write(out, heard->source);
    text_write(out, heard->offset);
    text_write(out, heard->type);
    core_buffer_slice_append(out, heard->payload);
}

bool triggers_heard_read(core_slice bytes, triggers_heard *heard, core_error *error) {
    core_cursor cursor = core_cursor_make(bytes);
    *heard = (triggers_heard){.time_us = (int64_t)core_cursor_u64(&cursor)};
    heard->depth = core_cursor_u16(&cursor);
    heard->is_cut = core_cursor_u8(&cursor) != 0;
    heard->subject = core_cursor_bytes(&cursor, core_cursor_u16(&cursor));
    heard->source = core_cursor_bytes(&cursor, core_cursor_u16(&cursor));
    heard->offset = core_cursor_bytes(&cursor, core_cursor_u16(&cursor));
    heard->type = core_cursor_bytes(&cursor, core_cursor_u16(&cursor));
    heard->payload = core_cursor_rest(&cursor);
    return core_cursor_ok(&cursor) || core_error_set(error, CORE_ERROR_INPUT, "not an event");
}

/* ---- names ---- */

static core_slice token_last(core_slice *subject) {
    size_t from = subject->length;
    while (from > 0 && subject->data[from - 1] != '.')
        from--;
    core_slice token = core_slice_make(subject->data + from, subject->length - from);
    *subject = core_slice_make(subject->data, from > 0 ? from - 1 : 0);
    return token;
}

/* The header counts only where the token is shortened: it renames no other type. */
static void name_append(core_buffer *out, core_slice token, core_slice told) {
    size_t before = out->length;
    bool is_whole = core_slice_is(token, "_") || core_subject_token_decode(token, out);
    if (!is_whole)
        out->length = before;
    if (!is_whole && !core_subject_type_decode(told, out)) {
        out->length = before;
        core_buffer_slice_append(out, token);
    }
}

bool triggers_heard_names(const triggers_heard *heard, core_buffer *project, core_buffer *type) {
    core_slice subject = heard->subject;
    core_slice type_token = token_last(&subject), project_token = token_last(&subject);
    if (type_token.length == 0 || project_token.length == 0 || subject.length == 0)
        return false;
    name_append(project, project_token, core_slice_make(NULL, 0));
    name_append(type, type_token, heard->type);
    return core_buffer_ok(project) && core_buffer_ok(type);
}
