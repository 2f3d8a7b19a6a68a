/* What a client says to its channel's room; see session.h.
 *
 * It is answered as soon as the hub has been given it: to those who asked for an answer, and to
 * everybody when it is refused. */
#include "ws/session_private.h"

#include "ws/access.h"

#include <stdio.h>

static void broadcast_refused(ws_session *session, const ws_message *message, const char *error) {
    core_buffer response;
    core_buffer_init(&response, 1024);
    core_json_text_object(&response, "error", error);
    session_reply(session, message, false, core_buffer_slice(&response));
    core_buffer_fini(&response);
}

static void broadcast_unauthorized(ws_session *session, const ws_message *message,
                                   const char *why) {
    char text[256];
    (void)snprintf(text, sizeof text, "Unauthorized: %s", why);
    broadcast_refused(session, message, text);
}

/* What the message says; slices into it, and the event of a text message into `scratch`. */
static bool broadcast_take(const ws_message *message, core_buffer *scratch, ws_broadcast *broadcast,
                           const char **reason) {
    broadcast->topic = message->topic;
    if (!message->binary)
        return ws_broadcast_read(message->payload, scratch, broadcast, reason);
    broadcast->event = message->push_event;
    broadcast->payload = message->payload;
    broadcast->json = message->push_json;
    broadcast->pushed = true;
    return true;
}

/* "persist": true, or {"ttl": seconds}. False: it is neither. */
static bool persist_read(core_json_reader *json, core_json_token token, int64_t now_us,
                         ws_broadcast *broadcast) {
    core_json_token member;
    core_slice whole;
    if (token.kind != CORE_JSON_OBJECT_OPEN) {
        broadcast->stored = core_json_is_true(token);
        return core_json_skip(json, token, &whole);
    }
    broadcast->stored = true;
    while (core_json_member_next(json, &member)) {
        int64_t ttl_s;
        if (core_json_raw_is(member.key, "ttl")) {
            if (!ws_join_natural(member, INT32_MAX, &ttl_s))
                return false;
            broadcast->expires_us = now_us + ttl_s * CORE_MS_PER_S * CORE_US_PER_MS;
        }
        if (!core_json_skip(json, member, &whole))
            return false;
    }
    return true;
}

/* Of a text message its payload's, of a binary one its metadata's. */
static bool broadcast_persist(core_slice object, int64_t now_us, ws_broadcast *broadcast) {
    core_json_reader json = core_json_reader_make(object);
    core_json_token member;
    if (object.length == 0)
        return true;
    if (!core_json_valid(object) || core_json_next(&json).kind != CORE_JSON_OBJECT_OPEN)
        return false;
    while (core_json_member_next(&json, &member)) {
        core_slice whole;
        if (core_json_raw_is(member.key, "persist")) {
            if (!persist_read(&json, member, now_us, broadcast))
                return false;
        } else if (!core_json_skip(&json, member, &whole)) {
            return false;
        }
    }
    return true;
}

static void broadcast_accepted(ws_session *session, const ws_message *message, ws_channel *channel,
                               ws_broadcast *broadcast) {
    ws_service *service = session_service(session);
    if (!channel->broadcast_self) {
        broadcast->sender = channel->member.handle;
        broadcast->sender_thread = service->index;
    }
    broadcast->home = channel->identity->home;
    broadcast->private_channel = channel->private_channel;
    core_slice object = message->binary ? message->push_metadata : message->payload;
    if (!broadcast_persist(object, core_clock_wall_us(service->clock), broadcast))
        broadcast_refused(session, message, "persist must be true or {ttl: seconds}");
    else if (broadcast->stored && !channel->private_channel)
        broadcast_refused(session, message, "only broadcasts of private channels can be stored");
    else if (!ws_session_table_broadcast(service, broadcast))
        broadcast_refused(session, message, "too_many_messages");
    else if (channel->broadcast_ack)
        session_reply(session, message, true, core_slice_text("{}"));
}

void session_broadcast(ws_session *session, const ws_message *message, ws_channel *channel) {
    ws_broadcast broadcast = {.json = true};
    const char *reason;
    const char *lacks = ws_identity_lacks(channel->identity, CORE_SCOPE_BROADCAST);
    core_buffer scratch;
    core_buffer_init(&scratch, WS_EVENT_MAX);
    if (!ws_member_joined(&channel->member))
        session_refuse(session, message, "unmatched topic");
    else if (channel->expiry.suspended)
        broadcast_refused(session, message, "token_expired");
    else if (lacks != NULL)
        broadcast_unauthorized(session, message, lacks);
    else if ((channel->member.rights & WS_RIGHT(AUTH_BROADCAST_WRITE)) == 0)
        broadcast_refused(session, message, "unauthorized");
    else if (message->payload.length > session_service(session)->limits.max_broadcast_bytes)
        broadcast_refused(session, message, "payload_size_exceeded");
    else if (!broadcast_take(message, &scratch, &broadcast, &reason))
        session_refuse(session, message, reason);
    else
        broadcast_accepted(session, message, channel, &broadcast);
    core_buffer_fini(&scratch);
}
