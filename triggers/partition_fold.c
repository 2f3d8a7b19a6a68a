/* The state of a partition out of its log, and into a record of it; see record.h.
 *
 * What is kept: of each parked key its chain and its head's next attempt; of each lane its chain;
 * the done tasks above the watermark; the endpoints that are gone. Tasks that are live stand in the
 * stream of tasks. */
#include "triggers/partition_private.h"

#include <inttypes.h>
#include <stdlib.h>

enum {
    STATE_VERSION = 3,
    STATE_WITHOUT_CHAINS = 2, /* which chain a lane's is */
    STATE_WITHOUT_HOLDS = 1,
    FINISHED_FIRST = 64,
    FINISHED_MAX = 1024 * 1024
};

/* ---- done tasks above the watermark ---- */

bool partition_finished_add(triggers_partition *partition, uint64_t sequence) {
    if (partition->finished_count == partition->finished_capacity) {
        size_t capacity =
            partition->finished_capacity > 0 ? partition->finished_capacity * 2 : FINISHED_FIRST;
        uint64_t *finished = capacity <= FINISHED_MAX
                                 ? realloc(partition->finished, capacity * sizeof *finished)
                                 : NULL;
        if (finished == NULL)
            return false;
        partition->finished = finished;
        partition->finished_capacity = capacity;
    }
    partition->finished[partition->finished_count++] = sequence;
    return true;
}

