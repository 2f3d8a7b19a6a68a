/* The share of partitions; see share.h.
 *
 * Happy path, once in a third of the leases' time: this node's own lease is renewed, nodes are
 * counted, the leases held are renewed; of those that are free as many are taken as make up the
 * share of 16 by the number of nodes; what is beyond the share is asked back from the worker.
 *
 * A partition is taken in this order: the lease, the log (which the worker then makes its own), the
 * tasks behind its watermark. The lease keeps two processes from taking turns; that only one of
 * them records anything is the log's fence.
 *
 * Failure: without the broker the leases run out by our own clock, and the worker begins nothing
 * more. What was lost to another is dropped at once. */
#include "triggers/share.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#define SHARE_MAGIC UINT32_C(0x74736861)

enum {
    TURNS = 3, /* in the time of a lease */
    INBOX_TASKS = 256,
    CONNECT_AGAIN_MS = 500,
    RECORD_MAX_BYTES = 64 * 1024 * 1024,
};

typedef struct {
    triggers_share *share;
    fanout_lease *lease;
    uint64_t lease_term; /* under which it was taken */
    triggers_inbox *inbox;
    fanout_ordered *consumer;
    bool is_out;    /* the worker has it */
    bool is_wanted; /* back */
    atomic_bool is_back;
    atomic_bool
        is_lost; /* the consumer's place: the stream begins later, or a task found no memory */
} share_part;

struct triggers_share {
    uint32_t magic;
    triggers_share_spec spec;
    triggers_worker *worker;
    fanout_connection *connection;
    fanout_bucket *bucket;
    char node[64];
    char streams[4][FANOUT_NAME_MAX];
    fanout_lease *node_lease;
    share_part parts[TRIGGERS_PARTITIONS];
    int64_t ttl_ms;
    core_buffer record;
    bool has_streams;
    pthread_mutex_t lock; /* guards `trouble` */
    char trouble[CORE_ERROR_TEXT_MAX];
    int wake_fd;
    atomic_bool stopping;
    int64_t until_ms; /* of the stop: later no lease is let go; 0: it has not begun */
    bool has_thread;
    pthread_t thread;
};

/* ---- troubles ---- */

static void share_trouble(triggers_share *share, const char *text) {
    (void)pthread_mutex_lock(&share->lock);
    bool is_news = strcmp(share->trouble, text) != 0;
    (void)snprintf(share->trouble, sizeof share->trouble, "%s", text);
    (void)pthread_mutex_unlock(&share->lock);
    if (is_news && text[0] != '\0')
        CORE_LOG(share->spec.log, WARN, "triggers", "deliveries cannot all be made",
                 CORE_LOG_TEXT("reason", text));
}

void triggers_share_trouble(triggers_share *share, char *text, size_t text_size) {
    (void)pthread_mutex_lock(&share->lock);
    (void)snprintf(text, text_size, "%s", share->trouble);
    (void)pthread_mutex_unlock(&share->lock);
}

/* ---- a part's tasks ---- */

static void on_lost(void *context, const core_error *reason) {
    share_part *part = context;
    (void)reason;
    atomic_store(&part->is_lost, true);
    core_wake_set(part->share->wake_fd);
}

static void on_task(void *context, const fanout_message *message) {
    share_part *part = context;
    if (!triggers_inbox_put(part->inbox, message->sequence, message->payload))
        on_lost(part, NULL);
}

static unsigned part_number(const share_part *part) {
    return (unsigned)(part - part->share->parts);
}

/* What is before the stream's first message was done by all: it is purged behind them. */
static bool tasks_begin(share_part *part, uint64_t after, core_error *error) {
    triggers_share *share = part->share;
    char last[8], subject[CORE_SUBJECT_MAX];
    fanout_stream_info info;
    const char *stream = share->streams[FANOUT_WORK_TASKS];
    (void)snprintf(last, sizeof last, "%02u", part_number(part));
    if (!core_subject_work(share->spec.config, fanout_work_word(FANOUT_WORK_TASKS), last, subject))
        return core_error_set(error, CORE_ERROR_CONFIG, "nats.prefix or project is too long");
    if (!fanout_stream_inspect(share->connection, stream, &info, error))
        return false;
    const fanout_ordered_spec spec = {
        .stream = stream,
        .filter = subject,
        .from = FANOUT_FROM_SEQUENCE,
        .sequence = after + 1 > info.first_sequence ? after + 1 : info.first_sequence,
        .on_message = on_task,
        .on_lost = on_lost,
        .context = part,
    };
    atomic_store(&part->is_lost, false);
    part->consumer = fanout_ordered_new(share->connection, &spec, share->spec.log, error);
    return part->consumer != NULL;
}

