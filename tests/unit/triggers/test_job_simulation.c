/* Jobs under simulated trouble, from seeds: owners that crash before, between and after an append
 * and its ack, owners that lose their partition and do not know, workers that fail, are silent,
 * crash, repeat themselves and report too late; snapshots and purges of the log at any time.
 *
 * What must hold: no accepted job is lost; a lease is given to a worker once; the next one only
 * when the last attempt was reported or silent for the job's time, whichever owner gives it; what a
 * worker was told is recorded stays so, and is recorded once; a stale owner records and hands out
 * nothing; of a unique key one job is not over, of a concurrency key no more run than it says, in
 * the log itself; an eligible job of higher rank is never passed over. In the end each job is over.
 *
 *   unit_triggers_job_simulation [SEEDS [FIRST]] */
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

static unsigned long seed_count = 3000, first_seed = 1;

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

/* ---- Clients ---- */

static void job_ask(world *w) {
    if (w->job_count == JOBS_MAX)
        return;
    uint32_t number = w->job_count++;
    sample *s = &w->jobs[number];
    s->job = job_sample(number, roll(w, 2) ? "mail" : "other", s->digits);
    s->job.created_us = s->job.run_at_us = w->now_us;
    s->job.timeout_ms = TIMEOUT_MS;
    s->job.keep_ms = INT64_C(1) << 31;
    s->job.max_attempts = 1 + roll(w, 8);
    s->job.priority = (int32_t)roll(w, 3);
    if (roll(w, 3) == 0)
        s->job.run_at_us += roll(w, 60000) * CORE_US_PER_MS;
    if (roll(w, 10) == 0)
        s->job.deadline_us = w->now_us + (1 + roll(w, 100)) * CORE_US_PER_S;
    if (roll(w, 3) == 0) {
        s->unique[0] = (char)('a' + roll(w, 3));
        s->job.unique_key = core_slice_text(s->unique);
    }
    if (roll(w, 2) == 0) {
        s->concurrency[0] = (char)('a' + roll(w, 3));
        s->job.concurrency_key = core_slice_text(s->concurrency);
        s->job.concurrency = (uint32_t)(s->concurrency[0] - 'a') + 1;
    }
    s->accepted = true;
    w->inbox[w->inbox_count++] = number;
}

static void inbox_take(world *w, owner *o) {
    uint64_t next = triggers_jobs_taken(o->jobs);
    if (next < w->inbox_count && roll(w, 20) != 0) /* else one comes again */
        next++;
    if (next == 0)
        return;
    triggers_jobs_verdict verdict =
        triggers_jobs_add(o->jobs, &w->jobs[w->inbox[next - 1]].job, next, w->now_us);
    HOLDS(w, verdict == TRIGGERS_JOBS_OK || verdict == TRIGGERS_JOBS_DUPLICATE ||
                 verdict == TRIGGERS_JOBS_KNOWN);
}

/* ---- Workers: what they say, every owner that is alive hears, the stale ones too ---- */

static void worker_pull(world *w, uint32_t number) {
    const char *queue = roll(w, 2) ? "mail" : "other";
    for (size_t i = 0; i < OWNERS_MAX; i++)
        if (w->owners[i].alive)
            (void)triggers_jobs_pull(w->owners[i].jobs, core_slice_text("acme"),
                                     core_slice_text(queue), 1 + roll(w, 2),
                                     w->now_us + roll(w, 5000) * CORE_US_PER_MS, number, w->now_us);
}

static void worker_progress(world *w, worker *who) {
    bool heard = false;
    for (size_t i = 0; i < OWNERS_MAX; i++)
        if (w->owners[i].alive) {
            triggers_jobs_verdict verdict =
                triggers_jobs_progress(w->owners[i].jobs, core_slice_text("acme"),
                                       id_of(w, who->job), who->lease, w->now_us);
            /* an owner that has the log to its end is the one that counts */
            if (w->owners[i].next == w->log_count &&
                (verdict == TRIGGERS_JOBS_OK || verdict == TRIGGERS_JOBS_CANCELS))
                heard = true;
        }
    if (heard && w->jobs[who->job].last_lease == who->lease)
        w->jobs[who->job].heard_us = w->now_us;
}

