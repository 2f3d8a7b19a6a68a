/* The world of test_partition_sim.c: tasks, a log, parked copies, dead letters and endpoints, what
 * owners ask of them and what becomes of it, with faults from a seed. Include once, after cmocka.
 */
#ifndef WALCAST_TESTS_UNIT_TRIGGERS_PARTITION_WORLD_H
#define WALCAST_TESTS_UNIT_TRIGGERS_PARTITION_WORLD_H

#include "triggers/batch.h"
#include "triggers/partition.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TASKS = 160,
    KEYS = 14,
    TRIGGERS = 4, /* good, flaky, one that always fails, one that is gone */
    OWNERS = 3,
    OPS = 512,
    RECORDS = 8192,
    COPIES = 8192,
    FAULTS_END_MS = 20000,
    PAUSE_END_MS = FAULTS_END_MS + 25000, /* of trigger 0, from the faults' end on */
    TASKS_LATE = 40,                      /* that come during it */
    STEPS_MAX = 400000,
    NEVER = -1,
};

static const int64_t delays[] = {40, 150, 600};
enum { ATTEMPTS_MAX = 4 };

typedef enum { OP_ATTEMPT, OP_PARK, OP_FETCH, OP_BURY, OP_APPEND } op_kind;

typedef struct {
    bool used, effected;
    op_kind kind;
    int owner;
    unsigned life; /* of the owner's; another one: nobody waits for the answer */
    int64_t at_ms;
    uint64_t ticket, number, position;
    core_block *bytes;
    size_t offset;
    core_error_code code; /* the effect's */
    uint64_t stored;
    triggers_end end;
} sim_op;

typedef struct {
    uint64_t sequence, key;
    int trigger;
    bool fed_at;
    bool delivered, dead, copied;
    int attempts;
} sim_task;

typedef struct {
    core_block *bytes;
    uint64_t sequence;
} sim_record;

typedef struct {
    uint64_t key, position;
    core_block *bytes; /* NULL: purged */
} sim_copy;

typedef struct {
    triggers_partition *partition;
    unsigned life;
    bool asleep;
    int64_t wake_ms;
    uint64_t id, expected; /* the log's last record that it knows */
    size_t next_task;
    int64_t tick_ms;
    uint64_t busy[KEYS + 1]; /* attempts under way by key number */
    core_block *record;      /* under way */
    long admitted[TRIGGERS]; /* and neither attempted nor given back */
} sim_owner;

typedef struct {
    uint64_t random, seed;
    int64_t now_ms;
    size_t task_count; /* that the stream holds by now */
    sim_task tasks[TASKS];
    uint64_t key_hash[KEYS];
    int key_trigger[KEYS];
    sim_record records[RECORDS];
    size_t record_count;
    uint64_t log_sequence, position;
    sim_copy copies[COPIES];
    size_t copy_count;
    sim_op ops[OPS];
    sim_owner owners[OWNERS];
    bool faults;
    uint64_t watermark;
    size_t first_not_passed;
    uint64_t last_owner;
    uint64_t former_owners[256];
    size_t former_count;
    int64_t paused_ms[TRIGGERS], held_ms[TRIGGERS]; /* until when */
    size_t max_parked_keys, max_bytes;
    uint64_t max_held_bytes;
    uint32_t partitions; /* that a trigger is taken to be in */
    bool has_projects;
    int64_t append_every_ms;
    int64_t step_ms;
    size_t limited;
    bool is_pause_over;
    size_t last_first[KEYS];       /* index + 1 of the last task that was first delivered */
    uint32_t batch_size[TRIGGERS]; /* 0: no batches */
    int64_t batch_ms[TRIGGERS];
    size_t batch_bytes;
    int64_t full_ms;               /* until then there is no room for parked copies */
    size_t in_company, gaps, late; /* copies of a chain beside others; of them refused; see below */
    size_t kills, sleeps, fenced, resolved, repeats, withdrawn, parked, dead, held, passed;
    size_t batches, batched, whole, parked_batches; /* attempts; their tasks; of the full size */
} sim;

static uint64_t rnd(sim *s, uint64_t below) {
    s->random ^= s->random << 13;
    s->random ^= s->random >> 7;
    s->random ^= s->random << 17;
    return (s->random >> 11) % below;
}
static bool chance(sim *s, unsigned percent) {
    return rnd(s, 100) < percent;
}

