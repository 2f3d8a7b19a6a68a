/* What became of a trigger's events: the outcomes that partitions and the matcher left in the
 * stream of deliveries, read for people. Kept as long as `triggers.history_age` and
 * `triggers.history_bytes` allow. */
#ifndef WALCAST_TRIGGERS_HISTORY_H
#define WALCAST_TRIGGERS_HISTORY_H

#include "core/core.h"

typedef struct {
    core_slice project;
    core_slice trigger;
    core_slice event_id; /* empty: of all */
} triggers_history_filter;

/* One outcome as a JSON object: time, outcome, trigger, event_id, webhook_id, key, attempts, and
 * what there is of status, took_ms, next_attempt and reason. */
typedef struct {
    core_slice json;
    core_slice line; /* the same for a terminal, without its end */
} triggers_history_entry;

/* False ends it without an error. The entry is valid during the call. */
typedef bool (*triggers_history_take)(void *context, const triggers_history_entry *entry);

/* Connects by `config` and gives the outcomes in the order of their records, up to those that are
 * there now. Blocks; TRANSIENT when NATS does not answer. A record that this version does not know
 * ends it with INPUT. */
CORE_MUST_CHECK bool triggers_history_read(const core_config *config, core_log *log,
                                           const triggers_history_filter *filter,
                                           triggers_history_take take, void *context,
                                           core_error *error);
/* The heading over the lines; static. */
const char *triggers_history_heading(void);

#endif
