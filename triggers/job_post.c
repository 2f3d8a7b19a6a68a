/* Who asks about jobs, and the answers; see job_runner_private.h.
 *
 * Subjects, six tokens, which no stream takes:
 *   {prefix}.jobs.{project}.{queue}.work.{pull|progress|result}   a worker's
 *   {prefix}.jobs.{scope}.{NN}.ask.{get|list|cancel|retry}        to the partition's owner
 *   {prefix}.jobs.{scope}.{node}.answer.{number}                  to the node that asked
 * The scope is the source's project, and where a process has several sources
 * `{project}:{environment}`; so is then a worker's project. */
#include "triggers/job_runner_private.h"

#include <stdio.h>
#include <stdlib.h>

enum { PENDING_WAIT_MS = 4000, PENDING_MAX = 4096, ASK_AGAIN_MS = 500 };
#define WORD_ARENA_BYTES ((size_t)1 << 20)

/* ---- Askers ---- */

static triggers_job_asker *asker_new(triggers_job_ask ask, core_slice reply,
                                     core_route_reply *http) {
    triggers_job_asker *asker = calloc(1, sizeof *asker + reply.length + 1);
    if (asker == NULL)
        return NULL;
    asker->ask = ask;
    asker->http = http;
    if (reply.length > 0)
        memcpy(asker->reply, reply.data, reply.length);
    return asker;
}

triggers_job_asker *job_asker_new(triggers_job_ask ask, triggers_job_call *call) {
    triggers_job_asker *asker = asker_new(ask, core_slice_make(NULL, 0), NULL);
    if (asker != NULL)
        asker->call = call;
    return asker;
}

static void reply_publish(triggers_job_runner *runner, const char *reply, core_slice json) {
    core_error error = {0};
    if (reply[0] != '\0' && !fanout_bus_publish(runner->bus, reply, json, &error))
        CORE_LOG(runner->spec.log, WARN, "triggers", "an answer about jobs was not sent",
                 CORE_LOG_TEXT("error", error.text));
}

void job_answer(void *context, triggers_job_asker *asker, core_slice json) {
    job_slot *slot = context;
    if (asker->http != NULL)
        job_http_answer(asker->http, asker->ask, json);
    else if (asker->call != NULL)
        job_work_handed(slot, asker->call, json);
    else
        reply_publish(slot->runner, asker->reply, json);
    free(asker);
}

/* Over NATS whoever asked asks again. */
void job_forget(void *context, triggers_job_asker *asker) {
    job_slot *slot = context;
    if (asker->http != NULL)
        job_http_refuse(asker->http, 503, "the queue's partition is changing its owner; try again");
    else if (asker->call != NULL)
        job_work_forgotten(slot, asker->call);
    free(asker);
}

/* ---- Pending ---- */

job_pending *job_pending_new(triggers_job_runner *runner, core_route_reply *reply,
                             triggers_job_ask ask) {
    job_pending *pending = runner->pending_count < PENDING_MAX ? calloc(1, sizeof *pending) : NULL;
    if (pending == NULL)
        return NULL;
    runner->pending_count++;
    pending->number = ++runner->pending_number;
    pending->until_ms = core_clock_ms(runner->spec.clock) + PENDING_WAIT_MS;
    pending->http = reply;
    pending->ask = ask;
    pending->next = runner->pending;
    runner->pending = pending;
    return pending;
}

job_pending *job_pending_take(triggers_job_runner *runner, uint64_t number) {
    for (job_pending **at = &runner->pending, *pending; (pending = *at) != NULL;
         at = &pending->next)
        if (pending->number == number) {
            *at = pending->next;
            runner->pending_count--;
            return pending;
        }
    return NULL;
}

/* ---- Asking the owner ---- */

static void word_write(core_buffer *out, const triggers_job_word *word, const char *reply_to) {
    core_json_writer json = core_json_writer_make(out);
    core_json_object_open(&json);
    core_json_key_text(&json, "project");
    core_json_string(&json, word->project);
    if (word->id.length > 0) {
        core_json_key_text(&json, "id");
        core_json_string(&json, word->id);
    }
    core_json_key_text(&json, "reply_to");
    core_json_text(&json, reply_to);
    core_json_object_close(&json);
}

