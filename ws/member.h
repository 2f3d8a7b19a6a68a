/* A member: one subscriber as its service thread's table and the hub know it, whatever it is made
 * of: a channel of a WebSocket session, or a stream of server-sent events.
 *
 * It stands in a class (what it sees of the database) and, if it has a topic, in rooms (what is
 * broadcast there, and who is there). Its owner embeds it and is told through a table of calls,
 * always on its own service thread. */
#ifndef WALCAST_WS_MEMBER_H
#define WALCAST_WS_MEMBER_H

#include "ws/gate.h"
#include "ws/row.h"

typedef struct ws_member ws_member;
typedef struct hub_snapshot hub_snapshot; /* the hub's */

typedef enum {
    WS_MEMBER_JOINING, /* asked for; the hub has not answered */
    WS_MEMBER_JOINED,
    WS_MEMBER_CLOSED, /* in no list; about to be freed */
} ws_member_state;

/* Each call may end the member: who needs it afterwards must look. */
typedef struct {
    /* A frame for it: made for its serializer. `row`: which may take the place of a waiting one's;
     * NULL: it takes nobody's. */
    void (*send)(ws_member *member, core_block *frame, ws_row *row);
    /* The hub has taken it in; its state is JOINED. */
    void (*joined)(ws_member *member);
    /* It stands in its presence room, and did not before. NULL where it never does. */
    void (*sees)(ws_member *member);
    /* All rows of its snapshot were sent, so many; the changes behind them follow. */
    void (*loaded)(ws_member *member, uint64_t rows);
    /* It has caught up with the stream: changes now come as they are made. Told once, behind
     * joined, at once where there is nothing to catch up with. `offset` is what it has seen all up
     * to; "" as long as the stream is empty. */
    void (*live)(ws_member *member, const char *offset);
    /* The hub will not. The owner ends it. */
    void (*refused)(ws_member *member, const char *reason);
    /* What its class is made of has changed: the owner asks for it anew (ws_session_table_rejoin),
     * or ends it. */
    void (*renew)(ws_member *member);
    /* It must join again. The owner ends it. */
    void (*reset)(ws_member *member, const char *reason);
    /* So much waits for its client that no history should be added: then the member stalls, and the
     * owner asks for it anew (ws_session_table_rejoin) once the client has read. */
    bool (*crowded)(ws_member *member);
} ws_member_owner;

typedef enum { WS_GROUP_CLASS, WS_GROUP_ROOM, WS_GROUP_PRESENCE, WS_GROUP_KINDS } ws_group_kind;
#define WS_GROUP_NONE UINT32_MAX /* the number of no group */

/* Its place in one group's list of this thread (group.h). */
typedef struct {
    uint32_t group; /* WS_GROUP_NONE: in none */
    ws_member *next, *previous;
} ws_member_place;

struct ws_member {
    core_state state;
    const ws_member_owner *owner;
    unsigned source;    /* whose hub it asks: of its subscription */
    uint64_t handle;    /* what the hub knows it by (session_table.h); 0: none yet */
    uint32_t attempt;   /* the last join that was asked for; answers to earlier ones are undone */
    bool tracked;       /* it was present once: the hub is told when it goes */
    bool live;          /* `live` was told */
    bool lags;          /* its changes come as history does, in a lane or the slow audience:
                           `after` is its place all the time */
    unsigned rights;    /* in its channel, WS_RIGHT bits (access.h) */
    bool stalled;       /* left its lane; joins again behind `after` once its client has read */
    bool loading;       /* asked for a snapshot, and has not caught up behind it */
    bool midway;        /* has a part of the history's change behind `after` */
    bool suspended;     /* hears nothing; once asked for again it goes on behind `after` */
    bool ending;        /* suspended, but for the rest of the live change at `after` */
    ws_gate *gate;      /* owned; changes that its snapshot's rows show; NULL: none */
    hub_snapshot *owes; /* its piece was taken, which is said once the client has read */
    core_offset after;  /* of changes it has all up to here; sequence 0: from when it was joined */
    ws_member_place places[WS_GROUP_KINDS];
};

/* In state JOINING, in no group. `since`: what its client has already, or NULL. */
void ws_member_init(ws_member *member, const ws_member_owner *owner, const core_offset *since);
/* Behind what its next join goes on; no epoch: at the stream's end. */
core_offset ws_member_since(const ws_member *member);
static inline bool ws_member_joined(const ws_member *member) {
    return member->state.current == WS_MEMBER_JOINED;
}

/* The lists of one kind's members on a service thread, by the group's number. */
typedef struct {
    ws_group_kind kind;
    ws_member **first;
    uint32_t capacity;
} ws_groups;

void ws_groups_fini(ws_groups *groups);
/* Out of memory ends the process: a member that would never hear anything is worse. NONE is
 * nowhere. */
void ws_groups_enter(ws_groups *groups, ws_member *member, uint32_t group);
/* Where it is in none, nothing happens. Returns the group it was in. */
uint32_t ws_groups_leave(ws_groups *groups, ws_member *member);
/* The first member; the next ones follow by places[kind].next. NULL: none. */
ws_member *ws_groups_first(const ws_groups *groups, uint32_t group);

#endif
