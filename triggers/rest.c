/* See rest.h. Requests are answered on the desk's thread, one after the other, from the store. */
#include "triggers/rest.h"
#include "triggers/answer.h"
#include "triggers/check.h"
#include "triggers/desk.h"
#include "triggers/rest_list.h"
#include "triggers/store.h"
#include "triggers/tick.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define REST_MAGIC UINT32_C(0x54525354) /* "TRST" */

enum { PART_KIND = 3, PART_NAME = 4, PART_ACT = 5 };

typedef struct triggers_rest {
    triggers_part part; /* first: the interface points here */
    uint32_t magic;
    triggers_host *host;
    triggers_store *store;
    triggers_check *check;
} triggers_rest;

/* One request, taken apart. */
typedef struct {
    triggers_rest *rest;
    core_route_reply *reply;
    char project[TRIGGERS_PROJECT_MAX];
    char name[TRIGGERS_NAME_MAX + 1];
    uint64_t expected; /* by If-Match */
    bool is_cron;      /* asked for under /cron, where schedules alone are seen */
} rest_call;

static triggers_rest *rest_of(void *context) {
    triggers_rest *rest = context;
    CORE_MAGIC_CHECK(rest, REST_MAGIC);
    return rest;
}

/* ---- Answers ---- */

static void call_fail(const rest_call *call, const core_error *error) {
    unsigned status = triggers_answer_status(error->code);
    if (status == 409 && call->expected != TRIGGERS_REVISION_ANY && call->expected != 0)
        status = 412;
    triggers_answer_problem(call->reply, status, error->text, NULL);
}

static void call_missing(const rest_call *call) {
    triggers_answer_problem(call->reply, 404,
                            call->is_cron ? "there is no schedule of that name"
                                          : "there is no trigger of that name",
                            NULL);
}

static bool call_sees(const rest_call *call, const triggers_stored *stored, uint64_t revision) {
    return revision != 0 && (!call->is_cron || triggers_view_is_schedule(stored));
}

static void etag_add(core_route_reply *reply, uint64_t revision) {
    char etag[32];
    (void)snprintf(etag, sizeof etag, "\"%" PRIu64 "\"", revision);
    (void)core_route_response_header(&reply->response, "ETag", etag);
}

/* The trigger as it is stored now; its slices live until the store's next call. False: answered. */
static bool call_get(const rest_call *call, triggers_stored *stored, uint64_t *revision) {
    core_error error = {.text = ""};
    *revision = 0;
    if (!triggers_store_get(call->rest->store, call->project, call->name, stored, revision, &error))
        call_fail(call, &error);
    else if (!call_sees(call, stored, *revision))
        call_missing(call);
    else
        return true;
    return false;
}

static void call_show(const rest_call *call, unsigned status, const core_problems *warnings) {
    triggers_stored stored;
    uint64_t revision;
    if (!call_get(call, &stored, &revision))
        return;
    core_json_writer json = triggers_answer_json(call->reply, status);
    etag_add(call->reply, revision);
    triggers_stored_view(&stored, revision, warnings, &json);
}

static void audit(const rest_call *call, const char *act, const char *detail) {
    triggers_rest_audit(call->rest->host, call->reply, act, call->name, detail);
}

/* ---- Create and replace ---- */

/* The body's own name and project are the address's. */
static void identity_check(const rest_call *call, const core_document *document,
                           const triggers_definition *definition, core_problems *problems) {
    const core_node *root = core_document_root(document);
    const core_node *project = core_node_find(root, "project");
    if (!core_slice_is(definition->project, call->project))
        (void)core_problem_tell(problems, project->place,
                                "project: expected %s, the address's project", call->project);
    if (call->is_cron && definition->on != TRIGGERS_ON_CRON)
        (void)core_problem_tell(problems, core_node_find(root, "on")->place,
                                "on: expected cron, for it is put among the schedules");
    if (call->name[0] != '\0' && !core_slice_is(definition->name, call->name))
        (void)core_problem_tell(problems, core_node_find(root, "name")->place,
                                "name: expected %s, the address's name", call->name);
}