static void sim_check(const sim *s, bool holds, const char *what) {
    if (!holds)
        fail_msg("seed %" PRIu64 " at %" PRId64 " ms: not so: %s", s->seed, s->now_ms, what);
}
#define SIM_CHECK(s, condition) sim_check((s), (condition), #condition)

static sim_task *task_of(sim *s, uint64_t sequence) {
    for (size_t i = 0; i < TASKS; i++)
        if (s->tasks[i].sequence == sequence)
            return &s->tasks[i];
    return NULL;
}

static size_t key_number(const sim *s, uint64_t hash) {
    for (size_t i = 0; i < KEYS; i++)
        if (s->key_hash[i] == hash)
            return i;
    return KEYS;
}

/* The tasks that the bytes stand for: a task's own one, or a batch's. */
static size_t tasks_in(sim *s, core_slice bytes, sim_task *tasks[TASKS]) {
    triggers_task read;
    core_error error;
    core_slice id;
    size_t count = 0;
    SIM_CHECK(s, triggers_task_read(bytes, &read, &error));
    core_cursor cursor = core_cursor_make(read.batch);
    if (read.batch.length == 0) {
        tasks[count++] = task_of(s, (uint64_t)read.event_time_us);
        return count;
    }
    while (triggers_batch_next(&cursor, &id)) {
        char text[24];
        SIM_CHECK(s, count < TASKS && core_slice_to_text(id, text, sizeof text));
        tasks[count] = task_of(s, strtoull(text, NULL, 10));
        SIM_CHECK(s, tasks[count] != NULL);
        count++;
    }
    SIM_CHECK(s, count > 1 && core_cursor_done(&cursor));
    return count;
}

/* A batch is of one key and leaves none of its tasks out, and its body is the list of theirs. */
static void batch_check(sim *s, core_slice bytes, sim_task *const tasks[TASKS], size_t count) {
    triggers_task read;
    core_error error;
    char body[TASKS * 24], id[64];
    size_t length = 0;
    SIM_CHECK(s, count <= s->batch_size[tasks[0]->trigger]);
    SIM_CHECK(s, triggers_task_read(bytes, &read, &error) && read.body.length <= s->batch_bytes);
    for (size_t i = 0; i < count; i++) {
        length += (size_t)snprintf(body + length, sizeof body - length, "%c%" PRIu64,
                                   i == 0 ? '[' : ',', tasks[i]->sequence);
        SIM_CHECK(s, tasks[i]->key == tasks[0]->key);
        for (const sim_task *between = tasks[i] + 1; i + 1 < count && between < tasks[i + 1];
             between++)
            SIM_CHECK(s, between->key != tasks[0]->key);
    }
    (void)snprintf(body + length, sizeof body - length, "]");
    (void)snprintf(id, sizeof id, "%" PRIu64 "..%" PRIu64, tasks[0]->sequence,
                   tasks[count - 1]->sequence);
    SIM_CHECK(s, core_slice_is(read.body, body) && core_slice_is(read.event_id, id));
    s->batches++;
    s->batched += count;
    s->whole += count == s->batch_size[tasks[0]->trigger];
}

/* ---- what an owner asks for ---- */

static sim_op *op_new(sim *s, int owner, op_kind kind, int64_t delay_ms) {
    for (size_t i = 0; i < OPS; i++)
        if (!s->ops[i].used) {
            s->ops[i] = (sim_op){.used = true,
                                 .kind = kind,
                                 .owner = owner,
                                 .life = s->owners[owner].life,
                                 .at_ms = s->now_ms + delay_ms};
            return &s->ops[i];
        }
    fail_msg("seed %" PRIu64 ": too many operations", s->seed);
    return NULL;
}

typedef struct {
    sim *s;
    int owner;
} sim_context;
static sim_context contexts[OWNERS];

static int trigger_number(core_slice trigger) {
    return trigger.length == 2 && trigger.data[0] == 't' ? trigger.data[1] - '0' : NEVER;
}

