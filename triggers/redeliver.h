/* The wish to have something delivered again: an event of type walcast.redeliver.NAME in the stream
 * of events, NAME being the trigger. The matcher takes it in its turn, as any other event, so what
 * comes of it is as exact as all else: one task, stored once.
 *
 * Either one change or event is matched again, by the trigger's present definition and by nothing
 * but it; or a dead letter becomes a task again as it was. Pure. */
#ifndef WALCAST_TRIGGERS_REDELIVER_H
#define WALCAST_TRIGGERS_REDELIVER_H

#include "core/core.h"

/* The type, without the name. Users cannot publish it: it begins with "walcast.". */
#define TRIGGERS_REDELIVER_TYPE "walcast.redeliver."
/* Encoded, at most. */
#define TRIGGERS_REDELIVER_MAX 1024

typedef struct {
    core_slice trigger;
    core_slice event_id; /* a change's offset or an event's id; empty: it is about a dead letter */
    uint64_t dead; /* the letter's sequence in the stream of dead letters; 0: about an event */
} triggers_redelivery;

/* Appends {"trigger", "event_id"} or {"trigger", "dead"}. */
void triggers_redelivery_write(const triggers_redelivery *redelivery, core_buffer *out);
/* Texts live in `arena`. False with an INPUT error when it is not one, or names both or neither. */
CORE_MUST_CHECK bool triggers_redelivery_read(core_slice json, core_arena *arena,
                                              triggers_redelivery *redelivery, core_error *error);

#endif
