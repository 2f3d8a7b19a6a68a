/* See rest_letters.h. Requests are answered on the desk's thread, one after the other. A page, and
 * what one request puts back, have a maximum and say where to go on; nothing is kept between them.
 */
#include "triggers/rest_letters.h"
#include "triggers/again.h"
#include "triggers/desk.h"
#include "triggers/query.h"
#include "triggers/rest.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    PART_ID = 4,
    PART_ACT = 5,
    LIMIT_INITIAL = 100,
    LIMIT_MAX = 1000, /* letters of one page, or put back by one request */
};

#define PAYLOAD_BYTES_MAX ((size_t)64 << 20) /* nats-server's own limit on a message */

/* One request, taken apart. */
typedef struct {
    triggers_host *host;
    core_route_reply *reply;
    triggers_dead_scope scope;
    char project[TRIGGERS_PROJECT_MAX];
    char id_text[TRIGGERS_DEAD_ID_MAX];
    uint64_t id; /* 0: the path names none */
    /* Of the query. */
    char trigger[TRIGGERS_NAME_MAX + 1]; /* "": of all */
    uint64_t after, limit;
} letters_call;

static void call_fail(const letters_call *call, const core_error *error) {
    core_route_refuse(call->reply, core_route_error_status(error->code), error->text, NULL);
}

static void call_missing(const letters_call *call) {
    core_route_refuse(call->reply, 404, "there is no dead letter of that id", NULL);
}

/* ---- Parameters ---- */

static bool query_read(letters_call *call, core_error *error) {
    bool is_post = core_slice_is(call->reply->request.method, "POST");
    core_slice query = call->reply->request.query;
    triggers_query_result result =
        triggers_query_find(query, "trigger", call->trigger, sizeof call->trigger);
    bool named =
        result == TRIGGERS_QUERY_NONE ||
        (result == TRIGGERS_QUERY_FOUND && triggers_name_ok(core_slice_text(call->trigger)));
    return (named || core_error_set(error, CORE_ERROR_INPUT, "trigger: expected its name")) &&
           triggers_query_number(query, "after", 0, UINT64_MAX - 1, &call->after, error) &&
           triggers_query_number(query, "limit", is_post ? LIMIT_MAX : LIMIT_INITIAL, LIMIT_MAX,
                                 &call->limit, error);
}

/* ---- A page of them ---- */

typedef struct {
    letters_call *call;
    core_json_writer *json; /* of a list; NULL: they are put back */
    uint64_t given, last;
    bool more;
    core_error error;
} letters_page;

static bool page_take(void *context, const triggers_dead_letter *letter) {
    letters_page *page = context;
    page->more = page->given == page->call->limit;
    if (page->more)
        return false;
    if (page->json != NULL)
        triggers_dead_json(letter, false, page->json);
    else if (letter->is_whole && !triggers_again_letter(&page->call->scope, letter, &page->error))
        return false;
    page->given += page->json != NULL || letter->is_whole;
    page->last = letter->id;
    return true;
}

static bool page_read(letters_page *page, core_error *error) {
    const letters_call *call = page->call;
    if (!triggers_dead_each(&call->scope, core_slice_text(call->trigger), call->after, page_take,
                            page, error))
        return false;
    if (page->error.code != CORE_ERROR_NONE)
        *error = page->error;
    return page->error.code == CORE_ERROR_NONE;
}

/* The id to go on behind, where there are more. */
static void next_write(const letters_page *page, core_json_writer *json) {
    char id[TRIGGERS_DEAD_ID_MAX];
    (void)snprintf(id, sizeof id, "%" PRIu64, page->last);
    core_json_key_text(json, "next");
    if (page->more)
        core_json_text(json, id);
    else
        core_json_null(json);
}

static void serve_list(letters_call *call) {
    core_error error = {.text = ""};
    core_json_writer json = core_route_answer(call->reply, 200);
    letters_page page = {.call = call, .json = &json};
    core_json_object_open(&json);
    core_json_key_text(&json, "dead_letters");
    core_json_array_open(&json);
    if (!page_read(&page, &error)) {
        call_fail(call, &error);
        return;
    }
    core_json_array_close(&json);
    next_write(&page, &json);
    core_json_object_close(&json);
}

