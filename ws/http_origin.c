/* See http_origin.h. Source: the WHATWG's Fetch standard, "CORS protocol". */
#include "ws/http_origin.h"

#include <ctype.h>
#include <stdio.h>

#define ORIGIN_PREFIX      "/realtime/v1/"
#define ORIGIN_HEADERS_MAX 512
#define ORIGIN_EXTRA_MAX   (ORIGIN_HEADERS_MAX + 256)

bool ws_http_origin_any(core_slice path) {
    size_t length = sizeof ORIGIN_PREFIX - 1;
    return path.length > length && memcmp(path.data, ORIGIN_PREFIX, length) == 0;
}

/* Names of headers and what stands between them; what else came is not repeated. */
static bool headers_harmless(core_slice names) {
    for (size_t i = 0; i < names.length; i++)
        if (!isalnum(names.data[i]) && strchr("-_, ", names.data[i]) == NULL)
            return false;
    return names.length > 0 && names.length <= ORIGIN_HEADERS_MAX;
}

bool ws_http_origin_serve(ws_http_request *request) {
    char extra[ORIGIN_EXTRA_MAX];
    if (!core_slice_is(request->head->method, "OPTIONS") ||
        !ws_http_origin_any(request->head->path))
        return false;
    core_slice names = ws_http_header_value(request->head, "access-control-request-headers");
    if (!headers_harmless(names))
        names = core_slice_text("authorization, apikey, x-api-key, content-type, last-event-id");
    (void)snprintf(extra, sizeof extra,
                   "Access-Control-Allow-Methods: GET, POST\r\n"
                   "Access-Control-Allow-Headers: %.*s\r\n"
                   "Access-Control-Max-Age: 86400\r\n",
                   CORE_SLICE_ARGS(names));
    ws_http_respond(request, 204, NULL, extra, core_slice_make(NULL, 0));
    return true;
}
