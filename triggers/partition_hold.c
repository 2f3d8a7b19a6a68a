/* Tasks of a lane that wait for the lane, put aside in one chain.
 *
 * A trigger is paused, its endpoint's breaker is open, its rate or its places are used up: then its
 * tasks wait without having been attempted. What has waited long enough is copied, in order, to one
 * subject of the stream of parked tasks, and counts as done for the watermark. So a lane that is
 * held costs one chain, however many keys it has, and nobody waits for it. See partition_copy.c.
 *
 * Order. Of a key come first its own chain, then what its lane's chain holds, then what waits
 * behind that in the window. So once a lane has a chain, all of its tasks go through it or wait
 * behind it, until all of it is done; then those behind it are the keys' again.
 *
 * Copies that a former owner made without getting them into the log are passed over, since each
 * names its chain and the task before it. That needs that what follows a task of the chain is the
 * same whoever copies it: the lane's next task in the stream that was not done when the chain
 * began. So a chain begins when nothing of the lane is under way in the window: the lane is
 * closing, nothing of the window begins, and what takes long is parked by its key. What the lane
 * has done by then is in the log before the chain's first task is, so whoever goes on with a chain
 * knows it; who finds no task of it in the log begins another chain, whose copies none of a former
 * owner's is taken for, however late it arrives. */
#include "triggers/partition_private.h"

#include <stdlib.h>

enum {
    FULL_AGAIN_MS = 5000,
    CLOSING_MOST_MS = 20 * 1000,
    CLOSING_PARKS_MS = 1000, /* attempts under way are parked by their keys */
    LOOK_EVERY_MS = 200,
};

/* ---- lanes that are open ---- */

void partition_hold_init(partition_lane *lane) {
    lane->hold.items_last = &lane->hold.items;
    lane->hold.behind_last = &lane->hold.behind;
}

static uint64_t hold_hash(const triggers_partition *partition, const partition_lane *lane) {
    uint64_t hash = triggers_key_hash(lane->project, lane->trigger, core_slice_text(""));
    /* No key's of this partition. */
    return hash == 0 ? 0
                     : hash - hash % TRIGGERS_PARTITIONS +
                           (partition->limits.number + 1) % TRIGGERS_PARTITIONS;
}

partition_lane *partition_hold_find(const triggers_partition *partition, uint64_t hash) {
    triggers_job_map_node *node = triggers_job_map_first(&partition->holds_by_hash, hash);
    return node != NULL ? partition_lane_of_hold(node) : NULL;
}

/* Among the open ones. False: it cannot be. */
static bool hold_enter(triggers_partition *partition, partition_lane *lane) {
    uint64_t hash = hold_hash(partition, lane);
    if (hash == 0 || partition_hold_find(partition, hash) != NULL)
        return false;
    lane->hold.copies = calloc(PARTITION_COPIES, sizeof(partition_copy));
    if (lane->hold.copies == NULL)
        return false;
    triggers_job_map_add(&partition->holds_by_hash, &lane->hold.node, hash);
    lane->hold.previous_open = NULL;
    lane->hold.next_open = partition->open;
    if (partition->open != NULL)
        partition->open->hold.previous_open = lane;
    partition->open = lane;
    return true;
}

static void hold_leave(triggers_partition *partition, partition_lane *lane) {
    partition_hold *hold = &lane->hold;
    if (!hold->node.held)
        return;
    free(hold->copies);
    hold->copies = NULL;
    triggers_job_map_remove(&partition->holds_by_hash, &hold->node);
    if (hold->previous_open != NULL)
        hold->previous_open->hold.next_open = hold->next_open;
    else
        partition->open = hold->next_open;
    if (hold->next_open != NULL)
        hold->next_open->hold.previous_open = hold->previous_open;
    hold->next_open = hold->previous_open = NULL;
}

void partition_hold_fini(triggers_partition *partition, partition_lane *lane) {
    partition_item *item = lane->hold.items;
    hold_leave(partition, lane);
    while (item != NULL) {
        partition_item *next = item->next_recalled;
        core_block_release(item->task);
        free(item);
        item = next;
    }
    free(lane->hold.done);
}

