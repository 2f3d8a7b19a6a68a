/* See subscription.h. The client compares event, schema, table and filter of the answer with what
 * it sent, strictly, so the answer repeats its own JSON. */
#include "ws/subscription.h"

#include "ws/access.h"

#include <stdlib.h>
#include <strings.h>

#define SUBSCRIPTION_MAX_BYTES ((size_t)4 << 20)
#define SUBSCRIPTION_KEY_MAX   ((size_t)1 << 20)

/* One binding's members as they stand in the join. */
typedef enum {
    MEMBER_EVENT,
    MEMBER_SCHEMA,
    MEMBER_TABLE,
    MEMBER_FILTER,
    MEMBER_SELECT,
    MEMBER_LEAVE,
    MEMBER_SNAPSHOT,
    MEMBERS
} binding_member;

static const char *const member_names[MEMBERS] = {"event",  "schema", "table",   "filter",
                                                  "select", "leave",  "snapshot"};

typedef struct {
    core_json_token tokens[MEMBERS]; /* kind INVALID: absent */
    core_slice whole[MEMBERS];
} binding_source;

typedef struct {
    ws_subscription *subscription;
    bool snapshot; /* of every binding */
    const core_tenants *tenants;
    core_buffer *response;
    core_json_writer json;
    core_error *error;
} subscription_reader;

static bool refuse(subscription_reader *reader, const char *text) {
    return core_error_set(reader->error, CORE_ERROR_INPUT, "%s", text);
}

/* ---- Reading one binding ---- */

static bool read_source(subscription_reader *reader, core_json_reader *json,
                        binding_source *source) {
    *source = (binding_source){0};
    for (;;) {
        core_json_token token = core_json_next(json);
        if (token.kind == CORE_JSON_OBJECT_CLOSE)
            return true;
        core_slice whole;
        if (!core_json_skip(json, token, &whole))
            return refuse(reader, "postgres_changes is not valid JSON");
        for (size_t i = 0; i < MEMBERS; i++) {
            if (!core_json_raw_is(token.key, member_names[i]) || token.kind == CORE_JSON_NULL)
                continue;
            source->tokens[i] = token;
            source->whole[i] = whole;
        }
    }
}

/* A string member with its escapes undone, in the arena; empty when it is absent. */
static bool read_member(subscription_reader *reader, const binding_source *source,
                        binding_member member, size_t max, core_slice *text) {
    core_json_token token = source->tokens[member];
    *text = core_slice_make(NULL, 0);
    if (token.kind == CORE_JSON_INVALID)
        return true;
    if (token.kind != CORE_JSON_STRING)
        return core_error_set(reader->error, CORE_ERROR_INPUT, "%s must be a string",
                              member_names[member]);
    core_buffer undone;
    core_buffer_init(&undone, max);
    bool ok = core_json_unescape(token.raw, &undone);
    if (ok && undone.length > 0)
        *text = core_arena_copy(&reader->subscription->arena, core_buffer_slice(&undone));
    ok = ok && (undone.length == 0 || text->data != NULL);
    core_buffer_fini(&undone);
    return ok || core_error_set(reader->error, CORE_ERROR_INPUT, "%s is longer than %zu bytes",
                                member_names[member], max);
}

static bool event_is(core_slice event, const char *name) {
    return event.length == strlen(name) &&
           strncasecmp((const char *)event.data, name, event.length) == 0;
}

static bool read_event(subscription_reader *reader, core_slice event, ws_binding *binding) {
    static const core_op ops[] = {CORE_OP_INSERT, CORE_OP_UPDATE, CORE_OP_DELETE, CORE_OP_TRUNCATE};
    bool any = event.length == 0 || core_slice_is(event, "*");
    for (size_t i = 0; i < CORE_COUNT_OF(ops); i++)
        if (any || event_is(event, core_op_name(ops[i])))
            binding->operations |= 1u << ops[i];
    return binding->operations != 0 ||
           refuse(reader, "event must be *, INSERT, UPDATE, DELETE or TRUNCATE");
}

static bool read_leave(subscription_reader *reader, const binding_source *source,
                       ws_binding *binding) {
    binding->leaves = core_json_is_true(source->tokens[MEMBER_LEAVE]);
    return !binding->leaves || binding->filter.length > 0 ||
           refuse(reader, "leave needs a filter that a row can leave");
}

static bool read_snapshot(subscription_reader *reader, const binding_source *source,
                          ws_binding *binding) {
    binding->snapshot = reader->snapshot || core_json_is_true(source->tokens[MEMBER_SNAPSHOT]);
    reader->subscription->snapshot |= binding->snapshot;
    return !binding->snapshot || (binding->schema.length > 0 && binding->table.length > 0) ||
           refuse(reader, "snapshot needs a schema and a table");
}

