/* See health.h. */
#include "ws/health.h"

#include "ws/server.h"

#include <stdio.h>

#define HEALTH_REASON_MAX (CORE_ERROR_TEXT_MAX + 32) /* an error, and whose it is */

static void health_answer(ws_http_request *request, const char *status) {
    char body[64];
    (void)snprintf(body, sizeof body, "{\"status\":\"%s\"}", status);
    ws_http_respond(request, 200, "application/json", "Cache-Control: no-store\r\n",
                    core_slice_text(body));
}

void ws_health_live(ws_http_request *request) {
    health_answer(request, "live");
}

void ws_health_ready(ws_http_request *request) {
    char reason[HEALTH_REASON_MAX] = "";
    if (ws_server_ready(request->connection->service->server, reason, sizeof reason))
        health_answer(request, reason[0] != '\0' ? reason : "ready"); /* or "standby" */
    else
        ws_http_refuse(request, 503, "Cache-Control: no-store\r\nRetry-After: 1\r\n", reason);
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
