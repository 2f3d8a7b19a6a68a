/* Durable consumers: the server keeps the place, which moves by acks; see fanout.h.
 *
 * Happy path: ask for the consumer, make it when missing, fetch, ack with the server's word. A
 * consumer that exists is checked: one filter only, since 2.9 ignores several and delivers
 * everything. A fetch takes what is there at once; only when nothing is does it wait, and then for
 * one message: waiting for a whole batch would hold back its first message.
 *
 * Never a silent gap: when it is opened, once a second, and when a message came that is old enough
 * for what was before it to have aged out, the stream is looked at. If it was made anew, went
 * back behind the consumer's place, or begins after it, that is a GAP error, and the consumer must
 * be made anew by its owner, who decides. A filter that matches seldom would let the place fall
 * behind the stream's beginning by itself, so it moves up whenever nothing is pending.
 *
 * What was fetched and not acked comes again after ack_wait. So can what was acked just before the
 * server was killed: it writes acks down a moment later. */
#include "fanout/connection.h"
#include "fanout/delivery.h"
#include "fanout/filter.h"
#include "fanout/place.h"
#include "fanout/pull_reply.h"
#include "fanout/subscription.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DURABLE_MAGIC UINT32_C(0x64757261)

enum {
    BATCH_MAX = 4096,
    ANSWER_MS = 2000, /* a server that says nothing for so long is asked again by the caller */
    SUBJECT_MAX = 512,
    BODY_MAX = 128,
    LOOK_EVERY_MS = 1000,
};

struct fanout_durable {
    uint32_t magic;
    fanout_connection *connection;
    core_log *log;
    char stream[FANOUT_NAME_MAX];
    char name[FANOUT_NAME_MAX];
    char object[2 * FANOUT_NAME_MAX + 32]; /* for messages */
    natsInbox *inbox;
    natsSubscription *subscription; /* of {inbox}.* */
    pthread_mutex_t lock;           /* guards the subscription's change, and `cancelled` */
    bool cancelled;
    unsigned session; /* the connection's, that it was made on */
    uint64_t last_request;
    natsMsg **batch; /* the last fetched: BATCH_MAX at most */
    size_t batch_count;
    fanout_place place;
    int64_t looked_at_ms;
};

/* ---- the place ---- */

/* Whose it is, and what its owner can do. */
static bool place_wrap(const fanout_durable *consumer, core_error *error) {
    return error != NULL && error->code == CORE_ERROR_GAP &&
           core_error_wrap(error, "%s (remove it to begin anew)", consumer->object);
}

static bool place_holds(const fanout_durable *consumer, const fanout_stream_info *info,
                        core_error *error) {
    return fanout_place_holds(&consumer->place, consumer->stream, info, error) ||
           place_wrap(consumer, error);
}

/* Where the server says that it stands: what was acked was fetched. */
static bool place_find(fanout_durable *consumer, const fanout_durable_spec *spec,
                       const jsConsumerInfo *found, core_error *error) {
    fanout_stream_info info;
    if (!fanout_stream_inspect(consumer->connection, consumer->stream, &info, error))
        return false;
    consumer->looked_at_ms = core_clock_ms(core_clock_system());
    fanout_place *place = &consumer->place;
    *place = (fanout_place){.created_us = info.created_us, .max_age_ms = info.max_age_ms};
    if (found->AckFloor.Stream > 0)
        fanout_place_move(place, found->AckFloor.Stream);
    else if (spec->from == FANOUT_FROM_SEQUENCE && spec->sequence > 0)
        fanout_place_move(place, spec->sequence - 1);
    if (found->Delivered.Stream > info.last_sequence) {
        (void)fanout_place_lost(place, consumer->stream, &info, "went back", error);
        return place_wrap(consumer, error);
    }
    return place_holds(consumer, &info, error);
}

/* Of the batch just fetched. */
static bool place_move(fanout_durable *consumer, const fanout_message *messages,
                       core_error *error) {
    for (size_t i = 0; i < consumer->batch_count; i++) {
        if (!fanout_place_follows(&consumer->place, consumer->connection, consumer->stream,
                                  &messages[i], error))
            return place_wrap(consumer, error);
        fanout_place_move(&consumer->place, messages[i].sequence);
    }
    return true;
}

/* ---- made ---- */

