/* The hub's thread: its rings, its life; see hub.h. What it does with a message is hub_spread.c's.
 */
#include "ws/hub_private.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define HUB_MAGIC           0x40b0001u
#define HUB_THREADS_MAX     64
#define HUB_WAITING_MAX     ((size_t)1 << 20) /* joins that wait for the stream to be live */
#define HUB_COMMANDS_A_TURN 1024
#define HUB_PAUSE_NS        200000 /* between two looks at a ring that is full */

/* ---- Deliveries ---- */

static void hub_pause(void) {
    struct timespec pause = {.tv_nsec = HUB_PAUSE_NS};
    (void)nanosleep(&pause, NULL);
}

void hub_deliver(ws_hub *hub, size_t thread, const ws_delivery *delivery) {
    core_ring *ring = ws_session_ring(ws_server_service(hub->server, thread));
    while (!core_ring_push(ring, delivery)) {
        if (atomic_load(&hub->stop)) {
            core_block_release(delivery->block);
            return;
        }
        hub_pause(); /* the service thread is behind: the stream waits for it */
    }
}

static void hub_refuse(ws_hub *hub, const hub_waiting *join, const char *reason) {
    core_block *text = core_block_copy(core_slice_text(reason));
    if (text == NULL)
        return; /* the member's own time limit refuses it */
    ws_delivery delivery = {.kind = WS_DELIVERY_REFUSED,
                            .member = join->member,
                            .attempt = join->attempt,
                            .block = text};
    hub_deliver(hub, join->thread, &delivery);
}

static void hub_reset(ws_hub *hub) {
    CORE_LOG(hub->log, WARN, "ws", "changes may have been missed: every channel must join again");
    core_metrics_add(hub->metrics, CORE_METRIC_WS_GAPS, 1);
    for (size_t thread = 0; thread < hub->threads; thread++) {
        ws_delivery delivery = {.kind = WS_DELIVERY_RESET};
        hub_deliver(hub, thread, &delivery);
    }
}

/* ---- Commands ---- */

static bool hub_wait_for_live(ws_hub *hub, const hub_waiting *waiting) {
    if (hub->waiting_count == hub->waiting_capacity) {
        size_t capacity = hub->waiting_capacity ? hub->waiting_capacity * 2 : 64;
        hub_waiting *grown =
            capacity <= HUB_WAITING_MAX ? realloc(hub->waiting, capacity * sizeof *grown) : NULL;
        if (grown == NULL)
            return false;
        hub->waiting = grown;
        hub->waiting_capacity = capacity;
    }
    hub->waiting[hub->waiting_count++] = *waiting;
    return true;
}

static void hub_joined(ws_hub *hub, const hub_waiting *join) {
    ws_delivery delivery = {.kind = WS_DELIVERY_JOINED,
                            .class_id = join->class_id,
                            .room_id = join->room_id,
                            .member = join->member,
                            .attempt = join->attempt};
    hub_deliver(hub, join->thread, &delivery);
}

static void hub_leave(ws_hub *hub, uint32_t class_id, uint32_t room_id, size_t thread) {
    if (class_id != WS_GROUP_NONE)
        hub_class_leave(hub_ids_owner(&hub->class_ids, class_id), thread);
    hub_rooms_leave(&hub->rooms, room_id, thread);
}

/* Into its room and its class; the subscription is gone afterwards. False with the reason. */
static bool hub_enter(ws_hub *hub, ws_subscription *subscription, hub_waiting *join,
                      core_error *error) {
    join->class_id = join->room_id = WS_GROUP_NONE;
    if (subscription->topic.length > 0) {
        join->room_id =
            hub_rooms_enter(&hub->rooms, subscription->topic, subscription->private_channel,
                            subscription->protocol, join->thread);
        if (join->room_id == WS_GROUP_NONE) {
            ws_subscription_free(subscription);
            return core_error_set(error, CORE_ERROR_INTERNAL, "out of memory");
        }
    }
    hub_class *class = hub_classes_enter(&hub->classes, subscription, join->thread, error);
    if (class != NULL)
        join->class_id = class->id;
    else
        hub_rooms_leave(&hub->rooms, join->room_id, join->thread);
    return class != NULL;
}

