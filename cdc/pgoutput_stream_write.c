/* Encodes what pgoutput_stream_read.c decodes: for tests and simulated servers. Sticky failure is
 * the buffer's. */
#include "cdc/pgoutput_parts.h"
#include "cdc/pgoutput_stream.h"

static void positions_write(core_buffer *out, const cdc_control *control) {
    core_buffer_u64(out, control->lsn);
    core_buffer_u64(out, control->end_lsn);
    cdc_timestamp_write(out, control->time_us);
}

static void stream_write(core_buffer *out, const cdc_control *control) {
    core_buffer_u32(out, control->xid);
    if (control->kind == CDC_STREAM_START) {
        core_buffer_u8(out, control->first);
    } else if (control->kind == CDC_STREAM_COMMIT) {
        core_buffer_u8(out, 0);
        positions_write(out, control);
    } else {
        core_buffer_u32(out, control->subxid);
        if (control->has_details) {
            core_buffer_u64(out, control->lsn);
            cdc_timestamp_write(out, control->time_us);
        }
    }
}

static void two_phase_write(core_buffer *out, const cdc_control *control) {
    if (control->kind != CDC_BEGIN_PREPARE)
        core_buffer_u8(out, 0);
    if (control->kind == CDC_ROLLBACK_PREPARED) {
        core_buffer_u64(out, control->lsn);
        core_buffer_u64(out, control->end_lsn);
        cdc_timestamp_write(out, control->prepare_time_us);
        cdc_timestamp_write(out, control->time_us);
    } else {
        positions_write(out, control);
    }
    core_buffer_u32(out, control->xid);
    cdc_string_write(out, control->gid);
}

void cdc_control_write(core_buffer *out, const cdc_control *control) {
    core_buffer_u8(out, (uint8_t)control->kind);
    switch (control->kind) {
    case CDC_STREAM_START:
    case CDC_STREAM_COMMIT:
    case CDC_STREAM_ABORT:
        stream_write(out, control);
        break;
    case CDC_STREAM_STOP:
        break;
    case CDC_STREAM_PREPARE:
    case CDC_BEGIN_PREPARE:
    case CDC_PREPARE:
    case CDC_COMMIT_PREPARED:
    case CDC_ROLLBACK_PREPARED:
        two_phase_write(out, control);
        break;
    }
}

void cdc_block_message_write(core_buffer *out, uint32_t subxid, const cdc_message *message) {
    core_buffer plain;
    core_buffer_init(&plain, out->max_bytes);
    cdc_message_write(&plain, message);
    core_slice bytes = core_buffer_slice(&plain);
    if (!core_buffer_ok(&plain) || bytes.length == 0) {
        out->failed = true;
    } else {
        core_buffer_u8(out, bytes.data[0]);
        if (message->kind != CDC_ORIGIN)
            core_buffer_u32(out, subxid);
        core_buffer_append(out, bytes.data + 1, bytes.length - 1);
    }
    core_buffer_fini(&plain);
}
