/* The search log made shorter: what its records have come to is written as a base (base.h), and
 * they go; see indexer.h.
 *
 * Happy path: the log has grown by as much as the last base has, or to half of what it may have,
 * and this node, which has applied it up to some record, holds the lease. It keeps others from
 * writing a base, writes each index's documents as its file has them, a message in each turn, then
 * the catalog, then the head; and when the head is stored the log's records and the older base go.
 *
 * A kill before the head leaves the log as it was and messages that the next base removes; one
 * behind it a log that is longer than need be, which the next look sees. Whatever fails ends the
 * attempt. The lease is a hint: that nobody else's head comes between is the stream's matter. */
#include "search-index/indexer.h"

#include "search-index/base_stream.h"

#include <stdlib.h>

#define FLOOR_BYTES ((uint64_t)16 << 20)
#define KEYS_BYTES  ((size_t)4 << 20)

enum {
    LOOK_MS = 250,
    NOTHING_MS = 1000, /* where too little would go */
    REST_TIMES = 4,    /* as long as it took it rests */
    BACKOFF_FIRST_MS = 1000,
    BACKOFF_MAX_MS = 60000,
    LEASE_TURNS = 3,
};

typedef enum {
    STATE_REST,    /* looks whether it is due */
    STATE_PARTS,   /* indexes are written */
    STATE_CATALOG, /* what they are is */
    STATE_FORGET,  /* the base is whole: what it replaces goes */
    STATES,
} compaction_state;

/* Which may follow which; all may end in REST. */
static const compaction_state followers[STATES] = {
    [STATE_REST] = STATE_PARTS,
    [STATE_PARTS] = STATE_CATALOG,
    [STATE_CATALOG] = STATE_FORGET,
    [STATE_FORGET] = STATE_REST,
};

struct search_compaction {
    compaction_state state;
    int64_t look_ms;
    int64_t began_ms;
    uint64_t looked; /* the log was short when it had been read up to here */
    uint64_t base_bytes;
    core_backoff backoff;
    fanout_bucket *leases;
    fanout_lease *lease;
    int64_t lease_ms, keep_ms;
    /* Of one attempt. */
    search_base_found found; /* the newest base */
    search_base_writer writer;
    search_base_head head;
    search_base_catalog catalog; /* entries as they were, and parts so far */
    size_t entry_at;
    search_open *open; /* that is being written */
    search_copy *copy;
    core_arena keys;
    core_buffer bytes;
    size_t sent; /* of them */
};

static void state_set(search_compaction *it, compaction_state next) {
    assert(next == STATE_REST || next == followers[it->state] ||
           (it->state == STATE_REST && next == STATE_FORGET));
    it->state = next;
}

/* ---- Beginning and end ---- */

static void attempt_clear(search_compaction *it) {
    if (it->copy != NULL)
        search_copy_free(it->copy);
    search_open_release(it->open);
    search_base_catalog_fini(&it->catalog);
    core_arena_reset(&it->keys);
    core_buffer_fini(&it->bytes); /* as much as a document, or the catalog */
    core_buffer_init(&it->bytes, SEARCH_BASE_BYTES_MAX);
    it->copy = NULL;
    it->open = NULL;
    it->entry_at = 0;
    it->sent = 0;
}

static void rest_begin(search_compaction *it, int64_t now_ms, int64_t rest_ms) {
    attempt_clear(it);
    state_set(it, STATE_REST);
    it->look_ms = now_ms + (rest_ms > LOOK_MS ? rest_ms : LOOK_MS);
    if (it->lease != NULL)
        fanout_lease_release(it->lease);
}

static search_compaction *compaction_new(const search_indexer *indexer) {
    search_compaction *it = calloc(1, sizeof *it);
    if (it == NULL)
        return NULL;
    it->lease_ms = core_config_integer(indexer->host->spec.config, "triggers.lease");
    core_backoff_init(&it->backoff, BACKOFF_FIRST_MS, BACKOFF_MAX_MS, (uint64_t)(uintptr_t)it);
    core_arena_init(&it->keys, (size_t)4096, KEYS_BYTES);
    core_buffer_init(&it->bytes, SEARCH_BASE_BYTES_MAX);
    return it;
}

