/* A partition's inside, for its files. */
#ifndef WALCAST_TRIGGERS_PARTITION_PRIVATE_H
#define WALCAST_TRIGGERS_PARTITION_PRIVATE_H

#include "triggers/job_map.h"
#include "triggers/partition.h"

#define TRIGGERS_PARTITION_MAGIC UINT32_C(0x74706172)
#define TRIGGERS_NEVER_MS        INT64_MAX
#define TRIGGERS_NO_PLACE        SIZE_MAX
#define PARTITION_COPIES         32 /* of a lane's chain, under way */

typedef struct partition_key partition_key;
typedef struct partition_lane partition_lane;

/* A task in memory: in the window, or recalled from its lane's chain. */
typedef struct partition_item partition_item;
struct partition_item {
    uint64_t sequence;
    core_block *task;     /* NULL once it is done */
    partition_item *next; /* of its key, or of those behind its lane's chain */
    partition_key *key;
    int64_t fed_ms;
    partition_item *members; /* a batch's others, in order; `task` is all of it then */
    size_t member_count;
    size_t promised;               /* bytes that may be told of them */
    bool is_behind;                /* its lane's chain: in the window, and not in its key's hands */
    bool is_recalled;              /* not in the window */
    uint64_t position;             /* of its copy, if it is recalled */
    partition_item *next_recalled; /* of its lane */
};

/* What a key's head is up to; the parking of what is in the window goes on beside it. */
typedef enum {
    KEY_IDLE,     /* there is no head */
    KEY_READY,    /* in its lane's line */
    KEY_FETCHING, /* its head comes from the stream of parked tasks */
    KEY_ATTEMPT,
    KEY_BURYING,
    KEY_WAITING, /* for next_ms, in the heap */
} partition_key_state;

struct partition_key {
    uint64_t hash;
    partition_lane *lane;
    core_state state;
    partition_key *next; /* in the lane's line */
    size_t place;        /* in the heap */

    partition_item *first, **last; /* not done, in order: recalled ones, those of the window */
    size_t waiting;                /* as many */
    bool is_gathering;             /* WAITING for more of them */
    size_t behind;                 /* tasks in the window that wait behind the lane's chain */
    bool is_parking;               /* they are to be parked, and what comes behind them */
    bool is_counted;               /* among the parked keys */
    bool is_reserved;              /* it would find room there if its attempt failed */
    uint64_t parking;              /* the task whose copy, or burial, is under way; 0: none */
    partition_key *again;          /* in the list of those that are to be parked again */
    bool is_again;

    uint64_t parked;      /* tasks in the chain */
    uint64_t head;        /* the first one's sequence; 0: it is the one behind `chain` */
    uint64_t chain;       /* the chain's last task that is done; 0: none */
    uint64_t last_parked; /* the chain's last */
    uint64_t position;    /* nothing of the chain is at or before it */
    uint32_t uncleared;   /* copies that are done with and still stored */

    uint32_t attempts; /* of the head */
    int64_t next_ms;
    core_block *held; /* the head, while it is attempted or buried */
    size_t held_offset;
    uint64_t held_sequence;
    uint64_t held_position; /* 0: from the window */
    int64_t held_parked_ms; /* 0: it is not from the stream of parked tasks */
    size_t promised;        /* bytes that may be told of its batch; not of one in the window */
    bool is_admitted;       /* and not attempted yet */
    bool gave_up;           /* on the head before, and nothing was delivered since */
    bool is_dead;           /* the head is to be buried, for: */
    char reason[TRIGGERS_REASON_MAX];
};

/* A copy for a lane's chain that is under way, or was answered before one that is ahead of it. */
typedef struct {
    uint64_t number; /* as whoever carries it out knows it */
    uint64_t sequence;
    bool had_company;  /* the one before it was under way when it was sent */
    uint64_t position; /* its answer, as the next two */
    core_error_code code;
    bool is_answered;
} partition_copy;

