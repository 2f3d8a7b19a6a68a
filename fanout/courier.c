/* The courier: publishes and questions to JetStream whose answers come later, on the owner's
 * thread; see fanout.h.
 *
 * Happy path: a request takes a slot, its number goes into the reply subject, poll finds the slot
 * by the answer's number and calls the owner. Slots stand in the order they were sent, and all have
 * the same time limit, so the first is the next to be overdue.
 *
 * Failure: a time-out, a lost connection and an answer that nobody gave (503) cut the connection,
 * for then what is still in its buffers must not follow later. All that is under way is answered
 * TRANSIENT (done or not, nobody knows), and the next poll connects again, with backoff. */
#include "fanout/filter.h"
#include "fanout/puback.h"
#include "fanout/publisher_link.h"
#include "fanout/stored.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define COURIER_MAGIC UINT32_C(0x636f7572)

enum {
    SLOTS = 4096,
    NO_SLOT = SLOTS,
    BACKOFF_FIRST_MS = 20,
    BACKOFF_MAX_MS = 2000,
    BODY_MAX = FANOUT_FILTER_MAX + 96,
};

typedef enum { REQUEST_PUBLISH, REQUEST_NEXT, REQUEST_PURGE } request_kind;

typedef struct {
    uint64_t number; /* 0: free; else its rounds times SLOTS and its index */
    request_kind kind;
    fanout_reply reply;
    int64_t sent_ms;
    unsigned next, previous; /* in the order sent; of a free one, the next free one */
} courier_slot;

struct fanout_courier {
    uint32_t magic;
    const core_config *config;
    core_log *log;
    const core_clock *clock;
    char name[FANOUT_NAME_MAX];
    fanout_link *link; /* NULL: not connected */
    core_backoff backoff;
    int64_t connect_at_ms;
    int64_t timeout_ms;
    int epoll_fd;
    uint64_t round;
    unsigned first, last, free, count;
    unsigned used;       /* slots behind were never used, and take no memory yet */
    core_buffer payload; /* of an answer, as the next two */
    core_buffer subject, headers;
    courier_slot slots[SLOTS];
};

/* ---- life ---- */

fanout_courier *fanout_courier_new(const core_config *config, const char *name, core_log *log,
                                   const core_clock *clock, core_error *error) {
    fanout_courier *courier = calloc(1, sizeof *courier);
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (courier == NULL || epoll_fd < 0) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "no memory or descriptor for a courier");
        free(courier);
        if (epoll_fd >= 0)
            (void)close(epoll_fd);
        return NULL;
    }
    courier->magic = COURIER_MAGIC;
    courier->config = config;
    courier->log = log;
    courier->clock = clock;
    courier->epoll_fd = epoll_fd;
    courier->timeout_ms = core_config_integer(config, "nats.ack_timeout");
    (void)snprintf(courier->name, sizeof courier->name, "%s", name);
    core_buffer_init(&courier->payload, FANOUT_COURIER_PAYLOAD_MAX);
    core_buffer_init(&courier->subject, FANOUT_FILTER_MAX);
    core_buffer_init(&courier->headers, FANOUT_COURIER_PAYLOAD_MAX);
    core_backoff_init(&courier->backoff, BACKOFF_FIRST_MS, BACKOFF_MAX_MS,
                      (uint64_t)(uintptr_t)courier);
    courier->first = courier->last = courier->free = NO_SLOT;
    return courier;
}

void fanout_courier_free(fanout_courier *courier) {
    if (courier == NULL)
        return;
    CORE_MAGIC_CHECK(courier, COURIER_MAGIC);
    fanout_link_free(courier->link);
    core_buffer_fini(&courier->payload);
    core_buffer_fini(&courier->subject);
    core_buffer_fini(&courier->headers);
    (void)close(courier->epoll_fd);
    courier->magic = 0;
    free(courier);
}

/* ---- slots ---- */

static courier_slot *slot_take(fanout_courier *courier, request_kind kind, fanout_reply reply) {
    bool is_new = courier->free == NO_SLOT;
    unsigned index = is_new ? courier->used++ : courier->free;
    courier_slot *slot = &courier->slots[index];
    assert(index < SLOTS && slot->number == 0);
    if (!is_new)
        courier->free = slot->next;
    *slot = (courier_slot){
        .number = ++courier->round * SLOTS + index,
        .kind = kind,
        .reply = reply,
        .sent_ms = core_clock_ms(courier->clock),
        .next = NO_SLOT,
        .previous = courier->last,
    };
    if (courier->last == NO_SLOT)
        courier->first = index;
    else
        courier->slots[courier->last].next = index;
    courier->last = index;
    courier->count++;
    return slot;
}

