/* Rows of an index's own tables to documents; see generation.h. */
#include "search-index/generation_private.h"

/* ---- Kept ---- */

bool search_rows_kept(search_generation *generation, size_t table, core_slice id,
                      search_image *image, search_kept *kept, bool *found, core_error *error) {
    *found = false;
    if (!search_backend_kept(generation->backend, id, kept, error))
        return false;
    *found = kept->id.data != NULL &&
             search_image_read(&generation->plan->tables[table], kept->source, image);
    return true;
}

/* ---- Documents ---- */

typedef struct {
    search_generation *generation;
    core_error *error;
} related_context;

static bool related_write(void *context, size_t related, const search_image *image,
                          core_buffer *out) {
    const related_context *it = context;
    return search_related_json(it->generation, related, image, out, it->error);
}

static void undecided_note(search_generation *generation, expr_verdict verdict) {
    if (verdict == EXPR_VERDICT_TRUE || verdict == EXPR_VERDICT_FALSE ||
        verdict == EXPR_VERDICT_UNKNOWN)
        return;
    core_metrics_add(generation->spec->metrics, CORE_METRIC_SEARCH_UNDECIDED, 1);
    if (generation->problem[0] == '\0')
        (void)snprintf(generation->problem, sizeof generation->problem,
                       "when: a row's answer is %s, and it is not found",
                       expr_verdict_name(verdict));
}

/* The document of a row that does not belong is not made: nobody sees it. */
static bool document_write(search_generation *generation, const search_binding *binding,
                           const search_image *image, core_slice id, bool *is_hidden,
                           core_error *error) {
    related_context context = {.generation = generation, .error = error};
    expr_verdict verdict = search_image_belongs(binding, image);
    undecided_note(generation, verdict);
    *is_hidden = verdict != EXPR_VERDICT_TRUE;
    core_buffer_reset(&generation->document);
    error->code = CORE_ERROR_NONE;
    if (*is_hidden)
        core_buffer_text(&generation->document, "{}");
    else if (!search_image_document(binding, image, id, related_write, &context,
                                    &generation->document) &&
             error->code != CORE_ERROR_NONE)
        return false;
    return true;
}

/* How a row goes in. */
typedef enum {
    GOES_WITH_OTHERS,
    GOES_AS_SNAPSHOT, /* the same */
    GOES_AT_ONCE,
} goes;

/* Where there are joined tables at once, since what the row names is then known. */
static bool item_put(search_generation *generation, size_t table, const search_image *image,
                     const search_item *item, goes how, core_error *error) {
    bool has_related = generation->plan->related_count > 0;
    const search_batch_note note = {.is_row = how == GOES_AS_SNAPSHOT, .table = table};
    search_item_state state;
    if (how != GOES_AT_ONCE && !search_batch_put(generation, item, note, error))
        return false;
    if (how != GOES_AT_ONCE && !has_related)
        return true;
    if (how == GOES_AT_ONCE) {
        if (!search_batch_apply(generation, item, &state, error))
            return false;
    } else {
        assert(generation->item_count == 1);
        if (!search_batch_flush(generation, error))
            return false;
        state = generation->results[0].state;
    }
    return state != SEARCH_ITEM_DONE || !has_related ||
           search_related_link(generation, item->id, image, item->version, error);
}

static search_item item_make(search_generation *generation, core_slice id, uint64_t version,
                             bool is_hidden) {
    search_item item = {.id = id,
                        .json = core_buffer_slice(&generation->document),
                        .source = core_buffer_slice(&generation->source),
                        .version = version,
                        .is_hidden = is_hidden};
    if (core_buffer_ok(&generation->document) && core_buffer_ok(&generation->source))
        return item;
    core_metrics_add(generation->spec->metrics, CORE_METRIC_SEARCH_REFUSED, 1);
    CORE_LOG(generation->spec->log, WARN, "search", "a row is too large for a document",
             CORE_LOG_TEXT("index", (const char *)generation->entry->uid.data));
    return (search_item){.id = id, .version = version};
}

