/* Tokens of channels that expire; see session.h.
 *
 * Before the end the client is told. At the end the channel is suspended: it hears nothing and may
 * send nothing, but keeps its place, so that with a new token it goes on where it was, as what that
 * token may see (session_suspend.c). Without one it is closed once the grace is over. A client
 * that sends an expired token again, as the oldest do with every heartbeat, changes nothing. */
#include "ws/session_private.h"

#include <inttypes.h>
#include <stdio.h>

#define EXPIRY_TEXT_MAX 256

static void expiry_say(const ws_channel *channel, bool ok, const char *text) {
    ws_session *session = channel->session;
    session_send_made(session,
                      ws_protocol_expiry(session->protocol, channel->join_ref, channel->topic, ok,
                                         text, channel->identity->claims.expires_s));
}

ws_expiry_rule session_expiry_rule(const ws_channel *channel) {
    ws_expiry_rule rule = session_service(channel->session)->limits.expiry;
    if (!ws_member_joined(&channel->member))
        rule.warning_ms = 0;
    return rule;
}

static void expiry_warn(const ws_channel *channel, int64_t wall_ms) {
    char text[EXPIRY_TEXT_MAX];
    (void)snprintf(text, sizeof text,
                   "The token expires in %" PRId64 " s: send a new access_token, or delivery stops",
                   ws_expiry_left_s(&channel->expiry, wall_ms));
    expiry_say(channel, true, text);
}

static void expiry_say_suspended(const ws_channel *channel, int64_t now_ms) {
    char text[EXPIRY_TEXT_MAX];
    int64_t left_s = (channel->expiry.ends_ms - now_ms + CORE_MS_PER_S - 1) / CORE_MS_PER_S;
    (void)snprintf(text, sizeof text,
                   "InvalidJWTToken: %s Delivery is suspended until a new access_token comes, for "
                   "at most %" PRId64 " s; then the channel is closed",
                   auth_verdict_text(AUTH_EXPIRED), left_s);
    expiry_say(channel, false, text);
}

/* Half a snapshot has no place to go on from. */
static void expiry_break_off(ws_channel *channel) {
    ws_session *session = channel->session;
    session_system(session, channel, "system", false,
                   "InvalidJWTToken: The token expired while the rows were sent; join again");
    if (session_open(session))
        session_close_channel(channel, "phx_error");
}

static void expiry_suspend(ws_channel *channel, int64_t now_ms) {
    ws_service *service = session_service(channel->session);
    core_metrics_add(service->metrics, CORE_METRIC_WS_CHANNELS_SUSPENDED, 1);
    if (ws_session_table_suspend(service, &channel->member, channel->has_bindings))
        expiry_say_suspended(channel, now_ms);
    else
        expiry_break_off(channel);
}

static void expiry_refuse_join(ws_channel *channel) {
    char reason[EXPIRY_TEXT_MAX];
    (void)snprintf(reason, sizeof reason, "InvalidJWTToken: %s", auth_verdict_text(AUTH_EXPIRED));
    channel->expiry.suspended = false; /* it never was */
    channel->member.owner->refused(&channel->member, reason);
}

bool session_expiry_look(ws_channel *channel, int64_t now_ms, int64_t wall_ms) {
    ws_expiry_rule rule = session_expiry_rule(channel);
    ws_expiry_step step = ws_expiry_look(&channel->expiry, &rule, now_ms, wall_ms);
    if (step == WS_EXPIRY_NOTHING)
        return false;
    if (step == WS_EXPIRY_WARN)
        expiry_warn(channel, wall_ms);
    else if (!ws_member_joined(&channel->member))
        expiry_refuse_join(channel);
    else if (step == WS_EXPIRY_SUSPEND)
        expiry_suspend(channel, now_ms);
    else
        session_token_refused(channel, AUTH_EXPIRED);
    return true;
}

bool session_expiry_stale(ws_channel *channel) {
    ws_service *service = session_service(channel->session);
    int64_t wall_ms = core_clock_wall_us(service->clock) / CORE_US_PER_MS;
    if (!ws_member_joined(&channel->member) || !ws_expiry_over(&channel->expiry, wall_ms))
        return false;
    if (session_expiry_look(channel, service->now_ms, wall_ms))
        return true; /* it expired this moment, or its grace is over */
    expiry_say_suspended(channel, service->now_ms);
    return true;
}

void session_expiry_renew(ws_channel *channel, ws_identity *identity) {
    ws_session *session = channel->session;
    ws_service *service = session_service(session);
    ws_expiry before = channel->expiry;
    channel->expiry = ws_expiry_make(identity->claims.expires_s);
    channel->expiry.warned = before.warned && before.expires_ms == channel->expiry.expires_ms;
    ws_identity_release(channel->identity);
    channel->identity = identity;
    if (before.suspended) {
        core_metrics_add(service->metrics, CORE_METRIC_WS_CHANNELS_SUSPENDED, -1);
        expiry_say(channel, true, "The new token counts: delivery goes on where it was suspended");
    }
    if (session_open(session))
        session_rearm(session);
}
