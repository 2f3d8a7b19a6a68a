/* One message of the change stream as events: its logical messages, each published into the stream
 * of events with the offset as its id.
 *
 * Exactly once and in order, whatever dies: events are published one after the other, each after
 * the one before it was acknowledged. So where it is not known what was stored (at the start, and
 * after any error or long pause), the last event on the same subject tells: if its offset is not
 * before this one's, this one is there. That holds for any length of time; the server's
 * deduplication by id, which holds for ten minutes, covers subjects that others write to as well.
 *
 * Broadcasts from SQL (core/realtime_message.h) are no events: private ones go into the stream of
 * stored broadcasts instead, for replay.
 *
 * A logical message larger than the broker takes in one message becomes an event without content,
 * with the header Walcast-Too-Large. Owned by one thread. */
#ifndef WALCAST_CDC_OUTBOX_RELAY_H
#define WALCAST_CDC_OUTBOX_RELAY_H

#include "fanout/fanout.h"

/* Waits up to `wait_ms`; false: stop. `problem` is what the wait is for, NULL: none any more. */
typedef bool (*cdc_outbox_wait)(void *context, int64_t wait_ms, const core_error *problem);

typedef struct {
    const core_config *config;
    core_metrics *metrics;
    const core_clock *clock;
    core_subject_scope scope;
    fanout_connection *connection;
    char events[FANOUT_NAME_MAX]; /* the stream of events, all sources' */
    cdc_outbox_wait wait;
    void *context;
    core_arena arena;
    core_assembly assembly; /* of a message that came in parts */
    core_buffer part;
    core_buffer texts, envelope; /* of a broadcast */
    core_backoff backoff;
    uint32_t chain_xid; /* the transaction that said last how deep in a chain of triggers it is */
    uint16_t chain_depth;
    bool doubt;             /* the next event may be stored already */
    uint64_t done_sequence; /* all up to it is relayed; 0: not known */
    int64_t fresh_until_ms; /* after that somebody else may have relayed what is at hand */
} cdc_outbox_relay;

/* `wait` is called with `context`. Everything must outlive it. */
void cdc_outbox_relay_init(cdc_outbox_relay *relay, const core_config *config,
                           core_metrics *metrics, const core_clock *clock, cdc_outbox_wait wait,
                           void *context);
void cdc_outbox_relay_fini(cdc_outbox_relay *relay);
/* Before the first message of a session; `connection` must outlive the session. */
void cdc_outbox_relay_begin(cdc_outbox_relay *relay, fanout_connection *connection);
/* True: the message is done and may be acked. False: stopped by `wait`, or `error` is set when the
 * message cannot be read. `held_ms`: how long it stays ours before the server gives it to another.
 */
CORE_MUST_CHECK bool cdc_outbox_relay_message(cdc_outbox_relay *relay,
                                              const fanout_message *message, int64_t held_ms,
                                              core_error *error);

#endif
