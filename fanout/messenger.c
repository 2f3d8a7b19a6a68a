/* The messenger: messages on other people's subjects; see fanout.h.
 *
 * Happy path: what was handed in since is published in one go by the messenger's thread. A message
 * that somebody is to answer (a stream with its acknowledgement, or whoever listens) has the
 * messenger's inbox and its own number as its reply subject, and is over when that comes, on
 * nats.c's thread. The others are over when the server has answered the PING behind them all: then
 * it has taken in what stood before.
 *
 * Whether a stream takes a subject is asked first (messenger_stream.h), since a plain message to a
 * stream is lost without a sign where the stream refuses it, and a listener that is no stream would
 * not know what a reply subject is for.
 *
 * Failure: no connection, no answer in time, and a connection that was lost meanwhile end a message
 * with TRANSIENT; the caller sends it again, under the same id. Who ends one takes it out of the
 * table first, under the lock, so each ends once. */
#include "fanout/messenger_stream.h"
#include "fanout/puback.h"
#include "fanout/spent.h"
#include "fanout/subscription.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MESSENGER_MAGIC UINT32_C(0x666d7367)

enum {
    SUBJECT_MAX = 128, /* of the inbox */
    TICK_MS = 50,      /* how late a time limit is seen */
    HEADER_BLOCK_BYTES = 16,
    HEADER_LINE_BYTES = 4,
    RECONNECT_MS = 500,
};

struct fanout_messenger {
    uint32_t magic;
    const core_config *config;
    core_log *log;
    const core_clock *clock;
    char name[FANOUT_NAME_MAX];
    /* The thread's own. */
    fanout_connection *connection;
    int64_t connect_at_ms;
    natsSubscription *inbox;
    unsigned session;    /* of the connection, that it was made on */
    unsigned reconnects; /* of it, that were seen */
    char inbox_subject[SUBJECT_MAX];
    fanout_stream_book book;
    fanout_spent spent;
    atomic_bool is_away;
    /* Shared, under the lock. */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    fanout_dispatch *slots[FANOUT_MESSENGER_MAX]; /* under way */
    unsigned free[FANOUT_MESSENGER_MAX];
    unsigned free_count;
    uint64_t round;
    fanout_dispatch *first, **last; /* handed in, not looked at */
    bool stopping;
    bool is_inbox_closed; /* no answer is being taken in, or will be */
    bool has_thread;
    pthread_t thread;
};

/* ---- the table ---- */

/* Whoever gets it ends it. NULL: it has ended. */
static fanout_dispatch *slot_take(fanout_messenger *messenger, uint64_t number) {
    unsigned index = (unsigned)(number % FANOUT_MESSENGER_MAX);
    (void)pthread_mutex_lock(&messenger->lock);
    fanout_dispatch *dispatch = messenger->slots[index];
    if (dispatch != NULL && dispatch->own.number == number) {
        messenger->slots[index] = NULL;
        messenger->free[messenger->free_count++] = index;
    } else {
        dispatch = NULL;
    }
    (void)pthread_mutex_unlock(&messenger->lock);
    return dispatch;
}

static void dispatch_end(fanout_messenger *messenger, uint64_t number, core_slice answer,
                         const core_error *error) {
    fanout_dispatch *dispatch = slot_take(messenger, number);
    if (dispatch != NULL)
        dispatch->completed(dispatch, answer, error);
}

static void dispatch_fail(fanout_messenger *messenger, uint64_t number, const core_error *error) {
    dispatch_end(messenger, number, core_slice_make(NULL, 0), error);
}

bool fanout_messenger_is_away(const fanout_messenger *messenger) {
    return atomic_load(&messenger->is_away);
}

bool fanout_messenger_send(fanout_messenger *messenger, fanout_dispatch *dispatch,
                           core_error *error) {
    CORE_MAGIC_CHECK(messenger, MESSENGER_MAGIC);
    (void)pthread_mutex_lock(&messenger->lock);
    bool ok = !messenger->stopping && messenger->free_count > 0;
    if (ok) {
        unsigned index = messenger->free[--messenger->free_count];
        dispatch->own.number = ++messenger->round * FANOUT_MESSENGER_MAX + index;
        dispatch->own.until_ms = 0;
        dispatch->own.next = NULL;
        messenger->slots[index] = dispatch;
        *messenger->last = dispatch;
        messenger->last = &dispatch->own.next;
        (void)pthread_cond_signal(&messenger->changed);
    }
    bool stopping = messenger->stopping;
    (void)pthread_mutex_unlock(&messenger->lock);
    return ok || core_error_set(error, CORE_ERROR_TRANSIENT, "%s",
                                stopping ? "the process is stopping"
                                         : "too many messages are under way to NATS");
}

