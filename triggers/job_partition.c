/* See job_partition.h. */
#include "triggers/job_partition.h"

#include <stdlib.h>

#define PARTITION_MAGIC 0x10b9a471u

enum {
    MESSAGE_VERSION = 1,
    TICK_MAX = 200,
    LIST_MAX = 500,
    PULL_WAIT_MAX_MS = 60 * 1000,
    GET_WAIT_MS = 1500, /* of an id that is not known yet: it may stand in the inbox */
    GET_YOUNG_MS = 60 * 1000,
    GETS_MAX = 1024, /* that wait so */
};
/* A snapshot is due when the log has grown by so much and by twice what the jobs take: so that
 * writing them again costs a third at the most. */
#define SNAPSHOT_BYTES       ((uint64_t)4 << 20)
#define SNAPSHOT_PIECE_BYTES ((size_t)256 << 10)

/* An answer that waits for the log. */
typedef struct partition_answer partition_answer;
struct partition_answer {
    partition_answer *next;
    triggers_job_asker *asker;
    uint64_t behind;
    int64_t until_us; /* not told from then on: jobs that it hands out may be another's */
    core_buffer text;
};

/* A pull that the machine holds; its token is its address. */
typedef struct partition_pull partition_pull;
struct partition_pull {
    partition_pull *before, *next;
    triggers_job_asker *asker;
    core_buffer text;
    core_json_writer json;
    int64_t until_us;
};

/* A look-up of a job that may still come. */
typedef struct partition_get partition_get;
struct partition_get {
    partition_get *next;
    triggers_job_asker *asker;
    int64_t until_us;
    char id[TRIGGERS_JOB_ID_LENGTH + 1];
    char project[TRIGGERS_JOB_PROJECT_MAX + 1];
};

struct triggers_job_partition {
    uint32_t magic;
    triggers_job_driver driver;
    triggers_jobs *jobs;
    partition_answer *first_answer, **last_answer;
    partition_pull *pulls;
    partition_get *gets;
    size_t get_count;
    int64_t now_us;
    uint64_t malformed;
    bool appends;
    uint64_t sent, acked;        /* bytes of records */
    uint64_t sent_taken, stored; /* the inbox: in the message under way, and in the log */
    uint64_t grown;              /* since the last snapshot began */
    bool snapshots, snapshot_whole, snapshot_starts;
    uint64_t snapshot_from, snapshot_until; /* bytes of records */
    uint64_t snapshot_sequence; /* of the message that holds its beginning; 0: the one under way */
};

/* ---- Asks ---- */

static const char *const ask_names[TRIGGERS_JOB_ASKS] = {
    [TRIGGERS_JOB_ASK_PULL] = "pull",     [TRIGGERS_JOB_ASK_PROGRESS] = "progress",
    [TRIGGERS_JOB_ASK_RESULT] = "result", [TRIGGERS_JOB_ASK_GET] = "get",
    [TRIGGERS_JOB_ASK_LIST] = "list",     [TRIGGERS_JOB_ASK_CANCEL] = "cancel",
    [TRIGGERS_JOB_ASK_RETRY] = "retry",
};

const char *triggers_job_ask_name(triggers_job_ask ask) {
    return ask_names[ask];
}

triggers_job_ask triggers_job_ask_parse(core_slice name) {
    triggers_job_ask ask = 0;
    while (ask < TRIGGERS_JOB_ASKS && !core_slice_is(name, ask_names[ask]))
        ask++;
    return ask;
}

bool triggers_job_ask_is_workers(triggers_job_ask ask) {
    return ask <= TRIGGERS_JOB_ASK_RESULT;
}

/* ---- Answers ---- */

