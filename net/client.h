/* A client that asks one thing at a time and waits for the answer: for what an operator configured
 * (auth.jwks_url).
 *
 * A client is a thread's own; connections are kept between questions. Whatever the other side does,
 * a question ends: by its time limits, by the most bytes that it takes, or by net_client_stop.
 * HTTPS is checked against the system's authorities or a file's.
 *
 * The URL is the operator's word, so it may lead to a private address. A redirect is the other
 * side's: it leads from a public address to public ones only (net/guard.h). */
#ifndef WALCAST_NET_CLIENT_H
#define WALCAST_NET_CLIENT_H

#include "core/core.h"

typedef struct net_client net_client;

typedef struct {
    const char *url;     /* http:// or https:// */
    const char *accept;  /* the header's value; NULL: any */
    const char *ca_file; /* PEM, instead of the system's authorities; NULL: those */
    int64_t connect_timeout_ms;
    int64_t timeout_ms; /* of the whole, redirects included */
    size_t max_bytes;   /* of the body; a longer one is an error */
    int max_redirects;  /* 0: none is followed. From https only to https */
} net_request;

typedef struct {
    unsigned status; /* whatever it is: only what gave no answer at all is an error */
    core_buffer body;
    int64_t max_age_s; /* of Cache-Control; -1: it says nothing */
} net_response;

/* Opens nothing yet. INTERNAL when memory is out. */
CORE_MUST_CHECK net_client *net_client_new(core_error *error);
/* Not while it asks: stop it and join its thread first. NULL is allowed. */
void net_client_free(net_client *client);
/* Any thread: what it asks now ends with an error within moments, and so does all that comes. */
void net_client_stop(net_client *client);

/* GETs. TRANSIENT when the other side cannot be reached, is too slow or breaks off; DENIED when its
 * certificate is not good or a redirect leads into a private network; LIMIT when it sends too much
 * or redirects too often; CONFIG when the URL or ca_file is of no use. Blocks for timeout_ms at
 * most. Goes through the proxy that https_proxy and its kin name, as curl does. `_fini` in every
 * case. */
CORE_MUST_CHECK bool net_client_get(net_client *client, const net_request *request,
                                    net_response *response, core_error *error);
void net_response_fini(net_response *response);

#endif