static bool question_send(triggers_job_runner *runner, const job_pending *pending) {
    char memory[2048], subject[CORE_SUBJECT_MAX], answer[CORE_SUBJECT_MAX];
    core_buffer text = core_buffer_over(memory, sizeof memory);
    core_error error = {0};
    const triggers_job_word word = {.project = pending->http->request.caller.project,
                                    .id = core_slice_text(pending->id)};
    int length = snprintf(subject, sizeof subject, "%s%02u.ask.%s", runner->scope,
                          pending->partition, triggers_job_ask_name(pending->ask));
    int answer_length = snprintf(answer, sizeof answer, "%s%s.answer.%llu", runner->scope,
                                 runner->node, (unsigned long long)pending->number);
    word_write(&text, &word, answer);
    bool fits = length > 0 && (size_t)length < sizeof subject && answer_length > 0 &&
                (size_t)answer_length < sizeof answer && core_buffer_ok(&text);
    return fits && fanout_bus_publish(runner->bus, subject, core_buffer_slice(&text), &error);
}

/* The partition may have been changing its owner: asking twice does no harm. */
static void question_repeat(triggers_job_runner *runner, job_pending *pending, int64_t now_ms) {
    if (pending->again_ms == 0 || pending->again_ms > now_ms || runner->bus == NULL)
        return;
    pending->again_ms = now_ms + ASK_AGAIN_MS;
    (void)question_send(runner, pending); /* else with the next turn, or never */
}

void job_pending_expire(triggers_job_runner *runner, bool all) {
    int64_t now_ms = core_clock_ms(runner->spec.clock);
    for (job_pending **at = &runner->pending, *pending; (pending = *at) != NULL;) {
        if (!all && pending->until_ms > now_ms) {
            question_repeat(runner, pending, now_ms);
            at = &pending->next;
            continue;
        }
        *at = pending->next;
        runner->pending_count--;
        job_http_refuse(pending->http, 503, "nobody owns the queue's partition now; try again");
        free(pending);
    }
}

static void ask_remote(triggers_job_runner *runner, triggers_job_ask ask, unsigned partition,
                       const triggers_job_word *word, core_route_reply *reply) {
    job_pending *pending = runner->bus != NULL ? job_pending_new(runner, reply, ask) : NULL;
    if (pending == NULL) {
        job_http_refuse(reply, 503,
                        runner->bus != NULL ? "too many requests wait; try again"
                                            : "NATS is away; try again");
        return;
    }
    pending->partition = partition;
    pending->again_ms = core_clock_ms(runner->spec.clock) + ASK_AGAIN_MS;
    if (core_slice_to_text(word->id, pending->id, sizeof pending->id) &&
        question_send(runner, pending))
        return;
    free(job_pending_take(runner, pending->number));
    job_http_refuse(reply, 503, "NATS is away; try again");
}

void job_http_ask(triggers_job_runner *runner, triggers_job_ask ask, const triggers_job_word *word,
                  core_route_reply *reply) {
    unsigned partition;
    if (!triggers_job_id_partition(word->id, &partition)) {
        job_http_refuse(reply, 404, "there is no such job");
        return;
    }
    job_slot *slot = &runner->slots[partition];
    if (!job_slot_owns(slot)) {
        ask_remote(runner, ask, partition, word, reply);
        return;
    }
    if (!job_slot_serves(slot)) {
        job_http_refuse(reply, 503, "the jobs' log is full (jobs.log_bytes); try again");
        return;
    }
    triggers_job_asker *asker = asker_new(ask, core_slice_make(NULL, 0), reply);
    if (asker != NULL)
        triggers_job_partition_ask(slot->partition, ask, word, asker,
                                   core_clock_wall_us(runner->spec.clock));
    else
        job_http_refuse(reply, 503, "out of memory");
}

/* ---- Words over NATS ---- */

typedef struct {
    core_slice owner; /* project or scope */
    core_slice name;  /* queue, partition or node */
    core_slice kind;
    core_slice verb;
} word_subject;