/* ---- a part's log ---- */

static bool fold_take(void *context, const fanout_message *message, core_error *error) {
    triggers_partition *partition = context;
    triggers_record record;
    return triggers_record_read(message->payload, &record, error) &&
           triggers_partition_fold(partition, message->sequence, &record, error);
}

static bool part_fold(share_part *part, triggers_partition *partition, uint64_t *end,
                      core_error *error) {
    triggers_share *share = part->share;
    char last[8], subject[CORE_SUBJECT_MAX];
    triggers_record record;
    const char *stream = share->streams[FANOUT_WORK_DELIVERIES];
    (void)snprintf(last, sizeof last, "%02u", part_number(part));
    if (!core_subject_work(share->spec.config, fanout_work_word(FANOUT_WORK_DELIVERIES), last,
                           subject))
        return core_error_set(error, CORE_ERROR_CONFIG, "nats.prefix or project is too long");
    if (!fanout_log_end(share->connection, stream, subject, &share->record, end, error))
        return false;
    if (*end == 0)
        return true; /* nobody has owned it yet */
    if (!triggers_record_read(core_buffer_slice(&share->record), &record, error))
        return false;
    const fanout_log_range range = {.stream = stream,
                                    .subject = subject,
                                    .first = record.has_state ? *end : record.base,
                                    .last = *end};
    return fanout_log_read(share->connection, &range, fold_take, partition, error);
}

/* ---- taking and giving back ---- */

static void part_clear(share_part *part) {
    if (part->inbox != NULL)
        triggers_inbox_close(part->inbox);
    fanout_ordered_free(part->consumer);
    triggers_inbox_free(part->inbox);
    part->consumer = NULL;
    part->inbox = NULL;
}

static bool part_take(share_part *part, core_error *error) {
    triggers_share *share = part->share;
    triggers_handover handover = {
        .number = part_number(part), .lease = part->lease, .lease_term = part->lease_term};
    size_t max_bytes = (size_t)core_config_integer(share->spec.config, "triggers.memory") /
                       (2 * TRIGGERS_PARTITIONS);
    handover.partition = triggers_worker_partition(share->worker, handover.number, error);
    part->inbox =
        triggers_inbox_new(INBOX_TASKS, max_bytes, triggers_worker_wake_fd(share->worker), error);
    handover.inbox = part->inbox;
    bool ok = handover.partition != NULL && part->inbox != NULL &&
              part_fold(part, handover.partition, &handover.log_end, error) &&
              tasks_begin(part, triggers_partition_watermark(handover.partition), error);
    if (!ok) {
        triggers_partition_free(handover.partition);
        part_clear(part);
        return core_error_wrap(error, "partition %u of the deliveries", handover.number);
    }
    CORE_LOG(share->spec.log, INFO, "triggers", "deliveries of a partition are made here",
             CORE_LOG_NUMBER("partition", handover.number),
             CORE_LOG_NUMBER("watermark", triggers_partition_watermark(handover.partition)));
    part->is_out = true;
    part->is_wanted = false;
    triggers_worker_give(share->worker, &handover);
    return true;
}

/* A release is kindness: the lease ends by itself. So a stop does not wait for all of a broker that
 * does not answer. */
static void lease_let_go(triggers_share *share, fanout_lease *lease) {
    if (share->until_ms == 0 || core_clock_ms(share->spec.clock) < share->until_ms)
        fanout_lease_release(lease);
}

static void part_back(share_part *part) {
    if (!atomic_exchange(&part->is_back, false))
        return;
    part->is_out = false;
    part_clear(part);
    lease_let_go(part->share, part->lease);
}

void triggers_share_back(void *context, unsigned number) {
    triggers_share *share = context;
    CORE_MAGIC_CHECK(share, SHARE_MAGIC);
    atomic_store(&share->parts[number].is_back, true);
    core_wake_set(share->wake_fd);
}

static void part_want(share_part *part, bool at_once) {
    if (part->is_wanted && !at_once)
        return;
    part->is_wanted = true;
    triggers_worker_want_back(part->share->worker, part_number(part), at_once);
}

/* ---- turns ---- */

static bool stream_ensure(triggers_share *share, fanout_work work, char name[FANOUT_NAME_MAX],
                          core_error *error) {
    char subjects[CORE_SUBJECT_MAX];
    fanout_stream_info info;
    const fanout_stream_spec spec =
        fanout_stream_work_spec(share->spec.config, work, name, subjects);
    return fanout_stream_ensure(share->connection, &spec, &info, error);
}

