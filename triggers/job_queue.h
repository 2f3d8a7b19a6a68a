/* The jobs of one partition as a state machine: no threads, no clock, no sockets.
 *
 * What happens comes in as calls with the time; what follows goes out in two ways. **Records** say
 * each change of state, for the partition's log; folding them gives the same state again. The
 * **sink** is told what the world is to be told: jobs handed out, pulls answered, callbacks due.
 * Whoever drives the machine holds that back until the log has the records before it, and throws
 * the machine away when the log refuses them: so a stale owner hands out nothing and records
 * nothing, and what was told is never taken back. `triggers_jobs_emitted` and
 * `triggers_jobs_records_take` say which is which. A hand-out that waited for its job's
 * `timeout_ms` is not told any more: another owner may have begun since.
 *
 * A job goes SCHEDULED → READY → RUNNING → SUCCEEDED; a failed or silent attempt back to SCHEDULED,
 * or to DEAD; the table of what is allowed stands in job_table.c. At least once: an attempt whose
 * worker is silent for the job's `timeout_ms` counts as failed. After a takeover every running
 * attempt gets that time anew, for its progress is not in the log.
 *
 * Timers and ready jobs are heaps: what is not due costs nothing. Memory is bounded by the spec;
 * what is over makes room for what comes (dead ones do not), then a job is refused: FULL. A project
 * has a share of that: what it sends beyond is over at once, cancelled, and says so; so that one
 * project's jobs hold up nobody else's. */
#ifndef WALCAST_TRIGGERS_JOB_QUEUE_H
#define WALCAST_TRIGGERS_JOB_QUEUE_H

#include "triggers/job.h"

#define TRIGGERS_JOBS_PULLS_MAX     4096                /* that wait at once */
#define TRIGGERS_JOBS_HANDOUT_MAX   100                 /* jobs for one pull */
#define TRIGGERS_JOBS_HANDOUT_BYTES ((size_t)384 << 10) /* of their payloads; one always fits */
#define TRIGGERS_JOBS_CALLBACKS_MAX 10                  /* attempts of one, over three days */

typedef struct triggers_jobs triggers_jobs;

typedef struct {
    void *context;
    /* A job for the pull of that token; its status is RUNNING. Texts are valid during the call. */
    void (*handed_out)(void *context, uint64_t token, const triggers_job *job,
                       const triggers_job_status *status);
    /* The pull is over: all its jobs were told before, perhaps none. */
    void (*pull_ended)(void *context, uint64_t token);
    /* The job is over and somebody wants to know: answered by triggers_jobs_called. */
    void (*callback)(void *context, const triggers_job *job, const triggers_job_status *status);
} triggers_jobs_sink;

typedef struct {
    size_t max_jobs;
    size_t max_bytes; /* of all jobs, bookkeeping included */
    /* Of one project's, those that are over and make room left out; 0: as many as of all. */
    size_t project_max_jobs, project_max_bytes;
    int64_t dead_keep_ms; /* dead ones are kept so long, or for their own time if that is longer */
    uint64_t seed;        /* of hashes; random */
    triggers_jobs_sink sink;
} triggers_jobs_spec;

typedef enum {
    TRIGGERS_JOBS_OK,
    TRIGGERS_JOBS_KNOWN,     /* it was added, or ended that way, before: nothing changed */
    TRIGGERS_JOBS_DUPLICATE, /* added, but over at once: its unique key is taken */
    TRIGGERS_JOBS_REFUSED,   /* added, but over at once: its project's share is used up */
    TRIGGERS_JOBS_FULL,      /* no room: try again later */
    TRIGGERS_JOBS_UNKNOWN,   /* no such job, or no more */
    TRIGGERS_JOBS_STALE,     /* another attempt has begun since, or none runs */
    TRIGGERS_JOBS_CANCELS,   /* progress noted, and the attempt is to be given up */
    TRIGGERS_JOBS_OVER,      /* it is over already, or cannot be retried in its state */
    TRIGGERS_JOBS_TAKEN,     /* a retry whose unique key another job has now */
} triggers_jobs_verdict;

/* "ok", "known", ...; static. */
const char *triggers_jobs_verdict_name(triggers_jobs_verdict verdict);

CORE_MUST_CHECK triggers_jobs *triggers_jobs_new(const triggers_jobs_spec *spec, core_error *error);
void triggers_jobs_free(triggers_jobs *jobs);

/* ---- What happens ---- */

/* A job from the inbox, where it has that sequence (0: from elsewhere). It must be checked. Copied.
 * After FULL the sequence is not taken: it is to be offered again. */
triggers_jobs_verdict triggers_jobs_add(triggers_jobs *jobs, const triggers_job *job,
                                        uint64_t sequence, int64_t now_us);
/* Message `sequence` of the inbox is no job's and is passed over. */
void triggers_jobs_pass(triggers_jobs *jobs, uint64_t sequence);
/* Somebody asks for up to `max` jobs of a queue, and waits until `until_us`. The sink is told, now
 * or later, of each job and then of the end. FULL: too many wait; the sink is not told. */
triggers_jobs_verdict triggers_jobs_pull(triggers_jobs *jobs, core_slice project, core_slice queue,
                                         size_t max, int64_t until_us, uint64_t token,
                                         int64_t now_us);
/* OK, CANCELS, STALE or UNKNOWN. */
triggers_jobs_verdict triggers_jobs_progress(triggers_jobs *jobs, core_slice project, core_slice id,
                                             uint32_t lease, int64_t now_us);
