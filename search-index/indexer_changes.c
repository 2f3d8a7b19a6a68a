/* The change stream given to the generations, and their commits; see indexer.h. */
#include "search-index/indexer.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    INBOX_MESSAGES = 1024,
    TURN_MESSAGES = 256,
    TURN_MS = 20,    /* a turn takes no more messages after so long */
    PLACE_MS = 5000, /* positions that nothing else moved are committed so often */
};
#define INBOX_BYTES ((size_t)8 << 20)

/* ---- Opened ---- */

static bool stream_look(search_indexer *indexer, fanout_stream_info *info, core_error *error) {
    const fanout_stream_spec spec = fanout_stream_change_spec(
        indexer->host->spec.config, indexer->filter, sizeof indexer->filter);
    (void)snprintf(indexer->stream, sizeof indexer->stream, "%s", spec.name);
    if (!fanout_stream_inspect(indexer->connection, indexer->stream, info, error))
        return false;
    indexer->end_sequence = info->last_sequence;
    if (indexer->start_end == 0)
        indexer->start_end = info->last_sequence;
    return true;
}

bool search_indexer_place(search_indexer *indexer, search_position *position, core_error *error) {
    fanout_stream_info info;
    *position = (search_position){.change_sequence = indexer->sequence};
    if (indexer->changes != NULL)
        return true;
    if (!stream_look(indexer, &info, error))
        return false;
    position->change_sequence = info.last_sequence;
    return true;
}

void search_indexer_changes_close(search_indexer *indexer) {
    search_feed_free(indexer->changes);
    indexer->changes = NULL;
    core_assembly_reset(&indexer->assembly);
}

/* Why the stream does not go on from there; "": it does. */
static void gap_text(const fanout_stream_info *info, uint64_t sequence, char *text, size_t size) {
    text[0] = '\0';
    if (sequence > info->last_sequence)
        (void)snprintf(text, size,
                       "the change stream ends at %" PRIu64 ", before %" PRIu64
                       ": it is another one",
                       info->last_sequence, sequence);
    else if (info->first_sequence > sequence + 1)
        (void)snprintf(text, size,
                       "messages %" PRIu64 " to %" PRIu64 " of the change stream are gone",
                       sequence + 1, info->first_sequence - 1);
}

/* ---- What one index alone cannot go on from ---- */

bool search_indexer_failed(search_indexer *indexer, search_slot *slot,
                           search_generation *generation, core_error *error) {
    const search_position here = {.change_sequence = indexer->giving};
    char reason[CORE_ERROR_TEXT_MAX];
    (void)snprintf(reason, sizeof reason, "%s", error->text);
    switch (error->code) {
    case CORE_ERROR_GAP:
    case CORE_ERROR_CONFLICT:
        search_generation_rollback(generation);
        return search_slot_again(indexer->host, slot, generation, here, indexer->epoch, reason,
                                 error);
    case CORE_ERROR_LIMIT:
    case CORE_ERROR_INPUT:
        search_slot_stick(indexer->host, slot, generation, reason);
        return true;
    default:
        return false;
    }
}

typedef bool (*generation_handler)(search_indexer *indexer, search_slot *slot,
                                   search_generation *generation, void *context, core_error *error);

static bool each_generation(search_indexer *indexer, generation_handler handle, void *context,
                            core_error *error) {
    for (size_t i = 0; i < indexer->slot_count; i++) {
        search_generation *active[2];
        size_t count = search_slot_active(indexer->slots[i], active);
        for (size_t j = 0; j < count; j++)
            if (!handle(indexer, indexer->slots[i], active[j], context, error) &&
                !search_indexer_failed(indexer, indexer->slots[i], active[j], error))
                return false;
    }
    return true;
}

static bool gap_look(search_indexer *indexer, search_slot *slot, search_generation *generation,
                     void *context, core_error *error) {
    const fanout_stream_info *info = context;
    char text[256];
    gap_text(info, search_generation_position(generation).change_sequence, text, sizeof text);
    const search_position end = {.change_sequence = info->last_sequence};
    return text[0] == '\0' ||
           search_slot_again(indexer->host, slot, generation, end, "", text, error);
}

