/* One source: the thread's loop that moves one slot's changes into the stream, as a state machine.
 *
 * Owns the stream of WAL, the publisher, the run at hand and the ledger. Everything runs on the
 * thread that calls `run`; `drain`, `stop` and `ready` may be called from any. */
#ifndef WALCAST_CDC_SOURCE_H
#define WALCAST_CDC_SOURCE_H

#include "cdc/snapshot_gate.h"
#include "cdc/wal_stream.h"

typedef struct cdc_source cdc_source;

/* Takes `stop_fd` (an eventfd that `drain` and `stop` make readable) and `wal`, and frees both. The
 * others must outlive it. */
CORE_MUST_CHECK cdc_source *cdc_source_new(const core_config *config, core_log *log,
                                           core_metrics *metrics, const core_clock *clock,
                                           cdc_wal_stream *wal, int stop_fd, core_error *error);
/* `run` must have returned or never been called. */
void cdc_source_free(cdc_source *source);

/* Told on the source's thread when it begins to hold the slot (`holds`) and when it no longer does;
 * `end_sequence` is the stream's end when it began. Must return at once. Set before `run`. */
typedef void (*cdc_source_hook)(void *context, bool holds, uint64_t end_sequence);
void cdc_source_on_hold(cdc_source *source, cdc_source_hook hook, void *context);

/* Until stopped or drained. */
void cdc_source_run(cdc_source *source);
/* Asks for the drain: nothing new is read, what is whole is stored and confirmed, then `run`
 * returns. */
void cdc_source_drain(cdc_source *source);
/* Asks `run` to return as soon as it can. */
void cdc_source_stop(cdc_source *source);
/* `run` has ended. */
bool cdc_source_stopped(const cdc_source *source);
/* Where snapshots meet it; as long as it lives. */
cdc_snapshot_gate *cdc_source_gate(cdc_source *source);
/* As core_role's. */
core_readiness cdc_source_ready(cdc_source *source, char *reason, size_t reason_size);

#endif