static int by_sequence(const void *a, const void *b) {
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

void partition_finished_sort(triggers_partition *partition) {
    if (partition->finished_count > 0)
        qsort(partition->finished, partition->finished_count, sizeof *partition->finished,
              by_sequence);
}

bool partition_finished_has(const triggers_partition *partition, uint64_t sequence) {
    return partition->finished_count > 0 &&
           bsearch(&sequence, partition->finished, partition->finished_count,
                   sizeof *partition->finished, by_sequence) != NULL;
}

/* Those that the watermark has passed are of no more use. */
static void finished_trim(triggers_partition *partition) {
    size_t kept = 0;
    for (size_t i = 0; i < partition->finished_count; i++)
        if (partition->finished[i] > partition->watermark)
            partition->finished[kept++] = partition->finished[i];
    partition->finished_count = kept;
}

/* ---- the state written ---- */

static void keys_write(const triggers_partition *partition, core_buffer *out) {
    uint32_t count = 0;
    for (size_t i = 0; i < partition->keys.capacity; i++)
        count += partition->keys.slots[i] != NULL && partition->keys.slots[i]->parked > 0;
    core_buffer_u32(out, count);
    for (size_t i = 0; i < partition->keys.capacity; i++) {
        const partition_key *key = partition->keys.slots[i];
        if (key == NULL || key->parked == 0)
            continue;
        core_buffer_u64(out, key->hash);
        core_buffer_u32(out, (uint32_t)key->lane->number);
        core_buffer_u64(out, key->parked);
        core_buffer_u64(out, key->head);
        core_buffer_u64(out, key->chain);
        core_buffer_u64(out, key->last_parked);
        core_buffer_u64(out, key->position);
        core_buffer_u32(out, key->attempts);
        core_buffer_u64(out, (uint64_t)key->next_ms);
    }
}

/* Of the window, and those that the log told of and that were not fed again yet. */
static void finished_write(const triggers_partition *partition, core_buffer *out) {
    uint32_t count = 0;
    size_t at = out->length;
    core_buffer_u32(out, 0);
    for (size_t i = 0; i < partition->window_count; i++) {
        const partition_item *item =
            partition->window[(partition->window_first + i) % partition->window_capacity];
        if (item->task == NULL) {
            core_buffer_u64(out, item->sequence);
            count++;
        }
    }
    for (size_t i = 0; i < partition->finished_count; i++)
        if (partition->finished[i] > partition->fed &&
            partition->finished[i] > partition->watermark) {
            core_buffer_u64(out, partition->finished[i]);
            count++;
        }
    uint32_t big_endian = htobe32(count);
    if (core_buffer_ok(out))
        memcpy(out->data + at, &big_endian, sizeof big_endian);
}

void partition_state_write(triggers_partition *partition, core_buffer *out) {
    core_buffer_u8(out, STATE_VERSION);
    core_buffer_u32(out, (uint32_t)partition->lane_count);
    for (size_t i = 0; i < partition->lane_count; i++) {
        const partition_lane *lane = partition->lanes[i];
        core_buffer_u16(out, (uint16_t)lane->project.length);
        core_buffer_slice_append(out, lane->project);
        core_buffer_u16(out, (uint16_t)lane->trigger.length);
        core_buffer_slice_append(out, lane->trigger);
        core_buffer_u64(out, lane->gone_revision);
        partition_hold_write(lane, out);
    }
    keys_write(partition, out);
    finished_write(partition, out);
}

/* ---- the state read ---- */

typedef struct {
    core_slice project, trigger;
} state_lane;

static bool lanes_read(triggers_partition *partition, core_cursor *cursor, state_lane *lanes,
                       uint32_t count, unsigned version) {
    bool has_holds = version != STATE_WITHOUT_HOLDS;
    for (uint32_t i = 0; i < count; i++) {
        lanes[i].project = core_cursor_bytes(cursor, core_cursor_u16(cursor));
        lanes[i].trigger = core_cursor_bytes(cursor, core_cursor_u16(cursor));
        uint64_t gone_revision = core_cursor_u64(cursor);
        if (!core_cursor_ok(cursor) ||
            (has_holds && !partition_hold_read(partition, cursor, lanes[i].project,
                                               lanes[i].trigger, version != STATE_WITHOUT_CHAINS)))
            return false;
        if (gone_revision == 0)
            continue;
        partition_lane *lane = partition_lane_get(partition, lanes[i].project, lanes[i].trigger);
        if (lane == NULL)
            return false;
        lane->gone_revision = gone_revision;
    }
    return true;
}

static bool key_read(triggers_partition *partition, core_cursor *cursor, const state_lane *lanes,
                     uint32_t lane_count) {
    uint64_t hash = core_cursor_u64(cursor);
    uint32_t lane = core_cursor_u32(cursor);
    if (!core_cursor_ok(cursor) || lane >= lane_count || hash == 0)
        return false;
    partition_key *key =
        partition_key_get(partition, hash, lanes[lane].project, lanes[lane].trigger);
    if (key == NULL)
        return false;
    key->parked = core_cursor_u64(cursor);
    key->head = core_cursor_u64(cursor);
    key->chain = core_cursor_u64(cursor);
    key->last_parked = core_cursor_u64(cursor);
    key->position = core_cursor_u64(cursor);
    key->attempts = core_cursor_u32(cursor);
    key->next_ms = (int64_t)core_cursor_u64(cursor);
    partition_parked_more(partition, key, (int64_t)key->parked);
    partition_key_count(partition, key);
    return core_cursor_ok(cursor) && key->parked > 0;
}

static bool state_read(triggers_partition *partition, core_slice state) {
    core_cursor cursor = core_cursor_make(state);
    unsigned version = core_cursor_u8(&cursor);
    bool ok = version >= STATE_WITHOUT_HOLDS && version <= STATE_VERSION;
    uint32_t lane_count = core_cursor_u32(&cursor);
    ok = ok && lane_count <= core_cursor_left(&cursor);
    state_lane *lanes = ok ? calloc((size_t)lane_count + 1, sizeof *lanes) : NULL;
    ok = lanes != NULL && lanes_read(partition, &cursor, lanes, lane_count, version);
    uint32_t keys = core_cursor_u32(&cursor);
    for (uint32_t i = 0; ok && i < keys; i++)
        ok = key_read(partition, &cursor, lanes, lane_count);
    uint32_t finished = core_cursor_u32(&cursor);
    for (uint32_t i = 0; ok && i < finished; i++)
        ok = core_cursor_left(&cursor) >= sizeof(uint64_t) &&
             partition_finished_add(partition, core_cursor_u64(&cursor));
    free(lanes);
    return ok && core_cursor_done(&cursor);
}

/* ---- records folded ---- */

static void fold_forget(triggers_partition *partition) {
    partition_keys_free(partition);
    partition->parked_keys = 0;
    partition->parked_tasks = 0;
    partition->held_tasks = partition->held_bytes = 0;
    partition->finished_count = 0;
}

static void chain_end(triggers_partition *partition, partition_key *key) {
    partition_parked_more(partition, key, -(int64_t)key->parked);
    key->parked = 0;
    partition_key_count(partition, key);
    partition_key_drop(partition, key);
}

/* It was in the window, or in its lane's chain. */
static bool fold_finish(triggers_partition *partition, const triggers_entry *outcome) {
    partition_lane *lane = partition_lane_find(partition, outcome->project, outcome->trigger);
    if (lane != NULL && partition_hold_covers(lane, outcome->sequence))
        return partition_hold_fold_done(partition, lane, outcome->sequence);
    return partition_finished_add(partition, outcome->sequence);
}

static bool fold_held(triggers_partition *partition, const triggers_entry *outcome) {
    partition_lane *lane = partition_lane_get(partition, outcome->project, outcome->trigger);
    if (lane == NULL || (lane->hold.held > 0 && outcome->sequence <= lane->hold.last))
        return false;
    partition_hold_add(partition, lane, outcome);
    return partition_finished_add(partition, outcome->sequence);
}

static bool fold_lost(triggers_partition *partition, const triggers_entry *outcome) {
    partition_key *key = partition_key_find(partition, outcome->key_hash);
    partition_lane *lane = partition_lane_find(partition, outcome->project, outcome->trigger);
    if (key != NULL) {
        chain_end(partition, key);
    } else if (outcome->key_hash == 0 && lane != NULL) {
        partition_hold_forget(partition, lane);
        partition_lane_drop(partition, lane);
    }
    return true;
}

static bool fold_done(triggers_partition *partition, const triggers_entry *outcome) {
    partition_key *key = partition_key_find(partition, outcome->key_hash);
    if (!outcome->was_parked)
        return fold_finish(partition, outcome);
    if (key == NULL || key->parked == 0)
        return false;
    key->parked--;
    partition_parked_more(partition, key, -1);
    key->chain = outcome->sequence;
    key->head = 0;
    key->position = outcome->position;
    key->attempts = 0;
    key->next_ms = 0;
    if (key->parked == 0)
        chain_end(partition, key);
    return true;
}

static bool fold_parked(triggers_partition *partition, const triggers_entry *outcome) {
    partition_key *key =
        partition_key_get(partition, outcome->key_hash, outcome->project, outcome->trigger);
    if (key == NULL)
        return false;
    if (key->parked == 0) {
        key->head = outcome->sequence;
        key->chain = 0;
        key->position = outcome->position - 1;
        key->attempts = outcome->attempts;
        key->next_ms = outcome->next_ms;
    }
    key->parked++;
    partition_parked_more(partition, key, 1);
    key->last_parked = outcome->sequence;
    partition_key_count(partition, key);
    return fold_finish(partition, outcome);
}

/* What the batch's last one says is said of all; but each is done. */
static bool fold_member(triggers_partition *partition, const triggers_entry *outcome) {
    bool is_done = outcome->kind == TRIGGERS_ENTRY_PARKED ||
                   (!outcome->was_parked && (outcome->kind == TRIGGERS_ENTRY_DELIVERED ||
                                             outcome->kind == TRIGGERS_ENTRY_DEAD));
    return !is_done || fold_finish(partition, outcome);
}

static bool fold_outcome(triggers_partition *partition, const triggers_entry *outcome) {
    partition_key *key = partition_key_find(partition, outcome->key_hash);
    partition_lane *lane;
    if (outcome->is_member)
        return fold_member(partition, outcome);
    switch (outcome->kind) {
    case TRIGGERS_ENTRY_DELIVERED:
    case TRIGGERS_ENTRY_DEAD:
        return fold_done(partition, outcome);
    case TRIGGERS_ENTRY_PARKED:
        return fold_parked(partition, outcome);
    case TRIGGERS_ENTRY_FAILED:
        if (key != NULL && outcome->was_parked) {
            key->attempts = outcome->attempts;
            key->next_ms = outcome->next_ms;
        }
        return true;
    case TRIGGERS_ENTRY_GONE:
        lane = partition_lane_get(partition, outcome->project, outcome->trigger);
        if (lane != NULL)
            lane->gone_revision = outcome->position;
        return lane != NULL;
    case TRIGGERS_ENTRY_LOST:
        return fold_lost(partition, outcome);
    case TRIGGERS_ENTRY_HELD:
        return fold_held(partition, outcome);
    case TRIGGERS_ENTRY_PASSED:
        lane = partition_lane_find(partition, outcome->project, outcome->trigger);
        if (lane != NULL)
            partition_hold_fold_passed(lane, outcome);
        return true;
    case TRIGGERS_ENTRY_THROTTLED:
        return true; /* for people only */
    case TRIGGERS_ENTRY_UNDECIDED:
        break;
    }
    return false;
}

static bool fold_outcomes(triggers_partition *partition, const triggers_record *record) {
    core_cursor cursor = core_cursor_make(record->outcomes);
    triggers_entry outcome;
    while (triggers_entry_read(&cursor, &outcome))
        if (!fold_outcome(partition, &outcome))
            return false;
    return core_cursor_done(&cursor);
}

bool triggers_partition_fold(triggers_partition *partition, uint64_t sequence,
                             const triggers_record *record, core_error *error) {
    CORE_MAGIC_CHECK(partition, TRIGGERS_PARTITION_MAGIC);
    assert(partition->owner == 0);
    bool follows = record->has_state || (partition->base != 0 && record->base == partition->base);
    bool ok = follows;
    if (ok && record->has_state) {
        fold_forget(partition);
        partition->base = sequence;
        ok = state_read(partition, record->state);
    } else if (ok) {
        ok = fold_outcomes(partition, record);
    }
    if (!ok)
        return core_error_set(
            error, CORE_ERROR_INPUT, "the record at sequence %" PRIu64 " of a partition's log %s",
            sequence, follows ? "does not fit the ones before it" : "has lost the ones before it");
    partition->watermark = record->watermark;
    finished_trim(partition);
    return true;
}
