/* Limits by tier and by address, as requests and messages meet them (docs/LIMITS.md). */
#ifndef WALCAST_WS_TIER_H
#define WALCAST_WS_TIER_H

#include "ws/http.h"
#include "ws/identity.h"

#define WS_TIER_TEXT_SIZE 160

/* Asks for `count` in the identity's project. False: `*wait_ms` says when again, and `text` tells
 * the client. */
CORE_MUST_CHECK bool ws_tier_takes(const ws_service *service, const ws_identity *identity,
                                   auth_limit_kind kind, uint32_t count, int64_t *wait_ms,
                                   char text[WS_TIER_TEXT_SIZE]);
/* One request of the kind that its method is. False: it was refused, with 429. */
CORE_MUST_CHECK bool ws_tier_admits(ws_http_request *request, const ws_identity *identity);
/* A credential from the client's address is looked at. False: `text` tells why not now. */
CORE_MUST_CHECK bool ws_tier_trusts(const ws_service *service, const core_address *client,
                                    int64_t *wait_ms, char text[WS_TIER_TEXT_SIZE]);
/* The same for a request that carries one. False: it was refused, with 429. */
CORE_MUST_CHECK bool ws_tier_trusts_request(ws_http_request *request);
/* Whole seconds for Retry-After; at least 1. */
int64_t ws_tier_retry_s(int64_t wait_ms);

#endif
