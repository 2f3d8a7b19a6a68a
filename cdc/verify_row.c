/* See verify_row.h. */
#include "cdc/verify_row.h"

enum { TEXT_NULL = 0, TEXT_WHOLE, TEXT_CUT };

static bool has_hash(uint8_t kind) {
    return kind == CDC_VERIFY_VALUE || kind == CDC_VERIFY_LATER || kind == CDC_VERIFY_OTHER;
}

/* ---- Rows ---- */

void cdc_verify_row_write(core_buffer *out, const cdc_verify_row *row) {
    core_buffer_u8(out, (uint8_t)row->op);
    core_buffer_u64(out, row->number);
    core_buffer_u64(out, row->key.high);
    core_buffer_u64(out, row->key.low);
    core_buffer_u16(out, row->count);
    for (size_t i = 0; i < row->count; i++) {
        core_buffer_u8(out, row->values[i].kind);
        if (has_hash(row->values[i].kind))
            core_buffer_u64(out, row->values[i].hash);
    }
    core_buffer_u16(out, (uint16_t)row->text.length);
    core_buffer_slice_append(out, row->text);
}

bool cdc_verify_row_read(core_cursor *cursor, cdc_verify_row *row, uint16_t columns,
                         core_error *error) {
    cdc_verify_value *values = row->values;
    *row = (cdc_verify_row){.op = core_cursor_u8(cursor), .values = values};
    row->number = core_cursor_u64(cursor);
    row->key.high = core_cursor_u64(cursor);
    row->key.low = core_cursor_u64(cursor);
    row->count = core_cursor_u16(cursor);
    bool ok = core_cursor_ok(cursor) && row->op <= CDC_VERIFY_TAKE &&
              (row->count == 0 || row->count == columns);
    for (size_t i = 0; ok && i < row->count; i++) {
        values[i].kind = core_cursor_u8(cursor);
        values[i].hash = has_hash(values[i].kind) ? core_cursor_u64(cursor) : 0;
        ok = values[i].kind <= CDC_VERIFY_UNKNOWN;
    }
    row->text = core_cursor_bytes(cursor, core_cursor_u16(cursor));
    return (ok && core_cursor_ok(cursor)) ||
           core_error_set(error, CORE_ERROR_INPUT,
                          "what was written to cdc.spill_dir did not come back: check its disk");
}

/* ---- The key's text ---- */

/* A value that has no room left is not told at all. */
void cdc_verify_text_append(core_buffer *text, const core_value *value) {
    bool is_null = value->kind == CORE_VALUE_NULL;
    bool cut = value->bytes.length > CDC_VERIFY_SHOWN_MAX;
    size_t length = cut ? CDC_VERIFY_SHOWN_MAX : value->bytes.length;
    while (cut && length > 0 && (value->bytes.data[length] & 0xc0) == 0x80)
        length--; /* not within a character */
    if (text->length + 3 + length > CDC_VERIFY_TEXT_MAX)
        return;
    core_buffer_u8(text, is_null ? TEXT_NULL : cut ? TEXT_CUT : TEXT_WHOLE);
    core_buffer_u16(text, is_null ? 0 : (uint16_t)length);
    if (!is_null)
        core_buffer_append(text, value->bytes.data, length);
}

bool cdc_verify_text_next(core_cursor *cursor, core_value *value, bool *cut) {
    if (core_cursor_left(cursor) == 0)
        return false;
    uint8_t kind = core_cursor_u8(cursor);
    core_slice bytes = core_cursor_bytes(cursor, core_cursor_u16(cursor));
    *cut = kind == TEXT_CUT;
    *value =
        (core_value){.kind = kind == TEXT_NULL ? CORE_VALUE_NULL : CORE_VALUE_TEXT, .bytes = bytes};
    return core_cursor_ok(cursor) && kind <= TEXT_CUT;
}
