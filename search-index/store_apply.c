/* Items into the open group.
 *
 * Of a call's items the ones that count are found first: refused ones and stale ones drop out, and
 * of several with one id the last stands. They are then done in the order of their docids, for FTS5
 * writes out what it holds whenever a docid is not above the last. */
#include "search-index/store_private.h"

#include "search-index/walk.h"

#include <stdlib.h>

/* What one id becomes, in the end of the call. */
typedef struct {
    const search_item *item;
    search_docid docid; /* 0: it is new */
    uint64_t version;   /* of what is there, or of its tombstone */
    bool is_there;
    bool was_hidden;
    bool has_tombstone;
    bool counts; /* some item is newer than that */
    uint32_t order;
} apply_change;

typedef struct {
    search_store *store;
    apply_change *changes;
    uint32_t count;
    uint32_t *places; /* of changes, by their id's hash: number + 1 */
    uint32_t place_mask;
} apply_call;

/* ---- What is refused ---- */
static bool step_pass(void *context, const search_walk_step *step) {
    (void)context;
    (void)step;
    return true;
}

static bool is_object(core_slice json) {
    return core_utf8_valid(json) && search_walk(json, step_pass, NULL) == SEARCH_WALK_DONE;
}

static const char *refusal_of(const search_item *item) {
    if (item->id.length == 0 || item->id.length > SEARCH_ID_BYTES_MAX)
        return "its id must be 1 to 511 bytes";
    if (!core_utf8_valid(item->id))
        return "its id must be UTF-8";
    if (item->json.length > SEARCH_DOCUMENT_BYTES_MAX ||
        item->source.length > SEARCH_SOURCE_BYTES_MAX)
        return "it has more than 16777216 bytes";
    if (item->json.length > 0 && !is_object(item->json))
        return "it must be a JSON object in UTF-8, nested at most 256 deep";
    return NULL;
}

static bool item_check(const search_item *item, search_item_result *result) {
    const char *reason = refusal_of(item);
    *result = (search_item_result){.state = SEARCH_ITEM_DONE};
    if (reason == NULL)
        return true;
    result->state = SEARCH_ITEM_REFUSED;
    (void)snprintf(result->reason, sizeof result->reason, "the document cannot be indexed: %s",
                   reason);
    return false;
}

/* ---- What counts ---- */
static bool change_look(search_store *store, apply_change *change, core_error *error) {
    sqlite3_stmt *find = store->statements[SEARCH_SQL_FIND];
    search_sql_blob(find, 1, change->item->id);
    if (!search_sql_next(find, &change->is_there, error))
        return false;
    if (change->is_there) {
        change->docid = (search_docid)search_sql_column_number(find, 0);
        change->version = search_sql_column_number(find, 1);
        change->was_hidden = search_sql_column_number(find, 2) != 0;
        (void)sqlite3_reset(find);
        return true;
    }
    sqlite3_stmt *tombstone = store->statements[SEARCH_SQL_TOMBSTONE_GET];
    if (!store->is_building)
        return true;
    search_sql_blob(tombstone, 1, change->item->id);
    if (!search_sql_next(tombstone, &change->has_tombstone, error))
        return false;
    if (change->has_tombstone)
        change->version = search_sql_column_number(tombstone, 0);
    (void)sqlite3_reset(tombstone);
    return true;
}

static bool change_of(apply_call *call, const search_item *item, apply_change **out,
                      core_error *error) {
    uint32_t at = (uint32_t)core_slice_hash(item->id) & call->place_mask;
    for (; call->places[at] != 0; at = (at + 1) & call->place_mask) {
        *out = &call->changes[call->places[at] - 1];
        if (core_slice_equal((*out)->item->id, item->id))
            return true;
    }
    *out = &call->changes[call->count];
    **out = (apply_change){.item = item, .order = call->count};
    call->places[at] = ++call->count;
    return change_look(call->store, *out, error);
}

static bool item_take(apply_call *call, const search_item *item, search_item_result *result,
                      core_error *error) {
    apply_change *change;
    if (!item_check(item, result))
        return true;
    if (!change_of(call, item, &change, error))
        return false;
    bool is_known = change->is_there || change->has_tombstone || change->counts;
    if (is_known && item->version <= change->version) {
        result->state = SEARCH_ITEM_STALE;
        return true;
    }
    change->item = item;
    change->version = item->version;
    change->counts = true;
    return true;
}

/* ---- Doing them ---- */
static search_docid docid_take(search_store *store) {
    if (store->free_count > 0)
        return store->free_docids[--store->free_count];
    return store->next_docid <= SEARCH_DOCID_MAX ? store->next_docid++ : 0;
}

