/* See session_table.h.
 *
 * A channel is known to the hub by a handle: a slot and that slot's generation, so that an answer
 * to a channel that is gone finds nobody. Commands that find the ring full wait here, in order;
 * joins are refused long before that list could grow without bound. */
#include "ws/session_table_private.h"

#include "ws/access.h"
#include "ws/server.h"

#include <stdio.h>
#include <stdlib.h>

#define TABLE_WAITING_MAX                                                                          \
    ((size_t)4 * WS_COMMAND_RING) /* but for leaves, which are never refused */

/* A handle: the thread, the slot's generation, which is never 0, and the slot. */
#define TABLE_THREAD_SHIFT 56
#define TABLE_GENERATIONS  UINT32_C(0xFFFFFF)

bool ws_session_table_new(ws_service *service, core_error *error) {
    ws_session_table *table = calloc(1, sizeof *table);
    if (table == NULL)
        return core_error_set(error, CORE_ERROR_INTERNAL, "out of memory");
    table->thread = service->index;
    table->classes.kind = WS_GROUP_CLASS;
    table->rooms.kind = WS_GROUP_ROOM;
    table->presences.kind = WS_GROUP_PRESENCE;
    table->commands = core_ring_new(WS_COMMAND_RING, sizeof(ws_command), error);
    table->deliveries = core_ring_new(WS_DELIVERY_RING, sizeof(ws_delivery), error);
    service->tables[service->table_count++] = table;
    return table->commands != NULL && table->deliveries != NULL;
}

static void command_drop(const ws_command *command) {
    ws_subscription_free(command->subscription);
    free(command->broadcast);
    free(command->wish);
}

static void table_free(ws_session_table *table) {
    ws_command command;
    while (table->commands != NULL && core_ring_pop(table->commands, &command))
        command_drop(&command);
    ws_delivery delivery;
    while (table->deliveries != NULL && core_ring_pop(table->deliveries, &delivery))
        ws_delivery_drop(&delivery);
    for (size_t i = table->waiting_first; i < table->waiting_count; i++)
        command_drop(&table->waiting[i]);
    core_ring_free(table->commands);
    core_ring_free(table->deliveries);
    free(table->waiting);
    free(table->slots);
    ws_groups_fini(&table->classes);
    ws_groups_fini(&table->rooms);
    ws_groups_fini(&table->presences);
    free(table);
}

void ws_session_tables_free(ws_service *service) {
    while (service->table_count > 0)
        table_free(service->tables[--service->table_count]);
}

ws_session_table *ws_table_of(const ws_service *service, unsigned source) {
    assert(source < service->table_count);
    return service->tables[source];
}

core_ring *ws_session_ring(const ws_service *service, unsigned source) {
    return ws_table_of(service, source)->deliveries;
}

core_ring *ws_session_commands(const ws_service *service, unsigned source) {
    return ws_table_of(service, source)->commands;
}

atomic_size_t *ws_session_history(const ws_service *service, unsigned source) {
    return &ws_table_of(service, source)->history;
}

/* ---- Handles ---- */

static bool table_grow_slots(ws_session_table *table) {
    uint32_t capacity = table->slot_capacity ? table->slot_capacity * 2 : 64;
    table_slot *slots = realloc(table->slots, capacity * sizeof *slots);
    if (slots == NULL)
        return false;
    table->slots = slots;
    table->slot_capacity = capacity;
    return true;
}

static bool table_take_slot(ws_session_table *table, ws_member *member) {
    uint32_t index;
    if (table->first_free != 0) {
        index = table->first_free - 1;
        table->first_free = table->slots[index].next_free;
    } else {
        if (table->slot_count == table->slot_capacity && !table_grow_slots(table))
            return false;
        index = table->slot_count++;
        table->slots[index] = (table_slot){.generation = 1};
    }
    table->slots[index].member = member;
    member->handle = table->thread << TABLE_THREAD_SHIFT |
                     (uint64_t)table->slots[index].generation << 32 | index;
    return true;
}

