/* What service threads and the hub say to each other. One ring each way and thread, so order holds
 * within each: a member is added before its class's frames come, and a class's number is given out
 * again only after every thread has left it. */
#ifndef WALCAST_WS_HUB_RING_H
#define WALCAST_WS_HUB_RING_H

#include "ws/subscription.h"

typedef enum {
    WS_COMMAND_JOIN,  /* answered by JOINED or REFUSED */
    WS_COMMAND_LEAVE, /* one member of the class less on this thread */
} ws_command_kind;

/* Service thread to hub. */
typedef struct {
    ws_command_kind kind;
    uint32_t class_id;             /* LEAVE */
    uint64_t channel;              /* JOIN: the handle to answer to */
    ws_subscription *subscription; /* JOIN: the hub's from now on */
} ws_command;

typedef enum {
    WS_DELIVERY_JOINED,  /* the channel is a member of the class, and the stream's tail is live */
    WS_DELIVERY_REFUSED, /* `block` is the reason */
    WS_DELIVERY_FRAME,   /* `block` is a frame for every member of the class */
    WS_DELIVERY_RESET,   /* changes may have been missed: every joined channel must join again */
} ws_delivery_kind;

/* Hub to service thread. */
typedef struct {
    ws_delivery_kind kind;
    uint32_t class_id;
    uint64_t channel;       /* JOINED, REFUSED */
    core_block *block;      /* FRAME, REFUSED: one reference, the receiver's */
    int64_t commit_time_us; /* FRAME: of a change; 0 for others */
} ws_delivery;

#endif
