/* Joining a channel, and the tokens that keep it open; see session.h.
 *
 * A join is refused with "Code: message", the codes being the protocol's. */
#include "ws/session_private.h"

#include "ws/access.h"
#include "ws/gateway.h"
#include "ws/join.h"
#include "ws/server.h"
#include "ws/tier.h"

#include <stdio.h>

#define TOPIC_PREFIX    "realtime:"
#define JOIN_REASON_MAX (CORE_ERROR_TEXT_MAX + 64)

static const char *verdict_code(auth_verdict verdict) {
    switch (verdict) {
    case AUTH_MISSING:
    case AUTH_CLOSED:
    case AUTH_KEY_MALFORMED:
    case AUTH_KEY_UNKNOWN:
    case AUTH_KEY_EXPIRED:
    case AUTH_KEY_ELSEWHERE:
    case AUTH_REVOKED:
        return "Unauthorized";
    case AUTH_MALFORMED:
        return "MalformedJWT";
    case AUTH_SIGNATURE:
        return "JwtSignatureError";
    case AUTH_UNAVAILABLE:
        return "KeysUnavailable";
    default:
        return "InvalidJWTToken";
    }
}

bool session_token_given(core_slice raw) {
    return raw.length > 0 && !(raw.length >= 3 && memcmp(raw.data, "sb_", 3) == 0);
}

auth_verdict session_token_verify(ws_session *session, core_slice raw, ws_identity **identity) {
    core_buffer token, json;
    core_buffer_init(&token, AUTH_TOKEN_MAX);
    core_buffer_init(&json, AUTH_TOKEN_MAX);
    auth_claims claims;
    auth_verdict verdict = AUTH_MALFORMED;
    if (core_json_unescape(raw, &token))
        verdict = auth_verify(ws_server_verifier(session_service(session)->server),
                              core_buffer_slice(&token), &claims, &json);
    auth_limits_address_note(session_service(session)->tiers,
                             &ws_socket_connection(session->socket)->client, verdict);
    if (verdict == AUTH_OK)
        *identity = ws_identity_new(ws_server_spec_of(session_service(session)->server)->config,
                                    &claims, core_buffer_slice(&json));
    core_buffer_fini(&token);
    core_buffer_fini(&json);
    if (*identity == NULL || ws_identity_same_project(*identity, session->identity))
        return verdict;
    ws_identity_release(*identity); /* a connection is one project's */
    *identity = NULL;
    return AUTH_CLAIM_INVALID;
}

/* ---- The checks before a channel exists; each fills `reason` ---- */

static bool check_topic(core_slice topic, char *reason) {
    size_t prefix = strlen(TOPIC_PREFIX);
    if (topic.length < prefix || memcmp(topic.data, TOPIC_PREFIX, prefix) != 0)
        (void)snprintf(reason, JOIN_REASON_MAX, "unmatched topic");
    else if (topic.length == prefix)
        (void)snprintf(reason, JOIN_REASON_MAX, "TopicNameRequired: You must provide a topic name");
    else
        return true;
    return false;
}

static bool check_room(ws_session *session, char *reason) {
    ws_service *service = session_service(session);
    if (ws_server_draining(service->server) ||
        ws_server_gateway(service->server, session->identity->home.source) == NULL)
        (void)snprintf(reason, JOIN_REASON_MAX,
                       "RealtimeRestarting: Realtime is restarting, please standby");
    else if (session->channel_count < service->limits.max_channels)
        return true;
    else {
        core_metrics_add(service->metrics, CORE_METRIC_WS_CHANNELS_REFUSED, 1);
        (void)snprintf(reason, JOIN_REASON_MAX,
                       "ChannelRateLimitReached: Too many channels on this connection, at most %zu",
                       service->limits.max_channels);
    }
    return false;
}

static bool check_address(ws_session *session, char *reason) {
    char text[WS_TIER_TEXT_SIZE];
    if (session_trusts_address(session, text))
        return true;
    (void)snprintf(reason, JOIN_REASON_MAX, "ConnectionRateLimitReached: %s", text);
    return false;
}

