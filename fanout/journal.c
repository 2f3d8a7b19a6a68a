/* The journal: records of many threads into a stream; see fanout.h.
 *
 * Happy path: a writer copies its record into a slot of the queue. The thread, once woken, waits a
 * moment for others, publishes up to a batch where they lie, waits for the stream's word on each,
 * and releases the slots.
 *
 * Failure: what got no word (NATS away, a stream that is not there) is published again under the
 * same message id, so within the stream's duplicate window it is stored once; meanwhile writers go
 * on filling the queue, and what finds no room is counted. A record that the stream refuses is
 * counted too and not tried again. */
#include "fanout/connection.h"
#include "fanout/puback.h"
#include "fanout/subscription.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define JOURNAL_MAGIC UINT32_C(0x6a726e6c)

enum {
    BATCH_MAX = 256,
    GATHER_MS = 20, /* so an eventfd is written, and the thread woken, 50 times a second at most */
    IDLE_MS = 1000,
    AWAY_FIRST_MS = 100,
    AWAY_MAX_MS = 5000,
    ANSWER_MS = 250, /* how late a stop is seen */
    LAST_MS = 2000,  /* for what waits when the journal is freed */
    REPLY_MAX = 128,
    ID_MAX = 64,
};

typedef struct {
    uint16_t subject_length; /* with its NUL; the record is behind it */
    uint16_t record_length;
    uint32_t reserved;
    char bytes[FANOUT_JOURNAL_RECORD_MAX];
} journal_slot;

struct fanout_journal {
    uint32_t magic;
    fanout_journal_spec spec;
    core_mpsc *queue;
    atomic_bool stopping;
    atomic_int_fast64_t lost; /* told in the log */
    pthread_t thread;
    bool started;
    /* The thread's own. */
    fanout_connection *connection;
    natsSubscription *answers;
    natsInbox *inbox;
    unsigned session; /* that it was made on */
    bool has_stream;
    bool told_away;
    int64_t stop_ms; /* until when it goes on trying; 0: not stopping */
    int64_t told_lost;
    uint64_t seed;
    uint64_t first; /* number of the record at the queue's end */
    size_t acked_count;
    bool acked[BATCH_MAX];
};

/* ---- Writing ---- */

bool fanout_journal_put(fanout_journal *journal, const char *subject, core_slice record) {
    CORE_MAGIC_CHECK(journal, JOURNAL_MAGIC);
    size_t ticket, subject_length = strlen(subject) + 1;
    journal_slot *slot = subject_length + record.length <= FANOUT_JOURNAL_RECORD_MAX
                             ? core_mpsc_claim(journal->queue, &ticket)
                             : NULL;
    if (slot == NULL) {
        atomic_fetch_add_explicit(&journal->lost, 1, memory_order_relaxed);
        core_metrics_add(journal->spec.metrics, journal->spec.lost, 1);
        return false;
    }
    slot->subject_length = (uint16_t)subject_length;
    slot->record_length = (uint16_t)record.length;
    memcpy(slot->bytes, subject, subject_length);
    if (record.length > 0)
        memcpy(slot->bytes + subject_length, record.data, record.length);
    core_mpsc_commit(journal->queue, ticket);
    return true;
}

/* ---- The thread's waiting ---- */

/* For a record. */
static void journal_wait(fanout_journal *journal) {
    struct pollfd wake = {.fd = core_mpsc_wake_fd(journal->queue), .events = POLLIN};
    if (core_mpsc_sleep(journal->queue))
        (void)poll(&wake, 1, IDLE_MS);
    core_mpsc_wake_clear(journal->queue);
}

/* Whatever is written meanwhile: only _free ends it before its time. */
static void journal_rest(fanout_journal *journal, int64_t pause_ms) {
    struct pollfd wake = {.fd = core_mpsc_wake_fd(journal->queue), .events = POLLIN};
    if (!atomic_load(&journal->stopping))
        (void)poll(&wake, 1, (int)pause_ms);
}

/* The time to end has come: all that waits is stored, or it waited long enough. */
static bool journal_over(fanout_journal *journal) {
    if (!atomic_load(&journal->stopping))
        return false;
    int64_t now_ms = core_clock_ms(core_clock_system());
    if (journal->stop_ms == 0)
        journal->stop_ms = now_ms + LAST_MS;
    return core_mpsc_peek(journal->queue, 0) == NULL || now_ms >= journal->stop_ms;
}

/* After a failure. */
static void journal_pause(fanout_journal *journal, core_backoff *backoff) {
    if (atomic_load(&journal->stopping))
        (void)poll(NULL, 0, AWAY_FIRST_MS);
    else
        journal_rest(journal, core_backoff_next_ms(backoff));
}

