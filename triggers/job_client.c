/* See job_client.h. */
#include "triggers/job_client.h"
#include "triggers/job_partition.h"

#include <stdio.h>
#include <stdlib.h>

enum { ASK_MS = 3000, TRIES = 4 }; /* while a partition changes its owner */
#define ARENA_BYTES ((size_t)2 << 20)

struct triggers_job_client {
    const core_config *config;
    fanout_connection *connection;
    core_buffer answer;
};

triggers_job_client *triggers_job_client_new(const core_config *config, core_log *log,
                                             core_error *error) {
    triggers_job_client *client = calloc(1, sizeof *client);
    if (client == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "out of memory");
        return NULL;
    }
    client->config = config;
    core_buffer_init(&client->answer, TRIGGERS_JOB_ANSWER_MAX);
    client->connection = fanout_connection_new(config, "walcast job", log, NULL, error);
    if (client->connection != NULL)
        return client;
    triggers_job_client_free(client);
    return NULL;
}

void triggers_job_client_free(triggers_job_client *client) {
    if (client == NULL)
        return;
    if (client->connection != NULL)
        fanout_connection_free(client->connection);
    core_buffer_fini(&client->answer);
    free(client);
}

/* ---- Enqueue ---- */

static bool job_store(triggers_job_client *client, const triggers_job *job, core_error *error) {
    char number[8], subject[CORE_SUBJECT_MAX];
    core_buffer wire;
    bool duplicate;
    (void)snprintf(number, sizeof number, "%02u",
                   triggers_job_partition_of(job->project, job->queue));
    if (!core_subject_work(client->config, fanout_work_word(FANOUT_WORK_JOBS), number, subject))
        return core_error_set(error, CORE_ERROR_CONFIG, "nats.prefix is too long for jobs");
    core_buffer_init(&wire, TRIGGERS_JOB_WIRE_MAX);
    triggers_job_encode(job, &wire);
    const fanout_event event = {
        .subject = subject, .id = job->id, .payload = core_buffer_slice(&wire)};
    bool ok = core_buffer_ok(&wire)
                  ? fanout_event_publish(client->connection, &event, &duplicate, error)
                  : core_error_set(error, CORE_ERROR_INTERNAL, "out of memory");
    core_buffer_fini(&wire);
    return ok;
}

bool triggers_job_client_enqueue(triggers_job_client *client, core_slice project, core_slice json,
                                 char id[TRIGGERS_JOB_CLIENT_ID_SIZE], core_error *error) {
    core_arena arena;
    triggers_job job;
    int64_t now_us = core_clock_wall_us(core_clock_system());
    core_arena_init(&arena, 4096, ARENA_BYTES);
    bool ok = triggers_job_make(json, project, &arena, now_us, &job, error) &&
              job_store(client, &job, error);
    if (ok)
        (void)snprintf(id, TRIGGERS_JOB_CLIENT_ID_SIZE, "%s", job.id);
    core_arena_fini(&arena);
    return ok;
}

/* ---- Ask ---- */

static bool partition_ask(triggers_job_client *client, unsigned partition, const char *verb,
                          core_slice word, core_error *error) {
    char subject[CORE_SUBJECT_MAX];
    if (!core_subject_work(client->config, fanout_work_word(FANOUT_WORK_JOBS), "x", subject))
        return core_error_set(error, CORE_ERROR_CONFIG, "nats.prefix is too long for jobs");
    size_t length = strlen(subject) - 1;
    (void)snprintf(subject + length, sizeof subject - length, "%02u.ask.%s", partition, verb);
    for (unsigned i = 0; i < TRIES; i++) {
        core_buffer_reset(&client->answer);
        if (fanout_request(client->connection, subject, word, ASK_MS, &client->answer, error))
            return true;
        if (error->code != CORE_ERROR_TRANSIENT)
            return false;
    }
    return core_error_set(error, CORE_ERROR_TRANSIENT,
                          "nobody owns partition %u of the jobs: does a process with the role "
                          "triggers run?",
                          partition);
}

static void word_member(core_json_writer *json, const char *name, core_slice text) {
    if (text.length == 0)
        return;
    core_json_key_text(json, name);
    core_json_string(json, text);
}

