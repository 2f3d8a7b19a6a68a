/* Items on their way to the engine, many at a time; see generation_private.h. */
#include "search-index/generation_private.h"

/* ---- What became of them ---- */

static void refused_note(search_generation *generation, const search_item *item,
                         const char *reason) {
    char id[128];
    (void)snprintf(id, sizeof id, "%.*s", CORE_SLICE_ARGS(item->id));
    core_metrics_add(generation->spec->metrics, CORE_METRIC_SEARCH_REFUSED, 1);
    CORE_LOG(generation->spec->log, WARN, "search", "a row cannot be a document",
             CORE_LOG_TEXT("index", (const char *)generation->entry->uid.data),
             CORE_LOG_TEXT("id", id), CORE_LOG_TEXT("reason", reason));
}

/* What stood there before is not true any more. */
static bool refused_remove(search_generation *generation, const search_item *item,
                           core_error *error) {
    const search_item gone = {.id = item->id, .version = item->version};
    search_item_result result;
    if (item->id.length == 0 || item->id.length > SEARCH_ID_BYTES_MAX)
        return true;
    return search_backend_apply(generation->backend, &gone, 1, &result, error);
}

static bool results_take(search_generation *generation, core_error *error) {
    size_t count = generation->item_count;
    generation->item_count = 0;
    for (size_t i = 0; i < count; i++) {
        const search_item item = generation->items[i];
        const search_batch_note note = generation->notes[i];
        const search_item_result result = generation->results[i];
        if (result.state == SEARCH_ITEM_REFUSED) {
            refused_note(generation, &item, result.reason);
            if (!refused_remove(generation, &item, error))
                return false;
        }
        if (result.state == SEARCH_ITEM_STALE && note.is_row &&
            !search_moved_fill(generation, note.table, &item, error))
            return false;
    }
    return true;
}

/* ---- The batch ---- */

bool search_batch_flush(search_generation *generation, core_error *error) {
    size_t count = generation->item_count;
    if (count == 0)
        return true;
    if (!search_backend_apply(generation->backend, generation->items, count, generation->results,
                              error))
        return false;
    core_metrics_add(generation->spec->metrics, CORE_METRIC_SEARCH_APPLIED, (int64_t)count);
    generation->is_touched = true;
    generation->group_items += count;
    generation->group_bytes += generation->batch_bytes;
    generation->batch_bytes = 0;
    bool ok = results_take(generation, error);
    core_arena_reset(&generation->arena);
    return ok;
}

static bool text_copy(search_generation *generation, core_slice from, core_slice *to) {
    *to = core_arena_copy(&generation->arena, from);
    generation->batch_bytes += from.length;
    return to->data != NULL;
}

bool search_batch_room(search_generation *generation, core_error *error) {
    bool is_full = generation->item_count + SEARCH_BATCH_EACH > SEARCH_BATCH_ITEMS ||
                   generation->batch_bytes >= SEARCH_BATCH_BYTES;
    return !is_full || search_batch_flush(generation, error);
}

bool search_batch_put(search_generation *generation, const search_item *item,
                      search_batch_note note, core_error *error) {
    assert(generation->item_count < SEARCH_BATCH_ITEMS);
    search_item *copy = &generation->items[generation->item_count];
    *copy = *item;
    if (!text_copy(generation, item->id, &copy->id) ||
        !text_copy(generation, item->source, &copy->source) ||
        (item->json.length > 0 && !text_copy(generation, item->json, &copy->json)))
        return core_error_set(error, CORE_ERROR_INTERNAL, "no memory for documents");
    generation->notes[generation->item_count++] = note;
    return true;
}

bool search_batch_apply(search_generation *generation, const search_item *item,
                        search_item_state *state, core_error *error) {
    search_item_result result;
    if (!search_batch_flush(generation, error) ||
        !search_backend_apply(generation->backend, item, 1, &result, error))
        return false;
    core_metrics_add(generation->spec->metrics, CORE_METRIC_SEARCH_APPLIED, 1);
    generation->is_touched = true;
    generation->group_items++;
    generation->group_bytes += item->json.length + item->source.length;
    *state = result.state;
    if (result.state != SEARCH_ITEM_REFUSED)
        return true;
    refused_note(generation, item, result.reason);
    return refused_remove(generation, item, error);
}
