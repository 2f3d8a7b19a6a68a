/* Keys by their hash, and lanes by their trigger; see partition_private.h.
 *
 * The table of keys is open addressing with backward shift, so it needs no tombstones; keys do not
 * move. A lane lives as long as a key names it, or as its endpoint is known to be gone. */
#include "triggers/partition_private.h"

#include <stdlib.h>
#include <string.h>

enum { TABLE_FIRST = 64, LANES_FIRST = 8 };

static const core_state_row key_states[] = {
    [KEY_IDLE] = {"idle", CORE_STATE_BIT(KEY_READY) | CORE_STATE_BIT(KEY_WAITING)},
    [KEY_READY] = {"ready", CORE_STATE_BIT(KEY_FETCHING) | CORE_STATE_BIT(KEY_ATTEMPT) |
                                CORE_STATE_BIT(KEY_BURYING)},
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

void partition_key_count(triggers_partition *partition, partition_key *key) {
    bool counts = key->is_parking || key->parked > 0 || key->parking != 0;
    if (counts == key->is_counted)
        return;
    key->is_counted = counts;
    partition->parked_keys += counts ? 1 : (size_t)-1;
}

void partition_key_drop(triggers_partition *partition, partition_key *key) {
    if (partition_key_at(key) != KEY_IDLE || key->first != NULL || key->parked > 0 ||
        key->parking != 0 || key->is_again)
        return;
    partition_lane *lane = key->lane;
    key->is_parking = false;
    partition_key_count(partition, key);
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
    for (size_t i = 0; i < partition->lane_count; i++)
        free(partition->lanes[i]);
    free(partition->lanes);
    partition->keys = (partition_table){0};
    partition->lanes = NULL;
    partition->lane_count = partition->lane_capacity = 0;
}

/* ---- lanes ---- */

static bool lanes_grow(triggers_partition *partition) {
    size_t capacity = partition->lane_capacity > 0 ? partition->lane_capacity * 2 : LANES_FIRST;
    partition_lane **lanes = realloc(partition->lanes, capacity * sizeof(partition_lane *));
    if (lanes == NULL)
        return false;
    partition->lanes = lanes;
    partition->lane_capacity = capacity;
    return true;
}

static partition_lane *lane_new(core_slice project, core_slice trigger) {
    partition_lane *lane = calloc(1, sizeof *lane + project.length + trigger.length);
    if (lane == NULL)
        return NULL;
    uint8_t *room = (uint8_t *)(lane + 1);
    lane->project = core_slice_keep(&room, project);
    lane->trigger = core_slice_keep(&room, trigger);
    lane->last = &lane->first;
    return lane;
}

partition_lane *partition_lane_get(triggers_partition *partition, core_slice project,
                                   core_slice trigger) {
    for (size_t i = 0; i < partition->lane_count; i++)
        if (partition_lane_is(partition->lanes[i], project, trigger))
            return partition->lanes[i];
    if (partition->lane_count == partition->lane_capacity && !lanes_grow(partition))
        return NULL;
    partition_lane *lane = lane_new(project, trigger);
    if (lane == NULL)
        return NULL;
    lane->number = partition->lane_count;
    partition->lanes[partition->lane_count++] = lane;
    return lane;
}

void partition_lane_drop(triggers_partition *partition, partition_lane *lane) {
    if (lane->keys > 0 || lane->gone_revision != 0)
        return;
    assert(lane->first == NULL && lane->attempts == 0);
    partition_lane *moved = partition->lanes[--partition->lane_count];
    partition->lanes[lane->number] = moved;
    moved->number = lane->number;
    free(lane);
}