static void on_policy(void *context, core_slice project, core_slice trigger,
                      triggers_policy *policy) {
    const sim *s = ((const sim_context *)context)->s;
    int number = trigger_number(trigger);
    (void)project;
    *policy = (triggers_policy){
        .is_known = number != NEVER,
        .is_paused = number != NEVER && s->paused_ms[number] > s->now_ms,
        .revision = 3,
        .max_attempts = 3,
        .batch_size = number != NEVER ? s->batch_size[number] : 0,
        .batch_ms = number != NEVER ? s->batch_ms[number] : 0,
        .batch_bytes = s->batch_bytes,
        .partitions = s->partitions,
        .retry = {.delays_ms = delays, .count = CORE_COUNT_OF(delays), .jitter_percent = 20}};
}

static int64_t on_admit(void *context, core_slice project, core_slice trigger, int64_t now_ms,
                        const char **reason) {
    sim_context *c = context;
    (void)project;
    *reason = "for now";
    int64_t *held_ms = &c->s->held_ms[trigger_number(trigger)];
    if (c->s->faults && chance(c->s, 5))
        return now_ms + 1 + (int64_t)rnd(c->s, 200);
    if (c->s->faults && rnd(c->s, 200) == 0) /* a breaker */
        *held_ms = now_ms + 500 + (int64_t)rnd(c->s, 5000);
    if (*held_ms > now_ms)
        return *held_ms;
    c->s->owners[c->owner].admitted[trigger_number(trigger)]++;
    return 0;
}

static void on_unadmit(void *context, core_slice project, core_slice trigger) {
    sim_context *c = context;
    (void)project;
    c->s->owners[c->owner].admitted[trigger_number(trigger)]--;
}

static void on_attempt(void *context, const triggers_attempt *attempt) {
    sim_context *c = context;
    sim *s = c->s;
    sim_owner *owner = &s->owners[c->owner];
    size_t key = key_number(s, attempt->ticket);
    sim_task *task = task_of(s, attempt->sequence);
    SIM_CHECK(s, task != NULL && key < KEYS && task->key == attempt->ticket);
    SIM_CHECK(s, owner->busy[key] == 0); /* one at a time */
    owner->busy[key] = attempt->sequence;
    bool hangs = s->faults && chance(s, 4);
    sim_op *op = op_new(s, c->owner, OP_ATTEMPT, hangs ? 3000 : 1 + (int64_t)rnd(s, 30));
    op->ticket = attempt->ticket;
    op->number = attempt->sequence;
    op->bytes = core_block_retain(attempt->task);
    op->offset = attempt->offset;
    triggers_task read;
    core_error error;
    SIM_CHECK(s, triggers_task_read(
                     core_slice_make(op->bytes->bytes + op->offset, op->bytes->length - op->offset),
                     &read, &error));
    SIM_CHECK(s, read.event_time_us == (int64_t)attempt->sequence);
    sim_task *tasks[TASKS];
    core_slice bytes =
        core_slice_make(op->bytes->bytes + op->offset, op->bytes->length - op->offset);
    size_t count = tasks_in(s, bytes, tasks);
    SIM_CHECK(s, tasks[count - 1] == task);
    if (count > 1)
        batch_check(s, bytes, tasks, count);
    task->attempts++;
    owner->admitted[task->trigger]--;
}

static sim_op *op_with_bytes(sim_context *c, op_kind kind, core_slice bytes) {
    sim_op *op = op_new(c->s, c->owner, kind, (int64_t)rnd(c->s, 20));
    op->bytes = core_block_copy(bytes);
    return op;
}

/* The owner's copy of the same chain that was sent last and is not answered yet. */
static sim_op *copy_before(sim *s, const sim_op *op) {
    sim_op *before = NULL;
    for (size_t i = 0; i < OPS; i++) {
        sim_op *other = &s->ops[i];
        bool is_like = other->used && other != op && other->kind == OP_PARK &&
                       other->owner == op->owner && other->life == op->life &&
                       other->ticket == op->ticket;
        if (is_like && (before == NULL || other->number > before->number))
            before = other;
    }
    return before;
}

/* They arrive in the order that they are sent in, mostly. */
static void on_park(void *context, uint64_t ticket, uint64_t number, core_slice parked) {
    sim *s = ((sim_context *)context)->s;
    sim_op *op = op_with_bytes(context, OP_PARK, parked);
    op->ticket = ticket;
    op->number = number;
    const sim_op *before = copy_before(s, op);
    if (before == NULL)
        return;
    SIM_CHECK(s, key_number(s, ticket) == KEYS); /* of a key one at a time */
    s->in_company++;
    if (!before->effected && before->at_ms > op->at_ms && (!s->faults || !chance(s, 3)))
        op->at_ms = before->at_ms;
}

