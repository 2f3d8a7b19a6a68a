/* See event_view.h. */
#include "triggers/event_view.h"

#include <inttypes.h>
#include <stdio.h>

void triggers_event_id(int64_t created_us, uint64_t sequence, char id[TRIGGERS_EVENT_ID_SIZE]) {
    (void)snprintf(id, TRIGGERS_EVENT_ID_SIZE, "%" PRIx64 "-%" PRIu64, (uint64_t)created_us,
                   sequence);
}

triggers_event_id_kind triggers_event_id_read(core_slice id, int64_t created_us,
                                              uint64_t *sequence) {
    const uint8_t *dash = id.length > 0 ? memchr(id.data, '-', id.length) : NULL;
    size_t epoch_length = dash != NULL ? (size_t)(dash - id.data) : 0;
    bool is_one = epoch_length > 0 && epoch_length <= 16;
    for (size_t i = 0; is_one && i < epoch_length; i++)
        is_one = core_hex_digit(id.data[i]) >= 0;
    if (!is_one ||
        !core_slice_to_u64(core_slice_make(dash + 1, id.length - epoch_length - 1), sequence))
        return TRIGGERS_EVENT_ID_NONE;
    char ours[TRIGGERS_EVENT_ID_SIZE];
    triggers_event_id(created_us, *sequence, ours);
    return core_slice_is(id, ours) ? TRIGGERS_EVENT_ID_OURS : TRIGGERS_EVENT_ID_OTHERS;
}

static bool type_told(const fanout_answer *answer, core_buffer *type) {
    core_buffer_reset(type);
    return core_subject_type_decode(fanout_answer_header(answer, "Walcast-Type"), type);
}

/* The last token, decoded; of one that was shortened what the header says, if there is one. */
static void type_write(const fanout_answer *answer, core_json_writer *json) {
    uint8_t bytes[CORE_SUBJECT_TYPE_SIZE];
    core_slice subject = answer->subject;
    core_buffer type = core_buffer_over(bytes, sizeof bytes);
    size_t from = subject.length;
    while (from > 0 && subject.data[from - 1] != '.')
        from--;
    core_slice token = core_slice_make(subject.data + from, subject.length - from);
    core_json_key_text(json, "type");
    if (core_slice_is(token, "_"))
        core_json_text(json, "");
    else if (core_subject_token_decode(token, &type))
        core_json_string(json, core_buffer_slice(&type));
    else
        core_json_string(json, type_told(answer, &type) ? core_buffer_slice(&type) : token);
}

static void data_write(core_slice payload, core_json_writer *json) {
    if (core_json_valid(payload)) {
        core_json_key_text(json, "data");
        core_json_raw(json, payload);
    } else if (core_utf8_valid(payload)) {
        core_json_key_text(json, "data");
        core_json_string(json, payload);
    } else {
        core_buffer text;
        core_buffer_init(&text, core_base64_size(payload.length));
        core_base64_encode(payload, &text);
        core_json_key_text(json, "data_base64");
        core_json_string(json, core_buffer_slice(&text));
        core_buffer_fini(&text);
    }
}

static void header_write(const fanout_answer *answer, const char *header, const char *name,
                         core_json_writer *json) {
    core_slice value = fanout_answer_header(answer, header);
    if (value.length == 0)
        return;
    core_json_key_text(json, name);
    core_json_string(json, value);
}

void triggers_event_write(const fanout_answer *answer, int64_t created_us, core_json_writer *json) {
    char id[TRIGGERS_EVENT_ID_SIZE], time[CORE_CLOCK_TEXT_SIZE];
    triggers_event_id(created_us, answer->sequence, id);
    core_json_object_open(json);
    core_json_key_text(json, "id");
    core_json_text(json, id);
    type_write(answer, json);
    core_slice told = fanout_answer_header(answer, "Walcast-Time");
    core_clock_format(answer->stored_us, time);
    core_json_key_text(json, "time");
    core_json_string(json, told.length > 0 ? told : core_slice_text(time));
    header_write(answer, "Walcast-Source", "source", json);
    header_write(answer, "Walcast-Offset", "offset", json);
    uint64_t depth;
    if (core_slice_to_u64(fanout_answer_header(answer, "Walcast-Depth"), &depth) && depth > 0) {
        core_json_key_text(json, "depth");
        core_json_unsigned(json, depth);
    }
    data_write(answer->payload, json);
    core_json_object_close(json);
}