/* Takes `text` over. */
static void answer_put(triggers_job_partition *partition, triggers_job_asker *asker,
                       core_buffer *text, int64_t until_us) {
    partition_answer *answer = malloc(sizeof *answer);
    if (answer == NULL || !core_buffer_ok(text)) {
        free(answer);
        core_buffer_fini(text);
        partition->driver.forget(partition->driver.context, asker);
        return;
    }
    *answer = (partition_answer){.asker = asker,
                                 .behind = triggers_jobs_emitted(partition->jobs),
                                 .until_us = until_us,
                                 .text = *text};
    *partition->last_answer = answer;
    partition->last_answer = &answer->next;
}

static void answer_free(partition_answer *answer) {
    core_buffer_fini(&answer->text);
    free(answer);
}

static void answers_tell(triggers_job_partition *partition) {
    partition_answer *answer;
    while ((answer = partition->first_answer) != NULL && answer->behind <= partition->acked) {
        partition->first_answer = answer->next;
        if (answer->next == NULL)
            partition->last_answer = &partition->first_answer;
        if (partition->now_us < answer->until_us)
            partition->driver.answer(partition->driver.context, answer->asker,
                                     core_buffer_slice(&answer->text));
        else
            partition->driver.forget(partition->driver.context, answer->asker);
        answer_free(answer);
    }
}

static core_json_writer text_open(core_buffer *text, const char *status) {
    core_buffer_init(text, TRIGGERS_JOB_ANSWER_MAX);
    core_json_writer json = core_json_writer_make(text);
    core_json_object_open(&json);
    core_json_key_text(&json, "status");
    core_json_text(&json, status);
    return json;
}

static void answer_verdict(triggers_job_partition *partition, triggers_job_asker *asker,
                           triggers_jobs_verdict verdict) {
    core_buffer text;
    core_json_writer json = text_open(&text, triggers_jobs_verdict_name(verdict));
    core_json_object_close(&json);
    answer_put(partition, asker, &text, INT64_MAX);
}

/* ---- The sink ---- */

static void on_handed_out(void *context, uint64_t token, const triggers_job *job,
                          const triggers_job_status *status) {
    triggers_job_partition *partition = context;
    CORE_MAGIC_CHECK(partition, PARTITION_MAGIC);
    partition_pull *pull = (partition_pull *)(uintptr_t)token;
    int64_t until_us = status->started_us + job->timeout_ms * CORE_US_PER_MS;
    if (until_us < pull->until_us)
        pull->until_us = until_us;
    triggers_job_write_handout(&pull->json, job, status);
}

static void pull_unlink(triggers_job_partition *partition, partition_pull *pull) {
    *(pull->before != NULL ? &pull->before->next : &partition->pulls) = pull->next;
    if (pull->next != NULL)
        pull->next->before = pull->before;
}

static void on_pull_ended(void *context, uint64_t token) {
    triggers_job_partition *partition = context;
    CORE_MAGIC_CHECK(partition, PARTITION_MAGIC);
    partition_pull *pull = (partition_pull *)(uintptr_t)token;
    core_json_array_close(&pull->json);
    core_json_object_close(&pull->json);
    pull_unlink(partition, pull);
    answer_put(partition, pull->asker, &pull->text, pull->until_us);
    free(pull);
}

static void on_callback(void *context, const triggers_job *job, const triggers_job_status *status) {
    triggers_job_partition *partition = context;
    CORE_MAGIC_CHECK(partition, PARTITION_MAGIC);
    partition->driver.callback(partition->driver.context, job, status);
}

/* ---- Life ---- */

triggers_job_partition *triggers_job_partition_new(const triggers_job_partition_spec *spec,
                                                   core_error *error) {
    triggers_job_partition *partition = calloc(1, sizeof *partition);
    if (partition == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "out of memory for a partition of jobs");
        return NULL;
    }
    const triggers_jobs_spec jobs = {.max_jobs = spec->max_jobs,
                                     .max_bytes = spec->max_bytes,
                                     .dead_keep_ms = spec->dead_keep_ms,
                                     .seed = spec->seed,
                                     .sink = {.context = partition,
                                              .handed_out = on_handed_out,
                                              .pull_ended = on_pull_ended,
                                              .callback = on_callback}};
    partition->magic = PARTITION_MAGIC;
    partition->driver = spec->driver;
    partition->last_answer = &partition->first_answer;
    partition->jobs = triggers_jobs_new(&jobs, error);
    if (partition->jobs != NULL)
        return partition;
    free(partition);
    return NULL;
}

