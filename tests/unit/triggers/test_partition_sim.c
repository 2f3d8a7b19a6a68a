/* Partitions under faults, simulated from seeds: owners are killed, sleep and wake when another has
 * taken over; answers are lost; what a dead owner had sent arrives late; endpoints fail, hang and
 * are gone; streams refuse. What must hold whatever happens is checked with each step.
 *
 *     unit_triggers_partition_sim [FIRST_SEED [COUNT]]
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/triggers/partition_world.h"

/* ---- owners ---- */

static void op_free(sim_op *op) {
    core_block_release(op->bytes);
    *op = (sim_op){0};
}

static void owner_end(sim *s, int number) {
    sim_owner *owner = &s->owners[number];
    if (owner->partition == NULL)
        return;
    triggers_partition_free(owner->partition);
    for (size_t i = 0; i < TRIGGERS; i++)
        SIM_CHECK(s, owner->admitted[i] == 0);
    core_block_release(owner->record);
    unsigned life = owner->life + 1;
    *owner = (sim_owner){.life = life};
    for (size_t i = 0; i < OPS; i++) {
        sim_op *op = &s->ops[i];
        if (op->used && op->owner == number && op->life != life && !op->effected &&
            (op->kind == OP_FETCH || chance(s, 50)))
            op_free(op); /* it was not sent; the others arrive, whoever sent them */
    }
}

static void owner_begin(sim *s, int number) {
    sim_owner *owner = &s->owners[number];
    contexts[number] = (sim_context){.s = s, .owner = number};
    const triggers_partition_io io = {.context = &contexts[number],
                                      .policy = on_policy,
                                      .admit = on_admit,
                                      .unadmit = on_unadmit,
                                      .attempt = on_attempt,
                                      .park = on_park,
                                      .fetch = on_fetch,
                                      .bury = on_bury,
                                      .append = on_append,
                                      .clear = on_clear};
    const triggers_partition_limits limits = {.max_tasks = 20,
                                              .max_bytes = s->max_bytes,
                                              .max_done = 40,
                                              .max_parked_keys = s->max_parked_keys,
                                              .max_held_bytes = s->max_held_bytes,
                                              .has_projects = s->has_projects,
                                              .max_state_bytes = 1 << 20,
                                              .append_every_ms = s->append_every_ms,
                                              .number = 5,
                                              .max_attempts = 8,
                                              .seed = s->random};
    core_error error = {0};
    owner->partition = triggers_partition_new(&io, &limits, &error);
    assert_non_null(owner->partition);
    size_t first = s->record_count;
    triggers_record record;
    while (first > 0) {
        SIM_CHECK(
            s, triggers_record_read(core_block_slice(s->records[--first].bytes), &record, &error));
        if (record.has_state)
            break;
    }
    for (size_t i = first; i < s->record_count; i++) {
        SIM_CHECK(s, triggers_record_read(core_block_slice(s->records[i].bytes), &record, &error));
        if (!triggers_partition_fold(owner->partition, s->records[i].sequence, &record, &error))
            fail_msg("seed %" PRIu64 ": %s", s->seed, error.text);
    }
    owner->expected = s->log_sequence;
    owner->id = rnd(s, UINT64_C(1) << 40) + 1;
    owner->tick_ms = s->now_ms;
    owner->next_task = 0;
    while (owner->next_task < TASKS &&
           s->tasks[owner->next_task].sequence <= triggers_partition_watermark(owner->partition))
        owner->next_task++;
    triggers_partition_begin(owner->partition, owner->id, s->now_ms);
}

static core_block *task_bytes(const sim_task *task) {
    char trigger[] = {'t', (char)('0' + task->trigger), '\0'}, number[24];
    core_buffer out;
    core_buffer_init(&out, 1024);
    (void)snprintf(number, sizeof number, "%" PRIu64, task->sequence);
    const triggers_task wire = {.project = core_slice_text(task->trigger < 2 ? "p" : "q"),
                                .trigger = core_slice_text(trigger),
                                .event_id = core_slice_text(number),
                                .event_time_us = (int64_t)task->sequence,
                                .key_hash = task->key,
                                .body = core_slice_text(number)};
    triggers_task_write(&wire, &out);
    core_block *block = core_block_copy(core_buffer_slice(&out));
    core_buffer_fini(&out);
    return block;
}

