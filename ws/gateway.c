/* The role `ws`: the one consumer of the change stream behind all realtime clients of this process.
 *
 * Its own thread connects to NATS, waits for the stream to exist, and starts an ordered consumer at
 * the stream's tail, which feeds the hub. Whatever breaks is tried again with backoff. When the
 * consumer lost its place, every channel is told to join again, and a new consumer starts at the
 * tail; the hub answers joins only while one runs. */
#include "ws/gateway.h"

#include "fanout/fanout.h"
#include "ws/hub.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define GATEWAY_MAGIC       0x6a7e3a70u
#define GATEWAY_FIRST_MS    50
#define GATEWAY_LONGEST_MS  5000
#define GATEWAY_LOOK_MS     500 /* between two looks at whether the connection is up */
#define GATEWAY_REASON_SIZE 256

typedef enum {
    GATEWAY_CONNECTING,
    GATEWAY_NO_STREAM, /* connected; the stream is not there yet */
    GATEWAY_LIVE,
    GATEWAY_DISCONNECTED, /* the consumer stands, NATS is away */
    GATEWAY_STOPPED,
} gateway_state;

struct ws_gateway {
    uint32_t magic;
    core_role role;
    ws_server *server;
    unsigned source;
    const core_config *config;
    core_log *log;
    core_metrics *metrics;
    ws_hub *hub;
    char filter[CORE_SUBJECT_MAX];
    int wake_fd; /* eventfd: stop, or the consumer lost its place */
    atomic_int state;
    atomic_bool stop;
    atomic_bool lost;
    atomic_bool draining;
    bool started;
    pthread_t thread;
    /* The gateway thread's own. */
    fanout_connection *connection;
    fanout_ordered *consumer;
    core_assembly assembly;              /* the delivery thread's while there is a consumer */
    fanout_ordered *histories[WS_LANES]; /* of the hub's readers; NULL: none */
    fanout_bus *bus;                     /* to the other gateways */
    bool told_realtime;
    int told_state;
};

auth_access *ws_gateway_access(const ws_gateway *gateway) {
    return ws_hub_access(gateway->hub);
}

static ws_gateway *gateway_of(core_role *role) {
    ws_gateway *gateway = (ws_gateway *)(void *)((char *)role - offsetof(ws_gateway, role));
    CORE_MAGIC_CHECK(gateway, GATEWAY_MAGIC);
    return gateway;
}

static void gateway_wake(ws_gateway *gateway) {
    uint64_t one = 1;
    ssize_t put = write(gateway->wake_fd, &one, sizeof one);
    (void)put; /* EAGAIN: it is readable already */
}

/* Waits up to `timeout_ms`, less when woken. */
static void gateway_wait(ws_gateway *gateway, int64_t timeout_ms) {
    struct pollfd fd = {.fd = gateway->wake_fd, .events = POLLIN};
    if (poll(&fd, 1, (int)timeout_ms) > 0) {
        uint64_t count;
        ssize_t got = read(gateway->wake_fd, &count, sizeof count);
        (void)got;
    }
}

/* ---- The consumer's thread ---- */

/* Rows of snapshots go to nobody here, and come many times faster than changes: told by the
 * subject, so that no live change waits behind their decoding. */
static bool is_of_snapshot(const char *subject) {
    const char *op = strrchr(subject, '.');
    return op != NULL && core_op_parse(core_slice_text(op + 1)) == CORE_OP_READ;
}

static void gateway_on_message(void *context, const fanout_message *message) {
    ws_gateway *gateway = context;
    CORE_MAGIC_CHECK(gateway, GATEWAY_MAGIC);
    core_slice whole;
    if (is_of_snapshot(message->subject))
        return;
    core_error error = {.text = ""};
    switch (core_assembly_feed(&gateway->assembly, message->payload, message->sequence, &whole,
                               &error)) {
    case CORE_ASSEMBLY_WHOLE:
        ws_hub_feed(gateway->hub, whole, message->sequence);
        break;
    case CORE_ASSEMBLY_MORE:
        break;
    case CORE_ASSEMBLY_REFUSED:
        CORE_LOG(gateway->log, ERROR, "ws", "a row of the stream cannot be delivered",
                 CORE_LOG_TEXT("error", error.text));
        ws_hub_feed_lost(gateway->hub);
        break;
    }
}

