/* The jobs' thread, for its files: job_runner.c (life and loop), job_slot.c (a partition's lease,
 * log and inbox), job_share.c (how many of them are for this node), job_post.c (who asks, and the
 * answers), job_rest.c (HTTP), job_work.c (queues that are posted to an endpoint), job_callback.c
 * (ends of jobs that are told). */
#ifndef WALCAST_TRIGGERS_JOB_RUNNER_PRIVATE_H
#define WALCAST_TRIGGERS_JOB_RUNNER_PRIVATE_H

#include "triggers/job_call.h"
#include "triggers/job_inbox.h"
#include "triggers/job_mailbox.h"
#include "triggers/job_partition.h"
#include "triggers/job_runner.h"

#include <stdatomic.h>

#define TRIGGERS_JOB_RUNNER_MAGIC 0x10b30feau
#define TRIGGERS_JOB_NODE_SIZE    24

/* A partition as this node sees it. */
typedef enum {
    SLOT_IDLE,   /* another's, or nobody's */
    SLOT_ASKING, /* our first message is under way */
    SLOT_OWNER,
} job_slot_state;

typedef struct {
    triggers_job_runner *runner;
    unsigned number;
    core_state state;
    fanout_lease *lease;
    triggers_job_partition *partition; /* of an owner */
    triggers_job_inbox *inbox;         /* of an owner; NULL: to be made */
    uint64_t sequence;                 /* the log's last message, as we know it */
    uint64_t generation; /* rises with each ownership: answers of others do not count */
    core_buffer message; /* that is being appended */
    bool under_way;      /* the message is */
    bool message_waits;  /* it found no room, and is sent again */
    int64_t retry_ms, renew_ms, purge_ms;
    int64_t leave_ms; /* it is given back, at the latest then; 0: it is not */
    unsigned calls;   /* of its jobs to endpoints, pulled or under way */
    uint64_t purged;  /* the inbox, up to here */
    char log_subject[CORE_SUBJECT_MAX];
    char inbox_subject[CORE_SUBJECT_MAX];
    bool is_full; /* the inbox waits for room */
} job_slot;

/* Who asks. */
struct triggers_job_asker {
    core_route_reply *http;  /* or: */
    triggers_job_call *call; /* to the queue's endpoint, with the job; or over NATS: */
    triggers_job_ask ask;
    char reply[]; /* may be empty */
};

/* An answer that another node, or the stream, owes us. */
typedef struct job_pending job_pending;
struct job_pending {
    job_pending *next;
    uint64_t number;
    int64_t until_ms;
    int64_t again_ms; /* of a question: when it is put again; 0: it is none */
    core_route_reply *http;
    triggers_job_ask ask;
    unsigned partition;
    char id[TRIGGERS_JOB_ID_LENGTH + 1];
};

/* A queue whose jobs are posted. */
typedef struct {
    const triggers_definition *definition; /* of the runner's set */
    bool is_faulty;                        /* and that was said */
} job_work;

struct triggers_job_runner {
    uint32_t magic;
    triggers_job_runner_spec spec;
    pthread_t thread;
    bool thread_started;
    atomic_bool stopping;
    char node[TRIGGERS_JOB_NODE_SIZE];
    triggers_job_mailbox mailbox;
    fanout_connection *connection; /* NULL: not up yet */
    fanout_bucket *leases;
    fanout_lease *node_lease; /* that this node is there */
    unsigned share;           /* of the partitions, so many at the most */
    int64_t share_ms;         /* when to count again */
    fanout_bus *bus;
    fanout_courier *courier;
    core_backoff backoff;
    char refused[CORE_ERROR_TEXT_MAX]; /* why it did not begin, as it was said last */
    int64_t connect_ms;
    int64_t lease_ms;
    core_tenants tenants;
    char scope[CORE_SUBJECT_MAX]; /* `{prefix}.jobs.{scope}.` */
    char inbox_stream[FANOUT_NAME_MAX], log_stream[FANOUT_NAME_MAX];
    job_slot slots[TRIGGERS_JOB_PARTITIONS];
    job_pending *pending;
    size_t pending_count;
    uint64_t pending_number;
    triggers_job_caller *caller;
    const triggers_set *set;
    job_work *works; /* by partition: those of N from work_first[N] on */
    size_t work_count, work_first[TRIGGERS_JOB_PARTITIONS + 1];
    int64_t figures_ms;
    atomic_uint owned;
    atomic_bool is_up, is_full, is_unreadable;
};

