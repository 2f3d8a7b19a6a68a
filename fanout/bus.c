/* The bus between gateways; see fanout.h.
 *
 * Happy path: a subscription, and a thread that waits for its messages and gives them on under the
 * bus's lock. It is one for all, since two would not keep the order of what one sender says.
 * Publishing puts a copy into a bounded queue; one thread hands it to nats.c, which may have to
 * wait for the socket.
 *
 * Failure: nats.c brings the subscription back after a reconnect, and the listener makes it anew
 * when the connection got another session; then the owner is told that it missed something. One
 * whose owner is slow loses messages at its limits (nats.c drops the new ones), which is counted,
 * logged and told. While the connection is down publishing is refused: nats.c would keep it for
 * later, when nobody wants it any more. */
#include "fanout/bus_queue.h"
#include "fanout/connection.h"
#include "fanout/subscription.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define BUS_MAGIC UINT32_C(0x66627573)

enum {
    WAIT_MS = 250, /* how late a reconnect is seen */
    RETRY_MS = 100,
    FLUSH_ON_FREE_MS = 1000,
    PENDING_MESSAGES = 65536,
    PENDING_BYTES = 32 * 1024 * 1024,
};

struct fanout_bus {
    uint32_t magic;
    fanout_connection *connection;
    fanout_bus_spec spec;
    char filter[CORE_SUBJECT_MAX];
    atomic_int_fast64_t max_payload; /* asking nats.c for it can wait for a write */
    pthread_mutex_t lock;            /* held while a callback runs */
    bool silent;                     /* under the lock: the owner is told nothing any more */
    atomic_bool stopping;
    int stop_fd;                    /* readable once stopping */
    natsSubscription *subscription; /* written under the lock */
    unsigned session;               /* of the connection, that it was made on */
    unsigned reconnects;            /* told to the owner */
    int64_t dropped;                /* told */
    pthread_t listener;
    bool listener_started;
    fanout_bus_queue queue;
    pthread_t sender;
    bool sender_started;
};

/* ---- listening ---- */

static bool bus_stopped(const fanout_bus *bus, int wait_ms) {
    struct pollfd stop = {.fd = bus->stop_fd, .events = POLLIN};
    return poll(&stop, 1, wait_ms) == 1;
}

static natsStatus bus_subscribe(fanout_bus *bus) {
    natsSubscription *made = NULL;
    unsigned session = atomic_load(&bus->connection->session);
    natsStatus status =
        natsConnection_SubscribeSync(&made, fanout_nats(bus->connection), bus->filter);
    if (status == NATS_OK)
        status = natsSubscription_SetPendingLimits(made, bus->spec.max_pending_messages,
                                                   bus->spec.max_pending_bytes);
    if (status != NATS_OK) {
        natsSubscription_Destroy(made);
        return status;
    }
    (void)pthread_mutex_lock(&bus->lock);
    natsSubscription *old = bus->subscription;
    bus->subscription = made;
    bus->session = session;
    bus->dropped = 0;
    if (atomic_load(&bus->stopping)) /* _free may have interrupted the old one */
        (void)natsSubscription_Unsubscribe(made);
    (void)pthread_mutex_unlock(&bus->lock);
    fanout_subscription_free(fanout_nats(bus->connection), old);
    return NATS_OK;
}

/* After a reconnect: makes the subscription anew if it was another session's. False: not yet. */
static bool bus_renew(fanout_bus *bus) {
    unsigned reconnects = atomic_load(&bus->connection->reconnects);
    if (reconnects == bus->reconnects)
        return true;
    if (bus->session != atomic_load(&bus->connection->session) && bus_subscribe(bus) != NATS_OK)
        return false;
    atomic_store(&bus->max_payload, fanout_connection_max_payload(bus->connection));
    bus->reconnects = reconnects;
    (void)pthread_mutex_lock(&bus->lock);
    if (!bus->silent && bus->spec.on_reconnected != NULL)
        bus->spec.on_reconnected(bus->spec.context);
    (void)pthread_mutex_unlock(&bus->lock);
    return true;
}

