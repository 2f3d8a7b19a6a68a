/* This node's own members, and the presence's life; see presence.h.
 *
 * Happy path of a track: the payload is made ours, the maxima are looked at, the member goes into
 * the book, and the op waits for the next delta. Nothing has changed when something is refused. */
#include "ws/presence_private.h"

#include <stdlib.h>

#define PRESENCE_MAGIC UINT32_C(0x70726573)

enum { MEMBER_BYTES = 64 }; /* what a member takes of its topic besides key and payload */

#define TAG_BITS 48

ws_presence_limits ws_presence_limits_make(const core_config *config) {
    return (ws_presence_limits){
        .heartbeat_ms = core_config_integer(config, "presence.heartbeat"),
        .down_ms = core_config_integer(config, "presence.down_after"),
        .max_topics = (size_t)core_config_integer(config, "presence.max_topics"),
        .max_keys = (size_t)core_config_integer(config, "presence.max_keys"),
        .max_metas = (size_t)core_config_integer(config, "presence.max_metas"),
        .max_payload_bytes = (size_t)core_config_integer(config, "presence.max_payload_bytes"),
        .max_topic_bytes = (size_t)core_config_integer(config, "presence.max_topic_bytes"),
        .max_bytes = (size_t)core_config_integer(config, "presence.max_bytes"),
        .max_nodes = 64,
        .max_message_bytes = (size_t)256 * 1024,
        .max_diff_bytes = (size_t)256 * 1024,
    };
}

uint64_t presence_tag(core_slice node, uint64_t boot) {
    uint64_t hash = (core_slice_hash(node) ^ boot) * UINT64_C(0x9E3779B97F4A7C15);
    return (hash ^ hash >> 31) & ((UINT64_C(1) << TAG_BITS) - 1);
}

/* ---- life ---- */

ws_presence *ws_presence_new(const char *node, uint64_t boot, const ws_presence_limits *limits,
                             const ws_presence_events *events, core_error *error) {
    size_t length = strlen(node);
    if (length == 0 || length > WS_PRESENCE_NODE_MAX || boot == 0) {
        (void)core_error_set(error, CORE_ERROR_CONFIG,
                             "a gateway's name has %zu bytes, expected 1 to %d, and its boot "
                             "number is not 0",
                             length, WS_PRESENCE_NODE_MAX);
        return NULL;
    }
    ws_presence *presence = calloc(1, sizeof *presence);
    if (presence == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "no memory for presence");
        return NULL;
    }
    presence->magic = PRESENCE_MAGIC;
    presence->limits = *limits;
    presence->events = *events;
    memcpy(presence->name, node, length);
    presence->name_length = length;
    presence->boot = boot;
    presence->tag = presence_tag(core_slice_make(node, length), boot);
    presence->book.max_bytes = limits->max_bytes;
    core_buffer_init(&presence->scratch, limits->max_payload_bytes);
    core_buffer_init(&presence->ops, limits->max_message_bytes);
    core_buffer_init(&presence->out, limits->max_message_bytes + PRESENCE_HEAD_BYTES);
    size_t diff_bytes = limits->max_diff_bytes + limits->max_payload_bytes;
    bool ok = presence_side_init(&presence->joins, diff_bytes);
    ok = presence_side_init(&presence->leaves, diff_bytes) && ok;
    if (ok)
        return presence;
    (void)core_error_set(error, CORE_ERROR_INTERNAL, "no memory for presence");
    ws_presence_free(presence);
    return NULL;
}

void ws_presence_free(ws_presence *presence) {
    if (presence == NULL)
        return;
    CORE_MAGIC_CHECK(presence, PRESENCE_MAGIC);
    presence_book_clear(&presence->book, &presence->self);
    presence_peers_free(presence);
    presence_book_fini(&presence->book);
    hub_map_fini(&presence->members);
    core_buffer_fini(&presence->scratch);
    core_buffer_fini(&presence->ops);
    core_buffer_fini(&presence->out);
    core_buffer_fini(&presence->joins.out);
    core_buffer_fini(&presence->leaves.out);
    presence->magic = 0;
    free(presence);
}

/* ---- track ---- */

