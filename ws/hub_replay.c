/* Replay: what was said in a private channel before its client joined.
 *
 * The client is in its room first, then the stored broadcasts are read. What comes live meanwhile
 * may be among them, so ids are noted until the answer is there, and those are left out. */
#include "ws/hub_private.h"

#include "ws/access.h"
#include "ws/replayer.h"

#include <stdio.h>
#include <stdlib.h>

#define REPLAY_LIVE_MAX 256 /* ids noted; what comes beyond may be told twice, under one id */

typedef struct hub_replay hub_replay;
struct hub_replay {
    ws_replay question; /* first: see replay_of */
    ws_hub *hub;
    hub_replay *next; /* under way */
    hub_replay *answered_next;
    size_t thread;
    uint64_t member;
    size_t live_count;
    char live[REPLAY_LIVE_MAX][WS_BROADCAST_ID_SIZE];
};

static hub_replay *replay_of(ws_replay *question) {
    return (hub_replay *)(void *)question;
}

/* On the replayer's thread. */
static void replay_done(ws_replay *question) {
    hub_replay *replay = replay_of(question);
    ws_hub *hub = replay->hub;
    (void)pthread_mutex_lock(&hub->answers_lock);
    replay->answered_next = hub->replays_answered;
    hub->replays_answered = replay;
    (void)pthread_mutex_unlock(&hub->answers_lock);
    core_ring_wake(hub->heard);
}

static void replay_free(hub_replay *replay) {
    ws_replay_fini(&replay->question);
    free(replay);
}

/* ---- Asking ---- */

static void replay_refuse(ws_hub *hub, const hub_seat *seat, const ws_subscription *subscription,
                          const char *reason) {
    char text[CORE_ERROR_TEXT_MAX + 64];
    (void)snprintf(text, sizeof text, "UnableToReplayMessages: %s", reason);
    core_block *frame =
        ws_protocol_system(subscription->protocol, ws_protocol_null,
                           ws_topic_plain(subscription->topic), "broadcast", false, text);
    if (frame == NULL)
        return;
    ws_delivery delivery = {.kind = WS_DELIVERY_DIRECT, .member = seat->member, .block = frame};
    hub_deliver(hub, seat->thread, &delivery);
}

void hub_replay_begin(ws_hub *hub, const hub_seat *seat, const ws_subscription *subscription) {
    if (subscription->replay_limit == 0 || (seat->rights & WS_RIGHT(AUTH_BROADCAST_READ)) == 0)
        return;
    hub_replay *replay = calloc(1, sizeof *replay);
    core_block *topic = core_block_copy(subscription->topic);
    if (replay == NULL || topic == NULL) {
        free(replay);
        core_block_release(topic);
        replay_refuse(hub, seat, subscription, "out of memory");
        return;
    }
    *replay = (hub_replay){.hub = hub, .thread = seat->thread, .member = seat->member};
    replay->question = (ws_replay){.topic = topic,
                                   .protocol = subscription->protocol,
                                   .since_us = subscription->replay_since_us,
                                   .limit = subscription->replay_limit,
                                   .done = replay_done};
    replay->next = hub->replays;
    hub->replays = replay;
    if (ws_replayer_ask(hub->replayer, &replay->question))
        return;
    hub->replays = replay->next;
    replay_free(replay);
    replay_refuse(hub, seat, subscription, "too many replays are waiting, try again later");
}

void hub_replay_note(ws_hub *hub, const ws_broadcast *broadcast) {
    if (broadcast->id[0] == '\0' || !broadcast->private_channel)
        return;
    for (hub_replay *replay = hub->replays; replay != NULL; replay = replay->next)
        if (replay->live_count < REPLAY_LIVE_MAX &&
            core_slice_equal(core_block_slice(replay->question.topic), broadcast->topic))
            memcpy(replay->live[replay->live_count++], broadcast->id, sizeof broadcast->id);
}

/* ---- Answering ---- */

static bool replay_was_live(const hub_replay *replay, const char *id) {
    for (size_t i = 0; i < replay->live_count; i++)
        if (strcmp(replay->live[i], id) == 0)
            return true;
    return false;
}

static void replay_tell(ws_hub *hub, const hub_replay *replay) {
    const ws_replay *answer = &replay->question;
    for (size_t i = 0; i < answer->count; i++) {
        if (replay_was_live(replay, answer->ids[i]))
            continue;
        ws_delivery delivery = {.kind = WS_DELIVERY_DIRECT,
                                .member = replay->member,
                                .block = core_block_retain(answer->frames[i])};
        hub_deliver(hub, replay->thread, &delivery);
    }
    if (answer->ok)
        return;
    ws_subscription who = {.protocol = answer->protocol, .topic = core_block_slice(answer->topic)};
    hub_seat seat = {.thread = replay->thread, .member = replay->member};
    replay_refuse(hub, &seat, &who, answer->error.text);
}

static void replay_forget(ws_hub *hub, const hub_replay *replay) {
    hub_replay **at = &hub->replays;
    while (*at != replay)
        at = &(*at)->next;
    *at = replay->next;
}

static hub_replay *replays_taken(ws_hub *hub) {
    (void)pthread_mutex_lock(&hub->answers_lock);
    hub_replay *answered = hub->replays_answered;
    hub->replays_answered = NULL;
    (void)pthread_mutex_unlock(&hub->answers_lock);
    return answered;
}

void hub_replays_answered(ws_hub *hub) {
    hub_replay *answered = replays_taken(hub);
    while (answered != NULL) {
        hub_replay *next = answered->answered_next;
        replay_tell(hub, answered);
        replay_forget(hub, answered);
        replay_free(answered);
        answered = next;
    }
}

bool hub_replay_init(ws_hub *hub, const core_config *config, core_error *error) {
    hub->replayer = ws_replayer_new(config, hub->clock, error);
    return hub->replayer != NULL;
}

void hub_replay_fini(ws_hub *hub) {
    ws_replayer_free(hub->replayer);
    hub_replay *answered = replays_taken(hub);
    while (answered != NULL) {
        hub_replay *next = answered->answered_next;
        replay_free(answered);
        answered = next;
    }
}