/* Tasks of a lane that were put aside without an attempt, in one chain; see partition_hold.c. */
typedef struct {
    triggers_job_map_node node; /* by its hash, while it is open */
    partition_lane *next_open, *previous_open;
    uint64_t chain; /* which one of the lane it is: random; 0: of a version that did not tell */
    uint64_t held;  /* tasks in it that are not done */
    uint64_t bytes; /* of their copies, about */
    uint64_t head, last;          /* its first and its last task; 0: there is none */
    uint64_t last_position;       /* of the last one's copy */
    uint64_t base, base_position; /* all of it up to here are done; 0: `head` comes first */
    uint64_t *done;               /* above the base, and not in memory; sorted once it began */
    size_t done_count, done_capacity;
    uint32_t passed;    /* by the base, and not told */
    uint32_t uncleared; /* times that it was told */

    uint64_t read, read_position;        /* as base: up to here it is in memory, or done */
    partition_item *items, **items_last; /* in memory, from the base on, done ones too */
    size_t recalled;                     /* of them, not done */
    bool is_fetching;
    int64_t fetch_again_ms;

    partition_item *behind, **behind_last;
    partition_item *uncopied; /* the first of them whose copy is not under way */
    uint64_t copied;          /* the task whose copy went last, or `last`: the next one names it */
    partition_copy *copies;   /* a ring of PARTITION_COPIES, while it is open: of the first of
                                 `behind`, in order */
    size_t copy_first, copy_count;
    size_t copying; /* answers that are to come, those of void copies too */
    size_t copying_bytes;
    uint64_t void_position; /* the greatest of a void copy */
    int64_t copy_again_ms;
} partition_hold;

/* What is of one project's triggers. */
typedef struct {
    triggers_job_map_node node; /* by its name; the first member */
    core_slice name;            /* its own memory, behind it */
    size_t lanes;               /* that are of it */
    size_t parked_keys, reserved_keys;
    uint64_t held_bytes; /* of what is in its lanes' chains, or on the way there */
} partition_project;

/* What is of one trigger. */
struct partition_lane {
    triggers_job_map_node node;  /* by its names; the first member */
    partition_project *owner;    /* counts what is the lane's, too */
    core_slice project, trigger; /* its own memory, behind it */
    partition_hold hold;
    bool is_closing; /* no task of the window begins, so that it can be held */
    bool is_busy;    /* while it closes: an attempt, or a copy, is under way */
    int64_t closing_ms, hold_again_ms;
    size_t parked_keys, reserved_keys;
    uint64_t parked_tasks;        /* of its keys' chains */
    uint64_t gone_revision;       /* 410 up to it; 0: never */
    size_t keys;                  /* that name it */
    size_t attempts;              /* under way, fetches and burials included */
    partition_key *first, **last; /* in line */
    partition_lane *next_active;  /* those that have a line, in a ring */
    partition_lane *previous_active;
    int64_t not_before_ms;
    const char *reason; /* why not before; static, or NULL */
    int64_t tell_ms;    /* when it is told that its first one is held back; 0: it is not, or was */
    uint64_t told;      /* the task of which that was told last */
    size_t tasks;       /* in the window, not done */
    int64_t counted_ms; /* since when `delivered` counts */
    uint32_t delivered;
    uint32_t per_second; /* delivered, before that */
    size_t number;       /* its place among the partition's */
};

typedef struct {
    partition_key **slots; /* open addressing; NULL: free */
    size_t capacity, count;
} partition_table;

static inline partition_lane *partition_lane_of_hold(triggers_job_map_node *node) {
    return (partition_lane *)(void *)((char *)node - offsetof(partition_lane, hold.node));
}

/* Copies that are done with, to be removed once the log says so: a stale owner must not. */
typedef struct {
    uint64_t key_hash, position;
} partition_clear;

struct triggers_partition {
    uint32_t magic;
    triggers_partition_io io;
    triggers_partition_limits limits;
    int64_t now_ms;
    uint64_t random;

    partition_item **window; /* a ring, by order */
    size_t window_capacity, window_first, window_count;
    size_t tasks, bytes; /* not done */
    uint64_t watermark;
    uint64_t told_watermark; /* in the last record */
    uint64_t fed;            /* the last task's sequence */

    uint64_t *finished; /* above the watermark when the log was folded; sorted once it began */
    size_t finished_count, finished_capacity;

    partition_table keys;
    triggers_job_map lanes_by_name, holds_by_hash, projects;
    partition_lane *open; /* those that have a chain, or tasks behind it */
    size_t closing;       /* lanes */
    size_t gathering;     /* keys */
    int64_t looked_ms;    /* at what waits too long */
    int64_t opened_ms;    /* at the open lanes */
    int64_t rested_ms;    /* when nothing could begin, through no lane's fault */
    int64_t limited_ms;   /* when a key of a lane could not begin for lack of room; 0: never */
    size_t recalled, recalled_bytes;
    uint64_t held_tasks, held_bytes;
    uint64_t copies; /* that were sent */
    uint64_t chains; /* of lanes, that were begun */
    size_t copying;  /* of lanes, under way */
    size_t copying_bytes;
    partition_lane **lanes;
    size_t lane_count, lane_capacity;
    partition_lane *active; /* whose turn is next; NULL: nobody is in line */
    partition_key *again;   /* to be parked again */
    int64_t again_ms;
    partition_key **heap; /* by next_ms */
    size_t heap_count, heap_capacity;
    size_t parked_keys, reserved_keys;
    uint64_t parked_tasks;
    size_t attempts;
    size_t promised; /* bytes that may be told of batches */
    bool holds_up;
    int64_t refused_ms; /* when there was no room to park */

