/* The bus between gateways; see fanout.h.
 *
 * Happy path: each filter is a leg, a subscription with a thread that waits for its messages and
 * gives them on under the bus's lock, so that the owner sees one at a time. Publishing puts a copy
 * into a bounded queue; one thread hands it to nats.c, which may have to wait for the socket.
 *
 * Failure: nats.c brings the subscriptions back after a reconnect, and the legs make them anew when
 * the connection got another session; once all legs stand, the owner is told that it missed
 * something. A leg whose owner is slow loses messages at its limits (nats.c drops the new ones),
 * which is counted, logged and told. While the connection is down publishing is refused: nats.c
 * would keep it for later, when nobody wants it any more. */
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

typedef struct {
    fanout_bus *bus;
    char filter[CORE_SUBJECT_MAX];
    natsSubscription *subscription; /* written under the bus's lock; NULL: to be made */
    unsigned session;               /* of the connection, that it was made on */
    unsigned reconnects;            /* seen, under the lock */
    int64_t dropped;                /* told */
    pthread_t thread;
    bool started;
} bus_leg;

struct fanout_bus {
    uint32_t magic;
    fanout_connection *connection;
    fanout_bus_spec spec;
    bus_leg legs[FANOUT_BUS_FILTERS_MAX];
    size_t leg_count;
    atomic_int_fast64_t max_payload; /* asking nats.c for it can wait for a write */
    pthread_mutex_t lock;            /* held while a callback runs */
    unsigned reconnects;             /* told to the owner */
    bool silent;                     /* under the lock: the owner is told nothing any more */
    atomic_bool stopping;
    int stop_fd; /* readable once stopping */
    fanout_bus_queue queue;
    pthread_t sender;
    bool sender_started;
};

/* ---- legs ---- */

static bool bus_stopped(const fanout_bus *bus, int wait_ms) {
    struct pollfd stop = {.fd = bus->stop_fd, .events = POLLIN};
    return poll(&stop, 1, wait_ms) == 1;
}

static natsStatus leg_subscribe(bus_leg *leg) {
    fanout_bus *bus = leg->bus;
    natsSubscription *made = NULL;
    unsigned session = atomic_load(&bus->connection->session);
    natsStatus status =
        natsConnection_SubscribeSync(&made, fanout_nats(bus->connection), leg->filter);
    if (status == NATS_OK)
        status = natsSubscription_SetPendingLimits(made, bus->spec.max_pending_messages,
                                                   bus->spec.max_pending_bytes);
    if (status != NATS_OK) {
        natsSubscription_Destroy(made);
        return status;
    }
    (void)pthread_mutex_lock(&bus->lock);
    natsSubscription *old = leg->subscription;
    leg->subscription = made;
    leg->session = session;
    leg->dropped = 0;
    if (atomic_load(&bus->stopping)) /* _free may have interrupted the old one */
        (void)natsSubscription_Unsubscribe(made);
    (void)pthread_mutex_unlock(&bus->lock);
    fanout_subscription_free(fanout_nats(bus->connection), old);
    return NATS_OK;
}

/* Once no leg is behind. With the lock. */
static void bus_tell_reconnected(fanout_bus *bus, unsigned reconnects) {
    for (size_t i = 0; i < bus->leg_count; i++)
        if (bus->legs[i].reconnects != reconnects)
            return;
    if (bus->reconnects == reconnects || bus->silent)
        return;
    bus->reconnects = reconnects;
    if (bus->spec.on_reconnected != NULL)
        bus->spec.on_reconnected(bus->spec.context);
}

/* After a reconnect: makes the subscription anew if it was another session's. False: not yet. */
static bool leg_renew(bus_leg *leg) {
    fanout_bus *bus = leg->bus;
    unsigned reconnects = atomic_load(&bus->connection->reconnects);
    if (reconnects == leg->reconnects)
        return true;
    if (leg->session != atomic_load(&bus->connection->session) && leg_subscribe(leg) != NATS_OK)
        return false;
    atomic_store(&bus->max_payload, fanout_connection_max_payload(bus->connection));
    (void)pthread_mutex_lock(&bus->lock);
    leg->reconnects = reconnects;
    bus_tell_reconnected(bus, reconnects);
    (void)pthread_mutex_unlock(&bus->lock);
    return true;
}

static void leg_deliver(bus_leg *leg, natsMsg *message) {
    fanout_bus *bus = leg->bus;
    core_slice payload =
        core_slice_make(natsMsg_GetData(message), (size_t)natsMsg_GetDataLength(message));
    core_metrics_add(bus->connection->metrics, CORE_METRIC_FANOUT_BUS_RECEIVED, 1);
    (void)pthread_mutex_lock(&bus->lock);
    if (!bus->silent)
        bus->spec.on_message(bus->spec.context, natsMsg_GetSubject(message), payload);
    (void)pthread_mutex_unlock(&bus->lock);
}

