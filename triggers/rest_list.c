/* See rest_list.h. The bucket gives values in the order they were written; of those behind `after`
 * the first ones by name are kept while it is walked. */
#include "triggers/rest_list.h"
#include "triggers/answer.h"

#include <stdlib.h>

enum { LIMIT_INITIAL = 100, LIMIT_MAX = 1000 };

#define LIST_BYTES_MAX ((size_t)6 << 20) /* of one answer */

bool triggers_view_is_schedule(const triggers_stored *stored) {
    const core_slice none = {0};
    core_error ignored;
    const triggers_definition *definition = triggers_stored_definition(stored, none, 0, &ignored);
    bool is_one = definition != NULL && definition->on == TRIGGERS_ON_CRON;
    triggers_definition_release(definition);
    return is_one;
}

typedef struct {
    char name[TRIGGERS_NAME_MAX + 1];
    core_buffer json;
} list_item;

typedef struct {
    char after[TRIGGERS_NAME_MAX + 1];
    list_item items[LIMIT_MAX]; /* by name, in order */
    size_t count, limit;
    bool only_schedules;
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
    core_slice after = query_value(query, "after"), limit = query_value(query, "limit");
    uint64_t number = LIMIT_INITIAL;
    if (limit.length > 0 && (!core_slice_to_u64(limit, &number) || number == 0))
        return core_error_set(error, CORE_ERROR_INPUT, "limit: expected 1 to %d", LIMIT_MAX);
    if (after.length > 0 && !triggers_name_ok(after))
        return core_error_set(error, CORE_ERROR_INPUT, "after: expected a trigger's name");
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

static bool list_take(void *context, const triggers_stored *stored, uint64_t revision,
                      const char *key, const char *problem, core_error *error) {
    list *it = context;
    char name[TRIGGERS_NAME_MAX + 1];
    (void)key;
    (void)problem;
    if (stored == NULL || !core_slice_to_text(stored->name, name, sizeof name) ||
        strcmp(name, it->after) <= 0 || (it->only_schedules && !triggers_view_is_schedule(stored)))
        return true;
    list_item *item = item_place(it, name);
    if (item == NULL)
        return true;
    memcpy(item->name, name, sizeof name);
    core_buffer_init(&item->json, TRIGGERS_STORED_BYTES_MAX);
    core_json_writer json = core_json_writer_make(&item->json);
    triggers_stored_view(stored, revision, NULL, &json);
    return core_buffer_ok(&item->json) ||
           core_error_set(error, CORE_ERROR_INTERNAL, "no memory for the list of triggers");
}

/* As many as one answer may hold; `next` is the last one's name when there are more. */
static void list_answer(const list *it, core_route_reply *reply) {
    core_json_writer json = triggers_answer_json(reply, 200);
    size_t bytes = 0, given = 0;
    core_json_object_open(&json);
    core_json_key_text(&json, it->only_schedules ? "schedules" : "triggers");
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

bool triggers_list_write(triggers_store *store, const char *project, bool only_schedules,
                         core_route_reply *reply, core_error *error) {
    list *it = calloc(1, sizeof *it);
    if (it == NULL)
        return core_error_set(error, CORE_ERROR_INTERNAL, "no memory for the list of triggers");
    it->only_schedules = only_schedules;
    bool ok = list_read(it, reply->request.query, error) &&
              triggers_store_each(store, project, list_take, it, error);
    if (ok)
        list_answer(it, reply);
    for (size_t i = 0; i < it->count; i++)
        core_buffer_fini(&it->items[i].json);
    free(it);
    return ok;
}
