/* The thread of requests under an Idempotency-Key; see keyed.h.
 *
 * Happy path: a service thread puts a call into `came` and wakes the thread, which takes its first
 * step; whoever sends the taker's reply puts it into `ended`.
 *
 * Failure: while NATS is away requests are refused with 503 at once, but for those that have
 * written: they wait a while for it. A stop refuses what has not gone to its taker. What has is
 * answered by its taker's own stop, which then finds no thread here and sends the answer itself;
 * its claim is taken over once it is stale. */
#include "fanout/keyed_private.h"

#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define KEYED_MAGIC UINT32_C(0x464b4559) /* "FKEY" */

enum {
    TURN_MS = 100,
    STALLED_TURN_MS = 5,
    BACKOFF_FIRST_MS = 100,
    BACKOFF_MAX_MS = 5000,
    RECORD_MAX = 1 << 20,
};

static const core_state_row call_rows[] = {
    [KEYED_LOOKING] = {"looking", CORE_STATE_BIT(KEYED_CLAIMING)},
    [KEYED_CLAIMING] = {"claiming", CORE_STATE_BIT(KEYED_WORKING)},
    [KEYED_WORKING] = {"working", CORE_STATE_BIT(KEYED_WRITING)},
    [KEYED_WRITING] = {"writing", 0},
};

static fanout_keyed *keyed_of(void *context) {
    fanout_keyed *keyed = context;
    CORE_MAGIC_CHECK(keyed, KEYED_MAGIC);
    return keyed;
}

/* ---- Calls ---- */

static void queue_init(keyed_queue *queue) {
    queue->first = NULL;
    queue->last = &queue->first;
}

static void queue_put(keyed_queue *queue, keyed_call *call) {
    call->queued = NULL;
    *queue->last = call;
    queue->last = &call->queued;
}

static keyed_call *queue_take(keyed_queue *queue) {
    keyed_call *call = queue->first;
    if (call != NULL)
        queue->first = call->queued;
    if (queue->first == NULL)
        queue->last = &queue->first;
    return call;
}

static void keyed_free(fanout_keyed *keyed) {
    (void)close(keyed->wake_fd);
    (void)pthread_mutex_destroy(&keyed->lock);
    keyed->magic = 0;
    free(keyed);
}

static void call_free(keyed_call *call) {
    core_buffer_fini(&call->reply.response.body);
    core_buffer_fini(&call->record);
    call->magic = 0;
    free(call);
}

/* One hold less, of a call or of the part that stops. */
static void keyed_release(fanout_keyed *keyed) {
    (void)pthread_mutex_lock(&keyed->lock);
    keyed->count--;
    bool is_last = keyed->is_detached && keyed->count == 0;
    (void)pthread_mutex_unlock(&keyed->lock);
    if (is_last)
        keyed_free(keyed);
}

/* The lock, for without the thread any other may be here. */
void fanout_keyed_forget(keyed_call *call) {
    fanout_keyed *keyed = call->keyed;
    (void)pthread_mutex_lock(&keyed->lock);
    if (call->previous != NULL)
        call->previous->next = call->next;
    else
        keyed->calls = call->next;
    if (call->next != NULL)
        call->next->previous = call->previous;
    (void)pthread_mutex_unlock(&keyed->lock);
    call_free(call);
    keyed_release(keyed);
}

/* The taker's answer, on any thread. */
static void call_send(core_route_reply *reply) {
    keyed_call *call = (keyed_call *)(void *)((char *)reply - offsetof(keyed_call, reply));
    CORE_MAGIC_CHECK(call, FANOUT_KEYED_CALL_MAGIC);
    fanout_keyed *keyed = call->keyed;
    (void)pthread_mutex_lock(&keyed->lock);
    bool is_detached = keyed->is_detached;
    if (!is_detached) {
        queue_put(&keyed->ended, call);
        core_wake_set(keyed->wake_fd); /* within the lock: the thread may end the part */
    }
    (void)pthread_mutex_unlock(&keyed->lock);
    if (is_detached)
        fanout_keyed_answer(call);
}