static core_slice token_take(core_slice *rest) {
    const uint8_t *dot = rest->length > 0 ? memchr(rest->data, '.', rest->length) : NULL;
    size_t length = dot != NULL ? (size_t)(dot - rest->data) : rest->length;
    core_slice token = core_slice_make(rest->data, length);
    size_t skip = dot != NULL ? length + 1 : length;
    *rest = core_slice_make(rest->data + skip, rest->length - skip);
    return token;
}

/* `{prefix}.jobs.` before it. */
static bool subject_read(const triggers_job_runner *runner, core_slice subject,
                         word_subject *parts) {
    size_t head = strlen(core_config_text(runner->spec.config, "nats.prefix")) + strlen(".jobs.");
    if (subject.length <= head)
        return false;
    core_slice rest = core_slice_make(subject.data + head, subject.length - head);
    parts->owner = token_take(&rest);
    parts->name = token_take(&rest);
    parts->kind = token_take(&rest);
    parts->verb = token_take(&rest);
    return parts->verb.length > 0 && rest.length == 0;
}

/* Whether the token is our scope. */
static bool scope_is_ours(const triggers_job_runner *runner, core_slice token) {
    size_t length = strlen(runner->scope);
    return length > token.length + 1 && runner->scope[length - token.length - 2] == '.' &&
           memcmp(runner->scope + length - token.length - 1, token.data, token.length) == 0;
}

bool job_work_subject(const triggers_job_runner *runner, core_slice project, core_slice queue,
                      const char *verb, char subject[CORE_SUBJECT_MAX]) {
    const core_config *config = runner->spec.config;
    core_buffer out = core_buffer_over(subject, CORE_SUBJECT_MAX - 1);
    core_buffer_format(&out, "%s.jobs.", core_config_text(config, "nats.prefix"));
    core_subject_token_append(&out, project);
    if (core_config_one_of_many(config))
        core_buffer_format(&out, ":%s", core_config_text(config, "environment"));
    core_buffer_format(&out, ".%.*s.work.%s", CORE_SLICE_ARGS(queue), verb);
    subject[out.length] = '\0';
    return core_buffer_ok(&out);
}

/* The project of a worker's subject, if this source hosts it. */
static bool project_read(const triggers_job_runner *runner, core_slice token, core_arena *arena,
                         core_slice *project) {
    const core_config *config = runner->spec.config;
    if (core_config_one_of_many(config)) {
        const uint8_t *colon = memchr(token.data, ':', token.length);
        size_t length = colon != NULL ? (size_t)(colon - token.data) : 0;
        if (colon == NULL || !core_slice_is(core_slice_make(colon + 1, token.length - length - 1),
                                            core_config_text(config, "environment")))
            return false;
        token.length = length;
    }
    core_buffer plain;
    core_buffer_init(&plain, TRIGGERS_JOB_PROJECT_MAX + 1);
    bool ok = core_subject_token_decode(token, &plain);
    core_buffer_u8(&plain, 0);
    ok = ok && core_buffer_ok(&plain) && strlen((const char *)plain.data) + 1 == plain.length &&
         core_tenants_hosts(&runner->tenants, (const char *)plain.data, NULL);
    if (ok) {
        *project = core_arena_copy(arena, core_slice_make(plain.data, plain.length - 1));
        ok = project->data != NULL;
    }
    core_buffer_fini(&plain);
    return ok;
}

static void word_refuse(triggers_job_runner *runner, const triggers_job_mail *mail,
                        const core_error *error) {
    char memory[CORE_ERROR_TEXT_MAX * 2], reply[CORE_SUBJECT_MAX];
    core_buffer text = core_buffer_over(memory, sizeof memory);
    core_json_writer json = core_json_writer_make(&text);
    core_json_object_open(&json);
    core_json_key_text(&json, "status");
    core_json_text(&json, "invalid");
    core_json_key_text(&json, "error");
    core_json_text(&json, error->text);
    core_json_object_close(&json);
    if (core_slice_to_text(mail->reply, reply, sizeof reply))
        reply_publish(runner, reply, core_buffer_slice(&text));
}