static presence_entry *member_find(const ws_presence *presence, uint64_t member) {
    hub_map_node *node = hub_map_first(&presence->members, member);
    return node != NULL ? node->owner : NULL; /* the hash is the handle */
}

static bool refuse(core_error *error, const char *what, size_t max, const char *config_key) {
    return core_error_set(error, CORE_ERROR_LIMIT, "%s: at most %zu (%s)", what, max, config_key);
}

static bool input_is_valid(ws_presence *presence, const presence_op *op, core_error *error) {
    const ws_presence_limits *limits = &presence->limits;
    if (op->topic.length == 0 || op->topic.length > WS_TOPIC_MAX + WS_SCOPE_MAX ||
        !core_utf8_valid(op->topic))
        return core_error_set(error, CORE_ERROR_INPUT, "not a topic of 1 to %d bytes of UTF-8",
                              WS_TOPIC_MAX);
    if (op->key.length == 0 || op->key.length > WS_PRESENCE_KEY_MAX || !core_utf8_valid(op->key))
        return core_error_set(error, CORE_ERROR_INPUT,
                              "presence key has %zu bytes, expected 1 to %d of UTF-8",
                              op->key.length, WS_PRESENCE_KEY_MAX);
    if (op->payload.length > limits->max_payload_bytes)
        return refuse(error, "bytes of a presence payload", limits->max_payload_bytes,
                      "presence.max_payload_bytes");
    core_buffer_reset(&presence->scratch);
    return presence_payload_make(op->payload, &presence->scratch) ||
           core_error_set(error, CORE_ERROR_INPUT, "presence payload is not a JSON object");
}

/* `old`: the member's meta that this one replaces. */
static bool limits_allow(const ws_presence *presence, const presence_op *op,
                         const presence_entry *old, core_error *error) {
    const ws_presence_limits *limits = &presence->limits;
    const presence_topic *topic =
        presence_book_topic(&presence->book, (ws_presence_room){op->topic, op->private_channel});
    const presence_key *key =
        topic != NULL ? presence_book_key(&presence->book, topic, op->key) : NULL;
    if (presence_op_bytes(op) > limits->max_message_bytes)
        return refuse(error, "bytes of a presence message", limits->max_message_bytes,
                      "the broker's max_payload");
    if (topic == NULL && presence->book.topics.count >= limits->max_topics)
        return refuse(error, "topics with presence", limits->max_topics, "presence.max_topics");
    if (topic != NULL && key == NULL && topic->key_count >= limits->max_keys)
        return refuse(error, "presence keys of a topic", limits->max_keys, "presence.max_keys");
    if (old == NULL && key != NULL && key->metas >= limits->max_metas)
        return refuse(error, "presences under one key", limits->max_metas, "presence.max_metas");
    size_t held = topic != NULL ? topic->bytes + topic->key_count * MEMBER_BYTES : 0;
    size_t freed = old != NULL && old->key->topic == topic ? old->length : 0;
    if (held - freed + op->key.length + op->payload.length > limits->max_topic_bytes)
        return refuse(error, "bytes of a topic's presence", limits->max_topic_bytes,
                      "presence.max_topic_bytes");
    return true;
}

static bool member_add(ws_presence *presence, uint64_t member, const presence_op *op,
                       core_error *error) {
    presence_entry *entry = presence_book_add(&presence->book, &presence->self, presence->tag, op);
    if (entry == NULL)
        return refuse(error, "bytes of presence", presence->limits.max_bytes, "presence.max_bytes");
    entry->member = member;
    if (hub_map_add(&presence->members, &entry->by_member, member, entry))
        return true;
    presence_book_hide(&presence->book, entry);
    return core_error_set(error, CORE_ERROR_INTERNAL, "no memory for a presence");
}

static void member_hide(ws_presence *presence, presence_entry *entry) {
    hub_map_remove(&presence->members, &entry->by_member);
    presence_book_hide(&presence->book, entry);
}

static bool is_in(const presence_entry *entry, ws_presence_room room, core_slice key) {
    ws_presence_room held = presence_topic_room(entry->key->topic);
    return held.private_channel == room.private_channel &&
           core_slice_equal(held.topic, room.topic) &&
           core_slice_equal(presence_key_name(entry->key), key);
}