static bool streams_ensure(triggers_share *share, core_error *error) {
    char runs[FANOUT_NAME_MAX];
    for (int work = FANOUT_WORK_TASKS; work <= FANOUT_WORK_DEAD; work++)
        if (!stream_ensure(share, (fanout_work)work, share->streams[work], error))
            return false;
    share->has_streams = stream_ensure(share, FANOUT_WORK_WORKFLOWS, runs, error);
    return share->has_streams;
}

static bool leases_make(triggers_share *share, core_error *error) {
    char key[96];
    (void)snprintf(key, sizeof key, "deliver.node.%s", share->node);
    const fanout_lease_spec node = {.key = key, .owner = share->node, .ttl_ms = share->ttl_ms};
    share->node_lease = fanout_lease_new(share->bucket, &node, share->spec.clock, error);
    bool ok = share->node_lease != NULL;
    for (unsigned i = 0; ok && i < TRIGGERS_PARTITIONS; i++) {
        (void)snprintf(key, sizeof key, "deliver.partition.%02u", i);
        const fanout_lease_spec spec = {.key = key, .owner = share->node, .ttl_ms = share->ttl_ms};
        share->parts[i].lease = fanout_lease_new(share->bucket, &spec, share->spec.clock, error);
        ok = share->parts[i].lease != NULL;
    }
    return ok;
}

static bool share_connect(triggers_share *share, core_error *error) {
    if (share->connection == NULL)
        share->connection = fanout_connection_new(share->spec.config, "walcast triggers",
                                                  share->spec.log, share->spec.metrics, error);
    if (share->connection == NULL || (!share->has_streams && !streams_ensure(share, error)))
        return false;
    if (share->bucket == NULL)
        share->bucket = fanout_bucket_new_brief(share->connection, share->spec.config, "leases",
                                                share->ttl_ms, error);
    if (share->bucket == NULL)
        return false;
    return share->node_lease != NULL || leases_make(share, error);
}

static bool count_key(void *context, const char *key) {
    (void)key;
    return ++*(size_t *)context <= TRIGGERS_PARTITIONS;
}

/* How many of the partitions are to be here. */
static bool share_size(triggers_share *share, size_t *size, core_error *error) {
    size_t nodes = 0;
    core_error ignored = {0};
    if (!fanout_lease_keep(share->node_lease, error))
        return false;
    if (!fanout_bucket_keys(share->bucket, "deliver.node", count_key, &nodes, &ignored) &&
        ignored.code != CORE_ERROR_NONE) {
        *error = ignored;
        return false;
    }
    nodes = nodes < 1 ? 1 : nodes;
    *size = (TRIGGERS_PARTITIONS + nodes - 1) / nodes;
    return true;
}

static void parts_keep(triggers_share *share, size_t size, core_error *error) {
    size_t kept = 0;
    for (unsigned i = 0; i < TRIGGERS_PARTITIONS && !atomic_load(&share->stopping); i++) {
        share_part *part = &share->parts[i];
        part_back(part);
        if (!part->is_out)
            continue;
        bool is_kept = fanout_lease_keep(part->lease, error);
        bool is_lost = is_kept ? fanout_lease_term(part->lease) != part->lease_term
                               : error->code == CORE_ERROR_CONFLICT;
        if (is_lost) /* somebody else has it, or had it meanwhile */
            part_want(part, true);
        else if (!part->is_wanted && ++kept > size)
            part_want(part, false);
        if (atomic_load(&part->is_lost)) {
            fanout_ordered_free(part->consumer);
            part->consumer = NULL;
            atomic_store(&part->is_lost, false);
        }
        if (part->consumer == NULL && part->is_out)
            (void)!tasks_begin(part, triggers_inbox_last(part->inbox), error);
    }
}

static void parts_take(triggers_share *share, size_t size, core_error *error) {
    size_t held = 0;
    for (unsigned i = 0; i < TRIGGERS_PARTITIONS; i++)
        held += share->parts[i].is_out && !share->parts[i].is_wanted;
    unsigned first = (unsigned)share->node[0] % TRIGGERS_PARTITIONS; /* not all try the same one */
    for (unsigned i = 0; i < TRIGGERS_PARTITIONS && held < size && !atomic_load(&share->stopping);
         i++) {
        share_part *part = &share->parts[(first + i) % TRIGGERS_PARTITIONS];
        core_error refused = {0};
        if (part->is_out || !fanout_lease_keep(part->lease, &refused))
            continue;
        part->lease_term = fanout_lease_term(part->lease);
        if (part_take(part, error))
            held++;
        else
            fanout_lease_release(part->lease);
    }
}

