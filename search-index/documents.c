/* See documents.h. */
#include "search-index/documents.h"
#include "search-index/settings.h"

#include <stdlib.h>

#define DOCUMENTS_A_STEP   500
#define DOCUMENT_INDEX_MAX ((uint64_t)1 << 20) /* of one task: the low bits of versions */

/* ---- Groups ---- */

/* What is put between two commits. */
typedef struct {
    search_backend *backend;
    const search_position *position;
    size_t items, bytes;
} group;

static bool group_commit(group *it, core_error *error) {
    it->items = 0;
    it->bytes = 0;
    return search_backend_commit(it->backend, it->position, error);
}

static bool group_room(group *it, size_t items, size_t bytes, core_error *error) {
    bool is_full =
        it->items + items > SEARCH_GROUP_ITEMS_MAX || it->bytes + bytes > SEARCH_GROUP_BYTES_MAX;
    if (is_full && it->items > 0 && !group_commit(it, error))
        return false;
    it->items += items;
    it->bytes += bytes;
    return true;
}

/* ---- Putting ---- */

typedef struct {
    const search_documents_asked *asked;
    group group;
    core_arena *arena;
    core_arena step; /* of the items at hand */
    core_buffer merged;
    search_item items[DOCUMENTS_A_STEP];
    search_item_result results[DOCUMENTS_A_STEP];
    size_t count, bytes;
    uint64_t taken;
    search_documents_result *result;
} putting;

/* Each document of the array in turn; false: it ended. */
static bool document_next(core_json_reader *reader, core_slice *document) {
    core_json_token token = core_json_next(reader);
    return token.kind == CORE_JSON_OBJECT_OPEN && core_json_skip(reader, token, document);
}

static core_json_reader documents_reader(core_slice documents) {
    core_json_reader reader = core_json_reader_make(documents);
    (void)core_json_next(&reader);
    return reader;
}

/* Nothing is written unless all can be. */
static bool documents_check(putting *it) {
    core_json_reader reader = documents_reader(it->asked->documents);
    core_slice document, id;
    search_documents_result *result = it->result;
    result->primary_key = it->asked->primary_key;
    while (document_next(&reader, &document)) {
        if (++result->received > DOCUMENT_INDEX_MAX)
            return search_refuse(&result->refusal, SEARCH_CODE_PAYLOAD_TOO_LARGE,
                                 "A task takes at most 1048576 documents.");
        if (document.length > SEARCH_DOCUMENT_BYTES_MAX)
            return search_refuse(&result->refusal, SEARCH_CODE_PAYLOAD_TOO_LARGE,
                                 "A document has %zu bytes; at most %zu are taken.",
                                 document.length, SEARCH_DOCUMENT_BYTES_MAX);
        if (result->primary_key.length == 0 &&
            !search_primary_key_guess(document, it->asked->index, it->arena, &result->primary_key,
                                      &result->refusal))
            return false;
        core_arena_reset(&it->step);
        if (!search_document_id(document, result->primary_key, &it->step, &id, &result->refusal))
            return false;
    }
    return true;
}

static bool step_flush(putting *it, core_error *error) {
    bool ok = it->count == 0 ||
              (group_room(&it->group, it->count, it->bytes, error) &&
               search_backend_apply(it->group.backend, it->items, it->count, it->results, error));
    for (size_t i = 0; ok && i < it->count; i++) {
        it->result->indexed += it->results[i].state == SEARCH_ITEM_DONE;
        if (it->results[i].state == SEARCH_ITEM_REFUSED &&
            it->result->refusal.code == SEARCH_CODE_NONE)
            (void)search_refuse(&it->result->refusal, SEARCH_CODE_INVALID_DOCUMENT_FIELDS,
                                "Document `%.*s`: %s", CORE_SLICE_ARGS(it->items[i].id),
                                it->results[i].reason);
    }
    it->count = 0;
    it->bytes = 0;
    core_arena_reset(&it->step);
    return ok;
}

