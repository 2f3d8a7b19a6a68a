/* Where rooms hang what they serve over HTTP, without knowing the server.
 *
 * main.c makes one table, rooms add routes to it before the server starts, and the ws room's server
 * looks requests up in it. A handler runs on a service thread: it must not block. It answers at
 * once by filling the response. Read-only once the server runs. */
#ifndef WALCAST_CORE_ROUTE_H
#define WALCAST_CORE_ROUTE_H

#include "core/buffer.h"
#include "core/error.h"

#define CORE_ROUTES_MAX 64

typedef struct {
    core_slice method;
    core_slice path;  /* without query, percent-decoding not undone */
    core_slice query; /* after '?', or empty */
    core_slice body;
    core_slice authorization; /* header value or empty */
} core_route_request;

typedef struct {
    unsigned status;          /* 200 by default */
    const char *content_type; /* static; "text/plain; charset=utf-8" by default */
    const char *extra_header; /* static "Name: value", or NULL */
    core_buffer body;
} core_route_response;

typedef void (*core_route_handler)(void *context, const core_route_request *request,
                                   core_route_response *response);

typedef struct {
    const char *method;
    const char *path; /* exact, or a prefix when it ends in '*' */
    core_route_handler handler;
    void *context;
} core_route;

typedef struct {
    core_route routes[CORE_ROUTES_MAX];
    size_t count;
} core_route_table;

/* `method` and `path` are static text. False when the table is full or the route is taken. */
CORE_MUST_CHECK bool core_route_add(core_route_table *table, const char *method, const char *path,
                                    core_route_handler handler, void *context, core_error *error);
/* The route for a request, exact before prefix, longest prefix first. NULL: none; `path_known`
 * tells 405 from 404. */
const core_route *core_route_find(const core_route_table *table, core_slice method, core_slice path,
                                  bool *path_known);

#endif
