/* /keys: API keys of the project, which are auth's (walcast keys). A key of Meilisearch's `search`
 * action alone has the role anon and the scope search; any other has its maker's role and the
 * scopes search and admin. Its text is told once, when it is made. */
#include "search-index/api.h"
#include "search-index/payload.h"
#include "search-index/settings.h"

#include <stddef.h>
#include <stdio.h>

enum { LIMIT_DEFAULT = 20 };

/* ---- Showing ---- */

static void time_member(core_json_writer *json, const char *name, int64_t at_s) {
    char text[CORE_CLOCK_TEXT_SIZE];
    core_json_key_text(json, name);
    if (at_s <= 0 || at_s == AUTH_NEVER_S) {
        core_json_null(json);
        return;
    }
    core_clock_format(at_s * CORE_US_PER_S, text);
    core_json_text(json, text);
}

static void text_member(core_json_writer *json, const char *name, const char *text) {
    core_json_key_text(json, name);
    core_json_text(json, text);
}

static void list_member(core_json_writer *json, const char *name, const char *text) {
    core_json_key_text(json, name);
    core_json_array_open(json);
    core_json_text(json, text);
    core_json_array_close(json);
}

/* `text` NULL: only what it begins with is known. */
static void key_write(const auth_key_record *record, const char *text, core_json_writer *json) {
    const auth_key_secret *newest = &record->secrets[record->secret_count - 1];
    char beginning[AUTH_KEY_PREFIX_MAX + 8];
    (void)snprintf(beginning, sizeof beginning, "wc_%s_", newest->prefix);
    core_json_object_open(json);
    text_member(json, "name", record->name);
    core_json_key_text(json, "description");
    core_json_null(json);
    text_member(json, "key", text != NULL ? text : beginning);
    text_member(json, "uid", record->name);
    list_member(json, "actions", (record->scopes & CORE_SCOPE_ADMIN) != 0 ? "*" : "search");
    list_member(json, "indexes", "*");
    time_member(json, "expiresAt", newest->expires_s);
    time_member(json, "createdAt", record->created_s);
    time_member(json, "updatedAt", newest->created_s);
    core_json_object_close(json);
}

static auth_key_store *store_open(search_call *call) {
    const search_spec *spec = &call->host->spec;
    const auth_verifier_spec verifier = {.config = spec->config,
                                         .clock = spec->clock,
                                         .log = spec->log,
                                         .metrics = spec->metrics,
                                         .keys = true};
    core_error error;
    auth_key_store *store = auth_key_store_new(&verifier, &error);
    if (store == NULL)
        (void)search_refuse_error(&call->refusal, SEARCH_CODE_INTERNAL, &error);
    return store;
}

/* ---- Listing ---- */

typedef struct {
    search_call *call;
    core_slice wanted; /* a name, or a key's text; empty: all */
    uint64_t offset, limit, seen;
} listing;

static bool is_of_caller(const search_call *call, const auth_key_record *record) {
    const core_route_caller *caller = &call->request->caller;
    return core_slice_is(caller->project, record->project) &&
           core_slice_is(caller->environment, record->environment);
}

static bool is_wanted(const listing *it, const auth_key_record *record) {
    char beginning[AUTH_KEY_PREFIX_MAX + 8];
    if (it->wanted.length == 0 || core_slice_is(it->wanted, record->name))
        return true;
    for (size_t i = 0; i < record->secret_count; i++) {
        (void)snprintf(beginning, sizeof beginning, "wc_%s_", record->secrets[i].prefix);
        if (core_slice_begins(it->wanted, core_slice_text(beginning)))
            return true;
    }
    return false;
}

static void key_take(void *context, const auth_key_record *record, const char *problem) {
    listing *it = context;
    (void)problem;
    if (record == NULL || record->secret_count == 0 || !is_of_caller(it->call, record) ||
        !is_wanted(it, record))
        return;
    int64_t now_s = core_clock_wall_us(it->call->host->spec.clock) / CORE_US_PER_S;
    if (auth_key_secret_state(&record->secrets[record->secret_count - 1], now_s) != AUTH_KEY_ACTIVE)
        return;
    uint64_t place = it->seen++;
    if (place >= it->offset && place - it->offset < it->limit)
        key_write(record, NULL, &it->call->json);
}

