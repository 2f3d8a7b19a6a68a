/* What a partition asks for, carried out over the courier and the sender; see partition.h.
 *
 * A request that cannot be sent is told with the slot's next turn, never from within, as the
 * partition wants it. */
#include "triggers/dead_letters.h"
#include "triggers/letter.h"
#include "triggers/worker_private.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_MAX_TEXT = 64, LEASE_AGAIN_MS = 50 };

/* ---- calls ---- */

triggers_call *triggers_call_new(triggers_slot *slot, triggers_call_kind kind, uint64_t ticket) {
    triggers_worker *worker = slot->worker;
    triggers_call *call = calloc(1, sizeof *call);
    /* Without 80 bytes of memory nothing goes on; the log makes a new start whole. */
    if (call == NULL)
        abort();
    *call = (triggers_call){
        .next = worker->calls, .slot = slot, .life = slot->life, .ticket = ticket, .kind = kind};
    if (worker->calls != NULL)
        worker->calls->previous = call;
    worker->calls = call;
    return call;
}

void triggers_call_free(triggers_call *call) {
    triggers_worker *worker = call->slot->worker;
    if (call->previous != NULL)
        call->previous->next = call->next;
    else
        worker->calls = call->next;
    if (call->next != NULL)
        call->next->previous = call->previous;
    triggers_telling_free(call->telling);
    free(call);
}

static void on_answer(void *context, uint64_t tag, const fanout_answer *answer,
                      const core_error *error) {
    (void)tag;
    triggers_slot_answer(context, answer, error != NULL ? error->code : CORE_ERROR_NONE);
}

fanout_reply triggers_call_reply(triggers_call *call) {
    return (fanout_reply){.on_answer = on_answer, .context = call};
}

void triggers_call_fail(triggers_call *call, const core_error *error) {
    call->code = error->code;
    call->next_failed = call->slot->worker->failed;
    call->slot->worker->failed = call;
}

/* Its end is looked at first: a lease that was lost in between has another term then. */
static bool lease_is_held(const fanout_lease *lease, uint64_t term) {
    return fanout_lease_held(lease) && fanout_lease_term(lease) == term;
}

bool triggers_slot_lease_held(const triggers_slot *slot) {
    return lease_is_held(slot->lease, slot->lease_term);
}

bool triggers_delivery_may_begin(const triggers_delivery *delivery) {
    return lease_is_held(delivery->lease, delivery->lease_term);
}

/* ---- definitions ---- */

static const triggers_definition *slot_definition(const triggers_slot *slot, core_slice project,
                                                  core_slice trigger) {
    const triggers_set *set = slot->worker->set;
    return set != NULL ? triggers_set_find(set, project, trigger) : NULL;
}

static uint32_t attempts_at_once(const triggers_definition *definition) {
    enum { OTHER_ACTIONS = 16 };
    if (definition->action == TRIGGERS_DO_WEBHOOK && definition->webhook.concurrency > 0)
        return definition->webhook.concurrency;
    return OTHER_ACTIONS;
}

/* A batch is one message of the broker when it is parked or a dead letter. */
static size_t batch_bytes(const triggers_worker *worker) {
    enum { AROUND_IT = 8 * 1024 };
    int64_t max = fanout_courier_max_payload(worker->courier) - AROUND_IT;
    if (max < 0)
        return 0;
    return (size_t)max < TRIGGERS_BODY_MAX ? (size_t)max : TRIGGERS_BODY_MAX;
}

static void io_policy(void *context, core_slice project, core_slice trigger,
                      triggers_policy *policy) {
    const triggers_slot *slot = context;
    const triggers_definition *definition = slot_definition(slot, project, trigger);
    /* As long as definitions are not read, nobody knows that one is gone. */
    if (slot->worker->set == NULL || slot->worker->set->generation == 0)
        *policy = (triggers_policy){.is_known = true, .is_paused = true};
    if (definition == NULL)
        return;
    *policy = (triggers_policy){.is_known = true,
                                .is_paused = definition->paused,
                                .revision = definition->revision,
                                .max_attempts = attempts_at_once(definition),
                                .partitions = triggers_spread_held(definition, slot->worker->held),
                                .retry = definition->retry};
    if (definition->action == TRIGGERS_DO_WEBHOOK) {
        policy->batch_size = definition->webhook.batch_size;
        policy->batch_ms = definition->webhook.batch_ms;
        policy->batch_bytes = batch_bytes(slot->worker);
    }
}

static int64_t io_admit(void *context, core_slice project, core_slice trigger, int64_t now_ms,
                        const char **reason) {
    triggers_slot *slot = context;
    const triggers_definition *definition = slot_definition(slot, project, trigger);
    if (!triggers_slot_lease_held(slot))
        return now_ms + LEASE_AGAIN_MS;
    return definition != NULL
               ? triggers_senders_admit(slot->worker->spec.senders, definition, now_ms, reason)
               : 0;
}

