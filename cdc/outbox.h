/* The outbox: logical messages (pg_logical_emit_message) of the change stream as events in
 * `{nats.stream}_EVENTS`, subject `{prefix}.events.{project}.{type}`.
 *
 * A thread of its own with a durable consumer on the change stream, at work only while it is
 * switched on: the process that streams the slot relays, a standby does not. Idle it waits in one
 * pull request. Whatever fails is tried again with backoff; nothing is skipped. */
#ifndef WALCAST_CDC_OUTBOX_H
#define WALCAST_CDC_OUTBOX_H

#include "core/core.h"

typedef struct cdc_outbox cdc_outbox;

/* Everything must outlive it. */
CORE_MUST_CHECK cdc_outbox *cdc_outbox_new(const core_config *config, core_log *log,
                                           core_metrics *metrics, const core_clock *clock,
                                           core_error *error);
/* Ends the thread if it was started; waits for a call under way, at most the broker's time limits.
 */
void cdc_outbox_free(cdc_outbox *outbox);
CORE_MUST_CHECK bool cdc_outbox_start(cdc_outbox *outbox, core_error *error);
/* Any thread; returns at once. `end_sequence`: the change stream's end when the source took it over
 * (0: empty). */
void cdc_outbox_switch(cdc_outbox *outbox, bool on, uint64_t end_sequence);
/* From now on it stays off. */
void cdc_outbox_stop(cdc_outbox *outbox);
/* Any thread. False: all is well; else `text` says why events are not relayed. */
bool cdc_outbox_problem(cdc_outbox *outbox, char *text, size_t text_size);

#endif
