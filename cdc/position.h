/* The position record: how far the stream is known to hold the slot's changes, kept beside the
 * stream in the key-value bucket `{nats.stream}_state` under `position.{source}`.
 *
 * The tail of the stream alone is not enough (TRAPS: age can take it, and on a quiet database
 * keepalives carry the slot beyond the last change). Rule: nothing is confirmed to PostgreSQL that
 * is not at or below what the tail shows or a stored record says. */
#ifndef WALCAST_CDC_POSITION_H
#define WALCAST_CDC_POSITION_H

#include "core/core.h"

#define CDC_POSITION_JSON_MAX 1024
#define CDC_PUBLICATIONS      2

typedef struct {
    char epoch[CORE_EPOCH_TEXT_SIZE];
    uint64_t sequence;   /* the stream's last acked message */
    core_lsn commit_lsn; /* its last row's transaction */
    uint64_t index;      /* that row's index in it */
    bool complete;       /* that row is the transaction's last */
    core_lsn end_lsn;    /* all committed before it is in the stream or has no rows */
    uint64_t system_id;  /* of the cluster, from IDENTIFY_SYSTEM */
    uint32_t timeline;
    int64_t stream_created_us; /* another value: another stream of the same name */
    /* GAP events so far, and the last one's sequence: what stands before it is another history. */
    uint64_t gaps;
    uint64_t gap_sequence;
    /* The publication's and that of the tables without a key; another value: made anew. 0: none. */
    uint32_t publication_oids[CDC_PUBLICATIONS];
} cdc_position;

/* JSON; LSNs and the system id are strings, so that no reader makes doubles of them. */
void cdc_position_encode(const cdc_position *position, core_buffer *out);
/* INPUT error when it is not such a record; unknown members are skipped. */
CORE_MUST_CHECK bool cdc_position_decode(core_slice json, cdc_position *position,
                                         core_error *error);

#endif