static void journal_tell_lost(fanout_journal *journal) {
    int64_t lost = atomic_load_explicit(&journal->lost, memory_order_relaxed);
    if (lost == journal->told_lost)
        return;
    CORE_LOG(journal->spec.log, WARN, "fanout", "records found no room and are lost",
             CORE_LOG_TEXT("stream", journal->spec.stream.name),
             CORE_LOG_NUMBER("records", lost - journal->told_lost));
    journal->told_lost = lost;
}

/* Once, until it works again. */
static void journal_tell_away(fanout_journal *journal, const core_error *error) {
    if (journal->told_away)
        return;
    journal->told_away = true;
    CORE_LOG(journal->spec.log, WARN, "fanout", "records wait: the stream does not take them",
             CORE_LOG_TEXT("stream", journal->spec.stream.name),
             CORE_LOG_TEXT("error", error->text));
}

/* ---- Publishing ---- */

static bool journal_subscribe(fanout_journal *journal, core_error *error) {
    char filter[REPLY_MAX];
    unsigned session = atomic_load(&journal->connection->session);
    if (journal->answers != NULL && journal->session == session)
        return true;
    fanout_subscription_free(fanout_nats(journal->connection), journal->answers);
    journal->answers = NULL;
    natsInbox_Destroy(journal->inbox);
    journal->inbox = NULL;
    natsStatus status = natsInbox_Create(&journal->inbox);
    if (status == NATS_OK) {
        (void)snprintf(filter, sizeof filter, "%s.*", (const char *)journal->inbox);
        status = natsConnection_SubscribeSync(&journal->answers, fanout_nats(journal->connection),
                                              filter);
    }
    if (status != NATS_OK)
        return fanout_status_error(error, status, 0, "subscribe for", "the answers of a journal");
    journal->session = session;
    return true;
}

static bool journal_open(fanout_journal *journal, core_error *error) {
    const fanout_journal_spec *spec = &journal->spec;
    fanout_stream_info info;
    if (journal->connection == NULL)
        journal->connection =
            fanout_connection_new(spec->config, spec->name, spec->log, spec->metrics, error);
    if (journal->connection == NULL)
        return false;
    if (!fanout_connection_alive(journal->connection))
        return core_error_set(error, CORE_ERROR_TRANSIENT, "NATS is away");
    if (!journal->has_stream)
        journal->has_stream =
            fanout_stream_ensure(journal->connection, &spec->stream, &info, error);
    return journal->has_stream && journal_subscribe(journal, error);
}

static natsStatus journal_publish(fanout_journal *journal, const journal_slot *slot, size_t at) {
    natsMsg *message = NULL;
    char id[ID_MAX], reply[REPLY_MAX];
    (void)snprintf(id, sizeof id, "%016" PRIx64 "-%" PRIu64, journal->seed, journal->first + at);
    (void)snprintf(reply, sizeof reply, "%s.%" PRIu64, (const char *)journal->inbox,
                   journal->first + at);
    natsStatus status = natsMsg_Create(&message, slot->bytes, reply,
                                       slot->bytes + slot->subject_length, slot->record_length);
    if (status == NATS_OK)
        status = natsMsgHeader_Set(message, "Nats-Msg-Id", id);
    if (status == NATS_OK)
        status = natsConnection_PublishMsg(fanout_nats(journal->connection), message);
    natsMsg_Destroy(message);
    return status;
}

/* The record of the batch that an answer is for; SIZE_MAX: none, as for one of an earlier batch. */
static size_t answer_place(const fanout_journal *journal, const natsMsg *answer, size_t count) {
    const char *dot = strrchr(natsMsg_GetSubject(answer), '.');
    uint64_t number;
    if (dot == NULL || !core_slice_to_u64(core_slice_text(dot + 1), &number) ||
        number < journal->first || number - journal->first >= count)
        return SIZE_MAX;
    return (size_t)(number - journal->first);
}

static void journal_answer(fanout_journal *journal, const natsMsg *answer, size_t count) {
    size_t at = answer_place(journal, answer, count);
    fanout_puback ack;
    core_error error;
    core_slice json =
        core_slice_make(natsMsg_GetData(answer), (size_t)natsMsg_GetDataLength(answer));
    if (at == SIZE_MAX || journal->acked[at] || !fanout_puback_read(json, &ack, &error))
        return;
    journal->acked[at] = true;
    journal->acked_count++;
    bool stored = ack.error_code == 0;
    if (!stored)
        atomic_fetch_add_explicit(&journal->lost, 1, memory_order_relaxed);
    core_metrics_add(journal->spec.metrics, stored ? journal->spec.stored : journal->spec.lost, 1);
}

static natsStatus journal_publish_all(fanout_journal *journal, size_t count) {
    natsStatus status = NATS_OK;
    for (size_t i = 0; status == NATS_OK && i < count; i++)
        if (!journal->acked[i])
            status = journal_publish(journal, core_mpsc_peek(journal->queue, i), i);
    return status;
}

