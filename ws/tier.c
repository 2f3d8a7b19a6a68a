/* See tier.h. */
#include "ws/tier.h"

#include <stdio.h>

int64_t ws_tier_retry_s(int64_t wait_ms) {
    int64_t wait_s = (wait_ms + CORE_MS_PER_S - 1) / CORE_MS_PER_S;
    return wait_s > 0 ? wait_s : 1;
}

bool ws_tier_takes(const ws_service *service, const ws_identity *identity, auth_limit_kind kind,
                   uint32_t count, int64_t *wait_ms, char text[WS_TIER_TEXT_SIZE]) {
    *wait_ms = auth_limits_take(service->tiers, identity->claims.project, kind, count);
    if (*wait_ms == 0)
        return true;
    if (*wait_ms == AUTH_LIMIT_NEVER)
        (void)snprintf(text, WS_TIER_TEXT_SIZE,
                       "Too many messages at once for this project, please reduce the batch size");
    else
        (void)snprintf(text, WS_TIER_TEXT_SIZE, "Too many %s of this project, try again in %lld s",
                       kind == AUTH_LIMIT_READ ? "requests" : "messages",
                       (long long)ws_tier_retry_s(*wait_ms));
    return false;
}

bool ws_tier_trusts(const ws_service *service, const core_address *client, int64_t *wait_ms,
                    char text[WS_TIER_TEXT_SIZE]) {
    *wait_ms = auth_limits_address_wait(service->tiers, client);
    if (*wait_ms == 0)
        return true;
    (void)snprintf(text, WS_TIER_TEXT_SIZE,
                   "Too many refused credentials from your address, try again in %lld s",
                   (long long)ws_tier_retry_s(*wait_ms));
    return false;
}

static void tier_refuse(ws_http_request *request, int64_t wait_ms, const char *text) {
    char extra[64];
    (void)snprintf(extra, sizeof extra, "Retry-After: %lld\r\n",
                   (long long)ws_tier_retry_s(wait_ms));
    ws_http_refuse(request, 429, wait_ms > 0 ? extra : "", text);
}

static bool tier_reads(core_slice method) {
    return core_slice_is(method, "GET") || core_slice_is(method, "HEAD");
}

bool ws_tier_admits(ws_http_request *request, const ws_identity *identity) {
    char text[WS_TIER_TEXT_SIZE];
    int64_t wait_ms;
    auth_limit_kind kind = tier_reads(request->head->method) ? AUTH_LIMIT_READ : AUTH_LIMIT_WRITE;
    if (ws_tier_takes(request->connection->service, identity, kind, 1, &wait_ms, text))
        return true;
    tier_refuse(request, wait_ms, text);
    return false;
}

static bool tier_has_credential(const ws_http_head *head) {
    static const char *const names[] = {"authorization", "apikey", "x-api-key"};
    for (size_t i = 0; i < CORE_COUNT_OF(names); i++)
        if (ws_http_header_value(head, names[i]).length > 0)
            return true;
    core_buffer key;
    core_buffer_init(&key, AUTH_TOKEN_MAX);
    bool has = head->query.length > 0 && ws_http_query_value(head->query, "apikey", &key);
    core_buffer_fini(&key);
    return has;
}

bool ws_tier_trusts_request(ws_http_request *request) {
    char text[WS_TIER_TEXT_SIZE];
    int64_t wait_ms;
    const ws_connection *connection = request->connection;
    if (ws_tier_trusts(connection->service, &connection->client, &wait_ms, text) ||
        !tier_has_credential(request->head))
        return true;
    tier_refuse(request, wait_ms, text);
    return false;
}
