/* See guard.h. Happy path: one look through a table of ranges, one through the list of own ports.
 * Failure modes: whatever cannot be told (no list of our interfaces, an address of an unknown
 * family) is refused. */
#include "net/guard.h"

#include "net/address_kind.h"
#include "net/url.h"

#include <ifaddrs.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>

#define GUARD_MAGIC UINT32_C(0x6e656767)

enum { OWN_ADDRESSES_MAX = 2 * NET_GUARD_OWN_MAX };

typedef struct {
    core_address address;          /* NONE: by the host's name, or any of this machine's */
    char host[NET_HOST_TEXT_SIZE]; /* empty: none */
    unsigned port;
} guard_own;

struct net_guard {
    uint32_t magic;
    core_network *allowed; /* by all, and behind them by each project */
    size_t allowed_count;  /* of the first */
    net_guard_project *projects;
    size_t project_count;
    guard_own own[OWN_ADDRESSES_MAX];
    size_t own_count;
};

/* ---- Addresses ---- */

static bool allow_holds(const core_network *networks, size_t count, const core_address *address) {
    for (size_t i = 0; i < count; i++)
        if (core_network_holds(&networks[i], address))
            return true;
    return false;
}

/* Also when nobody can say. */
static bool address_is_ours(const core_address *address) {
    struct ifaddrs *all;
    core_address inside;
    net_address_kind kind = net_address_kind_of(address, &inside);
    if (kind == NET_KIND_LOOPBACK || kind == NET_KIND_UNSPECIFIED || getifaddrs(&all) != 0)
        return true;
    bool found = false;
    for (const struct ifaddrs *one = all; one != NULL && !found; one = one->ifa_next) {
        struct sockaddr_storage socket = {.ss_family = AF_UNSPEC};
        if (one->ifa_addr == NULL)
            continue;
        if (one->ifa_addr->sa_family == AF_INET)
            memcpy(&socket, one->ifa_addr, sizeof(struct sockaddr_in));
        else if (one->ifa_addr->sa_family == AF_INET6)
            memcpy(&socket, one->ifa_addr, sizeof(struct sockaddr_in6));
        core_address ours = core_address_of(&socket);
        found = ours.family != CORE_ADDRESS_NONE && core_address_equal(&ours, address);
    }
    freeifaddrs(all);
    return found;
}

static bool own_holds(const net_guard *guard, const core_address *address, unsigned port) {
    for (size_t i = 0; i < guard->own_count; i++) {
        const guard_own *own = &guard->own[i];
        if (own->port != port)
            continue;
        if (own->address.family != CORE_ADDRESS_NONE
                ? core_address_equal(&own->address, address)
                : own->host[0] == '\0' && address_is_ours(address))
            return true;
    }
    return false;
}

static net_guard_verdict address_refuse(const core_address *address, const core_address *inside,
                                        net_address_kind kind, core_error *error) {
    char text[CORE_ADDRESS_TEXT_SIZE], within[CORE_ADDRESS_TEXT_SIZE + 16] = "";
    char shown[CORE_ADDRESS_TEXT_SIZE];
    core_address_text(address, text);
    core_address_text(inside, shown);
    if (!core_address_equal(address, inside))
        (void)snprintf(within, sizeof within, "stands for %s, ", shown);
    (void)core_error_set(error, CORE_ERROR_DENIED,
                         "%s %sis a %s address: only public ones may be reached, and those that "
                         "triggers.allow names",
                         text, within, net_address_kind_name(kind));
    return NET_GUARD_ADDRESS;
}

net_guard_verdict net_guard_address_check(const net_guard *guard, const net_allow *allow,
                                          const core_address *address, unsigned port,
                                          core_error *error) {
    core_address inside;
    CORE_MAGIC_CHECK(guard, GUARD_MAGIC);
    net_address_kind kind = net_address_kind_of(address, &inside);
    if (own_holds(guard, &inside, port)) {
        char text[CORE_ADDRESS_TEXT_SIZE];
        core_address_text(address, text);
        (void)core_error_set(error, CORE_ERROR_DENIED,
                             "%s port %u is Walcast's own, its database's or its broker's", text,
                             port);
        return NET_GUARD_OWN;
    }
    if (kind == NET_KIND_PUBLIC || allow_holds(guard->allowed, guard->allowed_count, &inside) ||
        (allow != NULL && allow_holds(allow->networks, allow->count, &inside)))
        return NET_GUARD_PASS;
    return address_refuse(address, &inside, kind, error);
}