/* ---- answers, on nats.c's thread ---- */

/* As NATS services tell an error. False: it is one. */
static bool answer_is_good(natsMsg *message, core_error *error) {
    const char *code = NULL, *text = NULL;
    if (natsMsgHeader_Get(message, "Nats-Service-Error-Code", &code) != NATS_OK || code == NULL)
        return true;
    if (natsMsgHeader_Get(message, "Nats-Service-Error", &text) != NATS_OK || text == NULL)
        text = "";
    return core_error_set(error, CORE_ERROR_INPUT, "the service answered with error %.20s: %.200s",
                          code, text);
}

static bool stored_is_good(core_slice bytes, const char *subject, core_error *error) {
    fanout_puback ack;
    if (!fanout_puback_read(bytes, &ack, error))
        return core_error_set(error, CORE_ERROR_TRANSIENT,
                              "what answers on %s is no stream (its answer is no acknowledgement)",
                              subject);
    if (ack.error_code == 0)
        return true;
    const fanout_api_code *known = fanout_api_code_find((int)ack.error_code);
    return core_error_set(error, known != NULL ? known->error_code : CORE_ERROR_TRANSIENT,
                          "the stream that takes %s refused: %.*s", subject,
                          CORE_SLICE_ARGS(ack.description));
}

static bool nobody_is_good(const fanout_dispatch *dispatch, core_error *error) {
    return dispatch->until == FANOUT_UNTIL_TAKEN || /* the server has it */
           core_error_set(error, CORE_ERROR_TRANSIENT,
                          dispatch->until == FANOUT_UNTIL_STORED ? "no stream takes %s"
                                                                 : "nobody listens on %s",
                          dispatch->subject);
}

static void on_answer(natsConnection *nats, natsSubscription *subscription, natsMsg *message,
                      void *closure) {
    fanout_messenger *messenger = closure;
    core_error error = {0};
    uint64_t number = 0;
    (void)nats;
    (void)subscription;
    CORE_MAGIC_CHECK(messenger, MESSENGER_MAGIC);
    const char *last = strrchr(natsMsg_GetSubject(message), '.');
    core_slice bytes =
        core_slice_make(natsMsg_GetData(message), (size_t)natsMsg_GetDataLength(message));
    fanout_dispatch *dispatch =
        last != NULL && core_slice_to_u64(core_slice_text(last + 1), &number)
            ? slot_take(messenger, number)
            : NULL;
    if (dispatch != NULL) {
        bool ok = natsMsg_IsNoResponders(message) ? nobody_is_good(dispatch, &error)
                  : dispatch->until == FANOUT_UNTIL_ANSWERED
                      ? answer_is_good(message, &error)
                      : stored_is_good(bytes, dispatch->subject, &error);
        dispatch->completed(dispatch, bytes, ok ? NULL : &error);
    }
    natsMsg_Destroy(message);
}

static void on_inbox_closed(void *closure) {
    fanout_messenger *messenger = closure;
    CORE_MAGIC_CHECK(messenger, MESSENGER_MAGIC);
    (void)pthread_mutex_lock(&messenger->lock);
    messenger->is_inbox_closed = true;
    (void)pthread_cond_broadcast(&messenger->changed);
    (void)pthread_mutex_unlock(&messenger->lock);
}

/* ---- the connection ---- */

static void inbox_close(fanout_messenger *messenger) {
    if (messenger->inbox == NULL)
        return;
    fanout_subscription_free(fanout_nats(messenger->connection), messenger->inbox);
    messenger->inbox = NULL;
    (void)pthread_mutex_lock(&messenger->lock);
    while (!messenger->is_inbox_closed)
        (void)pthread_cond_wait(&messenger->changed, &messenger->lock);
    (void)pthread_mutex_unlock(&messenger->lock);
}

