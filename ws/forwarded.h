/* Whose request a trusted proxy passes on: X-Forwarded-For, and Forwarded (RFC 7239).
 *
 * Anybody may send either header, so it counts only from a peer that http.trusted_proxies names,
 * and is read from its end, where the nearest proxy wrote: the first hop that is no trusted proxy
 * is the client. What stands before it, its own claim, is not looked at. */
#ifndef WALCAST_WS_FORWARDED_H
#define WALCAST_WS_FORWARDED_H

#include "ws/http_head.h"

typedef struct {
    core_network *networks;
    size_t count;
} ws_proxies;

/* Of http.trusted_proxies. Read-only then: any thread. */
CORE_MUST_CHECK bool ws_proxies_init(ws_proxies *proxies, const core_config *config,
                                     core_error *error);
void ws_proxies_fini(ws_proxies *proxies);

/* Who asks: `peer`, or whom that trusted proxy names. A hop that is no address ("unknown", a
 * pseudonym) ends the walk at the proxy that told of it. When the two headers disagree, one of
 * them is the client's own that the proxy let through: then it is the peer. NULL `proxies`: none
 * are trusted. */
core_address ws_forwarded_client(const ws_http_head *head, const core_address *peer,
                                 const ws_proxies *proxies);

#endif
