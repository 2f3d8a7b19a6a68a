/* One connection to NATS: made from the configuration and kept up for ever; see fanout.h.
 *
 * Happy path: connect within the time limit, JetStream context, log line. Afterwards nats.c
 * reconnects by itself; requests that are under way when the socket dies fail at once. When nats.c
 * gives up, which it does when the server refuses it twice, a renewing thread connects anew with
 * backoff, from the files as they then are (a renewed creds file is taken).
 *
 * nats.c's callbacks come on a thread of its own and may come late, so _free waits for the last of
 * each session ("closed") before it lets go of the memory they point to. */
#include "fanout/connection.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define CONNECTION_MAGIC UINT32_C(0x636f6e6e)

enum {
    RECONNECT_WAIT_MS = 100,
    RECONNECT_JITTER_MS = 150,
    PING_MS = 20000, /* a peer that answers two of them not is gone */
    WRITE_DEADLINE_MS = 5000,
    RENEW_FIRST_MS = 500,
    RENEW_MAX_MS = 15000,
    CLOSE_STEP_MS = 1,
    DESCRIPTION_MAX = 512,
};

static fanout_connection *connection_of(void *closure) {
    fanout_connection *connection = closure;
    CORE_MAGIC_CHECK(connection, CONNECTION_MAGIC);
    return connection;
}

static void connection_set_alive(fanout_connection *connection, bool alive) {
    atomic_store(&connection->alive, alive);
    core_metrics_set(connection->metrics, CORE_METRIC_FANOUT_CONNECTED, alive ? 1 : 0);
}

static unsigned connection_slot(const fanout_connection *connection) {
    return atomic_load(&connection->session) % FANOUT_SESSIONS;
}

natsConnection *fanout_nats(const fanout_connection *connection) {
    return connection->sessions[connection_slot(connection)].nats;
}

jsCtx *fanout_jetstream(const fanout_connection *connection) {
    return connection->sessions[connection_slot(connection)].jetstream;
}

/* ---- nats.c's callbacks ---- */

static void connection_renew(fanout_connection *connection);

static void connection_on_disconnected(natsConnection *nats, void *closure) {
    fanout_connection *connection = connection_of(closure);
    (void)nats;
    connection_set_alive(connection, false);
    if (atomic_load(&connection->stopping))
        return;
    CORE_LOG(connection->log, WARN, "fanout", "disconnected from NATS, reconnecting",
             CORE_LOG_TEXT("connection", connection->name));
}

static void connection_on_reconnected(natsConnection *nats, void *closure) {
    fanout_connection *connection = connection_of(closure);
    (void)nats;
    atomic_fetch_add(&connection->reconnects, 1);
    connection_set_alive(connection, true);
    CORE_LOG(connection->log, INFO, "fanout", "reconnected to NATS",
             CORE_LOG_TEXT("connection", connection->name));
}

static void connection_on_closed(natsConnection *nats, void *closure) {
    fanout_connection *connection = connection_of(closure);
    (void)nats;
    connection_set_alive(connection, false);
    connection_renew(connection);
    atomic_fetch_sub(&connection->open, 1); /* the last touch: _free waits for it */
}

static void connection_on_error(natsConnection *nats, natsSubscription *subscription,
                                natsStatus status, void *closure) {
    fanout_connection *connection = connection_of(closure);
    const char *text = NULL;
    (void)subscription;
    if (natsConnection_GetLastError(nats, &text) == NATS_OK || text == NULL || text[0] == '\0')
        text = natsStatus_GetText(status);
    CORE_LOG(connection->log, WARN, "fanout", "NATS reports an error",
             CORE_LOG_TEXT("connection", connection->name), CORE_LOG_TEXT("error", text));
}

/* ---- one session ---- */