/* ---- closing ---- */

/* What a trigger, or a project, has in the other partitions that do its work, is not known here: as
 * much as in this one, say, since keys spread. */
bool partition_hold_has_room(const triggers_partition *partition, const partition_lane *lane) {
    const partition_hold *hold = &lane->hold;
    triggers_policy policy = {.partitions = 1};
    uint64_t max = partition->limits.max_held_bytes;
    uint64_t taken = triggers_partition_held_bytes(partition);
    if (taken >= max || !partition_state_has_room(partition))
        return false;
    partition_lane_policy(partition, lane, &policy);
    uint64_t partitions = policy.partitions > 0 ? policy.partitions : 1;
    return (hold->bytes + hold->copying_bytes) * partitions < max - taken &&
           partition_project_may_hold(partition, lane->owner, max - taken);
}

void partition_hold_want(triggers_partition *partition, partition_lane *lane) {
    if (lane->is_closing || partition_hold_is_open(lane) || lane->hold_again_ms > partition->now_ms)
        return;
    if (!partition_hold_has_room(partition, lane)) {
        partition->limited_ms = partition->now_ms;
        return;
    }
    lane->is_closing = true;
    lane->closing_ms = partition->now_ms;
    partition->closing++;
}

static void closing_end(triggers_partition *partition, partition_lane *lane) {
    if (lane->is_closing)
        partition->closing--;
    lane->is_closing = false;
}

static partition_item *window_item(const triggers_partition *partition, size_t i) {
    return partition->window[(partition->window_first + i) % partition->window_capacity];
}

/* One of a lane that closes, and that waits. */
static bool item_closes(const partition_item *item) {
    return item->task != NULL && !item->is_behind && item->key->lane->is_closing;
}

static void lanes_judge(triggers_partition *partition) {
    for (size_t i = 0; i < partition->lane_count; i++)
        partition->lanes[i]->is_busy = false;
    for (size_t i = 0; i < partition->window_count; i++) {
        partition_item *item = window_item(partition, i);
        if (!item_closes(item))
            continue;
        if (item->key->is_gathering) {
            partition_wait_end(partition, item->key);
            partition_key_line(partition, item->key);
        }
        if (!partition_key_is_busy(item->key))
            continue;
        partition_lane *lane = item->key->lane;
        lane->is_busy = true;
        if (partition->now_ms - lane->closing_ms > CLOSING_PARKS_MS && !item->key->is_parking &&
            !item->key->is_dead && partition_may_park(partition, item->key))
            partition_key_park_slow(partition, item->key);
    }
}

static void item_behind(partition_item *item) {
    partition_key *key = item->key;
    partition_hold *hold = &key->lane->hold;
    item->is_behind = true;
    item->next = NULL;
    key->behind++;
    if (hold->uncopied == NULL)
        hold->uncopied = item;
    *hold->behind_last = item;
    hold->behind_last = &item->next;
}

/* All of the window's are behind the chain, which has none yet. */
static void items_take(triggers_partition *partition) {
    for (size_t i = 0; i < partition->window_count; i++) {
        partition_item *item = window_item(partition, i);
        if (!item_closes(item) || item->key->lane->is_busy)
            continue;
        item->key->first = NULL;
        item->key->last = &item->key->first;
        item->key->waiting = 0;
        item_behind(item);
    }
}

/* False: it goes on closing. */
static bool closing_is_over(triggers_partition *partition, partition_lane *lane) {
    if (!lane->is_busy)
        return true;
    if (partition->now_ms - lane->closing_ms < CLOSING_MOST_MS)
        return false;
    lane->hold_again_ms = partition->now_ms + FULL_AGAIN_MS;
    return true;
}

