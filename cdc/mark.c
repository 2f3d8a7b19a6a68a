/* See mark.h. {"epoch":"...","marks":[[sequence,xid],...]} */
#include "cdc/mark.h"

#include <stdio.h>

void cdc_marks_add(cdc_marks *marks, const char *epoch, const cdc_mark *mark) {
    if (strcmp(marks->epoch, epoch) != 0) {
        *marks = (cdc_marks){0};
        (void)snprintf(marks->epoch, sizeof marks->epoch, "%s", epoch);
    }
    if (marks->count > 0 && marks->marks[marks->count - 1].sequence >= mark->sequence)
        return;
    if (marks->count == CDC_MARKS_MAX) {
        for (size_t i = 0; i < CDC_MARKS_MAX / 2; i++)
            marks->marks[i] = marks->marks[2 * i];
        marks->count = CDC_MARKS_MAX / 2;
    }
    marks->marks[marks->count++] = *mark;
}

const cdc_mark *cdc_marks_find(const cdc_marks *marks, const char *epoch, uint64_t first_sequence) {
    if (strcmp(marks->epoch, epoch) != 0)
        return NULL;
    for (size_t i = 0; i < marks->count; i++)
        if (marks->marks[i].sequence + 1 >= first_sequence)
            return &marks->marks[i];
    return NULL;
}

void cdc_marks_encode(const cdc_marks *marks, core_buffer *out) {
    core_json_writer json = core_json_writer_make(out);
    core_json_object_open(&json);
    core_json_key_text(&json, "epoch");
    core_json_text(&json, marks->epoch);
    core_json_key_text(&json, "marks");
    core_json_array_open(&json);
    for (size_t i = 0; i < marks->count; i++) {
        core_json_array_open(&json);
        core_json_unsigned(&json, marks->marks[i].sequence);
        core_json_unsigned(&json, marks->marks[i].xid);
        core_json_array_close(&json);
    }
    core_json_array_close(&json);
    core_json_object_close(&json);
}

/* [sequence,xid], its bracket taken. */
static bool mark_read(core_json_reader *reader, cdc_mark *mark) {
    return core_slice_to_u64(core_json_next(reader).raw, &mark->sequence) &&
           core_slice_to_u64(core_json_next(reader).raw, &mark->xid) &&
           core_json_next(reader).kind == CORE_JSON_ARRAY_CLOSE;
}

static bool marks_read(core_json_reader *reader, cdc_marks *marks) {
    for (;;) {
        core_json_token token = core_json_next(reader);
        if (token.kind == CORE_JSON_ARRAY_CLOSE)
            return true;
        if (token.kind != CORE_JSON_ARRAY_OPEN || marks->count == CDC_MARKS_MAX ||
            !mark_read(reader, &marks->marks[marks->count]) ||
            (marks->count > 0 &&
             marks->marks[marks->count].sequence <= marks->marks[marks->count - 1].sequence))
            return false;
        marks->count++;
    }
}

static bool member_read(core_json_reader *reader, core_json_token token, cdc_marks *marks) {
    core_slice whole;
    if (core_json_raw_is(token.key, "epoch"))
        return core_slice_to_text(token.raw, marks->epoch, sizeof marks->epoch);
    if (core_json_raw_is(token.key, "marks") && token.kind == CORE_JSON_ARRAY_OPEN)
        return marks_read(reader, marks);
    return core_json_skip(reader, token, &whole);
}

bool cdc_marks_decode(core_slice json, cdc_marks *marks, core_error *error) {
    core_json_reader reader = core_json_reader_make(json);
    *marks = (cdc_marks){0};
    core_json_token token;
    bool ok = core_json_next(&reader).kind == CORE_JSON_OBJECT_OPEN;
    while (ok && core_json_member_next(&reader, &token))
        ok = member_read(&reader, token, marks);
    ok = ok && core_json_next(&reader).kind == CORE_JSON_END && marks->epoch[0] != '\0';
    return ok || core_error_set(error, CORE_ERROR_INPUT, "the marks of %zu bytes are not Walcast's",
                                json.length);
}
