/* The client of webhooks and jobs: many requests at once on one thread, under the guard.
 *
 * A request and all that it points to are lent from net_http_send until its completion, which comes
 * exactly once whatever happens: an answer, a refusal of the guard, a failure, a time limit, or
 * the client's stop. Nothing is tried again here, no redirect is followed, no
 * proxy and no netrc is looked at. HTTP/2 is spoken where the other side offers it over TLS;
 * connections are kept and used again.
 *
 * Any thread sends. Completions run on the client's thread, `walcast-http`: they may
 * send, must not wait, and may free the request.
 *
 * Of what a hostile receiver sends nothing grows: of the body the first bytes are kept and the
 * connection is dropped when much more comes (that is an answer all the same), headers past a
 * maximum are a failure, and the whole ends at its time limit. One that hangs holds its share of
 * `in_flight_max` until then: how many an endpoint may have is the caller's to limit
 * (net/throttle.h). */
#ifndef WALCAST_NET_HTTP_H
#define WALCAST_NET_HTTP_H

#include "net/guard.h"

#include <stdatomic.h>

#define NET_HTTP_TIMEOUT_MS         15000 /* of the whole */
#define NET_HTTP_CONNECT_TIMEOUT_MS 10000
#define NET_HTTP_HEADERS_MAX        48         /* of a request */
#define NET_HTTP_HEADERS_MAX_BYTES  (32 << 10) /* of a request, and of an answer */
#define NET_HTTP_KEEP_MAX_BYTES     (1 << 20)
#define NET_HTTP_RETRY_AFTER_MAX_MS (INT64_C(24) * 3600 * 1000)

typedef struct net_http net_http;
typedef struct net_http_request net_http_request;

typedef enum {
    NET_HTTP_ANSWERED,    /* with `status`, whatever it is */
    NET_HTTP_REFUSED,     /* by the guard, or the request is not a valid one: nothing was sent */
    NET_HTTP_UNRESOLVED,  /* the name was not found */
    NET_HTTP_UNREACHABLE, /* no connection */
    NET_HTTP_UNTRUSTED,   /* TLS: its certificate is not good, or no common version */
    NET_HTTP_TIMED_OUT,
    NET_HTTP_BROKEN,    /* it closed early or does not speak HTTP; `status` may be set */
    NET_HTTP_TOO_LARGE, /* its headers */
    NET_HTTP_STOPPED,   /* net_http_stop */
    NET_HTTP_FAILED,    /* memory, descriptors: ours */
    NET_HTTP_WITHDRAWN, /* `may_begin` said no: nothing was sent */
    NET_HTTP_OUTCOME_COUNT,
} net_http_outcome;

typedef struct {
    const char *name;
    const char *value;
} net_http_header;

/* As long as the completion runs. Times count from the moment that it left the queue; -1 where it
 * did not get so far. */
typedef struct {
    net_http_outcome outcome;
    unsigned status;        /* 0: none came */
    unsigned version;       /* 10, 11, 20; 0: none */
    core_slice body;        /* its first `keep_bytes` */
    bool body_is_cut;       /* there was more */
    int64_t retry_after_ms; /* of Retry-After, at most NET_HTTP_RETRY_AFTER_MAX_MS; -1: none */
    int64_t queue_us;       /* before that moment */
    int64_t dns_us, connect_us, tls_us, first_byte_us, total_us;
    char address[CORE_ADDRESS_TEXT_SIZE]; /* that was connected to; "" when none */
    unsigned port;
    const char *reason; /* one line without secrets; "" of an answer */
    void *handle;       /* for net_http_header_find */
} net_http_result;

typedef void (*net_http_completed)(net_http_request *request, const net_http_result *result);

struct net_http_request {
    const char *method; /* NULL: POST */
    const char *url;
    const net_http_header *headers; /* beside Host, Content-Length, User-Agent and Accept */
    size_t header_count;
    core_slice body;
    size_t keep_bytes;          /* of the answer's body; 0: none */
    int64_t timeout_ms;         /* of the whole; 0: NET_HTTP_TIMEOUT_MS */
    int64_t connect_timeout_ms; /* 0: NET_HTTP_CONNECT_TIMEOUT_MS */
    /* Asked on the client's thread when all is ready and the request is about to be written; false:
     * it is not. NULL: it may. */
    bool (*may_begin)(const net_http_request *request);
    const net_allow *allow; /* the project's, beside the guard's; may be NULL */
    net_http_completed completed;
    void *context;
    /* The client's, from net_http_send to the completion. */
    struct {
        net_http_request *next;
        int64_t sent_ns;
    } own;
};

typedef struct {
    const net_guard *guard; /* outlives the client */
    const char *ca_file;    /* PEM instead of the system's authorities, outlives it; NULL: those */
    unsigned in_flight_max; /* 0: 1024 */
    unsigned queue_max;     /* that wait for one of those places; 0: 4096 */
    unsigned idle_max;      /* connections that are kept beside those; 0: 256 */
} net_http_spec;

/* Starts the thread. INTERNAL when the system has no more of something. */
CORE_MUST_CHECK net_http *net_http_new(const net_http_spec *spec, core_error *error);
/* Stops, waits for the thread and frees: after it no completion comes. Not from a completion. NULL
 * is allowed. */
void net_http_free(net_http *http);
/* Ends all that waits or is under way with STOPPED, within moments, and refuses what comes. */
void net_http_stop(net_http *http);

/* False, and no completion: FULL when queue_max wait already (try again after a completion), or
 * stopped. What is wrong with the request itself is told by its completion. */
CORE_MUST_CHECK bool net_http_send(net_http *http, net_http_request *request, core_error *error);

/* In a completion: the answer's last header of that name, any case; empty: none. */
core_slice net_http_header_find(const net_http_result *result, const char *name);
/* "timed_out". Static. */
const char *net_http_outcome_name(net_http_outcome outcome);

#endif
