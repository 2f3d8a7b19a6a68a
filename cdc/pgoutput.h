/* The logical replication stream as the output plugin pgoutput sends it, protocol version 1.
 *
 * Source of the wire formats: PostgreSQL's documentation, "Streaming Replication Protocol" and
 * "Logical Replication Message Formats"; src/backend/replication/logical/proto.c. Reader and writer
 * stand side by side (pgoutput_read.c, pgoutput_write.c); the writer serves tests.
 *
 * The reader is total: any bytes give a message or a CORE_ERROR_INPUT that names the message's
 * letter and the byte where it went wrong. A decoded message is slices into the source and arrays
 * in an arena: valid until either goes. */
#ifndef WALCAST_CDC_PGOUTPUT_H
#define WALCAST_CDC_PGOUTPUT_H

#include "core/core.h"

/* ---- Frames: what a CopyData message of the replication stream holds ---- */

typedef enum { CDC_FRAME_DATA = 'w', CDC_FRAME_KEEPALIVE = 'k' } cdc_frame_kind;

typedef struct {
    cdc_frame_kind kind;
    core_lsn start_lsn; /* DATA: of the change or commit record */
    core_lsn end_lsn;   /* DATA: the server's write position; KEEPALIVE: sent up to here */
    int64_t sent_us;    /* the server's clock, since 1970 */
    bool reply;         /* KEEPALIVE: answer at once */
    core_slice payload; /* DATA: one pgoutput message */
} cdc_frame;

CORE_MUST_CHECK bool cdc_frame_read(core_slice bytes, cdc_frame *frame, core_error *error);
void cdc_frame_write(core_buffer *out, const cdc_frame *frame);

/* What we tell the server ('r'). */
typedef struct {
    core_lsn written_lsn; /* received */
    core_lsn flushed_lsn; /* confirmed: durably stored; moves the slot */
    core_lsn applied_lsn;
    int64_t sent_us; /* our clock, since 1970 */
    bool reply;      /* ask for a keepalive */
} cdc_feedback;

void cdc_feedback_write(core_buffer *out, const cdc_feedback *feedback);
CORE_MUST_CHECK bool cdc_feedback_read(core_slice bytes, cdc_feedback *feedback, core_error *error);

/* ---- Messages ---- */

typedef enum {
    CDC_BEGIN = 'B',
    CDC_COMMIT = 'C',
    CDC_ORIGIN = 'O',
    CDC_RELATION = 'R',
    CDC_TYPE = 'Y',
    CDC_INSERT = 'I',
    CDC_UPDATE = 'U',
    CDC_DELETE = 'D',
    CDC_TRUNCATE = 'T',
    CDC_MESSAGE = 'M',
} cdc_message_kind;

typedef struct {
    core_lsn commit_lsn; /* the commit record's start ("final LSN") */
    int64_t commit_time_us;
    uint32_t xid;
} cdc_begin;

typedef struct {
    core_lsn commit_lsn;
    core_lsn end_lsn; /* behind the commit record */
    int64_t commit_time_us;
} cdc_commit;

typedef struct {
    core_lsn origin_lsn;
    core_slice name;
} cdc_origin;

typedef struct {
    uint32_t oid;
    core_slice schema; /* "pg_catalog" is sent as an empty one */
    core_slice name;
} cdc_type;

/* INSERT: new; UPDATE: new and perhaps old; DELETE: old. */
typedef struct {
    uint32_t relation_oid;
    core_old_kind old_kind;
    core_tuple old_tuple;
    core_tuple new_tuple;
} cdc_row;

typedef struct {
    uint32_t count;
    const uint32_t *relation_oids;
    unsigned flags; /* CORE_TRUNCATE_* */
} cdc_truncate;

typedef struct {
    cdc_message_kind kind;
    union {
        cdc_begin begin;
        cdc_commit commit;
        cdc_origin origin;
        core_relation relation; /* version 0; type names empty */
        cdc_type type;
        cdc_row row;
        cdc_truncate truncate;
        core_message message;
    };
} cdc_message;

/* `arena` gives the arrays; reset it before the next message, not here. LIMIT when it is full. */
CORE_MUST_CHECK bool cdc_message_read(core_slice bytes, core_arena *arena, cdc_message *message,
                                      core_error *error);
void cdc_message_write(core_buffer *out, const cdc_message *message);

/* PostgreSQL counts microseconds from 2000-01-01. */
#define CDC_POSTGRES_EPOCH_US INT64_C(946684800000000)

#endif
