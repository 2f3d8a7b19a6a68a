/* How a snapshot begins: its place in the stream and its ranges; see snapshot_jobs.h.
 *
 * The cut: a snapshot of the database and the sequence at which the stream holds just what that
 * sees. Found as rows find their place (snapshot_gate.h), by a ticket without rows. */
#include "cdc/snapshot_jobs_private.h"
#include "cdc/snapshot_moment.h"

#include <stdio.h>

enum {
    CUT_TEXT_MAX = 16 << 10,
    PLAN_ARENA_BYTES = 64 << 10,
    PLAN_ARENA_MAX = 16 << 20,
};

bool cdc_snapshot_database_open(cdc_snapshot_jobs *jobs, core_error *error) {
    if (jobs->database != NULL && pg_connection_alive(jobs->database))
        return true;
    pg_connection_free(jobs->database);
    pg_connection_spec spec = {
        .url = core_config_text(jobs->config, "postgres.url"),
        .application_name = "walcast snapshots",
        .timeout_ms = core_config_integer(jobs->config, "postgres.connect_timeout"),
        .cancel_fd = -1,
    };
    jobs->database = pg_connection_new(&spec, error);
    pg_result *result = jobs->database != NULL
                            ? pg_query(jobs->database, "SET row_security = off", NULL, 0, error)
                            : NULL;
    pg_result_free(result);
    return result != NULL;
}

static bool stream_name_check(const cdc_snapshot_jobs *jobs, const cdc_snapshot_job *job,
                              core_error *error) {
    char expected[FANOUT_NAME_MAX];
    (void)snprintf(expected, sizeof expected, "%s_SNAPSHOT_%s",
                   core_config_text(jobs->config, "nats.stream"), job->record.id);
    if (job->record.stream.length == 0 || core_slice_is(job->record.stream, expected))
        return true;
    return core_error_set(error, CORE_ERROR_CONFIG,
                          "an addressed snapshot's stream is \"%.*s\", expected \"%s\"",
                          CORE_SLICE_ARGS(job->record.stream), expected);
}

/* An addressed one is read in one range: what it gives is in the key's order. */
static void plan_join(cdc_snapshot_plan *plan) {
    size_t kept = 0;
    for (size_t i = 0; i < plan->count; i++) {
        bool same = kept > 0 &&
                    core_slice_equal(plan->ranges[kept - 1].table, plan->ranges[i].table) &&
                    core_slice_equal(plan->ranges[kept - 1].schema, plan->ranges[i].schema);
        if (same)
            plan->ranges[kept - 1].up_to = plan->ranges[i].up_to;
        else
            plan->ranges[kept++] = plan->ranges[i];
    }
    plan->count = kept;
}

/* The database's snapshot and, of the stream, where it ends that holds just what that sees. */
typedef struct {
    char snapshot[CUT_TEXT_MAX];
    uint64_t sequence;
} stream_cut;

static bool cut_moment(cdc_snapshot_jobs *jobs, cdc_snapshot_ticket *ticket, stream_cut *cut,
                       core_error *error) {
    core_slice text;
    core_arena_reset(&jobs->scratch);
    if (!cdc_snapshot_moment_take(jobs->database, &ticket->visibility, &ticket->high_lsn, &text,
                                  &jobs->scratch, error))
        return false;
    if (!core_slice_to_text(text, cut->snapshot, sizeof cut->snapshot))
        return core_error_set(error, CORE_ERROR_TRANSIENT,
                              "more transactions are open than a snapshot's record holds");
    return true;
}

static bool cut_take(cdc_snapshot_jobs *jobs, stream_cut *cut, core_error *error) {
    cdc_snapshot_ticket *ticket = cdc_snapshot_gate_ticket(jobs->gate, CDC_SNAPSHOT_CUT_TICKET);
    uint64_t session = jobs->session.number;
    if (!cdc_snapshot_predecessor_passed(&jobs->predecessor, jobs->database, session, error))
        return false;
    ticket->cut = true;
    if (cdc_snapshot_gate_pass(jobs->gate, ticket, CDC_TICKET_ASKED, session) != CDC_TICKET_OPEN)
        return core_error_set(error, CORE_ERROR_TRANSIENT, "the stream was interrupted");
    if (!cut_moment(jobs, ticket, cut, error)) {
        cdc_snapshot_gate_leave(jobs->gate, ticket);
        return false;
    }
    switch (cdc_snapshot_gate_pass(jobs->gate, ticket, CDC_TICKET_READ, session)) {
    case CDC_TICKET_PLACED:
        cut->sequence = ticket->after_sequence;
        return true;
    case CDC_TICKET_AGAIN:
        return core_error_set(error, CORE_ERROR_TRANSIENT, "%s", ticket->reason);
    default:
        return core_error_set(error, CORE_ERROR_TRANSIENT, "the stream was interrupted");
    }
}

/* The initial snapshot's is the slot's own. */
static bool cut_make(cdc_snapshot_jobs *jobs, stream_cut *cut, core_error *error) {
    *cut = (stream_cut){.sequence = jobs->session.start_sequence};
    return cdc_snapshot_session_is_initial(&jobs->session) || cut_take(jobs, cut, error);
}

