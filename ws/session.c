/* See session.h. Messages are answered in order, at once, but for a join, whose answer waits for
 * the hub. One deadline serves the idle time-out, joins that wait, and tokens that expire. */
#include "ws/session_private.h"

#include "ws/server.h"

#include <stdio.h>
#include <stdlib.h>

#define SESSION_MAGIC 0x5e5510a1u

static ws_session *session_of(void *context) {
    ws_session *session = context;
    CORE_MAGIC_CHECK(session, SESSION_MAGIC);
    return session;
}

ws_service *session_service(const ws_session *session) {
    return ws_socket_connection(session->socket)->service;
}

bool session_open(const ws_session *session) {
    return ws_socket_open(session->socket);
}

/* ---- Sending ---- */

void session_send_made(ws_session *session, core_block *frame) {
    if (frame == NULL)
        ws_socket_close(session->socket, WS_CLOSE_INTERNAL, "out of memory");
    else
        ws_socket_send(session->socket, frame);
    core_block_release(frame);
}

void session_reply(ws_session *session, const ws_message *message, bool ok, core_slice response) {
    session_send_made(session, ws_protocol_reply(session->protocol, message->join_ref, message->ref,
                                                 message->topic, ok, response));
}

void session_refuse(ws_session *session, const ws_message *message, const char *reason) {
    session_send_made(session, ws_protocol_refusal(session->protocol, message->join_ref,
                                                   message->ref, message->topic, reason));
}

void session_system(ws_session *session, const ws_channel *channel, const char *extension, bool ok,
                    const char *text) {
    session_send_made(session, ws_protocol_system(session->protocol, channel->join_ref,
                                                  channel->topic, extension, ok, text));
}

/* ---- Channels ---- */

ws_channel *session_channel(const ws_session *session, core_slice topic) {
    for (ws_channel *channel = session->channels; channel != NULL; channel = channel->next)
        if (core_slice_equal(channel->topic, topic))
            return channel;
    return NULL;
}

/* Takes the channel out and frees it; says nothing. */
static void session_remove_channel(ws_channel *channel) {
    ws_session *session = channel->session;
    ws_service *service = session_service(session);
    if (ws_member_joined(&channel->member))
        core_metrics_add(service->metrics, CORE_METRIC_WS_CHANNELS, -1);
    if (channel->expiry.suspended)
        core_metrics_add(service->metrics, CORE_METRIC_WS_CHANNELS_SUSPENDED, -1);
    session_channel_record(channel, "left");
    ws_session_table_leave(service, &channel->member);
    core_state_move(&channel->member.state, WS_MEMBER_CLOSED);
    ws_channel **at = &session->channels;
    while (*at != channel)
        at = &(*at)->next;
    *at = channel->next;
    session->channel_count--;
    ws_channel_free(channel);
}

void session_close_channel(ws_channel *channel, const char *event) {
    ws_session *session = channel->session;
    core_block *frame = ws_protocol_message(session->protocol, channel->join_ref, channel->join_ref,
                                            channel->topic, event, core_slice_text("{}"));
    session_remove_channel(channel);
    session_send_made(session, frame);
}

/* ---- Messages ---- */

static void session_leave(ws_session *session, const ws_message *message, ws_channel *channel) {
    session_reply(session, message, true, core_slice_text("{}"));
    if (session_open(session))
        session_close_channel(channel, "phx_close");
}

/* What a client says to others counts for its project. */
static void session_write(ws_session *session, const ws_message *message, ws_channel *channel,
                          void (*write)(ws_session *session, const ws_message *message,
                                        ws_channel *channel)) {
    if (session_within_tier(session, message, channel))
        write(session, message, channel);
}

static void session_channel_message(ws_session *session, const ws_message *message,
                                    ws_channel *channel) {
    if (core_slice_is(message->event, "phx_leave"))
        session_leave(session, message, channel);
    else if (core_slice_is(message->event, "access_token"))
        session_token(message, channel);
    else if (core_slice_is(message->event, "broadcast"))
        session_write(session, message, channel, session_broadcast);
    else if (core_slice_is(message->event, "presence"))
        session_write(session, message, channel, session_presence);
    else
        session_refuse(session, message, "UnknownEvent: this event is not served");
}

