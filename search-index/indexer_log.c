/* The search log folded, and slots made of it; see indexer.h. */
#include "search-index/indexer.h"

#include "search-index/log.h"

#include <stdio.h>

enum { LOOK_MS = 1000, TURN_MESSAGES = 256, INBOX_MESSAGES = 256 };
#define INBOX_BYTES ((size_t)4 << 20)

/* ---- The stream ---- */

/* The directory is ours before a file is touched. */
static bool directory_hold(search_indexer *indexer, core_error *error) {
    if (indexer->lock_fd < 0)
        indexer->lock_fd = search_paths_lock(&indexer->host->spec, error);
    return indexer->lock_fd >= 0;
}

/* One that is not there yet has nothing in it. */
static bool log_open(search_indexer *indexer, core_error *error) {
    search_host *host = indexer->host;
    char stream[FANOUT_NAME_MAX], filter[CORE_SUBJECT_MAX];
    bool exists = false;
    fanout_stream_info info;
    int64_t now_ms = core_clock_ms(host->spec.clock);
    if (now_ms < indexer->log_look_ms)
        return true;
    indexer->log_look_ms = now_ms + LOOK_MS;
    if (!search_log_look(&host->spec, indexer->connection, stream, filter, &exists, &info, error))
        return false;
    if (!exists) {
        atomic_store(&host->is_folded, true);
        return true;
    }
    if (!directory_hold(indexer, error) || !search_indexer_outcomes_open(indexer, error))
        return false;
    indexer->log_created_us = info.created_us;
    uint64_t spared = indexer->log_read;
    if (info.first_sequence > indexer->log_read + 1 &&
        !search_indexer_base_fold(indexer, info.first_sequence, &spared, error))
        return false;
    uint64_t taken = indexer->log_read;
    if (info.last_sequence <= taken)
        atomic_store(&host->is_folded, true);
    if (info.last_sequence < taken)
        return core_error_set(error, CORE_ERROR_GAP,
                              "stream %s went back from record %llu to %llu: restart this process",
                              stream, (unsigned long long)taken,
                              (unsigned long long)info.last_sequence);
    indexer->log_end = info.last_sequence;
    const search_feed_spec spec = {.stream = stream,
                                   .filter = filter,
                                   .first = spared + 1,
                                   .max_messages = INBOX_MESSAGES,
                                   .max_bytes = INBOX_BYTES,
                                   .wake_fd = host->wake_fd};
    indexer->log = search_feed_new(indexer->connection, &spec, host->spec.log, error);
    return indexer->log != NULL;
}

/* ---- Records ---- */

/* What cannot be read was written by a later version: it is passed over, and told. */
static bool record_take(search_indexer *indexer, const search_message *message, core_error *error) {
    search_host *host = indexer->host;
    search_record record;
    search_outcome outcome;
    uint64_t canceled;
    core_error problem;
    bool is_in_base = message->sequence <= indexer->log_read;
    core_arena_reset(&indexer->log_arena);
    if (!search_record_read(core_block_slice(message->block), &indexer->log_arena, &record,
                            &problem)) {
        if (is_in_base)
            return true;
        indexer->is_blind = true;
        CORE_LOG(host->spec.log, WARN, "search", "a record of the search log is passed over",
                 CORE_LOG_NUMBER("record", message->sequence),
                 CORE_LOG_TEXT("error", problem.text));
        return true;
    }
    search_loose_note(indexer->loose, message->sequence, message->stored_us, &record);
    if (is_in_base)
        return true;
    if (record.taken > 0)
        search_indexer_mark_take(indexer, record.taken);
    if (record.is_piece)
        return true;
    if (!search_queue_room(indexer->queue) ||
        !search_indexer_cancel(indexer, message->sequence, &record, &canceled) ||
        !search_catalog_fold(host->catalog, message->sequence, &record, &outcome))
        return core_error_set(error, CORE_ERROR_INTERNAL, "no memory for the search log");
    search_indexer_note(indexer, message->sequence, &record, &outcome, canceled);
    search_entry_release(outcome.entry);
    indexer->is_changed = true;
    return true;
}

/* What lies between was compacted, or the server has lost it: then the log goes on all the same. */
static bool gap_look(search_indexer *indexer, const search_message *message, bool *is_gone,
                     core_error *error) {
    *is_gone = false;
    if (message->sequence <= indexer->log_read + 1)
        return true;
    if (!search_indexer_log_look(indexer, indexer->log_read, is_gone, error))
        return false;
    CORE_LOG(indexer->host->spec.log, WARN, "search",
             *is_gone ? "the search log was compacted beyond where it was read"
                      : "the search log has a hole",
             CORE_LOG_NUMBER("read", indexer->log_read),
             CORE_LOG_NUMBER("next", message->sequence));
    indexer->log_look_ms = 0;
    return true;
}

static bool message_take(search_indexer *indexer, const search_message *message, bool *is_gone,
                         core_error *error) {
    if (!gap_look(indexer, message, is_gone, error))
        return false;
    if (*is_gone)
        return true;
    if (!record_take(indexer, message, error))
        return false;
    if (message->sequence > indexer->log_read)
        indexer->log_read = message->sequence;
    if (message->sequence >= indexer->log_end)
        atomic_store(&indexer->host->is_folded, true);
    return true;
}

