/* The body of an HTTP/1.1 request, by length or chunked (RFC 9112 7.1), collected up to a maximum.
 */
#ifndef WALCAST_WS_HTTP_BODY_H
#define WALCAST_WS_HTTP_BODY_H

#include "ws/http_head.h"

typedef enum { WS_HTTP_BODY_PARTIAL, WS_HTTP_BODY_WHOLE, WS_HTTP_BODY_REFUSED } ws_http_body_result;

typedef enum {
    WS_BODY_PLAIN,      /* `left` bytes to come */
    WS_BODY_CHUNK_SIZE, /* a chunk's size line */
    WS_BODY_CHUNK_DATA, /* `left` bytes of it */
    WS_BODY_CHUNK_END,  /* the CRLF behind it */
    WS_BODY_TRAILER,    /* lines behind the last chunk, dropped */
    WS_BODY_DONE,
} ws_http_body_state;

typedef struct {
    ws_http_body_state state;
    uint64_t left;
    size_t trailer_bytes, max;
    core_buffer bytes;
} ws_http_body;

/* `max`: bytes. */
void ws_http_body_init(ws_http_body *body, const ws_http_head *head, size_t max);
/* What is said of one that is longer; static. */
const char *ws_http_body_too_long(size_t max);
void ws_http_body_fini(ws_http_body *body);
/* Takes from `input`; `*used` tells how many bytes. REFUSED fills status and (static) reason. */
CORE_MUST_CHECK ws_http_body_result ws_http_body_take(ws_http_body *body, core_slice input,
                                                      size_t *used, unsigned *status,
                                                      const char **reason);

#endif
