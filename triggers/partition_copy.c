/* Copies on their way from behind a lane's chain into it; see partition_hold.c.
 *
 * Several are under way at once, each naming the task before it, so that not each costs a round
 * trip. Their answers count in the order of the tasks. Behind one that has failed all others are
 * void, stored or not: whoever reads the chain passes over what stands in front of its predecessor.
 * They are sent again, behind that one, and their first copies' answers say nothing any more. What
 * is stored twice so is passed over the second time; it takes room until the chain ends.
 *
 * The first copy of a chain gives it its number, which is nobody else's. */
#include "triggers/partition_private.h"

enum {
    AGAIN_MS = 500,
    FULL_AGAIN_MS = 5000,
    AFTER_MS = 5000, /* of a lane that moves */
    SLOW_MS = 10 * 1000,
    OF_FULL_MS = 1000,      /* the same, where the window is full */
    ALL_MAX = 128,          /* under way; beyond that one of each lane */
    BYTES_MAX = 256 * 1024, /* of a lane, under way; beyond that one */
};

/* ---- sending ---- */

/* Of a lane that moves: at its pace what stands before the item is not done soon. Else its tasks
 * would go through the chain for as long as they come faster than a chain is recalled, which is
 * several times slower than the way through the window. */
static bool lane_is_slow(const triggers_partition *partition, partition_lane *lane) {
    uint64_t waiting = lane->hold.held + lane->tasks;
    return waiting * CORE_MS_PER_S >
           (uint64_t)partition_lane_rate(lane, partition->now_ms) * SLOW_MS;
}

static bool copy_is_wanted(const triggers_partition *partition, partition_lane *lane,
                           bool lane_is_held) {
    const partition_item *item = lane->hold.uncopied;
    int64_t since_ms = item->fed_ms > partition->rested_ms ? item->fed_ms : partition->rested_ms;
    int64_t waits_ms = partition->now_ms - since_ms;
    if (lane->hold.copied == 0 || lane_is_held)
        return true;
    return (waits_ms > AFTER_MS || (waits_ms > OF_FULL_MS && partition_is_full(partition))) &&
           lane_is_slow(partition, lane);
}

/* The first one of all goes even where there is no room any more: the lane closed when there was.
 */
static bool copy_has_room(triggers_partition *partition, partition_lane *lane) {
    partition_hold *hold = &lane->hold;
    if ((hold->held == 0 && hold->copying == 0) || partition_hold_has_room(partition, lane))
        return true;
    partition->limited_ms = partition->now_ms;
    if (hold->copying == 0)
        hold->copy_again_ms = partition->now_ms + AGAIN_MS;
    return false;
}

static bool copy_may_go(const triggers_partition *partition, const partition_hold *hold) {
    bool is_first = hold->copying == 0;
    return hold->uncopied != NULL && hold->copying < PARTITION_COPIES &&
           (is_first || (partition->copying < ALL_MAX && hold->copying_bytes < BYTES_MAX));
}

static uint64_t chain_new(triggers_partition *partition) {
    uint64_t chain = partition->owner + ++partition->chains; /* the owner's number is random */
    return chain != 0 ? chain : partition->owner;
}

static void copy_send(triggers_partition *partition, partition_lane *lane) {
    partition_hold *hold = &lane->hold;
    partition_item *item = hold->uncopied;
    partition_copy *copy = &hold->copies[(hold->copy_first + hold->copy_count) % PARTITION_COPIES];
    if (hold->copied == 0)
        hold->chain = chain_new(partition);
    triggers_parked parked = {.previous = hold->copied, .chain = hold->chain};
    *copy = (partition_copy){.sequence = item->sequence, .had_company = hold->copy_count > 0};
    hold->copy_count++;
    hold->copied = item->sequence;
    hold->uncopied = item->next;
    hold->copying++;
    partition->copying++;
    hold->copying_bytes += item->task->length;
    partition->copying_bytes += item->task->length;
    lane->owner->held_bytes += item->task->length;
    copy->number = partition_copy_send(partition, hold->node.hash, item, &parked);
}

void partition_copies_send(triggers_partition *partition, partition_lane *lane) {
    partition_hold *hold = &lane->hold;
    if (hold->uncopied == NULL || partition_is_stalled(partition) ||
        partition->now_ms < hold->copy_again_ms)
        return;
    bool is_held = partition_lane_is_held(partition, lane);
    while (copy_may_go(partition, hold) && copy_is_wanted(partition, lane, is_held) &&
           copy_has_room(partition, lane))
        copy_send(partition, lane);
}

/* ---- answers ---- */

