/* One connection to NATS: made from the configuration, kept up by nats.c's own reconnecting.
 *
 * Happy path: connect within the time limit, JetStream context, log line. Afterwards nats.c
 * reconnects for ever; requests that are under way when the socket dies fail at once. Its callbacks
 * come on a thread of its own and may come late, so _free waits for the last of them ("closed")
 * before it lets go of the memory they point to. */
#include "fanout/connection.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CONNECTION_MAGIC UINT32_C(0x636f6e6e)

enum {
    RECONNECT_WAIT_MS = 250,
    RECONNECT_JITTER_MS = 250,
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

static void connection_on_disconnected(natsConnection *nats, void *closure) {
    fanout_connection *connection = connection_of(closure);
    (void)nats;
    connection_set_alive(connection, false);
    if (atomic_load(&connection->closing))
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
    atomic_store(&connection->closed, true);
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
        status = natsOptions_SetMaxReconnect(options, -1);
    if (status == NATS_OK)
        status = natsOptions_SetReconnectWait(options, RECONNECT_WAIT_MS);
    if (status == NATS_OK)
        status = natsOptions_SetReconnectJitter(options, RECONNECT_JITTER_MS, RECONNECT_JITTER_MS);
    if (status == NATS_OK)
        status = natsOptions_SetFailRequestsOnDisconnect(options, true);
    return status;
}

/* nats.c posts "closed" last, so after it no callback can touch us. */
static void connection_close(fanout_connection *connection) {
    static const struct timespec step = {.tv_nsec = CLOSE_STEP_MS * CORE_NS_PER_MS};
    if (connection->nats == NULL)
        return;
    atomic_store(&connection->closing, true);
    natsConnection_Close(connection->nats);
    while (!atomic_load(&connection->closed))
        (void)nanosleep(&step, NULL);
    natsConnection_Destroy(connection->nats);
}

static bool connection_open(fanout_connection *connection, const core_config *config,
                            natsOptions *options, core_error *error) {
    char object[DESCRIPTION_MAX];
    natsStatus status = connection_callbacks(connection, options);
    if (status == NATS_OK)
        status = natsConnection_Connect(&connection->nats, options);
    if (status == NATS_OK) {
        connection_set_alive(connection, true);
        jsOptions limits;
        status = jsOptions_Init(&limits);
        limits.Wait = core_config_integer(config, "nats.connect_timeout");
        if (status == NATS_OK)
            status = natsConnection_JetStream(&connection->jetstream, connection->nats, &limits);
    }
    fanout_options_describe(config, object, sizeof object);
    if (status != NATS_OK)
        return fanout_status_error(error, status, 0, "connect to", object);
    CORE_LOG(connection->log, INFO, "fanout", "connected to NATS",
             CORE_LOG_TEXT("connection", connection->name), CORE_LOG_TEXT("to", object));
    return true;
}

fanout_connection *fanout_connection_new(const core_config *config, const char *name, core_log *log,
                                         core_metrics *metrics, core_error *error) {
    natsOptions *options = fanout_options_new(config, name, error);
    if (options == NULL)
        return NULL;
    fanout_connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "no memory for a connection to NATS");
        natsOptions_Destroy(options);
        return NULL;
    }
    connection->magic = CONNECTION_MAGIC;
    connection->log = log;
    connection->metrics = metrics;
    (void)snprintf(connection->name, sizeof connection->name, "%s", name);
    bool opened = connection_open(connection, config, options, error);
    natsOptions_Destroy(options);
    if (opened)
        return connection;
    fanout_connection_free(connection);
    return NULL;
}

void fanout_connection_free(fanout_connection *connection) {
    if (connection == NULL)
        return;
    CORE_MAGIC_CHECK(connection, CONNECTION_MAGIC);
    jsCtx_Destroy(connection->jetstream);
    connection_close(connection);
    connection->magic = 0;
    free(connection);
}

bool fanout_connection_alive(const fanout_connection *connection) {
    return atomic_load(&connection->alive);
}

int64_t fanout_connection_max_payload(const fanout_connection *connection) {
    return natsConnection_GetMaxPayload(connection->nats);
}