/* What an answer that is no job says. */
static bool answer_refuse(const triggers_job_answer *parts, core_slice id, core_error *error) {
    if (core_slice_is(parts->status, "unknown"))
        return core_error_set(error, CORE_ERROR_CONFLICT, "there is no job %.*s, or no more",
                              CORE_SLICE_ARGS(id));
    if (core_slice_is(parts->status, "over"))
        return core_error_set(error, CORE_ERROR_CONFLICT, "job %.*s is not in a state for that",
                              CORE_SLICE_ARGS(id));
    if (core_slice_is(parts->status, "taken"))
        return core_error_set(error, CORE_ERROR_CONFLICT,
                              "another job has the unique key of job %.*s now",
                              CORE_SLICE_ARGS(id));
    return core_error_set(error, CORE_ERROR_TRANSIENT, "the owner answered %.*s %.*s",
                          CORE_SLICE_ARGS(parts->status), CORE_SLICE_ARGS(parts->error));
}

bool triggers_job_client_ask(triggers_job_client *client, const char *verb, core_slice project,
                             core_slice id, core_buffer *answer, core_error *error) {
    unsigned partition;
    char memory[1024];
    core_buffer word = core_buffer_over(memory, sizeof memory);
    triggers_job_answer parts;
    if (!triggers_job_id_partition(id, &partition))
        return core_error_set(error, CORE_ERROR_INPUT, "\"%.*s\" is no job's id",
                              CORE_SLICE_ARGS(id));
    core_json_writer json = core_json_writer_make(&word);
    core_json_object_open(&json);
    word_member(&json, "project", project);
    word_member(&json, "id", id);
    core_json_object_close(&json);
    if (!partition_ask(client, partition, verb, core_buffer_slice(&word), error))
        return false;
    if (!triggers_job_answer_read(core_buffer_slice(&client->answer), &parts))
        return core_error_set(error, CORE_ERROR_TRANSIENT, "the owner's answer cannot be read");
    bool done = core_slice_is(parts.status, "ok") || core_slice_is(parts.status, "cancels");
    if (!done || parts.job.length == 0)
        return answer_refuse(&parts, id, error);
    core_buffer_reset(answer);
    core_buffer_slice_append(answer, parts.job);
    return true;
}

/* ---- List ---- */

static void jobs_tell(core_slice jobs, triggers_job_take take, void *context) {
    core_json_reader reader = core_json_envelope_reader_make(jobs);
    core_slice whole;
    if (core_json_next(&reader).kind != CORE_JSON_ARRAY_OPEN)
        return;
    for (;;) {
        core_json_token token = core_json_next(&reader);
        if (token.kind != CORE_JSON_OBJECT_OPEN || !core_json_skip(&reader, token, &whole))
            return;
        take(context, whole);
    }
}

bool triggers_job_client_list(triggers_job_client *client, const triggers_job_filter *filter,
                              triggers_job_take take, void *context, bool *more,
                              core_error *error) {
    char memory[1024];
    core_buffer word = core_buffer_over(memory, sizeof memory);
    core_json_writer json = core_json_writer_make(&word);
    unsigned first = 0, last = TRIGGERS_JOB_PARTITIONS - 1;
    core_json_object_open(&json);
    word_member(&json, "project", filter->project);
    word_member(&json, "queue", filter->queue);
    word_member(&json, "state", filter->state);
    core_json_key_text(&json, "max");
    core_json_unsigned(&json, filter->limit);
    core_json_object_close(&json);
    *more = false;
    if (filter->queue.length > 0)
        first = last = triggers_job_partition_of(filter->project, filter->queue);
    for (unsigned i = first; i <= last; i++) {
        triggers_job_answer parts;
        if (!partition_ask(client, i, triggers_job_ask_name(TRIGGERS_JOB_ASK_LIST),
                           core_buffer_slice(&word), error))
            return false;
        if (!triggers_job_answer_read(core_buffer_slice(&client->answer), &parts) ||
            parts.jobs.length == 0)
            return answer_refuse(&parts, core_slice_make("", 0), error);
        jobs_tell(parts.jobs, take, context);
        *more = *more || core_slice_is(parts.more, "true");
    }
    return true;
}
