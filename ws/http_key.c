/* See http_key.h. */
#include "ws/http_key.h"

#include "ws/server.h"

static void key_from_bearer(const ws_http_head *head, core_buffer *key) {
    static const char scheme[] = "Bearer ";
    size_t length = sizeof scheme - 1;
    core_slice value = ws_http_header_value(head, "authorization");
    if (value.length > length && ws_http_name_is(core_slice_make(value.data, length), scheme))
        core_buffer_append(key, value.data + length, value.length - length);
}

static void key_from_header(const ws_http_head *head, core_buffer *key) {
    core_slice value = ws_http_header_value(head, "x-api-key");
    if (value.length == 0)
        value = ws_http_header_value(head, "apikey");
    core_buffer_slice_append(key, value);
}

/* Empty when none is given. */
static void key_find(const ws_http_head *head, ws_http_key_order order, core_buffer *key) {
    if (order == WS_BEARER_FIRST)
        key_from_bearer(head, key);
    if (key->length == 0)
        key_from_header(head, key);
    if (key->length > 0 || ws_http_query_value(head->query, "apikey", key))
        return;
    core_buffer_reset(key);
    key_from_bearer(head, key);
}

ws_identity *ws_http_key_identify(ws_http_request *request, ws_http_key_order order,
                                  auth_verdict *verdict) {
    const ws_server *server = request->connection->service->server;
    const auth_verifier *verifier = ws_server_verifier(server);
    core_buffer key, json;
    auth_claims claims;
    ws_identity *identity = NULL;
    core_buffer_init(&key, AUTH_TOKEN_MAX);
    core_buffer_init(&json, AUTH_TOKEN_MAX);
    key_find(request->head, order, &key);
    *verdict = verifier == NULL ? AUTH_CLOSED
               : core_buffer_ok(&key)
                   ? auth_verify(verifier, core_buffer_slice(&key), &claims, &json)
                   : AUTH_MALFORMED;
    if (*verdict == AUTH_OK)
        identity =
            ws_identity_new(ws_server_spec_of(server)->config, &claims, core_buffer_slice(&json));
    ws_http_record_identify(&request->record, identity);
    auth_limits_address_note(request->connection->service->tiers, &request->connection->client,
                             *verdict);
    core_buffer_fini(&key);
    core_buffer_fini(&json);
    return identity;
}

unsigned ws_http_key_status(auth_verdict verdict) {
    switch (verdict) {
    case AUTH_CLOSED:
        return 403;
    case AUTH_UNAVAILABLE:
        return 503;
    default:
        return 401;
    }
}