const net_allow *net_guard_project_allow(const net_guard *guard, core_slice project) {
    CORE_MAGIC_CHECK(guard, GUARD_MAGIC);
    for (size_t i = 0; i < guard->project_count; i++)
        if (core_slice_equal(guard->projects[i].project, project))
            return &guard->projects[i].allow;
    return NULL;
}

/* ---- URLs ---- */

/* https://fetch.spec.whatwg.org/#port-blocking, and 0. */
static bool port_is_blocked(unsigned port) {
    static const uint16_t blocked[] = {
        0,    1,    7,    9,    11,   13,   15,   17,   19,   20,   21,   22,   23,   25,
        37,   42,   43,   53,   69,   77,   79,   87,   95,   101,  102,  103,  104,  109,
        110,  111,  113,  115,  117,  119,  123,  135,  137,  139,  143,  161,  179,  389,
        427,  465,  512,  513,  514,  515,  526,  530,  531,  532,  540,  548,  554,  556,
        563,  587,  601,  636,  989,  990,  993,  995,  1719, 1720, 1723, 2049, 3659, 4045,
        4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080};
    for (size_t i = 0; i < CORE_COUNT_OF(blocked); i++)
        if (blocked[i] == port)
            return true;
    return false;
}

/* By name only; addresses come later. */
static bool own_is_named(const net_guard *guard, const net_url *url) {
    for (size_t i = 0; i < guard->own_count; i++)
        if (guard->own[i].port == url->port && guard->own[i].host[0] != '\0' &&
            strcasecmp(guard->own[i].host, url->host) == 0)
            return true;
    return false;
}

static net_guard_verdict url_refuse(net_guard_verdict verdict, core_error_code code,
                                    const char *why, core_error *error) {
    (void)core_error_set(error, code, "%s", why);
    return verdict;
}

net_guard_verdict net_guard_url_check(const net_guard *guard, const net_allow *allow,
                                      const char *url, core_error *error) {
    net_url read;
    core_address address;
    CORE_MAGIC_CHECK(guard, GUARD_MAGIC);
    net_guard_verdict verdict = net_url_read(url, &read);
    if (verdict == NET_GUARD_SYNTAX)
        return url_refuse(
            verdict, CORE_ERROR_INPUT,
            "this is no URL such as https://HOST/PATH: at most 2048 characters, none beyond "
            "ASCII (percent-encoded in a path, xn-- in a host)",
            error);
    if (verdict == NET_GUARD_SCHEME)
        return url_refuse(verdict, CORE_ERROR_INPUT, "a URL must begin with https:// or http://",
                          error);
    if (verdict == NET_GUARD_CREDENTIALS)
        return url_refuse(verdict, CORE_ERROR_INPUT,
                          "a URL may not hold a user or password; send a header instead", error);
    if (port_is_blocked(read.port)) {
        (void)core_error_set(error, CORE_ERROR_DENIED,
                             "port %u is another protocol's: the Fetch standard blocks it",
                             read.port);
        return NET_GUARD_PORT;
    }
    if (own_is_named(guard, &read)) {
        (void)core_error_set(error, CORE_ERROR_DENIED,
                             "%s port %u is Walcast's own, its database's or its broker's",
                             read.host, read.port);
        return NET_GUARD_OWN;
    }
    if (!core_address_parse(core_slice_text(read.host), &address))
        return NET_GUARD_PASS; /* a name: what it means is judged when it is connected to */
    return net_guard_address_check(guard, allow, &address, read.port, error);
}

/* ---- Life ---- */

/* What finds no room is a name's further address. */
static void own_add(net_guard *guard, const core_address *address, const char *host,
                    unsigned port) {
    if (guard->own_count == OWN_ADDRESSES_MAX)
        return;
    guard_own *own = &guard->own[guard->own_count++];
    own->address = *address;
    own->port = port;
    (void)snprintf(own->host, sizeof own->host, "%s", host);
}

/* Who listens at one of this machine's addresses listens at the others, too, for all we know. */
static void own_add_address(net_guard *guard, const core_address *address, unsigned port) {
    static const core_address none = {.family = CORE_ADDRESS_NONE};
    core_address inside;
    (void)net_address_kind_of(address, &inside);
    own_add(guard, address_is_ours(&inside) ? &none : &inside, "", port);
}