static void gateway_on_lost(void *context, const core_error *reason) {
    ws_gateway *gateway = context;
    CORE_MAGIC_CHECK(gateway, GATEWAY_MAGIC);
    CORE_LOG(gateway->log, WARN, "ws", "the consumer lost its place in the change stream",
             CORE_LOG_TEXT("reason", reason->text));
    ws_hub_set_live(gateway->hub, false);
    ws_hub_feed_lost(gateway->hub);
    atomic_store(&gateway->lost, true);
    gateway_wake(gateway);
}

/* ---- History, for those who come back ---- */

static void history_on_message(void *context, const fanout_message *message) {
    core_slice payload =
        is_of_snapshot(message->subject) ? core_slice_make(NULL, 0) : message->payload;
    hub_reader_feed(context, payload, message->sequence, message->pending == 0);
}

static void history_on_lost(void *context, const core_error *reason) {
    (void)reason; /* the consumer has logged it */
    hub_reader_feed_lost(context);
}

static void gateway_history_open(ws_gateway *gateway, size_t index) {
    hub_reader *reader = ws_hub_reader(gateway->hub, index);
    core_error error = {.code = CORE_ERROR_TRANSIENT, .text = "there is no connection to NATS"};
    fanout_ordered_spec spec = {
        .stream = core_config_text(gateway->config, "nats.stream"),
        .filter = gateway->filter,
        .from = FANOUT_FROM_SEQUENCE,
        .sequence = reader->from,
        .on_message = history_on_message,
        .on_lost = history_on_lost,
        .context = reader,
    };
    if (gateway->connection != NULL)
        gateway->histories[index] =
            fanout_ordered_new(gateway->connection, &spec, gateway->log, &error);
    if (gateway->histories[index] == NULL)
        CORE_LOG(gateway->log, INFO, "ws", "history that a client asked for cannot be read",
                 CORE_LOG_NUMBER("from", reader->from), CORE_LOG_TEXT("reason", error.text));
    if (gateway->histories[index] == NULL && error.code == CORE_ERROR_TRANSIENT)
        return; /* tried again with the next look, as long as the hub wants it */
    hub_reader_opened(reader, gateway->histories[index] != NULL);
}

/* Opens what is wanted and closes what was let go. */
static void gateway_histories(ws_gateway *gateway) {
    for (size_t i = 0; i < WS_LANES; i++) {
        hub_reader *reader = ws_hub_reader(gateway->hub, i);
        switch (hub_reader_stands(reader)) {
        case HUB_READER_WANTED:
            gateway_history_open(gateway, i);
            break;
        case HUB_READER_LET_GO:
            fanout_ordered_free(gateway->histories[i]);
            gateway->histories[i] = NULL;
            hub_reader_closed(reader);
            break;
        default:
            break;
        }
    }
}

static void gateway_histories_end(ws_gateway *gateway) {
    for (size_t i = 0; i < WS_LANES; i++) {
        if (gateway->histories[i] == NULL)
            continue;
        hub_reader_feed_lost(ws_hub_reader(gateway->hub, i));
        fanout_ordered_free(gateway->histories[i]);
        gateway->histories[i] = NULL;
    }
}

static void gateway_on_readers(void *context) {
    ws_gateway *gateway = context;
    CORE_MAGIC_CHECK(gateway, GATEWAY_MAGIC);
    gateway_wake(gateway);
}

/* ---- The gateway's thread ---- */

static void gateway_disconnect(ws_gateway *gateway) {
    ws_hub_set_live(gateway->hub, false);
    gateway_histories_end(gateway);
    fanout_ordered_free(gateway->consumer);
    gateway->consumer = NULL;
}

/* The change stream as it stands. False when there is none, or one of that name is not ours. */
static bool gateway_look(ws_gateway *gateway, fanout_stream_info *info, core_error *error) {
    char subjects[CORE_SUBJECT_MAX];
    fanout_stream_spec spec = fanout_stream_change_spec(gateway->config, subjects, sizeof subjects);
    bool exists;
    if (!fanout_stream_check(gateway->connection, &spec, &exists, info, error))
        return false;
    return exists ||
           core_error_set(error, CORE_ERROR_TRANSIENT, "stream %s does not exist yet", spec.name);
}

