/* See indexer.h: the thread and the part. */
#include "search-index/indexer.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define INDEXER_MAGIC     UINT32_C(0x53494458) /* "SIDX" */
#define ARENA_CHUNK_BYTES ((size_t)64 << 10)
#define ARENA_MAX_BYTES   ((size_t)1 << 30) /* a row of the largest message, from JSON */
#define ROW_MAX_BYTES     ((size_t)256 << 20)

enum {
    WAIT_MS = 250, /* while something is looked at again by time */
    REST_MS = 20,  /* between steps of upkeep */
    BACKOFF_FIRST_MS = 100,
    BACKOFF_MAX_MS = 5000,
};

static search_indexer *indexer_of(void *context) {
    search_indexer *indexer = context;
    CORE_MAGIC_CHECK(indexer, INDEXER_MAGIC);
    return indexer;
}

/* ---- Turns ---- */

static bool connect_once(search_indexer *indexer, core_error *error) {
    const search_spec *spec = &indexer->host->spec;
    if (indexer->connection == NULL)
        indexer->connection = fanout_connection_new(spec->config, "walcast-search-indexer",
                                                    spec->log, spec->metrics, error);
    return indexer->connection != NULL;
}

/* Documents that must be made again, a step for each index. */
static bool steps_take(search_indexer *indexer, bool *busy, core_error *error) {
    for (size_t i = 0; i < indexer->slot_count; i++) {
        search_generation *active[2];
        size_t count = search_slot_active(indexer->slots[i], active);
        for (size_t j = 0; j < count; j++) {
            bool is_done = true;
            if (!search_generation_step(active[j], &is_done, error) &&
                !search_indexer_failed(indexer, indexer->slots[i], active[j], error))
                return false;
            *busy |= !is_done;
        }
    }
    return true;
}

static bool turn(search_indexer *indexer, bool *busy, core_error *error) {
    *busy = false;
    bool ok = connect_once(indexer, error) && search_indexer_log(indexer, busy, error) &&
              search_indexer_slots(indexer, error) &&
              search_indexer_changes(indexer, busy, error) &&
              search_indexer_builds(indexer, busy, error) && steps_take(indexer, busy, error) &&
              search_indexer_made(indexer, busy, error) && search_indexer_commit(indexer, error) &&
              search_indexer_keep(indexer, error);
    if (ok)
        search_indexer_compact(indexer, busy);
    return ok;
}

/* What makes files smaller and queries faster, while nothing else is to be done. */
static bool upkeep(search_indexer *indexer, bool *busy, core_error *error) {
    for (size_t i = 0; i < indexer->slot_count && !*busy; i++) {
        search_slot *slot = indexer->slots[i];
        bool is_done = true;
        if (slot->live == NULL || slot->is_stale)
            continue;
        if (!search_backend_upkeep(search_generation_backend(slot->live), &is_done, error))
            return search_indexer_failed(indexer, slot, slot->live, error);
        *busy = !is_done;
    }
    return true;
}

/* All is as the files have it; streams are read again from there. */
static void turn_undo(search_indexer *indexer) {
    search_indexer_changes_close(indexer);
    search_indexer_rows_close(indexer);
    for (size_t i = 0; i < indexer->slot_count; i++) {
        search_slot *slot = indexer->slots[i];
        if (slot->live != NULL)
            search_generation_rollback(slot->live);
        if (slot->building != NULL)
            search_generation_rollback(slot->building);
        slot->table = 0;
    }
    for (size_t i = 0; i < indexer->made_count; i++)
        search_backend_rollback(indexer->made[i]->backend);
    indexer->oldest_us = 0;
}

/* ---- The thread ---- */

static void wait_for(search_indexer *indexer, int64_t timeout_ms) {
    struct pollfd wake = {.fd = indexer->host->wake_fd, .events = POLLIN};
    (void)poll(&wake, 1, (int)timeout_ms);
    core_wake_clear(indexer->host->wake_fd);
}

static void *indexer_run(void *context) {
    search_indexer *indexer = indexer_of(context);
    core_backoff backoff;
    core_error error = {.text = ""};
    (void)pthread_setname_np(pthread_self(), "search-indexer");
    core_backoff_init(&backoff, BACKOFF_FIRST_MS, BACKOFF_MAX_MS, (uint64_t)(uintptr_t)context);
    while (!atomic_load(&indexer->stopping)) {
        bool busy = false, keeps_up = false;
        if (turn(indexer, &busy, &error) && (busy || upkeep(indexer, &keeps_up, &error))) {
            core_backoff_reset(&backoff);
            search_indexer_tell(indexer);
            if (!busy)
                wait_for(indexer, keeps_up ? REST_MS : WAIT_MS);
            continue;
        }
        search_indexer_reason(indexer, error.text);
        turn_undo(indexer);
        wait_for(indexer, core_backoff_next_ms(&backoff));
    }
    return NULL;
}

