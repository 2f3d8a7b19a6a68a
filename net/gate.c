/* See gate.h. */
#include "net/gate.h"

#include "net/address_kind.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>

#define GATE_MAGIC UINT32_C(0x6e657467)

void net_gate_init(net_gate *gate, const net_guard *guard) {
    *gate = (net_gate){.magic = GATE_MAGIC, .guard = guard, .trusted = guard == NULL};
}

void net_gate_reset(net_gate *gate, const net_allow *allow) {
    CORE_MAGIC_CHECK(gate, GATE_MAGIC);
    gate->allow = allow;
    gate->hop_was_public = false;
    gate->opened = 0;
    gate->is_refused = gate->is_held_back = false;
}

bool net_gate_closed(const net_gate *gate) {
    return gate->is_refused && gate->opened == 0;
}

static bool trusted_pass(net_gate *gate, const core_address *address) {
    char text[CORE_ADDRESS_TEXT_SIZE];
    core_address inside;
    net_address_kind kind = net_address_kind_of(address, &inside);
    if (!gate->hop_was_public || kind == NET_KIND_PUBLIC)
        return true;
    core_address_text(address, text);
    return core_error_set(&gate->error, CORE_ERROR_DENIED,
                          "a redirect leads from a public address to %s, which is a %s one", text,
                          net_address_kind_name(kind));
}

static bool gate_pass(net_gate *gate, const core_address *address, unsigned port) {
    bool pass = gate->trusted ? trusted_pass(gate, address)
                              : net_guard_address_check(gate->guard, gate->allow, address, port,
                                                        &gate->error) == NET_GUARD_PASS;
    gate->is_refused = gate->is_refused || !pass;
    return pass;
}

static unsigned port_of(const struct sockaddr_storage *address) {
    if (address->ss_family == AF_INET)
        return ntohs(((const struct sockaddr_in *)(const void *)address)->sin_port);
    if (address->ss_family == AF_INET6)
        return ntohs(((const struct sockaddr_in6 *)(const void *)address)->sin6_port);
    return 0;
}

static curl_socket_t gate_open(void *context, curlsocktype purpose, struct curl_sockaddr *where) {
    net_gate *gate = context;
    struct sockaddr_storage address = {.ss_family = AF_UNSPEC};
    CORE_MAGIC_CHECK(gate, GATE_MAGIC);
    if (purpose != CURLSOCKTYPE_IPCXN || where->addrlen > sizeof address)
        return CURL_SOCKET_BAD;
    memcpy(&address, &where->addr, where->addrlen);
    core_address peer = core_address_of(&address);
    if (!gate_pass(gate, &peer, port_of(&address))) {
        errno = EACCES;
        return CURL_SOCKET_BAD;
    }
    gate->opened++;
    return socket(where->family, where->socktype | SOCK_CLOEXEC, where->protocol);
}

static int gate_request(void *context, char *remote_ip, char *local_ip, int remote_port,
                        int local_port) {
    net_gate *gate = context;
    core_address peer, inside;
    CORE_MAGIC_CHECK(gate, GATE_MAGIC);
    (void)local_ip;
    (void)local_port;
    if (!core_address_parse(core_slice_text(remote_ip), &peer) ||
        !gate_pass(gate, &peer, (unsigned)remote_port)) {
        gate->opened = 0; /* a kept connection, which is not for this request */
        gate->is_refused = true;
        return CURL_PREREQFUNC_ABORT;
    }
    gate->opened = 0; /* a further hop is a matter of its own */
    gate->is_refused = false;
    gate->hop_was_public = net_address_kind_of(&peer, &inside) == NET_KIND_PUBLIC;
    gate->is_held_back = gate->may_go != NULL && !gate->may_go(gate->may_go_context);
    return gate->is_held_back ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}

bool net_gate_options_set(CURL *easy, net_gate *gate, const char *ca_file) {
    CURLcode code = CURLE_OK;
#define SET(option, value) code = code == CURLE_OK ? curl_easy_setopt(easy, option, value) : code
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    SET(CURLOPT_USERAGENT, "walcast");
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_CAPATH, NULL); /* a file alone is read once and kept */
    if (ca_file != NULL)
        SET(CURLOPT_CAINFO, ca_file);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_QUICK_EXIT, 1L); /* a name that is being looked up is not waited for */
    SET(CURLOPT_OPENSOCKETFUNCTION, gate_open);
    SET(CURLOPT_OPENSOCKETDATA, gate);
    SET(CURLOPT_PREREQFUNCTION, gate_request);
    SET(CURLOPT_PREREQDATA, gate);
#undef SET
    return code == CURLE_OK;
}
