/* See job_json.h. Tables of members drive the readers. */
#include "triggers/job_json.h"

#include <stddef.h>

typedef enum {
    MEMBER_TEXT,
    MEMBER_RAW, /* any JSON value, as it stands */
    MEMBER_I64, /* milliseconds as they are */
    MEMBER_U64,
    MEMBER_U32,
    MEMBER_I32,
    MEMBER_TIME,  /* milliseconds since 1970, into microseconds */
    MEMBER_DELAY, /* milliseconds from now, into microseconds */
    MEMBER_BOOL,
    MEMBER_STATE,
} member_kind;

typedef struct {
    const char *name;
    member_kind kind;
    size_t offset;
} member_row;

#define JOB(kind, name, field)                                                                     \
    { name, kind, offsetof(triggers_job, field) }

static const member_row job_members[] = {
    JOB(MEMBER_TEXT, "queue", queue),
    JOB(MEMBER_TEXT, "type", type),
    JOB(MEMBER_RAW, "payload", payload),
    JOB(MEMBER_TEXT, "unique_key", unique_key),
    JOB(MEMBER_TEXT, "concurrency_key", concurrency_key),
    JOB(MEMBER_U32, "concurrency", concurrency),
    JOB(MEMBER_I32, "priority", priority),
    JOB(MEMBER_U32, "max_attempts", max_attempts),
    JOB(MEMBER_I64, "backoff_ms", backoff_first_ms),
    JOB(MEMBER_I64, "backoff_max_ms", backoff_max_ms),
    JOB(MEMBER_I64, "timeout_ms", timeout_ms),
    JOB(MEMBER_I64, "keep_ms", keep_ms),
    JOB(MEMBER_DELAY, "delay_ms", run_at_us),
    JOB(MEMBER_TIME, "run_at_ms", run_at_us),
    JOB(MEMBER_TIME, "deadline_ms", deadline_us),
    JOB(MEMBER_TEXT, "callback", callback_url),
    JOB(MEMBER_TEXT, "callback_secret", callback_secret),
};