static ws_member *table_member(const ws_session_table *table, uint64_t handle) {
    uint32_t index = (uint32_t)handle;
    if (handle == 0 || index >= table->slot_count)
        return NULL; /* nobody's, or of another thread */
    const table_slot *slot = &table->slots[index];
    uint32_t generation = (uint32_t)(handle >> 32) & TABLE_GENERATIONS;
    return handle >> TABLE_THREAD_SHIFT == table->thread && slot->generation == generation
               ? slot->member
               : NULL;
}

static void table_free_slot(ws_session_table *table, const ws_member *member) {
    table_slot *slot = &table->slots[(uint32_t)member->handle];
    assert(slot->member == member);
    slot->member = NULL;
    slot->generation = slot->generation == TABLE_GENERATIONS ? 1 : slot->generation + 1;
    slot->next_free = table->first_free;
    table->first_free = (uint32_t)member->handle + 1;
}

/* ---- Commands ---- */

static void table_push_waiting(ws_session_table *table) {
    while (table->waiting_first < table->waiting_count &&
           core_ring_push(table->commands, &table->waiting[table->waiting_first]))
        table->waiting_first++;
    if (table->waiting_first == table->waiting_count)
        table->waiting_first = table->waiting_count = 0;
}

static bool table_command(ws_session_table *table, const ws_command *command) {
    if (table->waiting_count == 0 && core_ring_push(table->commands, command))
        return true;
    if (table->waiting_count == table->waiting_capacity && table->waiting_first > 0) {
        table->waiting_count -= table->waiting_first;
        memmove(table->waiting, table->waiting + table->waiting_first,
                table->waiting_count * sizeof *table->waiting);
        table->waiting_first = 0;
    }
    if (table->waiting_count == table->waiting_capacity) {
        size_t capacity = table->waiting_capacity ? table->waiting_capacity * 2 : 256;
        ws_command *waiting = realloc(table->waiting, capacity * sizeof *waiting);
        if (waiting == NULL)
            return false;
        table->waiting = waiting;
        table->waiting_capacity = capacity;
    }
    table->waiting[table->waiting_count++] = *command;
    return true;
}

/* One that may be refused: when too many wait. */
static bool table_ask(ws_session_table *table, const ws_command *command) {
    bool room = table->waiting_count - table->waiting_first < TABLE_WAITING_MAX;
    if (room && table_command(table, command))
        return true;
    command_drop(command);
    return false;
}

void ws_table_send_leave(ws_session_table *table, const ws_command *leave) {
    bool any = leave->class_id != WS_GROUP_NONE || leave->room_id != WS_GROUP_NONE ||
               leave->presence_id != WS_GROUP_NONE || leave->member != 0;
    if (any && !table_command(table, leave))
        abort(); /* out of memory for 100 bytes: a lost leave would keep a class for ever */
}

static bool table_ask_join(ws_service *service, ws_member *member, ws_subscription *subscription,
                           bool snapshot) {
    ws_command command = {.kind = WS_COMMAND_JOIN,
                          .member = member->handle,
                          .attempt = ++member->attempt,
                          .subscription = subscription,
                          .snapshot = snapshot,
                          .since = ws_member_since(member)};
    member->stalled = false;
    return table_ask(ws_table_of(service, member->source), &command);
}

bool ws_session_table_rejoin(ws_service *service, ws_member *member,
                             ws_subscription *subscription) {
    return table_ask_join(service, member, subscription, false);
}

bool ws_session_table_join(ws_service *service, ws_member *member, ws_subscription *subscription) {
    ws_session_table *table = ws_table_of(service, subscription->home.source);
    member->source = subscription->home.source;
    if (!table_take_slot(table, member)) {
        ws_subscription_free(subscription);
        return false;
    }
    member->loading = subscription->snapshot && member->after.epoch[0] == '\0';
    if (table_ask_join(service, member, subscription, member->loading))
        return true;
    table_free_slot(table, member);
    return false;
}

