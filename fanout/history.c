/* The last messages of a subject by STREAM.MSG.GET, backwards; see fanout.h.
 *
 * The server gives a subject's last message, and its next one from a sequence on, but none before
 * one. So: the last, then the first (there may be few), then windows of sequences that end where
 * the known part begins. A window is walked forward; when it holds far more than is wanted it is
 * given up and a shorter one taken, and when it held little the next is longer. So a subject that
 * fills the stream and one that is rare in it both cost about two requests a message, however many
 * lie before the wanted ones. A consumer instead takes 14 ms to make and memory until it is
 * forgotten.
 *
 * Messages that age out meanwhile are not found; those that come meanwhile are left to whoever
 * listens live. Failure: no answer, or the time is over (TRANSIENT). */
#include "fanout/connection.h"
#include "fanout/filter.h"
#include "fanout/stored.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    STEP_GROWTH = 4,
    WINDOW_SLACK = 8, /* messages beyond twice those wanted that a window may hold */
    PAYLOAD_MAX_FACTOR = 4,
};

typedef struct {
    core_block *payload;
    uint64_t sequence;
    int64_t stored_us;
} history_item;

typedef struct {
    history_item items[FANOUT_HISTORY_MAX]; /* a ring: of `count` put, the last `capacity` */
    size_t capacity;
    size_t count;
} history_window;

typedef struct {
    fanout_connection *connection;
    const fanout_history_spec *spec;
    char subject[FANOUT_FILTER_MAX]; /* as JSON has it */
    int64_t deadline_ms;
    core_buffer payload; /* of the message at hand */
    fanout_stored at;
    history_item found[FANOUT_HISTORY_MAX]; /* its last `count` places, the newest last */
    size_t count;
    uint64_t low;   /* from here on all is known */
    uint64_t first; /* the subject's first message */
    history_window window;
    core_error *error;
} history;

typedef enum { HISTORY_FOUND, HISTORY_NONE, HISTORY_FAILED } history_answer;

/* ---- one question ---- */

static int64_t now_ms(void) {
    return core_clock_ms(core_clock_system());
}

static bool history_fail(history *h, const char *why) {
    return core_error_set(h->error, CORE_ERROR_TRANSIENT, "cannot read the history of %s: %s",
                          h->spec->subject, why);
}

static history_answer history_take(history *h, natsMsg *reply) {
    core_slice text = core_slice_make(natsMsg_GetData(reply), (size_t)natsMsg_GetDataLength(reply));
    core_buffer_reset(&h->payload);
    if (!fanout_stored_read(text, &h->at) ||
        (h->at.error_code == 0 && !core_base64_decode(h->at.data, &h->payload))) {
        (void)history_fail(h, "nats-server's answer is not one");
        return HISTORY_FAILED;
    }
    h->at.data = core_buffer_slice(&h->payload); /* the reply is about to go */
    if (h->at.error_code == 0)
        return HISTORY_FOUND;
    if (h->at.error_code == JSNoMessageFoundErr)
        return HISTORY_NONE;
    (void)fanout_status_error(h->error, NATS_ERR, (int)h->at.error_code, "read the history of",
                              h->spec->subject);
    return HISTORY_FAILED;
}

static history_answer history_ask(history *h, const char *body) {
    char api[FANOUT_NAME_MAX + 32];
    natsMsg *reply = NULL;
    int64_t left_ms = h->deadline_ms - now_ms();
    if (left_ms <= 0) {
        (void)history_fail(h, "it takes too long");
        return HISTORY_FAILED;
    }
    (void)snprintf(api, sizeof api, "$JS.API.STREAM.MSG.GET.%s", h->spec->stream);
    natsStatus status =
        natsConnection_RequestString(&reply, fanout_nats(h->connection), api, body, left_ms);
    if (status != NATS_OK) {
        (void)fanout_status_error(h->error, status, 0, "read the history of", h->spec->subject);
        return HISTORY_FAILED;
    }
    history_answer answer = history_take(h, reply);
    natsMsg_Destroy(reply);
    return answer;
}

static history_answer history_last(history *h) {
    char body[FANOUT_FILTER_MAX + 64];
    (void)snprintf(body, sizeof body, "{\"last_by_subj\":\"%s\"}", h->subject);
    return history_ask(h, body);
}

static history_answer history_next(history *h, uint64_t sequence) {
    char body[FANOUT_FILTER_MAX + 96];
    (void)snprintf(body, sizeof body, "{\"next_by_subj\":\"%s\",\"seq\":%" PRIu64 "}", h->subject,
                   sequence);
    return history_ask(h, body);
}

/* ---- what was found ---- */

static fanout_message history_message(const history *h, const history_item *item) {
    return (fanout_message){.subject = h->spec->subject,
                            .payload = core_block_slice(item->payload),
                            .sequence = item->sequence,
                            .stored_us = item->stored_us};
}

static bool history_counts(const history *h) {
    fanout_message message = {.subject = h->spec->subject,
                              .payload = core_buffer_slice(&h->payload),
                              .sequence = h->at.sequence,
                              .stored_us = h->at.stored_us};
    return h->spec->keep == NULL || h->spec->keep(h->spec->context, &message);
}