static core_slice without_wildcard(core_slice name) {
    return core_slice_is(name, "*") ? core_slice_make(NULL, 0) : name;
}

/* What a tenant calls public is its home; what is another's is not there. Any schema stays so: the
 * hub gives each project its own only (hub_rule.h). */
static bool settle_schema(subscription_reader *reader, ws_binding *binding) {
    ws_subscription *subscription = reader->subscription;
    core_slice tenant = subscription->home.tenant;
    char home[CORE_TENANT_SCHEMA_SIZE];
    if (binding->schema.length == 0)
        return true;
    if (tenant.length > 0 && core_slice_is(binding->schema, CORE_TENANT_HOME) &&
        core_tenants_home(reader->tenants, tenant, home)) {
        binding->schema = core_arena_copy(&subscription->arena, core_slice_text(home));
        return binding->schema.data != NULL || refuse(reader, "the subscription is too large");
    }
    core_slice project = tenant.length > 0 ? tenant : core_slice_text(reader->tenants->project);
    return core_tenants_owns(reader->tenants, project, binding->schema) ||
           core_error_set(reader->error, CORE_ERROR_INPUT,
                          "there is no schema %.*s in this project",
                          CORE_SLICE_ARGS(binding->schema));
}

static bool read_table(subscription_reader *reader, const binding_source *source,
                       ws_binding *binding) {
    if (!read_member(reader, source, MEMBER_SCHEMA, WS_NAME_MAX, &binding->schema) ||
        !read_member(reader, source, MEMBER_TABLE, WS_NAME_MAX, &binding->table))
        return false;
    if (binding->schema.length == 0 && binding->table.length == 0)
        return refuse(reader, "schema or table must be given");
    if (binding->schema.length == 0)
        binding->schema = core_slice_text("public");
    binding->schema = without_wildcard(binding->schema);
    binding->table = without_wildcard(binding->table);
    return settle_schema(reader, binding);
}

static bool text_is_blank(core_slice text) {
    for (size_t i = 0; i < text.length; i++)
        if (text.data[i] != ' ')
            return false;
    return true;
}

static bool read_filter(subscription_reader *reader, const binding_source *source,
                        ws_binding *binding) {
    if (!read_member(reader, source, MEMBER_FILTER, EXPR_FILTER_TEXT_MAX, &binding->filter))
        return false;
    if (text_is_blank(binding->filter))
        binding->filter.length = 0;
    if (binding->filter.length == 0)
        return true;
    if (binding->table.length == 0 || binding->schema.length == 0)
        return refuse(reader, "a filter needs a schema and a table");
    binding->parsed = expr_filter_new(binding->filter, reader->error);
    return binding->parsed != NULL;
}

/* ---- select ---- */

static bool read_column(subscription_reader *reader, core_json_token token, core_slice *column) {
    binding_source source = {.tokens = {[MEMBER_SELECT] = token}};
    return read_member(reader, &source, MEMBER_SELECT, WS_NAME_MAX, column);
}

static bool read_columns(subscription_reader *reader, core_slice array, ws_binding *binding) {
    core_slice *columns =
        core_arena_array(&reader->subscription->arena, WS_SELECT_MAX, sizeof *columns);
    if (columns == NULL)
        return refuse(reader, "the subscription is too large");
    core_json_reader json = core_json_reader_make(array);
    if (core_json_next(&json).kind != CORE_JSON_ARRAY_OPEN)
        return refuse(reader, "select must be an array of column names");
    for (;;) {
        core_json_token token = core_json_next(&json);
        if (token.kind == CORE_JSON_ARRAY_CLOSE)
            break;
        if (binding->column_count == WS_SELECT_MAX)
            return refuse(reader, "select names too many columns");
        if (token.kind != CORE_JSON_STRING ||
            !read_column(reader, token, &columns[binding->column_count++]))
            return refuse(reader, "select must be an array of column names");
    }
    binding->columns = columns;
    return true;
}

static bool read_select(subscription_reader *reader, const binding_source *source,
                        ws_binding *binding) {
    if (source->tokens[MEMBER_SELECT].kind == CORE_JSON_INVALID)
        return true;
    if (!read_columns(reader, source->whole[MEMBER_SELECT], binding))
        return false;
    if (binding->column_count == 0)
        return true;
    if (binding->table.length == 0 || binding->schema.length == 0)
        return refuse(reader, "select needs a schema and a table");
    core_buffer text;
    core_buffer_init(&text, SUBSCRIPTION_KEY_MAX);
    core_json_writer json = core_json_writer_make(&text);
    core_json_array_open(&json);
    for (size_t i = 0; i < binding->column_count; i++)
        core_json_string(&json, binding->columns[i]);
    core_json_array_close(&json);
    binding->select = core_arena_copy(&reader->subscription->arena, core_buffer_slice(&text));
    core_buffer_fini(&text);
    return binding->select.data != NULL || refuse(reader, "the subscription is too large");
}

