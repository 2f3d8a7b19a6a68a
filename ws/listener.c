/* See listener.h. Several sockets share one port by SO_REUSEPORT, and the kernel spreads clients
 * over them. That option would also let a second process of ours share it unnoticed, so the address
 * is first bound once without. */
#include "ws/listener.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define LISTENER_BACKLOG 4096

typedef struct {
    struct sockaddr_storage address;
    socklen_t length;
    int family;
} listener_address;

static bool listener_split(const char *listen, char *host, size_t host_size, const char **port) {
    const char *colon = strrchr(listen, ':');
    if (colon == NULL)
        return false;
    const char *start = listen;
    size_t length = (size_t)(colon - listen);
    if (length >= 2 && start[0] == '[' && start[length - 1] == ']') {
        start++;
        length -= 2;
    }
    *port = colon + 1;
    return length > 0 && core_slice_to_text(core_slice_make(start, length), host, host_size);
}

static bool listener_resolve(const char *listen, listener_address *found, core_error *error) {
    char host[256];
    const char *port;
    if (!listener_split(listen, host, sizeof host, &port))
        return core_error_set(error, CORE_ERROR_CONFIG, "http.listen: \"%s\" is not HOST:PORT",
                              listen);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    int failure = getaddrinfo(host, port, &hints, &list);
    if (failure != 0)
        return core_error_set(error, CORE_ERROR_CONFIG, "http.listen: cannot resolve \"%s\": %s",
                              listen, gai_strerror(failure));
    memcpy(&found->address, list->ai_addr, list->ai_addrlen);
    found->length = list->ai_addrlen;
    found->family = list->ai_family;
    freeaddrinfo(list);
    return true;
}

static int listener_bind(const listener_address *where, bool share) {
    int one = 1;
    int type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
    int fd = socket(where->family, type, 0);
    if (fd < 0)
        return -1;
    bool bound = setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == 0 &&
                 (!share || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one) == 0) &&
                 (where->family != AF_INET6 ||
                  setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one) == 0) &&
                 bind(fd, (const struct sockaddr *)&where->address, where->length) == 0;
    if (bound)
        return fd;
    int saved = errno;
    (void)close(fd);
    errno = saved;
    return -1;
}

/* The port that a bind to port 0 was given. */
static bool listener_actual(int fd, listener_address *where) {
    where->length = sizeof where->address;
    return getsockname(fd, (struct sockaddr *)&where->address, &where->length) == 0;
}

static void listener_text(const listener_address *where, char address[WS_ADDRESS_SIZE]) {
    char host[NI_MAXHOST / 4] = "?", port[NI_MAXSERV] = "?";
    (void)getnameinfo((const struct sockaddr *)&where->address, where->length, host, sizeof host,
                      port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV);
    const char *form = where->family == AF_INET6 ? "[%s]:%s" : "%s:%s";
    (void)snprintf(address, WS_ADDRESS_SIZE, form, host, port);
}

static bool listener_fail(const char *listen, int *sockets, size_t count, core_error *error) {
    int reason = errno;
    for (size_t i = 0; i < count; i++)
        (void)close(sockets[i]);
    return core_error_set(error, CORE_ERROR_CONFIG,
                          "http.listen: cannot listen on \"%s\": %s; choose another address",
                          listen, strerror(reason));
}

bool ws_listener_open(const char *listen_text, int *sockets, size_t count,
                      char address[WS_ADDRESS_SIZE], core_error *error) {
    listener_address where;
    if (!listener_resolve(listen_text, &where, error))
        return false;
    int probe = listener_bind(&where, false);
    if (probe < 0 || listen(probe, LISTENER_BACKLOG) != 0 || !listener_actual(probe, &where)) {
        sockets[0] = probe;
        return listener_fail(listen_text, sockets, probe < 0 ? 0 : 1, error);
    }
    listener_text(&where, address);
    if (count == 1) {
        sockets[0] = probe;
        return true;
    }
    (void)close(probe);
    for (size_t i = 0; i < count; i++) {
        sockets[i] = listener_bind(&where, true);
        if (sockets[i] < 0 || listen(sockets[i], LISTENER_BACKLOG) != 0)
            return listener_fail(listen_text, sockets, sockets[i] < 0 ? i : i + 1, error);
    }
    return true;
}
