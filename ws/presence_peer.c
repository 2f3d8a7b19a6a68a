/* The copies of other gateways' members; see presence.h.
 *
 * A peer is synced (its ops up to `version` are all here) or not. A delta that joins on moves it,
 * an older one is dropped, one behind a gap makes it behind: it is asked for its whole state until
 * heartbeat and copy agree, each time after a longer pause. A state is applied once all its parts
 * are here, as the difference to what was. A peer that fell silent, or that began another boot, is
 * not synced and has no members. */
#include "ws/presence_private.h"

#include <stdlib.h>

enum {
    ASK_FIRST_MS = 250,
    ASK_MAX_MS = 8000,
    FORGET_FACTOR = 6, /* times down_ms of silence */
    STALL_FACTOR = 2,  /* times heartbeat_ms between two ticks: this node stood still */
};

/* ---- peers ---- */

static core_slice peer_name(const presence_peer *peer) {
    return core_slice_make(peer->name, peer->name_length);
}

static presence_peer *peer_find(ws_presence *presence, core_slice name) {
    for (presence_peer *peer = presence->peers; peer != NULL; peer = peer->next)
        if (core_slice_equal(peer_name(peer), name))
            return peer;
    return NULL;
}

static void parts_drop(ws_presence *presence, presence_peer *peer) {
    presence->part_bytes -= peer->part_bytes;
    for (size_t i = 0; i < peer->part_count; i++)
        core_block_release(peer->parts[i]);
    free(peer->parts);
    peer->parts = NULL;
    peer->part_count = peer->parts_here = peer->part_bytes = 0;
}

/* Its members are settled, or the whole book goes. */
static void peer_free(ws_presence *presence, presence_peer **link) {
    presence_peer *peer = *link;
    *link = peer->next;
    presence->peer_count--;
    parts_drop(presence, peer);
    assert(peer->owner.refs.count == 0);
    hub_map_fini(&peer->owner.refs);
    free(peer);
}

void presence_peers_free(ws_presence *presence) {
    while (presence->peers != NULL) {
        presence_book_clear(&presence->book, &presence->peers->owner);
        peer_free(presence, &presence->peers);
    }
}

/* For another: one that is gone and whose members have left. */
static void peer_evict(ws_presence *presence) {
    for (presence_peer **link = &presence->peers; *link != NULL; link = &(*link)->next)
        if (!(*link)->up && (*link)->owner.refs.count == 0) {
            peer_free(presence, link);
            return;
        }
}

static presence_peer *peer_make(ws_presence *presence, core_slice name) {
    if (presence->peer_count == presence->limits.max_nodes)
        peer_evict(presence);
    presence_peer *peer =
        presence->peer_count < presence->limits.max_nodes ? calloc(1, sizeof *peer) : NULL;
    if (peer == NULL) {
        presence->stats.refused++;
        return NULL;
    }
    memcpy(peer->name, name.data, name.length);
    peer->name_length = name.length;
    peer->next = presence->peers;
    presence->peers = peer;
    presence->peer_count++;
    return peer;
}

/* Its members leave; only its whole state, or the beginning of another boot, brings some back. */
static void peer_empty(ws_presence *presence, presence_peer *peer) {
    presence_book_hide_all(&presence->book, &peer->owner);
    parts_drop(presence, peer);
    peer->version = 0;
    peer->synced = false;
    peer->behind = false;
}

static void peer_begin(ws_presence *presence, presence_peer *peer, uint64_t boot) {
    peer_empty(presence, peer);
    peer->boot = boot;
    peer->tag = presence_tag(peer_name(peer), boot);
    peer->ask_wait_ms = 0;
}

static void peer_ask(ws_presence *presence, presence_peer *peer, int64_t now_ms) {
    if (!peer->behind || !peer->up ||
        (peer->ask_wait_ms > 0 && now_ms - peer->asked_ms < peer->ask_wait_ms))
        return;
    peer->asked_ms = now_ms;
    peer->ask_wait_ms = peer->ask_wait_ms == 0 ? ASK_FIRST_MS : peer->ask_wait_ms * 2;
    if (peer->ask_wait_ms > ASK_MAX_MS)
        peer->ask_wait_ms = ASK_MAX_MS;
    presence->stats.resyncs++;
    presence_send_ask(presence, peer_name(peer));
}

static void peer_agrees(ws_presence *presence, presence_peer *peer) {
    parts_drop(presence, peer);
    peer->behind = false;
    peer->ask_wait_ms = 0;
}

