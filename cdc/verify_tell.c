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
    core_buffer_init(&text, 2 * CDC_VERIFY_KEY_MAX);
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

static void columns_tell(const cdc_verify_shape *shape, const cdc_verify_row *row,
                         const cdc_verify_entry *entry, core_buffer *out) {
    core_json_writer json = core_json_writer_make(out);
    core_json_array_open(&json);
    for (size_t i = 0; i < shape->column_count; i++)
        if (cdc_verify_value_differs(&row->values[i], &entry->values[i]))
            core_json_string(&json, shape->columns[i].name);
    core_json_array_close(&json);
}

/* One side's values of the columns that differ. */
static void values_tell(const cdc_verify_shape *shape, const cdc_verify_row *row,
                        const cdc_verify_entry *entry, core_slice shown, core_buffer *out) {
    core_json_writer json = core_json_writer_make(out);
    core_cursor cursor = core_cursor_make(shown);
    core_value value;
    bool cut;
    core_json_object_open(&json);
    for (size_t i = 0; i < shape->column_count && cdc_verify_text_next(&cursor, &value, &cut);
         i++) {
        if (value.kind == CORE_VALUE_UNCHANGED ||
            !cdc_verify_value_differs(&row->values[i], &entry->values[i]))
            continue;
        core_json_key(&json, shape->columns[i].name);
        value_tell(&json, &shape->columns[i], &value, cut);
    }
    core_json_object_close(&json);
}

enum { TOLD_KEY = 0, TOLD_COLUMNS, TOLD_TABLE, TOLD_STREAM, TOLD_TEXTS };

static void difference_tell(const cdc_verify_compare *compare, cdc_difference_kind kind,
                            uint64_t rows, const core_buffer *texts) {
    const cdc_difference difference = {
        .kind = kind,
        .key = core_buffer_slice(&texts[TOLD_KEY]),
        .columns = core_buffer_slice(&texts[TOLD_COLUMNS]),
        .table_values = core_buffer_slice(&texts[TOLD_TABLE]),
        .stream_values = core_buffer_slice(&texts[TOLD_STREAM]),
        .rows = rows,
    };
    compare->on_difference(compare->context, &difference);
}

void cdc_verify_tell(const cdc_verify_compare *compare, cdc_difference_kind kind, core_slice text,
                     uint64_t rows, const cdc_verify_row *row, const cdc_verify_entry *entry) {
    if (compare->report->told == compare->limit)
        return;
    compare->report->told++;
    core_buffer texts[TOLD_TEXTS];
    for (size_t i = 0; i < TOLD_TEXTS; i++)
        core_buffer_init(&texts[i], TELL_BYTES_MAX);
    key_tell(compare->shape, text, &texts[TOLD_KEY]);
    if (row != NULL)
        columns_tell(compare->shape, row, entry, &texts[TOLD_COLUMNS]);
    if (row != NULL && row->shown.length > 0) {
        values_tell(compare->shape, row, entry, row->shown, &texts[TOLD_TABLE]);
        values_tell(compare->shape, row, entry, core_slice_make(entry->shown, entry->shown_length),
                    &texts[TOLD_STREAM]);
    }
    bool ok = true;
    for (size_t i = 0; i < TOLD_TEXTS; i++)
        ok = ok && core_buffer_ok(&texts[i]);
    if (!ok) { /* memory is out: that it differs is said all the same */
        for (size_t i = 0; i < TOLD_TEXTS; i++)
            core_buffer_reset(&texts[i]);
        core_buffer_text(&texts[TOLD_KEY], "{}");
    }
    difference_tell(compare, kind, rows, texts);
    for (size_t i = 0; i < TOLD_TEXTS; i++)
        core_buffer_fini(&texts[i]);
}