/* A join is a read of its project. */
static bool check_tier(ws_session *session, const ws_identity *identity, char *reason) {
    char text[WS_TIER_TEXT_SIZE];
    int64_t wait_ms;
    if (ws_tier_takes(session_service(session), identity, AUTH_LIMIT_READ, 1, &wait_ms, text))
        return true;
    (void)snprintf(reason, JOIN_REASON_MAX, "ClientJoinRateLimitReached: %s", text);
    return false;
}

static ws_identity *join_identity(ws_session *session, core_slice token, char *reason) {
    ws_identity *identity = NULL;
    auth_verdict verdict = AUTH_OK;
    if (session_token_given(token)) {
        if (!check_address(session, reason))
            return NULL;
        verdict = session_token_verify(session, token, &identity);
    } else {
        identity = ws_identity_retain(session->identity);
        int64_t wall_s = core_clock_wall_us(session_service(session)->clock) / CORE_US_PER_S;
        verdict = auth_verifier_recheck(ws_server_verifier(session_service(session)->server),
                                        &identity->claims);
        if (identity->claims.expires_s <= wall_s)
            verdict = AUTH_EXPIRED;
    }
    if (verdict != AUTH_OK) {
        ws_identity_release(identity);
        (void)snprintf(reason, JOIN_REASON_MAX, "%s: %s", verdict_code(verdict),
                       auth_verdict_text(verdict));
        return NULL;
    }
    if (identity == NULL) {
        (void)snprintf(reason, JOIN_REASON_MAX, "InternalError: out of memory");
        return NULL;
    }
    const char *lacks = ws_identity_lacks(identity, CORE_SCOPE_SUBSCRIBE);
    if (lacks != NULL) {
        ws_identity_release(identity);
        (void)snprintf(reason, JOIN_REASON_MAX, "Unauthorized: %s", lacks);
        return NULL;
    }
    if (!ws_identity_same(identity, session->identity))
        return identity;
    ws_identity_release(identity); /* the same token: held once */
    return ws_identity_retain(session->identity);
}

/* ---- The join ---- */

typedef struct {
    ws_session *session;
    const ws_message *message;
    ws_join join;
    ws_identity *identity;
    int64_t asked_ns;
    core_buffer response;
    char reason[JOIN_REASON_MAX];
} join_attempt;

static ws_subscription *join_subscription(join_attempt *attempt) {
    ws_subscription_request request = {
        .protocol = attempt->session->protocol,
        .topic = attempt->message->topic,
        .private_channel = attempt->join.private_channel,
        .presence = attempt->join.presence_enabled,
        .conflate = attempt->join.conflate,
        .replay_since_us = attempt->join.replay_since_us,
        .replay_limit = attempt->join.replay_limit,
        .identity = attempt->identity,
        .postgres_changes = attempt->join.postgres_changes,
        .snapshot = attempt->join.snapshot,
    };
    core_error error = {.text = ""};
    ws_subscription *subscription = ws_subscription_new(&request, &attempt->response, &error);
    if (subscription == NULL)
        (void)snprintf(attempt->reason, sizeof attempt->reason, "InvalidJoinPayload: %s",
                       error.text);
    return subscription;
}

/* A longer key than may be is cut by nobody: presence refuses it when it is used. */
static bool join_presence_key(ws_channel *channel, core_slice raw) {
    core_buffer key;
    if (raw.length == 0)
        return true;
    core_buffer_init(&key, raw.length + 1);
    if (core_json_unescape(raw, &key))
        core_buffer_u8(&key, 0);
    bool ok = core_buffer_ok(&key) && key.length > 0;
    channel->presence_key = ok ? strdup((const char *)key.data) : NULL;
    core_buffer_fini(&key);
    return channel->presence_key != NULL;
}

