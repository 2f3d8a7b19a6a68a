/* See verify_tell.h. A value that was cut is a string that ends in "...", whatever its type. */
#include "cdc/verify_tell.h"

enum { TELL_BYTES_MAX = 1 << 20 };

static void value_tell(core_json_writer *json, const core_column *column, const core_value *value,
                       bool cut) {
    if (!cut) {
        core_column_value_json(json, column, value);
        return;
    }
    core_buffer text;
    core_buffer_init(&text, 2 * CDC_VERIFY_SHOWN_MAX);
    core_buffer_slice_append(&text, value->bytes);
    core_buffer_text(&text, "...");
    core_json_string(json, core_buffer_slice(&text));
    core_buffer_fini(&text);
}

/* A text that had no room for all columns has the first ones. */
static void key_tell(const cdc_verify_shape *shape, core_slice text, core_buffer *out) {
    core_json_writer json = core_json_writer_make(out);
    core_cursor cursor = core_cursor_make(text);
    core_json_object_open(&json);
    for (size_t i = 0; i < shape->column_count; i++) {
        core_value value;
        bool cut = false;
        if (shape->key_count > 0 && !shape->columns[i].key)
            continue;
        if (!cdc_verify_text_next(&cursor, &value, &cut))
            break;
        core_json_key(&json, shape->columns[i].name);
        value_tell(&json, &shape->columns[i], &value, cut);
    }
    core_json_object_close(&json);
}

static void columns_tell(const cdc_verify_shape *shape, const cdc_verify_value *table,
                         const cdc_verify_value *stream, core_buffer *out) {
    core_json_writer json = core_json_writer_make(out);
    core_json_array_open(&json);
    for (size_t i = 0; i < shape->column_count; i++)
        if (cdc_verify_value_differs(&table[i], &stream[i]))
            core_json_string(&json, shape->columns[i].name);
    core_json_array_close(&json);
}

void cdc_verify_tell(const cdc_verify_compare *compare, cdc_difference_kind kind, core_slice text,
                     uint64_t rows, const cdc_verify_value *table, const cdc_verify_value *stream) {
    if (compare->report->told == compare->limit)
        return;
    compare->report->told++;
    core_buffer key;
    core_buffer columns;
    core_buffer_init(&key, TELL_BYTES_MAX);
    core_buffer_init(&columns, TELL_BYTES_MAX);
    key_tell(compare->shape, text, &key);
    if (table != NULL)
        columns_tell(compare->shape, table, stream, &columns);
    bool ok = core_buffer_ok(&key) && core_buffer_ok(&columns);
    const cdc_difference difference = {
        .kind = kind,
        .key = ok ? core_buffer_slice(&key) : core_slice_text("{}"),
        .columns = ok ? core_buffer_slice(&columns) : core_slice_text(table != NULL ? "[]" : ""),
        .rows = rows,
    };
    compare->on_difference(compare->context, &difference);
    core_buffer_fini(&key);
    core_buffer_fini(&columns);
}