/* ---- job_slot.c ---- */
CORE_MUST_CHECK bool job_slots_open(triggers_job_runner *runner, core_error *error);
/* Nothing is owned any more; leases are given back. */
void job_slots_close(triggers_job_runner *runner);
/* Leases, logs, inboxes, timers; the time at which the next of them is due, by the monotonic
 * clock. */
int64_t job_slots_run(triggers_job_runner *runner);
/* An answer of the courier for the slot. */
void job_slot_answered(job_slot *slot, unsigned kind, uint64_t generation,
                       const fanout_answer *answer, const core_error *error);
static inline bool job_slot_owns(const job_slot *slot) {
    return slot->state.current == SLOT_OWNER;
}
/* It can be asked now. */
static inline bool job_slot_serves(const job_slot *slot) {
    return job_slot_owns(slot) && !slot->message_waits;
}

/* What a courier's answer is for: its tag's lowest bits. */
enum { ANSWER_FIRST, ANSWER_APPEND, ANSWER_PURGE, ANSWER_STORED };
static inline fanout_reply job_reply(triggers_job_runner *runner, fanout_answer_handler handler,
                                     unsigned kind, unsigned slot, uint64_t number) {
    return (fanout_reply){
        .on_answer = handler, .context = runner, .tag = number << 16 | (uint64_t)slot << 8 | kind};
}
void job_courier_answered(void *context, uint64_t tag, const fanout_answer *answer,
                          const core_error *error);

/* ---- job_share.c ---- */
CORE_MUST_CHECK bool job_share_open(triggers_job_runner *runner, core_error *error);
void job_share_close(triggers_job_runner *runner);
/* Counts the nodes when it is time; what is too much is to be given back. */
void job_share_turn(triggers_job_runner *runner);
/* Another one may be taken. */
bool job_share_has_room(const triggers_job_runner *runner);

/* ---- job_post.c ---- */
/* The partition's driver. */
void job_answer(void *context, triggers_job_asker *asker, core_slice json);
void job_forget(void *context, triggers_job_asker *asker);
/* Of a pull for an endpoint, or with NULL of whoever wants no answer; NULL: no memory. */
CORE_MUST_CHECK triggers_job_asker *job_asker_new(triggers_job_ask ask, triggers_job_call *call);
/* What a worker of the queue publishes on. False: it does not fit. */
CORE_MUST_CHECK bool job_work_subject(const triggers_job_runner *runner, core_slice project,
                                      core_slice queue, const char *verb,
                                      char subject[CORE_SUBJECT_MAX]);
/* A word that came over NATS. */
void job_word_take(triggers_job_runner *runner, const triggers_job_mail *mail);
/* A question of HTTP, put to the owner, wherever it is. */
void job_http_ask(triggers_job_runner *runner, triggers_job_ask ask, const triggers_job_word *word,
                  core_route_reply *reply);
/* NULL: too many wait, or no memory. */
CORE_MUST_CHECK job_pending *job_pending_new(triggers_job_runner *runner, core_route_reply *reply,
                                             triggers_job_ask ask);
/* Out of the list, the caller's to free; NULL: it is over. */
CORE_MUST_CHECK job_pending *job_pending_take(triggers_job_runner *runner, uint64_t number);
/* Questions that nobody answered are put again, and those whose time is over answered 503; all: all
 * are. */
void job_pending_expire(triggers_job_runner *runner, bool all);

/* ---- job_work.c ---- */
/* The queues of the definitions as they are now. */
void job_works_renew(triggers_job_runner *runner);
void job_works_free(triggers_job_runner *runner);
/* Takes ready jobs of the owner's partition as its endpoints have places; when to look again, by
 * the monotonic clock. */
int64_t job_work_run(job_slot *slot);
/* The partition's answer to a pull; or it gives none. */
void job_work_forgotten(job_slot *slot, triggers_job_call *call);
void job_work_handed(job_slot *slot, triggers_job_call *call, core_slice json);

/* ---- job_callback.c ---- */
/* The partition's driver. */
void job_callback(void *context, const triggers_job *job, const triggers_job_status *status);

/* ---- job_rest.c ---- */
void job_http_take(triggers_job_runner *runner, core_route_reply *reply);
/* `json` as a partition's answers are; the reply is sent. */
void job_http_answer(core_route_reply *reply, triggers_job_ask ask, core_slice json);
void job_http_refuse(core_route_reply *reply, unsigned status, const char *detail);
void job_http_stored(triggers_job_runner *runner, job_pending *pending, const core_error *error);

#endif
