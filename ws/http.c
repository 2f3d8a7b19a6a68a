/* See http.h.
 *
 * A head is parsed where it came; only when a body follows is it copied, since the body may take
 * many reads. Whatever is refused before its body was read ends the connection: what follows could
 * be taken for a request.
 *
 * States: a head comes; a body comes; a handler is called; its answer is awaited. In the last one
 * bytes are left to the connection, which brings them again once the answer went out. */
#include "ws/http.h"

#include "ws/http_body.h"
#include "ws/http_origin.h"
#include "ws/http_response.h"

#include <stdlib.h>

#define HTTP_MAGIC     0x477b0001u
#define REQUEST_ID_MAX 128
#define PROBLEM_MAX    2048

/* A deferred request: what its answer needs to know of it. */
typedef struct {
    ws_http_handle handle;
    bool close;
    bool head_only;
    bool vary_origin;
    const core_route_surface *surface;
    ws_http_record record;
    size_t id_length, origin_length;
    uint8_t id[REQUEST_ID_MAX];
    uint8_t origin[WS_ORIGIN_MAX];
} http_wait;

typedef struct {
    uint32_t magic;
    bool begun; /* bytes of a head have come */
    bool in_body;
    bool in_handler;
    http_wait *wait;     /* while an answer is awaited */
    uint8_t *head_bytes; /* a copy, while a body is awaited */
    ws_http_head *head;  /* of the copy */
    ws_http_body body;
    ws_service *held_by; /* of whose bytes for long bodies it holds some; NULL: of nobody's */
    size_t held;
} http_state;

void *ws_http_new(void) {
    http_state *http = calloc(1, sizeof *http);
    if (http != NULL)
        http->magic = HTTP_MAGIC;
    return http;
}

static http_state *http_of(ws_connection *connection) {
    http_state *http = connection->handler_state;
    CORE_MAGIC_CHECK(http, HTTP_MAGIC);
    return http;
}

static void http_forget_request(http_state *http) {
    if (http->in_body)
        ws_http_body_fini(&http->body);
    http->in_body = false;
    if (http->held_by != NULL)
        http->held_by->body_bytes -= http->held;
    http->held_by = NULL;
    http->held = 0;
    free(http->head);
    http->head = NULL;
    free(http->head_bytes);
    http->head_bytes = NULL;
}

void ws_http_free(void *state) {
    http_state *http = state;
    CORE_MAGIC_CHECK(http, HTTP_MAGIC);
    http_forget_request(http);
    http->magic = 0;
    free(http);
}

/* Nobody is there for the answer any more, or it came. */
static void http_wait_over(ws_connection *connection, bool gone) {
    http_state *http = http_of(connection);
    ws_http_handle handle = http->wait->handle;
    free(http->wait);
    http->wait = NULL;
    ws_http_wait_leave(connection->service, handle, gone);
}

static void http_gone(ws_connection *connection) {
    http_wait *wait = http_of(connection)->wait;
    if (wait != NULL) {
        ws_http_record_end(&wait->record, connection, core_slice_make(wait->id, wait->id_length),
                           WS_STATUS_CLIENT_LEFT, 0);
        http_wait_over(connection, true);
    }
    ws_http_free(connection->handler_state);
}

void ws_http_begin(ws_connection *connection) {
    ws_connection_set_deadline(connection, connection->service->now_ms + WS_HTTP_HEAD_MS);
}

/* ---- Answers ---- */

/* What every answer of the request says. */
static ws_http_response http_response(const ws_http_request *request, unsigned status,
                                      const char *content_type, const char *extra) {
    return (ws_http_response){
        .status = status,
        .content_type = content_type,
        .extra = extra,
        .request_id = request->request_id,
        .wall_us = core_clock_wall_us(request->connection->service->clock),
        .close = request->close,
        .head_only = request->head_only,
        .cors = request->cors,
    };
}

