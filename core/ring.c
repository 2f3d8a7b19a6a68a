/* Lamport's single-producer single-consumer queue with an eventfd; see ring.h.
 *
 * head counts pushes and tail counts pops; both only grow. The sleeping flag and the counters are
 * touched with sequential consistency around sleep and push, so either the producer sees the flag
 * or the consumer sees the item: a wake-up cannot be lost. The producer takes the flag down when it
 * wakes, so however many items it pushes until the consumer runs, one sleep costs one write. */
#include "core/ring.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define RING_CACHE_LINE   64
#define RING_MAX_CAPACITY ((size_t)1 << 24)

/* What one thread writes has a cache line of its own. */
struct core_ring { /* NOLINT(clang-analyzer-optin.performance.Padding) */
    size_t mask;
    size_t item_bytes;
    int wake_fd;
    uint8_t *items;
    _Alignas(RING_CACHE_LINE) atomic_size_t head;
    _Alignas(RING_CACHE_LINE) atomic_size_t tail;
    _Alignas(RING_CACHE_LINE) atomic_bool sleeping;
};

core_ring *core_ring_new(size_t capacity, size_t item_bytes, core_error *error) {
    size_t rounded = 2;
    while (rounded < capacity && rounded < RING_MAX_CAPACITY)
        rounded *= 2;
    core_ring *ring = aligned_alloc(RING_CACHE_LINE, sizeof *ring);
    uint8_t *items = calloc(rounded, item_bytes);
    int wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (ring == NULL || items == NULL || wake_fd < 0 || rounded < capacity) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "cannot make a ring of %zu items: %s",
                             capacity, rounded < capacity ? "too large" : strerror(errno));
        free(ring);
        free(items);
        if (wake_fd >= 0)
            (void)close(wake_fd);
        return NULL;
    }
    memset(ring, 0, sizeof *ring);
    ring->mask = rounded - 1;
    ring->item_bytes = item_bytes;
    ring->wake_fd = wake_fd;
    ring->items = items;
    return ring;
}

void core_ring_free(core_ring *ring) {
    if (ring == NULL)
        return;
    (void)close(ring->wake_fd);
    free(ring->items);
    free(ring);
}

static uint8_t *ring_item(core_ring *ring, size_t counter) {
    return ring->items + (counter & ring->mask) * ring->item_bytes;
}

bool core_ring_push(core_ring *ring, const void *item) {
    size_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    size_t tail = atomic_load_explicit(&ring->tail, memory_order_acquire);
    if (head - tail > ring->mask)
        return false;
    memcpy(ring_item(ring, head), item, ring->item_bytes);
    atomic_store(&ring->head, head + 1);
    if (atomic_load(&ring->sleeping) && atomic_exchange(&ring->sleeping, false))
        core_ring_wake(ring);
    return true;
}

bool core_ring_pop(core_ring *ring, void *item) {
    size_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    size_t head = atomic_load_explicit(&ring->head, memory_order_acquire);
    if (head == tail)
        return false;
    memcpy(item, ring_item(ring, tail), ring->item_bytes);
    atomic_store_explicit(&ring->tail, tail + 1, memory_order_release);
    return true;
}

int core_ring_wake_fd(const core_ring *ring) {
    return ring->wake_fd;
}

bool core_ring_sleep(core_ring *ring) {
    atomic_store(&ring->sleeping, true);
    if (atomic_load(&ring->head) == atomic_load_explicit(&ring->tail, memory_order_relaxed))
        return true;
    atomic_store(&ring->sleeping, false);
    return false;
}

void core_ring_wake_clear(core_ring *ring) {
    uint64_t count;
    atomic_store(&ring->sleeping, false);
    /* Non-blocking: EAGAIN only means that nobody woke us. */
    ssize_t got = read(ring->wake_fd, &count, sizeof count);
    (void)got;
}

void core_ring_wake(core_ring *ring) {
    uint64_t one = 1;
    /* EAGAIN only means that the counter is full, so the descriptor is readable already. */
    ssize_t put = write(ring->wake_fd, &one, sizeof one);
    (void)put;
}

size_t core_ring_length(const core_ring *ring) {
    size_t tail = atomic_load(&ring->tail);
    return atomic_load(&ring->head) - tail;
}

size_t core_ring_capacity(const core_ring *ring) {
    return ring->mask + 1;
}
