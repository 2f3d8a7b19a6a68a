/* What is noted of an HTTP request on its way from head to answer, for its audit record.
 *
 * It moves with the request: in the handler's call it is the request's, while an answer is awaited
 * the waiting one's. It holds one reference to who asks, which the record's end lets go. */
#ifndef WALCAST_WS_HTTP_RECORD_H
#define WALCAST_WS_HTTP_RECORD_H

#include "ws/http_head.h"
#include "ws/http_response.h"
#include "ws/identity.h"
#include "ws/service.h"

#define WS_STATUS_CLIENT_LEFT 499 /* in records only: it left before the answer */

typedef struct {
    int64_t begun_ns;
    const char *route; /* static: a template, never the path itself */
    const char *method;
    unsigned status;       /* what the answer means where its own says another; 0: that */
    bool quiet;            /* recorded only when it is refused */
    ws_identity *identity; /* NULL: nobody was identified */
} ws_http_record;

/* `head` NULL: what came was no request. */
ws_http_record ws_http_record_begin(const ws_service *service, const ws_http_head *head);
/* Keeps who asks (NULL: nobody), instead of whom it had. */
void ws_http_record_identify(ws_http_record *record, ws_identity *identity);
/* Writes it, and lets go of what it holds. */
void ws_http_record_end(ws_http_record *record, const ws_connection *connection, core_slice id,
                        unsigned status, size_t bytes);

#endif
