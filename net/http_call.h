/* One place for a request under way: an easy handle that is set up once and used again, what it
 * lends to libcurl, and what comes back. Private to net; the client's thread only. */
#ifndef WALCAST_NET_HTTP_CALL_H
#define WALCAST_NET_HTTP_CALL_H

#include "net/gate.h"
#include "net/http.h"

typedef struct {
    uint32_t magic;
    CURL *easy; /* NULL until it is first used */
    net_gate gate;
    net_http_request *request; /* NULL: the place is free */
    int64_t began_ns;
    core_buffer lines; /* "name: value" of each header, each with its NUL */
    struct curl_slist nodes[NET_HTTP_HEADERS_MAX + 2];
    core_buffer body;
    size_t header_bytes;
    size_t passed_bytes; /* of the body behind what is kept */
    bool head_ended;     /* the last line was the empty one */
    bool headers_too_large;
    bool body_is_cut;
    bool dropped; /* the body was long enough: the connection is not worth the rest */
    char message[CURL_ERROR_SIZE];
} net_http_call;

void net_http_call_init(net_http_call *call);
/* The handle is in no multi any more. */
void net_http_call_fini(net_http_call *call);

/* Makes the handle ready for `request`, which must be in no other place. False: it cannot be sent;
 * `result` then says why and is to be told by net_http_call_end. */
CORE_MUST_CHECK bool net_http_call_begin(net_http_call *call, net_http_request *request,
                                         const net_guard *guard, const char *ca_file,
                                         net_http_result *result);
/* What became of it, by libcurl. */
void net_http_call_result(net_http_call *call, CURLcode code, net_http_result *result);
/* Of one that never got as far as libcurl, or was taken from it. */
net_http_result net_http_call_no_result(net_http_outcome outcome, const char *reason);
/* Tells the request's owner; the place is free afterwards. */
void net_http_call_end(net_http_call *call, net_http_result *result);

#endif
