/* See rest.h. Requests are answered on the desk's thread, one after the other, from the store. */
#include "triggers/rest.h"
#include "triggers/desk.h"
#include "triggers/kind.h"
#include "triggers/tick.h"

#include <stdlib.h>

#define REST_MAGIC UINT32_C(0x54525354) /* "TRST" */

enum { PART_KIND = 3, PART_NAME = 4, PART_ACT = 5 };

typedef struct triggers_rest {
    triggers_part part; /* first: the interface points here */
    uint32_t magic;
    triggers_host *host;
    fanout_definitions *store;
    triggers_check *check;
} triggers_rest;

static triggers_rest *rest_of(void *context) {
    triggers_rest *rest = context;
    CORE_MAGIC_CHECK(rest, REST_MAGIC);
    return rest;
}

/* ---- What is particular to triggers, and to schedules, seen under /cron ---- */

static triggers_rest *call_rest(const fanout_definition_call *call) {
    return rest_of(call->context);
}

static void audit(const fanout_definition_call *call, const char *act, const char *detail) {
    triggers_rest_audit(call_rest(call)->host, call->reply, act, call->name, detail);
}

static void done_audit(const fanout_definition_call *call, fanout_outcome outcome,
                       const void *definition) {
    static const char *const acts[] = {[FANOUT_CREATED] = "trigger.created",
                                       [FANOUT_CHANGED] = "trigger.changed",
                                       [FANOUT_REMOVED] = "trigger.removed"};
    const triggers_definition *it = definition;
    audit(call, acts[outcome], it != NULL ? triggers_do_name(it->action) : NULL);
}

static bool schedule_is(const fanout_definition_call *call, const fanout_definition *stored) {
    const core_slice none = {0};
    core_error ignored;
    const triggers_definition *definition = triggers_stored_definition(stored, none, 0, &ignored);
    bool is_one = definition != NULL && definition->on == TRIGGERS_ON_CRON;
    (void)call;
    triggers_definition_release(definition);
    return is_one;
}

static bool schedule_expect(const fanout_definition_call *call, const core_document *document,
                            const void *definition, core_problems *problems) {
    const triggers_definition *it = definition;
    (void)call;
    if (it->on != TRIGGERS_ON_CRON)
        (void)core_problem_tell(problems, core_node_find(core_document_root(document), "on")->place,
                                "on: expected cron, for it is put among the schedules");
    return true;
}

static const fanout_definition_manner triggers_manner = {
    .missing = "there is no trigger of that name", .several = "triggers", .done = done_audit};
static const fanout_definition_manner schedules_manner = {.missing =
                                                              "there is no schedule of that name",
                                                          .several = "schedules",
                                                          .sees = schedule_is,
                                                          .expects = schedule_expect,
                                                          .done = done_audit};

static bool is_cron(const fanout_definition_call *call) {
    return call->manner == &schedules_manner;
}

/* Not in the place of a trigger that is on something else. */
static void serve_replace(fanout_definition_call *call) {
    fanout_definition stored;
    uint64_t revision = 0;
    core_error error = {.text = ""};
    if (is_cron(call) &&
        !fanout_definitions_get(call->store, call->project, call->name, &stored, &revision, &error))
        fanout_definition_fail(call, &error);
    else if (revision != 0 && !schedule_is(call, &stored))
        core_route_refuse(call->reply, 409, "a trigger of that name is no schedule", NULL);
    else
        fanout_definition_serve_put(call);
}

/* ---- Acts ---- */

/* Its moment is now; those that it names are not touched by it. */
static void run_write(const fanout_definition_call *call, const triggers_definition *definition) {
    const triggers_spec *spec = &call_rest(call)->host->spec;
    core_error error = {.text = ""};
    int64_t now_us = core_clock_wall_us(spec->clock);
    fanout_connection *connection = fanout_definitions_connection(call->store, &error);
    if (definition->disabled) {
        core_route_refuse(call->reply, 409, "the schedule is disabled", NULL);
    } else if (connection == NULL ||
               !triggers_tick_run(connection, spec->config, definition, now_us,
                                  call->reply->request.idempotency_key, &error)) {
        fanout_definition_fail(call, &error);
    } else {
        (void)core_route_answer(call->reply, 202);
        triggers_tick_body(definition, now_us, &call->reply->response.body);
        audit(call, "cron.run", NULL);
    }
}

