/* A job: what somebody asked to be done, and how far it is. With its wire form, which the inbox
 * stream and the partitions' logs hold.
 *
 * Two parts: what was asked, which never changes (triggers_job), and where it stands
 * (triggers_job_status). A job's id begins with the time it was made, so ids sort by age, names the
 * partition that owns it, and ends in 80 random bits, so it cannot be guessed. Everything is
 * bounded, and what is beyond a bound is refused, by name. Pure; the texts are somebody else's. */
#ifndef WALCAST_TRIGGERS_JOB_H
#define WALCAST_TRIGGERS_JOB_H

#include "core/core.h"

#define TRIGGERS_JOB_PARTITIONS      16
#define TRIGGERS_JOB_ID_LENGTH       28 /* 10 of the time, 2 of the partition, 16 at random */
#define TRIGGERS_JOB_PROJECT_MAX     64
#define TRIGGERS_JOB_QUEUE_MAX       64
#define TRIGGERS_JOB_TYPE_MAX        128
#define TRIGGERS_JOB_KEY_MAX         256
#define TRIGGERS_JOB_URL_MAX         2048
#define TRIGGERS_JOB_PAYLOAD_MAX     ((size_t)256 << 10)
#define TRIGGERS_JOB_RESULT_MAX      ((size_t)64 << 10)
#define TRIGGERS_JOB_ERROR_MAX       1024
#define TRIGGERS_JOB_CALLBACK_SECRET "JOB_CALLBACK" /* where none is named */
#define TRIGGERS_JOB_SECRET_MAX      64             /* of a secret's name */
#define TRIGGERS_JOB_CALLED_MAX      256            /* of what became of a callback */
/* The longest wire form of a job, and of a status. */
#define TRIGGERS_JOB_WIRE_MAX        (TRIGGERS_JOB_PAYLOAD_MAX + 8192)
#define TRIGGERS_JOB_STATUS_WIRE_MAX (TRIGGERS_JOB_RESULT_MAX + 4096)

#define TRIGGERS_JOB_PRIORITY_MAX    100 /* and its negative */
#define TRIGGERS_JOB_ATTEMPTS_MAX    1000
#define TRIGGERS_JOB_CONCURRENCY_MAX 10000

typedef enum {
    TRIGGERS_JOB_NONE, /* not known; never stored */
    TRIGGERS_JOB_SCHEDULED,
    TRIGGERS_JOB_READY,
    TRIGGERS_JOB_RUNNING,
    TRIGGERS_JOB_SUCCEEDED,
    TRIGGERS_JOB_DEAD, /* out of attempts, past its deadline, or its worker gave it up */
    TRIGGERS_JOB_CANCELLED,
    TRIGGERS_JOB_DUPLICATE, /* its unique key was taken: `error` holds the id of whose it is */
    TRIGGERS_JOB_STATES,
} triggers_job_state;

/* What was asked. Times are microseconds since 1970. */
typedef struct {
    char id[TRIGGERS_JOB_ID_LENGTH + 1];
    core_slice project;
    core_slice queue;           /* letters, digits, '-' and '_': a token of subjects */
    core_slice type;            /* what the worker tells kinds of jobs by; may be empty */
    core_slice payload;         /* JSON */
    core_slice unique_key;      /* empty: none. Of those that are not over one in a queue */
    core_slice concurrency_key; /* empty: none. So many run at once in a queue: */
    uint32_t concurrency;
    int32_t priority; /* higher ones first */
    uint32_t max_attempts;
    int64_t backoff_first_ms; /* before the second attempt; doubles from there */
    int64_t backoff_max_ms;
    int64_t timeout_ms; /* an attempt that says nothing for so long has failed */
    int64_t keep_ms;    /* how long it can be looked up when it is over */
    int64_t created_us;
    int64_t run_at_us;          /* not before */
    int64_t deadline_us;        /* dead if not done by then; 0: none */
    core_slice callback_url;    /* told when it is over; empty: nobody */
    core_slice callback_secret; /* the name of the project's secret that signs what is told */
    uint16_t depth;             /* how many triggers led to it */
} triggers_job;

/* Where it stands. */
typedef struct {
    triggers_job_state state;
    uint32_t attempts; /* begun since it was made, or was retried by hand */
    uint32_t lease;    /* the last attempt's number, of all: what a worker's word is checked by */
    bool cancels;      /* running, and to be given up: its worker hears so */
    uint8_t callback_attempts; /* made for the callback */
    bool callback_due;         /* it is over and its callback is not yet told */
    bool callback_dead;        /* and never will be, unless it is retried by hand */
    int64_t due_us;     /* SCHEDULED: when it is ready. Over, callback due: when to tell it */
    int64_t started_us; /* of the last attempt */
    int64_t finished_us;
    core_slice result;         /* JSON; SUCCEEDED */
    core_slice error;          /* of the last attempt that failed, or why it is over */
    core_slice callback_error; /* why the callback's last attempt failed */
} triggers_job_status;

/* "scheduled", ...; static. */
const char *triggers_job_state_name(triggers_job_state state);
/* NONE: there is none of that name. */
triggers_job_state triggers_job_state_parse(core_slice name);
/* Nothing will change any more, unless it is retried by hand. */
bool triggers_job_is_over(triggers_job_state state);

/* The defaults for whatever is not asked for. */
triggers_job triggers_job_defaults(void);
/* Every bound above, and that texts are text and payloads JSON. INPUT error that names the member.
 */
CORE_MUST_CHECK bool triggers_job_check(const triggers_job *job, core_error *error);

/* The partition that a queue of a project belongs to, below TRIGGERS_JOB_PARTITIONS. */
unsigned triggers_job_partition_of(core_slice project, core_slice queue);
/* A new id. INTERNAL when the system gives no random bytes. */
CORE_MUST_CHECK bool triggers_job_id_make(unsigned partition, int64_t now_us,
                                          char id[TRIGGERS_JOB_ID_LENGTH + 1], core_error *error);
/* The same of bytes that are given: ids of one time and seed are equal. */
void triggers_job_id_write(unsigned partition, int64_t now_us, const uint8_t random[10],
                           char id[TRIGGERS_JOB_ID_LENGTH + 1]);
/* The partition of an id; false: it is none. */
CORE_MUST_CHECK bool triggers_job_id_partition(core_slice id, unsigned *partition);

/* How long to wait before the next attempt: doubling, and up to a quarter less, which depends on id
 * and attempt alone. */
int64_t triggers_job_backoff_ms(const triggers_job *job, uint32_t attempts);

/* Appends the wire form, which begins with its version. */
void triggers_job_encode(const triggers_job *job, core_buffer *out);
void triggers_job_status_encode(const triggers_job_status *status, core_buffer *out);
/* Texts point into what was read. False, with the cursor failed: it is no such form, or beyond the
 * bounds. */
CORE_MUST_CHECK bool triggers_job_decode(core_cursor *cursor, triggers_job *job);
CORE_MUST_CHECK bool triggers_job_status_decode(core_cursor *cursor, triggers_job_status *status);

#endif
