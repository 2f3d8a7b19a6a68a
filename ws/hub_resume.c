/* Clients that come back: what they missed, then the live stream, with no gap and no duplicate.
 *
 * Happy path: a join names the offset it has (`since`). With others near that place it becomes a
 * passenger of a lane, which spreads the history behind it; the member itself passes over what it
 * has. When the lane has come to the live stream, which this same thread spreads, its passengers
 * move to the live classes between two messages. However many come back at once, history is read
 * and encoded once a lane.
 *
 * History that is not held (aged out, of another epoch) is answered with what to do. A reader that
 * is lost in the midst makes its passengers join again, with the offset that they have by then. */
#include "ws/hub_private.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define RESUME_REASON_MAX 512

static int64_t resume_now_ms(const ws_hub *hub) {
    return core_clock_ms(hub->clock);
}

static void resume_refuse(ws_hub *hub, const hub_passenger *passenger, const char *reason) {
    hub_refuse(hub, passenger->thread, passenger->member, passenger->attempt, reason);
}

static void resume_refuse_all(ws_hub *hub, hub_lane *lane, const char *reason) {
    for (size_t i = 0; i < lane->count; i++)
        resume_refuse(hub, &lane->passengers[i], reason);
}

static void resume_not_held(char reason[RESUME_REASON_MAX], const char *why) {
    (void)snprintf(reason, RESUME_REASON_MAX,
                   "HistoryNotHeld: %s; load the rows anew and join without since", why);
}

static hub_seat passenger_seat(const hub_passenger *passenger) {
    return (hub_seat){.thread = passenger->thread,
                      .member = passenger->member,
                      .attempt = passenger->attempt,
                      .rights = passenger->rights};
}

/* ---- Lanes ---- */

static void lane_let_reader_go(ws_hub *hub, hub_lane *lane) {
    if (lane->reader == NULL)
        return;
    hub_reader_let_go(lane->reader);
    lane->reader = NULL;
    hub->readers_changed(hub->readers_context);
}

/* The lane is over. It is free once every thread has left its classes. */
static void lane_clear(ws_hub *hub, hub_lane *lane) {
    hub_asks_end(hub, &lane->classes);
    hub_lane_empty(lane);
    hub_asks_end(hub, &lane->classes);
    lane_let_reader_go(hub, lane);
    if (lane->holds)
        core_block_release(lane->message.payload);
    lane->holds = false;
    lane->next_change = 0;
    core_state_move(&lane->state, HUB_LANE_CLEARING);
}

static void lane_fail(ws_hub *hub, hub_lane *lane, const char *reason) {
    resume_refuse_all(hub, lane, reason);
    lane_clear(hub, lane);
}

/* Into the lane's classes, and answered. */
static void lane_seat(ws_hub *hub, hub_lane *lane, const hub_passenger *passenger) {
    core_error error = {.text = ""};
    hub_seat seat = passenger_seat(passenger);
    if (hub_enter(hub, &lane->classes, ws_subscription_retain(passenger->subscription), &seat,
                  &error)) {
        hub_joined(hub, &seat, false, (ws_place){0});
        hub_replay_begin(hub, &seat, passenger->subscription);
        return;
    }
    char reason[CORE_ERROR_TEXT_MAX + 32];
    (void)snprintf(reason, sizeof reason, "InvalidJoinPayload: %s", error.text);
    resume_refuse(hub, passenger, reason);
}

static void lane_board(ws_hub *hub, hub_lane *lane, const hub_passenger *passenger) {
    hub_passenger kept = *passenger;
    lane->read_boarded++;
    kept.subscription = ws_subscription_retain(passenger->subscription);
    if (!hub_lane_add(lane, &kept))
        resume_refuse(hub, passenger, "InternalError: out of memory");
    else if (lane->state.current == HUB_LANE_RUNNING)
        lane_seat(hub, lane, passenger);
    ws_subscription_free(passenger->subscription);
}

static void lane_run(ws_hub *hub, hub_lane *lane) {
    core_state_move(&lane->state, HUB_LANE_RUNNING);
    for (size_t i = 0; i < lane->count; i++)
        lane_seat(hub, lane, &lane->passengers[i]);
}

/* Lets a reader of history feed the lane; false while none is idle. */
static bool lane_want_reader(ws_hub *hub, hub_lane *lane) {
    for (size_t i = 0; i < WS_LANES; i++) {
        if (hub_reader_stands(&hub->readers[i]) != HUB_READER_IDLE)
            continue;
        lane->reader = &hub->readers[i];
        lane->end = hub->position;
        lane->heard_ms = resume_now_ms(hub);
        hub_reader_want(lane->reader, lane->position + 1);
        hub->readers_changed(hub->readers_context);
        core_metrics_add(hub->metrics, CORE_METRIC_WS_HISTORY_READS, 1);
        return true;
    }
    return false;
}

