/* See sse_refusal.h. */
#include "ws/sse_refusal.h"

#include "ws/http_response.h"
#include "ws/http_stream.h"
#include "ws/sse_event.h"
#include "ws/tier.h"

#include <stdio.h>

#define RETRY_FIRST_MS 1000  /* between this and its double */
#define RETRY_GAP_MS   30000 /* nothing changes until the page does something */
#define BODY_MAX       8192

/* An answer that refuses. */
typedef struct {
    unsigned status;
    const char *content_type;
    char extra[128];
    core_block *body; /* NULL: memory is out */
} sse_refusal;

bool ws_sse_takes_events(const ws_http_head *head) {
    return ws_http_header_has(head, "accept", "text/event-stream");
}

int64_t ws_sse_retry_ms(ws_service *service) {
    char id[WS_REQUEST_ID_SIZE];
    ws_service_request_id(service, id);
    return RETRY_FIRST_MS + (int64_t)(core_slice_hash(core_slice_text(id)) % RETRY_FIRST_MS);
}

unsigned ws_sse_status_of(const char *reason, const char **detail) {
    static const struct {
        const char *code;
        unsigned status;
    } rows[] = {
        {"HistoryNotHeld", 410},
        {"InvalidJoinPayload", 400},
        {"Unauthorized", 403},
        {"PrivateOnly", 403},
        {"SnapshotTooLarge", 413},
        {"ClientJoinRateLimitReached", 429},
        {"ConnectionRateLimitReached", 429},
        {"ChannelRateLimitReached", 429},
        {"RealtimeRestarting", 503},
    };
    const char *colon = strstr(reason, ": ");
    *detail = colon != NULL ? colon + 2 : reason;
    for (size_t i = 0; colon != NULL && i < CORE_COUNT_OF(rows); i++)
        if (core_slice_is(core_slice_make(reason, (size_t)(colon - reason)), rows[i].code))
            return rows[i].status;
    return 503;
}

static bool status_passes(unsigned status) {
    return status == 429 || status >= 500;
}

core_block *ws_sse_last_event(ws_service *service, unsigned status, const char *detail) {
    if (status == 410)
        return ws_sse_problem_block(WS_SSE_GAP, status, detail, RETRY_GAP_MS);
    return ws_sse_problem_block(WS_SSE_PROBLEM, status, detail, ws_sse_retry_ms(service));
}

static core_block *problem_body(unsigned status, const char *detail) {
    core_buffer body;
    core_buffer_init(&body, BODY_MAX);
    ws_http_problem_append(&body, status, detail, NULL);
    core_block *block = core_buffer_ok(&body) ? core_block_copy(core_buffer_slice(&body)) : NULL;
    core_buffer_fini(&body);
    return block;
}

/* `wait_ms`: when it is worth another try; 0: soon, where it is at all. */
static sse_refusal refusal_make(ws_service *service, bool takes_events, unsigned status,
                                const char *detail, int64_t wait_ms) {
    bool passes = status_passes(status);
    sse_refusal refusal = {.status = status, .content_type = "application/problem+json"};
    core_metrics_add(service->metrics, CORE_METRIC_WS_REFUSALS, 1);
    if (takes_events && (passes || status == 410)) {
        refusal.status = 200;
        refusal.content_type = "text/event-stream";
        (void)snprintf(refusal.extra, sizeof refusal.extra, "%s", WS_SSE_HEADERS);
        refusal.body = wait_ms > 0 ? ws_sse_problem_block(WS_SSE_PROBLEM, status, detail, wait_ms)
                                   : ws_sse_last_event(service, status, detail);
        return refusal;
    }
    if (passes)
        (void)snprintf(refusal.extra, sizeof refusal.extra, "Retry-After: %lld\r\n",
                       (long long)ws_tier_retry_s(wait_ms));
    refusal.body = problem_body(status, detail);
    return refusal;
}

void ws_sse_refuse(ws_http_request *request, unsigned status, const char *detail) {
    ws_sse_refuse_until(request, status, detail, 0);
}

void ws_sse_refuse_until(ws_http_request *request, unsigned status, const char *detail,
                         int64_t wait_ms) {
    sse_refusal refusal = refusal_make(request->connection->service,
                                       ws_sse_takes_events(request->head), status, detail, wait_ms);
    request->record.status = status;
    if (refusal.body != NULL)
        ws_http_respond(request, refusal.status, refusal.content_type, refusal.extra,
                        core_block_slice(refusal.body));
    else
        ws_http_refuse(request, 500, "", "out of memory");
    core_block_release(refusal.body);
}

void ws_sse_refuse_waiting(ws_service *service, ws_http_handle handle, bool takes_events,
                           unsigned status, const char *detail) {
    sse_refusal refusal = refusal_make(service, takes_events, status, detail, 0);
    ws_http_mean(service, handle, status);
    if (refusal.body != NULL)
        (void)ws_http_complete(service, handle, refusal.status, refusal.content_type, refusal.extra,
                               core_block_slice(refusal.body));
    else
        (void)ws_http_complete_refusal(service, handle, 500, "", "out of memory");
    core_block_release(refusal.body);
}
