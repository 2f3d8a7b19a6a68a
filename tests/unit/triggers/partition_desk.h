/* The desk of test_partition.c: whoever a partition asks, with answers when the test gives them.
 * Include once, after cmocka. */
#ifndef WALCAST_TESTS_UNIT_TRIGGERS_PARTITION_DESK_H
#define WALCAST_TESTS_UNIT_TRIGGERS_PARTITION_DESK_H

#include "triggers/partition.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MANY = 256, BATCH_MS = 200 };

typedef struct {
    triggers_partition *partition;
    triggers_attempt attempts[MANY]; /* that have begun, in order */
    bool ended[MANY];
    size_t attempt_count;
    struct {
        uint64_t ticket, position, number;
        core_block *bytes;
    } parks[MANY], fetches[MANY], buries[MANY];
    size_t park_count, park_done, fetch_count, fetch_done, bury_count, bury_done;
    char reasons[MANY][TRIGGERS_REASON_MAX];
    core_block *records[MANY];
    size_t record_count, record_done;
    core_block *copies[MANY]; /* position is its place + 1 */
    uint64_t copy_keys[MANY];
    size_t copy_count, clears;
    int64_t now_ms;
    bool is_paused, is_unknown;
    uint64_t revision;
    int64_t not_before_ms, batch_ms;
    size_t admitted; /* and neither attempted nor given back */
    size_t max_tasks;
    int64_t append_every_ms; /* of who takes over */
    uint32_t batch_size;
    size_t batch_bytes;
    uint32_t partitions;
    bool has_projects;
    const char *project; /* whose tasks are fed */
} desk;

static const int64_t delays[] = {5000, 60000};

static void on_policy(void *context, core_slice project, core_slice trigger,
                      triggers_policy *policy) {
    const desk *d = context;
    (void)project;
    *policy = (triggers_policy){.is_known = !d->is_unknown && !core_slice_is(trigger, "unknown"),
                                .is_paused = d->is_paused,
                                .revision = d->revision,
                                .max_attempts = 2,
                                .batch_size = d->batch_size,
                                .batch_ms = d->batch_ms,
                                .batch_bytes = d->batch_bytes,
                                .partitions = d->partitions,
                                .retry = {.delays_ms = delays, .count = 2}};
}
static int64_t on_admit(void *context, core_slice project, core_slice trigger, int64_t now_ms,
                        const char **reason) {
    desk *d = context;
    (void)project;
    (void)trigger;
    *reason = "its rate";
    if (d->not_before_ms > now_ms)
        return d->not_before_ms;
    d->admitted++;
    return 0;
}
static void on_unadmit(void *context, core_slice project, core_slice trigger) {
    ((desk *)context)->admitted--;
    (void)project;
    (void)trigger;
}
static void on_attempt(void *context, const triggers_attempt *attempt) {
    desk *d = context;
    d->attempts[d->attempt_count] = *attempt;
    (void)core_block_retain(attempt->task);
    d->attempt_count++;
    d->admitted--;
}
static void on_park(void *context, uint64_t ticket, uint64_t number, core_slice parked) {
    desk *d = context;
    d->parks[d->park_count].number = number;
    d->parks[d->park_count].ticket = ticket;
    d->parks[d->park_count++].bytes = core_block_copy(parked);
}
static void on_fetch(void *context, uint64_t ticket, uint64_t position) {
    desk *d = context;
    d->fetches[d->fetch_count].ticket = ticket;
    d->fetches[d->fetch_count++].position = position;
}
static void on_bury(void *context, const triggers_burial *burial) {
    desk *d = context;
    (void)!core_slice_to_text(burial->reason, d->reasons[d->bury_count], TRIGGERS_REASON_MAX);
    d->buries[d->bury_count].position = burial->sequence;
    d->buries[d->bury_count++].ticket = burial->ticket;
}
static void on_append(void *context, core_slice record) {
    desk *d = context;
    d->records[d->record_count++] = core_block_copy(record);
}
static void on_clear(void *context, uint64_t key_hash, uint64_t position) {
    desk *d = context;
    (void)key_hash;
    (void)position;
    d->clears++;
}

static void desk_take_over(desk *d) {
    const triggers_partition_io io = {d,       on_policy, on_admit, on_unadmit, on_attempt,
                                      on_park, on_fetch,  on_bury,  on_append,  on_clear};
    const triggers_partition_limits limits = {.max_tasks = d->max_tasks,
                                              .max_bytes = 1 << 20,
                                              .max_done = 100,
                                              .max_parked_keys = 8,
                                              .max_held_bytes = 1 << 20,
                                              .max_state_bytes = 1 << 20,
                                              .append_every_ms = d->append_every_ms,
                                              .max_attempts = 8,
                                              .has_projects = d->has_projects,
                                              .seed = 1};
    core_error error = {0};
    triggers_partition_free(d->partition);
    d->partition = triggers_partition_new(&io, &limits, &error);
    assert_non_null(d->partition);
}

