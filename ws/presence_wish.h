/* What a client asks of presence: to be seen under a key, or to hear who is there. Made by a
 * service thread from the client's message, handed to the hub. */
#ifndef WALCAST_WS_PRESENCE_WISH_H
#define WALCAST_WS_PRESENCE_WISH_H

#include "ws/home.h"
#include "ws/protocol.h"

typedef struct {
    core_slice tenant; /* whose topic it is; a copy's topic is scoped (home.h) */
    core_slice topic;  /* "realtime:" included */
    bool private_channel;
    ws_protocol protocol; /* of the client, for what is answered */
    core_slice key;       /* under which it is seen */
    core_slice payload;   /* JSON */
} ws_presence_wish;

/* A copy in one piece; free() ends it. NULL when memory is out. */
CORE_MUST_CHECK ws_presence_wish *ws_presence_wish_copy(const ws_presence_wish *from);

#endif
