/* The matcher: of a source one, wherever its processes run. It reads the change stream and the
 * stream of events, each in order, asks the index of rules what a change or event makes true, and
 * writes the tasks that come of it, each stored once and in that order.
 *
 * A thread of its own, which waits for the broker. */
#ifndef WALCAST_TRIGGERS_MATCHER_H
#define WALCAST_TRIGGERS_MATCHER_H

#include "fanout/fanout.h"
#include "triggers/definitions.h"
#include "triggers/position.h"

typedef struct triggers_matcher triggers_matcher;

typedef struct {
    const core_config *config;
    core_log *log;
    core_metrics *metrics;
    const core_clock *clock;
    triggers_definitions *definitions; /* outlive the matcher */
} triggers_matcher_spec;

/* Starts the thread. */
CORE_MUST_CHECK triggers_matcher *triggers_matcher_new(const triggers_matcher_spec *spec,
                                                       core_error *error);
/* Ends it; what is not stored by then comes again with the next one. NULL is allowed. */
void triggers_matcher_free(triggers_matcher *matcher);

/* How far the matcher has come, as it is stored: of what matches nothing some seconds late. For who
 * asks from outside; blocks. */
CORE_MUST_CHECK bool triggers_position_stored(fanout_connection *connection,
                                              const core_config *config,
                                              triggers_position *position, core_error *error);

typedef enum {
    TRIGGERS_MATCHER_TROUBLE, /* the text says why */
    TRIGGERS_MATCHER_STANDBY, /* another process does it */
    TRIGGERS_MATCHER_RUNS,
    TRIGGERS_MATCHER_GAP, /* the same; it has missed something lately, which the text says */
} triggers_matcher_state;
/* Any thread. */
triggers_matcher_state triggers_matcher_look(triggers_matcher *matcher, char *text,
                                             size_t text_size);

#endif
