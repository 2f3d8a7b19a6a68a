/* Names, bounds, ids and backoff of jobs; see job.h. */
#include "triggers/job.h"

#include <stdio.h>
#include <sys/random.h>

#define TIME_MAX_US    INT64_C(253402300800000000) /* the year 10000 */
#define TIMEOUT_MIN_MS 1000
#define DAY_MS         (INT64_C(86400) * CORE_MS_PER_S)

static const char *const state_names[TRIGGERS_JOB_STATES] = {
    [TRIGGERS_JOB_NONE] = "none",           [TRIGGERS_JOB_SCHEDULED] = "scheduled",
    [TRIGGERS_JOB_READY] = "ready",         [TRIGGERS_JOB_RUNNING] = "running",
    [TRIGGERS_JOB_SUCCEEDED] = "succeeded", [TRIGGERS_JOB_DEAD] = "dead",
    [TRIGGERS_JOB_CANCELLED] = "cancelled", [TRIGGERS_JOB_DUPLICATE] = "duplicate",
};

const char *triggers_job_state_name(triggers_job_state state) {
    assert(state < TRIGGERS_JOB_STATES);
    return state_names[state];
}

triggers_job_state triggers_job_state_parse(core_slice name) {
    for (triggers_job_state state = TRIGGERS_JOB_SCHEDULED; state < TRIGGERS_JOB_STATES; state++)
        if (core_slice_is(name, state_names[state]))
            return state;
    return TRIGGERS_JOB_NONE;
}

bool triggers_job_is_over(triggers_job_state state) {
    return state >= TRIGGERS_JOB_SUCCEEDED;
}

triggers_job triggers_job_defaults(void) {
    return (triggers_job){
        .payload = core_slice_text("null"),
        .concurrency = 1,
        .max_attempts = 20,
        .backoff_first_ms = 5000,
        .backoff_max_ms = 6 * 3600 * CORE_MS_PER_S,
        .timeout_ms = 60 * CORE_MS_PER_S,
        .keep_ms = DAY_MS,
    };
}

/* ---- Bounds ---- */

static bool name_is_valid(core_slice queue) {
    for (size_t i = 0; i < queue.length; i++) {
        uint8_t byte = queue.data[i], letter = byte | 0x20;
        if (!(letter >= 'a' && letter <= 'z') && !(byte >= '0' && byte <= '9') && byte != '-' &&
            byte != '_')
            return false;
    }
    return queue.length > 0;
}

/* What it reaches is judged by who knows the guard, and again when it is connected to. */
static bool callback_check(const triggers_job *job, core_error *error) {
    if (job->callback_url.length == 0)
        return job->callback_secret.length == 0 ||
               core_error_set(error, CORE_ERROR_INPUT, "callback_secret: goes with callback");
    if (!core_slice_begins(job->callback_url, core_slice_text("https://")) &&
        !core_slice_begins(job->callback_url, core_slice_text("http://")))
        return core_error_set(error, CORE_ERROR_INPUT,
                              "callback: expected a URL that begins with https:// or http://");
    if (memchr(job->callback_url.data, '\0', job->callback_url.length) != NULL)
        return core_error_set(error, CORE_ERROR_INPUT, "callback: a URL has no NUL");
    return name_is_valid(job->callback_secret) ||
           core_error_set(error, CORE_ERROR_INPUT, "callback_secret: expected a secret's name");
}

static bool texts_check(const triggers_job *job, core_error *error) {
    const struct {
        const char *name;
        core_slice text;
        size_t max;
    } texts[] = {
        {"project", job->project, TRIGGERS_JOB_PROJECT_MAX},
        {"queue", job->queue, TRIGGERS_JOB_QUEUE_MAX},
        {"type", job->type, TRIGGERS_JOB_TYPE_MAX},
        {"payload", job->payload, TRIGGERS_JOB_PAYLOAD_MAX},
        {"unique_key", job->unique_key, TRIGGERS_JOB_KEY_MAX},
        {"concurrency_key", job->concurrency_key, TRIGGERS_JOB_KEY_MAX},
        {"callback", job->callback_url, TRIGGERS_JOB_URL_MAX},
        {"callback_secret", job->callback_secret, TRIGGERS_JOB_SECRET_MAX},
    };
    for (size_t i = 0; i < CORE_COUNT_OF(texts); i++) {
        if (texts[i].text.length > texts[i].max)
            return core_error_set(error, CORE_ERROR_INPUT, "%s has %zu bytes, expected at most %zu",
                                  texts[i].name, texts[i].text.length, texts[i].max);
        if (!core_utf8_valid(texts[i].text))
            return core_error_set(error, CORE_ERROR_INPUT, "%s is not valid UTF-8", texts[i].name);
    }
    if (!name_is_valid(job->queue))
        return core_error_set(error, CORE_ERROR_INPUT,
                              "queue: expected 1 to %d letters, digits, '-' and '_'",
                              TRIGGERS_JOB_QUEUE_MAX);
    if (!core_json_valid(job->payload))
        return core_error_set(error, CORE_ERROR_INPUT, "payload is not one JSON value");
    return callback_check(job, error);
}

