/* See arguments.h. An argument is a byte of its kind, and a text behind its length. */
#include "triggers/arguments.h"

#include "triggers/body.h"

#include <inttypes.h>
#include <stdio.h>

/* ---- Parameters ---- */

static void text_write(core_buffer *out, core_slice text) {
    core_buffer_u8(out, TRIGGERS_ARGUMENT_TEXT);
    core_buffer_u32(out, (uint32_t)text.length);
    core_buffer_slice_append(out, text);
}

static bool column_write(const triggers_rule_value *which, const triggers_images *images,
                         core_buffer *out) {
    const core_value *value = triggers_images_value(images, which);
    if (value == NULL)
        return false;
    if (value->kind == CORE_VALUE_NULL)
        core_buffer_u8(out, TRIGGERS_ARGUMENT_NULL);
    else
        text_write(out, value->bytes);
    return true;
}

/* False: a value did not come. */
static bool parameters_write(const triggers_rule *rule, const triggers_images *images,
                             core_buffer *out) {
    static const triggers_argument_kind kinds[] = {
        [TRIGGERS_VALUE_DATA] = TRIGGERS_ARGUMENT_DATA,
        [TRIGGERS_VALUE_TYPE] = TRIGGERS_ARGUMENT_TYPE,
        [TRIGGERS_VALUE_TIME] = TRIGGERS_ARGUMENT_TIME,
        [TRIGGERS_VALUE_OFFSET] = TRIGGERS_ARGUMENT_OFFSET,
        [TRIGGERS_VALUE_ID] = TRIGGERS_ARGUMENT_ID,
    };
    const triggers_sql *sql = &rule->definition->sql;
    const triggers_rule_value *next = rule->arguments;
    for (size_t i = 0; i < sql->parameter_count; i++) {
        triggers_value_of of = sql->parameters[i].of;
        if (of != TRIGGERS_VALUE_NEW && of != TRIGGERS_VALUE_OLD)
            core_buffer_u8(out, (uint8_t)kinds[of]);
        else if (!column_write(next++, images, out))
            return false;
    }
    return true;
}

/* ---- Keys ---- */

/* A long one is its beginning and a hash of it all: equal keys stay equal, others differ. */
static void key_cut(core_buffer *out, size_t start) {
    char hash[20];
    core_slice key = core_slice_make(out->data + start, out->length - start);
    if (!core_buffer_ok(out) || key.length <= TRIGGERS_ARGUMENT_KEY_MAX)
        return;
    int length = snprintf(hash, sizeof hash, "~%016" PRIx64, core_slice_hash(key));
    out->length = start + TRIGGERS_ARGUMENT_KEY_MAX - (size_t)length;
    while (out->length > start && (out->data[out->length] & 0xc0) == 0x80)
        out->length--; /* not within a character */
    core_buffer_text(out, hash);
}

static void key_text(core_buffer *out, const core_change *change, const triggers_rule_value *which,
                     const core_value *const *values, size_t count) {
    core_json_writer json = core_json_writer_make(out);
    if (count == 1) {
        core_buffer_slice_append(out, values[0]->bytes);
        return;
    }
    core_json_array_open(&json);
    for (size_t i = 0; i < count; i++)
        core_column_value_json(&json, &change->relation->columns[which[i].column], values[i]);
    core_json_array_close(&json);
}

/* Of `count` columns. False: a value did not come. */
static bool key_write(const triggers_rule_value *which, size_t count, const core_change *change,
                      const triggers_images *images, core_buffer *out) {
    const core_value *values[TRIGGERS_KEYED_MAX];
    bool is_null = count == 0;
    assert(count <= TRIGGERS_KEYED_MAX);
    for (size_t i = 0; i < count; i++) {
        values[i] = triggers_keyed_value(&which[i], change, images);
        if (values[i] == NULL)
            return false;
        is_null = is_null || values[i]->kind == CORE_VALUE_NULL;
    }
    if (is_null) {
        core_buffer_u8(out, TRIGGERS_ARGUMENT_NULL);
        return true;
    }
    core_buffer_u8(out, TRIGGERS_ARGUMENT_TEXT);
    core_buffer_u32(out, 0);
    size_t start = out->length;
    key_text(out, change, which, values, count);
    key_cut(out, start);
    uint32_t length = htobe32((uint32_t)(out->length - start));
    if (core_buffer_ok(out))
        memcpy(out->data + start - sizeof length, &length, sizeof length);
    return true;
}

/* ---- Written ---- */

bool triggers_arguments_write(const triggers_rule *rule, const core_change *change,
                              const triggers_images *images, core_buffer *out, bool *missing) {
    const triggers_definition *definition = rule->definition;
    const triggers_rule_value *which = rule->arguments;
    bool ok = true;
    switch (definition->action) {
    case TRIGGERS_DO_SQL:
        ok = parameters_write(rule, images, out);
        break;
    case TRIGGERS_DO_JOB:
        ok = key_write(which, definition->job.unique_count, change, images, out) &&
             key_write(which + definition->job.unique_count, definition->job.serial_count, change,
                       images, out);
        break;
    case TRIGGERS_DO_WORKFLOW:
        ok = key_write(which, definition->workflow.run_count, change, images, out);
        break;
    case TRIGGERS_DO_WEBHOOK:
    case TRIGGERS_DO_NATS:
    case TRIGGERS_DO_BROADCAST:
        break;
    }
    *missing = !ok;
    return ok && core_buffer_ok(out);
}

/* ---- Read ---- */

bool triggers_argument_read(core_cursor *cursor, triggers_argument *argument) {
    *argument = (triggers_argument){0};
    if (core_cursor_left(cursor) == 0)
        return false;
    uint8_t kind = core_cursor_u8(cursor);
    if (kind < TRIGGERS_ARGUMENT_NULL || kind > TRIGGERS_ARGUMENT_ID)
        core_cursor_fail(cursor);
    argument->kind = (triggers_argument_kind)kind;
    if (kind == TRIGGERS_ARGUMENT_TEXT)
        argument->text = core_cursor_bytes(cursor, core_cursor_u32(cursor));
    return core_cursor_ok(cursor);
}
