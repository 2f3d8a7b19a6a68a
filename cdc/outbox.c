/* See outbox.h.
 *
 * One message of the change stream at a time is with us (max_ack_pending 1): with more, what a
 * killed relay held would come again behind what it did not hold. */
#include "cdc/outbox.h"

#include "cdc/outbox_relay.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define OUTBOX_MAGIC UINT32_C(0x6f757462)

enum {
    ACK_WAIT_MS = 10000,
    IDLE_MS = 60000, /* one pull request */
    EMPTY_AT_ONCE_MS = 100,
    BACKOFF_FIRST_MS = 200,
    BACKOFF_MAX_MS = 10000,
    TELL_AGAIN_MS = 60000,
};

struct cdc_outbox {
    uint32_t magic;
    const core_config *config;
    core_log *log;
    const core_clock *clock;
    pthread_t thread;
    bool started;
    /* The thread's own. */
    cdc_outbox_relay relay;
    fanout_connection *connection;
    char durable[FANOUT_NAME_MAX]; /* its name */
    bool limits_set;               /* once a process: an operator may change them under it */
    core_backoff backoff;
    int64_t told_at_ms;
    /* Shared, under the lock. */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool on;
    bool stopping;
    uint64_t end_sequence;
    unsigned turn;            /* grows with each switch: a session belongs to one */
    fanout_durable *consumer; /* of the session at hand, to be cancelled; or NULL */
    char problem[CORE_ERROR_TEXT_MAX];
};

/* ---- Waiting and telling ---- */

static void problem_set(cdc_outbox *outbox, const char *text) {
    (void)pthread_mutex_lock(&outbox->lock);
    (void)snprintf(outbox->problem, sizeof outbox->problem, "%s", text);
    (void)pthread_mutex_unlock(&outbox->lock);
}

/* Once a minute, and when it is over. */
static void problem_tell(cdc_outbox *outbox, const core_error *problem) {
    int64_t now_ms = core_clock_ms(outbox->clock);
    bool had_one = outbox->problem[0] != '\0'; /* written by this thread only */
    if (problem == NULL) {
        if (had_one)
            CORE_LOG(outbox->log, INFO, "cdc", "events are relayed again");
        problem_set(outbox, "");
        return;
    }
    if (!had_one || now_ms - outbox->told_at_ms >= TELL_AGAIN_MS) {
        CORE_LOG(outbox->log, WARN, "cdc", "events are not relayed now; trying again",
                 CORE_LOG_TEXT("error", problem->text));
        outbox->told_at_ms = now_ms;
    }
    problem_set(outbox, problem->text);
}

/* True while this session may go on. */
static bool outbox_wait(cdc_outbox *outbox, int64_t wait_ms, unsigned turn) {
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t at_ns = until.tv_nsec + wait_ms * CORE_NS_PER_MS;
    until.tv_sec += at_ns / (CORE_NS_PER_MS * CORE_MS_PER_S);
    until.tv_nsec = at_ns % (CORE_NS_PER_MS * CORE_MS_PER_S);
    int result = 0;
    (void)pthread_mutex_lock(&outbox->lock);
    while (outbox->on && outbox->turn == turn && wait_ms > 0 && result != ETIMEDOUT)
        result = pthread_cond_timedwait(&outbox->changed, &outbox->lock, &until);
    bool goes_on = outbox->on && outbox->turn == turn;
    (void)pthread_mutex_unlock(&outbox->lock);
    return goes_on;
}

/* ---- A session ---- */

typedef struct {
    cdc_outbox *outbox;
    unsigned turn;
    uint64_t end_sequence;
} outbox_session;

static bool relay_wait(void *context, int64_t wait_ms, const core_error *problem) {
    outbox_session *session = context;
    if (wait_ms == 0 || problem != NULL)
        problem_tell(session->outbox, problem);
    return outbox_wait(session->outbox, wait_ms, session->turn);
}

/* What is gone cannot be relayed: that is told, and the relay goes on where the stream begins. What
 * of it is stored already the last events tell. */
static bool place_renew(cdc_outbox *outbox, const core_error *gap, core_error *error) {
    CORE_LOG(outbox->log, WARN, "cdc",
             "logical messages that the change stream lost before they were relayed, if there were "
             "any, are no events; going on from its beginning",
             CORE_LOG_TEXT("reason", gap->text));
    return fanout_durable_remove(outbox->connection,
                                 core_config_text(outbox->config, "nats.stream"), outbox->durable,
                                 error);
}

