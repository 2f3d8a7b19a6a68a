/* See event_row.h. */
#include "triggers/event_row.h"

#include <stdio.h>
#include <time.h>

enum { TIME_TEXT_SIZE = 48 };

/* ---- data ---- */

static core_slice written_data(core_slice content, bool is_text, core_arena *arena) {
    core_buffer out;
    core_buffer_init(&out, 8 * content.length + 64); /* escaped, and twice where it grows */
    core_json_writer json = core_json_writer_make(&out);
    if (is_text) {
        core_json_string(&json, content);
    } else {
        core_buffer text;
        core_buffer_init(&text, core_base64_size(content.length));
        core_base64_encode(content, &text);
        core_json_object_open(&json);
        core_json_key_text(&json, "base64");
        core_json_string(&json, core_buffer_slice(&text));
        core_json_object_close(&json);
        core_buffer_fini(&text);
    }
    core_slice kept = core_buffer_ok(&out) ? core_arena_copy(arena, core_buffer_slice(&out))
                                           : core_slice_make(NULL, 0);
    core_buffer_fini(&out);
    return kept;
}

core_slice triggers_occurrence_data(core_slice content, core_arena *arena) {
    if (content.length == 0)
        return core_slice_text("null");
    if (core_json_valid(content))
        return content;
    return written_data(content, core_utf8_valid(content), arena);
}

/* ---- values ---- */

static core_value text_value(core_slice text) {
    return (core_value){.kind = CORE_VALUE_TEXT, .bytes = text};
}

/* As timestamptz_out writes it in UTC: of the fraction what is not zero. */
static bool time_value(int64_t time_us, core_arena *arena, core_value *value) {
    char text[TIME_TEXT_SIZE];
    struct tm parts;
    int64_t seconds = time_us / CORE_US_PER_S, rest_us = time_us % CORE_US_PER_S;
    if (rest_us < 0) {
        seconds--;
        rest_us += CORE_US_PER_S;
    }
    time_t whole = (time_t)seconds;
    if (gmtime_r(&whole, &parts) == NULL)
        return false;
    int length = snprintf(text, sizeof text, "%04d-%02d-%02d %02d:%02d:%02d.%06d",
                          parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday, parts.tm_hour,
                          parts.tm_min, parts.tm_sec, (int)rest_us);
    while (text[length - 1] == '0')
        length--;
    if (text[length - 1] == '.')
        length--;
    (void)snprintf(text + length, sizeof text - (size_t)length, "+00");
    *value = text_value(core_arena_copy(arena, core_slice_text(text)));
    return value->bytes.data != NULL;
}

static bool event_values(const triggers_occurrence *occurrence, core_arena *arena,
                         core_value *values) {
    enum { ID, TYPE, SOURCE, TIME, SUBJECT, DATA };
    values[ID] = text_value(occurrence->id);
    values[TYPE] = text_value(occurrence->type);
    if (occurrence->source.length > 0)
        values[SOURCE] = text_value(occurrence->source);
    values[SUBJECT] = text_value(occurrence->subject);
    if (occurrence->data.data != NULL)
        values[DATA] = text_value(occurrence->data);
    else
        values[DATA].kind = CORE_VALUE_UNCHANGED;
    return time_value(occurrence->time_us, arena, &values[TIME]);
}

/* ---- values of the data's members ---- */

static bool is_time(const core_column *column) {
    enum { TIMESTAMPTZ = 1184 };
    return column->type_oid == TIMESTAMPTZ;
}

static bool member_value(const core_column *column, core_slice json, core_arena *arena,
                         core_value *value) {
    char text[CORE_CLOCK_TEXT_SIZE];
    int64_t time_us;
    size_t room = core_column_text_room(json);
    void *memory = core_arena_alloc(arena, room + 1);
    if (memory == NULL)
        return false;
    core_buffer out = core_buffer_over(memory, room + 1);
    if (!core_column_text(column, json, &out, value)) {
        *value = (core_value){.kind = CORE_VALUE_NULL}; /* not one of the type */
        return true;
    }
    if (value->kind != CORE_VALUE_TEXT || !is_time(column))
        return true;
    if (core_slice_to_text(value->bytes, text, sizeof text) && core_clock_parse(text, &time_us))
        return time_value(time_us, arena, value);
    *value = (core_value){.kind = CORE_VALUE_NULL};
    return true;
}

/* What is no object has no members. */
static bool data_values(core_slice data, const core_relation *shape, core_arena *arena,
                        core_value *values) {
    core_json_reader reader = core_json_reader_make(data);
    core_json_token member;
    core_slice whole;
    if (core_json_next(&reader).kind != CORE_JSON_OBJECT_OPEN)
        return true;
    while (core_json_member_next(&reader, &member)) {
        if (!core_json_skip(&reader, member, &whole))
            return true;
        for (size_t i = 0; i < shape->column_count; i++) {
            const core_column *column = &shape->columns[i];
            if (core_json_raw_is(member.key, (const char *)column->name.data) &&
                !member_value(column, whole, arena, &values[i]))
                return false;
        }
    }
    return true;
}

/* ---- the row ---- */

bool triggers_occurrence_row(const triggers_occurrence *occurrence, triggers_on on,
                             core_arena *arena, core_change *change) {
    const core_relation *shape = triggers_shape(on);
    core_value *values = core_arena_array(arena, shape->column_count, sizeof *values);
    if (values == NULL)
        return false;
    for (size_t i = 0; i < shape->column_count; i++)
        values[i] = (core_value){.kind = CORE_VALUE_NULL};
    *change = (core_change){
        .op = CORE_OP_INSERT,
        .relation = shape,
        .transaction = {.commit_time_us = occurrence->time_us},
        .last = true,
        .new_tuple = {.count = shape->column_count, .values = values},
    };
    return on == TRIGGERS_ON_EVENT ? event_values(occurrence, arena, values)
                                   : data_values(occurrence->data, shape, arena, values);
}
