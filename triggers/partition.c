/* A partition's life and window; see partition.h.
 *
 * The window is a ring of the tasks that were fed and not passed by the watermark yet, in order.
 * Done ones stay as empty places until all before them are done. */
#include "triggers/partition_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    WINDOW_FIRST = 64,
    PENDING_MAX_BYTES = 16 * 1024 * 1024,
    RECORD_MAX_BYTES = 64 * 1024 * 1024,
    FULL_AGAIN_MS = 100,
    LIMITED_MS = 5000, /* after nothing was refused for lack of room any more */
};

/* ---- life ---- */

triggers_partition *triggers_partition_new(const triggers_partition_io *io,
                                           const triggers_partition_limits *limits,
                                           core_error *error) {
    triggers_partition *partition = calloc(1, sizeof *partition);
    if (partition == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "no memory for a partition");
        return NULL;
    }
    partition->magic = TRIGGERS_PARTITION_MAGIC;
    partition->io = *io;
    partition->limits = *limits;
    partition->random = limits->seed * 2 + 1;
    core_buffer_init(&partition->pending, PENDING_MAX_BYTES);
    core_buffer_init(&partition->record, RECORD_MAX_BYTES);
    core_buffer_init(&partition->record_copy, RECORD_MAX_BYTES);
    core_buffer_init(&partition->state, RECORD_MAX_BYTES);
    if (partition_lanes_init(partition))
        return partition;
    (void)core_error_set(error, CORE_ERROR_INTERNAL, "no memory for a partition's lanes");
    triggers_partition_free(partition);
    return NULL;
}

void triggers_partition_free(triggers_partition *partition) {
    if (partition == NULL)
        return;
    CORE_MAGIC_CHECK(partition, TRIGGERS_PARTITION_MAGIC);
    for (size_t i = 0; i < partition->window_count; i++) {
        size_t at = (partition->window_first + i) % partition->window_capacity;
        core_block_release(partition->window[at]->task);
        free(partition->window[at]);
    }
    free(partition->window);
    partition_keys_free(partition);
    partition_lanes_fini(partition);
    free(partition->heap);
    free(partition->finished);
    free(partition->clears);
    core_buffer_fini(&partition->pending);
    core_buffer_fini(&partition->record);
    core_buffer_fini(&partition->record_copy);
    core_buffer_fini(&partition->state);
    partition->magic = 0;
    free(partition);
}

/* ---- the window ---- */

static bool window_push(triggers_partition *partition, partition_item *item) {
    if (partition->window_count == partition->window_capacity) {
        size_t capacity =
            partition->window_capacity > 0 ? partition->window_capacity * 2 : WINDOW_FIRST;
        partition_item **window = calloc(capacity, sizeof(partition_item *));
        if (window == NULL)
            return false;
        for (size_t i = 0; i < partition->window_count; i++)
            window[i] =
                partition->window[(partition->window_first + i) % partition->window_capacity];
        free(partition->window);
        partition->window = window;
        partition->window_capacity = capacity;
        partition->window_first = 0;
    }
    size_t at = (partition->window_first + partition->window_count++) % partition->window_capacity;
    partition->window[at] = item;
    return true;
}

static void window_pass(triggers_partition *partition) {
    while (partition->window_count > 0) {
        partition_item *item = partition->window[partition->window_first];
        if (item->task != NULL)
            return;
        assert(item->sequence > partition->watermark);
        partition->watermark = item->sequence;
        free(item);
        partition->window_first = (partition->window_first + 1) % partition->window_capacity;
        partition->window_count--;
    }
}

static void item_finish(triggers_partition *partition, partition_item *item) {
    partition->promised -= item->promised;
    item->promised = 0;
    if (item->is_recalled) {
        partition_recall_done(partition, item);
        return;
    }
    partition->tasks--;
    item->key->lane->tasks--;
    partition->bytes -= item->task->length;
    core_block_release(item->task);
    item->task = NULL;
    item->key = NULL;
    window_pass(partition);
}

/* The members stand before it in the window. */
void partition_item_done(triggers_partition *partition, partition_item *item) {
    partition_lane *recalled = item->is_recalled ? item->key->lane : NULL;
    partition_item *member = item->members;
    item->members = NULL;
    while (member != NULL) {
        partition_item *next = member->next;
        item_finish(partition, member);
        member = next;
    }
    item_finish(partition, item);
    if (recalled != NULL)
        partition_hold_pump(partition, recalled);
}

