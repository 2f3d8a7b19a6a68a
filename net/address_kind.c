/* See address_kind.h. The ranges are those of IANA's special-purpose address registries (RFC 6890
 * and what came after it); the first row that holds an address decides. IPv6 outside 2000::/3 is
 * not handed out, whatever it is. */
#include "net/address_kind.h"

typedef struct {
    uint8_t prefix[16];
    uint8_t bits;
    uint8_t kind;
} kind_row;

static const kind_row v4_rows[] = {
    {{0}, 8, NET_KIND_UNSPECIFIED},
    {{10}, 8, NET_KIND_PRIVATE},
    {{100, 64}, 10, NET_KIND_SHARED},
    {{127}, 8, NET_KIND_LOOPBACK},
    {{169, 254}, 16, NET_KIND_LINK_LOCAL},
    {{172, 16}, 12, NET_KIND_PRIVATE},
    {{192, 0, 0}, 24, NET_KIND_PROTOCOL},
    {{192, 0, 2}, 24, NET_KIND_DOCUMENTATION},
    {{192, 31, 196}, 24, NET_KIND_PROTOCOL}, /* AS112 */
    {{192, 52, 193}, 24, NET_KIND_PROTOCOL}, /* AMT */
    {{192, 88, 99}, 24, NET_KIND_PROTOCOL},  /* 6to4 relays, once */
    {{192, 168}, 16, NET_KIND_PRIVATE},
    {{192, 175, 48}, 24, NET_KIND_PROTOCOL}, /* AS112 */
    {{198, 18}, 15, NET_KIND_BENCHMARK},
    {{198, 51, 100}, 24, NET_KIND_DOCUMENTATION},
    {{203, 0, 113}, 24, NET_KIND_DOCUMENTATION},
    {{233, 252, 0}, 24, NET_KIND_DOCUMENTATION},
    {{224}, 4, NET_KIND_MULTICAST},
    {{255, 255, 255, 255}, 32, NET_KIND_BROADCAST},
    {{240}, 4, NET_KIND_RESERVED},
};

static const kind_row v6_rows[] = {
    {{0}, 128, NET_KIND_UNSPECIFIED},
    {{[15] = 1}, 128, NET_KIND_LOOPBACK},
    {{0x00, 0x64, 0xff, 0x9b, 0x00, 0x01}, 48, NET_KIND_TRANSLATION},
    {{0x01}, 64, NET_KIND_DISCARD},
    {{0x01, [7] = 1}, 64, NET_KIND_DISCARD}, /* its dummy prefix, RFC 9780 */
    {{0x20, 0x01, 0x00, 0x02}, 48, NET_KIND_BENCHMARK},
    {{0x20, 0x01}, 23, NET_KIND_PROTOCOL},
    {{0x20, 0x01, 0x0d, 0xb8}, 32, NET_KIND_DOCUMENTATION},
    {{0x26, 0x20, 0x00, 0x4f, 0x80}, 48, NET_KIND_PROTOCOL}, /* AS112 */
    {{0x3f, 0xfe}, 16, NET_KIND_RESERVED},                   /* 6bone, given back */
    {{0x3f, 0xff}, 20, NET_KIND_DOCUMENTATION},
    {{0x5f}, 16, NET_KIND_PROTOCOL}, /* segment routing */
    {{0xfc}, 7, NET_KIND_UNIQUE_LOCAL},
    {{0xfe, 0x80}, 10, NET_KIND_LINK_LOCAL},
    {{0xfe, 0xc0}, 10, NET_KIND_SITE_LOCAL},
    {{0xff}, 8, NET_KIND_MULTICAST},
    {{0x20}, 3, NET_KIND_PUBLIC},
};

static core_network row_network(const kind_row *row, uint8_t family) {
    core_network network = {.address = {.family = family}, .bits = row->bits};
    memcpy(network.address.bytes, row->prefix, sizeof row->prefix);
    return network;
}

static net_address_kind rows_find(const kind_row *rows, size_t count, const core_address *address,
                                  net_address_kind otherwise) {
    for (size_t i = 0; i < count; i++) {
        core_network network = row_network(&rows[i], address->family);
        if (core_network_holds(&network, address))
            return rows[i].kind;
    }
    return otherwise;
}