void search_indexer_compaction_free(search_indexer *indexer) {
    search_compaction *it = indexer->compaction;
    if (it == NULL)
        return;
    attempt_clear(it);
    if (it->lease != NULL)
        fanout_lease_release(it->lease);
    fanout_lease_free(it->lease);
    if (it->leases != NULL)
        fanout_bucket_free(it->leases);
    core_arena_fini(&it->keys);
    core_buffer_fini(&it->bytes);
    free(it);
    indexer->compaction = NULL;
}

/* ---- Who does it ---- */

/* CONFLICT: another node has it; else it could not be asked for. */
static bool lease_take(search_indexer *indexer, core_error *error) {
    search_compaction *it = indexer->compaction;
    const search_spec *spec = &indexer->host->spec;
    char owner[CORE_SNAPSHOT_ID_SIZE];
    if (it->leases == NULL)
        it->leases = fanout_bucket_new_brief(indexer->connection, spec->config, "leases",
                                             it->lease_ms, error);
    if (it->leases == NULL)
        return false;
    if (it->lease == NULL) {
        const fanout_lease_spec lease = {
            .key = "search-base", .owner = owner, .ttl_ms = it->lease_ms};
        if (!core_snapshot_id_make(owner, error))
            return false;
        it->lease = fanout_lease_new(it->leases, &lease, spec->clock, error);
    }
    it->keep_ms = core_clock_ms(spec->clock) + it->lease_ms / LEASE_TURNS;
    return it->lease != NULL && fanout_lease_keep(it->lease, error);
}

/* ---- Whether it is due ---- */

/* A node that has passed over what another one would take writes no base: a record that its version
 * cannot read, an index for which its configuration has no room. */
static bool is_whole(const search_indexer *indexer) {
    int64_t max = core_config_integer(indexer->host->spec.config, "search.max_indexes");
    return atomic_load(&indexer->host->is_folded) && !indexer->is_changed && !indexer->is_blind &&
           indexer->log != NULL && search_catalog_count(indexer->host->catalog) < (uint64_t)max;
}

/* What is in the files here is what the log had up to some record. */
static bool standing_find(const search_indexer *indexer, const search_catalog **catalog,
                          uint64_t *position) {
    if (!is_whole(indexer))
        return false;
    for (size_t i = 0; i < indexer->made_count; i++)
        if (!indexer->made[i]->is_shown)
            return false;
    bool has_books = indexer->made_count > 0 || indexer->is_awaited;
    *catalog = has_books ? indexer->book : indexer->host->catalog;
    *position = has_books ? indexer->books_sequence : indexer->log_read;
    return !has_books || indexer->books != NULL;
}

static uint64_t threshold_of(const search_compaction *it, const fanout_stream_info *info) {
    uint64_t grown = it->base_bytes > FLOOR_BYTES ? it->base_bytes : FLOOR_BYTES;
    uint64_t half = info->max_bytes > 0 ? (uint64_t)info->max_bytes / 2 : UINT64_MAX;
    return grown < half ? grown : half;
}

static bool log_inspect(search_indexer *indexer, fanout_stream_info *info, bool *exists,
                        core_error *error) {
    char stream[FANOUT_NAME_MAX], filter[CORE_SUBJECT_MAX];
    if (!search_log_look(&indexer->host->spec, indexer->connection, stream, filter, exists, info,
                         error))
        return false;
    if (*exists)
        core_metrics_set(indexer->host->spec.metrics, CORE_METRIC_SEARCH_LOG_BYTES,
                         (int64_t)info->bytes);
    return true;
}

/* The log is longer than it need be. */
static bool is_long(search_indexer *indexer, fanout_stream_info *info, bool *is_due,
                    core_error *error) {
    search_compaction *it = indexer->compaction;
    bool exists;
    *is_due = false;
    if (!log_inspect(indexer, info, &exists, error))
        return false;
    *is_due = exists && info->created_us == indexer->log_created_us &&
              info->bytes >= threshold_of(it, info);
    if (!*is_due) {
        it->looked = indexer->log_read;
        return true;
    }
    if (!search_base_find(&indexer->host->spec, indexer->connection, &it->found, error))
        return false;
    it->base_bytes = it->found.bytes;
    *is_due = info->bytes >= threshold_of(it, info);
    return true;
}

/* ---- Beginning ---- */

static bool is_of_log(const search_indexer *indexer, const search_base_found *found) {
    return found->exists && found->head.log_created_us == indexer->log_created_us;
}

