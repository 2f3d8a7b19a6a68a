/* A partition of the jobs, for job_partition.c (its life, log and inbox) and job_ask.c (what it is
 * asked). */
#ifndef WALCAST_TRIGGERS_JOB_PARTITION_PRIVATE_H
#define WALCAST_TRIGGERS_JOB_PARTITION_PRIVATE_H

#include "triggers/job_partition.h"

#define TRIGGERS_JOB_PARTITION_MAGIC 0x10b9a471u

/* An answer that waits for the log. */
typedef struct partition_answer partition_answer;
struct partition_answer {
    partition_answer *next;
    triggers_job_asker *asker;
    uint64_t behind;
    int64_t until_us; /* not told from then on: jobs that it hands out may be another's */
    core_buffer text;
};

/* A pull that the machine holds; its token is its address. */
typedef struct partition_pull partition_pull;
struct partition_pull {
    partition_pull *before, *next;
    triggers_job_asker *asker;
    core_buffer text;
    core_json_writer json;
    int64_t until_us;
};

/* A look-up of a job that may still come. */
typedef struct partition_get partition_get;
struct partition_get {
    partition_get *next;
    triggers_job_asker *asker;
    triggers_job_ask ask;
    int64_t until_us;
    char id[TRIGGERS_JOB_ID_LENGTH + 1];
    char project[TRIGGERS_JOB_PROJECT_MAX + 1];
};

/* A callback that waits for the log. */
typedef struct partition_call partition_call;
struct partition_call {
    partition_call *next;
    uint64_t behind;
    char id[TRIGGERS_JOB_ID_LENGTH + 1];
};

struct triggers_job_partition {
    uint32_t magic;
    triggers_job_driver driver;
    triggers_jobs *jobs;
    partition_answer *first_answer, **last_answer;
    partition_call *first_call, **last_call;
    partition_pull *pulls;
    partition_get *gets;
    size_t get_count;
    int64_t now_us;
    uint64_t malformed;
    bool appends;
    uint64_t sent, acked;        /* bytes of records */
    uint64_t sent_taken, stored; /* the inbox: in the message under way, and in the log */
    uint64_t grown;              /* since the last snapshot began */
    bool snapshots, snapshot_whole, snapshot_starts;
    uint64_t snapshot_from, snapshot_until; /* bytes of records */
    uint64_t snapshot_sequence; /* of the message that holds its beginning; 0: the one under way */
};

/* Answers once the log has all that was emitted until now; takes `text` over. Not from `until_us`
 * on. */
void triggers_job_answer_put(triggers_job_partition *partition, triggers_job_asker *asker,
                             core_buffer *text, int64_t until_us);
/* The pull is the machine's no more. */
void triggers_job_pull_unlink(triggers_job_partition *partition, const partition_pull *pull);

/* job_ask.c */
/* Answers look-ups whose job has come, or whose time is over. */
void triggers_job_gets_look(triggers_job_partition *partition);

#endif