static void http_send(ws_http_request *request, const ws_http_response *response) {
    assert(!request->answered && !request->deferred);
    request->answered = true;
    ws_connection *connection = request->connection;
    core_block *block = ws_http_response_block(response);
    core_metrics_add(connection->service->metrics, CORE_METRIC_WS_HTTP_REQUESTS, 1);
    ws_http_record_end(&request->record, connection, request->request_id, response->status,
                       response->body.length);
    if (block == NULL || !ws_connection_send(connection, block))
        ws_connection_kill(connection); /* memory is out, or it pipelines and does not read */
    core_block_release(block);
}

void ws_http_respond(ws_http_request *request, unsigned status, const char *content_type,
                     const char *extra, core_slice body) {
    ws_http_response response = http_response(request, status, content_type, extra);
    response.body = body;
    http_send(request, &response);
    if (request->close)
        ws_connection_finish(request->connection);
}

void ws_http_refuse(ws_http_request *request, unsigned status, const char *extra,
                    const char *detail) {
    core_buffer body;
    core_buffer_init(&body, PROBLEM_MAX);
    bool is_own = request->surface == NULL;
    unsigned given = status;
    if (is_own)
        ws_http_problem_append(&body, status, detail, NULL);
    else
        status = request->surface->refuse(&body, status, detail);
    if (status != given)
        extra = ""; /* it was for the other status: a challenge */
    ws_http_respond(request, status, is_own ? "application/problem+json" : "application/json",
                    extra, core_buffer_slice(&body));
    core_buffer_fini(&body);
}

/* The client's X-Request-Id where it is harmless to repeat, else our own. */
static core_slice http_request_id(ws_connection *connection, const ws_http_head *head,
                                  char text[WS_REQUEST_ID_SIZE]) {
    core_slice given = head ? ws_http_header_value(head, "x-request-id") : core_slice_make(NULL, 0);
    bool fine = given.length > 0 && given.length <= REQUEST_ID_MAX;
    for (size_t i = 0; fine && i < given.length; i++)
        fine = given.data[i] > ' ' && given.data[i] < 0x7F;
    if (fine)
        return given;
    ws_service_request_id(connection->service, text);
    return core_slice_text(text);
}

static bool http_is_head(const ws_http_head *head) {
    return head != NULL && core_slice_is(head->method, "HEAD");
}

/* Who asks. A proxy's connection brings one client's request after another's: what cannot be read
 * (NULL) is the proxy's own, not the one's before. */
static void http_know_client(ws_connection *connection, const ws_http_head *head) {
    const ws_proxies *proxies = connection->service->proxies;
    connection->client =
        head != NULL ? ws_forwarded_client(head, &connection->peer, proxies) : connection->peer;
}

/* Refuses what could not be understood, and ends the connection. */
static void http_refuse_bytes(ws_connection *connection, const ws_http_head *head, unsigned status,
                              const char *reason) {
    char id[WS_REQUEST_ID_SIZE];
    http_know_client(connection, head);
    ws_http_request request = {.connection = connection,
                               .head = head,
                               .request_id = http_request_id(connection, head, id),
                               .close = true,
                               .head_only = http_is_head(head),
                               .cors = ws_http_origin_cors(connection->service, head),
                               .record = ws_http_record_begin(connection->service, head)};
    if (head != NULL)
        ws_http_route_surface(&request);
    ws_http_refuse(&request, status, "", reason);
}

/* ---- Answers that come later ---- */

