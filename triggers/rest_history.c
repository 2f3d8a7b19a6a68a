/* See rest_history.h. Requests are answered on the desk's thread, one after the other: so each of
 * them does a bounded piece of work and says where to go on. */
#include "triggers/rest_history.h"
#include "triggers/account.h"
#include "triggers/again.h"
#include "triggers/desk.h"
#include "triggers/history.h"
#include "triggers/query.h"
#include "triggers/rehearsal.h"
#include "triggers/rest.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    PART_NAME = 4,
    LIMIT_INITIAL = 100,
    LIMIT_MAX = 1000,       /* outcomes of a page, events delivered again by one request */
    LOOKED_AT_MAX = 100000, /* events that one request holds against the definition */
    ID_MAX = 256,
};

typedef struct {
    triggers_host *host;
    core_route_reply *reply;
    char project[TRIGGERS_PROJECT_MAX];
    char name[TRIGGERS_NAME_MAX + 1];
    triggers_dead_scope scope;
} history_call;

static void call_fail(const history_call *call, const core_error *error) {
    unsigned status = error->code == CORE_ERROR_GAP ? 410 : core_route_error_status(error->code);
    core_route_refuse(call->reply, status, error->text, NULL);
}

/* False: answered. */
static bool call_open(history_call *call) {
    core_slice path = call->reply->request.path;
    core_error error = {.text = ""};
    if (!core_slice_to_text(call->reply->request.caller.project, call->project,
                            sizeof call->project) ||
        !core_route_path_part(path, PART_NAME, call->name, sizeof call->name) ||
        !triggers_name_ok(core_slice_text(call->name))) {
        core_route_refuse(call->reply, 404, "there is no trigger of that name", NULL);
        return false;
    }
    call->scope = (triggers_dead_scope){
        .config = call->host->spec.config,
        .project = core_slice_text(call->project),
        .connection = fanout_definitions_connection(triggers_rest_store(call->host), &error)};
    if (call->scope.connection == NULL)
        call_fail(call, &error);
    return call->scope.connection != NULL;
}

/* As it is stored, held. NULL: answered. */
static const triggers_definition *definition_get(const history_call *call) {
    core_slice environment = call->reply->request.caller.environment;
    const triggers_definition *definition = NULL;
    fanout_definition stored;
    uint64_t revision = 0;
    core_error error = {.text = ""};
    if (!fanout_definitions_get(triggers_rest_store(call->host), call->project, call->name, &stored,
                                &revision, &error)) {
        call_fail(call, &error);
    } else if (revision == 0) {
        core_route_refuse(call->reply, 404, "there is no trigger of that name", NULL);
    } else {
        definition = triggers_stored_definition(&stored, environment, revision, &error);
        if (definition == NULL)
            call_fail(call, &error);
    }
    return definition;
}

/* ---- GET deliveries ---- */

/* "SEQUENCE.INDEX" */
static bool place_read(const char *text, triggers_history_place *place) {
    const char *dot = strchr(text, '.');
    uint64_t index = 0;
    if (dot == NULL ||
        !core_slice_to_u64(core_slice_make(text, (size_t)(dot - text)), &place->sequence))
        return false;
    bool ok = core_slice_to_u64(core_slice_text(dot + 1), &index) && index <= UINT32_MAX;
    place->index = (uint32_t)index;
    return ok && place->sequence > 0;
}

static bool page_read(const history_call *call, triggers_history_page *page, char id[ID_MAX],
                      core_error *error) {
    core_slice query = call->reply->request.query;
    char before[64];
    uint64_t limit;
    *page = (triggers_history_page){.limit = 0};
    triggers_query_result has_before = triggers_query_find(query, "before", before, sizeof before);
    if (!triggers_query_number(query, "limit", LIMIT_INITIAL, LIMIT_MAX, &limit, error))
        return false;
    page->limit = (size_t)limit;
    if (has_before != TRIGGERS_QUERY_NONE &&
        (has_before != TRIGGERS_QUERY_FOUND || !place_read(before, &page->before)))
        return core_error_set(error, CORE_ERROR_INPUT, "before: expected what `next` said");
    return triggers_query_find(query, "id", id, ID_MAX) != TRIGGERS_QUERY_WRONG ||
           core_error_set(error, CORE_ERROR_INPUT, "id: expected an event's id");
}