bool ws_session_table_broadcast(ws_service *service, const ws_broadcast *broadcast) {
    atomic_size_t *said = &service->shared->said_bytes;
    if (atomic_load(said) >= WS_SAID_BYTES)
        return false;
    ws_command command = {.kind = WS_COMMAND_BROADCAST, .broadcast = ws_broadcast_copy(broadcast)};
    if (command.broadcast == NULL)
        return false;
    size_t bytes = ws_broadcast_bytes(command.broadcast);
    atomic_fetch_add(said, bytes);
    if (table_ask(ws_table_of(service, broadcast->home.source), &command))
        return true;
    atomic_fetch_sub(said, bytes);
    return false;
}

size_t ws_session_table_room(const ws_service *service, unsigned source) {
    const ws_session_table *table = ws_table_of(service, source);
    size_t waiting = table->waiting_count - table->waiting_first;
    if (atomic_load(&service->shared->said_bytes) + 2 * WS_HTTP_BODY_MAX > WS_SAID_BYTES)
        return 0;
    return waiting < TABLE_WAITING_MAX ? TABLE_WAITING_MAX - waiting : 0;
}

/* ---- Presence ---- */

static bool table_wish(ws_service *service, ws_command_kind kind, ws_member *member,
                       const ws_presence_wish *wish) {
    ws_command command = {
        .kind = kind, .member = member->handle, .wish = ws_presence_wish_copy(wish)};
    return command.wish != NULL && table_ask(ws_table_of(service, member->source), &command);
}

bool ws_session_table_track(ws_service *service, ws_member *member, const ws_presence_wish *wish) {
    member->tracked = true; /* whatever becomes of it: the hub is told when the member goes */
    return table_wish(service, WS_COMMAND_TRACK, member, wish);
}

bool ws_session_table_presence(ws_service *service, ws_member *member,
                               const ws_presence_wish *wish) {
    return table_wish(service, WS_COMMAND_PRESENCE, member, wish);
}

bool ws_session_table_untrack(ws_service *service, ws_member *member) {
    ws_command command = {.kind = WS_COMMAND_UNTRACK, .member = member->handle};
    return table_ask(ws_table_of(service, member->source), &command);
}

/* ---- Groups ---- */

/* Out of all groups; `absent`: and it is present no longer. */
static void table_leave_groups(ws_session_table *table, ws_member *member, bool absent) {
    ws_command leave = {.kind = WS_COMMAND_LEAVE,
                        .class_id = ws_groups_leave(&table->classes, member),
                        .room_id = ws_groups_leave(&table->rooms, member),
                        .presence_id = ws_groups_leave(&table->presences, member),
                        .member = absent && member->tracked ? member->handle : 0};
    ws_table_send_leave(table, &leave);
}

/* A piece of a snapshot was taken; never refused. */
static void table_taken(ws_session_table *table, hub_snapshot *snapshot, bool gone) {
    ws_command command = {.kind = WS_COMMAND_TAKEN, .taken = snapshot, .gone = gone};
    if (!table_command(table, &command))
        abort(); /* as a lost leave: its snapshot would stay for ever */
}

void ws_session_table_drained(ws_service *service, ws_member *member) {
    hub_snapshot *snapshot = member->owes;
    member->owes = NULL;
    if (snapshot != NULL)
        table_taken(ws_table_of(service, member->source), snapshot, false);
}

void ws_session_table_leave(ws_service *service, ws_member *member) {
    ws_session_table *table = ws_table_of(service, member->source);
    table_free_slot(table, member);
    table_leave_groups(table, member, true);
    if (member->owes != NULL)
        table_taken(table, member->owes, true);
    member->owes = NULL;
    ws_gate_free(member->gate);
    member->gate = NULL;
    /* an answer of the hub that is still to come will find nobody, and be undone then */
}

bool ws_session_table_position(const ws_service *service, const ws_member *member,
                               core_offset *position) {
    const ws_session_table *table = ws_table_of(service, member->source);
    *position = table->position;
    ws_place place = {position->sequence, position->index};
    ws_place after = {member->after.sequence, member->after.index};
    return member->live && !member->lags && position->sequence > 0 &&
           ws_place_behind(place, table->framed) && ws_place_behind(place, after) &&
           strcmp(position->epoch, member->after.epoch) == 0;
}

