/* See sse.h. States are the member's: joining, while the request waits for the hub's answer;
 * joined, while there is a stream; closed. */
#include "ws/sse.h"

#include "ws/http_key.h"
#include "ws/identity.h"
#include "ws/recheck.h"
#include "ws/server.h"
#include "ws/session_table.h"
#include "ws/sse_event.h"
#include "ws/sse_refusal.h"
#include "ws/sse_request.h"
#include "ws/tier.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define SSE_MAGIC        0x55e00000u
#define SSE_JOIN_WAIT_MS 15000 /* for the stream to be live, or history to be found */
#define SSE_RESPONSE_MAX ((size_t)4 << 20)
#define SSE_CROWDED_PART 4 /* of the queue's cap, at which no history is added */

typedef struct {
    ws_member member; /* first: see sse_of */
    uint32_t magic;
    ws_service *service;
    ws_http_handle handle; /* of the request, while it waits */
    ws_stream *stream;     /* once joined */
    core_block *bindings;  /* JSON: to subscribe anew after a stall */
    bool takes_events;     /* the client reads event streams */
    bool conflate;         /* asked for slow=conflate */
    ws_identity *identity;
    core_address client;
    ws_expiry expiry; /* of its token */
} sse;

static sse *sse_of(void *member) {
    sse *it = member;
    CORE_MAGIC_CHECK(it, SSE_MAGIC);
    return it;
}

/* ---- Life ---- */

static void sse_free(sse *it) {
    assert(it->member.state.current == WS_MEMBER_CLOSED);
    ws_server_socket_leave(it->service->server, &it->client);
    ws_identity_release(it->identity);
    core_block_release(it->bindings);
    it->magic = 0;
    free(it);
}

/* Out of the hub's classes. */
static void sse_leave(sse *it) {
    if (it->stream != NULL)
        core_metrics_add(it->service->metrics, CORE_METRIC_WS_STREAMS, -1);
    ws_session_table_leave(it->service, &it->member);
    core_state_move(&it->member.state, WS_MEMBER_CLOSED);
}

/* Before there is a stream: the request is answered, or its client went. */
static void sse_give_up(sse *it) {
    sse_leave(it);
    sse_free(it);
}

static void sse_refuse_and_give_up(sse *it, unsigned status, const char *detail) {
    ws_sse_refuse_waiting(it->service, it->handle, it->takes_events, status, detail);
    sse_give_up(it);
}

static void sse_request_gone(void *context) {
    sse_give_up(sse_of(context));
}

static void sse_request_late(void *context) {
    sse_refuse_and_give_up(sse_of(context), 503,
                           "the change stream is not connected yet, please try again");
}

static ws_subscription *sse_subscription(const ws_identity *identity, core_slice bindings,
                                         bool conflate, core_error *error) {
    const ws_subscription_request wanted = {.protocol = WS_PROTOCOL_SSE,
                                            .identity = identity,
                                            .postgres_changes = bindings,
                                            .conflate = conflate};
    core_buffer response; /* of a join: not sent here */
    core_buffer_init(&response, SSE_RESPONSE_MAX);
    ws_subscription *subscription = ws_subscription_new(&wanted, &response, error);
    core_buffer_fini(&response);
    return subscription;
}

/* ---- The stream ---- */

static void sse_say(sse *it, const ws_sse_event *event) {
    core_block *block = ws_sse_event_block(event);
    if (block != NULL)
        ws_stream_send(it->stream, block);
    else
        ws_stream_end(it->stream, NULL);
    core_block_release(block);
}

static void sse_end(ws_stream *stream, unsigned status, const char *detail) {
    ws_service *service = ws_stream_connection(stream)->service;
    core_block *last = ws_sse_last_event(service, status, detail);
    ws_stream_end(stream, last);
    core_block_release(last);
}

void ws_sse_drain(ws_stream *stream) {
    sse_end(stream, 503, "this server is shutting down; connect again with your last id");
}

/* There is no way to renew its token: the stream ends with it, and the client comes back with
 * another and its last id. */