void partition_hold_step(triggers_partition *partition) {
    if (partition->closing == 0 || !partition->is_owner || partition_is_stalled(partition))
        return;
    lanes_judge(partition);
    for (size_t i = 0; i < partition->lane_count; i++) {
        partition_lane *lane = partition->lanes[i];
        if (lane->is_closing && !lane->is_busy && !hold_enter(partition, lane)) {
            lane->hold_again_ms = partition->now_ms + FULL_AGAIN_MS;
            closing_end(partition, lane);
        }
    }
    items_take(partition);
    for (size_t i = partition->lane_count; i > 0; i--) { /* one that is gone: the last is there */
        partition_lane *lane = partition->lanes[i - 1];
        if (!lane->is_closing || !closing_is_over(partition, lane))
            continue;
        closing_end(partition, lane);
        if (lane->is_busy)
            continue;
        partition_line_clean(partition, lane);
        partition_hold_pump(partition, lane);
    }
}

/* ---- behind the chain ---- */

bool partition_hold_takes(triggers_partition *partition, partition_item *item) {
    partition_lane *lane = item->key->lane;
    if (!partition_hold_is_open(lane) || item->sequence <= lane->hold.last)
        return false;
    item_behind(item);
    if (partition->is_owner)
        partition_hold_pump(partition, lane);
    return true;
}

partition_item *partition_behind_pop(partition_hold *hold) {
    partition_item *item = hold->behind;
    hold->behind = item->next;
    if (hold->uncopied == item)
        hold->uncopied = hold->behind;
    if (hold->behind == NULL)
        hold->behind_last = &hold->behind;
    item->next = NULL;
    item->is_behind = false;
    item->key->behind--;
    return item;
}

/* Nothing is in the chain: what waits behind it is the keys' again. */
static void hold_end(triggers_partition *partition, partition_lane *lane) {
    partition_hold *hold = &lane->hold;
    assert(!hold->is_fetching && hold->recalled == 0 && hold->copy_count == 0);
    if (hold->void_position > hold->last_position)
        hold->last_position = hold->void_position;
    if (hold->last_position != 0)
        partition_clear_later(partition, hold->node.hash, hold->last_position);
    partition_hold_forget(partition, lane);
    hold_leave(partition, lane);
    while (hold->behind != NULL) {
        partition_item *item = partition_behind_pop(hold);
        partition_key_take(partition, item);
    }
    partition_lane_drop(partition, lane);
}

/* ---- turns ---- */

void partition_hold_pump(triggers_partition *partition, partition_lane *lane) {
    partition_hold *hold = &lane->hold;
    if (!partition->is_owner || !hold->node.held)
        return;
    if (!partition->is_held && partition->lost == 0) {
        partition_copies_send(partition, lane);
        partition_recall(partition, lane);
    }
    if (hold->held == 0 && hold->copying == 0)
        hold_end(partition, lane);
}

void partition_holds_tick(triggers_partition *partition, int64_t *next_ms) {
    partition_lane *next;
    if (partition->open == NULL || !partition->is_owner)
        return;
    if (partition->now_ms - partition->opened_ms >= LOOK_EVERY_MS) {
        partition->opened_ms = partition->now_ms;
        for (partition_lane *lane = partition->open; lane != NULL; lane = next) {
            next = lane->hold.next_open;
            partition_recall_undo(partition, lane);
            partition_recall_relieve(partition, lane);
            partition_hold_pump(partition, lane);
        }
    }
    if (partition->open != NULL && partition->opened_ms + LOOK_EVERY_MS < *next_ms)
        *next_ms = partition->opened_ms + LOOK_EVERY_MS;
}

void partition_holds_begin(triggers_partition *partition) {
    for (size_t i = 0; i < partition->lane_count; i++) {
        partition_lane *lane = partition->lanes[i];
        partition_hold *hold = &lane->hold;
        if (!partition_hold_is_open(lane))
            continue;
        hold->read = hold->base;
        hold->read_position = hold->base_position;
        hold->copied = hold->last;
        partition_hold_sort(hold);
        if (!hold_enter(partition, lane))
            abort(); /* its hash is another's, or memory is out: nothing of it could be found */
    }
}
