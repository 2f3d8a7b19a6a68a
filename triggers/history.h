/* What became of a trigger's events: the outcomes that partitions and the matcher left in the
 * stream of deliveries, read for people. Kept as long as `triggers.history_age` and
 * `triggers.history_bytes` allow. Everything here blocks; TRANSIENT when NATS does not answer. A
 * record that this version does not know ends it with INPUT. */
#ifndef WALCAST_TRIGGERS_HISTORY_H
#define WALCAST_TRIGGERS_HISTORY_H

#include "fanout/fanout.h"

typedef struct {
    core_slice project;
    core_slice trigger;
    core_slice event_id; /* empty: of all */
} triggers_history_filter;

/* One outcome as a JSON object: time, outcome, trigger, event_id, webhook_id, key, attempts, and
 * what there is of batch, status, took_ms, next_attempt and reason. */
typedef struct {
    core_slice json;
    core_slice line; /* the same for a terminal, without its end */
} triggers_history_entry;

/* False ends it without an error. The entry is valid during the call. */
typedef bool (*triggers_history_take)(void *context, const triggers_history_entry *entry);

/* Gives the outcomes in the order of their records, up to those that are there now. `config` is the
 * source's. */
CORE_MUST_CHECK bool triggers_history_read(fanout_connection *connection, const core_config *config,
                                           const triggers_history_filter *filter,
                                           triggers_history_take take, void *context,
                                           core_error *error);
/* The heading over the lines; static. */
const char *triggers_history_heading(void);

/* ---- The newest first, in pages ---- */

/* An outcome's place: its record in the stream, and which of it. */
typedef struct {
    uint64_t sequence;
    uint32_t index;
} triggers_history_place;

typedef struct {
    triggers_history_place before; /* only those before it; sequence 0: up to the newest */
    size_t limit;
} triggers_history_page;

/* Writes the newest `limit` outcomes as elements of a JSON array, the newest first. `*more`: there
 * may be others, before `*next`. Reads a bounded part of the log: when that holds too few, fewer
 * are given although there are more. */
CORE_MUST_CHECK bool triggers_history_newest(fanout_connection *connection,
                                             const core_config *config,
                                             const triggers_history_filter *filter,
                                             const triggers_history_page *page,
                                             core_json_writer *json, triggers_history_place *next,
                                             bool *more, core_error *error);

#endif