void triggers_job_partition_free(triggers_job_partition *partition) {
    if (partition == NULL)
        return;
    CORE_MAGIC_CHECK(partition, PARTITION_MAGIC);
    const triggers_job_driver *driver = &partition->driver;
    triggers_jobs_free(partition->jobs);
    for (partition_answer *answer; (answer = partition->first_answer) != NULL;) {
        partition->first_answer = answer->next;
        driver->forget(driver->context, answer->asker);
        answer_free(answer);
    }
    for (partition_pull *pull; (pull = partition->pulls) != NULL;) {
        partition->pulls = pull->next;
        driver->forget(driver->context, pull->asker);
        core_buffer_fini(&pull->text);
        free(pull);
    }
    for (partition_get *get; (get = partition->gets) != NULL;) {
        partition->gets = get->next;
        driver->forget(driver->context, get->asker);
        free(get);
    }
    partition->magic = 0;
    free(partition);
}

/* ---- The log ---- */

void triggers_job_partition_first(core_buffer *out) {
    core_buffer_u8(out, MESSAGE_VERSION);
}

bool triggers_job_partition_fold(triggers_job_partition *partition, core_slice message,
                                 core_error *error) {
    if (message.length == 0 || message.data[0] != MESSAGE_VERSION)
        return core_error_set(error, CORE_ERROR_INPUT,
                              "a message of the jobs' log is of version %d, expected %d: a newer "
                              "Walcast wrote it",
                              message.length > 0 ? message.data[0] : -1, MESSAGE_VERSION);
    partition->grown += message.length;
    return triggers_jobs_fold(partition->jobs,
                              core_slice_make(message.data + 1, message.length - 1), error);
}

void triggers_job_partition_begin(triggers_job_partition *partition, int64_t now_us) {
    partition->stored = triggers_jobs_taken(partition->jobs);
    triggers_job_partition_resume(partition, now_us);
}

void triggers_job_partition_resume(triggers_job_partition *partition, int64_t now_us) {
    partition->now_us = now_us;
    triggers_jobs_resume(partition->jobs, now_us);
}

static void snapshot_step(triggers_job_partition *partition) {
    uint64_t due = SNAPSHOT_BYTES + 2 * (uint64_t)triggers_jobs_count(partition->jobs).bytes;
    if (!partition->snapshots && partition->grown >= due) {
        partition->snapshots = partition->snapshot_starts = true;
        partition->snapshot_whole = false;
        partition->grown = 0;
        partition->snapshot_from = triggers_jobs_emitted(partition->jobs);
        triggers_jobs_snapshot_begin(partition->jobs);
    }
    if (partition->snapshots && !partition->snapshot_whole) {
        partition->snapshot_whole =
            triggers_jobs_snapshot_next(partition->jobs, SNAPSHOT_PIECE_BYTES);
        partition->snapshot_until = triggers_jobs_emitted(partition->jobs);
    }
}

bool triggers_job_partition_append(triggers_job_partition *partition, core_buffer *out,
                                   core_error *error) {
    if (partition->appends)
        return true;
    snapshot_step(partition);
    if (triggers_jobs_records_wait(partition->jobs) == 0) {
        answers_tell(partition); /* that had nothing to wait for */
        return true;
    }
    core_buffer_u8(out, MESSAGE_VERSION);
    partition->sent_taken = triggers_jobs_records_wait(partition->jobs) <= TRIGGERS_JOB_MESSAGE_MAX
                                ? triggers_jobs_taken(partition->jobs)
                                : partition->stored;
    if (!triggers_jobs_records_take(partition->jobs, TRIGGERS_JOB_MESSAGE_MAX, out))
        return core_error_set(error, CORE_ERROR_INTERNAL, "out of memory for the jobs' log");
    partition->sent += out->length - 1;
    partition->grown += out->length;
    partition->appends = true;
    if (partition->snapshot_starts && partition->sent > partition->snapshot_from) {
        partition->snapshot_starts = false;
        partition->snapshot_sequence = 0;
    }
    return true;
}

