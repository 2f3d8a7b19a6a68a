/* The parts of a URL that decide where it leads, as libcurl understands them: the same parser that
 * connects, so that nothing means one thing here and another there. Private to net. */
#ifndef WALCAST_NET_URL_H
#define WALCAST_NET_URL_H

#include "net/guard.h"

typedef struct {
    bool is_https;
    unsigned port;                 /* given, or the scheme's */
    char host[NET_HOST_TEXT_SIZE]; /* IPv6 without brackets, IPv4 in four decimal parts */
} net_url;

/* PASS, SYNTAX, SCHEME or CREDENTIALS. A final dot of the host is left out. */
CORE_MUST_CHECK net_guard_verdict net_url_read(const char *text, net_url *url);
/* HOST[:PORT] as it stands in other servers' URLs (postgres://, nats://), user and password before
 * it allowed. Copies the host without brackets. False: there is none, or it does not fit. */
CORE_MUST_CHECK bool net_url_authority_read(core_slice text, unsigned port_otherwise, net_url *url);

#endif