static bool inbox_open(fanout_messenger *messenger, core_error *error) {
    natsConnection *nats = fanout_nats(messenger->connection);
    natsInbox *inbox = NULL;
    char filter[SUBJECT_MAX + 2];
    messenger->session = atomic_load(&messenger->connection->session);
    natsStatus status = natsInbox_Create(&inbox);
    if (status == NATS_OK) {
        (void)snprintf(messenger->inbox_subject, sizeof messenger->inbox_subject, "%s",
                       (const char *)inbox);
        (void)snprintf(filter, sizeof filter, "%s.*", messenger->inbox_subject);
        status = natsConnection_Subscribe(&messenger->inbox, nats, filter, on_answer, messenger);
    }
    natsInbox_Destroy(inbox);
    if (status == NATS_OK)
        status = natsSubscription_SetPendingLimits(messenger->inbox, -1, -1);
    (void)pthread_mutex_lock(&messenger->lock);
    if (status == NATS_OK)
        status = natsSubscription_SetOnCompleteCB(messenger->inbox, on_inbox_closed, messenger);
    messenger->is_inbox_closed = status != NATS_OK;
    (void)pthread_mutex_unlock(&messenger->lock);
    if (status != NATS_OK)
        inbox_close(messenger);
    return status == NATS_OK ||
           fanout_status_error(error, status, 0, "subscribe to", "the messenger's inbox");
}

/* Connected, with an inbox on the connection's present session. */
static bool messenger_ready(fanout_messenger *messenger, core_error *error) {
    int64_t now_ms = core_clock_ms(messenger->clock);
    if (messenger->connection == NULL && now_ms < messenger->connect_at_ms)
        return core_error_set(error, CORE_ERROR_TRANSIENT, "NATS is away");
    if (messenger->connection == NULL) {
        messenger->connect_at_ms = now_ms + RECONNECT_MS;
        messenger->connection =
            fanout_connection_new(messenger->config, messenger->name, messenger->log, NULL, error);
        if (messenger->connection == NULL)
            return false;
        messenger->reconnects = atomic_load(&messenger->connection->reconnects);
    }
    if (!fanout_connection_alive(messenger->connection))
        return core_error_set(error, CORE_ERROR_TRANSIENT, "NATS is away");
    if (messenger->inbox != NULL &&
        messenger->session != atomic_load(&messenger->connection->session))
        inbox_close(messenger);
    return messenger->inbox != NULL || inbox_open(messenger, error);
}

/* ---- publishing ---- */

static size_t dispatch_bytes(const fanout_dispatch *dispatch) {
    size_t bytes = HEADER_BLOCK_BYTES + dispatch->payload.length;
    if (dispatch->id != NULL)
        bytes += sizeof "Nats-Msg-Id" + strlen(dispatch->id) + HEADER_LINE_BYTES;
    if (dispatch->is_fenced)
        bytes += sizeof "Nats-Expected-Last-Subject-Sequence" + 20 + HEADER_LINE_BYTES;
    for (size_t i = 0; i < dispatch->header_count; i++)
        bytes += strlen(dispatch->headers[i].name) + strlen(dispatch->headers[i].value) +
                 HEADER_LINE_BYTES;
    return bytes;
}

static natsStatus dispatch_headers(natsMsg *message, const fanout_dispatch *dispatch) {
    char sequence[24];
    natsStatus status = NATS_OK;
    (void)snprintf(sequence, sizeof sequence, "%" PRIu64, dispatch->expected_sequence);
    if (dispatch->id != NULL)
        status = natsMsgHeader_Set(message, "Nats-Msg-Id", dispatch->id);
    if (status == NATS_OK && dispatch->is_fenced)
        status = natsMsgHeader_Set(message, "Nats-Expected-Last-Subject-Sequence", sequence);
    for (size_t i = 0; status == NATS_OK && i < dispatch->header_count; i++)
        status = natsMsgHeader_Set(message, dispatch->headers[i].name, dispatch->headers[i].value);
    return status;
}