static void on_fetch(void *context, uint64_t ticket, uint64_t position) {
    sim_context *c = context;
    sim_op *op = op_new(c->s, c->owner, OP_FETCH, (int64_t)rnd(c->s, 20));
    op->ticket = ticket;
    op->position = position;
}

static void on_bury(void *context, const triggers_burial *burial) {
    sim_context *c = context;
    sim_op *op = op_with_bytes(context, OP_BURY, burial->task);
    SIM_CHECK(c->s, burial->reason.length > 0);
    op->ticket = burial->ticket;
    op->number = burial->sequence;
}

static void on_append(void *context, core_slice record) {
    sim_context *c = context;
    sim_owner *owner = &c->s->owners[c->owner];
    SIM_CHECK(c->s, owner->record == NULL);
    sim_op *op = op_with_bytes(context, OP_APPEND, record);
    op->position = owner->expected;
    owner->record = core_block_retain(op->bytes);
}

static void on_clear(void *context, uint64_t key_hash, uint64_t position) {
    sim *s = ((sim_context *)context)->s;
    if (s->faults && chance(s, 30))
        return;
    for (size_t i = 0; i < s->copy_count; i++)
        if (s->copies[i].key == key_hash && s->copies[i].position <= position) {
            core_block_release(s->copies[i].bytes);
            s->copies[i].bytes = NULL;
        }
}

/* ---- what becomes of it ---- */

static void delivered(sim *s, uint64_t sequence) {
    sim_task *task = task_of(s, sequence);
    size_t key = key_number(s, task->key), index = (size_t)(task - s->tasks);
    if (task->delivered || task->dead) { /* a former owner's, perhaps given up by it */
        s->repeats++;
        task->delivered = true;
        return;
    }
    SIM_CHECK(s, s->last_first[key] <= index); /* first deliveries are in order */
    s->last_first[key] = index + 1;
    task->delivered = true;
}

static void effect_attempt(sim *s, sim_op *op) {
    sim_task *task = task_of(s, op->number);
    unsigned fails = task->trigger == 0 ? 0 : task->trigger == 1 ? (s->faults ? 40 : 0) : 100;
    op->end = (triggers_end){.kind = TRIGGERS_END_DELIVERED, .status = 200};
    if (task->trigger == 3)
        op->end = (triggers_end){.kind = TRIGGERS_END_GONE, .status = 410};
    else if (chance(s, fails))
        op->end = (triggers_end){.kind = TRIGGERS_END_FAILED,
                                 .status = 500,
                                 .retry_after_ms = chance(s, 10) ? 100 : 0,
                                 .reason = core_slice_text("status 500")};
    if (s->faults && chance(s, 3)) { /* it was handed over before a sleep, perhaps */
        op->end = (triggers_end){.kind = TRIGGERS_END_WITHDRAWN};
        task->attempts--;
        s->withdrawn++;
    }
    if (op->end.kind != TRIGGERS_END_DELIVERED)
        return;
    sim_task *tasks[TASKS];
    size_t count = tasks_in(
        s, core_slice_make(op->bytes->bytes + op->offset, op->bytes->length - op->offset), tasks);
    for (size_t i = 0; i < count; i++)
        delivered(s, tasks[i]->sequence);
}

static void effect_park(sim *s, sim_op *op) {
    triggers_parked parked;
    core_error error;
    bool is_full = s->faults && (chance(s, 3) || s->full_ms > s->now_ms);
    op->code = is_full ? CORE_ERROR_FULL : CORE_ERROR_NONE;
    const sim_op *last = is_full ? copy_before(s, op) : NULL;
    s->gaps += last != NULL && last->number > op->number;
    if (is_full)
        return;
    SIM_CHECK(s, triggers_parked_read(core_block_slice(op->bytes), &parked, &error));
    SIM_CHECK(s, s->copy_count < COPIES);
    s->copies[s->copy_count++] = (sim_copy){
        .key = op->ticket, .position = ++s->position, .bytes = core_block_retain(op->bytes)};
    op->stored = s->position;
    sim_task *tasks[TASKS];
    size_t count = tasks_in(s, parked.task, tasks);
    SIM_CHECK(s, tasks[count - 1]->sequence == parked.sequence);
    for (size_t i = 0; i < count; i++)
        tasks[i]->copied = true;
    s->parked += count;
    s->parked_batches += count > 1;
}

