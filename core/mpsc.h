/* A bounded queue of fixed slots from many producer threads to one consumer thread.
 *
 * No locks and no allocation after _new. A producer claims a slot, writes into it, and commits it;
 * the consumer looks at committed slots where they lie, in the order in which they were claimed,
 * and releases them when it is done, so what it sends it need not copy. Between claim and commit a
 * producer must not wait for anything: the slots behind its own wait with it. When full, claim says
 * so at once.
 *
 * Sleeping and waking are core_ring's: only a commit that meets a sleeping consumer costs a system
 * call. */
#ifndef WALCAST_CORE_MPSC_H
#define WALCAST_CORE_MPSC_H

#include "core/error.h"

typedef struct core_mpsc core_mpsc;

/* `capacity` slots (rounded up to a power of two) of `slot_bytes` each. Memory that was never
 * written to is not taken. */
CORE_MUST_CHECK core_mpsc *core_mpsc_new(size_t capacity, size_t slot_bytes, core_error *error);
/* All threads must have stopped. What is inside is forgotten. */
void core_mpsc_free(core_mpsc *queue);

/* Producer: a slot to write into, NULL when all are taken; with the ticket to commit it by. */
CORE_MUST_CHECK void *core_mpsc_claim(core_mpsc *queue, size_t *ticket);
void core_mpsc_commit(core_mpsc *queue, size_t ticket);

/* Consumer: the committed slot behind `ahead` others, 0 the oldest. NULL: it is not there yet. */
const void *core_mpsc_peek(const core_mpsc *queue, size_t ahead);
/* Consumer: the `count` oldest, which must be committed, are free again. */
void core_mpsc_release(core_mpsc *queue, size_t count);

/* Consumer: becomes readable when a slot is committed while asleep. Owned by the queue. */
int core_mpsc_wake_fd(const core_mpsc *queue);
/* Consumer: announces that it is about to wait. False when a committed slot is there already. */
CORE_MUST_CHECK bool core_mpsc_sleep(core_mpsc *queue);
/* Consumer: after waiting. */
void core_mpsc_wake_clear(core_mpsc *queue);
/* Any thread: makes the wake descriptor readable (a stop request, say). */
void core_mpsc_wake(core_mpsc *queue);

/* Slots taken; a hint. */
size_t core_mpsc_length(const core_mpsc *queue);

#endif