void triggers_job_partition_appended(triggers_job_partition *partition, uint64_t sequence,
                                     int64_t now_us, uint64_t *unneeded) {
    assert(partition->appends);
    partition->now_us = now_us;
    partition->appends = false;
    partition->acked = partition->sent;
    partition->stored = partition->sent_taken;
    *unneeded = 0;
    if (partition->snapshots && !partition->snapshot_starts && partition->snapshot_sequence == 0)
        partition->snapshot_sequence = sequence;
    if (partition->snapshots && partition->snapshot_whole &&
        partition->acked >= partition->snapshot_until) {
        *unneeded = partition->snapshot_sequence;
        partition->snapshots = false;
    }
    answers_tell(partition);
}

/* ---- The inbox ---- */

bool triggers_job_partition_take(triggers_job_partition *partition, uint64_t sequence,
                                 core_slice message, int64_t now_us) {
    triggers_job job;
    core_cursor cursor = core_cursor_make(message);
    partition->now_us = now_us;
    if (!triggers_job_decode(&cursor, &job) || !core_cursor_done(&cursor)) {
        partition->malformed++;
        triggers_jobs_pass(partition->jobs, sequence);
        return true;
    }
    return triggers_jobs_add(partition->jobs, &job, sequence, now_us) != TRIGGERS_JOBS_FULL;
}

uint64_t triggers_job_partition_taken(const triggers_job_partition *partition) {
    return triggers_jobs_taken(partition->jobs);
}

uint64_t triggers_job_partition_stored(const triggers_job_partition *partition) {
    return partition->stored;
}

/* ---- Questions ---- */

static void ask_pull(triggers_job_partition *partition, const triggers_job_word *word,
                     triggers_job_asker *asker) {
    partition_pull *pull = calloc(1, sizeof *pull);
    if (pull == NULL) {
        answer_verdict(partition, asker, TRIGGERS_JOBS_FULL);
        return;
    }
    pull->asker = asker;
    pull->until_us = INT64_MAX;
    pull->json = text_open(&pull->text, "ok");
    core_json_key_text(&pull->json, "jobs");
    core_json_array_open(&pull->json);
    pull->next = partition->pulls;
    if (pull->next != NULL)
        pull->next->before = pull;
    partition->pulls = pull;
    size_t max = word->max < 1                           ? 1
                 : word->max > TRIGGERS_JOBS_HANDOUT_MAX ? TRIGGERS_JOBS_HANDOUT_MAX
                                                         : (size_t)word->max;
    int64_t wait_ms = word->wait_ms < 0                  ? 0
                      : word->wait_ms > PULL_WAIT_MAX_MS ? PULL_WAIT_MAX_MS
                                                         : word->wait_ms;
    if (triggers_jobs_pull(partition->jobs, word->project, word->queue, max,
                           partition->now_us + wait_ms * CORE_US_PER_MS, (uintptr_t)pull,
                           partition->now_us) == TRIGGERS_JOBS_OK)
        return;
    pull_unlink(partition, pull);
    core_buffer_fini(&pull->text);
    free(pull);
    answer_verdict(partition, asker, TRIGGERS_JOBS_FULL);
}

static void ask_progress(triggers_job_partition *partition, const triggers_job_word *word,
                         triggers_job_asker *asker) {
    answer_verdict(partition, asker,
                   triggers_jobs_progress(partition->jobs, word->project, word->id, word->lease,
                                          partition->now_us));
}

