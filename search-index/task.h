/* A task as Meilisearch's clients know it: what became of something that was asked of search
 * indexes. Its uid is the sequence of its record in the search log (record.h). Every node applies
 * the log in order, and so each comes to the same end of each task. Pure. */
#ifndef WALCAST_SEARCH_INDEX_TASK_H
#define WALCAST_SEARCH_INDEX_TASK_H

#include "core/core.h"

typedef enum {
    SEARCH_TASK_ENQUEUED,
    SEARCH_TASK_PROCESSING,
    SEARCH_TASK_SUCCEEDED,
    SEARCH_TASK_FAILED,
    SEARCH_TASK_CANCELED,
} search_task_state;
enum { SEARCH_TASK_STATES = SEARCH_TASK_CANCELED + 1 };

/* Meilisearch's word for it (`succeeded`). Static. */
const char *search_task_state_name(search_task_state state);
/* Without regard to case; false: there is none of that name. */
CORE_MUST_CHECK bool search_task_state_find(core_slice name, search_task_state *state);

/* Slices are valid as whoever gives it says. */
typedef struct {
    uint64_t uid;
    const char *type; /* Meilisearch's word for what was asked (`settingsUpdate`); static */
    search_task_state state;
    core_slice index;     /* uid; empty: none */
    core_slice details;   /* a JSON object, by type as Meilisearch has it; empty: {} */
    core_slice error;     /* a JSON object of message, code, type and link (code.h); empty: none */
    uint64_t canceled_by; /* 0: nobody */
    int64_t enqueued_us;  /* since 1970, as the next two */
    int64_t started_us;   /* 0: not yet */
    int64_t finished_us;  /* 0: not yet */
} search_task;

/* As GET /tasks/{uid} shows it. */
void search_task_write(const search_task *task, core_json_writer *json);
/* As a request that wrote is answered. */
void search_task_brief_write(const search_task *task, core_json_writer *json);

#endif
