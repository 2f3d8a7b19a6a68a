/* Any bytes as a forwarding header's value, of either kind: never believed from a peer that is not
 * trusted, always an address from one that is, and what a client puts before a comma changes
 * nothing of whom the last proxy named. */
#include "ws/forwarded.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static core_address client_of(const char *name, core_slice value, const ws_proxies *proxies) {
    static const core_address peer = {.family = CORE_ADDRESS_V4, .bytes = {127, 0, 0, 1}};
    static ws_http_head head;
    head.header_count = 1;
    head.headers[0] = (ws_http_header){.name = core_slice_text(name), .value = value};
    return ws_forwarded_client(&head, &peer, proxies);
}

static void check(const char *name, const char *named, core_slice value) {
    static core_network own = {.address = {.family = CORE_ADDRESS_V4, .bytes = {127, 0, 0, 0}},
                               .bits = 8};
    static const ws_proxies none = {.count = 0};
    const ws_proxies proxies = {.networks = &own, .count = 1};
    core_address client = client_of(name, value, &none);
    if (client.bytes[0] != 127)
        abort();
    client = client_of(name, value, &proxies);
    if (client.family != CORE_ADDRESS_V4 && client.family != CORE_ADDRESS_V6)
        abort();
    core_buffer both;
    core_buffer_init(&both, value.length + 64);
    core_buffer_slice_append(&both, value);
    core_buffer_text(&both, named);
    client = client_of(name, core_buffer_slice(&both), &proxies);
    if (client.family != CORE_ADDRESS_V4 || memcmp(client.bytes, "\xC0\0\2\1", 4) != 0)
        abort();
    core_buffer_fini(&both);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    core_slice value = core_slice_make(data, size);
    check("x-forwarded-for", ",192.0.2.1", value);
    check("forwarded", ",for=192.0.2.1", value);
    return 0;
}
