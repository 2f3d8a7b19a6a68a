/* What protocols 2 to 4 of pgoutput add: transactions sent in blocks before their end is known
 * (2), two-phase commit (3), an abort's position and time (4).
 *
 * Source of the wire formats: PostgreSQL's documentation, "Logical Replication Message Formats";
 * src/backend/replication/logical/proto.c. Within a block (Stream Start to Stream Stop) every
 * message but Origin carries the xid of its sub-transaction behind its letter; without it, it is
 * the message of protocol 1. Readers are total, as those of pgoutput.h; nothing allocates. */
#ifndef WALCAST_CDC_PGOUTPUT_STREAM_H
#define WALCAST_CDC_PGOUTPUT_STREAM_H

#include "cdc/pgoutput.h"

typedef enum {
    CDC_STREAM_START = 'S',
    CDC_STREAM_STOP = 'E',
    CDC_STREAM_COMMIT = 'c',
    CDC_STREAM_ABORT = 'A',
    CDC_STREAM_PREPARE = 'p',
    CDC_BEGIN_PREPARE = 'b',
    CDC_PREPARE = 'P',
    CDC_COMMIT_PREPARED = 'K',
    CDC_ROLLBACK_PREPARED = 'r',
} cdc_control_kind;

/* Which fields count depends on `kind`; the others are zero. */
typedef struct {
    cdc_control_kind kind;
    uint32_t xid;            /* top-level; all but STREAM_STOP */
    uint32_t subxid;         /* STREAM_ABORT: what is aborted; `xid`: the whole transaction */
    bool first;              /* STREAM_START: the transaction's first block */
    bool has_details;        /* STREAM_ABORT: protocol 4 gave `lsn` and `time_us` */
    core_lsn lsn;            /* of the record: commit, abort, prepare; ROLLBACK_PREPARED: the end
                                of the prepare */
    core_lsn end_lsn;        /* behind it; ROLLBACK_PREPARED: behind the rollback */
    int64_t time_us;         /* of commit, abort, prepare or rollback; since 1970 */
    int64_t prepare_time_us; /* ROLLBACK_PREPARED */
    core_slice gid;          /* two-phase: the prepared transaction's name */
} cdc_control;

/* Whether a message with this letter is one of the above. */
bool cdc_control_is(uint8_t letter);
CORE_MUST_CHECK bool cdc_control_read(core_slice bytes, cdc_control *control, core_error *error);
void cdc_control_write(core_buffer *out, const cdc_control *control);

/* A message from within a block, taken apart: protocol 1's message is `letter`, then `rest`. */
typedef struct {
    uint32_t subxid; /* 0 for Origin, which has none */
    uint8_t letter;
    core_slice rest;
} cdc_block_message;

CORE_MUST_CHECK bool cdc_block_message_read(core_slice bytes, cdc_block_message *message,
                                            core_error *error);
void cdc_block_message_write(core_buffer *out, uint32_t subxid, const cdc_message *message);

#endif
