/* Pulls an ephemeral consumer's messages; see pull.h.
 *
 * Happy path: two requests are always with the server, each for a number of messages and of bytes,
 * so it never waits for us and never sends more than two requests' worth: a slow handler costs no
 * memory. A request ends when its messages have come, or with a status (expired, byte limit), and
 * is followed by another. Heartbeats come while there is nothing to send.
 *
 * Over: a hole in the consumer's own sequence (a delivery got lost), a status that says that the
 * consumer or its leader is gone, no sign of life for a while, a reconnect (the requests are gone
 * with the old connection, the consumer perhaps too).
 *
 * Why not nats.c's ordered subscription: it makes its consumer anew on a thread of its own and can
 * fail there for good, and what it buffers is bounded by the server's flow control only (32 MB). */
#include "fanout/pull.h"
#include "fanout/filter.h"

#include "fanout/delivery.h"
#include "fanout/pull_reply.h"
#include "fanout/spent.h"
#include "fanout/subscription.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PULL_MAGIC UINT32_C(0x70756c6c)

enum {
    REQUESTS = 2,
    REQUEST_MESSAGES = 256,
    REQUEST_BYTES_MIN = 1024 * 1024,
    REQUEST_BYTES_SLACK = 64 * 1024, /* what subject and headers add to a largest payload */
    HEARTBEAT_MS = 5000,
    SILENCE_MAX_MS = 3 * HEARTBEAT_MS,
    REQUEST_EXPIRES_MS = 60 * 1000,
    INACTIVE_THRESHOLD_MS = 30 * 1000, /* the server forgets us after it */
    SUBJECT_MAX = 512,
};

typedef struct {
    uint64_t number; /* in its reply subject */
    unsigned left;   /* messages that may still come */
} pull_request;

struct fanout_pull {
    uint32_t magic;
    fanout_connection *connection;
    natsInbox *inbox;
    natsSubscription *subscription;
    natsMsg *message; /* the one handed out last */
    fanout_spent spent;
    char stream[FANOUT_NAME_MAX];
    char consumer[FANOUT_NAME_MAX];
    char subject[SUBJECT_MAX];       /* where requests go */
    char body[256];                  /* a request */
    pull_request requests[REQUESTS]; /* oldest first */
    size_t request_count;
    uint64_t last_number;
    uint64_t consumer_sequence; /* of the last message */
    unsigned reconnects;
    uint64_t pending;  /* at the beginning */
    int64_t silent_ms; /* waited since the last sign of life */
};

/* ---- life ---- */

static natsStatus pull_subscribe(fanout_pull *pull) {
    char subject[SUBJECT_MAX];
    natsStatus status = natsInbox_Create(&pull->inbox);
    if (status != NATS_OK)
        return status;
    (void)snprintf(subject, sizeof subject, "%s.*", (const char *)pull->inbox);
    status =
        natsConnection_SubscribeSync(&pull->subscription, fanout_nats(pull->connection), subject);
    if (status == NATS_OK)
        status = natsSubscription_SetPendingLimits(pull->subscription, -1, -1);
    return status;
}

static jsDeliverPolicy pull_policy(const fanout_pull_start *start) {
    if (start->last_each)
        return js_DeliverLastPerSubject;
    return start->sequence == 0 ? js_DeliverByStartTime : js_DeliverByStartSequence;
}

/* 2.9 takes what it does not know and does otherwise (several filters: everything), so what it
 * says it made is compared with what was asked. */
static bool pull_verify(const jsConsumerInfo *made, const fanout_pull_start *start,
                        core_error *error) {
    const char *filter = made->Config->FilterSubject != NULL ? made->Config->FilterSubject : "";
    if (strcmp(filter, start->filter) != 0 || made->Config->AckPolicy != js_AckNone ||
        made->Config->DeliverPolicy != pull_policy(start) ||
        (start->sequence != 0 && made->Config->OptStartSeq != start->sequence))
        return core_error_set(
            error, CORE_ERROR_INTERNAL,
            "nats-server made a consumer of stream %s with filter '%s' from "
            "sequence %" PRIu64 ", expected '%s' from %" PRIu64 ": is it older than 2.9?",
            start->stream, filter, made->Config->OptStartSeq, start->filter, start->sequence);
    return true;
}

