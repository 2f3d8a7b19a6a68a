/* A request's Idempotency-Key around its work: its record is looked at, claimed, and gets the
 * answer; see idempotency.h. Each step is one request of the courier, each answer the next step. */
#include "triggers/answer.h"
#include "triggers/events_private.h"

#include <stdio.h>

static void record_subject(const events_call *call, char subject[CORE_SUBJECT_MAX]) {
    (void)snprintf(subject, CORE_SUBJECT_MAX, "%s%s", call->events->bucket_prefix, call->key.name);
}

/* Only if nobody wrote since it was read. */
static bool record_write(events_call *call, const fanout_header *header,
                         fanout_answer_handler handler, core_error *error) {
    char subject[CORE_SUBJECT_MAX];
    record_subject(call, subject);
    const fanout_parcel parcel = {
        .subject = subject,
        .is_fenced = true,
        .expected_sequence = call->revision,
        .headers = header,
        .header_count = header != NULL,
        .payload = core_buffer_slice(&call->record),
    };
    return fanout_courier_publish(call->events->courier, &parcel,
                                  triggers_events_expect(call, handler, 0), error);
}

/* ---- Claiming ---- */

static void on_claimed(void *context, uint64_t tag, const fanout_answer *answer,
                       const core_error *error) {
    events_call *call = triggers_events_arrived(context);
    const triggers_idempotency_found others = {.verdict = TRIGGERS_IDEMPOTENCY_UNDER_WAY};
    (void)tag;
    if (error == NULL) {
        call->claimed = true;
        call->revision = answer->sequence;
        triggers_events_send(call);
    } else if (error->code == CORE_ERROR_CONFLICT) {
        triggers_idempotency_answer(&others, call->reply);
        triggers_events_answer(call);
    } else {
        triggers_events_fail(call, error);
    }
}

static void record_claim(events_call *call) {
    core_error error = {.text = ""};
    core_buffer_reset(&call->record);
    triggers_idempotency_claim(&call->key, core_clock_wall_us(call->events->host->spec.clock),
                               &call->record);
    if (!record_write(call, NULL, on_claimed, &error))
        triggers_events_stall(call, record_claim, &error);
}

static void on_record(void *context, uint64_t tag, const fanout_answer *answer,
                      const core_error *error) {
    events_call *call = triggers_events_arrived(context);
    (void)tag;
    if (error != NULL && error->code != CORE_ERROR_INPUT) {
        triggers_events_fail(call, error);
        return;
    }
    call->revision = error == NULL ? answer->sequence : 0;
    triggers_idempotency_found found = triggers_idempotency_look(
        &call->key, error == NULL ? answer->payload : core_slice_make(NULL, 0),
        core_clock_wall_us(call->events->host->spec.clock));
    if (found.verdict == TRIGGERS_IDEMPOTENCY_FREE) {
        record_claim(call);
        return;
    }
    triggers_idempotency_answer(&found, call->reply);
    triggers_events_answer(call);
}

void triggers_events_claim(events_call *call) {
    char subject[CORE_SUBJECT_MAX];
    core_error error = {.text = ""};
    record_subject(call, subject);
    if (!fanout_courier_next(call->events->courier, call->events->bucket_stream, subject, 0,
                             triggers_events_expect(call, on_record, 0), &error))
        triggers_events_stall(call, triggers_events_claim, &error);
}

/* ---- Keeping ---- */

/* A record that could not be written is a claim that somebody takes over. Of events that are
 * answered early the stream's word may be still to come, or have been a failure. */
static void on_kept(void *context, uint64_t tag, const fanout_answer *answer,
                    const core_error *error) {
    events_call *call = triggers_events_arrived(context);
    (void)tag;
    if (error == NULL)
        call->revision = answer->sequence;
    else
        CORE_LOG(call->events->host->spec.log, WARN, "triggers",
                 "an answer could not be kept under its Idempotency-Key",
                 CORE_LOG_TEXT("error", error->text));
    if (call->failure.code == CORE_ERROR_NONE)
        triggers_events_answer_early(call);
    triggers_events_settle(call);
}

static void record_keep(events_call *call) {
    core_error error = {.text = ""};
    if (!record_write(call, NULL, on_kept, &error))
        triggers_events_stall(call, record_keep, &error);
}

void triggers_events_keep(events_call *call) {
    const core_route_response *response = &call->reply->response;
    core_buffer_reset(&call->record);
    triggers_idempotency_done(&call->key, response->status, core_buffer_slice(&response->body),
                              &call->record);
    if (core_buffer_ok(&call->record))
        record_keep(call);
    else
        triggers_events_answer(call);
}

/* ---- Giving back ---- */

static void on_released(void *context, uint64_t tag, const fanout_answer *answer,
                        const core_error *error) {
    events_call *call = triggers_events_arrived(context);
    (void)tag;
    (void)answer;
    (void)error; /* then it is a claim that somebody takes over */
    triggers_events_fail(call, &call->failure);
}

void triggers_events_release(events_call *call) {
    static const fanout_header removed = {"KV-Operation", "DEL"};
    core_error error = {.text = ""};
    core_buffer_reset(&call->record);
    if (record_write(call, &removed, on_released, &error))
        return;
    call->waiting--; /* it was not sent */
    triggers_events_fail(call, &call->failure);
}
