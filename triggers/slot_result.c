/* Results of a slot's tasks; see worker_private.h. */
#include "triggers/worker_private.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { AGAIN_MS = 500, DATA_MAX = 16 * 1024 };

static triggers_telling *telling_new(triggers_slot *slot, const triggers_task *task,
                                     uint64_t sequence, const triggers_result *result) {
    char id[TRIGGERS_WEBHOOK_ID_MAX];
    if (task->depth > TRIGGERS_DEPTH_MAX ||
        !triggers_result_wanted(&slot->worker->results, task->project, task->trigger,
                                result->outcome))
        return NULL;
    triggers_telling *telling = calloc(1, sizeof *telling);
    if (telling == NULL)
        abort(); /* the log makes a new start whole */
    telling->slot = slot;
    telling->life = slot->life;
    triggers_webhook_id(task, id);
    (void)snprintf(telling->id, sizeof telling->id, "%s-%" PRIu64 "-%u", id, sequence,
                   result->outcome);
    (void)snprintf(telling->depth, sizeof telling->depth, "%u", task->depth + 1u);
    core_clock_format(result->time_us, telling->time);
    core_buffer_init(&telling->data, DATA_MAX);
    triggers_result_write(task, result, &telling->data);
    /* A prefix that is too long is refused where the streams are made. */
    if (!triggers_own_event_make(&slot->worker->scope, task->project, TRIGGERS_RESULT_TYPE,
                                 task->trigger, &telling->event) ||
        !core_buffer_ok(&telling->data))
        abort();
    return telling;
}

triggers_telling *triggers_telling_of_delivery(triggers_slot *slot, triggers_delivery *delivery) {
    const triggers_result result = {.outcome = TRIGGERS_RESULT_DELIVERED,
                                    .reason = delivery->end.reason,
                                    .http_status = delivery->end.status,
                                    .attempts = delivery->number,
                                    .time_us = core_clock_wall_us(slot->worker->spec.clock)};
    if (delivery->end.kind != TRIGGERS_END_DELIVERED)
        return NULL;
    triggers_telling *telling = telling_new(slot, &delivery->task, delivery->sequence, &result);
    if (telling != NULL)
        telling->delivery = delivery;
    return telling;
}

triggers_telling *triggers_telling_of_burial(triggers_slot *slot, const triggers_task *task,
                                             const triggers_burial *burial) {
    const triggers_result result = {.outcome = TRIGGERS_RESULT_DEAD,
                                    .reason = burial->reason,
                                    .http_status = burial->status,
                                    .attempts = burial->attempts,
                                    .time_us = core_clock_wall_us(slot->worker->spec.clock)};
    triggers_telling *telling = telling_new(slot, task, burial->sequence, &result);
    if (telling != NULL)
        telling->ticket = burial->ticket;
    return telling;
}

void triggers_telling_free(triggers_telling *telling) {
    if (telling == NULL)
        return;
    if (telling->delivery != NULL)
        triggers_delivery_free(telling->delivery);
    core_buffer_fini(&telling->data);
    free(telling);
}

void triggers_telling_send(triggers_telling *telling) {
    triggers_slot *slot = telling->slot;
    triggers_call *call = triggers_call_new(slot, CALL_RESULT, telling->ticket);
    core_error error = {0};
    fanout_header headers[TRIGGERS_OWN_EVENT_HEADERS];
    const fanout_parcel parcel = {
        .subject = telling->event.subject,
        .id = telling->id,
        .headers = headers,
        .header_count = triggers_own_event_headers(&telling->event, "result", telling->time,
                                                   telling->depth, headers),
        .payload = core_buffer_slice(&telling->data)};
    call->telling = telling;
    if (!fanout_courier_publish(slot->worker->courier, &parcel, triggers_call_reply(call), &error))
        triggers_call_fail(call, &error);
}

static void telling_done(triggers_telling *telling) {
    triggers_slot *slot = telling->slot;
    if (telling->delivery != NULL) {
        triggers_delivery_tell(slot->worker, telling->delivery);
        telling->delivery = NULL;
    } else {
        triggers_partition_buried(slot->partition, telling->ticket, CORE_ERROR_NONE,
                                  triggers_worker_now_ms(slot->worker));
    }
    triggers_telling_free(telling);
}

/* The stream of events may be full, or NATS away: until it is told the key waits. */
void triggers_telling_answer(triggers_telling *telling, core_error_code code) {
    triggers_worker *worker = telling->slot->worker;
    if (code == CORE_ERROR_NONE) {
        telling_done(telling);
        return;
    }
    if (code != CORE_ERROR_TRANSIENT)
        CORE_LOG(worker->spec.log, WARN, "triggers",
                 "the stream of events does not take a trigger's result; tried again",
                 CORE_LOG_TEXT("subject", telling->event.subject),
                 CORE_LOG_TEXT("code", core_error_code_name(code)));
    telling->again_ms = triggers_worker_now_ms(worker) + AGAIN_MS;
    telling->next = worker->tellings_again;
    worker->tellings_again = telling;
}

void triggers_tellings_again(triggers_worker *worker, int64_t *next_ms) {
    int64_t now_ms = triggers_worker_now_ms(worker);
    triggers_telling **at = &worker->tellings_again;
    while (*at != NULL) {
        triggers_telling *telling = *at;
        bool is_ours = telling->slot->partition != NULL && telling->slot->life == telling->life;
        if (is_ours && telling->again_ms > now_ms) {
            *next_ms = telling->again_ms < *next_ms ? telling->again_ms : *next_ms;
            at = &telling->next;
            continue;
        }
        *at = telling->next;
        if (is_ours)
            triggers_telling_send(telling);
        else
            triggers_telling_free(telling);
    }
}
