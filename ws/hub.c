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
#define HUB_RINGS_MAX       (1 + HUB_THREADS_MAX + WS_LANES)
#define HUB_LOOK_MS         50 /* between two looks at a lane whose reader is awaited */
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

void hub_refuse(ws_hub *hub, size_t thread, uint64_t member, uint32_t attempt, const char *reason) {
    core_block *text = core_block_copy(core_slice_text(reason));
    if (text == NULL)
        return; /* the member's own time limit refuses it */
    ws_delivery delivery = {
        .kind = WS_DELIVERY_REFUSED, .member = member, .attempt = attempt, .block = text};
    hub_deliver(hub, thread, &delivery);
}

static void hub_reset(ws_hub *hub) {
    CORE_LOG(hub->log, WARN, "ws", "changes may have been missed: every channel must join again");
    core_metrics_add(hub->metrics, CORE_METRIC_WS_GAPS, 1);
    for (size_t thread = 0; thread < hub->threads; thread++) {
        ws_delivery delivery = {.kind = WS_DELIVERY_RESET};
        hub_deliver(hub, thread, &delivery);
    }
    hub_resume_reset(hub);
    hub_tail_reset(&hub->tail, hub->position);
}

/* ---- Commands ---- */

static bool hub_is_live(ws_hub *hub) {
    return hub->begun && atomic_load(&hub->live);
}

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

void hub_joined(ws_hub *hub, const hub_seat *seat, bool live, ws_place has) {
    ws_delivery delivery = {.kind = WS_DELIVERY_JOINED,
                            .live = live,
                            .class_id = seat->class_id,
                            .room_id = seat->room_id,
                            .member = seat->member,
                            .attempt = seat->attempt,
                            .place = has};
    memcpy(delivery.epoch, hub->epoch, sizeof delivery.epoch);
    hub_deliver(hub, seat->thread, &delivery);
}

static void hub_leave(ws_hub *hub, uint32_t class_id, uint32_t room_id, size_t thread) {
    if (class_id != WS_GROUP_NONE)
        hub_class_leave(hub_ids_owner(&hub->class_ids, class_id), thread);
    hub_rooms_leave(&hub->rooms, room_id, thread);
}

bool hub_enter(ws_hub *hub, hub_classes *classes, ws_subscription *subscription, hub_seat *seat,
               core_error *error) {
    seat->class_id = seat->room_id = WS_GROUP_NONE;
    if (subscription->topic.length > 0) {
        seat->room_id =
            hub_rooms_enter(&hub->rooms, subscription->topic, subscription->private_channel,
                            subscription->protocol, seat->thread);
        if (seat->room_id == WS_GROUP_NONE) {
            ws_subscription_free(subscription);
            return core_error_set(error, CORE_ERROR_INTERNAL, "out of memory");
        }
    }
    hub_class *class = hub_classes_enter(classes, subscription, seat->thread, error);
    if (class != NULL)
        seat->class_id = class->id;
    else
        hub_rooms_leave(&hub->rooms, seat->room_id, seat->thread);
    return class != NULL;
}

static void hub_join_live(ws_hub *hub, size_t thread, const ws_command *command) {
    core_error error = {.text = ""};
    hub_seat seat = {.thread = thread, .member = command->member, .attempt = command->attempt};
    if (hub_enter(hub, &hub->classes, command->subscription, &seat, &error)) {
        hub_joined(hub, &seat, true, hub->last);
        return;
    }
    char reason[CORE_ERROR_TEXT_MAX + 32];
    (void)snprintf(reason, sizeof reason, "InvalidJoinPayload: %s", error.text);
    hub_refuse(hub, thread, command->member, command->attempt, reason);
}

static void hub_join(ws_hub *hub, size_t thread, const ws_command *command) {
    hub_waiting waiting = {.thread = thread, .command = *command};
    if (!hub_is_live(hub)) {
        if (hub_wait_for_live(hub, &waiting))
            return;
        ws_subscription_free(command->subscription);
        hub_refuse(hub, thread, command->member, command->attempt,
                   "ClientJoinRateLimitReached: Too many joins are waiting, try again later");
    } else if (command->since.sequence > 0) {
        hub_resume(hub, thread, command);
    } else {
        hub_join_live(hub, thread, command);
    }
}

static void hub_answer_waiting(ws_hub *hub) {
    size_t count = hub->waiting_count;
    hub->waiting_count = 0; /* one that is put back stands before those that are still to come */
    for (size_t i = 0; i < count; i++) {
        hub_waiting waiting = hub->waiting[i];
        hub_join(hub, waiting.thread, &waiting.command);
    }
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
    if (hub_is_live(hub))
        hub_answer_waiting(hub);
}

/* ---- Messages ---- */

static void hub_change_take(ws_hub *hub, const hub_message *message) {
    hub_outcome outcome = hub_spread(hub, core_block_slice(message->payload), message->sequence);
    hub->position = message->sequence;
    hub_tail_push(&hub->tail, message->payload, message->sequence);
    atomic_fetch_sub(&hub->message_bytes, message->payload->length);
    core_block_release(message->payload);
    if (outcome == HUB_RESET)
        hub_reset(hub);
}

