/* Decodes replication frames and pgoutput messages; see pgoutput.h.
 *
 * Happy path: one function a message, each a straight read through the cursor, checked once at the
 * end: every byte must have been read and none missing. Counts are checked against what is left
 * before they size an array. What is not understood is refused: the caller stops the slot, and
 * PostgreSQL keeps the WAL. */
#include "cdc/pgoutput_parts.h"

static bool message_refuse(const core_cursor *cursor, const char *what, uint8_t letter,
                           core_error *error) {
    size_t length = (size_t)(cursor->end - cursor->start);
    return core_error_set(error, CORE_ERROR_INPUT,
                          "%s '%c' (0x%02X) of %zu bytes cannot be decoded at byte %zu", what,
                          cdc_letter_shown(letter), letter, length, core_cursor_offset(cursor));
}

/* ---- Frames ---- */

bool cdc_frame_read(core_slice bytes, cdc_frame *frame, core_error *error) {
    core_cursor cursor = core_cursor_make(bytes);
    uint8_t letter = core_cursor_u8(&cursor);
    *frame = (cdc_frame){.kind = (cdc_frame_kind)letter};
    switch (letter) {
    case CDC_FRAME_DATA:
        frame->start_lsn = core_cursor_u64(&cursor);
        frame->end_lsn = core_cursor_u64(&cursor);
        frame->sent_us = cdc_timestamp_read(&cursor);
        frame->payload = core_cursor_rest(&cursor);
        break;
    case CDC_FRAME_KEEPALIVE:
        frame->end_lsn = core_cursor_u64(&cursor);
        frame->sent_us = cdc_timestamp_read(&cursor);
        frame->reply = core_cursor_u8(&cursor) != 0;
        break;
    default:
        core_cursor_fail(&cursor);
    }
    return core_cursor_done(&cursor) || message_refuse(&cursor, "replication frame", letter, error);
}

bool cdc_feedback_read(core_slice bytes, cdc_feedback *feedback, core_error *error) {
    core_cursor cursor = core_cursor_make(bytes);
    uint8_t letter = core_cursor_u8(&cursor);
    if (letter != 'r')
        core_cursor_fail(&cursor);
    feedback->written_lsn = core_cursor_u64(&cursor);
    feedback->flushed_lsn = core_cursor_u64(&cursor);
    feedback->applied_lsn = core_cursor_u64(&cursor);
    feedback->sent_us = cdc_timestamp_read(&cursor);
    feedback->reply = core_cursor_u8(&cursor) != 0;
    return core_cursor_done(&cursor) || message_refuse(&cursor, "feedback", letter, error);
}

/* ---- Tuples ---- */

static void value_read(core_cursor *cursor, core_value *value) {
    switch (core_cursor_u8(cursor)) {
    case 'n':
        value->kind = CORE_VALUE_NULL;
        break;
    case 'u':
        value->kind = CORE_VALUE_UNCHANGED;
        break;
    case 't':
        value->kind = CORE_VALUE_TEXT;
        value->bytes = core_cursor_bytes(cursor, core_cursor_u32(cursor));
        break;
    case 'b':
        value->kind = CORE_VALUE_BINARY;
        value->bytes = core_cursor_bytes(cursor, core_cursor_u32(cursor));
        break;
    default:
        core_cursor_fail(cursor);
    }
}

/* False when the arena is full; a malformed tuple only fails the cursor. */
static bool tuple_read(core_cursor *cursor, core_arena *arena, core_tuple *tuple) {
    size_t count = core_cursor_u16(cursor);
    /* Each value takes at least its kind's byte. */
    if (count > CORE_COLUMNS_MAX || count > core_cursor_left(cursor)) {
        core_cursor_fail(cursor);
        return true;
    }
    core_value *values = count > 0 ? core_arena_array(arena, count, sizeof *values) : NULL;
    if (count > 0 && values == NULL)
        return false;
    for (size_t i = 0; i < count; i++)
        value_read(cursor, &values[i]);
    *tuple = (core_tuple){.count = (uint16_t)count, .values = values};
    return true;
}

/* ---- Messages ---- */

typedef bool (*message_reader)(core_cursor *cursor, core_arena *arena, cdc_message *message);

static bool begin_read(core_cursor *cursor, core_arena *arena, cdc_message *message) {
    (void)arena;
    message->begin.commit_lsn = core_cursor_u64(cursor);
    message->begin.commit_time_us = cdc_timestamp_read(cursor);
    message->begin.xid = core_cursor_u32(cursor);
    return true;
}

static bool commit_read(core_cursor *cursor, core_arena *arena, cdc_message *message) {
    (void)arena;
    if (core_cursor_u8(cursor) != 0) /* flags: none are defined */
        core_cursor_fail(cursor);
    message->commit.commit_lsn = core_cursor_u64(cursor);
    message->commit.end_lsn = core_cursor_u64(cursor);
    message->commit.commit_time_us = cdc_timestamp_read(cursor);
    return true;
}

static bool origin_read(core_cursor *cursor, core_arena *arena, cdc_message *message) {
    (void)arena;
    message->origin.origin_lsn = core_cursor_u64(cursor);
    message->origin.name = core_cursor_string(cursor);
    return true;
}

static void column_read(core_cursor *cursor, core_column *column) {
    uint8_t flags = core_cursor_u8(cursor);
    if (flags > 1)
        core_cursor_fail(cursor);
    column->key = flags == 1;
    column->name = core_cursor_string(cursor);
    column->type_oid = core_cursor_u32(cursor);
    column->typmod = (int32_t)core_cursor_u32(cursor);
}

static core_slice schema_read(core_cursor *cursor) {
    core_slice schema = core_cursor_string(cursor);
    return core_cursor_ok(cursor) && schema.length == 0 ? core_slice_text("pg_catalog") : schema;
}

