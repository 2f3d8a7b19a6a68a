/* Lanes: what is of one trigger; see partition_private.h.
 *
 * A lane lives as long as a key names it, something is put aside in its chain, or its endpoint is
 * known to be gone. */
#include "triggers/partition_private.h"

#include <stdlib.h>

enum { LANES_FIRST = 8, KEY_STATE_BYTES = 64, LANE_STATE_BYTES = 96 };

/* ---- the tables ---- */

bool partition_lanes_init(triggers_partition *partition) {
    return triggers_job_map_init(&partition->lanes_by_name) &&
           triggers_job_map_init(&partition->holds_by_hash) &&
           triggers_job_map_init(&partition->projects);
}

void partition_lanes_fini(triggers_partition *partition) {
    partition_lanes_forget(partition);
    triggers_job_map_fini(&partition->lanes_by_name);
    triggers_job_map_fini(&partition->holds_by_hash);
    triggers_job_map_fini(&partition->projects);
}

void partition_lanes_forget(triggers_partition *partition) {
    for (size_t i = 0; i < partition->lane_count; i++) {
        partition_lane *lane = partition->lanes[i];
        partition_hold_fini(partition, lane);
        triggers_job_map_remove(&partition->lanes_by_name, &lane->node);
        partition_project_drop(partition, lane->owner);
        free(lane);
    }
    free(partition->lanes);
    partition->lanes = NULL;
    partition->lane_count = partition->lane_capacity = 0;
}

static uint64_t name_hash(const triggers_partition *partition, core_slice project,
                          core_slice trigger) {
    uint64_t hash = core_slice_hash_more(
        core_slice_hash(core_slice_make(&partition->limits.seed, sizeof partition->limits.seed)),
        project);
    return core_slice_hash_more(core_slice_hash_more(hash, core_slice_text("/")), trigger);
}

static bool lanes_grow(triggers_partition *partition) {
    size_t capacity = partition->lane_capacity > 0 ? partition->lane_capacity * 2 : LANES_FIRST;
    partition_lane **lanes = realloc(partition->lanes, capacity * sizeof(partition_lane *));
    if (lanes == NULL)
        return false;
    partition->lanes = lanes;
    partition->lane_capacity = capacity;
    return true;
}

/* ---- lanes ---- */

static partition_lane *lane_new(triggers_partition *partition, core_slice project,
                                core_slice trigger) {
    partition_lane *lane = calloc(1, sizeof *lane + project.length + trigger.length);
    if (lane == NULL)
        return NULL;
    lane->owner = partition_project_get(partition, project);
    if (lane->owner == NULL) {
        free(lane);
        return NULL;
    }
    uint8_t *room = (uint8_t *)(lane + 1);
    lane->project = core_slice_keep(&room, project);
    lane->trigger = core_slice_keep(&room, trigger);
    lane->last = &lane->first;
    partition_hold_init(lane);
    return lane;
}

partition_lane *partition_lane_find(const triggers_partition *partition, core_slice project,
                                    core_slice trigger) {
    triggers_job_map_node *node =
        triggers_job_map_first(&partition->lanes_by_name, name_hash(partition, project, trigger));
    for (; node != NULL; node = triggers_job_map_next(node)) {
        partition_lane *lane = (partition_lane *)(void *)node;
        if (partition_lane_is(lane, project, trigger))
            return lane;
    }
    return NULL;
}

partition_lane *partition_lane_get(triggers_partition *partition, core_slice project,
                                   core_slice trigger) {
    partition_lane *lane = partition_lane_find(partition, project, trigger);
    if (lane != NULL)
        return lane;
    if (partition->lane_count == partition->lane_capacity && !lanes_grow(partition))
        return NULL;
    lane = lane_new(partition, project, trigger);
    if (lane == NULL)
        return NULL;
    lane->number = partition->lane_count;
    partition->lanes[partition->lane_count++] = lane;
    triggers_job_map_add(&partition->lanes_by_name, &lane->node,
                         name_hash(partition, project, trigger));
    return lane;
}

void partition_lane_drop(triggers_partition *partition, partition_lane *lane) {
    if (lane->keys > 0 || lane->gone_revision != 0 || partition_hold_is_open(lane))
        return;
    assert(lane->first == NULL && lane->attempts == 0);
    assert(lane->owner->lanes > 1 || partition_project_is_idle(lane->owner));
    partition->closing -= lane->is_closing;
    partition_hold_fini(partition, lane);
    triggers_job_map_remove(&partition->lanes_by_name, &lane->node);
    partition_lane *moved = partition->lanes[--partition->lane_count];
    partition->lanes[lane->number] = moved;
    moved->number = lane->number;
    partition_project_drop(partition, lane->owner);
    free(lane);
}

/* ---- room for what waits ---- */

/* What a state of the log takes, about. */
static size_t state_bytes(const triggers_partition *partition) {
    return partition->parked_keys * KEY_STATE_BYTES + partition->lane_count * LANE_STATE_BYTES;
}

bool partition_state_has_room(const triggers_partition *partition) {
    return state_bytes(partition) < partition->limits.max_state_bytes;
}

bool partition_lane_has_room(const triggers_partition *partition, const partition_lane *lane) {
    size_t max = partition->limits.max_parked_keys;
    size_t taken = partition->parked_keys + partition->reserved_keys;
    return taken < max && lane->parked_keys + lane->reserved_keys < max - taken &&
           partition_project_may_park(partition, lane->owner, max - taken) &&
           partition_state_has_room(partition);
}
