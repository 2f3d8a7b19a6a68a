/* See health.h. */
#include "ws/health.h"

#include "ws/server.h"

enum {
    HEALTH_REASON_MAX = CORE_ERROR_TEXT_MAX + 32, /* an error, and whose it is */
    HEALTH_BODY_MAX = 8 * HEALTH_REASON_MAX,
};

/* {"status":"warning","reason":"..."}; an empty reason is left out. */
static void health_answer(ws_http_request *request, const char *status, const char *reason) {
    core_buffer body;
    core_buffer_init(&body, HEALTH_BODY_MAX);
    core_json_writer writer = core_json_writer_make(&body);
    core_json_object_open(&writer);
    core_json_key_text(&writer, "status");
    core_json_text(&writer, status);
    if (reason[0] != '\0') {
        core_json_key_text(&writer, "reason");
        core_json_text(&writer, reason);
    }
    core_json_object_close(&writer);
    if (core_buffer_ok(&body))
        ws_http_respond(request, 200, "application/json", "Cache-Control: no-store\r\n",
                        core_buffer_slice(&body));
    else
        ws_http_refuse(request, 500, "", "no memory to answer");
    core_buffer_fini(&body);
}

void ws_health_live(ws_http_request *request) {
    health_answer(request, "live", "");
}

void ws_health_ready(ws_http_request *request) {
    char reason[HEALTH_REASON_MAX] = "";
    static const char *const statuses[] = {
        [CORE_READY_WARNING] = "warning",
        [CORE_READY_STANDBY] = "standby",
        [CORE_READY_YES] = "ready",
    };
    core_readiness readiness =
        ws_server_ready(request->connection->service->server, reason, sizeof reason);
    if (readiness == CORE_READY_NO)
        ws_http_refuse(request, 503, "Cache-Control: no-store\r\nRetry-After: 1\r\n", reason);
    else
        health_answer(request, statuses[readiness], reason);
}

void ws_health_metrics(ws_http_request *request) {
    ws_service *service = request->connection->service;
    core_buffer body;
    core_buffer_init(&body, WS_HTTP_RESPONSE_MAX);
    core_metrics_write(service->metrics, &body);
    if (core_buffer_ok(&body))
        ws_http_respond(request, 200, "text/plain; version=0.0.4; charset=utf-8", "",
                        core_buffer_slice(&body));
    else
        ws_http_refuse(request, 500, "", "the metrics do not fit");
    core_buffer_fini(&body);
}
