/* A task as Meilisearch's clients know it: what became of something that was asked of search
 * indexes. Its uid is the sequence of its record in the search log. Pure. */
#ifndef WALCAST_SEARCH_INDEX_TASK_VIEW_H
#define WALCAST_SEARCH_INDEX_TASK_VIEW_H

#include "core/core.h"

/* Slices are valid as whoever gives it says. */
typedef struct {
    uint64_t uid;
    const char *type;     /* Meilisearch's word for what was asked (`settingsUpdate`) */
    const char *status;   /* `enqueued`, `processing`, `succeeded`, `failed`, `canceled` */
    core_slice index;     /* uid; empty: none */
    core_slice details;   /* a JSON object, by type as Meilisearch has it; empty: {} */
    core_slice error;     /* a JSON object of message, code, type and link (code.h); empty: none */
    uint64_t canceled_by; /* 0: nobody */
    int64_t enqueued_us;  /* since 1970, as the next two */
    int64_t started_us;   /* 0: not yet */
    int64_t finished_us;  /* 0: not yet */
} search_task_view;

/* As GET /tasks/{uid} shows it. */
void search_task_view_write(const search_task_view *task, core_json_writer *json);
/* As a request that wrote is answered. */
void search_task_view_brief(const search_task_view *task, core_json_writer *json);

#endif