static fanout_durable *consumer_open(cdc_outbox *outbox, uint64_t end_sequence, core_error *error) {
    char filter[CORE_SUBJECT_MAX];
    const core_slice none = {0};
    if (!core_subject_change(&outbox->relay.scope, none, none, CORE_OP_MESSAGE, filter)) {
        (void)core_error_set(error, CORE_ERROR_CONFIG,
                             "the subject of logical messages is longer "
                             "than %d bytes; shorten nats.prefix, project or environment",
                             CORE_SUBJECT_MAX);
        return NULL;
    }
    (void)snprintf(outbox->durable, sizeof outbox->durable, "outbox_%016" PRIx64,
                   core_slice_hash(core_slice_text(filter)));
    const fanout_durable_spec spec = {
        .stream = core_config_text(outbox->config, "nats.stream"),
        .name = outbox->durable,
        .filter = filter,
        .from = FANOUT_FROM_FIRST,
        .ack_wait_ms = ACK_WAIT_MS,
        .max_ack_pending = 1,
        .end_sequence = end_sequence,
    };
    return fanout_durable_new(outbox->connection, &spec, outbox->log, error);
}

static bool session_open(cdc_outbox *outbox, core_error *error) {
    char name[FANOUT_NAME_MAX], subjects[CORE_SUBJECT_MAX];
    fanout_stream_info info;
    if (outbox->connection == NULL)
        outbox->connection =
            fanout_connection_new(outbox->config, "walcast outbox", outbox->log, NULL, error);
    if (outbox->connection == NULL)
        return false;
    fanout_stream_spec events =
        fanout_stream_event_spec(outbox->config, name, subjects, sizeof subjects);
    events.keeps_limits = outbox->limits_set;
    bool ok = fanout_stream_ensure(outbox->connection, &events, &info, error);
    fanout_stream_spec broadcasts =
        fanout_stream_realtime_spec(outbox->config, name, subjects, sizeof subjects);
    broadcasts.keeps_limits = outbox->limits_set;
    ok = ok && fanout_stream_ensure(outbox->connection, &broadcasts, &info, error);
    outbox->limits_set = outbox->limits_set || ok;
    return ok;
}

/* Shows the consumer to whoever switches off; false: that was done already. */
static bool consumer_show(const outbox_session *session, fanout_durable *consumer) {
    cdc_outbox *outbox = session->outbox;
    (void)pthread_mutex_lock(&outbox->lock);
    bool goes_on = outbox->on && outbox->turn == session->turn;
    outbox->consumer = goes_on ? consumer : NULL;
    (void)pthread_mutex_unlock(&outbox->lock);
    return goes_on;
}

static void consumer_hide(cdc_outbox *outbox) {
    (void)pthread_mutex_lock(&outbox->lock);
    outbox->consumer = NULL;
    (void)pthread_mutex_unlock(&outbox->lock);
}

/* The next message, relayed and acked. */
static bool session_step(outbox_session *session, fanout_durable *consumer, core_error *error) {
    cdc_outbox *outbox = session->outbox;
    fanout_message message;
    size_t count = 0;
    int64_t asked_ms = core_clock_ms(outbox->clock);
    if (!fanout_durable_fetch(consumer, &message, 1, IDLE_MS, &count, error))
        return false;
    if (count == 0) {
        bool at_once = core_clock_ms(outbox->clock) - asked_ms < EMPTY_AT_ONCE_MS;
        (void)outbox_wait(outbox, at_once ? BACKOFF_FIRST_MS : 0, session->turn);
        return true;
    }
    if (!cdc_outbox_relay_message(&outbox->relay, &message, ACK_WAIT_MS, error))
        return error->code == CORE_ERROR_NONE; /* stopped */
    return fanout_durable_ack(consumer, 0, error);
}

static bool session_run(outbox_session *session, core_error *error) {
    cdc_outbox *outbox = session->outbox;
    if (!session_open(outbox, error))
        return false;
    fanout_durable *consumer = consumer_open(outbox, session->end_sequence, error);
    if (consumer == NULL)
        return false;
    bool ok = true;
    outbox->relay.context = session;
    cdc_outbox_relay_begin(&outbox->relay, outbox->connection);
    if (consumer_show(session, consumer)) {
        problem_tell(outbox, NULL);
        while (ok && outbox_wait(outbox, 0, session->turn)) {
            ok = session_step(session, consumer, error);
            if (ok)
                core_backoff_reset(&outbox->backoff);
        }
        consumer_hide(outbox);
    }
    fanout_durable_free(consumer);
    return ok;
}