/* ---- Deliveries ---- */

static void table_live(ws_member *member, const ws_delivery *delivery) {
    char offset[CORE_OFFSET_TEXT_SIZE] = "";
    ws_place before = {member->after.sequence, member->after.index};
    if (ws_place_behind(delivery->place, before)) {
        member->after.sequence = delivery->place.sequence;
        member->after.index = delivery->place.index;
    }
    memcpy(member->after.epoch, delivery->epoch, sizeof member->after.epoch);
    if (member->after.epoch[0] != '\0')
        core_offset_format(&member->after, offset);
    else if (member->after.sequence == 0)
        core_offset_format(&(core_offset){.epoch = CORE_OFFSET_BEGINNING_EPOCH}, offset);
    if (member->live)
        return;
    member->live = true;
    member->loading = false;
    member->owner->live(member, offset);
}

static void table_joined(ws_session_table *table, const ws_delivery *delivery) {
    ws_member *member = table_member(table, delivery->member);
    if (member == NULL || member->attempt != delivery->attempt) {
        ws_command leave = {.kind = WS_COMMAND_LEAVE,
                            .class_id = delivery->class_id,
                            .room_id = delivery->room_id,
                            .presence_id = delivery->presence_id};
        ws_table_send_leave(table, &leave);
        return;
    }
    bool saw = member->places[WS_GROUP_PRESENCE].group != WS_GROUP_NONE;
    member->rights = delivery->rights;
    member->suspended = member->ending = member->midway = false;
    member->lags = delivery->lags || !delivery->live; /* in a lane, live before or not */
    /* those of before, when it only changes its class */
    table_leave_groups(table, member, (member->rights & WS_RIGHT(AUTH_PRESENCE_WRITE)) == 0);
    ws_groups_enter(&table->classes, member, delivery->class_id);
    ws_groups_enter(&table->rooms, member, delivery->room_id);
    ws_groups_enter(&table->presences, member, delivery->presence_id);
    if (!ws_member_joined(member)) {
        core_state_move(&member->state, WS_MEMBER_JOINED);
        member->owner->joined(member);
        member = table_member(table, delivery->member); /* its client may be gone */
    }
    if (member != NULL && !saw && delivery->presence_id != WS_GROUP_NONE) {
        member->owner->sees(member);
        member = table_member(table, delivery->member);
    }
    if (member != NULL && delivery->live)
        table_live(member, delivery);
}

static void table_refused(ws_session_table *table, const ws_delivery *delivery) {
    ws_member *member = table_member(table, delivery->member);
    char reason[CORE_ERROR_TEXT_MAX + 64];
    if (member == NULL || member->attempt != delivery->attempt)
        return;
    (void)snprintf(reason, sizeof reason, "%.*s",
                   CORE_SLICE_ARGS(core_block_slice(delivery->block)));
    if (ws_member_joined(member))
        member->owner->reset(member, reason);
    else
        member->owner->refused(member, reason);
}

bool ws_member_was_shown(ws_member *member, const ws_delivery *change) {
    ws_gate_answer answer = ws_gate_ask(member->gate, change->xid, change->commit_lsn);
    if (answer != WS_GATE_OVER)
        return answer == WS_GATE_SHOWN;
    ws_gate_free(member->gate);
    member->gate = NULL;
    return false;
}

/* The change is one that the member had before it was joined. */
static bool member_has(ws_member *member, const ws_delivery *delivery) {
    ws_place after = {member->after.sequence, member->after.index};
    if (delivery->place.sequence == 0)
        return false;
    return !ws_place_behind(delivery->place, after) ||
           (member->gate != NULL && ws_member_was_shown(member, delivery));
}

static bool member_takes(ws_session_table *table, ws_member *member, const ws_delivery *delivery) {
    return member->suspended ? ws_suspended_takes(table, member, delivery)
                             : !member_has(member, delivery);
}

