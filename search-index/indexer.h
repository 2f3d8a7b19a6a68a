/* The indexer of one source: one thread that folds the search log, follows the change stream, takes
 * in snapshots, and commits; the only writer of the source's indexes.
 *
 * Happy path of a turn: records of the log are folded into the catalog, and slots opened, changed
 * or removed by what it says then; messages of the change stream are given to the generations whose
 * tables they are of, in order; builds get the next rows of their snapshots; all that was touched
 * is committed, and what queries see has moved. A turn is bounded, so a commit never waits long;
 * where nothing came the thread sleeps on one descriptor.
 *
 * Whatever fails for now (the broker is away, the disk is full) rolls all generations back to their
 * last commit and reads the stream again from the least of their positions, after a pause. What a
 * stream does not hold any more is a gap: the generations that missed it are built anew. */
#ifndef WALCAST_SEARCH_INDEX_INDEXER_H
#define WALCAST_SEARCH_INDEX_INDEXER_H

#include "search-index/log.h"
#include "search-index/loose.h"
#include "search-index/made.h"
#include "search-index/queue.h"
#include "search-index/slot.h"

#include <pthread.h>

typedef struct search_indexer_base search_indexer_base;
typedef struct search_compaction search_compaction;

typedef struct {
    search_part part; /* first: the interface points here */
    uint32_t magic;
    search_host *host;
    pthread_t thread;
    bool started;
    atomic_bool stopping;
    int lock_fd; /* the directory's; -1: not taken yet */

    /* The thread's own. */
    fanout_connection *connection;
    fanout_bucket *state; /* snapshots' records */
    search_feed *log;
    uint64_t log_end;  /* of the log when it was opened */
    uint64_t log_read; /* its messages up to here were taken, or are in the base that was */
    bool is_blind;     /* records were passed over that cannot be read here */
    search_loose *loose;
    int64_t log_look_ms;
    bool is_swept;   /* files of indexes that are no more were removed */
    bool is_changed; /* the catalog moved since the slots were gone through */
    search_feed *changes;
    char stream[FANOUT_NAME_MAX], filter[CORE_SUBJECT_MAX]; /* the change stream */
    core_assembly assembly;
    core_arena arena; /* of the message at hand */
    core_arena log_arena;
    uint64_t sequence;     /* all messages up to it were given */
    uint64_t giving;       /* the message at hand, or the last one */
    uint64_t end_sequence; /* the stream's, as far as it is known */
    uint64_t start_end;    /* where it ended when the changes were opened first */
    char epoch[CORE_EPOCH_TEXT_SIZE];
    int64_t given_us;  /* commit time of what was given last; 0: nothing was */
    int64_t oldest_us; /* commit time of the first change since the last commit; 0: none */
    int64_t place_ms;  /* when positions were committed last */
    int64_t gauge_ms;
    search_slot **slots; /* room for search.max_indexes */
    size_t slot_count;
    core_buffer record; /* a snapshot's */
    /* Indexes made over HTTP. */
    search_made **made; /* room for search.max_indexes */
    size_t made_count;
    search_feed *books;   /* the log again, for their documents */
    search_catalog *book; /* as the log has them there */
    uint64_t books_sequence;
    search_indexer_base *base;     /* indexes are filled from it before; NULL: there is none */
    search_compaction *compaction; /* NULL: not looked at yet */
    uint64_t settled;              /* tasks up to it have ended */
    int64_t settle_ms;             /* when the others are looked at next */
    search_queue *queue;           /* records of documents, and which of them are taken */
    bool is_awaited;               /* of some it is not told yet what became of them */
    search_log *marks;             /* for marks; NULL: none was needed yet */
    uint64_t marked;               /* the last that was appended, */
    int64_t mark_ms;               /* and when */
    int64_t log_created_us;        /* the log, by its server */

    pthread_mutex_t mutex; /* guards the rest */
    bool is_caught_up;     /* once: what was there at the start answers, and is up to date */
    char reason[CORE_ERROR_TEXT_MAX];  /* why it does not do its work; "": it does */
    char warning[CORE_ERROR_TEXT_MAX]; /* of an index that is stuck */
} search_indexer;

/* ---- indexer_log.c ---- */
/* Takes what has come of the log. `*busy` is set when something had. */
CORE_MUST_CHECK bool search_indexer_log(search_indexer *indexer, bool *busy, core_error *error);
/* Slots as the catalog has indexes, once the log is folded. */
CORE_MUST_CHECK bool search_indexer_slots(search_indexer *indexer, core_error *error);

