/* A request's steps under its Idempotency-Key; see keyed.h. Each step is one request of the
 * courier, each answer the next one:
 *
 *   look at the record ─► claim it ─► the taker works ─► keep the answer, or give the key back
 *
 * Failure: what the courier cannot take now is tried again after its next turn; so is what it wrote
 * and had no answer to, when the connection was lost say, for a while and under the same message
 * id: the server tells what it has stored already. Else each request that NATS's end met would
 * leave a claim behind. A claim that could be neither kept nor given back is taken over once it is
 * stale. */
#include "fanout/keyed_private.h"

#include <inttypes.h>
#include <stdio.h>

enum { WRITE_MS = 10000, AGAIN_MS = 50 };

static int64_t now_us(const keyed_call *call) {
    return core_clock_wall_us(call->keyed->spec.clock);
}

static keyed_call *call_of(void *context) {
    keyed_call *call = context;
    CORE_MAGIC_CHECK(call, FANOUT_KEYED_CALL_MAGIC);
    return call;
}

void fanout_keyed_answer(keyed_call *call) {
    core_route_reply *asked = call->asked;
    core_buffer_fini(&asked->response.body);
    asked->response = call->reply.response;
    core_buffer_init(&call->reply.response.body, 0);
    fanout_keyed_forget(call);
    core_route_reply_send(asked);
}

void fanout_keyed_words(const fanout_keyed_work *work, core_route_reply *reply, unsigned status,
                        const char *detail) {
    if (work->refuse != NULL)
        work->refuse(work->what, reply, status, detail);
    else
        core_route_refuse(reply, status, detail, NULL);
    if (status == 409)
        (void)core_route_response_header(&reply->response, "Retry-After", "1");
}

void fanout_keyed_refuse(keyed_call *call, unsigned status, const char *detail) {
    fanout_keyed_words(&call->work, &call->reply, status, detail);
    fanout_keyed_answer(call);
}

static fanout_reply call_expects(keyed_call *call, fanout_answer_handler handler) {
    return (fanout_reply){.on_answer = handler, .context = call};
}

/* It was not sent: later, or never. */
static void call_stall(keyed_call *call, const core_error *error) {
    call->stalled = error->code == CORE_ERROR_TRANSIENT;
    if (call->stalled)
        return;
    if (call->state.current == KEYED_WRITING)
        fanout_keyed_answer(call);
    else
        fanout_keyed_refuse(call, core_route_error_status(error->code), error->text);
}

static void record_subject(const keyed_call *call, char subject[CORE_SUBJECT_MAX]) {
    (void)snprintf(subject, CORE_SUBJECT_MAX, "%s%s", call->keyed->prefix, call->claim.key.name);
}

static int64_t now_ms(const keyed_call *call) {
    return core_clock_ms(call->keyed->spec.clock);
}

/* A step that writes, and may be written again. */
static bool has_time(const keyed_call *call) {
    bool writes = call->state.current == KEYED_CLAIMING || call->state.current == KEYED_WRITING;
    return writes && now_ms(call) < call->until_ms;
}

bool fanout_keyed_waits(const keyed_call *call, bool is_ready) {
    return has_time(call) && (!is_ready || now_ms(call) < call->again_ms);
}

/* True: it is written again; the server may have it already. */
static bool write_again(keyed_call *call, const core_error *error) {
    call->stalled = error != NULL && error->code == CORE_ERROR_TRANSIENT && has_time(call);
    call->again_ms = now_ms(call) + AGAIN_MS;
    return call->stalled;
}

/* Only if nobody wrote since it was read. An empty record is removed. */
static bool record_write(keyed_call *call, fanout_answer_handler handler, core_error *error) {
    static const fanout_header removed = {"KV-Operation", "DEL"};
    char subject[CORE_SUBJECT_MAX], id[CORE_SNAPSHOT_ID_SIZE + 32];
    record_subject(call, subject);
    (void)snprintf(id, sizeof id, "%s-%" PRIu64 "-%d", call->keyed->id, call->number,
                   (int)call->state.current);
    const fanout_parcel parcel = {
        .subject = subject,
        .id = id,
        .is_fenced = true,
        .expected_sequence = call->revision,
        .headers = &removed,
        .header_count = call->record.length == 0,
        .payload = core_buffer_slice(&call->record),
    };
    return fanout_courier_publish(call->keyed->courier, &parcel, call_expects(call, handler),
                                  error);
}

/* ---- Keeping, giving back ---- */