static void owner_feed(sim *s, sim_owner *owner) {
    while (owner->next_task < s->task_count && triggers_partition_has_room(owner->partition)) {
        const sim_task *task = &s->tasks[owner->next_task++];
        core_block *block = task_bytes(task);
        SIM_CHECK(s, triggers_partition_feed(owner->partition, task->sequence, block, s->now_ms));
        core_block_release(block);
    }
    triggers_partition_stats stats = triggers_partition_look(owner->partition);
    SIM_CHECK(s, stats.tasks <= 20);
    SIM_CHECK(s, stats.parked_keys <= s->max_parked_keys);
    SIM_CHECK(s, stats.attempts <= 8);
}

/* The append was refused, or nobody knows: the log's last record tells, as a driver reads it. */
static void owner_resolve(sim *s, int number, sim_op *op) {
    sim_owner *owner = &s->owners[number];
    triggers_record mine, last;
    core_error error;
    s->resolved++;
    SIM_CHECK(s, triggers_record_read(core_block_slice(owner->record), &mine, &error));
    if (s->record_count > 0 && s->log_sequence != owner->expected) {
        SIM_CHECK(s, triggers_record_read(core_block_slice(s->records[s->record_count - 1].bytes),
                                          &last, &error));
        if (last.owner != mine.owner || last.number != mine.number) {
            s->fenced++;
            owner_end(s, number);
            return;
        }
        core_block_release(owner->record);
        owner->record = NULL;
        owner->expected = s->log_sequence;
        triggers_partition_appended(owner->partition, s->log_sequence, s->now_ms);
        return;
    }
    sim_op *again = op_new(s, number, OP_APPEND, (int64_t)rnd(s, 20));
    again->bytes = core_block_retain(owner->record);
    again->position = op->position;
}

static void answer_append(sim *s, sim_op *op) {
    sim_owner *owner = &s->owners[op->owner];
    if (op->code != CORE_ERROR_NONE) {
        owner_resolve(s, op->owner, op);
        return;
    }
    core_block_release(owner->record);
    owner->record = NULL;
    owner->expected = op->stored;
    triggers_partition_appended(owner->partition, op->stored, s->now_ms);
}

static void op_answer(sim *s, sim_op *op) {
    sim_owner *owner = &s->owners[op->owner];
    sim_op taken = *op;
    *op = (sim_op){0};
    if (owner->partition != NULL && owner->life == taken.life) {
        switch (taken.kind) {
        case OP_ATTEMPT:
            owner->busy[key_number(s, taken.ticket)] = 0;
            triggers_partition_attempted(owner->partition, taken.ticket, &taken.end, s->now_ms);
            break;
        case OP_PARK:
            triggers_partition_parked(owner->partition, taken.ticket, taken.number, taken.stored,
                                      taken.code, s->now_ms);
            break;
        case OP_FETCH:
            triggers_partition_fetched(owner->partition, taken.ticket, taken.bytes, taken.stored,
                                       taken.code, s->now_ms);
            break;
        case OP_BURY:
            triggers_partition_buried(owner->partition, taken.ticket, taken.code, s->now_ms);
            break;
        case OP_APPEND:
            answer_append(s, &taken);
            break;
        }
    }
    core_block_release(taken.bytes);
}

/* ---- time ---- */

static int awake(const sim *s) {
    for (int i = 0; i < OWNERS; i++)
        if (s->owners[i].partition != NULL && !s->owners[i].asleep)
            return i;
    return NEVER;
}

static void triggers_refresh(sim *s) {
    for (int i = 0; i < OWNERS; i++)
        if (s->owners[i].partition != NULL && !s->owners[i].asleep)
            triggers_partition_refresh(s->owners[i].partition, s->now_ms);
}

