/* The ordered consumer: delivers a stream in order on its own thread and keeps its own place; see
 * fanout.h.
 *
 * Happy path: one pull (pull.h) hands over message after message; the place is the stream sequence
 * up to which everything that passes the filter was delivered. When the pull is over, whatever the
 * reason, another begins behind the place, with backoff, for ever.
 *
 * Never a silent gap: after each new pull, and when a message came that is old enough for what was
 * before it to have aged out, the stream is looked at. If it was made anew, went back behind the
 * place, or begins after it, the place is lost and the owner is told. The look comes after the
 * consumer is made: a stream's first sequence only grows, so what is there then was there before.
 * A filter that matches seldom would let the place fall behind the stream's beginning by itself, so
 * it moves up whenever the consumer has been idle with nothing pending.
 *
 * "From new" is anchored by the stream's last sequence at creation, so nothing stored after _new
 * returned is missed, however long the first pull takes. */
#include "fanout/place.h"
#include "fanout/pull.h"

#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define ORDERED_MAGIC UINT32_C(0x6f726472)

enum {
    WAIT_MS = 500, /* how late a reconnect is seen */
    PLACE_EVERY_MS = 60 * 1000,
    BACKOFF_FIRST_MS = 20,
    BACKOFF_MAX_MS = 2000,
};

struct fanout_ordered {
    uint32_t magic;
    fanout_connection *connection;
    core_log *log;
    char stream[FANOUT_NAME_MAX];
    char filter[CORE_SUBJECT_MAX];
    fanout_message_handler on_message;
    fanout_lost_handler on_lost;
    void *context;
    fanout_place place;
    bool by_time; /* where to begin as long as there is no place: time_us or the first */
    int64_t time_us;
    int64_t idle_ms;
    core_backoff backoff;
    pthread_t thread;
    bool started;
    atomic_bool stopping;
    int stop_fd;          /* readable once we are to stop */
    pthread_mutex_t lock; /* guards `pull` as a pointer, against _free */
    fanout_pull *pull;
};

/* ---- the place ---- */

/* The stream first, then the consumer: what was stored by then and passes the filter would be
 * pending. */
static void place_advance(fanout_ordered *consumer) {
    fanout_stream_info info;
    core_error ignored;
    if (consumer->place.known &&
        fanout_stream_inspect(consumer->connection, consumer->stream, &info, &ignored) &&
        fanout_place_holds(&consumer->place, consumer->stream, &info, &ignored) &&
        fanout_pull_caught_up(consumer->pull))
        fanout_place_move(&consumer->place, info.last_sequence);
}

static void place_from_spec(fanout_ordered *consumer, const fanout_ordered_spec *spec,
                            const fanout_stream_info *info) {
    fanout_place *place = &consumer->place;
    place->created_us = info->created_us;
    place->max_age_ms = info->max_age_ms;
    consumer->by_time = spec->from == FANOUT_FROM_TIME;
    consumer->time_us = spec->time_us;
    place->known = spec->from == FANOUT_FROM_NEW || spec->from == FANOUT_FROM_SEQUENCE;
    if (spec->from == FANOUT_FROM_NEW)
        place->sequence = info->last_sequence;
    else if (spec->from == FANOUT_FROM_SEQUENCE && spec->sequence > 0)
        place->sequence = spec->sequence - 1;
}

/* ---- one pull after another ---- */

/* Waits, but not longer than until we are to stop. */
static bool is_stopped(const fanout_ordered *consumer, int64_t wait_ms) {
    struct pollfd stop = {.fd = consumer->stop_fd, .events = POLLIN};
    return poll(&stop, 1, (int)wait_ms) == 1;
}

static void pull_replace(fanout_ordered *consumer, fanout_pull *pull) {
    (void)pthread_mutex_lock(&consumer->lock);
    fanout_pull *old = consumer->pull;
    consumer->pull = pull;
    (void)pthread_mutex_unlock(&consumer->lock);
    fanout_pull_free(old);
}

static bool pull_begin(fanout_ordered *consumer, core_error *error) {
    fanout_pull_start start = {
        .stream = consumer->stream,
        .filter = consumer->filter,
        .sequence = consumer->place.known ? consumer->place.sequence + 1
                    : consumer->by_time   ? 0
                                          : 1,
        .time_us = consumer->time_us,
    };
    fanout_pull *pull = fanout_pull_new(consumer->connection, &start, error);
    if (pull == NULL)
        return false;
    pull_replace(consumer, pull);
    if (fanout_place_check(&consumer->place, consumer->connection, consumer->stream, error))
        return true;
    pull_replace(consumer, NULL);
    return false;
}

/* Until a pull runs. False: stopped, or lost with a GAP in `error`. */
static bool pull_begin_again(fanout_ordered *consumer, core_error *error) {
    pull_replace(consumer, NULL);
    while (!is_stopped(consumer, core_backoff_next_ms(&consumer->backoff))) {
        if (!fanout_connection_alive(consumer->connection))
            continue;
        if (pull_begin(consumer, error)) {
            CORE_LOG(consumer->log, INFO, "fanout", "consumer goes on",
                     CORE_LOG_TEXT("stream", consumer->stream),
                     CORE_LOG_NUMBER("after", consumer->place.sequence));
            return true;
        }
        if (error->code == CORE_ERROR_GAP)
            return false;
        CORE_LOG(consumer->log, WARN, "fanout", "consumer cannot go on yet",
                 CORE_LOG_TEXT("stream", consumer->stream), CORE_LOG_TEXT("reason", error->text));
    }
    *error = (core_error){0};
    return false;
}

