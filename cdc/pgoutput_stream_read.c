/* Decodes what pgoutput_stream.h declares: one function a message, read straight through the cursor
 * and checked once at the end. */
#include "cdc/pgoutput_parts.h"
#include "cdc/pgoutput_stream.h"

static bool refuse(const core_cursor *cursor, const char *what, uint8_t letter, core_error *error) {
    size_t length = (size_t)(cursor->end - cursor->start);
    return core_error_set(error, CORE_ERROR_INPUT,
                          "%s '%c' (0x%02X) of %zu bytes cannot be decoded at byte %zu", what,
                          cdc_letter_shown(letter), letter, length, core_cursor_offset(cursor));
}

/* A transaction that writes has an xid. */
static uint32_t xid_read(core_cursor *cursor) {
    uint32_t xid = core_cursor_u32(cursor);
    if (xid == 0)
        core_cursor_fail(cursor);
    return xid;
}

/* None are defined. */
static void flags_read(core_cursor *cursor) {
    if (core_cursor_u8(cursor) != 0)
        core_cursor_fail(cursor);
}

typedef void (*control_reader)(core_cursor *cursor, cdc_control *control);

static void start_read(core_cursor *cursor, cdc_control *control) {
    control->xid = xid_read(cursor);
    uint8_t first = core_cursor_u8(cursor);
    if (first > 1)
        core_cursor_fail(cursor);
    control->first = first == 1;
}

static void stop_read(core_cursor *cursor, cdc_control *control) {
    (void)cursor;
    (void)control;
}

static void positions_read(core_cursor *cursor, cdc_control *control) {
    control->lsn = core_cursor_u64(cursor);
    control->end_lsn = core_cursor_u64(cursor);
    control->time_us = cdc_timestamp_read(cursor);
}

static void commit_read(core_cursor *cursor, cdc_control *control) {
    control->xid = xid_read(cursor);
    flags_read(cursor);
    positions_read(cursor, control);
}

/* Position and time come only when streaming is `parallel`: the length tells. */
static void abort_read(core_cursor *cursor, cdc_control *control) {
    control->xid = xid_read(cursor);
    control->subxid = xid_read(cursor);
    control->has_details = core_cursor_left(cursor) > 0;
    if (!control->has_details)
        return;
    control->lsn = core_cursor_u64(cursor);
    control->time_us = cdc_timestamp_read(cursor);
}

static void begin_prepare_read(core_cursor *cursor, cdc_control *control) {
    positions_read(cursor, control);
    control->xid = xid_read(cursor);
    control->gid = core_cursor_string(cursor);
}

static void prepared_read(core_cursor *cursor, cdc_control *control) {
    flags_read(cursor);
    begin_prepare_read(cursor, control);
}

static void rollback_read(core_cursor *cursor, cdc_control *control) {
    flags_read(cursor);
    control->lsn = core_cursor_u64(cursor);
    control->end_lsn = core_cursor_u64(cursor);
    control->prepare_time_us = cdc_timestamp_read(cursor);
    control->time_us = cdc_timestamp_read(cursor);
    control->xid = xid_read(cursor);
    control->gid = core_cursor_string(cursor);
}

static control_reader reader_of(uint8_t letter) {
    switch (letter) {
    case CDC_STREAM_START:
        return start_read;
    case CDC_STREAM_STOP:
        return stop_read;
    case CDC_STREAM_COMMIT:
        return commit_read;
    case CDC_STREAM_ABORT:
        return abort_read;
    case CDC_BEGIN_PREPARE:
        return begin_prepare_read;
    case CDC_STREAM_PREPARE:
    case CDC_PREPARE:
    case CDC_COMMIT_PREPARED:
        return prepared_read;
    case CDC_ROLLBACK_PREPARED:
        return rollback_read;
    default:
        return NULL;
    }
}

bool cdc_control_is(uint8_t letter) {
    return reader_of(letter) != NULL;
}

bool cdc_control_read(core_slice bytes, cdc_control *control, core_error *error) {
    core_cursor cursor = core_cursor_make(bytes);
    uint8_t letter = core_cursor_u8(&cursor);
    control_reader reader = reader_of(letter);
    *control = (cdc_control){.kind = (cdc_control_kind)letter};
    if (reader != NULL)
        reader(&cursor, control);
    else
        core_cursor_fail(&cursor);
    return core_cursor_done(&cursor) || refuse(&cursor, "pgoutput message", letter, error);
}

bool cdc_block_message_read(core_slice bytes, cdc_block_message *message, core_error *error) {
    core_cursor cursor = core_cursor_make(bytes);
    *message = (cdc_block_message){.letter = core_cursor_u8(&cursor)};
    switch (message->letter) {
    case CDC_ORIGIN:
        break;
    case CDC_RELATION:
    case CDC_TYPE:
    case CDC_INSERT:
    case CDC_UPDATE:
    case CDC_DELETE:
    case CDC_TRUNCATE:
    case CDC_MESSAGE:
        message->subxid = xid_read(&cursor);
        break;
    default:
        core_cursor_fail(&cursor);
    }
    message->rest = core_cursor_rest(&cursor);
    return core_cursor_done(&cursor) ||
           refuse(&cursor, "pgoutput message in a stream block", message->letter, error);
}
