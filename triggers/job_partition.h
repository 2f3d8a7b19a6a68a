/* A partition of the jobs and its owner: the machine (job_queue.h), what of it the log has, and the
 * answers that wait until the log has it. No threads and no sockets: the driver appends, and tells
 * the outcome.
 *
 * Life: the driver appends the first message (triggers_job_partition_first), which no other owner's
 * append survives; folds the whole log, that message included; and begins. From then on it passes
 * on what is asked, and appends what `_append` gives, one message at a time. An append that is
 * refused, or of which nobody knows, ends the ownership: the partition is freed with all that was
 * not told, and the log decides what is true. One thread. */
#ifndef WALCAST_TRIGGERS_JOB_PARTITION_H
#define WALCAST_TRIGGERS_JOB_PARTITION_H

#include "triggers/job_json.h"

/* The log's message, at the most: below the broker's usual maximum of 1 MiB. */
#define TRIGGERS_JOB_MESSAGE_MAX ((size_t)900 << 10)
#define TRIGGERS_JOB_ANSWER_MAX  ((size_t)1 << 20)

typedef struct triggers_job_partition triggers_job_partition;

/* Where an answer goes; the driver's, freed by its `answer` or `forget`. */
typedef struct triggers_job_asker triggers_job_asker;

typedef enum {
    TRIGGERS_JOB_ASK_PULL,
    TRIGGERS_JOB_ASK_PROGRESS,
    TRIGGERS_JOB_ASK_RESULT,
    TRIGGERS_JOB_ASK_GET,
    TRIGGERS_JOB_ASK_LIST,
    TRIGGERS_JOB_ASK_CANCEL,
    TRIGGERS_JOB_ASK_RETRY,
    TRIGGERS_JOB_ASKS,
} triggers_job_ask;

/* "pull", ...; static: the last token of the subject it is asked on. */
const char *triggers_job_ask_name(triggers_job_ask ask);
/* TRIGGERS_JOB_ASKS: there is none of that name. */
triggers_job_ask triggers_job_ask_parse(core_slice name);
/* Workers ask these of a queue; the others are asked of a partition. */
bool triggers_job_ask_is_workers(triggers_job_ask ask);

typedef struct {
    void *context;
    /* The log has what stands before it. `json` is valid during the call. */
    void (*answer)(void *context, triggers_job_asker *asker, core_slice json);
    /* It will not be answered: the partition is another's now. */
    void (*forget)(void *context, triggers_job_asker *asker);
    /* The job is over, and the log has it: told by triggers_job_partition_called what became of it,
     * perhaps from within. */
    void (*callback)(void *context, const triggers_job *job, const triggers_job_status *status);
} triggers_job_driver;

typedef struct {
    size_t max_jobs;
    size_t max_bytes;
    size_t project_max_jobs, project_max_bytes; /* of one project; 0: as of all */
    int64_t dead_keep_ms;
    uint64_t seed;
    triggers_job_driver driver;
} triggers_job_partition_spec;

CORE_MUST_CHECK triggers_job_partition *
triggers_job_partition_new(const triggers_job_partition_spec *spec, core_error *error);
void triggers_job_partition_free(triggers_job_partition *partition);

/* The message by which an owner begins. */
void triggers_job_partition_first(core_buffer *out);
/* A message of the log, in order. INPUT: it cannot be read. */
CORE_MUST_CHECK bool triggers_job_partition_fold(triggers_job_partition *partition,
                                                 core_slice message, core_error *error);
void triggers_job_partition_begin(triggers_job_partition *partition, int64_t now_us);
/* It was not asked and did nothing for a while: running attempts get their time anew. */
void triggers_job_partition_resume(triggers_job_partition *partition, int64_t now_us);

/* A message of the inbox. False: there is no room; it is to be offered again later. One that is no
 * job is passed over and counted. */
CORE_MUST_CHECK bool triggers_job_partition_take(triggers_job_partition *partition,
                                                 uint64_t sequence, core_slice message,
                                                 int64_t now_us);
/* The inbox is taken up to here: by the machine, and by what the log has of it. */
uint64_t triggers_job_partition_taken(const triggers_job_partition *partition);
uint64_t triggers_job_partition_stored(const triggers_job_partition *partition);

/* A question; its asker is answered once, or forgotten. */
void triggers_job_partition_ask(triggers_job_partition *partition, triggers_job_ask ask,
                                const triggers_job_word *word, triggers_job_asker *asker,
                                int64_t now_us);
void triggers_job_partition_called(triggers_job_partition *partition, core_slice id,
                                   const triggers_jobs_called_word *word, int64_t now_us);
/* Whether a pull of the queue would get a job at once. */
bool triggers_job_partition_has_ready(triggers_job_partition *partition, core_slice project,
                                      core_slice queue);
/* What is due; true: there may be more at once. */
bool triggers_job_partition_tick(triggers_job_partition *partition, int64_t now_us);
int64_t triggers_job_partition_next_us(const triggers_job_partition *partition);

/* The next message for the log, appended to `out`, which stays empty when there is nothing to
 * append, or one is under way. False: the partition must be freed. */
CORE_MUST_CHECK bool triggers_job_partition_append(triggers_job_partition *partition,
                                                   core_buffer *out, core_error *error);
/* The message is stored, at `sequence`. `*unneeded` gets a sequence of the log below which nothing
 * is needed any more; 0: no news. Tells what waited for it. */
void triggers_job_partition_appended(triggers_job_partition *partition, uint64_t sequence,
                                     int64_t now_us, uint64_t *unneeded);

triggers_jobs_figures triggers_job_partition_count(const triggers_job_partition *partition);
/* Messages of the inbox that were no jobs. */
uint64_t triggers_job_partition_malformed(const triggers_job_partition *partition);

#endif
