/* See job_partition.h. */
#include "triggers/job_partition_private.h"

#include <stdlib.h>

#define PARTITION_MAGIC TRIGGERS_JOB_PARTITION_MAGIC

enum {
    MESSAGE_VERSION = 1,
    TICK_MAX = 200,
};
/* A snapshot is due when the log has grown by so much and by twice what the jobs take: so that
 * writing them again costs a third at the most. */
#define SNAPSHOT_BYTES       ((uint64_t)4 << 20)
#define SNAPSHOT_PIECE_BYTES ((size_t)256 << 10)

/* ---- Answers ---- */

/* Takes `text` over. */
void triggers_job_answer_put(triggers_job_partition *partition, triggers_job_asker *asker,
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

void triggers_job_pull_unlink(triggers_job_partition *partition, const partition_pull *pull) {
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
    triggers_job_pull_unlink(partition, pull);
    triggers_job_answer_put(partition, pull->asker, &pull->text, pull->until_us);
    free(pull);
}

/* Not told before the log has the job's end: another owner may have another one. */
static void on_callback(void *context, const triggers_job *job, const triggers_job_status *status) {
    enum { AGAIN_MS = 1000 };
    triggers_job_partition *partition = context;
    CORE_MAGIC_CHECK(partition, PARTITION_MAGIC);
    const triggers_jobs_called_word later = {.call = TRIGGERS_JOBS_CALL_POSTPONED,
                                             .wait_ms = AGAIN_MS};
    partition_call *call = malloc(sizeof *call);
    (void)status;
    if (call == NULL) {
        triggers_jobs_called(partition->jobs, core_slice_text(job->id), &later, partition->now_us);
        return;
    }
    *call = (partition_call){.behind = triggers_jobs_emitted(partition->jobs)};
    memcpy(call->id, job->id, sizeof call->id);
    *partition->last_call = call;
    partition->last_call = &call->next;
}

static void calls_tell(triggers_job_partition *partition) {
    partition_call *call;
    while ((call = partition->first_call) != NULL && call->behind <= partition->acked) {
        const triggers_job_status *status;
        const triggers_job *job = triggers_jobs_find(partition->jobs, core_slice_make(NULL, 0),
                                                     core_slice_text(call->id), &status);
        partition->first_call = call->next;
        if (call->next == NULL)
            partition->last_call = &partition->first_call;
        if (job != NULL && status->callback_due)
            partition->driver.callback(partition->driver.context, job, status);
        free(call);
    }
}

/* What waited for the log. */
static void waiting_tell(triggers_job_partition *partition) {
    answers_tell(partition);
    calls_tell(partition);
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
                                     .project_max_jobs = spec->project_max_jobs,
                                     .project_max_bytes = spec->project_max_bytes,
                                     .dead_keep_ms = spec->dead_keep_ms,
                                     .seed = spec->seed,
                                     .sink = {.context = partition,
                                              .handed_out = on_handed_out,
                                              .pull_ended = on_pull_ended,
                                              .callback = on_callback}};
    partition->magic = PARTITION_MAGIC;
    partition->driver = spec->driver;
    partition->last_answer = &partition->first_answer;
    partition->last_call = &partition->first_call;
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
    for (partition_call *call; (call = partition->first_call) != NULL;) {
        partition->first_call = call->next;
        free(call);
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
        waiting_tell(partition); /* that had nothing to wait for */
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
    waiting_tell(partition);
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

/* ---- Callbacks ---- */

void triggers_job_partition_called(triggers_job_partition *partition, core_slice id,
                                   const triggers_jobs_called_word *word, int64_t now_us) {
    partition->now_us = now_us;
    triggers_jobs_called(partition->jobs, id, word, now_us);
}

/* ---- Workers of ours ---- */

bool triggers_job_partition_has_ready(triggers_job_partition *partition, core_slice project,
                                      core_slice queue) {
    return triggers_jobs_has_ready(partition->jobs, project, queue);
}

/* ---- Time ---- */

bool triggers_job_partition_tick(triggers_job_partition *partition, int64_t now_us) {
    partition->now_us = now_us;
    bool more = triggers_jobs_tick(partition->jobs, TICK_MAX, now_us);
    triggers_job_gets_look(partition);
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
