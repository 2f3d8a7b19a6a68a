/* Events that Walcast itself puts into the stream of events, about one trigger: of type
 * walcast.WHAT.NAME. Where such a one goes, and its headers. */
#ifndef WALCAST_TRIGGERS_OWN_EVENT_H
#define WALCAST_TRIGGERS_OWN_EVENT_H

#include "fanout/fanout.h"
#include "triggers/definition.h"

typedef struct {
    char subject[CORE_SUBJECT_MAX];
    char type[CORE_SUBJECT_TYPE_SIZE]; /* for its header; "": the subject has all of it */
} triggers_own_event;

/* `kind`: "walcast.WHAT."; the project is `project`, whatever the scope says. False: too long. */
CORE_MUST_CHECK bool triggers_own_event_make(const core_subject_scope *scope, core_slice project,
                                             const char *kind, core_slice name,
                                             triggers_own_event *event);

enum { TRIGGERS_OWN_EVENT_HEADERS = 4 };
/* How many it has. They hold the texts that are given, and the event's. */
size_t triggers_own_event_headers(const triggers_own_event *event, const char *source,
                                  const char *time, const char *depth,
                                  fanout_header headers[TRIGGERS_OWN_EVENT_HEADERS]);
/* Stores one that nothing else caused: depth 0. One of the same id within the stream's duplicate
 * window is stored once. Blocks. */
CORE_MUST_CHECK bool triggers_own_event_publish(fanout_connection *connection,
                                                const triggers_own_event *event, const char *source,
                                                int64_t time_us, const char *id, core_slice payload,
                                                core_error *error);

#endif