/* ---- indexer_made.c ---- */
/* The same of indexes made over HTTP, and their records. */
CORE_MUST_CHECK bool search_indexer_made_slots(search_indexer *indexer, core_error *error);
CORE_MUST_CHECK bool search_indexer_made(search_indexer *indexer, bool *busy, core_error *error);
void search_indexer_made_close(search_indexer *indexer);
/* What is at that place is closed, and opened again as at a start. */
void search_indexer_made_lose(search_indexer *indexer, size_t place);

/* ---- indexer_base.c ---- */
/* `*is_gone`: the log does not have any more what is behind `read`. */
CORE_MUST_CHECK bool search_indexer_log_look(search_indexer *indexer, uint64_t read, bool *is_gone,
                                             core_error *error);
/* The fold goes on from the newest base, for the log begins at `first`; `*spared`: the log's
 * messages behind it are looked at for pieces. GAP: there is none. */
CORE_MUST_CHECK bool search_indexer_base_fold(search_indexer *indexer, uint64_t first,
                                              uint64_t *spared, core_error *error);
/* The same of documents: while `base` is set it is stepped, and behind its end the log is read.
 * It is not set where the fold must come further first. */
CORE_MUST_CHECK bool search_indexer_base_begin(search_indexer *indexer, uint64_t first,
                                               core_error *error);
CORE_MUST_CHECK bool search_indexer_base_step(search_indexer *indexer, core_error *error);
void search_indexer_base_close(search_indexer *indexer);

/* ---- indexer_compact.c ---- */
/* The next step of making the log shorter, where that is due. What fails is told and tried again:
 * nothing else waits for it. */
void search_indexer_compact(search_indexer *indexer, bool *busy);
void search_indexer_compaction_free(search_indexer *indexer);

/* ---- indexer_tasks.c ---- */
CORE_MUST_CHECK bool search_indexer_outcomes_open(search_indexer *indexer, core_error *error);
/* Keeps what became of tasks since the last call. */
CORE_MUST_CHECK bool search_indexer_keep(search_indexer *indexer, core_error *error);
/* The record was folded: its task is told, as it is kept, or else as the fold says. */
void search_indexer_note(search_indexer *indexer, uint64_t sequence, const search_record *record,
                         const search_outcome *outcome, uint64_t canceled);
/* What a base says of a task; `is_within`: its record is in the base, else it comes yet. */
CORE_MUST_CHECK bool search_indexer_task_take(search_indexer *indexer, const search_task *task,
                                              bool is_within, core_error *error);
/* The record of documents need not be applied: the index has it, or is no more (`made` NULL). */
void search_indexer_passed(search_indexer *indexer, const search_made *made, uint64_t sequence);
/* A mark came. */
void search_indexer_mark_take(search_indexer *indexer, uint64_t uid);
/* Before its fold: what a cancelation names and still waits is canceled; other records do nothing.
 * `*count`: how many. False: memory is out. */
CORE_MUST_CHECK bool search_indexer_cancel(search_indexer *indexer, uint64_t sequence,
                                           const search_record *record, uint64_t *count);
/* All that is taken is done: the next that wait are asked for. */
void search_indexer_mark(search_indexer *indexer);

/* ---- indexer_changes.c ---- */
CORE_MUST_CHECK bool search_indexer_changes(search_indexer *indexer, bool *busy, core_error *error);
/* Commits what was touched, and positions now and then. */
CORE_MUST_CHECK bool search_indexer_commit(search_indexer *indexer, core_error *error);
/* Where a new generation begins: behind what was given, else behind the stream's end. */
CORE_MUST_CHECK bool search_indexer_place(search_indexer *indexer, search_position *position,
                                          core_error *error);
void search_indexer_changes_close(search_indexer *indexer);
/* What a generation failed with: true where it is its own trouble and the others go on. */
CORE_MUST_CHECK bool search_indexer_failed(search_indexer *indexer, search_slot *slot,
                                           search_generation *generation, core_error *error);

/* ---- indexer_build.c ---- */
/* The builds' next steps. */
CORE_MUST_CHECK bool search_indexer_builds(search_indexer *indexer, bool *busy, core_error *error);
void search_indexer_rows_close(search_indexer *indexer);

/* ---- indexer_state.c ---- */
void search_indexer_reason(search_indexer *indexer, const char *reason);
/* Metrics, the warning of readiness, and whether it has caught up. */
void search_indexer_tell(search_indexer *indexer);

#endif
