/* See http_head.h. Reads through the cursor only; each rule that refuses names its status. */
#include "ws/http_head.h"

#include <strings.h>

typedef struct {
    ws_http_head *head;
    unsigned status;
    const char *reason;
    unsigned hosts;
    unsigned lengths;
    unsigned codings;
} head_parser;

static bool head_refuse(head_parser *parser, unsigned status, const char *reason) {
    parser->status = status;
    parser->reason = reason;
    return false;
}

/* RFC 9110 5.6.2 */
static bool is_token_byte(uint8_t byte) {
    if ((byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') ||
        (byte >= 'a' && byte <= 'z'))
        return true;
    return byte != 0 && strchr("!#$%&'*+-.^_`|~", byte) != NULL;
}

static bool is_token(core_slice text) {
    for (size_t i = 0; i < text.length; i++)
        if (!is_token_byte(text.data[i]))
            return false;
    return text.length > 0;
}

bool ws_http_name_is(core_slice name, const char *expected) {
    return name.length == strlen(expected) &&
           strncasecmp((const char *)name.data, expected, name.length) == 0;
}

core_slice ws_http_header_value(const ws_http_head *head, const char *name) {
    for (size_t i = 0; i < head->header_count; i++)
        if (ws_http_name_is(head->headers[i].name, name))
            return head->headers[i].value;
    return core_slice_make(NULL, 0);
}

core_slice ws_http_trim(core_slice text) {
    while (text.length > 0 && (text.data[0] == ' ' || text.data[0] == '\t')) {
        text.data++;
        text.length--;
    }
    while (text.length > 0 &&
           (text.data[text.length - 1] == ' ' || text.data[text.length - 1] == '\t'))
        text.length--;
    return text;
}

/* The part before the next `separator`, which is taken too. */
static core_slice cut(core_slice *rest, uint8_t separator) {
    const uint8_t *at = rest->length ? memchr(rest->data, separator, rest->length) : NULL;
    core_slice part = core_slice_make(rest->data, at ? (size_t)(at - rest->data) : rest->length);
    size_t used = part.length + (at ? 1 : 0);
    rest->data += used;
    rest->length -= used;
    return part;
}

bool ws_http_header_has(const ws_http_head *head, const char *name, const char *token) {
    for (size_t i = 0; i < head->header_count; i++) {
        if (!ws_http_name_is(head->headers[i].name, name))
            continue;
        core_slice rest = head->headers[i].value;
        while (rest.length > 0)
            if (ws_http_name_is(ws_http_trim(cut(&rest, ',')), token))
                return true;
    }
    return false;
}

/* ---- Lines ---- */

/* One line without its CRLF. False: bare CR or LF, or a NUL. */
static bool head_line(core_cursor *cursor, core_slice *line) {
    size_t left = core_cursor_left(cursor);
    const uint8_t *end = left ? memchr(cursor->at, '\n', left) : NULL;
    if (end == NULL)
        return false;
    core_slice whole = core_cursor_bytes(cursor, (size_t)(end - cursor->at) + 1);
    if (whole.length < 2 || whole.data[whole.length - 2] != '\r')
        return false;
    *line = core_slice_make(whole.data, whole.length - 2);
    return memchr(line->data, '\r', line->length) == NULL &&
           memchr(line->data, '\0', line->length) == NULL;
}

static bool head_target(head_parser *parser, core_slice target) {
    ws_http_head *head = parser->head;
    if (target.length == 0 || target.data[0] != '/')
        return head_refuse(parser, 400, "the target must be an absolute path");
    for (size_t i = 0; i < target.length; i++)
        if (target.data[i] <= ' ' || target.data[i] >= 0x7F || target.data[i] == '#')
            return head_refuse(parser, 400, "the target holds a byte that must be encoded");
    head->target = target;
    head->query = target;
    head->path = cut(&head->query, '?');
    return true;
}

static bool head_request_line(head_parser *parser, core_slice line) {
    ws_http_head *head = parser->head;
    head->method = cut(&line, ' ');
    core_slice target = cut(&line, ' ');
    if (!is_token(head->method))
        return head_refuse(parser, 400, "the request line has no method");
    if (line.length != 8 || memcmp(line.data, "HTTP/", 5) != 0)
        return head_refuse(parser, 400, "the request line does not end in an HTTP version");
    if (core_slice_is(line, "HTTP/1.1"))
        head->minor = 1;
    else if (!core_slice_is(line, "HTTP/1.0"))
        return head_refuse(parser, 505, "only HTTP/1.1 and HTTP/1.0 are spoken");
    return head_target(parser, target);
}

static bool head_content_length(head_parser *parser, core_slice value) {
    if (++parser->lengths > 1)
        return head_refuse(parser, 400, "Content-Length is given twice");
    if (!core_slice_to_u64(value, &parser->head->content_length))
        return head_refuse(parser, 400, "Content-Length is not a number");
    parser->head->has_content_length = true;
    return true;
}

static bool head_transfer_encoding(head_parser *parser, core_slice value) {
    if (++parser->codings > 1)
        return head_refuse(parser, 400, "Transfer-Encoding is given twice");
    if (!ws_http_name_is(value, "chunked"))
        return head_refuse(parser, 501, "the only transfer coding is chunked");
    parser->head->chunked = true;
    return true;
}

static bool head_special(head_parser *parser, core_slice name, core_slice value) {
    if (ws_http_name_is(name, "content-length"))
        return head_content_length(parser, value);
    if (ws_http_name_is(name, "transfer-encoding"))
        return head_transfer_encoding(parser, value);
    if (ws_http_name_is(name, "host") && ++parser->hosts > 1)
        return head_refuse(parser, 400, "Host is given twice");
    if (!ws_http_name_is(name, "expect"))
        return true;
    if (!ws_http_name_is(value, "100-continue"))
        return head_refuse(parser, 417, "the only expectation is 100-continue");
    parser->head->expect_continue = true;
    return true;
}

static bool head_header(head_parser *parser, core_slice line) {
    ws_http_head *head = parser->head;
    if (head->header_count == WS_HTTP_HEADERS_MAX)
        return head_refuse(parser, 431, "too many header lines");
    core_slice rest = line;
    core_slice name = cut(&rest, ':');
    if (name.length == line.length || !is_token(name))
        return head_refuse(parser, 400, "a header line is not \"name: value\"");
    core_slice value = ws_http_trim(rest);
    for (size_t i = 0; i < value.length; i++)
        if ((value.data[i] < ' ' && value.data[i] != '\t') || value.data[i] == 0x7F)
            return head_refuse(parser, 400, "a header's value holds a control character");
    head->headers[head->header_count++] = (ws_http_header){name, value};
    return head_special(parser, name, value);
}

/* ---- The whole ---- */

static bool head_check(head_parser *parser) {
    ws_http_head *head = parser->head;
    if (head->minor == 1 && parser->hosts == 0)
        return head_refuse(parser, 400, "Host is missing");
    if (parser->codings > 0 && parser->lengths > 0)
        return head_refuse(parser, 400, "Content-Length and Transfer-Encoding exclude each other");
    if (parser->codings > 0 && head->minor == 0)
        return head_refuse(parser, 400, "HTTP/1.0 has no transfer codings");
    head->keep_alive = head->minor == 1 ? !ws_http_header_has(head, "connection", "close")
                                        : ws_http_header_has(head, "connection", "keep-alive");
    return true;
}

static bool head_lines(head_parser *parser, core_slice bytes) {
    core_cursor cursor = core_cursor_make(bytes);
    core_slice line;
    if (!head_line(&cursor, &line))
        return head_refuse(parser, 400, "lines must end in CRLF");
    if (!head_request_line(parser, line))
        return false;
    for (;;) {
        if (!head_line(&cursor, &line))
            return head_refuse(parser, 400, "lines must end in CRLF");
        if (line.length == 0)
            break;
        if (!head_header(parser, line))
            return false;
    }
    parser->head->length = core_cursor_offset(&cursor);
    return head_check(parser);
}

/* A head ends at the first empty line, whatever ends its lines: bare line feeds are then refused
 * rather than waited over. */
static bool head_is_whole(core_slice bytes) {
    for (const uint8_t *at = bytes.data, *end = bytes.data + bytes.length; at < end; at++) {
        at = memchr(at, '\n', (size_t)(end - at));
        if (at == NULL)
            return false;
        if (at + 1 < end && at[1] == '\n')
            return true;
        if (at + 2 < end && at[1] == '\r' && at[2] == '\n')
            return true;
    }
    return false;
}

ws_http_head_result ws_http_head_parse(core_slice bytes, ws_http_head *head, unsigned *status,
                                       const char **reason) {
    head_parser parser = {.head = head};
    core_slice within = bytes;
    if (within.length > WS_HTTP_HEAD_MAX)
        within.length = WS_HTTP_HEAD_MAX;
    if (!head_is_whole(within)) {
        if (bytes.length < WS_HTTP_HEAD_MAX)
            return WS_HTTP_HEAD_PARTIAL;
        (void)head_refuse(&parser, 431, "the request's head is too long");
    } else {
        *head = (ws_http_head){0};
        if (head_lines(&parser, within))
            return WS_HTTP_HEAD_WHOLE;
    }
    *status = parser.status;
    *reason = parser.reason;
    return WS_HTTP_HEAD_REFUSED;
}

/* ---- The query ---- */

bool ws_http_query_decode(core_slice text, core_buffer *out) {
    for (size_t i = 0; i < text.length; i++) {
        uint8_t byte = text.data[i] == '+' ? ' ' : text.data[i];
        if (byte == '%') {
            if (text.length - i < 3 || core_hex_digit(text.data[i + 1]) < 0 ||
                core_hex_digit(text.data[i + 2]) < 0)
                return false;
            byte =
                (uint8_t)(core_hex_digit(text.data[i + 1]) * 16 + core_hex_digit(text.data[i + 2]));
            i += 2;
        }
        core_buffer_u8(out, byte);
    }
    return core_buffer_ok(out);
}

void ws_http_query_next(core_slice *query, core_slice *key, core_slice *value) {
    *value = cut(query, '&');
    *key = cut(value, '=');
}

bool ws_http_query_value(core_slice query, const char *name, core_buffer *out) {
    while (query.length > 0) {
        core_slice key, value;
        ws_http_query_next(&query, &key, &value);
        if (core_slice_is(key, name))
            return ws_http_query_decode(value, out);
    }
    return false;
}
