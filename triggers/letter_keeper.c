/* See letter_keeper.h.
 *
 * Happy path: the thread keeps the lease and inspects the stream; below half of its size that is
 * all. Above it, and when something has come since, all letters are read once to count them, and
 * once more, the oldest first, to know which go. Then letters are put where they belong
 * (letter_sort.h). The next look is at least twenty times as long away as that took.
 *
 * Failure: without a broker, or without the lease, it waits; nothing is kept between looks but what
 * the stream's end was. */
#include "triggers/letter_keeper.h"

#include "triggers/letter_account.h"
#include "triggers/letter_sort.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#define KEEPER_MAGIC UINT32_C(0x4b454550)

enum {
    LEASE_PART = 3, /* renewed so often within its time */
    LOOK_LEAST_MS = 1000,
    REST_TIMES = 20,
    REMOVE_MAX = 4096,              /* of one look; the next goes on */
    SORT_EVERY_MS = 10 * 60 * 1000, /* a process of an earlier version may still write */
    WHOLE_PERCENT = 100,
    OWNER_MAX = 32,
};

typedef struct {
    triggers_part part; /* first: the interface points here */
    uint32_t magic;
    triggers_host *host;
    pthread_t thread;
    bool started;
    /* The thread's own. */
    fanout_connection *connection;
    fanout_bucket *leases;
    fanout_lease *lease;
    char stream[FANOUT_NAME_MAX], subject[CORE_SUBJECT_MAX];
    uint64_t seen;    /* the stream's end at the last look */
    bool goes_on;     /* that look has left some that go */
    int64_t rests_ms; /* until then */
    uint64_t sorted;  /* up to that letter all are where they belong */
    int64_t sort_ms;  /* when that is looked at next */
    uint64_t *going;
    size_t going_count;
    triggers_letter_account *account; /* during a look */
    /* Shared, under the lock. */
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    bool stopping;
} letter_keeper;

static letter_keeper *keeper_of(void *context) {
    letter_keeper *keeper = context;
    CORE_MAGIC_CHECK(keeper, KEEPER_MAGIC);
    return keeper;
}

static int64_t now_ms(const letter_keeper *keeper) {
    return core_clock_ms(keeper->host->spec.clock);
}

/* ---- a look ---- */

static bool letter_count(void *context, const fanout_message *message, core_error *error) {
    letter_keeper *keeper = context;
    if (!triggers_letter_account_count(keeper->account, message->payload))
        return core_error_set(error, CORE_ERROR_INTERNAL, "no memory to count dead letters");
    return message->pending > 0;
}

static bool letter_look(void *context, const fanout_message *message, core_error *error) {
    letter_keeper *keeper = context;
    (void)error;
    if (triggers_letter_account_takes(keeper->account, message->payload))
        keeper->going[keeper->going_count++] = message->sequence;
    return message->pending > 0 && keeper->going_count < REMOVE_MAX;
}

static bool letters_read(letter_keeper *keeper, uint64_t last, fanout_each_handler take,
                         core_error *error) {
    const fanout_log_range range = {
        .stream = keeper->stream, .subject = keeper->subject, .first = 1, .last = last};
    error->code = CORE_ERROR_NONE;
    return fanout_log_read(keeper->connection, &range, take, keeper, error) ||
           error->code == CORE_ERROR_NONE; /* ended by the handler */
}

static bool project_tell(void *context, core_slice project, size_t letters) {
    const letter_keeper *keeper = context;
    char name[TRIGGERS_NAME_MAX + 1] = "";
    (void)!core_slice_to_text(project, name, sizeof name);
    CORE_LOG(keeper->host->spec.log, WARN, "triggers",
             "a project's dead letters took more than its share: its oldest are removed",
             CORE_LOG_TEXT("project", name), CORE_LOG_NUMBER("letters", letters));
    return true;
}

