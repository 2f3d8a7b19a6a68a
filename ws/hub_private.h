/* The hub's inside, shared by hub.c and hub_spread.c. */
#ifndef WALCAST_WS_HUB_PRIVATE_H
#define WALCAST_WS_HUB_PRIVATE_H

#include "ws/hub.h"
#include "ws/hub_class.h"
#include "ws/hub_ring.h"
#include "ws/hub_room.h"
#include "ws/session_table.h"

#include <pthread.h>

/* A message of the stream; payload NULL: the consumer lost its place. */
typedef struct {
    core_block *payload;
    uint64_t sequence;
} hub_message;

/* A join that waits for the stream to be live. */
typedef struct {
    size_t thread;
    uint64_t member;
    uint32_t attempt;
    uint32_t class_id, room_id;
} hub_waiting;

/* A change's JSON for one selection of columns. */
typedef struct {
    core_slice select; /* of the first class that wanted it; empty: all columns */
    core_buffer data;
} hub_encoding;

#define HUB_ENCODINGS 8 /* kept a change; further selections are encoded again where they recur */

struct ws_hub {
    uint32_t magic;
    ws_server *server;
    core_log *log;
    core_metrics *metrics;
    size_t threads;
    core_ring *messages;
    atomic_size_t message_bytes; /* waiting in the ring */
    atomic_bool live;
    atomic_bool stop;
    atomic_bool stop_feeding;
    pthread_t thread;
    hub_ids class_ids;
    hub_classes classes;
    hub_rooms rooms;
    hub_waiting *waiting;
    size_t waiting_count, waiting_capacity;
    char epoch[CORE_EPOCH_TEXT_SIZE]; /* of the last message; empty: none yet */
    /* Of the message and the change at hand. */
    core_arena arena;
    core_buffer head;
    uint64_t stamp;
    hub_class *touched;
    const core_change *change;
    core_offset offset;
    hub_encoding encodings[HUB_ENCODINGS];
    size_t encoding_count;
};

/* ---- hub.c ---- */
/* Waits while the thread's ring is full. */
void hub_deliver(ws_hub *hub, size_t thread, const ws_delivery *delivery);

/* ---- hub_spread.c ---- */
typedef enum { HUB_SPREAD, HUB_RESET } hub_outcome;
/* Gives one message's changes to whom they concern. RESET: the message says that changes are
 * missing, is of another epoch than the one before it, or cannot be understood. */
CORE_MUST_CHECK hub_outcome hub_spread(ws_hub *hub, core_slice payload, uint64_t sequence);
/* One frame a serializer to everybody in the broadcast's room. */
void hub_broadcast(ws_hub *hub, const ws_broadcast *broadcast);
void hub_encodings_init(ws_hub *hub);
void hub_encodings_fini(ws_hub *hub);

#endif
