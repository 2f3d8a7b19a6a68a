/* What an internet address is for: the special ranges of IPv4 and IPv6 by IANA's registries, and
 * the IPv4 address inside those IPv6 addresses that carry one. Private to net; values only. */
#ifndef WALCAST_NET_ADDRESS_KIND_H
#define WALCAST_NET_ADDRESS_KIND_H

#include "core/core.h"

typedef enum {
    NET_KIND_PUBLIC,
    NET_KIND_UNSPECIFIED,   /* 0.0.0.0/8, ::; Linux connects to itself there */
    NET_KIND_LOOPBACK,      /* 127.0.0.0/8, ::1 */
    NET_KIND_LINK_LOCAL,    /* 169.254.0.0/16 with the clouds' metadata, fe80::/10 */
    NET_KIND_PRIVATE,       /* RFC 1918 */
    NET_KIND_UNIQUE_LOCAL,  /* fc00::/7 */
    NET_KIND_SITE_LOCAL,    /* fec0::/10 */
    NET_KIND_SHARED,        /* 100.64.0.0/10, between a provider and its customers */
    NET_KIND_DOCUMENTATION, /* examples */
    NET_KIND_BENCHMARK,     /* 198.18.0.0/15 */
    NET_KIND_MULTICAST,
    NET_KIND_BROADCAST,
    NET_KIND_PROTOCOL, /* 192.0.0.0/24, 2001::/23 and others that protocols have for themselves */
    NET_KIND_DISCARD,  /* 100::/64 */
    NET_KIND_TRANSLATION, /* 64:ff9b:1::/48: a network's own NAT64, whose layout nobody else knows
                           */
    NET_KIND_RESERVED,    /* all else that is not handed out */
    NET_KIND_COUNT,
} net_address_kind;

/* The kind of the address that counts, which is put into `inside`: of one that carries an IPv4
 * address (mapped, compatible, translated, NAT64, 6to4, Teredo, ISATAP) the carried one, else the
 * address itself. Teredo carries two, of which the one that is not public counts. An address
 * without a family is reserved. */
net_address_kind net_address_kind_of(const core_address *address, core_address *inside);
/* As in "127.0.0.1 is a loopback address". Static. */
const char *net_address_kind_name(net_address_kind kind);

#endif
