/* The built-in HTTP worker: jobs of a queue that a definition names (`on: {queue: …}`) are posted
 * to its webhook; see docs/JOBS.md.
 *
 * Happy path: where the partition has a ready job and the endpoint a place, a pull is put to the
 * partition as any worker's is; once its log has the hand-out the job goes out, and the answer is a
 * word about its result. Who owns the partition is its worker, so an endpoint's rate and places are
 * kept over all nodes.
 *
 * Failure: a partition that is let go meanwhile has another owner, who is told the result over
 * NATS. A result that nobody hears is an attempt whose worker is silent. While the endpoint cannot
 * be spoken to at all (a secret is not set, say) its jobs wait in their queue. */
#include "triggers/job_runner_private.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    FAULT_AGAIN_MS = 2000,
    MARGIN_MS = 250, /* an answer comes before the attempt's time is over */
};

/* ---- Which queues ---- */

static unsigned partition_of(const triggers_definition *definition) {
    return triggers_job_partition_of(definition->project, definition->queue);
}

static int work_compare(const void *a, const void *b) {
    const job_work *one = a, *other = b;
    unsigned first = partition_of(one->definition), second = partition_of(other->definition);
    return first < second ? -1 : first > second;
}

static void works_index(triggers_job_runner *runner) {
    size_t at = 0;
    for (unsigned i = 0; i <= TRIGGERS_JOB_PARTITIONS; i++) {
        while (at < runner->work_count && partition_of(runner->works[at].definition) < i)
            at++;
        runner->work_first[i] = at;
    }
}

void job_works_renew(triggers_job_runner *runner) {
    if (!triggers_definitions_renew(runner->spec.definitions, &runner->set))
        return;
    const triggers_set *set = runner->set;
    size_t count = 0;
    for (size_t i = 0; i < set->count; i++)
        count += set->definitions[i]->on == TRIGGERS_ON_QUEUE;
    free(runner->works);
    runner->works = calloc(count + 1, sizeof *runner->works);
    runner->work_count = 0;
    for (size_t i = 0; i < set->count && runner->works != NULL; i++)
        if (set->definitions[i]->on == TRIGGERS_ON_QUEUE)
            runner->works[runner->work_count++].definition = set->definitions[i];
    if (runner->work_count > 0)
        qsort(runner->works, runner->work_count, sizeof *runner->works, work_compare);
    works_index(runner);
}

void job_works_free(triggers_job_runner *runner) {
    free(runner->works);
    triggers_set_release(runner->set);
    runner->works = NULL;
    runner->set = NULL;
    runner->work_count = 0;
    works_index(runner);
}

/* ---- Results ---- */

static void word_write(core_buffer *out, const triggers_job_word *word) {
    core_json_writer json = core_json_writer_make(out);
    core_json_object_open(&json);
    core_json_key_text(&json, "id");
    core_json_string(&json, word->id);
    core_json_key_text(&json, "lease");
    core_json_unsigned(&json, word->lease);
    if (word->has_error) {
        core_json_key_text(&json, "error");
        core_json_string(&json, word->error);
        core_json_key_text(&json, "final");
        core_json_bool(&json, word->final);
    } else if (word->result.length > 0) {
        core_json_key_text(&json, "result");
        core_json_raw(&json, word->result);
    }
    if (word->retry_in_ms >= 0) {
        core_json_key_text(&json, "retry_in_ms");
        core_json_signed(&json, word->retry_in_ms);
    }
    core_json_object_close(&json);
}

/* To whoever owns the partition now. */
static void word_publish(triggers_job_runner *runner, const triggers_job_word *word) {
    char subject[CORE_SUBJECT_MAX];
    core_error error = {.text = ""};
    core_buffer text;
    core_buffer_init(&text, TRIGGERS_JOB_RESULT_MAX + 4096);
    word_write(&text, word);
    if (runner->bus == NULL || !core_buffer_ok(&text) ||
        !job_work_subject(runner, word->project, word->queue, "result", subject) ||
        !fanout_bus_publish(runner->bus, subject, core_buffer_slice(&text), &error))
        CORE_LOG(runner->spec.log, WARN, "triggers", "a job's result found nobody to tell",
                 CORE_LOG_TEXT("error", error.text));
    core_buffer_fini(&text);
}

static void word_say(triggers_job_runner *runner, unsigned number, const triggers_job_word *word) {
    job_slot *slot = &runner->slots[number];
    triggers_job_asker *asker =
        job_slot_serves(slot) ? job_asker_new(TRIGGERS_JOB_ASK_RESULT, NULL) : NULL;
    if (asker != NULL)
        triggers_job_partition_ask(slot->partition, TRIGGERS_JOB_ASK_RESULT, word, asker,
                                   core_clock_wall_us(runner->spec.clock));
    else
        word_publish(runner, word);
}

static triggers_job_word word_of(const triggers_job_call *call) {
    core_slice answer = core_buffer_slice(&call->answer);
    bool is_good = call->reason[0] == '\0';
    bool is_json = is_good && !call->answer_is_cut && core_json_valid(answer);
    return (triggers_job_word){
        .project = core_slice_text(call->project),
        .queue = core_slice_text(call->queue),
        .id = core_slice_text(call->job),
        .lease = call->lease,
        .has_lease = true,
        .result = is_json ? answer : core_slice_make(NULL, 0),
        .has_error = !is_good,
        .error = core_slice_text(call->reason),
        .retry_in_ms = is_good ? -1 : call->retry_after_ms,
        .final = call->outcome == NET_HTTP_REFUSED || call->status == 410,
    };
}