static bool docids_give(apply_call *call, core_error *error) {
    for (uint32_t i = 0; i < call->count; i++) {
        apply_change *change = &call->changes[i];
        if (!change->counts || change->is_there || change->item->json.length == 0)
            continue;
        change->docid = docid_take(call->store);
        if (change->docid == 0)
            return core_error_set(error, CORE_ERROR_LIMIT,
                                  "search index %s: it has %u documents, more than it can hold",
                                  call->store->path, SEARCH_DOCID_MAX);
    }
    return true;
}

static int change_compare(const void *left, const void *right) {
    const apply_change *a = left, *b = right;
    if (a->docid != b->docid)
        return a->docid < b->docid ? -1 : 1;
    return a->order < b->order ? -1 : 1;
}

static bool words_do(search_store *store, search_sql_number_of which, search_docid docid,
                     const search_pieces *pieces, core_error *error) {
    sqlite3_stmt *statement = store->statements[which];
    search_stage_document(&store->stage, which == SEARCH_SQL_WORDS_INSERT ? 1 : -1);
    if (pieces->text_count == 0)
        return true;
    search_sql_number(statement, 1, docid);
    for (uint32_t i = 0; i < pieces->text_count; i++)
        search_sql_text(statement, (int)pieces->texts[i].slot + 2, pieces->texts[i].text);
    bool done = search_sql_do(statement, error);
    for (uint32_t i = 0; i < pieces->text_count; i++)
        (void)sqlite3_bind_null(statement, (int)pieces->texts[i].slot + 2);
    if (done && store->stage.is_failed)
        return core_error_set(error, CORE_ERROR_INTERNAL,
                              "search index %s: out of memory for a group's words", store->path);
    return done;
}

/* What is there and can be found: its texts, its members, its norm. */
static bool before_read(search_store *store, const apply_change *change, search_stage_change *stage,
                        core_error *error) {
    bool is_row = false;
    sqlite3_stmt *read = store->statements[SEARCH_SQL_READ];
    search_sql_number(read, 1, change->docid);
    if (!search_sql_next(read, &is_row, error))
        return false;
    core_slice json = is_row ? search_sql_column(read, 0) : core_slice_make(NULL, 0);
    stage->norm = is_row ? (uint8_t)search_sql_column_number(read, 1) : 0;
    bool done = is_row && search_pieces_read(&store->before, json, error);
    if (done) {
        stage->before = search_row_read(store->shared.columns, json, error);
        done = stage->before != NULL;
    }
    (void)sqlite3_reset(read);
    return done || core_error_set(error, CORE_ERROR_GAP,
                                  "search index %s: it is damaged (document %u): it must be "
                                  "rebuilt",
                                  store->path, change->docid);
}

static bool row_write(search_store *store, const apply_change *change, uint8_t norm,
                      core_error *error) {
    const search_item *item = change->item;
    sqlite3_stmt *put = store->statements[change->is_there ? SEARCH_SQL_UPDATE : SEARCH_SQL_INSERT];
    search_sql_number(put, 1, change->docid);
    if (!change->is_there)
        search_sql_blob(put, 2, item->id);
    search_sql_number(put, 3, item->version);
    search_sql_number(put, 4, norm);
    search_sql_number(put, 5, item->is_hidden);
    search_sql_blob(put, 6, item->json);
    search_sql_blob(put, 7, item->source);
    return search_sql_do(put, error);
}

/* The words change only where the texts do. */
static bool words_change(search_store *store, const apply_change *change,
                         search_stage_change *stage, core_error *error) {
    bool was_found = change->is_there && !change->was_hidden;
    bool is_found = stage->kind == SEARCH_STAGE_PUT;
    if (was_found && is_found && search_pieces_equal(&store->before, &store->after))
        return true;
    if (was_found &&
        !words_do(store, SEARCH_SQL_WORDS_DELETE, change->docid, &store->before, error))
        return false;
    stage->norm = 0;
    if (!is_found)
        return true;
    if (!words_do(store, SEARCH_SQL_WORDS_INSERT, change->docid, &store->after, error))
        return false;
    stage->norm = search_norm_of(store->stage.words);
    return true;
}

static bool tombstone_do(search_store *store, const apply_change *change, core_error *error) {
    bool is_delete = change->item->json.length == 0;
    if (!store->is_building || (!is_delete && !change->has_tombstone))
        return true;
    sqlite3_stmt *statement =
        store->statements[is_delete ? SEARCH_SQL_TOMBSTONE_PUT : SEARCH_SQL_TOMBSTONE_DELETE];
    search_sql_blob(statement, 1, change->item->id);
    if (is_delete)
        search_sql_number(statement, 2, change->item->version);
    return search_sql_do(statement, error);
}