/* `filter` is the spec's, escaped. */
static bool durable_config(const fanout_durable_spec *spec, const char *filter,
                           jsConsumerConfig *config, core_error *error) {
    (void)jsConsumerConfig_Init(config);
    config->Durable = spec->name;
    config->FilterSubject = filter;
    config->AckPolicy = js_AckExplicit;
    config->AckWait = spec->ack_wait_ms * CORE_NS_PER_MS;
    config->MaxAckPending = spec->max_ack_pending;
    switch (spec->from) {
    case FANOUT_FROM_FIRST:
        config->DeliverPolicy = js_DeliverAll;
        return true;
    case FANOUT_FROM_NEW:
        config->DeliverPolicy = js_DeliverNew;
        return true;
    case FANOUT_FROM_SEQUENCE:
        config->DeliverPolicy = js_DeliverByStartSequence;
        config->OptStartSeq = spec->sequence;
        return true;
    case FANOUT_FROM_TIME:
        break;
    }
    return core_error_set(error, CORE_ERROR_INPUT,
                          "durable %s cannot begin at a time: begin at a sequence", spec->name);
}

static bool durable_matches(const fanout_durable_spec *spec, const jsConsumerConfig *found,
                            core_error *error) {
    const char *filter = found->FilterSubject != NULL ? found->FilterSubject : "";
    bool pushes = found->DeliverSubject != NULL && found->DeliverSubject[0] != '\0';
    if (strcmp(filter, spec->filter) == 0 && found->AckPolicy == js_AckExplicit && !pushes)
        return true;
    return core_error_set(error, CORE_ERROR_CONFIG,
                          "durable '%s' of stream %s exists with filter '%s'%s%s, expected '%s' "
                          "with explicit acks and pulled: remove it or use another name",
                          spec->name, spec->stream, filter,
                          found->AckPolicy == js_AckExplicit ? "" : ", other acks",
                          pushes ? ", pushed" : "", spec->filter);
}

static bool durable_is_beyond(const fanout_durable_spec *spec, const jsConsumerInfo *found) {
    return spec->end_sequence > 0 && found->AckFloor.Stream > spec->end_sequence;
}

/* Between the two calls a kill leaves none: then the next one begins as a new durable does. */
static natsStatus durable_make_anew(fanout_durable *consumer, const fanout_durable_spec *spec,
                                    jsConsumerConfig *config, jsConsumerInfo **found,
                                    jsErrCode *code) {
    jsCtx *jetstream = fanout_jetstream(consumer->connection);
    CORE_LOG(consumer->log, WARN, "fanout",
             "durable consumer stood beyond the stream's end: it is made anew there",
             CORE_LOG_TEXT("stream", consumer->stream), CORE_LOG_TEXT("name", consumer->name),
             CORE_LOG_NUMBER("at", (*found)->AckFloor.Stream),
             CORE_LOG_NUMBER("end", spec->end_sequence));
    jsConsumerInfo_Destroy(*found);
    *found = NULL;
    config->DeliverPolicy = js_DeliverByStartSequence;
    config->OptStartSeq = spec->end_sequence + 1;
    natsStatus status = js_DeleteConsumer(jetstream, consumer->stream, consumer->name, NULL, code);
    if (status == NATS_OK)
        status = js_AddConsumer(found, jetstream, consumer->stream, config, NULL, code);
    return status;
}

/* `*found` is the consumer as the server has it. */
static natsStatus durable_find_or_make(fanout_durable *consumer, jsConsumerConfig *config,
                                       jsConsumerInfo **found, jsErrCode *code) {
    jsCtx *jetstream = fanout_jetstream(consumer->connection);
    natsStatus status =
        js_GetConsumerInfo(found, jetstream, consumer->stream, consumer->name, NULL, code);
    if (status != NATS_NOT_FOUND || *code == JSStreamNotFoundErr)
        return status;
    status = js_AddConsumer(found, jetstream, consumer->stream, config, NULL, code);
    if (status == NATS_OK)
        CORE_LOG(consumer->log, INFO, "fanout", "durable consumer made",
                 CORE_LOG_TEXT("stream", consumer->stream), CORE_LOG_TEXT("name", consumer->name));
    return status;
}

/* Times and limits follow the spec; where it began stays. */
static natsStatus durable_update(fanout_durable *consumer, const fanout_durable_spec *spec,
                                 const char *filter, const jsConsumerInfo *found, jsErrCode *code) {
    jsConsumerConfig config = *found->Config;
    if (config.AckWait == spec->ack_wait_ms * CORE_NS_PER_MS &&
        config.MaxAckPending == spec->max_ack_pending)
        return NATS_OK;
    config.FilterSubject = filter;
    config.AckWait = spec->ack_wait_ms * CORE_NS_PER_MS;
    config.MaxAckPending = spec->max_ack_pending;
    return js_UpdateConsumer(NULL, fanout_jetstream(consumer->connection), consumer->stream,
                             &config, NULL, code);
}

