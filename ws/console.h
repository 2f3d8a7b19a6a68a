/* The console's files (console/), and the module for clients (js/walcast.js), built into the
 * program.
 */
#ifndef WALCAST_WS_CONSOLE_H
#define WALCAST_WS_CONSOLE_H

#include "ws/http.h"

typedef struct {
    const char *path;
    const char *content_type;
    const char *etag; /* quoted */
    const unsigned char *bytes;
    size_t length;
} ws_console_file;

/* Made at build time by cmake/WalcastEmbed.cmake. */
extern const ws_console_file ws_console_files[];
extern const size_t ws_console_file_count;

/* The path is one of its files. */
bool ws_console_has(core_slice path);
/* The module, which pages from anywhere may load. */
bool ws_console_is_public(core_slice path);
/* Answers when the path is one of the console's. False: it is not. */
CORE_MUST_CHECK bool ws_console_serve(ws_http_request *request);

#endif
