/* A committed group's changes, from the stage into what queries see. All that may fail is done
 * before the commit; what is left can only find a stated maximum, which is then told by queries. */
#include "search-index/row.h"
#include "search-index/store_private.h"

#include <stdlib.h>

/* ---- How many documents have each member ---- */
static search_field_count *field_of(search_shared *shared, core_slice name) {
    for (uint32_t i = 0; i < shared->field_count; i++)
        if (core_slice_equal(search_field_name(&shared->fields[i]), name))
            return &shared->fields[i];
    if (shared->fields == NULL)
        shared->fields = calloc(SEARCH_FIELDS_MAX, sizeof *shared->fields);
    uint8_t *copy = shared->fields != NULL && shared->field_count < SEARCH_FIELDS_MAX
                        ? malloc(name.length > 0 ? name.length : 1)
                        : NULL;
    if (copy == NULL)
        return NULL;
    memcpy(copy, name.data, name.length);
    search_field_count *made = &shared->fields[shared->field_count++];
    *made = (search_field_count){.name = copy, .name_length = name.length};
    return made;
}

void search_fields_count(search_shared *shared, const search_row *row, int64_t by) {
    for (const search_row_field *at = row->fields; at != NULL; at = at->next) {
        search_field_count *field = field_of(shared, at->name);
        if (field != NULL && (by > 0 || field->documents > 0))
            field->documents += (uint64_t)by;
    }
}

void search_fields_free(search_shared *shared) {
    for (uint32_t i = 0; i < shared->field_count; i++)
        free(shared->fields[i].name);
    free(shared->fields);
    shared->fields = NULL;
    shared->field_count = 0;
}

/* ---- Before the commit ---- */
static bool clear_prepare(search_store *store) {
    if (!store->stage.is_cleared)
        return true;
    store->fresh_terms = search_terms_new();
    store->fresh_columns = search_columns_new(store->schema, store->columns_max_bytes);
    return store->fresh_terms != NULL && store->fresh_columns != NULL;
}

static bool free_prepare(search_store *store) {
    uint64_t wanted = (uint64_t)store->free_count + store->stage.change_count;
    if (wanted <= store->free_capacity)
        return true;
    if (wanted > SEARCH_DOCID_MAX)
        return false;
    wanted += wanted / 2;
    search_docid *grown = realloc(store->free_docids, wanted * sizeof *grown);
    if (grown == NULL)
        return false;
    store->free_docids = grown;
    store->free_capacity = (uint32_t)wanted;
    return true;
}

/* Growing the norms moves them under the queries' feet: so under the lock. */
static bool norms_prepare(search_store *store) {
    if (store->next_docid < store->shared.norms.capacity)
        return true;
    (void)pthread_rwlock_wrlock(&store->lock);
    bool made = search_norms_reserve(&store->shared.norms, store->next_docid);
    (void)pthread_rwlock_unlock(&store->lock);
    return made;
}

bool search_store_publish_prepare(search_store *store, core_error *error) {
    bool made = norms_prepare(store) && !store->stage.is_failed && clear_prepare(store) &&
                free_prepare(store);
    if (made && store->slots.found_names != store->shared.slots.found_names)
        made = search_slots_copy(&store->fresh_slots, &store->slots);
    return made ||
           core_error_set(error, CORE_ERROR_INTERNAL,
                          "search index %s: out of memory for a group of changes", store->path);
}

/* ---- Behind it ---- */
static void clear_publish(search_store *store) {
    search_shared *shared = &store->shared;
    search_terms_free(shared->terms);
    search_columns_free(shared->columns);
    shared->terms = store->fresh_terms;
    shared->columns = store->fresh_columns;
    store->fresh_terms = NULL;
    store->fresh_columns = NULL;
    memset(shared->norms.norms, 0, shared->norms.capacity);
    shared->norms.words = shared->norms.documents = 0;
    shared->is_columns_full = false;
    shared->hidden = 0;
    search_fields_free(shared);
}

static void change_publish(search_store *store, const search_stage_change *change) {
    search_shared *shared = &store->shared;
    search_norms *norms = &shared->norms;
    if (!change->is_new && change->was_hidden)
        shared->hidden--;
    if (search_columns_has(shared->columns, change->docid))
        search_norms_remove(norms, change->docid, norms->norms[change->docid]);
    if (change->before != NULL)
        search_fields_count(shared, change->before, -1);
    if (change->kind == SEARCH_STAGE_PUT) {
        search_norms_put(norms, change->docid, change->norm);
        search_fields_count(shared, change->row, 1);
        if (!search_columns_put(shared->columns, change->docid, change->row, NULL))
            shared->is_columns_full = true;
        return;
    }
    search_columns_remove(shared->columns, change->docid);
    if (change->kind == SEARCH_STAGE_HIDE)
        shared->hidden++;
    else
        store->free_docids[store->free_count++] = change->docid;
}

static void terms_publish(search_store *store) {
    search_terms *terms = store->shared.terms;
    for (uint32_t i = 0; i < store->stage.term_count; i++) {
        const search_stage_term *term = &store->stage.terms[i];
        core_slice text = search_stage_term_text(&store->stage, term);
        if (term->documents > 0)
            (void)!search_terms_add(terms, text, (uint32_t)term->documents);
        else if (term->documents < 0)
            search_terms_remove(terms, text, (uint32_t)-term->documents);
    }
}

void search_store_publish(search_store *store, const search_position *position) {
    search_shared *shared = &store->shared;
    if (store->stage.is_cleared)
        clear_publish(store);
    for (uint32_t i = 0; i < store->stage.change_count; i++)
        change_publish(store, &store->stage.changes[i]);
    terms_publish(store);
    if (store->slots.found_names != shared->slots.found_names) {
        search_slots before = shared->slots;
        shared->slots = store->fresh_slots;
        store->fresh_slots = before;
    }
    shared->position = *position;
    shared->is_building = store->is_building;
}
