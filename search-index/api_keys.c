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

static void words_member(core_json_writer *json, const char *name, const char *text) {
    core_json_key_text(json, name);
    if (text[0] != '\0')
        core_json_text(json, text);
    else
        core_json_null(json);
}

/* `list` is JSON. */
static void list_member(core_json_writer *json, const char *name, const char *list) {
    core_json_key_text(json, name);
    core_json_raw(json, core_slice_text(list));
}

/* `text` NULL: only what it begins with is known. */
static void key_write(const auth_key_record *record, const char *text, core_json_writer *json) {
    const auth_key_secret *newest = &record->secrets[record->secret_count - 1];
    char beginning[AUTH_KEY_PREFIX_MAX + 8];
    (void)snprintf(beginning, sizeof beginning, "wc_%s_", newest->prefix);
    core_json_object_open(json);
    text_member(json, "name", record->title[0] != '\0' ? record->title : record->name);
    words_member(json, "description", record->description);
    text_member(json, "key", text != NULL ? text : beginning);
    text_member(json, "uid", record->name);
    list_member(json, "actions",
                (record->scopes & CORE_SCOPE_ADMIN) != 0 ? "[\"*\"]" : "[\"search\"]");
    list_member(json, "indexes", record->indexes[0] != '\0' ? record->indexes : "[\"*\"]");
    time_member(json, "expiresAt", newest->expires_s);
    time_member(json, "createdAt", record->created_s);
    time_member(json, "updatedAt",
                record->changed_s > newest->created_s ? record->changed_s : newest->created_s);
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
    core_slice name, uid, description;    /* NULL data: not given */
    core_slice actions, indexes, expires; /* JSON */
} key_body;

/* Null is an empty text. */
static bool text_take(search_call *call, core_json_token token, search_code code, void *target) {
    core_slice *text = target;
    if (token.kind == CORE_JSON_NULL)
        *text = core_slice_text("");
    return token.kind == CORE_JSON_NULL || search_json_string(token, call->arena, target) ||
           search_refuse(&call->refusal, code, "Invalid value type: expected a string");
}

static bool name_take(search_call *call, core_json_reader *reader, core_json_token token,
                      void *target) {
    (void)reader;
    return text_take(call, token, SEARCH_CODE_INVALID_API_KEY_NAME, target);
}

static bool description_take(search_call *call, core_json_reader *reader, core_json_token token,
                             void *target) {
    (void)reader;
    return text_take(call, token, SEARCH_CODE_INVALID_API_KEY_DESCRIPTION, target);
}

static const search_member key_members[] = {
    {"description", description_take, offsetof(key_body, description)},
    {"name", name_take, offsetof(key_body, name)},
    {"uid", name_take, offsetof(key_body, uid)},
    {"actions", search_call_raw, offsetof(key_body, actions)},
    {"indexes", search_call_raw, offsetof(key_body, indexes)},
    {"expiresAt", search_call_raw, offsetof(key_body, expires)},
};

/* One of Meilisearch's, each with a blank behind it. */
static bool action_ok(core_slice action) {
    static const char names[] =
        "* search version export chatCompletions *.get "
        "documents.* documents.add documents.get documents.delete "
        "indexes.* indexes.create indexes.get indexes.update indexes.delete indexes.swap "
        "indexes.compact tasks.* tasks.cancel tasks.delete tasks.get tasks.compact "
        "settings.* settings.get settings.update stats.* stats.get metrics.* metrics.get "
        "dumps.* dumps.create snapshots.* snapshots.create "
        "keys.* keys.create keys.get keys.update keys.delete "
        "experimental.* experimental.get experimental.update network.* network.get network.update "
        "chats.* chats.get chats.delete chatsSettings.* chatsSettings.get chatsSettings.update "
        "webhooks.* webhooks.get webhooks.create webhooks.update webhooks.delete fields.post ";
    for (const char *name = names, *end; (end = strchr(name, ' ')) != NULL; name = end + 1)
        if (core_slice_equal(action, core_slice_make(name, (size_t)(end - name))))
            return true;
    return false;
}

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
    for (size_t i = 0; i < count; i++) {
        if (!action_ok(names[i]))
            return search_refuse(&call->refusal, SEARCH_CODE_INVALID_API_KEY_ACTIONS,
                                 "Unknown value `%.*s` at `.actions[%zu]`: expected one of "
                                 "Meilisearch's actions, such as `search`, `documents.*` or `*`",
                                 names[i].length < 200 ? (int)names[i].length : 200,
                                 (const char *)names[i].data, i);
        if (!core_slice_is(names[i], "search"))
            *scopes |= CORE_SCOPE_ADMIN;
    }
    return true;
}

/* A name, or a beginning that ends with `*`. */
static bool pattern_ok(core_slice pattern) {
    bool is_open = pattern.length > 0 && pattern.data[pattern.length - 1] == '*';
    core_slice name = core_slice_make(pattern.data, pattern.length - is_open);
    return (is_open && name.length == 0) || search_uid_ok(name);
}