static natsStatus connection_callbacks(fanout_connection *connection, natsOptions *options) {
    natsStatus status =
        natsOptions_SetDisconnectedCB(options, connection_on_disconnected, connection);
    if (status == NATS_OK)
        status = natsOptions_SetReconnectedCB(options, connection_on_reconnected, connection);
    if (status == NATS_OK)
        status = natsOptions_SetClosedCB(options, connection_on_closed, connection);
    if (status == NATS_OK)
        status = natsOptions_SetErrorHandler(options, connection_on_error, connection);
    if (status == NATS_OK)
        status = natsOptions_SetPingInterval(options, PING_MS);
    if (status == NATS_OK)
        status = natsOptions_SetMaxReconnect(options, -1);
    if (status == NATS_OK)
        status = natsOptions_SetReconnectWait(options, RECONNECT_WAIT_MS);
    if (status == NATS_OK)
        status = natsOptions_SetReconnectJitter(options, RECONNECT_JITTER_MS, RECONNECT_JITTER_MS);
    if (status == NATS_OK)
        status = natsOptions_SetFailRequestsOnDisconnect(options, true);
    /* Without it a write to a server that stands still waits for ever with the connection's lock
     * held, and then its pings, which would find that out, wait too. */
    if (status == NATS_OK)
        status = natsOptions_SetWriteDeadline(options, WRITE_DEADLINE_MS);
    /* Gateways hear one another, not themselves. JetStream's answers and deliveries are the
     * server's own messages and come all the same. */
    if (status == NATS_OK)
        status = natsOptions_SetNoEcho(options, true);
    /* Here are requests, whose asker waits; without it a pull request lies for a millisecond. */
    if (status == NATS_OK)
        status = natsOptions_SetSendAsap(options, true);
    return status;
}

static void session_fini(fanout_session *session) {
    jsCtx_Destroy(session->jetstream);
    natsConnection_Destroy(session->nats);
    *session = (fanout_session){0};
}

static natsStatus session_connect(fanout_connection *connection, natsOptions *options,
                                  fanout_session *session) {
    jsOptions limits;
    natsStatus status = connection_callbacks(connection, options);
    if (status != NATS_OK)
        return status;
    atomic_fetch_add(&connection->open, 1);
    status = fanout_connect(&session->nats, options);
    if (status != NATS_OK) {
        atomic_fetch_sub(&connection->open, 1); /* of one that never was, nothing is called */
        return status;
    }
    status = jsOptions_Init(&limits);
    limits.Wait = core_config_integer(connection->config, "nats.connect_timeout");
    if (status == NATS_OK)
        status = natsConnection_JetStream(&session->jetstream, session->nats, &limits);
    return status;
}

/* Connects as session `number`; the slot's former one is long out of use. */
static bool connection_open(fanout_connection *connection, unsigned number, core_error *error) {
    char object[DESCRIPTION_MAX];
    fanout_session *session = &connection->sessions[number % FANOUT_SESSIONS];
    natsOptions *options = fanout_options_new(connection->config, connection->name, error);
    if (options == NULL)
        return false;
    session_fini(session);
    natsStatus status = session_connect(connection, options, session);
    natsOptions_Destroy(options);
    fanout_options_describe(connection->config, object, sizeof object);
    if (status != NATS_OK)
        return fanout_status_error(error, status, 0, "connect to", object);
    atomic_store(&connection->session, number);
    atomic_fetch_add(&connection->reconnects, 1);
    connection_set_alive(connection, !natsConnection_IsClosed(session->nats));
    CORE_LOG(connection->log, INFO, "fanout", "connected to NATS",
             CORE_LOG_TEXT("connection", connection->name), CORE_LOG_TEXT("to", object));
    return true;
}

/* ---- renewing ---- */