/* A member that is too slow goes, and with it all of its connection's: none of those is in the same
 * group, since a connection has a topic once. */
static void table_spread(ws_session_table *table, const ws_groups *groups,
                         const ws_delivery *delivery, const ws_member *but) {
    uint32_t group = groups->kind == WS_GROUP_CLASS ? delivery->class_id : delivery->room_id;
    ws_member *member = ws_groups_first(groups, group);
    while (member != NULL) {
        ws_member *next = member->places[groups->kind].next;
        if (member != but && member_takes(table, member, delivery))
            member->owner->send(member, delivery->block, delivery->row);
        member = next;
    }
}

/* It hears no more of its lane, and joins again when its client has read what waits. */
static void table_stall(ws_session_table *table, ws_member *member) {
    ws_command leave = {.kind = WS_COMMAND_LEAVE,
                        .class_id = ws_groups_leave(&table->classes, member),
                        .room_id = WS_GROUP_NONE,
                        .presence_id = WS_GROUP_NONE};
    ws_table_send_leave(table, &leave);
    member->attempt++; /* the lane's arrival is not for it any more */
    member->stalled = true;
}

static void table_history_send(ws_session_table *table, ws_member *member,
                               const ws_delivery *delivery) {
    uint64_t handle = member->handle;
    member->owner->send(member, delivery->block, delivery->row);
    if (table_member(table, handle) != member || delivery->place.sequence == 0)
        return;
    member->midway = delivery->partial;
    if (delivery->partial)
        return; /* it has no more of the stream than before */
    member->after.sequence = delivery->place.sequence;
    member->after.index = delivery->place.index;
    if (member->suspended)
        ws_suspended_has(table, member);
    else if (member->owner->crowded(member))
        table_stall(table, member);
}

/* History goes as fast as each client reads it. */
static void table_history(ws_session_table *table, const ws_delivery *delivery) {
    ws_member *member = ws_groups_first(&table->classes, delivery->class_id);
    while (member != NULL) {
        ws_member *next = member->places[WS_GROUP_CLASS].next;
        if (!member_has(member, delivery))
            table_history_send(table, member, delivery);
        member = next;
    }
}

static void table_history_done(ws_session_table *table, size_t sends) {
    size_t before = atomic_fetch_sub(&table->history, sends);
    if (before >= WS_LANE_SENDS && before - sends < WS_LANE_SENDS)
        core_ring_wake(table->commands);
}

/* ---- Snapshots ---- */

/* The last piece: what its changes go on behind. */
static void table_loaded(ws_member *member, const ws_delivery *delivery) {
    ws_rows *rows = delivery->rows;
    member->gate = rows->gate;
    rows->gate = NULL;
    member->after =
        (core_offset){.sequence = delivery->place.sequence, .index = delivery->place.index};
    memcpy(member->after.epoch, delivery->epoch, sizeof member->after.epoch);
    member->owner->loaded(member, rows->total);
}

/* Snapshots go as fast as each client reads them. */
static void table_rows(ws_session_table *table, const ws_delivery *delivery) {
    const ws_rows *rows = delivery->rows;
    ws_member *member = table_member(table, delivery->member);
    if (member != NULL && member->attempt != delivery->attempt)
        member = NULL;
    for (size_t i = 0; member != NULL && i < rows->count; i++) {
        member->owner->send(member, rows->frames[i], NULL);
        member = table_member(table, delivery->member);
    }
    if (member != NULL && rows->gate != NULL) {
        table_loaded(member, delivery);
        member = table_member(table, delivery->member);
    }
    if (member != NULL && member->owner->crowded(member))
        member->owes = delivery->snapshot;
    else
        table_taken(table, delivery->snapshot, member == NULL);
}