/* An answer goes to where the word's sender listens; else within our own subjects only. */
static core_slice reply_of(const triggers_job_runner *runner, const triggers_job_word *word,
                           const triggers_job_mail *mail) {
    size_t length = strlen(runner->scope);
    bool ours = word->reply_to.length > length && word->reply_to.length < CORE_SUBJECT_MAX &&
                memcmp(word->reply_to.data, runner->scope, length) == 0;
    return mail->reply.length == 0 && ours ? word->reply_to : mail->reply;
}

static void word_put(triggers_job_runner *runner, job_slot *slot, triggers_job_ask ask,
                     const triggers_job_word *word, const triggers_job_mail *mail) {
    triggers_job_asker *asker = asker_new(ask, reply_of(runner, word, mail), NULL);
    if (asker != NULL)
        triggers_job_partition_ask(slot->partition, ask, word, asker,
                                   core_clock_wall_us(runner->spec.clock));
}

/* Only the owner answers, whatever is said. */
static void worker_take(triggers_job_runner *runner, const word_subject *parts,
                        const triggers_job_mail *mail, core_arena *arena) {
    triggers_job_word word;
    core_error error = {0};
    core_slice project;
    triggers_job_ask ask = triggers_job_ask_parse(parts->verb);
    if (ask >= TRIGGERS_JOB_ASKS || !triggers_job_ask_is_workers(ask) ||
        parts->name.length > TRIGGERS_JOB_QUEUE_MAX ||
        !project_read(runner, parts->owner, arena, &project))
        return;
    job_slot *slot = &runner->slots[triggers_job_partition_of(project, parts->name)];
    if (!job_slot_serves(slot))
        return;
    if (!triggers_job_word_read(mail->payload, arena, &word, &error)) {
        word_refuse(runner, mail, &error);
        return;
    }
    if (ask != TRIGGERS_JOB_ASK_PULL && (word.id.length == 0 || !word.has_lease)) {
        (void)core_error_set(&error, CORE_ERROR_INPUT, "id and lease are missing");
        word_refuse(runner, mail, &error);
        return;
    }
    word.project = project;
    word.queue = parts->name;
    word_put(runner, slot, ask, &word, mail);
}

static void ask_take(triggers_job_runner *runner, const word_subject *parts,
                     const triggers_job_mail *mail, core_arena *arena) {
    triggers_job_word word;
    core_error error = {0};
    uint64_t number;
    triggers_job_ask ask = triggers_job_ask_parse(parts->verb);
    if (ask >= TRIGGERS_JOB_ASKS || triggers_job_ask_is_workers(ask) ||
        !scope_is_ours(runner, parts->owner) || !core_slice_to_u64(parts->name, &number) ||
        number >= TRIGGERS_JOB_PARTITIONS || !job_slot_serves(&runner->slots[number]))
        return;
    if (!triggers_job_word_read(mail->payload, arena, &word, &error))
        word_refuse(runner, mail, &error);
    else
        word_put(runner, &runner->slots[number], ask, &word, mail);
}

static void answer_take(triggers_job_runner *runner, const word_subject *parts,
                        const triggers_job_mail *mail) {
    uint64_t number;
    if (!scope_is_ours(runner, parts->owner) || !core_slice_is(parts->name, runner->node) ||
        !core_slice_to_u64(parts->verb, &number))
        return;
    job_pending *pending = job_pending_take(runner, number);
    if (pending == NULL)
        return;
    job_http_answer(pending->http, pending->ask, mail->payload);
    free(pending);
}

void job_word_take(triggers_job_runner *runner, const triggers_job_mail *mail) {
    word_subject parts;
    core_arena arena;
    if (!subject_read(runner, mail->subject, &parts))
        return;
    core_arena_init(&arena, 4096, WORD_ARENA_BYTES);
    if (core_slice_is(parts.kind, "work"))
        worker_take(runner, &parts, mail, &arena);
    else if (core_slice_is(parts.kind, "ask"))
        ask_take(runner, &parts, mail, &arena);
    else if (core_slice_is(parts.kind, "answer"))
        answer_take(runner, &parts, mail);
    core_arena_fini(&arena);
}
