/* The head of an HTTP/1.1 request, parsed strictly (RFC 9112).
 *
 * What two parsers could understand differently is refused, since the difference is how requests
 * are smuggled: a length given twice or beside a transfer coding, bare line feeds, blanks before a
 * colon, folded lines. Everything points into the source; nothing allocates. */
#ifndef WALCAST_WS_HTTP_HEAD_H
#define WALCAST_WS_HTTP_HEAD_H

#include "ws/limits.h"

typedef struct {
    core_slice name; /* as sent; compare with ws_http_name_is */
    core_slice value;
} ws_http_header;

typedef struct {
    core_slice method;
    core_slice target;
    core_slice path;  /* of the target, percent-encoding not undone */
    core_slice query; /* behind '?', or empty */
    unsigned minor;   /* of HTTP/1.x */
    ws_http_header headers[WS_HTTP_HEADERS_MAX];
    size_t header_count;
    size_t length; /* bytes of the whole head */
    bool has_content_length;
    uint64_t content_length;
    bool chunked;
    bool expect_continue;
    bool keep_alive;
} ws_http_head;

typedef enum { WS_HTTP_HEAD_PARTIAL, WS_HTTP_HEAD_WHOLE, WS_HTTP_HEAD_REFUSED } ws_http_head_result;

/* `*status` and `*reason` (static) say why it is refused. */
CORE_MUST_CHECK ws_http_head_result ws_http_head_parse(core_slice bytes, ws_http_head *head,
                                                       unsigned *status, const char **reason);

/* Without the blanks around it. */
core_slice ws_http_trim(core_slice text);
/* ASCII case does not count. */
bool ws_http_name_is(core_slice name, const char *expected);
/* The first header of that name; data is NULL when there is none. */
core_slice ws_http_header_value(const ws_http_head *head, const char *name);
/* One of the values of a comma-separated header is `token`; ASCII case does not count. */
bool ws_http_header_has(const ws_http_head *head, const char *name, const char *token);
/* The next parameter, neither part decoded, which is taken from the query; it must not be empty. */
void ws_http_query_next(core_slice *query, core_slice *key, core_slice *value);
/* Undoes the percent-encoding of a parameter's part into `out` (appended). False: not valid. */
CORE_MUST_CHECK bool ws_http_query_decode(core_slice text, core_buffer *out);
/* Undoes the percent-encoding of the query's parameter `name` into `out` (appended). False when the
 * parameter is not there or not valid. */
CORE_MUST_CHECK bool ws_http_query_value(core_slice query, const char *name, core_buffer *out);

#endif