static bool durable_cancelled(fanout_durable *consumer) {
    (void)pthread_mutex_lock(&consumer->lock);
    bool cancelled = consumer->cancelled;
    (void)pthread_mutex_unlock(&consumer->lock);
    return cancelled;
}

/* A wait in NextMsg ends when its subscription does. */
void fanout_durable_cancel(fanout_durable *consumer) {
    CORE_MAGIC_CHECK(consumer, DURABLE_MAGIC);
    (void)pthread_mutex_lock(&consumer->lock);
    consumer->cancelled = true;
    if (consumer->subscription != NULL)
        (void)natsSubscription_Unsubscribe(consumer->subscription);
    (void)pthread_mutex_unlock(&consumer->lock);
}

static natsStatus durable_resubscribe(fanout_durable *consumer) {
    char subject[SUBJECT_MAX];
    fanout_subscription_free(fanout_nats(consumer->connection), consumer->subscription);
    natsInbox_Destroy(consumer->inbox);
    consumer->subscription = NULL;
    consumer->inbox = NULL;
    consumer->session = atomic_load(&consumer->connection->session);
    natsStatus status = natsInbox_Create(&consumer->inbox);
    if (status != NATS_OK)
        return status;
    (void)snprintf(subject, sizeof subject, "%s.*", (const char *)consumer->inbox);
    status = natsConnection_SubscribeSync(&consumer->subscription,
                                          fanout_nats(consumer->connection), subject);
    if (status == NATS_OK)
        status = natsSubscription_SetPendingLimits(consumer->subscription, -1, -1);
    return status;
}

static natsStatus durable_subscribe(fanout_durable *consumer) {
    (void)pthread_mutex_lock(&consumer->lock);
    natsStatus status =
        consumer->cancelled ? NATS_INVALID_SUBSCRIPTION : durable_resubscribe(consumer);
    (void)pthread_mutex_unlock(&consumer->lock);
    return status;
}

static bool durable_open(fanout_durable *consumer, const fanout_durable_spec *spec,
                         core_error *error) {
    jsConsumerConfig config;
    jsConsumerInfo *found = NULL;
    jsErrCode code = 0;
    char filter[FANOUT_FILTER_MAX];
    if (!fanout_filter_escape(spec->filter, filter, error) ||
        !durable_config(spec, filter, &config, error))
        return false;
    natsStatus status = durable_find_or_make(consumer, &config, &found, &code);
    if (status == NATS_OK && durable_is_beyond(spec, found))
        status = durable_make_anew(consumer, spec, &config, &found, &code);
    if (status != NATS_OK)
        return fanout_status_error(error, status, (int)code, "make or find", consumer->object);
    bool ok =
        durable_matches(spec, found->Config, error) && place_find(consumer, spec, found, error);
    if (ok) {
        status = durable_update(consumer, spec, filter, found, &code);
        if (status == NATS_OK)
            status = durable_subscribe(consumer);
        ok = status == NATS_OK ||
             fanout_status_error(error, status, (int)code, "use", consumer->object);
    }
    jsConsumerInfo_Destroy(found);
    return ok;
}

fanout_durable *fanout_durable_new(fanout_connection *connection, const fanout_durable_spec *spec,
                                   core_log *log, core_error *error) {
    fanout_durable *consumer = calloc(1, sizeof *consumer);
    natsMsg **batch = calloc(BATCH_MAX, sizeof(natsMsg *));
    if (consumer == NULL || batch == NULL) {
        free(consumer);
        free(batch);
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "no memory for a consumer");
        return NULL;
    }
    consumer->magic = DURABLE_MAGIC;
    (void)pthread_mutex_init(&consumer->lock, NULL);
    consumer->batch = batch;
    consumer->connection = connection;
    consumer->log = log;
    (void)snprintf(consumer->stream, sizeof consumer->stream, "%s", spec->stream);
    (void)snprintf(consumer->name, sizeof consumer->name, "%s", spec->name);
    (void)snprintf(consumer->object, sizeof consumer->object, "durable %s of stream %s",
                   consumer->name, consumer->stream);
    if (durable_open(consumer, spec, error))
        return consumer;
    fanout_durable_free(consumer);
    return NULL;
}