/* Somebody pauses a trigger, for as long as tasks wait, or for much longer. */
static void step_pauses(sim *s) {
    bool changes = false;
    for (int i = 0; i < TRIGGERS; i++) {
        bool was_paused = s->paused_ms[i] > s->now_ms - s->step_ms;
        if (s->faults && rnd(s, 1500) == 0)
            s->paused_ms[i] = s->now_ms + 200 + (int64_t)rnd(s, chance(s, 30) ? 9000 : 1500);
        changes = changes || was_paused != (s->paused_ms[i] > s->now_ms);
    }
    if (changes)
        triggers_refresh(s);
}

/* While the trigger is paused nothing of it is attempted, and nobody waits for it: all tasks are
 * done or put aside; or it is told that there is no room for that. */
static void long_pause_begin(sim *s) {
    s->paused_ms[0] = PAUSE_END_MS;
    triggers_refresh(s);
}
static void long_pause_end(sim *s) {
    s->is_pause_over = true;
    triggers_partition_stats stats = triggers_partition_look(s->owners[awake(s)].partition);
    bool is_told = stats.is_limited || stats.holds_up;
    SIM_CHECK(s, is_told || s->watermark >= s->tasks[TASKS - 1].sequence);
    s->limited += is_told;
    triggers_refresh(s);
}

/* It is stopped, perhaps for so long that another one has begun and ended chains. What is in its
 * buffers follows when it wakes. */
static void owner_sleep(sim *s, int number) {
    sim_owner *owner = &s->owners[number];
    s->sleeps++;
    owner->asleep = true;
    owner->wake_ms = s->now_ms + 50 + (int64_t)rnd(s, chance(s, 25) ? 12000 : 4000);
    for (size_t i = 0; i < OPS; i++) {
        sim_op *op = &s->ops[i];
        if (!op->used || op->owner != number || op->life != owner->life || op->effected ||
            op->kind != OP_PARK || chance(s, 30))
            continue;
        s->late++;
        op->at_ms = owner->wake_ms;
    }
}

static bool has_copies_under_way(const sim *s, int number) {
    size_t count = 0;
    for (size_t i = 0; i < OPS; i++)
        count += s->ops[i].used && s->ops[i].owner == number && s->ops[i].kind == OP_PARK &&
                 s->ops[i].life == s->owners[number].life && !s->ops[i].effected;
    return count > 1;
}

static void step_faults(sim *s) {
    int number = awake(s);
    if (s->faults && s->now_ms >= FAULTS_END_MS) {
        s->faults = false;
        long_pause_begin(s);
    }
    if (!s->is_pause_over && s->now_ms >= PAUSE_END_MS)
        long_pause_end(s);
    if (number != NEVER && s->faults && rnd(s, 600) == 0) {
        s->kills++;
        owner_end(s, number);
    } else if (number != NEVER && s->faults &&
               rnd(s, has_copies_under_way(s, number) ? 40 : 600) == 0) {
        owner_sleep(s, number);
    }
    if (s->faults && rnd(s, 1000) == 0)
        s->full_ms = s->now_ms + (int64_t)rnd(s, 3000);
    for (int i = 0; i < OWNERS; i++)
        if (s->owners[i].asleep && s->owners[i].wake_ms <= s->now_ms)
            s->owners[i].asleep = false;
    if (awake(s) != NEVER)
        return;
    for (int i = 0; i < OWNERS; i++)
        if (s->owners[i].partition == NULL) {
            owner_begin(s, i);
            return;
        }
}

static void step_owners(sim *s) {
    for (int i = 0; i < OWNERS; i++) {
        sim_owner *owner = &s->owners[i];
        if (owner->partition == NULL || owner->asleep)
            continue;
        owner_feed(s, owner);
        if (s->max_held_bytes < 1 << 20 && rnd(s, 500) == 0) /* others have more, or less */
            triggers_partition_held_max(owner->partition, 300 + rnd(s, 1000),
                                        1 + (uint32_t)rnd(s, 3));
        if (owner->tick_ms <= s->now_ms) {
            int64_t next_ms;
            triggers_partition_tick(owner->partition, s->now_ms, &next_ms);
            owner->tick_ms = s->now_ms + 1 + (int64_t)rnd(s, 20);
        }
        owner_feed(s, owner);
    }
}

