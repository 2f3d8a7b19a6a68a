/* Jobs over HTTP, workers' words and other nodes' answers over NATS, as JSON from anybody: what is
 * taken as a job and checked is written in the wire form and read back. */
#include "triggers/job_json.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void job_check(triggers_job *job) {
    core_error error;
    triggers_job again;
    core_buffer wire;
    static const uint8_t random[10];
    job->project = core_slice_text("acme");
    triggers_job_id_write(3, job->created_us, random, job->id);
    if (!triggers_job_check(job, &error))
        return;
    core_buffer_init(&wire, TRIGGERS_JOB_WIRE_MAX);
    triggers_job_encode(job, &wire);
    core_cursor cursor = core_cursor_make(core_buffer_slice(&wire));
    if (!core_buffer_ok(&wire) || !triggers_job_decode(&cursor, &again) ||
        !core_cursor_done(&cursor))
        abort();
    core_buffer_fini(&wire);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    core_arena arena;
    core_error error;
    triggers_job job;
    triggers_job_word word;
    triggers_job_answer answer;
    core_slice json = core_slice_make(data, size);
    core_arena_init(&arena, 4096, (size_t)4 << 20);
    if (triggers_job_read(json, &arena, INT64_C(1800000000000000), &job, &error))
        job_check(&job);
    if (triggers_job_word_read(json, &arena, &word, &error) &&
        (word.state >= TRIGGERS_JOB_STATES || word.result.length > TRIGGERS_JOB_RESULT_MAX))
        abort();
    if (triggers_job_answer_read(json, &answer) && answer.status.length > size)
        abort();
    core_arena_fini(&arena);
    return 0;
}