static bool lane_near(uint64_t from, uint64_t position) {
    return from <= position && position - from < WS_LANE_NEAR;
}

/* Until when those from about there wait for others that do, since a reader was begun for many of
 * them a moment ago: when a gateway has died its clients come over seconds, and a short history is
 * read in less. 0: they do not. */
static int64_t resume_gathers_until(const ws_hub *hub, uint64_t position) {
    int64_t now_ms = resume_now_ms(hub);
    for (size_t i = 0; i < WS_LANES; i++) {
        const hub_lane *lane = &hub->lanes[i];
        bool near = lane_near(lane->read_from, position) || lane_near(position, lane->read_from);
        if (lane->read_boarded >= WS_RESUME_HERD && near &&
            now_ms - lane->read_ms < WS_RESUME_GATHER_MS)
            return lane->read_ms + WS_RESUME_GATHER_MS;
    }
    return 0;
}

/* A lane that begins with a reader. */
static bool lane_start_reading(ws_hub *hub, hub_lane *lane) {
    if (resume_gathers_until(hub, lane->position) > 0 || !lane_want_reader(hub, lane))
        return false;
    lane->read_from = lane->position;
    lane->read_ms = lane->heard_ms;
    lane->read_boarded = 0;
    return true;
}

/* False: no lane is to be had now. */
static bool lane_start(ws_hub *hub, hub_lane *lane, uint64_t position) {
    if (lane->state.current != HUB_LANE_FREE)
        return false;
    lane->position = position;
    if (hub_tail_covers(&hub->tail, position) && position <= hub->position)
        core_state_move(&lane->state, HUB_LANE_RUNNING);
    else if (lane_start_reading(hub, lane))
        core_state_move(&lane->state, HUB_LANE_OPENING);
    else
        return false;
    return true;
}

/* Nobody may board in the midst of a message: he would miss its first changes. */
static bool lane_takes_passengers(const hub_lane *lane) {
    bool under_way =
        lane->state.current == HUB_LANE_OPENING || lane->state.current == HUB_LANE_RUNNING;
    return under_way && lane->next_change == 0;
}

/* A lane at or a little before the position, under way or begun for it; NULL: none now. */
static hub_lane *lane_for(ws_hub *hub, uint64_t position) {
    hub_lane *best = NULL;
    for (size_t i = 0; i < WS_LANES; i++) {
        hub_lane *lane = &hub->lanes[i];
        if (lane_takes_passengers(lane) && lane_near(lane->position, position) &&
            (best == NULL || lane->position > best->position))
            best = lane;
    }
    for (size_t i = 0; best == NULL && i < WS_LANES; i++)
        if (lane_start(hub, &hub->lanes[i], position))
            best = &hub->lanes[i];
    return best;
}

/* ---- Those who wait for a lane ---- */

static bool resume_wait(ws_hub *hub, const hub_passenger *passenger, uint64_t position) {
    if (hub->resume_count == hub->resume_capacity) {
        size_t capacity = hub->resume_capacity ? hub->resume_capacity * 2 : 64;
        hub_resumer *grown =
            capacity <= WS_RESUMES_WAITING ? realloc(hub->resumes, capacity * sizeof *grown) : NULL;
        if (grown == NULL)
            return false;
        hub->resumes = grown;
        hub->resume_capacity = capacity;
    }
    hub->resumes[hub->resume_count++] =
        (hub_resumer){.passenger = *passenger, .position = position};
    return true;
}

static uint64_t resume_oldest(const ws_hub *hub) {
    uint64_t oldest = UINT64_MAX;
    for (size_t i = 0; i < hub->resume_count; i++)
        if (hub->resumes[i].position < oldest)
            oldest = hub->resumes[i].position;
    return oldest;
}

/* The oldest place first, and all that are near with it. */
static void resume_seat_waiting(ws_hub *hub) {
    if (hub->resume_count == 0 || resume_now_ms(hub) < hub->resume_gathers_ms)
        return;
    uint64_t oldest = resume_oldest(hub);
    hub->resume_gathers_ms = 0;
    if (lane_for(hub, oldest) == NULL) {
        hub->resume_gathers_ms = resume_gathers_until(hub, oldest);
        return;
    }
    size_t left = 0;
    for (size_t i = 0; i < hub->resume_count; i++) {
        hub_lane *lane = lane_for(hub, hub->resumes[i].position);
        if (lane != NULL)
            lane_board(hub, lane, &hub->resumes[i].passenger);
        else
            hub->resumes[left++] = hub->resumes[i];
    }
    hub->resume_count = left;
}