/* Nothing that writes answers with a stream. */
static core_route_stream *call_stream(core_route_reply *reply) {
    (void)reply;
    return NULL;
}

const fanout_claim *fanout_keyed_claim(const core_route_reply *reply) {
    if (reply->send != call_send)
        return NULL;
    const keyed_call *call =
        (const keyed_call *)(const void *)((const char *)reply - offsetof(keyed_call, reply));
    CORE_MAGIC_CHECK(call, FANOUT_KEYED_CALL_MAGIC);
    return &call->claim;
}

static keyed_call *call_new(fanout_keyed *keyed, core_route_reply *asked,
                            const fanout_keyed_work *work) {
    keyed_call *call = calloc(1, sizeof *call);
    if (call == NULL)
        return NULL;
    call->magic = FANOUT_KEYED_CALL_MAGIC;
    call->keyed = keyed;
    call->asked = asked;
    call->work = *work;
    call->reply.request = asked->request; /* lives as long as what was asked */
    call->reply.response = asked->response;
    core_buffer_init(&call->reply.response.body, asked->response.body.max_bytes);
    call->reply.send = call_send;
    call->reply.stream = call_stream;
    core_state_init(&call->state, "request under a key", call_rows, CORE_COUNT_OF(call_rows),
                    KEYED_LOOKING);
    core_buffer_init(&call->record, RECORD_MAX);
    return call;
}

void fanout_keyed_take(fanout_keyed *keyed, core_route_reply *reply,
                       const fanout_keyed_work *work) {
    CORE_MAGIC_CHECK(keyed, KEYED_MAGIC);
    (void)pthread_mutex_lock(&keyed->lock);
    bool has_room = !keyed->stopping && keyed->count < FANOUT_KEYED_CALLS_MAX;
    keyed_call *call = has_room ? call_new(keyed, reply, work) : NULL;
    if (call != NULL) {
        queue_put(&keyed->came, call);
        keyed->count++;
    }
    (void)pthread_mutex_unlock(&keyed->lock);
    if (call != NULL) {
        core_wake_set(keyed->wake_fd);
        return;
    }
    fanout_keyed_words(work, reply, 503,
                       "too many requests under an Idempotency-Key are under way");
    core_route_reply_send(reply);
}

/* ---- The thread ---- */

static void problem_set(fanout_keyed *keyed, const char *text) {
    (void)pthread_mutex_lock(&keyed->lock);
    (void)snprintf(keyed->problem, sizeof keyed->problem, "%s", text);
    (void)pthread_mutex_unlock(&keyed->lock);
}

/* The bucket, over a connection for that alone. */
static void keyed_prepare(fanout_keyed *keyed) {
    const fanout_keyed_spec *spec = &keyed->spec;
    core_error error = {.text = ""};
    if (core_clock_ms(spec->clock) < keyed->prepare_ms)
        return;
    fanout_connection *connection = fanout_connection_new(spec->config, "walcast-keyed-setup",
                                                          spec->log, spec->metrics, &error);
    fanout_bucket *bucket =
        connection != NULL
            ? fanout_bucket_new_brief(connection, spec->config, FANOUT_IDEMPOTENCY_SUFFIX,
                                      FANOUT_IDEMPOTENCY_MS, &error)
            : NULL;
    keyed->is_prepared = bucket != NULL;
    fanout_bucket_free(bucket);
    fanout_connection_free(connection);
    if (keyed->is_prepared)
        core_backoff_reset(&keyed->backoff);
    else
        keyed->prepare_ms = core_clock_ms(spec->clock) + core_backoff_next_ms(&keyed->backoff);
    problem_set(keyed, keyed->is_prepared ? "" : error.text);
}

/* Whatever broke the courier's connection may have taken the bucket too. */
static void courier_turn(fanout_keyed *keyed) {
    fanout_courier_poll(keyed->courier);
    if (!fanout_courier_ready(keyed->courier))
        keyed->is_prepared = false;
    else if (!keyed->is_prepared)
        keyed_prepare(keyed);
}

