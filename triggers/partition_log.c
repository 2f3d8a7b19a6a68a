/* What a partition tells its log; see partition.h.
 *
 * Outcomes gather while a record is on its way, and good ones for a moment behind it, and go with
 * the next; so one append is under way at a time, and the busier the partition the more goes with
 * each. What a kill takes with it is done again: that moment is how much. The watermark in a record
 * is that behind its outcomes. Now and then a record carries the whole state, so that the next
 * owner reads little; the first record of an owner does. */
#include "triggers/batch.h"
#include "triggers/partition_private.h"

#include <stdlib.h>
#include <string.h>

enum {
    STALL_BYTES = 256 * 1024, /* outcomes that the log has not taken: nothing new begins */
    GATHER_BYTES = 32 * 1024, /* outcomes that do not wait for others */
    STATE_EVERY_BYTES = 256 * 1024,
    STATE_EVERY_SIZES = 4,
    CLEARS_MAX = 16 * 1024,
};

/* The batch's other tasks are told beside its last one, each under its own event. In the window
 * each has a sequence; a batch from elsewhere is one task of the stream. */
static void members_tell(triggers_partition *partition, const partition_key *key,
                         const triggers_task *task, triggers_entry *outcome) {
    const partition_item *member = NULL;
    core_cursor cursor = core_cursor_make(task->batch);
    core_slice event_id;
    outcome->batch = task->event_id;
    triggers_entry entry = *outcome;
    entry.is_member = true;
    if (entry.reason.length > TRIGGERS_BATCH_REASON_MAX)
        entry.reason.length = TRIGGERS_BATCH_REASON_MAX;
    if (key->first != NULL && key->first->sequence == outcome->sequence)
        member = key->first->members;
    while (triggers_batch_next(&cursor, &event_id)) {
        outcome->event_id = event_id;
        if (core_cursor_left(&cursor) == 0)
            return;
        entry.event_id = event_id;
        entry.sequence = member != NULL ? member->sequence : outcome->sequence;
        member = member != NULL ? member->next : NULL;
        triggers_entry_write(&entry, &partition->pending);
    }
}

/* What went well gathers; what did not is looked for. */
static void outcome_write(triggers_partition *partition, const triggers_entry *outcome) {
    bool may_wait = outcome->kind == TRIGGERS_ENTRY_DELIVERED ||
                    outcome->kind == TRIGGERS_ENTRY_HELD || outcome->kind == TRIGGERS_ENTRY_PASSED;
    partition->is_pressing = partition->is_pressing || !may_wait;
    triggers_entry_write(outcome, &partition->pending);
    assert(core_buffer_ok(&partition->pending));
}

void partition_tell(triggers_partition *partition, const partition_key *key, core_slice task,
                    triggers_entry *outcome) {
    triggers_task read;
    core_error ignored;
    bool is_head = outcome->sequence == 0;
    outcome->time_ms = partition->now_ms;
    outcome->key_hash = key->hash;
    outcome->project = key->lane->project;
    outcome->trigger = key->lane->trigger;
    if (is_head && outcome->kind != TRIGGERS_ENTRY_LOST) {
        outcome->sequence = key->held_sequence;
        outcome->attempts = key->attempts;
        outcome->was_parked = key->parked > 0;
        if (outcome->was_parked && outcome->kind != TRIGGERS_ENTRY_GONE)
            outcome->position =
                key->held_position > key->position ? key->held_position : key->position;
    }
    if (triggers_task_read(task, &read, &ignored)) {
        outcome->event_id = read.event_id;
        outcome->key = read.key;
        if (read.batch.length > 0)
            members_tell(partition, key, &read, outcome);
    }
    outcome_write(partition, outcome);
}

void partition_lane_tell(triggers_partition *partition, const partition_lane *lane,
                         triggers_entry *outcome) {
    outcome->time_ms = partition->now_ms;
    outcome->project = lane->project;
    outcome->trigger = lane->trigger;
    outcome_write(partition, outcome);
}

/* What finds no room stays in the stream until the key is parked another time. */
void partition_clear_later(triggers_partition *partition, uint64_t key_hash, uint64_t position) {
    if (partition->clear_count == partition->clear_capacity) {
        size_t capacity = partition->clear_capacity > 0 ? partition->clear_capacity * 2 : 64;
        partition_clear *clears =
            capacity <= CLEARS_MAX ? realloc(partition->clears, capacity * sizeof *clears) : NULL;
        if (clears == NULL)
            return;
        partition->clears = clears;
        partition->clear_capacity = capacity;
    }
    partition->clears[partition->clear_count++] =
        (partition_clear){.key_hash = key_hash, .position = position};
}

