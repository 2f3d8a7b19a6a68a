/* Joined and child tables: their rows stand beside the documents in the same file, each with its
 * JSON as the document shows it, so a document can be made again without the types of its table.
 * What changed there is put into a queue, in the same commit, and worked off in bounded steps.
 *
 * A queue's row is a key of a joined table (`all documents that name it`, with how far they are
 * done) or a document's id (whose children changed). */
#include "search-index/generation_private.h"

#include "search-index/json_member.h"

#include <stdlib.h>

#define CHILDREN_MAX 1000 /* of one document; further ones are left out */
#define STEP_MAX     200  /* documents of one step */

enum { DIRTY_DOCUMENT = 0xFF };

static size_t related_of(const search_generation *generation, size_t table) {
    return table - generation->plan->own_count;
}

/* ---- The queue ---- */

static bool dirty_put(search_generation *generation, uint8_t kind, core_slice what,
                      core_slice after, core_error *error) {
    uint8_t memory[SEARCH_SIDE_KEY_MAX];
    core_buffer key = core_buffer_over(memory, sizeof memory);
    core_buffer_u8(&key, kind);
    core_buffer_slice_append(&key, what);
    if (!core_buffer_ok(&key))
        return true; /* no document has so long an id */
    const search_side row = {
        .space = SEARCH_SPACE_DIRTY, .key = core_buffer_slice(&key), .bytes = after};
    generation->has_dirty = true;
    generation->is_touched = true;
    return search_backend_side_put(generation->backend, &row, error);
}

/* Whoever names the related row is to be made again. */
static bool row_dirty(search_generation *generation, size_t related, core_slice key,
                      core_slice parent, core_error *error) {
    const core_slice nothing = core_slice_make(NULL, 0);
    if (!generation->plan->related[related].is_child)
        return dirty_put(generation, (uint8_t)related, key, nothing, error);
    return parent.length == 0 || dirty_put(generation, DIRTY_DOCUMENT, parent, nothing, error);
}

/* ---- Rows of related tables ---- */

/* A row's bytes: its JSON with the length in front, then the image. */
static core_slice row_json(core_slice bytes) {
    core_cursor cursor = core_cursor_make(bytes);
    return core_cursor_bytes(&cursor, core_cursor_u32(&cursor));
}

static core_slice row_image(core_slice bytes) {
    core_cursor cursor = core_cursor_make(bytes);
    (void)core_cursor_bytes(&cursor, core_cursor_u32(&cursor));
    return core_cursor_rest(&cursor);
}

/* The row that is there: its parent into `parent`, what the change left out into the image. */
static bool row_known(search_generation *generation, size_t table, core_slice key,
                      search_image *image, core_buffer *parent, core_error *error) {
    search_side row;
    search_image known = {.values = generation->kept_values};
    uint8_t space = (uint8_t)(SEARCH_SPACE_RELATED + related_of(generation, table));
    core_buffer_reset(parent);
    if (!search_backend_side_get(generation->backend, space, key, &row, error))
        return false;
    if (row.key.data == NULL)
        return true;
    core_buffer_slice_append(parent, row.parent);
    core_buffer_reset(&generation->scratch);
    core_buffer_slice_append(&generation->scratch, row_image(row.bytes));
    if (image != NULL && core_buffer_ok(&generation->scratch) &&
        search_image_read(&generation->plan->tables[table], core_buffer_slice(&generation->scratch),
                          &known))
        search_image_fill(image, &known);
    return true;
}

static bool row_remove(search_generation *generation, size_t table, core_slice key,
                       uint64_t version, core_error *error) {
    size_t related = related_of(generation, table);
    uint8_t space = (uint8_t)(SEARCH_SPACE_RELATED + related);
    core_buffer *parent = &generation->source;
    return row_known(generation, table, key, NULL, parent, error) &&
           search_backend_side_delete(generation->backend, space, key, version, error) &&
           row_dirty(generation, related, key, core_buffer_slice(parent), error);
}

