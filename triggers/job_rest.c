/* `/jobs/v1`: POST enqueues, GET {id} looks up, DELETE {id} cancels; see docs/JOBS.md.
 *
 * A job is accepted once the stream's ack is there, on whatever node; its partition's owner takes
 * it from there. A caller sees the jobs of its own project only. */
#include "triggers/chain.h"
#include "triggers/job_runner_private.h"
#include "triggers/keyed.h"

#include <stdlib.h>

#define PATH             "/jobs/v1"
#define BODY_MAX         (TRIGGERS_JOB_PAYLOAD_MAX + 65536)
#define REST_ARENA_BYTES ((size_t)2 << 20)

/* ---- Answers ---- */

void job_http_refuse(core_route_reply *reply, unsigned status, const char *detail) {
    core_route_refuse(reply, status, detail, NULL);
    core_route_reply_send(reply);
}

void job_http_answer(core_route_reply *reply, triggers_job_ask ask, core_slice json) {
    triggers_job_answer answer;
    if (!triggers_job_answer_read(json, &answer)) {
        job_http_refuse(reply, 503, "the partition's owner gave no answer that can be read");
    } else if (core_slice_is(answer.status, "unknown")) {
        job_http_refuse(reply, 404, "there is no such job, or no more");
    } else if (core_slice_is(answer.status, "over")) {
        job_http_refuse(reply, 409, "the job is over already");
    } else if (core_slice_is(answer.status, "full") || answer.job.length == 0) {
        job_http_refuse(reply, 503, "there is no room now; try again");
    } else {
        /* of one that runs the cancellation is only asked for */
        bool accepted = ask == TRIGGERS_JOB_ASK_CANCEL && core_slice_is(answer.status, "cancels");
        core_json_writer out = core_route_answer(reply, accepted ? 202 : 200);
        core_json_raw(&out, answer.job);
        core_route_reply_send(reply);
    }
}

/* ---- Enqueue ---- */

static void stored_write(core_route_reply *reply, const char *id) {
    core_json_writer json = core_route_answer(reply, 202);
    core_json_object_open(&json);
    core_json_key_text(&json, "id");
    core_json_text(&json, id);
    core_json_key_text(&json, "state");
    core_json_text(&json, "accepted");
    core_json_object_close(&json);
}

void job_http_stored(triggers_job_runner *runner, job_pending *pending, const core_error *error) {
    if (error == NULL) {
        core_metrics_add(runner->spec.metrics, CORE_METRIC_TRIGGERS_JOBS_ACCEPTED, 1);
        stored_write(pending->http, pending->id);
        core_route_reply_send(pending->http);
    } else if (error->code == CORE_ERROR_FULL) {
        job_http_refuse(pending->http, 503, "the stream of accepted jobs is full (jobs.max_bytes)");
    } else {
        job_http_refuse(pending->http, 503,
                        "NATS did not confirm in time: the job may be stored or not");
    }
    free(pending);
}

static bool job_store(triggers_job_runner *runner, const triggers_job *job, core_route_reply *reply,
                      core_error *error) {
    unsigned partition = triggers_job_partition_of(job->project, job->queue);
    job_pending *pending = job_pending_new(runner, reply, TRIGGERS_JOB_ASKS);
    core_buffer wire;
    if (pending == NULL)
        return core_error_set(error, CORE_ERROR_FULL, "too many requests wait; try again");
    memcpy(pending->id, job->id, sizeof pending->id);
    core_buffer_init(&wire, TRIGGERS_JOB_WIRE_MAX);
    triggers_job_encode(job, &wire);
    const fanout_parcel parcel = {.subject = runner->slots[partition].inbox_subject,
                                  .id = job->id,
                                  .payload = core_buffer_slice(&wire)};
    bool ok = core_buffer_ok(&wire) &&
              fanout_courier_publish(runner->courier, &parcel,
                                     job_reply(runner, job_courier_answered, ANSWER_STORED,
                                               partition, pending->number),
                                     error);
    core_buffer_fini(&wire);
    if (!ok)
        free(job_pending_take(runner, pending->number));
    return ok;
}

/* Whoever asks again under the same key, since the answer was lost or the job may not have been
 * stored, asks for the same job. */
static void id_of_claim(const fanout_claim *claim, triggers_job *job) {
    uint8_t random[10];
    for (size_t i = 0; i < sizeof random; i++)
        random[i] = (uint8_t)(core_hex_digit((uint8_t)claim->key.name[2 * i]) << 4 |
                              core_hex_digit((uint8_t)claim->key.name[2 * i + 1]));
    triggers_job_id_write(triggers_job_partition_of(job->project, job->queue), claim->began_us,
                          random, job->id);
}

static void http_enqueue(triggers_job_runner *runner, core_route_reply *reply, core_arena *arena) {
    const fanout_claim *claim = fanout_keyed_claim(reply);
    triggers_job job;
    core_error error = {0};
    int64_t now_us = core_clock_wall_us(runner->spec.clock);
    if (reply->request.body.length > BODY_MAX) {
        job_http_refuse(reply, 413, "a job's request may have 320 KiB, its payload 256 KiB");
        return;
    }
    if (!triggers_job_make(reply->request.body, reply->request.caller.project, arena, now_us, &job,
                           &error) ||
        !triggers_chain_told(reply->request.walcast_depth, &job.depth, &error)) {
        job_http_refuse(reply, error.code == CORE_ERROR_INPUT ? 400 : 503, error.text);
        return;
    }
    if (job.callback_url.length > 0 &&
        !triggers_job_caller_check(runner->caller, job.project, job.callback_url, &error)) {
        (void)core_error_wrap(&error, "callback");
        job_http_refuse(reply, 400, error.text);
        return;
    }
    if (claim != NULL)
        id_of_claim(claim, &job);
    if (runner->connection == NULL || !job_store(runner, &job, reply, &error))
        job_http_refuse(reply, 503, runner->connection == NULL ? "NATS is away" : error.text);
}

/* ---- Requests ---- */

static core_slice id_of(core_slice path) {
    size_t head = strlen(PATH "/");
    bool named = path.length > head && memcmp(path.data, PATH "/", head) == 0;
    return named ? core_slice_make(path.data + head, path.length - head) : core_slice_make("", 0);
}

void job_http_take(triggers_job_runner *runner, core_route_reply *reply) {
    const core_route_request *request = &reply->request;
    core_slice id = id_of(request->path);
    const triggers_job_word word = {.project = request->caller.project, .id = id};
    if (core_slice_is(request->method, "POST") && id.length == 0) {
        core_arena arena;
        core_arena_init(&arena, 4096, REST_ARENA_BYTES);
        http_enqueue(runner, reply, &arena);
        core_arena_fini(&arena);
    } else if (core_slice_is(request->method, "GET")) {
        job_http_ask(runner, TRIGGERS_JOB_ASK_GET, &word, reply);
    } else if (core_slice_is(request->method, "DELETE")) {
        job_http_ask(runner, TRIGGERS_JOB_ASK_CANCEL, &word, reply);
    } else {
        job_http_refuse(reply, 404, "there is nothing there");
    }
}