static bool plan_keep(cdc_snapshot_jobs *jobs, cdc_snapshot_job *job, const stream_cut *cut,
                      cdc_snapshot_plan *plan, core_error *error) {
    if (job->record.stream.length > 0)
        plan_join(plan);
    (void)pthread_mutex_lock(&jobs->mutex);
    bool ok = cdc_snapshot_job_plan(job, plan);
    job->record.start_sequence = job->record.end_sequence = cut->sequence;
    job->record.low = core_arena_copy(&job->arena, core_slice_text(cut->snapshot));
    job->record.epoch = core_arena_copy(&job->arena, core_slice_text(jobs->session.epoch));
    (void)pthread_mutex_unlock(&jobs->mutex);
    return ok || core_error_set(error, CORE_ERROR_INTERNAL, "out of memory for a plan");
}

static bool job_plan(cdc_snapshot_jobs *jobs, cdc_snapshot_job *job, core_error *error) {
    cdc_snapshot_plan plan;
    stream_cut cut;
    core_arena arena;
    core_arena_init(&arena, PLAN_ARENA_BYTES, PLAN_ARENA_MAX);
    bool ok = stream_name_check(jobs, job, error) && cdc_snapshot_database_open(jobs, error) &&
              cut_make(jobs, &cut, error) &&
              cdc_snapshot_plan_make(jobs->database, &jobs->scope, job->record.schema,
                                     job->record.table, job->record.filter, &arena, &plan, error) &&
              (cdc_snapshot_session_is_initial(&jobs->session) ||
               cdc_snapshot_plan_end(jobs->database, &jobs->scope, &arena, &plan, error)) &&
              plan_keep(jobs, job, &cut, &plan, error);
    core_arena_fini(&arena);
    return ok;
}

/* Of a table without a key: the last message of its rows is the last that the record knows of. */
static bool rows_known(cdc_snapshot_jobs *jobs, const cdc_snapshot_job *job,
                       const core_snapshot_range *range, bool *known, core_error *error) {
    const core_config *config = jobs->config;
    char subject[CORE_SUBJECT_MAX];
    uint64_t sequence = 0;
    const core_subject_scope scope = core_subject_scope_of(config);
    *known = true;
    if (range->key.length > 0)
        return true;
    if (!core_subject_change(&scope, range->schema, range->table, CORE_OP_READ, subject))
        return core_error_set(error, CORE_ERROR_LIMIT, "the table's subject is too long");
    bool ok = fanout_stream_subject_end(jobs->connection, core_config_text(config, "nats.stream"),
                                        subject, &sequence, error);
    /* A stream of its own is not looked at: there it always begins anew. */
    *known = job->record.stream.length == 0 && sequence <= job->record.end_sequence;
    return ok;
}

/* Before an interrupted snapshot goes on. Rows with a key may come twice; those without one count
 * twice, so when some were sent that the record does not tell of (a kill), it begins anew: its new
 * place in the stream tells readers to forget the old ones. */
static bool job_check(cdc_snapshot_jobs *jobs, cdc_snapshot_job *job, core_error *error) {
    bool known = true;
    if (!job->planned || job->checked)
        return true;
    for (size_t i = 0; known && i < job->record.range_count; i++)
        if (!rows_known(jobs, job, &job->record.ranges[i], &known, error))
            return false;
    if (known)
        return true;
    (void)pthread_mutex_lock(&jobs->mutex);
    cdc_snapshot_job_unplan(job);
    (void)pthread_mutex_unlock(&jobs->mutex);
    return true;
}

/* What a person must mend ends it; the rest is tried again. */
bool cdc_snapshot_job_begin(cdc_snapshot_jobs *jobs, cdc_snapshot_job *job, core_error *error) {
    core_error reason = {0};
    bool all = cdc_snapshot_is_of_all(&job->record);
    bool ok = all ? cdc_snapshot_all_request(jobs, &job->record, &reason)
                  : job_check(jobs, job, &reason) && (job->planned || job_plan(jobs, job, &reason));
    bool heals = !ok && reason.code == CORE_ERROR_TRANSIENT;
    (void)pthread_mutex_lock(&jobs->mutex);
    if (heals)
        (void)snprintf(job->error, sizeof job->error, "%s", reason.text);
    else if (ok) {
        job->checked = true;
        cdc_snapshot_job_move(job, all ? CORE_SNAPSHOT_DONE : CORE_SNAPSHOT_RUNNING, "");
    } else
        cdc_snapshot_jobs_fail(jobs, job, &reason);
    (void)pthread_cond_broadcast(&jobs->changed);
    (void)pthread_mutex_unlock(&jobs->mutex);
    if (ok && !all)
        CORE_LOG(jobs->log, INFO, "cdc", "snapshot begins",
                 CORE_LOG_TEXT("snapshot", job->record.id),
                 CORE_LOG_NUMBER("ranges", job->record.range_count));
    return cdc_snapshot_record_store(jobs, job, error);
}
