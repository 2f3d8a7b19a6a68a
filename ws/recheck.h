/* Credentials that end while they are in use: a look through a service thread's connections.
 *
 * The verifier says that something may have ended; each service thread then asks the owner of each
 * of its connections to look again at who speaks there. In steps of WS_RECHECKS_A_TURN, between
 * which the thread does its other work; who connects meanwhile was verified after the change. */
#ifndef WALCAST_WS_RECHECK_H
#define WALCAST_WS_RECHECK_H

#include "ws/identity.h"
#include "ws/service.h"

/* Sets service->recheck. */
CORE_MUST_CHECK bool ws_recheck_new(ws_service *service);
/* No posts may be left. */
void ws_recheck_free(ws_service *service);
/* Any thread: all connections that are there now are looked at soon. */
void ws_recheck_ask(ws_service *service);
/* Why what was accepted counts no more, a static sentence; NULL: it does. A token's own exp is its
 * holder's to look at. */
const char *ws_recheck_why(const ws_service *service, const ws_identity *identity);
/* A connection leaves the service's list. */
void ws_recheck_forget(ws_service *service, const ws_connection *connection);

#endif
