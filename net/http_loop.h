/* libcurl's multi interface on an epoll of our own: each turn looks only at the sockets that have
 * something to say, however many transfers there are. Private to net; its owner's thread, but for
 * _wake. */
#ifndef WALCAST_NET_HTTP_LOOP_H
#define WALCAST_NET_HTTP_LOOP_H

#include "core/core.h"

#include <curl/curl.h>

typedef struct {
    uint32_t magic;
    CURLM *multi;
    int epoll_fd;
    int wake_fd;
    int64_t due_ns; /* when libcurl wants to be called; INT64_MAX: not */
} net_http_loop;

/* Neither copied nor moved until _fini, which is called in every case. `connections_max`: in use
 * and kept. */
CORE_MUST_CHECK bool net_http_loop_init(net_http_loop *loop, unsigned connections_max,
                                        core_error *error);
/* No transfer is left in it. */
void net_http_loop_fini(net_http_loop *loop);
/* Waits until a socket, libcurl's timer or _wake has work, and has libcurl do it. False: libcurl
 * or the kernel refuses to go on. */
CORE_MUST_CHECK bool net_http_loop_turn(net_http_loop *loop, core_error *error);
/* Any thread: ends a wait. */
void net_http_loop_wake(net_http_loop *loop);

#endif