/* ---- The part ---- */

static bool part_start(search_part *part, core_error *error) {
    search_indexer *indexer = indexer_of(part);
    int failure = pthread_create(&indexer->thread, NULL, indexer_run, indexer);
    indexer->started = failure == 0;
    return indexer->started || core_error_set(error, CORE_ERROR_INTERNAL,
                                              "starting the indexer: %s", strerror(failure));
}

static core_readiness part_ready(search_part *part, char *reason, size_t reason_size) {
    search_indexer *indexer = indexer_of(part);
    (void)pthread_mutex_lock(&indexer->mutex);
    bool is_away = indexer->reason[0] != '\0', warns = indexer->warning[0] != '\0';
    bool is_ready = indexer->is_caught_up;
    if (is_away || !is_ready)
        (void)snprintf(reason, reason_size, "%s", is_away ? indexer->reason : "starting");
    else if (warns)
        (void)snprintf(reason, reason_size, "%s", indexer->warning);
    (void)pthread_mutex_unlock(&indexer->mutex);
    if (!is_ready)
        return CORE_READY_NO;
    return is_away || warns ? CORE_READY_WARNING : CORE_READY_YES;
}

static void thread_end(search_indexer *indexer) {
    atomic_store(&indexer->stopping, true);
    core_wake_set(indexer->host->wake_fd);
    if (indexer->started)
        (void)pthread_join(indexer->thread, NULL);
}

static void part_stop(search_part *part) {
    search_indexer *indexer = indexer_of(part);
    thread_end(indexer);
    search_indexer_changes_close(indexer);
    search_indexer_compaction_free(indexer);
    search_indexer_base_close(indexer);
    search_feed_free(indexer->log);
    for (size_t i = 0; i < indexer->slot_count; i++)
        search_slot_free(indexer->slots[i]);
    search_indexer_made_close(indexer);
    for (size_t i = 0; i < indexer->made_count; i++)
        search_made_free(indexer->made[i]);
    search_catalog_free(indexer->book);
    search_queue_free(indexer->queue);
    search_loose_free(indexer->loose);
    search_log_free(indexer->marks);
    free(indexer->made);
    if (indexer->state != NULL)
        fanout_bucket_free(indexer->state);
    if (indexer->connection != NULL)
        fanout_connection_free(indexer->connection);
    if (indexer->lock_fd >= 0)
        (void)close(indexer->lock_fd);
    core_assembly_fini(&indexer->assembly);
    core_arena_fini(&indexer->arena);
    core_arena_fini(&indexer->log_arena);
    core_buffer_fini(&indexer->record);
    (void)pthread_mutex_destroy(&indexer->mutex);
    free(indexer->slots);
    indexer->magic = 0;
    free(indexer);
}

search_part *search_indexer_part(search_host *host, core_error *error) {
    search_indexer *indexer = calloc(1, sizeof *indexer);
    size_t max = (size_t)core_config_integer(host->spec.config, "search.max_indexes");
    search_slot **slots = calloc(max, sizeof(search_slot *));
    search_made **made = calloc(max, sizeof(search_made *));
    search_catalog *book = search_catalog_new(max);
    search_queue *queue = search_queue_new();
    search_loose *loose = search_loose_new();
    if (indexer == NULL || slots == NULL || made == NULL || book == NULL || queue == NULL ||
        loose == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "no memory for the indexer");
        free(indexer);
        free(slots);
        free(made);
        search_catalog_free(book);
        search_queue_free(queue);
        search_loose_free(loose);
        return NULL;
    }
    *indexer = (search_indexer){
        .part = {.name = "indexer", .start = part_start, .ready = part_ready, .stop = part_stop},
        .magic = INDEXER_MAGIC,
        .host = host,
        .lock_fd = -1,
        .slots = slots,
        .made = made,
        .book = book,
        .queue = queue,
        .loose = loose,
        .is_changed = true,
    };
    core_assembly_init(&indexer->assembly, ROW_MAX_BYTES);
    core_arena_init(&indexer->arena, ARENA_CHUNK_BYTES, ARENA_MAX_BYTES);
    core_arena_init(&indexer->log_arena, ARENA_CHUNK_BYTES, 2 * SEARCH_RECORD_LINE);
    core_buffer_init(&indexer->record, CORE_SNAPSHOT_JSON_MAX);
    (void)pthread_mutex_init(&indexer->mutex, NULL);
    return &indexer->part;
}
