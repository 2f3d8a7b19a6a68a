/* permessage-deflate (RFC 7692), each message by itself: neither side keeps a context, so a
 * connection costs nothing for it and one compressed frame serves every client.
 *
 * One ws_deflate a service thread holds zlib's working memory (some 300 KB) for all its clients. */
#ifndef WALCAST_WS_DEFLATE_H
#define WALCAST_WS_DEFLATE_H

#include "ws/frame.h"

typedef struct ws_deflate ws_deflate;

/* NULL when memory is out. */
CORE_MUST_CHECK ws_deflate *ws_deflate_new(void);
void ws_deflate_free(ws_deflate *engine);

/* The compressed twin of a whole, plain text or binary frame, made by the first who asks and kept
 * with the block, so by one thread in all (two that ask at the same moment may both make it; one
 * is kept). Returns the block itself where a twin would not help: short frames, control frames,
 * what does not compress, or memory that is out. Not a new reference: the block's own. `made` is
 * set when this call compressed. */
core_block *ws_deflate_frame(ws_deflate *engine, core_block *block, bool *made);

typedef enum {
    WS_INFLATE_OK,
    WS_INFLATE_INVALID, /* not deflate, or cut short */
    WS_INFLATE_TOO_BIG, /* longer than the buffer's maximum */
    WS_INFLATE_NO_MEMORY,
} ws_inflate_result;

/* Appends the message that a client compressed to `message`, never beyond its maximum. */
CORE_MUST_CHECK ws_inflate_result ws_deflate_read(ws_deflate *engine, core_slice payload,
                                                  core_buffer *message);

/* ---- Negotiation (RFC 7692 7.1) ---- */

/* One offer of a Sec-WebSocket-Extensions header, as "permessage-deflate; client_max_window_bits":
 * true when it can be accepted by answering WS_DEFLATE_ANSWER. */
bool ws_deflate_offer_fits(core_slice offer);
/* The same for a whole header value with several offers; the first that fits counts. */
bool ws_deflate_offers_fit(core_slice value);
#define WS_DEFLATE_ANSWER                                                                          \
    "permessage-deflate; server_no_context_takeover; client_no_context_takeover"

#endif