ws_http_handle ws_http_defer(ws_http_request *request, const ws_http_waiter *waiter) {
    ws_connection *connection = request->connection;
    ws_service *service = connection->service;
    http_state *http = http_of(connection);
    assert(http->wait == NULL && !request->answered);
    http_wait *wait = malloc(sizeof *wait);
    ws_http_handle handle = wait ? ws_http_wait_enter(service, connection, waiter) : 0;
    if (handle == 0) {
        free(wait);
        ws_http_refuse(request, 503, "Retry-After: 1\r\n", "too many requests wait for an answer");
        return 0;
    }
    *wait = (http_wait){.handle = handle,
                        .close = request->close,
                        .head_only = request->head_only,
                        .vary_origin = request->cors.vary,
                        .surface = request->surface,
                        .record = request->record,
                        .id_length = request->request_id.length,
                        .origin_length = request->cors.allow.length};
    memcpy(wait->id, request->request_id.data, wait->id_length);
    assert(wait->origin_length <= sizeof wait->origin);
    if (wait->origin_length > 0)
        memcpy(wait->origin, request->cors.allow.data, wait->origin_length);
    http->wait = wait;
    request->record.identity = NULL; /* the waiting one's */
    request->deferred = true;
    int64_t wait_ms = waiter->wait_ms > 0 ? waiter->wait_ms : WS_HTTP_ANSWER_MS;
    ws_connection_set_deadline(connection, service->now_ms + wait_ms);
    return handle;
}

/* The request as far as its answer needs it; it waits no longer. False: nobody does. */
static bool http_wait_take(ws_service *service, ws_http_handle handle, bool gone, http_wait *wait,
                           ws_http_request *request) {
    ws_connection *connection = ws_http_wait_find(service, handle);
    if (connection == NULL)
        return false;
    *wait = *http_of(connection)->wait;
    http_wait_over(connection, gone);
    *request =
        (ws_http_request){.connection = connection,
                          .request_id = core_slice_make(wait->id, wait->id_length),
                          .close = wait->close,
                          .head_only = wait->head_only,
                          .cors = {.allow = core_slice_make(wait->origin, wait->origin_length),
                                   .vary = wait->vary_origin},
                          .surface = wait->surface,
                          .record = wait->record};
    ws_connection_set_deadline(connection, service->now_ms + WS_HTTP_KEEP_ALIVE_MS);
    return true;
}

/* The next request, which may have come already. Within a handler's call that is done behind it. */
static void http_wait_resume(ws_connection *connection) {
    if (!http_of(connection)->in_handler)
        ws_connection_resume(connection);
}

bool ws_http_complete(ws_service *service, ws_http_handle handle, unsigned status,
                      const char *content_type, const char *extra, core_slice body) {
    http_wait wait;
    ws_http_request request;
    if (!http_wait_take(service, handle, false, &wait, &request))
        return false;
    ws_http_respond(&request, status, content_type, extra, body);
    http_wait_resume(request.connection);
    return true;
}

bool ws_http_complete_refusal(ws_service *service, ws_http_handle handle, unsigned status,
                              const char *extra, const char *detail) {
    http_wait wait;
    ws_http_request request;
    if (!http_wait_take(service, handle, false, &wait, &request))
        return false;
    ws_http_refuse(&request, status, extra, detail);
    http_wait_resume(request.connection);
    return true;
}

void ws_http_mean(ws_service *service, ws_http_handle handle, unsigned status) {
    ws_connection *connection = ws_http_wait_find(service, handle);
    if (connection != NULL)
        http_of(connection)->wait->record.status = status;
}

void ws_http_become(ws_service *service, ws_http_handle handle, const char *content_type,
                    const char *extra, const ws_handler *handler, void *handler_state) {
    http_wait wait;
    ws_http_request request;
    bool waits = http_wait_take(service, handle, false, &wait, &request);
    assert(waits);
    (void)waits;
    http_state *http = http_of(request.connection);
    assert(!http->in_handler);
    ws_connection_switch(request.connection, handler, handler_state);
    ws_http_free(http);
    request.close = true;
    ws_http_response response = http_response(&request, 200, content_type, extra);
    response.open_end = true;
    http_send(&request, &response);
    ws_connection_resume(request.connection);
}