static bool entries_hold(search_compaction *it, search_catalog *catalog, core_error *error) {
    size_t count = search_catalog_count(catalog);
    it->catalog.entries = calloc(count + 1, sizeof(search_entry *));
    it->catalog.parts = calloc(count + 1, sizeof *it->catalog.parts);
    if (it->catalog.entries == NULL || it->catalog.parts == NULL)
        return core_error_set(error, CORE_ERROR_INTERNAL, "no memory for a base");
    for (size_t i = 0; i < count; i++)
        it->catalog.entries[it->catalog.entry_count++] = search_catalog_at(catalog, i);
    return true;
}

/* Half of the log would go, or there is no time to wait for that. */
static bool is_worth(const search_indexer *indexer, const fanout_stream_info *info) {
    const search_compaction *it = indexer->compaction;
    if (it->head.spared < info->first_sequence ||
        (is_of_log(indexer, &it->found) && it->found.head.position >= it->head.position))
        return false; /* nothing would */
    uint64_t all = info->last_sequence - info->first_sequence + 1;
    bool is_late = info->max_bytes > 0 && info->bytes / 3 >= (uint64_t)info->max_bytes / 4;
    return is_late || (it->head.spared - info->first_sequence + 1) * 2 >= all;
}

/* A base that another node has made meanwhile will do. */
static bool attempt_begin(search_indexer *indexer, const search_catalog *catalog,
                          core_error *error) {
    search_compaction *it = indexer->compaction;
    if (!entries_hold(it, (search_catalog *)(uintptr_t)catalog, error) ||
        !search_base_write_begin(&it->writer, &indexer->host->spec, indexer->connection, &it->found,
                                 error))
        return false;
    if (is_of_log(indexer, &it->found) && it->found.head.position >= it->head.position)
        return core_error_set(error, CORE_ERROR_CONFLICT, "another node has made a base");
    state_set(it, STATE_PARTS);
    return true;
}

static bool rest_step(search_indexer *indexer, bool *busy, core_error *error) {
    search_compaction *it = indexer->compaction;
    const search_catalog *catalog;
    fanout_stream_info info;
    bool is_due = false;
    uint64_t position;
    int64_t now_ms = core_clock_ms(indexer->host->spec.clock);
    if (now_ms < it->look_ms || indexer->log_read == it->looked)
        return true;
    it->look_ms = now_ms + LOOK_MS;
    if (!standing_find(indexer, &catalog, &position) || !is_long(indexer, &info, &is_due, error) ||
        !is_due)
        return error->code == CORE_ERROR_NONE;
    if (!lease_take(indexer, error))
        return error->code == CORE_ERROR_CONFLICT;
    it->began_ms = now_ms;
    *busy = true;
    if (is_of_log(indexer, &it->found) && it->found.head.spared >= info.first_sequence) {
        it->head = it->found.head;
        state_set(it, STATE_FORGET);
        return true;
    }
    it->head = (search_base_head){.log_created_us = info.created_us,
                                  .position = position,
                                  .spared = search_loose_spared(indexer->loose, position)};
    if (!is_worth(indexer, &info)) {
        rest_begin(it, now_ms, NOTHING_MS);
        return true;
    }
    return attempt_begin(indexer, catalog, error);
}

/* ---- Writing ---- */

/* The next message of the bytes; what is left of them is at their beginning then. */
static bool bytes_write(search_compaction *it, core_error *error) {
    size_t left = it->bytes.length - it->sent;
    size_t count = left < it->writer.most_bytes ? left : it->writer.most_bytes;
    if (!search_base_write(&it->writer, core_slice_make(it->bytes.data + it->sent, count), error))
        return false;
    it->sent += count;
    if (it->sent == it->bytes.length) {
        core_buffer_reset(&it->bytes);
        it->sent = 0;
    }
    return true;
}

/* Documents until a message is full. `*is_over`: there are no more. */
static bool documents_gather(search_compaction *it, bool *is_over, core_error *error) {
    search_kept document;
    *is_over = false;
    while (it->bytes.length - it->sent < it->writer.most_bytes) {
        if (!search_copy_next(it->copy, &document, error))
            return false;
        *is_over = document.id.data == NULL;
        if (*is_over)
            return true;
        if (it->sent > 0) {
            memmove(it->bytes.data, it->bytes.data + it->sent, it->bytes.length - it->sent);
            it->bytes.length -= it->sent;
            it->sent = 0;
        }
        if (!document.is_hidden)
            search_base_document_write(&document, &it->bytes);
        if (!core_buffer_ok(&it->bytes))
            return core_error_set(error, CORE_ERROR_INTERNAL, "no memory for a base");
    }
    return true;
}

