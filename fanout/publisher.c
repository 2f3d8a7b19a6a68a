/* A stream's one writer, fenced; see fanout.h.
 *
 * Happy path: open connects, ensures the stream and reads its tail; send numbers a message, puts
 * the fence on it and hands it to the link; poll takes answers and moves the contiguous acked
 * prefix. Failure: whatever is not exactly the expected ack ends the writer epoch ("broken"); open
 * begins another one from what the stream then holds.
 *
 * The fence. Each message names the stream sequence it expects before it, its own id
 * `{epoch}-{n}`, and, from the second on, the id of its predecessor. The sequence alone is a bare
 * number: after one foreign message, later ones of a pipeline would fit again. The predecessor's id
 * makes the chain unbreakable: a message can only stand right after the one it was written after.
 * Ids come from a random epoch and a counter, never from positions, because the server deduplicates
 * by id before it looks at anything else; a `duplicate` is therefore a violation and never an ack.
 *
 * Why the tail that open reads may be trusted. Messages of our former epoch may still sit in the
 * server's sockets when we read it. The first message of an epoch travels alone, with the expected
 * sequence S that we read. If a late one is stored first, ours does not fit: refused, and we open
 * again. If ours is first, the late ones do not: those that expect S or less by their number, those
 * that expect more by their predecessor's id, which now will never be the last one. Only after the
 * ack of the first message does the pipeline start. The same holds between two processes.
 *
 * A timed-out or disconnected epoch ends with its connection cut, so nothing unsent of it can
 * follow. The window's messages may or may not have been stored: the next tail says it. */
#include "fanout/publisher_link.h"
#include "fanout/publisher_window.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <unistd.h>

#define PUBLISHER_MAGIC UINT32_C(0x7075626c)

enum {
    TAIL_BYTES_MAX = 64 * 1024 * 1024, /* the largest max_payload nats-server allows */
    UNSENT_MAX_US = 1000,              /* a caller that never sleeps: send at the latest then */
    RECEIVE_EVERY_US = 100,            /* and look for acks that seldom */
};

typedef enum { PUBLISHER_CLOSED, PUBLISHER_OPEN, PUBLISHER_BROKEN } publisher_state;

static const core_state_row publisher_states[] = {
    [PUBLISHER_CLOSED] = {"closed", CORE_STATE_BIT(PUBLISHER_OPEN)},
    [PUBLISHER_OPEN] = {"open",
                        CORE_STATE_BIT(PUBLISHER_BROKEN) | CORE_STATE_BIT(PUBLISHER_CLOSED)},
    [PUBLISHER_BROKEN] = {"broken", CORE_STATE_BIT(PUBLISHER_CLOSED)},
};

struct fanout_publisher {
    uint32_t magic;
    const core_config *config;
    core_log *log;
    core_metrics *metrics;
    const core_clock *clock;
    char stream[FANOUT_NAME_MAX];
    char subjects[CORE_SUBJECT_MAX];
    fanout_stream_spec spec; /* its texts are the two above */
    core_state state;
    fanout_connection *connection; /* for requests; outlives epochs */
    fanout_link *link;             /* of this epoch */
    fanout_window window;
    fanout_tail tail;
    core_error reason; /* why it is broken */
    int epoll_fd;
    int64_t ack_timeout_ms;
    int64_t unsent_since_us; /* 0: everything was given to the socket */
    int64_t received_us;     /* when the socket was last read; 0: read it at the next poll */
    bool has_refused;        /* the last message that was to be sent, of: */
    size_t refused_bytes;
};

static publisher_state publisher_at(const fanout_publisher *publisher) {
    return (publisher_state)publisher->state.current;
}

/* ---- life ---- */

