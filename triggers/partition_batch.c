/* Several tasks of a key in one attempt.
 *
 * Gathering. A live key waits in the heap until `batch_size` of its tasks are in the window, the
 * first of them has waited `batch_ms`, or the window is full. What was put aside has waited.
 *
 * Forming. The first tasks become the last one of them: its bytes are the batch's, and the others
 * are its members, out of the key's hands and done when it is. From there on it goes as any task,
 * by the last one's sequence. Only a live key's head becomes a batch. So of a chain only the first
 * can be one, which is found by its place in the stream of parked tasks; a later copy is always of
 * one task and the one before it, whoever made it. If another owner forms another batch, what
 * follows that is not taken for what follows this.
 *
 * Telling. What became of a batch is told of each task, and all of it stands in one record, which
 * is one message: so what may be told of the batches under way is counted, and bounded. */
#include "triggers/batch.h"
#include "triggers/partition_private.h"

#include <stdlib.h>

enum {
    TOLD_MAX_BYTES = 192 * 1024,     /* of one batch */
    PROMISED_MAX_BYTES = 256 * 1024, /* from then on no other one begins */
    ENTRY_BYTES = 96,                /* besides its texts */
    ENTRIES = 2,                     /* of a task, for one attempt: failed and parked, at most */
};

/* ---- gathering ---- */

static bool key_may_batch(const partition_key *key) {
    return key->first != NULL && key->parked == 0 && key->parking == 0 && !key->is_parking &&
           !key->is_dead && key->attempts == 0 && key->first->members == NULL;
}

bool partition_key_gather(triggers_partition *partition, partition_key *key) {
    triggers_policy policy;
    if (!key_may_batch(key) || partition_is_full(partition) || key->lane->is_closing ||
        key->first->is_recalled)
        return false;
    partition_lane_policy(partition, key->lane, &policy);
    int64_t until_ms = key->first->fed_ms + policy.batch_ms;
    if (policy.batch_size <= 1 || key->waiting >= policy.batch_size ||
        until_ms <= partition->now_ms)
        return false;
    if (partition_key_at(key) == KEY_WAITING)
        partition_key_move(key, KEY_IDLE);
    partition_wait_begin(partition, key, until_ms);
    key->is_gathering = true;
    partition->gathering++;
    return true;
}

void partition_gather_check(triggers_partition *partition, partition_key *key) {
    triggers_policy policy;
    partition_lane_policy(partition, key->lane, &policy);
    if (key->waiting < policy.batch_size)
        return;
    partition_wait_end(partition, key);
    partition_key_line(partition, key);
}

void partition_gather_end(triggers_partition *partition) {
    for (size_t i = 0; partition->gathering > 0 && i < partition->window_count; i++) {
        const partition_item *item =
            partition->window[(partition->window_first + i) % partition->window_capacity];
        if (item->task == NULL || !item->key->is_gathering)
            continue;
        partition_wait_end(partition, item->key);
        partition_key_line(partition, item->key);
    }
}

/* ---- what is told ---- */

static size_t entries_bytes(const triggers_task *task, size_t event_id_length) {
    return ENTRIES * (ENTRY_BYTES + task->project.length + task->trigger.length + task->key.length +
                      event_id_length + TRIGGERS_EVENT_ID_MAX / 2 + TRIGGERS_BATCH_REASON_MAX);
}

bool partition_batch_waits(const triggers_partition *partition) {
    return partition->promised >= PROMISED_MAX_BYTES;
}

bool partition_batch_promise(triggers_partition *partition, partition_key *key) {
    triggers_task task;
    core_error ignored;
    core_slice event_id;
    size_t told = 0;
    if (!triggers_task_read(core_slice_make(key->held->bytes + key->held_offset,
                                            key->held->length - key->held_offset),
                            &task, &ignored) ||
        task.batch.length == 0)
        return true;
    if (partition_batch_waits(partition))
        return false;
    core_cursor cursor = core_cursor_make(task.batch);
    while (triggers_batch_next(&cursor, &event_id))
        told += entries_bytes(&task, event_id.length);
    key->promised = told;
    partition->promised += told;
    return true;
}

/* ---- forming ---- */

/* The key's first tasks, up to one that cannot be read, or what may be told of them. */
static size_t tasks_read(const partition_key *key, triggers_task *tasks, size_t max, size_t *told) {
    size_t count = 0;
    core_error ignored;
    *told = 0;
    for (const partition_item *item = key->first; item != NULL && count < max; item = item->next) {
        if (!triggers_task_read(core_block_slice(item->task), &tasks[count], &ignored))
            break;
        size_t more = entries_bytes(&tasks[count], tasks[count].event_id.length);
        if (*told + more > TOLD_MAX_BYTES)
            break;
        *told += more;
        count++;
    }
    return count;
}

/* The first `count` become the last one of them. */
static void items_merge(triggers_partition *partition, partition_key *key, size_t count,
                        core_block *batch, size_t promised) {
    partition_item *first = key->first, *before = first;
    for (size_t i = 0; i + 2 < count; i++)
        before = before->next;
    partition_item *last = before->next;
    before->next = NULL;
    key->first = last;
    key->waiting -= count - 1;
    size_t *bytes = last->is_recalled ? &partition->recalled_bytes : &partition->bytes;
    *bytes += batch->length - last->task->length;
    core_block_release(last->task);
    last->task = batch;
    last->members = first;
    last->member_count = count - 1;
    last->promised = promised;
    partition->promised += promised;
}

/* Without memory for it the first task goes alone. */
void partition_batch_form(triggers_partition *partition, partition_key *key) {
    triggers_policy policy;
    size_t promised;
    partition_lane_policy(partition, key->lane, &policy);
    if (policy.batch_size <= 1 || key->waiting < 2 || !key_may_batch(key) ||
        partition_batch_waits(partition))
        return;
    size_t max = key->waiting < policy.batch_size ? key->waiting : policy.batch_size;
    triggers_task *tasks = calloc(max, sizeof *tasks);
    if (tasks == NULL)
        return;
    size_t count = tasks_read(key, tasks, max, &promised);
    if (count > 1)
        count = triggers_batch_count(tasks, count, policy.batch_bytes);
    core_block *batch = count > 1 ? triggers_batch_write(tasks, count) : NULL;
    if (batch != NULL)
        items_merge(partition, key, count, batch, promised);
    free(tasks);
}
