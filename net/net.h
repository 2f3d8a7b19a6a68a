/* The net room's public header: every request that Walcast sends out goes through here. The only
 * room that may include libcurl. Its parts: */
#ifndef WALCAST_NET_NET_H
#define WALCAST_NET_NET_H

#include "net/breaker.h"
#include "net/client.h"
#include "net/guard.h"
#include "net/http.h"
#include "net/signature.h"
#include "net/throttle.h"

#endif