static void call_begin(fanout_keyed *keyed, keyed_call *call) {
    (void)pthread_mutex_lock(&keyed->lock);
    call->next = keyed->calls;
    if (call->next != NULL)
        call->next->previous = call;
    keyed->calls = call;
    (void)pthread_mutex_unlock(&keyed->lock);
    call->number = ++keyed->numbers;
    core_error error = {.text = ""};
    if (!fanout_idempotency_of(&call->asked->request, keyed->spec.digest, &call->claim.key, &error))
        fanout_keyed_refuse(call, core_route_error_status(error.code), error.text);
    else if (keyed->is_prepared)
        fanout_keyed_step(call);
    else
        fanout_keyed_refuse(call, 503, "NATS is away: an Idempotency-Key cannot be kept now");
}

/* True: some wait for room. */
static bool stalled_turn(fanout_keyed *keyed) {
    bool is_ready = fanout_courier_ready(keyed->courier), has_stalled = false;
    for (keyed_call *call = keyed->calls, *next; call != NULL; call = next) {
        next = call->next;
        if (!call->stalled || fanout_keyed_waits(call, is_ready))
            continue;
        if (is_ready)
            fanout_keyed_step(call);
        else if (call->state.current == KEYED_WRITING)
            fanout_keyed_answer(call);
        else
            fanout_keyed_refuse(call, 503, "NATS is away");
    }
    for (const keyed_call *call = keyed->calls; call != NULL; call = call->next)
        has_stalled = has_stalled || call->stalled;
    return has_stalled;
}

/* NULL: none. */
static keyed_call *call_take(fanout_keyed *keyed, keyed_queue *queue, bool *stopping) {
    (void)pthread_mutex_lock(&keyed->lock);
    keyed_call *call = queue_take(queue);
    *stopping = keyed->stopping;
    (void)pthread_mutex_unlock(&keyed->lock);
    return call;
}

static void keyed_wait(const fanout_keyed *keyed, bool has_stalled) {
    struct pollfd fds[] = {{.fd = keyed->wake_fd, .events = POLLIN},
                           {.fd = fanout_courier_wake_fd(keyed->courier), .events = POLLIN}};
    fanout_courier_flush(keyed->courier);
    (void)poll(fds, CORE_COUNT_OF(fds), has_stalled ? STALLED_TURN_MS : TURN_MS);
    if ((fds[0].revents & POLLIN) != 0)
        core_wake_clear(keyed->wake_fd);
}

static void *keyed_run(void *argument) {
    fanout_keyed *keyed = keyed_of(argument);
    bool stopping = false;
    (void)pthread_setname_np(pthread_self(), "walcast-keyed");
    while (!stopping) {
        courier_turn(keyed);
        bool has_stalled = stalled_turn(keyed);
        for (keyed_call *call; (call = call_take(keyed, &keyed->came, &stopping)) != NULL;)
            call_begin(keyed, call);
        for (keyed_call *call; (call = call_take(keyed, &keyed->ended, &stopping)) != NULL;)
            fanout_keyed_end(call);
        if (!stopping)
            keyed_wait(keyed, has_stalled);
    }
    return NULL;
}

/* ---- Life ---- */

bool fanout_keyed_start(fanout_keyed *keyed, core_error *error) {
    const fanout_keyed_spec *spec = &keyed->spec;
    CORE_MAGIC_CHECK(keyed, KEYED_MAGIC);
    keyed->courier =
        fanout_courier_new(spec->config, "walcast-keyed", spec->log, spec->clock, error);
    if (keyed->courier == NULL)
        return false;
    keyed->started = pthread_create(&keyed->thread, NULL, keyed_run, keyed) == 0;
    return keyed->started ||
           core_error_set(error, CORE_ERROR_INTERNAL, "cannot start the thread of keyed requests");
}

core_readiness fanout_keyed_ready(fanout_keyed *keyed, char *reason, size_t reason_size) {
    CORE_MAGIC_CHECK(keyed, KEYED_MAGIC);
    (void)pthread_mutex_lock(&keyed->lock);
    bool has_problem = keyed->problem[0] != '\0';
    if (has_problem)
        (void)snprintf(reason, reason_size, "requests with an Idempotency-Key are not taken: %s",
                       keyed->problem);
    (void)pthread_mutex_unlock(&keyed->lock);
    return has_problem ? CORE_READY_WARNING : CORE_READY_YES;
}

