/* The hub's side of snapshots; see hub_snapshot.h. */
#include "ws/access.h"
#include "ws/hub_snapshot_private.h"

#include <stdio.h>
#include <stdlib.h>

#define SNAPSHOT_MAGIC   0x5a9502u
#define SNAPSHOT_LOOK_MS 50

/* ---- Lists ---- */

static void list_push(hub_snapshot_list *list, hub_snapshot *snapshot) {
    snapshot->next = NULL;
    snapshot->previous = list->last;
    *(list->last != NULL ? &list->last->next : &list->first) = snapshot;
    list->last = snapshot;
}

static void list_remove(hub_snapshot_list *list, hub_snapshot *snapshot) {
    *(snapshot->previous != NULL ? &snapshot->previous->next : &list->first) = snapshot->next;
    *(snapshot->next != NULL ? &snapshot->next->previous : &list->last) = snapshot->previous;
}

/* ---- Life ---- */

static void pieces_free(hub_snapshots *all, ws_rows *piece) {
    while (piece != NULL) {
        ws_rows *next = piece->next;
        atomic_fetch_sub(&all->bytes, piece->bytes);
        ws_rows_free(piece);
        piece = next;
    }
}

static void snapshot_free(hub_snapshot *snapshot) {
    pieces_free(snapshot->all, snapshot->pieces);
    pieces_free(snapshot->all, snapshot->piece);
    ws_gate_free(snapshot->gate);
    ws_subscription_free(snapshot->passenger.subscription);
    hub_role_release(snapshot->role);
    snapshot->magic = 0;
    free(snapshot);
}

static hub_snapshot *snapshot_new(ws_hub *hub, const hub_passenger *passenger, hub_role *role) {
    hub_snapshot *snapshot =
        hub->snapshots.waiting_count < WS_SNAPSHOTS_WAITING ? calloc(1, sizeof *snapshot) : NULL;
    if (snapshot == NULL)
        return NULL;
    snapshot->job.run = hub_snapshot_run;
    snapshot->job.done = hub_snapshot_done;
    snapshot->job.kind = PG_JOB_LONG;
    snapshot->magic = SNAPSHOT_MAGIC;
    snapshot->all = &hub->snapshots;
    snapshot->wake = hub->messages;
    snapshot->passenger = *passenger;
    snapshot->role = hub_role_retain(role);
    snapshot->since_ms = core_clock_ms(hub->clock);
    return snapshot;
}

/* Once neither its job nor a piece of it is elsewhere. `job_left`: its job has ended, and its last
 * word was taken. */
static void snapshot_leave_if_over(ws_hub *hub, hub_snapshot *snapshot, bool job_left) {
    if (!snapshot->over || snapshot->in_flight || !job_left)
        return;
    list_remove(&hub->snapshots.begun, snapshot);
    hub->snapshots.begun_count--;
    snapshot_free(snapshot);
}

static void snapshot_refuse(ws_hub *hub, const hub_snapshot *snapshot, const char *reason) {
    const hub_passenger *passenger = &snapshot->passenger;
    hub_refuse(hub, passenger->thread, passenger->member, passenger->attempt, reason);
}

/* Of one that was begun. It is freed once nobody else has it. */
static void snapshot_fail(ws_hub *hub, hub_snapshot *snapshot, const char *reason) {
    if (!snapshot->over)
        snapshot_refuse(hub, snapshot, reason);
    snapshot->over = true;
    atomic_store(&snapshot->cancelled, true);
}

/* ---- Beginning ---- */

static void snapshot_begin(ws_hub *hub, hub_snapshot *snapshot) {
    hub_snapshots *all = &hub->snapshots;
    core_error error = {.text = ""};
    list_remove(&all->waiting, snapshot);
    all->waiting_count--;
    snapshot->since_ms = core_clock_ms(hub->clock);
    if (!pg_pool_submit(hub->pool, &snapshot->job, &error)) {
        char reason[HUB_SNAPSHOT_REASON_MAX];
        (void)snprintf(reason, sizeof reason, "DatabaseUnavailable: %s", error.text);
        snapshot_refuse(hub, snapshot, reason);
        snapshot_free(snapshot);
        return;
    }
    core_metrics_add(hub->metrics, CORE_METRIC_WS_SNAPSHOTS, 1);
    list_push(&all->begun, snapshot);
    all->begun_count++;
    all->reading++;
}