static bool deliver(fanout_ordered *consumer, const fanout_message *message, core_error *error) {
    if (consumer->place.known && message->sequence <= consumer->place.sequence)
        return core_error_set(error, CORE_ERROR_TRANSIENT,
                              "sequence %" PRIu64 " of stream %s came again", message->sequence,
                              consumer->stream);
    if (!fanout_place_follows(&consumer->place, consumer->connection, consumer->stream, message,
                              error))
        return false;
    consumer->on_message(consumer->context, message);
    fanout_place_move(&consumer->place, message->sequence);
    consumer->idle_ms = 0;
    core_backoff_reset(&consumer->backoff);
    return true;
}

/* One message or one wait. False when the pull is of no more use. */
static bool ordered_step(fanout_ordered *consumer, core_error *error) {
    fanout_message message;
    switch (fanout_pull_next(consumer->pull, WAIT_MS, &message, error)) {
    case FANOUT_PULL_MESSAGE:
        return deliver(consumer, &message, error);
    case FANOUT_PULL_OVER:
        return false;
    case FANOUT_PULL_NOTHING:
        break;
    }
    consumer->idle_ms += WAIT_MS;
    if (consumer->idle_ms >= PLACE_EVERY_MS) {
        consumer->idle_ms = 0;
        place_advance(consumer);
    }
    return true;
}

static void *ordered_run(void *argument) {
    fanout_ordered *consumer = argument;
    core_error error = {0};
    CORE_MAGIC_CHECK(consumer, ORDERED_MAGIC);
    while (!atomic_load(&consumer->stopping)) {
        if (ordered_step(consumer, &error))
            continue;
        if (atomic_load(&consumer->stopping))
            break;
        if (error.code != CORE_ERROR_GAP) {
            CORE_LOG(consumer->log, DEBUG, "fanout", "consumer begins again",
                     CORE_LOG_TEXT("stream", consumer->stream),
                     CORE_LOG_TEXT("reason", error.text));
            if (pull_begin_again(consumer, &error))
                continue;
        }
        if (error.code != CORE_ERROR_GAP)
            break;
        CORE_LOG(consumer->log, ERROR, "fanout", "consumer lost its place",
                 CORE_LOG_TEXT("reason", error.text));
        if (consumer->on_lost != NULL)
            consumer->on_lost(consumer->context, &error);
        break;
    }
    return NULL;
}

/* ---- life ---- */

static bool ordered_begin(fanout_ordered *consumer, const fanout_ordered_spec *spec,
                          core_error *error) {
    fanout_stream_info info;
    if (!core_slice_to_text(core_slice_text(spec->stream), consumer->stream,
                            sizeof consumer->stream) ||
        !core_slice_to_text(core_slice_text(spec->filter), consumer->filter,
                            sizeof consumer->filter))
        return core_error_set(error, CORE_ERROR_INPUT,
                              "stream name '%s' or filter '%s' is too long", spec->stream,
                              spec->filter);
    if (!fanout_stream_inspect(consumer->connection, consumer->stream, &info, error))
        return false;
    place_from_spec(consumer, spec, &info);
    if (!fanout_place_holds(&consumer->place, consumer->stream, &info, error) ||
        !pull_begin(consumer, error))
        return false;
    if (pthread_create(&consumer->thread, NULL, ordered_run, consumer) != 0)
        return core_error_set(error, CORE_ERROR_INTERNAL, "cannot start a consumer's thread");
    consumer->started = true;
    return true;
}

fanout_ordered *fanout_ordered_new(fanout_connection *connection, const fanout_ordered_spec *spec,
                                   core_log *log, core_error *error) {
    fanout_ordered *consumer = calloc(1, sizeof *consumer);
    int stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (consumer == NULL || stop_fd < 0) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "no memory or descriptor for a consumer");
        free(consumer);
        if (stop_fd >= 0)
            (void)close(stop_fd);
        return NULL;
    }
    consumer->magic = ORDERED_MAGIC;
    consumer->connection = connection;
    consumer->log = log;
    consumer->on_message = spec->on_message;
    consumer->on_lost = spec->on_lost;
    consumer->context = spec->context;
    consumer->stop_fd = stop_fd;
    (void)pthread_mutex_init(&consumer->lock, NULL);
    core_backoff_init(&consumer->backoff, BACKOFF_FIRST_MS, BACKOFF_MAX_MS,
                      (uint64_t)(uintptr_t)consumer);
    if (ordered_begin(consumer, spec, error))
        return consumer;
    fanout_ordered_free(consumer);
    return NULL;
}

static void ordered_stop(fanout_ordered *consumer) {
    uint64_t one = 1;
    atomic_store(&consumer->stopping, true);
    ssize_t put = write(consumer->stop_fd, &one, sizeof one);
    (void)put; /* an eventfd takes its first 1 always */
    (void)pthread_mutex_lock(&consumer->lock);
    if (consumer->pull != NULL)
        fanout_pull_interrupt(consumer->pull);
    (void)pthread_mutex_unlock(&consumer->lock);
    (void)pthread_join(consumer->thread, NULL);
}

void fanout_ordered_free(fanout_ordered *consumer) {
    if (consumer == NULL)
        return;
    CORE_MAGIC_CHECK(consumer, ORDERED_MAGIC);
    if (consumer->started)
        ordered_stop(consumer);
    fanout_pull_free(consumer->pull);
    (void)pthread_mutex_destroy(&consumer->lock);
    (void)close(consumer->stop_fd);
    consumer->magic = 0;
    free(consumer);
}