/* ---- Ids and the key ---- */

static void key_part(core_buffer *key, core_slice part) {
    core_buffer_u32(key, (uint32_t)part.length);
    core_buffer_slice_append(key, part);
}

static void binding_key(core_buffer *key, const ws_binding *binding) {
    core_buffer_u32(key, binding->operations);
    core_buffer_u8(key, binding->leaves);
    key_part(key, binding->schema);
    key_part(key, binding->table);
    key_part(key, binding->filter);
    key_part(key, binding->select);
}

static bool binding_same(const ws_binding *a, const ws_binding *b) {
    return a->operations == b->operations && a->leaves == b->leaves &&
           core_slice_equal(a->schema, b->schema) && core_slice_equal(a->table, b->table) &&
           core_slice_equal(a->filter, b->filter) && core_slice_equal(a->select, b->select);
}

/* The hash of what the binding says, 31 bits so that every client's integers hold it; moved on
 * where another binding of the channel has it, so the same list always gives the same ids. */
static void binding_set_id(subscription_reader *reader, ws_binding *binding,
                           core_slice binding_bytes) {
    const ws_subscription *subscription = reader->subscription;
    uint64_t hash = core_slice_hash(binding_bytes);
    binding->id = (uint32_t)((hash ^ hash >> 32) & INT32_MAX);
    for (size_t i = 0; i < subscription->count; i++) {
        if (binding_same(&subscription->bindings[i], binding)) {
            binding->id = subscription->bindings[i].id;
            return;
        }
    }
    for (size_t i = 0; i <= subscription->count; i++) {
        bool taken = binding->id == 0;
        for (size_t j = 0; j < subscription->count; j++)
            taken |= subscription->bindings[j].id == binding->id;
        if (!taken)
            return;
        binding->id = (binding->id + 1) & INT32_MAX;
    }
}

static void answer_binding(subscription_reader *reader, const binding_source *source,
                           const ws_binding *binding) {
    core_json_object_open(&reader->json);
    core_json_key_text(&reader->json, "id");
    core_json_unsigned(&reader->json, binding->id);
    for (size_t i = 0; i < MEMBERS; i++) {
        if (source->tokens[i].kind == CORE_JSON_INVALID)
            continue;
        core_json_key_text(&reader->json, member_names[i]);
        core_json_raw(&reader->json, source->whole[i]);
    }
    core_json_object_close(&reader->json);
}

static bool read_binding(subscription_reader *reader, core_json_reader *json, core_buffer *key) {
    ws_subscription *subscription = reader->subscription;
    if (subscription->count == WS_BINDINGS_MAX)
        return refuse(reader, "too many postgres_changes bindings in one channel");
    ws_binding *binding = &subscription->bindings[subscription->count];
    binding_source source;
    core_slice event;
    bool read = read_source(reader, json, &source) &&
                read_member(reader, &source, MEMBER_EVENT, WS_EVENT_MAX, &event) &&
                read_event(reader, event, binding) && read_table(reader, &source, binding) &&
                read_filter(reader, &source, binding) && read_snapshot(reader, &source, binding);
    if (!read || !read_leave(reader, &source, binding) || !read_select(reader, &source, binding)) {
        expr_filter_free(binding->parsed);
        return false;
    }
    size_t before = key->length;
    binding_key(key, binding);
    if (core_buffer_ok(key))
        binding_set_id(reader, binding, core_slice_make(key->data + before, key->length - before));
    answer_binding(reader, &source, binding);
    subscription->count++;
    return true;
}

/* ---- The whole ---- */

/* How many bindings the array has, at most one more than are allowed: room for no more is made. */
static size_t count_bindings(core_slice array) {
    core_json_reader json = core_json_reader_make(array);
    size_t count = 0;
    core_json_token token = core_json_next(&json);
    while (token.kind == CORE_JSON_ARRAY_OPEN && count <= WS_BINDINGS_MAX) {
        core_slice whole;
        if (!core_json_skip(&json, core_json_next(&json), &whole))
            break;
        count++;
    }
    return count;
}

static bool read_bindings(subscription_reader *reader, core_slice array, core_buffer *key) {
    core_json_reader json = core_json_reader_make(array);
    if (core_json_next(&json).kind != CORE_JSON_ARRAY_OPEN)
        return refuse(reader, "postgres_changes must be an array");
    for (;;) {
        core_json_token token = core_json_next(&json);
        if (token.kind == CORE_JSON_ARRAY_CLOSE)
            return true;
        if (token.kind != CORE_JSON_OBJECT_OPEN)
            return refuse(reader, "each of postgres_changes must be an object");
        if (!read_binding(reader, &json, key))
            return false;
    }
}

