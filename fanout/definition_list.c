/* The list of definitions over REST; see definition_serve.h. The bucket gives values in the order
 * they were written; of those behind `after` the first ones by name are kept while it is walked. */
#include "fanout/fanout.h"

#include <stdlib.h>

enum { LIMIT_INITIAL = 100, LIMIT_MAX = 1000 };

#define LIST_BYTES_MAX ((size_t)6 << 20) /* of one answer */

typedef struct {
    char name[FANOUT_DEFINITION_NAME_MAX + 1];
    core_buffer json;
} list_item;

typedef struct {
    char after[FANOUT_DEFINITION_NAME_MAX + 1];
    list_item items[LIMIT_MAX]; /* by name, in order */
    size_t count, limit;
    const fanout_definition_call *call;
    bool more; /* there are some behind them */
} list;

/* `name=value` of a query; values here need no decoding. */
static core_slice query_value(core_slice query, const char *name) {
    size_t length = strlen(name);
    while (query.length > 0) {
        const uint8_t *end = memchr(query.data, '&', query.length);
        size_t part = end != NULL ? (size_t)(end - query.data) : query.length;
        if (part > length && memcmp(query.data, name, length) == 0 && query.data[length] == '=')
            return core_slice_make(query.data + length + 1, part - length - 1);
        part += end != NULL;
        query = core_slice_make(query.data + part, query.length - part);
    }
    return core_slice_make(NULL, 0);
}

static bool list_read(list *it, core_slice query, core_error *error) {
    const core_definition_kind *kind = fanout_definitions_spec_of(it->call->store)->kind;
    core_slice after = query_value(query, "after"), limit = query_value(query, "limit");
    uint64_t number = LIMIT_INITIAL;
    if (limit.length > 0 && (!core_slice_to_u64(limit, &number) || number == 0))
        return core_error_set(error, CORE_ERROR_INPUT, "limit: expected 1 to %d", LIMIT_MAX);
    if (after.length > 0 && !kind->name_ok(after))
        return core_error_set(error, CORE_ERROR_INPUT, "after: expected the name of %s",
                              kind->some_one);
    it->limit = number < LIMIT_MAX ? (size_t)number : LIMIT_MAX;
    return core_slice_to_text(after, it->after, sizeof it->after);
}

/* The item to fill, in its place; NULL: it is behind those that are wanted. */
static list_item *item_place(list *it, const char *name) {
    size_t at = it->count;
    while (at > 0 && strcmp(it->items[at - 1].name, name) > 0)
        at--;
    it->more |= it->count == it->limit;
    if (at == it->limit)
        return NULL;
    if (it->count == it->limit)
        core_buffer_fini(&it->items[--it->count].json);
    memmove(&it->items[at + 1], &it->items[at], (it->count++ - at) * sizeof it->items[0]);
    return &it->items[at];
}

static bool list_take(void *context, const fanout_definition *stored, uint64_t revision,
                      const char *key, const char *problem, core_error *error) {
    list *it = context;
    char name[FANOUT_DEFINITION_NAME_MAX + 1];
    (void)key;
    (void)problem;
    if (stored == NULL || !core_slice_to_text(stored->name, name, sizeof name) ||
        strcmp(name, it->after) <= 0 ||
        (it->call->manner->sees != NULL && !it->call->manner->sees(it->call, stored)))
        return true;
    list_item *item = item_place(it, name);
    if (item == NULL)
        return true;
    memcpy(item->name, name, sizeof name);
    core_buffer_init(&item->json, FANOUT_DEFINITION_BYTES_MAX);
    core_json_writer json = core_json_writer_make(&item->json);
    fanout_definition_view(stored, revision, NULL, &json);
    return core_buffer_ok(&item->json) ||
           core_error_set(error, CORE_ERROR_INTERNAL, "no memory for a list of definitions");
}

/* As many as one answer may hold; `next` is the last one's name when there are more. */
static void list_answer(const list *it) {
    core_route_reply *reply = it->call->reply;
    core_json_writer json = core_route_answer(reply, 200);
    size_t bytes = 0, given = 0;
    core_json_object_open(&json);
    core_json_key_text(&json, it->call->manner->several);
    core_json_array_open(&json);
    for (; given < it->count && bytes < LIST_BYTES_MAX; given++) {
        core_json_raw(&json, core_buffer_slice(&it->items[given].json));
        bytes += it->items[given].json.length;
    }
    core_json_array_close(&json);
    core_json_key_text(&json, "next");
    if (given > 0 && (it->more || given < it->count))
        core_json_text(&json, it->items[given - 1].name);
    else
        core_json_null(&json);
    core_json_object_close(&json);
}

static bool list_write(list *it, core_error *error) {
    const fanout_definition_call *call = it->call;
    bool ok = list_read(it, call->reply->request.query, error) &&
              fanout_definitions_each(call->store, call->project, list_take, it, error);
    if (ok)
        list_answer(it);
    for (size_t i = 0; i < it->count; i++)
        core_buffer_fini(&it->items[i].json);
    return ok;
}

void fanout_definition_serve_list(fanout_definition_call *call) {
    core_error error = {.text = ""};
    list *it = calloc(1, sizeof *it);
    if (it != NULL)
        it->call = call;
    else
        (void)core_error_set(&error, CORE_ERROR_INTERNAL, "no memory for a list of definitions");
    if (it == NULL || !list_write(it, &error))
        fanout_definition_fail(call, &error);
    free(it);
}