/* ---- The thread ---- */

/* Waits until it is switched on; false: stopping. */
static bool session_await(outbox_session *session) {
    cdc_outbox *outbox = session->outbox;
    (void)pthread_mutex_lock(&outbox->lock);
    while (!outbox->on && !outbox->stopping)
        (void)pthread_cond_wait(&outbox->changed, &outbox->lock);
    session->turn = outbox->turn;
    session->end_sequence = outbox->end_sequence;
    bool goes_on = !outbox->stopping;
    (void)pthread_mutex_unlock(&outbox->lock);
    return goes_on;
}

static void *outbox_thread(void *context) {
    cdc_outbox *outbox = context;
    CORE_MAGIC_CHECK(outbox, OUTBOX_MAGIC);
    (void)pthread_setname_np(pthread_self(), "cdc-outbox");
    outbox_session session = {.outbox = outbox};
    while (session_await(&session)) {
        core_error error = {0};
        if (session_run(&session, &error) || !outbox_wait(outbox, 0, session.turn))
            continue;
        const core_error gap = error;
        if (gap.code == CORE_ERROR_GAP && place_renew(outbox, &gap, &error))
            continue;
        problem_tell(outbox, &error);
        (void)outbox_wait(outbox, core_backoff_next_ms(&outbox->backoff), session.turn);
    }
    return NULL;
}

/* ---- Life ---- */

cdc_outbox *cdc_outbox_new(const core_config *config, core_log *log, core_metrics *metrics,
                           const core_clock *clock, core_error *error) {
    cdc_outbox *outbox = calloc(1, sizeof *outbox);
    pthread_condattr_t attributes;
    if (outbox == NULL || pthread_condattr_init(&attributes) != 0) {
        free(outbox);
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "out of memory for the outbox");
        return NULL;
    }
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&outbox->changed, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    (void)pthread_mutex_init(&outbox->lock, NULL);
    outbox->magic = OUTBOX_MAGIC;
    outbox->config = config;
    outbox->log = log;
    outbox->clock = clock;
    core_backoff_init(&outbox->backoff, BACKOFF_FIRST_MS, BACKOFF_MAX_MS,
                      (uint64_t)core_clock_wall_us(clock));
    cdc_outbox_relay_init(&outbox->relay, config, metrics, clock, relay_wait, NULL);
    return outbox;
}

bool cdc_outbox_start(cdc_outbox *outbox, core_error *error) {
    int failure = pthread_create(&outbox->thread, NULL, outbox_thread, outbox);
    if (failure != 0)
        return core_error_set(error, CORE_ERROR_INTERNAL, "starting the outbox's thread: %s",
                              strerror(failure));
    outbox->started = true;
    return true;
}

void cdc_outbox_switch(cdc_outbox *outbox, bool on, uint64_t end_sequence) {
    (void)pthread_mutex_lock(&outbox->lock);
    outbox->on = on && !outbox->stopping;
    outbox->end_sequence = end_sequence;
    outbox->turn++;
    if (outbox->consumer != NULL)
        fanout_durable_cancel(outbox->consumer);
    (void)pthread_cond_broadcast(&outbox->changed);
    (void)pthread_mutex_unlock(&outbox->lock);
}

void cdc_outbox_stop(cdc_outbox *outbox) {
    (void)pthread_mutex_lock(&outbox->lock);
    outbox->stopping = true;
    (void)pthread_mutex_unlock(&outbox->lock);
    cdc_outbox_switch(outbox, false, 0);
}

void cdc_outbox_free(cdc_outbox *outbox) {
    if (outbox == NULL)
        return;
    CORE_MAGIC_CHECK(outbox, OUTBOX_MAGIC);
    cdc_outbox_stop(outbox);
    if (outbox->started)
        (void)pthread_join(outbox->thread, NULL);
    fanout_connection_free(outbox->connection);
    cdc_outbox_relay_fini(&outbox->relay);
    (void)pthread_cond_destroy(&outbox->changed);
    (void)pthread_mutex_destroy(&outbox->lock);
    outbox->magic = 0;
    free(outbox);
}

bool cdc_outbox_problem(cdc_outbox *outbox, char *text, size_t text_size) {
    (void)pthread_mutex_lock(&outbox->lock);
    bool has_one = outbox->on && outbox->problem[0] != '\0';
    if (has_one)
        (void)snprintf(text, text_size, "events are not relayed: %s", outbox->problem);
    (void)pthread_mutex_unlock(&outbox->lock);
    return has_one;
}
