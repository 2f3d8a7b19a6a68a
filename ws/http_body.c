/* See http_body.h. A line that is not whole yet is left to come again with more behind it. */
#include "ws/http_body.h"

#define BODY_LINE_MAX    256  /* a chunk's size line, extensions included */
#define BODY_TRAILER_MAX 4096 /* bytes of all trailer lines */

typedef enum { STEP_AGAIN, STEP_WAIT, STEP_TOO_LONG, STEP_MALFORMED } body_step;

void ws_http_body_init(ws_http_body *body, const ws_http_head *head, size_t max) {
    *body = (ws_http_body){.state = head->chunked ? WS_BODY_CHUNK_SIZE : WS_BODY_PLAIN,
                           .left = head->chunked ? 0 : head->content_length,
                           .max = max};
    core_buffer_init(&body->bytes, max);
}

void ws_http_body_fini(ws_http_body *body) {
    core_buffer_fini(&body->bytes);
}

static body_step body_data(ws_http_body *body, core_cursor *input, ws_http_body_state next) {
    size_t length = core_cursor_left(input);
    if (length > body->left)
        length = (size_t)body->left;
    core_buffer_slice_append(&body->bytes, core_cursor_bytes(input, length));
    if (!core_buffer_ok(&body->bytes))
        return STEP_TOO_LONG;
    body->left -= length;
    if (body->left > 0)
        return STEP_WAIT;
    body->state = next;
    return STEP_AGAIN;
}

/* A line with its CRLF, both left out of `*line`. */
static body_step body_line(core_cursor *input, core_slice *line) {
    size_t left = core_cursor_left(input);
    const uint8_t *end = left ? memchr(input->at, '\n', left) : NULL;
    if (end == NULL)
        return left > BODY_LINE_MAX ? STEP_MALFORMED : STEP_WAIT;
    core_slice whole = core_cursor_bytes(input, (size_t)(end - input->at) + 1);
    if (whole.length < 2 || whole.length > BODY_LINE_MAX || whole.data[whole.length - 2] != '\r')
        return STEP_MALFORMED;
    *line = core_slice_make(whole.data, whole.length - 2);
    return STEP_AGAIN;
}

static bool chunk_size(core_slice line, uint64_t *size) {
    size_t digits = 0;
    *size = 0;
    for (; digits < line.length && digits < 9; digits++) {
        uint8_t byte = line.data[digits];
        if (byte >= '0' && byte <= '9')
            *size = *size * 16 + (uint64_t)(byte - '0');
        else if ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'f')
            *size = *size * 16 + (uint64_t)((byte | 0x20) - 'a' + 10);
        else
            break;
    }
    /* Behind the digits only an extension may stand; nine digits are more than any body. */
    return digits > 0 && digits < 9 && (digits == line.length || line.data[digits] == ';');
}

static body_step body_chunk_size(ws_http_body *body, core_cursor *input) {
    core_slice line;
    body_step step = body_line(input, &line);
    if (step != STEP_AGAIN)
        return step;
    if (!chunk_size(line, &body->left))
        return STEP_MALFORMED;
    body->state = body->left > 0 ? WS_BODY_CHUNK_DATA : WS_BODY_TRAILER;
    return body->left > body->max ? STEP_TOO_LONG : STEP_AGAIN;
}

static body_step body_chunk_end(ws_http_body *body, core_cursor *input) {
    if (core_cursor_left(input) < 2)
        return STEP_WAIT;
    if (core_cursor_u16(input) != ('\r' << 8 | '\n'))
        return STEP_MALFORMED;
    body->state = WS_BODY_CHUNK_SIZE;
    return STEP_AGAIN;
}

static body_step body_trailer(ws_http_body *body, core_cursor *input) {
    core_slice line;
    body_step step = body_line(input, &line);
    if (step != STEP_AGAIN)
        return step;
    body->trailer_bytes += line.length;
    if (line.length == 0)
        body->state = WS_BODY_DONE;
    return body->trailer_bytes > BODY_TRAILER_MAX ? STEP_MALFORMED : STEP_AGAIN;
}

static body_step body_next(ws_http_body *body, core_cursor *input) {
    switch (body->state) {
    case WS_BODY_PLAIN:
        return body->left > body->max ? STEP_TOO_LONG : body_data(body, input, WS_BODY_DONE);
    case WS_BODY_CHUNK_SIZE:
        return body_chunk_size(body, input);
    case WS_BODY_CHUNK_DATA:
        return body_data(body, input, WS_BODY_CHUNK_END);
    case WS_BODY_CHUNK_END:
        return body_chunk_end(body, input);
    case WS_BODY_TRAILER:
        return body_trailer(body, input);
    case WS_BODY_DONE:
        break;
    }
    return STEP_WAIT;
}

const char *ws_http_body_too_long(size_t max) {
    return max > WS_HTTP_BODY_MAX ? "the body is longer than this path takes"
                                  : "the body is longer than 1 MiB";
}

ws_http_body_result ws_http_body_take(ws_http_body *body, core_slice input, size_t *used,
                                      unsigned *status, const char **reason) {
    core_cursor cursor = core_cursor_make(input);
    body_step step = STEP_AGAIN;
    while (step == STEP_AGAIN && body->state != WS_BODY_DONE)
        step = body_next(body, &cursor);
    *used = core_cursor_offset(&cursor);
    if (step == STEP_TOO_LONG) {
        *status = 413;
        *reason = ws_http_body_too_long(body->max);
        return WS_HTTP_BODY_REFUSED;
    }
    if (step == STEP_MALFORMED) {
        *status = 400;
        *reason = "the chunked body is malformed";
        return WS_HTTP_BODY_REFUSED;
    }
    return body->state == WS_BODY_DONE ? WS_HTTP_BODY_WHOLE : WS_HTTP_BODY_PARTIAL;
}