static void hub_join(ws_hub *hub, size_t thread, const ws_command *command) {
    core_error error = {.text = ""};
    hub_waiting join = {.thread = thread, .member = command->member, .attempt = command->attempt};
    if (!hub_enter(hub, command->subscription, &join, &error)) {
        char reason[CORE_ERROR_TEXT_MAX + 32];
        (void)snprintf(reason, sizeof reason, "InvalidJoinPayload: %s", error.text);
        hub_refuse(hub, &join, reason);
    } else if (atomic_load(&hub->live)) {
        hub_joined(hub, &join);
    } else if (!hub_wait_for_live(hub, &join)) {
        hub_leave(hub, join.class_id, join.room_id, thread);
        hub_refuse(hub, &join,
                   "ClientJoinRateLimitReached: Too many joins are waiting, try again later");
    }
}

static void hub_answer_waiting(ws_hub *hub) {
    for (size_t i = 0; i < hub->waiting_count; i++)
        hub_joined(hub, &hub->waiting[i]);
    hub->waiting_count = 0;
}

static void hub_command(ws_hub *hub, size_t thread, const ws_command *command) {
    switch (command->kind) {
    case WS_COMMAND_JOIN:
        hub_join(hub, thread, command);
        break;
    case WS_COMMAND_LEAVE:
        hub_leave(hub, command->class_id, command->room_id, thread);
        break;
    case WS_COMMAND_BROADCAST:
        hub_broadcast(hub, command->broadcast);
        free(command->broadcast);
        break;
    }
}

static void hub_commands(ws_hub *hub) {
    for (size_t thread = 0; thread < hub->threads; thread++) {
        core_ring *ring = ws_session_commands(ws_server_service(hub->server, thread));
        ws_command command;
        for (int i = 0; i < HUB_COMMANDS_A_TURN && core_ring_pop(ring, &command); i++)
            hub_command(hub, thread, &command);
    }
    if (atomic_load(&hub->live))
        hub_answer_waiting(hub);
}

/* ---- Messages ---- */

static void hub_message_take(ws_hub *hub, const hub_message *message) {
    if (message->payload == NULL) {
        hub_reset(hub);
        return;
    }
    hub_outcome outcome = hub_spread(hub, core_block_slice(message->payload), message->sequence);
    atomic_fetch_sub(&hub->message_bytes, message->payload->length);
    core_block_release(message->payload);
    if (outcome == HUB_RESET)
        hub_reset(hub);
}

/* Commands between any two messages, so that a join is not behind a backlog. */
static void hub_turn(ws_hub *hub) {
    hub_message message;
    hub_commands(hub);
    while (!atomic_load(&hub->stop) && core_ring_pop(hub->messages, &message)) {
        hub_message_take(hub, &message);
        hub_commands(hub);
    }
}

/* ---- The thread ---- */

static bool hub_may_sleep(ws_hub *hub) {
    bool may = core_ring_sleep(hub->messages);
    for (size_t i = 0; i < hub->threads; i++)
        may &= core_ring_sleep(ws_session_commands(ws_server_service(hub->server, i)));
    return may;
}

static void hub_wait(ws_hub *hub) {
    struct pollfd fds[HUB_THREADS_MAX + 1];
    fds[0] = (struct pollfd){.fd = core_ring_wake_fd(hub->messages), .events = POLLIN};
    for (size_t i = 0; i < hub->threads; i++) {
        core_ring *ring = ws_session_commands(ws_server_service(hub->server, i));
        fds[i + 1] = (struct pollfd){.fd = core_ring_wake_fd(ring), .events = POLLIN};
    }
    if (hub_may_sleep(hub) && poll(fds, (nfds_t)hub->threads + 1, -1) < 0 && errno != EINTR)
        hub_pause();
    core_ring_wake_clear(hub->messages);
    for (size_t i = 0; i < hub->threads; i++)
        core_ring_wake_clear(ws_session_commands(ws_server_service(hub->server, i)));
}

