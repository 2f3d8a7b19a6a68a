/* Whom a request that somebody else thought up (a webhook's URL, a job's callback) may reach.
 *
 * Without a guard the author of a URL speaks through this process to what only it can reach: its
 * own ports, the database, the private network, the cloud's metadata (server-side request forgery).
 * Names are no help, since the same name can mean another address a moment later; so what counts is
 * the address that is connected to, when it is connected to, and again before each request on a
 * connection that is kept. net_guard_url_check before that tells an author early what can be told.
 *
 * Refused: every address that is not public (net/address_kind.h), unless an allow-list holds it;
 * this process's own ports and those of its database and broker, whatever an allow-list says; URLs
 * that are not http or https, that hold a user or password, or whose port is one that the Fetch
 * standard blocks. An IPv6 address that carries an IPv4 address is judged, and allowed, by that
 * one.
 *
 * A guard never changes: any thread. */
#ifndef WALCAST_NET_GUARD_H
#define WALCAST_NET_GUARD_H

#include "core/core.h"

#define NET_URL_MAX_BYTES   2048
#define NET_HOST_TEXT_SIZE  254  /* 253 characters, as DNS has it */
#define NET_GUARD_OWN_MAX   256  /* ports of our own; a name's addresses are as many again */
#define NET_GUARD_ALLOW_MAX 1024 /* networks, of all projects together */

typedef enum {
    NET_GUARD_PASS,
    NET_GUARD_SYNTAX,      /* no URL, or longer than NET_URL_MAX_BYTES */
    NET_GUARD_SCHEME,      /* neither http nor https */
    NET_GUARD_CREDENTIALS, /* user:password@: they would stand in definitions and logs */
    NET_GUARD_PORT,        /* one where other protocols listen that could misread HTTP */
    NET_GUARD_OWN,         /* this process's, or its database's or broker's */
    NET_GUARD_ADDRESS,     /* not public, and not allowed */
} net_guard_verdict;

typedef struct {
    const core_network *networks;
    size_t count;
} net_allow;

/* Where a server of our own listens. */
typedef struct {
    /* A name or an address; NULL: any address of this machine, and so is each that means one. */
    const char *host;
    unsigned port;
} net_own;

/* What one project may reach beside what all may. */
typedef struct {
    core_slice project;
    net_allow allow;
} net_guard_project;

typedef struct {
    net_allow allow;                   /* all projects; copied, as the next ones are */
    const net_guard_project *projects; /* each once */
    size_t project_count;
    const net_own *own;
    size_t own_count;
} net_guard_spec;

typedef struct net_guard net_guard;

/* Names in `own` are looked up here and now, once: blocks for as long as the resolver does. One
 * that is not found is guarded by its name only. LIMIT when there are too many. */
CORE_MUST_CHECK net_guard *net_guard_new(const net_guard_spec *spec, core_error *error);
/* triggers.allow, and for own what http.listen, and postgres.url, triggers.sql_url and nats.url of
 * every source name. */
CORE_MUST_CHECK net_guard *net_guard_for_config(const core_config *config, core_error *error);
/* Nobody uses it any more. NULL is allowed. */
void net_guard_free(net_guard *guard);
/* What the project may reach beside what all may, for the checks below and for requests; as long as
 * the guard. NULL: nothing more. */
const net_allow *net_guard_project_allow(const net_guard *guard, core_slice project);

/* An address and port that a connection goes to. `allow` is the project's, beside the guard's own;
 * NULL: none. DENIED, with the reason, when the verdict is not PASS. */
net_guard_verdict net_guard_address_check(const net_guard *guard, const net_allow *allow,
                                          const core_address *address, unsigned port,
                                          core_error *error);
/* What can be told without asking a resolver; a host that is an address, in whatever notation, is
 * judged as one. The error (INPUT or DENIED) holds nothing that may be a secret. */
net_guard_verdict net_guard_url_check(const net_guard *guard, const net_allow *allow,
                                      const char *url, core_error *error);

#endif
