/* See console.h. Nothing that the console loads comes from elsewhere, and it may not be framed. The
 * module for clients is for pages from anywhere: it holds nothing that is not public. */
#include "ws/console.h"

#include <stdio.h>

#define CONSOLE_POLICY                                                                             \
    "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; "           \
    "img-src 'self' data:; connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'; "     \
    "frame-ancestors 'none'\r\nReferrer-Policy: no-referrer\r\nCache-Control: no-cache\r\n"

#define CONSOLE_MODULE        "/walcast.js"
#define CONSOLE_MODULE_POLICY "Cache-Control: no-cache\r\n"

static const ws_console_file *console_find(core_slice path) {
    for (size_t i = 0; i < ws_console_file_count; i++)
        if (core_slice_is(path, ws_console_files[i].path))
            return &ws_console_files[i];
    return NULL;
}

bool ws_console_has(core_slice path) {
    return console_find(path) != NULL;
}

bool ws_console_is_public(core_slice path) {
    return core_slice_is(path, CONSOLE_MODULE);
}

bool ws_console_serve(ws_http_request *request) {
    const ws_http_head *head = request->head;
    const ws_console_file *file = console_find(head->path);
    if (file == NULL)
        return false;
    char extra[1024];
    bool module = strcmp(file->path, CONSOLE_MODULE) == 0;
    (void)snprintf(extra, sizeof extra, "%sETag: %s\r\n",
                   module ? CONSOLE_MODULE_POLICY : CONSOLE_POLICY, file->etag);
    if (ws_http_header_has(head, "if-none-match", file->etag))
        ws_http_respond(request, 304, NULL, extra, core_slice_make(NULL, 0));
    else
        ws_http_respond(request, 200, file->content_type, extra,
                        core_slice_make(file->bytes, file->length));
    return true;
}
