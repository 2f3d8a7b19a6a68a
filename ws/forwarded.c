/* See forwarded.h. Elements are split at commas from the end, also within quotes: a quote that a
 * client left open must not swallow what the proxy put behind it. */
#include "ws/forwarded.h"

#include <stdlib.h>

/* ---- Who is trusted ---- */

bool ws_proxies_init(ws_proxies *proxies, const core_config *config, core_error *error) {
    size_t count = core_config_list_count(config, "http.trusted_proxies");
    *proxies = (ws_proxies){0};
    if (count == 0)
        return true;
    proxies->networks = calloc(count, sizeof *proxies->networks);
    if (proxies->networks == NULL)
        return core_error_set(error, CORE_ERROR_INTERNAL, "out of memory");
    for (size_t i = 0; i < count; i++) {
        const char *item = core_config_list_item(config, "http.trusted_proxies", i);
        if (!core_network_parse(core_slice_text(item), &proxies->networks[i])) {
            ws_proxies_fini(proxies);
            return core_error_set(error, CORE_ERROR_CONFIG,
                                  "http.trusted_proxies: \"%s\" is no address or network", item);
        }
    }
    proxies->count = count;
    return true;
}

void ws_proxies_fini(ws_proxies *proxies) {
    free(proxies->networks);
    *proxies = (ws_proxies){0};
}

static bool proxies_hold(const ws_proxies *proxies, const core_address *address) {
    for (size_t i = 0; i < proxies->count; i++)
        if (core_network_holds(&proxies->networks[i], address))
            return true;
    return false;
}

/* ---- One hop ---- */

static bool port_valid(core_slice text) {
    uint64_t port;
    return text.length > 1 && text.data[0] == ':' &&
           core_slice_to_u64(core_slice_make(text.data + 1, text.length - 1), &port) &&
           port <= UINT16_MAX;
}

/* "192.0.2.1", "192.0.2.1:80", "2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:80". */
static bool node_parse(core_slice text, core_address *address) {
    const uint8_t *end = NULL;
    if (text.length > 0 && text.data[0] == '[') {
        end = memchr(text.data, ']', text.length);
        if (end == NULL)
            return false;
        size_t inside = (size_t)(end - text.data) - 1;
        core_slice port = core_slice_make(end + 1, text.length - inside - 2);
        return (port.length == 0 || port_valid(port)) &&
               core_address_parse(core_slice_make(text.data + 1, inside), address);
    }
    if (core_address_parse(text, address))
        return true;
    end = text.length > 0 ? memchr(text.data, ':', text.length) : NULL;
    if (end == NULL)
        return false;
    size_t host = (size_t)(end - text.data);
    return port_valid(core_slice_make(end, text.length - host)) &&
           core_address_parse(core_slice_make(text.data, host), address);
}

/* The value of `for` in one element of Forwarded: for=192.0.2.1;proto=https. */
static bool element_for(core_slice element, core_slice *node) {
    while (element.length > 0) {
        const uint8_t *semicolon = memchr(element.data, ';', element.length);
        size_t length = semicolon ? (size_t)(semicolon - element.data) : element.length;
        core_slice pair = ws_http_trim(core_slice_make(element.data, length));
        if (pair.length > 4 && ws_http_name_is(core_slice_make(pair.data, 4), "for=")) {
            *node = core_slice_make(pair.data + 4, pair.length - 4);
            if (node->length >= 2 && node->data[0] == '"' && node->data[node->length - 1] == '"')
                *node = core_slice_make(node->data + 1, node->length - 2);
            return true;
        }
        size_t used = length + (semicolon != NULL ? 1 : 0);
        element = core_slice_make(element.data + used, element.length - used);
    }
    return false;
}

/* ---- The walk ---- */

typedef struct {
    const ws_proxies *proxies;
    bool pairs; /* elements are Forwarded's */
    bool found; /* the header is there */
    bool over;
    unsigned hops;
    core_address client;
} walk;

static void walk_element(walk *state, core_slice element) {
    core_address address;
    core_slice node = ws_http_trim(element);
    bool named = !state->pairs || element_for(node, &node);
    if (++state->hops > WS_FORWARDED_HOPS_MAX || !named || !node_parse(node, &address)) {
        state->over = true;
        return;
    }
    state->client = address;
    state->over = !proxies_hold(state->proxies, &address);
}

static void walk_value(walk *state, core_slice value) {
    size_t end = value.length;
    while (!state->over) {
        size_t start = end;
        while (start > 0 && value.data[start - 1] != ',')
            start--;
        walk_element(state, core_slice_make(value.data + start, end - start));
        if (start == 0)
            return;
        end = start - 1;
    }
}

static walk walk_header(const ws_http_head *head, const core_address *peer,
                        const ws_proxies *proxies, const char *name, bool pairs) {
    walk state = {.proxies = proxies, .pairs = pairs, .client = *peer};
    for (size_t i = head->header_count; i > 0 && !state.over; i--) {
        if (!ws_http_name_is(head->headers[i - 1].name, name))
            continue;
        state.found = true;
        walk_value(&state, head->headers[i - 1].value);
    }
    return state;
}

core_address ws_forwarded_client(const ws_http_head *head, const core_address *peer,
                                 const ws_proxies *proxies) {
    if (proxies == NULL || !proxies_hold(proxies, peer))
        return *peer;
    walk old = walk_header(head, peer, proxies, "x-forwarded-for", false);
    walk standard = walk_header(head, peer, proxies, "forwarded", true);
    if (!old.found || !standard.found)
        return old.found ? old.client : standard.client;
    return core_address_equal(&old.client, &standard.client) ? old.client : *peer;
}