static void share_turn(triggers_share *share) {
    core_error error = {0};
    size_t size = 0;
    bool ok = share_connect(share, &error) && share_size(share, &size, &error);
    if (ok) {
        core_error trouble = {0}, kept = {0};
        parts_keep(share, size, &kept);
        parts_take(share, size, &trouble);
        share_trouble(share, trouble.text);
    } else {
        share_trouble(share, error.text);
        for (unsigned i = 0; i < TRIGGERS_PARTITIONS; i++)
            part_back(&share->parts[i]);
    }
}

static void share_wait(triggers_share *share, int64_t wait_ms) {
    struct pollfd wake = {.fd = share->wake_fd, .events = POLLIN};
    (void)poll(&wake, 1, (int)wait_ms);
    core_wake_clear(share->wake_fd);
}

static void *share_run(void *argument) {
    triggers_share *share = argument;
    CORE_MAGIC_CHECK(share, SHARE_MAGIC);
    while (!atomic_load(&share->stopping)) {
        share_turn(share);
        share_wait(share, share->node_lease != NULL ? share->ttl_ms / TURNS : CONNECT_AGAIN_MS);
    }
    return NULL;
}

/* ---- life ---- */

static bool node_name(char node[64]) {
    uint64_t random[2];
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        return false;
    (void)snprintf(node, 64, "%016" PRIx64 "%016" PRIx64, random[0], random[1]);
    return true;
}

triggers_share *triggers_share_new(const triggers_share_spec *spec, core_error *error) {
    triggers_share *share = calloc(1, sizeof *share);
    if (share == NULL || !node_name(share->node)) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL,
                             "no memory or random bytes for the share of deliveries");
        free(share);
        return NULL;
    }
    share->magic = SHARE_MAGIC;
    share->spec = *spec;
    share->ttl_ms = core_config_integer(spec->config, "triggers.lease");
    share->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    (void)pthread_mutex_init(&share->lock, NULL);
    core_buffer_init(&share->record, RECORD_MAX_BYTES);
    for (unsigned i = 0; i < TRIGGERS_PARTITIONS; i++)
        share->parts[i].share = share;
    return share;
}

bool triggers_share_start(triggers_share *share, triggers_worker *worker, core_error *error) {
    share->worker = worker;
    share->has_thread =
        share->wake_fd >= 0 && pthread_create(&share->thread, NULL, share_run, share) == 0;
    if (share->has_thread)
        (void)pthread_setname_np(share->thread, "walcast-share");
    return share->has_thread || core_error_set(error, CORE_ERROR_INTERNAL,
                                               "cannot start the thread that shares deliveries");
}

static bool parts_are_out(triggers_share *share) {
    bool any = false;
    for (unsigned i = 0; i < TRIGGERS_PARTITIONS; i++) {
        part_back(&share->parts[i]);
        any = any || share->parts[i].is_out;
    }
    return any;
}

void triggers_share_stop(triggers_share *share, int64_t wait_ms) {
    if (share == NULL || !share->has_thread)
        return;
    atomic_store(&share->stopping, true);
    core_wake_set(share->wake_fd);
    (void)pthread_join(share->thread, NULL);
    share->has_thread = false;
    share->until_ms = core_clock_ms(share->spec.clock) + wait_ms;
    for (unsigned i = 0; i < TRIGGERS_PARTITIONS; i++)
        if (share->parts[i].is_out)
            part_want(&share->parts[i], false);
    while (parts_are_out(share) && core_clock_ms(share->spec.clock) < share->until_ms)
        share_wait(share, 20);
    for (unsigned i = 0; i < TRIGGERS_PARTITIONS; i++)
        if (share->parts[i].is_out)
            part_want(&share->parts[i], true);
    while (parts_are_out(share))
        share_wait(share, 20);
    if (share->node_lease != NULL)
        lease_let_go(share, share->node_lease);
}

void triggers_share_free(triggers_share *share) {
    if (share == NULL)
        return;
    CORE_MAGIC_CHECK(share, SHARE_MAGIC);
    assert(!share->has_thread);
    for (unsigned i = 0; i < TRIGGERS_PARTITIONS; i++)
        fanout_lease_free(share->parts[i].lease);
    fanout_lease_free(share->node_lease);
    fanout_bucket_free(share->bucket);
    fanout_connection_free(share->connection);
    core_buffer_fini(&share->record);
    (void)pthread_mutex_destroy(&share->lock);
    if (share->wake_fd >= 0)
        (void)close(share->wake_fd);
    share->magic = 0;
    free(share);
}