static void bus_deliver(fanout_bus *bus, natsMsg *message) {
    core_slice payload =
        core_slice_make(natsMsg_GetData(message), (size_t)natsMsg_GetDataLength(message));
    core_metrics_add(bus->connection->metrics, CORE_METRIC_FANOUT_BUS_RECEIVED, 1);
    (void)pthread_mutex_lock(&bus->lock);
    const char *reply = natsMsg_GetReply(message);
    if (!bus->silent && bus->spec.on_request != NULL)
        bus->spec.on_request(bus->spec.context, natsMsg_GetSubject(message),
                             reply != NULL ? reply : "", payload);
    else if (!bus->silent)
        bus->spec.on_message(bus->spec.context, natsMsg_GetSubject(message), payload);
    (void)pthread_mutex_unlock(&bus->lock);
}

static void bus_tell_dropped(fanout_bus *bus) {
    int64_t dropped = 0;
    if (natsSubscription_GetDropped(bus->subscription, &dropped) != NATS_OK ||
        dropped <= bus->dropped)
        return;
    uint64_t count = (uint64_t)(dropped - bus->dropped);
    bus->dropped = dropped;
    core_metrics_add(bus->connection->metrics, CORE_METRIC_FANOUT_BUS_DROPPED, (int64_t)count);
    CORE_LOG(bus->connection->log, WARN, "fanout",
             "messages of other gateways came faster than they were taken and are lost",
             CORE_LOG_NUMBER("messages", count));
    (void)pthread_mutex_lock(&bus->lock);
    if (!bus->silent && bus->spec.on_dropped != NULL)
        bus->spec.on_dropped(bus->spec.context, count);
    (void)pthread_mutex_unlock(&bus->lock);
}

static void bus_step(fanout_bus *bus) {
    natsMsg *message = NULL;
    natsStatus status = natsSubscription_NextMsg(&message, bus->subscription, WAIT_MS);
    if (status == NATS_OK)
        bus_deliver(bus, message);
    else if (status == NATS_SLOW_CONSUMER)
        bus_tell_dropped(bus);
    else if (status != NATS_TIMEOUT) /* closed: until the connection has another session */
        (void)bus_stopped(bus, RETRY_MS);
    natsMsg_Destroy(message);
}

static void *listener_run(void *argument) {
    fanout_bus *bus = argument;
    CORE_MAGIC_CHECK(bus, BUS_MAGIC);
    while (!atomic_load(&bus->stopping)) {
        if (bus_renew(bus))
            bus_step(bus);
        else
            (void)bus_stopped(bus, RETRY_MS);
    }
    return NULL;
}

/* ---- sending ---- */

/* What fails here was taken already: the owner's state is built for loss, so it is only counted. */
static void bus_send(fanout_bus *bus, const fanout_bus_item *item) {
    natsStatus status = natsConnection_Publish(fanout_nats(bus->connection), item->subject,
                                               item->payload, (int)item->length);
    core_metrics_add(bus->connection->metrics,
                     status == NATS_OK ? CORE_METRIC_FANOUT_BUS_PUBLISHED
                                       : CORE_METRIC_FANOUT_BUS_UNPUBLISHED,
                     1);
    if (status != NATS_OK)
        CORE_LOG(bus->connection->log, WARN, "fanout",
                 "a message for other gateways was not published",
                 CORE_LOG_TEXT("subject", item->subject),
                 CORE_LOG_TEXT("error", natsStatus_GetText(status)));
}

static void *sender_run(void *argument) {
    fanout_bus *bus = argument;
    CORE_MAGIC_CHECK(bus, BUS_MAGIC);
    for (fanout_bus_item *item; (item = fanout_bus_queue_take(&bus->queue)) != NULL;) {
        for (fanout_bus_item *next; item != NULL; item = next) {
            next = item->next;
            bus_send(bus, item);
            free(item);
        }
    }
    if (fanout_connection_alive(bus->connection))
        (void)natsConnection_FlushTimeout(fanout_nats(bus->connection), FLUSH_ON_FREE_MS);
    return NULL;
}

