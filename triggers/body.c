/* See body.h. */
#include "triggers/body.h"

/* ---- data ---- */

static void value_json(core_json_writer *json, const core_change *change,
                       const triggers_rule_value *which, const core_value *value) {
    core_column_value_json(json, &change->relation->columns[which->column], value);
}

/* {"name": value, ...}; false when one was left out. */
static bool selected_json(core_json_writer *json, const triggers_rule *rule,
                          const core_change *change, const triggers_images *images) {
    bool is_whole = true;
    core_json_object_open(json);
    for (size_t i = 0; i < rule->selected_count; i++) {
        const core_value *value = triggers_images_value(images, &rule->selected[i]);
        is_whole = is_whole && value != NULL;
        if (value == NULL)
            continue;
        core_json_key(json, rule->selected[i].name);
        value_json(json, change, &rule->selected[i], value);
    }
    core_json_object_close(json);
    return is_whole;
}

static void selected_unchanged(core_json_writer *json, const triggers_rule *rule,
                               const triggers_images *images) {
    core_json_key_text(json, "unchanged");
    core_json_array_open(json);
    for (size_t i = 0; i < rule->selected_count; i++)
        if (triggers_images_value(images, &rule->selected[i]) == NULL)
            core_json_string(json, rule->selected[i].name);
    core_json_array_close(json);
}

/* Both rows as the stream tells them: an old one that is only the key has only those columns. */
static void images_json(core_json_writer *json, const core_change *change,
                        const triggers_images *images) {
    bool has_old = change->old_kind != CORE_OLD_NONE &&
                   (change->op == CORE_OP_UPDATE || change->op == CORE_OP_DELETE);
    core_json_object_open(json);
    core_json_key_text(json, "new");
    if (images->new_tuple != NULL)
        core_tuple_json(json, change->relation, images->new_tuple, false);
    else
        core_json_null(json);
    core_json_key_text(json, "old");
    if (has_old)
        core_tuple_json(json, change->relation, &change->old_tuple,
                        change->old_kind == CORE_OLD_KEY);
    else
        core_json_null(json);
    core_json_object_close(json);
}

/* Of what is no table's: an event's data, which may not have come; else the whole row. */
static void own_json(core_json_writer *json, const triggers_rule *rule, const core_change *change,
                     const triggers_images *images) {
    uint16_t last = (uint16_t)(change->relation->column_count - 1);
    const triggers_rule_value data = {.column = last};
    if (rule->definition->on != TRIGGERS_ON_EVENT) {
        core_tuple_json(json, change->relation, images->new_tuple, false);
        return;
    }
    const core_value *value = triggers_images_value(images, &data);
    if (value != NULL)
        value_json(json, change, &data, value);
    else
        core_json_null(json);
}

/* ---- Templates ---- */

/* What begins at `start` is a JSON string: takes its quotes away. */
static void quotes_drop(core_buffer *out, size_t start) {
    if (!core_buffer_ok(out))
        return;
    memmove(out->data + start, out->data + start + 1, out->length - start - 2);
    out->length -= 2;
}

/* As it stands in a JSON string. */
static void text_escaped(core_buffer *out, core_slice text) {
    size_t start = out->length;
    core_json_writer json = core_json_writer_make(out);
    core_json_string(&json, text);
    quotes_drop(out, start);
}

/* A value in a JSON string: what its JSON is, without quotes; documents and arrays are PostgreSQL's
 * text. */
static void value_text(core_buffer *out, const core_change *change,
                       const triggers_rule_value *which, const core_value *value) {
    core_json_writer json = core_json_writer_make(out);
    size_t start = out->length;
    if (value->kind == CORE_VALUE_NULL)
        return;
    value_json(&json, change, which, value);
    if (!core_buffer_ok(out) || out->length == start)
        return;
    if (out->data[start] == '"') {
        quotes_drop(out, start);
    } else if (out->data[start] == '{' || out->data[start] == '[') {
        out->length = start;
        text_escaped(out, value->bytes);
    }
}

/* False when a value did not come. */
static bool part_write(const triggers_rule *rule, const triggers_template_part *part,
                       const core_change *change, const triggers_images *images, core_buffer *out) {
    if (rule->template_is_json)
        core_buffer_slice_append(out, part->text);
    else
        text_escaped(out, part->text);
    if (!part->has_value)
        return true;
    const core_value *value = triggers_images_value(images, &part->value);
    if (value == NULL)
        return false;
    core_json_writer json = core_json_writer_make(out);
    if (part->in_string)
        value_text(out, change, &part->value, value);
    else
        value_json(&json, change, &part->value, value);
    return true;
}

