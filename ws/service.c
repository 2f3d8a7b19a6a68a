/* What a service thread keeps about its connections; see service.h. No socket is touched here, so
 * tests drive a service without a loop. */
#include "ws/service.h"

#include "ws/recheck.h"

#include <stdio.h>

void ws_service_add(ws_service *service, ws_connection *connection) {
    connection->next = service->connections;
    if (connection->next != NULL)
        connection->next->previous = connection;
    service->connections = connection;
    atomic_fetch_add_explicit(&service->open, 1, memory_order_relaxed);
}

static void service_forget_dirty(ws_service *service, ws_connection *connection) {
    ws_connection **at = &service->dirty;
    while (*at != NULL && *at != connection)
        at = &(*at)->dirty_next;
    if (*at != NULL)
        *at = connection->dirty_next;
    connection->dirty = false;
}

void ws_service_remove(ws_service *service, ws_connection *connection) {
    if (connection->dirty)
        service_forget_dirty(service, connection);
    ws_recheck_forget(service, connection);
    if (connection->previous != NULL)
        connection->previous->next = connection->next;
    else
        service->connections = connection->next;
    if (connection->next != NULL)
        connection->next->previous = connection->previous;
    atomic_fetch_sub_explicit(&service->open, 1, memory_order_relaxed);
}

void ws_service_mark_dirty(ws_service *service, ws_connection *connection) {
    if (connection->dirty)
        return;
    connection->dirty = true;
    connection->dirty_next = service->dirty;
    service->dirty = connection;
}

void ws_service_flush(ws_service *service) {
    while (service->dirty != NULL) {
        ws_connection *connection = service->dirty;
        service->dirty = connection->dirty_next;
        connection->dirty = false;
        ws_connection_flush(connection);
    }
    core_metrics_set(
        service->metrics, CORE_METRIC_WS_HELD_BYTES,
        (int64_t)atomic_load_explicit(&service->shared->held_bytes, memory_order_relaxed));
}

static void service_resume(ws_service *service) {
    for (;;) {
        ws_wheel_entry *entry = ws_wheel_expired(&service->pauses, service->now_ms);
        if (entry == NULL)
            return;
        ws_connection_pause_over(
            (ws_connection *)(void *)((char *)entry - offsetof(ws_connection, pause)));
    }
}

void ws_service_tick(ws_service *service) {
    service->now_ms = core_clock_ms(service->clock);
    for (;;) {
        ws_wheel_entry *entry = ws_wheel_expired(&service->wheel, service->now_ms);
        if (entry == NULL)
            break;
        ws_connection *connection =
            (ws_connection *)(void *)((char *)entry - offsetof(ws_connection, deadline));
        ws_connection_expired(connection, service->now_ms);
    }
    service_resume(service);
    ws_service_flush(service);
}

void ws_service_request_id(ws_service *service, char text[WS_REQUEST_ID_SIZE]) {
    (void)snprintf(text, WS_REQUEST_ID_SIZE, "%016llx-%x-%llx",
                   (unsigned long long)service->request_seed, service->index,
                   (unsigned long long)++service->request_count);
}
