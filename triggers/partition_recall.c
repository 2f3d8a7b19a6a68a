/* A lane's chain, back into memory: see partition_hold.c.
 *
 * While the lane moves, the chain's next copies are fetched, one after another and a few ahead of
 * what is attempted, and given to their keys as if they had been fed: each is attempted, or parked
 * by its key behind one that has failed. What is done is told as of a task of the window; which of
 * the chain's are done below and above its base, the log's fold knows as it does of the window. */
#include "triggers/partition_private.h"

#include <stdlib.h>
#include <string.h>

enum {
    AGAIN_MS = 500,
    HELD_LEAST_MS = 1000, /* whoever is held for less is not worth copying for */
    LANE_MAX = 64,        /* of a lane, in memory */
    ALL_MAX = 512,        /* of all */
    SLOW_MS = 10 * 1000,
    TELL_EVERY = 16, /* that the base has passed */
    CLEAR_EVERY = 8, /* of those times */
    DONE_FIRST = 16,
    DONE_MAX = 1024 * 1024,
};

bool partition_lane_is_held(const triggers_partition *partition, const partition_lane *lane) {
    triggers_policy policy;
    partition_lane_policy(partition, lane, &policy);
    if (!policy.is_known)
        return false;
    bool is_paused = policy.is_paused;
    bool is_timed = lane->not_before_ms != TRIGGERS_NEVER_MS &&
                    lane->not_before_ms - partition->now_ms > HELD_LEAST_MS;
    return is_paused || is_timed;
}

/* ---- what is done of the chain ---- */