static void next_write(const triggers_history_place *next, bool more, core_json_writer *json) {
    char text[64];
    (void)snprintf(text, sizeof text, "%" PRIu64 ".%" PRIu32, next->sequence, next->index);
    core_json_key_text(json, "next");
    if (more)
        core_json_text(json, text);
    else
        core_json_null(json);
}

/* Of an event that no outcome names: why. False: answered. */
static bool account_write(const history_call *call, const char *id, core_json_writer *json) {
    const triggers_definition *definition = definition_get(call);
    triggers_account account;
    core_error error = {.text = ""};
    const triggers_account_spec spec = {.connection = call->scope.connection,
                                        .config = call->scope.config,
                                        .definition = definition,
                                        .event_id = core_slice_text(id)};
    if (definition == NULL)
        return false;
    triggers_account_init(&account);
    bool ok = triggers_account_find(&spec, &account, &error);
    if (ok)
        triggers_account_json(&spec, &account, json);
    else
        call_fail(call, &error);
    triggers_account_fini(&account);
    triggers_definition_release(definition);
    return ok;
}

static void deliveries_serve(const history_call *call) {
    char id[ID_MAX];
    triggers_history_page page;
    triggers_history_place next = {.sequence = 0};
    bool more = false;
    core_error error = {.text = ""};
    if (!page_read(call, &page, id, &error)) {
        call_fail(call, &error);
        return;
    }
    const triggers_history_filter filter = {.project = call->scope.project,
                                            .trigger = core_slice_text(call->name),
                                            .event_id = core_slice_text(id)};
    core_json_writer json = core_route_answer(call->reply, 200);
    core_json_object_open(&json);
    core_json_key_text(&json, "deliveries");
    core_json_array_open(&json);
    size_t begin = call->reply->response.body.length;
    if (!triggers_history_newest(call->scope.connection, call->scope.config, &filter, &page, &json,
                                 &next, &more, &error)) {
        call_fail(call, &error);
        return;
    }
    bool is_unnamed = id[0] != '\0' && !more && page.before.sequence == 0 &&
                      call->reply->response.body.length == begin;
    if (is_unnamed && !account_write(call, id, &json))
        return;
    core_json_array_close(&json);
    next_write(&next, more, &json);
    core_json_object_close(&json);
}

static void deliveries_work(void *context, core_route_reply *reply) {
    history_call call = {.host = context, .reply = reply};
    if (call_open(&call))
        deliveries_serve(&call);
}

void triggers_deliveries_take(triggers_host *host, core_route_reply *reply) {
    triggers_desk_put(host->desk, reply, deliveries_work, host);
}

/* ---- POST redeliver ---- */

typedef struct {
    const history_call *call;
    core_slice ids; /* a JSON array; empty: a range is meant */
    char from[ID_MAX], until[ID_MAX];
    uint64_t asked, looked_at;
    char next[ID_MAX]; /* where the range goes on; "": it is done */
} redeliver_wish;

static bool text_read(core_json_token token, char text[ID_MAX]) {
    core_buffer out = core_buffer_over(text, ID_MAX - 1);
    bool ok = token.kind == CORE_JSON_STRING && core_json_unescape(token.raw, &out) &&
              out.length > 0 && memchr(text, '\0', out.length) == NULL;
    text[ok ? out.length : 0] = '\0';
    return ok;
}

static bool wish_read(redeliver_wish *wish, core_error *error) {
    core_json_reader reader = core_json_reader_make(wish->call->reply->request.body);
    core_json_token member;
    bool ok = core_json_next(&reader).kind == CORE_JSON_OBJECT_OPEN;
    while (ok && core_json_member_next(&reader, &member)) {
        if (core_json_raw_is(member.key, "event_ids") && member.kind == CORE_JSON_ARRAY_OPEN)
            ok = core_json_skip(&reader, member, &wish->ids);
        else if (core_json_raw_is(member.key, "from"))
            ok = text_read(member, wish->from);
        else if (core_json_raw_is(member.key, "until"))
            ok = text_read(member, wish->until);
        else
            ok = false;
    }
    return (ok && core_json_next(&reader).kind == CORE_JSON_END &&
            (wish->ids.length > 0) != (wish->from[0] != '\0') &&
            (wish->until[0] == '\0' || wish->from[0] != '\0')) ||
           core_error_set(error, CORE_ERROR_INPUT,
                          "expected {\"event_ids\": [ID, ...]} or {\"from\": PLACE, \"until\": "
                          "PLACE}");
}

