/* A partition: a sixteenth of all keys, and what becomes of their tasks. Pure: no threads, clock or
 * sockets; whoever drives it hands in tasks, answers and the time, and carries out what it asks
 * for.
 *
 * It keeps: one attempt at a time of a key, in the order of the tasks; a key whose attempt failed
 * is parked with all that comes behind, so that nobody waits for it; what was done is in the log
 * before it counts as done; the watermark passes no task that is not done or parked.
 *
 * How a key goes. A live key's tasks are in the window; the first is attempted. When that fails (or
 * takes so long that the window would fill behind it), each is copied, one after another, to the
 * stream of parked tasks. From then on the key's head is there: it is fetched when its time has
 * come, attempted, and followed by the next of the chain, until all are done; then the key is live
 * again. What comes once the chain moves waits for that in the window. Copies that a former owner
 * made without getting them into the log are passed over, since each copy names the one before it.
 * What waits not for its key but for its trigger (paused, its endpoint's breaker open, its rate or
 * places used up) is put aside too, in one chain of the trigger; see partition_hold.c.
 *
 * Of a trigger with batches a live key waits until enough of its tasks are in the window, or the
 * first has waited long enough; then they become one task, with the last one's sequence, and are
 * attempted, parked and buried as one. See partition_batch.c.
 *
 * The driver's calls must not call back into the partition; answers come later, one for each
 * request, in any order. One thread. */
#ifndef WALCAST_TRIGGERS_PARTITION_H
#define WALCAST_TRIGGERS_PARTITION_H

#include "triggers/record.h"

typedef struct triggers_partition triggers_partition;

/* What holds for a trigger now. */
typedef struct {
    bool is_known; /* false: its definition is gone, and its tasks are dead letters */
    bool is_paused;
    uint64_t revision;
    uint32_t max_attempts; /* at once, of this partition */
    uint32_t batch_size;   /* the most tasks of a key in one attempt; 0 and 1: no batches */
    int64_t batch_ms;      /* the longest that one waits for others */
    size_t batch_bytes;    /* of one; what is longer by itself goes alone */
    uint32_t partitions;   /* that do its work beside one another, this one included; 0: one */
    triggers_retry retry;  /* its delays stay valid during the call */
} triggers_policy;

typedef struct {
    uint64_t ticket;
    uint64_t sequence; /* in the stream of tasks */
    uint32_t number;   /* 1: the first */
    core_block *task;  /* the task's bytes begin at `offset` of it; retain it to keep it */
    size_t offset;
} triggers_attempt;

typedef enum {
    TRIGGERS_END_DELIVERED,
    TRIGGERS_END_FAILED,    /* try again later */
    TRIGGERS_END_GONE,      /* 410: never again */
    TRIGGERS_END_REFUSED,   /* no further attempt can help: a dead letter */
    TRIGGERS_END_WITHDRAWN, /* it was not made, and counts for nothing: its turn comes again */
} triggers_end_kind;

typedef struct {
    triggers_end_kind kind;
    uint16_t status;
    uint32_t took_ms;
    int64_t retry_after_ms; /* what the endpoint asked for; 0: nothing */
    bool was_not_made;      /* REFUSED before anything was attempted */
    core_slice reason;
} triggers_end;

/* A task that becomes a dead letter. */
typedef struct {
    uint64_t ticket;
    uint64_t sequence;
    core_slice task; /* valid during the call */
    uint32_t attempts;
    uint16_t status;
    core_slice reason;
} triggers_burial;

/* What a driver carries out. `ticket` comes back with the answer. */
typedef struct {
    void *context;
    /* A pure look at the definitions. */
    void (*policy)(void *context, core_slice project, core_slice trigger, triggers_policy *policy);
    /* 0: an attempt may begin now, and _attempt or _unadmit follows; else not before that time, for
     * `*reason` (breaker, rate), which is static, or NULL where nobody needs to be told. */
    int64_t (*admit)(void *context, core_slice project, core_slice trigger, int64_t now_ms,
                     const char **reason);
    void (*unadmit)(void *context, core_slice project, core_slice trigger);
    void (*attempt)(void *context, const triggers_attempt *attempt); /* _attempted */
    /* _parked. One ticket may have several under way, each with its number. They arrive in this
     * order, mostly; one that arrives twice, or late, does no harm. */
    void (*park)(void *context, uint64_t ticket, uint64_t number, core_slice parked);
    void (*fetch)(void *context, uint64_t ticket, uint64_t position); /* _fetched */
    void (*bury)(void *context, const triggers_burial *burial);       /* _buried */
    void (*append)(void *context, core_slice record);                 /* _appended */
    /* The key's parked copies up to the position are done with; no answer. */
    void (*clear)(void *context, uint64_t key_hash, uint64_t position);
} triggers_partition_io;

