/* An event as the row that triggers see as `new`: an INSERT of one of the fixed shapes (shape.h).
 * Pure; the same for what was heard and for what somebody tries by hand. */
#ifndef WALCAST_TRIGGERS_EVENT_ROW_H
#define WALCAST_TRIGGERS_EVENT_ROW_H

#include "triggers/shape.h"

typedef struct {
    core_slice id, type, source, subject;
    int64_t time_us;
    core_slice data; /* JSON; its memory NULL: it did not come, being too large */
} triggers_occurrence;

/* What an event's content is as JSON: itself, or where it is none a string, or where that cannot be
 * {"base64": "..."}; nothing is null. In `arena`, or the content; its memory NULL when that is
 * full. */
core_slice triggers_occurrence_data(core_slice content, core_arena *arena);

/* Of an event its members; of a schedule's moment and a result those of its data. What the data
 * lacks is null. The change is in `arena` and holds slices of the occurrence. False when it is
 * full. */
CORE_MUST_CHECK bool triggers_occurrence_row(const triggers_occurrence *occurrence, triggers_on on,
                                             core_arena *arena, core_change *change);

/* ---- occurrence_read.c ---- */

/* {"type", "data"} and perhaps "id", "time" (by default now), "source", "subject", "data_base64";
 * other members are passed over. Slices are the text's, or in `arena`. INPUT error. */
CORE_MUST_CHECK bool triggers_occurrence_read(core_slice json, int64_t now_us, core_arena *arena,
                                              triggers_occurrence *occurrence, core_error *error);

#endif
