/* See http_origin.h. */
#include "ws/http_origin.h"

#include "ws/console.h"

#include <ctype.h>
#include <stdio.h>
#include <strings.h>

#define ORIGIN_HEADERS_MAX 512
#define ORIGIN_EXTRA_MAX   (ORIGIN_HEADERS_MAX + 256)

/* When the browser names none: what is read here, and what supabase-js sends. */
#define ORIGIN_HEADERS                                                                             \
    "authorization, apikey, x-api-key, content-type, idempotency-key, last-event-id, "             \
    "x-client-info, x-request-id, x-supabase-api-version"

static bool path_starts(core_slice path, const char *start) {
    size_t length = strlen(start);
    return path.length >= length && memcmp(path.data, start, length) == 0;
}

/* What asks for no credential. */
static bool path_is_closed(core_slice path) {
    return path_starts(path, "/health/") || core_slice_is(path, "/metrics") || ws_console_has(path);
}

ws_http_cors ws_http_origin_cors(const ws_service *service, const ws_http_head *head) {
    static const ws_origins any_origin = {.any = true};
    const ws_origins *origins = service->origins != NULL ? service->origins : &any_origin;
    if (head == NULL)
        return (ws_http_cors){.vary = origins->count > 0};
    if (ws_console_is_public(head->path))
        return (ws_http_cors){.allow = core_slice_text("*")};
    ws_http_cors cors = {.vary = origins->count > 0};
    core_slice origin = ws_http_header_value(head, "origin");
    if (ws_origins_name(origins, origin))
        cors.allow = origin;
    else if (origins->any && !path_is_closed(head->path))
        cors.allow = core_slice_text("*");
    return cors;
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
    const ws_http_head *head = request->head;
    if (!core_slice_is(head->method, "OPTIONS"))
        return false;
    if (request->cors.allow.length == 0) {
        if (ws_http_header_value(head, "origin").length == 0)
            return false;
        ws_http_refuse(request, 403, "",
                       "pages of this origin may not call this path; http.origins says which may");
        return true;
    }
    core_slice names = ws_http_header_value(head, "access-control-request-headers");
    if (!headers_harmless(names))
        names = core_slice_text(ORIGIN_HEADERS);
    (void)snprintf(extra, sizeof extra,
                   "Access-Control-Allow-Methods: GET, POST, PUT, PATCH, DELETE, HEAD\r\n"
                   "Access-Control-Allow-Headers: %.*s\r\n"
                   "Access-Control-Max-Age: 86400\r\n",
                   CORE_SLICE_ARGS(names));
    ws_http_respond(request, 204, NULL, extra, core_slice_make(NULL, 0));
    return true;
}

/* A page that this server gave out, by whatever name and scheme a proxy shows it. */
static bool origin_is_own(const ws_http_head *head, core_slice origin) {
    core_slice host = ws_http_header_value(head, "host");
    if (host.length == 0 || origin.length < host.length + 3)
        return false;
    const char *end = (const char *)origin.data + origin.length - host.length;
    return strncasecmp(end, (const char *)host.data, host.length) == 0 &&
           memcmp(end - 3, "://", 3) == 0;
}

bool ws_http_origin_socket(const ws_http_request *request) {
    core_slice origin = ws_http_header_value(request->head, "origin");
    return origin.length == 0 || request->cors.allow.length > 0 ||
           origin_is_own(request->head, origin);
}
