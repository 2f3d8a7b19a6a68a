/* See session_table.h.
 *
 * A channel is known to the hub by a handle: a slot and that slot's generation, so that an answer
 * to a channel that is gone finds nobody. Commands that find the ring full wait here, in order;
 * joins are refused long before that list could grow without bound. */
#include "ws/session_table.h"

#include "ws/server.h"
#include "ws/session.h"

#include <stdio.h>
#include <stdlib.h>

#define TABLE_WAITING_JOINS_MAX ((size_t)4 * WS_COMMAND_RING)

typedef struct {
    ws_channel *channel; /* NULL: free */
    uint32_t generation;
    uint32_t next_free;
} table_slot;

struct ws_session_table {
    core_ring *commands;   /* to the hub */
    core_ring *deliveries; /* from the hub */
    ws_command *waiting;   /* a queue: [waiting_first, waiting_count) */
    size_t waiting_first, waiting_count, waiting_capacity;
    table_slot *slots;
    uint32_t slot_count, slot_capacity, first_free; /* first_free: index + 1, 0 none */
    ws_channel **classes;                           /* by class id: the first member */
    uint32_t class_capacity;
    core_buffer scratch;
};

bool ws_session_table_new(ws_service *service, core_error *error) {
    ws_session_table *table = calloc(1, sizeof *table);
    if (table == NULL)
        return core_error_set(error, CORE_ERROR_INTERNAL, "out of memory");
    core_buffer_init(&table->scratch, WS_PROTOCOL_SCRATCH);
    table->commands = core_ring_new(WS_COMMAND_RING, sizeof(ws_command), error);
    table->deliveries = core_ring_new(WS_DELIVERY_RING, sizeof(ws_delivery), error);
    service->table = table;
    return table->commands != NULL && table->deliveries != NULL;
}

void ws_session_table_free(ws_service *service) {
    ws_session_table *table = service->table;
    if (table == NULL)
        return;
    ws_command command;
    while (table->commands != NULL && core_ring_pop(table->commands, &command))
        ws_subscription_free(command.subscription);
    ws_delivery delivery;
    while (table->deliveries != NULL && core_ring_pop(table->deliveries, &delivery))
        core_block_release(delivery.block);
    for (size_t i = table->waiting_first; i < table->waiting_count; i++)
        ws_subscription_free(table->waiting[i].subscription);
    core_ring_free(table->commands);
    core_ring_free(table->deliveries);
    free(table->waiting);
    free(table->slots);
    free(table->classes);
    core_buffer_fini(&table->scratch);
    free(table);
    service->table = NULL;
}

core_ring *ws_session_ring(const ws_service *service) {
    return service->table->deliveries;
}

core_ring *ws_session_commands(const ws_service *service) {
    return service->table->commands;
}

