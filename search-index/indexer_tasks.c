/* What becomes of tasks, as far as it is no index's own matter: outcomes as they are kept, marks
 * and cancelations of the search log; see indexer.h, task_store.h and queue.h. */
#include "search-index/indexer.h"
#include "search-index/tasks_meant.h"

#include <inttypes.h>
#include <stdio.h>

enum { KEEP_AT_ONCE = 32, AHEAD = 64, MARK_AGAIN_MS = 1000 };

/* ---- Kept ---- */

bool search_indexer_outcomes_open(search_indexer *indexer, core_error *error) {
    search_host *host = indexer->host;
    char path[SEARCH_PATH_SIZE];
    if (host->outcomes != NULL)
        return true;
    if (!search_paths_tasks(&host->spec, path, error))
        return false;
    host->outcomes = search_task_store_open(
        path, (size_t)core_config_integer(host->spec.config, "search.tasks_kept"), error);
    return host->outcomes != NULL;
}

/* The kept one is of the task at hand, not of one of the same number in a log that is gone. A
 * deleted one has no project. */
static bool is_same(const search_task *kept, const search_task *task) {
    return kept->kind == task->kind && kept->enqueued_us == task->enqueued_us &&
           strcmp(kept->index, task->index) == 0 &&
           (kept->project[0] == '\0' || strcmp(kept->project, task->project) == 0);
}

/* What is kept of the task takes its place. What cannot be read is as if there were none. */
static bool kept_take(const search_indexer *indexer, search_task *task, bool *is_confirmed) {
    search_task kept;
    core_error error;
    bool found = false;
    if (indexer->host->outcomes == NULL)
        return false;
    if (!search_task_store_get(indexer->host->outcomes, task->uid, &kept, &found, is_confirmed,
                               &error)) {
        CORE_LOG(indexer->host->spec.log, WARN, "search", "what became of a task cannot be read",
                 CORE_LOG_NUMBER("task", task->uid), CORE_LOG_TEXT("error", error.text));
        return false;
    }
    found = found && is_same(&kept, task);
    if (found)
        *task = kept;
    return found;
}

bool search_indexer_keep(search_indexer *indexer, core_error *error) {
    search_task tasks[KEEP_AT_ONCE];
    size_t count;
    if (indexer->host->outcomes == NULL)
        return true;
    while ((count = search_tasks_unkept(indexer->host->tasks, tasks, KEEP_AT_ONCE)) > 0) {
        if (search_task_store_put(indexer->host->outcomes, tasks, count, true, error))
            continue;
        for (size_t i = 0; i < count; i++) /* they are given again */
            search_tasks_put(indexer->host->tasks, &tasks[i]);
        return false;
    }
    return true;
}

/* ---- Told ---- */

/* As the fold of its record has it. */
static search_task task_fresh(const search_indexer *indexer, uint64_t sequence,
                              const search_record *record, const search_outcome *outcome) {
    search_task task = {.uid = sequence, .kind = record->kind, .enqueued_us = record->at_us};
    bool is_settled =
        outcome->effect == SEARCH_EFFECT_MADE || outcome->effect == SEARCH_EFFECT_CHANGED ||
        outcome->effect == SEARCH_EFFECT_REMOVED || outcome->effect == SEARCH_EFFECT_SWAPPED;
    (void)snprintf(task.project, sizeof task.project, "%.*s", CORE_SLICE_ARGS(record->project));
    (void)snprintf(task.index, sizeof task.index, "%.*s", CORE_SLICE_ARGS(record->index));
    task.started_us = core_clock_wall_us(indexer->host->spec.clock);
    task.status = is_settled ? SEARCH_TASK_PROCESSING : SEARCH_TASK_SUCCEEDED;
    if (outcome->effect == SEARCH_EFFECT_DOCUMENTS) {
        task.status = SEARCH_TASK_ENQUEUED;
        task.started_us = 0;
    }
    if (outcome->effect == SEARCH_EFFECT_FAILED) {
        task.status = SEARCH_TASK_FAILED;
        (void)snprintf(task.code, sizeof task.code, "%s", outcome->code);
        (void)snprintf(task.message, sizeof task.message, "%s", outcome->message);
    }
    if (task.status == SEARCH_TASK_SUCCEEDED || task.status == SEARCH_TASK_FAILED)
        task.finished_us = task.started_us;
    return task;
}

void search_indexer_note(search_indexer *indexer, uint64_t sequence, const search_record *record,
                         const search_outcome *outcome, uint64_t canceled) {
    bool is_confirmed = false;
    search_task task = task_fresh(indexer, sequence, record, outcome), kept = task;
    if (kept_take(indexer, &kept, &is_confirmed) && is_confirmed)
        task = kept;
    else if (record->cancels) {
        task.received = record->matched;
        task.indexed = canceled;
    } else if (outcome->effect == SEARCH_EFFECT_TASKS)
        search_tasks_meant_take(indexer->host->tasks, record, &task);
    if (outcome->effect == SEARCH_EFFECT_DOCUMENTS) {
        search_queue_add(indexer->queue, sequence, record->project);
        indexer->is_awaited |= task.finished_us == 0;
    }
    search_tasks_add(indexer->host->tasks, &task);
}

