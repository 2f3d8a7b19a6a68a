/* Answers to broadcasts over HTTP: 202 with nothing, or JSON whose `message` says what is wrong,
 * which is what realtime-js shows. */
#ifndef WALCAST_WS_REST_ANSWER_H
#define WALCAST_WS_REST_ANSWER_H

#include "ws/http.h"
#include "ws/rest_rights.h"

/* Who gets it: a request being handled, or one that was deferred. */
typedef struct {
    ws_http_request *request; /* NULL: deferred */
    ws_service *service;
    ws_http_handle handle;
} ws_rest_client;

/* `retry_s`: after how long it is worth another try; 0: it is not. */
void ws_rest_refuse(const ws_rest_client *client, unsigned status, int64_t retry_s,
                    const char *message);
/* The same with `errors`, JSON, unless it is empty. */
void ws_rest_refuse_request(const ws_rest_client *client, unsigned status,
                            const ws_rest_request *request);
/* What became of the messages: 202, or 403 when none was sent; those that were not are told. */
void ws_rest_tell(const ws_rest_client *client, const ws_rest_rights *rights, size_t sent);

#endif
