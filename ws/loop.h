/* The event loop of one service thread: libev, and a libwebsockets context on it. The only files
 * that know either are loop.c and link_lws.c. */
#ifndef WALCAST_WS_LOOP_H
#define WALCAST_WS_LOOP_H

#include "ws/service.h"

/* Takes `listen_socket` over, also when it fails. Not running yet. */
CORE_MUST_CHECK ws_loop *ws_loop_new(ws_service *service, int listen_socket, core_error *error);
/* Starts the thread. */
CORE_MUST_CHECK bool ws_loop_start(ws_loop *loop, core_error *error);
/* Any thread: runs ws_drain_begin on the service's thread, soon. */
void ws_loop_wake(ws_loop *loop);
/* Any thread: runs ws_posts_run on the service's thread, soon. */
void ws_loop_post(ws_loop *loop);
/* Any thread but the loop's: returns when the thread has begun an iteration after the call, or does
 * not run. */
void ws_loop_sync(ws_loop *loop);
/* Ends the thread and waits for it; the connections stay as they are. */
void ws_loop_stop(ws_loop *loop);
/* Cuts every connection and frees. The loop must have been stopped. */
void ws_loop_free(ws_loop *loop);

#endif