/* What is kept is read from the open group, so all before it must be in there. */
static bool document_complete(putting *it, core_slice id, core_slice *document, core_error *error) {
    search_kept kept;
    uint8_t room[SEARCH_ID_BYTES_MAX];
    memcpy(room, id.data, id.length);
    core_slice own_id = core_slice_make(room, id.length);
    if (!step_flush(it, error) || !search_backend_kept(it->group.backend, own_id, &kept, error))
        return false;
    if (kept.id.data == NULL || kept.json.length == 0)
        return true;
    core_buffer_reset(&it->merged);
    search_document_merge(kept.json, *document, &it->merged);
    *document = core_buffer_slice(&it->merged);
    return core_buffer_ok(&it->merged) ||
           core_error_set(error, CORE_ERROR_LIMIT, "document `%.*s` becomes larger than %zu bytes",
                          CORE_SLICE_ARGS(own_id), SEARCH_DOCUMENT_BYTES_MAX);
}

static bool document_put(putting *it, core_slice document, core_error *error) {
    core_slice id;
    if (!search_document_id(document, it->result->primary_key, &it->step, &id, NULL))
        return core_error_set(error, CORE_ERROR_INTERNAL, "a document was checked and is wrong");
    if (it->asked->is_update) {
        if (!document_complete(it, id, &document, error) ||
            !search_document_id(document, it->result->primary_key, &it->step, &id, NULL))
            return false;
    }
    it->items[it->count++] =
        (search_item){.id = id,
                      .json = document,
                      .version = it->asked->sequence * DOCUMENT_INDEX_MAX + it->taken++};
    it->bytes += document.length;
    bool is_full = it->count == DOCUMENTS_A_STEP || it->bytes > SEARCH_DOCUMENT_BYTES_MAX / 4;
    return (!is_full && !it->asked->is_update) || step_flush(it, error);
}

static bool documents_put(putting *it, core_error *error) {
    core_json_reader reader = documents_reader(it->asked->documents);
    core_slice document;
    while (document_next(&reader, &document))
        if (!document_put(it, document, error))
            return false;
    return step_flush(it, error);
}

bool search_documents_put(search_backend *backend, const search_documents_asked *asked,
                          const search_position *position, core_arena *arena,
                          search_documents_result *result, core_error *error) {
    putting *it = calloc(1, sizeof *it);
    *result = (search_documents_result){.refusal = {.code = SEARCH_CODE_NONE}};
    if (it == NULL)
        return core_error_set(error, CORE_ERROR_INTERNAL, "no memory for documents");
    *it = (putting){.asked = asked,
                    .group = {.backend = backend, .position = position},
                    .arena = arena,
                    .result = result};
    core_arena_init(&it->step, 65536, (size_t)4 << 20);
    core_buffer_init(&it->merged, SEARCH_DOCUMENT_BYTES_MAX);
    bool ok = !documents_check(it) || documents_put(it, error);
    core_buffer_fini(&it->merged);
    core_arena_fini(&it->step);
    free(it);
    return ok;
}

/* ---- Removing ---- */

/* The text of a string or of a number. */
static bool id_of(core_json_token token, core_arena *arena, core_slice *id) {
    *id = token.raw;
    return token.kind == CORE_JSON_NUMBER || search_json_string(token, arena, id);
}

static bool document_remove(group *it, core_slice id, uint64_t version, uint64_t *removed,
                            core_error *error) {
    search_kept kept;
    search_item_result result;
    const search_item item = {.id = id, .version = version};
    if (!search_document_id_ok(id))
        return true; /* no document has it */
    if (!search_backend_kept(it->backend, id, &kept, error))
        return false;
    bool is_there = kept.id.data != NULL;
    if (!is_there)
        return true;
    if (!group_room(it, 1, id.length, error) ||
        !search_backend_apply(it->backend, &item, 1, &result, error))
        return false;
    *removed += result.state == SEARCH_ITEM_DONE;
    return true;
}

bool search_documents_remove(search_backend *backend, uint64_t sequence, core_slice ids,
                             const search_position *position, uint64_t *removed,
                             core_error *error) {
    group it = {.backend = backend, .position = position};
    core_json_reader reader = core_json_reader_make(ids);
    core_json_token token = core_json_next(&reader);
    core_arena arena;
    core_slice id;
    bool ok = true;
    *removed = 0;
    core_arena_init(&arena, 4096, (size_t)1 << 20);
    for (token = core_json_next(&reader);
         ok && (token.kind == CORE_JSON_STRING || token.kind == CORE_JSON_NUMBER);
         token = core_json_next(&reader)) {
        if (id_of(token, &arena, &id))
            ok = document_remove(&it, id, sequence * DOCUMENT_INDEX_MAX, removed, error);
        core_arena_reset(&arena);
    }
    core_arena_fini(&arena);
    return ok;
}
