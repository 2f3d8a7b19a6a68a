/* A broadcast as gateways hand it to one another and as the stream of stored ones keeps it: a small
 * binary envelope around the payload.
 *
 *   u8 'W', u8 version (1), u8 flags (1: private, 2: pushed), u8 encoding, u8 origin, u64 time (us
 * since 1970), 16 bytes of id, u8 + environment, u8 + node, u16 + channel, u8 + event, the payload
 * to the end
 *
 * Numbers are big-endian. The subject may have cut the channel's name and has no environment where
 * it is stored, so both are here, and a receiver compares them. */
#ifndef WALCAST_WS_REALTIME_MESSAGE_H
#define WALCAST_WS_REALTIME_MESSAGE_H

#include "ws/limits.h"

#define WS_REALTIME_ID_BYTES 16
#define WS_REALTIME_ID_SIZE  37 /* a UUID and NUL */
#define WS_REALTIME_NAME_MAX 64 /* an environment's and a node's */

typedef enum { WS_REALTIME_BYTES = 0, WS_REALTIME_JSON = 1 } ws_realtime_encoding;

typedef enum {
    WS_REALTIME_SOCKET = 0,
    WS_REALTIME_REST = 1,
    WS_REALTIME_DATABASE = 2,
} ws_realtime_origin;

typedef struct {
    core_slice environment;
    core_slice node;    /* the gateway that sent it */
    core_slice channel; /* the topic without its "realtime:" */
    core_slice event;
    core_slice payload;           /* JSON: one valid value */
    char id[WS_REALTIME_ID_SIZE]; /* in lower case; "": none */
    int64_t time_us;
    ws_realtime_encoding encoding;
    ws_realtime_origin origin;
    bool is_private;
    bool pushed; /* it came as a binary push, so binary readers get one */
} ws_realtime_message;

/* Appends to `out`. False when the id is no UUID, a name is longer than it may be
 * (WS_REALTIME_NAME_MAX, WS_TOPIC_MAX, WS_EVENT_MAX) or `out` is full. */
CORE_MUST_CHECK bool ws_realtime_message_write(const ws_realtime_message *message,
                                               core_buffer *out);
/* Slices point into `bytes`. False when it is not a message of this version whose JSON, names in
 * UTF-8 included, can go into a frame as it is. */
CORE_MUST_CHECK bool ws_realtime_message_read(core_slice bytes, ws_realtime_message *message);
#endif