static ws_expiry_rule sse_expiry_rule(const sse *it) {
    return (ws_expiry_rule){.warning_ms = it->service->limits.expiry.warning_ms, .grace_ms = 0};
}

/* Wall-clock expiry is looked at on the monotonic clock, as a session does. */
static void sse_rearm(sse *it) {
    ws_expiry_rule rule = sse_expiry_rule(it);
    int64_t wall_ms = core_clock_wall_us(it->service->clock) / CORE_US_PER_MS;
    int64_t next_ms = ws_expiry_next_ms(&it->expiry, &rule, it->service->now_ms, wall_ms);
    ws_stream_set_deadline(it->stream, next_ms > it->service->now_ms ? next_ms : next_ms + 1);
}

static void sse_warn(sse *it, int64_t wall_ms) {
    char data[160];
    (void)snprintf(data, sizeof data,
                   "{\"expires_at\":%" PRId64 ",\"detail\":\"the token expires in %" PRId64
                   " s, and the stream with it: connect again with a new one and your last id\"}",
                   it->identity->claims.expires_s, ws_expiry_left_s(&it->expiry, wall_ms));
    const ws_sse_event warning = {.name = WS_SSE_WARNING, .data = core_slice_text(data)};
    sse_say(it, &warning);
}

static void sse_deadline(void *context, int64_t now_ms) {
    sse *it = sse_of(context);
    ws_expiry_rule rule = sse_expiry_rule(it);
    int64_t wall_ms = core_clock_wall_us(it->service->clock) / CORE_US_PER_MS;
    ws_expiry_step step = ws_expiry_look(&it->expiry, &rule, now_ms, wall_ms);
    if (step == WS_EXPIRY_CLOSE) {
        sse_end(it->stream, 401,
                "the token has expired; connect again with a new one and your "
                "last id, and nothing is missed");
        return;
    }
    if (step == WS_EXPIRY_WARN)
        sse_warn(it, wall_ms);
    if (ws_stream_open(it->stream))
        sse_rearm(it);
}

/* The id alone: it comes to no callback, but the client goes on from there. */
static core_block *sse_beat(void *context) {
    sse *it = sse_of(context);
    core_offset position;
    char id[CORE_OFFSET_TEXT_SIZE];
    if (!ws_session_table_position(it->service, &it->member, &position))
        return NULL;
    core_offset_format(&position, id);
    const ws_sse_event event = {.id = core_slice_text(id)};
    return ws_sse_event_block(&event);
}

static void sse_renew(ws_member *member) {
    sse *it = sse_of(member);
    ws_subscription *subscription =
        sse_subscription(it->identity, core_block_slice(it->bindings), it->conflate, NULL);
    if (subscription == NULL || !ws_session_table_rejoin(it->service, &it->member, subscription))
        sse_end(it->stream, 503,
                "too much is asked of this server; connect again with your last id");
}

/* The client has read what waited for it: history goes on. */
static void sse_drained(void *context) {
    sse *it = sse_of(context);
    ws_session_table_drained(it->service, &it->member);
    if (it->member.stalled)
        sse_renew(&it->member);
}

static size_t sse_recheck(void *context) {
    sse *it = sse_of(context);
    const char *why = ws_recheck_why(it->service, it->identity);
    if (why != NULL) {
        core_metrics_add(it->service->metrics, CORE_METRIC_WS_CREDENTIALS_ENDED, 1);
        sse_end(it->stream, 401, why);
    }
    return 1;
}

static void sse_closing(void *context) {
    sse_leave(sse_of(context));
}

static void sse_gone(void *context) {
    sse_free(sse_of(context));
}

static const ws_stream_owner sse_stream_owner = {
    .on_deadline = sse_deadline,
    .on_beat = sse_beat,
    .on_drained = sse_drained,
    .on_recheck = sse_recheck,
    .on_closing = sse_closing,
    .on_gone = sse_gone,
};

/* ---- What the hub says ---- */

static void sse_send(ws_member *member, core_block *events, ws_row *row) {
    ws_stream_send_row(sse_of(member)->stream, events, row, member->handle);
}