static void desk_open_batches(desk *d, size_t max_tasks, uint32_t batch_size, size_t batch_bytes) {
    *d = (desk){.now_ms = 1000000,
                .project = "p",
                .revision = 1,
                .max_tasks = max_tasks,
                .batch_size = batch_size,
                .batch_ms = BATCH_MS,
                .batch_bytes = batch_bytes};
    desk_take_over(d);
    triggers_partition_begin(d->partition, 7, d->now_ms);
}
static void desk_open(desk *d) {
    desk_open_batches(d, 4, 0, 0);
}
/* A large window, perhaps of several projects. */
static inline void desk_open_of(desk *d, bool has_projects) {
    *d = (desk){.now_ms = 1000000,
                .project = "p",
                .revision = 1,
                .max_tasks = 64,
                .has_projects = has_projects};
    desk_take_over(d);
    triggers_partition_begin(d->partition, 7, d->now_ms);
}

/* Everything but attempts is answered, well. */
static void settle(desk *d) {
    bool busy = true;
    while (busy) {
        busy = false;
        if (d->record_done < d->record_count && (busy = true))
            triggers_partition_appended(d->partition, ++d->record_done, d->now_ms);
        if (d->park_done < d->park_count && (busy = true)) {
            size_t i = d->park_done++;
            d->copy_keys[d->copy_count] = d->parks[i].ticket;
            d->copies[d->copy_count++] = d->parks[i].bytes;
            triggers_partition_parked(d->partition, d->parks[i].ticket, d->parks[i].number,
                                      d->copy_count, CORE_ERROR_NONE, d->now_ms);
        }
        if (d->fetch_done < d->fetch_count && (busy = true)) {
            size_t i = d->fetch_done++, at = d->fetches[i].position - 1;
            while (at < d->copy_count && d->copy_keys[at] != d->fetches[i].ticket)
                at++;
            assert_true(at < d->copy_count);
            triggers_partition_fetched(d->partition, d->fetches[i].ticket, d->copies[at], at + 1,
                                       CORE_ERROR_NONE, d->now_ms);
        }
        if (d->bury_done < d->bury_count && (busy = true))
            triggers_partition_buried(d->partition, d->buries[d->bury_done++].ticket,
                                      CORE_ERROR_NONE, d->now_ms);
    }
}

static void desk_close(desk *d) {
    triggers_partition_free(d->partition);
    assert_int_equal(d->admitted, 0);
    for (size_t i = 0; i < MANY; i++) {
        core_block_release(d->records[i]);
        core_block_release(d->copies[i]);
        if (i < d->attempt_count)
            core_block_release(d->attempts[i].task);
    }
}

static void feed_hashed(desk *d, uint64_t sequence, const char *trigger, const char *key,
                        uint64_t key_hash) {
    core_buffer out;
    core_buffer_init(&out, 4096);
    const triggers_task task = {
        .project = core_slice_text(d->project),
        .trigger = core_slice_text(trigger),
        .event_id = core_slice_text("e"),
        .key = core_slice_text(key),
        .key_hash = key_hash,
        .body = core_slice_text("{}"),
    };
    triggers_task_write(&task, &out);
    core_block *block = core_block_copy(core_buffer_slice(&out));
    assert_true(triggers_partition_feed(d->partition, sequence, block, d->now_ms));
    core_block_release(block);
    core_buffer_fini(&out);
    settle(d);
}
static void feed_of(desk *d, uint64_t sequence, const char *trigger, const char *key) {
    feed_hashed(d, sequence, trigger, key,
                triggers_key_hash(core_slice_text(d->project), core_slice_text(trigger),
                                  core_slice_text(key)));
}
static void feed(desk *d, uint64_t sequence, const char *key) {
    feed_of(d, sequence, "t", key);
}

static void end(desk *d, uint64_t sequence, triggers_end_kind kind, int64_t retry_after_ms) {
    const triggers_end how = {.kind = kind,
                              .status = kind == TRIGGERS_END_DELIVERED ? 200 : 500,
                              .retry_after_ms = retry_after_ms,
                              .reason = core_slice_text("status 500")};
    for (size_t i = 0; i < d->attempt_count; i++)
        if (d->attempts[i].sequence == sequence && !d->ended[i]) {
            d->ended[i] = true;
            triggers_partition_attempted(d->partition, d->attempts[i].ticket, &how, d->now_ms);
            settle(d);
            return;
        }
    fail_msg("no attempt of %llu is under way", (unsigned long long)sequence);
}
static void good(desk *d, uint64_t sequence) {
    end(d, sequence, TRIGGERS_END_DELIVERED, 0);
}
static inline void bad(desk *d, uint64_t sequence) {
    end(d, sequence, TRIGGERS_END_FAILED, 0);
}

static int64_t wait_ms(desk *d, int64_t for_ms) {
    int64_t next_ms;
    d->now_ms += for_ms;
    triggers_partition_tick(d->partition, d->now_ms, &next_ms);
    settle(d);
    triggers_partition_tick(d->partition, d->now_ms, &next_ms);
    return next_ms - d->now_ms;
}

static inline size_t under_way(const desk *d, uint64_t sequence) {
    size_t count = 0;
    for (size_t i = 0; i < d->attempt_count; i++)
        count += d->attempts[i].sequence == sequence && !d->ended[i];
    return count;
}

#endif