bool partition_is_full(const triggers_partition *partition) {
    return partition->tasks >= partition->limits.max_tasks ||
           (partition->bytes >= partition->limits.max_bytes && partition->tasks > 0) ||
           partition->window_count - partition->tasks >= partition->limits.max_done;
}

bool triggers_partition_has_room(const triggers_partition *partition) {
    return !partition_is_full(partition);
}

uint64_t triggers_partition_watermark(const triggers_partition *partition) {
    return partition->watermark;
}

/* ---- feeding ---- */

/* The task becomes a dead letter by itself, under a key that nothing else has. */
static partition_key *key_of_dead(triggers_partition *partition, uint64_t sequence,
                                  core_slice project, core_slice trigger, const char *reason) {
    uint64_t hash = triggers_key_hash(core_slice_text(""), core_slice_text("?"),
                                      core_slice_make(&sequence, sizeof sequence));
    partition_key *key = hash != 0 ? partition_key_get(partition, hash, project, trigger) : NULL;
    if (key != NULL) {
        key->is_dead = true;
        (void)snprintf(key->reason, sizeof key->reason, "%s", reason);
    }
    return key;
}

/* Of one that cannot be read nobody knows the key. A hash is one trigger's at a time: were it two
 * triggers', one's pause, limits and endpoint would be the other's. */
partition_key *partition_key_of_task(triggers_partition *partition, uint64_t sequence,
                                     core_slice bytes) {
    triggers_task task;
    core_error error = {0};
    if (!triggers_task_read(bytes, &task, &error))
        return key_of_dead(partition, sequence, core_slice_text(""), core_slice_text("?"),
                           error.text);
    const partition_key *known = partition_key_find(partition, task.key_hash);
    if (known != NULL && !partition_lane_is(known->lane, task.project, task.trigger))
        return key_of_dead(partition, sequence, task.project, task.trigger,
                           "its key has the hash of another trigger's key, which has tasks now; "
                           "replay it later, or give it another key");
    return partition_key_get(partition, task.key_hash, task.project, task.trigger);
}

void partition_key_take(triggers_partition *partition, partition_item *item) {
    partition_key *key = item->key;
    *key->last = item;
    key->last = &item->next;
    key->waiting++;
    if (!partition->is_owner)
        return; /* all are lined up when it is */
    if (key->is_parking)
        partition_key_park(partition, key);
    else if (key->is_gathering)
        partition_gather_check(partition, key);
    else
        partition_key_line(partition, key);
}

static void window_take(triggers_partition *partition, partition_item *item) {
    partition->tasks++;
    item->key->lane->tasks++;
    partition->bytes += item->task->length;
    if (!partition_hold_takes(partition, item))
        partition_key_take(partition, item);
}

/* Puts it into the window; false: no memory. */
static bool feed_item(triggers_partition *partition, uint64_t sequence, core_block *task) {
    bool is_done = partition_finished_has(partition, sequence);
    partition_item *item = calloc(1, sizeof *item);
    partition_key *key = NULL;
    if (item == NULL)
        return false;
    if (!is_done)
        key = partition_key_of_task(partition, sequence, core_block_slice(task));
    if ((!is_done && key == NULL) || !window_push(partition, item)) {
        if (key != NULL)
            partition_key_drop(partition, key);
        free(item);
        return false;
    }
    item->sequence = sequence;
    item->fed_ms = partition->now_ms;
    partition->fed = sequence;
    if (is_done) {
        window_pass(partition);
        return true;
    }
    item->task = core_block_retain(task);
    item->key = key;
    window_take(partition, item);
    return true;
}

bool triggers_partition_feed(triggers_partition *partition, uint64_t sequence, core_block *task,
                             int64_t now_ms) {
    CORE_MAGIC_CHECK(partition, TRIGGERS_PARTITION_MAGIC);
    partition->now_ms = now_ms;
    if (sequence <= partition->watermark || sequence <= partition->fed)
        return true;
    if (partition_is_full(partition) || !feed_item(partition, sequence, task))
        return false;
    partition_run(partition);
    partition_append(partition);
    return true;
}