static core_slice hold_reason(const triggers_partition *partition, const partition_lane *lane) {
    triggers_policy policy;
    partition_lane_policy(partition, lane, &policy);
    if (policy.is_paused)
        return core_slice_text("the trigger is paused");
    if (lane->not_before_ms > partition->now_ms && lane->reason != NULL)
        return core_slice_text(lane->reason);
    if (!partition_lane_has_room(partition, lane))
        return core_slice_text(partition_lane_limited);
    return core_slice_text("more comes than its endpoint takes");
}

static partition_copy *copy_first(const partition_hold *hold) {
    return &hold->copies[hold->copy_first];
}

static void copy_pop(triggers_partition *partition, partition_lane *lane, size_t bytes) {
    partition_hold *hold = &lane->hold;
    hold->copy_first = (hold->copy_first + 1) % PARTITION_COPIES;
    hold->copy_count--;
    hold->copying_bytes -= bytes;
    partition->copying_bytes -= bytes;
    lane->owner->held_bytes -= bytes;
}

static void copy_took(triggers_partition *partition, partition_lane *lane) {
    partition_hold *hold = &lane->hold;
    const partition_copy *copy = copy_first(hold);
    partition_item *item = hold->behind;
    partition_key *key = item->key;
    assert(item->sequence == copy->sequence);
    triggers_entry outcome = {.kind = TRIGGERS_ENTRY_HELD,
                              .sequence = item->sequence,
                              .position = copy->position,
                              .took_ms = (uint32_t)item->task->length,
                              .chain = hold->held == 0 ? hold->chain : 0,
                              .reason = hold_reason(partition, lane)};
    partition->holds_up = false;
    copy_pop(partition, lane, item->task->length);
    (void)partition_behind_pop(hold);
    partition_tell(partition, key, core_block_slice(item->task), &outcome);
    partition_hold_add(partition, lane, &outcome);
    partition_item_done(partition, item);
    partition_key_drop(partition, key);
}

static void void_note(partition_hold *hold, const partition_copy *copy) {
    bool is_stored = copy->is_answered && copy->code == CORE_ERROR_NONE;
    if (is_stored && copy->position > hold->void_position)
        hold->void_position = copy->position;
}

static void copies_void(triggers_partition *partition, partition_lane *lane) {
    partition_hold *hold = &lane->hold;
    for (size_t i = 0; i < hold->copy_count; i++)
        void_note(hold, &hold->copies[(hold->copy_first + i) % PARTITION_COPIES]);
    hold->copy_count = 0;
    partition->copying_bytes -= hold->copying_bytes;
    lane->owner->held_bytes -= hold->copying_bytes;
    hold->copying_bytes = 0;
    hold->uncopied = hold->behind;
    hold->copied = hold->last;
}

static void copy_failed(triggers_partition *partition, partition_lane *lane, core_error_code code) {
    bool is_full = code == CORE_ERROR_FULL || code == CORE_ERROR_LIMIT;
    lane->hold.copy_again_ms = partition->now_ms + (is_full ? FULL_AGAIN_MS : AGAIN_MS);
    lane->hold_again_ms = lane->hold.copy_again_ms;
    if (is_full) {
        partition->holds_up = true;
        partition->refused_ms = partition->now_ms;
    }
    copies_void(partition, lane);
}

/* As the broker may have them when two of them overtook one another. */
static bool is_in_front(const partition_hold *hold, const partition_copy *copy) {
    return copy->had_company && copy->position <= hold->last_position;
}

/* Those that are answered, up to one that is not. */
static void copies_count(triggers_partition *partition, partition_lane *lane) {
    partition_hold *hold = &lane->hold;
    while (hold->copy_count > 0 && copy_first(hold)->is_answered) {
        const partition_copy *copy = copy_first(hold);
        if (copy->code != CORE_ERROR_NONE || is_in_front(hold, copy))
            copy_failed(partition, lane, copy->code);
        else
            copy_took(partition, lane);
    }
}

void partition_copies_answered(triggers_partition *partition, partition_lane *lane, uint64_t number,
                               uint64_t position, core_error_code code) {
    partition_hold *hold = &lane->hold;
    partition_copy voided = {0}, *copy = &voided;
    assert(hold->copying > 0);
    hold->copying--;
    partition->copying--;
    for (size_t i = 0; i < hold->copy_count && copy == &voided; i++) {
        partition_copy *sent = &hold->copies[(hold->copy_first + i) % PARTITION_COPIES];
        if (sent->number == number)
            copy = sent;
    }
    copy->is_answered = true;
    copy->position = position;
    copy->code = code;
    if (copy == &voided)
        void_note(hold, copy);
    copies_count(partition, lane);
    partition_hold_pump(partition, lane);
}