static bool numbers_check(const triggers_job *job, core_error *error) {
    const struct {
        const char *name;
        int64_t value, min, max;
    } numbers[] = {
        {"priority", job->priority, -TRIGGERS_JOB_PRIORITY_MAX, TRIGGERS_JOB_PRIORITY_MAX},
        {"max_attempts", job->max_attempts, 1, TRIGGERS_JOB_ATTEMPTS_MAX},
        {"concurrency", job->concurrency, 1, TRIGGERS_JOB_CONCURRENCY_MAX},
        {"backoff_first_ms", job->backoff_first_ms, 0, DAY_MS},
        {"backoff_max_ms", job->backoff_max_ms, 0, 30 * DAY_MS},
        {"timeout_ms", job->timeout_ms, TIMEOUT_MIN_MS, DAY_MS},
        {"keep_ms", job->keep_ms, 0, 30 * DAY_MS},
        {"created_at", job->created_us, 0, TIME_MAX_US},
        {"run_at", job->run_at_us, 0, TIME_MAX_US},
        {"deadline", job->deadline_us, 0, TIME_MAX_US},
        {"depth", job->depth, 0, CORE_CHAIN_DEPTH_MAX},
    };
    for (size_t i = 0; i < CORE_COUNT_OF(numbers); i++)
        if (numbers[i].value < numbers[i].min || numbers[i].value > numbers[i].max)
            return core_error_set(error, CORE_ERROR_INPUT, "%s is %lld, expected %lld to %lld",
                                  numbers[i].name, (long long)numbers[i].value,
                                  (long long)numbers[i].min, (long long)numbers[i].max);
    return true;
}

bool triggers_job_check(const triggers_job *job, core_error *error) {
    unsigned partition;
    if (!triggers_job_id_partition(core_slice_text(job->id), &partition))
        return core_error_set(error, CORE_ERROR_INPUT, "id \"%.64s\" is not a job's", job->id);
    if (job->project.length == 0)
        return core_error_set(error, CORE_ERROR_INPUT, "project is missing");
    return texts_check(job, error) && numbers_check(job, error);
}

/* ---- Ids ---- */

/* Crockford's base 32, which sorts as the numbers do. */
static const char digits[] = "0123456789abcdefghjkmnpqrstvwxyz";

unsigned triggers_job_partition_of(core_slice project, core_slice queue) {
    uint64_t hash = core_slice_hash_more(core_slice_hash(project), core_slice_make("", 1));
    hash = core_slice_hash_more(hash, queue);
    return (unsigned)((hash ^ hash >> 32) % TRIGGERS_JOB_PARTITIONS);
}

void triggers_job_id_write(unsigned partition, int64_t now_us, const uint8_t random[10],
                           char id[TRIGGERS_JOB_ID_LENGTH + 1]) {
    assert(partition < TRIGGERS_JOB_PARTITIONS && now_us >= 0);
    uint64_t ms = (uint64_t)(now_us / CORE_US_PER_MS);
    for (size_t i = 10; i-- > 0; ms >>= 5)
        id[i] = digits[ms & 31];
    id[10] = digits[partition >> 4];
    id[11] = digits[partition & 15];
    for (size_t half = 0; half < 2; half++) { /* 40 bits are 8 digits */
        uint64_t bits = 0;
        for (size_t i = 0; i < 5; i++)
            bits = bits << 8 | random[half * 5 + i];
        for (size_t i = 8; i-- > 0; bits >>= 5)
            id[12 + half * 8 + i] = digits[bits & 31];
    }
    id[TRIGGERS_JOB_ID_LENGTH] = '\0';
}

bool triggers_job_id_make(unsigned partition, int64_t now_us, char id[TRIGGERS_JOB_ID_LENGTH + 1],
                          core_error *error) {
    uint8_t random[10];
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        return core_error_set(error, CORE_ERROR_INTERNAL, "the system gives no random bytes");
    triggers_job_id_write(partition, now_us, random, id);
    return true;
}

bool triggers_job_id_partition(core_slice id, unsigned *partition) {
    if (id.length != TRIGGERS_JOB_ID_LENGTH)
        return false;
    for (size_t i = 0; i < id.length; i++)
        if (id.data[i] == '\0' || strchr(digits, id.data[i]) == NULL)
            return false;
    int high = core_hex_digit(id.data[10]), low = core_hex_digit(id.data[11]);
    if (high < 0 || low < 0 || high * 16 + low >= TRIGGERS_JOB_PARTITIONS)
        return false;
    *partition = (unsigned)(high * 16 + low);
    return true;
}

/* ---- Backoff ---- */

int64_t triggers_job_backoff_ms(const triggers_job *job, uint32_t attempts) {
    int64_t wait_ms = job->backoff_first_ms;
    for (uint32_t i = 1; i < attempts && wait_ms < job->backoff_max_ms && wait_ms > 0; i++)
        wait_ms *= 2;
    if (wait_ms > job->backoff_max_ms)
        wait_ms = job->backoff_max_ms;
    uint64_t hash = core_slice_hash_more(core_slice_hash(core_slice_text(job->id)),
                                         core_slice_make(&attempts, sizeof attempts));
    return wait_ms - (int64_t)((hash >> 32) % (uint64_t)(wait_ms / 4 + 1));
}
