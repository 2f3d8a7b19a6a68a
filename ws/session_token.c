/* New tokens for joined channels; see session.h.
 *
 * Happy path: the token is good, and the channel goes on as what it may. A bad one ends the channel
 * with its code. One that cannot be checked yet, since its issuer's keys are being fetched or none
 * is looked at from the client's address, is kept and tried again each second: a client sends it
 * once only, and would else lose its channel when the old one expires. Meanwhile the channel has
 * the token that it had. What is kept counts as bytes that wait, under ws.queue_total_bytes; where
 * there is no room it is only told. */
#include "ws/session_private.h"

#include "ws/access.h"
#include "ws/tier.h"

#include <stdio.h>

#define RETRY_MS 1000

/* None waits any more. */
static void token_forget(ws_channel *channel) {
    core_block_release(channel->waiting);
    channel->waiting = NULL;
}

/* NULL: there is no room, or memory is out. */
static core_block *token_copy(ws_service *service, core_slice raw) {
    size_t limit = service->limits.queue_total_bytes;
    size_t held = atomic_load_explicit(&service->shared->held_bytes, memory_order_relaxed);
    if (limit > 0 && held + raw.length > limit)
        return NULL;
    core_block *block = core_block_copy(raw);
    if (block != NULL)
        core_block_charge(block, &service->shared->held_bytes);
    return block;
}

/* False: it is kept already, and its client was told so. */
static bool token_keep(ws_channel *channel, core_slice raw) {
    ws_session *session = channel->session;
    ws_service *service = session_service(session);
    channel->waiting_ms = service->now_ms + RETRY_MS;
    if (channel->waiting != NULL && core_slice_equal(core_block_slice(channel->waiting), raw))
        return false;
    core_block *block = token_copy(service, raw);
    token_forget(channel);
    channel->waiting = block;
    session_rearm(session);
    return true;
}

bool session_subscribe_again(ws_channel *channel, const ws_identity *identity) {
    ws_session *session = channel->session;
    ws_subscription_request request = {.protocol = session->protocol,
                                       .topic = channel->topic,
                                       .private_channel = channel->private_channel,
                                       .presence = channel->presence_enabled,
                                       .conflate = channel->conflate,
                                       .identity = identity,
                                       .postgres_changes = channel->postgres_changes};
    core_buffer response;
    core_buffer_init(&response, SESSION_JOIN_RESPONSE_MAX);
    ws_subscription *subscription = ws_subscription_new(&request, &response, NULL);
    core_buffer_fini(&response);
    return subscription != NULL &&
           ws_session_table_rejoin(session_service(session), &channel->member, subscription);
}

/* Another role, other claims, or where policies of tables may read them other times of the token:
 * the channel moves to that class. It stays in the old one until the hub has answered, so it misses
 * nothing and sees nothing twice (session_table.c). One that was suspended goes on behind what it
 * has, whatever the token. Not while its snapshot is under way, whose rows are another role's:
 * false. */
static bool token_reclass(ws_channel *channel, const ws_identity *identity) {
    const auth_claims *before = &channel->identity->claims, *claims = &identity->claims;
    bool alike = core_slice_equal(ws_access_class(claims), ws_access_class(before)) &&
                 (!(channel->private_channel || channel->has_bindings) ||
                  claims->claims_hash == before->claims_hash);
    bool same = alike && (!channel->has_bindings ||
                          core_slice_equal(identity->claims_json, channel->identity->claims_json));
    if ((same || (alike && channel->member.loading)) && !channel->expiry.suspended)
        return true;
    return (alike || !channel->member.loading) && session_subscribe_again(channel, identity);
}

static void token_renew(ws_channel *channel, ws_identity *identity) {
    const char *lacks = identity != NULL ? ws_identity_lacks(identity, CORE_SCOPE_SUBSCRIBE) : NULL;
    if (lacks != NULL) {
        ws_identity_release(identity);
        session_end_channel(channel, lacks);
        return;
    }
    if (identity == NULL || !token_reclass(channel, identity)) {
        ws_identity_release(identity);
        session_close_channel(channel, "phx_error"); /* the client joins again */
        return;
    }
    session_expiry_renew(channel, identity);
}

/* As it stands in JSON. */
static void token_take(ws_channel *channel, core_slice raw) {
    ws_identity *identity = NULL;
    auth_verdict verdict = session_token_verify(channel->session, raw, &identity);
    if (verdict == AUTH_UNAVAILABLE) {
        if (token_keep(channel, raw))
            session_token_refused(channel, verdict);
        return;
    }
    token_forget(channel);
    if (verdict == AUTH_EXPIRED && session_expiry_stale(channel))
        return;
    if (verdict != AUTH_OK)
        session_token_refused(channel, verdict);
    else
        token_renew(channel, identity);
}

/* From an address that guesses none is looked at for a while. */
static void token_try(ws_channel *channel, core_slice raw) {
    char text[WS_TIER_TEXT_SIZE], reason[WS_TIER_TEXT_SIZE + 32];
    if (session_trusts_address(channel->session, text)) {
        token_take(channel, raw);
    } else if (token_keep(channel, raw)) {
        (void)snprintf(reason, sizeof reason, "ConnectionRateLimitReached: %s", text);
        session_system(channel->session, channel, "system", false, reason);
    }
}

void session_token(const ws_message *message, ws_channel *channel) {
    core_slice token;
    if (!ws_join_token_read(message->payload, &token))
        session_token_refused(channel, AUTH_MALFORMED);
    else if (session_token_given(token)) /* else the handshake's key goes on counting */
        token_try(channel, token);
}

bool session_token_retry(ws_channel *channel, int64_t now_ms) {
    if (channel->waiting == NULL || channel->waiting_ms > now_ms)
        return false;
    core_block *waiting = core_block_retain(channel->waiting);
    token_try(channel, core_block_slice(waiting));
    core_block_release(waiting);
    return true;
}
