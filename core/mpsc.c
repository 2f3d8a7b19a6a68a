/* Vyukov's bounded queue, with one consumer; see mpsc.h.
 *
 * A slot's turn says whose it is: equal to a producer's ticket, it is free for that ticket; one
 * more, it is committed; a whole round more, it is free for the next one. The sleeping flag is
 * touched with sequential consistency around commit and sleep, so either the producer sees the flag
 * or the consumer sees the slot. */
#include "core/mpsc.h"

#include "core/wait.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define MPSC_CACHE_LINE   64
#define MPSC_MAX_CAPACITY ((size_t)1 << 24)

/* What one side writes has a cache line of its own. */
struct core_mpsc { /* NOLINT(clang-analyzer-optin.performance.Padding) */
    size_t mask;
    size_t slot_bytes;
    int wake_fd;
    uint8_t *slots;
    atomic_size_t *turns;
    _Alignas(MPSC_CACHE_LINE) atomic_size_t head; /* tickets given out */
    _Alignas(MPSC_CACHE_LINE) atomic_size_t tail; /* slots released; the consumer writes */
    _Alignas(MPSC_CACHE_LINE) atomic_bool sleeping;
};

core_mpsc *core_mpsc_new(size_t capacity, size_t slot_bytes, core_error *error) {
    size_t rounded = 2;
    while (rounded < capacity && rounded < MPSC_MAX_CAPACITY)
        rounded *= 2;
    core_mpsc *queue = aligned_alloc(MPSC_CACHE_LINE, sizeof *queue);
    if (queue == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "no memory for a queue");
        return NULL;
    }
    memset(queue, 0, sizeof *queue);
    queue->mask = rounded - 1;
    queue->slot_bytes = slot_bytes;
    queue->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    queue->slots = calloc(rounded, slot_bytes);
    queue->turns = calloc(rounded, sizeof *queue->turns);
    if (queue->wake_fd < 0 || queue->slots == NULL || queue->turns == NULL || rounded < capacity) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "cannot make a queue of %zu slots: %s",
                             capacity, rounded < capacity ? "too large" : strerror(errno));
        core_mpsc_free(queue);
        return NULL;
    }
    for (size_t i = 0; i < rounded; i++)
        atomic_store_explicit(&queue->turns[i], i, memory_order_relaxed);
    return queue;
}

void core_mpsc_free(core_mpsc *queue) {
    if (queue == NULL)
        return;
    if (queue->wake_fd >= 0)
        (void)close(queue->wake_fd);
    free(queue->slots);
    free(queue->turns);
    free(queue);
}

static void *mpsc_slot(const core_mpsc *queue, size_t ticket) {
    return queue->slots + (ticket & queue->mask) * queue->slot_bytes;
}

void *core_mpsc_claim(core_mpsc *queue, size_t *ticket) {
    size_t head = atomic_load_explicit(&queue->head, memory_order_relaxed);
    for (;;) {
        size_t turn = atomic_load_explicit(&queue->turns[head & queue->mask], memory_order_acquire);
        if (turn == head) {
            if (atomic_compare_exchange_weak_explicit(&queue->head, &head, head + 1,
                                                      memory_order_relaxed, memory_order_relaxed)) {
                *ticket = head;
                return mpsc_slot(queue, head);
            }
        } else if ((ptrdiff_t)(turn - head) < 0) {
            return NULL; /* still a slot of the round before */
        } else {
            head = atomic_load_explicit(&queue->head, memory_order_relaxed);
        }
    }
}

void core_mpsc_commit(core_mpsc *queue, size_t ticket) {
    atomic_store(&queue->turns[ticket & queue->mask], ticket + 1);
    if (atomic_load(&queue->sleeping) && atomic_exchange(&queue->sleeping, false))
        core_wake_set(queue->wake_fd);
}

const void *core_mpsc_peek(const core_mpsc *queue, size_t ahead) {
    size_t at = atomic_load_explicit(&queue->tail, memory_order_relaxed) + ahead;
    if (ahead > queue->mask || atomic_load(&queue->turns[at & queue->mask]) != at + 1)
        return NULL;
    return mpsc_slot(queue, at);
}

void core_mpsc_release(core_mpsc *queue, size_t count) {
    size_t tail = atomic_load_explicit(&queue->tail, memory_order_relaxed);
    for (size_t i = 0; i < count; i++) {
        size_t at = tail + i;
        assert(atomic_load_explicit(&queue->turns[at & queue->mask], memory_order_relaxed) ==
               at + 1);
        atomic_store_explicit(&queue->turns[at & queue->mask], at + queue->mask + 1,
                              memory_order_release);
    }
    atomic_store_explicit(&queue->tail, tail + count, memory_order_relaxed);
}

int core_mpsc_wake_fd(const core_mpsc *queue) {
    return queue->wake_fd;
}

bool core_mpsc_sleep(core_mpsc *queue) {
    atomic_store(&queue->sleeping, true);
    if (core_mpsc_peek(queue, 0) == NULL)
        return true;
    atomic_store(&queue->sleeping, false);
    return false;
}

void core_mpsc_wake_clear(core_mpsc *queue) {
    atomic_store(&queue->sleeping, false);
    core_wake_clear(queue->wake_fd);
}

void core_mpsc_wake(core_mpsc *queue) {
    core_wake_set(queue->wake_fd);
}

size_t core_mpsc_length(const core_mpsc *queue) {
    size_t tail = atomic_load_explicit(&queue->tail, memory_order_relaxed);
    size_t head = atomic_load_explicit(&queue->head, memory_order_relaxed);
    return head > tail ? head - tail : 0;
}
