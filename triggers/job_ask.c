/* What a partition of the jobs is asked, by workers and by whoever wants to know; see
 * job_partition.h. */
#include "triggers/job_partition_private.h"

#include <stdlib.h>

enum {
    LIST_MAX = 500,
    PULL_WAIT_MAX_MS = 60 * 1000,
    GET_WAIT_MS = 1500, /* of an id that is not known yet: it may stand in the inbox */
    GET_YOUNG_MS = 60 * 1000,
    GETS_MAX = 1024, /* that wait so */
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

/* `{"status": ...`, open. */
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
    triggers_job_answer_put(partition, asker, &text, INT64_MAX);
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
    triggers_job_pull_unlink(partition, pull);
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
    triggers_job_answer_put(partition, asker, &text, INT64_MAX);
}

/* Whether the id was made so lately that its job may not have come here yet. */
static bool id_is_young(core_slice id, int64_t now_us) {
    char oldest[TRIGGERS_JOB_ID_LENGTH + 1];
    static const uint8_t none[10];
    int64_t from_us = now_us - GET_YOUNG_MS * CORE_US_PER_MS;
    triggers_job_id_write(0, from_us > 0 ? from_us : 0, none, oldest);
    return id.length == TRIGGERS_JOB_ID_LENGTH && memcmp(id.data, oldest, 10) >= 0;
}

/* Whoever was answered with an id may ask at once, before its job has come here: what is asked of
 * it waits for a moment. False: it does not. */
static bool ask_later(triggers_job_partition *partition, triggers_job_ask ask,
                      const triggers_job_word *word, triggers_job_asker *asker) {
    bool waits = partition->get_count < GETS_MAX && id_is_young(word->id, partition->now_us);
    partition_get *get = waits ? calloc(1, sizeof *get) : NULL;
    if (get == NULL || !core_slice_to_text(word->id, get->id, sizeof get->id) ||
        !core_slice_to_text(word->project, get->project, sizeof get->project)) {
        free(get);
        return false;
    }
    get->asker = asker;
    get->ask = ask;
    get->until_us = partition->now_us + GET_WAIT_MS * CORE_US_PER_MS;
    get->next = partition->gets;
    partition->gets = get;
    partition->get_count++;
    return true;
}

static void ask_get(triggers_job_partition *partition, const triggers_job_word *word,
                    triggers_job_asker *asker) {
    const triggers_job_status *status;
    const triggers_job *job = triggers_jobs_find(partition->jobs, word->project, word->id, &status);
    if (job != NULL)
        job_tell(partition, job, status, asker);
    else if (!ask_later(partition, TRIGGERS_JOB_ASK_GET, word, asker))
        answer_verdict(partition, asker, TRIGGERS_JOBS_UNKNOWN);
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
    triggers_job_answer_put(partition, asker, &walk.text, INT64_MAX);
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
    triggers_job_answer_put(partition, asker, &text, INT64_MAX);
}

static triggers_jobs_verdict decide(triggers_job_partition *partition, triggers_job_ask ask,
                                    const triggers_job_word *word) {
    return ask == TRIGGERS_JOB_ASK_CANCEL
               ? triggers_jobs_cancel(partition->jobs, word->project, word->id, partition->now_us)
               : triggers_jobs_retry(partition->jobs, word->project, word->id, partition->now_us);
}

static void ask_decide(triggers_job_partition *partition, triggers_job_ask ask,
                       const triggers_job_word *word, triggers_job_asker *asker) {
    triggers_jobs_verdict verdict = decide(partition, ask, word);
    if (verdict != TRIGGERS_JOBS_UNKNOWN || !ask_later(partition, ask, word, asker))
        decided_tell(partition, word, verdict, asker);
}

static void ask_cancel(triggers_job_partition *partition, const triggers_job_word *word,
                       triggers_job_asker *asker) {
    ask_decide(partition, TRIGGERS_JOB_ASK_CANCEL, word, asker);
}

static void ask_retry(triggers_job_partition *partition, const triggers_job_word *word,
                      triggers_job_asker *asker) {
    ask_decide(partition, TRIGGERS_JOB_ASK_RETRY, word, asker);
}

/* Its job has come, or is waited for no longer. */
static void get_answer(triggers_job_partition *partition, const partition_get *get,
                       const triggers_job *job, const triggers_job_status *status) {
    const triggers_job_word word = {.project = core_slice_text(get->project),
                                    .id = core_slice_text(get->id)};
    if (job == NULL)
        answer_verdict(partition, get->asker, TRIGGERS_JOBS_UNKNOWN);
    else if (get->ask == TRIGGERS_JOB_ASK_GET)
        job_tell(partition, job, status, get->asker);
    else
        decided_tell(partition, &word, decide(partition, get->ask, &word), get->asker);
}

void triggers_job_gets_look(triggers_job_partition *partition) {
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
        get_answer(partition, get, job, status);
        free(get);
    }
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
    CORE_MAGIC_CHECK(partition, TRIGGERS_JOB_PARTITION_MAGIC);
    partition->now_us = now_us;
    asks[ask](partition, word, asker);
}
