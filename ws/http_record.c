/* See http_record.h. */
#include "ws/http_record.h"

static const char *record_method(const ws_http_head *head) {
    static const char *const known[] = {"GET", "POST", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"};
    for (size_t i = 0; head != NULL && i < CORE_COUNT_OF(known); i++)
        if (core_slice_is(head->method, known[i]))
            return known[i];
    return head != NULL ? "other" : NULL;
}

ws_http_record ws_http_record_begin(const ws_service *service, const ws_http_head *head) {
    return (ws_http_record){
        .begun_ns = service->clock->monotonic_ns(service->clock),
        .route = head != NULL ? "unknown" : "malformed",
        .method = record_method(head),
    };
}

void ws_http_record_identify(ws_http_record *record, ws_identity *identity) {
    ws_identity_release(record->identity);
    record->identity = identity != NULL ? ws_identity_retain(identity) : NULL;
}

void ws_http_record_end(ws_http_record *record, const ws_connection *connection, core_slice id,
                        unsigned status, size_t bytes) {
    ws_service *service = connection->service;
    unsigned meant = record->status != 0 ? record->status : status;
    const auth_request request = {
        .refused = meant >= 400 && (meant < 500 || !record->quiet), /* "not ready" is an answer */
        .quiet = record->quiet,
        .id = id,
        .claims = record->identity != NULL ? &record->identity->claims : NULL,
        .route = record->route,
        .method = record->method,
        .status = meant,
        .client = connection->client,
        .took_ns = service->clock->monotonic_ns(service->clock) - record->begun_ns,
        .bytes = bytes,
    };
    auth_audit_request(service->audit, &request);
    ws_http_record_identify(record, NULL);
}