static bool least_find(search_indexer *indexer, search_slot *slot, search_generation *generation,
                       void *context, core_error *error) {
    uint64_t *least = context;
    uint64_t sequence = search_generation_position(generation).change_sequence;
    (void)indexer;
    (void)slot;
    (void)error;
    *least = sequence < *least ? sequence : *least;
    return true;
}

static bool changes_open(search_indexer *indexer, core_error *error) {
    fanout_stream_info info;
    uint64_t least = UINT64_MAX;
    if (!stream_look(indexer, &info, error) || !each_generation(indexer, gap_look, &info, error) ||
        !each_generation(indexer, least_find, &least, error))
        return false;
    if (least == UINT64_MAX)
        return true; /* none wants changes */
    const search_feed_spec spec = {.stream = indexer->stream,
                                   .filter = indexer->filter,
                                   .first = least + 1,
                                   .max_messages = INBOX_MESSAGES,
                                   .max_bytes = INBOX_BYTES,
                                   .wake_fd = indexer->host->wake_fd};
    core_assembly_reset(&indexer->assembly);
    indexer->sequence = indexer->giving = least;
    indexer->changes = search_feed_new(indexer->connection, &spec, indexer->host->spec.log, error);
    return indexer->changes != NULL;
}

/* ---- Messages ---- */

typedef struct {
    const core_run *run;
    uint64_t sequence;
} given;

/* Rows that are in already, of a message that was committed in its middle, are passed over. */
static bool rows_give(search_indexer *indexer, search_generation *generation, int table,
                      const given *it, core_error *error) {
    core_run_reader reader;
    const core_change *change;
    search_position position = search_generation_position(generation);
    if (!core_run_reader_init(&reader, it->run, &indexer->arena, error))
        return false;
    while ((change = core_run_next(&reader)) != NULL) {
        uint32_t row = core_run_row(&reader);
        if (row < position.change_index)
            continue;
        if (!search_generation_change(generation, (size_t)table, change,
                                      search_version_make(it->sequence, row), error))
            return false;
        if (indexer->oldest_us == 0)
            indexer->oldest_us = change->transaction.commit_time_us;
        position.change_index = row + 1;
        search_generation_reach(generation, position, "");
        if (search_generation_is_full(generation) && !search_generation_commit(generation, error))
            return false;
    }
    return true;
}

static bool message_give(search_indexer *indexer, search_slot *slot, search_generation *generation,
                         void *context, core_error *error) {
    const given *it = context;
    const core_run *run = it->run;
    const char *epoch = search_generation_epoch(generation);
    const search_position here = {.change_sequence = it->sequence};
    if (search_generation_position(generation).change_sequence >= it->sequence)
        return true;
    if (epoch[0] != '\0' && strcmp(epoch, run->epoch) != 0)
        return search_slot_again(indexer->host, slot, generation, here, run->epoch,
                                 "the change stream began a new epoch", error);
    if (run->op == CORE_OP_GAP)
        return search_slot_again(indexer->host, slot, generation, here, run->epoch,
                                 "the change stream has a gap", error);
    int table = run->has_relation && run->op >= CORE_OP_INSERT && run->op <= CORE_OP_TRUNCATE
                    ? search_generation_table(generation, run->relation.schema, run->relation.table)
                    : -1;
    if (table >= 0 && !rows_give(indexer, generation, table, it, error))
        return false;
    search_generation_reach(generation, here, run->epoch);
    return !search_generation_is_full(generation) || search_generation_commit(generation, error);
}

static bool run_give(search_indexer *indexer, core_slice whole, uint64_t sequence,
                     core_error *error) {
    core_run run;
    core_arena_reset(&indexer->arena);
    if (!core_run_decode(whole, &indexer->arena, &run, error))
        return core_error_wrap(error, "message %" PRIu64 " of stream %s", sequence,
                               indexer->stream);
    given it = {.run = &run, .sequence = sequence};
    indexer->giving = sequence;
    if (run.last_transaction.commit_time_us > 0)
        indexer->given_us = run.last_transaction.commit_time_us;
    (void)snprintf(indexer->epoch, sizeof indexer->epoch, "%s", run.epoch);
    core_metrics_set(indexer->host->spec.metrics, CORE_METRIC_SEARCH_LSN,
                     (int64_t)run.last_transaction.commit_lsn);
    return each_generation(indexer, message_give, &it, error);
}