bool fanout_bus_publish(fanout_bus *bus, const char *subject, core_slice payload,
                        core_error *error) {
    CORE_MAGIC_CHECK(bus, BUS_MAGIC);
    bool ok = fanout_connection_alive(bus->connection) ||
              core_error_set(error, CORE_ERROR_TRANSIENT,
                             "NATS is away: nothing reaches the other gateways until it is back");
    int64_t max = atomic_load(&bus->max_payload);
    if (ok && payload.length > (uint64_t)max)
        ok = core_error_set(error, CORE_ERROR_LIMIT,
                            "a message of %zu bytes for %s exceeds nats-server's max_payload "
                            "(%lld): raise max_payload there",
                            payload.length, subject, (long long)max);
    ok = ok && fanout_bus_queue_put(&bus->queue, subject, payload, error);
    if (!ok)
        core_metrics_add(bus->connection->metrics, CORE_METRIC_FANOUT_BUS_UNPUBLISHED, 1);
    return ok;
}

/* ---- life ---- */

static bool bus_begin(fanout_bus *bus, const char *filter, core_error *error) {
    if (!core_slice_to_text(core_slice_text(filter), bus->filter, sizeof bus->filter))
        return core_error_set(error, CORE_ERROR_INPUT, "filter '%.64s...' is too long", filter);
    bus->spec.filter = bus->filter;
    natsStatus status = bus_subscribe(bus);
    if (status == NATS_OK)
        status = natsConnection_FlushTimeout(
            fanout_nats(bus->connection),
            core_config_integer(bus->connection->config, "nats.connect_timeout"));
    if (status != NATS_OK)
        return fanout_status_error(error, status, 0, "subscribe to", bus->filter);
    atomic_store(&bus->max_payload, fanout_connection_max_payload(bus->connection));
    bus->listener_started = pthread_create(&bus->listener, NULL, listener_run, bus) == 0;
    bus->sender_started =
        bus->listener_started && pthread_create(&bus->sender, NULL, sender_run, bus) == 0;
    return bus->sender_started ||
           core_error_set(error, CORE_ERROR_INTERNAL, "cannot start a thread of the bus");
}

fanout_bus *fanout_bus_new(fanout_connection *connection, const fanout_bus_spec *spec,
                           core_error *error) {
    fanout_bus *bus = calloc(1, sizeof *bus);
    int stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (bus == NULL || stop_fd < 0) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "no memory or descriptor for the bus");
        free(bus);
        if (stop_fd >= 0)
            (void)close(stop_fd);
        return NULL;
    }
    bus->magic = BUS_MAGIC;
    bus->connection = connection;
    bus->spec = *spec;
    if (bus->spec.max_pending_messages == 0)
        bus->spec.max_pending_messages = PENDING_MESSAGES;
    if (bus->spec.max_pending_bytes == 0)
        bus->spec.max_pending_bytes = PENDING_BYTES;
    bus->stop_fd = stop_fd;
    bus->reconnects = atomic_load(&connection->reconnects);
    (void)pthread_mutex_init(&bus->lock, NULL);
    fanout_bus_queue_init(&bus->queue, (size_t)bus->spec.max_pending_messages,
                          (size_t)bus->spec.max_pending_bytes);
    if (bus_begin(bus, spec->filter, error))
        return bus;
    fanout_bus_free(bus);
    return NULL;
}

void fanout_bus_silence(fanout_bus *bus) {
    CORE_MAGIC_CHECK(bus, BUS_MAGIC);
    (void)pthread_mutex_lock(&bus->lock); /* a callback that runs ends first */
    bus->silent = true;
    (void)pthread_mutex_unlock(&bus->lock);
}

static void bus_stop(fanout_bus *bus) {
    fanout_bus_silence(bus);
    atomic_store(&bus->stopping, true);
    core_wake_set(bus->stop_fd);
    fanout_bus_queue_close(&bus->queue);
    (void)pthread_mutex_lock(&bus->lock);
    if (bus->subscription != NULL)
        (void)natsSubscription_Unsubscribe(bus->subscription);
    (void)pthread_mutex_unlock(&bus->lock);
    if (bus->listener_started)
        (void)pthread_join(bus->listener, NULL);
    if (bus->sender_started)
        (void)pthread_join(bus->sender, NULL);
}

void fanout_bus_free(fanout_bus *bus) {
    if (bus == NULL)
        return;
    CORE_MAGIC_CHECK(bus, BUS_MAGIC);
    bus_stop(bus);
    fanout_subscription_free(fanout_nats(bus->connection), bus->subscription);
    fanout_bus_queue_fini(&bus->queue);
    (void)pthread_mutex_destroy(&bus->lock);
    (void)close(bus->stop_fd);
    bus->magic = 0;
    free(bus);
}
