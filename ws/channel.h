/* A channel: one topic that one connection has joined. */
#ifndef WALCAST_WS_CHANNEL_H
#define WALCAST_WS_CHANNEL_H

#include "ws/expiry.h"
#include "ws/identity.h"
#include "ws/join.h"
#include "ws/member.h"
#include "ws/rate.h"

typedef struct ws_session ws_session;
typedef struct ws_channel ws_channel;

struct ws_channel {
    ws_member member; /* first: see ws_channel_of */
    uint32_t magic;
    ws_session *session;
    ws_channel *next; /* in the session's list */
    ws_identity *identity;
    ws_expiry expiry;            /* of its token */
    core_block *waiting;         /* a newer one, JSON, that could not be checked yet; NULL: none */
    int64_t waiting_ms;          /* when it is tried again */
    core_slice topic;            /* these four are owned, in one piece with the channel */
    core_slice join_ref;         /* JSON */
    core_slice ref;              /* of the join, JSON */
    core_slice postgres_changes; /* of the join, JSON: to subscribe anew when the role changes */
    core_block *response;        /* of the join, JSON; freed once sent */
    int64_t join_deadline_ms;
    int64_t asked_ns;        /* when it was joined, until that is recorded; then 0 */
    ws_rate_bucket messages; /* of the client's, to this channel */
    bool has_bindings;
    bool replication_ready;
    bool broadcast_self, broadcast_ack;
    bool private_channel;
    bool conflate;         /* asked for slow: conflate */
    bool presence_enabled; /* hears who is there */
    char *presence_key;    /* under which it is seen; NULL: none yet */
};

typedef struct {
    ws_session *session;
    const ws_member_owner *owner;
    core_slice topic, join_ref, ref;
    const ws_join *join;
    ws_identity *identity; /* a reference is taken */
    core_slice response;
} ws_channel_spec;

/* In state JOINING. NULL when memory is out. */
CORE_MUST_CHECK ws_channel *ws_channel_new(const ws_channel_spec *spec);
/* It must be CLOSED and in no list. */
void ws_channel_free(ws_channel *channel);
/* The channel that a member is. */
ws_channel *ws_channel_of(ws_member *member);

#endif
