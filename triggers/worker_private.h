/* A worker's inside: worker.c (the thread), slot.c (one partition's turn), slot_io.c (what it asks
 * for), slot_log.c (its log). */
#ifndef WALCAST_TRIGGERS_WORKER_PRIVATE_H
#define WALCAST_TRIGGERS_WORKER_PRIVATE_H

#include "triggers/own_event.h"
#include "triggers/result.h"
#include "triggers/revision_wait.h"
#include "triggers/worker.h"

#define TRIGGERS_WORKER_MAGIC UINT32_C(0x74776f72)
#define TRIGGERS_MARKS_MAX    64

/* A request to the broker that is under way, or failed before it was sent and waits to be told. */
typedef enum {
    CALL_PARK,
    CALL_FETCH,
    CALL_BURY,
    CALL_APPEND,
    CALL_LOOK,   /* what stands behind the last record that we know */
    CALL_RESULT, /* an end that others wait for is told */
    CALL_FORGET,
} triggers_call_kind;

typedef struct triggers_slot triggers_slot;
typedef struct triggers_telling triggers_telling;
typedef struct triggers_call triggers_call;
/* A result that is being told. */
struct triggers_telling {
    triggers_telling *next; /* among those to be told again */
    triggers_slot *slot;
    uint64_t life;
    triggers_delivery *delivery; /* what the partition is told then; NULL: that it is buried: */
    uint64_t ticket;
    int64_t again_ms;
    triggers_own_event event;
    char id[TRIGGERS_WEBHOOK_ID_MAX + 32];
    char time[CORE_CLOCK_TEXT_SIZE], depth[8];
    core_buffer data;
};
struct triggers_call {
    triggers_call *next, *previous; /* among all of the worker */
    triggers_call *next_failed;
    triggers_slot *slot;
    uint64_t life, ticket;
    uint64_t number; /* PARK: of the copy */
    triggers_call_kind kind;
    core_error_code code;      /* of one that was not sent */
    triggers_telling *telling; /* RESULT; BURY: what follows it. NULL: nobody waits */
};

typedef enum {
    SLOT_EMPTY,
    SLOT_OWNED,
    SLOT_LEAVING, /* nothing new begins */
} triggers_slot_state;

/* How the append of slot->record stands. */
typedef enum { APPEND_NONE, APPEND_SENT, APPEND_LOOKING, APPEND_AGAIN } triggers_append_state;

typedef struct {
    uint64_t sequence; /* a record with a state: what is before it may go */
    int64_t at_ms;
    uint64_t bytes; /* appended since the mark before */
} triggers_mark;

struct triggers_slot {
    triggers_worker *worker;
    unsigned number;
    triggers_slot_state state;
    bool is_leaving_at_once;
    uint64_t life; /* one more with each owner; answers to a former one are nobody's */
    triggers_partition *partition;
    triggers_inbox *inbox;
    const fanout_lease *lease;
    uint64_t lease_term;
    core_block *task; /* taken, and there was no room, or it waits for its definition */
    uint64_t task_sequence, task_revision;
    triggers_revision_wait wait;
    int64_t next_ms;

    char log_subject[CORE_SUBJECT_MAX];
    uint64_t owner;
    uint64_t log_end;   /* the log's last record that we know */
    core_buffer record; /* the one that is being appended */
    bool record_has_state;
    triggers_append_state append;
    int64_t append_again_ms;
    triggers_mark marks[TRIGGERS_MARKS_MAX];
    size_t mark_count;
    uint64_t log_bytes; /* since the last mark */
    bool is_fenced;
};

struct triggers_worker {
    uint32_t magic;
    triggers_worker_spec spec;
    fanout_courier *courier;
    char streams[4][FANOUT_NAME_MAX]; /* by fanout_work */
    triggers_slot slots[TRIGGERS_PARTITIONS];
    uint32_t held;         /* slots that begin attempts, as bits */
    unsigned first;        /* whose step comes first, another one each turn */
    triggers_call *calls;  /* under way */
    triggers_call *failed; /* to be told */
    core_buffer letter;
    const triggers_set *set;
    triggers_result_book results;     /* of the set */
    triggers_telling *tellings_again; /* results that could not be told yet */
    core_subject_scope scope;
    bool has_projects; /* schemas are tenants */
    int64_t history_age_ms;
    uint64_t history_share_bytes, held_share_bytes; /* a partition's */

    pthread_mutex_t lock; /* guards these, which other threads put in */
    triggers_delivery *ended;
    triggers_handover handovers[TRIGGERS_PARTITIONS];
    bool has_handover[TRIGGERS_PARTITIONS];
    bool wants_back[TRIGGERS_PARTITIONS], wants_at_once[TRIGGERS_PARTITIONS];
    triggers_worker_stats stats;

    int wake_fd;
    atomic_bool stopping;
    bool has_thread;
    pthread_t thread;
};

/* slot.c */
void triggers_slot_init(triggers_slot *slot, triggers_worker *worker, unsigned number);
void triggers_slot_fini(triggers_slot *slot);
void triggers_slot_take(triggers_slot *slot, const triggers_handover *handover);
/* The partition goes, the inbox and the lease are their owner's. */
void triggers_slot_drop(triggers_slot *slot, const char *why);
/* What is due; `*next_ms` becomes earlier when it wants to be called again before. */
void triggers_slot_step(triggers_slot *slot, int64_t *next_ms);

/* slot_io.c */
triggers_partition_io triggers_slot_io(triggers_slot *slot);
void triggers_slot_answer(triggers_call *call, const fanout_answer *answer, core_error_code code);
/* Sends nothing; its failure is told with the next turn. Aborts when memory is out. */
triggers_call *triggers_call_new(triggers_slot *slot, triggers_call_kind kind, uint64_t ticket);
fanout_reply triggers_call_reply(triggers_call *call);
/* It was not sent. */
void triggers_call_fail(triggers_call *call, const core_error *error);
void triggers_call_free(triggers_call *call);
bool triggers_slot_lease_held(const triggers_slot *slot);
/* A task's definition is perhaps not read yet: it is neither fed nor attempted now. */
bool triggers_slot_waits(triggers_slot *slot, uint64_t revision);

/* slot_result.c: the result of a task that has ended, told before the partition hears of the end,
 * so that a kill in between has it told again: at least once, under the same id. */
/* NULL: nobody waits for it. */
triggers_telling *triggers_telling_of_delivery(triggers_slot *slot, triggers_delivery *delivery);
triggers_telling *triggers_telling_of_burial(triggers_slot *slot, const triggers_task *task,
                                             const triggers_burial *burial);
void triggers_telling_free(triggers_telling *telling);
/* Ends with the partition being told. */
void triggers_telling_send(triggers_telling *telling);
void triggers_telling_answer(triggers_telling *telling, core_error_code code);
/* What is due again; `*next_ms` as above. */
void triggers_tellings_again(triggers_worker *worker, int64_t *next_ms);

/* worker.c: the partition hears of an attempt's end. The delivery is freed. */
void triggers_delivery_tell(triggers_worker *worker, triggers_delivery *delivery);
void triggers_delivery_free(triggers_delivery *delivery);

/* slot_log.c */
void triggers_slot_append(triggers_slot *slot, core_slice record);
void triggers_slot_append_answer(triggers_slot *slot, triggers_call_kind kind,
                                 const fanout_answer *answer, core_error_code code);
void triggers_slot_append_again(triggers_slot *slot);

static inline int64_t triggers_worker_now_ms(const triggers_worker *worker) {
    return core_clock_wall_us(worker->spec.clock) / CORE_US_PER_MS;
}

#endif