static void slot_give(fanout_courier *courier, courier_slot *slot) {
    unsigned index = (unsigned)(slot - courier->slots);
    if (slot->previous == NO_SLOT)
        courier->first = slot->next;
    else
        courier->slots[slot->previous].next = slot->next;
    if (slot->next == NO_SLOT)
        courier->last = slot->previous;
    else
        courier->slots[slot->next].previous = slot->previous;
    slot->number = 0;
    slot->next = courier->free;
    courier->free = index;
    courier->count--;
}

static void slot_answer(fanout_courier *courier, courier_slot *slot, const fanout_answer *answer,
                        const core_error *error) {
    fanout_reply reply = slot->reply;
    slot_give(courier, slot); /* first: the owner may send the next one */
    reply.on_answer(reply.context, reply.tag, answer, error);
}

static void courier_break(fanout_courier *courier, const core_error *reason) {
    static const fanout_answer none;
    CORE_LOG(courier->log, WARN, "fanout", "courier stopped, it connects again",
             CORE_LOG_TEXT("courier", courier->name), CORE_LOG_TEXT("reason", reason->text),
             CORE_LOG_NUMBER("unanswered", courier->count));
    fanout_link_free(courier->link);
    courier->link = NULL;
    courier->connect_at_ms =
        core_clock_ms(courier->clock) + core_backoff_next_ms(&courier->backoff);
    while (courier->first != NO_SLOT)
        slot_answer(courier, &courier->slots[courier->first], &none, reason);
}

/* ---- requests ---- */

static size_t headers_bytes(const fanout_link_message *message) {
    enum { LINE_BYTES = 4 }; /* ": " and the line's end */
    size_t bytes = FANOUT_LINK_HEADERS_MAX;
    for (size_t i = 0; i < message->header_count; i++)
        bytes += strlen(message->headers[i].name) + strlen(message->headers[i].value) + LINE_BYTES;
    return bytes;
}

static bool courier_send(fanout_courier *courier, const fanout_link_message *message,
                         request_kind kind, fanout_reply reply, core_error *error) {
    CORE_MAGIC_CHECK(courier, COURIER_MAGIC);
    if (courier->link == NULL || !fanout_link_has_room(courier->link))
        return core_error_set(error, CORE_ERROR_TRANSIENT, "%s",
                              courier->link == NULL ? "NATS is away" : "NATS does not read");
    if (courier->count == SLOTS)
        return core_error_set(error, CORE_ERROR_TRANSIENT, "%u requests wait for NATS", SLOTS);
    if ((int64_t)message->payload.length >
        fanout_link_max_payload(courier->link) - (int64_t)headers_bytes(message))
        return core_error_set(error, CORE_ERROR_LIMIT,
                              "a message of %zu bytes for %s exceeds nats-server's max_payload: "
                              "raise max_payload there",
                              message->payload.length, message->subject);
    courier_slot *slot = slot_take(courier, kind, reply);
    fanout_link_message numbered = *message;
    numbered.n = slot->number;
    if (fanout_link_send(courier->link, &numbered, error))
        return true;
    slot_give(courier, slot);
    return false;
}

bool fanout_courier_publish(fanout_courier *courier, const fanout_parcel *parcel,
                            fanout_reply reply, core_error *error) {
    const fanout_link_message message = {
        .subject = parcel->subject,
        .message_id = parcel->id,
        .expects = parcel->is_fenced ? FANOUT_EXPECT_SUBJECT : FANOUT_EXPECT_NOTHING,
        .expected_sequence = parcel->expected_sequence,
        .headers = parcel->headers,
        .header_count = parcel->header_count,
        .payload = parcel->payload,
    };
    return courier_send(courier, &message, REQUEST_PUBLISH, reply, error);
}