static bool again_ask(redeliver_wish *wish, const char *id, core_error *error) {
    if (!triggers_again_event(&wish->call->scope, core_slice_text(wish->call->name),
                              core_slice_text(id), error))
        return false;
    wish->asked++;
    return true;
}

/* All are looked at before the first is asked for. */
static bool ids_each(redeliver_wish *wish, bool asks, core_error *error) {
    core_json_reader reader = core_json_reader_make(wish->ids);
    core_json_token token = core_json_next(&reader);
    for (size_t count = 0; (token = core_json_next(&reader)).kind != CORE_JSON_ARRAY_CLOSE;) {
        char id[ID_MAX];
        triggers_past_place place;
        if (++count > LIMIT_MAX)
            return core_error_set(error, CORE_ERROR_LIMIT, "event_ids: more than %d", LIMIT_MAX);
        if (!text_read(token, id) || !triggers_past_place_read(id, &place, error) ||
            place.kind != TRIGGERS_PAST_OFFSET)
            return core_error_set(error, CORE_ERROR_INPUT,
                                  "event_ids: expected ids of events: a change's offset, or the id "
                                  "of an event");
        if (asks && !again_ask(wish, id, error))
            return false;
    }
    return true;
}

static bool range_take(void *context, const triggers_past_event *event,
                       const triggers_explanation *explanation, core_error *error) {
    redeliver_wish *wish = context;
    bool matched = core_slice_is(explanation->outcome, "matched");
    if (wish->asked == LIMIT_MAX || wish->looked_at == LOOKED_AT_MAX) {
        (void)snprintf(wish->next, sizeof wish->next, "%s", event->id);
        return false;
    }
    wish->looked_at++;
    return !matched || again_ask(wish, event->id, error);
}

static bool range_redeliver(redeliver_wish *wish, const triggers_definition *definition,
                            core_error *error) {
    triggers_past_spec spec = {.connection = wish->call->scope.connection,
                               .config = wish->call->scope.config,
                               .definition = definition};
    if (!triggers_past_place_read(wish->from, &spec.from, error))
        return core_error_wrap(error, "from");
    if (!triggers_past_place_read(wish->until[0] != '\0' ? wish->until : "now", &spec.until, error))
        return core_error_wrap(error, "until");
    return triggers_rehearse(&spec, range_take, wish, error);
}

static void redelivered_answer(const redeliver_wish *wish) {
    const history_call *call = wish->call;
    core_json_writer json = core_route_answer(call->reply, 202);
    core_json_object_open(&json);
    core_json_key_text(&json, "redelivered");
    core_json_unsigned(&json, wish->asked);
    core_json_key_text(&json, "next");
    if (wish->next[0] != '\0')
        core_json_text(&json, wish->next);
    else
        core_json_null(&json);
    core_json_object_close(&json);
}

static void redeliver_serve(const history_call *call) {
    redeliver_wish wish = {.call = call};
    char detail[64];
    core_error error = {.text = ""};
    const triggers_definition *definition = definition_get(call);
    if (definition == NULL)
        return;
    bool ok = wish_read(&wish, &error) &&
              (wish.ids.length > 0 ? ids_each(&wish, false, &error) && ids_each(&wish, true, &error)
                                   : range_redeliver(&wish, definition, &error));
    (void)snprintf(detail, sizeof detail, "%" PRIu64 " event%s", wish.asked,
                   wish.asked == 1 ? "" : "s");
    if (wish.asked > 0)
        triggers_rest_audit(call->host, call->reply, "trigger.redelivered", call->name, detail);
    if (ok)
        redelivered_answer(&wish);
    else
        call_fail(call, &error);
    triggers_definition_release(definition);
}

static void redeliver_work(void *context, core_route_reply *reply) {
    history_call call = {.host = context, .reply = reply};
    if (call_open(&call))
        redeliver_serve(&call);
}

void triggers_redeliver_take(triggers_host *host, core_route_reply *reply) {
    triggers_desk_put(host->desk, reply, redeliver_work, host);
}