/* The epoch of a message of the stream, "" of one that cannot be read. */
static void gateway_epoch(core_slice payload, char epoch[CORE_EPOCH_TEXT_SIZE]) {
    core_arena arena;
    core_run run = {.epoch = ""};
    core_error error;
    core_arena_init(&arena, 65536, WS_HUB_MESSAGE_BYTES * 4);
    if (core_run_decode(payload, &arena, &run, &error))
        memcpy(epoch, run.epoch, sizeof run.epoch);
    core_arena_fini(&arena);
}

/* Behind the stream's last message; when that is a part of a row, with the row's first part: it
 * will be whole only after the joins that are answered now. */
static bool gateway_begin(ws_gateway *gateway, const char *stream, uint64_t *sequence,
                          core_error *error) {
    fanout_stream_info info;
    char epoch[CORE_EPOCH_TEXT_SIZE] = "";
    if (!gateway_look(gateway, &info, error))
        return false;
    *sequence = info.last_sequence + 1;
    if (info.messages == 0) {
        ws_hub_feed_begin(gateway->hub, info.last_sequence, epoch);
        return true;
    }
    core_buffer payload;
    bool ends = true;
    core_buffer_init(&payload, WS_HUB_MESSAGE_BYTES * 2); /* nats-server's own limit */
    bool found =
        fanout_stream_message(gateway->connection, stream, info.last_sequence, &payload, error);
    uint64_t first = core_assembly_first(core_buffer_slice(&payload), info.last_sequence, &ends);
    if (found)
        gateway_epoch(core_buffer_slice(&payload), epoch);
    core_buffer_fini(&payload);
    if (!ends)
        *sequence = first;
    ws_hub_feed_begin(gateway->hub, *sequence - 1, epoch);
    return found || error->code == CORE_ERROR_INPUT; /* aged away meanwhile */
}

static bool gateway_consume(ws_gateway *gateway, core_error *error) {
    fanout_ordered_spec spec = {
        .stream = core_config_text(gateway->config, "nats.stream"),
        .filter = gateway->filter,
        .from = FANOUT_FROM_SEQUENCE,
        .on_message = gateway_on_message,
        .on_lost = gateway_on_lost,
        .context = gateway,
    };
    atomic_store(&gateway->state, GATEWAY_NO_STREAM);
    if (!gateway_begin(gateway, spec.stream, &spec.sequence, error))
        return false;
    atomic_store(&gateway->lost, false);
    core_assembly_reset(&gateway->assembly);
    gateway->consumer = fanout_ordered_new(gateway->connection, &spec, gateway->log, error);
    return gateway->consumer != NULL;
}

/* ---- The other gateways ---- */

static void bus_on_message(void *context, const char *subject, core_slice payload) {
    ws_gateway *gateway = context;
    CORE_MAGIC_CHECK(gateway, GATEWAY_MAGIC);
    ws_hub_hear(gateway->hub, subject, payload);
}

static void bus_on_dropped(void *context, uint64_t count) {
    ws_gateway *gateway = context;
    CORE_MAGIC_CHECK(gateway, GATEWAY_MAGIC);
    core_metrics_add(gateway->metrics, CORE_METRIC_WS_BUS_LOST, (int64_t)count);
    ws_hub_hear_lost(gateway->hub);
}

static void bus_on_reconnected(void *context) {
    ws_gateway *gateway = context;
    CORE_MAGIC_CHECK(gateway, GATEWAY_MAGIC);
    ws_hub_hear_lost(gateway->hub);
}

