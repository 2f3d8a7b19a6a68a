/* A broadcast: what somebody says to everybody in a topic's room, and its frames.
 *
 * Made by a service thread from a client's message or a request, handed to the hub, which makes one
 * frame a serializer of it. Source of the forms: @supabase/realtime-js, src/lib/serializer.ts. */
#ifndef WALCAST_WS_BROADCAST_H
#define WALCAST_WS_BROADCAST_H

#include "ws/home.h"
#include "ws/protocol.h"

#define WS_BROADCAST_ID_SIZE 37 /* a UUID and NUL */

typedef struct {
    ws_home home;                  /* whose hub, and whose topic; a copy's topic is scoped */
    core_slice topic;              /* "realtime:" included */
    core_slice event;              /* the user's */
    core_slice payload;            /* one JSON value, or bytes */
    bool json;                     /* which of both */
    bool pushed;                   /* it came as a binary push, so binary readers get one */
    bool private_channel;          /* of the private room of that topic */
    bool replayed;                 /* out of history */
    bool stored;                   /* kept for replay; of a private channel */
    int64_t expires_us;            /* stored: since 1970, 0: as long as the history is held */
    char id[WS_BROADCAST_ID_SIZE]; /* "": none is told */
    uint64_t sender;               /* the member who does not want it himself; 0: none */
    size_t sender_thread;
} ws_broadcast;

/* A copy in one piece of what `from` points to, its topic in the scope of its tenant; free() ends
 * it. NULL when memory is out. */
CORE_MUST_CHECK ws_broadcast *ws_broadcast_copy(const ws_broadcast *from);
/* What its texts take. */
size_t ws_broadcast_bytes(const ws_broadcast *broadcast);
/* Reads a client's payload, {"type":"broadcast","event":...,"payload":...}: event (escapes undone
 * into `scratch`) and payload. False fills `reason` (static). */
CORE_MUST_CHECK bool ws_broadcast_read(core_slice payload, core_buffer *scratch,
                                       ws_broadcast *broadcast, const char **reason);
/* The serializer can carry it: bytes reach neither 1.0.0 clients nor Phoenix's own. */
bool ws_broadcast_reaches(const ws_broadcast *broadcast, ws_protocol protocol);
/* Its frame in a serializer that it reaches; NULL when memory is out. */
CORE_MUST_CHECK core_block *ws_broadcast_frame(const ws_broadcast *broadcast, ws_protocol protocol);

#endif
