/* What a lane's chain holds, as its outcomes say: of the owner as they are told, of the next one as
 * the log is folded; see partition_hold.c. */
#include "triggers/partition_private.h"

/* ---- counted ---- */

void partition_hold_add(triggers_partition *partition, partition_lane *lane,
                        const triggers_entry *outcome) {
    partition_hold *hold = &lane->hold;
    if (hold->held == 0) {
        hold->chain = outcome->chain;
        hold->head = outcome->sequence;
        hold->base = hold->read = 0;
        hold->base_position = hold->read_position = outcome->position - 1;
        hold->done_count = 0;
        hold->passed = 0;
    }
    hold->last = outcome->sequence;
    hold->last_position = outcome->position;
    hold->held++;
    hold->bytes += outcome->took_ms;
    partition->held_tasks++;
    partition->held_bytes += outcome->took_ms;
    lane->owner->held_bytes += outcome->took_ms;
}

/* The sizes are not kept one by one. */
void partition_hold_less(triggers_partition *partition, partition_lane *lane) {
    partition_hold *hold = &lane->hold;
    assert(hold->held > 0);
    uint64_t bytes = hold->bytes / hold->held;
    hold->held--;
    hold->bytes -= bytes;
    partition->held_tasks--;
    partition->held_bytes -= bytes;
    lane->owner->held_bytes -= bytes;
}

void partition_hold_forget(triggers_partition *partition, partition_lane *lane) {
    partition_hold *hold = &lane->hold;
    partition->held_tasks -= hold->held;
    partition->held_bytes -= hold->bytes;
    lane->owner->held_bytes -= hold->bytes;
    hold->held = hold->bytes = 0;
    hold->head = hold->last = hold->last_position = hold->void_position = 0;
    hold->chain = hold->copied = 0;
    hold->base = hold->base_position = hold->read = hold->read_position = 0;
    hold->done_count = 0;
}

/* ---- folded ---- */

bool partition_hold_covers(const partition_lane *lane, uint64_t sequence) {
    return lane->hold.held > 0 && sequence >= lane->hold.head && sequence <= lane->hold.last;
}

bool partition_hold_fold_done(triggers_partition *partition, partition_lane *lane,
                              uint64_t sequence) {
    /* The members of a list that is one task have its sequence. */
    for (size_t i = lane->hold.done_count; i > 0; i--)
        if (lane->hold.done[i - 1] == sequence)
            return true;
    if (!partition_hold_done_add(&lane->hold, sequence))
        return false;
    partition_hold_less(partition, lane);
    if (lane->hold.held == 0)
        partition_hold_forget(partition, lane);
    partition_lane_drop(partition, lane);
    return true;
}

void partition_hold_fold_passed(partition_lane *lane, const triggers_entry *outcome) {
    if (lane->hold.held == 0)
        return;
    lane->hold.base = outcome->sequence;
    lane->hold.base_position = outcome->position;
    partition_hold_done_trim(&lane->hold);
}

/* ---- in a state ---- */

/* Those in memory, and those that are not there again yet. */
static void done_write(const partition_hold *hold, core_buffer *out) {
    uint32_t count = 0;
    for (const partition_item *item = hold->items; item != NULL; item = item->next_recalled)
        count += item->task == NULL;
    for (size_t i = 0; i < hold->done_count; i++)
        count += hold->done[i] > hold->read;
    core_buffer_u32(out, count);
    for (const partition_item *item = hold->items; item != NULL; item = item->next_recalled)
        if (item->task == NULL)
            core_buffer_u64(out, item->sequence);
    for (size_t i = 0; i < hold->done_count; i++)
        if (hold->done[i] > hold->read)
            core_buffer_u64(out, hold->done[i]);
}

void partition_hold_write(const partition_lane *lane, core_buffer *out) {
    const partition_hold *hold = &lane->hold;
    core_buffer_u64(out, hold->held);
    if (hold->held == 0)
        return;
    core_buffer_u64(out, hold->chain);
    core_buffer_u64(out, hold->bytes);
    core_buffer_u64(out, hold->head);
    core_buffer_u64(out, hold->last);
    core_buffer_u64(out, hold->last_position);
    core_buffer_u64(out, hold->base);
    core_buffer_u64(out, hold->base_position);
    done_write(hold, out);
}

bool partition_hold_read(triggers_partition *partition, core_cursor *cursor, core_slice project,
                         core_slice trigger, bool has_chain) {
    partition_hold read = {.held = core_cursor_u64(cursor)};
    if (!core_cursor_ok(cursor) || read.held == 0)
        return core_cursor_ok(cursor);
    read.chain = has_chain ? core_cursor_u64(cursor) : 0;
    read.bytes = core_cursor_u64(cursor);
    read.head = core_cursor_u64(cursor);
    read.last = core_cursor_u64(cursor);
    read.last_position = core_cursor_u64(cursor);
    read.base = core_cursor_u64(cursor);
    read.base_position = core_cursor_u64(cursor);
    uint32_t count = core_cursor_u32(cursor);
    partition_lane *lane =
        core_cursor_ok(cursor) ? partition_lane_get(partition, project, trigger) : NULL;
    if (lane == NULL || lane->hold.held > 0)
        return false;
    lane->hold.chain = read.chain;
    lane->hold.held = read.held;
    lane->hold.bytes = read.bytes;
    lane->hold.head = read.head;
    lane->hold.last = read.last;
    lane->hold.last_position = read.last_position;
    lane->hold.base = read.base;
    lane->hold.base_position = read.base_position;
    partition->held_tasks += read.held;
    partition->held_bytes += read.bytes;
    lane->owner->held_bytes += read.bytes;
    for (uint32_t i = 0; i < count; i++)
        if (core_cursor_left(cursor) < sizeof(uint64_t) ||
            !partition_hold_done_add(&lane->hold, core_cursor_u64(cursor)))
            return false;
    return true;
}
