/* A small HTTP server of a test's own, on 127.0.0.1 or `host`: one connection at a time on one
 * thread, one answer a connection, given by the test as bytes; or several while `keeps` is set. */
#ifndef WALCAST_TESTS_UNIT_LIB_HTTP_SERVER_H
#define WALCAST_TESTS_UNIT_LIB_HTTP_SERVER_H

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct test_server test_server;
struct test_server {
    void (*answer)(test_server *server, int fd, const char *path);
    void *context;
    const char *host; /* NULL: 127.0.0.1 */
    bool keeps;       /* the connection for further requests */
    unsigned port;    /* 0: any */
    atomic_uint requests;
    int listener;
    atomic_int connection; /* that is open now; 0: none */
    pthread_t thread;
};

/* What the client does not take any more is lost. */
static inline void test_server_say(int fd, const char *text) {
    size_t length = strlen(text);
    while (length > 0) {
        ssize_t sent = send(fd, text, length, MSG_NOSIGNAL);
        if (sent <= 0)
            return;
        text += sent;
        length -= (size_t)sent;
    }
}

/* Until the client has enough of waiting. */
static inline void test_server_hang(int fd) {
    char byte;
    while (recv(fd, &byte, 1, 0) > 0)
        ;
}

static inline void *test_server_thread(void *context) {
    test_server *server = context;
    int fd;
    while ((fd = accept(server->listener, NULL, NULL)) >= 0) {
        char request[2048], path[256] = "";
        ssize_t length;
        atomic_store(&server->connection, fd);
        do {
            length = recv(fd, request, sizeof request - 1, 0);
            request[length > 0 ? length : 0] = '\0';
            if (length > 0 || !server->keeps)
                atomic_fetch_add(&server->requests, 1);
            if (sscanf(request, "%*[A-Z] %255s", path) == 1)
                server->answer(server, fd, path);
        } while (server->keeps && length > 0);
        (void)shutdown(fd, SHUT_WR);
        test_server_hang(fd);
        atomic_store(&server->connection, 0);
        (void)close(fd);
    }
    return NULL;
}

/* 0: it listens on server->port. */
static inline int test_server_start(test_server *server) {
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)server->port),
                                  .sin_addr.s_addr =
                                      inet_addr(server->host != NULL ? server->host : "127.0.0.1")};
    socklen_t length = sizeof address;
    server->listener = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(server->listener, (struct sockaddr *)&address, length) != 0 ||
        listen(server->listener, 8) != 0 ||
        getsockname(server->listener, (struct sockaddr *)&address, &length) != 0)
        return -1;
    server->port = ntohs(address.sin_port);
    return pthread_create(&server->thread, NULL, test_server_thread, server);
}

/* Also while a client still holds a connection, as one of a test that failed does. */
static inline int test_server_stop(test_server *server) {
    int connection = atomic_load(&server->connection);
    (void)shutdown(server->listener, SHUT_RDWR);
    if (connection > 0)
        (void)shutdown(connection, SHUT_RDWR);
    (void)pthread_join(server->thread, NULL);
    return close(server->listener);
}

#endif
