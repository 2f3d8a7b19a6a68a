/* Keys by their hash; see partition_private.h.
 *
 * The table is open addressing with backward shift, so it needs no tombstones; keys do not move. */
#include "triggers/partition_private.h"

#include <stdlib.h>
#include <string.h>

enum { TABLE_FIRST = 64 };

static const core_state_row key_states[] = {
    [KEY_IDLE] = {"idle", CORE_STATE_BIT(KEY_READY) | CORE_STATE_BIT(KEY_WAITING)},
    [KEY_READY] = {"ready", CORE_STATE_BIT(KEY_FETCHING) | CORE_STATE_BIT(KEY_ATTEMPT) |
                                CORE_STATE_BIT(KEY_BURYING) | CORE_STATE_BIT(KEY_IDLE)},
    [KEY_FETCHING] = {"fetching", CORE_STATE_BIT(KEY_ATTEMPT) | CORE_STATE_BIT(KEY_BURYING) |
                                      CORE_STATE_BIT(KEY_WAITING) | CORE_STATE_BIT(KEY_IDLE)},
    [KEY_ATTEMPT] = {"attempt", CORE_STATE_BIT(KEY_IDLE) | CORE_STATE_BIT(KEY_WAITING) |
                                    CORE_STATE_BIT(KEY_BURYING)},
    [KEY_BURYING] = {"burying", CORE_STATE_BIT(KEY_IDLE) | CORE_STATE_BIT(KEY_WAITING)},
    [KEY_WAITING] = {"waiting", CORE_STATE_BIT(KEY_READY) | CORE_STATE_BIT(KEY_IDLE)},
};

void partition_key_move(partition_key *key, partition_key_state state) {
    core_state_move(&key->state, state);
}

/* ---- the table ---- */

static size_t table_place(const partition_table *table, uint64_t hash) {
    return (size_t)(hash / TRIGGERS_PARTITIONS) & (table->capacity - 1);
}

static size_t table_find(const partition_table *table, uint64_t hash) {
    size_t at = table_place(table, hash);
    while (table->slots[at] != NULL && table->slots[at]->hash != hash)
        at = (at + 1) & (table->capacity - 1);
    return at;
}

static bool table_grow(partition_table *table) {
    partition_table larger = {.capacity = table->capacity > 0 ? table->capacity * 2 : TABLE_FIRST};
    larger.slots = calloc(larger.capacity, sizeof(partition_key *));
    if (larger.slots == NULL)
        return false;
    for (size_t i = 0; i < table->capacity; i++)
        if (table->slots[i] != NULL)
            larger.slots[table_find(&larger, table->slots[i]->hash)] = table->slots[i];
    larger.count = table->count;
    free(table->slots);
    *table = larger;
    return true;
}

/* Closes the hole: whoever was pushed beyond it by a collision moves up. */
static void table_remove(partition_table *table, uint64_t hash) {
    size_t mask = table->capacity - 1, hole = table_find(table, hash);
    table->slots[hole] = NULL;
    table->count--;
    for (size_t at = (hole + 1) & mask; table->slots[at] != NULL; at = (at + 1) & mask) {
        size_t home = table_place(table, table->slots[at]->hash);
        if (((at - home) & mask) < ((at - hole) & mask))
            continue;
        table->slots[hole] = table->slots[at];
        table->slots[at] = NULL;
        hole = at;
    }
}

/* ---- keys ---- */

partition_key *partition_key_find(const triggers_partition *partition, uint64_t hash) {
    const partition_table *table = &partition->keys;
    return table->capacity > 0 ? table->slots[table_find(table, hash)] : NULL;
}

static partition_key *key_new(triggers_partition *partition, uint64_t hash, partition_lane *lane) {
    partition_key *key = calloc(1, sizeof *key);
    if (key == NULL || !partition_wait_reserve(partition)) {
        free(key);
        return NULL;
    }
    key->hash = hash;
    key->lane = lane;
    key->place = TRIGGERS_NO_PLACE;
    key->last = &key->first;
    core_state_init(&key->state, "key of a partition", key_states, CORE_COUNT_OF(key_states),
                    KEY_IDLE);
    return key;
}

partition_key *partition_key_get(triggers_partition *partition, uint64_t hash, core_slice project,
                                 core_slice trigger) {
    partition_table *table = &partition->keys;
    partition_key *key = partition_key_find(partition, hash);
    if (key != NULL)
        return partition_lane_is(key->lane, project, trigger) ? key : NULL;
    if (table->count * 2 >= table->capacity && !table_grow(table))
        return NULL;
    partition_lane *lane = partition_lane_get(partition, project, trigger);
    if (lane == NULL)
        return NULL;
    key = key_new(partition, hash, lane);
    if (key == NULL) {
        partition_lane_drop(partition, lane);
        return NULL;
    }
    lane->keys++;
    table->slots[table_find(table, hash)] = key;
    table->count++;
    return key;
}

void partition_key_unadmit(triggers_partition *partition, partition_key *key) {
    if (key->is_admitted)
        partition->io.unadmit(partition->io.context, key->lane->project, key->lane->trigger);
    key->is_admitted = false;
}

bool partition_key_is_busy(const partition_key *key) {
    partition_key_state state = partition_key_at(key);
    bool is_batch = key->first != NULL && key->first->members != NULL;
    return key->is_parking || key->parking != 0 || key->is_again || is_batch ||
           (key->parked == 0 &&
            (key->is_dead || key->attempts > 0 || (state != KEY_READY && state != KEY_IDLE)));
}

void partition_key_reserve(triggers_partition *partition, partition_key *key, bool is_reserved) {
    if (is_reserved == key->is_reserved)
        return;
    key->is_reserved = is_reserved;
    partition->reserved_keys += is_reserved ? 1 : (size_t)-1;
    key->lane->reserved_keys += is_reserved ? 1 : (size_t)-1;
    key->lane->owner->reserved_keys += is_reserved ? 1 : (size_t)-1;
}

void partition_key_count(triggers_partition *partition, partition_key *key) {
    bool counts = key->is_parking || key->parked > 0 || key->parking != 0;
    if (counts == key->is_counted)
        return;
    key->is_counted = counts;
    /* There was no room to park it, and its attempt, or the next one, may still fail: its place
     * stays its own. */
    partition_key_reserve(partition, key, !counts && (key->held != NULL || key->attempts > 0));
    partition->parked_keys += counts ? 1 : (size_t)-1;
    key->lane->parked_keys += counts ? 1 : (size_t)-1;
    key->lane->owner->parked_keys += counts ? 1 : (size_t)-1;
}

void partition_key_drop(triggers_partition *partition, partition_key *key) {
    if (partition_key_at(key) != KEY_IDLE || key->first != NULL || key->parked > 0 ||
        key->parking != 0 || key->is_again || key->behind > 0)
        return;
    partition_lane *lane = key->lane;
    key->is_parking = false;
    partition_key_count(partition, key);
    partition_key_reserve(partition, key, false);
    table_remove(&partition->keys, key->hash);
    free(key);
    lane->keys--;
    partition_lane_drop(partition, lane);
}

void partition_keys_free(triggers_partition *partition) {
    for (size_t i = 0; i < partition->keys.capacity; i++) {
        partition_key *key = partition->keys.slots[i];
        if (key == NULL)
            continue;
        partition_key_unadmit(partition, key);
        core_block_release(key->held);
        free(key);
    }
    free(partition->keys.slots);
    partition->keys = (partition_table){0};
    partition_lanes_forget(partition);
}
