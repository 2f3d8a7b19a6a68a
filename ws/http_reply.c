/* See http_reply.h. */
#include "ws/http_reply.h"

#include "ws/post.h"
#include "ws/route_stream.h"

#include <stdio.h>
#include <stdlib.h>

#define REPLY_MAGIC 0x4e917000u

typedef struct {
    uint32_t magic;
    core_route_reply reply;
    ws_post post;
    ws_service *service;
    ws_http_handle handle;
    ws_identity *identity;     /* NULL: the route is open to all. The service thread's */
    core_route_stream *stream; /* what it becomes; NULL: an answer */
    size_t size;               /* of bytes */
    uint8_t bytes[];
} http_reply;

static core_route_caller reply_caller(const ws_identity *identity) {
    if (identity == NULL)
        return (core_route_caller){.scopes = 0};
    const auth_claims *claims = &identity->claims;
    return (core_route_caller){
        .project = core_slice_text(claims->project),
        .environment = core_slice_text(claims->environment),
        .role = core_slice_text(claims->role),
        .subject = core_slice_text(claims->subject),
        .id = core_slice_text(claims->id),
        .claims_json = identity->claims_json,
        .scopes = claims->scopes,
    };
}

core_route_request ws_http_reply_request(const ws_http_request *request,
                                         const ws_identity *identity) {
    const ws_http_head *head = request->head;
    return (core_route_request){
        .method = head->method,
        .path = head->path,
        .query = head->query,
        .body = request->body,
        .if_match = ws_http_header_value(head, "if-match"),
        .idempotency_key = ws_http_header_value(head, "idempotency-key"),
        .prefer = ws_http_header_value(head, "prefer"),
        .walcast_depth = ws_http_header_value(head, "walcast-depth"),
        .last_event_id = ws_http_header_value(head, "last-event-id"),
        .content_type = ws_http_header_value(head, "content-type"),
        .caller = reply_caller(identity),
    };
}

void ws_http_reply_response_init(core_route_response *response) {
    *response = (core_route_response){.status = 200, .content_type = "text/plain; charset=utf-8"};
    core_buffer_init(&response->body, WS_HTTP_RESPONSE_MAX);
}

bool ws_http_reply_extra(const core_route_response *response, char extra[WS_HTTP_EXTRA_MAX]) {
    extra[0] = '\0';
    const char *own = response->extra_header;
    int length = snprintf(extra, WS_HTTP_EXTRA_MAX, "%s%s%s", response->headers,
                          own != NULL ? own : "", own != NULL ? "\r\n" : "");
    return length >= 0 && length < WS_HTTP_EXTRA_MAX;
}

static http_reply *reply_of(void *member, size_t offset) {
    http_reply *reply = (http_reply *)(void *)((char *)member - offset);
    CORE_MAGIC_CHECK(reply, REPLY_MAGIC);
    return reply;
}

static void reply_free(http_reply *reply) {
    reply->service->replies--;
    reply->service->reply_bytes -= reply->size;
    core_buffer_fini(&reply->reply.response.body);
    ws_identity_release(reply->identity);
    reply->magic = 0;
    free(reply);
}

/* Back on the service's thread. */
static void reply_run(ws_post *post, ws_service *service) {
    http_reply *reply = reply_of(post, offsetof(http_reply, post));
    const core_route_response *response = &reply->reply.response;
    char extra[WS_HTTP_EXTRA_MAX];
    if (!core_buffer_ok(&response->body) || !ws_http_reply_extra(response, extra))
        (void)ws_http_complete_refusal(service, reply->handle, 500, "", "the answer is too long");
    else
        (void)ws_http_complete(service, reply->handle, response->status, response->content_type,
                               extra, core_buffer_slice(&response->body));
    reply_free(reply);
}

/* The same, of one that becomes a stream. */
static void reply_become(ws_post *post, ws_service *service) {
    http_reply *reply = reply_of(post, offsetof(http_reply, post));
    (void)service;
    ws_route_stream_begin(reply->stream, reply->identity);
    reply_free(reply);
}

