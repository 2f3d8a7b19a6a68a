/* Builds: the snapshots of an index's tables, one after the other; see indexer.h and
 * core/snapshot.h.
 *
 * The id of a snapshot is in the file before its record is written, so a process that is killed in
 * between asks for the same one again. Rows go in with how far they were taken, in one commit. */
#include "search-index/indexer.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    BUILDS_AT_ONCE = 2,
    LOOK_MS = 250,
    TURN_MESSAGES = 64,
    TURN_MS = 20,
    INBOX_MESSAGES = 256,
};
#define INBOX_BYTES       ((size_t)8 << 20)
#define ARENA_CHUNK_BYTES ((size_t)16 << 10)
#define ARENA_MAX_BYTES   ((size_t)16 << 20)

/* A look at the record of a build's snapshot. */
typedef struct {
    search_indexer *indexer;
    search_slot *slot;
    search_build build;
    core_snapshot *record;
    core_arena arena;
    char stream[FANOUT_NAME_MAX];
} look;

void search_indexer_rows_close(search_indexer *indexer) {
    for (size_t i = 0; i < indexer->slot_count; i++) {
        search_feed_free(indexer->slots[i]->rows);
        indexer->slots[i]->rows = NULL;
        indexer->slots[i]->look_ms = 0;
        core_assembly_reset(&indexer->slots[i]->assembly);
    }
}

static void stream_name(const search_indexer *indexer, const char *id,
                        char stream[FANOUT_NAME_MAX]) {
    (void)snprintf(stream, FANOUT_NAME_MAX, "%s_SNAPSHOT_%s",
                   core_config_text(indexer->host->spec.config, "nats.stream"), id);
}

/* ---- The record ---- */

static bool state_open(search_indexer *indexer, core_error *error) {
    if (indexer->state == NULL)
        indexer->state =
            fanout_bucket_new(indexer->connection, indexer->host->spec.config, "state", error);
    return indexer->state != NULL;
}

static bool record_request(look *it, const char *key, core_error *error) {
    search_indexer *indexer = it->indexer;
    const search_plan_table *table =
        &search_generation_plan(it->slot->building)->tables[it->slot->table];
    core_snapshot record = {
        .schema = table->schema,
        .table = table->table,
        .stream = core_slice_text(it->stream),
        .requested_us = core_clock_wall_us(indexer->host->spec.clock),
    };
    uint64_t revision;
    memcpy(record.id, it->build.id, sizeof record.id);
    core_buffer_reset(&indexer->record);
    core_snapshot_encode(&record, &indexer->record);
    return fanout_bucket_set(indexer->state, key, core_buffer_slice(&indexer->record), 0, &revision,
                             error) ||
           error->code == CORE_ERROR_CONFLICT;
}

/* `it->record` NULL: it was asked for just now. */
static bool record_look(look *it, core_snapshot *record, core_error *error) {
    search_indexer *indexer = it->indexer;
    char key[CORE_SNAPSHOT_ID_SIZE + 16];
    uint64_t revision;
    core_snapshot_key(it->build.id, key);
    it->record = NULL;
    if (!state_open(indexer, error) ||
        !fanout_bucket_get(indexer->state, key, &indexer->record, &revision, error))
        return false;
    if (revision == 0)
        return record_request(it, key, error);
    if (!core_snapshot_decode(core_buffer_slice(&indexer->record), &it->arena, record, error))
        return false;
    it->record = record;
    return true;
}

/* ---- Rows ---- */

static bool row_message_take(search_indexer *indexer, search_slot *slot, core_slice whole,
                             core_error *error) {
    core_run run;
    core_run_reader reader;
    const core_change *change;
    core_arena_reset(&indexer->arena);
    if (!core_run_decode(whole, &indexer->arena, &run, error))
        return core_error_wrap(error, "a snapshot's rows");
    if (run.op != CORE_OP_READ)
        return true;
    uint64_t version = search_version_snapshot(run.snapshot_after_sequence);
    if (!core_run_reader_init(&reader, &run, &indexer->arena, error))
        return false;
    while ((change = core_run_next(&reader)) != NULL)
        if (!search_generation_row(slot->building, slot->table, change, version, error))
            return false;
    return true;
}

