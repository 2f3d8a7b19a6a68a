/* A bounded queue from one producer thread to one consumer thread, with a wake-up.
 *
 * No locks and no allocation after _new. The consumer sleeps in its own event loop on the ring's
 * eventfd: it calls core_ring_sleep before it waits (false: items came meanwhile, do not wait) and
 * core_ring_wake_clear after. The producer's push writes the eventfd only when the consumer said
 * it sleeps, so a busy ring costs no system call. When full, push says so and the producer decides:
 * wait, spill or refuse. */
#ifndef WALCAST_CORE_RING_H
#define WALCAST_CORE_RING_H

#include "core/error.h"

typedef struct core_ring core_ring;

/* `capacity` items (rounded up to a power of two) of `item_bytes` each. */
CORE_MUST_CHECK core_ring *core_ring_new(size_t capacity, size_t item_bytes, core_error *error);
/* Both threads must have stopped. Items left inside are forgotten: drain first. */
void core_ring_free(core_ring *ring);

/* Producer: copies the item in and wakes a sleeping consumer. False when full. */
CORE_MUST_CHECK bool core_ring_push(core_ring *ring, const void *item);
/* Consumer: copies the oldest item out. False when empty. */
CORE_MUST_CHECK bool core_ring_pop(core_ring *ring, void *item);

/* Consumer: becomes readable when an item arrives while asleep. Owned by the ring. */
int core_ring_wake_fd(const core_ring *ring);
/* Consumer: announces that it is about to wait. False when items are there already. */
CORE_MUST_CHECK bool core_ring_sleep(core_ring *ring);
/* Consumer: after waiting, or when it gives up waiting. */
void core_ring_wake_clear(core_ring *ring);
/* Any thread: makes the wake descriptor readable without an item (a stop request, say). */
void core_ring_wake(core_ring *ring);

/* Items inside; exact for the two threads themselves, a hint for others (metrics). */
size_t core_ring_length(const core_ring *ring);
size_t core_ring_capacity(const core_ring *ring);

#endif