/* From here on whoever ends a call sends its answer; the part has a hold of its own. Gives what has
 * ended. */
static keyed_call *keyed_detach(fanout_keyed *keyed) {
    (void)pthread_mutex_lock(&keyed->lock);
    keyed_call *ended = keyed->ended.first;
    queue_init(&keyed->ended);
    keyed->is_detached = true;
    keyed->count++;
    (void)pthread_mutex_unlock(&keyed->lock);
    return ended;
}

/* One that no taker has; NULL: there is none. */
static keyed_call *call_idle(fanout_keyed *keyed) {
    (void)pthread_mutex_lock(&keyed->lock);
    keyed_call *call = keyed->calls;
    while (call != NULL && call->state.current == KEYED_WORKING)
        call = call->next;
    (void)pthread_mutex_unlock(&keyed->lock);
    return call;
}

/* Those whose answer is known are told it, and others refused, but for those at work. */
static void calls_leave(fanout_keyed *keyed) {
    bool stopping;
    keyed_call *ended = keyed_detach(keyed);
    for (keyed_call *next; ended != NULL; ended = next) {
        next = ended->queued;
        fanout_keyed_answer(ended);
    }
    for (keyed_call *call; (call = call_take(keyed, &keyed->came, &stopping)) != NULL;)
        call_begin(keyed, call); /* which refuses it */
    for (keyed_call *call; (call = call_idle(keyed)) != NULL;) {
        if (call->state.current == KEYED_WRITING)
            fanout_keyed_answer(call);
        else
            fanout_keyed_refuse(call, 503, "this process is stopping");
    }
}

void fanout_keyed_stop(fanout_keyed *keyed) {
    if (keyed == NULL)
        return;
    CORE_MAGIC_CHECK(keyed, KEYED_MAGIC);
    (void)pthread_mutex_lock(&keyed->lock);
    keyed->stopping = true;
    (void)pthread_mutex_unlock(&keyed->lock);
    core_wake_set(keyed->wake_fd);
    if (keyed->started)
        (void)pthread_join(keyed->thread, NULL);
    fanout_courier_free(keyed->courier);
    keyed->courier = NULL;
    keyed->is_prepared = false;
    calls_leave(keyed);
    keyed_release(keyed);
}

fanout_keyed *fanout_keyed_new(const fanout_keyed_spec *spec, core_error *error) {
    char id[CORE_SNAPSHOT_ID_SIZE] = "";
    fanout_keyed *keyed = calloc(1, sizeof *keyed);
    int wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    bool has_parts = keyed != NULL && wake_fd >= 0;
    if (!has_parts)
        (void)core_error_set(error, CORE_ERROR_INTERNAL,
                             "no memory or descriptor for keyed requests");
    if (!has_parts || !core_snapshot_id_make(id, error)) {
        if (wake_fd >= 0)
            (void)close(wake_fd);
        free(keyed);
        return NULL;
    }
    *keyed = (fanout_keyed){.magic = KEYED_MAGIC, .spec = *spec, .wake_fd = wake_fd};
    (void)snprintf(keyed->id, sizeof keyed->id, "%s", id);
    const char *stream = core_config_text(spec->config, "nats.stream");
    (void)snprintf(keyed->stream, sizeof keyed->stream, "KV_%s_%s", stream,
                   FANOUT_IDEMPOTENCY_SUFFIX);
    (void)snprintf(keyed->prefix, sizeof keyed->prefix, "$KV.%s_%s.", stream,
                   FANOUT_IDEMPOTENCY_SUFFIX);
    core_backoff_init(&keyed->backoff, BACKOFF_FIRST_MS, BACKOFF_MAX_MS,
                      (uint64_t)core_clock_wall_us(spec->clock));
    queue_init(&keyed->came);
    queue_init(&keyed->ended);
    (void)pthread_mutex_init(&keyed->lock, NULL);
    return keyed;
}
