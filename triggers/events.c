/* The thread of the events' API; see events.h.
 *
 * Happy path: a service thread puts a reply into the inbox and wakes the thread, which makes a call
 * of it and takes its first step; answers of the courier take the further ones.
 *
 * Failure: while NATS is away, or the stream cannot be made, requests are refused with 503 at once.
 * What the courier cannot take now is tried again after each of its turns. A call is freed when it
 * has been answered and no answer of the courier can come for it any more. */
#include "triggers/events_private.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define EVENTS_MAGIC UINT32_C(0x5445564e)
#define CALL_MAGIC   UINT32_C(0x54455643)

enum {
    TURN_MS = 100,
    STALLED_TURN_MS = 5,
    BACKOFF_FIRST_MS = 100,
    BACKOFF_MAX_MS = 5000,
};

static triggers_events *events_of(void *context) {
    triggers_events *events = context;
    CORE_MAGIC_CHECK(events, EVENTS_MAGIC);
    return events;
}

/* ---- Calls ---- */

static void call_free(events_call *call) {
    triggers_events *events = call->events;
    if (call->previous != NULL)
        call->previous->next = call->next;
    else
        events->calls = call->next;
    if (call->next != NULL)
        call->next->previous = call->previous;
    events->call_count--;
    triggers_event_batch_fini(&call->batch);
    free(call->sequences);
    call->magic = 0;
    free(call);
}

static void call_settle(events_call *call) {
    if (call->over && call->waiting == 0)
        call_free(call);
}

void triggers_events_answer_early(events_call *call) {
    core_route_reply_send(call->reply);
    call->reply = NULL;
}

void triggers_events_answer(events_call *call) {
    if (call->reply != NULL)
        triggers_events_answer_early(call);
    call->over = true;
    call->stalled = NULL;
    if (call->waiting == 0)
        call_free(call);
}

void triggers_events_refuse(events_call *call, unsigned status, const char *detail) {
    if (call->reply != NULL)
        core_route_refuse(call->reply, status, detail, NULL);
    triggers_events_answer(call);
}

void triggers_events_fail(events_call *call, const core_error *error) {
    triggers_events_refuse(call, core_route_error_status(error->code), error->text);
}

fanout_reply triggers_events_expect(events_call *call, fanout_answer_handler handler,
                                    uint64_t tag) {
    call->waiting++;
    return (fanout_reply){.on_answer = handler, .context = call, .tag = tag};
}

events_call *triggers_events_arrived(void *context) {
    events_call *call = context;
    CORE_MAGIC_CHECK(call, CALL_MAGIC);
    assert(call->waiting > 0);
    call->waiting--;
    return call;
}

void triggers_events_stall(events_call *call, events_step step, const core_error *error) {
    call->waiting--; /* it was not sent */
    if (error->code == CORE_ERROR_TRANSIENT && fanout_courier_ready(call->events->courier))
        call->stalled = step;
    else
        triggers_events_fail(call, error);
}

static void call_route(events_call *call) {
    const core_route_request *request = &call->reply->request;
    if (core_slice_is(request->method, "POST"))
        triggers_events_publish(call);
    else if (core_slice_is(request->path, TRIGGERS_EVENTS_PATH "/stream"))
        triggers_events_stream(call);
    else if (core_slice_is(request->path, TRIGGERS_EVENTS_PATH))
        triggers_events_list(call);
    else
        triggers_events_get(call);
}

static void call_new(triggers_events *events, core_route_reply *reply) {
    events_call *call = NULL;
    if (events->prepared && events->call_count < TRIGGERS_EVENTS_CALLS)
        call = calloc(1, sizeof *call);
    if (call == NULL) {
        core_route_refuse(reply, 503,
                          events->prepared ? "too many requests are under way"
                                           : "the stream of events cannot be reached now",
                          NULL);
        core_route_reply_send(reply);
        return;
    }
    *call =
        (events_call){.magic = CALL_MAGIC, .events = events, .reply = reply, .next = events->calls};
    if (call->next != NULL)
        call->next->previous = call;
    events->calls = call;
    events->call_count++;
    if (core_slice_to_text(reply->request.caller.project, call->project, sizeof call->project))
        call_route(call);
    else
        triggers_events_refuse(call, 403, "the credential's project is no name");
}