bool search_indexer_log(search_indexer *indexer, bool *busy, core_error *error) {
    search_message message;
    bool ok = true, is_gone = false;
    if (indexer->log != NULL && search_feed_is_lost(indexer->log)) {
        search_feed_free(indexer->log);
        indexer->log = NULL;
    }
    if (indexer->log == NULL && !log_open(indexer, error))
        return false;
    for (size_t i = 0; ok && !is_gone && indexer->log != NULL && i < TURN_MESSAGES; i++) {
        if (!search_feed_next(indexer->log, &message))
            break;
        *busy = true;
        ok = message_take(indexer, &message, &is_gone, error);
        core_block_release(message.block);
    }
    if (!ok || is_gone) { /* it is read again from what was taken on */
        search_feed_free(indexer->log);
        indexer->log = NULL;
    }
    return ok;
}

/* ---- Slots ---- */

static search_slot *slot_find(const search_indexer *indexer, const search_entry *entry) {
    for (size_t i = 0; i < indexer->slot_count; i++)
        if (core_slice_equal(indexer->slots[i]->entry->uid, entry->uid) &&
            core_slice_equal(indexer->slots[i]->entry->project, entry->project))
            return indexer->slots[i];
    return NULL;
}

static bool slot_make(search_indexer *indexer, const search_entry *entry, core_error *error) {
    search_position position;
    search_slot *slot = search_slot_new(entry);
    if (slot == NULL)
        return core_error_set(error, CORE_ERROR_INTERNAL, "no memory for an index");
    if (!search_indexer_place(indexer, &position, error) ||
        !search_slot_open(indexer->host, slot, position, indexer->epoch, error)) {
        search_slot_free(slot);
        return false;
    }
    slot->is_wanted = true;
    indexer->slots[indexer->slot_count++] = slot;
    search_generation *active[2];
    size_t count = search_slot_active(slot, active);
    for (size_t i = 0; i < count; i++) /* behind what was given to the others already */
        if (search_generation_position(active[i]).change_sequence < indexer->sequence)
            search_indexer_changes_close(indexer);
    return true;
}

/* Nothing is built for what it was made of so far. */
static void overtaken_tell(const search_indexer *indexer, const search_slot *slot) {
    search_tasks_succeed(indexer->host->tasks, slot->entry->generation, SEARCH_TASK_PROCESSING,
                         core_clock_wall_us(indexer->host->spec.clock));
}

static bool slot_keep(search_indexer *indexer, search_slot *slot, const search_entry *entry,
                      core_error *error) {
    search_position position;
    slot->is_wanted = true;
    if (slot->entry == entry)
        return true;
    if (slot->entry->generation != entry->generation)
        overtaken_tell(indexer, slot);
    return search_indexer_place(indexer, &position, error) &&
           search_slot_change(indexer->host, slot, entry, position, indexer->epoch, error);
}

static void slots_drop(search_indexer *indexer) {
    for (size_t i = indexer->slot_count; i > 0; i--) {
        search_slot *slot = indexer->slots[i - 1];
        if (slot->is_wanted)
            continue;
        CORE_LOG(indexer->host->spec.log, INFO, "search", "an index is removed",
                 CORE_LOG_TEXT("index", (const char *)slot->entry->uid.data));
        overtaken_tell(indexer, slot);
        search_slot_remove(indexer->host, slot);
        indexer->slots[i - 1] = indexer->slots[--indexer->slot_count];
    }
}

/* ---- Files of indexes that were removed while nobody was here ---- */

static bool is_known(search_catalog *catalog, uint64_t generation) {
    size_t count = search_catalog_count(catalog);
    bool found = false;
    for (size_t i = 0; i < count && !found; i++) {
        const search_entry *entry = search_catalog_at(catalog, i);
        for (const search_entry *at = entry; at != NULL && !found; at = at->previous)
            found = at->generation == generation;
        search_entry_release(entry);
    }
    return found;
}

static void stray_remove(void *context, const char *path, search_file file) {
    search_indexer *indexer = context;
    core_error error;
    if (is_known(indexer->host->catalog, file.generation))
        return;
    if (!search_store_remove(path, &error))
        CORE_LOG(indexer->host->spec.log, WARN, "search", "a file of an index could not be removed",
                 CORE_LOG_TEXT("path", path), CORE_LOG_TEXT("error", error.text));
}

static void files_sweep(search_indexer *indexer) {
    if (!indexer->is_swept && indexer->lock_fd >= 0)
        search_paths_each(&indexer->host->spec, stray_remove, indexer);
    indexer->is_swept = true;
}

bool search_indexer_slots(search_indexer *indexer, core_error *error) {
    search_catalog *catalog = indexer->host->catalog;
    if (!indexer->is_changed || !atomic_load(&indexer->host->is_folded))
        return true;
    size_t count = search_catalog_count(catalog);
    files_sweep(indexer);
    for (size_t i = 0; i < indexer->slot_count; i++)
        indexer->slots[i]->is_wanted = false;
    for (size_t i = 0; i < count; i++) {
        const search_entry *entry = search_catalog_at(catalog, i);
        search_slot *slot = entry != NULL && entry->is_table ? slot_find(indexer, entry) : NULL;
        bool ok = entry == NULL || !entry->is_table ||
                  (slot != NULL ? slot_keep(indexer, slot, entry, error)
                                : slot_make(indexer, entry, error));
        search_entry_release(entry);
        if (!ok)
            return false;
    }
    slots_drop(indexer);
    if (!search_indexer_made_slots(indexer, error))
        return false;
    indexer->is_changed = false;
    return true;
}