/* The answer is late. */
static void http_wait_expire(ws_connection *connection) {
    ws_service *service = connection->service;
    ws_http_handle handle = http_of(connection)->wait->handle;
    const ws_http_waiter *waiter = ws_http_wait_waiter(service, handle);
    http_wait wait;
    ws_http_request request;
    if (waiter->late != NULL) {
        waiter->late(waiter->context);
        assert(ws_http_wait_find(service, handle) == NULL);
    } else if (http_wait_take(service, handle, true, &wait, &request)) {
        ws_http_refuse(&request, 504, "", "the answer did not come in time");
        http_wait_resume(connection);
    }
}

/* ---- Requests ---- */

static void http_dispatch(ws_connection *connection, const ws_http_head *head, core_slice body) {
    http_state *http = http_of(connection);
    char id[WS_REQUEST_ID_SIZE];
    http_know_client(connection, head);
    ws_http_request request = {.connection = connection,
                               .head = head,
                               .body = body,
                               .request_id = http_request_id(connection, head, id),
                               .close = !head->keep_alive,
                               .head_only = http_is_head(head),
                               .cors = ws_http_origin_cors(connection->service, head),
                               .record = ws_http_record_begin(connection->service, head)};
    http->begun = false;
    http->in_handler = true;
    ws_connection_set_deadline(connection, connection->service->now_ms + WS_HTTP_KEEP_ALIVE_MS);
    ws_http_route(&request);
    assert(request.answered || request.deferred);
    if (connection->handler_state == http)
        http->in_handler = false;
}

static bool http_needs_length(const ws_http_head *head) {
    return core_slice_is(head->method, "POST") || core_slice_is(head->method, "PUT") ||
           core_slice_is(head->method, "PATCH");
}

static void http_continue(ws_connection *connection) {
    core_block *block = core_block_copy(core_slice_text("HTTP/1.1 100 Continue\r\n\r\n"));
    if (block == NULL || !ws_connection_send(connection, block))
        ws_connection_kill(connection);
    core_block_release(block);
}

/* Bodies that are long have a share of memory of their own, of which this one holds `length`: all
 * that is announced, or of a body in chunks what has come. False: refused, for it is used up. */
static bool http_hold_body(ws_connection *connection, const ws_http_head *head, size_t length) {
    http_state *http = http_of(connection);
    ws_service *service = connection->service;
    if (length <= WS_HTTP_BODY_MAX || length <= http->held)
        return true;
    if (service->body_bytes - http->held + length > WS_HTTP_LONG_BYTES) {
        http_refuse_bytes(connection, head, 503, "too many long bodies are being read: try again");
        return false;
    }
    service->body_bytes += length - http->held;
    http->held_by = service;
    http->held = length;
    return true;
}

/* Who asks is known by the head, so nobody else's long body is read. */
static size_t http_body_max(ws_connection *connection, const ws_http_head *head) {
    if (!head->chunked && head->content_length <= WS_HTTP_BODY_MAX)
        return WS_HTTP_BODY_MAX;
    http_know_client(connection, head);
    ws_http_request request = {.connection = connection,
                               .head = head,
                               .record = ws_http_record_begin(connection->service, head)};
    size_t max = ws_http_route_body_max(&request);
    ws_http_record_identify(&request.record, NULL);
    return max;
}

/* Keeps the head while its body is read. */
static bool http_await_body(ws_connection *connection, core_slice head_bytes, size_t max) {
    http_state *http = http_of(connection);
    unsigned status;
    const char *reason;
    http->head = malloc(sizeof *http->head);
    http->head_bytes = malloc(head_bytes.length);
    if (http->head == NULL || http->head_bytes == NULL)
        return false;
    memcpy(http->head_bytes, head_bytes.data, head_bytes.length);
    core_slice copy = core_slice_make(http->head_bytes, head_bytes.length);
    if (ws_http_head_parse(copy, http->head, &status, &reason) != WS_HTTP_HEAD_WHOLE)
        return false;
    ws_http_body_init(&http->body, http->head, max);
    http->in_body = true;
    ws_connection_set_deadline(connection, connection->service->now_ms + WS_HTTP_BODY_MS);
    return true;
}

