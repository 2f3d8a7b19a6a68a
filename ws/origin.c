/* See origin.h. An origin is SCHEME "://" HOST [":" PORT] (RFC 6454 6.2), the port left out where
 * it is the scheme's own; entries are compared by these three parts. */
#include "ws/origin.h"

#include <stdlib.h>
#include <strings.h>

bool ws_origins_init(ws_origins *origins, const core_config *config, core_error *error) {
    size_t count = core_config_list_count(config, "http.origins");
    *origins = (ws_origins){.entries = calloc(count + 1, sizeof *origins->entries)};
    if (origins->entries == NULL)
        return core_error_set(error, CORE_ERROR_INTERNAL, "out of memory");
    for (size_t i = 0; i < count; i++) {
        const char *entry = core_config_list_item(config, "http.origins", i);
        if (strcmp(entry, "*") == 0)
            origins->any = true;
        else
            origins->entries[origins->count++] = entry;
    }
    return true;
}

void ws_origins_fini(ws_origins *origins) {
    free((void *)origins->entries);
    *origins = (ws_origins){0};
}

typedef struct {
    core_slice scheme; /* with "://" */
    core_slice host;
    core_slice port; /* empty: the scheme's own */
} origin_parts;

static bool origin_split(core_slice text, origin_parts *parts) {
    const uint8_t *mark = text.length > 0 ? memmem(text.data, text.length, "://", 3) : NULL;
    if (mark == NULL || mark == text.data)
        return false;
    size_t scheme = (size_t)(mark - text.data) + 3;
    core_slice rest = core_slice_make(text.data + scheme, text.length - scheme);
    size_t host = rest.length;
    while (host > 0 && rest.data[host - 1] != ':' && rest.data[host - 1] != ']')
        host--;
    bool has_port = host > 0 && rest.data[host - 1] == ':';
    *parts = (origin_parts){.scheme = core_slice_make(text.data, scheme), .host = rest};
    if (has_port) {
        parts->host.length = host - 1;
        parts->port = core_slice_make(rest.data + host, rest.length - host);
    }
    return parts->host.length > 0 && (!has_port || parts->port.length > 0);
}

static bool part_same(core_slice a, core_slice b) {
    return a.length == b.length &&
           (a.length == 0 ||
            strncasecmp((const char *)a.data, (const char *)b.data, a.length) == 0);
}

/* "*.example.com" is for every name that ends in ".example.com" and has something before it. */
static bool host_fits(core_slice host, core_slice entry) {
    if (entry.length < 2 || entry.data[0] != '*' || entry.data[1] != '.')
        return part_same(host, entry);
    core_slice end = core_slice_make(entry.data + 1, entry.length - 1);
    if (host.length <= end.length || host.data[0] == '.' ||
        memchr(host.data, '/', host.length) != NULL)
        return false;
    return part_same(core_slice_make(host.data + host.length - end.length, end.length), end);
}

static bool port_fits(core_slice port, core_slice entry) {
    uint64_t number;
    if (core_slice_is(entry, "*"))
        return port.length == 0 || core_slice_to_u64(port, &number);
    return part_same(port, entry);
}

bool ws_origin_fits(core_slice origin, const char *entry_text) {
    core_slice text = core_slice_text(entry_text);
    origin_parts given, entry;
    if (!origin_split(text, &entry))
        return part_same(origin, text); /* "null" */
    return origin_split(origin, &given) && part_same(given.scheme, entry.scheme) &&
           host_fits(given.host, entry.host) && port_fits(given.port, entry.port);
}

bool ws_origins_name(const ws_origins *origins, core_slice origin) {
    if (origin.length == 0 || origin.length > WS_ORIGIN_MAX)
        return false;
    for (size_t i = 0; i < origins->count; i++)
        if (ws_origin_fits(origin, origins->entries[i]))
            return true;
    return false;
}
