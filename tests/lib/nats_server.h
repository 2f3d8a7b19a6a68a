/* A private nats-server with JetStream for a test in C: a random port on 127.0.0.1, a store of its
 * own under a temporary directory, ended with the test's process whatever becomes of that. */
#ifndef WALCAST_TESTS_LIB_NATS_SERVER_H
#define WALCAST_TESTS_LIB_NATS_SERVER_H

#include <stdbool.h>
#include <sys/types.h>

typedef struct {
    pid_t pid; /* 0: not running */
    int port;
    char directory[96];
    char url[64]; /* nats://127.0.0.1:PORT */
} nats_server;

/* `extra`: further lines of the configuration file, NULL for none. Aborts the test's process, with
 * the reason on stderr, when the server cannot be made: no test can go on then. */
void nats_server_start(nats_server *server, const char *extra);
/* SIGKILL; the store stays. */
void nats_server_kill(nats_server *server);
/* SIGSTOP, and waits until it stands still; its sockets stay open. */
void nats_server_pause(nats_server *server);
void nats_server_resume(nats_server *server);
/* Starts it again on the same port and store; waits until it takes connections. */
void nats_server_restart(nats_server *server);
/* Writes another configuration file for the next restart. */
void nats_server_configure(nats_server *server, const char *extra);
/* Kills it and removes its directory. */
void nats_server_remove(nats_server *server);

#endif
