/* The members' table inside, shared by session_table.c and session_suspend.c. */
#ifndef WALCAST_WS_SESSION_TABLE_PRIVATE_H
#define WALCAST_WS_SESSION_TABLE_PRIVATE_H

#include "ws/session_table.h"

typedef struct {
    ws_member *member; /* NULL: free */
    uint32_t generation;
    uint32_t next_free;
} table_slot;

struct ws_session_table {
    uint64_t thread;
    core_ring *commands;   /* to the hub */
    core_ring *deliveries; /* from the hub */
    ws_command *waiting;   /* a queue: [waiting_first, waiting_count) */
    size_t waiting_first, waiting_count, waiting_capacity;
    table_slot *slots;
    uint32_t slot_count, slot_capacity, first_free; /* first_free: index + 1, 0 none */
    ws_groups classes, rooms, presences;
    core_offset position;  /* as the hub told last */
    ws_place framed;       /* of the last live change for somebody here */
    atomic_size_t history; /* sends of it that wait; any thread */
};

/* The source's; there must be one. */
ws_session_table *ws_table_of(const ws_service *service, unsigned source);
/* What a member leaves; nothing where that is nothing. Out of memory ends the process: a leave that
 * is lost would keep a class for ever. */
void ws_table_send_leave(ws_session_table *table, const ws_command *leave);

/* ---- session_suspend.c: of a suspended member ---- */

/* Whether a frame of the live stream is still for it. It leaves its class with the first that is
 * not. */
CORE_MUST_CHECK bool ws_suspended_takes(ws_session_table *table, ws_member *member,
                                        const ws_delivery *delivery);
/* It was sent all of a change of history: it had a part when it was suspended, and leaves now. */
void ws_suspended_has(ws_session_table *table, ws_member *member);

/* The rows of its snapshot show the change. */
CORE_MUST_CHECK bool ws_member_was_shown(ws_member *member, const ws_delivery *change);

#endif