static int by_sequence(const void *a, const void *b) {
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

void partition_hold_sort(partition_hold *hold) {
    if (hold->done_count > 0)
        qsort(hold->done, hold->done_count, sizeof *hold->done, by_sequence);
}

static bool done_reserve(partition_hold *hold, size_t more) {
    size_t capacity = hold->done_capacity > 0 ? hold->done_capacity : DONE_FIRST;
    while (capacity < hold->done_count + more)
        capacity *= 2;
    if (capacity == hold->done_capacity)
        return true;
    uint64_t *done = capacity <= DONE_MAX ? realloc(hold->done, capacity * sizeof *done) : NULL;
    if (done == NULL)
        return false;
    hold->done = done;
    hold->done_capacity = capacity;
    return true;
}

bool partition_hold_done_add(partition_hold *hold, uint64_t sequence) {
    if (!done_reserve(hold, 1))
        return false;
    hold->done[hold->done_count++] = sequence;
    return true;
}

void partition_hold_done_trim(partition_hold *hold) {
    size_t kept = 0;
    for (size_t i = 0; i < hold->done_count; i++)
        if (hold->done[i] > hold->base)
            hold->done[kept++] = hold->done[i];
    hold->done_count = kept;
}

static bool done_has(const partition_hold *hold, uint64_t sequence) {
    return hold->done_count > 0 && bsearch(&sequence, hold->done, hold->done_count,
                                           sizeof *hold->done, by_sequence) != NULL;
}

/* The base is told before what stands below it is cleared. */
static void base_tell(triggers_partition *partition, partition_lane *lane) {
    partition_hold *hold = &lane->hold;
    triggers_entry passed = {
        .kind = TRIGGERS_ENTRY_PASSED, .sequence = hold->base, .position = hold->base_position};
    hold->passed = 0;
    partition_lane_tell(partition, lane, &passed);
    if (++hold->uncleared < CLEAR_EVERY && !partition->holds_up)
        return;
    hold->uncleared = 0;
    partition_clear_later(partition, hold->node.hash, hold->base_position);
}

static void base_pass(triggers_partition *partition, partition_lane *lane) {
    partition_hold *hold = &lane->hold;
    while (hold->items != NULL && hold->items->task == NULL) {
        partition_item *item = hold->items;
        hold->items = item->next_recalled;
        hold->base = item->sequence;
        hold->base_position = item->position;
        hold->passed++;
        free(item);
    }
    if (hold->items == NULL)
        hold->items_last = &hold->items;
    if (hold->passed >= TELL_EVERY && hold->held > 0)
        base_tell(partition, lane);
}

void partition_recall_done(triggers_partition *partition, partition_item *item) {
    partition_lane *lane = item->key->lane;
    size_t length = item->task->length;
    lane->hold.recalled--;
    partition->recalled--;
    partition->recalled_bytes -= length;
    core_block_release(item->task);
    item->task = NULL;
    item->key = NULL;
    partition_hold_less(partition, lane);
    base_pass(partition, lane);
}

/* ---- fetching ---- */

static bool has_room(const triggers_partition *partition, const partition_lane *lane) {
    if (lane->hold.recalled >= LANE_MAX)
        return false;
    return partition->recalled == 0 ||
           (partition->recalled < ALL_MAX &&
            partition->recalled_bytes < partition->limits.max_bytes / 2);
}

void partition_recall(triggers_partition *partition, partition_lane *lane) {
    partition_hold *hold = &lane->hold;
    triggers_policy policy;
    if (hold->is_fetching || hold->held <= hold->recalled ||
        hold->fetch_again_ms > partition->now_ms || !has_room(partition, lane) ||
        partition_lane_is_held(partition, lane))
        return;
    partition_lane_policy(partition, lane, &policy);
    if (policy.is_known && !partition_lane_has_room(partition, lane)) {
        partition->limited_ms = partition->now_ms;
        return;
    }
    hold->is_fetching = true;
    partition->io.fetch(partition->io.context, hold->node.hash, hold->read_position + 1);
}

/* The chain's next one, into memory. False: no memory for it now. */
static bool item_take(triggers_partition *partition, partition_lane *lane,
                      const triggers_parked *parked, uint64_t position) {
    partition_hold *hold = &lane->hold;
    bool is_done = done_has(hold, parked->sequence);
    partition_item *item = calloc(1, sizeof *item);
    partition_key *key = NULL;
    if (item == NULL)
        return false;
    *item = (partition_item){.sequence = parked->sequence,
                             .position = position,
                             .fed_ms = partition->now_ms,
                             .is_recalled = true};
    if (!is_done)
        item->task = core_block_copy(parked->task);
    if (item->task != NULL)
        key = partition_key_of_task(partition, parked->sequence, parked->task);
    if (!is_done && key == NULL) {
        core_block_release(item->task);
        free(item);
        return false;
    }
    *hold->items_last = item;
    hold->items_last = &item->next_recalled;
    if (is_done)
        return true;
    item->key = key;
    hold->recalled++;
    partition->recalled++;
    partition->recalled_bytes += item->task->length;
    return true;
}

static void fetched_next(triggers_partition *partition, partition_lane *lane,
                         const triggers_parked *parked, uint64_t position) {
    partition_hold *hold = &lane->hold;
    partition_item **at = hold->items_last;
    if (!item_take(partition, lane, parked, position)) {
        hold->fetch_again_ms = partition->now_ms + AGAIN_MS;
        return;
    }
    partition_item *item = *at;
    hold->read = parked->sequence;
    hold->read_position = position;
    if (item->task != NULL)
        partition_key_take(partition, item);
    else
        base_pass(partition, lane);
}

static void hold_lost(triggers_partition *partition, partition_lane *lane) {
    triggers_entry lost = {
        .kind = TRIGGERS_ENTRY_LOST,
        .position = lane->hold.held,
        .reason = core_slice_text("the stream of parked tasks does not hold them any more"),
    };
    partition_lane_tell(partition, lane, &lost);
    partition->lost++;
    partition_hold_forget(partition, lane);
}

void partition_recall_fetched(triggers_partition *partition, partition_lane *lane,
                              core_block *block, uint64_t position, core_error_code code) {
    partition_hold *hold = &lane->hold;
    triggers_parked parked = {0};
    core_error ignored;
    assert(hold->is_fetching);
    hold->is_fetching = false;
    if (code == CORE_ERROR_INPUT && hold->recalled == 0 && hold->copying == 0) {
        hold_lost(partition, lane);
    } else if (code != CORE_ERROR_NONE) {
        hold->fetch_again_ms = partition->now_ms + AGAIN_MS;
    } else {
        bool is_read = triggers_parked_read(core_block_slice(block), &parked, &ignored);
        bool follows =
            hold->read != 0 ? parked.previous == hold->read : parked.sequence == hold->head;
        if (is_read && follows && parked.chain == hold->chain)
            fetched_next(partition, lane, &parked, position);
        else
            hold->read_position = position;
    }
    partition_hold_pump(partition, lane);
}

/* ---- and back ---- */

/* Nothing of them was begun. */
static bool items_are_idle(const partition_lane *lane) {
    for (const partition_item *item = lane->hold.items; item != NULL; item = item->next_recalled)
        if (item->task != NULL &&
            (partition_key_is_busy(item->key) || !item->key->first->is_recalled))
            return false;
    return true;
}

static void items_forget(triggers_partition *partition, partition_lane *lane) {
    partition_hold *hold = &lane->hold;
    partition_item *item = hold->items;
    while (item != NULL) {
        partition_item *next = item->next_recalled;
        if (item->task == NULL) {
            hold->done[hold->done_count++] = item->sequence;
        } else {
            item->key->first = NULL; /* a lane with a chain has nothing of the window there */
            item->key->last = &item->key->first;
            item->key->waiting = 0;
            partition->recalled--;
            partition->recalled_bytes -= item->task->length;
            core_block_release(item->task);
        }
        free(item);
        item = next;
    }
    hold->items = NULL;
    hold->items_last = &hold->items;
    hold->recalled = 0;
}

void partition_recall_undo(triggers_partition *partition, partition_lane *lane) {
    partition_hold *hold = &lane->hold;
    bool is_tight = partition->recalled >= ALL_MAX / 2 ||
                    partition->recalled_bytes >= partition->limits.max_bytes / 4;
    size_t count = 0;
    if (hold->recalled == 0 || !is_tight || !partition_lane_is_held(partition, lane) ||
        hold->is_fetching || !items_are_idle(lane))
        return;
    for (const partition_item *item = hold->items; item != NULL; item = item->next_recalled)
        count += item->task == NULL;
    if (!done_reserve(hold, count))
        return;
    items_forget(partition, lane);
    partition_hold_sort(hold);
    hold->read = hold->base;
    hold->read_position = hold->base_position;
    partition_line_clean(partition, lane);
}

void partition_recall_relieve(triggers_partition *partition, partition_lane *lane) {
    if (lane->hold.recalled < LANE_MAX)
        return;
    for (const partition_item *item = lane->hold.items; item != NULL; item = item->next_recalled)
        if (item->task != NULL && partition_key_at(item->key) == KEY_ATTEMPT &&
            !item->key->is_parking && partition->now_ms - item->fed_ms > SLOW_MS &&
            partition_may_park(partition, item->key))
            partition_key_park_slow(partition, item->key);
}
