/* A connection's inside, for this room's other files. */
#ifndef WALCAST_FANOUT_CONNECTION_H
#define WALCAST_FANOUT_CONNECTION_H

#include "fanout/fanout.h"
#include "fanout/status.h"

#include <pthread.h>
#include <stdatomic.h>

/* One natsConnection. nats.c reconnects it by itself, but closes it for good when the server
 * refuses it twice (a password changed, a token expired); then another takes its place. */
typedef struct {
    natsConnection *nats;
    jsCtx *jetstream;
} fanout_session;

/* How many former sessions are kept, since another thread may be in a call on one. */
#define FANOUT_SESSIONS 16

struct fanout_connection {
    uint32_t magic;
    const core_config *config;
    core_log *log;
    core_metrics *metrics;
    char name[FANOUT_NAME_MAX];
    fanout_session sessions[FANOUT_SESSIONS]; /* by number modulo; written by one thread */
    atomic_uint session;    /* the number of the one in use; consumers of another begin anew */
    atomic_bool alive;      /* its socket is up */
    atomic_uint reconnects; /* a consumer that sees it grow begins anew */
    atomic_int open;        /* sessions that nats.c may still call us for */
    atomic_bool stopping;
    pthread_mutex_t lock; /* guards the two below, and `stopping` against a new renewer */
    bool has_renewer;
    pthread_t renewer;
    int stop_fd; /* readable once stopping */
};

/* The session in use. Calls on one that was closed fail; nothing dangles. */
natsConnection *fanout_nats(const fanout_connection *connection);
jsCtx *fanout_jetstream(const fanout_connection *connection);

/* The last message that the stream holds on one subject; NULL: there is none. The caller destroys
 * it. */
CORE_MUST_CHECK bool fanout_last_message(fanout_connection *connection, const char *stream,
                                         const char *subject, natsMsg **message, core_error *error);

/* nats.c's options from `nats.url`, `nats.creds`, `nats.tls_*` and `nats.connect_timeout`, without
 * callbacks. The caller destroys them after connecting. */
CORE_MUST_CHECK natsOptions *fanout_options_new(const core_config *config, const char *name,
                                                core_error *error);
/* "nats.url nats://user:***@host (walcast.yaml:3)", for messages. */
void fanout_options_describe(const core_config *config, char *text, size_t text_size);
/* natsConnection_Connect, which with nats.creds fails about once in 250 times although all is
 * right: measured with nats.c 3.4.1, whose signature under the server's nonce is then not accepted.
 * So a refusal is believed when it comes five times in a row. */
natsStatus fanout_connect(natsConnection **nats, natsOptions *options);

#endif
