/* What the indexer says of itself: readiness and metrics; see indexer.h. */
#include "search-index/indexer.h"

#include <inttypes.h>
#include <stdio.h>

enum { GAUGE_MS = 1000 };

void search_indexer_reason(search_indexer *indexer, const char *reason) {
    (void)pthread_mutex_lock(&indexer->mutex);
    bool is_new = strcmp(indexer->reason, reason) != 0;
    (void)snprintf(indexer->reason, sizeof indexer->reason, "%s", reason);
    (void)pthread_mutex_unlock(&indexer->mutex);
    if (is_new && *reason != '\0')
        CORE_LOG(indexer->host->spec.log, WARN, "search", "indexing waits",
                 CORE_LOG_TEXT("reason", reason));
}

/* ---- Catching up ---- */

/* What keeps the slot from answering with what was there at the start; "": nothing does. */
static void slot_behind(const search_indexer *indexer, const search_slot *slot, char *text,
                        size_t size) {
    const char *name = (const char *)slot->entry->uid.data;
    search_task task;
    text[0] = '\0';
    if (slot->is_stuck)
        return; /* a warning: it would never be ready */
    if (slot->live == NULL && slot->problem[0] != '\0')
        (void)snprintf(text, size, "index %s: %s", name, slot->problem);
    else if (slot->live == NULL) {
        bool has = search_tasks_get(indexer->host->tasks, slot->entry->generation, &task);
        (void)snprintf(text, size, "index %s is being built: %" PRIu64 " rows of about %" PRIu64,
                       name, has ? task.received : 0, has ? task.expected : 0);
    } else if (!slot->is_stale && search_generation_committed(slot->live) < indexer->start_end &&
               search_generation_position(slot->live).change_sequence < indexer->start_end)
        (void)snprintf(text, size, "index %s is at change %" PRIu64 " of %" PRIu64, name,
                       search_generation_position(slot->live).change_sequence, indexer->start_end);
}

static void behind_find(const search_indexer *indexer, char *text, size_t size) {
    text[0] = '\0';
    if (!atomic_load(&indexer->host->is_folded) || indexer->is_changed)
        (void)snprintf(text, size, "%s", "the search log is being read");
    for (size_t i = 0; i < indexer->slot_count && text[0] == '\0'; i++)
        slot_behind(indexer, indexer->slots[i], text, size);
    for (size_t i = 0; i < indexer->made_count && text[0] == '\0'; i++)
        if (!indexer->made[i]->is_shown)
            (void)snprintf(text, size, "index %s is being built from the search log",
                           (const char *)indexer->made[i]->entry->uid.data);
}

static void warning_find(const search_indexer *indexer, char *text, size_t size) {
    text[0] = '\0';
    for (size_t i = 0; i < indexer->slot_count && text[0] == '\0'; i++) {
        const search_slot *slot = indexer->slots[i];
        const char *problem = slot->problem;
        if (*problem == '\0' && slot->live != NULL)
            problem = search_generation_problem(slot->live);
        if (*problem != '\0')
            (void)snprintf(text, size, "index %s: %s", (const char *)slot->entry->uid.data,
                           problem);
    }
}

static void standing_tell(search_indexer *indexer) {
    char behind[CORE_ERROR_TEXT_MAX], warning[CORE_ERROR_TEXT_MAX];
    warning_find(indexer, warning, sizeof warning);
    (void)pthread_mutex_lock(&indexer->mutex);
    bool was = indexer->is_caught_up;
    (void)pthread_mutex_unlock(&indexer->mutex);
    behind[0] = '\0';
    if (!was)
        behind_find(indexer, behind, sizeof behind);
    (void)pthread_mutex_lock(&indexer->mutex);
    indexer->is_caught_up = was || behind[0] == '\0';
    (void)snprintf(indexer->warning, sizeof indexer->warning, "%s", warning);
    (void)snprintf(indexer->reason, sizeof indexer->reason, "%s", behind);
    (void)pthread_mutex_unlock(&indexer->mutex);
}

/* ---- Metrics ---- */

static void gauges_set(search_indexer *indexer) {
    core_metrics *metrics = indexer->host->spec.metrics;
    search_stats all = {.documents = 0};
    int64_t building = 0, answering = 0;
    for (size_t i = 0; i < indexer->slot_count; i++) {
        const search_slot *slot = indexer->slots[i];
        building += slot->building != NULL;
        if (slot->live == NULL)
            continue;
        const search_stats stats = search_backend_stats(search_generation_backend(slot->live));
        answering++;
        all.documents += stats.documents;
        all.file_bytes += stats.file_bytes;
        all.memory_bytes += stats.memory_bytes;
    }
    for (size_t i = 0; i < indexer->made_count; i++) {
        const search_stats stats = search_backend_stats(indexer->made[i]->backend);
        answering += indexer->made[i]->is_shown;
        building += !indexer->made[i]->is_shown;
        all.documents += stats.documents;
        all.file_bytes += stats.file_bytes;
        all.memory_bytes += stats.memory_bytes;
    }
    core_metrics_set(metrics, CORE_METRIC_SEARCH_INDEXES, answering);
    core_metrics_set(metrics, CORE_METRIC_SEARCH_BUILDING, building);
    core_metrics_set(metrics, CORE_METRIC_SEARCH_DOCUMENTS, (int64_t)all.documents);
    core_metrics_set(metrics, CORE_METRIC_SEARCH_BYTES, (int64_t)all.file_bytes);
    core_metrics_set(metrics, CORE_METRIC_SEARCH_MEMORY, (int64_t)all.memory_bytes);
    core_metrics_set(metrics, CORE_METRIC_SEARCH_LAG,
                     (int64_t)atomic_load(&indexer->host->lag_messages));
}

void search_indexer_tell(search_indexer *indexer) {
    int64_t now_ms = core_clock_ms(indexer->host->spec.clock);
    standing_tell(indexer);
    if (now_ms - indexer->gauge_ms < GAUGE_MS)
        return;
    indexer->gauge_ms = now_ms;
    gauges_set(indexer);
}