/* Asks `api` of the stream: an object with the subject under `name` and, above 0, a sequence. */
static bool courier_ask(fanout_courier *courier, request_kind kind, const char *api,
                        const char *stream, const char *name, const char *subject,
                        uint64_t sequence, fanout_reply reply, core_error *error) {
    char escaped[FANOUT_FILTER_MAX], body[BODY_MAX], number[32] = "", to[FANOUT_NAME_MAX + 32];
    if (!fanout_filter_escape(subject, escaped, error))
        return false;
    if (sequence > 0)
        (void)snprintf(number, sizeof number, ",\"seq\":%" PRIu64, sequence);
    (void)snprintf(body, sizeof body, "{\"%s\":\"%s\"%s}", name, escaped, number);
    (void)snprintf(to, sizeof to, "$JS.API.STREAM.%s.%s", api, stream);
    const fanout_link_message message = {
        .subject = to,
        .expects = FANOUT_EXPECT_NOTHING,
        .payload = core_slice_text(body),
    };
    return courier_send(courier, &message, kind, reply, error);
}

bool fanout_courier_next(fanout_courier *courier, const char *stream, const char *subject,
                         uint64_t sequence, fanout_reply reply, core_error *error) {
    return courier_ask(courier, REQUEST_NEXT, "MSG.GET", stream, "next_by_subj", subject,
                       sequence > 0 ? sequence : 1, reply, error);
}

bool fanout_courier_last(fanout_courier *courier, const char *stream, const char *filter,
                         fanout_reply reply, core_error *error) {
    return courier_ask(courier, REQUEST_NEXT, "MSG.GET", stream, "last_by_subj", filter, 0, reply,
                       error);
}

bool fanout_courier_purge(fanout_courier *courier, const char *stream, const char *subject,
                          uint64_t sequence, fanout_reply reply, core_error *error) {
    return courier_ask(courier, REQUEST_PURGE, "PURGE", stream, "filter", subject, sequence + 1,
                       reply, error);
}

/* ---- answers ---- */

static bool publish_read(core_slice bytes, fanout_answer *answer, core_error *error) {
    fanout_puback ack;
    if (!fanout_puback_read(bytes, &ack, error))
        return false;
    if (ack.error_code != 0)
        return fanout_status_error(error, NATS_ERR, (int)ack.error_code, "publish", "a message");
    answer->sequence = ack.sequence;
    answer->is_duplicate = ack.duplicate;
    return true;
}

static bool next_read(fanout_courier *courier, core_slice bytes, fanout_answer *answer,
                      core_error *error) {
    fanout_stored stored;
    core_buffer_reset(&courier->payload);
    core_buffer_reset(&courier->subject);
    core_buffer_reset(&courier->headers);
    if (!fanout_stored_read(bytes, &stored) ||
        (stored.error_code == 0 && !(core_base64_decode(stored.data, &courier->payload) &&
                                     core_base64_decode(stored.headers, &courier->headers) &&
                                     core_json_unescape(stored.subject, &courier->subject))))
        return core_error_set(error, CORE_ERROR_TRANSIENT,
                              "nats-server's answer to STREAM.MSG.GET is not one");
    if (stored.error_code != 0)
        return fanout_status_error(error, NATS_ERR, (int)stored.error_code, "read", "a message");
    answer->sequence = stored.sequence;
    answer->payload = core_buffer_slice(&courier->payload);
    answer->subject = core_buffer_slice(&courier->subject);
    answer->headers = core_buffer_slice(&courier->headers);
    answer->stored_us = stored.stored_us;
    return true;
}

/* "NATS/1.0\r\nName: value\r\n...\r\n" */
core_slice fanout_answer_header(const fanout_answer *answer, const char *name) {
    core_slice rest = answer->headers;
    size_t name_length = strlen(name);
    while (rest.length > 0) {
        const uint8_t *end = memchr(rest.data, '\r', rest.length);
        size_t length = end != NULL ? (size_t)(end - rest.data) : rest.length;
        if (length > name_length && rest.data[name_length] == ':' &&
            memcmp(rest.data, name, name_length) == 0) {
            size_t from = name_length + 1;
            from += from < length && rest.data[from] == ' ';
            return core_slice_make(rest.data + from, length - from);
        }
        size_t used = length + 2 < rest.length ? length + 2 : rest.length;
        rest = core_slice_make(rest.data + used, rest.length - used);
    }
    return core_slice_make(NULL, 0);
}