/* Behind the stream's beginning there is all of it, whatever its epoch. */
static bool resume_is_known(const ws_hub *hub, const core_offset *since) {
    return strcmp(since->epoch, CORE_OFFSET_BEGINNING_EPOCH) == 0 ||
           strcmp(since->epoch, hub->epoch) == 0;
}

/* From the tail at once, unless others wait for a lane: only those who gather need none yet. */
static bool resume_board(ws_hub *hub, const hub_passenger *passenger, uint64_t position) {
    bool first = hub->resume_count == 0 || hub->resume_gathers_ms > 0;
    if (!first || !hub_tail_covers(&hub->tail, position))
        return false;
    hub_lane *lane = lane_for(hub, position);
    if (lane != NULL)
        lane_board(hub, lane, passenger);
    return lane != NULL;
}

void hub_resume(ws_hub *hub, const hub_passenger *passenger, const core_offset *since) {
    uint64_t position = since->sequence > 0 ? since->sequence - 1 : 0;
    char reason[RESUME_REASON_MAX];
    core_metrics_add(hub->metrics, CORE_METRIC_WS_RESUMES, 1);
    if (!resume_is_known(hub, since)) {
        resume_not_held(reason, hub->epoch[0] == '\0'
                                    ? "the stream holds no changes"
                                    : "the offset is of a history that the stream no longer has");
        resume_refuse(hub, passenger, reason);
        ws_subscription_free(passenger->subscription);
    } else {
        hub_resume_behind(hub, passenger, position);
    }
}

void hub_resume_behind(ws_hub *hub, const hub_passenger *passenger, uint64_t position) {
    if (resume_board(hub, passenger, position) || resume_wait(hub, passenger, position))
        return;
    resume_refuse(hub, passenger,
                  "ClientJoinRateLimitReached: Too many joins are waiting, try again later");
    ws_subscription_free(passenger->subscription);
}

/* ---- The steps ---- */

/* The lane has what the live stream has: its passengers go over, between two messages. */
static void lane_arrive(ws_hub *hub, hub_lane *lane) {
    ws_place has = {.sequence = lane->position, .index = UINT32_MAX};
    for (size_t i = 0; i < lane->count; i++) {
        const hub_passenger *passenger = &lane->passengers[i];
        core_error error = {.text = ""};
        hub_seat seat = passenger_seat(passenger);
        if (hub_enter(hub, &hub->classes, ws_subscription_retain(passenger->subscription), &seat,
                      &error))
            hub_joined(hub, &seat, true, has);
        else
            resume_refuse(hub, passenger, "the filter no longer fits its table: join again");
    }
    lane_clear(hub, lane);
}

/* False: it is held, for what a role may see of it. */
static bool lane_spread(ws_hub *hub, hub_lane *lane, core_slice payload, uint64_t sequence) {
    switch (hub_spread_history(hub, &lane->classes, payload, sequence, &lane->next_change)) {
    case HUB_SPREAD:
        lane->position = sequence;
        lane->next_change = 0;
        return true;
    case HUB_HELD:
        return false;
    default:
        lane_fail(hub, lane,
                  "HistoryNotHeld: changes are missing in the stream's history; load the "
                  "rows anew and join without since");
        return true;
    }
}

/* One message of the tail's. */
static bool lane_tail_step(ws_hub *hub, hub_lane *lane) {
    lane_let_reader_go(hub, lane);
    const hub_tail_entry *entry = hub_tail_after(&hub->tail, lane->position);
    if (entry != NULL)
        return lane_spread(hub, lane, core_block_slice(entry->payload), entry->sequence);
    lane->position = hub->position;
    return true;
}

/* What the reader has for the lane. False: nothing now. */
static bool lane_take(ws_hub *hub, hub_lane *lane) {
    hub_reader_message *message = &lane->message;
    if (!lane->holds && !hub_reader_take(lane->reader, message))
        return false;
    lane->heard_ms = resume_now_ms(hub);
    lane->holds = false; /* also where it was held before: a lane that fails leaves it to us */
    lane->holds = message->payload != NULL && message->sequence > lane->position &&
                  !lane_spread(hub, lane, core_block_slice(message->payload), message->sequence);
    if (lane->holds)
        return false;
    if (message->sequence > lane->position)
        lane->position = message->sequence;
    if (message->last && lane->position < lane->end)
        lane->position = lane->end;
    core_block_release(message->payload);
    return true;
}