static net_address_kind kind_plain(const core_address *address) {
    if (address->family == CORE_ADDRESS_V4)
        return rows_find(v4_rows, CORE_COUNT_OF(v4_rows), address, NET_KIND_PUBLIC);
    if (address->family == CORE_ADDRESS_V6)
        return rows_find(v6_rows, CORE_COUNT_OF(v6_rows), address, NET_KIND_RESERVED);
    return NET_KIND_RESERVED;
}

/* ---- IPv4 inside IPv6 ---- */

typedef struct {
    uint8_t prefix[16];
    uint8_t bits;
    uint8_t at;   /* of the first of the four bytes */
    uint8_t flip; /* what they are combined with */
} carrier_row;

static const carrier_row carriers[] = {
    {{0}, 96, 12, 0},                         /* compatible; :: and ::1 come before */
    {{[10] = 0xff, 0xff}, 96, 12, 0},         /* mapped */
    {{[8] = 0xff, 0xff}, 96, 12, 0},          /* translated, RFC 2765 */
    {{0x00, 0x64, 0xff, 0x9b}, 96, 12, 0},    /* NAT64 */
    {{0x20, 0x02}, 16, 2, 0},                 /* 6to4 */
    {{0x20, 0x01, 0x00, 0x00}, 32, 4, 0},     /* Teredo's server */
    {{0x20, 0x01, 0x00, 0x00}, 32, 12, 0xff}, /* and its client */
};

static core_address carried(const core_address *address, unsigned at, uint8_t flip) {
    core_address inside = {.family = CORE_ADDRESS_V4};
    for (unsigned i = 0; i < 4; i++)
        inside.bytes[i] = address->bytes[at + i] ^ flip;
    return inside;
}

/* An interface identifier of ISATAP (RFC 5214), in a network that may be public. */
static bool is_isatap(const core_address *address) {
    static const uint8_t mark[3] = {0x00, 0x5e, 0xfe};
    return (address->bytes[8] & ~0x02) == 0 && memcmp(address->bytes + 9, mark, sizeof mark) == 0;
}

static bool is_single(const core_address *address) {
    static const uint8_t zeros[15];
    return memcmp(address->bytes, zeros, sizeof zeros) == 0 && address->bytes[15] <= 1;
}

/* False: it carries none. */
static bool kind_carried(const core_address *address, net_address_kind *kind,
                         core_address *inside) {
    bool found = false;
    for (size_t i = 0; i < CORE_COUNT_OF(carriers); i++) {
        core_network network = {.address = {.family = CORE_ADDRESS_V6}, .bits = carriers[i].bits};
        memcpy(network.address.bytes, carriers[i].prefix, sizeof carriers[i].prefix);
        if (!core_network_holds(&network, address) || (found && *kind != NET_KIND_PUBLIC))
            continue;
        *inside = carried(address, carriers[i].at, carriers[i].flip);
        *kind = kind_plain(inside);
        found = true;
    }
    return found;
}

net_address_kind net_address_kind_of(const core_address *address, core_address *inside) {
    net_address_kind kind = NET_KIND_PUBLIC;
    *inside = *address;
    if (address->family != CORE_ADDRESS_V6 || is_single(address))
        return kind_plain(address);
    if (kind_carried(address, &kind, inside))
        return kind;
    kind = kind_plain(address);
    if (kind != NET_KIND_PUBLIC || !is_isatap(address))
        return kind;
    *inside = carried(address, 12, 0);
    return kind_plain(inside);
}

const char *net_address_kind_name(net_address_kind kind) {
    static const char *const names[NET_KIND_COUNT] = {
        [NET_KIND_PUBLIC] = "public",
        [NET_KIND_UNSPECIFIED] = "unspecified",
        [NET_KIND_LOOPBACK] = "loopback",
        [NET_KIND_LINK_LOCAL] = "link-local",
        [NET_KIND_PRIVATE] = "private",
        [NET_KIND_UNIQUE_LOCAL] = "unique local",
        [NET_KIND_SITE_LOCAL] = "site-local",
        [NET_KIND_SHARED] = "shared (CGNAT)",
        [NET_KIND_DOCUMENTATION] = "documentation",
        [NET_KIND_BENCHMARK] = "benchmark",
        [NET_KIND_MULTICAST] = "multicast",
        [NET_KIND_BROADCAST] = "broadcast",
        [NET_KIND_PROTOCOL] = "protocol",
        [NET_KIND_DISCARD] = "discard-only",
        [NET_KIND_TRANSLATION] = "local translation",
        [NET_KIND_RESERVED] = "reserved",
    };
    return names[kind];
}
