/* What every process answers about itself: alive, ready, metrics. */
#ifndef WALCAST_WS_HEALTH_H
#define WALCAST_WS_HEALTH_H

#include "ws/http.h"

/* 200 as long as the service threads run. */
void ws_health_live(ws_http_request *request);
/* 200 when every role does its work, else 503 with the reason. */
void ws_health_ready(ws_http_request *request);
/* Prometheus text. */
void ws_health_metrics(ws_http_request *request);

#endif
