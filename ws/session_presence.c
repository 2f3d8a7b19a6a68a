/* What a client says of its presence in a channel; see session.h. Source: @supabase/realtime-js,
 * src/RealtimeChannel.ts, track() and untrack().
 *
 * It is answered as soon as the hub has been given it; what the hub cannot take (a room that is
 * full) comes as a system message. */
#include "ws/session_private.h"

#include "ws/access.h"
#include "ws/uuid.h"

#include <stdlib.h>
#include <strings.h>

typedef struct {
    bool track;
    bool malformed; /* the payload is something else than an object */
    core_slice payload;
} presence_message;

static bool event_is(core_slice raw, const char *name) {
    return raw.length == strlen(name) && strncasecmp((const char *)raw.data, name, raw.length) == 0;
}

/* {"type":"presence","event":"track","payload":{...}} */
static bool presence_read(core_slice payload, presence_message *message) {
    core_json_reader json = core_json_reader_make(payload);
    core_json_token member;
    bool known = false;
    message->payload = core_slice_text("{}");
    if (core_json_next(&json).kind != CORE_JSON_OBJECT_OPEN)
        return false;
    while (core_json_member_next(&json, &member)) {
        core_slice whole;
        if (core_json_raw_is(member.key, "event") && member.kind == CORE_JSON_STRING) {
            message->track = event_is(member.raw, "track");
            known = message->track || event_is(member.raw, "untrack");
        }
        core_json_kind kind = member.kind;
        if (!core_json_skip(&json, member, &whole))
            return false;
        if (!core_json_raw_is(member.key, "payload") || kind == CORE_JSON_NULL)
            continue;
        message->malformed = kind != CORE_JSON_OBJECT_OPEN;
        message->payload = whole;
    }
    return known;
}

static ws_presence_wish presence_wish(const ws_channel *channel) {
    return (ws_presence_wish){
        .tenant = channel->identity->home.tenant,
        .topic = channel->topic,
        .private_channel = channel->private_channel,
        .protocol = channel->session->protocol,
        .key = core_slice_text(channel->presence_key),
    };
}

/* One who gave no key is seen under one that is made for the channel. */
static bool presence_key(ws_channel *channel) {
    if (channel->presence_key == NULL) {
        channel->presence_key = malloc(WS_UUID_SIZE);
        if (channel->presence_key != NULL)
            ws_uuid_make(channel->presence_key);
    }
    return channel->presence_key != NULL;
}

/* Who is seen sees the others too, though it did not ask when it joined: it moves into the room,
 * and is told who is there once it stands in it. */
static bool presence_enable(ws_channel *channel) {
    if (channel->presence_enabled)
        return true;
    channel->presence_enabled = true;
    return session_subscribe_again(channel, channel->identity);
}

static bool presence_take(ws_channel *channel, const presence_message *message) {
    ws_service *service = session_service(channel->session);
    if (!message->track)
        return ws_session_table_untrack(service, &channel->member);
    if (!presence_key(channel) || !presence_enable(channel))
        return false;
    ws_presence_wish wish = presence_wish(channel);
    wish.payload = message->payload;
    return ws_session_table_track(service, &channel->member, &wish);
}

void session_presence(ws_session *session, const ws_message *message, ws_channel *channel) {
    presence_message presence = {.track = false};
    if (!ws_member_joined(&channel->member))
        session_refuse(session, message, "unmatched topic");
    else if (!presence_read(message->payload, &presence))
        session_refuse(session, message, "the payload must have event track or untrack");
    else if (presence.track && channel->expiry.suspended)
        session_refuse(session, message,
                       "InvalidJWTToken: The token has expired; send a new access_token first");
    else if (presence.track && presence.malformed)
        session_refuse(session, message,
                       "InvalidPresencePayload: what is tracked must be an object");
    else if ((channel->member.rights & WS_RIGHT(AUTH_PRESENCE_WRITE)) == 0)
        session_refuse(session, message,
                       "Unauthorized: You do not have permissions to track presence here");
    else if (presence.payload.length > session_service(session)->limits.max_presence_bytes)
        session_refuse(session, message, "payload_size_exceeded");
    else if (!presence_take(channel, &presence))
        session_refuse(session, message, "Too many messages are waiting, try again later");
    else
        session_reply(session, message, true, core_slice_text("{}"));
}

void session_presence_state(ws_channel *channel) {
    ws_presence_wish wish = presence_wish(channel);
    if (!ws_session_table_presence(session_service(channel->session), &channel->member, &wish))
        session_close_channel(channel, "phx_error"); /* the client joins again */
}