static void io_unadmit(void *context, core_slice project, core_slice trigger) {
    const triggers_slot *slot = context;
    triggers_senders_unadmit(slot->worker->spec.senders, project, trigger);
}

/* ---- attempts ---- */

static triggers_delivery *delivery_new(triggers_slot *slot, const triggers_attempt *attempt) {
    triggers_delivery *delivery = calloc(1, sizeof *delivery);
    if (delivery == NULL)
        abort();
    delivery->block = core_block_retain(attempt->task);
    delivery->number = attempt->number;
    delivery->sequence = attempt->sequence;
    delivery->worker = slot->worker;
    delivery->slot = slot->number;
    delivery->life = slot->life;
    delivery->ticket = attempt->ticket;
    delivery->lease = slot->lease;
    delivery->lease_term = slot->lease_term;
    return delivery;
}

static void io_attempt(void *context, const triggers_attempt *attempt) {
    triggers_slot *slot = context;
    triggers_delivery *delivery = delivery_new(slot, attempt);
    core_slice bytes = core_slice_make(attempt->task->bytes + attempt->offset,
                                       attempt->task->length - attempt->offset);
    core_error error = {0};
    const triggers_definition *definition = NULL;
    bool is_task = triggers_task_read(bytes, &delivery->task, &error);
    if (is_task)
        definition = slot_definition(slot, delivery->task.project, delivery->task.trigger);
    if (definition == NULL) {
        if (is_task) /* it was admitted when there was one */
            io_unadmit(slot, delivery->task.project, delivery->task.trigger);
        delivery->end.was_not_made = true;
        triggers_delivery_end(delivery, TRIGGERS_END_REFUSED,
                              is_task ? "the trigger's definition is gone" : error.text);
        return;
    }
    delivery->definition = triggers_definition_hold(definition);
    triggers_webhook_id(&delivery->task, delivery->id);
    triggers_senders_send(slot->worker->spec.senders, delivery);
}

/* ---- the streams ---- */

static bool parked_subject(const triggers_slot *slot, uint64_t key_hash,
                           char subject[CORE_SUBJECT_MAX]) {
    char last[NAME_MAX_TEXT];
    (void)snprintf(last, sizeof last, "%02u%016" PRIx64, slot->number, key_hash);
    return core_subject_work(slot->worker->spec.config, fanout_work_word(FANOUT_WORK_PARKED), last,
                             subject);
}

static void call_publish(triggers_call *call, const fanout_parcel *parcel) {
    core_error error = {0};
    if (!fanout_courier_publish(call->slot->worker->courier, parcel, triggers_call_reply(call),
                                &error))
        triggers_call_fail(call, &error);
}

/* Without an id: the stream must not take a second copy for the first one, which stands before
 * others that are copied again too. What is there twice is passed over. */
static void io_park(void *context, uint64_t ticket, uint64_t number, core_slice parked) {
    triggers_slot *slot = context;
    triggers_call *call = triggers_call_new(slot, CALL_PARK, ticket);
    char subject[CORE_SUBJECT_MAX];
    call->number = number;
    if (!parked_subject(slot, ticket, subject)) {
        triggers_call_fail(call, &(core_error){.code = CORE_ERROR_LIMIT});
        return;
    }
    const fanout_parcel parcel = {.subject = subject, .payload = parked};
    call_publish(call, &parcel);
}

static void io_fetch(void *context, uint64_t ticket, uint64_t position) {
    triggers_slot *slot = context;
    triggers_worker *worker = slot->worker;
    triggers_call *call = triggers_call_new(slot, CALL_FETCH, ticket);
    char subject[CORE_SUBJECT_MAX];
    core_error error = {.code = CORE_ERROR_LIMIT};
    if (!parked_subject(slot, ticket, subject) ||
        !fanout_courier_next(worker->courier, worker->streams[FANOUT_WORK_PARKED], subject,
                             position, triggers_call_reply(call), &error))
        triggers_call_fail(call, &error);
}