static bool rows_message(search_indexer *indexer, search_slot *slot, const search_message *message,
                         core_error *error) {
    core_slice whole;
    search_build build = search_generation_build(slot->building, slot->table);
    switch (core_assembly_feed(&slot->assembly, core_block_slice(message->block), message->sequence,
                               &whole, error)) {
    case CORE_ASSEMBLY_MORE:
        return true;
    case CORE_ASSEMBLY_REFUSED:
        return core_error_wrap(error, "a snapshot's rows");
    case CORE_ASSEMBLY_WHOLE:
        break;
    }
    if (!row_message_take(indexer, slot, whole, error))
        return false;
    build = search_generation_build(slot->building, slot->table); /* a TRUNCATE may have come */
    build.taken = message->sequence;
    return search_generation_build_set(slot->building, slot->table, &build, error) &&
           (!search_generation_is_full(slot->building) ||
            search_generation_commit(slot->building, error));
}

static bool rows_take(search_indexer *indexer, search_slot *slot, bool *busy, core_error *error) {
    const core_clock *clock = indexer->host->spec.clock;
    int64_t until_ms = core_clock_ms(clock) + TURN_MS;
    search_message message;
    bool ok = true;
    for (size_t i = 0; ok && slot->rows != NULL && i < TURN_MESSAGES; i++) {
        if (core_clock_ms(clock) >= until_ms || !search_feed_next(slot->rows, &message))
            break;
        *busy = true;
        ok = rows_message(indexer, slot, &message, error);
        core_block_release(message.block);
    }
    return ok;
}

/* ---- Steps ---- */

static bool build_again(look *it, const char *reason, core_error *error) {
    const search_position here = {.change_sequence = it->indexer->sequence};
    return search_slot_again(it->indexer->host, it->slot, it->slot->building, here,
                             it->indexer->epoch, reason, error);
}

static bool rows_open(look *it, const fanout_stream_info *info, core_error *error) {
    search_indexer *indexer = it->indexer;
    char subject[CORE_SUBJECT_MAX];
    const core_subject_scope scope = core_subject_scope_of(indexer->host->spec.config);
    if (info->first_sequence > it->build.taken + 1)
        return build_again(it, "rows of its snapshot are gone", error);
    if (!core_subject_snapshot(&scope, it->build.id, subject))
        return core_error_set(error, CORE_ERROR_CONFIG, "a snapshot's subject is too long");
    const search_feed_spec spec = {.stream = it->stream,
                                   .filter = subject,
                                   .first = it->build.taken + 1,
                                   .max_messages = INBOX_MESSAGES,
                                   .max_bytes = INBOX_BYTES,
                                   .wake_fd = indexer->host->wake_fd};
    core_assembly_reset(&it->slot->assembly);
    it->slot->rows = search_feed_new(indexer->connection, &spec, indexer->host->spec.log, error);
    return it->slot->rows != NULL;
}

/* All its rows are in: the next table's turn. */
static bool table_end(look *it, core_error *error) {
    search_slot *slot = it->slot;
    fanout_stream_info info;
    if (!fanout_stream_inspect(it->indexer->connection,
                               core_config_text(it->indexer->host->spec.config, "nats.stream"),
                               &info, error))
        return false;
    it->build = search_generation_build(slot->building, slot->table);
    it->build.is_done = true;
    it->build.end_sequence = info.last_sequence;
    search_feed_free(slot->rows);
    slot->rows = NULL;
    if (!search_generation_build_set(slot->building, slot->table, &it->build, error) ||
        !search_generation_commit(slot->building, error))
        return false;
    core_error ignored; /* it empties by itself, later */
    (void)!fanout_stream_delete(it->indexer->connection, it->stream, &ignored);
    slot->rows_read += it->record->rows;
    slot->table++;
    slot->look_ms = 0;
    return true;
}

static void progress_tell(const look *it) {
    search_task task;
    search_tasks *tasks = it->indexer->host->tasks;
    if (!search_tasks_get(tasks, it->slot->entry->generation, &task))
        return;
    task.received = it->slot->rows_read + it->record->rows;
    task.expected = it->slot->rows_read + it->record->expected_rows;
    search_tasks_put(tasks, &task);
    if (it->record->error.length > 0)
        (void)snprintf(it->slot->problem, sizeof it->slot->problem, "snapshot %s: %.*s",
                       it->build.id, CORE_SLICE_ARGS(it->record->error));
    else if (it->record->state == CORE_SNAPSHOT_PAUSED)
        (void)snprintf(it->slot->problem, sizeof it->slot->problem, "snapshot %s is paused",
                       it->build.id);
    else
        it->slot->problem[0] = '\0';
}