static bool publisher_prepare(fanout_publisher *publisher, const fanout_stream_spec *spec,
                              core_error *error) {
    const core_config *config = publisher->config;
    if (!core_slice_to_text(core_slice_text(spec->name), publisher->stream,
                            sizeof publisher->stream) ||
        !core_slice_to_text(core_slice_text(spec->subjects), publisher->subjects,
                            sizeof publisher->subjects))
        return core_error_set(error, CORE_ERROR_CONFIG,
                              "nats.stream or nats.prefix is too long: '%s', '%s'", spec->name,
                              spec->subjects);
    publisher->spec = *spec;
    publisher->spec.name = publisher->stream;
    publisher->spec.subjects = publisher->subjects;
    publisher->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (publisher->epoll_fd < 0)
        return core_error_set(error, CORE_ERROR_INTERNAL, "cannot make a publisher: %s",
                              strerror(errno));
    return fanout_window_init(&publisher->window, publisher->stream,
                              (size_t)core_config_integer(config, "nats.window_messages"),
                              (size_t)core_config_integer(config, "nats.window_bytes"), error);
}

fanout_publisher *fanout_publisher_new(const core_config *config, const fanout_stream_spec *spec,
                                       core_log *log, core_metrics *metrics,
                                       const core_clock *clock, core_error *error) {
    fanout_publisher *publisher = calloc(1, sizeof *publisher);
    if (publisher == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "no memory for a publisher");
        return NULL;
    }
    publisher->magic = PUBLISHER_MAGIC;
    publisher->config = config;
    publisher->log = log;
    publisher->metrics = metrics;
    publisher->clock = clock;
    publisher->epoll_fd = -1;
    publisher->ack_timeout_ms = core_config_integer(config, "nats.ack_timeout");
    core_buffer_init(&publisher->tail.payload, TAIL_BYTES_MAX);
    core_state_init(&publisher->state, "fanout publisher", publisher_states,
                    CORE_COUNT_OF(publisher_states), PUBLISHER_CLOSED);
    if (publisher_prepare(publisher, spec, error))
        return publisher;
    fanout_publisher_free(publisher);
    return NULL;
}

static void publisher_close(fanout_publisher *publisher) {
    fanout_link_free(publisher->link);
    publisher->link = NULL;
    publisher->unsent_since_us = 0;
    publisher->received_us = 0;
    fanout_window_start(&publisher->window, 0, 0);
    if (publisher_at(publisher) != PUBLISHER_CLOSED)
        core_state_move(&publisher->state, PUBLISHER_CLOSED);
}

void fanout_publisher_free(fanout_publisher *publisher) {
    if (publisher == NULL)
        return;
    CORE_MAGIC_CHECK(publisher, PUBLISHER_MAGIC);
    publisher_close(publisher);
    fanout_connection_free(publisher->connection);
    fanout_window_fini(&publisher->window);
    core_buffer_fini(&publisher->tail.payload);
    if (publisher->epoll_fd >= 0)
        (void)close(publisher->epoll_fd);
    publisher->magic = 0;
    free(publisher);
}

/* ---- open ---- */

static bool publisher_connect(fanout_publisher *publisher, core_error *error) {
    char name[FANOUT_NAME_MAX + 32];
    (void)snprintf(name, sizeof name, "walcast publisher %s", publisher->stream);
    if (publisher->connection == NULL)
        publisher->connection = fanout_connection_new(publisher->config, name, publisher->log,
                                                      publisher->metrics, error);
    if (publisher->connection == NULL)
        return false;
    publisher->link = fanout_link_new(publisher->config, name, publisher->epoll_fd, error);
    return publisher->link != NULL;
}

/* The last message is not there. True when it has just aged out; a stream that counts messages and
 * cannot give the last one is damaged. */
static bool publisher_tail_gone(fanout_publisher *publisher, core_error *error) {
    fanout_tail *tail = &publisher->tail;
    uint64_t last_sequence = tail->stream.last_sequence;
    if (!fanout_stream_inspect(publisher->connection, publisher->stream, &tail->stream, error))
        return false;
    tail->has_message = false;
    if (tail->stream.messages == 0 && tail->stream.last_sequence == last_sequence)
        return true;
    return core_error_set(error, CORE_ERROR_GAP,
                          "stream %s cannot give its last message (sequence %" PRIu64 " of %" PRIu64
                          "): nats-server's store is damaged; check its store_dir and log",
                          publisher->stream, last_sequence, tail->stream.messages);
}