bool ws_presence_track(ws_presence *presence, ws_presence_room room, core_slice key,
                       uint64_t member, core_slice payload, core_error *error) {
    CORE_MAGIC_CHECK(presence, PRESENCE_MAGIC);
    presence_op op = {.topic = room.topic,
                      .private_channel = room.private_channel,
                      .key = key,
                      .payload = payload};
    if (!input_is_valid(presence, &op, error))
        return false;
    op.payload = core_buffer_slice(&presence->scratch);
    op.ref = presence->version + 1;
    presence_entry *old = member_find(presence, member);
    bool moves = old != NULL && !is_in(old, room, key);
    if (!limits_allow(presence, &op, moves ? NULL : old, error))
        return false;
    if (old != NULL)
        hub_map_remove(&presence->members, &old->by_member);
    op.previous = old != NULL ? old->ref : 0;
    if (!member_add(presence, member, &op, error)) {
        if (old != NULL && !hub_map_add(&presence->members, &old->by_member, member, old))
            abort(); /* it was in the table a moment ago, which does not shrink */
        return false;
    }
    if (old != NULL)
        presence_book_hide(&presence->book, old);
    presence->version++;
    presence_send_op(presence, &op);
    return true;
}

bool ws_presence_untrack(ws_presence *presence, uint64_t member) {
    CORE_MAGIC_CHECK(presence, PRESENCE_MAGIC);
    presence_entry *entry = member_find(presence, member);
    if (entry == NULL)
        return false;
    presence_op op = {.removes = true, .ref = entry->ref};
    member_hide(presence, entry);
    presence->version++;
    presence_send_op(presence, &op);
    return true;
}

/* ---- rounds ---- */

void ws_presence_flush(ws_presence *presence, int64_t now_ms) {
    CORE_MAGIC_CHECK(presence, PRESENCE_MAGIC);
    presence_diff_tell(presence);
    presence_send_owed(presence, now_ms);
}

void ws_presence_tick(ws_presence *presence, int64_t now_ms) {
    CORE_MAGIC_CHECK(presence, PRESENCE_MAGIC);
    if (!presence->started)
        presence->hello_owed = presence->heartbeat_owed = true;
    if (now_ms - presence->heartbeat_ms >= presence->limits.heartbeat_ms)
        presence->heartbeat_owed = true;
    presence_peers_tick(presence, now_ms);
    presence->started = true;
    presence->tick_ms = now_ms;
    ws_presence_flush(presence, now_ms);
}

void ws_presence_resync(ws_presence *presence, int64_t now_ms) {
    CORE_MAGIC_CHECK(presence, PRESENCE_MAGIC);
    presence->hello_owed = presence->heartbeat_owed = true;
    presence_send_owed(presence, now_ms);
}

void ws_presence_leave(ws_presence *presence, int64_t now_ms) {
    CORE_MAGIC_CHECK(presence, PRESENCE_MAGIC);
    if (presence->left)
        return;
    ws_presence_flush(presence, now_ms);
    presence_send_goodbye(presence);
    presence->left = true;
}

ws_presence_stats ws_presence_stats_get(const ws_presence *presence) {
    ws_presence_stats stats = presence->stats;
    stats.members = presence->book.members;
    stats.topics = presence->book.topics.count;
    stats.bytes = presence->book.bytes;
    for (const presence_peer *peer = presence->peers; peer != NULL; peer = peer->next)
        stats.nodes += peer->up;
    return stats;
}

void ws_presence_measure(const ws_presence *presence, core_metrics *metrics) {
    ws_presence_stats stats = ws_presence_stats_get(presence);
    core_metrics_set(metrics, CORE_METRIC_WS_PRESENCE_MEMBERS, (int64_t)stats.members);
    core_metrics_set(metrics, CORE_METRIC_WS_PRESENCE_NODES, (int64_t)stats.nodes);
    core_metrics_set(metrics, CORE_METRIC_WS_PRESENCE_BYTES, (int64_t)stats.bytes);
    core_metrics_set(metrics, CORE_METRIC_WS_PRESENCE_RESYNCS, (int64_t)stats.resyncs);
    core_metrics_set(metrics, CORE_METRIC_WS_PRESENCE_REFUSED,
                     (int64_t)(stats.refused + stats.malformed));
}