    uint64_t owner, number, base;
    core_buffer pending;     /* outcomes that no record has yet */
    core_buffer record;      /* the one that is being appended */
    partition_clear *clears; /* `clears_told` of them are in the record that is being appended */
    size_t clear_count, clear_capacity, clears_told;
    core_buffer record_copy; /* a parked task's bytes, for one call */
    core_buffer state;
    bool is_held;                 /* nothing new begins */
    bool is_owner;                /* its first record is the log's */
    int64_t appended_ms;          /* when the last record was sent */
    bool is_pressing;             /* something of what is told waits for no others */
    bool is_appending, has_state; /* has_state: of the record that is being appended */
    bool wants_state;
    /* Lost chains, and those that the record under way tells of: nothing new begins before the log
     * has them, for a stale owner finds the copies gone that another is done with. */
    size_t lost, lost_told;
    size_t since_state; /* bytes appended since the last state */
};

/* partition_lane.c: lanes, found, made and let go */
CORE_MUST_CHECK bool partition_lanes_init(triggers_partition *partition);
void partition_lanes_fini(triggers_partition *partition);
static inline bool partition_lane_is(const partition_lane *lane, core_slice project,
                                     core_slice trigger) {
    return core_slice_equal(lane->trigger, trigger) && core_slice_equal(lane->project, project);
}
/* NULL: there is none. */
partition_lane *partition_lane_find(const triggers_partition *partition, core_slice project,
                                    core_slice trigger);
/* Found or made; NULL when memory is out. */
partition_lane *partition_lane_get(triggers_partition *partition, core_slice project,
                                   core_slice trigger);
/* Frees it when nobody needs it. */
void partition_lane_drop(triggers_partition *partition, partition_lane *lane);
void partition_lanes_forget(triggers_partition *partition);
/* One more of its keys may fail: there is room to park it. A lane gets no more of them than it
 * leaves free, so that another's first failure finds room; and so all of a project. */
bool partition_lane_has_room(const triggers_partition *partition, const partition_lane *lane);
/* What a state of the log takes is not near what a record may be. */
bool partition_state_has_room(const triggers_partition *partition);

/* partition_project.c: what is counted of a project */
/* For one more lane; NULL: memory is out. */
CORE_MUST_CHECK partition_project *partition_project_get(triggers_partition *partition,
                                                         core_slice name);
void partition_project_drop(triggers_partition *partition, partition_project *project);
/* It has nothing that waits. */
bool partition_project_is_idle(const partition_project *project);
/* Whether it leaves more free than it has, where there are several. */
bool partition_project_may_park(const triggers_partition *partition,
                                const partition_project *project, size_t free_keys);
bool partition_project_may_hold(const triggers_partition *partition,
                                const partition_project *project, uint64_t free_bytes);

/* partition_key.c: keys, found, made and let go */
partition_key *partition_key_find(const triggers_partition *partition, uint64_t hash);
/* Found or made; NULL when memory is out, and when the hash is another trigger's by now: of tasks
 * that is looked at before, and a log in which it happens is damaged. */
partition_key *partition_key_get(triggers_partition *partition, uint64_t hash, core_slice project,
                                 core_slice trigger);
/* Frees it when nothing is left of it. */
void partition_key_drop(triggers_partition *partition, partition_key *key);
void partition_keys_free(triggers_partition *partition);
void partition_key_move(partition_key *key, partition_key_state state);
static inline partition_key_state partition_key_at(const partition_key *key) {
    return (partition_key_state)key->state.current;
}
/* An attempt of it is under way: if that fails there is room to park it. */
void partition_key_reserve(triggers_partition *partition, partition_key *key, bool is_reserved);
/* What was admitted for it and not attempted is given back. */
void partition_key_unadmit(triggers_partition *partition, partition_key *key);
/* Its first task in memory is under way, or has been attempted, or is being parked. */
bool partition_key_is_busy(const partition_key *key);
/* Tasks in its chain, more or less. */
static inline void partition_parked_more(triggers_partition *partition, partition_key *key,
                                         int64_t count) {
    partition->parked_tasks += (uint64_t)count;
    key->lane->parked_tasks += (uint64_t)count;
}
/* Whether it counts as parked has changed, perhaps. */
void partition_key_count(triggers_partition *partition, partition_key *key);