static bool purge_read(core_slice bytes, core_error *error) {
    core_json_reader reader = core_json_reader_make(bytes);
    core_json_token member;
    core_slice whole;
    bool has = false, ok = core_json_next(&reader).kind == CORE_JSON_OBJECT_OPEN;
    while (ok && core_json_member_next(&reader, &member)) {
        has = has || (core_json_raw_is(member.key, "success") && member.kind == CORE_JSON_TRUE);
        ok = core_json_skip(&reader, member, &whole);
    }
    return (ok && has) ||
           core_error_set(error, CORE_ERROR_TRANSIENT, "nats-server did not purge: %.*s",
                          (int)(bytes.length < 200 ? bytes.length : 200), (const char *)bytes.data);
}

static void courier_take(fanout_courier *courier, const fanout_link_answer *from) {
    courier_slot *slot = &courier->slots[from->n % SLOTS];
    fanout_answer answer = {0};
    core_error error = {0};
    bool ok = false;
    if (from->n == 0 || slot->number != from->n)
        return; /* not ours: nobody waits for it */
    switch (slot->kind) {
    case REQUEST_PUBLISH:
        ok = publish_read(from->bytes, &answer, &error);
        break;
    case REQUEST_NEXT:
        ok = next_read(courier, from->bytes, &answer, &error);
        break;
    case REQUEST_PURGE:
        ok = purge_read(from->bytes, &error);
        break;
    }
    core_backoff_reset(&courier->backoff);
    slot_answer(courier, slot, &answer, ok ? NULL : &error);
}

/* ---- the owner's turn ---- */

static void courier_connect(fanout_courier *courier) {
    core_error error = {0};
    int64_t now_ms = core_clock_ms(courier->clock);
    if (now_ms < courier->connect_at_ms)
        return;
    courier->link = fanout_link_new(courier->config, courier->name, courier->epoll_fd, &error);
    if (courier->link != NULL)
        return;
    courier->connect_at_ms =
        core_clock_ms(courier->clock) + core_backoff_next_ms(&courier->backoff);
    CORE_LOG(courier->log, DEBUG, "fanout", "courier cannot connect",
             CORE_LOG_TEXT("courier", courier->name), CORE_LOG_TEXT("reason", error.text));
}

/* True when the connection is of no more use, with the reason. */
static bool courier_is_over(fanout_courier *courier, core_error *reason) {
    if (!fanout_link_alive(courier->link))
        return !core_error_set(reason, CORE_ERROR_TRANSIENT, "%s lost its connection: %s",
                               courier->name, fanout_link_reason(courier->link));
    if (courier->first == NO_SLOT)
        return false;
    int64_t waits_ms = core_clock_ms(courier->clock) - courier->slots[courier->first].sent_ms;
    return waits_ms > courier->timeout_ms &&
           !core_error_set(reason, CORE_ERROR_TRANSIENT,
                           "NATS did not answer %s within nats.ack_timeout (%" PRId64 " ms)",
                           courier->name, courier->timeout_ms);
}

void fanout_courier_poll(fanout_courier *courier) {
    fanout_link_answer answer;
    core_error reason = {0};
    CORE_MAGIC_CHECK(courier, COURIER_MAGIC);
    if (courier->link == NULL)
        courier_connect(courier);
    if (courier->link == NULL)
        return;
    fanout_link_flush(courier->link);
    fanout_link_receive(courier->link);
    bool has_nobody = false;
    while (!has_nobody && fanout_link_next(courier->link, &answer)) {
        has_nobody = answer.nobody;
        if (!has_nobody)
            courier_take(courier, &answer);
    }
    if (has_nobody)
        (void)core_error_set(&reason, CORE_ERROR_TRANSIENT,
                             "nobody answers: was a stream or JetStream removed, or is its leader "
                             "away?");
    if (has_nobody || courier_is_over(courier, &reason))
        courier_break(courier, &reason);
}

void fanout_courier_flush(fanout_courier *courier) {
    if (courier->link != NULL)
        fanout_link_flush(courier->link);
}

bool fanout_courier_ready(const fanout_courier *courier) {
    return courier->link != NULL;
}

int64_t fanout_courier_max_payload(const fanout_courier *courier) {
    return courier->link != NULL ? fanout_link_max_payload(courier->link) : 0;
}

int fanout_courier_wake_fd(const fanout_courier *courier) {
    return courier->epoll_fd;
}