static bool keys_list(search_call *call, listing *it) {
    core_error error;
    auth_key_store *store = store_open(call);
    if (store == NULL)
        return false;
    bool ok = auth_key_each(store, key_take, it, &error);
    auth_key_store_free(store);
    return ok || search_refuse_error(&call->refusal, SEARCH_CODE_INTERNAL, &error);
}

bool search_api_keys(search_call *call) {
    static const char *const names[] = {"offset", "limit", NULL};
    listing it = {.call = call, .limit = LIMIT_DEFAULT};
    search_params params;
    core_json_writer *json = &call->json;
    if (!search_params_read(call->request->query, call->arena, &params, &call->refusal) ||
        !search_params_known(&params, names, &call->refusal) ||
        !search_params_number(&params, "offset", SEARCH_CODE_INVALID_API_KEY_OFFSET, &it.offset,
                              &call->refusal) ||
        !search_params_number(&params, "limit", SEARCH_CODE_INVALID_API_KEY_LIMIT, &it.limit,
                              &call->refusal))
        return false;
    core_json_object_open(json);
    core_json_key_text(json, "results");
    core_json_array_open(json);
    bool ok = keys_list(call, &it);
    core_json_array_close(json);
    core_json_key_text(json, "offset");
    core_json_unsigned(json, it.offset);
    core_json_key_text(json, "limit");
    core_json_unsigned(json, it.limit);
    core_json_key_text(json, "total");
    core_json_unsigned(json, it.seen);
    core_json_object_close(json);
    return ok;
}

static bool key_missing(search_call *call) {
    return search_refuse(&call->refusal, SEARCH_CODE_API_KEY_NOT_FOUND, "API key not found.");
}

bool search_api_key(search_call *call) {
    listing it = {.call = call, .wanted = call->parts[1], .limit = 1};
    return keys_list(call, &it) && (it.seen > 0 || key_missing(call));
}

/* ---- Making ---- */

typedef struct {
    core_slice name, uid, actions, indexes, expires; /* the last three JSON */
} key_body;

static bool text_take(search_call *call, core_json_reader *reader, core_json_token token,
                      void *target) {
    (void)reader;
    return token.kind == CORE_JSON_NULL || search_json_string(token, call->arena, target) ||
           search_refuse(&call->refusal, SEARCH_CODE_INVALID_API_KEY_NAME,
                         "Invalid value type: expected a string");
}

static const search_member key_members[] = {
    {"description", search_call_ignored, 0},
    {"name", text_take, offsetof(key_body, name)},
    {"uid", text_take, offsetof(key_body, uid)},
    {"actions", search_call_raw, offsetof(key_body, actions)},
    {"indexes", search_call_raw, offsetof(key_body, indexes)},
    {"expiresAt", search_call_raw, offsetof(key_body, expires)},
};

static bool scopes_of(search_call *call, core_slice actions, unsigned *scopes) {
    core_slice *names;
    size_t count;
    *scopes = CORE_SCOPE_SEARCH;
    if (actions.length == 0)
        return search_refuse(&call->refusal, SEARCH_CODE_MISSING_API_KEY_ACTIONS,
                             "Missing field `actions`");
    if (!search_json_strings(actions, call->arena, &names, &count) || count == 0)
        return search_refuse(&call->refusal, SEARCH_CODE_INVALID_API_KEY_ACTIONS,
                             "Invalid value type at `.actions`: expected an array of strings");
    for (size_t i = 0; i < count; i++)
        if (!core_slice_is(names[i], "search"))
            *scopes |= CORE_SCOPE_ADMIN;
    return true;
}

static bool indexes_ok(search_call *call, core_slice indexes) {
    core_slice *names;
    size_t count;
    if (indexes.length == 0)
        return search_refuse(&call->refusal, SEARCH_CODE_MISSING_API_KEY_INDEXES,
                             "Missing field `indexes`");
    return (search_json_strings(indexes, call->arena, &names, &count) && count == 1 &&
            core_slice_is(names[0], "*")) ||
           search_refuse(&call->refusal, SEARCH_CODE_INVALID_API_KEY_INDEXES,
                         "A key is for all indexes of its project, [\"*\"]: a token with "
                         "`searchRules` is for some.");
}

