/* A partition's lease, log and inbox; see job_runner_private.h.
 *
 * Happy path: the lease is free and taken; the log's end is asked for, and our first message
 * appended behind it, so that nobody else's fits any more; the log is read and folded; the inbox is
 * read from where the log has it. Then each round takes messages of the inbox, does what is due,
 * and appends what came of it.
 *
 * Failure: a lease that is lost, an append that is refused or not answered, or a log that cannot be
 * read: the partition is let go with all that was not told, and the lease asked for again after a
 * while. A log without room holds the message until there is some; nothing is asked, done or told
 * meanwhile, and running attempts get their time anew then. */
#include "triggers/job_runner_private.h"

#include <stdio.h>
#include <sys/random.h>

enum {
    TAKE_MS = 20, /* between two partitions that a node takes: so that nodes share them */
    AGAIN_MS = 500,
    FULL_MS = 200,
    INBOX_ROUND = 256, /* messages at once */
    PURGE_MS = 30 * 1000,
    APPEND_MS = 1000, /* the answer to an append is waited for when a partition is given back */
};

static const core_state_row slot_rows[] = {
    [SLOT_IDLE] = {"idle", CORE_STATE_BIT(SLOT_ASKING)},
    [SLOT_ASKING] = {"asking", CORE_STATE_BIT(SLOT_IDLE) | CORE_STATE_BIT(SLOT_OWNER)},
    [SLOT_OWNER] = {"owner", CORE_STATE_BIT(SLOT_IDLE)},
};

static int64_t wall_us(const triggers_job_runner *runner) {
    return core_clock_wall_us(runner->spec.clock);
}

static int64_t now_ms(const triggers_job_runner *runner) {
    return core_clock_ms(runner->spec.clock);
}

/* ---- Life ---- */

static bool slot_open(triggers_job_runner *runner, unsigned number, core_error *error) {
    job_slot *slot = &runner->slots[number];
    char key[32], name[8];
    *slot = (job_slot){
        .runner = runner, .number = number, .generation = slot->generation, .calls = slot->calls};
    core_state_init(&slot->state, "jobs' partition", slot_rows, CORE_COUNT_OF(slot_rows),
                    SLOT_IDLE);
    core_buffer_init(&slot->message, TRIGGERS_JOB_MESSAGE_MAX + TRIGGERS_JOB_WIRE_MAX +
                                         TRIGGERS_JOB_STATUS_WIRE_MAX);
    (void)snprintf(key, sizeof key, "jobs.%02u", number);
    (void)snprintf(name, sizeof name, "%02u", number);
    if (!core_subject_work(runner->spec.config, fanout_work_word(FANOUT_WORK_JOB_LOGS), name,
                           slot->log_subject) ||
        !core_subject_work(runner->spec.config, fanout_work_word(FANOUT_WORK_JOBS), name,
                           slot->inbox_subject))
        return core_error_set(error, CORE_ERROR_CONFIG, "nats.prefix is too long for jobs");
    const fanout_lease_spec lease = {.key = key, .owner = runner->node, .ttl_ms = runner->lease_ms};
    slot->lease = fanout_lease_new(runner->leases, &lease, runner->spec.clock, error);
    return slot->lease != NULL;
}

bool job_slots_open(triggers_job_runner *runner, core_error *error) {
    int64_t begin_ms = now_ms(runner);
    for (unsigned i = 0; i < TRIGGERS_JOB_PARTITIONS; i++) {
        if (!slot_open(runner, i, error))
            return false;
        runner->slots[i].retry_ms = begin_ms + (int64_t)i * TAKE_MS;
    }
    return true;
}

static void slot_let_go(job_slot *slot) {
    if (slot->state.current == SLOT_IDLE)
        return;
    if (job_slot_owns(slot))
        atomic_fetch_sub(&slot->runner->owned, 1);
    core_state_move(&slot->state, SLOT_IDLE);
    slot->generation++;
    triggers_job_inbox_free(slot->inbox);
    slot->inbox = NULL;
    triggers_job_partition_free(slot->partition);
    slot->partition = NULL;
    slot->message_waits = slot->under_way = slot->is_full = false;
    slot->leave_ms = 0;
    core_buffer_reset(&slot->message);
    slot->retry_ms = now_ms(slot->runner) + AGAIN_MS;
}

