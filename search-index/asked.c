/* See asked.h. */
#include "search-index/asked.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

struct search_asked {
    pthread_mutex_t mutex;
    search_task ring[SEARCH_ASKED_MAX];
    size_t next;
};

search_asked *search_asked_new(void) {
    search_asked *asked = calloc(1, sizeof *asked);
    if (asked != NULL)
        (void)pthread_mutex_init(&asked->mutex, NULL);
    return asked;
}

void search_asked_free(search_asked *asked) {
    if (asked == NULL)
        return;
    (void)pthread_mutex_destroy(&asked->mutex);
    free(asked);
}

void search_asked_note(search_asked *asked, uint64_t sequence, const search_record *record) {
    search_task task = {.uid = sequence,
                        .kind = record->kind,
                        .status = SEARCH_TASK_ENQUEUED,
                        .enqueued_us = record->at_us};
    (void)snprintf(task.project, sizeof task.project, "%.*s", CORE_SLICE_ARGS(record->project));
    (void)snprintf(task.index, sizeof task.index, "%.*s", CORE_SLICE_ARGS(record->index));
    (void)pthread_mutex_lock(&asked->mutex);
    asked->ring[asked->next] = task;
    asked->next = (asked->next + 1) % SEARCH_ASKED_MAX;
    (void)pthread_mutex_unlock(&asked->mutex);
}

bool search_asked_find(search_asked *asked, uint64_t sequence, search_task *task) {
    bool found = false;
    (void)pthread_mutex_lock(&asked->mutex);
    for (size_t i = 0; !found && i < SEARCH_ASKED_MAX; i++)
        if (asked->ring[i].uid == sequence) {
            *task = asked->ring[i];
            found = true;
        }
    (void)pthread_mutex_unlock(&asked->mutex);
    return found && sequence != 0;
}