static search_base_part *part_now(search_compaction *it) {
    return &it->catalog.parts[it->catalog.part_count];
}

/* The index as its file has it now. One that is gone is removed behind the base's records. */
static bool part_begin(search_indexer *indexer, core_error *error) {
    search_compaction *it = indexer->compaction;
    const search_entry *entry = it->catalog.entries[it->entry_at];
    search_made *made = NULL;
    for (size_t i = 0; !entry->is_table && i < indexer->made_count; i++)
        if (indexer->made[i]->entry->generation == entry->generation)
            made = indexer->made[i];
    if (made == NULL) {
        it->entry_at++;
        return true;
    }
    if (!made->is_shown)
        return core_error_set(error, CORE_ERROR_CONFLICT, "index %s is being built",
                              (const char *)made->entry->uid.data);
    core_slice key = core_arena_copy(&it->keys, search_made_key(made));
    *part_now(it) = (search_base_part){
        .generation = entry->generation,
        .position = search_backend_position(made->backend).log_sequence,
        .first = it->writer.last + 1,
        .primary_key = key.data != NULL ? key : core_slice_make(NULL, 0),
    };
    if (key.data == NULL && search_made_key(made).length > 0)
        return core_error_set(error, CORE_ERROR_INTERNAL, "no memory for a base");
    it->copy = search_backend_copy_new(made->backend, error);
    if (it->copy != NULL)
        it->open = search_open_hold(made->open);
    return it->copy != NULL;
}

static bool part_end(search_compaction *it) {
    search_base_part *part = part_now(it);
    part->count = it->writer.last + 1 - part->first;
    it->catalog.part_count++;
    it->entry_at++;
    search_copy_free(it->copy);
    search_open_release(it->open);
    it->copy = NULL;
    it->open = NULL;
    return true;
}

static bool catalog_begin(search_indexer *indexer, core_error *error);

static bool parts_step(search_indexer *indexer, bool *busy, core_error *error) {
    search_compaction *it = indexer->compaction;
    bool is_over = false;
    *busy = true;
    if (it->entry_at == it->catalog.entry_count)
        return catalog_begin(indexer, error);
    if (it->copy == NULL)
        return part_begin(indexer, error);
    if (!documents_gather(it, &is_over, error))
        return false;
    if (it->bytes.length > 0)
        return bytes_write(it, error);
    return !is_over || part_end(it);
}

/* ---- The catalog ---- */

/* The last that have ended and are within the base; and of those behind it, the ones that failed:
 * an index's part may be behind them. By number. */
static bool tasks_write(search_indexer *indexer, core_error *error) {
    search_compaction *it = indexer->compaction;
    size_t within = 0, behind = 0, count = 0;
    uint64_t *uids = calloc(2 * SEARCH_BASE_TASKS_MAX, sizeof *uids);
    search_task task;
    if (uids == NULL)
        return core_error_set(error, CORE_ERROR_INTERNAL, "no memory for a base");
    for (uint64_t at = indexer->log_read;
         within < SEARCH_BASE_TASKS_MAX && search_tasks_before(indexer->host->tasks, at, &task);
         at = task.uid - 1) {
        bool is_within = task.uid <= it->head.position;
        bool counts = is_within
                          ? task.project[0] != '\0'
                          : task.status == SEARCH_TASK_FAILED && behind < SEARCH_BASE_TASKS_MAX;
        within += is_within && counts;
        behind += !is_within && counts;
        if (counts)
            uids[count++] = task.uid;
    }
    for (; count > 0; count--)
        if (search_tasks_get(indexer->host->tasks, uids[count - 1], &task))
            search_base_task_write(&task, &it->bytes);
    free(uids);
    return true;
}

static bool catalog_begin(search_indexer *indexer, core_error *error) {
    search_compaction *it = indexer->compaction;
    it->head.known = indexer->log_read;
    it->head.catalog = it->writer.last + 1;
    core_buffer_reset(&it->bytes);
    it->sent = 0;
    for (size_t i = 0; i < it->catalog.entry_count; i++)
        search_base_entry_write(it->catalog.entries[i], &it->bytes);
    for (size_t i = 0; i < it->catalog.part_count; i++)
        search_base_part_write(&it->catalog.parts[i], &it->bytes);
    if (!tasks_write(indexer, error))
        return false;
    if (!core_buffer_ok(&it->bytes))
        return core_error_set(error, CORE_ERROR_INTERNAL, "no memory for a base");
    state_set(it, STATE_CATALOG);
    return true;
}