static void batch_forget(fanout_durable *consumer) {
    for (size_t i = 0; i < consumer->batch_count; i++)
        natsMsg_Destroy(consumer->batch[i]);
    consumer->batch_count = 0;
}

void fanout_durable_free(fanout_durable *consumer) {
    if (consumer == NULL)
        return;
    CORE_MAGIC_CHECK(consumer, DURABLE_MAGIC);
    batch_forget(consumer);
    fanout_subscription_free(fanout_nats(consumer->connection),
                             consumer->subscription); /* the server keeps the durable */
    natsInbox_Destroy(consumer->inbox);
    (void)pthread_mutex_destroy(&consumer->lock);
    free(consumer->batch);
    consumer->magic = 0;
    free(consumer);
}

bool fanout_durable_remove(fanout_connection *connection, const char *stream, const char *name,
                           core_error *error) {
    jsErrCode code = 0;
    natsStatus status = js_DeleteConsumer(fanout_jetstream(connection), stream, name, NULL, &code);
    return status == NATS_OK || status == NATS_NOT_FOUND ||
           fanout_status_error(error, status, (int)code, "remove durable", name);
}

/* ---- fetched ---- */

/* On a new connection the stream may be another, too. */
static bool durable_resume(fanout_durable *consumer, core_error *error) {
    if (consumer->subscription != NULL &&
        consumer->session == atomic_load(&consumer->connection->session))
        return true;
    if (!fanout_place_check(&consumer->place, consumer->connection, consumer->stream, error))
        return place_wrap(consumer, error);
    natsStatus status = durable_subscribe(consumer);
    return status == NATS_OK ||
           fanout_status_error(error, status, 0, "fetch from", consumer->object);
}

static natsStatus durable_request(fanout_durable *consumer, const char *body) {
    char subject[SUBJECT_MAX], reply[SUBJECT_MAX];
    (void)snprintf(subject, sizeof subject, "$JS.API.CONSUMER.MSG.NEXT.%s.%s", consumer->stream,
                   consumer->name);
    (void)snprintf(reply, sizeof reply, "%s.%" PRIu64, (const char *)consumer->inbox,
                   ++consumer->last_request);
    return natsConnection_PublishRequestString(fanout_nats(consumer->connection), subject, reply,
                                               body);
}

/* Takes one message that came. `*over`: the last request is. */
static bool durable_take(fanout_durable *consumer, natsMsg *message, fanout_message *into,
                         bool *over, core_error *error) {
    fanout_delivery delivery;
    fanout_pull_reply reply = {0};
    if (fanout_delivery_read(core_slice_text(natsMsg_GetReply(message)), &delivery)) {
        consumer->batch[consumer->batch_count++] = message;
        *into = (fanout_message){
            .subject = natsMsg_GetSubject(message),
            .payload =
                core_slice_make(natsMsg_GetData(message), (size_t)natsMsg_GetDataLength(message)),
            .sequence = delivery.stream_sequence,
            .pending = delivery.pending,
            .stored_us = delivery.stored_us,
        };
        return true;
    }
    bool known = fanout_pull_reply_read(message, &reply);
    bool fine =
        known && (reply.status == FANOUT_PULL_HEARTBEAT || fanout_pull_reply_ends_request(&reply));
    *over =
        fine && reply.status != FANOUT_PULL_HEARTBEAT && reply.request == consumer->last_request;
    if (!fine)
        (void)core_error_set(error, CORE_ERROR_TRANSIENT, "%s: status %" PRIu64 " %s",
                             consumer->object, reply.status,
                             known ? reply.description : "(no status)");
    natsMsg_Destroy(message);
    return fine;
}

/* Until `capacity` messages are there, the request is over, or `timeout_ms` have passed. */
static bool durable_collect(fanout_durable *consumer, fanout_message *messages, size_t capacity,
                            int64_t timeout_ms, core_error *error) {
    const core_clock *clock = core_clock_system();
    int64_t deadline_ms = core_clock_ms(clock) + timeout_ms;
    for (bool over = false; !over && consumer->batch_count < capacity;) {
        natsMsg *message = NULL;
        int64_t left_ms = deadline_ms - core_clock_ms(clock);
        if (left_ms <= 0)
            return true;
        natsStatus status = natsSubscription_NextMsg(&message, consumer->subscription, left_ms);
        if (status == NATS_TIMEOUT)
            return true;
        if (status != NATS_OK)
            return fanout_status_error(error, status, 0, "fetch from", consumer->object);
        if (!durable_take(consumer, message, &messages[consumer->batch_count], &over, error))
            return false;
    }
    return true;
}