typedef struct {
    size_t max_tasks; /* in the window, not done */
    size_t max_bytes; /* of them */
    size_t max_done;  /* done ones above the watermark */
    size_t max_parked_keys;
    uint64_t max_held_bytes; /* copies of what waits for its trigger; see _held_max */
    size_t max_state_bytes;  /* of what waits, in a record of the log */
    int64_t append_every_ms; /* outcomes wait for as long after a record, to go with one */
    uint32_t max_attempts;   /* at once */
    unsigned number;         /* of the partition: its keys' hashes modulo TRIGGERS_PARTITIONS */
    bool has_projects;       /* several, of which none takes what is for all */
    uint32_t partitions;     /* the driver's, this one included; 0: one */
    uint64_t seed;           /* of the jitter */
} triggers_partition_limits;

CORE_MUST_CHECK triggers_partition *triggers_partition_new(const triggers_partition_io *io,
                                                           const triggers_partition_limits *limits,
                                                           core_error *error);
/* What was admitted and not attempted is given back before. NULL is allowed. */
void triggers_partition_free(triggers_partition *partition);

/* Before anything else: the log, record by record, from its last one with a state. INPUT error when
 * a record does not fit. `sequence` is the record's. */
CORE_MUST_CHECK bool triggers_partition_fold(triggers_partition *partition, uint64_t sequence,
                                             const triggers_record *record, core_error *error);
/* The log is folded. Appends the first record, which makes `owner` (random, not 0) the owner. */
void triggers_partition_begin(triggers_partition *partition, uint64_t owner, int64_t now_ms);

/* Tasks come in order; those that are done already may come again. False: no room now. */
CORE_MUST_CHECK bool triggers_partition_feed(triggers_partition *partition, uint64_t sequence,
                                             core_block *task, int64_t now_ms);
bool triggers_partition_has_room(const triggers_partition *partition);
/* Where feeding begins: behind this sequence. */
uint64_t triggers_partition_watermark(const triggers_partition *partition);

void triggers_partition_attempted(triggers_partition *partition, uint64_t ticket,
                                  const triggers_end *end, int64_t now_ms);
/* `position` is the copy's. FULL: there is no room; every other error is tried again. */
void triggers_partition_parked(triggers_partition *partition, uint64_t ticket, uint64_t number,
                               uint64_t position, core_error_code code, int64_t now_ms);
/* INPUT: nothing is there. */
void triggers_partition_fetched(triggers_partition *partition, uint64_t ticket, core_block *parked,
                                uint64_t position, core_error_code code, int64_t now_ms);
void triggers_partition_buried(triggers_partition *partition, uint64_t ticket, core_error_code code,
                               int64_t now_ms);
/* The record that was asked for is the log's. (One that is refused ends the ownership: free the
 * partition.) */
void triggers_partition_appended(triggers_partition *partition, uint64_t sequence, int64_t now_ms);
/* The time: what is due begins. `*next_ms` gets when it wants to be called again. */
void triggers_partition_tick(triggers_partition *partition, int64_t now_ms, int64_t *next_ms);
/* Definitions have changed, or an endpoint may be attempted again. */
void triggers_partition_refresh(triggers_partition *partition, int64_t now_ms);

/* Copies of what waits for its trigger, in bytes, and how many there may be from now on: what its
 * driver's partitions, so many, may have together less what the others have. */
uint64_t triggers_partition_held_bytes(const triggers_partition *partition);
void triggers_partition_held_max(triggers_partition *partition, uint64_t bytes,
                                 uint32_t partitions);

/* While it is held nothing new begins; what is under way goes on. */
void triggers_partition_hold(triggers_partition *partition, bool is_held);
/* The trigger's endpoint may be attempted again. */
void triggers_partition_poke(triggers_partition *partition, core_slice project, core_slice trigger,
                             int64_t now_ms);

typedef struct {
    size_t tasks; /* in the window, not done */
    size_t bytes; /* of them */
    size_t done;  /* above the watermark */
    size_t parked_keys;
    uint64_t parked_tasks; /* held ones included */
    uint64_t held_tasks;   /* in chains of lanes */
    size_t attempts;       /* under way */
    size_t lanes;
    bool is_quiet;   /* nothing is under way, and the log has all that was done */
    bool holds_up;   /* a dead letter or a parked copy finds no room */
    bool is_limited; /* of late tasks of a trigger could not begin, or be put aside: its share of
                        what may wait is used up */
} triggers_partition_stats;
triggers_partition_stats triggers_partition_look(const triggers_partition *partition);

#endif