static bool message_take(search_indexer *indexer, const search_message *message,
                         core_error *error) {
    core_slice whole;
    uint64_t end = message->sequence + message->pending;
    indexer->end_sequence = end > indexer->end_sequence ? end : indexer->end_sequence;
    switch (core_assembly_feed(&indexer->assembly, core_block_slice(message->block),
                               message->sequence, &whole, error)) {
    case CORE_ASSEMBLY_MORE:
        return true;
    case CORE_ASSEMBLY_REFUSED:
        return core_error_wrap(error, "stream %s", indexer->stream);
    case CORE_ASSEMBLY_WHOLE:
        break;
    }
    if (!run_give(indexer, whole, message->sequence, error))
        return false;
    indexer->sequence = message->sequence;
    return true;
}

static bool wants_changes(const search_indexer *indexer) {
    search_generation *active[2];
    for (size_t i = 0; i < indexer->slot_count; i++)
        if (search_slot_active(indexer->slots[i], active) > 0)
            return true;
    return false;
}

bool search_indexer_changes(search_indexer *indexer, bool *busy, core_error *error) {
    const core_clock *clock = indexer->host->spec.clock;
    int64_t until_ms = core_clock_ms(clock) + TURN_MS;
    search_message message;
    bool ok = true;
    if (indexer->changes != NULL && search_feed_is_lost(indexer->changes))
        search_indexer_changes_close(indexer);
    if (!wants_changes(indexer)) {
        search_indexer_changes_close(indexer);
        return true;
    }
    if (indexer->changes == NULL && !changes_open(indexer, error))
        return false;
    for (size_t i = 0; ok && indexer->changes != NULL && i < TURN_MESSAGES; i++) {
        if (core_clock_ms(clock) >= until_ms || !search_feed_next(indexer->changes, &message))
            break;
        *busy = true;
        ok = message_take(indexer, &message, error);
        core_block_release(message.block);
    }
    return ok;
}

/* ---- Commits ---- */

static bool generation_commit(search_indexer *indexer, search_slot *slot,
                              search_generation *generation, void *context, core_error *error) {
    const bool *is_time = context;
    search_position reached = search_generation_position(generation);
    bool is_behind = search_generation_committed(generation) < reached.change_sequence;
    if (search_generation_is_touched(generation) || (*is_time && is_behind)) {
        if (!search_generation_commit(generation, error))
            return false;
    }
    if (generation == slot->live)
        search_registry_reach(indexer->host->registry, slot->open, reached.change_sequence,
                              search_generation_epoch(generation));
    return true;
}

static void lag_tell(search_indexer *indexer) {
    uint64_t messages = indexer->changes != NULL && indexer->end_sequence > indexer->sequence
                            ? indexer->end_sequence - indexer->sequence
                            : 0;
    int64_t age_us = core_clock_wall_us(indexer->host->spec.clock) - indexer->given_us;
    bool has_age = messages > 0 && indexer->given_us > 0 && age_us > 0;
    atomic_store(&indexer->host->lag_messages, messages);
    atomic_store(&indexer->host->lag_us, has_age ? age_us : 0);
}

bool search_indexer_commit(search_indexer *indexer, core_error *error) {
    const core_clock *clock = indexer->host->spec.clock;
    int64_t now_ms = core_clock_ms(clock);
    bool is_time = now_ms - indexer->place_ms >= PLACE_MS;
    if (!each_generation(indexer, generation_commit, &is_time, error))
        return false;
    if (is_time)
        indexer->place_ms = now_ms;
    if (indexer->oldest_us != 0)
        core_metrics_observe(indexer->host->spec.metrics, CORE_METRIC_SEARCH_LAG_TIME,
                             core_clock_wall_us(clock) - indexer->oldest_us);
    indexer->oldest_us = 0;
    lag_tell(indexer);
    return true;
}
