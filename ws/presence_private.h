/* The presence's inside, shared by its files. */
#ifndef WALCAST_WS_PRESENCE_PRIVATE_H
#define WALCAST_WS_PRESENCE_PRIVATE_H

#include "ws/presence_book.h"

/* Another gateway. Its state is known up to `version` when it is `synced`; else only its whole
 * state helps. */
typedef struct presence_peer presence_peer;
struct presence_peer {
    presence_owner owner;
    presence_peer *next;
    char name[WS_PRESENCE_NODE_MAX];
    size_t name_length;
    uint64_t boot, tag;
    uint64_t gone_boot; /* that said goodbye; it and older ones are not believed any more */
    uint64_t version;
    bool synced;
    bool up;
    bool behind; /* to be asked for its state */
    int64_t heard_ms;
    int64_t asked_ms;
    int64_t ask_wait_ms; /* before it is asked again; doubles */
    /* The parts of a state that is on its way. */
    core_block **parts;
    size_t part_count, parts_here;
    size_t part_bytes;
    uint64_t parts_version;
};

/* One side of a diff being written. */
typedef struct {
    core_buffer out;
    core_json_writer writer;
    const presence_key *key; /* the open one */
    size_t metas;
} presence_side;

struct ws_presence {
    uint32_t magic;
    ws_presence_limits limits;
    ws_presence_events events;
    char name[WS_PRESENCE_NODE_MAX];
    size_t name_length;
    uint64_t boot, tag;
    presence_book book;
    presence_owner self;
    hub_map members; /* this node's, by handle */
    uint64_t version;
    core_buffer scratch; /* a payload being made */
    /* To be sent: ops since the last delta, and what was asked for. */
    core_buffer ops;
    uint32_t op_count;
    core_buffer out;
    bool started, left;
    bool hello_owed, heartbeat_owed, state_owed;
    int64_t heartbeat_ms, state_ms, tick_ms; /* when last */
    presence_peer *peers;
    size_t peer_count;
    size_t part_bytes; /* of all peers' states on their way; at most max_bytes */
    presence_side joins, leaves;
    ws_presence_stats stats;
};

/* What a boot of a node is told apart by within phx_ref: 48 bits. */
uint64_t presence_tag(core_slice node, uint64_t boot);

/* ---- presence_send.c ---- */
/* An op of this node's own; sends what waits first when it does not fit beside it. */
void presence_send_op(ws_presence *presence, const presence_op *op);
void presence_send_ask(ws_presence *presence, core_slice target);
void presence_send_goodbye(ws_presence *presence);
/* Everything that is owed and due. */
void presence_send_owed(ws_presence *presence, int64_t now_ms);

/* ---- presence_peer.c ---- */
void presence_peers_tick(ws_presence *presence, int64_t now_ms);
void presence_peers_free(ws_presence *presence);

/* ---- presence_diff.c ---- */
void presence_diff_tell(ws_presence *presence);
/* False: no memory. */
CORE_MUST_CHECK bool presence_side_init(presence_side *side, size_t max_bytes);

#endif
