/* GET /events/v1 and /events/v1/{id}: read from the stream one after the other, by its subject,
 * without a consumer; see events_private.h. */
#include "triggers/event_view.h"
#include "triggers/events_private.h"
#include "triggers/query.h"

enum {
    LIMIT_DEFAULT = 100,
    LIMIT_MAX = 1000,
    BODY_ENOUGH = 1 << 20, /* bytes of a list that is full; one event more may follow */
};

/* ---- One ---- */

static void on_one(void *context, uint64_t tag, const fanout_answer *answer,
                   const core_error *error) {
    events_call *call = triggers_events_arrived(context);
    (void)tag;
    if (error != NULL && error->code != CORE_ERROR_INPUT) {
        triggers_events_fail(call, error);
        return;
    }
    if (error != NULL || answer->sequence != call->at) {
        triggers_events_refuse(call, 404,
                               "there is no event of that id, or it is not held any more");
        return;
    }
    core_json_writer json = core_route_answer(call->reply, 200);
    triggers_event_write(answer, call->events->created_us, &json);
    triggers_events_answer(call);
}

/* Every event of the project. */
static bool filter_all(events_call *call) {
    core_subject_scope scope = call->events->scope;
    scope.project = call->project;
    if (!core_subject_event(&scope, core_slice_text("x"), call->filter))
        return false;
    size_t length = strlen(call->filter);
    call->filter[length - 1] = '*'; /* in the place of the type */
    return true;
}

static void one_ask(events_call *call) {
    core_error error = {.text = ""};
    if (!fanout_courier_next(call->events->courier, call->events->stream, call->filter, call->at,
                             triggers_events_expect(call, on_one, 0), &error))
        triggers_events_stall(call, one_ask, &error);
}

void triggers_events_get(events_call *call) {
    static const size_t before = sizeof TRIGGERS_EVENTS_PATH "/" - 1;
    core_slice path = call->reply->request.path;
    core_slice id = core_slice_make(path.data + before, path.length - before);
    if (!filter_all(call) ||
        triggers_event_id_read(id, call->events->created_us, &call->at) != TRIGGERS_EVENT_ID_OURS)
        triggers_events_refuse(call, 404,
                               "there is no event of that id, or it is not held any more");
    else
        one_ask(call);
}

/* ---- Many ---- */

static void list_ask(events_call *call);

/* `next` goes on behind the last one that was given, or from where this list began. */
static void list_end(events_call *call) {
    char id[TRIGGERS_EVENT_ID_SIZE];
    core_json_array_close(&call->json);
    triggers_event_id(call->events->created_us, call->at > 0 ? call->at - 1 : 0, id);
    core_json_key_text(&call->json, "next");
    core_json_text(&call->json, id);
    core_json_object_close(&call->json);
    triggers_events_answer(call);
}

static void on_listed(void *context, uint64_t tag, const fanout_answer *answer,
                      const core_error *error) {
    events_call *call = triggers_events_arrived(context);
    (void)tag;
    if (error != NULL && error->code == CORE_ERROR_INPUT) {
        list_end(call); /* none behind it */
        return;
    }
    if (error != NULL) {
        triggers_events_fail(call, error);
        return;
    }
    triggers_event_write(answer, call->events->created_us, &call->json);
    call->at = answer->sequence + 1;
    call->left--;
    bool full = call->reply->response.body.length >= BODY_ENOUGH;
    if (call->left == 0 || full || core_route_reply_abandoned(call->reply))
        list_end(call);
    else
        list_ask(call);
}

static void list_ask(events_call *call) {
    core_error error = {.text = ""};
    if (!fanout_courier_next(call->events->courier, call->events->stream, call->filter, call->at,
                             triggers_events_expect(call, on_listed, 0), &error))
        triggers_events_stall(call, list_ask, &error);
}

bool triggers_events_type(events_call *call, core_slice query, core_error *error) {
    char type[TRIGGERS_EVENT_TYPE_MAX + 1];
    core_subject_scope scope = call->events->scope;
    scope.project = call->project;
    switch (triggers_query_find(query, "type", type, sizeof type)) {
    case TRIGGERS_QUERY_NONE:
        return filter_all(call) ||
               core_error_set(error, CORE_ERROR_INPUT, "the project is too long");
    case TRIGGERS_QUERY_FOUND:
        return triggers_event_type_check(core_slice_text(type), error) &&
               (core_subject_event(&scope, core_slice_text(type), call->filter) ||
                core_error_set(error, CORE_ERROR_INPUT, "type: too long"));
    case TRIGGERS_QUERY_WRONG:
        break;
    }
    return core_error_set(error, CORE_ERROR_INPUT, "type: expected at most %d bytes, once",
                          TRIGGERS_EVENT_TYPE_MAX);
}

bool triggers_events_since(events_call *call, core_slice query, core_slice otherwise,
                           core_error *error) {
    char id[TRIGGERS_EVENT_ID_SIZE];
    uint64_t sequence = 0;
    triggers_query_result result = triggers_query_find(query, "since", id, sizeof id);
    bool has = result != TRIGGERS_QUERY_NONE || otherwise.length > 0;
    core_slice text = result == TRIGGERS_QUERY_NONE ? otherwise : core_slice_text(id);
    triggers_event_id_kind kind = triggers_event_id_read(text, call->events->created_us, &sequence);
    call->at = has && sequence < UINT64_MAX ? sequence + 1 : 0;
    if (has && kind == TRIGGERS_EVENT_ID_OTHERS)
        return core_error_set(error, CORE_ERROR_GAP,
                              "since: an id of a stream that is no more; begin without it");
    return !has || kind == TRIGGERS_EVENT_ID_OURS ||
           core_error_set(error, CORE_ERROR_INPUT, "since: expected an event's id");
}

static bool limit_take(events_call *call, core_slice query, core_error *error) {
    char text[8];
    uint64_t limit = LIMIT_DEFAULT;
    triggers_query_result result = triggers_query_find(query, "limit", text, sizeof text);
    bool ok = result == TRIGGERS_QUERY_NONE ||
              (result == TRIGGERS_QUERY_FOUND && core_slice_to_u64(core_slice_text(text), &limit) &&
               limit >= 1 && limit <= LIMIT_MAX);
    call->left = (size_t)limit;
    return ok || core_error_set(error, CORE_ERROR_INPUT, "limit: expected 1 to %d", LIMIT_MAX);
}

void triggers_events_list(events_call *call) {
    core_slice query = call->reply->request.query;
    core_error error = {.text = ""};
    const core_slice none = {0};
    if (!triggers_events_type(call, query, &error) ||
        !triggers_events_since(call, query, none, &error) || !limit_take(call, query, &error)) {
        triggers_events_refuse(call, error.code == CORE_ERROR_GAP ? 410 : 400, error.text);
        return;
    }
    call->json = core_route_answer(call->reply, 200);
    core_json_object_open(&call->json);
    core_json_key_text(&call->json, "events");
    core_json_array_open(&call->json);
    list_ask(call);
}