static void sse_joined(ws_member *member) {
    sse *it = sse_of(member);
    const char *why = ws_recheck_why(
        it->service, it->identity); /* a request that waits is not looked at otherwise */
    if (why != NULL) {
        sse_refuse_and_give_up(it, 401, why);
        return;
    }
    it->stream = ws_stream_new(it->service, it->handle, &sse_stream_owner, it);
    if (it->stream == NULL) {
        sse_refuse_and_give_up(it, 503, "out of memory");
        return;
    }
    core_metrics_add(it->service->metrics, CORE_METRIC_WS_STREAMS, 1);
    core_metrics_add(it->service->metrics, CORE_METRIC_WS_JOINS, 1);
    sse_rearm(it);
    ws_sse_event hint = {.retry_ms = ws_sse_retry_ms(it->service)};
    if (member->loading) {
        hint.name = WS_SSE_SNAPSHOT;
        hint.data = core_slice_text("{\"status\":\"begin\"}");
    }
    sse_say(it, &hint);
}

/* No id yet: who is interrupted before changes came begins with the rows again. */
static void sse_loaded(ws_member *member, uint64_t rows) {
    char data[64];
    (void)snprintf(data, sizeof data, "{\"status\":\"complete\",\"rows\":%" PRIu64 "}", rows);
    const ws_sse_event complete = {.name = WS_SSE_SNAPSHOT, .data = core_slice_text(data)};
    sse_say(sse_of(member), &complete);
}

/* From here on the client has an id, also before its first change. */
static void sse_live(ws_member *member, const char *offset) {
    char data[CORE_OFFSET_TEXT_SIZE + 16];
    (void)snprintf(data, sizeof data, "{\"offset\":\"%s\"}", offset);
    const ws_sse_event ready = {
        .name = WS_SSE_READY, .id = core_slice_text(offset), .data = core_slice_text(data)};
    sse_say(sse_of(member), &ready);
}

static void sse_refused(ws_member *member, const char *reason) {
    const char *detail;
    unsigned status = ws_sse_status_of(reason, &detail);
    sse_refuse_and_give_up(sse_of(member), status, detail);
}

static void sse_reset(ws_member *member, const char *reason) {
    const char *detail;
    unsigned status = ws_sse_status_of(reason, &detail);
    sse_end(sse_of(member)->stream, status,
            status == 503 ? "the change stream was interrupted; connect again with your last id"
                          : detail);
}

static bool sse_crowded(ws_member *member) {
    ws_connection *connection = ws_stream_connection(sse_of(member)->stream);
    size_t cap = connection->service->limits.queue_bytes;
    bool crowded = connection->queue.bytes > cap / SSE_CROWDED_PART;
    if (crowded)
        ws_connection_watch_drain(connection);
    return crowded;
}

static const ws_member_owner sse_member_owner = {
    .send = sse_send,
    .joined = sse_joined,
    .loaded = sse_loaded,
    .live = sse_live,
    .refused = sse_refused,
    .renew = sse_renew,
    .reset = sse_reset,
    .crowded = sse_crowded,
};

/* ---- The request ---- */

static sse *sse_new(const ws_http_request *request, ws_identity *identity,
                    const ws_sse_request *asked) {
    sse *it = calloc(1, sizeof *it);
    core_block *bindings = core_block_copy(core_buffer_slice(&asked->bindings));
    if (it == NULL || bindings == NULL) {
        free(it);
        core_block_release(bindings);
        return NULL;
    }
    ws_member_init(&it->member, &sse_member_owner, asked->has_since ? &asked->since : NULL);
    it->magic = SSE_MAGIC;
    it->service = request->connection->service;
    it->bindings = bindings;
    it->conflate = asked->conflate;
    it->takes_events = ws_sse_takes_events(request->head);
    it->identity = ws_identity_retain(identity);
    it->client = request->connection->client;
    it->expiry = ws_expiry_make(identity->claims.expires_s);
    return it;
}

