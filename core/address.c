/* See address.h. The text forms are those of inet_pton(3): dotted decimal with four parts, and RFC
 * 4291 2.2. */
#include "core/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#define ADDRESS_MAPPED_BITS 96 /* of ::ffff:0:0/96 */

static unsigned address_bits(const core_address *address) {
    return address->family == CORE_ADDRESS_V4 ? 32 : 128;
}

static core_address address_v4(const void *bytes) {
    core_address address = {.family = CORE_ADDRESS_V4};
    memcpy(address.bytes, bytes, 4);
    return address;
}

static core_address address_v6(const uint8_t bytes[16]) {
    static const uint8_t mapped[12] = {[10] = 0xFF, [11] = 0xFF};
    if (memcmp(bytes, mapped, sizeof mapped) == 0)
        return address_v4(bytes + sizeof mapped);
    core_address address = {.family = CORE_ADDRESS_V6};
    memcpy(address.bytes, bytes, 16);
    return address;
}

core_address core_address_of(const struct sockaddr_storage *socket) {
    if (socket->ss_family == AF_INET)
        return address_v4(&((const struct sockaddr_in *)(const void *)socket)->sin_addr);
    if (socket->ss_family == AF_INET6)
        return address_v6(((const struct sockaddr_in6 *)(const void *)socket)->sin6_addr.s6_addr);
    return (core_address){.family = CORE_ADDRESS_NONE};
}

bool core_address_parse(core_slice text, core_address *address) {
    char copy[CORE_ADDRESS_TEXT_SIZE];
    uint8_t bytes[16];
    *address = (core_address){.family = CORE_ADDRESS_NONE};
    if (!core_slice_to_text(text, copy, sizeof copy))
        return false;
    if (inet_pton(AF_INET, copy, bytes) == 1)
        *address = address_v4(bytes);
    else if (inet_pton(AF_INET6, copy, bytes) == 1)
        *address = address_v6(bytes);
    return address->family != CORE_ADDRESS_NONE;
}

void core_address_text(const core_address *address, char text[CORE_ADDRESS_TEXT_SIZE]) {
    int family = address->family == CORE_ADDRESS_V4 ? AF_INET : AF_INET6;
    if (address->family == CORE_ADDRESS_NONE ||
        inet_ntop(family, address->bytes, text, CORE_ADDRESS_TEXT_SIZE) == NULL)
        memcpy(text, "-", 2);
}

bool core_address_equal(const core_address *a, const core_address *b) {
    return a->family == b->family && memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

/* The first `bits` of both are the same. */
static bool address_prefix_equal(const core_address *a, const core_address *b, unsigned bits) {
    unsigned whole = bits / 8, rest = bits % 8;
    if (memcmp(a->bytes, b->bytes, whole) != 0)
        return false;
    return rest == 0 || ((a->bytes[whole] ^ b->bytes[whole]) >> (8 - rest)) == 0;
}

static bool address_zero_behind(const core_address *address, unsigned bits) {
    for (unsigned bit = bits; bit < address_bits(address); bit++)
        if (((address->bytes[bit / 8] >> (7 - bit % 8)) & 1) != 0)
            return false;
    return true;
}

bool core_network_parse(core_slice text, core_network *network) {
    const uint8_t *slash = text.length > 0 ? memchr(text.data, '/', text.length) : NULL;
    size_t length = slash != NULL ? (size_t)(slash - text.data) : text.length;
    core_slice address = core_slice_make(text.data, length);
    if (!core_address_parse(address, &network->address))
        return false;
    network->bits = address_bits(&network->address);
    if (slash == NULL)
        return true;
    uint64_t bits;
    if (!core_slice_to_u64(core_slice_make(slash + 1, text.length - length - 1), &bits))
        return false;
    bool was_v6 = memchr(address.data, ':', address.length) != NULL;
    if (was_v6 && network->address.family == CORE_ADDRESS_V4) {
        if (bits < ADDRESS_MAPPED_BITS) /* a part of the mapped range and more: of both families */
            return false;
        bits -= ADDRESS_MAPPED_BITS;
    }
    if (bits > network->bits)
        return false;
    network->bits = (unsigned)bits;
    return address_zero_behind(&network->address, network->bits);
}

bool core_network_holds(const core_network *network, const core_address *address) {
    return network->address.family == address->family && address->family != CORE_ADDRESS_NONE &&
           address_prefix_equal(&network->address, address, network->bits);
}
