/* The world of test_job_simulation.c: the log, owners that append to it and what they hold back
 * until it is stored. */
#ifndef WALCAST_TESTS_UNIT_TRIGGERS_JOB_WORLD_H
#define WALCAST_TESTS_UNIT_TRIGGERS_JOB_WORLD_H

#include "job_samples.h"
#include "triggers/job_queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum {
    JOBS_MAX = 60,
    OWNERS_MAX = 3,
    MESSAGES_MAX = 6000,
    EFFECTS_MAX = 4000,
    WORKERS = 4,
    STEPS = 500,
    TIMEOUT_MS = 10000,
};

/* ---- The world ---- */

typedef struct {
    uint8_t *bytes;
    size_t length;
} message;

typedef enum { EFFECT_HAND_OUT, EFFECT_RECORDED } effect_kind;

/* Held back until the log has what stands before it. */
typedef struct {
    effect_kind kind;
    uint64_t behind; /* bytes of records */
    uint32_t job;
    uint32_t lease;
    uint32_t worker; /* HAND_OUT: for it */
    int64_t decided_us;
} effect;

typedef struct {
    bool alive;
    triggers_jobs *jobs;
    size_t next; /* the message that it expects to append */
    bool appends;
    bool stored; /* what is in flight has arrived, its ack has not */
    message in_flight;
    uint64_t in_flight_end, acked;
    effect effects[EFFECTS_MAX];
    size_t effect_count;
    bool snapshots, snapshot_whole;
    size_t snapshot_start;                  /* the message from which the log suffices */
    uint64_t snapshot_from, snapshot_until; /* records */
    bool starts_snapshot;
} owner;

typedef struct {
    bool asked, accepted;
    triggers_job job;
    char digits[16], unique[8], concurrency[8];
    uint32_t last_lease;     /* given to a worker */
    int64_t heard_us;        /* when its attempt was given, or last heard */
    bool attempt_reported;   /* the last lease ended by a word that an owner may have taken */
    uint32_t recorded_lease; /* success that a worker was told is recorded; 0: none */
    bool cancelled;
} sample;

typedef struct {
    bool works;
    uint32_t job, lease;
} worker;

typedef struct {
    uint64_t random;
    unsigned long seed;
    int64_t now_us;
    sample jobs[JOBS_MAX];
    uint32_t job_count;
    uint32_t inbox[JOBS_MAX]; /* accepted, in order: sequence n is inbox[n - 1] */
    size_t inbox_count;
    message log[MESSAGES_MAX];
    size_t log_first, log_count;
    owner owners[OWNERS_MAX];
    worker workers[WORKERS];
    bool calm; /* at the end */
    unsigned long hand_outs, refused_appends, takeovers, late_results;
} world;

static uint32_t roll(world *w, uint32_t below) {
    w->random = w->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((w->random >> 33) % below);
}