static core_slice parent_of(const search_generation *generation, size_t related,
                            const search_image *image) {
    const search_plan_related *plan = &generation->plan->related[related];
    const core_value *value = plan->is_child ? &image->values[plan->column] : NULL;
    return value != NULL && value->kind == CORE_VALUE_TEXT ? value->bytes
                                                           : core_slice_make(NULL, 0);
}

static bool row_put(search_generation *generation, size_t table, core_slice key,
                    search_image *image, uint64_t version, core_error *error) {
    size_t related = related_of(generation, table);
    core_buffer *bytes = &generation->document, *was = &generation->source;
    if (!row_known(generation, table, key, image, was, error))
        return false;
    core_buffer_reset(bytes);
    core_buffer_u32(bytes, 0);
    search_image_object(&generation->bindings[table], image, bytes);
    size_t length = bytes->length - sizeof(uint32_t);
    search_image_write(&generation->plan->tables[table], image, bytes);
    if (!core_buffer_ok(bytes))
        return true; /* a row that is too large is left out */
    bytes->data[0] = (uint8_t)(length >> 24);
    bytes->data[1] = (uint8_t)(length >> 16);
    bytes->data[2] = (uint8_t)(length >> 8);
    bytes->data[3] = (uint8_t)length;
    const search_side row = {.space = (uint8_t)(SEARCH_SPACE_RELATED + related),
                             .key = key,
                             .parent = parent_of(generation, related, image),
                             .bytes = core_buffer_slice(bytes),
                             .version = version};
    generation->is_touched = true;
    return search_backend_side_put(generation->backend, &row, error) &&
           (core_slice_equal(core_buffer_slice(was), row.parent) ||
            row_dirty(generation, related, key, core_buffer_slice(was), error)) &&
           row_dirty(generation, related, key, row.parent, error);
}

/* ---- TRUNCATE ---- */

enum { PAGE = 256 };

typedef struct {
    core_buffer keys;
    size_t count;
} key_page;

static bool page_take(void *context, const search_side *row) {
    key_page *page = context;
    core_buffer_u32(&page->keys, (uint32_t)row->key.length);
    core_buffer_slice_append(&page->keys, row->key);
    page->count++;
    return true;
}

static bool rows_clear(search_generation *generation, size_t table, uint64_t version,
                       core_error *error) {
    key_page page = {.count = PAGE};
    uint8_t space = (uint8_t)(SEARCH_SPACE_RELATED + related_of(generation, table));
    bool ok = true;
    core_buffer_init(&page.keys, (size_t)PAGE * (SEARCH_SIDE_KEY_MAX + 8));
    while (ok && page.count == PAGE) {
        page.count = 0;
        core_buffer_reset(&page.keys);
        ok = search_backend_side_each(generation->backend, space, NULL, core_slice_make(NULL, 0),
                                      PAGE, page_take, &page, error);
        core_cursor cursor = core_cursor_make(core_buffer_slice(&page.keys));
        for (size_t i = 0; ok && i < page.count; i++)
            ok = row_remove(generation, table, core_cursor_bytes(&cursor, core_cursor_u32(&cursor)),
                            version, error);
    }
    core_buffer_fini(&page.keys);
    return ok;
}

static bool table_truncate(search_generation *generation, size_t table, uint64_t version,
                           core_error *error) {
    search_build build = generation->builds[table];
    build.floor = version;
    return (!generation->is_building ||
            search_generation_build_set(generation, table, &build, error)) &&
           rows_clear(generation, table, version, error);
}

/* ---- Changes ---- */

static bool key_make(search_generation *generation, size_t table, const core_tuple *tuple,
                     search_image *image, core_buffer *key) {
    core_buffer_reset(key);
    search_image_take(&generation->bindings[table], tuple, image);
    return search_image_key(&generation->plan->tables[table], image, key) &&
           key->length <= SEARCH_SIDE_KEY_MAX;
}