static bool read_all(subscription_reader *reader, const ws_subscription_request *request) {
    ws_subscription *subscription = reader->subscription;
    core_buffer key;
    core_buffer_init(&key, SUBSCRIPTION_KEY_MAX);
    core_buffer_u8(&key, (uint8_t)request->protocol);
    core_buffer_u8(&key, request->conflate);
    key_part(&key, subscription->home.tenant);
    key_part(&key, request->topic);
    key_part(&key, subscription->access_class);
    core_json_object_open(&reader->json);
    core_json_key_text(&reader->json, "postgres_changes");
    core_json_array_open(&reader->json);
    bool ok = request->postgres_changes.length == 0 ||
              read_bindings(reader, request->postgres_changes, &key);
    core_json_array_close(&reader->json);
    core_json_object_close(&reader->json);
    size_t length = key.length;
    core_buffer_slice_append(&key, request->identity->claims_json);
    if (ok)
        subscription->claims_key = core_arena_copy(&subscription->arena, core_buffer_slice(&key));
    subscription->key = core_slice_make(subscription->claims_key.data, length);
    if (subscription->key.data != NULL)
        subscription->claims_json = core_slice_make(subscription->claims_key.data + length,
                                                    subscription->claims_key.length - length);
    if (ok && (!core_buffer_ok(&key) || !core_buffer_ok(reader->response) ||
               subscription->key.data == NULL))
        ok = refuse(reader, "the subscription is too large");
    core_buffer_fini(&key);
    return ok;
}

/* The identity stays on its service thread; the hub gets a copy of what it needs. */
static bool keep_identity(ws_subscription *subscription, const ws_subscription_request *request) {
    const ws_identity *identity = request->identity;
    core_arena *arena = &subscription->arena;
    core_slice subject =
        core_slice_make(identity->claims.subject, strlen(identity->claims.subject) + 1);
    subscription->access_class = core_arena_copy(arena, ws_access_class(&identity->claims));
    subscription->home = identity->home;
    if (identity->home.tenant.length > 0) {
        subscription->home.tenant = core_arena_copy(arena, identity->home.tenant);
        if (subscription->home.tenant.data == NULL)
            return false;
    }
    subscription->claims_hash = identity->claims.claims_hash;
    subscription->subject = (const char *)core_arena_copy(arena, subject).data;
    return subscription->access_class.data != NULL && subscription->subject != NULL;
}

static bool keep_topic(ws_subscription *subscription, core_slice topic) {
    core_slice tenant = subscription->home.tenant;
    uint8_t *room =
        core_arena_array(&subscription->arena, ws_topic_scoped_length(tenant, topic) + 1, 1);
    if (room == NULL)
        return false;
    subscription->topic = ws_topic_scope(&room, tenant, topic);
    return true;
}

ws_subscription *ws_subscription_new(const ws_subscription_request *request, core_buffer *response,
                                     core_error *error) {
    ws_subscription *subscription = calloc(1, sizeof *subscription);
    if (subscription == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "out of memory");
        return NULL;
    }
    core_arena_init(&subscription->arena, 1024, SUBSCRIPTION_MAX_BYTES);
    subscription->references = 1;
    subscription->protocol = request->protocol;
    subscription->private_channel = request->private_channel;
    subscription->presence = request->presence;
    subscription->conflate = request->conflate;
    subscription->replay_since_us = request->replay_since_us;
    subscription->replay_limit = request->replay_limit;
    bool kept = keep_identity(subscription, request) && keep_topic(subscription, request->topic);
    size_t room = count_bindings(request->postgres_changes);
    subscription->bindings =
        core_arena_array(&subscription->arena, room + 1, sizeof *subscription->bindings);
    subscription_reader reader = {.subscription = subscription,
                                  .snapshot = request->snapshot,
                                  .tenants = &request->identity->tenants,
                                  .response = response,
                                  .json = core_json_writer_make(response),
                                  .error = error};
    bool ok = kept && subscription->bindings != NULL
                  ? read_all(&reader, request)
                  : core_error_set(error, CORE_ERROR_INTERNAL, "out of memory");
    if (ok)
        return subscription;
    ws_subscription_free(subscription);
    return NULL;
}

ws_subscription *ws_subscription_retain(ws_subscription *subscription) {
    subscription->references++;
    return subscription;
}

void ws_subscription_free(ws_subscription *subscription) {
    if (subscription == NULL || --subscription->references > 0)
        return;
    for (size_t i = 0; i < subscription->count; i++)
        expr_filter_free(subscription->bindings[i].parsed);
    core_arena_fini(&subscription->arena);
    free(subscription);
}