static void session_dispatch(ws_session *session, const ws_message *message) {
    ws_channel *channel = session_channel(session, message->topic);
    if (!session_admits(session, message, channel))
        return;
    if (core_slice_is(message->topic, "phoenix") && core_slice_is(message->event, "heartbeat")) {
        session_reply(session, message, true, core_slice_text("{}"));
        return;
    }
    if (core_slice_is(message->event, "phx_join")) {
        session_join(session, message);
        return;
    }
    if (channel == NULL)
        session_refuse(session, message, "unmatched topic");
    else if (core_slice_is(message->join_ref, "null") ||
             core_slice_equal(message->join_ref, channel->join_ref))
        session_channel_message(session, message, channel);
    /* else it was meant for a join before this one: dropped, as Phoenix does */
}

static void session_message(void *context, bool binary, core_slice payload) {
    ws_session *session = session_of(context);
    ws_service *service = session_service(session);
    ws_message message;
    const char *reason;
    session->heard_ms = service->now_ms;
    if (ws_protocol_read(session->protocol, binary, payload, &service->scratch, &message,
                         &reason)) {
        session_dispatch(session, &message);
        return;
    }
    core_metrics_add(service->metrics, CORE_METRIC_WS_MALFORMED_FRAMES, 1);
    ws_socket_close(session->socket, binary ? WS_CLOSE_UNSUPPORTED : WS_CLOSE_INVALID, reason);
}

/* ---- What the hub says ---- */

static void channel_send(ws_member *member, core_block *frame, ws_row *row) {
    ws_socket_send_row(ws_channel_of(member)->session->socket, frame, row, member->handle);
}

static void channel_joined(ws_member *member) {
    ws_channel *channel = ws_channel_of(member);
    ws_session *session = channel->session;
    core_metrics *metrics = session_service(session)->metrics;
    core_metrics_add(metrics, CORE_METRIC_WS_CHANNELS, 1);
    core_metrics_add(metrics, CORE_METRIC_WS_JOINS, 1);
    session_channel_record(channel, NULL);
    session_send_made(session,
                      ws_protocol_reply(session->protocol, channel->join_ref, channel->ref,
                                        channel->topic, true, core_block_slice(channel->response)));
    if (!session_open(session))
        return;
    core_block_release(channel->response);
    channel->response = NULL;
    session_rearm(session); /* its token's warning */
}

static void channel_sees(ws_member *member) {
    session_presence_state(ws_channel_of(member));
}

static void channel_loaded(ws_member *member, uint64_t rows) {
    ws_channel *channel = ws_channel_of(member);
    ws_session *session = channel->session;
    session_send_made(
        session, ws_protocol_loaded(session->protocol, channel->join_ref, channel->topic, rows));
}

static void channel_live(ws_member *member, const char *offset) {
    ws_channel *channel = ws_channel_of(member);
    ws_session *session = channel->session;
    if (channel->has_bindings)
        session_send_made(session, ws_protocol_subscribed(session->protocol, channel->join_ref,
                                                          channel->topic, offset));
    if (!session_open(session) || !channel->replication_ready)
        return;
    channel->replication_ready = false; /* not again when it goes on after a pause */
    session_system(session, channel, "system", true, "Replication connection established");
}

static void channel_refused(ws_member *member, const char *reason) {
    ws_channel *channel = ws_channel_of(member);
    ws_session *session = channel->session;
    core_metrics_add(session_service(session)->metrics, CORE_METRIC_WS_REFUSALS, 1);
    session_channel_record(channel, reason);
    core_block *frame = ws_protocol_refusal(session->protocol, channel->join_ref, channel->ref,
                                            channel->topic, reason);
    session_remove_channel(channel);
    session_send_made(session, frame);
}

static void channel_reset(ws_member *member, const char *reason) {
    ws_channel *channel = ws_channel_of(member);
    ws_session *session = channel->session;
    session_system(session, channel, "postgres_changes", false, reason);
    if (session_open(session))
        session_close_channel(channel, "phx_error");
}

static bool channel_crowded(ws_member *member) {
    ws_connection *connection = ws_socket_connection(ws_channel_of(member)->session->socket);
    bool crowded = connection->queue.bytes > connection->service->limits.queue_bytes / 4;
    if (crowded)
        ws_connection_watch_drain(connection);
    return crowded;
}

static void channel_renew(ws_member *member) {
    ws_channel *channel = ws_channel_of(member);
    if (!session_subscribe_again(channel, channel->identity))
        session_close_channel(channel, "phx_error"); /* the client joins again */
}

const ws_member_owner session_member_owner = {
    .send = channel_send,
    .joined = channel_joined,
    .sees = channel_sees,
    .loaded = channel_loaded,
    .live = channel_live,
    .crowded = channel_crowded,
    .refused = channel_refused,
    .renew = channel_renew,
    .reset = channel_reset,
};