static bool catalog_step(search_indexer *indexer, bool *busy, core_error *error) {
    search_compaction *it = indexer->compaction;
    *busy = true;
    if (it->bytes.length > 0)
        return bytes_write(it, error);
    if (!search_base_write_head(&it->writer, &it->head, error))
        return false;
    it->found.stored_us = core_clock_wall_us(indexer->host->spec.clock);
    state_set(it, STATE_FORGET);
    return true;
}

/* ---- Forgetting ---- */

/* What the server may not have on its disk yet replaces nothing: `nats.confirm_lag`. */
static bool forget_step(search_indexer *indexer, bool *busy, core_error *error) {
    search_compaction *it = indexer->compaction;
    const search_spec *spec = &indexer->host->spec;
    char stream[FANOUT_NAME_MAX], subjects[CORE_SUBJECT_MAX];
    fanout_stream_info info;
    bool exists;
    int64_t now_ms = core_clock_ms(spec->clock);
    int64_t lag_us = core_config_integer(spec->config, "nats.confirm_lag") * 1000;
    if (core_clock_wall_us(spec->clock) < it->found.stored_us + lag_us)
        return true;
    *busy = true;
    if (!log_inspect(indexer, &info, &exists, error))
        return false;
    if (!exists || info.created_us != it->head.log_created_us)
        return core_error_set(error, CORE_ERROR_CONFLICT, "the log was made anew");
    (void)fanout_stream_work_spec(spec->config, FANOUT_WORK_SEARCH, stream, subjects);
    if (!fanout_stream_purge(indexer->connection, stream, subjects, it->head.spared + 1, error) ||
        !search_base_forget_older(spec, indexer->connection, &it->head, error) ||
        !log_inspect(indexer, &info, &exists, error))
        return false;
    core_metrics_add(spec->metrics, CORE_METRIC_SEARCH_COMPACTED, 1);
    CORE_LOG(spec->log, INFO, "search", "the search log was compacted",
             CORE_LOG_NUMBER("up to", it->head.spared),
             CORE_LOG_NUMBER("bytes", exists ? info.bytes : 0));
    core_backoff_reset(&it->backoff);
    rest_begin(it, now_ms, (now_ms - it->began_ms) * REST_TIMES);
    return true;
}

/* ---- Steps ---- */

typedef bool compaction_step(search_indexer *indexer, bool *busy, core_error *error);

static compaction_step *const steps[STATES] = {
    [STATE_REST] = rest_step,
    [STATE_PARTS] = parts_step,
    [STATE_CATALOG] = catalog_step,
    [STATE_FORGET] = forget_step,
};

/* Another node's being faster is no failure. */
static void attempt_fail(search_indexer *indexer, const core_error *error) {
    search_compaction *it = indexer->compaction;
    const search_spec *spec = &indexer->host->spec;
    int64_t wait_ms = core_backoff_next_ms(&it->backoff);
    if (error->code == CORE_ERROR_CONFLICT)
        CORE_LOG(spec->log, INFO, "search", "the search log is not compacted now",
                 CORE_LOG_TEXT("reason", error->text), CORE_LOG_NUMBER("again in ms", wait_ms));
    else {
        core_metrics_add(spec->metrics, CORE_METRIC_SEARCH_UNCOMPACTED, 1);
        CORE_LOG(spec->log, WARN, "search", "the search log could not be compacted",
                 CORE_LOG_TEXT("error", error->text), CORE_LOG_NUMBER("again in ms", wait_ms));
    }
    rest_begin(it, core_clock_ms(spec->clock), wait_ms);
}

static void lease_renew(search_indexer *indexer) {
    search_compaction *it = indexer->compaction;
    core_error ignored;
    if (it->state != STATE_REST && core_clock_ms(indexer->host->spec.clock) >= it->keep_ms)
        (void)!lease_take(indexer, &ignored);
}

void search_indexer_compact(search_indexer *indexer, bool *busy) {
    core_error error = {.code = CORE_ERROR_NONE};
    if (indexer->compaction == NULL)
        indexer->compaction = compaction_new(indexer);
    if (indexer->compaction == NULL)
        return; /* no memory: tried again */
    lease_renew(indexer);
    if (!steps[indexer->compaction->state](indexer, busy, &error))
        attempt_fail(indexer, &error);
}
