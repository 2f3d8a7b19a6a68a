/* Internet addresses, and networks of them, as clients and proxies have them.
 *
 * An IPv4 address that came over IPv6 (::ffff:192.0.2.1) is the IPv4 address, so that one peer has
 * one address whatever it was heard through. Values, no memory of their own. */
#ifndef WALCAST_CORE_ADDRESS_H
#define WALCAST_CORE_ADDRESS_H

#include "core/slice.h"

#define CORE_ADDRESS_TEXT_SIZE 46 /* INET6_ADDRSTRLEN */

struct sockaddr_storage;

typedef enum { CORE_ADDRESS_NONE, CORE_ADDRESS_V4, CORE_ADDRESS_V6 } core_address_family;

typedef struct {
    uint8_t family;    /* core_address_family */
    uint8_t bytes[16]; /* 4 of them for IPv4, the others zero */
} core_address;

typedef struct {
    core_address address; /* without bits behind the prefix */
    unsigned bits;        /* of the prefix */
} core_network;

/* Of a socket's address, its port left out; NONE for other families (a Unix socket). */
core_address core_address_of(const struct sockaddr_storage *socket);
/* "192.0.2.1" or "2001:db8::1"; no port, no brackets, no zone, no blanks. */
CORE_MUST_CHECK bool core_address_parse(core_slice text, core_address *address);
/* "-" for NONE. */
void core_address_text(const core_address *address, char text[CORE_ADDRESS_TEXT_SIZE]);
bool core_address_equal(const core_address *a, const core_address *b);

/* "10.0.0.0/8", "fd00::/8", or an address, which is a network of one. A prefix that leaves bits of
 * the address behind it is refused: it is not what somebody meant. */
CORE_MUST_CHECK bool core_network_parse(core_slice text, core_network *network);
bool core_network_holds(const core_network *network, const core_address *address);

#endif