static bool letters_remove(letter_keeper *keeper, core_error *error) {
    for (size_t i = 0; i < keeper->going_count; i++) {
        if (!fanout_stream_remove(keeper->connection, keeper->stream, keeper->going[i], error))
            return false;
        core_metrics_add(keeper->host->spec.metrics, CORE_METRIC_TRIGGERS_DEAD_REMOVED, 1);
    }
    triggers_letter_account_each(keeper->account, project_tell, keeper);
    return true;
}

static bool letters_keep(letter_keeper *keeper, uint64_t last, core_error *error) {
    keeper->going_count = 0;
    keeper->goes_on = false;
    if (!letters_read(keeper, last, letter_count, error))
        return false;
    if (triggers_letter_account_over(keeper->account) == 0)
        return true;
    if (!letters_read(keeper, last, letter_look, error) || !letters_remove(keeper, error))
        return false;
    keeper->goes_on = keeper->going_count == REMOVE_MAX;
    return true;
}

static bool keeper_look(letter_keeper *keeper, core_error *error) {
    const core_config *config = keeper->host->spec.config;
    uint64_t all = (uint64_t)core_config_integer(config, "triggers.dlq_bytes");
    uint64_t percent = (uint64_t)core_config_integer(config, "triggers.dlq_project_share");
    fanout_stream_info info;
    if (!fanout_stream_inspect(keeper->connection, keeper->stream, &info, error))
        return error->code == CORE_ERROR_INPUT; /* it is not there yet */
    if (percent >= WHOLE_PERCENT || info.bytes <= all / 2 ||
        (info.last_sequence == keeper->seen && !keeper->goes_on))
        return true;
    const char *own = core_config_text(config, "project");
    keeper->account =
        triggers_letter_account_new(core_slice_text(own), all / WHOLE_PERCENT * percent, error);
    bool ok = keeper->account != NULL && letters_keep(keeper, info.last_sequence, error);
    triggers_letter_account_free(keeper->account);
    keeper->account = NULL;
    if (ok)
        keeper->seen = info.last_sequence;
    return ok;
}

static bool keeper_sort(letter_keeper *keeper, core_error *error) {
    const core_config *config = keeper->host->spec.config;
    fanout_stream_info info;
    bool goes_on = false;
    if (now_ms(keeper) < keeper->sort_ms)
        return true;
    if (!fanout_stream_inspect(keeper->connection, keeper->stream, &info, error))
        return error->code == CORE_ERROR_INPUT; /* it is not there yet */
    if (!triggers_letters_sort(keeper->connection, config, &keeper->sorted, &goes_on, error))
        return false;
    keeper->sort_ms = now_ms(keeper) + (goes_on ? 0 : SORT_EVERY_MS);
    return true;
}

/* ---- the thread ---- */

static bool keeper_open(letter_keeper *keeper, core_error *error) {
    const triggers_spec *spec = &keeper->host->spec;
    int64_t ttl_ms = core_config_integer(spec->config, "triggers.lease");
    char owner[OWNER_MAX];
    uint64_t random;
    if (keeper->lease != NULL)
        return true;
    (void)fanout_stream_work_spec(spec->config, FANOUT_WORK_DEAD, keeper->stream, keeper->subject);
    if (keeper->connection == NULL)
        keeper->connection = fanout_connection_new(spec->config, "walcast dead letters", spec->log,
                                                   spec->metrics, error);
    if (keeper->connection != NULL && keeper->leases == NULL)
        keeper->leases =
            fanout_bucket_new_brief(keeper->connection, spec->config, "leases", ttl_ms, error);
    if (keeper->leases == NULL)
        return false;
    if (getrandom(&random, sizeof random, 0) != sizeof random)
        return core_error_set(error, CORE_ERROR_INTERNAL, "no random number for a lease");
    (void)snprintf(owner, sizeof owner, "%016llx", (unsigned long long)random);
    const fanout_lease_spec lease = {.key = "letters", .owner = owner, .ttl_ms = ttl_ms};
    keeper->lease = fanout_lease_new(keeper->leases, &lease, spec->clock, error);
    return keeper->lease != NULL;
}