static void *connection_renew_run(void *argument) {
    fanout_connection *connection = connection_of(argument);
    struct pollfd stop = {.fd = connection->stop_fd, .events = POLLIN};
    core_backoff backoff;
    core_error error = {0};
    core_backoff_init(&backoff, RENEW_FIRST_MS, RENEW_MAX_MS, (uint64_t)(uintptr_t)connection);
    while (poll(&stop, 1, (int)core_backoff_next_ms(&backoff)) == 0) {
        if (connection_open(connection, atomic_load(&connection->session) + 1, &error))
            break;
        CORE_LOG(connection->log, WARN, "fanout", "cannot connect to NATS anew yet",
                 CORE_LOG_TEXT("connection", connection->name),
                 CORE_LOG_TEXT("reason", error.text));
    }
    return NULL;
}

/* On nats.c's callback thread, which must not wait: a thread of its own connects. The one before
 * it, if any, has done its work, since it made the session that was closed now. */
static void connection_renew(fanout_connection *connection) {
    (void)pthread_mutex_lock(&connection->lock);
    if (!atomic_load(&connection->stopping)) {
        CORE_LOG(connection->log, WARN, "fanout", "NATS closed the connection, connecting anew",
                 CORE_LOG_TEXT("connection", connection->name));
        if (connection->has_renewer)
            (void)pthread_join(connection->renewer, NULL);
        connection->has_renewer =
            pthread_create(&connection->renewer, NULL, connection_renew_run, connection) == 0;
    }
    (void)pthread_mutex_unlock(&connection->lock);
}

static void connection_stop_renewing(fanout_connection *connection) {
    uint64_t one = 1;
    (void)pthread_mutex_lock(&connection->lock);
    atomic_store(&connection->stopping, true);
    (void)pthread_mutex_unlock(&connection->lock);
    ssize_t put = write(connection->stop_fd, &one, sizeof one);
    (void)put; /* an eventfd takes its first 1 always */
    if (connection->has_renewer)
        (void)pthread_join(connection->renewer, NULL);
}

/* ---- life ---- */

fanout_connection *fanout_connection_new(const core_config *config, const char *name, core_log *log,
                                         core_metrics *metrics, core_error *error) {
    fanout_connection *connection = calloc(1, sizeof *connection);
    int stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (connection == NULL || stop_fd < 0) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL,
                             "no memory or descriptor for a connection to NATS");
        free(connection);
        if (stop_fd >= 0)
            (void)close(stop_fd);
        return NULL;
    }
    connection->magic = CONNECTION_MAGIC;
    connection->config = config;
    connection->log = log;
    connection->metrics = metrics;
    connection->stop_fd = stop_fd;
    (void)pthread_mutex_init(&connection->lock, NULL);
    (void)snprintf(connection->name, sizeof connection->name, "%s", name);
    if (connection_open(connection, 0, error))
        return connection;
    fanout_connection_free(connection);
    return NULL;
}

/* nats.c posts "closed" last, so after all of them no callback can touch us. */
static void connection_close(fanout_connection *connection) {
    static const struct timespec step = {.tv_nsec = CLOSE_STEP_MS * CORE_NS_PER_MS};
    for (unsigned number = 0; number < FANOUT_SESSIONS; number++)
        natsConnection_Close(connection->sessions[number].nats);
    while (atomic_load(&connection->open) > 0)
        (void)nanosleep(&step, NULL);
    for (unsigned number = 0; number < FANOUT_SESSIONS; number++)
        session_fini(&connection->sessions[number]);
}

void fanout_connection_free(fanout_connection *connection) {
    if (connection == NULL)
        return;
    CORE_MAGIC_CHECK(connection, CONNECTION_MAGIC);
    connection_stop_renewing(connection);
    connection_close(connection);
    (void)pthread_mutex_destroy(&connection->lock);
    (void)close(connection->stop_fd);
    connection->magic = 0;
    free(connection);
}

bool fanout_connection_alive(const fanout_connection *connection) {
    return atomic_load(&connection->alive);
}

int64_t fanout_connection_max_payload(const fanout_connection *connection) {
    return natsConnection_GetMaxPayload(fanout_nats(connection));
}