static void owner_hears_result(world *w, owner *o, const worker *who, bool success) {
    triggers_jobs_verdict verdict;
    if (success)
        verdict = triggers_jobs_succeed(o->jobs, core_slice_text("acme"), id_of(w, who->job),
                                        who->lease, core_slice_text("[1]"), w->now_us);
    else
        verdict =
            triggers_jobs_fail(o->jobs, core_slice_text("acme"), id_of(w, who->job), who->lease,
                               core_slice_text("boom"), -1, roll(w, 20) == 0, w->now_us);
    if (success && (verdict == TRIGGERS_JOBS_OK || verdict == TRIGGERS_JOBS_KNOWN))
        effect_add(o, (effect){.kind = EFFECT_RECORDED, .job = who->job, .lease = who->lease});
    if (verdict == TRIGGERS_JOBS_STALE)
        w->late_results++;
}

static void worker_report(world *w, worker *who, bool success) {
    for (size_t i = 0; i < OWNERS_MAX; i++)
        if (w->owners[i].alive)
            owner_hears_result(w, &w->owners[i], who, success);
    if (w->jobs[who->job].last_lease == who->lease)
        w->jobs[who->job].attempt_reported = true;
    if (w->calm || roll(w, 5) != 0) /* else it says so again, perhaps much later */
        who->works = false;
}

static void worker_step(world *w, uint32_t number) {
    worker *who = &w->workers[number];
    if (!who->works) {
        worker_pull(w, number);
        return;
    }
    switch (w->calm ? 0 : roll(w, 6)) {
    case 0:
    case 1:
        worker_report(w, who, true);
        break;
    case 2:
        worker_report(w, who, false);
        break;
    case 3:
        worker_progress(w, who);
        break;
    case 4:
        if (roll(w, 4) == 0)
            who->works = false; /* it crashed */
        break;
    default:
        break;
    }
}

static void job_cancel(world *w) {
    if (w->job_count == 0)
        return;
    uint32_t number = roll(w, w->job_count);
    w->jobs[number].cancelled = true;
    for (size_t i = 0; i < OWNERS_MAX; i++)
        if (w->owners[i].alive)
            (void)triggers_jobs_cancel(w->owners[i].jobs, core_slice_text("acme"), id_of(w, number),
                                       w->now_us);
}

/* ---- What must hold ---- */

typedef struct {
    world *w;
    unsigned unique[2][256];
    unsigned running[2][256];
    bool seen[JOBS_MAX];
    bool last;
} log_check;

static bool log_job_check(void *context, const triggers_job *job,
                          const triggers_job_status *status) {
    log_check *check = context;
    world *w = check->w;
    uint32_t number = number_of(job);
    size_t queue = core_slice_is(job->queue, "mail");
    check->seen[number] = true;
    if (job->unique_key.length > 0 && !triggers_job_is_over(status->state))
        HOLDS(w, ++check->unique[queue][job->unique_key.data[0]] == 1);
    if (job->concurrency_key.length > 0 && status->state == TRIGGERS_JOB_RUNNING)
        HOLDS(w, ++check->running[queue][job->concurrency_key.data[0]] <= job->concurrency);
    const sample *s = &w->jobs[number];
    if (s->recorded_lease > 0)
        HOLDS(w, status->state == TRIGGERS_JOB_SUCCEEDED && status->lease == s->recorded_lease &&
                     core_slice_is(status->result, "[1]"));
    HOLDS(w, status->lease >= s->last_lease);
    if (status->state == TRIGGERS_JOB_CANCELLED)
        HOLDS(w, s->cancelled);
    if (check->last)
        HOLDS(w, triggers_job_is_over(status->state));
    return true;
}