static void serve_replay_many(letters_call *call) {
    core_error error = {.text = ""};
    letters_page page = {.call = call};
    char detail[64];
    bool ok = page_read(&page, &error);
    (void)snprintf(detail, sizeof detail, "%" PRIu64 " letters", page.given);
    if (page.given > 0)
        triggers_rest_audit(call->host, call->reply, "dead_letter.replayed",
                            call->trigger[0] != '\0' ? call->trigger : "all", detail);
    if (!ok) {
        call_fail(call, &error);
        return;
    }
    core_json_writer json = core_route_answer(call->reply, 202);
    core_json_object_open(&json);
    core_json_key_text(&json, "replayed");
    core_json_unsigned(&json, page.given);
    next_write(&page, &json);
    core_json_object_close(&json);
}

/* ---- One ---- */

/* False: answered. */
static bool call_get(const letters_call *call, core_buffer *payload, triggers_dead_letter *letter) {
    core_error error = {.text = ""};
    bool found;
    if (!triggers_dead_get(&call->scope, call->id, payload, letter, &found, &error))
        call_fail(call, &error);
    else if (!found)
        call_missing(call);
    else
        return true;
    return false;
}

static void serve_get(letters_call *call) {
    triggers_dead_letter letter;
    core_buffer payload;
    core_buffer_init(&payload, PAYLOAD_BYTES_MAX);
    if (call_get(call, &payload, &letter)) {
        core_json_writer json = core_route_answer(call->reply, 200);
        triggers_dead_json(&letter, true, &json);
    }
    core_buffer_fini(&payload);
}

static void serve_replay(letters_call *call) {
    triggers_dead_letter letter;
    core_buffer payload;
    core_error error = {.text = ""};
    core_buffer_init(&payload, PAYLOAD_BYTES_MAX);
    if (call_get(call, &payload, &letter)) {
        if (!triggers_again_letter(&call->scope, &letter, &error)) {
            call_fail(call, &error);
        } else {
            core_json_writer json = core_route_answer(call->reply, 202);
            triggers_dead_json(&letter, false, &json);
            triggers_rest_audit(call->host, call->reply, "dead_letter.replayed", call->id_text,
                                NULL);
        }
    }
    core_buffer_fini(&payload);
}

static void serve_remove(letters_call *call) {
    core_error error = {.text = ""};
    bool found;
    if (!triggers_dead_remove(&call->scope, call->id, &found, &error)) {
        call_fail(call, &error);
    } else if (!found) {
        call_missing(call);
    } else {
        call->reply->response.status = 204;
        call->reply->response.content_type = "application/json";
        triggers_rest_audit(call->host, call->reply, "dead_letter.removed", call->id_text, NULL);
    }
}

/* ---- Which of them ---- */

typedef void (*letters_serve)(letters_call *call);

/* NULL: nothing is served at the path. */
static letters_serve serve_find(letters_call *call) {
    const core_route_request *request = &call->reply->request;
    char act[16];
    bool has_act = core_route_path_part(request->path, PART_ACT, act, sizeof act);
    bool is_post = core_slice_is(request->method, "POST");
    if (!core_route_path_part(request->path, PART_ID, call->id_text, sizeof call->id_text))
        return is_post ? NULL : serve_list;
    if (is_post && !has_act && strcmp(call->id_text, "replay") == 0)
        return serve_replay_many;
    if (!triggers_dead_id_read(core_slice_text(call->id_text), &call->id))
        return NULL;
    if (is_post)
        return has_act && strcmp(act, "replay") == 0 ? serve_replay : NULL;
    if (has_act)
        return NULL;
    return core_slice_is(request->method, "DELETE") ? serve_remove : serve_get;
}

/* On the desk's thread. */
static void letters_work(void *context, core_route_reply *reply) {
    letters_call call = {.host = context, .reply = reply};
    core_error error = {.text = ""};
    letters_serve serve =
        core_slice_to_text(reply->request.caller.project, call.project, sizeof call.project)
            ? serve_find(&call)
            : NULL;
    if (serve == NULL) {
        core_route_refuse(reply, 404,
                          "nothing is served at this path: expected a letter's id, "
                          "ID/replay or replay",
                          NULL);
        return;
    }
    call.scope = (triggers_dead_scope){
        .config = call.host->spec.config,
        .project = core_slice_text(call.project),
        .connection = fanout_definitions_connection(triggers_rest_store(call.host), &error)};
    if (call.scope.connection == NULL || !query_read(&call, &error))
        call_fail(&call, &error);
    else
        serve(&call);
}

void triggers_letters_take(triggers_host *host, core_route_reply *reply) {
    triggers_desk_put(host->desk, reply, letters_work, host);
}
