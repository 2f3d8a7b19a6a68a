/* See route_stream.h. It is freed when the room has ended it and the connection is gone. */
#include "ws/route_stream.h"

#include "ws/expiry.h"
#include "ws/post.h"
#include "ws/recheck.h"
#include "ws/server.h"
#include "ws/sse_event.h"
#include "ws/sse_refusal.h"

#include <stdlib.h>

#define ROUTE_STREAM_MAGIC 0x57e4a301u
#define ROUTE_SENT_MAGIC   0x57e4a302u

typedef struct {
    uint32_t magic;
    core_route_stream base;
    ws_service *service;
    ws_http_handle handle;
    ws_post end; /* of the room's end */
    unsigned end_status;
    const char *end_detail;
    /* The service thread's. */
    ws_stream *stream; /* NULL: none (yet, or any more) */
    bool ended;        /* by the room */
    bool counted;      /* among the sockets */
    size_t queued;     /* bytes with the connection since it was last drained */
    ws_identity *identity;
    core_address client;
    ws_expiry expiry;
} route_stream;

/* Events on their way to the service's thread. */
typedef struct {
    uint32_t magic;
    ws_post post;
    route_stream *to;
    core_block *events;
} route_sent;

static route_stream *stream_of(void *member, size_t offset) {
    route_stream *it = (route_stream *)(void *)((char *)member - offset);
    CORE_MAGIC_CHECK(it, ROUTE_STREAM_MAGIC);
    return it;
}

static void stream_free_if_over(route_stream *it) {
    if (it->stream != NULL || !it->ended)
        return;
    ws_identity_release(it->identity);
    it->magic = 0;
    free(it);
}

static void stream_close(route_stream *it) {
    atomic_store(&it->base.closed, true);
    if (it->counted)
        ws_server_socket_leave(it->service->server, &it->client);
    it->counted = false;
}

/* ---- From the room ---- */

static void sent_run(ws_post *post, ws_service *service) {
    route_sent *sent = (route_sent *)(void *)((char *)post - offsetof(route_sent, post));
    CORE_MAGIC_CHECK(sent, ROUTE_SENT_MAGIC);
    route_stream *it = sent->to;
    size_t bytes = core_block_slice(sent->events).length;
    (void)service;
    if (it->stream != NULL && ws_stream_open(it->stream)) {
        it->queued += bytes;
        ws_stream_send(it->stream, sent->events);
        if (ws_stream_open(it->stream))
            ws_connection_watch_drain(ws_stream_connection(it->stream));
    } else {
        atomic_fetch_sub(&it->base.held, bytes);
    }
    core_block_release(sent->events);
    sent->magic = 0;
    free(sent);
}

static bool stream_send(core_route_stream *base, const core_route_event *event) {
    route_stream *it = stream_of(base, offsetof(route_stream, base));
    const ws_sse_event text = {.name = event->name, .id = event->id, .data = event->data};
    route_sent *sent = calloc(1, sizeof *sent);
    core_block *events = ws_sse_event_block(&text);
    if (sent == NULL || events == NULL) {
        free(sent);
        core_block_release(events);
        return false;
    }
    *sent = (route_sent){
        .magic = ROUTE_SENT_MAGIC, .post = {.run = sent_run}, .to = it, .events = events};
    atomic_fetch_add(&it->base.held, core_block_slice(events).length);
    ws_post_send(it->service, &sent->post);
    return true;
}

static void stream_say_last(const route_stream *it, unsigned status, const char *detail) {
    core_block *last = status != 0 ? ws_sse_last_event(it->service, status, detail) : NULL;
    ws_stream_end(it->stream, last);
    core_block_release(last);
}

static void end_run(ws_post *post, ws_service *service) {
    route_stream *it = stream_of(post, offsetof(route_stream, end));
    (void)service;
    it->ended = true;
    if (it->stream != NULL)
        stream_say_last(it, it->end_status, it->end_detail);
    stream_free_if_over(it);
}