#define WORD(kind, name)                                                                           \
    { #name, kind, offsetof(triggers_job_word, name) }

static const member_row word_members[] = {
    WORD(MEMBER_U64, max),       WORD(MEMBER_I64, wait_ms),     WORD(MEMBER_TEXT, project),
    WORD(MEMBER_TEXT, queue),    WORD(MEMBER_TEXT, id),         WORD(MEMBER_STATE, state),
    WORD(MEMBER_U32, lease),     WORD(MEMBER_RAW, result),      WORD(MEMBER_TEXT, error),
    WORD(MEMBER_TEXT, reply_to), WORD(MEMBER_I64, retry_in_ms), WORD(MEMBER_BOOL, final),
};

/* ---- Reading ---- */

static bool text_take(core_json_token token, core_arena *arena, core_slice *text) {
    core_buffer plain;
    core_buffer_init(&plain, token.raw.length + 1);
    bool ok = token.kind == CORE_JSON_STRING && core_json_unescape(token.raw, &plain);
    if (ok)
        *text = core_arena_copy(arena, core_buffer_slice(&plain));
    core_buffer_fini(&plain);
    return ok && text->data != NULL;
}

static bool raw_take(core_json_reader *reader, core_json_token token, core_arena *arena,
                     core_slice *text) {
    core_slice whole;
    if (!core_json_skip(reader, token, &whole))
        return false;
    *text = core_arena_copy(arena, whole);
    return text->data != NULL;
}

static bool number_take(core_json_token token, int64_t min, int64_t max, int64_t *number) {
    return token.kind == CORE_JSON_NUMBER && core_slice_to_i64(token.raw, number) &&
           *number >= min && *number <= max;
}

/* Far beyond every bound, and far from overflow. */
#define NUMBER_MAX (INT64_C(1) << 53)

static bool numeric_take(core_json_token token, member_kind kind, int64_t now_us, void *field) {
    int64_t number;
    if (!number_take(token, -NUMBER_MAX, NUMBER_MAX, &number))
        return false;
    switch (kind) {
    case MEMBER_U64:
        *(uint64_t *)field = (uint64_t)number;
        return number >= 0;
    case MEMBER_U32:
        *(uint32_t *)field = (uint32_t)number;
        return number >= 0 && number <= UINT32_MAX;
    case MEMBER_I32:
        *(int32_t *)field = (int32_t)number;
        return number >= INT32_MIN && number <= INT32_MAX;
    case MEMBER_TIME:
    case MEMBER_DELAY:
        if (number < 0 || number > NUMBER_MAX / CORE_US_PER_MS)
            return false;
        *(int64_t *)field = number * CORE_US_PER_MS + (kind == MEMBER_DELAY ? now_us : 0);
        return true;
    default:
        *(int64_t *)field = number;
        return true;
    }
}

static bool member_take(core_json_reader *reader, core_json_token token, const member_row *member,
                        core_arena *arena, int64_t now_us, void *target) {
    void *field = (char *)target + member->offset;
    switch (member->kind) {
    case MEMBER_TEXT:
        return text_take(token, arena, field);
    case MEMBER_RAW:
        return raw_take(reader, token, arena, field);
    case MEMBER_BOOL:
        *(bool *)field = token.kind == CORE_JSON_TRUE;
        return token.kind == CORE_JSON_TRUE || token.kind == CORE_JSON_FALSE;
    case MEMBER_STATE: {
        core_slice name = {0};
        bool ok = text_take(token, arena, &name);
        *(triggers_job_state *)field = ok ? triggers_job_state_parse(name) : TRIGGERS_JOB_NONE;
        return *(triggers_job_state *)field != TRIGGERS_JOB_NONE;
    }
    default:
        return numeric_take(token, member->kind, now_us, field);
    }
}

typedef struct {
    const member_row *rows;
    size_t count;
    void (*seen)(void *target, const member_row *row); /* NULL: nobody wants to know */
} member_table;

static const member_row *row_find(const member_table *table, core_slice key) {
    for (size_t i = 0; i < table->count; i++)
        if (core_json_raw_is(key, table->rows[i].name))
            return &table->rows[i];
    return NULL;
}

static bool object_read(core_slice json, const member_table *table, core_arena *arena,
                        int64_t now_us, void *target, core_error *error) {
    core_json_reader reader = core_json_reader_make(json);
    core_json_token token;
    if (!core_utf8_valid(json) || core_json_next(&reader).kind != CORE_JSON_OBJECT_OPEN)
        return core_error_set(error, CORE_ERROR_INPUT, "expected a JSON object");
    while (core_json_member_next(&reader, &token)) {
        const member_row *row = row_find(table, token.key);
        if (row == NULL)
            return core_error_set(
                error, CORE_ERROR_INPUT, "member \"%.*s\" is not known",
                CORE_SLICE_ARGS(core_slice_make(token.key.data,
                                                token.key.length < 64 ? token.key.length : 64)));
        if (!member_take(&reader, token, row, arena, now_us, target))
            return core_error_set(error, CORE_ERROR_INPUT,
                                  "member \"%s\" is not what is expected there", row->name);
        if (table->seen != NULL)
            table->seen(target, row);
    }
    return core_json_next(&reader).kind == CORE_JSON_END ||
           core_error_set(error, CORE_ERROR_INPUT, "the JSON is malformed");
}

bool triggers_job_read(core_slice json, core_arena *arena, int64_t now_us, triggers_job *job,
                       core_error *error) {
    static const member_table table = {.rows = job_members, .count = CORE_COUNT_OF(job_members)};
    *job = triggers_job_defaults();
    job->created_us = job->run_at_us = now_us;
    if (!object_read(json, &table, arena, now_us, job, error))
        return false;
    if (job->callback_url.length > 0 && job->callback_secret.length == 0)
        job->callback_secret = core_slice_text(TRIGGERS_JOB_CALLBACK_SECRET);
    return true;
}

bool triggers_job_make(core_slice json, core_slice project, core_arena *arena, int64_t now_us,
                       triggers_job *job, core_error *error) {
    if (!triggers_job_read(json, arena, now_us, job, error))
        return false;
    job->project = project;
    return triggers_job_id_make(triggers_job_partition_of(project, job->queue), now_us, job->id,
                                error) &&
           triggers_job_check(job, error);
}

static void word_seen(void *target, const member_row *row) {
    triggers_job_word *word = target;
    if (row->offset == offsetof(triggers_job_word, lease))
        word->has_lease = true;
    if (row->offset == offsetof(triggers_job_word, error))
        word->has_error = true;
}

bool triggers_job_word_read(core_slice json, core_arena *arena, triggers_job_word *word,
                            core_error *error) {
    static const member_table table = {
        .rows = word_members, .count = CORE_COUNT_OF(word_members), .seen = word_seen};
    *word = (triggers_job_word){.retry_in_ms = -1};
    if (json.length == 0)
        return true;
    if (!object_read(json, &table, arena, 0, word, error))
        return false;
    if (word->result.length > TRIGGERS_JOB_RESULT_MAX)
        return core_error_set(error, CORE_ERROR_INPUT, "result has %zu bytes, expected at most %zu",
                              word->result.length, TRIGGERS_JOB_RESULT_MAX);
    return true;
}

bool triggers_job_answer_read(core_slice json, triggers_job_answer *answer) {
    const struct {
        const char *name;
        core_slice *value;
    } rows[] = {{"job", &answer->job},
                {"jobs", &answer->jobs},
                {"more", &answer->more},
                {"error", &answer->error}};
    core_json_reader reader = core_json_envelope_reader_make(json);
    core_json_token token;
    *answer = (triggers_job_answer){0};
    if (core_json_next(&reader).kind != CORE_JSON_OBJECT_OPEN)
        return false;
    while (core_json_member_next(&reader, &token)) {
        core_slice whole;
        if (core_json_raw_is(token.key, "status"))
            answer->status = token.raw;
        if (!core_json_skip(&reader, token, &whole))
            return false;
        for (size_t i = 0; i < CORE_COUNT_OF(rows); i++)
            if (core_json_raw_is(token.key, rows[i].name))
                *rows[i].value = whole;
    }
    return core_json_next(&reader).kind == CORE_JSON_END;
}

static bool handout_member(core_json_reader *reader, core_json_token token,
                           triggers_job_handout *handout) {
    core_slice whole;
    uint64_t number = 0;
    if (!core_json_skip(reader, token, &whole))
        return false;
    if (core_json_raw_is(token.key, "id"))
        handout->id = token.raw;
    else if (core_json_raw_is(token.key, "type"))
        handout->type = whole;
    else if (core_json_raw_is(token.key, "lease") && core_slice_to_u64(token.raw, &number))
        handout->lease = (uint32_t)number;
    else if (core_json_raw_is(token.key, "timeout_ms") && core_slice_to_u64(token.raw, &number))
        handout->timeout_ms = (int64_t)number;
    else if (core_json_raw_is(token.key, "depth") && core_slice_to_u64(token.raw, &number))
        handout->depth = (uint16_t)number;
    return true;
}

bool triggers_job_handout_read(core_slice jobs, triggers_job_handout *handout) {
    core_json_reader reader = core_json_envelope_reader_make(jobs);
    core_json_token token;
    *handout = (triggers_job_handout){.lease = 0};
    if (core_json_next(&reader).kind != CORE_JSON_ARRAY_OPEN ||
        !core_json_skip(&reader, core_json_next(&reader), &handout->whole))
        return false;
    reader = core_json_envelope_reader_make(handout->whole);
    bool ok = core_json_next(&reader).kind == CORE_JSON_OBJECT_OPEN;
    while (ok && core_json_member_next(&reader, &token))
        ok = handout_member(&reader, token, handout);
    return ok && core_json_next(&reader).kind == CORE_JSON_END && handout->lease > 0;
}

/* ---- Writing ---- */

static void member_text(core_json_writer *json, const char *name, core_slice text) {
    core_json_key_text(json, name);
    core_json_string(json, text);
}

static void member_some(core_json_writer *json, const char *name, core_slice text) {
    if (text.length > 0)
        member_text(json, name, text);
}

static void member_number(core_json_writer *json, const char *name, int64_t number) {
    core_json_key_text(json, name);
    core_json_signed(json, number);
}

static void member_raw(core_json_writer *json, const char *name, core_slice value) {
    core_json_key_text(json, name);
    if (value.length > 0)
        core_json_raw(json, value);
    else
        core_json_null(json);
}

static void member_time(core_json_writer *json, const char *name, int64_t time_us) {
    char text[CORE_CLOCK_TEXT_SIZE];
    if (time_us <= 0)
        return;
    core_clock_format(time_us, text);
    core_json_key_text(json, name);
    core_json_text(json, text);
}

void triggers_job_write_handout(core_json_writer *json, const triggers_job *job,
                                const triggers_job_status *status) {
    core_json_object_open(json);
    member_text(json, "id", core_slice_text(job->id));
    member_number(json, "lease", status->lease);
    member_text(json, "queue", job->queue);
    member_text(json, "type", job->type);
    member_number(json, "attempt", status->attempts);
    member_number(json, "max_attempts", job->max_attempts);
    member_number(json, "timeout_ms", job->timeout_ms);
    member_number(json, "depth", job->depth);
    member_time(json, "created_at", job->created_us);
    member_time(json, "deadline", job->deadline_us);
    member_raw(json, "payload", job->payload);
    core_json_object_close(json);
}

static void outcome_write(core_json_writer *json, const triggers_job_status *status) {
    if (status->state == TRIGGERS_JOB_DUPLICATE) {
        member_text(json, "duplicate_of", status->error);
        return;
    }
    if (status->state == TRIGGERS_JOB_SUCCEEDED)
        member_raw(json, "result", status->result);
    member_some(json, "error", status->error);
}

static void callback_write(core_json_writer *json, const triggers_job *job,
                           const triggers_job_status *status) {
    const char *state = status->callback_dead                 ? "dead"
                        : status->callback_due                ? "due"
                        : triggers_job_is_over(status->state) ? "told"
                                                              : "waiting";
    if (job->callback_url.length == 0)
        return;
    core_json_key_text(json, "callback");
    core_json_object_open(json);
    member_text(json, "url", job->callback_url);
    member_text(json, "state", core_slice_text(state));
    member_number(json, "attempts", status->callback_attempts);
    if (status->callback_due)
        member_time(json, "due_at", status->due_us);
    member_some(json, "error", status->callback_error);
    core_json_object_close(json);
}

void triggers_job_write(core_json_writer *json, const triggers_job *job,
                        const triggers_job_status *status, bool whole) {
    core_json_object_open(json);
    member_text(json, "id", core_slice_text(job->id));
    member_text(json, "queue", job->queue);
    member_text(json, "type", job->type);
    core_json_key_text(json, "state");
    core_json_text(json, triggers_job_state_name(status->state));
    member_number(json, "priority", job->priority);
    member_number(json, "attempts", status->attempts);
    member_number(json, "max_attempts", job->max_attempts);
    member_some(json, "unique_key", job->unique_key);
    member_some(json, "concurrency_key", job->concurrency_key);
    if (job->depth > 0)
        member_number(json, "depth", job->depth);
    member_time(json, "created_at", job->created_us);
    if (status->state == TRIGGERS_JOB_SCHEDULED || status->state == TRIGGERS_JOB_READY)
        member_time(json, "run_at", status->due_us);
    member_time(json, "deadline", job->deadline_us);
    member_time(json, "started_at", status->started_us);
    member_time(json, "finished_at", status->finished_us);
    if (status->cancels) {
        core_json_key_text(json, "cancel_requested");
        core_json_bool(json, true);
    }
    outcome_write(json, status);
    callback_write(json, job, status);
    if (whole)
        member_raw(json, "payload", job->payload);
    core_json_object_close(json);
}