static void log_holds(world *w, bool last) {
    log_check check = {.w = w, .last = last};
    triggers_jobs *jobs = log_fold(w, NULL);
    triggers_jobs_each(jobs, log_job_check, &check);
    for (uint64_t i = 0; i < triggers_jobs_taken(jobs); i++)
        HOLDS(w, check.seen[w->inbox[i]]);
    if (last)
        HOLDS(w, triggers_jobs_taken(jobs) == w->inbox_count);
    triggers_jobs_free(jobs);
}

/* ---- A run ---- */

static owner *owner_any(world *w) {
    owner *o = &w->owners[roll(w, OWNERS_MAX)];
    return o->alive ? o : NULL;
}

static void owner_step(world *w) {
    owner *o = owner_any(w);
    if (o == NULL)
        return;
    switch (roll(w, 8)) {
    case 0:
        inbox_take(w, o);
        break;
    case 1:
        (void)triggers_jobs_tick(o->jobs, 1 + roll(w, 20), w->now_us);
        break;
    case 2:
    case 3:
        owner_append(w, o);
        break;
    case 4:
    case 5:
        append_arrives(w, o);
        break;
    case 6:
        append_acked(w, o);
        break;
    default:
        if (roll(w, 3) == 0)
            snapshot_step(o);
        break;
    }
}

static void step(world *w) {
    switch (roll(w, 12)) {
    case 0:
        job_ask(w);
        break;
    case 1:
        w->now_us += roll(w, 4000) * CORE_US_PER_MS;
        break;
    case 2:
    case 3:
        worker_step(w, roll(w, WORKERS));
        break;
    case 4:
        if (roll(w, 6) == 0)
            owner_begin(w, &w->owners[roll(w, OWNERS_MAX)]); /* others may live on, stale */
        break;
    case 5:
        if (roll(w, 20) == 0)
            owner_die(&w->owners[roll(w, OWNERS_MAX)]);
        if (roll(w, 20) == 0)
            job_cancel(w);
        break;
    default:
        owner_step(w);
        break;
    }
}

/* One owner, workers that do their work, time that passes. */
static void settle(world *w) {
    w->calm = true;
    for (size_t i = 0; i < OWNERS_MAX; i++)
        owner_die(&w->owners[i]);
    owner *o = &w->owners[0];
    owner_begin(w, o);
    for (unsigned round = 0; round < 3000; round++) {
        inbox_take(w, o);
        w->now_us += 500 * CORE_US_PER_MS;
        while (triggers_jobs_tick(o->jobs, 50, w->now_us))
            continue;
        worker_step(w, round % WORKERS);
        owner_append(w, o);
        append_arrives(w, o);
        append_acked(w, o);
        HOLDS(w, o->alive);
    }
}

static void world_free(world *w) {
    for (size_t i = 0; i < OWNERS_MAX; i++)
        owner_die(&w->owners[i]);
    log_purge(w, w->log_count);
}

static void jobs_live_through_any_trouble(void **state) {
    (void)state;
    static world w;
    unsigned long hand_outs = 0, refused = 0, takeovers = 0, late = 0;
    for (unsigned long seed = first_seed; seed < first_seed + seed_count; seed++) {
        w = (world){.seed = seed, .random = seed * 7919, .now_us = SAMPLE_START_US};
        for (unsigned i = 0; i < STEPS; i++) {
            step(&w);
            if (i % 100 == 0)
                log_holds(&w, false);
        }
        settle(&w);
        log_holds(&w, true);
        world_free(&w);
        hand_outs += w.hand_outs;
        refused += w.refused_appends;
        takeovers += w.takeovers;
        late += w.late_results;
    }
    printf("%lu seeds: %lu hand-outs, %lu takeovers, %lu appends of stale owners refused, "
           "%lu late results refused\n",
           seed_count, hand_outs, takeovers, refused, late);
    assert_true(hand_outs > seed_count && refused > seed_count / 10 && late > seed_count / 10);
}

int main(int argc, char **argv) {
    if (argc > 1)
        seed_count = strtoul(argv[1], NULL, 10);
    if (argc > 2)
        first_seed = strtoul(argv[2], NULL, 10);
    const struct CMUnitTest tests[] = {cmocka_unit_test(jobs_live_through_any_trouble)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
