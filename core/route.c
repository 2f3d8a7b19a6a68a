/* Looking a request's route up; see route.h. At most CORE_ROUTES_MAX, so a scan is the table. */
#include "core/route.h"

static bool route_is_prefix(const core_route *route) {
    size_t length = strlen(route->path);
    return length > 0 && route->path[length - 1] == '*';
}

static bool route_add(core_route_table *table, const core_route *route, core_error *error) {
    const char *method = route->method, *path = route->path;
    assert(path[0] == '/');
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
    assert(handler != NULL);
    const core_route route = {
        .method = method, .path = path, .handler = handler, .context = context, .scope = scope};
    return route_add(table, &route, error);
}

bool core_route_add_deferred(core_route_table *table, const char *method, const char *path,
                             unsigned scope, core_route_deferred defer, void *context,
                             core_error *error) {
    assert(defer != NULL);
    const core_route route = {
        .method = method, .path = path, .defer = defer, .context = context, .scope = scope};
    return route_add(table, &route, error);
}

/* How well the route fits the path: 0 not at all, more for a longer prefix, most for exact. */
static size_t route_fit(const core_route *route, core_slice path) {
    if (!route_is_prefix(route))
        return core_slice_is(path, route->path) ? SIZE_MAX : 0;
    size_t prefix = strlen(route->path) - 1;
    return path.length >= prefix && memcmp(path.data, route->path, prefix) == 0 ? prefix : 0;
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