static bool durable_ask(fanout_durable *consumer, const char *body, core_error *error) {
    if (!durable_resume(consumer, error))
        return false;
    natsStatus status = durable_request(consumer, body);
    return status == NATS_OK ||
           fanout_status_error(error, status, 0, "fetch from", consumer->object);
}

/* What is there at once, else the first that comes. */
static bool durable_wait(fanout_durable *consumer, fanout_message *messages, size_t capacity,
                         int64_t timeout_ms, core_error *error) {
    char body[BODY_MAX];
    (void)snprintf(body, sizeof body, "{\"batch\":%zu,\"no_wait\":true}", capacity);
    if (!durable_ask(consumer, body, error) ||
        !durable_collect(consumer, messages, capacity, ANSWER_MS, error))
        return false;
    if (consumer->batch_count > 0 || timeout_ms <= 0)
        return true;
    (void)snprintf(body, sizeof body, "{\"batch\":1,\"expires\":%" PRId64 "}",
                   timeout_ms * CORE_NS_PER_MS);
    return durable_ask(consumer, body, error) &&
           durable_collect(consumer, messages, 1, timeout_ms, error);
}

/* Now and then. The stream first, then the fetch: what was stored by then and passes the filter
 * would come; `*ahead` is that. GAP when the place is lost: of a stream made anew, whose durables
 * are gone, the server says only that nothing is there. */
static bool place_look(fanout_durable *consumer, uint64_t *ahead, core_error *error) {
    fanout_stream_info info;
    core_error ignored;
    int64_t now_ms = core_clock_ms(core_clock_system());
    *ahead = 0;
    if (now_ms - consumer->looked_at_ms < LOOK_EVERY_MS ||
        !fanout_stream_inspect(consumer->connection, consumer->stream, &info, &ignored))
        return true;
    consumer->looked_at_ms = now_ms;
    if (!place_holds(consumer, &info, error))
        return false;
    *ahead = info.last_sequence;
    return true;
}

/* Nothing came: because nothing is there, or because too much is not acked yet? */
static bool is_caught_up(const fanout_durable *consumer) {
    jsConsumerInfo *info = NULL;
    natsStatus status = js_GetConsumerInfo(&info, fanout_jetstream(consumer->connection),
                                           consumer->stream, consumer->name, NULL, NULL);
    bool caught_up = status == NATS_OK && info->NumPending == 0;
    jsConsumerInfo_Destroy(info);
    return caught_up;
}

bool fanout_durable_fetch(fanout_durable *consumer, fanout_message *messages, size_t capacity,
                          int64_t timeout_ms, size_t *count, core_error *error) {
    CORE_MAGIC_CHECK(consumer, DURABLE_MAGIC);
    batch_forget(consumer);
    *count = 0;
    if (capacity == 0)
        return true;
    uint64_t ahead = 0;
    bool ok = place_look(consumer, &ahead, error) &&
              durable_wait(consumer, messages, capacity < BATCH_MAX ? capacity : BATCH_MAX,
                           timeout_ms, error) &&
              place_move(consumer, messages, error);
    if (!ok || durable_cancelled(consumer))
        return durable_cancelled(consumer);
    if (consumer->batch_count == 0 && consumer->place.known && ahead > consumer->place.sequence &&
        is_caught_up(consumer))
        fanout_place_move(&consumer->place, ahead);
    *count = consumer->batch_count;
    return true;
}

/* ---- acked ---- */

bool fanout_durable_ack(fanout_durable *consumer, size_t index, core_error *error) {
    static const char ack[] = "+ACK";
    natsMsg *word = NULL;
    CORE_MAGIC_CHECK(consumer, DURABLE_MAGIC);
    if (index >= consumer->batch_count)
        return core_error_set(error, CORE_ERROR_INTERNAL, "%s: message %zu of a batch of %zu",
                              consumer->object, index, consumer->batch_count);
    natsStatus status = natsConnection_Request(&word, fanout_nats(consumer->connection),
                                               natsMsg_GetReply(consumer->batch[index]), ack,
                                               sizeof ack - 1, ANSWER_MS);
    natsMsg_Destroy(word);
    return status == NATS_OK ||
           fanout_status_error(error, status, 0, "acknowledge to", consumer->object);
}
