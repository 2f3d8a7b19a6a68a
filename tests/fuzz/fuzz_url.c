/* Any text as a URL: what passes the guard is http or https, has no user, and a host that is an
 * address is a public one; what leads to an address of ours never passes, whatever is allowed. */
#include "net/address_kind.h"
#include "net/url.h"

#include <stdlib.h>
#include <strings.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds) {
    if (!holds)
        abort();
}

static net_guard *guard_make(bool all) {
    core_network networks[2];
    core_error error;
    static const net_own own[] = {{NULL, 4000}};
    check(core_network_parse(core_slice_text("0.0.0.0/0"), &networks[0]) &&
          core_network_parse(core_slice_text("::/0"), &networks[1]));
    const net_guard_spec spec = {
        .allow = {.networks = networks, .count = all ? 2 : 0}, .own = own, .own_count = 1};
    net_guard *guard = net_guard_new(&spec, &error);
    check(guard != NULL);
    return guard;
}

static void passed_check(const char *text, bool all) {
    net_url url;
    core_address address, inside;
    check(net_url_read(text, &url) == NET_GUARD_PASS);
    check(url.host[0] != '\0' && strpbrk(url.host, "@/?#\\ []") == NULL && url.port != 0);
    check(strncasecmp(text, "http", 4) == 0);
    if (!core_address_parse(core_slice_text(url.host), &address))
        return;
    net_address_kind kind = net_address_kind_of(&address, &inside);
    check(all || kind == NET_KIND_PUBLIC);
    check(url.port != 4000 || (kind != NET_KIND_LOOPBACK && kind != NET_KIND_UNSPECIFIED));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static net_guard *strict, *open;
    char text[NET_URL_MAX_BYTES + 64];
    core_error error;
    net_url authority;
    if (strict == NULL) {
        strict = guard_make(false);
        open = guard_make(true);
    }
    if (net_url_authority_read(core_slice_make(data, size), 1, &authority))
        check(authority.host[0] != '\0' && authority.port <= UINT16_MAX);
    if (!core_slice_to_text(core_slice_make(data, size), text, sizeof text))
        return 0;
    bool passes = net_guard_url_check(strict, NULL, text, &error) == NET_GUARD_PASS;
    if (passes)
        passed_check(text, false);
    if (net_guard_url_check(open, NULL, text, &error) == NET_GUARD_PASS)
        passed_check(text, true);
    else
        check(!passes);
    return 0;
}
