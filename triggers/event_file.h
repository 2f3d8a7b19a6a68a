/* One event as `walcast tail --json` prints it, or as somebody wrote it by hand, made a change
 * again: for trying a trigger. */
#ifndef WALCAST_TRIGGERS_EVENT_FILE_H
#define WALCAST_TRIGGERS_EVENT_FILE_H

#include "core/core.h"

#define TRIGGERS_EVENT_FILE_MAX ((size_t)16 << 20)

typedef struct {
    core_change change;
    core_relation relation; /* the change's */
    core_slice offset;      /* empty: the event has none */
    int64_t time_us;        /* of its commit; 0: the event has none */
} triggers_event;

/* Reads {"op", "record", "old_record", "unchanged", "schema", "table", "offset",
 * "commit_timestamp"}; other members are passed over. `relation` is the live table's; NULL: columns
 * and types are inferred of the values (numbers are numeric, texts text, documents jsonb, a null
 * text). A column that the event does not name did not come, and is never null. All that the event
 * holds is in `arena`, or slices of `json` and the relation. False with an INPUT error. */
CORE_MUST_CHECK bool triggers_event_read(core_slice json, const core_relation *relation,
                                         core_arena *arena, triggers_event *event,
                                         core_error *error);

#endif
