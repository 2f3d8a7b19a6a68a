/* Jobs and workers' words as JSON: what comes over HTTP and NATS, and what is answered. Pure. */
#ifndef WALCAST_TRIGGERS_JOB_JSON_H
#define WALCAST_TRIGGERS_JOB_JSON_H

#include "triggers/job_queue.h"

/* A job as it is asked for, over the defaults; `now_us` is what delays count from, and its id and
 * project are the caller's to set. Texts are copied into `arena`. INPUT error that names the
 * member; members that are not known are refused too. */
CORE_MUST_CHECK bool triggers_job_read(core_slice json, core_arena *arena, int64_t now_us,
                                       triggers_job *job, core_error *error);

/* A new job: the same, with its project and an id of its own, and checked. INPUT error as above;
 * INTERNAL: the system gives no random bytes. */
CORE_MUST_CHECK bool triggers_job_make(core_slice json, core_slice project, core_arena *arena,
                                       int64_t now_us, triggers_job *job, core_error *error);

/* What a worker, or whoever asks about jobs, says. What was not said is 0 or empty. */
typedef struct {
    uint64_t max;
    int64_t wait_ms;
    core_slice project;
    core_slice queue;
    core_slice id;
    core_slice reply_to; /* a subject: where the answer goes when the word itself does not say */
    triggers_job_state state; /* NONE: any */
    uint32_t lease;
    bool has_lease;
    core_slice result; /* JSON */
    bool has_error;
    core_slice error;
    int64_t retry_in_ms; /* -1: not said */
    bool final;
} triggers_job_word;

/* An empty text says nothing. Texts are copied into `arena`. INPUT error that names the member. */
CORE_MUST_CHECK bool triggers_job_word_read(core_slice json, core_arena *arena,
                                            triggers_job_word *word, core_error *error);

/* A partition's answer: its members as they stand in the text, the status without its quotes; empty
 * where there is none. */
typedef struct {
    core_slice status, job, jobs, more, error;
} triggers_job_answer;
/* False: it cannot be read. */
CORE_MUST_CHECK bool triggers_job_answer_read(core_slice json, triggers_job_answer *answer);

/* A job as its worker gets it. */
typedef struct {
    core_slice whole; /* the object */
    core_slice id;
    core_slice type; /* a JSON string */
    uint32_t lease;
    int64_t timeout_ms;
    uint16_t depth;
} triggers_job_handout;
/* The first of an answer's `jobs`; false: there is none. */
CORE_MUST_CHECK bool triggers_job_handout_read(core_slice jobs, triggers_job_handout *handout);

/* The job as its worker gets it. */
void triggers_job_write_handout(core_json_writer *json, const triggers_job *job,
                                const triggers_job_status *status);
/* All that is known of it; the payload only if `whole`. */
void triggers_job_write(core_json_writer *json, const triggers_job *job,
                        const triggers_job_status *status, bool whole);

#endif