static bool expires_of(search_call *call, core_slice expires, int64_t *expires_s) {
    char text[64];
    core_slice date;
    int64_t at_us;
    *expires_s = AUTH_NEVER_S;
    if (expires.length == 0)
        return search_refuse(&call->refusal, SEARCH_CODE_MISSING_API_KEY_EXPIRES_AT,
                             "Missing field `expiresAt`");
    if (core_slice_is(expires, "null"))
        return true;
    core_json_reader reader = core_json_reader_make(expires);
    int64_t now_us = core_clock_wall_us(call->host->spec.clock);
    bool ok = search_json_string(core_json_next(&reader), call->arena, &date) &&
              core_slice_to_text(date, text, sizeof text) && core_clock_parse(text, &at_us) &&
              at_us > now_us;
    if (ok)
        *expires_s = at_us / CORE_US_PER_S;
    return ok || search_refuse(&call->refusal, SEARCH_CODE_INVALID_API_KEY_EXPIRES_AT,
                               "Invalid value at `.expiresAt`: expected a date in the future as "
                               "RFC 3339 has it, or null");
}

/* The name that it goes by: what is given where auth takes it, else one that is made up. */
static bool name_of(const key_body *body, auth_key_record *record, core_error *error) {
    core_slice name = body->uid.length > 0 ? body->uid : body->name;
    char id[CORE_SNAPSHOT_ID_SIZE];
    bool is_usable = name.length > 0 && name.length < AUTH_KEY_NAME_MAX;
    for (size_t i = 0; is_usable && i < name.length; i++)
        is_usable = search_uid_ok(core_slice_make(name.data + i, 1)) || name.data[i] == '.';
    if (is_usable)
        return core_slice_to_text(name, record->name, sizeof record->name);
    if (!core_snapshot_id_make(id, error))
        return false;
    (void)snprintf(record->name, sizeof record->name, "search-%s", id);
    return true;
}

static bool record_of(search_call *call, const key_body *body, auth_key_record *record) {
    const core_route_caller *caller = &call->request->caller;
    core_error error;
    core_slice role =
        (record->scopes & CORE_SCOPE_ADMIN) != 0 ? caller->role : core_slice_text("anon");
    return (core_slice_to_text(caller->project, record->project, sizeof record->project) &&
            core_slice_to_text(caller->environment, record->environment,
                               sizeof record->environment) &&
            core_slice_to_text(role, record->role, sizeof record->role) &&
            name_of(body, record, &error)) ||
           search_refuse(&call->refusal, SEARCH_CODE_INVALID_API_KEY_NAME,
                         "The key's name cannot be used.");
}

bool search_api_key_make(search_call *call) {
    key_body body = {0};
    auth_key_record record = {0}, made;
    int64_t expires_s;
    char text[AUTH_KEY_TEXT_MAX];
    core_error error;
    if (!search_payload_is_json(call->request->content_type, &call->refusal) ||
        !search_call_json(call) ||
        !search_call_members(call, call->request->body, key_members, CORE_COUNT_OF(key_members),
                             &body) ||
        !scopes_of(call, body.actions, &record.scopes) || !indexes_ok(call, body.indexes) ||
        !expires_of(call, body.expires, &expires_s) || !record_of(call, &body, &record))
        return false;
    auth_key_store *store = store_open(call);
    if (store == NULL)
        return false;
    bool ok = auth_key_create(store, &record, expires_s, text, &made, &error);
    auth_key_store_free(store);
    if (!ok && error.code == CORE_ERROR_CONFLICT)
        return search_refuse(&call->refusal, SEARCH_CODE_API_KEY_ALREADY_EXISTS,
                             "`uid` field value `%s` is already an existing API key.", record.name);
    if (!ok)
        return search_refuse_error(&call->refusal, SEARCH_CODE_INVALID_API_KEY_NAME, &error);
    call->reply->response.status = 201;
    key_write(&made, text, &call->json);
    return true;
}

/* ---- Ending ---- */

bool search_api_key_remove(search_call *call) {
    const core_route_caller *caller = &call->request->caller;
    auth_key_record record = {0};
    core_error error;
    if (!core_slice_to_text(caller->project, record.project, sizeof record.project) ||
        !core_slice_to_text(caller->environment, record.environment, sizeof record.environment) ||
        !core_slice_to_text(call->parts[1], record.name, sizeof record.name))
        return key_missing(call);
    auth_key_store *store = store_open(call);
    if (store == NULL)
        return false;
    bool ok = auth_key_revoke(store, &record, &error);
    auth_key_store_free(store);
    if (!ok)
        return error.code == CORE_ERROR_INPUT
                   ? key_missing(call)
                   : search_refuse_error(&call->refusal, SEARCH_CODE_INTERNAL, &error);
    call->reply->response.status = 204;
    return true;
}