static void wish_put(rest_call *call, const core_document *document,
                     const triggers_definition *definition, core_slice facts,
                     const core_problems *warnings) {
    static const char *const acts[] = {
        [TRIGGERS_CREATED] = "trigger.created", [TRIGGERS_CHANGED] = "trigger.changed"};
    const triggers_wish wish = {.definition = definition,
                                .document = document,
                                .facts = facts,
                                .origin = TRIGGERS_ORIGIN_REST,
                                .expected = call->expected,
                                .keeps_state = true};
    triggers_outcome outcome = TRIGGERS_UNCHANGED;
    uint64_t revision = 0;
    core_error error = {.text = ""};
    (void)snprintf(call->name, sizeof call->name, "%.*s", CORE_SLICE_ARGS(definition->name));
    if (!triggers_store_put(call->rest->store, &wish, &outcome, &revision, &error)) {
        call_fail(call, &error);
        return;
    }
    if (outcome != TRIGGERS_UNCHANGED)
        audit(call, acts[outcome], triggers_do_name(definition->action));
    call_show(call, outcome == TRIGGERS_CREATED ? 201 : 200, warnings);
    if (outcome == TRIGGERS_CREATED) {
        char location[CORE_ROUTE_HEADERS_MAX / 2 + TRIGGERS_NAME_MAX];
        (void)snprintf(location, sizeof location, "%.*s%s%s",
                       CORE_SLICE_ARGS(call->reply->request.path),
                       core_slice_is(call->reply->request.method, "POST") ? "/" : "",
                       core_slice_is(call->reply->request.method, "POST") ? call->name : "");
        (void)core_route_response_header(&call->reply->response, "Location", location);
    }
}

/* Told to `problems`, or put; NULL document: told already. */
static void definition_put(rest_call *call, const core_document *document,
                           core_problems *problems) {
    const core_route_caller *caller = &call->reply->request.caller;
    const triggers_definition_facts facts = {.project = core_slice_text(call->project),
                                             .environment = caller->environment};
    core_error error = {.text = ""};
    bool asked = true;
    core_buffer seen;
    core_buffer_init(&seen, TRIGGERS_STORED_BYTES_MAX);
    const triggers_definition *definition =
        document != NULL ? triggers_definition_of(document, &facts, problems) : NULL;
    if (definition != NULL)
        identity_check(call, document, definition, problems);
    if (core_problems_ok(problems))
        asked = triggers_check_definition(call->rest->check, definition, document, problems, &seen,
                                          &error);
    triggers_check_rest(call->rest->check);
    if (!asked)
        call_fail(call, &error);
    else if (!core_problems_ok(problems))
        triggers_answer_problem(call->reply, 400, "the definition is not valid", problems);
    else
        wish_put(call, document, definition, core_buffer_slice(&seen), problems);
    core_buffer_fini(&seen);
    triggers_definition_release(definition);
}

static void serve_put(rest_call *call) {
    core_problems problems;
    core_problems_init(&problems);
    core_document *document = core_document_read(call->reply->request.body, &problems);
    definition_put(call, document, &problems);
    core_document_free(document);
    core_problems_fini(&problems);
}

/* Not in the place of a trigger that is on something else. */
static void serve_replace(rest_call *call) {
    triggers_stored stored;
    uint64_t revision = 0;
    core_error error = {.text = ""};
    if (call->is_cron && !triggers_store_get(call->rest->store, call->project, call->name, &stored,
                                             &revision, &error))
        call_fail(call, &error);
    else if (revision != 0 && !call_sees(call, &stored, revision))
        triggers_answer_problem(call->reply, 409, "a trigger of that name is no schedule", NULL);
    else
        serve_put(call);
}

static void serve_create(rest_call *call) {
    call->expected = 0;
    serve_put(call);
}

/* ---- The others ---- */

static void serve_list(rest_call *call) {
    core_error error = {.text = ""};
    if (!triggers_list_write(call->rest->store, call->project, call->is_cron, call->reply, &error))
        call_fail(call, &error);
}

static void serve_get(rest_call *call) {
    call_show(call, 200, NULL);
}

