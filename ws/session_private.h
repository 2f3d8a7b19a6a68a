/* A session's inside, shared by session.c and session_join.c. */
#ifndef WALCAST_WS_SESSION_PRIVATE_H
#define WALCAST_WS_SESSION_PRIVATE_H

#include "ws/session.h"
#include "ws/session_table.h"

/* Of the answer to a join. */
#define SESSION_JOIN_RESPONSE_MAX ((size_t)4 << 20)

struct ws_session {
    uint32_t magic;
    ws_protocol protocol;
    ws_socket *socket;
    ws_identity *identity; /* of the handshake's key */
    ws_channel *channels;
    uint32_t channel_count;
    int64_t heard_ms; /* when the client last said something */
    ws_rate_bucket messages;
    ws_rate_bucket joins;
    ws_patience own;                     /* with what this client sends */
    ws_patience others;                  /* with what all send together */
    int64_t told_ms;                     /* when it was last told that it sends too much */
    char request_id[WS_REQUEST_ID_SIZE]; /* of the handshake; a longer one of the client's is cut */
};

ws_service *session_service(const ws_session *session);

/* Sending may close a connection that is too slow, and with it go all its channels: whoever needs
 * a channel after having sent asks session_open first. */
bool session_open(const ws_session *session);
/* Sends the frame and lets go of it; NULL means that memory was out, and closes. */
void session_send_made(ws_session *session, core_block *frame);
/* `response` is a JSON object. */
void session_reply(ws_session *session, const ws_message *message, bool ok, core_slice response);
void session_refuse(ws_session *session, const ws_message *message, const char *reason);
void session_system(ws_session *session, const ws_channel *channel, const char *extension, bool ok,
                    const char *text);
/* NULL when the topic is not joined. */
ws_channel *session_channel(const ws_session *session, core_slice topic);
/* The same, then sends `event` ("phx_close", "phx_error"). */
void session_close_channel(ws_channel *channel, const char *event);
/* What its members' owner is. */
extern const ws_member_owner session_member_owner;
/* Sets the connection's deadline by what comes first. */
void session_rearm(ws_session *session);

/* ---- session_broadcast.c ---- */
void session_broadcast(ws_session *session, const ws_message *message, ws_channel *channel);

/* ---- session_recheck.c ---- */
/* Says "Unauthorized: WHY" and closes the channel. */
void session_end_channel(ws_channel *channel, const char *why);
/* A credential may have ended: closes the channels that were joined with it, and the connection
 * whose own it was. How many channels there were. */
size_t session_recheck(ws_session *session);

/* ---- session_rate.c ---- */
/* Counts the message against the limits. False: it is too much, and the client was told so; it may
 * be closed by now. `channel` is NULL for what belongs to none. */
bool session_admits(ws_session *session, const ws_message *message, ws_channel *channel);

/* A write of its project. False: it has no more, and the client was told until when. */
bool session_within_tier(ws_session *session, const ws_message *message, ws_channel *channel);

/* Tokens from the client's address are looked at. False: too many were refused; `text` says until
 * when, in WS_TIER_TEXT_SIZE bytes. */
bool session_trusts_address(const ws_session *session, char *text);

/* ---- session_record.c ---- */
int64_t session_now_ns(const ws_session *session);
/* Records a join that was answered. `identity` NULL: the handshake's key asked. `reason`: why it
 * was refused; NULL: it was not. */
void session_join_record(const ws_session *session, const ws_identity *identity, int64_t asked_ns,
                         const char *reason);
/* The same of a channel's join, unless it is recorded already. */
void session_channel_record(ws_channel *channel, const char *reason);

/* ---- session_presence.c ---- */
void session_presence(ws_session *session, const ws_message *message, ws_channel *channel);
/* The channel stands among those who hear who is there: it is told who was there before. */
void session_presence_state(ws_channel *channel);

/* ---- session_join.c ---- */
void session_join(ws_session *session, const ws_message *message);
/* A token as it stands in JSON. One that begins with sb_ is an API key: the handshake's counts. */
bool session_token_given(core_slice raw);
/* `*identity` gets one reference on AUTH_OK, or NULL when memory is out. */
CORE_MUST_CHECK auth_verdict session_token_verify(ws_session *session, core_slice raw,
                                                  ws_identity **identity);
/* Tells why the channel's token does not count, and closes it unless it only cannot be checked now.
 */
void session_token_refused(ws_channel *channel, auth_verdict verdict);

/* ---- session_token.c ---- */
/* A new token for a joined channel. */
void session_token(const ws_message *message, ws_channel *channel);
/* Tries the one that waits again, if it is time. True: it was, and the channel may be gone. */
CORE_MUST_CHECK bool session_token_retry(ws_channel *channel, int64_t now_ms);
/* Asks the hub for a channel's membership anew, as this one. False: it cannot be. */
CORE_MUST_CHECK bool session_subscribe_again(ws_channel *channel, const ws_identity *identity);

/* ---- session_expiry.c ---- */
/* By which the channel's token is looked at: one that is not joined yet is not warned of. */
ws_expiry_rule session_expiry_rule(const ws_channel *channel);
/* Warns of its token's end, suspends it, or closes it, whatever is due. True: it may be gone. */
CORE_MUST_CHECK bool session_expiry_look(ws_channel *channel, int64_t now_ms, int64_t wall_ms);
/* The channel has a new token, which counts from now on; its reference is taken over. A suspended
 * channel was asked for anew: it is told that it goes on. */
void session_expiry_renew(ws_channel *channel, ws_identity *identity);
/* A token that came has expired. Where the channel's own has, too, it is told so and stays as it
 * is: true. False: the token is a bad one like others. */
CORE_MUST_CHECK bool session_expiry_stale(ws_channel *channel);

#endif