static void step_ops(sim *s) {
    for (size_t i = 0; i < OPS; i++) {
        sim_op *op = &s->ops[i];
        if (!op->used || op->at_ms > s->now_ms)
            continue;
        if (!op->effected) {
            op_effect(s, op);
            continue;
        }
        bool is_deaf = s->owners[op->owner].asleep && s->owners[op->owner].life == op->life;
        if (!is_deaf)
            op_answer(s, op);
    }
}

static bool is_over(const sim *s) {
    int number = awake(s);
    if (!s->is_pause_over || s->task_count < TASKS || number == NEVER)
        return false;
    for (size_t i = 0; i < TASKS; i++)
        if (!s->tasks[i].delivered && !s->tasks[i].dead)
            return false;
    triggers_partition_stats stats = triggers_partition_look(s->owners[number].partition);
    return s->watermark >= s->tasks[TASKS - 1].sequence && stats.parked_tasks == 0;
}

static void sim_init(sim *s, uint64_t seed) {
    memset(s, 0, sizeof *s);
    s->seed = seed;
    s->random = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    s->faults = true;
    s->batch_bytes = chance(s, 20) ? 40 : 4096;
    for (size_t i = 0; i < TRIGGERS && seed % 3 != 0; i++) { /* a third without batches */
        s->batch_size[i] = 1 + (uint32_t)rnd(s, 6);
        s->batch_ms[i] = chance(s, 30) ? 0 : (int64_t)rnd(s, 600);
    }
    s->max_parked_keys = seed % 4 == 0 ? 3 : 9;
    s->append_every_ms = seed % 5 < 2 ? 50 : 0;
    s->max_bytes = seed % 5 == 0 ? 2048 : 64 * 1024;
    s->max_held_bytes = seed % 7 == 0 ? 1200 : 1 << 20;
    s->partitions = seed % 11 == 0 ? 3 : 0;
    s->has_projects = seed % 2 == 0;
    for (size_t i = 0; i < KEYS; i++) {
        s->key_hash[i] = rnd(s, UINT64_MAX) * TRIGGERS_PARTITIONS + 5;
        uint64_t dice = rnd(s, 10);
        s->key_trigger[i] = dice < 4 ? 0 : dice < 8 ? 1 : dice < 9 ? 2 : 3;
    }
    uint64_t sequence = 0;
    for (size_t i = 0; i < TASKS; i++) {
        size_t key = rnd(s, KEYS);
        sequence += 1 + rnd(s, 5);
        s->tasks[i] = (sim_task){
            .sequence = sequence, .key = s->key_hash[key], .trigger = s->key_trigger[key]};
    }
}

static void sim_fini(sim *s) {
    for (int i = 0; i < OWNERS; i++)
        owner_end(s, i);
    for (size_t i = 0; i < OPS; i++)
        core_block_release(s->ops[i].bytes);
    for (size_t i = 0; i < s->record_count; i++)
        core_block_release(s->records[i].bytes);
    for (size_t i = 0; i < s->copy_count; i++)
        core_block_release(s->copies[i].bytes);
}

static void sim_stuck(const sim *s) {
    for (size_t i = 0; i < TASKS; i++)
        if (!s->tasks[i].delivered && !s->tasks[i].dead)
            print_message("task %" PRIu64 " of key %zu, trigger %d: %d attempts%s\n",
                          s->tasks[i].sequence, key_number(s, s->tasks[i].key), s->tasks[i].trigger,
                          s->tasks[i].attempts, s->tasks[i].copied ? ", copied" : "");
    for (int i = 0; i < OWNERS; i++)
        if (s->owners[i].partition != NULL) {
            triggers_partition_stats stats = triggers_partition_look(s->owners[i].partition);
            print_message("owner %d%s: %zu tasks, %zu done, %" PRIu64
                          " parked of %zu keys, %zu attempts, watermark %" PRIu64 "\n",
                          i, s->owners[i].asleep ? " asleep" : "", stats.tasks, stats.done,
                          stats.parked_tasks, stats.parked_keys, stats.attempts,
                          triggers_partition_watermark(s->owners[i].partition));
        }
    fail_msg("seed %" PRIu64 ": it does not come to an end", s->seed);
}

