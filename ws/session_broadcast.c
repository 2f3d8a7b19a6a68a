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
    core_json_writer json = core_json_writer_make(&response);
    core_json_object_open(&json);
    core_json_key_text(&json, "error");
    core_json_text(&json, error);
    core_json_object_close(&json);
    session_reply(session, message, false, core_buffer_slice(&response));
    core_buffer_fini(&response);
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

static void broadcast_accepted(ws_session *session, const ws_message *message, ws_channel *channel,
                               ws_broadcast *broadcast) {
    ws_service *service = session_service(session);
    if (!channel->broadcast_self) {
        broadcast->sender = channel->member.handle;
        broadcast->sender_thread = service->index;
    }
    broadcast->private_channel = channel->private_channel;
    if (!ws_session_table_broadcast(service, broadcast))
        broadcast_refused(session, message, "too_many_messages");
    else if (channel->broadcast_ack)
        session_reply(session, message, true, core_slice_text("{}"));
}

void session_broadcast(ws_session *session, const ws_message *message, ws_channel *channel) {
    ws_broadcast broadcast = {.json = true};
    const char *reason;
    core_buffer scratch;
    core_buffer_init(&scratch, WS_EVENT_MAX);
    if (!ws_member_joined(&channel->member))
        session_refuse(session, message, "unmatched topic");
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