/* The reader was not opened, lost its place, or gives nothing. */
static bool lane_reader_failed(ws_hub *hub, hub_lane *lane) {
    bool opening = lane->state.current == HUB_LANE_OPENING;
    bool late =
        lane->position < hub->position && resume_now_ms(hub) - lane->heard_ms > WS_LANE_OPEN_MS;
    bool lost = hub_reader_stands(lane->reader) == HUB_READER_LOST;
    if (!lost && !late)
        return false;
    if (!lost) {
        lane_fail(hub, lane,
                  "RealtimeRestarting: the stream's history cannot be read now, please try again");
        return true;
    }
    char reason[RESUME_REASON_MAX];
    resume_not_held(reason, opening ? "the stream does not go back to that offset"
                                    : "the stream's history was lost while it was read");
    lane_fail(hub, lane, reason);
    return true;
}

bool hub_history_is_ahead(const ws_hub *hub) {
    for (size_t i = 0; i < hub->threads; i++)
        if (atomic_load(ws_session_history(ws_server_service(hub->server, i), hub->source)) >=
            WS_LANE_SENDS)
            return true;
    return false;
}

/* One message of history. False: nothing to do for the lane now. */
static bool lane_step(ws_hub *hub, hub_lane *lane) {
    if (lane->position >= hub->position) {
        if (hub_is_midway(hub))
            return false; /* the live classes are in the midst of a message */
        lane_arrive(hub, lane);
        return true;
    }
    if (hub_history_is_ahead(hub)) {
        lane->heard_ms = resume_now_ms(hub); /* it is not its reader that is late */
        return false;
    }
    if (hub_tail_covers(&hub->tail, lane->position) && !lane->holds)
        return lane_tail_step(hub, lane);
    if (lane->reader == NULL)
        return lane_want_reader(hub, lane); /* the tail went on without it */
    return lane_take(hub, lane) || lane_reader_failed(hub, lane);
}

static bool resume_step_lane(ws_hub *hub, hub_lane *lane) {
    switch (lane->state.current) {
    case HUB_LANE_OPENING:
        if (hub_reader_stands(lane->reader) == HUB_READER_OPEN) {
            lane_run(hub, lane);
            return true;
        }
        return lane_reader_failed(hub, lane);
    case HUB_LANE_RUNNING:
        if (lane->classes.by_key.count > 0)
            return lane_step(hub, lane);
        lane_clear(hub, lane); /* all have gone, or stalled */
        return true;
    case HUB_LANE_CLEARING:
        if (lane->classes.by_key.count == 0)
            core_state_move(&lane->state, HUB_LANE_FREE);
        return false;
    default:
        return false;
    }
}

bool hub_resume_step(ws_hub *hub) {
    bool more = false;
    resume_seat_waiting(hub);
    for (size_t i = 0; i < WS_LANES; i++)
        for (int n = 0; n < WS_LANE_MESSAGES && resume_step_lane(hub, &hub->lanes[i]); n++)
            more = true;
    return more;
}

bool hub_resume_waits(const ws_hub *hub) {
    bool waits = hub->resume_count > 0;
    for (size_t i = 0; i < WS_LANES; i++)
        waits |= hub->lanes[i].state.current == HUB_LANE_OPENING ||
                 hub->lanes[i].state.current == HUB_LANE_RUNNING;
    return waits;
}

/* ---- Ends ---- */

void hub_resume_reset(ws_hub *hub) {
    for (size_t i = 0; i < WS_LANES; i++) {
        hub_lane *lane = &hub->lanes[i];
        if (lane->state.current == HUB_LANE_OPENING || lane->state.current == HUB_LANE_RUNNING)
            lane_fail(hub, lane,
                      "RealtimeRestarting: the change stream was interrupted, please "
                      "try again");
    }
    for (size_t i = 0; i < hub->resume_count; i++) {
        resume_refuse(hub, &hub->resumes[i].passenger,
                      "RealtimeRestarting: the change stream was interrupted, please try again");
        ws_subscription_free(hub->resumes[i].passenger.subscription);
    }
    hub->resume_count = 0;
    hub->resume_gathers_ms = 0;
}

bool hub_resume_init(ws_hub *hub, size_t row_max, core_error *error) {
    for (size_t i = 0; i < WS_LANES; i++)
        hub_lane_init(&hub->lanes[i], &hub->class_ids, hub->threads, &hub->scope.tenants);
    for (size_t i = 0; i < WS_LANES; i++)
        if (!hub_reader_init(&hub->readers[i], row_max, error))
            return false;
    return true;
}

void hub_resume_fini(ws_hub *hub) {
    for (size_t i = 0; i < hub->resume_count; i++)
        ws_subscription_free(hub->resumes[i].passenger.subscription);
    free(hub->resumes);
    for (size_t i = 0; i < WS_LANES; i++) {
        hub_lane_fini(&hub->lanes[i]);
        hub_reader_fini(&hub->readers[i]);
    }
}