static void sim_run(sim *s, uint64_t seed) {
    sim_init(s, seed);
    for (size_t step = 0; !is_over(s); step++) {
        if (step > STEPS_MAX)
            sim_stuck(s);
        s->step_ms = s->faults ? 1 + (int64_t)rnd(s, 12) : 5;
        s->now_ms += s->step_ms;
        if (s->task_count < (s->faults ? TASKS - TASKS_LATE : TASKS) && chance(s, 25))
            s->task_count++;
        step_faults(s);
        step_pauses(s);
        step_owners(s);
        step_ops(s);
    }
    for (int i = 0; i < TRIGGERS; i++)
        SIM_CHECK(s, s->owners[awake(s)].admitted[i] == 0);
    for (size_t i = 0; i < TASKS; i++)
        if (s->tasks[i].trigger >= 2) /* these are only ever given up */
            SIM_CHECK(s, s->tasks[i].dead && !s->tasks[i].delivered);
    sim_fini(s);
}

static uint64_t first_seed = 1, seed_count = 300;

static void test_whatever_happens(void **state) {
    sim *s = malloc(sizeof *s);
    size_t kills = 0, sleeps = 0, fenced = 0, resolved = 0, repeats = 0, parked = 0, dead = 0;
    size_t withdrawn = 0;
    size_t batches = 0, batched = 0, whole = 0, parked_batches = 0;
    size_t held = 0, passed = 0, limited = 0, in_company = 0, gaps = 0, late = 0;
    (void)state;
    assert_non_null(s);
    for (uint64_t seed = first_seed; seed < first_seed + seed_count; seed++) {
        sim_run(s, seed);
        kills += s->kills;
        sleeps += s->sleeps;
        fenced += s->fenced;
        resolved += s->resolved;
        repeats += s->repeats;
        withdrawn += s->withdrawn;
        parked += s->parked;
        dead += s->dead;
        batches += s->batches;
        batched += s->batched;
        whole += s->whole;
        parked_batches += s->parked_batches;
        held += s->held;
        passed += s->passed;
        limited += s->limited;
        in_company += s->in_company;
        gaps += s->gaps;
        late += s->late;
    }
    print_message("%" PRIu64 " seeds of %d tasks: %zu kills, %zu sleeps, %zu owners fenced, %zu "
                  "appends looked up, %zu deliveries repeated, %zu attempts withdrawn, %zu parked, "
                  "%zu dead\n",
                  seed_count, TASKS, kills, sleeps, fenced, resolved, repeats, withdrawn, parked,
                  dead);
    print_message("%zu attempts of batches with %zu tasks, %zu of the full size, %zu parked\n",
                  batches, batched, whole, parked_batches);
    print_message("%zu held, %zu times a base told, %zu seeds at a limit\n", held, passed, limited);
    print_message("%zu copies sent beside others, %zu refused in front of one, %zu late\n",
                  in_company, gaps, late);
    if (seed_count >= 100) { /* the faults did happen */
        assert_true(kills > seed_count && sleeps > seed_count && fenced > seed_count / 4);
        assert_true(parked > 10 * seed_count && dead > seed_count && repeats > 0);
        assert_true(withdrawn > seed_count);
        assert_true(batches > seed_count && whole > seed_count / 2 && parked_batches > seed_count);
        assert_true(in_company > 5 * seed_count && gaps > seed_count / 4 && late > seed_count);
        assert_true(held > 10 * seed_count && passed > seed_count / 4 && limited > seed_count / 20);
    }
    free(s);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_whatever_happens)};
    if (argc > 1) {
        first_seed = strtoull(argv[1], NULL, 10);
        seed_count = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
