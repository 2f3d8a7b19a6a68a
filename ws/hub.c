/* The hub's thread: its rings, its life; see hub.h. What it does with a message is hub_spread.c's.
 */
#include "ws/hub_private.h"

#include "ws/access.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define HUB_MAGIC           0x40b0001u
#define HUB_THREADS_MAX     64
#define HUB_RINGS_MAX       (2 + HUB_THREADS_MAX + WS_LANES)
#define HUB_TICK_MS         500 /* between two looks at presence's clock */
#define HUB_LOOK_MS         50  /* between two looks at a lane whose reader is awaited */
#define HUB_COMMANDS_A_TURN 1024
#define HUB_MESSAGES_A_TURN 256    /* between two looks at other gateways and at presence */
#define HUB_PAUSE_NS        200000 /* between two looks at a ring that is full */

/* ---- Deliveries ---- */

static void hub_pause(void) {
    struct timespec pause = {.tv_nsec = HUB_PAUSE_NS};
    (void)nanosleep(&pause, NULL);
}

void hub_deliver(ws_hub *hub, size_t thread, const ws_delivery *delivery) {
    core_ring *ring = ws_session_ring(ws_server_service(hub->server, thread), hub->source);
    while (!core_ring_push(ring, delivery)) {
        if (atomic_load(&hub->stop)) {
            ws_delivery_drop(delivery);
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
    hub_snapshots_reset(hub);
    hub_tail_reset(&hub->tail, hub->position);
    hub_slow_reset(hub);
}

/* ---- Commands ---- */

bool hub_is_live(ws_hub *hub) {
    return hub->begun && atomic_load(&hub->live);
}

void hub_joined(ws_hub *hub, const hub_seat *seat, bool live, ws_place has) {
    ws_delivery delivery = {.kind = WS_DELIVERY_JOINED,
                            .live = live,
                            .class_id = seat->class_id,
                            .room_id = seat->room_id,
                            .presence_id = seat->presence_id,
                            .member = seat->member,
                            .attempt = seat->attempt,
                            .rights = seat->rights,
                            .lags = seat->lags,
                            .place = has};
    memcpy(delivery.epoch, hub->epoch, sizeof delivery.epoch);
    hub_deliver(hub, seat->thread, &delivery);
}

static void hub_leave(ws_hub *hub, const hub_seat *seat) {
    if (seat->class_id != WS_GROUP_NONE)
        hub_class_leave(hub_ids_owner(&hub->class_ids, seat->class_id), seat->thread);
    hub_rooms_leave(&hub->rooms, seat->room_id, seat->thread);
    hub_rooms_leave(&hub->rooms, seat->presence_id, seat->thread);
}

static bool seat_may(const hub_seat *seat, auth_channel_right right) {
    return (seat->rights & WS_RIGHT(right)) != 0;
}

/* False when memory is out. */
bool hub_enter_rooms(ws_hub *hub, const ws_subscription *subscription, hub_seat *seat) {
    unsigned kind = subscription->private_channel ? HUB_ROOM_PRIVATE : 0;
    bool has_topic = subscription->topic.length > 0;
    bool hears = has_topic && seat_may(seat, AUTH_BROADCAST_READ);
    bool sees = has_topic && subscription->presence && seat_may(seat, AUTH_PRESENCE_READ);
    if (hears)
        seat->room_id = hub_rooms_enter(&hub->rooms, subscription->topic, kind,
                                        subscription->protocol, seat->thread);
    if (sees)
        seat->presence_id =
            hub_rooms_enter(&hub->rooms, subscription->topic, kind | HUB_ROOM_PRESENCE,
                            subscription->protocol, seat->thread);
    return hears == (seat->room_id != WS_GROUP_NONE) &&
           sees == (seat->presence_id != WS_GROUP_NONE);
}

/* Row-level security applies to something that it asks for. */
static bool hub_role_reads_claims(hub_role *role, const ws_subscription *subscription) {
    for (size_t i = 0; i < subscription->count; i++)
        if (auth_role_secured(role->role, subscription->bindings[i].schema,
                              subscription->bindings[i].table))
            return true;
    return false;
}

bool hub_enter(ws_hub *hub, hub_classes *classes, ws_subscription *subscription, hub_seat *seat,
               core_error *error) {
    seat->class_id = seat->room_id = seat->presence_id = WS_GROUP_NONE;
    bool in = hub_enter_rooms(hub, subscription, seat) ||
              core_error_set(error, CORE_ERROR_INTERNAL, "out of memory");
    hub_role *role = NULL;
    if (in && subscription->count > 0) {
        role = hub_access_role(&hub->access, subscription->access_class, error);
        in = role != NULL;
    }
    bool by_claims = role != NULL && hub_role_reads_claims(role, subscription);
    seat->lags = by_claims && classes == &hub->classes && hub_slow_suits(role, subscription);
    if (seat->lags)
        classes = hub_slow_audience(hub);
    hub_class *class =
        in ? hub_classes_enter(classes, subscription, by_claims, seat->thread, error) : NULL;
    if (!in)
        ws_subscription_free(subscription);
    if (class != NULL && class->role == NULL) {
        class->role = role;
        role = NULL;
    }
    hub_role_release(role);
    if (class != NULL) {
        class->renewing = false; /* who has just come was not told */
        seat->class_id = class->id;
        return true;
    }
    hub_leave(hub, seat);
    return false;
}

static void hub_left(ws_hub *hub, size_t thread, const ws_command *command) {
    hub_seat seat = {.thread = thread,
                     .class_id = command->class_id,
                     .room_id = command->room_id,
                     .presence_id = command->presence_id};
    hub_leave(hub, &seat);
    if (command->member != 0)
        hub_presence_untrack(hub, command->member);
}

static void hub_command(ws_hub *hub, size_t thread, const ws_command *command) {
    switch (command->kind) {
    case WS_COMMAND_JOIN:
        hub_join(hub, thread, command);
        break;
    case WS_COMMAND_LEAVE:
        hub_left(hub, thread, command);
        break;
    case WS_COMMAND_BROADCAST:
        hub_say(hub, command->broadcast);
        atomic_fetch_sub(&ws_server_service(hub->server, thread)->shared->said_bytes,
                         ws_broadcast_bytes(command->broadcast));
        free(command->broadcast);
        break;
    case WS_COMMAND_TRACK:
        hub_presence_track(hub, thread, command->member, command->wish);
        break;
    case WS_COMMAND_UNTRACK:
        hub_presence_untrack(hub, command->member);
        break;
    case WS_COMMAND_PRESENCE:
        hub_presence_state(hub, thread, command->member, command->wish);
        break;
    case WS_COMMAND_TAKEN:
        hub_snapshot_taken(hub, command->taken, command->gone);
        break;
    }
}

static void hub_commands(ws_hub *hub) {
    for (size_t thread = 0; thread < hub->threads; thread++) {
        core_ring *ring = ws_session_commands(ws_server_service(hub->server, thread), hub->source);
        ws_command command;
        for (int i = 0; i < HUB_COMMANDS_A_TURN && core_ring_pop(ring, &command); i++)
            hub_command(hub, thread, &command);
    }
    bool live = hub_is_live(hub), changed = atomic_exchange(&hub->access_changed, false);
    if (changed)
        hub_unsettle(hub);
    if (changed || (live && !hub->was_live))
        hub_joins_again(hub);
    hub->was_live = live;
    hub_joins_answered(hub);
    hub_snapshots_step(hub);
}

/* ---- Messages ---- */

/* Now and then, so that a client whose changes are rare does not come back from far behind. */
static void hub_tell_position(ws_hub *hub) {
    int64_t now_ms = core_clock_ms(hub->clock);
    if (now_ms - hub->position_told_ms < WS_POSITION_MS)
        return;
    hub->position_told_ms = now_ms;
    for (size_t thread = 0; thread < hub->threads; thread++) {
        ws_delivery delivery = {.kind = WS_DELIVERY_POSITION, .place = hub->last};
        memcpy(delivery.epoch, hub->epoch, sizeof delivery.epoch);
        hub_deliver(hub, thread, &delivery);
    }
}

/* The change at hand, which may be held for what a role may see of it: then nothing behind it goes
 * first. False: it still is. */
static bool hub_change_step(ws_hub *hub) {
    core_block *payload = hub->held.payload;
    uint64_t sequence = hub->held.sequence;
    hub_outcome outcome = hub_spread(hub, core_block_slice(payload), sequence, &hub->held_change);
    if (outcome == HUB_HELD) {
        int64_t now_ms = core_clock_ms(hub->clock);
        if (hub->held_since_ms == 0)
            hub->held_since_ms = now_ms;
        hub->impatient = now_ms - hub->held_since_ms >= HUB_ACCESS_MS;
        if (hub_is_midway(hub)) /* who joins now is behind what was spread of it */
            hub->last = (ws_place){.sequence = sequence, .index = hub->held_change - 1};
        return false;
    }
    hub->held.payload = NULL;
    hub->held_change = 0;
    hub->held_since_ms = 0;
    hub->impatient = false;
    hub->position = sequence;
    if (outcome == HUB_SPREAD)
        hub_tell_position(hub);
    hub_tail_push(&hub->tail, payload, sequence);
    atomic_fetch_sub(&hub->message_bytes, payload->length);
    core_block_release(payload);
    if (outcome == HUB_RESET)
        hub_reset(hub);
    return true;
}

/* Where the stream goes on. What was held of it before is the same stream's, if the epoch is. */
static void hub_begin_take(ws_hub *hub, const hub_message *message) {
    memcpy(hub->epoch, message->epoch, sizeof hub->epoch);
    hub->position = message->sequence;
    hub->last = (ws_place){.sequence = message->sequence, .index = UINT32_MAX};
    hub_tail_reset(&hub->tail, message->sequence);
    hub_slow_reset(hub);
    hub_recent_begin(&hub->snapshots.recent, hub->position, hub->epoch);
    hub_order_begin(hub);
    hub->begun = true;
}

/* False: it is held. */
static bool hub_message_take(ws_hub *hub, const hub_message *message) {
    switch (message->kind) {
    case HUB_MESSAGE_CHANGE:
        hub->held = *message;
        return hub_change_step(hub);
    case HUB_MESSAGE_BEGIN:
        hub_begin_take(hub, message);
        break;
    case HUB_MESSAGE_LOST:
        hub->begun = false;
        hub_reset(hub);
        break;
    }
    return true;
}

/* Commands between any two messages, so that a join is not behind a backlog; and history, a bounded
 * piece at a time, so that live changes do not wait for those who catch up. */
static bool hub_turn(ws_hub *hub) {
    hub_message message;
    hub_commands(hub);
    hub_bus_take(hub);
    bool more = hub_resume_step(hub);
    more |= hub_slow_step(hub);
    if (hub->held.payload != NULL && !hub_change_step(hub))
        return more;
    for (int i = 0; i < HUB_MESSAGES_A_TURN && !atomic_load(&hub->stop) &&
                    core_ring_pop(hub->messages, &message);
         i++) {
        bool taken = hub_message_take(hub, &message);
        hub_commands(hub);
        more = hub_resume_step(hub);
        more |= hub_slow_step(hub);
        if (!taken)
            break;
    }
    return more;
}

/* ---- The thread ---- */

/* Every ring that wakes it. */
static size_t hub_rings(ws_hub *hub, core_ring *rings[]) {
    size_t count = 0;
    rings[count++] = hub->messages;
    rings[count++] = hub->heard;
    for (size_t i = 0; i < hub->threads; i++)
        rings[count++] = ws_session_commands(ws_server_service(hub->server, i), hub->source);
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
    bool looks = hub->held.payload != NULL || hub_resume_waits(hub) || hub_snapshots_wait(hub) ||
                 hub_slow_waits(hub);
    int timeout_ms = looks ? HUB_LOOK_MS : HUB_TICK_MS;
    if (may_sleep && poll(fds, (nfds_t)count, timeout_ms) < 0 && errno != EINTR)
        hub_pause();
    for (size_t i = 0; i < count; i++)
        core_ring_wake_clear(rings[i]);
}

static void hub_joins_look(ws_hub *hub) {
    int64_t now_ms = core_clock_ms(hub->clock);
    if (hub->joins_waiting == 0 || now_ms - hub->joins_looked_ms < CORE_MS_PER_S)
        return;
    hub->joins_looked_ms = now_ms;
    hub_joins_expire(hub, now_ms);
}

static void *hub_run(void *context) {
    ws_hub *hub = context;
    CORE_MAGIC_CHECK(hub, HUB_MAGIC);
    (void)pthread_setname_np(pthread_self(), "walcast-hub");
    while (!atomic_load(&hub->stop)) {
        bool more = hub_turn(hub);
        hub_presence_round(hub);
        hub_joins_look(hub);
        if (!more)
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

auth_access *ws_hub_access(const ws_hub *hub) {
    return hub->access.source;
}

hub_reader *ws_hub_reader(ws_hub *hub, size_t index) {
    assert(index < WS_LANES);
    return &hub->readers[index];
}

void ws_hub_stop_feeding(ws_hub *hub) {
    atomic_store(&hub->stop_feeding, true);
}

/* ---- Life ---- */

static void hub_on_access(void *context, const char *role, uint64_t generation) {
    ws_hub *hub = context;
    CORE_MAGIC_CHECK(hub, HUB_MAGIC);
    (void)role;
    (void)generation;
    atomic_store(&hub->access_changed, true);
    core_ring_wake(hub->messages);
}

/* In this order: nobody calls back into what is gone. */
static void hub_destroy(ws_hub *hub) {
    hub_message message;
    atomic_store(&hub->snapshots.stop, true);
    if (hub->pool != NULL)
        pg_pool_stop(hub->pool);
    hub_presence_fini(hub);
    hub_replay_fini(hub);
    hub_joins_fini(hub);
    hub_resume_fini(hub);
    hub_snapshots_fini(hub);
    hub_asks_fini(hub);
    hub_slow_fini(hub);
    hub_classes_fini(&hub->classes);
    hub_access_fini(&hub->access);
    if (hub->access.source != NULL)
        auth_access_free(hub->access.source);
    if (hub->pool != NULL)
        pg_pool_free(hub->pool);
    while (hub->messages != NULL && core_ring_pop(hub->messages, &message))
        core_block_release(message.payload);
    core_block_release(hub->held.payload);
    core_ring_free(hub->messages);
    (void)pthread_mutex_destroy(&hub->answers_lock);
    hub_tail_fini(&hub->tail);
    hub_ids_fini(&hub->class_ids);
    hub_rooms_fini(&hub->rooms);
    hub_bus_fini(hub);
    core_arena_fini(&hub->arena);
    core_buffer_fini(&hub->head);
    hub_encodings_fini(hub);
    hub->magic = 0;
    free(hub);
}

/* What it asks the database with. */
static bool hub_ask_database(ws_hub *hub, const ws_gateway_spec *spec, core_error *error) {
    hub->pool = pg_pool_new(spec->config, "walcast ws", spec->log, spec->metrics, error);
    auth_access_spec access = {
        .config = spec->config,
        .pool = hub->pool,
        .log = spec->log,
        .metrics = spec->metrics,
        .changed = hub_on_access,
        .context = hub,
    };
    auth_access *source = hub->pool != NULL ? auth_access_new(&access, error) : NULL;
    hub_access_init(&hub->access, source);
    return source != NULL;
}

static void hub_prepare(ws_hub *hub, const ws_gateway_spec *spec, size_t row_max) {
    hub->magic = HUB_MAGIC;
    hub->log = spec->log;
    hub->metrics = spec->metrics;
    hub->clock = spec->clock;
    hub->publication = core_config_text(spec->config, "postgres.publication");
    (void)pthread_mutex_init(&hub->answers_lock, NULL);
    hub->scope = core_subject_scope_of(spec->config);
    hub_classes_init(&hub->classes, &hub->class_ids, hub->threads, &hub->scope.tenants);
    hub_slow_init(hub);
    hub->policy_timeout_ms = core_config_integer(spec->config, "auth.policy_timeout");
    hub_rooms_init(&hub->rooms, hub->threads);
    core_arena_init(&hub->arena, 65536,
                    WS_HUB_MESSAGE_BYTES * 4 + CORE_EVENT_JSON_ARENA_FACTOR * row_max);
    core_buffer_init(&hub->head, 65536);
    hub_encodings_init(hub);
    hub_tail_init(&hub->tail, (size_t)core_config_integer(spec->config, "ws.tail_bytes"));
}

ws_hub *ws_hub_new(ws_server *server, const ws_gateway_spec *spec, ws_hub_readers_changed changed,
                   void *context, core_error *error) {
    ws_hub *hub = calloc(1, sizeof *hub);
    if (hub == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "out of memory");
        return NULL;
    }
    hub->server = server;
    hub->source = spec->source;
    hub->readers_changed = changed;
    hub->readers_context = context;
    hub->threads = ws_server_service_count(server);
    size_t row_max = (size_t)core_config_integer(spec->config, "cdc.max_row_bytes");
    hub_prepare(hub, spec, row_max);
    bool readers = hub_resume_init(hub, row_max, error); /* before all that can fail: see destroy */
    bool snapshots = hub_snapshots_init(&hub->snapshots, spec->config, error);
    if (readers && snapshots)
        hub->messages = core_ring_new(WS_HUB_MESSAGES, sizeof(hub_message), error);
    if (hub->messages != NULL && hub_bus_init(hub, spec->config, error) &&
        hub_presence_init(hub, spec->config, error) && hub_replay_init(hub, spec->config, error) &&
        hub_ask_database(hub, spec, error)) {
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