/* Where the stream goes on. What was held of it before is the same stream's, if the epoch is. */
static void hub_begin_take(ws_hub *hub, const hub_message *message) {
    memcpy(hub->epoch, message->epoch, sizeof hub->epoch);
    hub->position = message->sequence;
    hub->last = (ws_place){.sequence = message->sequence, .index = UINT32_MAX};
    hub_tail_reset(&hub->tail, message->sequence);
    hub->begun = true;
}

static void hub_message_take(ws_hub *hub, const hub_message *message) {
    switch (message->kind) {
    case HUB_MESSAGE_CHANGE:
        hub_change_take(hub, message);
        break;
    case HUB_MESSAGE_BEGIN:
        hub_begin_take(hub, message);
        break;
    case HUB_MESSAGE_LOST:
        hub->begun = false;
        hub_reset(hub);
        break;
    }
}

/* Commands between any two messages, so that a join is not behind a backlog; and history, a bounded
 * piece at a time, so that live changes do not wait for those who catch up. */
static bool hub_turn(ws_hub *hub) {
    hub_message message;
    hub_commands(hub);
    bool more = hub_resume_step(hub);
    while (!atomic_load(&hub->stop) && core_ring_pop(hub->messages, &message)) {
        hub_message_take(hub, &message);
        hub_commands(hub);
        more = hub_resume_step(hub);
    }
    return more;
}

/* ---- The thread ---- */

/* Every ring that wakes it. */
static size_t hub_rings(ws_hub *hub, core_ring *rings[]) {
    size_t count = 0;
    rings[count++] = hub->messages;
    for (size_t i = 0; i < hub->threads; i++)
        rings[count++] = ws_session_commands(ws_server_service(hub->server, i));
    for (size_t i = 0; i < WS_LANES; i++)
        rings[count++] = hub->readers[i].messages;
    return count;
}

static void hub_wait(ws_hub *hub) {
    struct pollfd fds[HUB_RINGS_MAX];
    core_ring *rings[HUB_RINGS_MAX];
    size_t count = hub_rings(hub, rings);
    bool may_sleep = true;
    for (size_t i = 0; i < count; i++) {
        fds[i] = (struct pollfd){.fd = core_ring_wake_fd(rings[i]), .events = POLLIN};
        may_sleep &= core_ring_sleep(rings[i]);
    }
    int timeout_ms = hub_resume_waits(hub) ? HUB_LOOK_MS : -1;
    if (may_sleep && poll(fds, (nfds_t)count, timeout_ms) < 0 && errno != EINTR)
        hub_pause();
    for (size_t i = 0; i < count; i++)
        core_ring_wake_clear(rings[i]);
}

static void *hub_run(void *context) {
    ws_hub *hub = context;
    CORE_MAGIC_CHECK(hub, HUB_MAGIC);
    (void)pthread_setname_np(pthread_self(), "walcast-hub");
    while (!atomic_load(&hub->stop)) {
        if (!hub_turn(hub))
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
    hub_message message = {
        .kind = HUB_MESSAGE_CHANGE, .payload = core_block_copy(payload), .sequence = sequence};
    if (message.payload == NULL) { /* out of memory: what is not fed is a gap */
        CORE_LOG(hub->log, ERROR, "ws", "out of memory for a message of the stream");
        message.kind = HUB_MESSAGE_LOST;
    }
    hub_feed_message(hub, &message);
}

void ws_hub_feed_begin(ws_hub *hub, uint64_t sequence, const char epoch[CORE_EPOCH_TEXT_SIZE]) {
    hub_message message = {.kind = HUB_MESSAGE_BEGIN, .sequence = sequence};
    memcpy(message.epoch, epoch, sizeof message.epoch);
    hub_feed_message(hub, &message);
}

void ws_hub_feed_lost(ws_hub *hub) {
    hub_message message = {.kind = HUB_MESSAGE_LOST};
    hub_feed_message(hub, &message);
}

void ws_hub_set_live(ws_hub *hub, bool live) {
    atomic_store(&hub->live, live);
    core_ring_wake(hub->messages);
}

hub_reader *ws_hub_reader(ws_hub *hub, size_t index) {
    assert(index < WS_LANES);
    return &hub->readers[index];
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
    for (size_t i = 0; i < hub->waiting_count; i++)
        ws_subscription_free(hub->waiting[i].command.subscription);
    hub_resume_fini(hub);
    hub_tail_fini(&hub->tail);
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

ws_hub *ws_hub_new(ws_server *server, ws_hub_readers_changed changed, void *context,
                   core_error *error) {
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
    hub->clock = spec->clock;
    hub->readers_changed = changed;
    hub->readers_context = context;
    hub->threads = ws_server_service_count(server);
    hub_classes_init(&hub->classes, &hub->class_ids, hub->threads);
    hub_rooms_init(&hub->rooms, hub->threads);
    size_t row_max = (size_t)core_config_integer(spec->config, "cdc.max_row_bytes");
    core_arena_init(&hub->arena, 65536,
                    WS_HUB_MESSAGE_BYTES * 4 + CORE_EVENT_JSON_ARENA_FACTOR * row_max);
    core_buffer_init(&hub->head, 65536);
    hub_encodings_init(hub);
    hub_tail_init(&hub->tail, (size_t)core_config_integer(spec->config, "ws.tail_bytes"));
    hub->messages = core_ring_new(WS_HUB_MESSAGES, sizeof(hub_message), error);
    if (hub_resume_init(hub, row_max, error) && hub->messages != NULL) {
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