static bool publisher_read_tail(fanout_publisher *publisher, core_error *error) {
    fanout_tail *tail = &publisher->tail;
    if (!fanout_stream_ensure(publisher->connection, &publisher->spec, &tail->stream, error))
        return false;
    /* Limits that an operator changes under a running writer (to make room, say) stay until its
     * next start. */
    publisher->spec.keeps_limits = true;
    tail->has_message = tail->stream.messages > 0;
    core_buffer_reset(&tail->payload);
    if (!tail->has_message ||
        fanout_stream_message(publisher->connection, publisher->stream, tail->stream.last_sequence,
                              &tail->payload, error))
        return true;
    return error->code == CORE_ERROR_INPUT && publisher_tail_gone(publisher, error);
}

static bool publisher_new_epoch(fanout_publisher *publisher, core_error *error) {
    uint64_t epoch = 0;
    if (getrandom(&epoch, sizeof epoch, 0) != (ssize_t)sizeof epoch)
        return core_error_set(error, CORE_ERROR_INTERNAL, "no random bytes for a writer epoch: %s",
                              strerror(errno));
    fanout_window_start(&publisher->window, epoch, publisher->tail.stream.last_sequence);
    return true;
}

bool fanout_publisher_open(fanout_publisher *publisher, const fanout_tail **tail,
                           core_error *error) {
    CORE_MAGIC_CHECK(publisher, PUBLISHER_MAGIC);
    publisher_close(publisher);
    if (!publisher_connect(publisher, error) || !publisher_read_tail(publisher, error) ||
        !publisher_new_epoch(publisher, error)) {
        publisher_close(publisher);
        return false;
    }
    core_state_move(&publisher->state, PUBLISHER_OPEN);
    *tail = &publisher->tail;
    /* A standby opens again and again; whoever streams says so with its place. */
    CORE_LOG(publisher->log, DEBUG, "fanout", "publisher open",
             CORE_LOG_TEXT("stream", publisher->stream),
             CORE_LOG_NUMBER("last_sequence", publisher->tail.stream.last_sequence));
    return true;
}

fanout_connection *fanout_publisher_connection(fanout_publisher *publisher) {
    return publisher->connection;
}

/* ---- broken ---- */

/* Ends the epoch for the reason in publisher->reason. */
static void publisher_break(fanout_publisher *publisher) {
    core_state_move(&publisher->state, PUBLISHER_BROKEN);
    core_metrics_add(publisher->metrics, CORE_METRIC_FANOUT_PUBLISH_FAILURES, 1);
    core_metrics_set(publisher->metrics, CORE_METRIC_FANOUT_WINDOW_MESSAGES, 0);
    CORE_LOG(publisher->log, WARN, "fanout", "publishing stopped, the stream's tail decides",
             CORE_LOG_TEXT("stream", publisher->stream),
             CORE_LOG_TEXT("code", core_error_code_name(publisher->reason.code)),
             CORE_LOG_TEXT("reason", publisher->reason.text),
             CORE_LOG_NUMBER("unacked", fanout_window_length(&publisher->window)));
    fanout_link_free(publisher->link);
    publisher->link = NULL;
}

/* True when usable; else `error` gets why it is not. */
static bool publisher_usable(fanout_publisher *publisher, core_error *error) {
    if (publisher_at(publisher) == PUBLISHER_OPEN)
        return true;
    if (publisher_at(publisher) == PUBLISHER_BROKEN && error != NULL)
        *error = publisher->reason;
    else
        (void)core_error_set(error, CORE_ERROR_TRANSIENT, "the publisher of stream %s is not open",
                             publisher->stream);
    return false;
}