static void snapshots_begin(ws_hub *hub) {
    hub_snapshots *all = &hub->snapshots;
    while (all->waiting.first != NULL && all->reading < all->places &&
           all->begun_count < WS_SNAPSHOTS_BEGUN)
        snapshot_begin(hub, all->waiting.first);
}

void hub_snapshot_join(ws_hub *hub, const hub_passenger *passenger, hub_role *role) {
    hub_snapshot *snapshot = snapshot_new(hub, passenger, role);
    if (snapshot == NULL) {
        hub_refuse(hub, passenger->thread, passenger->member, passenger->attempt,
                   "ClientJoinRateLimitReached: Too many snapshots are waiting, try again later");
        ws_subscription_free(passenger->subscription);
        return;
    }
    list_push(&hub->snapshots.waiting, snapshot);
    hub->snapshots.waiting_count++;
    snapshots_begin(hub);
}

/* ---- Handing on ---- */

/* The member is in: in its rooms, so that it hears what is said there, and in no class yet. */
static void snapshot_answer(ws_hub *hub, hub_snapshot *snapshot) {
    const hub_passenger *passenger = &snapshot->passenger;
    hub_seat seat = {.thread = passenger->thread,
                     .member = passenger->member,
                     .attempt = passenger->attempt,
                     .rights = passenger->rights,
                     .class_id = WS_GROUP_NONE,
                     .room_id = WS_GROUP_NONE,
                     .presence_id = WS_GROUP_NONE};
    snapshot->answered = true;
    if (!hub_enter_rooms(hub, passenger->subscription, &seat)) {
        hub_rooms_leave(&hub->rooms, seat.room_id, seat.thread);
        hub_rooms_leave(&hub->rooms, seat.presence_id, seat.thread);
        snapshot_fail(hub, snapshot, "InternalError: out of memory");
        return;
    }
    hub_joined(hub, &seat, false, (ws_place){0});
    if (passenger->subscription->replay_limit > 0 &&
        (seat.rights & WS_RIGHT(AUTH_BROADCAST_READ)) != 0)
        hub_replay_begin(hub, &seat, passenger->subscription);
}

static void snapshot_send(ws_hub *hub, hub_snapshot *snapshot, ws_rows *piece) {
    const hub_passenger *passenger = &snapshot->passenger;
    ws_delivery delivery = {.kind = WS_DELIVERY_ROWS,
                            .member = passenger->member,
                            .attempt = passenger->attempt,
                            .rows = piece,
                            .snapshot = snapshot};
    atomic_fetch_sub(&hub->snapshots.bytes, piece->bytes);
    core_metrics_add(hub->metrics, CORE_METRIC_WS_SNAPSHOT_ROWS, (int64_t)piece->count);
    snapshot->in_flight = true;
    snapshot->sent_last = piece->gate != NULL;
    if (snapshot->sent_last) {
        delivery.place = (ws_place){snapshot->place.position, UINT32_MAX};
        memcpy(delivery.epoch, snapshot->place.epoch, sizeof delivery.epoch);
    }
    hub_deliver(hub, passenger->thread, &delivery);
}

/* What there is of it now. */
static void snapshot_go_on(ws_hub *hub, hub_snapshot *snapshot) {
    (void)pthread_mutex_lock(&hub->snapshots.lock);
    bool ready = snapshot->ready, failed = snapshot->ended && !snapshot->ok;
    bool job_left = snapshot->ended && !snapshot->in_progress;
    ws_rows *piece = NULL;
    if (!snapshot->over && !snapshot->in_flight && !failed && snapshot->pieces != NULL) {
        piece = snapshot->pieces;
        snapshot->pieces = piece->next;
        piece->next = NULL;
    }
    (void)pthread_mutex_unlock(&hub->snapshots.lock);
    if (failed)
        snapshot_fail(hub, snapshot, snapshot->reason);
    if (ready && !snapshot->answered && !snapshot->over)
        snapshot_answer(hub, snapshot);
    if (piece != NULL)
        snapshot_send(hub, snapshot, piece);
    snapshot_leave_if_over(hub, snapshot, job_left);
}

