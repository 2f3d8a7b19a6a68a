/* What a partition's log holds: records, each with outcomes and now and then the whole state.
 *
 * The state of a partition is the fold of its records from the last one with a state on: so a new
 * owner needs to read little. Outcomes are also what people read (`walcast trigger deliveries`). */
#ifndef WALCAST_TRIGGERS_RECORD_H
#define WALCAST_TRIGGERS_RECORD_H

#include "triggers/task.h"

#define TRIGGERS_REASON_MAX 512

typedef enum {
    TRIGGERS_ENTRY_DELIVERED = 1,
    TRIGGERS_ENTRY_FAILED, /* an attempt; the next one is at next_ms */
    TRIGGERS_ENTRY_PARKED, /* it waits in the stream of parked tasks */
    TRIGGERS_ENTRY_DEAD,   /* it is a dead letter, for the reason */
    TRIGGERS_ENTRY_GONE,   /* 410: nothing more goes to this trigger's endpoint up to the revision
                                in `position` */
    TRIGGERS_ENTRY_UNDECIDED = 7, /* not told by a partition: no task came of the event, for the
                                     reason */
    TRIGGERS_ENTRY_THROTTLED = 8, /* its turn has come, and its endpoint may not be asked before
                                     next_ms, for the reason; it is in the window */
    TRIGGERS_ENTRY_HELD = 9, /* it was put aside in its trigger's chain, for the reason; `took_ms`
                                is the bytes of its copy */
    TRIGGERS_ENTRY_PASSED = 10, /* for the fold only: of the trigger's chain all is done up to the
                                   sequence, whose copy is at `position` */
    TRIGGERS_ENTRY_LOST = 6,    /* `position` parked tasks of the key, or of the trigger's chain
                                   (key_hash 0), are not in their stream */
} triggers_entry_kind;

typedef struct {
    triggers_entry_kind kind;
    bool was_parked; /* DELIVERED, DEAD: it came from the stream of parked tasks */
    bool is_member;  /* of a batch, not its last one: what the last one's entry says, of this one */
    uint64_t sequence; /* of the task */
    uint64_t key_hash;
    int64_t time_ms; /* since 1970 */
    uint32_t attempts;
    uint16_t status; /* HTTP's; 0: none */
    uint32_t took_ms;
    int64_t next_ms;   /* FAILED, PARKED: the next attempt */
    uint64_t position; /* was_parked, PARKED, HELD: in the stream of parked tasks */
    core_slice project, trigger, event_id, key, reason;
    core_slice batch; /* the batch's id that it was in; empty: in none */
    uint64_t chain;   /* HELD, of a chain's first: which one of the trigger it is; 0: not told */
} triggers_entry;

typedef struct {
    uint64_t owner;     /* random, of one ownership */
    uint64_t number;    /* of that owner's records, from 1 */
    uint64_t base;      /* the stream sequence of the last record with a state before it; 0: this */
    uint64_t watermark; /* in the stream of tasks: all up to it are done, behind this record */
    bool has_state;
    core_slice outcomes;
    core_slice state;
} triggers_record;

void triggers_entry_write(const triggers_entry *outcome, core_buffer *out);
/* The next of a record's outcomes; false: none is left, or it is not one (then `cursor` failed). */
CORE_MUST_CHECK bool triggers_entry_read(core_cursor *cursor, triggers_entry *outcome);
void triggers_record_write(const triggers_record *record, core_buffer *out);
CORE_MUST_CHECK bool triggers_record_read(core_slice bytes, triggers_record *record,
                                          core_error *error);
/* "delivered", ...; static. */
const char *triggers_entry_name(triggers_entry_kind kind);

#endif
