/* The realtime members of one service thread: which belong to which class and room, and the two
 * rings to and from the hub. */
#ifndef WALCAST_WS_SESSION_TABLE_H
#define WALCAST_WS_SESSION_TABLE_H

#include "ws/hub_ring.h"
#include "ws/member.h"
#include "ws/service.h"

/* Adds one to service->tables, the next source's. */
CORE_MUST_CHECK bool ws_session_table_new(ws_service *service, core_error *error);
/* All of them. The hubs must have let go of the rings, and no member may be left. */
void ws_session_tables_free(ws_service *service);

/* ---- For the loop ---- */
/* Deliveries from the hub; this thread consumes it. */
core_ring *ws_session_ring(const ws_service *service, unsigned source);
/* Spreads what the hubs sent, of each at most WS_DELIVERIES_A_WAKE. */
void ws_session_deliveries(ws_service *service);

/* ---- For the members' owners ---- */
/* Asks the hub to take the member in; the subscription is the hub's from here. One that asks for
 * the present rows gets them first, unless the member names what it has already. */
CORE_MUST_CHECK bool ws_session_table_join(ws_service *service, ws_member *member,
                                           ws_subscription *subscription);
/* The same for one that is a member already: it changes its class when the hub answers; one that
 * stalled goes on behind what it has. */
CORE_MUST_CHECK bool ws_session_table_rejoin(ws_service *service, ws_member *member,
                                             ws_subscription *subscription);
/* A joined member hears no more: neither changes nor what is broadcast, nor who is present; itself
 * it stays present. Of a change that it has in part the rest still comes. It goes on behind what it
 * has when it is asked for anew (ws_session_table_rejoin) and the hub has answered. `follows`: it
 * has bindings. False: it cannot, since it has only a part of a snapshot's rows. */
CORE_MUST_CHECK bool ws_session_table_suspend(ws_service *service, ws_member *member, bool follows);
/* The member's client has read what waited for it: its snapshot goes on. One that stalled is the
 * owner's to ask for anew. */
void ws_session_table_drained(ws_service *service, ws_member *member);
/* Out of its groups, if it is in some; the hub forgets its handle. */
void ws_session_table_leave(ws_service *service, ws_member *member);
/* Hands a copy to the hub, which takes its bytes off shared->said_bytes again. False: too many wait
 * already, or memory is out. */
CORE_MUST_CHECK bool ws_session_table_broadcast(ws_service *service, const ws_broadcast *broadcast);
/* How many broadcasts in a row the source's hub will not find too many. */
size_t ws_session_table_room(const ws_service *service, unsigned source);
/* An offset behind all that a live member was sent, up to which it has all; for a client that goes
 * on from it. False: none is known. */
CORE_MUST_CHECK bool ws_session_table_position(const ws_service *service, const ws_member *member,
                                               core_offset *position);
/* The member is present under the wish's key; not any more; wants to hear who is. False: as above.
 */
CORE_MUST_CHECK bool ws_session_table_track(ws_service *service, ws_member *member,
                                            const ws_presence_wish *wish);
CORE_MUST_CHECK bool ws_session_table_untrack(ws_service *service, ws_member *member);
CORE_MUST_CHECK bool ws_session_table_presence(ws_service *service, ws_member *member,
                                               const ws_presence_wish *wish);

/* ---- For the hub ---- */
/* Commands from the thread; the hub consumes it. */
core_ring *ws_session_commands(const ws_service *service, unsigned source);
/* Sends of history that the thread has still to do: the hub adds what a delivery means, the thread
 * takes it off, and wakes the hub when WS_LANE_SENDS are passed downwards. So live changes are
 * never behind much history. */
atomic_size_t *ws_session_history(const ws_service *service, unsigned source);

#endif