static natsStatus journal_answers(fanout_journal *journal, size_t count) {
    const core_clock *clock = core_clock_system();
    int64_t until_ms =
        core_clock_ms(clock) + core_config_integer(journal->spec.config, "nats.ack_timeout");
    while (journal->acked_count < count) {
        natsMsg *answer = NULL;
        natsStatus status = natsSubscription_NextMsg(&answer, journal->answers, ANSWER_MS);
        if (status == NATS_OK)
            journal_answer(journal, answer, count);
        natsMsg_Destroy(answer);
        bool late = core_clock_ms(clock) >= until_ms || journal_over(journal);
        if (status != NATS_OK && (status != NATS_TIMEOUT || late))
            return status;
    }
    return NATS_OK;
}

/* What of the batch has no word yet goes out, and gets it. */
static bool journal_send(fanout_journal *journal, size_t count, core_error *error) {
    if (!journal_open(journal, error))
        return false;
    natsStatus status = journal_publish_all(journal, count);
    if (status == NATS_OK)
        status = journal_answers(journal, count);
    if (status == NATS_OK)
        return true;
    journal->has_stream = false; /* it may have been removed: looked for again */
    return fanout_status_error(error, status, 0, "publish to", journal->spec.stream.name);
}

static size_t journal_batch(const fanout_journal *journal) {
    size_t count = 0;
    while (count < BATCH_MAX && core_mpsc_peek(journal->queue, count) != NULL)
        count++;
    return count;
}

/* All that waits. False: not now. */
static bool journal_send_all(fanout_journal *journal) {
    for (size_t count; (count = journal_batch(journal)) > 0;) {
        core_error error = {.text = ""};
        if (!journal_send(journal, count, &error)) {
            journal_tell_away(journal, &error);
            return false;
        }
        journal->told_away = false;
        core_mpsc_release(journal->queue, count);
        journal->first += count;
        journal->acked_count = 0;
        memset(journal->acked, 0, sizeof journal->acked);
    }
    return true;
}

static void *journal_run(void *argument) {
    fanout_journal *journal = argument;
    CORE_MAGIC_CHECK(journal, JOURNAL_MAGIC);
    core_backoff backoff;
    (void)pthread_setname_np(pthread_self(), "walcast-journal");
    core_backoff_init(&backoff, AWAY_FIRST_MS, AWAY_MAX_MS, journal->seed);
    while (!journal_over(journal)) {
        journal_wait(journal);
        if (core_mpsc_peek(journal->queue, 0) == NULL)
            continue;
        journal_rest(journal, GATHER_MS);
        if (journal_send_all(journal))
            core_backoff_reset(&backoff);
        else
            journal_pause(journal, &backoff);
        journal_tell_lost(journal);
    }
    return NULL;
}

/* ---- Life ---- */

fanout_journal *fanout_journal_new(const fanout_journal_spec *spec, core_error *error) {
    fanout_journal *journal = calloc(1, sizeof *journal);
    if (journal == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "no memory for a journal");
        return NULL;
    }
    journal->magic = JOURNAL_MAGIC;
    journal->spec = *spec;
    journal->queue = core_mpsc_new(spec->capacity, sizeof(journal_slot), error);
    bool ok = journal->queue != NULL;
    if (ok && getrandom(&journal->seed, sizeof journal->seed, 0) != sizeof journal->seed)
        ok = core_error_set(error, CORE_ERROR_INTERNAL, "no random number for a journal");
    if (ok) {
        journal->started =
            pthread_create(&journal->thread, NULL, journal_run, journal) == 0 ||
            core_error_set(error, CORE_ERROR_INTERNAL, "cannot start a journal's thread");
        ok = journal->started;
    }
    if (ok)
        return journal;
    fanout_journal_free(journal);
    return NULL;
}

void fanout_journal_free(fanout_journal *journal) {
    if (journal == NULL)
        return;
    CORE_MAGIC_CHECK(journal, JOURNAL_MAGIC);
    if (journal->started) {
        atomic_store(&journal->stopping, true);
        core_mpsc_wake(journal->queue);
        (void)pthread_join(journal->thread, NULL);
    }
    size_t left = journal->queue != NULL ? core_mpsc_length(journal->queue) : 0;
    if (left > 0) {
        core_metrics_add(journal->spec.metrics, journal->spec.lost, (int64_t)left);
        CORE_LOG(journal->spec.log, WARN, "fanout", "records were not stored at the end",
                 CORE_LOG_TEXT("stream", journal->spec.stream.name),
                 CORE_LOG_NUMBER("records", left));
    }
    if (journal->answers != NULL)
        fanout_subscription_free(fanout_nats(journal->connection), journal->answers);
    natsInbox_Destroy(journal->inbox);
    fanout_connection_free(journal->connection);
    core_mpsc_free(journal->queue);
    journal->magic = 0;
    free(journal);
}
