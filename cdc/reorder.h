/* From any protocol's messages to protocol 1's: each transaction whole, after its commit is known,
 * in commit order. What follows (run_builder.h) cannot tell whether a transaction was streamed.
 *
 * A message outside of what only protocols 2 to 4 know is `plain` and passes by. Blocks and
 * prepared transactions go to the store. A commit starts a replay: Begin, what survives, Commit,
 * one message a call, during which nothing else may be taken. Rolled back is dropped. What a
 * transaction says of tables and types is given out at its PREPARE already, since PostgreSQL relies
 * on it from then on.
 *
 * A prepared transaction holds the position that may be confirmed: PostgreSQL sends it at PREPARE
 * and never again, so its PREPARE must stay unconfirmed until its rows are stored. Its end here is
 * not that: of what was given out, messages may still be on their way to the broker, one by one.
 * Owned by one thread. */
#ifndef WALCAST_CDC_REORDER_H
#define WALCAST_CDC_REORDER_H

#include "cdc/pgoutput.h"
#include "cdc/transaction_store.h"

typedef struct cdc_reorder cdc_reorder;

CORE_MUST_CHECK cdc_reorder *cdc_reorder_new(const cdc_store_limits *limits, core_error *error);
void cdc_reorder_free(cdc_reorder *reorder);
/* Before the first message of a connection, whose server sends again what was not confirmed:
 * forgets all. Commits at or before `stored_lsn` are in the stream. */
void cdc_reorder_start(cdc_reorder *reorder, core_lsn stored_lsn);

/* Takes one message; not while replaying. `*plain`: it is protocol 1's, for the caller to decode
 * and feed now. INPUT when it does not fit what came before it; TRANSIENT when transactions cannot
 * be held here, see `cdc_reorder_wants_whole`; GAP when a prepared transaction is committed whose
 * content went to another reader of the slot. */
CORE_MUST_CHECK bool cdc_reorder_take(cdc_reorder *reorder, core_slice bytes, bool *plain,
                                      core_error *error);

/* Something is being given out. */
bool cdc_reorder_replaying(const cdc_reorder *reorder);
/* Its next message, decoded into `arena` and valid until the next call; `*given` false: one was
 * skipped (so that a call is short however many were rolled back), ask again whether more come. */
CORE_MUST_CHECK bool cdc_reorder_next(cdc_reorder *reorder, core_arena *arena, cdc_message *message,
                                      bool *given, core_error *error);

/* No position beyond this may be confirmed; 0: any. */
core_lsn cdc_reorder_hold_lsn(const cdc_reorder *reorder);
/* The last message of all that was given out is handed to the broker: what ended holds no more. */
void cdc_reorder_sent(cdc_reorder *reorder);
/* After an error: the next connection must not ask for streaming, so that PostgreSQL holds
 * transactions itself until they end or are prepared. Until the next start. */
bool cdc_reorder_wants_whole(const cdc_reorder *reorder);
cdc_store_figures cdc_reorder_figures(const cdc_reorder *reorder);

#endif
