/* One service thread: an event loop, a listener of its own, and the connections it accepted.
 *
 * Everything in it belongs to its thread except what is marked. It never blocks: what takes longer
 * is asked of the hub over a ring, or of another room's thread, whose answer is posted (post.h). */
#ifndef WALCAST_WS_SERVICE_H
#define WALCAST_WS_SERVICE_H

#include "auth/auth.h"
#include "ws/connection.h"
#include "ws/forwarded.h"
#include "ws/home.h"
#include "ws/origin.h"
#include "ws/rate.h"

#define WS_SOURCES_MAX (CORE_CONFIG_SOURCES_MAX + 1)

typedef struct ws_server ws_server;
typedef struct ws_loop ws_loop;
typedef struct ws_deflate ws_deflate;
typedef struct ws_session_table ws_session_table;
typedef struct ws_http_waits ws_http_waits;
typedef struct ws_post ws_post;
typedef struct ws_recheck ws_recheck;

/* What one project's clients may do together in this process. */
typedef struct {
    ws_rate_bucket messages;
    ws_rate_bucket joins;
} ws_project_rates;
#define WS_PROJECT_RATES 4096 /* beyond some tens of tenants two may come to share one */

/* What the service threads share: the limits of the whole process. Any thread. */
typedef struct {
    atomic_size_t held_bytes; /* blocks that wait for clients, and messages that are not whole */
    atomic_size_t said_bytes; /* broadcasts that wait for the hub */
    ws_project_rates projects[WS_PROJECT_RATES];
} ws_shared;

/* Of the project that somebody is at home in: a source's own has one to itself, tenants theirs by
 * their names' hash. */
static inline ws_project_rates *ws_shared_rates(ws_shared *shared, const ws_home *home) {
    size_t tenants = WS_PROJECT_RATES - WS_SOURCES_MAX;
    size_t number = home->tenant.length == 0
                        ? home->source
                        : WS_SOURCES_MAX + core_slice_hash(home->tenant) % tenants;
    return &shared->projects[number];
}

typedef struct ws_tls_context ws_tls_context;

/* NULL context: the sockets are plain. */
typedef struct {
    ws_tls_context *context; /* what new connections get; one reference */
    uint8_t *room;           /* WS_READ_BYTES, for what a record held */
} ws_service_tls;

typedef struct {
    bool begun;
    int64_t ends_ms;  /* when the last batch of sockets is closed */
    unsigned closed;  /* sockets so far */
    atomic_bool idle; /* no request is under way; any thread reads */
} ws_service_drain;

struct ws_service {
    ws_server *server;
    ws_shared *shared;
    unsigned index;
    ws_limits limits;
    core_log *log;
    core_metrics *metrics;
    const core_clock *clock;
    auth_audit *audit;         /* NULL: nothing is recorded */
    auth_limits *tiers;        /* NULL: no limits by tier or address */
    const ws_proxies *proxies; /* NULL: none is trusted */
    const ws_origins *origins; /* NULL: any */
    int64_t now_ms;            /* of the monotonic clock, at the last wake-up */
    ws_wheel wheel;
    ws_wheel pauses; /* of connections that are not read for a while */
    ws_connection *connections;
    ws_connection *dirty;
    ws_deflate *deflate; /* where ws.compression is on */
    ws_service_drain drain;
    ws_service_tls tls;
    uint8_t *gather; /* WS_SEND_BYTES, for writes of many blocks */
    uint64_t request_seed;
    uint64_t request_count;
    ws_loop *loop;                            /* libev's and libwebsockets' side (loop.c) */
    ws_session_table *tables[WS_SOURCES_MAX]; /* the realtime sessions' side, one a source's hub */
    size_t table_count;
    core_buffer scratch;  /* for reading messages; WS_PROTOCOL_SCRATCH bytes */
    ws_recheck *recheck;  /* of credentials that end (recheck.c) */
    ws_http_waits *waits; /* requests whose answer is awaited (http_wait.c); NULL: none yet */
    size_t body_bytes;    /* of long bodies that come (http.c) */
    size_t replies, reply_bytes; /* of requests that others have (http_reply.c, rest_broadcast.c) */
    _Atomic(ws_post *) posts;    /* any thread pushes (post.c) */
    atomic_size_t open;          /* connections; any thread reads */
    atomic_size_t waiting;       /* requests whose answer is awaited; any thread reads */
};

void ws_service_add(ws_service *service, ws_connection *connection);
void ws_service_remove(ws_service *service, ws_connection *connection);
/* Will be flushed before the thread sleeps again. */
void ws_service_mark_dirty(ws_service *service, ws_connection *connection);
void ws_service_flush(ws_service *service);
/* Runs the deadlines that have passed. */
void ws_service_tick(ws_service *service);
/* A new X-Request-Id. */
#define WS_REQUEST_ID_SIZE 40
void ws_service_request_id(ws_service *service, char text[WS_REQUEST_ID_SIZE]);

#endif