static void keeper_turn(letter_keeper *keeper) {
    core_error error = {.text = ""};
    bool ok = keeper_open(keeper, &error);
    if (ok && !fanout_lease_keep(keeper->lease, &error))
        ok = error.code == CORE_ERROR_CONFLICT; /* another one looks */
    if (ok && fanout_lease_held(keeper->lease) && now_ms(keeper) >= keeper->rests_ms) {
        int64_t began_ms = now_ms(keeper);
        ok = keeper_look(keeper, &error) && keeper_sort(keeper, &error);
        int64_t rest_ms = (now_ms(keeper) - began_ms) * REST_TIMES;
        keeper->rests_ms = now_ms(keeper) + (rest_ms > LOOK_LEAST_MS ? rest_ms : LOOK_LEAST_MS);
    }
    if (!ok)
        CORE_LOG(keeper->host->spec.log, DEBUG, "triggers", "dead letters were not looked at",
                 CORE_LOG_TEXT("error", error.text));
}

/* False: it is to stop. */
static bool keeper_wait(letter_keeper *keeper, int64_t timeout_ms) {
    (void)pthread_mutex_lock(&keeper->mutex);
    if (!keeper->stopping)
        (void)core_condition_wait(&keeper->wake, &keeper->mutex, timeout_ms);
    bool goes_on = !keeper->stopping;
    (void)pthread_mutex_unlock(&keeper->mutex);
    return goes_on;
}

static void *keeper_run(void *context) {
    letter_keeper *keeper = keeper_of(context);
    int64_t part_ms = core_config_integer(keeper->host->spec.config, "triggers.lease") / LEASE_PART;
    (void)pthread_setname_np(pthread_self(), "walcast-letters");
    while (keeper_wait(keeper, part_ms < LOOK_LEAST_MS ? part_ms : LOOK_LEAST_MS))
        keeper_turn(keeper);
    if (keeper->lease != NULL && fanout_lease_held(keeper->lease))
        fanout_lease_release(keeper->lease);
    return NULL;
}

/* ---- the part ---- */

static bool part_start(triggers_part *part, core_error *error) {
    letter_keeper *keeper = keeper_of(part);
    if (keeper->host->tenants.count == 0)
        return true;
    keeper->going = calloc(REMOVE_MAX, sizeof *keeper->going);
    if (keeper->going == NULL)
        return core_error_set(error, CORE_ERROR_INTERNAL, "no memory for the dead letters' keeper");
    keeper->started = pthread_create(&keeper->thread, NULL, keeper_run, keeper) == 0;
    return keeper->started ||
           core_error_set(error, CORE_ERROR_INTERNAL, "cannot start the dead letters' thread");
}

static void part_stop(triggers_part *part) {
    letter_keeper *keeper = keeper_of(part);
    (void)pthread_mutex_lock(&keeper->mutex);
    keeper->stopping = true;
    (void)pthread_cond_signal(&keeper->wake);
    (void)pthread_mutex_unlock(&keeper->mutex);
    if (keeper->started)
        (void)pthread_join(keeper->thread, NULL);
    fanout_lease_free(keeper->lease);
    fanout_bucket_free(keeper->leases);
    fanout_connection_free(keeper->connection);
    free(keeper->going);
    (void)pthread_cond_destroy(&keeper->wake);
    (void)pthread_mutex_destroy(&keeper->mutex);
    keeper->magic = 0;
    free(keeper);
}

triggers_part *triggers_letter_keeper_part(triggers_host *host, core_error *error) {
    letter_keeper *keeper = calloc(1, sizeof *keeper);
    if (keeper == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "no memory for the dead letters' keeper");
        return NULL;
    }
    keeper->part = (triggers_part){.name = "dead letters", .start = part_start, .stop = part_stop};
    keeper->magic = KEEPER_MAGIC;
    keeper->host = host;
    (void)pthread_mutex_init(&keeper->mutex, NULL);
    core_condition_init(&keeper->wake);
    return &keeper->part;
}