/* All rows were taken. A stream that was empty had no epoch to tell. */
static void snapshot_resume(ws_hub *hub, hub_snapshot *snapshot) {
    if (snapshot->place.epoch[0] != '\0' && strcmp(snapshot->place.epoch, hub->epoch) != 0) {
        snapshot_fail(hub, snapshot,
                      "RealtimeRestarting: the change stream was interrupted, please try again");
        return;
    }
    hub_passenger passenger = snapshot->passenger;
    passenger.subscription = ws_subscription_retain(passenger.subscription);
    snapshot->over = true;
    hub_resume_behind(hub, &passenger, snapshot->place.position);
}

void hub_snapshot_taken(ws_hub *hub, hub_snapshot *snapshot, bool gone) {
    CORE_MAGIC_CHECK(snapshot, SNAPSHOT_MAGIC);
    assert(snapshot->in_flight);
    snapshot->in_flight = false;
    if (gone) {
        snapshot->over = true;
        atomic_store(&snapshot->cancelled, true);
    } else if (snapshot->sent_last && !snapshot->over) {
        snapshot_resume(hub, snapshot);
    }
    snapshot_go_on(hub, snapshot);
}

/* ---- What jobs say ---- */

static hub_snapshot *progress_take(hub_snapshots *all, bool *ended) {
    (void)pthread_mutex_lock(&all->lock);
    hub_snapshot *snapshot = all->progress;
    if (snapshot != NULL) {
        all->progress = snapshot->progress_next;
        snapshot->in_progress = false;
        *ended = snapshot->ended;
    }
    (void)pthread_mutex_unlock(&all->lock);
    return snapshot;
}

/* With the lock held. */
static void progress_tell(hub_snapshot *snapshot) {
    if (snapshot->in_progress)
        return;
    snapshot->in_progress = true;
    snapshot->progress_next = snapshot->all->progress;
    snapshot->all->progress = snapshot;
}

void hub_snapshot_tell_ready(hub_snapshot *snapshot) {
    (void)pthread_mutex_lock(&snapshot->all->lock);
    snapshot->ready = true;
    progress_tell(snapshot);
    (void)pthread_mutex_unlock(&snapshot->all->lock);
    core_ring_wake(snapshot->wake);
}

void hub_snapshot_tell_piece(hub_snapshot *snapshot, ws_rows *piece) {
    (void)pthread_mutex_lock(&snapshot->all->lock);
    *(snapshot->pieces != NULL ? &snapshot->pieces_last->next : &snapshot->pieces) = piece;
    snapshot->pieces_last = piece;
    progress_tell(snapshot);
    (void)pthread_mutex_unlock(&snapshot->all->lock);
    core_ring_wake(snapshot->wake);
}

static const char *failure_code(core_error_code code) {
    switch (code) {
    case CORE_ERROR_DENIED:
        return "Unauthorized";
    case CORE_ERROR_CONFIG:
    case CORE_ERROR_INPUT:
        return "InvalidJoinPayload";
    case CORE_ERROR_LIMIT:
        return "SnapshotTooLarge";
    case CORE_ERROR_FULL:
        return "ClientJoinRateLimitReached";
    case CORE_ERROR_INTERNAL:
        return "InternalError";
    default:
        return "DatabaseUnavailable";
    }
}

void hub_snapshot_done(pg_job *job, bool ok, const core_error *error) {
    hub_snapshot *snapshot = (hub_snapshot *)job;
    CORE_MAGIC_CHECK(snapshot, SNAPSHOT_MAGIC);
    core_ring *wake = snapshot->wake;
    hub_snapshots *all = snapshot->all;
    (void)pthread_mutex_lock(&all->lock);
    if (!ok)
        (void)snprintf(snapshot->reason, sizeof snapshot->reason, "%s: %s",
                       failure_code(error->code), error->text);
    snapshot->ok = ok;
    snapshot->ended = true;
    progress_tell(snapshot);
    (void)pthread_mutex_unlock(&all->lock);
    core_ring_wake(wake); /* from here on the hub may free it */
}

/* ---- Time ---- */