static void serve_delete(rest_call *call) {
    triggers_stored stored;
    uint64_t revision;
    core_error error = {.text = ""};
    if (!call_get(call, &stored, &revision))
        return;
    if (!triggers_store_remove(call->rest->store, call->project, call->name, true, call->expected,
                               &error)) {
        call_fail(call, &error);
        return;
    }
    audit(call, "trigger.removed", NULL);
    call->reply->response.status = 204;
    call->reply->response.content_type = "application/json";
}

/* Its moment is now; those that it names are not touched by it. */
static void run_write(const rest_call *call, const triggers_definition *definition) {
    const triggers_spec *spec = &call->rest->host->spec;
    core_error error = {.text = ""};
    int64_t now_us = core_clock_wall_us(spec->clock);
    fanout_connection *connection = triggers_store_connection(call->rest->store, &error);
    if (definition->disabled) {
        triggers_answer_problem(call->reply, 409, "the schedule is disabled", NULL);
    } else if (connection == NULL ||
               !triggers_tick_run(connection, spec->config, definition, now_us,
                                  call->reply->request.idempotency_key, &error)) {
        call_fail(call, &error);
    } else {
        (void)triggers_answer_json(call->reply, 202);
        triggers_tick_body(definition, now_us, &call->reply->response.body);
        audit(call, "cron.run", NULL);
    }
}

static void serve_run(rest_call *call) {
    const core_slice environment = call->reply->request.caller.environment;
    triggers_stored stored;
    uint64_t revision;
    core_error error = {.text = ""};
    if (!call_get(call, &stored, &revision))
        return;
    const triggers_definition *definition =
        triggers_stored_definition(&stored, environment, revision, &error);
    if (definition == NULL)
        call_fail(call, &error);
    else
        run_write(call, definition);
    triggers_definition_release(definition);
}

static void serve_act(rest_call *call) {
    static const bool yes = true, no = false;
    static const struct {
        const char *name, *act;
        triggers_state state;
    } acts[] = {
        {"pause", "trigger.paused", {.paused = &yes}},
        {"resume", "trigger.resumed", {.paused = &no}},
        {"enable", "trigger.enabled", {.disabled = &no}},
        {"disable", "trigger.disabled", {.disabled = &yes}},
    };
    char name[16];
    triggers_stored stored;
    core_error error = {.text = ""};
    uint64_t revision;
    if (!triggers_path_part(call->reply->request.path, PART_ACT, name, sizeof name))
        name[0] = '\0';
    if (call->is_cron && strcmp(name, "run") == 0) {
        serve_run(call);
        return;
    }
    for (size_t i = 0; i < CORE_COUNT_OF(acts); i++) {
        if (strcmp(acts[i].name, name) != 0)
            continue;
        if (!call_get(call, &stored, &revision))
            return;
        if (!triggers_store_state(call->rest->store, call->project, call->name, &acts[i].state,
                                  call->expected, &revision, &error)) {
            call_fail(call, &error);
            return;
        }
        audit(call, acts[i].act, NULL);
        call_show(call, 200, NULL);
        return;
    }
    triggers_answer_problem(call->reply, 404,
                            "nothing is served at this path: expected NAME/pause, resume, enable "
                            "or disable",
                            NULL);
}

/* ---- Which of them ---- */

static const struct {
    const char *method;
    size_t parts; /* of the path behind "triggers" */
    void (*serve)(rest_call *call);
} rest_rows[] = {
    {"GET", 0, serve_list},      {"HEAD", 0, serve_list}, {"POST", 0, serve_create},
    {"GET", 1, serve_get},       {"HEAD", 1, serve_get},  {"PUT", 1, serve_replace},
    {"DELETE", 1, serve_delete}, {"POST", 2, serve_act},
};

static size_t parts_count(core_slice path) {
    size_t slashes = 0;
    for (size_t i = 0; i < path.length; i++)
        slashes += path.data[i] == '/';
    return slashes - PART_NAME;
}