/* Without the stream of stored broadcasts all works but their replay. */
static void gateway_make_realtime(ws_gateway *gateway) {
    char name[FANOUT_NAME_MAX], subjects[CORE_SUBJECT_MAX];
    fanout_stream_info info;
    core_error error = {.text = ""};
    fanout_stream_spec spec =
        fanout_stream_realtime_spec(gateway->config, name, subjects, sizeof subjects);
    spec.keeps_limits = true;
    if (fanout_stream_ensure(gateway->connection, &spec, &info, &error) || gateway->told_realtime)
        return;
    gateway->told_realtime = true;
    CORE_LOG(gateway->log, WARN, "ws", "broadcasts cannot be stored for replay",
             CORE_LOG_TEXT("error", error.text));
}

static bool gateway_open_bus(ws_gateway *gateway, core_error *error) {
    const core_subject_scope scope = core_subject_scope_of(gateway->config);
    char filter[CORE_SUBJECT_MAX];
    if (!core_subject_filter_realtime(&scope, filter))
        return core_error_set(error, CORE_ERROR_CONFIG, "nats.prefix makes too long a subject");
    const fanout_bus_spec spec = {.filter = filter,
                                  .on_message = bus_on_message,
                                  .on_dropped = bus_on_dropped,
                                  .on_reconnected = bus_on_reconnected,
                                  .context = gateway};
    gateway_make_realtime(gateway);
    gateway->bus = fanout_bus_new(gateway->connection, &spec, error);
    if (gateway->bus != NULL)
        ws_hub_set_bus(gateway->hub, gateway->bus, gateway->connection);
    return gateway->bus != NULL;
}

static bool gateway_open(ws_gateway *gateway, core_error *error) {
    if (gateway->connection == NULL) {
        atomic_store(&gateway->state, GATEWAY_CONNECTING);
        gateway->connection = fanout_connection_new(gateway->config, "walcast ws", gateway->log,
                                                    gateway->metrics, error);
    }
    return gateway->connection != NULL &&
           (gateway->bus != NULL || gateway_open_bus(gateway, error)) &&
           gateway_consume(gateway, error);
}

/* Until the consumer loses its place, or a stop. */
static void gateway_serve(ws_gateway *gateway) {
    ws_hub_set_live(gateway->hub, true);
    CORE_LOG(gateway->log, INFO, "ws", "following the change stream",
             CORE_LOG_TEXT("filter", gateway->filter));
    while (!atomic_load(&gateway->stop) && !atomic_load(&gateway->lost)) {
        bool alive = fanout_connection_alive(gateway->connection);
        atomic_store(&gateway->state, alive ? GATEWAY_LIVE : GATEWAY_DISCONNECTED);
        gateway_histories(gateway);
        gateway_wait(gateway, GATEWAY_LOOK_MS);
    }
    ws_hub_set_live(gateway->hub, false);
    fanout_ordered_free(gateway->consumer);
    gateway->consumer = NULL;
}

/* Why it is not live: once, until that changes. */
static void gateway_tell(ws_gateway *gateway, const core_error *error) {
    int state = atomic_load(&gateway->state);
    if (gateway->told_state == state)
        return;
    gateway->told_state = state;
    CORE_LOG(gateway->log, WARN, "ws",
             state == GATEWAY_CONNECTING ? "cannot connect to NATS, trying again"
                                         : "waiting for the change stream",
             CORE_LOG_TEXT("reason", error->text));
}

static void *gateway_run(void *context) {
    ws_gateway *gateway = context;
    CORE_MAGIC_CHECK(gateway, GATEWAY_MAGIC);
    (void)pthread_setname_np(pthread_self(), "walcast-gateway");
    core_backoff backoff;
    core_backoff_init(&backoff, GATEWAY_FIRST_MS, GATEWAY_LONGEST_MS, (uint64_t)(uintptr_t)gateway);
    while (!atomic_load(&gateway->stop)) {
        core_error error = {.text = ""};
        if (gateway_open(gateway, &error)) {
            core_backoff_reset(&backoff);
            gateway->told_state = GATEWAY_LIVE;
            gateway_serve(gateway);
            continue;
        }
        gateway_tell(gateway, &error);
        gateway_histories(gateway);
        gateway_wait(gateway, core_backoff_next_ms(&backoff));
    }
    gateway_disconnect(gateway);
    return NULL;
}

/* ---- The role ---- */

