/* See sender_job.h.
 *
 * The job's id is made of the event's time and of the delivery's id, so every attempt makes the
 * same job, and its partition takes it once. */
#include "triggers/sender_job.h"

#include "triggers/arguments.h"
#include "triggers/body_read.h"
#include "triggers/job.h"
#include "triggers/message.h"

#include <stdio.h>
#include <stdlib.h>

enum { TIMEOUT_MS = 10 * 1000, UNIQUE_MAX = TRIGGERS_JOB_KEY_MAX };

/* The texts that a job points to. */
typedef struct {
    char memory[UNIQUE_MAX];
    core_buffer unique;
} job_texts;

/* Of the digits behind "msg_". */
static void random_of(const char *id, uint8_t random[10]) {
    const char *hex = id + sizeof "msg_" - 1;
    for (size_t i = 0; i < 10; i++)
        random[i] = (uint8_t)(core_hex_digit((uint8_t)hex[2 * i]) << 4 |
                              core_hex_digit((uint8_t)hex[2 * i + 1]));
}

/* What is unique is so among the trigger's own: two triggers may have the same columns. */
static bool keys_read(const triggers_task *task, triggers_job *job, job_texts *texts,
                      core_error *error) {
    core_cursor cursor = core_cursor_make(task->arguments);
    triggers_argument unique, serial;
    if (!triggers_argument_read(&cursor, &unique) || !triggers_argument_read(&cursor, &serial))
        return core_error_set(error, CORE_ERROR_INPUT,
                              "the task was made for another action of the trigger");
    texts->unique = core_buffer_over(texts->memory, sizeof texts->memory);
    if (unique.kind == TRIGGERS_ARGUMENT_TEXT) {
        core_slice name = task->trigger;
        if (name.length + 1 + unique.text.length > UNIQUE_MAX)
            name.length = UNIQUE_MAX - 1 - unique.text.length;
        core_buffer_slice_append(&texts->unique, name);
        core_buffer_u8(&texts->unique, ':');
        core_buffer_slice_append(&texts->unique, unique.text);
        job->unique_key = core_buffer_slice(&texts->unique);
    }
    if (serial.kind == TRIGGERS_ARGUMENT_TEXT)
        job->concurrency_key = serial.text;
    return true;
}

static bool job_make(const triggers_delivery *delivery, int64_t now_us, triggers_job *job,
                     job_texts *texts, core_error *error) {
    const triggers_task *task = &delivery->task;
    const triggers_enqueue *asked = &delivery->definition->job;
    triggers_body_parts parts;
    uint8_t random[10];
    if (!triggers_body_read(task->body, &parts, error))
        return false;
    *job = triggers_job_defaults();
    job->project = task->project;
    job->queue = asked->queue;
    job->type = task->trigger;
    job->payload = parts.data;
    job->priority = asked->priority;
    job->depth = (uint16_t)(task->depth + 1u);
    /* A key's attempts follow one another, so its jobs are due in the order of their events. */
    job->created_us = now_us;
    if (asked->delay_ms > 0)
        job->run_at_us = now_us + asked->delay_ms * CORE_US_PER_MS;
    random_of(delivery->id, random);
    triggers_job_id_write(triggers_job_partition_of(job->project, job->queue),
                          task->event_time_us > 0 ? task->event_time_us : 0, random, job->id);
    return keys_read(task, job, texts, error) && triggers_job_check(job, error);
}

static bool subject_write(const core_config *config, const triggers_job *job,
                          char subject[CORE_SUBJECT_MAX]) {
    char number[8];
    (void)snprintf(number, sizeof number, "%02u",
                   triggers_job_partition_of(job->project, job->queue));
    return core_subject_work(config, fanout_work_word(FANOUT_WORK_JOBS), number, subject);
}

static void jobs_send(void *context, triggers_delivery *delivery, triggers_endpoint *endpoint) {
    const triggers_sender_spec *spec = context;
    triggers_job job;
    job_texts texts;
    core_error error = {0};
    (void)endpoint;
    triggers_message *message = triggers_message_new(delivery);
    bool ok = job_make(delivery, core_clock_wall_us(spec->clock), &job, &texts, &error);
    if (ok && !subject_write(spec->config, &job, message->subject))
        ok = core_error_set(&error, CORE_ERROR_LIMIT, "nats.prefix is too long for jobs");
    if (!ok) {
        triggers_delivery_end(delivery, TRIGGERS_END_REFUSED, error.text);
        return;
    }
    triggers_job_encode(&job, &message->payload);
    if (!core_buffer_ok(&message->payload))
        abort(); /* the log makes a new start whole */
    message->dispatch.payload = core_buffer_slice(&message->payload);
    message->dispatch.until = FANOUT_UNTIL_STORED;
    message->dispatch.timeout_ms = TIMEOUT_MS;
    triggers_message_send(message, spec->messenger);
}

bool triggers_job_sender(const triggers_sender_spec *spec, triggers_sender *sender,
                         core_error *error) {
    (void)error;
    *sender = triggers_message_sender(spec, jobs_send);
    return true;
}