static void http_head_came(ws_connection *connection, const ws_http_head *head, core_slice bytes) {
    bool has_body = head->chunked || head->content_length > 0;
    size_t max = has_body ? http_body_max(connection, head) : 0;
    if (http_needs_length(head) && !head->chunked && !head->has_content_length) {
        http_refuse_bytes(connection, head, 411, "say the body's length with Content-Length");
    } else if (head->content_length > max) {
        http_refuse_bytes(connection, head, 413, ws_http_body_too_long(max));
    } else if (!has_body) {
        http_dispatch(connection, head, core_slice_make(NULL, 0));
    } else if (!http_hold_body(connection, head, (size_t)head->content_length)) {
        return;
    } else if (!http_await_body(connection, core_slice_make(bytes.data, head->length), max)) {
        ws_connection_kill(connection);
    } else if (head->expect_continue) {
        http_continue(connection);
    }
}

static size_t http_take_head(ws_connection *connection, core_slice bytes) {
    http_state *http = http_of(connection);
    ws_http_head head;
    unsigned status;
    const char *reason;
    switch (ws_http_head_parse(bytes, &head, &status, &reason)) {
    case WS_HTTP_HEAD_PARTIAL:
        if (!http->begun)
            ws_connection_set_deadline(connection, connection->service->now_ms + WS_HTTP_HEAD_MS);
        http->begun = true;
        return 0;
    case WS_HTTP_HEAD_REFUSED:
        http_refuse_bytes(connection, NULL, status, reason);
        return bytes.length;
    case WS_HTTP_HEAD_WHOLE:
        break;
    }
    http_head_came(connection, &head, bytes);
    return head.length;
}

static size_t http_take_body(ws_connection *connection, core_slice bytes) {
    http_state *http = http_of(connection);
    size_t used;
    unsigned status;
    const char *reason;
    switch (ws_http_body_take(&http->body, bytes, &used, &status, &reason)) {
    case WS_HTTP_BODY_PARTIAL:
        (void)http_hold_body(connection, http->head, http->body.bytes.length);
        break;
    case WS_HTTP_BODY_REFUSED:
        http_refuse_bytes(connection, http->head, status, reason);
        break;
    case WS_HTTP_BODY_WHOLE:
        http_dispatch(connection, http->head, core_buffer_slice(&http->body.bytes));
        if (connection->handler_state == http)
            http_forget_request(http);
        break;
    }
    return used;
}

/* While an answer is awaited. Too much behind it is dropped: a client must expect a connection to
 * end after any answer. */
static size_t http_take_none(http_state *http, size_t length) {
    if (length <= WS_HTTP_PIPELINED_MAX && !http->wait->close)
        return 0;
    http->wait->close = true;
    return length;
}

static size_t http_bytes(ws_connection *connection, uint8_t *bytes, size_t length) {
    http_state *http = http_of(connection);
    core_slice input = core_slice_make(bytes, length);
    if (http->wait != NULL)
        return http_take_none(http, length);
    return http->in_body ? http_take_body(connection, input) : http_take_head(connection, input);
}

static void http_deadline(ws_connection *connection, int64_t now_ms) {
    (void)now_ms;
    http_state *http = http_of(connection);
    if (http->wait != NULL)
        http_wait_expire(connection);
    else if (http->begun || http->in_body)
        http_refuse_bytes(connection, http->head, 408, "the request did not come in time");
    else
        ws_connection_finish(connection);
}

static bool http_busy(const ws_connection *connection) {
    const http_state *http = connection->handler_state;
    return http->begun || http->in_body;
}

const ws_handler ws_http_handler = {
    .on_bytes = http_bytes, .on_deadline = http_deadline, .on_gone = http_gone, .busy = http_busy};
