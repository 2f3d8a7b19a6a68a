/* What is past, read again for one trigger: the changes of its table, or the events that it is on,
 * which the streams still hold. For who tries a definition on them, and for who asks about one of
 * them. Blocks. */
#ifndef WALCAST_TRIGGERS_PAST_H
#define WALCAST_TRIGGERS_PAST_H

#include "fanout/fanout.h"
#include "triggers/body.h"

typedef enum {
    TRIGGERS_PAST_FIRST,  /* the oldest that is held */
    TRIGGERS_PAST_NOW,    /* the end */
    TRIGGERS_PAST_OFFSET, /* that one: a change's offset, or an event's id */
    TRIGGERS_PAST_TIME,   /* what was committed then */
} triggers_past_kind;

typedef struct {
    triggers_past_kind kind;
    core_offset offset;
    int64_t time_us; /* since 1970 */
} triggers_past_place;

/* "first", "now", an offset or event's id, a time. INPUT error with what was expected. */
CORE_MUST_CHECK bool triggers_past_place_read(const char *text, triggers_past_place *place,
                                              core_error *error);

typedef struct {
    fanout_connection *connection;
    const core_config *config; /* the source's */
    const triggers_definition *definition;
    triggers_past_place from, until; /* both count themselves */
} triggers_past_spec;

/* Valid during the call that gives it. */
typedef struct {
    const core_change *change; /* of an event: the row that triggers see of it */
    triggers_body_facts facts;
    const char *id;  /* the change's offset, the event's id; as facts have it */
    uint64_t behind; /* messages that may still come */
} triggers_past_event;

/* False ends it: with an error where `error` is set. */
typedef bool (*triggers_past_take)(void *context, const triggers_past_event *event,
                                   core_error *error);

/* Gives the changes of the definition's table, of whatever operation, or the events that it hears,
 * in the stream's order, up to those that are there now. GAP where `from` is an offset that the
 * stream does not hold (any more): of another epoch, aged out, or beyond its end. */
CORE_MUST_CHECK bool triggers_past_read(const triggers_past_spec *spec, triggers_past_take take,
                                        void *context, core_error *error);

#endif