bool search_related_change(search_generation *generation, size_t table, const core_change *change,
                           uint64_t version, core_error *error) {
    search_image image = {.values = generation->values}, old = {.values = generation->old_values};
    bool has_old = change->old_kind != CORE_OLD_NONE &&
                   (change->op == CORE_OP_UPDATE || change->op == CORE_OP_DELETE) &&
                   key_make(generation, table, &change->old_tuple, &old, &generation->old_id);
    if (change->op == CORE_OP_TRUNCATE)
        return table_truncate(generation, table, version, error);
    if (change->op == CORE_OP_DELETE)
        return !has_old || row_remove(generation, table, core_buffer_slice(&generation->old_id),
                                      version, error);
    if (!key_make(generation, table, &change->new_tuple, &image, &generation->id))
        return true;
    core_slice key = core_buffer_slice(&generation->id);
    bool moved = has_old && !core_slice_equal(key, core_buffer_slice(&generation->old_id));
    if (moved &&
        !row_remove(generation, table, core_buffer_slice(&generation->old_id), version, error))
        return false;
    return row_put(generation, table, key, &image, version, error);
}

/* ---- In documents ---- */

typedef struct {
    core_buffer *out;
    bool any;
} children;

static bool child_take(void *context, const search_side *row) {
    children *it = context;
    core_buffer_text(it->out, it->any ? "," : "");
    core_buffer_slice_append(it->out, row_json(row->bytes));
    it->any = true;
    return true;
}

bool search_related_json(search_generation *generation, size_t related, const search_image *image,
                         core_buffer *out, core_error *error) {
    const search_plan *plan = generation->plan;
    const search_plan_related *of = &plan->related[related];
    uint8_t space = (uint8_t)(SEARCH_SPACE_RELATED + related);
    size_t column = of->is_child ? plan->tables[0].key[0] : of->column;
    const core_value *value = &image->values[column];
    core_slice key = value->kind == CORE_VALUE_TEXT ? value->bytes : core_slice_make(NULL, 0);
    if (of->is_child) {
        children all = {.out = out};
        core_buffer_text(out, "[");
        bool ok =
            search_backend_side_each(generation->backend, space, &key, core_slice_make(NULL, 0),
                                     CHILDREN_MAX, child_take, &all, error);
        core_buffer_text(out, "]");
        return ok;
    }
    search_side row = {.key = {.data = NULL}};
    if (key.length > 0 && !search_backend_side_get(generation->backend, space, key, &row, error))
        return false;
    core_buffer_slice_append(out,
                             row.key.data != NULL ? row_json(row.bytes) : core_slice_text("null"));
    return true;
}

bool search_related_link(search_generation *generation, core_slice id, const search_image *image,
                         uint64_t version, core_error *error) {
    const search_plan *plan = generation->plan;
    for (size_t i = 0; i < plan->related_count; i++) {
        uint8_t space = (uint8_t)(SEARCH_SPACE_LINK + i);
        const core_value *value = image != NULL && !plan->related[i].is_child
                                      ? &image->values[plan->related[i].column]
                                      : NULL;
        if (plan->related[i].is_child)
            continue;
        bool names = value != NULL && value->kind == CORE_VALUE_TEXT && value->bytes.length > 0;
        const search_side row = {.space = space,
                                 .key = id,
                                 .parent = names ? value->bytes : core_slice_make(NULL, 0),
                                 .version = version};
        if (names ? !search_backend_side_put(generation->backend, &row, error)
                  : !search_backend_side_delete(generation->backend, space, id, version, error))
            return false;
    }
    return true;
}

/* ---- Documents made again ---- */

/* The kept document with its related members as they are now. */
static bool document_remake(search_generation *generation, core_slice id, core_error *error) {
    search_kept kept;
    search_image image = {.values = generation->kept_values};
    const search_plan *plan = generation->plan;
    bool found = false;
    if (!search_rows_kept(generation, 0, id, &image, &kept, &found, error))
        return false;
    if (!found || kept.is_hidden)
        return true;
    uint64_t version = search_version_again(kept.version, generation->reached.change_sequence);
    core_buffer_reset(&generation->document);
    core_buffer_reset(&generation->source);
    core_buffer_slice_append(&generation->document, kept.json);
    core_buffer_slice_append(&generation->source, kept.source);
    if (version == 0 || !core_buffer_ok(&generation->source) ||
        !search_image_read(&plan->tables[0], core_buffer_slice(&generation->source), &image))
        return true;
    for (size_t i = 0; i < plan->related_count; i++) {
        core_buffer_reset(&generation->scratch);
        if (!search_related_json(generation, i, &image, &generation->scratch, error))
            return false;
        if (!search_json_member_set(&generation->document, plan->related[i].name,
                                    core_buffer_slice(&generation->scratch)))
            return true; /* larger than a document may be: it stays as it is */
    }
    const search_item item = {.id = id,
                              .json = core_buffer_slice(&generation->document),
                              .source = core_buffer_slice(&generation->source),
                              .version = version};
    search_item_state state;
    return search_batch_apply(generation, &item, &state, error);
}