static void stream_end(core_route_stream *base, unsigned status, const char *detail) {
    route_stream *it = stream_of(base, offsetof(route_stream, base));
    it->end_status = status;
    it->end_detail = detail;
    ws_post_send(it->service, &it->end);
}

/* ---- From the connection ---- */

static route_stream *owner_of(void *context) {
    route_stream *it = context;
    CORE_MAGIC_CHECK(it, ROUTE_STREAM_MAGIC);
    return it;
}

/* The stream ends with its token; the client comes back with another and its last id. */
static void stream_rearm(route_stream *it) {
    const ws_expiry_rule rule = {.warning_ms = 0, .grace_ms = 0};
    int64_t wall_ms = core_clock_wall_us(it->service->clock) / CORE_US_PER_MS;
    int64_t next_ms = ws_expiry_next_ms(&it->expiry, &rule, it->service->now_ms, wall_ms);
    ws_stream_set_deadline(it->stream, next_ms > it->service->now_ms ? next_ms : next_ms + 1);
}

static void on_deadline(void *context, int64_t now_ms) {
    route_stream *it = owner_of(context);
    const ws_expiry_rule rule = {.warning_ms = 0, .grace_ms = 0};
    int64_t wall_ms = core_clock_wall_us(it->service->clock) / CORE_US_PER_MS;
    if (ws_expiry_look(&it->expiry, &rule, now_ms, wall_ms) == WS_EXPIRY_CLOSE)
        stream_say_last(it, 401,
                        "the token has expired; connect again with a new one and your last id");
    else
        stream_rearm(it);
}

static core_block *on_beat(void *context) {
    (void)context;
    return NULL; /* a comment */
}

static void on_drained(void *context) {
    route_stream *it = owner_of(context);
    atomic_fetch_sub(&it->base.held, it->queued);
    it->queued = 0;
}

static size_t on_recheck(void *context) {
    route_stream *it = owner_of(context);
    const char *why = ws_recheck_why(it->service, it->identity);
    if (why != NULL)
        stream_say_last(it, 401, why);
    return 1;
}

static void on_closing(void *context) {
    stream_close(owner_of(context));
}

static void on_gone(void *context) {
    route_stream *it = owner_of(context);
    it->stream = NULL;
    stream_free_if_over(it);
}

static const ws_stream_owner route_owner = {
    .on_deadline = on_deadline,
    .on_beat = on_beat,
    .on_drained = on_drained,
    .on_recheck = on_recheck,
    .on_closing = on_closing,
    .on_gone = on_gone,
};

/* ---- Life ---- */

core_route_stream *ws_route_stream_new(ws_service *service, ws_http_handle handle) {
    route_stream *it = calloc(1, sizeof *it);
    if (it == NULL)
        return NULL;
    it->magic = ROUTE_STREAM_MAGIC;
    it->base.send = stream_send;
    it->base.end = stream_end;
    it->service = service;
    it->handle = handle;
    it->end.run = end_run;
    return &it->base;
}

void ws_route_stream_begin(core_route_stream *base, ws_identity *identity) {
    route_stream *it = stream_of(base, offsetof(route_stream, base));
    ws_connection *connection = ws_http_wait_find(it->service, it->handle);
    const char *why = ws_recheck_why(it->service, identity);
    it->identity = ws_identity_retain(identity);
    it->expiry = ws_expiry_make(identity->claims.expires_s);
    if (connection == NULL) {
        stream_close(it);
        return;
    }
    it->client = connection->client;
    it->counted = why == NULL && ws_server_socket_enter(it->service->server, &it->client);
    if (it->counted)
        it->stream = ws_stream_new(it->service, it->handle, &route_owner, it);
    if (it->stream != NULL) {
        stream_rearm(it);
        return;
    }
    (void)ws_http_complete_refusal(it->service, it->handle,
                                   why != NULL    ? 401
                                   : !it->counted ? 429
                                                  : 503,
                                   "",
                                   why != NULL    ? why
                                   : !it->counted ? "too many connected users"
                                                  : "out of memory");
    stream_close(it);
}