/* partition_wait.c: those that wait for a time */
/* False: memory is out. */
CORE_MUST_CHECK bool partition_wait_reserve(triggers_partition *partition);
void partition_wait_begin(triggers_partition *partition, partition_key *key, int64_t until_ms);
void partition_wait_end(triggers_partition *partition, partition_key *key);

/* partition.c: the window */
/* The item is out of its key's hands, and done. */
void partition_item_done(triggers_partition *partition, partition_item *item);
bool partition_is_full(const triggers_partition *partition);
/* The key whose task it is, made if need be; NULL: no memory. */
partition_key *partition_key_of_task(triggers_partition *partition, uint64_t sequence,
                                     core_slice bytes);
/* It is the last of its key's. */
void partition_key_take(triggers_partition *partition, partition_item *item);

/* partition_hold.c: lanes that are held back, and their chains */
static inline bool partition_hold_is_open(const partition_lane *lane) {
    return lane->hold.held > 0 || lane->hold.copying > 0 || lane->hold.behind != NULL;
}
void partition_hold_init(partition_lane *lane);
void partition_hold_fini(triggers_partition *partition, partition_lane *lane);
/* True: a task that was fed goes behind the lane's chain. */
CORE_MUST_CHECK bool partition_hold_takes(triggers_partition *partition, partition_item *item);
/* The lane's tasks have waited for long: once none is under way they are put aside. */
void partition_hold_want(triggers_partition *partition, partition_lane *lane);
void partition_hold_step(triggers_partition *partition);
/* What the chain can do now: copy the next one, recall the next one, end. The lane may be gone
 * behind it. */
void partition_hold_pump(triggers_partition *partition, partition_lane *lane);
/* Each that is open; `*next_ms` as of a tick. */
void partition_holds_tick(triggers_partition *partition, int64_t *next_ms);
partition_lane *partition_hold_find(const triggers_partition *partition, uint64_t hash);
/* A lane may take as much of the stream of parked tasks as it leaves free of what is for all; and
 * so may all of a project. */
bool partition_hold_has_room(const triggers_partition *partition, const partition_lane *lane);
/* The first of those behind the chain leaves them. */
partition_item *partition_behind_pop(partition_hold *hold);
/* The log is folded. */
void partition_holds_begin(triggers_partition *partition);

/* partition_copy.c: from behind the chain into it */
/* As many as may go now. */
void partition_copies_send(triggers_partition *partition, partition_lane *lane);
void partition_copies_answered(triggers_partition *partition, partition_lane *lane, uint64_t number,
                               uint64_t position, core_error_code code);

/* partition_hold_log.c: what a chain holds, told and folded */
void partition_hold_add(triggers_partition *partition, partition_lane *lane,
                        const triggers_entry *outcome);
void partition_hold_less(triggers_partition *partition, partition_lane *lane);
/* Nothing is in it any more. */
void partition_hold_forget(triggers_partition *partition, partition_lane *lane);
/* Whether it is one of the chain's tasks. */
bool partition_hold_covers(const partition_lane *lane, uint64_t sequence);
/* One of the chain is done. False: no memory. The lane may be gone behind it. */
CORE_MUST_CHECK bool partition_hold_fold_done(triggers_partition *partition, partition_lane *lane,
                                              uint64_t sequence);
void partition_hold_fold_passed(partition_lane *lane, const triggers_entry *outcome);
void partition_hold_write(const partition_lane *lane, core_buffer *out);
/* has_chain: false of what a version wrote that did not tell it. */
CORE_MUST_CHECK bool partition_hold_read(triggers_partition *partition, core_cursor *cursor,
                                         core_slice project, core_slice trigger, bool has_chain);

/* partition_recall.c: from the chain back into memory */
void partition_hold_sort(partition_hold *hold);
/* False: no memory. */
CORE_MUST_CHECK bool partition_hold_done_add(partition_hold *hold, uint64_t sequence);
void partition_hold_done_trim(partition_hold *hold);
/* Whether it is held back for so long that its tasks are better put aside. */
bool partition_lane_is_held(const triggers_partition *partition, const partition_lane *lane);
void partition_recall(triggers_partition *partition, partition_lane *lane);
void partition_recall_fetched(triggers_partition *partition, partition_lane *lane,
                              core_block *parked, uint64_t position, core_error_code code);