/* Takes the subscription over. The request waits for the hub's answer, or is refused. */
static void sse_join(ws_http_request *request, sse *it, ws_subscription *subscription) {
    if (!ws_session_table_join(it->service, &it->member, subscription)) {
        core_state_move(&it->member.state, WS_MEMBER_CLOSED);
        sse_free(it);
        ws_sse_refuse(request, 429, "too many joins are waiting, please try again");
        return;
    }
    const ws_http_waiter waiter = {.wait_ms = SSE_JOIN_WAIT_MS,
                                   .late = sse_request_late,
                                   .gone = sse_request_gone,
                                   .context = it};
    it->handle = ws_http_defer(request, &waiter);
    if (it->handle == 0)
        sse_give_up(it);
}

static void sse_enter(ws_http_request *request, ws_identity *identity, const ws_sse_request *asked,
                      ws_subscription *subscription) {
    ws_server *server = request->connection->service->server;
    if (!ws_server_socket_enter(server, &request->connection->client)) {
        ws_subscription_free(subscription);
        ws_sse_refuse(request, 429, "too many connected users");
        return;
    }
    sse *it = sse_new(request, identity, asked);
    if (it != NULL) {
        sse_join(request, it, subscription);
        return;
    }
    ws_subscription_free(subscription);
    ws_server_socket_leave(server, &request->connection->client);
    ws_sse_refuse(request, 503, "out of memory");
}

static void sse_subscribe(ws_http_request *request, ws_identity *identity) {
    core_error error = {.text = ""};
    ws_sse_request asked;
    core_slice last_event_id = ws_http_header_value(request->head, "last-event-id");
    if (!ws_sse_request_init(&asked, request->head->query, last_event_id, &error)) {
        ws_sse_refuse(request, 400, error.text);
        return;
    }
    ws_subscription *subscription =
        sse_subscription(identity, core_buffer_slice(&asked.bindings), asked.conflate, &error);
    if (subscription == NULL)
        ws_sse_refuse(request, error.code == CORE_ERROR_INPUT ? 400 : 503, error.text);
    else
        sse_enter(request, identity, &asked, subscription);
    ws_sse_request_fini(&asked);
}

/* No gateway: this process will never have one, or does not have it now. */
static void sse_no_gateway(ws_http_request *request) {
    if (ws_server_hosts_gateway(request->connection->service->server))
        ws_sse_refuse(request, 503, "the gateway is not running yet");
    else
        ws_sse_refuse(request, 404, "this process does not host the role ws");
}

/* A stream that is opened is a read of its project. */
static void sse_take(ws_http_request *request, ws_identity *identity) {
    char text[WS_TIER_TEXT_SIZE];
    int64_t wait_ms;
    if (ws_tier_takes(request->connection->service, identity, AUTH_LIMIT_READ, 1, &wait_ms, text))
        sse_subscribe(request, identity);
    else
        ws_sse_refuse_until(request, 429, text, wait_ms);
}

static void sse_identify(ws_http_request *request) {
    auth_verdict verdict;
    ws_identity *identity = ws_http_key_identify(request, WS_BEARER_FIRST, &verdict);
    const char *lacks = identity != NULL ? ws_identity_lacks(identity, CORE_SCOPE_SUBSCRIBE) : NULL;
    const ws_server *server = request->connection->service->server;
    if (lacks != NULL)
        ws_sse_refuse(request, 403, lacks);
    else if (identity != NULL && ws_server_gateway(server, identity->home.source) == NULL)
        sse_no_gateway(request);
    else if (identity != NULL)
        sse_take(request, identity);
    else if (verdict == AUTH_OK)
        ws_sse_refuse(request, 503, "out of memory");
    else
        ws_sse_refuse(request, ws_http_key_status(verdict), auth_verdict_text(verdict));
    ws_identity_release(identity);
}

void ws_sse_serve(ws_http_request *request) {
    ws_server *server = request->connection->service->server;
    if (!core_slice_is(request->head->method, "GET"))
        ws_http_refuse(request, 405, "Allow: GET\r\n", "a stream is only read with GET");
    else if (ws_server_draining(server))
        ws_sse_refuse(request, 503, "this server is shutting down");
    else if (!ws_server_has_gateway(server))
        sse_no_gateway(request);
    else
        sse_identify(request);
}