/* As it is kept here it is told here. One that comes yet is kept, for its fold finds it then. */
bool search_indexer_task_take(search_indexer *indexer, const search_task *task, bool is_within,
                              core_error *error) {
    search_task own = *task, told;
    bool is_confirmed = false, is_kept = kept_take(indexer, &own, &is_confirmed) && is_confirmed;
    if (!is_within)
        return is_kept || indexer->host->outcomes == NULL ||
               search_task_store_put(indexer->host->outcomes, task, 1, true, error);
    const search_task *best = is_kept ? &own : task;
    if (!search_tasks_get(indexer->host->tasks, task->uid, &told))
        search_tasks_add(indexer->host->tasks, best);
    else if (told.finished_us == 0)
        search_tasks_put(indexer->host->tasks, best);
    return true;
}

void search_indexer_passed(search_indexer *indexer, const search_made *made, uint64_t sequence) {
    search_task task;
    bool is_confirmed;
    if (!search_tasks_get(indexer->host->tasks, sequence, &task) || task.finished_us != 0)
        return;
    if (!kept_take(indexer, &task, &is_confirmed)) {
        task.status = SEARCH_TASK_SUCCEEDED;
        task.finished_us = core_clock_wall_us(indexer->host->spec.clock);
    }
    if (made != NULL && task.status == SEARCH_TASK_SUCCEEDED && search_made_hides(made, &task)) {
        task.status = SEARCH_TASK_PROCESSING;
        task.finished_us = 0;
    }
    search_tasks_put(indexer->host->tasks, &task);
}

/* ---- Marks and cancelations ---- */

static void taken_tell(void *context, uint64_t uid) {
    search_indexer *indexer = context;
    search_task task;
    if (!search_tasks_get(indexer->host->tasks, uid, &task) || task.status != SEARCH_TASK_ENQUEUED)
        return;
    task.status = SEARCH_TASK_PROCESSING;
    task.started_us = core_clock_wall_us(indexer->host->spec.clock);
    search_tasks_put(indexer->host->tasks, &task);
}

void search_indexer_mark_take(search_indexer *indexer, uint64_t uid) {
    search_queue_take(indexer->queue, uid, taken_tell, indexer);
}

typedef struct {
    search_indexer *indexer;
    uint64_t by, count;
} canceling;

static void canceled_tell(void *context, uint64_t uid) {
    canceling *it = context;
    search_tasks *tasks = it->indexer->host->tasks;
    search_task task;
    it->count++;
    if (!search_tasks_get(tasks, uid, &task) || task.finished_us != 0)
        return;
    task.status = SEARCH_TASK_CANCELED;
    task.canceled_by = it->by;
    task.finished_us = core_clock_wall_us(it->indexer->host->spec.clock);
    search_tasks_put(tasks, &task);
}

bool search_indexer_cancel(search_indexer *indexer, uint64_t sequence, const search_record *record,
                           uint64_t *count) {
    canceling it = {.indexer = indexer, .by = sequence};
    bool ok = record->kind != SEARCH_TASK_CANCELATION ||
              search_queue_cancel(indexer->queue, record, canceled_tell, &it);
    *count = it.count;
    return ok;
}

static bool mark_append(search_indexer *indexer, uint64_t uid, core_error *error) {
    char id[64];
    uint64_t sequence;
    if (indexer->marks == NULL)
        indexer->marks = search_log_new(&indexer->host->spec, "walcast-search-marks", error);
    if (indexer->marks == NULL)
        return false;
    /* The same mark of two nodes is one. */
    (void)snprintf(id, sizeof id, "taken-%" PRIu64 "-%" PRId64, uid, indexer->log_created_us);
    const search_record record = {.kind = SEARCH_TASK_DOCUMENTS_ADD,
                                  .at_us = core_clock_wall_us(indexer->host->spec.clock),
                                  .is_piece = true,
                                  .taken = uid,
                                  .id = id};
    return search_log_append(indexer->marks, &record, &sequence, error);
}

/* What fails is tried again, and keeps nothing else waiting. */
void search_indexer_mark(search_indexer *indexer) {
    core_error error;
    uint64_t uid = search_queue_ahead(indexer->queue, AHEAD);
    int64_t now_ms = core_clock_ms(indexer->host->spec.clock);
    if (uid == 0 || !atomic_load(&indexer->host->is_folded) ||
        (uid == indexer->marked && now_ms < indexer->mark_ms + MARK_AGAIN_MS))
        return;
    indexer->marked = uid;
    indexer->mark_ms = now_ms;
    if (!mark_append(indexer, uid, &error))
        CORE_LOG(indexer->host->spec.log, WARN, "search",
                 "documents wait for a mark in the search log", CORE_LOG_NUMBER("up to", uid),
                 CORE_LOG_TEXT("error", error.text));
}