static void leg_tell_dropped(bus_leg *leg) {
    fanout_bus *bus = leg->bus;
    int64_t dropped = 0;
    if (natsSubscription_GetDropped(leg->subscription, &dropped) != NATS_OK ||
        dropped <= leg->dropped)
        return;
    uint64_t count = (uint64_t)(dropped - leg->dropped);
    leg->dropped = dropped;
    core_metrics_add(bus->connection->metrics, CORE_METRIC_FANOUT_BUS_DROPPED, (int64_t)count);
    CORE_LOG(bus->connection->log, WARN, "fanout",
             "messages of other gateways came faster than they were taken and are lost",
             CORE_LOG_TEXT("filter", leg->filter), CORE_LOG_NUMBER("messages", count));
    (void)pthread_mutex_lock(&bus->lock);
    if (!bus->silent && bus->spec.on_dropped != NULL)
        bus->spec.on_dropped(bus->spec.context, count);
    (void)pthread_mutex_unlock(&bus->lock);
}

static void leg_step(bus_leg *leg) {
    natsMsg *message = NULL;
    natsStatus status = natsSubscription_NextMsg(&message, leg->subscription, WAIT_MS);
    if (status == NATS_OK)
        leg_deliver(leg, message);
    else if (status == NATS_SLOW_CONSUMER)
        leg_tell_dropped(leg);
    else if (status != NATS_TIMEOUT) /* closed: until the connection has another session */
        (void)bus_stopped(leg->bus, RETRY_MS);
    natsMsg_Destroy(message);
}

static void *leg_run(void *argument) {
    bus_leg *leg = argument;
    CORE_MAGIC_CHECK(leg->bus, BUS_MAGIC);
    while (!atomic_load(&leg->bus->stopping)) {
        if (leg_renew(leg))
            leg_step(leg);
        else
            (void)bus_stopped(leg->bus, RETRY_MS);
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

static bool leg_begin(fanout_bus *bus, const char *filter, core_error *error) {
    bus_leg *leg = &bus->legs[bus->leg_count];
    leg->bus = bus;
    leg->reconnects = bus->reconnects;
    if (!core_slice_to_text(core_slice_text(filter), leg->filter, sizeof leg->filter))
        return core_error_set(error, CORE_ERROR_INPUT, "filter '%.64s...' is too long", filter);
    natsStatus status = leg_subscribe(leg);
    if (status != NATS_OK)
        return fanout_status_error(error, status, 0, "subscribe to", filter);
    bus->leg_count++;
    return true;
}

/* All subscriptions before the first thread: legs look at one another. */
static bool bus_begin(fanout_bus *bus, const fanout_bus_spec *spec, core_error *error) {
    for (size_t i = 0; i < spec->filter_count; i++)
        if (!leg_begin(bus, spec->filters[i], error))
            return false;
    natsStatus status = natsConnection_FlushTimeout(
        fanout_nats(bus->connection),
        core_config_integer(bus->connection->config, "nats.connect_timeout"));
    if (status != NATS_OK)
        return fanout_status_error(error, status, 0, "subscribe for", "the bus of gateways");
    atomic_store(&bus->max_payload, fanout_connection_max_payload(bus->connection));
    for (size_t i = 0; i < bus->leg_count; i++) {
        bus_leg *leg = &bus->legs[i];
        leg->started = pthread_create(&leg->thread, NULL, leg_run, leg) == 0;
        if (!leg->started)
            return core_error_set(error, CORE_ERROR_INTERNAL, "cannot start a thread of the bus");
    }
    bus->sender_started = pthread_create(&bus->sender, NULL, sender_run, bus) == 0;
    return bus->sender_started ||
           core_error_set(error, CORE_ERROR_INTERNAL, "cannot start a thread of the bus");
}

fanout_bus *fanout_bus_new(fanout_connection *connection, const fanout_bus_spec *spec,
                           core_error *error) {
    assert(spec->filter_count <= FANOUT_BUS_FILTERS_MAX);
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
    if (bus_begin(bus, spec, error))
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
    for (size_t i = 0; i < bus->leg_count; i++)
        (void)natsSubscription_Unsubscribe(bus->legs[i].subscription);
    (void)pthread_mutex_unlock(&bus->lock);
    for (size_t i = 0; i < bus->leg_count; i++)
        if (bus->legs[i].started)
            (void)pthread_join(bus->legs[i].thread, NULL);
    if (bus->sender_started)
        (void)pthread_join(bus->sender, NULL);
}

void fanout_bus_free(fanout_bus *bus) {
    if (bus == NULL)
        return;
    CORE_MAGIC_CHECK(bus, BUS_MAGIC);
    bus_stop(bus);
    for (size_t i = 0; i < bus->leg_count; i++)
        fanout_subscription_free(fanout_nats(bus->connection), bus->legs[i].subscription);
    fanout_bus_queue_fini(&bus->queue);
    (void)pthread_mutex_destroy(&bus->lock);
    (void)close(bus->stop_fd);
    bus->magic = 0;
    free(bus);
}
