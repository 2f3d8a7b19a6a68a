/* What was asked of the indexes and what became of it, as this node has it: the last so many tasks
 * of a source, by number. A task's number is its record's sequence in the search log, so it is the
 * same on every node; where each node stands with it differs. Any thread. */
#ifndef WALCAST_SEARCH_INDEX_TASKS_H
#define WALCAST_SEARCH_INDEX_TASKS_H

#include "search-index/record.h"

#define SEARCH_TASK_MESSAGE_MAX 512
#define SEARCH_TASK_CODE_MAX    64
#define SEARCH_PROJECT_MAX      128

typedef enum {
    SEARCH_TASK_ENQUEUED,
    SEARCH_TASK_PROCESSING, /* of a definition: tables are being read */
    SEARCH_TASK_SUCCEEDED,
    SEARCH_TASK_FAILED,
    SEARCH_TASK_CANCELED,
} search_task_status;

typedef struct {
    uint64_t uid;
    search_task_kind kind;
    search_task_status status;
    char project[SEARCH_PROJECT_MAX + 1];
    char index[SEARCH_UID_MAX + 1];
    int64_t enqueued_us, started_us, finished_us; /* 0: not yet */
    uint64_t received;    /* documents that were sent; of a definition rows that were read */
    uint64_t expected;    /* of a definition: rows that there may be; 0: not known */
    uint64_t indexed;     /* documents that were written or removed */
    uint64_t canceled_by; /* of CANCELED: the task that did it */
    char code[SEARCH_TASK_CODE_MAX]; /* of FAILED, in Meilisearch's form */
    char message[SEARCH_TASK_MESSAGE_MAX];
} search_task;

typedef struct search_tasks search_tasks;

/* NULL: memory is out. */
CORE_MUST_CHECK search_tasks *search_tasks_new(size_t kept);
void search_tasks_free(search_tasks *tasks);
/* A record came; numbers grow. The oldest is forgotten when there are too many. */
void search_tasks_add(search_tasks *tasks, const search_task *task);
/* Copies the task. False: there is none of that number any more, or yet. */
CORE_MUST_CHECK bool search_tasks_get(search_tasks *tasks, uint64_t uid, search_task *task);
/* Puts the task in the place of that of its number. */
void search_tasks_put(search_tasks *tasks, const search_task *task);
/* The task has ended well, if it stands as `was`. */
void search_tasks_succeed(search_tasks *tasks, uint64_t uid, search_task_status was,
                          int64_t now_us);
/* The same, badly. */
void search_tasks_fail(search_tasks *tasks, uint64_t uid, search_task_status was, int64_t now_us,
                       const char *code, const char *message);
/* The newest task with a number of at most `up_to`, for walking back; false: none is left. */
CORE_MUST_CHECK bool search_tasks_before(search_tasks *tasks, uint64_t up_to, search_task *task);
/* Up to `max` ended tasks that were put since they were last given here, for who keeps them; how
 * many. */
size_t search_tasks_unkept(search_tasks *tasks, search_task *out, size_t max);
/* "enqueued", ...; static. */
const char *search_task_status_name(search_task_status status);

#endif
