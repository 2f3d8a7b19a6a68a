/* What gateways say to one another: broadcasts of clients and requests, and presence; see hub.h.
 *
 * A broadcast is spread here at once and handed to the bus, which brings it to the other gateways
 * and, one that is stored, into the stream of stored broadcasts. Broadcasts from SQL come to each
 * gateway with the change stream, in order with its changes, so they are not said again; when the
 * relay stores a private one the bus brings it too, and it is passed over.
 *
 * The bus may lose messages (NATS away, a gateway that is behind): presence then asks anew, and a
 * broadcast is gone, as the protocol has it. Both are counted. */
#include "ws/hub_private.h"

#include "ws/uuid.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#define BUS_RING       8192               /* messages of others that wait for the hub */
#define BUS_RING_BYTES ((size_t)64 << 20) /* the same in bytes; what finds no room is lost */
#define BUS_A_TURN     1024
#define BUS_ENVELOPE   ((size_t)1 << 20)
#define TOPIC_PREFIX   "realtime:"

/* What another gateway said. */
typedef struct {
    core_block *payload;
    core_block *tenant; /* whose topic it is; NULL: the source's own project's */
    bool presence;
} hub_heard;

static void heard_drop(const hub_heard *heard) {
    core_block_release(heard->payload);
    core_block_release(heard->tenant);
}

/* ---- The bus's threads ---- */

/* False: of no project of this source's. */
static bool heard_tenant(const ws_hub *hub, core_slice token, core_block **tenant) {
    uint8_t memory[CORE_SUBJECT_TOKEN_MAX];
    core_buffer project = core_buffer_over(memory, sizeof memory);
    char home[CORE_TENANT_SCHEMA_SIZE];
    *tenant = NULL;
    if (hub->scope.tenants.count == 0)
        return true;
    if (!core_subject_token_decode(token, &project))
        return false;
    if (core_slice_is(core_buffer_slice(&project), hub->scope.project))
        return true;
    if (!core_tenants_home(&hub->scope.tenants, core_buffer_slice(&project), home))
        return false;
    *tenant = core_block_copy(core_buffer_slice(&project));
    return *tenant != NULL;
}

void ws_hub_hear(ws_hub *hub, const char *subject, core_slice payload) {
    core_slice project;
    core_subject_realtime what = core_subject_realtime_of(&hub->scope, subject, &project);
    hub_heard heard = {.presence = what == CORE_SUBJECT_REALTIME_PRESENCE};
    if (what == CORE_SUBJECT_REALTIME_OTHERS ||
        (!heard.presence && !heard_tenant(hub, project, &heard.tenant)))
        return;
    if (atomic_load(&hub->heard_bytes) + payload.length <= BUS_RING_BYTES)
        heard.payload = core_block_copy(payload);
    if (heard.payload != NULL) {
        atomic_fetch_add(&hub->heard_bytes, payload.length); /* before the hub may let go of it */
        if (core_ring_push(hub->heard, &heard))
            return;
        atomic_fetch_sub(&hub->heard_bytes, payload.length);
    }
    heard_drop(&heard);
    core_metrics_add(hub->metrics, CORE_METRIC_WS_BUS_LOST, 1);
    ws_hub_hear_lost(hub);
}

void ws_hub_hear_lost(ws_hub *hub) {
    atomic_store(&hub->bus_lost, true);
    core_ring_wake(hub->heard);
}

void ws_hub_set_bus(ws_hub *hub, fanout_bus *bus, fanout_connection *connection) {
    ws_replayer_connect(hub->replayer, connection);
    atomic_store(&hub->bus, bus);
    ws_hub_hear_lost(hub); /* who is there is asked for */
}

/* ---- Out ---- */

static void bus_publish(ws_hub *hub, const char *subject, core_slice payload) {
    core_error error = {.text = ""};
    fanout_bus *bus = atomic_load(&hub->bus);
    if (bus == NULL || !fanout_bus_publish(bus, subject, payload, &error))
        core_metrics_add(hub->metrics, CORE_METRIC_WS_BUS_LOST, 1);
}

void hub_bus_presence(ws_hub *hub, core_slice bytes) {
    char subject[CORE_SUBJECT_MAX];
    if (core_subject_realtime_presence(&hub->scope, core_slice_text(hub->node), subject))
        bus_publish(hub, subject, bytes);
}

/* As the topic's project names subjects. */
static core_subject_scope hub_scope(const ws_hub *hub, core_slice topic) {
    core_subject_scope scope = hub->scope;
    core_slice tenant = ws_topic_tenant(topic);
    if (tenant.length > 0)
        scope.project = (const char *)tenant.data;
    return scope;
}

