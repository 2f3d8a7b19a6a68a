/* See replayer.h. */
#include "ws/replayer.h"

#include "ws/limits.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define REPLAYER_MAGIC 0x4e97a7e4u

struct ws_replayer {
    uint32_t magic;
    const core_clock *clock;
    const char *environment;
    core_subject_scope scope;
    char stream[FANOUT_NAME_MAX];
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    fanout_connection *connection;
    ws_replay *first, **last;
    size_t waiting;
    bool stopping;
};

void ws_replay_fini(ws_replay *replay) {
    for (size_t i = 0; i < replay->count; i++)
        core_block_release(replay->frames[i]);
    replay->count = 0;
    core_block_release(replay->topic);
    replay->topic = NULL;
}

/* ---- One question ---- */

typedef struct {
    const ws_replayer *replayer;
    ws_replay *replay;
    core_slice channel;
    int64_t now_us;
} replay_read;

/* The subject may have cut the channel's name, and names no environment. */
static bool replay_keep(void *context, const fanout_message *message) {
    const replay_read *read = context;
    core_realtime_message stored;
    return core_realtime_message_read(message->payload, &stored) && stored.is_private &&
           core_slice_equal(stored.channel, read->channel) &&
           core_slice_is(stored.environment, read->replayer->environment) &&
           (stored.expires_us == 0 || stored.expires_us > read->now_us);
}

static bool replay_take(void *context, const fanout_message *message, core_error *error) {
    const replay_read *read = context;
    ws_replay *replay = read->replay;
    core_realtime_message stored;
    if (replay->count == WS_REPLAY_MAX || !core_realtime_message_read(message->payload, &stored))
        return true;
    ws_broadcast broadcast = {
        .topic = core_block_slice(replay->topic),
        .event = stored.event,
        .payload = stored.payload,
        .json = stored.encoding == CORE_REALTIME_JSON,
        .pushed = stored.pushed,
        .private_channel = true,
        .replayed = true,
    };
    memcpy(broadcast.id, stored.id, sizeof broadcast.id);
    if (!ws_broadcast_reaches(&broadcast, replay->protocol))
        return true;
    replay->frames[replay->count] = ws_broadcast_frame(&broadcast, replay->protocol);
    if (replay->frames[replay->count] == NULL)
        return core_error_set(error, CORE_ERROR_INTERNAL, "out of memory");
    memcpy(replay->ids[replay->count], stored.id, sizeof stored.id);
    replay->count++;
    return true;
}

static void replay_answer(ws_replayer *replayer, ws_replay *replay) {
    replay_read read = {.replayer = replayer,
                        .replay = replay,
                        .channel = ws_protocol_topic(core_block_slice(replay->topic)),
                        .now_us = core_clock_wall_us(replayer->clock)};
    char subject[CORE_SUBJECT_MAX];
    const fanout_history_spec spec = {
        .stream = replayer->stream,
        .subject = subject,
        .since_us = replay->since_us,
        .limit = replay->limit,
        .timeout_ms = WS_REPLAY_MS,
        .keep = replay_keep,
        .take = replay_take,
        .context = &read,
    };
    core_subject_scope scope = replayer->scope;
    core_slice tenant = ws_topic_tenant(core_block_slice(replay->topic));
    if (tenant.length > 0)
        scope.project = (const char *)tenant.data;
    if (!core_subject_realtime_stored(&scope, read.channel, subject))
        replay->ok = core_error_set(&replay->error, CORE_ERROR_INPUT, "the topic is too long");
    else if (replayer->connection == NULL)
        replay->ok = core_error_set(&replay->error, CORE_ERROR_TRANSIENT,
                                    "there is no connection to NATS yet");
    else
        replay->ok = fanout_history_read(replayer->connection, &spec, &replay->error);
}

/* ---- The thread ---- */

/* Waits for one; NULL: stop. */
static ws_replay *replayer_next(ws_replayer *replayer) {
    (void)pthread_mutex_lock(&replayer->lock);
    while (replayer->first == NULL && !replayer->stopping)
        (void)pthread_cond_wait(&replayer->changed, &replayer->lock);
    ws_replay *replay = replayer->stopping ? NULL : replayer->first;
    if (replay != NULL) {
        replayer->first = replay->next;
        if (replayer->first == NULL)
            replayer->last = &replayer->first;
        replayer->waiting--;
    }
    (void)pthread_mutex_unlock(&replayer->lock);
    return replay;
}

static void *replayer_run(void *context) {
    ws_replayer *replayer = context;
    CORE_MAGIC_CHECK(replayer, REPLAYER_MAGIC);
    (void)pthread_setname_np(pthread_self(), "walcast-replay");
    for (ws_replay *replay; (replay = replayer_next(replayer)) != NULL;) {
        replay_answer(replayer, replay);
        replay->done(replay);
    }
    return NULL;
}

void ws_replayer_connect(ws_replayer *replayer, fanout_connection *connection) {
    (void)pthread_mutex_lock(&replayer->lock);
    replayer->connection = connection;
    (void)pthread_mutex_unlock(&replayer->lock);
}

bool ws_replayer_ask(ws_replayer *replayer, ws_replay *replay) {
    (void)pthread_mutex_lock(&replayer->lock);
    bool room = replayer->waiting < WS_REPLAYS_WAITING && !replayer->stopping;
    if (room) {
        replay->next = NULL;
        *replayer->last = replay;
        replayer->last = &replay->next;
        replayer->waiting++;
        (void)pthread_cond_signal(&replayer->changed);
    }
    (void)pthread_mutex_unlock(&replayer->lock);
    return room;
}

/* ---- Life ---- */

ws_replayer *ws_replayer_new(const core_config *config, const core_clock *clock,
                             core_error *error) {
    ws_replayer *replayer = calloc(1, sizeof *replayer);
    char subjects[CORE_SUBJECT_MAX];
    if (replayer == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "out of memory");
        return NULL;
    }
    replayer->magic = REPLAYER_MAGIC;
    replayer->clock = clock;
    replayer->environment = core_config_text(config, "environment");
    replayer->scope = core_subject_scope_of(config);
    replayer->last = &replayer->first;
    (void)fanout_stream_realtime_spec(config, replayer->stream, subjects, sizeof subjects);
    (void)pthread_mutex_init(&replayer->lock, NULL);
    (void)pthread_cond_init(&replayer->changed, NULL);
    int failure = pthread_create(&replayer->thread, NULL, replayer_run, replayer);
    if (failure == 0)
        return replayer;
    (void)core_error_set(error, CORE_ERROR_INTERNAL, "cannot start the replay's thread: %s",
                         strerror(failure));
    (void)pthread_mutex_destroy(&replayer->lock);
    (void)pthread_cond_destroy(&replayer->changed);
    free(replayer);
    return NULL;
}

void ws_replayer_free(ws_replayer *replayer) {
    if (replayer == NULL)
        return;
    CORE_MAGIC_CHECK(replayer, REPLAYER_MAGIC);
    (void)pthread_mutex_lock(&replayer->lock);
    replayer->stopping = true;
    (void)pthread_cond_signal(&replayer->changed);
    (void)pthread_mutex_unlock(&replayer->lock);
    (void)pthread_join(replayer->thread, NULL);
    for (ws_replay *replay = replayer->first, *next; replay != NULL; replay = next) {
        next = replay->next;
        (void)core_error_set(&replay->error, CORE_ERROR_TRANSIENT, "the gateway is stopping");
        replay->done(replay);
    }
    (void)pthread_mutex_destroy(&replayer->lock);
    (void)pthread_cond_destroy(&replayer->changed);
    replayer->magic = 0;
    free(replayer);
}
