/* The net room's public header: the one outbound HTTP client, with its guard against requests into
 * private networks, signing and circuit breaker. The only room that may include libcurl.
 *
 * Nothing of Walcast calls out yet, so the room has no library of its own: the first caller is the
 * key set of a JWT issuer (auth), the next the webhooks (triggers). Until then no configuration key
 * makes this process open a connection to anything but PostgreSQL and NATS. */
#ifndef WALCAST_NET_NET_H
#define WALCAST_NET_NET_H

#include "core/core.h"

#endif