/* A recalled one is done. */
void partition_recall_done(triggers_partition *partition, partition_item *item);
/* Of a lane that is held: what is recalled and not begun makes room for others'. */
void partition_recall_undo(triggers_partition *partition, partition_lane *lane);
/* Where a lane's places in memory are taken: keys whose attempts take long are parked. */
void partition_recall_relieve(triggers_partition *partition, partition_lane *lane);

/* partition_batch.c: several tasks of a key in one attempt */
/* True: the idle key waits for more tasks. */
CORE_MUST_CHECK bool partition_key_gather(triggers_partition *partition, partition_key *key);
/* A task of a gathering key has come. */
void partition_gather_check(triggers_partition *partition, partition_key *key);
/* The window is full: nobody gathers. */
void partition_gather_end(triggers_partition *partition);
/* The live key's first tasks become one, if they may. */
void partition_batch_form(triggers_partition *partition, partition_key *key);
/* No further batch may begin before less is promised. */
bool partition_batch_waits(const triggers_partition *partition);
/* The head was fetched. False: it may not begin now. */
CORE_MUST_CHECK bool partition_batch_promise(triggers_partition *partition, partition_key *key);

/* partition_run.c: attempts */
extern const char partition_lane_limited[]; /* why a lane that has its share waits */
void partition_lane_policy(const triggers_partition *partition, const partition_lane *lane,
                           triggers_policy *policy);
/* Puts an idle key in line if it has a head; else drops it. */
void partition_key_line(triggers_partition *partition, partition_key *key);
/* Keys in line that have no head any more leave it. */
void partition_line_clean(triggers_partition *partition, partition_lane *lane);
void partition_run(triggers_partition *partition);
/* Deliveries a second, of late. */
uint32_t partition_lane_rate(partition_lane *lane, int64_t now_ms);
/* Definitions have changed: nobody waits, and what a former one's endpoint said is forgotten. */
void partition_lane_refresh(triggers_partition *partition, partition_lane *lane);
/* The head is held: it is attempted, or buried. */
void partition_head_go(triggers_partition *partition, partition_key *key);
/* What a head held goes, with its place among the attempts. */
void partition_head_let_go(triggers_partition *partition, partition_key *key);

/* partition_park.c: parking, and the chain of parked tasks */
/* The copy goes to the key's chain, or the lane's, of which `parked` tells all but time and task.
 * Returns its number. */
uint64_t partition_copy_send(triggers_partition *partition, uint64_t hash,
                             const partition_item *item, triggers_parked *parked);
bool partition_may_park(const triggers_partition *partition, const partition_key *key);
/* The key's tasks in the window are to be parked from here on; the next one's copy goes. */
void partition_key_park(triggers_partition *partition, partition_key *key);
/* The same of one that has not failed: it takes long. */
void partition_key_park_slow(triggers_partition *partition, partition_key *key);
void partition_park_again(triggers_partition *partition);
/* What waits too long in the window is parked by its key, or its lane is held. */
void partition_relieve(triggers_partition *partition, int64_t *next_ms);
void partition_chain_end(triggers_partition *partition, partition_key *key);
/* The head was delivered or buried; the next one's turn. */
void partition_head_done(triggers_partition *partition, partition_key *key);

/* partition_log.c: what is told, and the records */
/* Adds the outcome, with what is known of the task and its key. */
void partition_tell(triggers_partition *partition, const partition_key *key, core_slice task,
                    triggers_entry *outcome);
/* The same of the lane. */
void partition_lane_tell(triggers_partition *partition, const partition_lane *lane,
                         triggers_entry *outcome);
void partition_append(triggers_partition *partition);
/* What gathers goes into the log then. */
void partition_append_due(const triggers_partition *partition, int64_t *next_ms);
/* Once the log has what was told until now, the key's copies up to the position go. */
void partition_clear_later(triggers_partition *partition, uint64_t key_hash, uint64_t position);
bool partition_is_stalled(const triggers_partition *partition);

/* partition_fold.c: the state out of the records */
bool partition_finished_has(const triggers_partition *partition, uint64_t sequence);
void partition_finished_sort(triggers_partition *partition);
CORE_MUST_CHECK bool partition_finished_add(triggers_partition *partition, uint64_t sequence);
void partition_state_write(triggers_partition *partition, core_buffer *out);

#endif
