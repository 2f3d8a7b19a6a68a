/* What a partition's jobs are kept in: entries in a list, found by id and unique key, and placed by
 * their state in the heaps of timers, of their queue and of their concurrency key. Private to
 * job_queue.c, job_pull.c and job_log.c, which the machine is made of.
 *
 * A change of state is one function, triggers_job_move: it takes the entry out of where its old
 * state put it and into where its new one does. */
#ifndef WALCAST_TRIGGERS_JOB_TABLE_H
#define WALCAST_TRIGGERS_JOB_TABLE_H

#include "triggers/job_heap.h"
#include "triggers/job_map.h"
#include "triggers/job_queue.h"

typedef struct triggers_job_entry triggers_job_entry;
typedef struct triggers_job_line triggers_job_line;
typedef struct triggers_job_limit triggers_job_limit;
typedef struct triggers_job_pull triggers_job_pull;
typedef struct triggers_job_project triggers_job_project;

struct triggers_job_entry {
    triggers_job_map_node by_id;
    triggers_job_map_node by_unique; /* held while it is not over */
    triggers_job_heap_entry timer;   /* in `timers`, or of what may make room in `over` */
    triggers_job_heap_entry order;   /* READY: in its line, or waiting for its limit */
    triggers_job_entry *older, *newer;
    triggers_job_line *line;
    triggers_job_limit *limit; /* NULL: it has no concurrency key */
    triggers_job_project *project;
    uint64_t number; /* rises with each entry */
    int64_t timer_us;
    bool waits;     /* its order is the limit's */
    bool evictable; /* its timer is in `over` */
    bool calls;     /* its callback is being told */
    triggers_job asked;
    triggers_job_status status;
    uint8_t *late; /* what the status' texts point into */
    size_t bytes;
    uint8_t texts[]; /* what the job's point into */
};

/* A queue of a project. There while it has jobs or pulls. */
struct triggers_job_line {
    triggers_job_map_node node;
    core_slice project;
    core_slice queue;
    triggers_job_heap ready;
    size_t jobs;
    triggers_job_pull *first_pull, *last_pull;
    triggers_job_line *next_dirty; /* of those to be served */
    bool dirty;
    uint8_t texts[];
};

/* A concurrency key in a queue. There while it has jobs. */
struct triggers_job_limit {
    triggers_job_map_node node;
    triggers_job_line *line;
    core_slice key;
    triggers_job_heap waiting; /* ready ones that found it taken */
    size_t jobs;
    size_t running;
    uint8_t texts[];
};

/* There while it has jobs. */
struct triggers_job_project {
    triggers_job_map_node node;
    core_slice name;
    size_t entries;
    size_t held, held_bytes; /* of those that do not make room by themselves */
    uint8_t texts[];
};

struct triggers_job_pull {
    triggers_job_heap_entry timer; /* in `pull_timers` */
    triggers_job_line *line;
    triggers_job_pull *before, *next;
    size_t max;
    int64_t until_us;
    uint64_t token;
};

struct triggers_jobs {
    uint32_t magic;
    triggers_jobs_spec spec;
    triggers_jobs_figures figures;
    triggers_job_map ids, uniques, lines, limits, projects;
    triggers_job_heap timers, over, pull_timers;
    triggers_job_entry *oldest, *newest;
    triggers_job_line *dirty;
    uint64_t last_number;
    uint64_t taken;
    core_buffer records;
    size_t records_taken; /* of what the buffer holds */
    uint64_t emitted;
    triggers_job_entry *snapshot; /* the next one to emit */
    uint64_t snapshot_end;        /* the last number that belongs to it; 0: none is under way */
};

/* ---- job_table.c ---- */

/* What an entry takes, without the texts of its status. */
size_t triggers_job_bytes(const triggers_job *job);
/* A new entry, placed by its status, which must not be NONE. NULL: no memory; nothing changed. */
CORE_MUST_CHECK triggers_job_entry *triggers_job_enter(triggers_jobs *jobs, const triggers_job *job,
                                                       const triggers_job_status *status);