/* ---- The thread ---- */

static void problem_set(triggers_events *events, const char *text) {
    (void)pthread_mutex_lock(&events->lock);
    (void)snprintf(events->problem, sizeof events->problem, "%s", text);
    (void)pthread_mutex_unlock(&events->lock);
}

static bool stream_prepare(triggers_events *events, fanout_connection *connection,
                           core_error *error) {
    char subjects[CORE_SUBJECT_MAX];
    fanout_stream_info info;
    fanout_stream_spec spec = fanout_stream_event_spec(events->host->spec.config, events->stream,
                                                       subjects, sizeof subjects);
    spec.keeps_limits = true; /* the outbox sets them */
    if (!fanout_stream_ensure(connection, &spec, &info, error))
        return false;
    events->created_us = info.created_us;
    return true;
}

/* The stream, over a connection for that alone. */
static void events_prepare(triggers_events *events) {
    const triggers_spec *spec = &events->host->spec;
    core_error error = {.text = ""};
    if (core_clock_ms(spec->clock) < events->prepare_at_ms)
        return;
    fanout_connection *connection = fanout_connection_new(spec->config, "walcast-events-setup",
                                                          spec->log, spec->metrics, &error);
    events->prepared = connection != NULL && stream_prepare(events, connection, &error);
    fanout_connection_free(connection);
    if (events->prepared) {
        core_backoff_reset(&events->backoff);
        problem_set(events, "");
        return;
    }
    events->prepare_at_ms = core_clock_ms(spec->clock) + core_backoff_next_ms(&events->backoff);
    if (events->problem[0] == '\0')
        CORE_LOG(spec->log, WARN, "triggers", "events cannot be published now; trying again",
                 CORE_LOG_TEXT("error", error.text));
    problem_set(events, error.text);
}

/* Whatever broke the courier's connection may have taken the stream too. */
static void courier_turn(triggers_events *events) {
    fanout_courier_poll(events->courier);
    if (!fanout_courier_ready(events->courier))
        events->prepared = false;
    else if (!events->prepared)
        events_prepare(events);
}

static void stalled_turn(triggers_events *events) {
    for (events_call *call = events->calls, *next; call != NULL; call = next) {
        next = call->next;
        events_step step = call->stalled;
        call->stalled = NULL;
        if (step != NULL)
            step(call);
    }
}

static bool has_stalled(const triggers_events *events) {
    for (const events_call *call = events->calls; call != NULL; call = call->next)
        if (call->stalled != NULL)
            return true;
    return false;
}

/* NULL: none waits. */
static core_route_reply *inbox_take(triggers_events *events, bool *stopping) {
    core_route_reply *reply = NULL;
    (void)pthread_mutex_lock(&events->lock);
    *stopping = events->stopping;
    if (events->inbox_count > 0) {
        reply = events->inbox[events->inbox_first];
        events->inbox_first = (events->inbox_first + 1) % TRIGGERS_EVENTS_INBOX;
        events->inbox_count--;
    }
    (void)pthread_mutex_unlock(&events->lock);
    return reply;
}

static void events_wait(const triggers_events *events) {
    struct pollfd fds[] = {{.fd = events->wake_fd, .events = POLLIN},
                           {.fd = fanout_courier_wake_fd(events->courier), .events = POLLIN}};
    fanout_courier_flush(events->courier);
    (void)poll(fds, CORE_COUNT_OF(fds), has_stalled(events) ? STALLED_TURN_MS : TURN_MS);
    if ((fds[0].revents & POLLIN) != 0)
        core_wake_clear(events->wake_fd);
}