static void waiting_look(ws_hub *hub, int64_t now_ms) {
    hub_snapshots *all = &hub->snapshots;
    hub_snapshot *snapshot;
    while ((snapshot = all->waiting.first) != NULL &&
           now_ms - snapshot->since_ms > WS_SNAPSHOT_WAIT_MS) {
        snapshot_refuse(hub, snapshot,
                        "ClientJoinRateLimitReached: too many snapshots are being read; try again "
                        "later, or raise postgres.pool_size");
        list_remove(&all->waiting, snapshot);
        all->waiting_count--;
        snapshot_free(snapshot);
    }
}

static void begun_look(ws_hub *hub, int64_t now_ms) {
    char reason[HUB_SNAPSHOT_REASON_MAX];
    hub_snapshots *all = &hub->snapshots;
    (void)snprintf(reason, sizeof reason,
                   "SnapshotTooLarge: the rows were not read and taken within %lld ms "
                   "(ws.snapshot_timeout); ask for fewer with a filter or select, or read faster",
                   (long long)all->timeout_ms);
    hub_snapshot *next;
    for (hub_snapshot *snapshot = all->begun.first; snapshot != NULL; snapshot = next) {
        next = snapshot->next;
        if (now_ms - snapshot->since_ms <= all->timeout_ms)
            continue;
        snapshot_fail(hub, snapshot, reason);
        snapshot_go_on(hub, snapshot);
    }
}

void hub_snapshots_step(ws_hub *hub) {
    hub_snapshots *all = &hub->snapshots;
    hub_snapshot *snapshot;
    bool ended;
    if (all->begun.first == NULL && all->waiting.first == NULL)
        return;
    while ((snapshot = progress_take(all, &ended)) != NULL) {
        all->reading -= ended;
        snapshot_go_on(hub, snapshot);
    }
    int64_t now_ms = core_clock_ms(hub->clock);
    if (now_ms - all->looked_ms >= SNAPSHOT_LOOK_MS) {
        all->looked_ms = now_ms;
        waiting_look(hub, now_ms);
        begun_look(hub, now_ms);
    }
    snapshots_begin(hub);
}

bool hub_snapshots_wait(const ws_hub *hub) {
    return hub->snapshots.begun.first != NULL || hub->snapshots.waiting.first != NULL;
}

/* ---- The whole ---- */

void hub_snapshots_reset(ws_hub *hub) {
    hub_recent_begin(&hub->snapshots.recent, hub->position, hub->epoch);
    hub_snapshot *next;
    for (hub_snapshot *snapshot = hub->snapshots.begun.first; snapshot != NULL; snapshot = next) {
        next = snapshot->next;
        snapshot_fail(hub, snapshot,
                      "RealtimeRestarting: the change stream was interrupted, please try again");
        snapshot_go_on(hub, snapshot);
    }
}

bool hub_snapshots_init(hub_snapshots *snapshots, const core_config *config, core_error *error) {
    size_t pool = (size_t)core_config_integer(config, "postgres.pool_size");
    size_t queue_bytes = (size_t)core_config_integer(config, "ws.queue_bytes");
    size_t piece = queue_bytes / WS_SNAPSHOT_PIECE_PART;
    snapshots->places = pool > 1 ? pool - 1 : 1; /* one stays for other questions */
    snapshots->timeout_ms = core_config_integer(config, "ws.snapshot_timeout");
    snapshots->max_bytes = (size_t)core_config_integer(config, "ws.snapshot_max_bytes");
    snapshots->piece_bytes = piece < WS_SNAPSHOT_PIECE_BYTES ? piece : WS_SNAPSHOT_PIECE_BYTES;
    snapshots->tenants = core_tenants_of(config);
    snapshots->publication = core_config_text(config, "postgres.publication");
    (void)pthread_mutex_init(&snapshots->lock, NULL);
    return hub_recent_init(&snapshots->recent, error);
}

void hub_snapshots_fini(ws_hub *hub) {
    hub_snapshot_list *lists[] = {&hub->snapshots.waiting, &hub->snapshots.begun};
    for (size_t i = 0; i < CORE_COUNT_OF(lists); i++) {
        hub_snapshot *snapshot;
        while ((snapshot = lists[i]->first) != NULL) {
            list_remove(lists[i], snapshot);
            snapshot_free(snapshot);
        }
    }
    (void)pthread_mutex_destroy(&hub->snapshots.lock);
    hub_recent_fini(&hub->snapshots.recent);
}
