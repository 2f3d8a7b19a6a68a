/* A join's payload: what the channel is configured to be. Source: @supabase/realtime-js,
 * src/RealtimeChannel.ts, subscribe(). */
#ifndef WALCAST_WS_JOIN_H
#define WALCAST_WS_JOIN_H

#include "ws/protocol.h"

typedef struct {
    core_slice access_token;     /* raw JSON string content; empty: the connection's key counts */
    core_slice postgres_changes; /* the JSON array, or empty */
    core_offset since;           /* sequence 0: not given */
    bool snapshot;               /* first the present rows */
    bool private_channel;
    int64_t replay_since_us; /* wants to hear what was said since then */
    size_t replay_limit;     /* at most so many; 0: nothing */
    bool presence_enabled;   /* hears who is there */
    bool conflate;           /* where it is slow, newer changes of a row replace those that wait */
    core_slice presence_key; /* raw JSON string content; empty: one is made */
    bool broadcast_self;     /* hears its own broadcasts */
    bool broadcast_ack;      /* wants each broadcast answered */
    bool replication_ready;  /* wants to hear that changes flow, by a system message */
} ws_join;

/* `payload` is the message's; slices point into it. False fills `reason` (static). Members that are
 * not known, or of no meaning here, are passed over. */
CORE_MUST_CHECK bool ws_join_read(core_slice payload, ws_join *join, const char **reason);
/* A JSON number that is a natural one, up to `max`. */
CORE_MUST_CHECK bool ws_join_natural(core_json_token token, int64_t max, int64_t *value);
/* The access_token of an access_token message's payload; empty when there is none. */
CORE_MUST_CHECK bool ws_join_token_read(core_slice payload, core_slice *token);

#endif
