/* POST /events/v1 and /events/v1/batch: read, then sent into the stream of events, one message an
 * event, in order; see events_private.h.
 *
 * Of a batch all are checked before one is sent. When some of it was not stored the request fails
 * as a whole and says how many were; asked again under the same Idempotency-Key the stream knows
 * those by their ids. */
#include "triggers/chain.h"
#include "triggers/event_view.h"
#include "triggers/events_private.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { ID_MAX = 96, KEY_DIGITS = 40 };

static const char batch_path[] = TRIGGERS_EVENTS_PATH "/batch";

/* ---- The answer ---- */

static void ids_write(const events_call *call, core_json_writer *json) {
    char id[TRIGGERS_EVENT_ID_SIZE];
    if (call->many) {
        core_json_key_text(json, "ids");
        core_json_array_open(json);
    } else {
        core_json_key_text(json, "id");
    }
    for (size_t i = 0; i < call->batch.count; i++) {
        triggers_event_id(call->events->created_us, call->sequences[i], id);
        core_json_text(json, id);
    }
    if (call->many)
        core_json_array_close(json);
}

static void stored_answer(events_call *call) {
    if (call->reply == NULL) {
        triggers_events_answer(call);
        return;
    }
    core_json_writer json = core_route_answer(call->reply, 202);
    core_json_object_open(&json);
    ids_write(call, &json);
    core_json_object_close(&json);
    triggers_events_answer(call);
}

static void failed_answer(events_call *call) {
    size_t stored = 0;
    for (size_t i = 0; i < call->batch.count; i++)
        stored += call->sequences[i] != 0;
    if (call->many)
        (void)core_error_wrap(&call->failure, "%zu of %zu events were stored", stored,
                              call->batch.count);
    if (call->reply == NULL)
        CORE_LOG(call->events->host->spec.log, WARN, "triggers",
                 "events that were answered early are not stored",
                 CORE_LOG_TEXT("error", call->failure.text));
    triggers_events_fail(call, &call->failure);
}

/* ---- Sending ---- */

/* Ends the call, if all that it waits for has come. */
static void settle(events_call *call) {
    if (call->sent < call->batch.count && call->failure.code == CORE_ERROR_NONE)
        return;
    if (call->waiting > 0)
        return;
    if (call->failure.code == CORE_ERROR_NONE)
        stored_answer(call);
    else
        failed_answer(call);
}

static void on_stored(void *context, uint64_t tag, const fanout_answer *answer,
                      const core_error *error) {
    events_call *call = triggers_events_arrived(context);
    if (error == NULL)
        call->sequences[tag] = answer->sequence;
    else if (call->failure.code == CORE_ERROR_NONE)
        call->failure = *error;
    if (call->stalled == NULL || call->failure.code != CORE_ERROR_NONE) {
        call->stalled = NULL;
        settle(call);
    }
}

static bool one_send(events_call *call, size_t index, core_error *error) {
    char subject[CORE_SUBJECT_MAX], id[ID_MAX];
    const triggers_posted_event *event = &call->batch.events[index];
    core_subject_scope scope = call->events->scope;
    scope.project = call->project;
    if (!core_subject_event(&scope, event->type, subject))
        return core_error_set(error, CORE_ERROR_LIMIT,
                              "the event's subject is longer than %d bytes", CORE_SUBJECT_MAX);
    bool has_key = call->key.name[0] != '\0';
    (void)snprintf(id, sizeof id, "api-%.*s-%zu", KEY_DIGITS, call->key.name, index);
    const fanout_header headers[] = {
        {"Walcast-Source", "api"}, {"Walcast-Time", call->time}, {"Walcast-Depth", call->depth}};
    const fanout_parcel parcel = {
        .subject = subject,
        .id = has_key ? id : NULL,
        .headers = headers,
        .header_count = CORE_COUNT_OF(headers),
        .payload = event->data,
    };
    if (fanout_courier_publish(call->events->courier, &parcel,
                               triggers_events_expect(call, on_stored, index), error))
        return true;
    call->waiting--; /* it was not sent */
    return false;
}

static void early_answer(events_call *call) {
    core_json_writer json = core_route_answer(call->reply, 202);
    (void)core_route_response_header(&call->reply->response, "Preference-Applied", "respond-async");
    core_json_object_open(&json);
    core_json_key_text(&json, "accepted");
    core_json_unsigned(&json, call->batch.count);
    core_json_object_close(&json);
}

static void events_send(events_call *call) {
    core_error error = {.text = ""};
    while (call->sent < call->batch.count && call->failure.code == CORE_ERROR_NONE) {
        if (one_send(call, call->sent, &error)) {
            call->sent++;
            continue;
        }
        if (error.code == CORE_ERROR_TRANSIENT && fanout_courier_ready(call->events->courier)) {
            call->stalled = events_send;
            return;
        }
        call->failure = error;
    }
    if (call->early && call->failure.code == CORE_ERROR_NONE) {
        early_answer(call);
        triggers_events_answer_early(call); /* what it pointed into was copied */
    }
    settle(call);
}

/* ---- The request ---- */

static bool prefers_async(core_slice prefer) {
    static const char word[] = "respond-async";
    return prefer.length >= sizeof word - 1 &&
           memmem(prefer.data, prefer.length, word, sizeof word - 1) != NULL;
}

static bool depth_read(events_call *call, core_error *error) {
    uint16_t depth;
    if (!triggers_chain_told(call->reply->request.walcast_depth, &depth, error))
        return false;
    (void)snprintf(call->depth, sizeof call->depth, "%u", (unsigned)depth);
    return true;
}

void triggers_events_publish(events_call *call) {
    const core_route_request *request = &call->reply->request;
    const fanout_claim *claim = fanout_keyed_claim(call->reply);
    core_error error = {.text = ""};
    call->many = core_slice_is(request->path, batch_path);
    /* What is kept under a key must be true: there the answer waits. */
    call->early = claim == NULL && prefers_async(request->prefer);
    if (claim != NULL)
        call->key = claim->key;
    core_clock_format(core_clock_wall_us(call->events->host->spec.clock), call->time);
    bool ok = depth_read(call, &error) &&
              triggers_event_batch_read(request->body, call->many, &call->batch, &error);
    if (ok) {
        call->sequences = calloc(call->batch.count, sizeof *call->sequences);
        ok = call->sequences != NULL ||
             core_error_set(&error, CORE_ERROR_INTERNAL, "no memory for events");
    }
    if (!ok)
        triggers_events_refuse(call,
                               error.code == CORE_ERROR_LIMIT   ? 413
                               : error.code == CORE_ERROR_INPUT ? 400
                                                                : 500,
                               error.text);
    else
        events_send(call);
}