static void calls_end(triggers_events *events) {
    fanout_courier_free(events->courier);
    events->courier = NULL;
    for (events_call *call = events->calls, *next; call != NULL; call = next) {
        next = call->next;
        call->waiting = 0;
        if (call->over)
            call_settle(call);
        else
            triggers_events_refuse(call, 503, "this server is shutting down");
    }
    triggers_events_streams_end(events);
}

static void *events_run(void *argument) {
    triggers_events *events = events_of(argument);
    bool stopping = false;
    (void)pthread_setname_np(pthread_self(), "walcast-events");
    while (!stopping) {
        courier_turn(events);
        stalled_turn(events);
        triggers_events_streams_turn(events);
        for (core_route_reply *reply; (reply = inbox_take(events, &stopping)) != NULL;)
            call_new(events, reply);
        if (!stopping)
            events_wait(events);
    }
    calls_end(events);
    return NULL;
}

/* ---- The part ---- */

void triggers_events_take(triggers_host *host, core_route_reply *reply) {
    triggers_events *events = events_of(host->events);
    (void)pthread_mutex_lock(&events->lock);
    bool room = !events->stopping && events->inbox_count < TRIGGERS_EVENTS_INBOX;
    if (room) {
        size_t at = (events->inbox_first + events->inbox_count++) % TRIGGERS_EVENTS_INBOX;
        events->inbox[at] = reply;
    }
    (void)pthread_mutex_unlock(&events->lock);
    if (room) {
        core_wake_set(events->wake_fd);
        return;
    }
    core_route_refuse(reply, 503, "too many requests wait", NULL);
    core_route_reply_send(reply);
}

static bool part_start(triggers_part *part, core_error *error) {
    triggers_events *events = events_of(part);
    const triggers_spec *spec = &events->host->spec;
    events->courier =
        fanout_courier_new(spec->config, "walcast-events", spec->log, spec->clock, error);
    if (events->courier == NULL)
        return false;
    events->started = pthread_create(&events->thread, NULL, events_run, events) == 0;
    return events->started ||
           core_error_set(error, CORE_ERROR_INTERNAL, "cannot start the events' thread");
}

static core_readiness part_ready(triggers_part *part, char *reason, size_t reason_size) {
    triggers_events *events = events_of(part);
    (void)pthread_mutex_lock(&events->lock);
    bool has_problem = events->problem[0] != '\0';
    if (has_problem)
        (void)snprintf(reason, reason_size, "events are not taken: %s", events->problem);
    (void)pthread_mutex_unlock(&events->lock);
    return has_problem ? CORE_READY_WARNING : CORE_READY_YES;
}

static void part_stop(triggers_part *part) {
    triggers_events *events = events_of(part);
    const uint64_t one = 1;
    (void)pthread_mutex_lock(&events->lock);
    events->stopping = true;
    (void)pthread_mutex_unlock(&events->lock);
    (void)!write(events->wake_fd, &one, sizeof one);
    if (events->started)
        (void)pthread_join(events->thread, NULL);
    else
        fanout_courier_free(events->courier);
    (void)close(events->wake_fd);
    (void)pthread_mutex_destroy(&events->lock);
    events->host->events = NULL;
    events->magic = 0;
    free(events);
}

triggers_part *triggers_events_part(triggers_host *host, core_error *error) {
    triggers_events *events = calloc(1, sizeof *events);
    int wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (events == NULL || wake_fd < 0) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "no memory or descriptor for events");
        free(events);
        return NULL;
    }
    *events = (triggers_events){
        .part = {.name = "events", .start = part_start, .ready = part_ready, .stop = part_stop},
        .magic = EVENTS_MAGIC,
        .host = host,
        .scope = core_subject_scope_of(host->spec.config),
        .wake_fd = wake_fd,
    };
    core_backoff_init(&events->backoff, BACKOFF_FIRST_MS, BACKOFF_MAX_MS,
                      (uint64_t)core_clock_wall_us(host->spec.clock));
    (void)pthread_mutex_init(&events->lock, NULL);
    host->events = events;
    return &events->part;
}