static bool row_store(search_generation *generation, size_t table, const search_image *image,
                      core_slice id, uint64_t version, goes how, core_error *error) {
    const search_binding *binding = &generation->bindings[table];
    const search_side listed = {
        .space = (uint8_t)(SEARCH_SPACE_TABLE + table), .key = id, .version = version};
    bool is_hidden;
    core_buffer_reset(&generation->source);
    search_image_write(binding->table, image, &generation->source);
    if (!document_write(generation, binding, image, id, &is_hidden, error))
        return false;
    const search_item item = item_make(generation, id, version, is_hidden);
    if (generation->plan->own_count > 1 && item.json.length > 0 &&
        id.length <= SEARCH_ID_BYTES_MAX &&
        !search_backend_side_put(generation->backend, &listed, error))
        return false;
    return item_put(generation, table, image, &item, how, error);
}

/* The image's slices may be the engine's, which its next call moves: they become ours. */
static bool image_keep(search_generation *generation, size_t table, search_image *image,
                       core_error *error) {
    const search_plan_table *plan = &generation->plan->tables[table];
    core_buffer_reset(&generation->scratch);
    search_image_write(plan, image, &generation->scratch);
    return (core_buffer_ok(&generation->scratch) &&
            search_image_read(plan, core_buffer_slice(&generation->scratch), image)) ||
           core_error_set(error, CORE_ERROR_INTERNAL, "no memory for a row");
}

bool search_rows_again(search_generation *generation, size_t table, search_image *image,
                       core_slice id, uint64_t version, core_error *error) {
    return version == 0 || (image_keep(generation, table, image, error) &&
                            row_store(generation, table, image, id, version, GOES_AT_ONCE, error));
}

static bool row_remove(search_generation *generation, size_t table, core_slice id, uint64_t version,
                       core_error *error) {
    const search_item item = {.id = id, .version = version};
    search_item_state state;
    if (generation->plan->own_count > 1 &&
        !search_backend_side_delete(generation->backend, (uint8_t)(SEARCH_SPACE_TABLE + table), id,
                                    version, error))
        return false;
    if (generation->plan->related_count == 0)
        return search_batch_put(generation, &item, (search_batch_note){.table = table}, error);
    return search_batch_apply(generation, &item, &state, error) &&
           (state != SEARCH_ITEM_DONE || search_related_link(generation, id, NULL, version, error));
}

/* ---- Changes ---- */

/* Of the image that an UPDATE or DELETE tells of the row before. */
static bool old_id_make(search_generation *generation, size_t table, const core_change *change) {
    search_image old = {.values = generation->old_values};
    core_buffer_reset(&generation->old_id);
    if (change->old_kind == CORE_OLD_NONE)
        return false;
    search_image_take(&generation->bindings[table], &change->old_tuple, &old);
    return search_image_id(generation->plan, &generation->plan->tables[table], &old,
                           &generation->old_id);
}

/* An UPDATE's values that did not come are the kept row's, which stands under the old id. */
static bool unchanged_fill(search_generation *generation, size_t table, core_slice id,
                           search_image *image, core_error *error) {
    search_kept kept;
    search_image known = {.values = generation->kept_values};
    bool found = false;
    if (!search_image_has_holes(image))
        return true;
    if (!search_batch_flush(generation, error) ||
        !search_rows_kept(generation, table, id, &known, &kept, &found, error))
        return false;
    if (found)
        search_image_fill(image, &known);
    return true;
}

