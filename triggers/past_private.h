/* The inside of past.h: past.c (places, the walk, changes), past_events.c (events). */
#ifndef WALCAST_TRIGGERS_PAST_PRIVATE_H
#define WALCAST_TRIGGERS_PAST_PRIVATE_H

#include "triggers/past.h"

#define TRIGGERS_PAST_CHUNK_BYTES   ((size_t)64 << 10)
#define TRIGGERS_PAST_PAYLOAD_BYTES ((size_t)64 << 20) /* nats-server's own limit on a message */
#define TRIGGERS_PAST_ARENA_BYTES                                                                  \
    (((size_t)4 << 20) + CORE_EVENT_JSON_ARENA_FACTOR * TRIGGERS_PAST_PAYLOAD_BYTES)

typedef struct {
    const triggers_past_spec *spec;
    triggers_past_take take;
    void *context;
    const char *stream;
    char events[FANOUT_NAME_MAX];         /* the stream of events' name */
    char schema[CORE_TENANT_SCHEMA_SIZE]; /* where the table is */
    char epoch[CORE_EPOCH_TEXT_SIZE];     /* of the stream of events */
    fanout_log_range range;
    core_assembly assembly;
    core_arena arena; /* of one message */
    bool over;        /* no more are wanted, */
    core_error error; /* and if so why */
} triggers_past;

/* Gives it, if its place is between the ends; then `over` may be set. */
void triggers_past_give(triggers_past *it, const core_offset *at, const triggers_past_event *event);

/* past_events.c: the subjects of events that the definition may hear. False: too long. */
CORE_MUST_CHECK bool triggers_past_event_filter(const triggers_past *it,
                                                char filter[CORE_SUBJECT_MAX]);
/* One message of the stream of events. */
CORE_MUST_CHECK bool triggers_past_event_take(triggers_past *it, const fanout_message *message,
                                              core_error *error);

#endif