static bool record_use(look *it, core_error *error) {
    const core_snapshot *record = it->record;
    fanout_stream_info info = {.last_sequence = 0};
    core_error absent;
    progress_tell(it);
    if (record->state == CORE_SNAPSHOT_CANCELLED)
        return build_again(it, "its snapshot was cancelled", error);
    bool has_stream = record->rows > 0 &&
                      fanout_stream_inspect(it->indexer->connection, it->stream, &info, &absent);
    if (record->rows > 0 && !has_stream && absent.code != CORE_ERROR_TRANSIENT &&
        record->state == CORE_SNAPSHOT_DONE)
        return build_again(it, "the stream of its snapshot is gone", error);
    if (has_stream && it->slot->rows == NULL && it->build.taken < info.last_sequence)
        return rows_open(it, &info, error);
    bool is_whole = record->rows == 0 || (has_stream && it->build.taken >= info.last_sequence);
    return record->state != CORE_SNAPSHOT_DONE || !is_whole || table_end(it, error);
}

static bool record_step(search_indexer *indexer, search_slot *slot, core_error *error) {
    look it = {.indexer = indexer, .slot = slot};
    core_snapshot record;
    it.build = search_generation_build(slot->building, slot->table);
    if (it.build.id[0] == '\0') {
        if (!core_snapshot_id_make(it.build.id, error) ||
            !search_generation_build_set(slot->building, slot->table, &it.build, error) ||
            !search_generation_commit(slot->building, error))
            return false;
    }
    stream_name(indexer, it.build.id, it.stream);
    core_arena_init(&it.arena, ARENA_CHUNK_BYTES, ARENA_MAX_BYTES);
    bool ok = record_look(&it, &record, error) && (it.record == NULL || record_use(&it, error));
    core_arena_fini(&it.arena);
    return ok;
}

/* Behind the last table's rows the changes that came while they were read must be in. */
static bool build_end(search_indexer *indexer, search_slot *slot, core_error *error) {
    search_generation *generation = slot->building;
    search_task task;
    uint64_t end = 0;
    bool is_done;
    for (size_t i = 0; i < search_generation_plan(generation)->table_count; i++) {
        uint64_t one = search_generation_build(generation, i).end_sequence;
        end = one > end ? one : end;
    }
    if (search_generation_position(generation).change_sequence < end)
        return true;
    if (!search_generation_step(generation, &is_done, error))
        return false;
    if (!is_done)
        return true;
    if (!search_generation_built(generation, error) ||
        !search_generation_commit(generation, error) ||
        !search_slot_swap(indexer->host, slot, error))
        return false;
    if (search_tasks_get(indexer->host->tasks, slot->entry->generation, &task)) {
        task.status = SEARCH_TASK_SUCCEEDED;
        task.finished_us = core_clock_wall_us(indexer->host->spec.clock);
        task.indexed = search_backend_stats(search_generation_backend(slot->live)).documents;
        search_tasks_put(indexer->host->tasks, &task);
    }
    return true;
}

static bool build_step(search_indexer *indexer, search_slot *slot, bool *busy, core_error *error) {
    const search_plan *plan = search_generation_plan(slot->building);
    int64_t now_ms = core_clock_ms(indexer->host->spec.clock);
    while (slot->table < plan->table_count &&
           search_generation_build(slot->building, slot->table).is_done)
        slot->table++;
    if (slot->table == plan->table_count)
        return build_end(indexer, slot, error);
    if (slot->rows != NULL && search_feed_is_lost(slot->rows)) {
        search_feed_free(slot->rows);
        slot->rows = NULL;
    }
    if (!rows_take(indexer, slot, busy, error))
        return false;
    if (now_ms < slot->look_ms)
        return true;
    slot->look_ms = now_ms + LOOK_MS;
    return record_step(indexer, slot, error);
}

bool search_indexer_builds(search_indexer *indexer, bool *busy, core_error *error) {
    size_t count = 0;
    for (size_t i = 0; i < indexer->slot_count && count < BUILDS_AT_ONCE; i++) {
        search_slot *slot = indexer->slots[i];
        if (slot->building == NULL)
            continue;
        count++;
        if (!build_step(indexer, slot, busy, error) &&
            (slot->building == NULL ||
             !search_indexer_failed(indexer, slot, slot->building, error)))
            return false;
    }
    return true;
}
