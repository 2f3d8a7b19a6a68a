/* Presence: who is in which topic, over all gateways; a state machine without threads, clock or
 * sockets. One thread owns it (the hub's), hands it the time and other gateways' messages, and
 * takes diffs for its clients and bytes for the bus.
 *
 * Each gateway (node) alone writes its own members, and counts what it does to them: its version.
 * The others copy: a delta goes from one version to another, a heartbeat tells version and digest,
 * and who finds a gap or another digest asks for the whole state, which comes in parts. So loss,
 * repetition and disorder on the bus cost time and never truth.
 *
 * A node that is silent for `down_ms` is down: its members leave, once; when it is heard again they
 * come back, once, by its state. A node that restarts has a greater boot number, and its former
 * members leave at once; one that stops says goodbye.
 *
 * What clients are told is the difference between what they were told and what is so, at each
 * flush: a member that went and came in between is not mentioned. */
#ifndef WALCAST_WS_PRESENCE_H
#define WALCAST_WS_PRESENCE_H

#include "ws/limits.h"

#define WS_PRESENCE_NODE_MAX 64  /* bytes of a node's name */
#define WS_PRESENCE_KEY_MAX  255 /* bytes of a presence key */

typedef struct ws_presence ws_presence;

/* A topic's private room is another than its public one. */
typedef struct {
    core_slice topic;
    bool private_channel;
} ws_presence_room;

/* `diff` is called from within _flush and _tick only, `send` from any call but _state. Slices are
 * valid during the call; nothing here may be called from there. */
typedef struct {
    /* To every client of the room with presence on: the payload is
     * {"joins":JOINS,"leaves":LEAVES}. */
    void (*diff)(void *context, ws_presence_room room, core_slice joins, core_slice leaves);
    /* To all other gateways. May be lost. */
    void (*send)(void *context, core_slice bytes);
    void *context;
} ws_presence_events;

typedef struct {
    int64_t heartbeat_ms;
    int64_t down_ms;
    size_t max_topics;        /* rooms with members, over all nodes */
    size_t max_keys;          /* of a topic */
    size_t max_metas;         /* of a key */
    size_t max_payload_bytes; /* of a member */
    size_t max_topic_bytes;   /* keys and payloads of a topic, so that its state fits a frame */
    size_t max_bytes;         /* of everything held */
    size_t max_nodes;
    size_t max_message_bytes; /* on the bus; more goes out in parts */
    size_t max_diff_bytes;    /* told in one diff, about; more goes out in several */
} ws_presence_limits;

/* From `presence.*`. The owner lowers max_message_bytes to what the broker takes. */
ws_presence_limits ws_presence_limits_make(const core_config *config);

typedef struct {
    size_t members; /* over all nodes */
    size_t topics;
    size_t bytes;
    size_t nodes;       /* others that are up */
    uint64_t resyncs;   /* times that a node's whole state was asked for */
    uint64_t downs;     /* times that a node fell silent */
    uint64_t malformed; /* messages that could not be read */
    uint64_t refused;   /* others' members and nodes for which there was no room */
    uint64_t conflicts; /* messages of another process that has this node's name */
} ws_presence_stats;

/* `node`: this process's name among the gateways; `boot`: greater at each start of it (the wall
 * clock will do), not 0. NULL, with `error`, when the name is empty or too long or memory is out.
 */
CORE_MUST_CHECK ws_presence *ws_presence_new(const char *node, uint64_t boot,
                                             const ws_presence_limits *limits,
                                             const ws_presence_events *events, core_error *error);
/* Says nothing to anybody; see ws_presence_leave. */
void ws_presence_free(ws_presence *presence);

/* A member of this gateway (a channel; `member` is its handle, never reused) is in the room under
 * the key with this payload, a JSON object. One that is there already gets the new payload in place
 * of its old one. LIMIT when a maximum is reached, INPUT when key or payload are not as they must
 * be; then nothing has changed. */
CORE_MUST_CHECK bool ws_presence_track(ws_presence *presence, ws_presence_room room, core_slice key,
                                       uint64_t member, core_slice payload, core_error *error);
/* It is in no room any more: untracked, or its channel was closed. False: it was in none. */
bool ws_presence_untrack(ws_presence *presence, uint64_t member);

/* A message from the bus. */
void ws_presence_receive(ws_presence *presence, core_slice bytes, int64_t now_ms);
/* Tells clients and gateways what has changed. After each round of the calls above; the more a
 * round holds the fewer messages it takes. */
void ws_presence_flush(ws_presence *presence, int64_t now_ms);
/* At least once a second: heartbeats, nodes that fell silent, questions again; flushes. The first
 * one introduces this node to the others. */
void ws_presence_tick(ws_presence *presence, int64_t now_ms);
/* The bus lost messages or its connection: asks everybody how things stand. */
void ws_presence_resync(ws_presence *presence, int64_t now_ms);
/* A clean stop: the others let this node's members leave at once. Nothing is sent afterwards. */
void ws_presence_leave(ws_presence *presence, int64_t now_ms);

/* Appends what clients of the room have been told so far, as the payload of presence_state; flush
 * first for the newest. False: `out` is full. */
CORE_MUST_CHECK bool ws_presence_state(const ws_presence *presence, ws_presence_room room,
                                       core_buffer *out);
ws_presence_stats ws_presence_stats_get(const ws_presence *presence);
/* The same as metrics. */
void ws_presence_measure(const ws_presence *presence, core_metrics *metrics);

#endif
