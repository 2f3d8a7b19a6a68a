/* The realtime protocol's messages, both serializers: 1.0.0 (objects) and 2.0.0 (arrays, and binary
 * frames for broadcasts). Source: @supabase/realtime-js, src/lib/serializer.ts, and Phoenix's V1
 * and V2 JSON serializers. */
#ifndef WALCAST_WS_PROTOCOL_H
#define WALCAST_WS_PROTOCOL_H

#include "ws/home.h"
#include "ws/limits.h"

typedef enum {
    WS_PROTOCOL_1 = 1,
    WS_PROTOCOL_2 = 2,
    WS_PROTOCOL_2_TEXT = 3, /* Phoenix's own client: it reads no binary broadcast */
    WS_PROTOCOL_SSE = 4,    /* server-sent events (sse_event.h); none of the messages below */
    WS_PROTOCOLS = 5        /* how many numbers there are */
} ws_protocol;

/* Refs are repeated as they came, so they stay JSON: "\"7\"", "7" or "null". */
typedef struct {
    core_slice join_ref;
    core_slice ref;
    core_slice topic;         /* escapes undone */
    core_slice event;         /* the same */
    core_slice payload;       /* one JSON value; of a binary push what it carries */
    bool binary;              /* a binary push (kind 03), whose event is "broadcast" */
    core_slice push_event;    /* of a binary push: the user's event */
    core_slice push_metadata; /* JSON, or empty */
    bool push_json;           /* the payload is JSON, else bytes */
} ws_message;

/* The whole message must be well formed. Slices point into `payload` or `scratch`, which is reset
 * and must allow WS_PROTOCOL_SCRATCH bytes. False fills `reason` (static). */
#define WS_PROTOCOL_SCRATCH 16384 /* twice the longest texts, escapes and all */
CORE_MUST_CHECK bool ws_protocol_read(ws_protocol protocol, bool binary, core_slice payload,
                                      core_buffer *scratch, ws_message *message,
                                      const char **reason);

/* ---- Writing: each a whole text frame; NULL when memory is out ----
 * `topic` is not escaped yet; refs are JSON as above; `payload` is JSON. */
CORE_MUST_CHECK core_block *ws_protocol_message(ws_protocol protocol, core_slice join_ref,
                                                core_slice ref, core_slice topic, const char *event,
                                                core_slice payload);
/* phx_reply; `response` is a JSON object. */
CORE_MUST_CHECK core_block *ws_protocol_reply(ws_protocol protocol, core_slice join_ref,
                                              core_slice ref, core_slice topic, bool ok,
                                              core_slice response);
/* phx_reply of status error with {"reason": ...}. */
CORE_MUST_CHECK core_block *ws_protocol_refusal(ws_protocol protocol, core_slice join_ref,
                                                core_slice ref, core_slice topic,
                                                const char *reason);
/* A `system` message; `channel` in it is the topic without its "realtime:". */
CORE_MUST_CHECK core_block *ws_protocol_system(ws_protocol protocol, core_slice join_ref,
                                               core_slice topic, const char *extension, bool ok,
                                               const char *text);

/* The `system` message that a channel's changes flow: "Subscribed to PostgreSQL", with the offset
 * that the client has seen all up to ("": none). */
CORE_MUST_CHECK core_block *ws_protocol_subscribed(ws_protocol protocol, core_slice join_ref,
                                                   core_slice topic, const char *offset);

/* The `system` message of a token that expires or has, with `expires_at` (seconds since 1970). */
CORE_MUST_CHECK core_block *ws_protocol_expiry(ws_protocol protocol, core_slice join_ref,
                                               core_slice topic, bool ok, const char *text,
                                               int64_t expires_s);

/* The `system` message that all rows of the channel's snapshot were sent: "Snapshot complete", with
 * how many. */
CORE_MUST_CHECK core_block *ws_protocol_loaded(ws_protocol protocol, core_slice join_ref,
                                               core_slice topic, uint64_t rows);

/* What stands before and behind the payload's data in a change's frame, so that the frame is put
 * together without a copy in between: head + ids + middle + data + tail. */
void ws_protocol_change_head(ws_protocol protocol, core_slice topic, core_buffer *out);
#define WS_PROTOCOL_CHANGE_MIDDLE ",\"data\":"
const char *ws_protocol_change_tail(ws_protocol protocol);

/* A topic without its "realtime:". */
core_slice ws_protocol_topic(core_slice topic);

extern const core_slice ws_protocol_null;

#endif
