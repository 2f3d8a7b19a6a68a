/* What service threads and the hub say to each other. One ring each way and thread, so order holds
 * within each: a member is added before its groups' frames come, and a group's number is given out
 * again only after every thread has left it. */
#ifndef WALCAST_WS_HUB_RING_H
#define WALCAST_WS_HUB_RING_H

#include "ws/broadcast.h"
#include "ws/member.h"
#include "ws/presence_wish.h"
#include "ws/rows.h"
#include "ws/subscription.h"

/* A place in the stream, within one epoch. */
typedef struct {
    uint64_t sequence;
    uint32_t index;
} ws_place;

static inline bool ws_place_behind(ws_place a, ws_place b) {
    return a.sequence > b.sequence || (a.sequence == b.sequence && a.index > b.index);
}

typedef enum {
    WS_COMMAND_JOIN,      /* answered by JOINED or REFUSED */
    WS_COMMAND_LEAVE,     /* one member less of the class and of the room on this thread */
    WS_COMMAND_BROADCAST, /* to everybody in the room of its topic */
    WS_COMMAND_TRACK,     /* the member is present with this payload */
    WS_COMMAND_UNTRACK,   /* it is not any more */
    WS_COMMAND_PRESENCE,  /* wants to hear who is present */
    WS_COMMAND_TAKEN,     /* a piece of a snapshot; the next one may come */
} ws_command_kind;

/* Service thread to hub. */
typedef struct {
    ws_command_kind kind;
    uint32_t class_id, room_id, presence_id; /* LEAVE; WS_GROUP_NONE: none of that kind */
    uint32_t attempt;                        /* JOIN: comes back with the answer */
    uint64_t member; /* JOIN: the handle to answer to; LEAVE: of one that goes for good,
                        or 0; TRACK, UNTRACK, PRESENCE */
    ws_subscription *subscription; /* JOIN: the hub's from now on */
    core_offset since;             /* JOIN: what it has already; no epoch: from now on */
    bool snapshot;                 /* JOIN: first the rows that its bindings ask for */
    hub_snapshot *taken;           /* TAKEN: whose piece, as its ROWS said */
    bool gone;                     /* TAKEN: the member is, nothing more is wanted */
    ws_broadcast *broadcast;       /* BROADCAST: the hub's from now on */
    ws_presence_wish *wish;        /* TRACK, PRESENCE: the hub's from now on */
} ws_command;

typedef enum {
    WS_DELIVERY_JOINED,    /* it is a member of class and room: see `live` */
    WS_DELIVERY_REFUSED,   /* `block` is the reason; of a joined member: it must join again */
    WS_DELIVERY_FRAME,     /* `block` is a frame for every member of the class that is before it */
    WS_DELIVERY_BROADCAST, /* `block` is a frame for every member of the room but `member` */
    WS_DELIVERY_PRESENCE,  /* the same of its presence room */
    WS_DELIVERY_DIRECT,    /* `block` is a frame for the member */
    WS_DELIVERY_CUT,       /* every member of the class must join again; `block` says why */
    WS_DELIVERY_RENEW,     /* every live member of the class joins anew, into another class */
    WS_DELIVERY_RESET,     /* changes may have been missed: every joined member must join again */
    WS_DELIVERY_ROWS,      /* `rows` of a snapshot for a member, to be answered by TAKEN */
    WS_DELIVERY_POSITION,  /* all up to `place` was spread to the live classes */
} ws_delivery_kind;

/* Hub to service thread. */
typedef struct {
    ws_delivery_kind kind;
    bool live;    /* JOINED: the stream's tail is live in it, else it catches up, and another JOINED
                     follows; FRAME: of the live stream, else of history */
    bool lags;    /* JOINED: live, but its frames come as history's do */
    bool partial; /* FRAME: the class gets more frames of this change, at the same place */
    uint32_t class_id, room_id, presence_id;
    uint32_t attempt;       /* JOINED, REFUSED, ROWS */
    unsigned rights;        /* JOINED: what the member may do in its channel */
    uint64_t member;        /* JOINED, REFUSED; BROADCAST: who sent it and does not want it, or 0 */
    uint32_t sends;         /* FRAME of history: how many it is for, see ws_session_history */
    core_block *block;      /* one reference, the receiver's */
    ws_row *row;            /* FRAME: what it tells of, one reference; NULL: not to be conflated */
    int64_t commit_time_us; /* FRAME: of a change; 0 for others */
    core_lsn commit_lsn;    /* FRAME: the same */
    uint32_t xid;           /* FRAME: the same */
    ws_rows *rows;          /* ROWS: the receiver's; of the last piece `place` says what follows */
    hub_snapshot *snapshot; /* ROWS */
    ws_place place;         /* FRAME: the change's, sequence 0 of what is none; JOINED: up to which
                               the member has all; POSITION */
    char epoch[CORE_EPOCH_TEXT_SIZE]; /* JOINED, POSITION: of `place`; "" where it is not known yet
                                       */
} ws_delivery;

/* Lets go of what it carries. */
static inline void ws_delivery_drop(const ws_delivery *delivery) {
    core_block_release(delivery->block);
    ws_row_release(delivery->row);
    ws_rows_free(delivery->rows);
}

#endif