/* ---- send ---- */

/* A blank or control byte would end the subject early, and what follows would be a reply subject.
 */
static bool subject_is_plain(const char *subject) {
    for (const char *at = subject; *at != '\0'; at++)
        if ((unsigned char)*at <= ' ' || *at == 0x7f)
            return false;
    return subject[0] != '\0';
}

static bool send_allowed(fanout_publisher *publisher, const char *subject, core_slice payload,
                         core_error *error) {
    int64_t max = fanout_link_max_payload(publisher->link) - FANOUT_LINK_HEADERS_MAX;
    if (!subject_is_plain(subject))
        return core_error_set(error, CORE_ERROR_INTERNAL, "subject '%s' has blanks or controls",
                              subject);
    if (max < 0 || payload.length > (uint64_t)max)
        return core_error_set(error, CORE_ERROR_LIMIT,
                              "a message of %zu bytes for %s exceeds nats-server's max_payload "
                              "(%" PRId64 " less headers): raise max_payload there",
                              payload.length, subject, max + FANOUT_LINK_HEADERS_MAX);
    return true;
}

static bool publisher_put(fanout_publisher *publisher, const char *subject, core_slice payload,
                          core_error *error) {
    fanout_window *window = &publisher->window;
    char id[FANOUT_MESSAGE_ID_MAX], previous[FANOUT_MESSAGE_ID_MAX];
    int64_t now_us = publisher->clock->monotonic_ns(publisher->clock) / 1000;
    uint64_t n = fanout_window_send(window, payload.length, now_us);
    if (publisher->unsent_since_us == 0)
        publisher->unsent_since_us = now_us;
    fanout_window_message_id(window, n, id);
    fanout_window_message_id(window, n - 1, previous);
    fanout_link_message message = {
        .subject = subject,
        .message_id = id,
        .expected_id = n > 1 ? previous : NULL,
        .expected_sequence = window->base + n - 1,
        .n = n,
        .payload = payload,
    };
    return fanout_link_send(publisher->link, &message, error);
}

static bool publisher_admits(const fanout_publisher *publisher) {
    return fanout_link_has_room(publisher->link) &&
           fanout_window_admits(&publisher->window, publisher->refused_bytes);
}

fanout_send_result fanout_publisher_send(fanout_publisher *publisher, const char *subject,
                                         core_slice payload, uint64_t *sequence,
                                         core_error *error) {
    CORE_MAGIC_CHECK(publisher, PUBLISHER_MAGIC);
    if (!publisher_usable(publisher, error))
        return FANOUT_BROKEN;
    publisher->refused_bytes = payload.length;
    publisher->has_refused = !publisher_admits(publisher);
    if (publisher->has_refused)
        return FANOUT_FULL;
    if (!send_allowed(publisher, subject, payload, &publisher->reason) ||
        !publisher_put(publisher, subject, payload, &publisher->reason)) {
        publisher_break(publisher);
        (void)publisher_usable(publisher, error);
        return FANOUT_BROKEN;
    }
    *sequence = publisher->window.base + publisher->window.sent;
    core_metrics_add(publisher->metrics, CORE_METRIC_FANOUT_PUBLISHED_MESSAGES, 1);
    core_metrics_add(publisher->metrics, CORE_METRIC_FANOUT_PUBLISHED_BYTES,
                     (int64_t)payload.length);
    return FANOUT_SENT;
}

static void publisher_flush(fanout_publisher *publisher) {
    fanout_link_flush(publisher->link);
    publisher->unsent_since_us = 0;
}

/* ---- acks ---- */