static bool dispatch_publish(fanout_messenger *messenger, const fanout_dispatch *dispatch,
                             const char *reply, core_error *error) {
    natsMsg *message = NULL;
    int64_t max = fanout_connection_max_payload(messenger->connection);
    size_t bytes = dispatch_bytes(dispatch);
    if (bytes > (uint64_t)max)
        return core_error_set(error, CORE_ERROR_LIMIT,
                              "a message of %zu bytes for %s exceeds nats-server's max_payload "
                              "(%" PRId64 "): raise max_payload there",
                              bytes, dispatch->subject, max);
    natsStatus status =
        natsMsg_Create(&message, dispatch->subject, reply, (const char *)dispatch->payload.data,
                       (int)dispatch->payload.length);
    if (status == NATS_OK)
        status = dispatch_headers(message, dispatch);
    if (status == NATS_OK)
        status = natsConnection_PublishMsg(fanout_nats(messenger->connection), message);
    fanout_spent_add(&messenger->spent, message);
    return status == NATS_OK ||
           fanout_status_error(error, status, 0, "publish to", dispatch->subject);
}

/* Somebody is to answer: once it is published, that may end it at any moment. */
static void dispatch_await(fanout_messenger *messenger, fanout_dispatch *dispatch) {
    char reply[SUBJECT_MAX + 24];
    core_error error = {0};
    uint64_t number = dispatch->own.number;
    (void)snprintf(reply, sizeof reply, "%s.%" PRIu64, messenger->inbox_subject, number);
    dispatch->own.until_ms = core_clock_ms(messenger->clock) + dispatch->timeout_ms;
    if (!dispatch_publish(messenger, dispatch, reply, &error))
        dispatch_fail(messenger, number, &error);
}

/* True: it is published, and done when the server has taken it in. */
static bool dispatch_begin(fanout_messenger *messenger, fanout_dispatch *dispatch) {
    core_error error = {0};
    bool has_stream = true;
    bool ok = messenger_ready(messenger, &error);
    if (ok && dispatch->until == FANOUT_UNTIL_TAKEN)
        ok = fanout_stream_takes(&messenger->book, messenger->connection, dispatch->subject,
                                 core_clock_ms(messenger->clock), &has_stream, &error);
    if (ok && has_stream) {
        dispatch_await(messenger, dispatch);
        return false;
    }
    if (ok && dispatch_publish(messenger, dispatch, NULL, &error))
        return true;
    dispatch_fail(messenger, dispatch->own.number, &error);
    return false;
}

static void batch_publish(fanout_messenger *messenger, fanout_dispatch *batch) {
    fanout_dispatch *plain = NULL, *next;
    core_error error = {0};
    for (; batch != NULL; batch = next) {
        next = batch->own.next;
        if (!dispatch_begin(messenger, batch))
            continue;
        batch->own.next = plain;
        plain = batch;
    }
    if (plain == NULL)
        return;
    natsStatus status =
        natsConnection_FlushTimeout(fanout_nats(messenger->connection),
                                    core_config_integer(messenger->config, "nats.ack_timeout"));
    bool ok = status == NATS_OK || fanout_status_error(&error, status, 0, "hear from", "NATS");
    for (; plain != NULL; plain = next) {
        next = plain->own.next;
        dispatch_fail(messenger, plain->own.number, ok ? NULL : &error);
    }
}

/* ---- the thread ---- */

static fanout_dispatch *batch_take(fanout_messenger *messenger) {
    (void)pthread_mutex_lock(&messenger->lock);
    if (messenger->first == NULL && !messenger->stopping) {
        if (messenger->connection != NULL)
            (void)core_condition_wait(&messenger->changed, &messenger->lock, TICK_MS);
        else
            (void)pthread_cond_wait(&messenger->changed, &messenger->lock);
    }
    fanout_dispatch *batch = messenger->stopping ? NULL : messenger->first;
    if (batch != NULL) {
        messenger->first = NULL;
        messenger->last = &messenger->first;
    }
    (void)pthread_mutex_unlock(&messenger->lock);
    return batch;
}

typedef enum { WHICH_OVERDUE, WHICH_AWAITED, WHICH_ALL } which;

static bool is_meant(const fanout_dispatch *dispatch, which meant, int64_t now_ms) {
    bool is_awaited = dispatch->own.until_ms != 0;
    return meant == WHICH_ALL ||
           (is_awaited && (meant == WHICH_AWAITED || dispatch->own.until_ms <= now_ms));
}

/* The number of the next one in the table from `*index` on; 0: none. */
static uint64_t meant_find(fanout_messenger *messenger, which meant, unsigned *index) {
    uint64_t number = 0;
    int64_t now_ms = core_clock_ms(messenger->clock);
    (void)pthread_mutex_lock(&messenger->lock);
    for (; *index < FANOUT_MESSENGER_MAX && number == 0; ++*index) {
        const fanout_dispatch *dispatch = messenger->slots[*index];
        if (dispatch != NULL && is_meant(dispatch, meant, now_ms))
            number = dispatch->own.number;
    }
    (void)pthread_mutex_unlock(&messenger->lock);
    return number;
}