static void slot_fail(job_slot *slot, const char *what, const core_error *error) {
    CORE_LOG(slot->runner->spec.log, WARN, "triggers", "a partition of jobs is let go",
             CORE_LOG_NUMBER("partition", slot->number), CORE_LOG_TEXT("while", what),
             CORE_LOG_TEXT("error", error->text));
    slot_let_go(slot);
    if (error->code != CORE_ERROR_INPUT)
        return;
    /* Another node may be able to read it. */
    atomic_store(&slot->runner->is_unreadable, true);
    fanout_lease_release(slot->lease);
    slot->retry_ms = now_ms(slot->runner) + slot->runner->lease_ms;
}

void job_slots_close(triggers_job_runner *runner) {
    for (unsigned i = 0; i < TRIGGERS_JOB_PARTITIONS; i++) {
        job_slot *slot = &runner->slots[i];
        slot_let_go(slot);
        if (slot->lease != NULL && fanout_connection_alive(runner->connection))
            fanout_lease_release(slot->lease);
        fanout_lease_free(slot->lease);
        slot->lease = NULL;
        core_buffer_fini(&slot->message);
    }
}

/* ---- Becoming the owner ---- */

static bool slot_send(job_slot *slot, unsigned kind, core_error *error) {
    triggers_job_runner *runner = slot->runner;
    const fanout_parcel parcel = {.subject = slot->log_subject,
                                  .is_fenced = true,
                                  .expected_sequence = slot->sequence,
                                  .payload = core_buffer_slice(&slot->message)};
    return fanout_courier_publish(
        runner->courier, &parcel,
        job_reply(runner, job_courier_answered, kind, slot->number, slot->generation), error);
}

/* The lease is ours: our first message goes behind the log's last one. */
static void slot_ask(job_slot *slot) {
    core_error error = {0};
    core_state_move(&slot->state, SLOT_ASKING);
    core_buffer_reset(&slot->message);
    bool ok = fanout_log_end(slot->runner->connection, slot->runner->log_stream, slot->log_subject,
                             &slot->message, &slot->sequence, &error);
    core_buffer_reset(&slot->message);
    triggers_job_partition_first(&slot->message);
    if (!ok || !slot_send(slot, ANSWER_FIRST, &error))
        slot_fail(slot, "beginning", &error);
}

static bool slot_fold(void *context, const fanout_message *message, core_error *error) {
    return triggers_job_partition_fold(context, message->payload, error);
}

/* Where a source is one project's alone, that may have all. */
static size_t share_of(const job_slot *slot, size_t all) {
    enum { PERCENT = 100 };
    size_t percent = (size_t)core_config_integer(slot->runner->spec.config, "jobs.project_share");
    return slot->runner->tenants.count > 0 && percent < PERCENT ? all / PERCENT * percent : 0;
}

static triggers_job_partition *slot_partition(job_slot *slot, core_error *error) {
    const core_config *config = slot->runner->spec.config;
    triggers_job_partition_spec spec = {
        .max_jobs = (size_t)core_config_integer(config, "jobs.max_jobs"),
        .max_bytes = (size_t)core_config_integer(config, "jobs.memory"),
        .dead_keep_ms = core_config_integer(config, "jobs.dead_keep"),
        .driver = {.context = slot,
                   .answer = job_answer,
                   .forget = job_forget,
                   .callback = job_callback},
    };
    spec.project_max_jobs = share_of(slot, spec.max_jobs);
    spec.project_max_bytes = share_of(slot, spec.max_bytes);
    if (getrandom(&spec.seed, sizeof spec.seed, 0) != (ssize_t)sizeof spec.seed)
        spec.seed = (uint64_t)wall_us(slot->runner);
    return triggers_job_partition_new(&spec, error);
}

static void slot_begin(job_slot *slot) {
    triggers_job_runner *runner = slot->runner;
    core_error error = {0};
    const fanout_log_range range = {.stream = runner->log_stream,
                                    .subject = slot->log_subject,
                                    .first = 1,
                                    .last = slot->sequence};
    slot->partition = slot_partition(slot, &error);
    if (slot->partition == NULL ||
        !fanout_log_read(runner->connection, &range, slot_fold, slot->partition, &error)) {
        slot_fail(slot, "reading its log", &error);
        return;
    }
    triggers_job_partition_begin(slot->partition, wall_us(runner));
    core_state_move(&slot->state, SLOT_OWNER);
    atomic_store(&runner->is_unreadable, false); /* another one that is says so again */
    atomic_fetch_add(&runner->owned, 1);
    slot->purged = 0;
    slot->purge_ms = now_ms(runner) + PURGE_MS;
}

/* ---- An owner's round ---- */

