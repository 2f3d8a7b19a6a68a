/* A request's head and body over any bytes: refused with a status and a reason, or understood the
 * same whether it comes whole or in two pieces. */
#include "ws/http_body.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_body(const ws_http_head *head, core_slice input) {
    ws_http_body body;
    unsigned status = 0;
    const char *reason = NULL;
    size_t used = 0, again = 0;
    ws_http_body_init(&body, head, WS_HTTP_BODY_MAX);
    core_slice half = core_slice_make(input.data, input.length / 2);
    ws_http_body_result result = ws_http_body_take(&body, half, &used, &status, &reason);
    if (result == WS_HTTP_BODY_PARTIAL)
        result = ws_http_body_take(&body, core_slice_make(input.data + used, input.length - used),
                                   &again, &status, &reason);
    if (used + again > input.length || body.bytes.length > WS_HTTP_BODY_MAX ||
        (result == WS_HTTP_BODY_REFUSED && (status < 400 || reason == NULL)))
        abort();
    ws_http_body_fini(&body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static ws_http_head head;
    unsigned status = 0;
    const char *reason = NULL;
    core_slice input = core_slice_make(data, size);
    switch (ws_http_head_parse(input, &head, &status, &reason)) {
    case WS_HTTP_HEAD_PARTIAL:
        break;
    case WS_HTTP_HEAD_REFUSED:
        if (status < 400 || reason == NULL)
            abort();
        break;
    case WS_HTTP_HEAD_WHOLE:
        if (head.length > size || head.path.length == 0 ||
            head.header_count > WS_HTTP_HEADERS_MAX || (head.chunked && head.has_content_length))
            abort();
        core_buffer value;
        core_buffer_init(&value, 256);
        (void)!ws_http_query_value(head.query, "a", &value);
        core_buffer_fini(&value);
        read_body(&head, core_slice_make(data + head.length, size - head.length));
        break;
    }
    return 0;
}