static void bus_broadcast(ws_hub *hub, const ws_broadcast *broadcast) {
    char subject[CORE_SUBJECT_MAX];
    core_slice channel = ws_protocol_topic(broadcast->topic);
    core_realtime_message message = {
        .environment = core_slice_text(hub->scope.environment),
        .node = core_slice_text(hub->node),
        .channel = channel,
        .event = broadcast->event,
        .payload = broadcast->payload,
        .time_us = core_clock_wall_us(hub->clock),
        .expires_us = broadcast->expires_us,
        .encoding = broadcast->json ? CORE_REALTIME_JSON : CORE_REALTIME_BYTES,
        .origin = CORE_REALTIME_SOCKET,
        .is_private = broadcast->private_channel,
        .pushed = broadcast->pushed,
    };
    memcpy(message.id, broadcast->id, sizeof message.id);
    core_buffer_reset(&hub->envelope);
    core_subject_scope scope = hub_scope(hub, broadcast->topic);
    bool fits = broadcast->stored ? core_subject_realtime_stored(&scope, channel, subject)
                                  : core_subject_realtime_live(&scope, channel, subject);
    if (fits && core_realtime_message_write(&message, &hub->envelope))
        bus_publish(hub, subject, core_buffer_slice(&hub->envelope));
    else
        core_metrics_add(hub->metrics, CORE_METRIC_WS_BUS_LOST, 1);
}

void hub_say(ws_hub *hub, ws_broadcast *broadcast) {
    if (broadcast->private_channel && broadcast->id[0] == '\0' && broadcast->stored)
        ws_uuid_make(broadcast->id);
    hub_broadcast(hub, broadcast);
    bus_broadcast(hub, broadcast);
}

/* ---- In ---- */

static void bus_spread(ws_hub *hub, const core_realtime_message *message, core_slice tenant) {
    uint8_t plain[sizeof TOPIC_PREFIX + CORE_REALTIME_CHANNEL_MAX];
    uint8_t scoped[sizeof plain + WS_SCOPE_MAX];
    uint8_t *end = plain, *room = scoped;
    (void)core_slice_keep(&end, core_slice_text(TOPIC_PREFIX));
    (void)core_slice_keep(&end, message->channel); /* a NUL may be in it */
    ws_broadcast broadcast = {
        .topic = ws_topic_scope(&room, tenant, core_slice_make(plain, (size_t)(end - plain))),
        .event = message->event,
        .payload = message->payload,
        .json = message->encoding == CORE_REALTIME_JSON,
        .pushed = message->pushed,
        .private_channel = message->is_private,
    };
    memcpy(broadcast.id, message->id, sizeof broadcast.id);
    hub_broadcast(hub, &broadcast);
}

static void bus_heard(ws_hub *hub, core_slice payload, core_slice tenant) {
    core_realtime_message message;
    if (!core_realtime_message_read(payload, &message)) {
        core_metrics_add(hub->metrics, CORE_METRIC_WS_BUS_MALFORMED, 1);
        return;
    }
    bool ours = core_slice_is(message.environment, hub->scope.environment) &&
                message.origin != CORE_REALTIME_DATABASE && !core_slice_is(message.node, hub->node);
    if (ours)
        bus_spread(hub, &message, tenant);
}

void hub_bus_take(ws_hub *hub) {
    hub_replays_answered(hub);
    hub_heard heard;
    int64_t now_ms = core_clock_ms(hub->clock);
    for (int i = 0; i < BUS_A_TURN && core_ring_pop(hub->heard, &heard); i++) {
        atomic_fetch_sub(&hub->heard_bytes, heard.payload->length);
        if (heard.presence) {
            ws_presence_receive(hub->presence, core_block_slice(heard.payload), now_ms);
            hub->presence_changed = true;
        } else {
            bus_heard(hub, core_block_slice(heard.payload),
                      heard.tenant != NULL ? core_block_slice(heard.tenant)
                                           : core_slice_make(NULL, 0));
        }
        heard_drop(&heard);
    }
    if (atomic_exchange(&hub->bus_lost, false)) {
        ws_presence_resync(hub->presence, now_ms);
        hub->presence_changed = true;
    }
}

void hub_spread_message(ws_hub *hub, const core_change *change) {
    core_realtime_message message;
    core_error error = {.text = ""};
    if (!core_slice_is(change->message.prefix, CORE_REALTIME_PREFIX))
        return;
    if (core_realtime_message_from_sql(change->message.content, &hub->envelope, &message, &error))
        bus_spread(hub, &message, core_realtime_message_tenant(&message, &hub->scope.tenants));
    else
        CORE_LOG(hub->log, WARN, "ws", "a broadcast from SQL cannot be delivered",
                 CORE_LOG_TEXT("error", error.text));
}

/* ---- Life ---- */

bool hub_bus_init(ws_hub *hub, const core_config *config, core_error *error) {
    uint64_t node;
    if (getrandom(&node, sizeof node, 0) != (ssize_t)sizeof node)
        return core_error_set(error, CORE_ERROR_INTERNAL, "the system gives no random bytes");
    (void)snprintf(hub->node, sizeof hub->node, "%016llx", (unsigned long long)node);
    size_t row_max = (size_t)core_config_integer(config, "cdc.max_row_bytes");
    core_buffer_init(&hub->envelope, row_max > BUS_ENVELOPE ? row_max : BUS_ENVELOPE);
    hub->heard = core_ring_new(BUS_RING, sizeof(hub_heard), error);
    return hub->heard != NULL;
}

void hub_bus_fini(ws_hub *hub) {
    hub_heard heard;
    while (hub->heard != NULL && core_ring_pop(hub->heard, &heard))
        heard_drop(&heard);
    core_ring_free(hub->heard);
    core_buffer_fini(&hub->envelope);
}