/* ---- time ---- */

static void earlier(int64_t *next_ms, int64_t candidate_ms) {
    if (candidate_ms < *next_ms)
        *next_ms = candidate_ms;
}

void triggers_partition_tick(triggers_partition *partition, int64_t now_ms, int64_t *next_ms) {
    CORE_MAGIC_CHECK(partition, TRIGGERS_PARTITION_MAGIC);
    partition->now_ms = now_ms;
    while (partition->is_owner && partition->heap_count > 0 &&
           partition->heap[0]->next_ms <= now_ms) {
        partition_key *key = partition->heap[0];
        partition_wait_end(partition, key);
        partition_key_line(partition, key);
    }
    if (partition->again != NULL && partition->again_ms <= now_ms)
        partition_park_again(partition);
    *next_ms = TRIGGERS_NEVER_MS;
    if (partition_is_full(partition))
        partition_gather_end(partition);
    partition_relieve(partition, next_ms);
    partition_hold_step(partition);
    partition_holds_tick(partition, next_ms);
    partition_run(partition);
    partition_append(partition);
    partition_append_due(partition, next_ms);
    if (partition->limited_ms != 0 && now_ms - partition->limited_ms >= LIMITED_MS)
        partition->limited_ms = 0;
    if (partition->limited_ms != 0)
        earlier(next_ms, partition->limited_ms + LIMITED_MS);
    if (partition_is_full(partition) || partition->closing > 0)
        earlier(next_ms, now_ms + FULL_AGAIN_MS);
    if (partition->heap_count > 0)
        earlier(next_ms, partition->heap[0]->next_ms);
    if (partition->again != NULL)
        earlier(next_ms, partition->again_ms);
    const partition_lane *lane = partition->active;
    for (; lane != NULL; lane = lane->next_active == partition->active ? NULL : lane->next_active) {
        if (lane->not_before_ms > now_ms)
            earlier(next_ms, lane->not_before_ms);
        if (lane->tell_ms > now_ms)
            earlier(next_ms, lane->tell_ms);
    }
}

void triggers_partition_refresh(triggers_partition *partition, int64_t now_ms) {
    CORE_MAGIC_CHECK(partition, TRIGGERS_PARTITION_MAGIC);
    partition->now_ms = now_ms;
    for (size_t i = partition->lane_count; i > 0; i--) /* a dropped one's place gets the last */
        partition_lane_refresh(partition, partition->lanes[i - 1]);
    partition->opened_ms = 0;
    partition_run(partition);
    partition_append(partition);
}

uint64_t triggers_partition_held_bytes(const triggers_partition *partition) {
    return partition->held_bytes + partition->copying_bytes;
}

void triggers_partition_held_max(triggers_partition *partition, uint64_t bytes,
                                 uint32_t partitions) {
    CORE_MAGIC_CHECK(partition, TRIGGERS_PARTITION_MAGIC);
    partition->limits.max_held_bytes = bytes;
    partition->limits.partitions = partitions;
}

void triggers_partition_hold(triggers_partition *partition, bool is_held) {
    partition->is_held = is_held;
}

void triggers_partition_poke(triggers_partition *partition, core_slice project, core_slice trigger,
                             int64_t now_ms) {
    CORE_MAGIC_CHECK(partition, TRIGGERS_PARTITION_MAGIC);
    partition->now_ms = now_ms;
    partition_lane *lane = partition_lane_find(partition, project, trigger);
    if (lane == NULL)
        return;
    lane->not_before_ms = 0;
    partition_hold_pump(partition, lane);
    partition_run(partition);
    partition_append(partition);
}

triggers_partition_stats triggers_partition_look(const triggers_partition *partition) {
    return (triggers_partition_stats){
        .tasks = partition->tasks,
        .bytes = partition->bytes,
        .done = partition->window_count - partition->tasks,
        .parked_keys = partition->parked_keys,
        .parked_tasks = partition->parked_tasks + partition->held_tasks,
        .held_tasks = partition->held_tasks,
        .attempts = partition->attempts,
        .lanes = partition->lane_count,
        .is_quiet =
            partition->attempts == 0 && !partition->is_appending && partition->pending.length == 0,
        .holds_up = partition->holds_up,
        .is_limited = partition->limited_ms != 0,
    };
}