static bool relation_read(core_cursor *cursor, core_arena *arena, cdc_message *message) {
    core_relation *relation = &message->relation;
    relation->oid = core_cursor_u32(cursor);
    relation->schema = schema_read(cursor);
    relation->table = core_cursor_string(cursor);
    relation->replica_identity = (char)core_cursor_u8(cursor);
    size_t count = core_cursor_u16(cursor);
    bool known = core_cursor_ok(cursor) && relation->replica_identity != '\0' &&
                 memchr("dnfi", relation->replica_identity, 4) != NULL;
    /* Each column takes at least 10 bytes. */
    if (!known || count > CORE_COLUMNS_MAX || count > core_cursor_left(cursor) / 10) {
        core_cursor_fail(cursor);
        return true;
    }
    core_column *columns = count > 0 ? core_arena_array(arena, count, sizeof *columns) : NULL;
    if (count > 0 && columns == NULL)
        return false;
    for (size_t i = 0; i < count; i++)
        column_read(cursor, &columns[i]);
    relation->column_count = (uint16_t)count;
    relation->columns = columns;
    return true;
}

static bool type_read(core_cursor *cursor, core_arena *arena, cdc_message *message) {
    (void)arena;
    message->type.oid = core_cursor_u32(cursor);
    message->type.schema = schema_read(cursor);
    message->type.name = core_cursor_string(cursor);
    return true;
}

static bool insert_read(core_cursor *cursor, core_arena *arena, cdc_message *message) {
    message->row.relation_oid = core_cursor_u32(cursor);
    if (core_cursor_u8(cursor) != 'N')
        core_cursor_fail(cursor);
    return tuple_read(cursor, arena, &message->row.new_tuple);
}

/* The old image that `letter` announces: 'K' its key, 'O' the whole row. */
static bool old_read(core_cursor *cursor, core_arena *arena, uint8_t letter, cdc_row *row) {
    if (letter != 'K' && letter != 'O') {
        core_cursor_fail(cursor);
        return true;
    }
    row->old_kind = letter == 'K' ? CORE_OLD_KEY : CORE_OLD_FULL;
    return tuple_read(cursor, arena, &row->old_tuple);
}

static bool update_read(core_cursor *cursor, core_arena *arena, cdc_message *message) {
    message->row.relation_oid = core_cursor_u32(cursor);
    uint8_t letter = core_cursor_u8(cursor);
    if (letter != 'N') {
        if (!old_read(cursor, arena, letter, &message->row))
            return false;
        letter = core_cursor_u8(cursor);
    }
    if (letter != 'N')
        core_cursor_fail(cursor);
    return tuple_read(cursor, arena, &message->row.new_tuple);
}

static bool delete_read(core_cursor *cursor, core_arena *arena, cdc_message *message) {
    message->row.relation_oid = core_cursor_u32(cursor);
    return old_read(cursor, arena, core_cursor_u8(cursor), &message->row);
}

static bool truncate_read(core_cursor *cursor, core_arena *arena, cdc_message *message) {
    uint32_t count = core_cursor_u32(cursor);
    uint8_t flags = core_cursor_u8(cursor);
    if (flags > (CORE_TRUNCATE_CASCADE | CORE_TRUNCATE_RESTART_IDENTITY) ||
        core_cursor_left(cursor) / 4 < count) {
        core_cursor_fail(cursor);
        return true;
    }
    uint32_t *oids = count > 0 ? core_arena_array(arena, count, sizeof *oids) : NULL;
    if (count > 0 && oids == NULL)
        return false;
    for (uint32_t i = 0; i < count; i++)
        oids[i] = core_cursor_u32(cursor);
    message->truncate = (cdc_truncate){.count = count, .relation_oids = oids, .flags = flags};
    return true;
}

static bool logical_read(core_cursor *cursor, core_arena *arena, cdc_message *message) {
    (void)arena;
    uint8_t flags = core_cursor_u8(cursor);
    if (flags > 1)
        core_cursor_fail(cursor);
    message->message.transactional = flags == 1;
    message->message.lsn = core_cursor_u64(cursor);
    message->message.prefix = core_cursor_string(cursor);
    message->message.content = core_cursor_bytes(cursor, core_cursor_u32(cursor));
    return true;
}

static message_reader reader_of(uint8_t letter) {
    switch (letter) {
    case CDC_BEGIN:
        return begin_read;
    case CDC_COMMIT:
        return commit_read;
    case CDC_ORIGIN:
        return origin_read;
    case CDC_RELATION:
        return relation_read;
    case CDC_TYPE:
        return type_read;
    case CDC_INSERT:
        return insert_read;
    case CDC_UPDATE:
        return update_read;
    case CDC_DELETE:
        return delete_read;
    case CDC_TRUNCATE:
        return truncate_read;
    case CDC_MESSAGE:
        return logical_read;
    default:
        return NULL;
    }
}

bool cdc_message_read(core_slice bytes, core_arena *arena, cdc_message *message,
                      core_error *error) {
    core_cursor cursor = core_cursor_make(bytes);
    uint8_t letter = core_cursor_u8(&cursor);
    message_reader reader = reader_of(letter);
    *message = (cdc_message){.kind = (cdc_message_kind)letter};
    if (reader == NULL)
        return message_refuse(&cursor, "pgoutput message", letter, error);
    if (!reader(&cursor, arena, message))
        return core_error_set(error, CORE_ERROR_LIMIT,
                              "pgoutput message '%c' needs more memory than its %zu bytes",
                              cdc_letter_shown(letter), arena->max_bytes);
    return core_cursor_done(&cursor) || message_refuse(&cursor, "pgoutput message", letter, error);
}