static ws_channel *join_channel(join_attempt *attempt, bool has_bindings) {
    ws_session *session = attempt->session;
    ws_channel_spec spec = {
        .session = session,
        .owner = &session_member_owner,
        .topic = attempt->message->topic,
        .join_ref = core_slice_is(attempt->message->join_ref, "null") ? attempt->message->ref
                                                                      : attempt->message->join_ref,
        .ref = attempt->message->ref,
        .join = &attempt->join,
        .identity = attempt->identity,
        .response = core_buffer_slice(&attempt->response),
    };
    ws_channel *channel = ws_channel_new(&spec);
    if (channel == NULL)
        return NULL;
    channel->has_bindings = has_bindings;
    if (!join_presence_key(channel, attempt->join.presence_key)) {
        core_state_move(&channel->member.state, WS_MEMBER_CLOSED);
        ws_channel_free(channel);
        return NULL;
    }
    channel->join_deadline_ms = session_service(session)->now_ms + WS_JOIN_WAIT_MS;
    channel->asked_ns = attempt->asked_ns;
    return channel;
}

static bool join_register(join_attempt *attempt, ws_subscription *subscription) {
    ws_session *session = attempt->session;
    ws_channel *channel = join_channel(attempt, subscription->count > 0);
    if (channel == NULL) {
        ws_subscription_free(subscription);
        (void)snprintf(attempt->reason, sizeof attempt->reason, "InternalError: out of memory");
        return false;
    }
    if (!ws_session_table_join(session_service(session), &channel->member, subscription)) {
        core_state_move(&channel->member.state, WS_MEMBER_CLOSED);
        ws_channel_free(channel);
        (void)snprintf(attempt->reason, sizeof attempt->reason,
                       "ClientJoinRateLimitReached: Too many joins are waiting, try again later");
        return false;
    }
    channel->next = session->channels;
    session->channels = channel;
    session->channel_count++;
    session_rearm(session);
    return true;
}

static bool join_config(join_attempt *attempt) {
    const char *problem;
    if (!ws_join_read(attempt->message->payload, &attempt->join, &problem)) {
        bool coded = strncmp(problem, "UnableToReplay", strlen("UnableToReplay")) == 0;
        (void)snprintf(attempt->reason, sizeof attempt->reason, "%s%s",
                       coded ? "" : "InvalidJoinPayload: ", problem);
        return false;
    }
    if (attempt->join.replay_limit == 0 || attempt->join.private_channel)
        return true;
    (void)snprintf(attempt->reason, sizeof attempt->reason,
                   "UnableToReplayMessages: replay is for private channels only");
    return false;
}

static bool join_try(join_attempt *attempt) {
    ws_session *session = attempt->session;
    if (!join_config(attempt))
        return false;
    ws_channel *before = session_channel(session, attempt->message->topic);
    if (before != NULL)
        session_close_channel(before, "phx_close");
    if (!session_open(session)) /* a channel of a closed session would outlive it */
        return false;
    if (!check_room(session, attempt->reason))
        return false;
    attempt->identity = join_identity(session, attempt->join.access_token, attempt->reason);
    if (attempt->identity == NULL || !check_tier(session, attempt->identity, attempt->reason))
        return false;
    ws_subscription *subscription = join_subscription(attempt);
    return subscription != NULL && join_register(attempt, subscription);
}

void session_join(ws_session *session, const ws_message *message) {
    join_attempt attempt = {
        .session = session, .message = message, .asked_ns = session_now_ns(session)};
    core_buffer_init(&attempt.response, SESSION_JOIN_RESPONSE_MAX);
    if (!check_topic(message->topic, attempt.reason) || !join_try(&attempt)) {
        core_metrics_add(session_service(session)->metrics, CORE_METRIC_WS_REFUSALS, 1);
        session_join_record(session, attempt.identity, attempt.asked_ns, attempt.reason);
        session_refuse(session, message, attempt.reason);
    }
    ws_identity_release(attempt.identity);
    core_buffer_fini(&attempt.response);
}

/* ---- Tokens ---- */

void session_token_refused(ws_channel *channel, auth_verdict verdict) {
    char text[JOIN_REASON_MAX];
    (void)snprintf(text, sizeof text, "%s: %s", verdict_code(verdict), auth_verdict_text(verdict));
    ws_session *session = channel->session;
    session_system(session, channel, "system", false, text);
    /* One that cannot be checked now leaves the channel with the token that it has. */
    if (verdict != AUTH_UNAVAILABLE && session_open(session))
        session_close_channel(channel, "phx_close");
}
