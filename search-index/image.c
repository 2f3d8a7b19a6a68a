/* See image.h. */
#include "search-index/image.h"

#include "search-index/json_path.h"

/* ---- From a change ---- */

void search_image_take(const search_binding *binding, const core_tuple *tuple,
                       search_image *image) {
    const search_plan_table *table = binding->table;
    image->count = table->column_count;
    for (size_t i = 0; i < table->column_count; i++) {
        int place = binding->places[i];
        bool is_there = place >= 0 && place < tuple->count;
        image->values[i] = is_there ? tuple->values[place] : (core_value){.kind = CORE_VALUE_NULL};
    }
}

void search_image_fill(search_image *image, const search_image *kept) {
    for (size_t i = 0; i < image->count; i++)
        if (image->values[i].kind == CORE_VALUE_UNCHANGED)
            image->values[i] = kept->values[i];
}

bool search_image_has_holes(const search_image *image) {
    for (size_t i = 0; i < image->count; i++)
        if (image->values[i].kind == CORE_VALUE_UNCHANGED)
            return true;
    return false;
}

/* ---- Kept ---- */

void search_image_write(const search_plan_table *table, const search_image *image,
                        core_buffer *out) {
    core_buffer_u64(out, table->fingerprint);
    for (size_t i = 0; i < image->count; i++) {
        const core_value *value = &image->values[i];
        core_buffer_u8(out, (uint8_t)value->kind);
        if (value->kind == CORE_VALUE_NULL || value->kind == CORE_VALUE_UNCHANGED)
            continue;
        core_buffer_u32(out, (uint32_t)value->bytes.length);
        core_buffer_slice_append(out, value->bytes);
    }
}

bool search_image_read(const search_plan_table *table, core_slice bytes, search_image *image) {
    core_cursor cursor = core_cursor_make(bytes);
    image->count = table->column_count;
    if (core_cursor_u64(&cursor) != table->fingerprint)
        return false;
    for (size_t i = 0; i < image->count; i++) {
        uint8_t kind = core_cursor_u8(&cursor);
        image->values[i] = (core_value){.kind = (core_value_kind)kind};
        if (kind > CORE_VALUE_BINARY)
            return false;
        if (kind == CORE_VALUE_TEXT || kind == CORE_VALUE_BINARY)
            image->values[i].bytes = core_cursor_bytes(&cursor, core_cursor_u32(&cursor));
    }
    return core_cursor_ok(&cursor);
}

/* ---- The id ---- */

static bool has_value(const core_value *value) {
    return value->kind == CORE_VALUE_TEXT || value->kind == CORE_VALUE_BINARY;
}

void search_key_part_append(core_slice text, size_t part, size_t parts, core_buffer *out) {
    if (part > 0)
        core_buffer_u8(out, '_');
    if (parts == 1) {
        core_buffer_slice_append(out, text);
        return;
    }
    for (size_t i = 0; i < text.length; i++) {
        uint8_t byte = text.data[i];
        if (byte == '_' || byte == '%')
            core_buffer_text(out, byte == '_' ? "%5F" : "%25");
        else
            core_buffer_u8(out, byte);
    }
}

bool search_image_key(const search_plan_table *table, const search_image *image, core_buffer *out) {
    for (size_t i = 0; i < table->key_count; i++) {
        const core_value *value = &image->values[table->key[i]];
        if (!has_value(value))
            return false;
        search_key_part_append(value->bytes, i, table->key_count, out);
    }
    return core_buffer_ok(out);
}

bool search_image_id(const search_plan *plan, const search_plan_table *table,
                     const search_image *image, core_buffer *out) {
    if (plan->own_count > 1) {
        core_buffer_slice_append(out, table->table);
        core_buffer_u8(out, ':');
    }
    return search_image_key(table, image, out);
}

/* ---- The condition ---- */

expr_verdict search_image_belongs(const search_binding *binding, const search_image *image) {
    if (binding->when_fails)
        return EXPR_VERDICT_UNDECIDED;
    if (binding->when == NULL)
        return EXPR_VERDICT_TRUE;
    const core_tuple row = {.count = binding->row_count, .values = binding->row};
    for (uint16_t i = 0; i < binding->row_count; i++)
        binding->row[i] = (core_value){.kind = CORE_VALUE_UNCHANGED};
    for (size_t i = 0; i < image->count; i++)
        if (binding->places[i] >= 0)
            binding->row[binding->places[i]] = image->values[i];
    return expr_condition_evaluate(binding->when, &row, NULL, NULL);
}

/* ---- The document ---- */

static bool is_shown(const search_image *image, const search_output *output) {
    return image->values[output->column].kind != CORE_VALUE_UNCHANGED;
}

/* How many names in front both have in common, the last one of each left out. */
static size_t common_parts(const search_output *a, const search_output *b) {
    size_t count = 0;
    while (count + 1 < a->part_count && count + 1 < b->part_count &&
           core_slice_equal(a->parts[count], b->parts[count]))
        count++;
    return count;
}

static void output_value(core_json_writer *json, const search_binding *binding,
                         const search_image *image, const search_output *output) {
    const core_value *value = &image->values[output->column];
    if (output->step_count == 0)
        core_column_value_json(json, &binding->columns[output->column], value);
    else if (!has_value(value) ||
             !search_json_path(value->bytes, output->steps, output->step_count, json))
        core_json_null(json);
}

/* The members of an object that is open; outputs of one object stand beside one another. */
static void outputs_write(core_json_writer *json, const search_binding *binding,
                          const search_image *image) {
    const search_plan_table *table = binding->table;
    const search_output *last = NULL;
    size_t depth = 0;
    for (size_t i = 0; i < table->output_count; i++) {
        const search_output *output = &table->outputs[i];
        if (!is_shown(image, output))
            continue;
        size_t common = last != NULL ? common_parts(last, output) : 0;
        for (; depth > common; depth--)
            core_json_object_close(json);
        for (; depth + 1 < output->part_count; depth++) {
            core_json_key(json, output->parts[depth]);
            core_json_object_open(json);
        }
        core_json_key(json, output->parts[output->part_count - 1]);
        output_value(json, binding, image, output);
        last = output;
    }
    for (; depth > 0; depth--)
        core_json_object_close(json);
}

void search_image_object(const search_binding *binding, const search_image *image,
                         core_buffer *out) {
    core_json_writer json = core_json_writer_make(out);
    core_json_object_open(&json);
    outputs_write(&json, binding, image);
    core_json_object_close(&json);
}

bool search_image_document(const search_binding *binding, const search_image *image, core_slice id,
                           search_related_writer *related, void *context, core_buffer *out) {
    const search_plan *plan = binding->plan;
    core_json_writer json = core_json_writer_make(out);
    core_json_object_open(&json);
    if (plan->has_id) {
        core_json_key_text(&json, SEARCH_ID_ATTRIBUTE);
        core_json_string(&json, id);
    }
    if (plan->own_count > 1) {
        core_json_key_text(&json, SEARCH_TABLE_ATTRIBUTE);
        core_json_string(&json, binding->table->table);
    }
    outputs_write(&json, binding, image);
    for (size_t i = 0; i < plan->related_count; i++) {
        core_json_key(&json, plan->related[i].name);
        if (!related(context, i, image, out))
            return false;
        json.needs_comma = true;
    }
    core_json_object_close(&json);
    return core_buffer_ok(out);
}