static void table_frame(ws_service *service, ws_session_table *table, const ws_delivery *delivery) {
    if (delivery->live && delivery->place.sequence > 0)
        table->framed = delivery->place;
    if (ws_groups_first(&table->classes, delivery->class_id) == NULL)
        return;
    if (!delivery->live) {
        table_history(table, delivery);
        return;
    }
    table_spread(table, &table->classes, delivery, NULL);
    if (delivery->commit_time_us > 0)
        core_metrics_observe(service->metrics, CORE_METRIC_WS_DELIVERY_SECONDS,
                             core_clock_wall_us(service->clock) - delivery->commit_time_us);
}

static void table_reset(ws_session_table *table) {
    table->framed = (ws_place){0};
    table->position = (core_offset){.sequence = 0};
    for (uint32_t i = 0; i < table->slot_count; i++) {
        ws_member *member = table->slots[i].member;
        if (member != NULL && ws_member_joined(member))
            member->owner->reset(member, "changes may have been missed: the change stream was "
                                         "interrupted; join again");
    }
}

static void table_cut(ws_session_table *table, const ws_delivery *delivery) {
    char reason[CORE_ERROR_TEXT_MAX];
    (void)snprintf(reason, sizeof reason, "%.*s",
                   CORE_SLICE_ARGS(core_block_slice(delivery->block)));
    ws_member *member = ws_groups_first(&table->classes, delivery->class_id);
    while (member != NULL) {
        ws_member *next = member->places[WS_GROUP_CLASS].next;
        if (!member->suspended) /* it will join again anyway */
            member->owner->reset(member, reason);
        member = next;
    }
}

static void table_renew(ws_session_table *table, const ws_delivery *delivery) {
    ws_member *member = ws_groups_first(&table->classes, delivery->class_id);
    while (member != NULL) {
        ws_member *next = member->places[WS_GROUP_CLASS].next;
        if (member->suspended) /* it has all before this change, and joins anew when it goes on */
            ws_suspended_has(table, member);
        else
            member->owner->renew(member);
        member = next;
    }
}

static void table_direct(ws_session_table *table, const ws_delivery *delivery) {
    ws_member *member = table_member(table, delivery->member);
    if (member != NULL && ws_member_joined(member) && !member->suspended)
        member->owner->send(member, delivery->block, NULL);
}

static void table_delivery(ws_service *service, ws_session_table *table,
                           const ws_delivery *delivery) {
    switch (delivery->kind) {
    case WS_DELIVERY_JOINED:
        table_joined(table, delivery);
        break;
    case WS_DELIVERY_REFUSED:
        table_refused(table, delivery);
        break;
    case WS_DELIVERY_FRAME:
        table_frame(service, table, delivery);
        table_history_done(table, delivery->sends);
        break;
    case WS_DELIVERY_BROADCAST:
        table_spread(table, &table->rooms, delivery, table_member(table, delivery->member));
        break;
    case WS_DELIVERY_PRESENCE:
        table_spread(table, &table->presences, delivery, NULL);
        break;
    case WS_DELIVERY_DIRECT:
        table_direct(table, delivery);
        break;
    case WS_DELIVERY_CUT:
        table_cut(table, delivery);
        break;
    case WS_DELIVERY_RENEW:
        table_renew(table, delivery);
        break;
    case WS_DELIVERY_RESET:
        table_reset(table);
        break;
    case WS_DELIVERY_ROWS:
        table_rows(table, delivery);
        break;
    case WS_DELIVERY_POSITION:
        table->position =
            (core_offset){.sequence = delivery->place.sequence, .index = delivery->place.index};
        memcpy(table->position.epoch, delivery->epoch, sizeof table->position.epoch);
        break;
    }
    ws_delivery_drop(delivery);
}

static void table_deliveries(ws_service *service, ws_session_table *table) {
    ws_delivery delivery;
    for (int i = 0; i < WS_DELIVERIES_A_WAKE; i++) {
        if (!core_ring_pop(table->deliveries, &delivery))
            break;
        table_delivery(service, table, &delivery);
    }
    table_push_waiting(table);
}

void ws_session_deliveries(ws_service *service) {
    for (size_t i = 0; i < service->table_count; i++)
        table_deliveries(service, service->tables[i]);
}