/* ---- Steps ---- */

typedef struct {
    core_buffer key, after;
    bool found;
} dirty_row;

static bool dirty_take(void *context, const search_side *row) {
    dirty_row *it = context;
    core_buffer_slice_append(&it->key, row->key);
    core_buffer_slice_append(&it->after, row->bytes);
    it->found = true;
    return false;
}

/* Documents that name the joined row, the next so many of them; `*last` is how far they are. */
static bool joined_remake(search_generation *generation, const dirty_row *dirty, bool *is_done,
                          core_buffer *last, core_error *error) {
    core_slice key = core_buffer_slice(&dirty->key);
    core_slice parent = core_slice_make(key.data + 1, key.length - 1);
    key_page page = {.count = 0};
    core_buffer_init(&page.keys, (size_t)STEP_MAX * (SEARCH_SIDE_KEY_MAX + 8));
    bool ok = search_backend_side_each(
        generation->backend, (uint8_t)(SEARCH_SPACE_LINK + key.data[0]), &parent,
        core_buffer_slice(&dirty->after), STEP_MAX, page_take, &page, error);
    core_cursor cursor = core_cursor_make(core_buffer_slice(&page.keys));
    for (size_t i = 0; ok && i < page.count; i++) {
        core_slice id = core_cursor_bytes(&cursor, core_cursor_u32(&cursor));
        ok = document_remake(generation, id, error);
        core_buffer_reset(last);
        core_buffer_slice_append(last, id);
    }
    *is_done = page.count < STEP_MAX;
    core_buffer_fini(&page.keys);
    return ok;
}

static bool dirty_work(search_generation *generation, const dirty_row *dirty, core_error *error) {
    core_slice key = core_buffer_slice(&dirty->key);
    core_slice what = core_slice_make(key.data + 1, key.length - 1);
    core_buffer last;
    bool is_done = true;
    core_buffer_init(&last, SEARCH_SIDE_KEY_MAX);
    bool ok = key.data[0] == DIRTY_DOCUMENT
                  ? document_remake(generation, what, error)
                  : joined_remake(generation, dirty, &is_done, &last, error);
    if (ok && is_done)
        ok = search_backend_side_delete(generation->backend, SEARCH_SPACE_DIRTY, key, 0, error);
    else if (ok)
        ok = dirty_put(generation, key.data[0], what, core_buffer_slice(&last), error);
    core_buffer_fini(&last);
    generation->is_touched = true;
    return ok;
}

bool search_generation_step(search_generation *generation, bool *is_done, core_error *error) {
    dirty_row dirty = {.found = false};
    *is_done = generation->plan->related_count == 0 || !generation->has_dirty;
    if (*is_done)
        return true;
    core_buffer_init(&dirty.key, SEARCH_SIDE_KEY_MAX);
    core_buffer_init(&dirty.after, SEARCH_SIDE_KEY_MAX);
    bool ok = search_batch_flush(generation, error) &&
              search_backend_side_each(generation->backend, SEARCH_SPACE_DIRTY, NULL,
                                       core_slice_make(NULL, 0), 1, dirty_take, &dirty, error);
    if (ok && dirty.found)
        ok = dirty_work(generation, &dirty, error);
    generation->has_dirty = ok && dirty.found;
    *is_done = ok && !dirty.found;
    core_buffer_fini(&dirty.key);
    core_buffer_fini(&dirty.after);
    return ok;
}
