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
#include "job_world.h"

static unsigned long seed_count = 3000, first_seed = 1;

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
