/* See verify_row.h. */
#include "cdc/verify_row.h"

enum { TEXT_NULL = 0, TEXT_WHOLE, TEXT_CUT, TEXT_UNCHANGED };

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
    core_buffer_u16(out, (uint16_t)row->shown.length);
    core_buffer_slice_append(out, row->shown);
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
    row->shown = core_cursor_bytes(cursor, core_cursor_u16(cursor));
    return (ok && core_cursor_ok(cursor)) ||
           core_error_set(error, CORE_ERROR_INPUT,
                          "what was written to cdc.spill_dir did not come back: check its disk");
}

/* ---- Texts ---- */

static uint8_t text_kind(const core_value *value, bool cut) {
    if (value->kind == CORE_VALUE_NULL)
        return TEXT_NULL;
    if (value->kind != CORE_VALUE_TEXT)
        return TEXT_UNCHANGED;
    return cut ? TEXT_CUT : TEXT_WHOLE;
}

/* A value that does not fit is left out with all behind it, since the buffer takes no more. */
void cdc_verify_text_append(core_buffer *text, const core_value *value, size_t most) {
    bool cut = value->bytes.length > most;
    size_t length = value->kind != CORE_VALUE_TEXT ? 0 : cut ? most : value->bytes.length;
    while (cut && length > 0 && (value->bytes.data[length] & 0xc0) == 0x80)
        length--; /* not within a character */
    uint8_t *at = core_buffer_reserve(text, 3 + length);
    if (at == NULL)
        return;
    *at++ = text_kind(value, cut);
    *at++ = (uint8_t)(length >> 8);
    *at++ = (uint8_t)length;
    if (length > 0)
        memcpy(at, value->bytes.data, length);
    core_buffer_commit(text, 3 + length);
}

bool cdc_verify_text_next(core_cursor *cursor, core_value *value, bool *cut) {
    static const core_value_kind kinds[] = {[TEXT_NULL] = CORE_VALUE_NULL,
                                            [TEXT_WHOLE] = CORE_VALUE_TEXT,
                                            [TEXT_CUT] = CORE_VALUE_TEXT,
                                            [TEXT_UNCHANGED] = CORE_VALUE_UNCHANGED};
    if (core_cursor_left(cursor) == 0)
        return false;
    uint8_t kind = core_cursor_u8(cursor);
    core_slice bytes = core_cursor_bytes(cursor, core_cursor_u16(cursor));
    if (!core_cursor_ok(cursor) || kind >= CORE_COUNT_OF(kinds))
        return false;
    *cut = kind == TEXT_CUT;
    *value = (core_value){.kind = kinds[kind], .bytes = bytes};
    return true;
}
