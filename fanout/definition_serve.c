/* See definition_serve.h. */
#include "fanout/definition_serve.h"

#include <inttypes.h>
#include <stdio.h>

/* ---- Answers ---- */

void fanout_definition_fail(const fanout_definition_call *call, const core_error *error) {
    unsigned status = core_route_error_status(error->code);
    if (status == 409 && call->expected != FANOUT_REVISION_ANY && call->expected != 0)
        status = 412;
    core_route_refuse(call->reply, status, error->text, NULL);
}

void fanout_definition_missing(const fanout_definition_call *call) {
    core_route_refuse(call->reply, 404, call->manner->missing, NULL);
}

static const core_definition_kind *kind_of(const fanout_definition_call *call) {
    return fanout_definitions_spec_of(call->store)->kind;
}

bool fanout_definition_call_begin(fanout_definition_call *call, core_slice name) {
    call->name[0] = '\0';
    if (!core_slice_to_text(call->reply->request.caller.project, call->project,
                            sizeof call->project) ||
        (name.length > 0 && (!kind_of(call)->name_ok(name) ||
                             !core_slice_to_text(name, call->name, sizeof call->name)))) {
        fanout_definition_missing(call);
        return false;
    }
    if (!core_route_if_match(call->reply->request.if_match, &call->expected)) {
        char detail[96];
        (void)snprintf(detail, sizeof detail, "If-Match: expected an ETag of this %s",
                       kind_of(call)->one);
        core_route_refuse(call->reply, 412, detail, NULL);
        return false;
    }
    return true;
}

static bool is_seen(const fanout_definition_call *call, const fanout_definition *stored,
                    uint64_t revision) {
    return revision != 0 && (call->manner->sees == NULL || call->manner->sees(call, stored));
}

static void etag_add(core_route_reply *reply, uint64_t revision) {
    char etag[32];
    (void)snprintf(etag, sizeof etag, "\"%" PRIu64 "\"", revision);
    (void)core_route_response_header(&reply->response, "ETag", etag);
}

bool fanout_definition_find(const fanout_definition_call *call, fanout_definition *stored,
                            uint64_t *revision) {
    core_error error = {.text = ""};
    *revision = 0;
    if (!fanout_definitions_get(call->store, call->project, call->name, stored, revision, &error))
        fanout_definition_fail(call, &error);
    else if (!is_seen(call, stored, *revision))
        fanout_definition_missing(call);
    else
        return true;
    return false;
}

void fanout_definition_show(const fanout_definition_call *call, unsigned status,
                            const core_problems *warnings) {
    fanout_definition stored;
    uint64_t revision;
    if (!fanout_definition_find(call, &stored, &revision))
        return;
    core_json_writer json = core_route_answer(call->reply, status);
    etag_add(call->reply, revision);
    fanout_definition_view(&stored, revision, warnings, &json);
}

/* ---- Create and replace ---- */

/* The body's own name and project are the address's. False: answered. */
static bool identity_check(const fanout_definition_call *call, const core_document *document,
                           const void *definition, core_problems *problems) {
    const core_node *root = core_document_root(document);
    const core_node *project = core_node_find(root, "project");
    core_definition_head head = kind_of(call)->head(definition);
    if (!core_slice_is(head.project, call->project))
        (void)core_problem_tell(problems, project->place,
                                "project: expected %s, the address's project", call->project);
    if (call->name[0] != '\0' && !core_slice_is(head.name, call->name))
        (void)core_problem_tell(problems, core_node_find(root, "name")->place,
                                "name: expected %s, the address's name", call->name);
    return call->manner->expects == NULL ||
           call->manner->expects(call, document, definition, problems);
}

static void location_add(const fanout_definition_call *call) {
    char location[CORE_ROUTE_HEADERS_MAX / 2 + FANOUT_DEFINITION_NAME_MAX];
    core_route_reply *reply = call->reply;
    bool is_post = core_slice_is(reply->request.method, "POST");
    (void)snprintf(location, sizeof location, "%.*s%s%s", CORE_SLICE_ARGS(reply->request.path),
                   is_post ? "/" : "", is_post ? call->name : "");
    (void)core_route_response_header(&reply->response, "Location", location);
}

static void wish_put(fanout_definition_call *call, const core_document *document,
                     const void *definition, core_slice facts, const core_problems *warnings) {
    const fanout_definition_wish wish = {.definition = definition,
                                         .document = document,
                                         .facts = facts,
                                         .origin = FANOUT_ORIGIN_REST,
                                         .expected = call->expected,
                                         .keeps_state = true};
    fanout_outcome outcome = FANOUT_UNCHANGED;
    uint64_t revision = 0;
    core_error error = {.text = ""};
    core_definition_head head = kind_of(call)->head(definition);
    (void)snprintf(call->name, sizeof call->name, "%.*s", CORE_SLICE_ARGS(head.name));
    if (!fanout_definitions_put(call->store, &wish, &outcome, &revision, &error)) {
        fanout_definition_fail(call, &error);
        return;
    }
    if (outcome != FANOUT_UNCHANGED)
        call->manner->done(call, outcome, definition);
    fanout_definition_show(call, outcome == FANOUT_CREATED ? 201 : 200, warnings);
    if (outcome == FANOUT_CREATED)
        location_add(call);
}

/* Holds it against the schema, and puts it where nothing is wrong. */
static void definition_put(fanout_definition_call *call, const core_document *document,
                           const void *definition, core_problems *problems) {
    const fanout_definition_check *check = &call->check;
    core_error error = {.text = ""};
    bool asked = true;
    core_buffer seen;
    core_buffer_init(&seen, FANOUT_DEFINITION_BYTES_MAX);
    if (core_problems_ok(problems))
        asked = check->one(check->context, definition, document, problems, &seen, &error);
    check->rest(check->context);
    if (!asked)
        fanout_definition_fail(call, &error);
    else if (!core_problems_ok(problems))
        core_route_refuse(call->reply, 400, "the definition is not valid", problems);
    else
        wish_put(call, document, definition, core_buffer_slice(&seen), problems);
    core_buffer_fini(&seen);
}

void fanout_definition_serve_put(fanout_definition_call *call) {
    core_problems problems;
    core_problems_init(&problems);
    core_document *document = core_document_read(call->reply->request.body, &problems);
    const void *definition = NULL;
    if (document != NULL)
        definition = kind_of(call)->read(document, core_slice_text(call->project),
                                         call->reply->request.caller.environment, &problems);
    if (definition == NULL || identity_check(call, document, definition, &problems))
        definition_put(call, document, definition, &problems);
    kind_of(call)->release(definition);
    core_document_free(document);
    core_problems_fini(&problems);
}

void fanout_definition_serve_create(fanout_definition_call *call) {
    call->expected = 0;
    fanout_definition_serve_put(call);
}

/* ---- The others ---- */

void fanout_definition_serve_get(fanout_definition_call *call) {
    fanout_definition_show(call, 200, NULL);
}

void fanout_definition_serve_delete(fanout_definition_call *call) {
    fanout_definition stored;
    uint64_t revision;
    core_error error = {.text = ""};
    if (!fanout_definition_find(call, &stored, &revision))
        return;
    if (!fanout_definitions_remove(call->store, call->project, call->name, true, call->expected,
                                   &error)) {
        fanout_definition_fail(call, &error);
        return;
    }
    call->manner->done(call, FANOUT_REMOVED, NULL);
    call->reply->response.status = 204;
    call->reply->response.content_type = "application/json";
}