static bool row_put(search_generation *generation, size_t table, const core_change *change,
                    uint64_t version, core_error *error) {
    search_image image = {.values = generation->values};
    search_image_take(&generation->bindings[table], &change->new_tuple, &image);
    core_buffer_reset(&generation->id);
    if (!search_image_id(generation->plan, &generation->plan->tables[table], &image,
                         &generation->id))
        return core_error_set(error, CORE_ERROR_INTERNAL, "a row of index %.*s has no key",
                              CORE_SLICE_ARGS(generation->entry->uid));
    core_slice id = core_buffer_slice(&generation->id);
    bool has_old = change->op == CORE_OP_UPDATE && old_id_make(generation, table, change);
    core_slice old_id = has_old ? core_buffer_slice(&generation->old_id) : id;
    if (!unchanged_fill(generation, table, old_id, &image, error))
        return false;
    bool is_moved = !core_slice_equal(old_id, id);
    if (!image_keep(generation, table, &image, error) ||
        (is_moved && !row_remove(generation, table, old_id, version, error)) ||
        (is_moved && search_image_has_holes(&image) &&
         !search_moved_note(generation, old_id, id, version, error)))
        return false;
    goes how = generation->plan->related_count > 0 ? GOES_AT_ONCE : GOES_WITH_OTHERS;
    return row_store(generation, table, &image, id, version, how, error);
}

/* ---- TRUNCATE ---- */

enum { PAGE = 256 };

typedef struct {
    core_buffer ids; /* each with its length in front */
    size_t count;
} id_page;

static bool page_take(void *context, const search_side *row) {
    id_page *page = context;
    core_buffer_u32(&page->ids, (uint32_t)row->key.length);
    core_buffer_slice_append(&page->ids, row->key);
    page->count++;
    return true;
}

static bool page_remove(search_generation *generation, size_t table, const id_page *page,
                        uint64_t version, core_error *error) {
    core_cursor cursor = core_cursor_make(core_buffer_slice(&page->ids));
    for (size_t i = 0; i < page->count; i++)
        if (!search_batch_room(generation, error) ||
            !row_remove(generation, table, core_cursor_bytes(&cursor, core_cursor_u32(&cursor)),
                        version, error))
            return false;
    return search_batch_flush(generation, error);
}

/* Of several tables only this one's documents go. */
static bool table_clear(search_generation *generation, size_t table, uint64_t version,
                        core_error *error) {
    id_page page = {.count = PAGE};
    bool ok = true;
    core_buffer_init(&page.ids, (size_t)PAGE * (SEARCH_SIDE_KEY_MAX + 8));
    while (ok && page.count == PAGE) {
        page.count = 0;
        core_buffer_reset(&page.ids);
        ok = search_backend_side_each(generation->backend, (uint8_t)(SEARCH_SPACE_TABLE + table),
                                      NULL, core_slice_make(NULL, 0), PAGE, page_take, &page,
                                      error) &&
             page_remove(generation, table, &page, version, error);
    }
    core_buffer_fini(&page.ids);
    return ok;
}

static bool rows_truncate(search_generation *generation, size_t table, uint64_t version,
                          core_error *error) {
    search_build build = generation->builds[table];
    if (!search_batch_flush(generation, error))
        return false;
    build.floor = version;
    generation->is_touched = true;
    if (generation->is_building && !search_generation_build_set(generation, table, &build, error))
        return false;
    if (generation->plan->own_count > 1)
        return table_clear(generation, table, version, error);
    return search_backend_clear(generation->backend, error);
}

/* ---- In ---- */

bool search_rows_change(search_generation *generation, size_t table, const core_change *change,
                        uint64_t version, core_error *error) {
    switch (change->op) {
    case CORE_OP_INSERT:
    case CORE_OP_UPDATE:
        return row_put(generation, table, change, version, error);
    case CORE_OP_DELETE:
        return !old_id_make(generation, table, change) ||
               row_remove(generation, table, core_buffer_slice(&generation->old_id), version,
                          error);
    case CORE_OP_TRUNCATE:
        return rows_truncate(generation, table, version, error);
    default:
        return true;
    }
}

bool search_rows_snapshot(search_generation *generation, size_t table, const core_change *change,
                          uint64_t version, core_error *error) {
    search_image image = {.values = generation->values};
    if (version <= generation->builds[table].floor)
        return true;
    search_image_take(&generation->bindings[table], &change->new_tuple, &image);
    core_buffer_reset(&generation->id);
    if (!search_image_id(generation->plan, &generation->plan->tables[table], &image,
                         &generation->id))
        return true; /* a key is never null */
    return row_store(generation, table, &image, core_buffer_slice(&generation->id), version,
                     GOES_AS_SNAPSHOT, error);
}