/* It is in nothing any more, and freed. */
void triggers_job_leave(triggers_jobs *jobs, triggers_job_entry *entry);
/* The entry has that status from here on, its texts copied. False: no memory; nothing changed. */
CORE_MUST_CHECK bool triggers_job_move(triggers_jobs *jobs, triggers_job_entry *entry,
                                       const triggers_job_status *status);
/* Whether a job may go from one state to the other. */
bool triggers_job_may_move(triggers_job_state from, triggers_job_state to);
/* Its timer is at that time from here on. */
void triggers_job_time(triggers_jobs *jobs, triggers_job_entry *entry, int64_t timer_us);
/* The running attempt's: its `timeout_ms` from now, or the deadline where that comes first. */
void triggers_job_time_attempt(triggers_jobs *jobs, triggers_job_entry *entry, int64_t now_us);
CORE_MUST_CHECK triggers_job_entry *triggers_job_by_id(const triggers_jobs *jobs, core_slice id);
/* The job that has the key, of a queue of a project; NULL: none has. */
CORE_MUST_CHECK triggers_job_entry *triggers_job_by_unique(const triggers_jobs *jobs,
                                                           const triggers_job *job);
/* NULL: nobody has a job in it or asks for one. */
CORE_MUST_CHECK triggers_job_line *triggers_job_line_find(const triggers_jobs *jobs,
                                                          core_slice project, core_slice queue);
/* The queue, made when missing; NULL: no memory. */
CORE_MUST_CHECK triggers_job_line *triggers_job_line_get(triggers_jobs *jobs, core_slice project,
                                                         core_slice queue);
/* Frees it if nothing needs it. */
void triggers_job_line_let_go(triggers_jobs *jobs, triggers_job_line *line);
/* The queue is to be looked at for pulls that can be answered. */
void triggers_job_line_touch(triggers_jobs *jobs, triggers_job_line *line);
/* The ready job that is next and may run now; NULL: there is none. */
CORE_MUST_CHECK triggers_job_entry *triggers_job_line_next(triggers_job_line *line);

/* ---- job_project.c ---- */

/* The project of one entry more; NULL: no memory. */
CORE_MUST_CHECK triggers_job_project *triggers_job_project_join(triggers_jobs *jobs,
                                                                core_slice name);
/* Of one less: it is freed when nobody needs it. */
void triggers_job_project_leave(triggers_jobs *jobs, triggers_job_project *project);
/* Whether the project's share has room for one job more, of so many bytes. */
bool triggers_job_project_has_room(const triggers_jobs *jobs, core_slice name, size_t bytes);
/* How a job begins that comes now: OK, DUPLICATE or REFUSED. `other` gets what the status' error
 * may point to. */
triggers_jobs_verdict triggers_job_beginning(const triggers_jobs *jobs, const triggers_job *job,
                                             int64_t now_us, triggers_job_status *status,
                                             char other[TRIGGERS_JOB_ID_LENGTH + 1]);

/* ---- job_pull.c ---- */

/* Answers the pulls of all touched queues that can be. */
void triggers_job_pulls_serve(triggers_jobs *jobs, int64_t now_us);
/* Ends the pulls that have waited long enough, at most `max`; how many there were. */
size_t triggers_job_pulls_expire(triggers_jobs *jobs, size_t max, int64_t now_us);
void triggers_job_pulls_free(triggers_jobs *jobs);

/* ---- job_log.c ---- */

void triggers_job_emit_added(triggers_jobs *jobs, const triggers_job_entry *entry);
void triggers_job_emit_status(triggers_jobs *jobs, const triggers_job_entry *entry);
void triggers_job_emit_dropped(triggers_jobs *jobs, const triggers_job_entry *entry);
void triggers_job_emit_taken(triggers_jobs *jobs);

#endif