/* The client has read what waited for it: those that stalled go on. */
static void session_drained(void *context) {
    ws_session *session = session_of(context);
    ws_channel *channel = session->channels;
    while (channel != NULL) {
        ws_channel *next = channel->next;
        ws_session_table_drained(session_service(session), &channel->member);
        if (channel->member.stalled && !session_subscribe_again(channel, channel->identity))
            session_close_channel(channel, "phx_error"); /* the client joins again */
        if (!session_open(session))
            return; /* all its channels have gone */
        channel = next;
    }
}

/* ---- Deadlines ---- */

static int64_t earlier(int64_t a, int64_t b) {
    return a < b ? a : b;
}

/* When the channel needs looking at next. Wall-clock expiry is looked at on the monotonic clock;
 * a clock that was set meanwhile is seen when the deadline fires. */
static int64_t channel_deadline(const ws_channel *channel, int64_t now_ms, int64_t wall_ms) {
    ws_expiry_rule rule = session_expiry_rule(channel);
    int64_t expiry_ms = ws_expiry_next_ms(&channel->expiry, &rule, now_ms, wall_ms);
    if (channel->waiting != NULL)
        expiry_ms = earlier(expiry_ms, channel->waiting_ms);
    return channel->member.state.current == WS_MEMBER_JOINING
               ? earlier(expiry_ms, channel->join_deadline_ms)
               : expiry_ms;
}

void session_rearm(ws_session *session) {
    ws_service *service = session_service(session);
    int64_t wall_ms = core_clock_wall_us(service->clock) / CORE_US_PER_MS;
    int64_t next = session->heard_ms + service->limits.idle_timeout_ms;
    for (const ws_channel *channel = session->channels; channel != NULL; channel = channel->next)
        next = earlier(next, channel_deadline(channel, service->now_ms, wall_ms));
    if (next <= service->now_ms)
        next = service->now_ms + 1;
    ws_connection_set_deadline(ws_socket_connection(session->socket), next);
}

/* True when the channel was closed. */
static bool session_check_channel(ws_channel *channel, int64_t now_ms, int64_t wall_ms) {
    if (session_expiry_look(channel, now_ms, wall_ms) || session_token_retry(channel, now_ms))
        return true;
    if (channel->member.state.current != WS_MEMBER_JOINING || channel->join_deadline_ms > now_ms)
        return false;
    channel_refused(&channel->member,
                    "RealtimeRestarting: the change stream, or the database, does not answer yet, "
                    "please try again");
    return true;
}

static void session_deadline(void *context, int64_t now_ms) {
    ws_session *session = session_of(context);
    ws_service *service = session_service(session);
    if (now_ms - session->heard_ms >= service->limits.idle_timeout_ms) {
        ws_socket_close(session->socket, WS_CLOSE_GOING_AWAY, "nothing was heard for too long");
        return;
    }
    int64_t wall_ms = core_clock_wall_us(service->clock) / CORE_US_PER_MS;
    ws_channel *channel = session->channels;
    while (channel != NULL) {
        ws_channel *next = channel->next;
        (void)session_check_channel(channel, now_ms, wall_ms);
        if (!session_open(session))
            return;
        channel = next;
    }
    session_rearm(session);
}

/* ---- Life ---- */

static size_t session_credential_ended(void *context) {
    return session_recheck(session_of(context));
}

static void session_closing(void *context) {
    ws_session *session = session_of(context);
    while (session->channels != NULL)
        session_remove_channel(session->channels);
}

static void session_gone(void *context) {
    ws_session *session = session_of(context);
    ws_server_socket_leave(session_service(session)->server,
                           &ws_socket_connection(session->socket)->client);
    ws_identity_release(session->identity);
    session->magic = 0;
    free(session);
}

static const ws_socket_owner session_owner = {
    .on_message = session_message,
    .on_deadline = session_deadline,
    .on_drained = session_drained,
    .on_recheck = session_credential_ended,
    .on_closing = session_closing,
    .on_gone = session_gone,
};

ws_session *ws_session_new(ws_connection *connection, ws_protocol protocol, ws_identity *identity,
                           core_slice request_id) {
    ws_session *session = calloc(1, sizeof *session);
    if (session == NULL)
        return NULL;
    session->magic = SESSION_MAGIC;
    session->protocol = protocol;
    session->heard_ms = connection->service->now_ms;
    session->socket = ws_socket_new(connection, &session_owner, session);
    if (session->socket == NULL) {
        free(session);
        return NULL;
    }
    session->identity = ws_identity_retain(identity);
    (void)snprintf(session->request_id, sizeof session->request_id, "%.*s",
                   CORE_SLICE_ARGS(request_id));
    session_rearm(session);
    return session;
}