/* Messages that were purged had been taken: the stream's beginning is as good a place. */
static void inbox_open(job_slot *slot) {
    triggers_job_runner *runner = slot->runner;
    core_error error = {0};
    fanout_stream_info info;
    uint64_t taken = triggers_job_partition_taken(slot->partition);
    if (fanout_stream_inspect(runner->connection, runner->inbox_stream, &info, &error)) {
        if (info.first_sequence > taken + 1)
            taken = info.first_sequence - 1;
        slot->inbox =
            triggers_job_inbox_new(runner->connection, runner->inbox_stream, slot->inbox_subject,
                                   taken, runner->mailbox.wake_fd, runner->spec.log, &error);
    }
    if (slot->inbox == NULL)
        CORE_LOG(runner->spec.log, WARN, "triggers", "the jobs' inbox cannot be read",
                 CORE_LOG_NUMBER("partition", slot->number), CORE_LOG_TEXT("error", error.text));
}

/* True: there may be more. */
static bool inbox_take(job_slot *slot) {
    uint64_t sequence;
    core_slice payload;
    slot->is_full = false;
    for (unsigned i = 0; i < INBOX_ROUND; i++) {
        if (!triggers_job_inbox_peek(slot->inbox, &sequence, &payload))
            return false;
        slot->is_full =
            !triggers_job_partition_take(slot->partition, sequence, payload, wall_us(slot->runner));
        if (slot->is_full)
            return false;
        triggers_job_inbox_drop(slot->inbox);
    }
    return true;
}

/* What the log has of the inbox is needed no more. */
static void inbox_purge(job_slot *slot) {
    triggers_job_runner *runner = slot->runner;
    core_error error = {0};
    uint64_t stored = triggers_job_partition_stored(slot->partition);
    if (now_ms(runner) < slot->purge_ms || stored <= slot->purged)
        return;
    slot->purge_ms = now_ms(runner) + PURGE_MS;
    if (fanout_courier_purge(
            runner->courier, runner->inbox_stream, slot->inbox_subject, stored,
            job_reply(runner, job_courier_answered, ANSWER_PURGE, slot->number, slot->generation),
            &error))
        slot->purged = stored;
}

static void slot_append(job_slot *slot) {
    core_error error = {0};
    if (slot->under_way || (slot->message_waits && now_ms(slot->runner) < slot->retry_ms))
        return;
    if (!slot->message_waits) {
        core_buffer_reset(&slot->message);
        if (!triggers_job_partition_append(slot->partition, &slot->message, &error)) {
            slot_fail(slot, "making a message of its log", &error);
            return;
        }
    }
    if (slot->message.length == 0)
        return;
    slot->under_way = slot_send(slot, ANSWER_APPEND, &error);
    if (!slot->under_way)
        slot_fail(slot, "appending", &error);
}

/* Nothing is begun any more. What is under way is waited for, so that nobody need ask again. */
static int64_t owner_leave(job_slot *slot) {
    triggers_job_runner *runner = slot->runner;
    slot_append(slot);
    if (!job_slot_owns(slot) || (slot->under_way && now_ms(runner) < slot->leave_ms + APPEND_MS))
        return slot->leave_ms + APPEND_MS;
    CORE_LOG(runner->spec.log, INFO, "triggers", "a partition of jobs is another node's to take",
             CORE_LOG_NUMBER("partition", slot->number));
    slot_let_go(slot);
    fanout_lease_release(slot->lease);
    slot->retry_ms = now_ms(runner) + runner->lease_ms / 3; /* others had their chance */
    return slot->retry_ms;
}

/* Of a log without room nothing is done that would only be more for it: a job that is handed out
 * and cannot be told would lose an attempt. */
static int64_t owner_run(job_slot *slot) {
    triggers_job_runner *runner = slot->runner;
    if (slot->leave_ms != 0 && (slot->calls == 0 || now_ms(runner) >= slot->leave_ms))
        return owner_leave(slot);
    if (slot->message_waits) {
        slot_append(slot);
        return now_ms(runner) + FULL_MS;
    }
    if (slot->inbox != NULL && triggers_job_inbox_is_lost(slot->inbox)) {
        triggers_job_inbox_free(slot->inbox);
        slot->inbox = NULL;
    }
    if (slot->inbox == NULL)
        inbox_open(slot);
    bool more = slot->inbox != NULL && inbox_take(slot);
    int64_t now_us = wall_us(runner);
    more = triggers_job_partition_tick(slot->partition, now_us) || more;
    int64_t work_ms = job_work_run(slot);
    inbox_purge(slot);
    slot_append(slot);
    if (more || !job_slot_owns(slot))
        return now_ms(runner);
    int64_t next_us = triggers_job_partition_next_us(slot->partition);
    int64_t wait_ms = next_us > now_us ? (next_us - now_us) / CORE_US_PER_MS + 1 : 1;
    if (slot->is_full && wait_ms > FULL_MS)
        wait_ms = FULL_MS;
    int64_t next_ms = now_ms(runner) + (wait_ms < AGAIN_MS ? wait_ms : AGAIN_MS);
    return work_ms < next_ms ? work_ms : next_ms;
}

