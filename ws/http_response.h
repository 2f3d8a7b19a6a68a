/* An HTTP response: what an answer holds, and its bytes in one block. */
#ifndef WALCAST_WS_HTTP_RESPONSE_H
#define WALCAST_WS_HTTP_RESPONSE_H

#include "ws/limits.h"

/* Which pages may read an answer. */
typedef struct {
    core_slice allow; /* the origin, or "*"; empty: only the server's own */
    bool vary;        /* answers differ by origin */
} ws_http_cors;

typedef struct {
    unsigned status;
    const char *content_type; /* NULL: none */
    const char *extra;        /* whole lines, each with its CRLF, or "" */
    core_slice body;
    core_slice request_id;
    int64_t wall_us;
    ws_http_cors cors;
    bool close;     /* the connection ends after it */
    bool head_only; /* the answer to HEAD: the length without the body */
    bool open_end;  /* what `body` begins goes on until the connection ends */
} ws_http_response;

/* NULL when memory is out. */
CORE_MUST_CHECK core_block *ws_http_response_block(const ws_http_response *response);
/* An RFC 9457 problem, appended to `out`. `member` (NULL: none) is one more that says the detail,
 * under the name by which a protocol's clients look for it. */
void ws_http_problem_append(core_buffer *out, unsigned status, const char *detail,
                            const char *member);

#endif