/* `result` is JSON within its bound, or empty. OK, KNOWN (said before), STALE, UNKNOWN, FULL. */
triggers_jobs_verdict triggers_jobs_succeed(triggers_jobs *jobs, core_slice project, core_slice id,
                                            uint32_t lease, core_slice result, int64_t now_us);
/* `error` is cut to its bound. `retry_ms` below 0: by the job's backoff. `final`: no attempt more.
 * OK, KNOWN, STALE, UNKNOWN. */
triggers_jobs_verdict triggers_jobs_fail(triggers_jobs *jobs, core_slice project, core_slice id,
                                         uint32_t lease, core_slice error, int64_t retry_ms,
                                         bool final, int64_t now_us);
/* OK: it is cancelled, or if it runs will be (CANCELS). OVER, UNKNOWN. */
triggers_jobs_verdict triggers_jobs_cancel(triggers_jobs *jobs, core_slice project, core_slice id,
                                           int64_t now_us);
/* A dead or cancelled job is ready again, with all its attempts; of another one that is over, whose
 * callback is dead, that is told again. OK, OVER, TAKEN, UNKNOWN; FULL: its project's share has no
 * room for a cancelled one. */
triggers_jobs_verdict triggers_jobs_retry(triggers_jobs *jobs, core_slice project, core_slice id,
                                          int64_t now_us);
/* What became of a callback that the sink was told of. */
typedef enum {
    TRIGGERS_JOBS_CALL_TAKEN,
    TRIGGERS_JOBS_CALL_FAILED,    /* again later, up to the maximum of attempts; then it is dead */
    TRIGGERS_JOBS_CALL_DEAD,      /* it will never be taken */
    TRIGGERS_JOBS_CALL_POSTPONED, /* no attempt was made */
} triggers_jobs_call;

typedef struct {
    triggers_jobs_call call;
    core_slice reason; /* of one that failed; is cut to its bound */
    int64_t wait_ms;   /* before it is told again; FAILED: -1 leaves it to the schedule */
} triggers_jobs_called_word;

void triggers_jobs_called(triggers_jobs *jobs, core_slice id, const triggers_jobs_called_word *word,
                          int64_t now_us);
/* Does what is due, at most `max` things; true: there may be more. */
bool triggers_jobs_tick(triggers_jobs *jobs, size_t max, int64_t now_us);
/* When something is due next; INT64_MAX: nothing is. */
int64_t triggers_jobs_next_us(const triggers_jobs *jobs);

/* ---- What is ---- */

/* Whether a pull of the queue would get a job at once. */
bool triggers_jobs_has_ready(triggers_jobs *jobs, core_slice project, core_slice queue);

/* NULL: there is none such of the project (empty: of any). Valid until the next call that changes
 * anything. */
CORE_MUST_CHECK const triggers_job *triggers_jobs_find(const triggers_jobs *jobs,
                                                       core_slice project, core_slice id,
                                                       const triggers_job_status **status);
/* False ends the walk. */
typedef bool (*triggers_jobs_handler)(void *context, const triggers_job *job,
                                      const triggers_job_status *status);
/* The newest first. Nothing may change meanwhile. */
void triggers_jobs_each(const triggers_jobs *jobs, triggers_jobs_handler take, void *context);

typedef struct {
    size_t jobs;
    size_t bytes;
    size_t states[TRIGGERS_JOB_STATES];
    size_t pulls;     /* that wait */
    uint64_t evicted; /* over, and gone before their time for want of room */
    uint64_t expired; /* attempts that ended by silence */
    uint64_t refused; /* jobs beyond their project's share */
} triggers_jobs_figures;
triggers_jobs_figures triggers_jobs_count(const triggers_jobs *jobs);
/* The inbox is taken up to here. */
uint64_t triggers_jobs_taken(const triggers_jobs *jobs);

/* ---- The log ---- */

/* Bytes of records since the machine was made: what the sink is told belongs behind them. */
uint64_t triggers_jobs_emitted(const triggers_jobs *jobs);
/* Records that were not taken yet, as many whole ones as fit into `max_bytes` and at least one;
 * empty: there are none. Appended to `out`. False: memory was out while they were made: the machine
 * knows more than its log, and is to be thrown away. */
CORE_MUST_CHECK bool triggers_jobs_records_take(triggers_jobs *jobs, size_t max_bytes,
                                                core_buffer *out);
/* Bytes that wait to be taken. */
size_t triggers_jobs_records_wait(const triggers_jobs *jobs);
/* Applies records as another machine made them. INPUT: they are none, and the log cannot be read;
 * FULL: they need more room than the spec gives. */
CORE_MUST_CHECK bool triggers_jobs_fold(triggers_jobs *jobs, core_slice records, core_error *error);
/* The owner begins, behind the last fold, or goes on when it could not be asked for a while:
 * running attempts get their time anew. */
void triggers_jobs_resume(triggers_jobs *jobs, int64_t now_us);

/* A snapshot goes into the log among other records, a piece at a time: from the message in which it
 * begins, the log alone gives the state. */
void triggers_jobs_snapshot_begin(triggers_jobs *jobs);
/* Emits jobs until about `bytes` more wait; true: that was all, and what the log holds before the
 * beginning is no longer needed, once this is stored. */
bool triggers_jobs_snapshot_next(triggers_jobs *jobs, size_t bytes);

#endif
