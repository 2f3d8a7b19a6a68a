/* A round: definitions that begin in the past, and the reading of that past for all of them
 * together. Its record in key-value is written before it begins, so a place in a history is of a
 * round by number, whoever reads on. One round at a time for each history. */
#ifndef WALCAST_TRIGGERS_ROUND_H
#define WALCAST_TRIGGERS_ROUND_H

#include "fanout/fanout.h"
#include "triggers/position.h"

#define TRIGGERS_ROUND_MEMBERS_MAX 10000u /* who is beyond waits for the next one */

typedef struct {
    uint32_t number;   /* of the last round that was begun; 0: none ever was */
    core_offset from;  /* it reads what stands behind */
    uint64_t *members; /* ids of the ledger's, sorted; owned */
    size_t count;      /* 0: it is over */
    uint64_t revision;
} triggers_round;

void triggers_round_write(const triggers_round *round, core_buffer *out);
/* Members are the caller's. INPUT when it is none. */
CORE_MUST_CHECK bool triggers_round_read(core_slice bytes, triggers_round *round,
                                         core_error *error);
void triggers_round_fini(triggers_round *round);

/* Instead of what it holds the record of the input's history. Blocks. */
CORE_MUST_CHECK bool triggers_round_load(triggers_round *round, triggers_input input,
                                         fanout_bucket *bucket, core_error *error);
/* Under its revision. Blocks. CONFLICT: another matcher wrote. */
CORE_MUST_CHECK bool triggers_round_store(triggers_round *round, triggers_input input,
                                          fanout_bucket *bucket, core_error *error);

#endif
