/* What POST /events/v1 and /events/v1/batch take: {"type","data"}, or {"events": [such, ...]}.
 *
 * `data` is any JSON value and is kept byte for byte; it may be missing (null). Pure; the events
 * point into the body. Private to the room. */
#ifndef WALCAST_TRIGGERS_EVENT_REQUEST_H
#define WALCAST_TRIGGERS_EVENT_REQUEST_H

#include "core/core.h"

#define TRIGGERS_EVENT_TYPE_MAX  100 /* bytes */
#define TRIGGERS_EVENT_BATCH_MAX 1000

typedef struct {
    core_slice type;
    core_slice data;
} triggers_posted_event;

typedef struct {
    triggers_posted_event *events;
    size_t count, capacity;
} triggers_event_batch;

/* Letters, digits and . _ - : / up to TRIGGERS_EVENT_TYPE_MAX, as a subject's token can give it
 * back, and not Walcast's own (walcast.*). INPUT error. */
CORE_MUST_CHECK bool triggers_event_type_check(core_slice type, core_error *error);
/* The batch is made; INPUT error that says which event and what of it, LIMIT when there are more
 * than a batch may hold. `many`: the form with "events". */
CORE_MUST_CHECK bool triggers_event_batch_read(core_slice body, bool many,
                                               triggers_event_batch *batch, core_error *error);
void triggers_event_batch_fini(triggers_event_batch *batch);

#endif