static void io_bury(void *context, const triggers_burial *burial) {
    triggers_slot *slot = context;
    triggers_worker *worker = slot->worker;
    triggers_call *call = triggers_call_new(slot, CALL_BURY, burial->ticket);
    char subject[CORE_SUBJECT_MAX], id[NAME_MAX_TEXT];
    triggers_task task;
    core_error error = {.code = CORE_ERROR_TRANSIENT};
    const triggers_letter letter = {.sequence = burial->sequence,
                                    .attempts = burial->attempts,
                                    .status = burial->status,
                                    .dead_ms = triggers_worker_now_ms(worker),
                                    .reason = burial->reason,
                                    .task = burial->task};
    core_buffer_reset(&worker->letter);
    triggers_letter_write(&letter, &worker->letter);
    if (triggers_task_read(burial->task, &task, &error))
        call->telling = triggers_telling_of_burial(slot, &task, burial);
    if (!core_buffer_ok(&worker->letter) ||
        !triggers_dead_subject_of(worker->spec.config, core_buffer_slice(&worker->letter), subject,
                                  &error)) {
        triggers_call_fail(call, &error);
        return;
    }
    (void)snprintf(id, sizeof id, "%u-%" PRIu64, slot->number, burial->sequence);
    const fanout_parcel parcel = {
        .subject = subject, .id = id, .payload = core_buffer_slice(&worker->letter)};
    call_publish(call, &parcel);
}

static void io_append(void *context, core_slice record) {
    triggers_slot_append(context, record);
}

static void io_clear(void *context, uint64_t key_hash, uint64_t position) {
    triggers_slot *slot = context;
    triggers_worker *worker = slot->worker;
    char subject[CORE_SUBJECT_MAX];
    core_error ignored;
    triggers_call *call = triggers_call_new(slot, CALL_FORGET, 0);
    /* What is not cleared now is with the key's next chain. */
    if (!parked_subject(slot, key_hash, subject) ||
        !fanout_courier_purge(worker->courier, worker->streams[FANOUT_WORK_PARKED], subject,
                              position, triggers_call_reply(call), &ignored))
        triggers_call_free(call);
}

triggers_partition_io triggers_slot_io(triggers_slot *slot) {
    return (triggers_partition_io){.context = slot,
                                   .policy = io_policy,
                                   .admit = io_admit,
                                   .unadmit = io_unadmit,
                                   .attempt = io_attempt,
                                   .park = io_park,
                                   .fetch = io_fetch,
                                   .bury = io_bury,
                                   .append = io_append,
                                   .clear = io_clear};
}

/* ---- answers ---- */

/* Whoever fed it had read its definition, which need not be us. */
static bool parked_waits(triggers_slot *slot, core_slice payload) {
    triggers_parked parked;
    triggers_task task;
    core_error ignored;
    return triggers_parked_read(payload, &parked, &ignored) &&
           triggers_task_read(parked.task, &task, &ignored) &&
           triggers_slot_waits(slot, task.revision);
}

static void fetched(triggers_slot *slot, uint64_t ticket, const fanout_answer *answer,
                    core_error_code code, int64_t now_ms) {
    core_block *block = NULL;
    if (code == CORE_ERROR_NONE && parked_waits(slot, answer->payload))
        code = CORE_ERROR_TRANSIENT;
    if (code == CORE_ERROR_NONE) {
        block = core_block_copy(answer->payload);
        if (block == NULL)
            code = CORE_ERROR_TRANSIENT;
    }
    triggers_partition_fetched(slot->partition, ticket, block, answer->sequence, code, now_ms);
    core_block_release(block);
}

static void count(const triggers_slot *slot, core_metric metric, core_error_code code) {
    if (code == CORE_ERROR_NONE)
        core_metrics_add(slot->worker->spec.metrics, metric, 1);
}

void triggers_slot_answer(triggers_call *call, const fanout_answer *answer, core_error_code code) {
    triggers_slot *slot = call->slot;
    triggers_call taken = *call;
    int64_t now_ms = triggers_worker_now_ms(slot->worker);
    call->telling = NULL; /* it goes on, or ends here */
    triggers_call_free(call);
    if (slot->partition == NULL || slot->life != taken.life) {
        triggers_telling_free(taken.telling);
        return;
    }
    slot->next_ms = 0;
    switch (taken.kind) {
    case CALL_PARK:
        count(slot, CORE_METRIC_TRIGGERS_PARKED, code);
        triggers_partition_parked(slot->partition, taken.ticket, taken.number, answer->sequence,
                                  code, now_ms);
        break;
    case CALL_FETCH:
        fetched(slot, taken.ticket, answer, code, now_ms);
        break;
    case CALL_BURY:
        count(slot, CORE_METRIC_TRIGGERS_DEAD, code);
        if (code == CORE_ERROR_NONE && taken.telling != NULL) {
            triggers_telling_send(taken.telling);
            break;
        }
        triggers_telling_free(taken.telling);
        triggers_partition_buried(slot->partition, taken.ticket, code, now_ms);
        break;
    case CALL_RESULT:
        triggers_telling_answer(taken.telling, code);
        break;
    case CALL_APPEND:
    case CALL_LOOK:
        triggers_slot_append_answer(slot, taken.kind, answer, code);
        break;
    case CALL_FORGET:
        break;
    }
}