/* ---- ops ---- */

static void op_hide(ws_presence *presence, presence_peer *peer, uint64_t ref) {
    presence_entry *entry = presence_book_find(&peer->owner, peer->tag, ref);
    if (entry != NULL && entry->present)
        presence_book_hide(&presence->book, entry);
}

/* A ref's topic, key and payload never change, so one that is here is the same one. */
static presence_entry *op_show(ws_presence *presence, presence_peer *peer, const presence_op *op) {
    presence_entry *entry = presence_book_find(&peer->owner, peer->tag, op->ref);
    if (entry == NULL) {
        if (op->payload.length <= presence->limits.max_payload_bytes)
            entry = presence_book_add(&presence->book, &peer->owner, peer->tag, op);
        presence->stats.refused += entry == NULL;
    } else if (!entry->present) {
        presence_book_show(&presence->book, entry);
    }
    return entry;
}

static void delta_apply(ws_presence *presence, presence_peer *peer, const presence_message *delta) {
    core_cursor cursor = core_cursor_make(delta->ops);
    presence_op op;
    uint64_t version = delta->version;
    for (uint32_t i = 0; i < delta->count && presence_op_next(&cursor, &op); i++) {
        if (++version <= peer->version)
            continue;
        if (op.removes) {
            op_hide(presence, peer, op.ref);
        } else {
            (void)op_show(presence, peer, &op);
            if (op.previous != 0)
                op_hide(presence, peer, op.previous);
        }
    }
    peer->version = version;
}

static void delta_take(ws_presence *presence, presence_peer *peer, const presence_message *delta) {
    if (!peer->synced && delta->version == 0)
        peer->synced = true; /* from the boot's beginning on nothing is missing */
    if (!peer->synced || delta->version > peer->version)
        peer->behind = true;
    else if (delta->version + delta->count > peer->version)
        delta_apply(presence, peer, delta);
}

/* ---- state ---- */

static void state_apply(ws_presence *presence, presence_peer *peer) {
    size_t cursor_at = 0;
    hub_map_node *at = NULL;
    presence_entry *entry;
    while ((entry = hub_map_each(&peer->owner.refs, &cursor_at, &at)) != NULL)
        entry->kept = false;
    for (size_t i = 0; i < peer->part_count; i++) {
        presence_message part;
        presence_op op;
        bool ok = presence_message_read(core_block_slice(peer->parts[i]), &part);
        assert(ok); /* it was read when it came */
        core_cursor cursor = core_cursor_make(part.ops);
        for (uint32_t n = 0; ok && n < part.count && presence_op_next(&cursor, &op); n++)
            if ((entry = op_show(presence, peer, &op)) != NULL)
                entry->kept = true;
    }
    cursor_at = 0;
    at = NULL;
    while ((entry = hub_map_each(&peer->owner.refs, &cursor_at, &at)) != NULL)
        if (entry->present && !entry->kept)
            presence_book_hide(&presence->book, entry);
    peer->version = peer->parts_version;
    peer->synced = true;
}

static bool parts_begin(ws_presence *presence, presence_peer *peer, const presence_message *state) {
    parts_drop(presence, peer);
    peer->parts = calloc(state->parts, sizeof(core_block *));
    peer->part_count = peer->parts != NULL ? state->parts : 0;
    peer->parts_version = state->version;
    return peer->parts != NULL;
}

/* Keeps a part. False: it is not wanted, or there is no room. */
static bool part_keep(ws_presence *presence, presence_peer *peer, const presence_message *state,
                      core_slice bytes) {
    if (peer->part_count != state->parts || peer->parts_version != state->version)
        if ((peer->part_count > 0 && state->version < peer->parts_version) ||
            !parts_begin(presence, peer, state))
            return false;
    if (peer->parts[state->part] != NULL)
        return false;
    if (bytes.length > presence->limits.max_bytes - presence->part_bytes) {
        presence->stats.refused++;
        parts_drop(presence, peer);
        return false;
    }
    peer->parts[state->part] = core_block_copy(bytes);
    if (peer->parts[state->part] == NULL)
        return false;
    peer->part_bytes += bytes.length;
    presence->part_bytes += bytes.length;
    return ++peer->parts_here == peer->part_count;
}