static void clears_go(triggers_partition *partition) {
    for (size_t i = 0; i < partition->clears_told; i++)
        partition->io.clear(partition->io.context, partition->clears[i].key_hash,
                            partition->clears[i].position);
    partition->clear_count -= partition->clears_told;
    if (partition->clear_count > 0)
        memmove(partition->clears, partition->clears + partition->clears_told,
                partition->clear_count * sizeof *partition->clears);
    partition->clears_told = 0;
}

bool partition_is_stalled(const triggers_partition *partition) {
    return partition->pending.length >= STALL_BYTES;
}

static bool state_is_due(const triggers_partition *partition) {
    size_t by_size = partition->state.length * STATE_EVERY_SIZES;
    size_t every = by_size > STATE_EVERY_BYTES ? by_size : STATE_EVERY_BYTES;
    return partition->wants_state || partition->since_state >= every;
}

/* The watermark passes what the log knows to be done without an outcome. */
static bool watermark_is_news(const triggers_partition *partition) {
    return partition->is_owner && partition->watermark != partition->told_watermark;
}

static bool has_news(const triggers_partition *partition) {
    return !partition->is_appending && (partition->pending.length > 0 || partition->wants_state ||
                                        watermark_is_news(partition));
}

/* When it goes into the log. */
static int64_t news_ms(const triggers_partition *partition) {
    bool is_urgent = partition->wants_state || partition->is_pressing ||
                     partition->pending.length >= GATHER_BYTES;
    bool was_moved = partition->appended_ms > partition->now_ms; /* the clock */
    return is_urgent || was_moved ? partition->now_ms
                                  : partition->appended_ms + partition->limits.append_every_ms;
}

void partition_append_due(const triggers_partition *partition, int64_t *next_ms) {
    if (has_news(partition) && news_ms(partition) < *next_ms)
        *next_ms = news_ms(partition);
}

void partition_append(triggers_partition *partition) {
    if (!has_news(partition) || news_ms(partition) > partition->now_ms)
        return;
    triggers_record record = {
        .owner = partition->owner,
        .number = ++partition->number,
        .watermark = partition->watermark,
        .has_state = state_is_due(partition),
        .outcomes = core_buffer_slice(&partition->pending),
    };
    record.base = record.has_state ? 0 : partition->base;
    core_buffer_reset(&partition->state);
    if (record.has_state)
        partition_state_write(partition, &partition->state);
    record.state = core_buffer_slice(&partition->state);
    core_buffer_reset(&partition->record);
    triggers_record_write(&record, &partition->record);
    assert(core_buffer_ok(&partition->record));
    core_buffer_reset(&partition->pending);
    partition->is_pressing = false;
    partition->is_appending = true;
    partition->appended_ms = partition->now_ms;
    partition->told_watermark = record.watermark;
    partition->has_state = record.has_state;
    partition->wants_state = false;
    partition->clears_told = partition->clear_count;
    partition->lost_told = partition->lost;
    partition->io.append(partition->io.context, core_buffer_slice(&partition->record));
}

static void keys_begin(triggers_partition *partition);

void triggers_partition_appended(triggers_partition *partition, uint64_t sequence, int64_t now_ms) {
    CORE_MAGIC_CHECK(partition, TRIGGERS_PARTITION_MAGIC);
    assert(partition->is_appending);
    partition->now_ms = now_ms;
    partition->is_appending = false;
    clears_go(partition);
    partition->lost -= partition->lost_told;
    partition->since_state += partition->record.length;
    if (partition->has_state) {
        partition->base = sequence;
        partition->since_state = 0;
    }
    if (!partition->is_owner) {
        partition->is_owner = true;
        keys_begin(partition);
    }
    partition_run(partition);
    partition_append(partition);
}

void triggers_partition_begin(triggers_partition *partition, uint64_t owner, int64_t now_ms) {
    CORE_MAGIC_CHECK(partition, TRIGGERS_PARTITION_MAGIC);
    assert(partition->owner == 0 && owner != 0);
    partition->now_ms = now_ms;
    partition->owner = owner;
    partition->wants_state = true;
    partition_finished_sort(partition);
    partition_holds_begin(partition);
    partition_append(partition);
}

/* ---- an ownership begins ---- */

static void key_begin_again(triggers_partition *partition, partition_key *key) {
    if (partition_key_at(key) != KEY_IDLE)
        return;
    if (key->parked > 0)
        partition_key_park(partition, key);
    if (key->parked > 0 && key->next_ms > partition->now_ms)
        partition_wait_begin(partition, key, key->next_ms);
    else
        partition_key_line(partition, key);
}

/* Lining up frees no key that has something, and the table does not move meanwhile. */
static void keys_begin(triggers_partition *partition) {
    partition->rested_ms = partition->now_ms;
    for (size_t i = 0; i < partition->keys.capacity; i++) {
        partition_key *key = partition->keys.slots[i];
        if (key != NULL && (key->first != NULL || key->parked > 0))
            key_begin_again(partition, key);
    }
}