static void *hub_run(void *context) {
    ws_hub *hub = context;
    CORE_MAGIC_CHECK(hub, HUB_MAGIC);
    (void)pthread_setname_np(pthread_self(), "walcast-hub");
    while (!atomic_load(&hub->stop)) {
        hub_turn(hub);
        hub_wait(hub);
    }
    return NULL;
}

/* ---- Feeding ---- */

/* Counted before it is pushed: once in the ring, the hub may have let go of it already. */
static void hub_feed_message(ws_hub *hub, const hub_message *message) {
    size_t length = message->payload != NULL ? message->payload->length : 0;
    while (!atomic_load(&hub->stop_feeding)) {
        if (atomic_load(&hub->message_bytes) < WS_HUB_MESSAGE_BYTES) {
            atomic_fetch_add(&hub->message_bytes, length);
            if (core_ring_push(hub->messages, message))
                return;
            atomic_fetch_sub(&hub->message_bytes, length);
        }
        hub_pause();
    }
    core_block_release(message->payload);
}

void ws_hub_feed(ws_hub *hub, core_slice payload, uint64_t sequence) {
    hub_message message = {.payload = core_block_copy(payload), .sequence = sequence};
    if (message.payload == NULL) /* out of memory: what is not fed is a gap */
        CORE_LOG(hub->log, ERROR, "ws", "out of memory for a message of the stream");
    hub_feed_message(hub, &message);
}

void ws_hub_feed_lost(ws_hub *hub) {
    hub_message message = {.payload = NULL};
    hub_feed_message(hub, &message);
}

void ws_hub_set_live(ws_hub *hub, bool live) {
    atomic_store(&hub->live, live);
    core_ring_wake(hub->messages);
}

void ws_hub_stop_feeding(ws_hub *hub) {
    atomic_store(&hub->stop_feeding, true);
}

/* ---- Life ---- */

static void hub_destroy(ws_hub *hub) {
    hub_message message;
    while (hub->messages != NULL && core_ring_pop(hub->messages, &message))
        core_block_release(message.payload);
    core_ring_free(hub->messages);
    hub_classes_fini(&hub->classes);
    hub_ids_fini(&hub->class_ids);
    hub_rooms_fini(&hub->rooms);
    core_arena_fini(&hub->arena);
    core_buffer_fini(&hub->head);
    hub_encodings_fini(hub);
    free(hub->waiting);
    hub->magic = 0;
    free(hub);
}

ws_hub *ws_hub_new(ws_server *server, core_error *error) {
    const ws_server_spec *spec = ws_server_spec_of(server);
    ws_hub *hub = calloc(1, sizeof *hub);
    if (hub == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "out of memory");
        return NULL;
    }
    hub->magic = HUB_MAGIC;
    hub->server = server;
    hub->log = spec->log;
    hub->metrics = spec->metrics;
    hub->threads = ws_server_service_count(server);
    hub_classes_init(&hub->classes, &hub->class_ids, hub->threads);
    hub_rooms_init(&hub->rooms, hub->threads);
    size_t row_max = (size_t)core_config_integer(spec->config, "cdc.max_row_bytes");
    core_arena_init(&hub->arena, 65536,
                    WS_HUB_MESSAGE_BYTES * 4 + CORE_EVENT_JSON_ARENA_FACTOR * row_max);
    core_buffer_init(&hub->head, 65536);
    hub_encodings_init(hub);
    hub->messages = core_ring_new(WS_HUB_MESSAGES, sizeof(hub_message), error);
    if (hub->messages != NULL) {
        int failure = pthread_create(&hub->thread, NULL, hub_run, hub);
        if (failure == 0)
            return hub;
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "cannot start the hub's thread: %s",
                             strerror(failure));
    }
    hub_destroy(hub);
    return NULL;
}

void ws_hub_free(ws_hub *hub) {
    if (hub == NULL)
        return;
    CORE_MAGIC_CHECK(hub, HUB_MAGIC);
    atomic_store(&hub->stop, true);
    core_ring_wake(hub->messages);
    (void)pthread_join(hub->thread, NULL);
    hub_destroy(hub);
}