static void state_take(ws_presence *presence, presence_peer *peer, const presence_message *state,
                       core_slice bytes) {
    bool is_news = !peer->synced || state->version > peer->version ||
                   (state->version == peer->version && state->digest != peer->owner.digest);
    if (!is_news || !part_keep(presence, peer, state, bytes))
        return;
    state_apply(presence, peer);
    if (peer->owner.digest == state->digest)
        peer_agrees(presence, peer);
    else
        parts_drop(presence, peer); /* some of it had no room */
}

/* ---- messages ---- */

static void heartbeat_take(ws_presence *presence, presence_peer *peer,
                           const presence_message *heartbeat) {
    if (!peer->synced && heartbeat->version == 0)
        peer->synced = true; /* a boot's beginning: there is nothing yet */
    if (!peer->synced || heartbeat->version > peer->version)
        peer->behind = true;
    else if (heartbeat->version == peer->version && heartbeat->digest == peer->owner.digest)
        peer_agrees(presence, peer);
    else if (heartbeat->version == peer->version)
        peer->behind = true;
}

static void ask_take(ws_presence *presence, const presence_message *ask) {
    if (ask->target.length == 0)
        presence->heartbeat_owed = true;
    else if (core_slice_equal(ask->target, core_slice_make(presence->name, presence->name_length)))
        presence->state_owed = true;
}

static void goodbye_take(ws_presence *presence, presence_peer *peer) {
    peer_empty(presence, peer);
    peer->gone_boot = peer->boot;
    peer->up = false;
}

static void message_take(ws_presence *presence, presence_peer *peer,
                         const presence_message *message, core_slice bytes) {
    switch (message->kind) {
    case PRESENCE_HEARTBEAT:
        heartbeat_take(presence, peer, message);
        break;
    case PRESENCE_DELTA:
        delta_take(presence, peer, message);
        break;
    case PRESENCE_STATE:
        state_take(presence, peer, message, bytes);
        break;
    case PRESENCE_ASK:
        ask_take(presence, message);
        break;
    case PRESENCE_GOODBYE:
        goodbye_take(presence, peer);
        break;
    }
}

/* Whether to believe it: of two boots that are alive the greater counts (a name given twice would
 * flap otherwise); once the one that is known is silent, any other may follow. */
static bool boot_is_believed(const presence_peer *peer, uint64_t boot) {
    if (peer->gone_boot != 0 && boot <= peer->gone_boot)
        return false;
    return boot >= peer->boot || !peer->up;
}

void ws_presence_receive(ws_presence *presence, core_slice bytes, int64_t now_ms) {
    presence_message message;
    if (!presence_message_read(bytes, &message)) {
        presence->stats.malformed++;
        return;
    }
    if (core_slice_equal(message.node, core_slice_make(presence->name, presence->name_length))) {
        presence->stats.conflicts +=
            message.boot > presence->boot && message.kind != PRESENCE_GOODBYE;
        return;
    }
    presence_peer *peer = peer_find(presence, message.node);
    if (peer == NULL)
        peer = peer_make(presence, message.node);
    if (peer == NULL || !boot_is_believed(peer, message.boot))
        return;
    if (message.boot != peer->boot)
        peer_begin(presence, peer, message.boot);
    peer->heard_ms = now_ms;
    peer->up = true;
    message_take(presence, peer, &message, bytes);
    peer_ask(presence, peer, now_ms);
}

/* ---- time ---- */

/* What this node itself stood still (stopped, its machine asleep) is nobody else's silence. */
static int64_t own_stall_ms(const ws_presence *presence, int64_t now_ms) {
    int64_t since = now_ms - presence->tick_ms;
    int64_t usual = presence->limits.heartbeat_ms;
    return presence->started && since > STALL_FACTOR * usual ? since - usual : 0;
}

void presence_peers_tick(ws_presence *presence, int64_t now_ms) {
    int64_t stall_ms = own_stall_ms(presence, now_ms);
    for (presence_peer **link = &presence->peers, *peer; (peer = *link) != NULL;) {
        peer->heard_ms += stall_ms;
        int64_t silent_ms = now_ms - peer->heard_ms;
        if (peer->up && silent_ms > presence->limits.down_ms) {
            peer->up = false;
            peer_empty(presence, peer);
            presence->stats.downs++;
        }
        if (!peer->up && peer->owner.refs.count == 0 &&
            silent_ms > FORGET_FACTOR * presence->limits.down_ms) {
            peer_free(presence, link);
            continue;
        }
        peer_ask(presence, peer, now_ms);
        link = &peer->next;
    }
}