static bool gateway_start(core_role *role, core_error *error) {
    ws_gateway *gateway = gateway_of(role);
    int failure = pthread_create(&gateway->thread, NULL, gateway_run, gateway);
    if (failure != 0)
        return core_error_set(error, CORE_ERROR_INTERNAL, "cannot start the gateway's thread: %s",
                              strerror(failure));
    gateway->started = true;
    ws_server_attach(gateway->server, gateway->source, gateway);
    return true;
}

static core_readiness gateway_ready(core_role *role, char *reason, size_t reason_size) {
    static const char *const reasons[] = {
        [GATEWAY_CONNECTING] = "connecting to NATS",
        [GATEWAY_NO_STREAM] = "waiting for the change stream; the log says why",
        [GATEWAY_DISCONNECTED] = "NATS is away, reconnecting",
        [GATEWAY_STOPPED] = "not started",
    };
    const ws_gateway *gateway = gateway_of(role);
    int state = atomic_load(&gateway->state);
    bool known = auth_verifier_known(ws_server_verifier(gateway->server));
    if (state == GATEWAY_LIVE && known)
        return CORE_READY_YES;
    (void)snprintf(reason, reason_size, "%s",
                   state != GATEWAY_LIVE
                       ? reasons[state]
                       : "reading API keys and revocations; the log says why it takes long");
    return CORE_READY_NO;
}

static void gateway_drain(core_role *role) {
    atomic_store(&gateway_of(role)->draining, true); /* the server closes the clients */
}

static bool gateway_drained(core_role *role) {
    ws_gateway *gateway = gateway_of(role);
    return atomic_load(&gateway->draining) && ws_server_drained(gateway->server);
}

static void gateway_free(ws_gateway *gateway) {
    if (gateway->bus != NULL) /* its threads call into the hub */
        fanout_bus_silence(gateway->bus);
    ws_hub_free(gateway->hub); /* says its last word on the bus */
    fanout_bus_free(gateway->bus);
    fanout_connection_free(gateway->connection);
    core_assembly_fini(&gateway->assembly);
    if (gateway->wake_fd >= 0)
        (void)close(gateway->wake_fd);
    gateway->magic = 0;
    free(gateway);
}

static void gateway_stop(core_role *role) {
    ws_gateway *gateway = gateway_of(role);
    atomic_store(&gateway->stop, true);
    ws_hub_stop_feeding(gateway->hub);
    gateway_wake(gateway);
    if (gateway->started)
        (void)pthread_join(gateway->thread, NULL);
    ws_server_detach(gateway->server, gateway->source);
    gateway_free(gateway);
}

static bool gateway_filter(ws_gateway *gateway, core_error *error) {
    const core_subject_scope scope = core_subject_scope_of(gateway->config);
    return core_subject_filter(&scope, gateway->filter) ||
           core_error_set(error, CORE_ERROR_CONFIG,
                          "nats.prefix, project and environment make too "
                          "long a subject");
}

core_role *ws_gateway_role_new(ws_server *server, const ws_gateway_spec *spec, core_error *error) {
    ws_gateway *gateway = calloc(1, sizeof *gateway);
    if (gateway == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "out of memory");
        return NULL;
    }
    *gateway = (ws_gateway){.magic = GATEWAY_MAGIC,
                            .server = server,
                            .source = spec->source,
                            .config = spec->config,
                            .log = spec->log,
                            .metrics = spec->metrics,
                            .state = GATEWAY_STOPPED,
                            .told_state = GATEWAY_STOPPED,
                            .wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
    core_assembly_init(&gateway->assembly,
                       (size_t)core_config_integer(spec->config, "cdc.max_row_bytes"));
    gateway->role = (core_role){.name = "ws",
                                .start = gateway_start,
                                .ready = gateway_ready,
                                .drain = gateway_drain,
                                .drained = gateway_drained,
                                .stop = gateway_stop};
    if (gateway->wake_fd < 0)
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "eventfd: %s", strerror(errno));
    else if (gateway_filter(gateway, error))
        gateway->hub = ws_hub_new(server, spec, gateway_on_readers, gateway, error);
    if (gateway->hub != NULL)
        return &gateway->role;
    gateway_free(gateway);
    return NULL;
}
