/* See job_runner.h. The loop: what other threads brought, what the stream answered, what the
 * partitions have to do; then sleep until the next of it. While NATS cannot be reached everything
 * that is asked is refused, and the connection is tried with backoff. */
#include "triggers/job_runner_private.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    SLEEP_MAX_MS = 100, /* the courier wants to be polled */
    FIGURES_MS = 1000,
    BACKOFF_FIRST_MS = 50,
    BACKOFF_MAX_MS = 2000,
};

static int64_t now_ms(const triggers_job_runner *runner) {
    return core_clock_ms(runner->spec.clock);
}

/* ---- Connecting ---- */

/* On the bus's thread. One that finds no room is asked again by its worker. */
static void on_request(void *context, const char *subject, const char *reply, core_slice payload) {
    triggers_job_runner *runner = context;
    CORE_MAGIC_CHECK(runner, TRIGGERS_JOB_RUNNER_MAGIC);
    if (!triggers_job_mailbox_word(&runner->mailbox, subject, reply, payload))
        core_metrics_add(runner->spec.metrics, CORE_METRIC_TRIGGERS_JOBS_WORDS_LOST, 1);
}

static bool streams_ensure(triggers_job_runner *runner, core_error *error) {
    const struct {
        fanout_work work;
        char *name;
    } streams[] = {{FANOUT_WORK_JOBS, runner->inbox_stream},
                   {FANOUT_WORK_JOB_LOGS, runner->log_stream}};
    for (size_t i = 0; i < CORE_COUNT_OF(streams); i++) {
        char subjects[CORE_SUBJECT_MAX];
        fanout_stream_info info;
        fanout_stream_spec spec = fanout_stream_work_spec(runner->spec.config, streams[i].work,
                                                          streams[i].name, subjects);
        if (!fanout_stream_ensure(runner->connection, &spec, &info, error))
            return false;
    }
    return true;
}

static bool bus_open(triggers_job_runner *runner, core_error *error) {
    char filter[CORE_SUBJECT_MAX];
    int length = snprintf(filter, sizeof filter, "%s.jobs.*.*.*.*",
                          core_config_text(runner->spec.config, "nats.prefix"));
    if (length <= 0 || (size_t)length >= sizeof filter)
        return core_error_set(error, CORE_ERROR_CONFIG, "nats.prefix is too long for jobs");
    const fanout_bus_spec spec = {.filter = filter, .on_request = on_request, .context = runner};
    runner->bus = fanout_bus_new(runner->connection, &spec, error);
    return runner->bus != NULL;
}

static void runner_disconnect(triggers_job_runner *runner) {
    job_slots_close(runner);
    job_share_close(runner);
    fanout_bus_free(runner->bus);
    fanout_bucket_free(runner->leases);
    fanout_courier_free(runner->courier);
    fanout_connection_free(runner->connection);
    runner->bus = NULL;
    runner->leases = NULL;
    runner->courier = NULL;
    runner->connection = NULL;
    atomic_store(&runner->is_up, false);
}

static bool runner_connect(triggers_job_runner *runner, core_error *error) {
    const triggers_job_runner_spec *spec = &runner->spec;
    runner->connection =
        fanout_connection_new(spec->config, "walcast jobs", spec->log, spec->metrics, error);
    if (runner->connection == NULL || !streams_ensure(runner, error))
        return false;
    runner->leases = fanout_bucket_new_brief(runner->connection, spec->config, "leases",
                                             runner->lease_ms, error);
    if (runner->leases == NULL || !bus_open(runner, error))
        return false;
    runner->courier =
        fanout_courier_new(spec->config, "walcast jobs' stream", spec->log, spec->clock, error);
    return runner->courier != NULL && job_share_open(runner, error) &&
           job_slots_open(runner, error);
}

static void runner_try(triggers_job_runner *runner) {
    core_error error = {0};
    if (now_ms(runner) < runner->connect_ms)
        return;
    if (runner_connect(runner, &error)) {
        core_backoff_reset(&runner->backoff);
        runner->refused[0] = '\0';
        atomic_store(&runner->is_up, true);
        return;
    }
    if (strcmp(runner->refused, error.text) != 0) /* said once, not at each attempt */
        CORE_LOG(runner->spec.log, WARN, "triggers", "jobs cannot begin; tried again",
                 CORE_LOG_TEXT("error", error.text));
    (void)snprintf(runner->refused, sizeof runner->refused, "%s", error.text);
    runner_disconnect(runner);
    runner->connect_ms = now_ms(runner) + core_backoff_next_ms(&runner->backoff);
}

/* ---- The loop ---- */