static bool item_make(history *h, history_item *item) {
    core_block_release(item->payload);
    *item = (history_item){.payload = core_block_copy(core_buffer_slice(&h->payload)),
                           .sequence = h->at.sequence,
                           .stored_us = h->at.stored_us};
    return item->payload != NULL ||
           core_error_set(h->error, CORE_ERROR_INTERNAL, "no memory for the history of %s",
                          h->spec->subject);
}

static bool window_put(history *h) {
    history_window *window = &h->window;
    return item_make(h, &window->items[window->count++ % window->capacity]);
}

static void window_clear(history_window *window, size_t capacity) {
    for (size_t i = 0; i < FANOUT_HISTORY_MAX; i++)
        core_block_release(window->items[i].payload);
    *window = (history_window){.capacity = capacity};
}

/* The window's messages go in front of those found. */
static void window_accept(history *h) {
    history_window *window = &h->window;
    size_t kept = window->count < window->capacity ? window->count : window->capacity;
    for (size_t i = 1; i <= kept; i++) {
        history_item *item = &window->items[(window->count - i) % window->capacity];
        h->found[FANOUT_HISTORY_MAX - ++h->count] = *item;
        item->payload = NULL;
    }
}

/* ---- windows ---- */

typedef enum {
    WINDOW_DONE,
    WINDOW_PAST, /* done, and it reached what is too old */
    WINDOW_FULL, /* it holds too much */
    WINDOW_FAILED,
} window_outcome;

/* Walks from `from` to where the known part begins. */
static window_outcome window_walk(history *h, uint64_t from) {
    bool past = from <= h->first;
    size_t seen = 0;
    size_t most = 2 * h->window.capacity + WINDOW_SLACK;
    for (uint64_t next = from;; next = h->at.sequence + 1) {
        history_answer answer = history_next(h, next);
        if (answer == HISTORY_FAILED)
            return WINDOW_FAILED;
        if (answer == HISTORY_NONE || h->at.sequence >= h->low)
            return past ? WINDOW_PAST : WINDOW_DONE;
        if (++seen > most && h->low - from > 1)
            return WINDOW_FULL;
        if (h->at.stored_us < h->spec->since_us)
            past = true;
        else if (history_counts(h) && !window_put(h))
            return WINDOW_FAILED;
    }
}

static bool history_walk_back(history *h) {
    uint64_t step = h->spec->limit;
    while (h->count < h->spec->limit && h->low > h->first) {
        uint64_t from = h->low - h->first > step ? h->low - step : h->first;
        window_clear(&h->window, h->spec->limit - h->count);
        switch (window_walk(h, from)) {
        case WINDOW_FAILED:
            return false;
        case WINDOW_FULL:
            step = (h->low - from) / STEP_GROWTH + 1;
            continue;
        case WINDOW_PAST:
            window_accept(h);
            return true;
        case WINDOW_DONE:
            break;
        }
        window_accept(h);
        h->low = from;
        step *= STEP_GROWTH;
    }
    return true;
}

/* The newest and the oldest that the stream holds. False: failed. `*any`: there is something to
 * walk back from. */
static bool history_ends(history *h, bool *any) {
    history_answer answer = history_last(h);
    *any = answer == HISTORY_FOUND && h->at.stored_us >= h->spec->since_us;
    if (answer == HISTORY_FAILED || !*any)
        return answer != HISTORY_FAILED;
    h->low = h->at.sequence;
    if (history_counts(h) && !item_make(h, &h->found[FANOUT_HISTORY_MAX - ++h->count]))
        return false;
    answer = history_next(h, 1);
    if (answer == HISTORY_FAILED)
        return false;
    h->first = answer == HISTORY_FOUND && h->at.sequence < h->low ? h->at.sequence : h->low;
    return true;
}

static bool history_give(history *h) {
    for (size_t i = h->count; i > 0; i--) {
        fanout_message message = history_message(h, &h->found[FANOUT_HISTORY_MAX - i]);
        message.pending = i - 1;
        if (!h->spec->take(h->spec->context, &message, h->error))
            return false;
    }
    return true;
}

bool fanout_history_read(fanout_connection *connection, const fanout_history_spec *spec,
                         core_error *error) {
    assert(spec->limit >= 1 && spec->limit <= FANOUT_HISTORY_MAX);
    bool any = false;
    history *h = calloc(1, sizeof *h);
    if (h == NULL)
        return core_error_set(error, CORE_ERROR_INTERNAL, "no memory for the history of %s",
                              spec->subject);
    h->connection = connection;
    h->spec = spec;
    h->error = error;
    h->deadline_ms = now_ms() + spec->timeout_ms;
    core_buffer_init(&h->payload,
                     PAYLOAD_MAX_FACTOR * (size_t)fanout_connection_max_payload(connection));
    bool ok = fanout_filter_escape(spec->subject, h->subject, error) && history_ends(h, &any) &&
              (!any || history_walk_back(h)) && history_give(h);
    window_clear(&h->window, 0);
    for (size_t i = 0; i < FANOUT_HISTORY_MAX; i++)
        core_block_release(h->found[i].payload);
    core_buffer_fini(&h->payload);
    free(h);
    return ok;
}
