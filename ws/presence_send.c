/* What this node tells the others; see presence.h and presence_wire.h.
 *
 * Order within one round: the delta, then the state if somebody asked, then the heartbeat, so that
 * each tells of what went before it. A state and the answer to a question of everybody go out at
 * most four times a second, however many ask. */
#include "ws/presence_private.h"

enum { ANSWER_EVERY_MS = 250 };

static presence_message message_make(const ws_presence *presence, presence_kind kind) {
    return (presence_message){.kind = kind,
                              .node = core_slice_make(presence->name, presence->name_length),
                              .boot = presence->boot,
                              .version = presence->version,
                              .digest = presence->self.digest};
}

static void message_send(ws_presence *presence, const presence_message *message) {
    if (presence->left)
        return;
    core_buffer_reset(&presence->out);
    presence_message_write(message, &presence->out);
    if (core_buffer_ok(&presence->out)) /* else memory is out: a heartbeat will tell of the gap */
        presence->events.send(presence->events.context, core_buffer_slice(&presence->out));
}

/* ---- delta ---- */

static void delta_send(ws_presence *presence) {
    presence_message delta = message_make(presence, PRESENCE_DELTA);
    if (presence->op_count == 0)
        return;
    delta.version -= presence->op_count;
    delta.count = presence->op_count;
    delta.ops = core_buffer_slice(&presence->ops);
    message_send(presence, &delta);
    core_buffer_reset(&presence->ops);
    presence->op_count = 0;
}

void presence_send_op(ws_presence *presence, const presence_op *op) {
    if (presence->ops.length + presence_op_bytes(op) > presence->limits.max_message_bytes) {
        presence->version--; /* this op's own */
        delta_send(presence);
        presence->version++;
    }
    presence_op_write(op, &presence->ops);
    if (core_buffer_ok(&presence->ops)) {
        presence->op_count++;
        return;
    }
    core_buffer_reset(&presence->ops); /* memory is out: the gap makes the others ask */
    presence->op_count = 0;
}

/* ---- state ---- */

typedef struct {
    size_t cursor;
    hub_map_node *at;
    presence_entry *entry; /* the next to be written */
} state_walk;

static void walk_next(const ws_presence *presence, state_walk *walk) {
    do
        walk->entry = hub_map_each(&presence->self.refs, &walk->cursor, &walk->at);
    while (walk->entry != NULL && !walk->entry->present);
}

static presence_op entry_op(const presence_entry *entry) {
    ws_presence_room room = presence_topic_room(entry->key->topic);
    return (presence_op){.ref = entry->ref,
                         .previous = entry->previous,
                         .topic = room.topic,
                         .private_channel = room.private_channel,
                         .key = presence_key_name(entry->key),
                         .payload = presence_entry_payload(entry)};
}

/* The entries that fit into one part, into `ops` unless it is NULL; how many. */
static uint32_t part_fill(const ws_presence *presence, state_walk *walk, core_buffer *ops) {
    size_t bytes = 0;
    uint32_t count = 0;
    for (; walk->entry != NULL; walk_next(presence, walk), count++) {
        presence_op op = entry_op(walk->entry);
        bytes += presence_op_bytes(&op);
        if (count > 0 && bytes > presence->limits.max_message_bytes)
            break;
        if (ops != NULL)
            presence_op_write(&op, ops);
    }
    return count;
}

static size_t parts_count(const ws_presence *presence) {
    state_walk walk = {0};
    size_t parts = 0;
    walk_next(presence, &walk);
    do
        parts += part_fill(presence, &walk, NULL) > 0 || parts == 0;
    while (walk.entry != NULL);
    return parts;
}

/* With nothing waiting in `ops`, whose memory the parts are made in. */
static void state_send(ws_presence *presence) {
    state_walk walk = {0};
    size_t parts = parts_count(presence);
    assert(presence->op_count == 0);
    if (parts > PRESENCE_PARTS_MAX)
        return; /* max_bytes does not allow it with messages of a sane size */
    walk_next(presence, &walk);
    for (size_t part = 0; part < parts; part++) {
        presence_message state = message_make(presence, PRESENCE_STATE);
        state.part = (uint16_t)part;
        state.parts = (uint16_t)parts;
        state.count = part_fill(presence, &walk, &presence->ops);
        state.ops = core_buffer_slice(&presence->ops);
        if (core_buffer_ok(&presence->ops))
            message_send(presence, &state);
        core_buffer_reset(&presence->ops);
    }
}

/* ---- the rest ---- */

void presence_send_ask(ws_presence *presence, core_slice target) {
    presence_message ask = message_make(presence, PRESENCE_ASK);
    ask.target = target;
    message_send(presence, &ask);
}

void presence_send_goodbye(ws_presence *presence) {
    presence_message goodbye = message_make(presence, PRESENCE_GOODBYE);
    message_send(presence, &goodbye);
}

void presence_send_owed(ws_presence *presence, int64_t now_ms) {
    delta_send(presence);
    if (presence->hello_owed)
        presence_send_ask(presence, core_slice_make(NULL, 0));
    presence->hello_owed = false;
    if (presence->state_owed && now_ms - presence->state_ms >= ANSWER_EVERY_MS) {
        state_send(presence);
        presence->state_owed = false;
        presence->state_ms = now_ms;
    }
    if (presence->heartbeat_owed && now_ms - presence->heartbeat_ms >= ANSWER_EVERY_MS) {
        presence_message heartbeat = message_make(presence, PRESENCE_HEARTBEAT);
        message_send(presence, &heartbeat);
        presence->heartbeat_owed = false;
        presence->heartbeat_ms = now_ms;
    }
}