static void ask_result(triggers_job_partition *partition, const triggers_job_word *word,
                       triggers_job_asker *asker) {
    triggers_jobs_verdict verdict =
        word->has_error
            ? triggers_jobs_fail(partition->jobs, word->project, word->id, word->lease, word->error,
                                 word->retry_in_ms, word->final, partition->now_us)
            : triggers_jobs_succeed(partition->jobs, word->project, word->id, word->lease,
                                    word->result, partition->now_us);
    answer_verdict(partition, asker, verdict);
}

static void job_tell(triggers_job_partition *partition, const triggers_job *job,
                     const triggers_job_status *status, triggers_job_asker *asker) {
    core_buffer text;
    core_json_writer json = text_open(&text, "ok");
    core_json_key_text(&json, "job");
    triggers_job_write(&json, job, status, true);
    core_json_object_close(&json);
    answer_put(partition, asker, &text, INT64_MAX);
}

/* Whether the id was made so lately that its job may not have come here yet. */
static bool id_is_young(core_slice id, int64_t now_us) {
    char oldest[TRIGGERS_JOB_ID_LENGTH + 1];
    static const uint8_t none[10];
    int64_t from_us = now_us - GET_YOUNG_MS * CORE_US_PER_MS;
    triggers_job_id_write(0, from_us > 0 ? from_us : 0, none, oldest);
    return id.length == TRIGGERS_JOB_ID_LENGTH && memcmp(id.data, oldest, 10) >= 0;
}

static void ask_get(triggers_job_partition *partition, const triggers_job_word *word,
                    triggers_job_asker *asker) {
    const triggers_job_status *status;
    const triggers_job *job = triggers_jobs_find(partition->jobs, word->project, word->id, &status);
    if (job != NULL) {
        job_tell(partition, job, status, asker);
        return;
    }
    bool waits = partition->get_count < GETS_MAX && id_is_young(word->id, partition->now_us);
    partition_get *get = waits ? calloc(1, sizeof *get) : NULL;
    if (get == NULL || !core_slice_to_text(word->id, get->id, sizeof get->id) ||
        !core_slice_to_text(word->project, get->project, sizeof get->project)) {
        free(get);
        answer_verdict(partition, asker, TRIGGERS_JOBS_UNKNOWN);
        return;
    }
    get->asker = asker;
    get->until_us = partition->now_us + GET_WAIT_MS * CORE_US_PER_MS;
    get->next = partition->gets;
    partition->gets = get;
    partition->get_count++;
}

static void gets_look(triggers_job_partition *partition) {
    for (partition_get **at = &partition->gets, *get; (get = *at) != NULL;) {
        const triggers_job_status *status;
        const triggers_job *job = triggers_jobs_find(partition->jobs, core_slice_text(get->project),
                                                     core_slice_text(get->id), &status);
        if (job == NULL && partition->now_us < get->until_us) {
            at = &get->next;
            continue;
        }
        *at = get->next;
        partition->get_count--;
        if (job != NULL)
            job_tell(partition, job, status, get->asker);
        else
            answer_verdict(partition, get->asker, TRIGGERS_JOBS_UNKNOWN);
        free(get);
    }
}

typedef struct {
    const triggers_job_word *word;
    core_json_writer json;
    core_buffer text;
    size_t left;
    bool more;
} list_walk;

static bool list_take(void *context, const triggers_job *job, const triggers_job_status *status) {
    list_walk *walk = context;
    const triggers_job_word *word = walk->word;
    if ((word->project.length > 0 && !core_slice_equal(word->project, job->project)) ||
        (word->queue.length > 0 && !core_slice_equal(word->queue, job->queue)) ||
        (word->state != TRIGGERS_JOB_NONE && word->state != status->state))
        return true;
    walk->more = walk->left == 0 || walk->text.length > TRIGGERS_JOB_ANSWER_MAX / 2;
    if (walk->more)
        return false;
    triggers_job_write(&walk->json, job, status, false);
    walk->left--;
    return true;
}

