/* The ws room's public header: the HTTP server that every process runs, and the realtime gateway
 * that hangs on it. */
#ifndef WALCAST_WS_WS_H
#define WALCAST_WS_WS_H

#include "auth/auth.h"

typedef struct ws_server ws_server;

/* What the server is made of; everything must outlive it. */
typedef struct {
    const core_config *config;
    core_log *log;
    core_metrics *metrics;
    const core_clock *clock;
    const core_route_table *routes;
    const auth_verifier *verifier;
    auth_audit *audit;   /* NULL: nothing is recorded */
    auth_limits *limits; /* NULL: there are none by tier or address */
    /* Answers /health/ready, as core_role's. */
    core_readiness (*ready)(void *context, char *reason, size_t reason_size);
    void *context;
} ws_server_spec;

/* Binds `http.listen` (CONFIG error with the address when it cannot) and starts `http.threads`
 * service threads. */
CORE_MUST_CHECK ws_server *ws_server_new(const ws_server_spec *spec, core_error *error);
/* The address it listens on, "127.0.0.1:4000" (the real port when 0 was asked for). */
const char *ws_server_address(const ws_server *server);
/* Looks at once whether the certificate is another one; without TLS nothing. Any thread. */
void ws_server_reload(ws_server *server);
/* Whether the configured certificate can be served with, for `walcast check`: reads it, and says
 * what was found or is wrong. True without TLS. */
CORE_MUST_CHECK bool ws_certificate_check(const core_config *config, FILE *report);
/* From now on: readiness false, no new connections' joins or writes (503 with Retry-After), open
 * sockets closed with 1012. Returns at once. */
void ws_server_drain(ws_server *server);
/* True when no client is left and no answer is awaited. */
bool ws_server_drained(ws_server *server);
/* Stops the threads and frees everything; clients still there are cut. Rooms must have completed
 * all replies that they were handed (core/route.h). */
void ws_server_free(ws_server *server);

/* One source's gateway; everything must outlive it. */
typedef struct {
    unsigned source;           /* its number in the process's configuration */
    const core_config *config; /* the source's */
    core_log *log;
    core_metrics *metrics; /* the source's */
    const core_clock *clock;
} ws_gateway_spec;

/* The role `ws`: consumes a source's change stream and serves the realtime protocol on `server`. */
CORE_MUST_CHECK core_role *ws_gateway_role_new(ws_server *server, const ws_gateway_spec *spec,
                                               core_error *error);

#endif