/* `"7"` of If-Match. False: it is none. */
static bool if_match_read(core_slice value, uint64_t *expected) {
    *expected = TRIGGERS_REVISION_ANY;
    if (value.length == 0 || core_slice_is(value, "*"))
        return true;
    return value.length > 2 && value.data[0] == '"' && value.data[value.length - 1] == '"' &&
           core_slice_to_u64(core_slice_make(value.data + 1, value.length - 2), expected) &&
           *expected > 0;
}

/* On the desk's thread. */
static void rest_serve(void *context, core_route_reply *reply) {
    const core_route_request *request = &reply->request;
    rest_call call = {.rest = rest_of(context), .reply = reply};
    size_t parts = parts_count(request->path);
    char kind[16] = "";
    call.is_cron = triggers_path_part(request->path, PART_KIND, kind, sizeof kind) &&
                   strcmp(kind, "cron") == 0;
    bool named =
        core_slice_to_text(request->caller.project, call.project, sizeof call.project) &&
        (parts == 0 || triggers_path_part(request->path, PART_NAME, call.name, sizeof call.name));
    if (!named || (parts > 0 && !triggers_name_ok(core_slice_text(call.name)))) {
        call_missing(&call);
        return;
    }
    if (!if_match_read(request->if_match, &call.expected)) {
        triggers_answer_problem(reply, 412, "If-Match: expected an ETag of this trigger", NULL);
        return;
    }
    for (size_t i = 0; i < CORE_COUNT_OF(rest_rows); i++)
        if (rest_rows[i].parts == parts && core_slice_is(request->method, rest_rows[i].method)) {
            rest_rows[i].serve(&call);
            return;
        }
    triggers_answer_problem(reply, 404, "nothing is served at this path", NULL);
}

void triggers_rest_take(triggers_host *host, core_route_reply *reply) {
    triggers_desk_put(host->desk, reply, rest_serve, host->rest);
}

/* ---- For what else the desk answers ---- */

triggers_store *triggers_rest_store(const triggers_host *host) {
    return rest_of(host->rest)->store;
}

void triggers_rest_audit(const triggers_host *host, const core_route_reply *reply, const char *act,
                         const char *object, const char *detail) {
    const core_route_caller *caller = &reply->request.caller;
    auth_claims claims = {.scopes = caller->scopes};
    const auth_act record = {.act = act, .object = object, .detail = detail, .claims = &claims};
    bool fits =
        core_slice_to_text(caller->role, claims.role, sizeof claims.role) &&
        core_slice_to_text(caller->subject, claims.subject, sizeof claims.subject) &&
        core_slice_to_text(caller->project, claims.project, sizeof claims.project) &&
        core_slice_to_text(caller->environment, claims.environment, sizeof claims.environment) &&
        core_slice_to_text(caller->id, claims.id, sizeof claims.id);
    if (host->spec.audit != NULL && fits)
        auth_audit_act(host->spec.audit, &record);
}

/* ---- The part ---- */

static bool part_start(triggers_part *part, core_error *error) {
    triggers_rest *rest = rest_of(part);
    rest->host->desk = triggers_desk_new("triggers-rest", error);
    return rest->host->desk != NULL;
}

static void part_stop(triggers_part *part) {
    triggers_rest *rest = rest_of(part);
    if (rest->host->desk != NULL)
        triggers_desk_stop(rest->host->desk);
    triggers_desk_free(rest->host->desk);
    rest->host->desk = NULL;
    triggers_store_free(rest->store);
    triggers_check_free(rest->check);
    rest->magic = 0;
    free(rest);
}

triggers_part *triggers_rest_part(triggers_host *host, core_error *error) {
    triggers_rest *rest = calloc(1, sizeof *rest);
    if (rest == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "no memory for triggers over REST");
        return NULL;
    }
    *rest = (triggers_rest){
        .part = {.name = "rest", .start = part_start, .stop = part_stop},
        .magic = REST_MAGIC,
        .host = host,
        .store = triggers_store_new(&host->spec, "walcast-triggers", error),
    };
    if (rest->store != NULL)
        rest->check = triggers_check_new(&host->spec, error);
    if (rest->check == NULL) {
        part_stop(&rest->part);
        return NULL;
    }
    host->rest = rest;
    return &rest->part;
}