core_buffer *ws_session_scratch(ws_service *service) {
    return &service->table->scratch;
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

static bool table_take_slot(ws_session_table *table, ws_channel *channel) {
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
    table->slots[index].channel = channel;
    channel->handle = (uint64_t)table->slots[index].generation << 32 | index;
    return true;
}

static ws_channel *table_channel(const ws_session_table *table, uint64_t handle) {
    uint32_t index = (uint32_t)handle;
    assert(index < table->slot_count);
    const table_slot *slot = &table->slots[index];
    return slot->generation == handle >> 32 ? slot->channel : NULL;
}

static void table_free_slot(ws_session_table *table, const ws_channel *channel) {
    table_slot *slot = &table->slots[(uint32_t)channel->handle];
    assert(slot->channel == channel);
    slot->channel = NULL;
    slot->generation++;
    slot->next_free = table->first_free;
    table->first_free = (uint32_t)channel->handle + 1;
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

static void table_send_leave(ws_session_table *table, uint32_t class_id) {
    ws_command command = {.kind = WS_COMMAND_LEAVE, .class_id = class_id};
    if (!table_command(table, &command))
        abort(); /* out of memory for 32 bytes: a lost leave would keep a class for ever */
}

bool ws_session_table_rejoin(ws_service *service, ws_channel *channel,
                             ws_subscription *subscription) {
    ws_session_table *table = service->table;
    ws_command command = {
        .kind = WS_COMMAND_JOIN, .channel = channel->handle, .subscription = subscription};
    bool room = table->waiting_count - table->waiting_first < TABLE_WAITING_JOINS_MAX;
    if (room && table_command(table, &command))
        return true;
    ws_subscription_free(subscription);
    return false;
}

bool ws_session_table_join(ws_service *service, ws_channel *channel,
                           ws_subscription *subscription) {
    if (!table_take_slot(service->table, channel)) {
        ws_subscription_free(subscription);
        return false;
    }
    if (ws_session_table_rejoin(service, channel, subscription))
        return true;
    table_free_slot(service->table, channel);
    return false;
}

/* ---- Classes ---- */

static void table_enter_class(ws_session_table *table, ws_channel *channel, uint32_t class_id) {
    if (class_id >= table->class_capacity) {
        uint32_t capacity = table->class_capacity ? table->class_capacity : 64;
        while (capacity <= class_id)
            capacity *= 2;
        ws_channel **classes = realloc(table->classes, capacity * sizeof(ws_channel *));
        if (classes == NULL)
            abort(); /* like a lost leave: a member that would never hear anything */
        memset(classes + table->class_capacity, 0,
               (capacity - table->class_capacity) * sizeof(ws_channel *));
        table->classes = classes;
        table->class_capacity = capacity;
    }
    channel->class_id = class_id;
    channel->class_previous = NULL;
    channel->class_next = table->classes[class_id];
    if (channel->class_next != NULL)
        channel->class_next->class_previous = channel;
    table->classes[class_id] = channel;
}

static void table_leave_class(ws_session_table *table, ws_channel *channel) {
    if (channel->class_previous != NULL)
        channel->class_previous->class_next = channel->class_next;
    else
        table->classes[channel->class_id] = channel->class_next;
    if (channel->class_next != NULL)
        channel->class_next->class_previous = channel->class_previous;
    table_send_leave(table, channel->class_id);
}

void ws_session_table_leave(ws_service *service, ws_channel *channel) {
    table_free_slot(service->table, channel);
    if (channel->state.current == WS_CHANNEL_JOINED)
        table_leave_class(service->table, channel);
    /* else the hub's answer will find nobody, and be undone then */
}

/* ---- Deliveries ---- */

static void table_joined(ws_session_table *table, const ws_delivery *delivery) {
    ws_channel *channel = table_channel(table, delivery->channel);
    if (channel == NULL) {
        table_send_leave(table, delivery->class_id);
        return;
    }
    bool moves = channel->state.current == WS_CHANNEL_JOINED;
    if (moves)
        table_leave_class(table, channel);
    table_enter_class(table, channel, delivery->class_id);
    if (!moves)
        ws_session_joined(channel);
}

static void table_refused(ws_session_table *table, const ws_delivery *delivery) {
    ws_channel *channel = table_channel(table, delivery->channel);
    char reason[CORE_ERROR_TEXT_MAX + 64];
    if (channel == NULL)
        return;
    (void)snprintf(reason, sizeof reason, "%.*s",
                   CORE_SLICE_ARGS(core_block_slice(delivery->block)));
    if (channel->state.current == WS_CHANNEL_JOINED)
        ws_session_reset(channel); /* it asked for another class */
    else
        ws_session_refused(channel, reason);
}

static void table_frame(ws_service *service, const ws_delivery *delivery) {
    ws_session_table *table = service->table;
    if (delivery->class_id >= table->class_capacity)
        return;
    ws_channel *channel = table->classes[delivery->class_id];
    if (channel == NULL)
        return;
    while (channel != NULL) {
        ws_channel *next = channel->class_next; /* a slow member may close and go */
        ws_session_send(channel->session, delivery->block);
        channel = next;
    }
    if (delivery->commit_time_us > 0)
        core_metrics_observe(service->metrics, CORE_METRIC_WS_DELIVERY_SECONDS,
                             core_clock_wall_us(service->clock) - delivery->commit_time_us);
}

static void table_reset(ws_session_table *table) {
    for (uint32_t i = 0; i < table->slot_count; i++) {
        ws_channel *channel = table->slots[i].channel;
        if (channel != NULL && channel->state.current == WS_CHANNEL_JOINED)
            ws_session_reset(channel);
    }
}

static void table_delivery(ws_service *service, const ws_delivery *delivery) {
    switch (delivery->kind) {
    case WS_DELIVERY_JOINED:
        table_joined(service->table, delivery);
        break;
    case WS_DELIVERY_REFUSED:
        table_refused(service->table, delivery);
        break;
    case WS_DELIVERY_FRAME:
        table_frame(service, delivery);
        break;
    case WS_DELIVERY_RESET:
        table_reset(service->table);
        break;
    }
    core_block_release(delivery->block);
}

void ws_session_deliveries(ws_service *service) {
    ws_delivery delivery;
    for (int i = 0; i < WS_DELIVERIES_A_WAKE; i++) {
        if (!core_ring_pop(service->table->deliveries, &delivery))
            break;
        table_delivery(service, &delivery);
    }
    table_push_waiting(service->table);
}

void ws_session_wake(ws_service *service) {
    if (!ws_server_draining(service->server))
        return;
    for (ws_connection *connection = service->connections; connection != NULL;
         connection = connection->next) {
        ws_socket *socket = ws_socket_of(connection);
        if (socket != NULL)
            ws_socket_close(socket, WS_CLOSE_RESTART, "this server is shutting down");
    }
    ws_service_flush(service);
}