/* Any thread. */
static core_route_stream *reply_stream(core_route_reply *inner) {
    http_reply *reply = reply_of(inner, offsetof(http_reply, reply));
    assert(reply->identity != NULL);
    core_route_stream *stream = ws_route_stream_new(reply->service, reply->handle);
    if (stream == NULL)
        return NULL;
    reply->stream = stream;
    reply->post.run = reply_become;
    ws_post_send(reply->service, &reply->post);
    return stream;
}

static void reply_gone(void *context) {
    atomic_store(&((http_reply *)context)->reply.abandoned, true);
}

/* Any thread. */
static void reply_send(core_route_reply *inner) {
    http_reply *reply = reply_of(inner, offsetof(http_reply, reply));
    ws_post_send(reply->service, &reply->post);
}

static core_route_caller caller_keep(uint8_t **room, const core_route_caller *caller) {
    return (core_route_caller){
        .project = core_slice_keep(room, caller->project),
        .environment = core_slice_keep(room, caller->environment),
        .role = core_slice_keep(room, caller->role),
        .subject = core_slice_keep(room, caller->subject),
        .id = core_slice_keep(room, caller->id),
        .claims_json = core_slice_keep(room, caller->claims_json),
        .scopes = caller->scopes,
    };
}

static size_t reply_size(const core_route_request *input) {
    const core_route_caller *caller = &input->caller;
    return input->method.length + input->path.length + input->query.length + input->body.length +
           input->if_match.length + input->idempotency_key.length + input->prefer.length +
           input->last_event_id.length + input->walcast_depth.length + input->content_type.length +
           caller->project.length + caller->environment.length + caller->role.length +
           caller->subject.length + caller->id.length + caller->claims_json.length;
}

static http_reply *reply_new(ws_service *service, const core_route_request *input) {
    size_t size = reply_size(input);
    http_reply *reply = calloc(1, sizeof *reply + size);
    if (reply == NULL)
        return NULL;
    reply->magic = REPLY_MAGIC;
    reply->service = service;
    reply->size = size;
    reply->post.run = reply_run;
    reply->reply.send = reply_send;
    reply->reply.stream = reply_stream;
    ws_http_reply_response_init(&reply->reply.response);
    uint8_t *room = reply->bytes;
    reply->reply.request = (core_route_request){
        .method = core_slice_keep(&room, input->method),
        .path = core_slice_keep(&room, input->path),
        .query = core_slice_keep(&room, input->query),
        .body = core_slice_keep(&room, input->body),
        .if_match = core_slice_keep(&room, input->if_match),
        .idempotency_key = core_slice_keep(&room, input->idempotency_key),
        .prefer = core_slice_keep(&room, input->prefer),
        .last_event_id = core_slice_keep(&room, input->last_event_id),
        .walcast_depth = core_slice_keep(&room, input->walcast_depth),
        .content_type = core_slice_keep(&room, input->content_type),
        .caller = caller_keep(&room, &input->caller),
    };
    service->replies++;
    service->reply_bytes += size;
    return reply;
}

void ws_http_reply_defer(ws_http_request *request, const core_route_request *input,
                         const core_route *route, ws_identity *identity) {
    ws_service *service = request->connection->service;
    bool room = service->replies < WS_HTTP_WAITING_MAX &&
                service->reply_bytes + input->body.length <= WS_HTTP_REPLY_BYTES;
    http_reply *reply = room ? reply_new(service, input) : NULL;
    if (reply == NULL) {
        ws_http_refuse(request, 503, "Retry-After: 1\r\n", "too much work is under way");
        return;
    }
    reply->identity = identity != NULL ? ws_identity_retain(identity) : NULL;
    const ws_http_waiter waiter = {.gone = reply_gone, .context = reply};
    reply->handle = ws_http_defer(request, &waiter);
    if (reply->handle == 0)
        reply_free(reply);
    else
        route->defer(route->context, &reply->reply);
}
