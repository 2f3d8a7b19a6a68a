/* What waits to be sent to the other gateways: bounded by number and bytes, from any thread to the
 * one that sends. */
#ifndef WALCAST_FANOUT_BUS_QUEUE_H
#define WALCAST_FANOUT_BUS_QUEUE_H

#include "core/core.h"

#include <pthread.h>

typedef struct fanout_bus_item fanout_bus_item;
struct fanout_bus_item {
    fanout_bus_item *next;
    size_t length;
    char subject[CORE_SUBJECT_MAX];
    uint8_t payload[];
};

typedef struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    fanout_bus_item *first;
    fanout_bus_item **last;
    size_t count;
    size_t bytes;
    size_t max_count;
    size_t max_bytes;
    bool closed;
} fanout_bus_queue;

void fanout_bus_queue_init(fanout_bus_queue *queue, size_t max_count, size_t max_bytes);
/* What is still inside is forgotten. */
void fanout_bus_queue_fini(fanout_bus_queue *queue);
/* Copies both. False when there is no room (TRANSIENT), the subject is too long (INPUT) or memory
 * is out. */
CORE_MUST_CHECK bool fanout_bus_queue_put(fanout_bus_queue *queue, const char *subject,
                                          core_slice payload, core_error *error);
/* Waits for something and takes all of it, oldest first, for the caller to free one by one; their
 * room is free at once. NULL: closed and empty. */
fanout_bus_item *fanout_bus_queue_take(fanout_bus_queue *queue);
/* Lets the taker go once all is taken; puts are refused from now on. */
void fanout_bus_queue_close(fanout_bus_queue *queue);

#endif
