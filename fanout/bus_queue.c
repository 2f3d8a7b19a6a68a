/* See bus_queue.h. A list under a lock: whoever publishes pays for one allocation and one copy, and
 * the sending thread takes everything at once. */
#include "fanout/bus_queue.h"

#include <stdlib.h>

enum { IDLE_WAIT_MS = 1000 };

void fanout_bus_queue_init(fanout_bus_queue *queue, size_t max_count, size_t max_bytes) {
    *queue = (fanout_bus_queue){.max_count = max_count, .max_bytes = max_bytes};
    queue->last = &queue->first;
    (void)pthread_mutex_init(&queue->lock, NULL);
    core_condition_init(&queue->changed);
}

void fanout_bus_queue_fini(fanout_bus_queue *queue) {
    for (fanout_bus_item *item = queue->first, *next; item != NULL; item = next) {
        next = item->next;
        free(item);
    }
    (void)pthread_cond_destroy(&queue->changed);
    (void)pthread_mutex_destroy(&queue->lock);
}

static fanout_bus_item *item_new(const char *subject, core_slice payload, core_error *error) {
    fanout_bus_item *item = malloc(sizeof *item + payload.length);
    if (item == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "no memory for a message to %s", subject);
        return NULL;
    }
    item->next = NULL;
    item->length = payload.length;
    if (payload.length > 0)
        memcpy(item->payload, payload.data, payload.length);
    if (core_slice_to_text(core_slice_text(subject), item->subject, sizeof item->subject))
        return item;
    (void)core_error_set(error, CORE_ERROR_INPUT, "subject '%.64s...' is too long", subject);
    free(item);
    return NULL;
}

/* With the lock. */
static bool queue_has_room(const fanout_bus_queue *queue, size_t length, core_error *error) {
    if (!queue->closed && queue->count < queue->max_count &&
        length <= queue->max_bytes - queue->bytes)
        return true;
    return core_error_set(error, CORE_ERROR_TRANSIENT,
                          "%zu messages of %zu bytes wait for NATS to take them: try again later",
                          queue->count, queue->bytes);
}

bool fanout_bus_queue_put(fanout_bus_queue *queue, const char *subject, core_slice payload,
                          core_error *error) {
    fanout_bus_item *item = item_new(subject, payload, error);
    if (item == NULL)
        return false;
    (void)pthread_mutex_lock(&queue->lock);
    bool ok = queue_has_room(queue, item->length, error);
    if (ok) {
        *queue->last = item;
        queue->last = &item->next;
        queue->count++;
        queue->bytes += item->length;
        (void)pthread_cond_signal(&queue->changed);
    }
    (void)pthread_mutex_unlock(&queue->lock);
    if (!ok)
        free(item);
    return ok;
}

fanout_bus_item *fanout_bus_queue_take(fanout_bus_queue *queue) {
    (void)pthread_mutex_lock(&queue->lock);
    while (queue->first == NULL && !queue->closed)
        (void)core_condition_wait(&queue->changed, &queue->lock, IDLE_WAIT_MS);
    fanout_bus_item *items = queue->first;
    queue->first = NULL;
    queue->last = &queue->first;
    queue->count = queue->bytes = 0;
    (void)pthread_mutex_unlock(&queue->lock);
    return items;
}

void fanout_bus_queue_close(fanout_bus_queue *queue) {
    (void)pthread_mutex_lock(&queue->lock);
    queue->closed = true;
    (void)pthread_cond_broadcast(&queue->changed);
    (void)pthread_mutex_unlock(&queue->lock);
}