static bool pull_make_consumer(fanout_pull *pull, const fanout_pull_start *start,
                               core_error *error) {
    jsConsumerInfo *made = NULL;
    jsErrCode code = 0;
    jsConsumerConfig config;
    char filter[FANOUT_FILTER_MAX];
    if (!fanout_filter_escape(start->filter, filter, error))
        return false;
    (void)jsConsumerConfig_Init(&config);
    config.DeliverPolicy = pull_policy(start);
    config.OptStartSeq = start->sequence;
    if (config.DeliverPolicy == js_DeliverByStartTime)
        config.OptStartTime = start->time_us * 1000;
    config.AckPolicy = js_AckNone;
    config.FilterSubject = filter;
    config.ReplayPolicy = js_ReplayInstant;
    config.InactiveThreshold = INACTIVE_THRESHOLD_MS * CORE_NS_PER_MS;
    config.MemoryStorage = true;
    config.Replicas = 1;
    natsStatus status = js_AddConsumer(&made, fanout_jetstream(pull->connection), start->stream,
                                       &config, NULL, &code);
    if (status != NATS_OK)
        return fanout_status_error(error, status, (int)code, "make a consumer of stream",
                                   start->stream);
    bool ok = pull_verify(made, start, error);
    (void)snprintf(pull->consumer, sizeof pull->consumer, "%s", made->Name);
    pull->pending = made->NumPending;
    jsConsumerInfo_Destroy(made);
    return ok;
}

static void pull_prepare_requests(fanout_pull *pull) {
    int64_t largest =
        natsConnection_GetMaxPayload(fanout_nats(pull->connection)) + REQUEST_BYTES_SLACK;
    (void)snprintf(pull->subject, sizeof pull->subject, "$JS.API.CONSUMER.MSG.NEXT.%s.%s",
                   pull->stream, pull->consumer);
    (void)snprintf(pull->body, sizeof pull->body,
                   "{\"batch\":%d,\"max_bytes\":%" PRId64 ",\"expires\":%" PRId64
                   ",\"idle_heartbeat\":%" PRId64 "}",
                   REQUEST_MESSAGES, largest > REQUEST_BYTES_MIN ? largest : REQUEST_BYTES_MIN,
                   REQUEST_EXPIRES_MS * CORE_NS_PER_MS, HEARTBEAT_MS * CORE_NS_PER_MS);
}

static natsStatus pull_request_more(fanout_pull *pull) {
    natsStatus status = NATS_OK;
    while (status == NATS_OK && pull->request_count < REQUESTS) {
        char reply[SUBJECT_MAX];
        uint64_t number = ++pull->last_number;
        (void)snprintf(reply, sizeof reply, "%s.%" PRIu64, (const char *)pull->inbox, number);
        status = natsConnection_PublishRequestString(fanout_nats(pull->connection), pull->subject,
                                                     reply, pull->body);
        pull->requests[pull->request_count++] =
            (pull_request){.number = number, .left = REQUEST_MESSAGES};
    }
    return status;
}

fanout_pull *fanout_pull_new(fanout_connection *connection, const fanout_pull_start *start,
                             core_error *error) {
    fanout_pull *pull = calloc(1, sizeof *pull);
    if (pull == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "no memory for a consumer");
        return NULL;
    }
    pull->magic = PULL_MAGIC;
    pull->connection = connection;
    pull->reconnects = atomic_load(&connection->reconnects);
    (void)snprintf(pull->stream, sizeof pull->stream, "%s", start->stream);
    natsStatus status = pull_subscribe(pull);
    bool ok = status == NATS_OK ||
              fanout_status_error(error, status, 0, "subscribe for stream", start->stream);
    ok = ok && pull_make_consumer(pull, start, error);
    if (ok) {
        pull_prepare_requests(pull);
        status = pull_request_more(pull);
        ok = status == NATS_OK ||
             fanout_status_error(error, status, 0, "ask for messages of stream", start->stream);
    }
    if (ok)
        return pull;
    fanout_pull_free(pull);
    return NULL;
}

void fanout_pull_free(fanout_pull *pull) {
    char subject[SUBJECT_MAX];
    if (pull == NULL)
        return;
    CORE_MAGIC_CHECK(pull, PULL_MAGIC);
    fanout_spent_add(&pull->spent, pull->message);
    fanout_spent_free_all(&pull->spent);
    fanout_subscription_free(fanout_nats(pull->connection), pull->subscription);
    natsInbox_Destroy(pull->inbox);
    if (pull->consumer[0] != '\0' && fanout_connection_alive(pull->connection)) {
        (void)snprintf(subject, sizeof subject, "$JS.API.CONSUMER.DELETE.%s.%s", pull->stream,
                       pull->consumer);
        (void)natsConnection_PublishString(fanout_nats(pull->connection), subject, "");
    }
    pull->magic = 0;
    free(pull);
}

natsMsg *fanout_pull_message(const fanout_pull *pull) {
    return pull->message;
}

uint64_t fanout_pull_pending(const fanout_pull *pull) {
    return pull->pending;
}

void fanout_pull_interrupt(fanout_pull *pull) {
    (void)natsSubscription_Unsubscribe(pull->subscription);
}

/* ---- messages ---- */

static bool pull_over(const fanout_pull *pull, core_error *error, const char *why) {
    return core_error_set(error, CORE_ERROR_TRANSIENT, "consumer of stream %s: %s", pull->stream,
                          why);
}

static void pull_request_end(fanout_pull *pull, size_t index) {
    pull->request_count--;
    memmove(&pull->requests[index], &pull->requests[index + 1],
            (pull->request_count - index) * sizeof pull->requests[0]);
}