static void effect_fetch(sim *s, sim_op *op) {
    op->code = CORE_ERROR_INPUT;
    for (size_t i = 0; i < s->copy_count && op->code == CORE_ERROR_INPUT; i++)
        if (s->copies[i].bytes != NULL && s->copies[i].key == op->ticket &&
            s->copies[i].position >= op->position) {
            op->bytes = core_block_retain(s->copies[i].bytes);
            op->stored = s->copies[i].position;
            op->code = CORE_ERROR_NONE;
        }
}

static void effect_bury(sim *s, sim_op *op) {
    op->code = s->faults && chance(s, 10) ? CORE_ERROR_FULL : CORE_ERROR_NONE;
    if (op->code != CORE_ERROR_NONE)
        return;
    sim_task *tasks[TASKS];
    size_t count = tasks_in(s, core_block_slice(op->bytes), tasks);
    SIM_CHECK(s, tasks[count - 1]->sequence == op->number);
    for (size_t i = 0; i < count; i++) {
        size_t key = key_number(s, tasks[i]->key), index = (size_t)(tasks[i] - s->tasks);
        if (!tasks[i]->delivered && !tasks[i]->dead && s->last_first[key] <= index)
            s->dead++;
        tasks[i]->dead = true;
    }
}

/* A record that the log takes: its owner is the last one, and the watermark passes only tasks that
 * are done or kept. */
static void record_check(sim *s, core_slice bytes) {
    triggers_record record;
    core_error error;
    SIM_CHECK(s, triggers_record_read(bytes, &record, &error));
    for (size_t i = 0; i < s->former_count; i++)
        SIM_CHECK(s, s->former_owners[i] != record.owner);
    if (s->last_owner != record.owner) {
        SIM_CHECK(s, record.has_state && record.number == 1);
        SIM_CHECK(s, s->former_count < CORE_COUNT_OF(s->former_owners));
        if (s->last_owner != 0)
            s->former_owners[s->former_count++] = s->last_owner;
        s->last_owner = record.owner;
    }
    core_cursor cursor = core_cursor_make(record.outcomes);
    triggers_entry outcome;
    while (triggers_entry_read(&cursor, &outcome)) {
        SIM_CHECK(s, outcome.kind != TRIGGERS_ENTRY_LOST);
        s->held += outcome.kind == TRIGGERS_ENTRY_HELD;
        s->passed += outcome.kind == TRIGGERS_ENTRY_PASSED;
    }
    SIM_CHECK(s, record.watermark >= s->watermark);
    s->watermark = record.watermark;
    while (s->first_not_passed < TASKS &&
           s->tasks[s->first_not_passed].sequence <= record.watermark) {
        const sim_task *task = &s->tasks[s->first_not_passed++];
        SIM_CHECK(s, task->delivered || task->dead || task->copied);
    }
}

static void effect_append(sim *s, sim_op *op) {
    if (op->position != s->log_sequence) {
        op->code = CORE_ERROR_CONFLICT;
        return;
    }
    SIM_CHECK(s, s->record_count < RECORDS);
    record_check(s, core_block_slice(op->bytes));
    s->log_sequence += 1 + rnd(s, 3);
    s->records[s->record_count++] =
        (sim_record){.bytes = core_block_retain(op->bytes), .sequence = s->log_sequence};
    op->stored = s->log_sequence;
}

static void op_effect(sim *s, sim_op *op) {
    op->code = CORE_ERROR_NONE;
    switch (op->kind) {
    case OP_ATTEMPT:
        effect_attempt(s, op);
        break;
    case OP_PARK:
        effect_park(s, op);
        break;
    case OP_FETCH:
        effect_fetch(s, op);
        break;
    case OP_BURY:
        effect_bury(s, op);
        break;
    case OP_APPEND:
        effect_append(s, op);
        break;
    }
    op->effected = true;
    op->at_ms = s->now_ms + (int64_t)rnd(s, 10);
    /* The answer gets lost: done or not, nobody knows. */
    if (s->faults && op->kind != OP_ATTEMPT && chance(s, 4)) {
        op->code = CORE_ERROR_TRANSIENT;
        op->at_ms += 100;
    }
}

#endif