#define HOLDS(w, condition)                                                                        \
    if (!(condition))                                                                              \
    fail_msg("seed %lu: %s does not hold", (w)->seed, #condition)

static uint32_t number_of(const triggers_job *job) {
    uint64_t number = 0;
    if (!core_slice_to_u64(job->payload, &number))
        abort();
    return (uint32_t)number;
}

static core_slice id_of(const world *w, uint32_t job) {
    return core_slice_text(w->jobs[job].job.id);
}

/* ---- Effects ---- */

typedef struct {
    world *w;
    owner *o;
} place;
static place places[OWNERS_MAX + 1]; /* the last one is nobody's */

static void effect_add(owner *o, effect e) {
    assert_true(o->effect_count < EFFECTS_MAX);
    e.behind = triggers_jobs_emitted(o->jobs);
    o->effects[o->effect_count++] = e;
}

typedef struct {
    const world *w;
    const triggers_job *given;
    int64_t given_due_us;
    uint32_t running[256]; /* of each concurrency key's letter */
} rank_check;

static bool count_running(void *context, const triggers_job *job,
                          const triggers_job_status *status) {
    rank_check *check = context;
    if (status->state == TRIGGERS_JOB_RUNNING && job->concurrency_key.length > 0 &&
        core_slice_equal(job->queue, check->given->queue))
        check->running[job->concurrency_key.data[0]]++;
    return true;
}

/* No ready job that could run instead comes before the one that was given. */
static bool rank_holds(void *context, const triggers_job *job, const triggers_job_status *status) {
    const rank_check *check = context;
    bool blocked = job->concurrency_key.length > 0 &&
                   check->running[job->concurrency_key.data[0]] >= job->concurrency;
    if (status->state != TRIGGERS_JOB_READY || blocked ||
        !core_slice_equal(job->queue, check->given->queue))
        return true;
    bool better = job->priority > check->given->priority ||
                  (job->priority == check->given->priority && status->due_us < check->given_due_us);
    HOLDS(check->w, !better);
    return true;
}

static void on_handed_out(void *context, uint64_t token, const triggers_job *job,
                          const triggers_job_status *status) {
    place *p = context;
    rank_check check = {.w = p->w, .given = job, .given_due_us = status->due_us};
    triggers_jobs_each(p->o->jobs, count_running, &check);
    triggers_jobs_each(p->o->jobs, rank_holds, &check);
    if (job->concurrency_key.length > 0)
        HOLDS(p->w, check.running[job->concurrency_key.data[0]] <= job->concurrency);
    effect_add(p->o, (effect){.kind = EFFECT_HAND_OUT,
                              .job = number_of(job),
                              .lease = status->lease,
                              .worker = (uint32_t)token,
                              .decided_us = p->w->now_us});
}

static void on_ended(void *context, uint64_t token) {
    (void)context;
    (void)token;
}

static void on_callback(void *context, const triggers_job *job, const triggers_job_status *status) {
    (void)context;
    (void)job;
    (void)status;
}

static void hand_out_told(world *w, const effect *e) {
    sample *s = &w->jobs[e->job];
    if (w->now_us >= e->decided_us + TIMEOUT_MS * CORE_US_PER_MS)
        return; /* an owner that slept since tells nobody: the attempt may be another's by now */
    HOLDS(w, e->lease > s->last_lease); /* each once, and rising */
    HOLDS(w, s->recorded_lease == 0);
    if (s->last_lease > 0 && !s->attempt_reported)
        HOLDS(w, e->decided_us >= s->heard_us + TIMEOUT_MS * CORE_US_PER_MS);
    s->last_lease = e->lease;
    s->heard_us = e->decided_us;
    s->attempt_reported = false;
    w->hand_outs++;
    worker *target = &w->workers[e->worker];
    if (!target->works) /* else it has lost its answer: the job waits for its time to pass */
        *target = (worker){.works = true, .job = e->job, .lease = e->lease};
}

static void effect_told(world *w, const effect *e) {
    if (e->kind == EFFECT_HAND_OUT) {
        hand_out_told(w, e);
        return;
    }
    sample *s = &w->jobs[e->job];
    HOLDS(w, s->recorded_lease == 0 || s->recorded_lease == e->lease);
    s->recorded_lease = e->lease;
}

static void effects_tell(world *w, owner *o) {
    size_t told = 0;
    while (told < o->effect_count && o->effects[told].behind <= o->acked)
        effect_told(w, &o->effects[told++]);
    memmove(o->effects, o->effects + told, (o->effect_count - told) * sizeof *o->effects);
    o->effect_count -= told;
}

/* ---- The log ---- */

static triggers_jobs *machine_new(world *w, owner *o) {
    place *p = &places[o != NULL ? o - w->owners : OWNERS_MAX];
    *p = (place){.w = w, .o = o};
    const triggers_jobs_spec spec = {.max_jobs = 1000,
                                     .max_bytes = 8 << 20,
                                     .dead_keep_ms = INT64_C(1) << 40,
                                     .seed = w->seed,
                                     .sink = {.context = p,
                                              .handed_out = on_handed_out,
                                              .pull_ended = on_ended,
                                              .callback = on_callback}};
    core_error error = {0};
    triggers_jobs *jobs = triggers_jobs_new(&spec, &error);
    assert_non_null(jobs);
    return jobs;
}

static triggers_jobs *log_fold(world *w, owner *o) {
    triggers_jobs *jobs = machine_new(w, o);
    core_error error = {0};
    for (size_t i = w->log_first; i < w->log_count; i++)
        if (!triggers_jobs_fold(jobs, core_slice_make(w->log[i].bytes, w->log[i].length), &error))
            fail_msg("seed %lu: %s", w->seed, error.text);
    return jobs;
}

static void log_append(world *w, message m) {
    assert_true(w->log_count < MESSAGES_MAX);
    w->log[w->log_count++] = m;
}

static void log_purge(world *w, size_t below) {
    for (; w->log_first < below; w->log_first++)
        free(w->log[w->log_first].bytes);
}

static void owner_die(owner *o) {
    if (!o->alive)
        return;
    triggers_jobs_free(o->jobs);
    if (o->appends && !o->stored)
        free(o->in_flight.bytes);
    *o = (owner){0};
}

/* An owner that begins appends first, so that the one before it cannot. */
static void owner_begin(world *w, owner *o) {
    owner_die(o);
    log_append(w, (message){0});
    o->alive = true;
    o->next = w->log_count;
    o->jobs = log_fold(w, o);
    triggers_jobs_resume(o->jobs, w->now_us);
    w->takeovers++;
}

static void owner_append(world *w, owner *o) {
    if (o->appends || triggers_jobs_records_wait(o->jobs) == 0)
        return;
    core_buffer out;
    core_buffer_init(&out, 8 << 20);
    HOLDS(w, triggers_jobs_records_take(o->jobs, 50 + roll(w, 2000), &out));
    o->in_flight = (message){.bytes = out.data, .length = out.length};
    o->in_flight_end += out.length;
    o->appends = true;
    o->stored = false;
    if (o->starts_snapshot && o->in_flight_end > o->snapshot_from) {
        o->snapshot_start = o->next; /* its first record is in this message */
        o->starts_snapshot = false;
    }
}

/* The server takes or refuses what is in flight. */
static void append_arrives(world *w, owner *o) {
    if (!o->appends || o->stored)
        return;
    if (o->next != w->log_count) {
        w->refused_appends++;
        owner_die(o);
        return;
    }
    log_append(w, o->in_flight);
    o->stored = true;
}

static void append_acked(world *w, owner *o) {
    if (!o->appends || !o->stored)
        return;
    o->appends = false;
    o->next++;
    o->acked = o->in_flight_end;
    effects_tell(w, o);
    if (o->snapshots && o->snapshot_whole && o->acked >= o->snapshot_until) {
        log_purge(w, o->snapshot_start);
        o->snapshots = false;
    }
}

static void snapshot_step(owner *o) {
    if (!o->snapshots) {
        o->snapshots = o->starts_snapshot = true;
        o->snapshot_whole = false;
        o->snapshot_from = triggers_jobs_emitted(o->jobs);
        triggers_jobs_snapshot_begin(o->jobs);
    } else if (!o->snapshot_whole) {
        o->snapshot_whole = triggers_jobs_snapshot_next(o->jobs, 300);
        o->snapshot_until = triggers_jobs_emitted(o->jobs);
    }
}

#endif