/* Each address that the name means now. */
static void own_look_up(net_guard *guard, const net_own *own) {
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *all = NULL;
    if (getaddrinfo(own->host, NULL, &hints, &all) != 0)
        return;
    for (const struct addrinfo *one = all; one != NULL; one = one->ai_next) {
        struct sockaddr_storage socket = {.ss_family = AF_UNSPEC};
        memcpy(&socket, one->ai_addr, one->ai_addrlen);
        core_address address = core_address_of(&socket);
        if (address.family != CORE_ADDRESS_NONE)
            own_add_address(guard, &address, own->port);
    }
    freeaddrinfo(all);
}

static void own_take(net_guard *guard, const net_own *own) {
    static const core_address none = {.family = CORE_ADDRESS_NONE};
    core_address address;
    if (own->host == NULL)
        own_add(guard, &none, "", own->port);
    else if (core_address_parse(core_slice_text(own->host), &address))
        own_add_address(guard, &address, own->port);
    else
        own_add(guard, &none, own->host, own->port);
}

static size_t networks_count(const net_guard_spec *spec) {
    size_t count = spec->allow.count;
    for (size_t i = 0; i < spec->project_count; i++)
        count += spec->projects[i].allow.count;
    return count;
}

static void networks_copy(core_network *to, const net_allow *allow) {
    if (allow->count > 0)
        memcpy(to, allow->networks, allow->count * sizeof *to);
}

static bool projects_take(net_guard *guard, const net_guard_spec *spec) {
    core_network *next = guard->allowed + spec->allow.count;
    guard->projects = calloc(spec->project_count + 1, sizeof *guard->projects);
    for (size_t i = 0; guard->projects != NULL && i < spec->project_count; i++) {
        const net_guard_project *from = &spec->projects[i];
        uint8_t *name = malloc(from->project.length + 1), *room = name;
        if (name == NULL)
            return false;
        guard->projects[guard->project_count++] =
            (net_guard_project){.project = core_slice_keep(&room, from->project),
                                .allow = {.networks = next, .count = from->allow.count}};
        guard->projects[i].project.data = name; /* also of an empty one, to be freed */
        networks_copy(next, &from->allow);
        next += from->allow.count;
    }
    return guard->projects != NULL;
}

static bool allowed_take(net_guard *guard, const net_guard_spec *spec, core_error *error) {
    size_t count = networks_count(spec);
    if (count > NET_GUARD_ALLOW_MAX)
        return core_error_set(error, CORE_ERROR_LIMIT, "more than %d networks are allowed",
                              NET_GUARD_ALLOW_MAX);
    guard->allowed = calloc(count + 1, sizeof *guard->allowed);
    guard->allowed_count = spec->allow.count;
    if (guard->allowed != NULL)
        networks_copy(guard->allowed, &spec->allow);
    return (guard->allowed != NULL && projects_take(guard, spec)) ||
           core_error_set(error, CORE_ERROR_INTERNAL, "no memory for allowed networks");
}

static bool spec_take(net_guard *guard, const net_guard_spec *spec, core_error *error) {
    if (!allowed_take(guard, spec, error))
        return false;
    if (spec->own_count > NET_GUARD_OWN_MAX)
        return core_error_set(error, CORE_ERROR_LIMIT, "more than %d own ports to guard",
                              NET_GUARD_OWN_MAX);
    for (size_t i = 0; i < spec->own_count; i++)
        own_take(guard, &spec->own[i]);
    for (size_t i = 0; i < spec->own_count; i++)
        if (guard->own[i].host[0] != '\0')
            own_look_up(guard, &spec->own[i]);
    return true;
}

net_guard *net_guard_new(const net_guard_spec *spec, core_error *error) {
    net_guard *guard = calloc(1, sizeof *guard);
    if (guard == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "no memory for a guard");
        return NULL;
    }
    guard->magic = GUARD_MAGIC;
    if (spec_take(guard, spec, error))
        return guard;
    net_guard_free(guard);
    return NULL;
}

void net_guard_free(net_guard *guard) {
    if (guard == NULL)
        return;
    CORE_MAGIC_CHECK(guard, GUARD_MAGIC);
    for (size_t i = 0; i < guard->project_count; i++)
        free((void *)(uintptr_t)guard->projects[i].project.data);
    free(guard->projects);
    free(guard->allowed);
    guard->magic = 0;
    free(guard);
}
