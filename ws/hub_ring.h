/* What service threads and the hub say to each other. One ring each way and thread, so order holds
 * within each: a member is added before its groups' frames come, and a group's number is given out
 * again only after every thread has left it. */
#ifndef WALCAST_WS_HUB_RING_H
#define WALCAST_WS_HUB_RING_H

#include "ws/broadcast.h"
#include "ws/subscription.h"

typedef enum {
    WS_COMMAND_JOIN,      /* answered by JOINED or REFUSED */
    WS_COMMAND_LEAVE,     /* one member less of the class and of the room on this thread */
    WS_COMMAND_BROADCAST, /* to everybody in the room of its topic */
} ws_command_kind;

/* Service thread to hub. */
typedef struct {
    ws_command_kind kind;
    uint32_t class_id, room_id;    /* LEAVE; WS_GROUP_NONE: none of that kind */
    uint32_t attempt;              /* JOIN: comes back with the answer */
    uint64_t member;               /* JOIN: the handle to answer to */
    ws_subscription *subscription; /* JOIN: the hub's from now on */
    ws_broadcast *broadcast;       /* BROADCAST: the same */
} ws_command;

typedef enum {
    WS_DELIVERY_JOINED,    /* it is a member of class and room, and the stream's tail is live */
    WS_DELIVERY_REFUSED,   /* `block` is the reason */
    WS_DELIVERY_FRAME,     /* `block` is a frame for every member of the class */
    WS_DELIVERY_BROADCAST, /* `block` is a frame for every member of the room but `member` */
    WS_DELIVERY_RESET,     /* changes may have been missed: every joined member must join again */
} ws_delivery_kind;

/* Hub to service thread. */
typedef struct {
    ws_delivery_kind kind;
    uint32_t class_id, room_id;
    uint32_t attempt;       /* JOINED, REFUSED */
    uint64_t member;        /* JOINED, REFUSED; BROADCAST: who sent it and does not want it, or 0 */
    core_block *block;      /* one reference, the receiver's */
    int64_t commit_time_us; /* FRAME: of a change; 0 for others */
} ws_delivery;

#endif