static void ask_list(triggers_job_partition *partition, const triggers_job_word *word,
                     triggers_job_asker *asker) {
    list_walk walk = {.word = word,
                      .left = word->max > 0 && word->max < LIST_MAX ? (size_t)word->max : LIST_MAX};
    walk.json = text_open(&walk.text, "ok");
    core_json_key_text(&walk.json, "jobs");
    core_json_array_open(&walk.json);
    triggers_jobs_each(partition->jobs, list_take, &walk);
    core_json_array_close(&walk.json);
    core_json_key_text(&walk.json, "more");
    core_json_bool(&walk.json, walk.more);
    core_json_object_close(&walk.json);
    answer_put(partition, asker, &walk.text, INT64_MAX);
}

/* What was done is told with the job as it is now. */
static void decided_tell(triggers_job_partition *partition, const triggers_job_word *word,
                         triggers_jobs_verdict verdict, triggers_job_asker *asker) {
    const triggers_job_status *status;
    const triggers_job *job = triggers_jobs_find(partition->jobs, word->project, word->id, &status);
    core_buffer text;
    core_json_writer json = text_open(&text, triggers_jobs_verdict_name(verdict));
    if (job != NULL) {
        core_json_key_text(&json, "job");
        triggers_job_write(&json, job, status, true);
    }
    core_json_object_close(&json);
    answer_put(partition, asker, &text, INT64_MAX);
}

static void ask_cancel(triggers_job_partition *partition, const triggers_job_word *word,
                       triggers_job_asker *asker) {
    decided_tell(partition, word,
                 triggers_jobs_cancel(partition->jobs, word->project, word->id, partition->now_us),
                 asker);
}

static void ask_retry(triggers_job_partition *partition, const triggers_job_word *word,
                      triggers_job_asker *asker) {
    decided_tell(partition, word,
                 triggers_jobs_retry(partition->jobs, word->project, word->id, partition->now_us),
                 asker);
}

void triggers_job_partition_ask(triggers_job_partition *partition, triggers_job_ask ask,
                                const triggers_job_word *word, triggers_job_asker *asker,
                                int64_t now_us) {
    static void (*const asks[TRIGGERS_JOB_ASKS])(
        triggers_job_partition *, const triggers_job_word *, triggers_job_asker *) = {
        [TRIGGERS_JOB_ASK_PULL] = ask_pull,     [TRIGGERS_JOB_ASK_PROGRESS] = ask_progress,
        [TRIGGERS_JOB_ASK_RESULT] = ask_result, [TRIGGERS_JOB_ASK_GET] = ask_get,
        [TRIGGERS_JOB_ASK_LIST] = ask_list,     [TRIGGERS_JOB_ASK_CANCEL] = ask_cancel,
        [TRIGGERS_JOB_ASK_RETRY] = ask_retry,
    };
    CORE_MAGIC_CHECK(partition, PARTITION_MAGIC);
    partition->now_us = now_us;
    asks[ask](partition, word, asker);
}

void triggers_job_partition_called(triggers_job_partition *partition, core_slice id, bool done,
                                   int64_t now_us) {
    partition->now_us = now_us;
    triggers_jobs_called(partition->jobs, id, done, now_us);
}

/* ---- Time ---- */

bool triggers_job_partition_tick(triggers_job_partition *partition, int64_t now_us) {
    partition->now_us = now_us;
    bool more = triggers_jobs_tick(partition->jobs, TICK_MAX, now_us);
    gets_look(partition);
    return more;
}

int64_t triggers_job_partition_next_us(const triggers_job_partition *partition) {
    int64_t next_us = triggers_jobs_next_us(partition->jobs);
    int64_t soon_us = partition->now_us + 20 * CORE_US_PER_MS;
    return partition->gets != NULL && soon_us < next_us ? soon_us : next_us;
}

triggers_jobs_figures triggers_job_partition_count(const triggers_job_partition *partition) {
    return triggers_jobs_count(partition->jobs);
}

uint64_t triggers_job_partition_malformed(const triggers_job_partition *partition) {
    return partition->malformed;
}
