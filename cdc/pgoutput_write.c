/* Encodes what pgoutput_read.c decodes: for tests and simulated servers, and the one message that
 * we send ourselves, the standby status update. Sticky failure is the buffer's. */
#include "cdc/pgoutput_parts.h"

void cdc_frame_write(core_buffer *out, const cdc_frame *frame) {
    core_buffer_u8(out, (uint8_t)frame->kind);
    if (frame->kind == CDC_FRAME_DATA)
        core_buffer_u64(out, frame->start_lsn);
    core_buffer_u64(out, frame->end_lsn);
    cdc_timestamp_write(out, frame->sent_us);
    if (frame->kind == CDC_FRAME_DATA)
        core_buffer_slice_append(out, frame->payload);
    else
        core_buffer_u8(out, frame->reply);
}

void cdc_feedback_write(core_buffer *out, const cdc_feedback *feedback) {
    core_buffer_u8(out, 'r');
    core_buffer_u64(out, feedback->written_lsn);
    core_buffer_u64(out, feedback->flushed_lsn);
    core_buffer_u64(out, feedback->applied_lsn);
    cdc_timestamp_write(out, feedback->sent_us);
    core_buffer_u8(out, feedback->reply);
}

static void sized_write(core_buffer *out, core_slice bytes) {
    core_buffer_u32(out, (uint32_t)bytes.length);
    core_buffer_slice_append(out, bytes);
}

static void tuple_write(core_buffer *out, const core_tuple *tuple) {
    static const uint8_t letters[] = {
        [CORE_VALUE_NULL] = 'n',
        [CORE_VALUE_UNCHANGED] = 'u',
        [CORE_VALUE_TEXT] = 't',
        [CORE_VALUE_BINARY] = 'b',
    };
    core_buffer_u16(out, tuple->count);
    for (size_t i = 0; i < tuple->count; i++) {
        const core_value *value = &tuple->values[i];
        core_buffer_u8(out, letters[value->kind]);
        if (value->kind == CORE_VALUE_TEXT || value->kind == CORE_VALUE_BINARY)
            sized_write(out, value->bytes);
    }
}

static void relation_write(core_buffer *out, const core_relation *relation) {
    core_buffer_u32(out, relation->oid);
    bool catalog = core_slice_is(relation->schema, "pg_catalog");
    cdc_string_write(out, catalog ? core_slice_text("") : relation->schema);
    cdc_string_write(out, relation->table);
    core_buffer_u8(out, (uint8_t)relation->replica_identity);
    core_buffer_u16(out, relation->column_count);
    for (size_t i = 0; i < relation->column_count; i++) {
        const core_column *column = &relation->columns[i];
        core_buffer_u8(out, column->key);
        cdc_string_write(out, column->name);
        core_buffer_u32(out, column->type_oid);
        core_buffer_u32(out, (uint32_t)column->typmod);
    }
}

static void row_write(core_buffer *out, const cdc_message *message) {
    const cdc_row *row = &message->row;
    core_buffer_u32(out, row->relation_oid);
    if (message->kind != CDC_INSERT && row->old_kind != CORE_OLD_NONE) {
        core_buffer_u8(out, row->old_kind == CORE_OLD_KEY ? 'K' : 'O');
        tuple_write(out, &row->old_tuple);
    }
    if (message->kind != CDC_DELETE) {
        core_buffer_u8(out, 'N');
        tuple_write(out, &row->new_tuple);
    }
}

static void truncate_write(core_buffer *out, const cdc_truncate *truncate) {
    core_buffer_u32(out, truncate->count);
    core_buffer_u8(out, (uint8_t)truncate->flags);
    for (uint32_t i = 0; i < truncate->count; i++)
        core_buffer_u32(out, truncate->relation_oids[i]);
}

static void transaction_write(core_buffer *out, const cdc_message *message) {
    if (message->kind == CDC_BEGIN) {
        core_buffer_u64(out, message->begin.commit_lsn);
        cdc_timestamp_write(out, message->begin.commit_time_us);
        core_buffer_u32(out, message->begin.xid);
    } else if (message->kind == CDC_COMMIT) {
        core_buffer_u8(out, 0);
        core_buffer_u64(out, message->commit.commit_lsn);
        core_buffer_u64(out, message->commit.end_lsn);
        cdc_timestamp_write(out, message->commit.commit_time_us);
    } else {
        core_buffer_u64(out, message->origin.origin_lsn);
        cdc_string_write(out, message->origin.name);
    }
}

static void type_write(core_buffer *out, const cdc_type *type) {
    core_buffer_u32(out, type->oid);
    cdc_string_write(out, core_slice_is(type->schema, "pg_catalog") ? core_slice_text("")
                                                                    : type->schema);
    cdc_string_write(out, type->name);
}

static void logical_write(core_buffer *out, const core_message *message) {
    core_buffer_u8(out, message->transactional);
    core_buffer_u64(out, message->lsn);
    cdc_string_write(out, message->prefix);
    sized_write(out, message->content);
}

void cdc_message_write(core_buffer *out, const cdc_message *message) {
    core_buffer_u8(out, (uint8_t)message->kind);
    switch (message->kind) {
    case CDC_BEGIN:
    case CDC_COMMIT:
    case CDC_ORIGIN:
        transaction_write(out, message);
        break;
    case CDC_RELATION:
        relation_write(out, &message->relation);
        break;
    case CDC_TYPE:
        type_write(out, &message->type);
        break;
    case CDC_INSERT:
    case CDC_UPDATE:
    case CDC_DELETE:
        row_write(out, message);
        break;
    case CDC_TRUNCATE:
        truncate_write(out, &message->truncate);
        break;
    case CDC_MESSAGE:
        logical_write(out, &message->message);
        break;
    }
}