static void serve_run(fanout_definition_call *call) {
    const core_slice environment = call->reply->request.caller.environment;
    fanout_definition stored;
    uint64_t revision;
    core_error error = {.text = ""};
    if (!fanout_definition_find(call, &stored, &revision))
        return;
    const triggers_definition *definition =
        triggers_stored_definition(&stored, environment, revision, &error);
    if (definition == NULL)
        fanout_definition_fail(call, &error);
    else
        run_write(call, definition);
    triggers_definition_release(definition);
}

static void serve_act(fanout_definition_call *call) {
    static const bool yes = true, no = false;
    static const struct {
        const char *name, *act;
        fanout_definition_state state;
    } acts[] = {
        {"pause", "trigger.paused", {.paused = &yes}},
        {"resume", "trigger.resumed", {.paused = &no}},
        {"enable", "trigger.enabled", {.disabled = &no}},
        {"disable", "trigger.disabled", {.disabled = &yes}},
    };
    char name[16];
    fanout_definition stored;
    core_error error = {.text = ""};
    uint64_t revision;
    if (!core_route_path_part(call->reply->request.path, PART_ACT, name, sizeof name))
        name[0] = '\0';
    if (is_cron(call) && strcmp(name, "run") == 0) {
        serve_run(call);
        return;
    }
    for (size_t i = 0; i < CORE_COUNT_OF(acts); i++) {
        if (strcmp(acts[i].name, name) != 0)
            continue;
        if (!fanout_definition_find(call, &stored, &revision))
            return;
        if (!fanout_definitions_state(call->store, call->project, call->name, &acts[i].state,
                                      call->expected, &revision, &error)) {
            fanout_definition_fail(call, &error);
            return;
        }
        audit(call, acts[i].act, NULL);
        fanout_definition_show(call, 200, NULL);
        return;
    }
    core_route_refuse(call->reply, 404,
                      "nothing is served at this path: expected NAME/pause, resume, enable "
                      "or disable",
                      NULL);
}

/* ---- Which of them ---- */

static const struct {
    const char *method;
    size_t parts; /* of the path behind "triggers" */
    void (*serve)(fanout_definition_call *call);
} rest_rows[] = {
    {"GET", 0, fanout_definition_serve_list},      {"HEAD", 0, fanout_definition_serve_list},
    {"POST", 0, fanout_definition_serve_create},   {"GET", 1, fanout_definition_serve_get},
    {"HEAD", 1, fanout_definition_serve_get},      {"PUT", 1, serve_replace},
    {"DELETE", 1, fanout_definition_serve_delete}, {"POST", 2, serve_act},
};

static size_t parts_count(core_slice path) {
    size_t slashes = 0;
    for (size_t i = 0; i < path.length; i++)
        slashes += path.data[i] == '/';
    return slashes - PART_NAME;
}

/* On the desk's thread. */
static void rest_serve(void *context, core_route_reply *reply) {
    const core_route_request *request = &reply->request;
    triggers_rest *rest = rest_of(context);
    size_t parts = parts_count(request->path);
    char kind[16] = "", name[FANOUT_DEFINITION_NAME_MAX + 1] = "";
    bool is_schedules = core_route_path_part(request->path, PART_KIND, kind, sizeof kind) &&
                        strcmp(kind, "cron") == 0;
    fanout_definition_call call = {.store = rest->store,
                                   .check = triggers_check_of(rest->check),
                                   .manner = is_schedules ? &schedules_manner : &triggers_manner,
                                   .reply = reply,
                                   .context = rest};
    if (parts > 0 && !core_route_path_part(request->path, PART_NAME, name, sizeof name)) {
        fanout_definition_missing(&call);
        return;
    }
    if (!fanout_definition_call_begin(&call, core_slice_text(name)))
        return;
    for (size_t i = 0; i < CORE_COUNT_OF(rest_rows); i++)
        if (rest_rows[i].parts == parts && core_slice_is(request->method, rest_rows[i].method)) {
            rest_rows[i].serve(&call);
            return;
        }
    core_route_refuse(reply, 404, "nothing is served at this path", NULL);
}

void triggers_rest_take(triggers_host *host, core_route_reply *reply) {
    triggers_desk_put(host->desk, reply, rest_serve, host->rest);
}

/* ---- For what else the desk answers ---- */

fanout_definitions *triggers_rest_store(const triggers_host *host) {
    return rest_of(host->rest)->store;
}

void triggers_rest_audit(const triggers_host *host, const core_route_reply *reply, const char *act,
                         const char *object, const char *detail) {
    auth_audit_caller(host->spec.audit, &reply->request.caller, act, object, detail);
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
    fanout_definitions_free(rest->store);
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