static bool publisher_take(fanout_publisher *publisher, const fanout_link_answer *answer,
                           int64_t now_us) {
    fanout_puback ack;
    int64_t sent_us = 0;
    if (answer->nobody)
        return core_error_set(&publisher->reason, CORE_ERROR_TRANSIENT,
                              "nobody takes messages for stream %s: was the stream or JetStream "
                              "removed, or is its leader away?",
                              publisher->stream);
    if (!fanout_puback_read(answer->bytes, &ack, &publisher->reason) ||
        !fanout_window_ack(&publisher->window, answer->n, &ack, &sent_us, &publisher->reason))
        return false;
    core_metrics_observe(publisher->metrics, CORE_METRIC_FANOUT_ACK_SECONDS, now_us - sent_us);
    return true;
}

/* A busy caller polls after every message; a system call each time would be most of its work. */
static void publisher_receive(fanout_publisher *publisher, int64_t now_us) {
    if (now_us - publisher->received_us < RECEIVE_EVERY_US)
        return;
    publisher->received_us = now_us;
    fanout_link_expect(publisher->link, fanout_window_length(&publisher->window));
    fanout_link_receive(publisher->link);
}

static bool publisher_take_all(fanout_publisher *publisher) {
    fanout_link_answer answer;
    int64_t now_us = publisher->clock->monotonic_ns(publisher->clock) / 1000;
    if (!fanout_link_has_room(publisher->link) ||
        (publisher->unsent_since_us != 0 && now_us - publisher->unsent_since_us > UNSENT_MAX_US))
        publisher_flush(publisher);
    publisher_receive(publisher, now_us);
    while (fanout_link_next(publisher->link, &answer))
        if (!publisher_take(publisher, &answer, now_us))
            return false;
    if (!fanout_link_alive(publisher->link))
        return core_error_set(&publisher->reason, CORE_ERROR_TRANSIENT,
                              "the publisher of stream %s lost its connection: %s",
                              publisher->stream, fanout_link_reason(publisher->link));
    if (fanout_window_overdue(&publisher->window, now_us, publisher->ack_timeout_ms))
        return core_error_set(&publisher->reason, CORE_ERROR_TRANSIENT,
                              "stream %s did not acknowledge sequence %" PRIu64
                              " within nats.ack_timeout (%" PRId64 " ms): %s",
                              publisher->stream,
                              fanout_window_acked_sequence(&publisher->window) + 1,
                              publisher->ack_timeout_ms, fanout_link_reason(publisher->link));
    return true;
}

bool fanout_publisher_poll(fanout_publisher *publisher, uint64_t *acked_sequence,
                           core_error *error) {
    CORE_MAGIC_CHECK(publisher, PUBLISHER_MAGIC);
    if (!publisher_usable(publisher, error))
        return false;
    uint64_t before = publisher->window.acked;
    bool ok = publisher_take_all(publisher);
    *acked_sequence = fanout_window_acked_sequence(&publisher->window);
    core_metrics_add(publisher->metrics, CORE_METRIC_FANOUT_ACKED_MESSAGES,
                     (int64_t)(publisher->window.acked - before));
    core_metrics_set(publisher->metrics, CORE_METRIC_FANOUT_WINDOW_MESSAGES,
                     (int64_t)fanout_window_length(&publisher->window));
    if (ok)
        return true;
    publisher_break(publisher);
    return publisher_usable(publisher, error);
}

int fanout_publisher_wake_fd(const fanout_publisher *publisher) {
    return publisher->epoll_fd;
}

bool fanout_publisher_sleep(fanout_publisher *publisher) {
    if (publisher_at(publisher) != PUBLISHER_OPEN)
        return false;
    publisher_flush(publisher);
    if (publisher->has_refused && publisher_admits(publisher)) {
        publisher->has_refused = false; /* the ack that made room came: no other may follow */
        return false;
    }
    fanout_link_expect(publisher->link, fanout_window_length(&publisher->window));
    publisher->received_us = 0;
    return fanout_link_alive(publisher->link);
}

void fanout_publisher_wake_clear(fanout_publisher *publisher) {
    (void)publisher;
}

size_t fanout_publisher_window(const fanout_publisher *publisher) {
    return fanout_window_length(&publisher->window);
}