/* ---- Answers of the stream ---- */

static void log_purge(job_slot *slot, uint64_t unneeded) {
    triggers_job_runner *runner = slot->runner;
    core_error error = {0};
    if (unneeded > 1 &&
        !fanout_courier_purge(
            runner->courier, runner->log_stream, slot->log_subject, unneeded - 1,
            job_reply(runner, job_courier_answered, ANSWER_PURGE, slot->number, slot->generation),
            &error))
        CORE_LOG(runner->spec.log, WARN, "triggers", "the jobs' log keeps what it no longer needs",
                 CORE_LOG_TEXT("error", error.text));
}

static void append_stored(job_slot *slot, uint64_t sequence) {
    uint64_t unneeded;
    slot->sequence = sequence;
    atomic_store(&slot->runner->is_full, false);
    if (slot->message_waits)
        triggers_job_partition_resume(slot->partition, wall_us(slot->runner));
    slot->message_waits = false;
    triggers_job_partition_appended(slot->partition, sequence, wall_us(slot->runner), &unneeded);
    log_purge(slot, unneeded);
}

void job_slot_answered(job_slot *slot, unsigned kind, uint64_t generation,
                       const fanout_answer *answer, const core_error *error) {
    if (generation != slot->generation || kind == ANSWER_PURGE)
        return;
    slot->under_way = false;
    if (error != NULL && error->code == CORE_ERROR_FULL && job_slot_owns(slot)) {
        atomic_store(&slot->runner->is_full, true);
        slot->message_waits = true;
        slot->retry_ms = now_ms(slot->runner) + AGAIN_MS;
    } else if (error != NULL) {
        slot_fail(slot, kind == ANSWER_FIRST ? "beginning" : "appending", error);
    } else if (kind == ANSWER_FIRST) {
        slot->sequence = answer->sequence;
        slot_begin(slot);
    } else {
        append_stored(slot, answer->sequence);
    }
}

/* ---- Leases ---- */

/* Asks the server only when it is time. */
static void lease_renew(job_slot *slot) {
    core_error error = {0};
    if (slot->state.current == SLOT_IDLE || now_ms(slot->runner) < slot->renew_ms)
        return;
    slot->renew_ms = now_ms(slot->runner) + slot->runner->lease_ms / 3;
    if (!fanout_lease_keep(slot->lease, &error) &&
        (error.code == CORE_ERROR_CONFLICT || !fanout_lease_held(slot->lease)))
        slot_fail(slot, "renewing its lease", &error);
}

static void lease_try(job_slot *slot) {
    core_error error = {0};
    if (slot->state.current != SLOT_IDLE || now_ms(slot->runner) < slot->retry_ms)
        return;
    slot->retry_ms = now_ms(slot->runner) + slot->runner->lease_ms / 4;
    if (!job_share_has_room(slot->runner))
        return;
    if (slot->retry_ms > now_ms(slot->runner) + AGAIN_MS)
        slot->retry_ms = now_ms(slot->runner) + AGAIN_MS;
    slot->renew_ms = now_ms(slot->runner) + slot->runner->lease_ms / 3;
    if (fanout_lease_keep(slot->lease, &error))
        slot_ask(slot);
}

int64_t job_slots_run(triggers_job_runner *runner) {
    int64_t next_ms = now_ms(runner) + AGAIN_MS;
    for (unsigned i = 0; i < TRIGGERS_JOB_PARTITIONS; i++) {
        job_slot *slot = &runner->slots[i];
        /* Without NATS nothing can be done, and each question would wait for its time limit. */
        if (atomic_load(&runner->stopping) || !fanout_connection_alive(runner->connection))
            break;
        lease_renew(slot);
        lease_try(slot);
        int64_t slot_ms = slot->state.current == SLOT_IDLE ? slot->retry_ms
                          : job_slot_owns(slot)            ? owner_run(slot)
                                                           : INT64_MAX;
        if (slot_ms < next_ms)
            next_ms = slot_ms;
    }
    return next_ms;
}