static void meant_end(fanout_messenger *messenger, which meant, const char *why) {
    core_error error = {0};
    unsigned index = 0;
    uint64_t number;
    (void)core_error_set(&error, CORE_ERROR_TRANSIENT, "%s", why);
    while ((number = meant_find(messenger, meant, &index)) != 0)
        dispatch_fail(messenger, number, &error);
}

/* Answers to what was published before do not come any more. */
static void lost_end(fanout_messenger *messenger) {
    if (messenger->connection == NULL)
        return;
    unsigned reconnects = atomic_load(&messenger->connection->reconnects);
    atomic_store(&messenger->is_away, !fanout_connection_alive(messenger->connection));
    if (reconnects == messenger->reconnects && fanout_connection_alive(messenger->connection))
        return;
    messenger->reconnects = reconnects;
    meant_end(messenger, WHICH_AWAITED, "the connection to NATS was lost");
}

static bool is_stopping(fanout_messenger *messenger) {
    (void)pthread_mutex_lock(&messenger->lock);
    bool stopping = messenger->stopping;
    (void)pthread_mutex_unlock(&messenger->lock);
    return stopping;
}

static void *messenger_run(void *argument) {
    fanout_messenger *messenger = argument;
    int64_t looked_ms = 0;
    CORE_MAGIC_CHECK(messenger, MESSENGER_MAGIC);
    while (!is_stopping(messenger)) {
        fanout_dispatch *batch = batch_take(messenger);
        lost_end(messenger);
        if (batch != NULL)
            batch_publish(messenger, batch);
        fanout_spent_free_all(&messenger->spent);
        int64_t now_ms = core_clock_ms(messenger->clock);
        if (now_ms - looked_ms < TICK_MS)
            continue;
        looked_ms = now_ms;
        meant_end(messenger, WHICH_OVERDUE, "no answer in time");
    }
    inbox_close(messenger);
    meant_end(messenger, WHICH_ALL, "the process is stopping");
    return NULL;
}

/* ---- life ---- */

fanout_messenger *fanout_messenger_new(const core_config *config, const char *name, core_log *log,
                                       const core_clock *clock, core_error *error) {
    fanout_messenger *messenger = calloc(1, sizeof *messenger);
    if (messenger == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "no memory for a messenger");
        return NULL;
    }
    messenger->magic = MESSENGER_MAGIC;
    messenger->config = config;
    messenger->log = log;
    messenger->clock = clock;
    messenger->last = &messenger->first;
    (void)snprintf(messenger->name, sizeof messenger->name, "%s", name);
    for (unsigned i = 0; i < FANOUT_MESSENGER_MAX; i++)
        messenger->free[messenger->free_count++] = i;
    (void)pthread_mutex_init(&messenger->lock, NULL);
    core_condition_init(&messenger->changed);
    messenger->has_thread = pthread_create(&messenger->thread, NULL, messenger_run, messenger) == 0;
    if (messenger->has_thread) {
        (void)pthread_setname_np(messenger->thread, "walcast-message");
        return messenger;
    }
    (void)core_error_set(error, CORE_ERROR_INTERNAL, "cannot start the messenger's thread");
    fanout_messenger_free(messenger);
    return NULL;
}

void fanout_messenger_stop(fanout_messenger *messenger) {
    if (messenger == NULL || !messenger->has_thread)
        return;
    CORE_MAGIC_CHECK(messenger, MESSENGER_MAGIC);
    (void)pthread_mutex_lock(&messenger->lock);
    messenger->stopping = true;
    (void)pthread_cond_broadcast(&messenger->changed);
    (void)pthread_mutex_unlock(&messenger->lock);
    (void)pthread_join(messenger->thread, NULL);
    messenger->has_thread = false;
}

void fanout_messenger_free(fanout_messenger *messenger) {
    if (messenger == NULL)
        return;
    fanout_messenger_stop(messenger);
    fanout_connection_free(messenger->connection);
    (void)pthread_cond_destroy(&messenger->changed);
    (void)pthread_mutex_destroy(&messenger->lock);
    messenger->magic = 0;
    free(messenger);
}