static void on_written(void *context, uint64_t tag, const fanout_answer *answer,
                       const core_error *error) {
    keyed_call *call = call_of(context);
    (void)tag;
    (void)answer;
    if (write_again(call, error))
        return;
    if (error != NULL)
        CORE_LOG(call->keyed->spec.log, WARN, call->keyed->spec.room,
                 "an answer could not be kept under its Idempotency-Key",
                 CORE_LOG_TEXT("error", error->text));
    fanout_keyed_answer(call);
}

static void write_step(keyed_call *call) {
    core_error error = {.text = ""};
    if (!record_write(call, on_written, &error))
        call_stall(call, &error);
}

void fanout_keyed_end(keyed_call *call) {
    const core_route_response *response = &call->reply.response;
    core_state_move(&call->state, KEYED_WRITING);
    call->until_ms = now_ms(call) + WRITE_MS;
    core_buffer_reset(&call->record);
    if (response->status >= 200 && response->status < 300)
        fanout_idempotency_done(&call->claim.key, response, &call->record);
    else if (response->status >= 500)
        fanout_idempotency_claim(&call->claim.key, call->claim.began_us, 0, &call->record);
    if (core_buffer_ok(&call->record) && core_buffer_ok(&response->body))
        write_step(call);
    else
        fanout_keyed_answer(call);
}

/* ---- Claiming ---- */

static void verdict_refuse(keyed_call *call, fanout_idempotency_verdict verdict) {
    const char *detail;
    unsigned status = fanout_idempotency_refusal(verdict, &detail);
    fanout_keyed_refuse(call, status, detail);
}

static void on_claimed(void *context, uint64_t tag, const fanout_answer *answer,
                       const core_error *error) {
    keyed_call *call = call_of(context);
    (void)tag;
    if (write_again(call, error))
        return;
    if (error == NULL) {
        call->revision = answer->sequence;
        core_state_move(&call->state, KEYED_WORKING);
        call->work.take(call->work.context, call->work.what, &call->reply);
    } else if (error->code == CORE_ERROR_CONFLICT) {
        verdict_refuse(call, FANOUT_IDEMPOTENCY_UNDER_WAY);
    } else {
        fanout_keyed_refuse(call, core_route_error_status(error->code), error->text);
    }
}

static void claim_step(keyed_call *call) {
    core_error error = {.text = ""};
    if (!record_write(call, on_claimed, &error))
        call_stall(call, &error);
}

static void on_record(void *context, uint64_t tag, const fanout_answer *answer,
                      const core_error *error) {
    keyed_call *call = call_of(context);
    (void)tag;
    if (error != NULL && error->code != CORE_ERROR_INPUT) {
        fanout_keyed_refuse(call, core_route_error_status(error->code), error->text);
        return;
    }
    call->revision = error == NULL ? answer->sequence : 0;
    fanout_idempotency_found found = fanout_idempotency_look(
        &call->claim.key, error == NULL ? answer->payload : core_slice_make(NULL, 0), now_us(call));
    if (found.verdict == FANOUT_IDEMPOTENCY_DONE) {
        fanout_idempotency_replay(&found, &call->reply);
        fanout_keyed_answer(call);
        return;
    }
    if (found.verdict != FANOUT_IDEMPOTENCY_FREE) {
        verdict_refuse(call, found.verdict);
        return;
    }
    call->claim.began_us = found.began_us > 0 ? found.began_us : now_us(call);
    core_state_move(&call->state, KEYED_CLAIMING);
    call->until_ms = now_ms(call) + WRITE_MS;
    core_buffer_reset(&call->record);
    fanout_idempotency_claim(&call->claim.key, call->claim.began_us, now_us(call), &call->record);
    claim_step(call);
}

static void look_step(keyed_call *call) {
    char subject[CORE_SUBJECT_MAX];
    core_error error = {.text = ""};
    record_subject(call, subject);
    if (!fanout_courier_next(call->keyed->courier, call->keyed->stream, subject, 0,
                             call_expects(call, on_record), &error))
        call_stall(call, &error);
}

void fanout_keyed_step(keyed_call *call) {
    static void (*const steps[])(keyed_call * call) = {
        [KEYED_LOOKING] = look_step,
        [KEYED_CLAIMING] = claim_step,
        [KEYED_WRITING] = write_step,
    };
    assert(call->state.current != KEYED_WORKING);
    call->stalled = false;
    steps[call->state.current](call);
}