/* With 202 the endpoint is a worker like any other: it says later what became of the job. */
static void on_ended(void *context, triggers_job_call *call) {
    triggers_job_runner *runner = context;
    const triggers_job_word word = word_of(call);
    runner->slots[call->slot].calls--;
    if (call->outcome != NET_HTTP_STOPPED && call->status != 202)
        word_say(runner, call->slot, &word);
}

/* ---- A job goes out ---- */

static void body_write(core_buffer *out, const triggers_job_handout *handout, int64_t now_us) {
    char time[CORE_CLOCK_TEXT_SIZE];
    core_json_writer json = core_json_writer_make(out);
    core_clock_format(now_us, time);
    core_json_object_open(&json);
    core_json_key_text(&json, "type");
    if (handout->type.length > sizeof "\"\"" - 1)
        core_json_raw(&json, handout->type);
    else
        core_json_text(&json, "job");
    core_json_key_text(&json, "timestamp");
    core_json_text(&json, time);
    core_json_key_text(&json, "data");
    core_json_raw(&json, handout->whole);
    core_json_object_close(&json);
}

void job_work_forgotten(job_slot *slot, triggers_job_call *call) {
    slot->calls--;
    triggers_job_call_give_back(call);
}

void job_work_handed(job_slot *slot, triggers_job_call *call, core_slice json) {
    triggers_job_answer answer;
    triggers_job_handout handout;
    if (!triggers_job_answer_read(json, &answer) ||
        !triggers_job_handout_read(answer.jobs, &handout) ||
        !core_slice_to_text(handout.id, call->job, sizeof call->job)) {
        job_work_forgotten(slot, call); /* somebody else had it, or there is no room */
        return;
    }
    (void)snprintf(call->id, sizeof call->id, "job_%s", call->job);
    call->lease = handout.lease;
    call->depth = handout.depth;
    if (call->timeout_ms > handout.timeout_ms - MARGIN_MS)
        call->timeout_ms = handout.timeout_ms - MARGIN_MS;
    body_write(&call->body, &handout, core_clock_wall_us(slot->runner->spec.clock));
    triggers_job_call_send(call);
}

static bool job_pull(job_slot *slot, const job_work *work, triggers_job_call *call) {
    const triggers_definition *definition = work->definition;
    triggers_job_asker *asker = job_asker_new(TRIGGERS_JOB_ASK_PULL, call);
    const triggers_job_word word = {
        .project = definition->project, .queue = definition->queue, .max = 1};
    if (asker == NULL || !core_slice_to_text(definition->queue, call->queue, sizeof call->queue)) {
        free(asker);
        triggers_job_call_give_back(call);
        return false;
    }
    slot->calls++;
    call->slot = slot->number;
    call->keep_bytes = TRIGGERS_JOB_RESULT_MAX;
    call->timeout_ms = definition->webhook.timeout_ms;
    call->ended = on_ended;
    call->context = slot->runner;
    triggers_job_partition_ask(slot->partition, TRIGGERS_JOB_ASK_PULL, &word, asker,
                               core_clock_wall_us(slot->runner->spec.clock));
    return true;
}

/* Said once, until it is another one. */
static void fault_tell(triggers_job_runner *runner, job_work *work, const char *fault) {
    char queue[TRIGGERS_JOB_QUEUE_MAX + 1];
    if (work->is_faulty || !core_slice_to_text(work->definition->queue, queue, sizeof queue))
        return;
    work->is_faulty = true;
    CORE_LOG(runner->spec.log, WARN, "triggers", "jobs of a queue cannot be posted; they wait",
             CORE_LOG_TEXT("queue", queue), CORE_LOG_TEXT("reason", fault));
}

/* As many as its endpoint has places for; when to look again. */
static int64_t queue_run(job_slot *slot, job_work *work) {
    triggers_job_runner *runner = slot->runner;
    const triggers_definition *definition = work->definition;
    int64_t again_ms = INT64_MAX;
    while (
        triggers_job_partition_has_ready(slot->partition, definition->project, definition->queue)) {
        const char *fault = triggers_job_caller_fault(runner->caller, definition);
        if (fault != NULL) {
            fault_tell(runner, work, fault);
            return core_clock_ms(runner->spec.clock) + FAULT_AGAIN_MS;
        }
        work->is_faulty = false;
        triggers_job_call *call = triggers_job_call_new(runner->caller, definition, &again_ms);
        if (call == NULL || !job_pull(slot, work, call))
            return again_ms;
    }
    return INT64_MAX;
}

int64_t job_work_run(job_slot *slot) {
    triggers_job_runner *runner = slot->runner;
    int64_t next_ms = INT64_MAX;
    if (slot->leave_ms != 0)
        return next_ms;
    for (size_t i = runner->work_first[slot->number]; i < runner->work_first[slot->number + 1];
         i++) {
        job_work *work = &runner->works[i];
        if (work->definition->disabled || work->definition->paused)
            continue;
        int64_t queue_ms = queue_run(slot, work);
        if (queue_ms < next_ms)
            next_ms = queue_ms;
    }
    return next_ms;
}