/* As the record has them; all of them is nothing to write. */
static bool indexes_of(search_call *call, core_slice indexes, auth_key_record *record) {
    core_slice *names;
    size_t count;
    bool is_all = false, ok = true;
    core_buffer text = core_buffer_over(record->indexes, sizeof record->indexes - 1);
    core_json_writer json = core_json_writer_make(&text);
    if (indexes.length == 0)
        return search_refuse(&call->refusal, SEARCH_CODE_MISSING_API_KEY_INDEXES,
                             "Missing field `indexes`");
    if (!search_json_strings(indexes, call->arena, &names, &count) || count == 0)
        return search_refuse(&call->refusal, SEARCH_CODE_INVALID_API_KEY_INDEXES,
                             "Invalid value type at `.indexes`: expected an array of strings");
    core_json_array_open(&json);
    for (size_t i = 0; i < count; i++) {
        is_all |= core_slice_is(names[i], "*");
        ok &= pattern_ok(names[i]);
        core_json_string(&json, names[i]);
    }
    core_json_array_close(&json);
    record->indexes[is_all || !core_buffer_ok(&text) ? 0 : text.length] = '\0';
    return (ok && (is_all || core_buffer_ok(&text))) ||
           search_refuse(&call->refusal, SEARCH_CODE_INVALID_API_KEY_INDEXES,
                         "Invalid value at `.indexes`: expected names of indexes, and beginnings "
                         "of them that end with `*`, %d bytes in all at most.",
                         AUTH_KEY_INDEXES_MAX - 1);
}

/* What somebody wrote of it, which has no NUL. */
static bool words_of(search_call *call, core_slice text, search_code code, char *words,
                     size_t size) {
    return core_slice_to_text(text, words, size) ||
           search_refuse(&call->refusal, code, "At most %zu bytes, and no NUL, are taken.",
                         size - 1);
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

static bool record_words(search_call *call, const key_body *body, auth_key_record *record) {
    return words_of(call, body->name, SEARCH_CODE_INVALID_API_KEY_NAME, record->title,
                    sizeof record->title) &&
           words_of(call, body->description, SEARCH_CODE_INVALID_API_KEY_DESCRIPTION,
                    record->description, sizeof record->description);
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
        !scopes_of(call, body.actions, &record.scopes) ||
        !indexes_of(call, body.indexes, &record) || !expires_of(call, body.expires, &expires_s) ||
        !record_of(call, &body, &record) || !record_words(call, &body, &record))
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

/* ---- Changing and ending ---- */

/* The place of the key that the path names. */
static bool place_of(search_call *call, auth_key_record *record) {
    const core_route_caller *caller = &call->request->caller;
    *record = (auth_key_record){.scopes = 0};
    return (core_slice_to_text(caller->project, record->project, sizeof record->project) &&
            core_slice_to_text(caller->environment, record->environment,
                               sizeof record->environment) &&
            core_slice_to_text(call->parts[1], record->name, sizeof record->name)) ||
           key_missing(call);
}

static const struct {
    const char *name;
    search_code code;
} immutable_members[] = {
    {"uid", SEARCH_CODE_IMMUTABLE_API_KEY_UID},
    {"key", SEARCH_CODE_IMMUTABLE_API_KEY_KEY},
    {"actions", SEARCH_CODE_IMMUTABLE_API_KEY_ACTIONS},
    {"indexes", SEARCH_CODE_IMMUTABLE_API_KEY_INDEXES},
    {"expiresAt", SEARCH_CODE_IMMUTABLE_API_KEY_EXPIRES_AT},
    {"createdAt", SEARCH_CODE_IMMUTABLE_API_KEY_CREATED_AT},
    {"updatedAt", SEARCH_CODE_IMMUTABLE_API_KEY_UPDATED_AT},
};

static bool is_mutable(search_call *call, core_slice key) {
    for (size_t i = 0; i < CORE_COUNT_OF(immutable_members); i++)
        if (core_json_raw_is(key, immutable_members[i].name))
            return search_refuse(&call->refusal, immutable_members[i].code,
                                 "Immutable field `%s`: expected one of `description`, `name`",
                                 immutable_members[i].name);
    return true;
}

/* What names a member that no request changes is refused as such. */
static bool change_ok(search_call *call) {
    core_json_reader reader = core_json_reader_make(call->request->body);
    core_json_token member;
    core_slice whole;
    bool ok = true;
    if (core_json_next(&reader).kind != CORE_JSON_OBJECT_OPEN)
        return true; /* whoever reads it says so */
    while (ok && core_json_member_next(&reader, &member))
        ok = is_mutable(call, member.key) && core_json_skip(&reader, member, &whole);
    return ok;
}

static const search_member change_members[] = {
    {"description", description_take, offsetof(key_body, description)},
    {"name", name_take, offsetof(key_body, name)},
};

bool search_api_key_change(search_call *call) {
    key_body body = {0};
    auth_key_record words = {0}, record;
    core_error error;
    if (!search_payload_is_json(call->request->content_type, &call->refusal) ||
        !search_call_json(call) || !change_ok(call) ||
        !search_call_members(call, call->request->body, change_members,
                             CORE_COUNT_OF(change_members), &body) ||
        !record_words(call, &body, &words) || !place_of(call, &record))
        return false;
    auth_key_store *store = store_open(call);
    if (store == NULL)
        return false;
    bool ok = auth_key_describe(store, &record, body.name.data != NULL ? words.title : NULL,
                                body.description.data != NULL ? words.description : NULL, &error);
    auth_key_store_free(store);
    if (ok)
        key_write(&record, NULL, &call->json);
    else if (error.code == CORE_ERROR_INPUT)
        return key_missing(call);
    return ok || search_refuse_error(&call->refusal, SEARCH_CODE_INTERNAL, &error);
}

bool search_api_key_remove(search_call *call) {
    auth_key_record record;
    core_error error;
    if (!place_of(call, &record))
        return false;
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
