/* The realtime sessions of one service thread: which channels belong to which class, and the two
 * rings to and from the hub. */
#ifndef WALCAST_WS_SESSION_TABLE_H
#define WALCAST_WS_SESSION_TABLE_H

#include "ws/channel.h"
#include "ws/hub_ring.h"
#include "ws/service.h"

/* Sets service->table. */
CORE_MUST_CHECK bool ws_session_table_new(ws_service *service, core_error *error);
/* The hub must have let go of the rings, and no session may be left. */
void ws_session_table_free(ws_service *service);

/* ---- For the loop ---- */
/* Deliveries from the hub; this thread consumes it. */
core_ring *ws_session_ring(const ws_service *service);
/* Spreads what the hub sent, at most WS_DELIVERIES_A_WAKE. */
void ws_session_deliveries(ws_service *service);
/* The server drains: closes the sockets with 1012. */
void ws_session_wake(ws_service *service);

/* ---- For the sessions ---- */
/* Asks the hub to make the channel a member; the subscription is the hub's from here. */
CORE_MUST_CHECK bool ws_session_table_join(ws_service *service, ws_channel *channel,
                                           ws_subscription *subscription);
/* The same for a channel that is a member already: it changes its class when the hub answers. */
CORE_MUST_CHECK bool ws_session_table_rejoin(ws_service *service, ws_channel *channel,
                                             ws_subscription *subscription);
/* Out of its class, if it is in one; the hub forgets its handle. */
void ws_session_table_leave(ws_service *service, ws_channel *channel);
/* For reading messages; WS_PROTOCOL_SCRATCH bytes. */
core_buffer *ws_session_scratch(ws_service *service);

/* ---- For the hub ---- */
/* Commands from the thread; the hub consumes it. */
core_ring *ws_session_commands(const ws_service *service);

#endif