void job_courier_answered(void *context, uint64_t tag, const fanout_answer *answer,
                          const core_error *error) {
    triggers_job_runner *runner = context;
    CORE_MAGIC_CHECK(runner, TRIGGERS_JOB_RUNNER_MAGIC);
    unsigned kind = tag & 0xff, slot = tag >> 8 & 0xff;
    uint64_t number = tag >> 16;
    if (kind == ANSWER_STORED) {
        job_pending *pending = job_pending_take(runner, number);
        if (pending != NULL)
            job_http_stored(runner, pending, error);
        return;
    }
    job_slot_answered(&runner->slots[slot], kind, number, answer, error);
}

static void mails_take(triggers_job_runner *runner) {
    triggers_job_mail *mail = triggers_job_mailbox_take(&runner->mailbox);
    for (triggers_job_mail *next; mail != NULL; mail = next) {
        next = mail->next;
        if (mail->http != NULL && !atomic_load(&runner->is_up))
            job_http_refuse(mail->http, 503, "NATS is away; try again");
        else if (mail->http != NULL)
            job_http_take(runner, mail->http);
        else if (atomic_load(&runner->is_up))
            job_word_take(runner, mail);
        free(mail);
    }
}

static void figures_tell(triggers_job_runner *runner) {
    size_t states[TRIGGERS_JOB_STATES] = {0}, bytes = 0, pulls = 0;
    uint64_t malformed = 0, refused = 0;
    if (now_ms(runner) < runner->figures_ms)
        return;
    runner->figures_ms = now_ms(runner) + FIGURES_MS;
    for (size_t i = 0; i < TRIGGERS_JOB_PARTITIONS; i++) {
        if (!job_slot_owns(&runner->slots[i]))
            continue;
        triggers_jobs_figures figures = triggers_job_partition_count(runner->slots[i].partition);
        for (size_t s = 0; s < TRIGGERS_JOB_STATES; s++)
            states[s] += figures.states[s];
        bytes += figures.bytes;
        pulls += figures.pulls;
        refused += figures.refused;
        malformed += triggers_job_partition_malformed(runner->slots[i].partition);
    }
    core_metrics *metrics = runner->spec.metrics;
    core_metrics_set(metrics, CORE_METRIC_TRIGGERS_JOBS_SCHEDULED,
                     (int64_t)states[TRIGGERS_JOB_SCHEDULED]);
    core_metrics_set(metrics, CORE_METRIC_TRIGGERS_JOBS_READY, (int64_t)states[TRIGGERS_JOB_READY]);
    core_metrics_set(metrics, CORE_METRIC_TRIGGERS_JOBS_RUNNING,
                     (int64_t)states[TRIGGERS_JOB_RUNNING]);
    core_metrics_set(metrics, CORE_METRIC_TRIGGERS_JOBS_DEAD, (int64_t)states[TRIGGERS_JOB_DEAD]);
    core_metrics_set(metrics, CORE_METRIC_TRIGGERS_JOBS_BYTES, (int64_t)bytes);
    core_metrics_set(metrics, CORE_METRIC_TRIGGERS_JOBS_PULLS, (int64_t)pulls);
    core_metrics_set(metrics, CORE_METRIC_TRIGGERS_JOBS_MALFORMED, (int64_t)malformed);
    core_metrics_set(metrics, CORE_METRIC_TRIGGERS_JOBS_REFUSED, (int64_t)refused);
    core_metrics_set(metrics, CORE_METRIC_TRIGGERS_JOBS_PARTITIONS, atomic_load(&runner->owned));
}

static void runner_sleep(triggers_job_runner *runner, int64_t until_ms) {
    struct pollfd fds[2] = {{.fd = runner->mailbox.wake_fd, .events = POLLIN},
                            {.fd = -1, .events = POLLIN}};
    int64_t wait_ms = until_ms - now_ms(runner);
    if (runner->courier != NULL)
        fds[1].fd = fanout_courier_wake_fd(runner->courier);
    if (wait_ms > SLEEP_MAX_MS)
        wait_ms = SLEEP_MAX_MS;
    if (wait_ms > 0)
        (void)poll(fds, 2, (int)wait_ms);
}

static int64_t runner_turn(triggers_job_runner *runner) {
    if (!atomic_load(&runner->is_up))
        runner_try(runner);
    mails_take(runner);
    job_pending_expire(runner, false);
    if (!atomic_load(&runner->is_up)) {
        triggers_job_caller_turn(runner->caller);
        return runner->connect_ms;
    }
    fanout_courier_poll(runner->courier);
    triggers_job_caller_turn(runner->caller);
    job_works_renew(runner);
    job_share_turn(runner);
    int64_t next_ms = job_slots_run(runner);
    fanout_courier_flush(runner->courier);
    figures_tell(runner);
    return next_ms;
}

