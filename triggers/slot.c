/* A slot: one of the sixteen partitions, while this process owns it; see worker.h. */
#include "triggers/worker_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { RECORD_MAX_BYTES = 64 * 1024 * 1024, LEASE_LOOK_MS = 50, DEFINITIONS_LOOK_MS = 20 };

void triggers_slot_init(triggers_slot *slot, triggers_worker *worker, unsigned number) {
    char last[8];
    *slot = (triggers_slot){.worker = worker, .number = number};
    (void)snprintf(last, sizeof last, "%02u", number);
    core_buffer_init(&slot->record, RECORD_MAX_BYTES);
    /* A prefix that is too long is refused where the streams are made. */
    (void)!core_subject_work(worker->spec.config, fanout_work_word(FANOUT_WORK_DELIVERIES), last,
                             slot->log_subject);
}

void triggers_slot_fini(triggers_slot *slot) {
    triggers_partition_free(slot->partition);
    core_block_release(slot->task);
    core_buffer_fini(&slot->record);
}

static uint64_t owner_id(void) {
    uint64_t id = 0;
    while (id == 0)
        if (getrandom(&id, sizeof id, 0) != (ssize_t)sizeof id)
            abort(); /* the system gives no random bytes: nothing can be fenced */
    return id;
}

void triggers_slot_take(triggers_slot *slot, const triggers_handover *handover) {
    assert(slot->state == SLOT_EMPTY && slot->partition == NULL);
    slot->state = SLOT_OWNED;
    slot->life++;
    slot->partition = handover->partition;
    slot->inbox = handover->inbox;
    slot->lease = handover->lease;
    slot->lease_term = handover->lease_term;
    slot->log_end = handover->log_end;
    slot->owner = owner_id();
    slot->append = APPEND_NONE;
    slot->mark_count = 0;
    slot->log_bytes = 0;
    slot->next_ms = 0;
    slot->is_fenced = slot->is_leaving_at_once = false;
    slot->wait = (triggers_revision_wait){0};
    triggers_partition_begin(slot->partition, slot->owner, triggers_worker_now_ms(slot->worker));
}

void triggers_slot_drop(triggers_slot *slot, const char *why) {
    triggers_worker *worker = slot->worker;
    CORE_LOG(worker->spec.log, INFO, "triggers", "deliveries of a partition are let go",
             CORE_LOG_NUMBER("partition", slot->number), CORE_LOG_TEXT("reason", why));
    triggers_partition_free(slot->partition);
    core_block_release(slot->task);
    slot->partition = NULL;
    slot->task = NULL;
    slot->inbox = NULL;
    slot->lease = NULL;
    slot->state = SLOT_EMPTY;
    slot->life++;
    worker->spec.on_back(worker->spec.on_back_context, slot->number);
}

static uint64_t revision_known(const triggers_slot *slot) {
    return slot->worker->set != NULL ? slot->worker->set->revision : 0;
}

bool triggers_slot_waits(triggers_slot *slot, uint64_t revision) {
    triggers_worker *worker = slot->worker;
    uint64_t given_up = slot->wait.given_up;
    uint64_t known = revision_known(slot);
    bool waits =
        triggers_revision_waits(&slot->wait, revision, known, triggers_worker_now_ms(worker));
    if (slot->wait.given_up != given_up)
        CORE_LOG(worker->spec.log, WARN, "triggers",
                 "a task's trigger was not read in time: it is judged by what is known",
                 CORE_LOG_NUMBER("partition", slot->number), CORE_LOG_NUMBER("revision", revision),
                 CORE_LOG_NUMBER("read_up_to", known));
    return waits;
}

/* What cannot be read is the partition's to tell. */
static void task_take(triggers_slot *slot) {
    triggers_task task;
    core_error ignored;
    slot->task = triggers_inbox_take(slot->inbox, &slot->task_sequence);
    bool is_task =
        slot->task != NULL && triggers_task_read(core_block_slice(slot->task), &task, &ignored);
    slot->task_revision = is_task ? task.revision : 0;
}

static void slot_feed(triggers_slot *slot, int64_t now_ms) {
    while (slot->state == SLOT_OWNED && triggers_partition_has_room(slot->partition)) {
        if (slot->task == NULL)
            task_take(slot);
        if (slot->task == NULL || triggers_slot_waits(slot, slot->task_revision) ||
            !triggers_partition_feed(slot->partition, slot->task_sequence, slot->task, now_ms))
            return;
        core_block_release(slot->task);
        slot->task = NULL;
        slot->next_ms = 0;
    }
}

/* The share that goes with it is another process's then: what is under way must fit into what the
 * others leave. */
static bool slot_fits(const triggers_slot *slot) {
    const triggers_worker *worker = slot->worker;
    uint32_t others = 0;
    for (unsigned i = 0; i < TRIGGERS_PARTITIONS; i++)
        others |= (uint32_t)(i != slot->number && worker->slots[i].partition != NULL) << i;
    return triggers_senders_fit(worker->spec.senders, others);
}

static bool slot_may_go(const triggers_slot *slot) {
    return slot->is_leaving_at_once ||
           (triggers_partition_look(slot->partition).is_quiet && slot_fits(slot));
}

void triggers_slot_step(triggers_slot *slot, int64_t *next_ms) {
    int64_t now_ms = triggers_worker_now_ms(slot->worker);
    if (slot->partition == NULL)
        return;
    if (slot->is_fenced) {
        triggers_slot_drop(slot, "another process owns it now");
        return;
    }
    bool is_held = triggers_slot_lease_held(slot) && slot->state == SLOT_OWNED;
    triggers_partition_hold(slot->partition, !is_held);
    if (slot->append == APPEND_AGAIN && slot->append_again_ms <= now_ms)
        triggers_slot_append_again(slot);
    slot_feed(slot, now_ms);
    if (slot->next_ms <= now_ms)
        triggers_partition_tick(slot->partition, now_ms, &slot->next_ms);
    slot_feed(slot, now_ms);
    if (slot->state == SLOT_LEAVING && slot_may_go(slot)) {
        triggers_slot_drop(slot, "it was wanted back");
        return;
    }
    int64_t wanted_ms = is_held ? slot->next_ms : now_ms + LEASE_LOOK_MS;
    if (slot->append == APPEND_AGAIN && slot->append_again_ms < wanted_ms)
        wanted_ms = slot->append_again_ms;
    if (slot->task != NULL && slot->task_revision > revision_known(slot) &&
        now_ms + DEFINITIONS_LOOK_MS < wanted_ms)
        wanted_ms = now_ms + DEFINITIONS_LOOK_MS;
    if (wanted_ms < *next_ms)
        *next_ms = wanted_ms;
}