static void pull_request_end_numbered(fanout_pull *pull, uint64_t number) {
    for (size_t i = 0; i < pull->request_count; i++)
        if (pull->requests[i].number == number) {
            pull_request_end(pull, i);
            return;
        }
}

/* A message without a delivery's reply subject: what the server has to say about a request. */
static bool pull_take_status(fanout_pull *pull, core_error *error) {
    fanout_pull_reply reply;
    if (!fanout_pull_reply_read(pull->message, &reply))
        return pull_over(pull, error, "a message that is neither delivery nor status");
    if (reply.status == FANOUT_PULL_HEARTBEAT)
        return true;
    if (!fanout_pull_reply_ends_request(&reply))
        return core_error_set(error, CORE_ERROR_TRANSIENT,
                              "consumer of stream %s: status %" PRIu64 " %s", pull->stream,
                              reply.status, reply.description);
    pull_request_end_numbered(pull, reply.request);
    return true;
}

static bool pull_take_delivery(fanout_pull *pull, const fanout_delivery *delivery,
                               fanout_message *message, core_error *error) {
    if (delivery->consumer_sequence != pull->consumer_sequence + 1)
        return pull_over(pull, error, "a delivery was lost");
    pull->consumer_sequence = delivery->consumer_sequence;
    if (pull->request_count > 0 && --pull->requests[0].left == 0)
        pull_request_end(pull, 0);
    *message = (fanout_message){
        .subject = natsMsg_GetSubject(pull->message),
        .payload = core_slice_make(natsMsg_GetData(pull->message),
                                   (size_t)natsMsg_GetDataLength(pull->message)),
        .sequence = delivery->stream_sequence,
        .pending = delivery->pending,
        .stored_us = delivery->stored_us,
        .source = pull->message,
    };
    return true;
}

/* No message came: is that all right? */
static fanout_pull_result pull_idle(fanout_pull *pull, int64_t waited_ms, core_error *error) {
    pull->silent_ms += waited_ms;
    if (pull->silent_ms <= SILENCE_MAX_MS)
        return FANOUT_PULL_NOTHING;
    (void)pull_over(pull, error, "no sign of life from nats-server");
    return FANOUT_PULL_OVER;
}

static fanout_pull_result pull_take(fanout_pull *pull, fanout_message *message, core_error *error) {
    fanout_delivery delivery;
    bool is_delivery =
        fanout_delivery_read(core_slice_text(natsMsg_GetReply(pull->message)), &delivery);
    pull->silent_ms = 0;
    bool ok = is_delivery ? pull_take_delivery(pull, &delivery, message, error)
                          : pull_take_status(pull, error);
    if (ok && pull_request_more(pull) != NATS_OK)
        ok = pull_over(pull, error, "cannot ask for more messages");
    if (!ok)
        return FANOUT_PULL_OVER;
    return is_delivery ? FANOUT_PULL_MESSAGE : FANOUT_PULL_NOTHING;
}

fanout_pull_result fanout_pull_next(fanout_pull *pull, int64_t timeout_ms, fanout_message *message,
                                    core_error *error) {
    CORE_MAGIC_CHECK(pull, PULL_MAGIC);
    fanout_spent_add(&pull->spent, pull->message);
    pull->message = NULL;
    if (pull->reconnects != atomic_load(&pull->connection->reconnects)) {
        (void)pull_over(pull, error, "the connection was lost and made again");
        return FANOUT_PULL_OVER;
    }
    natsStatus status = natsSubscription_NextMsg(&pull->message, pull->subscription, timeout_ms);
    if (status == NATS_TIMEOUT)
        return pull_idle(pull, timeout_ms, error);
    if (status == NATS_OK)
        return pull_take(pull, message, error);
    (void)fanout_status_error(error, status, 0, "consume stream", pull->stream);
    return FANOUT_PULL_OVER;
}

bool fanout_pull_await(fanout_pull *pull, fanout_message *message, core_error *error) {
    enum { WAIT_MS = 200, TURNS = 50 };
    for (unsigned i = 0; i < TURNS; i++)
        switch (fanout_pull_next(pull, WAIT_MS, message, error)) {
        case FANOUT_PULL_MESSAGE:
            return true;
        case FANOUT_PULL_OVER:
            return false;
        case FANOUT_PULL_NOTHING:
            break;
        }
    return core_error_set(error, CORE_ERROR_TRANSIENT, "nothing came within %d ms",
                          WAIT_MS * TURNS);
}

bool fanout_pull_caught_up(fanout_pull *pull) {
    jsConsumerInfo *info = NULL;
    natsStatus status = js_GetConsumerInfo(&info, fanout_jetstream(pull->connection), pull->stream,
                                           pull->consumer, NULL, NULL);
    if (status != NATS_OK)
        return false;
    bool all = info->NumPending == 0 && info->Delivered.Consumer == pull->consumer_sequence;
    jsConsumerInfo_Destroy(info);
    return all;
}