static bool document_do(search_store *store, const apply_change *change, search_stage_change *stage,
                        core_error *error) {
    const search_item *item = change->item;
    if (change->is_there && !change->was_hidden && !before_read(store, change, stage, error))
        return false;
    if (stage->kind == SEARCH_STAGE_PUT) {
        stage->row = search_row_read(store->shared.columns, item->json, error);
        if (stage->row == NULL || !search_pieces_read(&store->after, item->json, error))
            return false;
    }
    if (!words_change(store, change, stage, error))
        return false;
    if (stage->kind != SEARCH_STAGE_REMOVE)
        return row_write(store, change, stage->norm, error);
    search_sql_number(store->statements[SEARCH_SQL_DELETE], 1, change->docid);
    return search_sql_do(store->statements[SEARCH_SQL_DELETE], error);
}

static bool change_do(search_store *store, const apply_change *change, core_error *error) {
    const search_item *item = change->item;
    search_stage_change stage = {.docid = change->docid,
                                 .kind = item->json.length == 0 ? SEARCH_STAGE_REMOVE
                                         : item->is_hidden      ? SEARCH_STAGE_HIDE
                                                                : SEARCH_STAGE_PUT,
                                 .is_new = !change->is_there,
                                 .was_hidden = change->was_hidden};
    if (!tombstone_do(store, change, error))
        return false;
    if (stage.kind == SEARCH_STAGE_REMOVE && !change->is_there)
        return true;
    if (document_do(store, change, &stage, error) && search_stage_add(&store->stage, &stage))
        return true;
    search_row_free(stage.row);
    search_row_free(stage.before);
    return false;
}

static bool call_run(apply_call *call, const search_item *items, size_t count,
                     search_item_result *results, core_error *error) {
    for (size_t i = 0; i < count; i++)
        if (!item_take(call, &items[i], &results[i], error))
            return false;
    if (!docids_give(call, error))
        return false;
    qsort(call->changes, call->count, sizeof *call->changes, change_compare);
    for (uint32_t i = 0; i < call->count; i++)
        if (call->changes[i].counts && !change_do(call->store, &call->changes[i], error))
            return false;
    return true;
}

static bool room_check(search_store *store, const search_item *items, size_t count,
                       core_error *error) {
    size_t bytes = store->group_bytes;
    for (size_t i = 0; i < count && bytes <= SEARCH_GROUP_BYTES_MAX; i++)
        bytes += items[i].json.length + items[i].source.length;
    if (count <= SEARCH_GROUP_ITEMS_MAX - store->group_items && bytes <= SEARCH_GROUP_BYTES_MAX) {
        store->group_bytes = bytes;
        store->group_items += (uint32_t)count;
        return true;
    }
    return core_error_set(error, CORE_ERROR_LIMIT,
                          "search index %s: a group takes %d documents and %zu bytes; commit "
                          "before more",
                          store->path, SEARCH_GROUP_ITEMS_MAX, SEARCH_GROUP_BYTES_MAX);
}

bool search_store_apply(search_backend *backend, const search_item *items, size_t count,
                        search_item_result *results, core_error *error) {
    search_store *store = search_store_of(backend);
    apply_call call = {.store = store, .place_mask = 15};
    if (!search_store_begin(store, error) || !room_check(store, items, count, error))
        return search_store_fail(store);
    while (call.place_mask < 2 * count)
        call.place_mask = 2 * call.place_mask + 1;
    call.changes = calloc(count > 0 ? count : 1, sizeof *call.changes);
    call.places = calloc(call.place_mask + 1, sizeof *call.places);
    bool done = call.changes != NULL && call.places != NULL;
    if (!done)
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "search index: out of memory");
    done = done && call_run(&call, items, count, results, error);
    free(call.changes);
    free(call.places);
    return done || search_store_fail(store);
}

/* ---- Reading one ---- */
search_kept search_store_kept_row(sqlite3_stmt *statement, int at) {
    return (search_kept){.id = search_sql_column(statement, at),
                         .version = search_sql_column_number(statement, at + 1),
                         .is_hidden = search_sql_column_number(statement, at + 2) != 0,
                         .json = search_sql_column(statement, at + 3),
                         .source = search_sql_column(statement, at + 4)};
}

/* The statement stays on its row, which holds the slices, until it is used again. */
bool search_store_kept(search_backend *backend, core_slice id, search_kept *out,
                       core_error *error) {
    search_store *store = search_store_of(backend);
    sqlite3_stmt *kept = store->statements[SEARCH_SQL_KEPT];
    bool is_row = false;
    *out = (search_kept){.version = 0};
    (void)sqlite3_reset(kept);
    search_sql_blob(kept, 1, id);
    if (!search_sql_next(kept, &is_row, error))
        return false;
    if (is_row)
        *out = search_store_kept_row(kept, 0);
    return true;
}
