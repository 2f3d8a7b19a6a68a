/* A channel: one topic that one connection has joined. */
#ifndef WALCAST_WS_CHANNEL_H
#define WALCAST_WS_CHANNEL_H

#include "ws/identity.h"
#include "ws/protocol.h"

typedef enum {
    WS_CHANNEL_JOINING, /* asked for; the hub has not answered */
    WS_CHANNEL_JOINED,
    WS_CHANNEL_CLOSED, /* out of its session; about to be freed */
} ws_channel_state;

typedef struct ws_session ws_session;
typedef struct ws_channel ws_channel;

struct ws_channel {
    uint32_t magic;
    core_state state;
    ws_session *session;
    ws_channel *next;       /* in the session's list */
    uint64_t handle;        /* what the hub knows it by (session_table.h) */
    uint32_t class_id;      /* once joined */
    ws_channel *class_next; /* in the list of the class's members on this thread */
    ws_channel *class_previous;
    ws_identity *identity;
    core_slice topic;            /* these four are owned, in one piece with the channel */
    core_slice join_ref;         /* JSON */
    core_slice ref;              /* of the join, JSON */
    core_slice postgres_changes; /* of the join, JSON: to subscribe anew when the role changes */
    core_block *response;        /* of the join, JSON; freed once sent */
    int64_t join_deadline_ms;
    bool has_bindings;
    bool replication_ready;
};

typedef struct {
    ws_session *session;
    core_slice topic, join_ref, ref, postgres_changes;
    ws_identity *identity; /* a reference is taken */
    core_slice response;
} ws_channel_spec;

/* In state JOINING. NULL when memory is out. */
CORE_MUST_CHECK ws_channel *ws_channel_new(const ws_channel_spec *spec);
/* It must be CLOSED and in no list. */
void ws_channel_free(ws_channel *channel);

#endif
