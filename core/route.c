/* Looking a request's route up; see route.h. At most CORE_ROUTES_MAX, so a scan is the table. */
#include "core/route.h"

#include <stdio.h>

#define ROUTE_PATH_MAX 256

bool core_route_put(core_route_table *table, const core_route *route, core_error *error) {
    const char *method = route->method, *path = route->path;
    assert(path[0] == '/' && strlen(path) < ROUTE_PATH_MAX);
    assert((route->handler != NULL) != (route->defer != NULL));
    for (size_t i = 0; i < table->count; i++)
        if (strcmp(table->routes[i].method, method) == 0 &&
            strcmp(table->routes[i].path, path) == 0)
            return core_error_set(error, CORE_ERROR_INTERNAL, "route %s %s is taken", method, path);
    if (table->count == CORE_ROUTES_MAX)
        return core_error_set(error, CORE_ERROR_LIMIT, "no room for route %s %s: at most %d",
                              method, path, CORE_ROUTES_MAX);
    table->routes[table->count++] = *route;
    return true;
}

bool core_route_add(core_route_table *table, const char *method, const char *path, unsigned scope,
                    core_route_handler handler, void *context, core_error *error) {
    const core_route route = {
        .method = method, .path = path, .handler = handler, .context = context, .scope = scope};
    return core_route_put(table, &route, error);
}

bool core_route_add_deferred(core_route_table *table, const char *method, const char *path,
                             unsigned scope, core_route_deferred defer, void *context,
                             core_error *error) {
    const core_route route = {
        .method = method, .path = path, .defer = defer, .context = context, .scope = scope};
    return core_route_put(table, &route, error);
}

/* How well the route fits the path: 0 not at all, more for more that it says itself, most for a
 * route without a '*' at its end. */
static size_t route_fit(const core_route *route, core_slice path) {
    size_t at = 0, said = 0;
    for (const char *want = route->path; *want != '\0'; want++) {
        if (*want == '*' && want[1] == '\0')
            return said;
        size_t begin = at;
        if (*want == '*') {
            while (at < path.length && path.data[at] != '/')
                at++;
            if (at == begin)
                return 0;
        } else if (at == path.length || path.data[at++] != (uint8_t)*want) {
            return 0;
        } else {
            said++;
        }
    }
    return at == path.length ? SIZE_MAX - ROUTE_PATH_MAX + said : 0;
}

const core_route *core_route_find(const core_route_table *table, core_slice method, core_slice path,
                                  bool *path_known) {
    const core_route *best = NULL;
    size_t best_fit = 0;
    *path_known = false;
    for (size_t i = 0; i < table->count; i++) {
        size_t fit = route_fit(&table->routes[i], path);
        *path_known |= fit > 0;
        if (fit <= best_fit || !core_slice_is(method, table->routes[i].method))
            continue;
        best = &table->routes[i];
        best_fit = fit;
    }
    return best;
}

bool core_route_response_header(core_route_response *response, const char *name,
                                const char *value) {
    size_t used = strlen(response->headers), room = sizeof response->headers - used;
    int length = snprintf(response->headers + used, room, "%s: %s\r\n", name, value);
    if (length >= 0 && (size_t)length < room)
        return true;
    response->headers[used] = '\0';
    return false;
}