static bool template_write(const triggers_rule *rule, const core_change *change,
                           const triggers_images *images, core_buffer *out) {
    if (!rule->template_is_json)
        core_buffer_u8(out, '"');
    for (size_t i = 0; i < rule->part_count; i++)
        if (!part_write(rule, &rule->parts[i], change, images, out))
            return false;
    if (!rule->template_is_json)
        core_buffer_u8(out, '"');
    return true;
}

/* ---- The body ---- */

/* Small letters of an operation. */
static void op_append(core_buffer *out, core_op op) {
    const char *name = core_op_name(op);
    for (size_t i = 0; name != NULL && name[i] != '\0'; i++)
        core_buffer_u8(out, (uint8_t)(name[i] | 0x20));
}

static void type_json(core_json_writer *json, const triggers_rule *rule, const core_change *change,
                      core_slice type) {
    uint8_t memory[3 * TRIGGERS_IDENTIFIER_MAX];
    core_buffer text = core_buffer_over(memory, sizeof memory);
    if (type.length == 0) {
        core_buffer_slice_append(&text, rule->definition->schema);
        core_buffer_text(&text, ".");
        core_buffer_slice_append(&text, rule->definition->table);
        core_buffer_text(&text, ".");
        op_append(&text, change->op);
        type = core_buffer_slice(&text);
    }
    core_json_key_text(json, "type");
    core_json_string(json, type);
}

/* False: the template could not be filled. */
static bool data_json(core_json_writer *json, const triggers_rule *rule, const core_change *change,
                      const triggers_images *images) {
    core_json_key_text(json, "data");
    if (rule->part_count > 0) {
        bool ok = template_write(rule, change, images, json->out);
        json->needs_comma = true;
        return ok;
    }
    if (rule->selected_count == 0 && rule->definition->on != TRIGGERS_ON_TABLE)
        own_json(json, rule, change, images);
    else if (rule->selected_count == 0)
        images_json(json, change, images);
    else if (!selected_json(json, rule, change, images))
        selected_unchanged(json, rule, images);
    if (rule->selected_count == 0 && images->new_tuple != NULL)
        core_tuple_marks_json(json, change->relation, images->new_tuple);
    return true;
}

bool triggers_body_write(const triggers_rule *rule, const core_change *change,
                         const triggers_images *images, const triggers_body_facts *facts,
                         core_buffer *out, bool *missing) {
    char timestamp[CORE_CLOCK_TEXT_SIZE];
    core_json_writer json = core_json_writer_make(out);
    core_clock_format(facts->time_us, timestamp);
    core_json_object_open(&json);
    type_json(&json, rule, change, facts->type);
    core_json_key_text(&json, "timestamp");
    core_json_text(&json, timestamp);
    *missing = !data_json(&json, rule, change, images);
    core_json_key_text(&json, "offset");
    core_json_string(&json, facts->offset);
    core_json_object_close(&json);
    return core_buffer_ok(out) && !*missing;
}

/* ---- The key ---- */

const core_value *triggers_keyed_value(const triggers_rule_value *which, const core_change *change,
                                       const triggers_images *images) {
    triggers_rule_value old = *which;
    old.is_old = old.is_old || change->op == CORE_OP_DELETE;
    return triggers_images_value(images, &old);
}

bool triggers_key_write(const triggers_rule *rule, const core_change *change,
                        const triggers_images *images, core_buffer *out, bool *missing) {
    core_json_writer json = core_json_writer_make(out);
    *missing = false;
    if (rule->keyed_count == 0 || change->op == CORE_OP_TRUNCATE)
        return core_buffer_ok(out);
    if (rule->keyed_count > 1)
        core_json_array_open(&json);
    for (size_t i = 0; i < rule->keyed_count && !*missing; i++) {
        const core_value *value = triggers_keyed_value(&rule->keyed[i], change, images);
        *missing = value == NULL;
        if (value != NULL)
            value_json(&json, change, &rule->keyed[i], value);
    }
    if (rule->keyed_count > 1)
        core_json_array_close(&json);
    return core_buffer_ok(out) && !*missing;
}