static void *runner_run(void *argument) {
    triggers_job_runner *runner = argument;
    CORE_MAGIC_CHECK(runner, TRIGGERS_JOB_RUNNER_MAGIC);
    (void)pthread_setname_np(pthread_self(), "walcast-jobs");
    while (!atomic_load(&runner->stopping))
        runner_sleep(runner, runner_turn(runner));
    triggers_job_mailbox_close(&runner->mailbox);
    runner_disconnect(runner);
    mails_take(runner);
    job_pending_expire(runner, true);
    return NULL;
}

/* ---- Life ---- */

static bool runner_begin(triggers_job_runner *runner, core_error *error) {
    const core_config *config = runner->spec.config;
    if (!core_snapshot_id_make(runner->node, error) ||
        !triggers_job_mailbox_init(&runner->mailbox, error))
        return false;
    if (!core_subject_work(config, fanout_work_word(FANOUT_WORK_JOBS), "x", runner->scope))
        return core_error_set(error, CORE_ERROR_CONFIG, "nats.prefix is too long for jobs");
    runner->scope[strlen(runner->scope) - 1] = '\0';
    runner->tenants = core_tenants_of(config);
    runner->lease_ms = core_config_integer(config, "triggers.lease");
    const triggers_job_caller_spec caller = {.config = config,
                                             .log = runner->spec.log,
                                             .metrics = runner->spec.metrics,
                                             .clock = runner->spec.clock,
                                             .wake_fd = runner->mailbox.wake_fd};
    runner->caller = triggers_job_caller_new(&caller, error);
    if (runner->caller == NULL)
        return false;
    core_backoff_init(&runner->backoff, BACKOFF_FIRST_MS, BACKOFF_MAX_MS, (uintptr_t)runner);
    runner->thread_started = pthread_create(&runner->thread, NULL, runner_run, runner) == 0;
    return runner->thread_started ||
           core_error_set(error, CORE_ERROR_INTERNAL, "cannot start the jobs' thread");
}

triggers_job_runner *triggers_job_runner_new(const triggers_job_runner_spec *spec,
                                             core_error *error) {
    triggers_job_runner *runner = calloc(1, sizeof *runner);
    if (runner == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "out of memory for jobs");
        return NULL;
    }
    runner->magic = TRIGGERS_JOB_RUNNER_MAGIC;
    runner->spec = *spec;
    runner->mailbox.wake_fd = -1;
    if (runner_begin(runner, error))
        return runner;
    triggers_job_runner_free(runner);
    return NULL;
}

void triggers_job_runner_free(triggers_job_runner *runner) {
    if (runner == NULL)
        return;
    CORE_MAGIC_CHECK(runner, TRIGGERS_JOB_RUNNER_MAGIC);
    atomic_store(&runner->stopping, true);
    if (runner->thread_started) {
        core_wake_set(runner->mailbox.wake_fd);
        (void)pthread_join(runner->thread, NULL);
    }
    triggers_job_caller_free(runner->caller);
    job_works_free(runner);
    if (runner->mailbox.wake_fd >= 0)
        triggers_job_mailbox_fini(&runner->mailbox);
    runner->magic = 0;
    free(runner);
}

void triggers_job_runner_take(triggers_job_runner *runner, core_route_reply *reply) {
    CORE_MAGIC_CHECK(runner, TRIGGERS_JOB_RUNNER_MAGIC);
    if (!triggers_job_mailbox_http(&runner->mailbox, reply))
        job_http_refuse(reply, 503, "too many requests wait; try again");
}

core_readiness triggers_job_runner_ready(triggers_job_runner *runner, char *reason,
                                         size_t reason_size) {
    CORE_MAGIC_CHECK(runner, TRIGGERS_JOB_RUNNER_MAGIC);
    const char *text = NULL;
    core_readiness ready = CORE_READY_WARNING;
    if (!atomic_load(&runner->is_up)) {
        ready = CORE_READY_NO;
        text = "jobs: NATS cannot be reached; tried again";
    } else if (atomic_load(&runner->is_unreadable)) {
        text =
            "jobs: a partition's log cannot be read: a newer Walcast wrote it, or something else";
    } else if (atomic_load(&runner->is_full)) {
        text = "jobs: their log is full: nothing is handed out until jobs.log_bytes is raised";
    }
    if (text == NULL)
        return CORE_READY_YES;
    (void)snprintf(reason, reason_size, "%s", text);
    return ready;
}
