/* The guard at one transfer's sockets, and what every transfer of ours has in common. Private to
 * net.
 *
 * libcurl asks the gate for each socket that it opens (each address of a name, whichever answers
 * first) and before each request on whatever connection it took, kept ones included: a connection
 * that was opened under one project's allow-list is no way in for another project. */
#ifndef WALCAST_NET_GATE_H
#define WALCAST_NET_GATE_H

#include "net/guard.h"

#include <curl/curl.h>

typedef struct {
    uint32_t magic;
    const net_guard *guard; /* NULL: `trusted` */
    const net_allow *allow; /* may be NULL */
    /* The first hop is an operator's word and may lead anywhere; each further one is the server's
     * and may not lead from a public address to one that is not. */
    bool trusted;
    bool hop_was_public;
    /* Asked before a request goes on an allowed connection; false: it does not. NULL: it goes. */
    bool (*may_go)(void *context);
    void *may_go_context;
    bool is_held_back; /* it has said no */
    unsigned opened;   /* sockets */
    core_error error;  /* of the last that was refused */
    bool is_refused;
} net_gate;

/* Neither copied nor moved while a transfer uses it. */
void net_gate_init(net_gate *gate, const net_guard *guard);
/* Before each transfer. */
void net_gate_reset(net_gate *gate, const net_allow *allow);
/* The transfer failed since no address was left that may be reached. */
bool net_gate_closed(const net_gate *gate);

/* What holds for every transfer: http and https only, no netrc, no cookies, TLS 1.2 and newer, no
 * signals, names that are not waited for; and the gate. A `ca_file` stands for the system's
 * authorities; NULL: those. */
CORE_MUST_CHECK bool net_gate_options_set(CURL *easy, net_gate *gate, const char *ca_file);

#endif
