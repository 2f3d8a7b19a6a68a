/* See catalog.h. Entries stand in the order of project and uid in one array, found by bisection. */
#include "search-index/catalog.h"

#include "search-index/settings_fold.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define CATALOG_MAGIC UINT32_C(0x53434154) /* "SCAT" */

struct search_catalog {
    uint32_t magic;
    size_t max;
    pthread_mutex_t mutex; /* guards the rest, which one thread alone changes */
    const search_entry **entries;
    size_t count;
    uint64_t sequence;
};

/* A fold under way. */
typedef struct {
    search_catalog *catalog;
    uint64_t sequence;
    const search_record *record;
    search_outcome *outcome;
} fold;

search_catalog *search_catalog_new(size_t max) {
    search_catalog *catalog = calloc(1, sizeof *catalog);
    const search_entry **entries = calloc(max, sizeof(search_entry *));
    if (catalog == NULL || entries == NULL) {
        free(catalog);
        free(entries);
        return NULL;
    }
    *catalog = (search_catalog){.magic = CATALOG_MAGIC, .max = max, .entries = entries};
    (void)pthread_mutex_init(&catalog->mutex, NULL);
    return catalog;
}

bool search_catalog_load(search_catalog *catalog, uint64_t sequence,
                         const search_entry *const *entries, size_t count) {
    CORE_MAGIC_CHECK(catalog, CATALOG_MAGIC);
    if (count > catalog->max)
        return false;
    (void)pthread_mutex_lock(&catalog->mutex);
    for (size_t i = 0; i < catalog->count; i++)
        search_entry_release(catalog->entries[i]);
    for (size_t i = 0; i < count; i++)
        catalog->entries[i] = search_entry_hold(entries[i]);
    catalog->count = count;
    catalog->sequence = sequence;
    (void)pthread_mutex_unlock(&catalog->mutex);
    return true;
}

void search_catalog_reset(search_catalog *catalog) {
    (void)!search_catalog_load(catalog, 0, NULL, 0);
}

void search_catalog_free(search_catalog *catalog) {
    if (catalog == NULL)
        return;
    search_catalog_reset(catalog);
    (void)pthread_mutex_destroy(&catalog->mutex);
    free(catalog->entries);
    catalog->magic = 0;
    free(catalog);
}

/* ---- Places ---- */

static int entry_order(const search_entry *entry, core_slice project, core_slice uid) {
    int order = core_slice_compare(entry->project, project);
    return order != 0 ? order : core_slice_compare(entry->uid, uid);
}

/* Where it stands, or would. */
static size_t place_of(const search_catalog *catalog, core_slice project, core_slice uid,
                       bool *found) {
    size_t low = 0, high = catalog->count;
    *found = false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = entry_order(catalog->entries[middle], project, uid);
        if (order == 0)
            *found = true;
        if (order >= 0)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* The folding thread's, which needs no lock to read. */
static const search_entry *entry_of(const fold *it, core_slice uid) {
    bool found;
    size_t place = place_of(it->catalog, it->record->project, uid, &found);
    return found ? it->catalog->entries[place] : NULL;
}

/* In the place of what is there under that name. */
static void entry_put(search_catalog *catalog, const search_entry *entry) {
    bool found;
    (void)pthread_mutex_lock(&catalog->mutex);
    size_t place = place_of(catalog, entry->project, entry->uid, &found);
    assert(found || catalog->count < catalog->max);
    if (found)
        search_entry_release(catalog->entries[place]);
    else {
        memmove(&catalog->entries[place + 1], &catalog->entries[place],
                (catalog->count - place) * sizeof(search_entry *));
        catalog->count++;
    }
    catalog->entries[place] = entry;
    (void)pthread_mutex_unlock(&catalog->mutex);
}

static void entry_remove(search_catalog *catalog, core_slice project, core_slice uid) {
    bool found;
    (void)pthread_mutex_lock(&catalog->mutex);
    size_t place = place_of(catalog, project, uid, &found);
    assert(found);
    search_entry_release(catalog->entries[place]);
    catalog->count--;
    memmove(&catalog->entries[place], &catalog->entries[place + 1],
            (catalog->count - place) * sizeof(search_entry *));
    (void)pthread_mutex_unlock(&catalog->mutex);
}

/* ---- Outcomes ---- */

static bool failed(const fold *it, const char *code, const char *format) {
    it->outcome->effect = SEARCH_EFFECT_FAILED;
    it->outcome->code = code;
    (void)snprintf(it->outcome->message, sizeof it->outcome->message, format,
                   CORE_SLICE_ARGS(it->record->index));
    return true;
}

static bool refused(const fold *it, const search_refusal *refusal) {
    it->outcome->effect = SEARCH_EFFECT_FAILED;
    it->outcome->code = search_code_look(refusal->code)->name;
    (void)snprintf(it->outcome->message, sizeof it->outcome->message, "%s", refusal->message);
    return true;
}

static bool not_found(const fold *it) {
    return failed(it, "index_not_found", "Index `%.*s` not found.");
}

static bool is_of_tables(const fold *it) {
    return failed(it, "index_is_of_tables",
                  "Index `%.*s` is made of tables by a definition: write to the tables, or change "
                  "the definition.");
}

/* Takes the entry, which is then the outcome's too. */
static bool put(const fold *it, const search_entry *given, search_effect effect) {
    const search_entry *entry = search_entry_new(given);
    if (entry == NULL)
        return false;
    it->outcome->effect = effect;
    it->outcome->entry = search_entry_hold(entry);
    entry_put(it->catalog, entry);
    return true;
}

static search_entry entry_fresh(const fold *it) {
    return (search_entry){
        .project = it->record->project,
        .environment = it->record->environment,
        .uid = it->record->index,
        .generation = it->sequence,
        .changed = it->sequence,
        .created_us = it->record->at_us,
        .updated_us = it->record->at_us,
    };
}

/* What it says of an index that it makes; true with FAILED when there is no room for one more. */
static bool no_room(const fold *it) {
    if (it->catalog->count < it->catalog->max)
        return false;
    return failed(it, "too_many_indexes",
                  "Index `%.*s` cannot be made: there are as many as `search.max_indexes` allows.");
}

/* ---- Kinds of records ---- */

/* What key-value has is put by any node, that of an older moment perhaps behind a newer one. */
static bool is_overtaken(const fold *it, const search_entry *was) {
    return it->record->is_held && it->record->replaces != (was != NULL ? was->changed : 0);
}

static bool fold_definition(const fold *it) {
    const search_record *record = it->record;
    const search_entry *was = entry_of(it, record->index);
    search_entry entry = entry_fresh(it);
    if (is_overtaken(it, was))
        return true;
    if (was != NULL && !was->is_table)
        return failed(
            it, "index_already_exists",
            "Index `%.*s` was made over HTTP: remove it, or name the other one otherwise.");
    if (was == NULL && no_room(it))
        return true;
    bool is_same = was != NULL && core_slice_equal(was->text, record->body) &&
                   core_slice_equal(was->facts, record->facts);
    entry.is_table = true;
    entry.text = record->body;
    entry.facts = record->facts;
    entry.is_held = record->is_held;
    if (was != NULL)
        entry.created_us = was->created_us;
    entry.previous = is_same ? was->previous : was;
    if (is_same)
        entry.generation = was->generation;
    return put(it, &entry, is_same ? SEARCH_EFFECT_NONE : SEARCH_EFFECT_MADE);
}

static bool fold_creation(const fold *it) {
    search_entry entry = entry_fresh(it);
    if (entry_of(it, it->record->index) != NULL)
        return failed(it, "index_already_exists", "Index `%.*s` already exists.");
    if (no_room(it))
        return true;
    entry.primary_key = it->record->primary_key;
    entry.text = core_slice_text("{}");
    return put(it, &entry, SEARCH_EFFECT_MADE);
}

static bool fold_update(const fold *it) {
    const search_entry *was = entry_of(it, it->record->index);
    if (was == NULL)
        return not_found(it);
    if (was->is_table)
        return is_of_tables(it);
    if (it->record->body.length > 0) {
        it->outcome->effect = SEARCH_EFFECT_FAILED;
        it->outcome->code = "index_primary_key_already_exists";
        (void)snprintf(it->outcome->message, sizeof it->outcome->message,
                       "Index `%.*s`: Index already has a primary key: `%.*s`.",
                       CORE_SLICE_ARGS(it->record->index), CORE_SLICE_ARGS(it->record->body));
        return true;
    }
    search_entry entry = *was;
    entry.changed = it->sequence;
    entry.updated_us = it->record->at_us;
    if (it->record->primary_key.length > 0)
        entry.primary_key = it->record->primary_key;
    return put(it, &entry, SEARCH_EFFECT_CHANGED);
}

static bool fold_deletion(const fold *it) {
    const search_entry *was = entry_of(it, it->record->index);
    if (is_overtaken(it, was))
        return true;
    if (was == NULL)
        return not_found(it);
    it->outcome->effect = SEARCH_EFFECT_REMOVED;
    it->outcome->entry = search_entry_hold(was);
    entry_remove(it->catalog, was->project, was->uid);
    return true;
}

/* What is not there yet is made by settings and documents. */
static bool fold_into(const fold *it, search_effect effect) {
    const search_entry *was = entry_of(it, it->record->index);
    core_buffer merged;
    search_entry entry = was != NULL ? *was : entry_fresh(it);
    if (was != NULL && was->is_table)
        return is_of_tables(it);
    if (was == NULL && no_room(it))
        return true;
    it->outcome->is_new = was == NULL;
    entry.changed = it->sequence;
    entry.updated_us = it->record->at_us;
    if (was == NULL)
        entry.text = core_slice_text("{}");
    if (was == NULL) /* else its file says whether it has one already */
        entry.primary_key = it->record->primary_key;
    if (effect != SEARCH_EFFECT_CHANGED)
        return put(it, &entry, effect);
    core_buffer_init(&merged, SEARCH_SETTINGS_BYTES_MAX);
    search_refusal refusal = {.code = SEARCH_CODE_NONE};
    bool ok = search_settings_fold(entry.text, it->record->body, &merged, &refusal);
    entry.text = core_buffer_slice(&merged);
    ok = ok ? put(it, &entry, effect) : refused(it, &refusal);
    core_buffer_fini(&merged);
    return ok;
}

static bool fold_documents_delete(const fold *it) {
    const search_entry *was = entry_of(it, it->record->index);
    if (was == NULL)
        return not_found(it);
    return was->is_table ? is_of_tables(it) : fold_into(it, SEARCH_EFFECT_DOCUMENTS);
}

/* ---- Swaps ---- */

static bool swap_one(const fold *it, const search_swap *swap) {
    const search_entry *a = search_entry_hold(entry_of(it, swap->a));
    const search_entry *b = search_entry_hold(entry_of(it, swap->b));
    search_entry was_a = *a, was_b = *b;
    was_a.uid = b->uid;
    was_b.uid = a->uid;
    was_a.changed = was_b.changed = it->sequence;
    const search_entry *new_b = search_entry_new(&was_a), *new_a = search_entry_new(&was_b);
    bool ok = new_a != NULL && new_b != NULL;
    if (ok) {
        entry_put(it->catalog, new_a);
        entry_put(it->catalog, new_b);
    } else {
        search_entry_release(new_a);
        search_entry_release(new_b);
    }
    search_entry_release(a);
    search_entry_release(b);
    return ok;
}

static bool swap_refused(const fold *it, core_slice uid) {
    const search_entry *entry = entry_of(it, uid);
    if (entry != NULL && !entry->is_table)
        return false;
    it->outcome->effect = SEARCH_EFFECT_FAILED;
    it->outcome->code = entry == NULL ? "index_not_found" : "index_is_of_tables";
    (void)snprintf(it->outcome->message, sizeof it->outcome->message,
                   entry == NULL
                       ? "Index `%.*s` not found."
                       : "Index `%.*s` is made of tables by a definition, which names it.",
                   CORE_SLICE_ARGS(uid));
    return true;
}

static bool fold_swap(const fold *it) {
    const search_record *record = it->record;
    for (size_t i = 0; i < record->swap_count; i++)
        if (swap_refused(it, record->swaps[i].a) || swap_refused(it, record->swaps[i].b))
            return true;
    it->outcome->effect = SEARCH_EFFECT_SWAPPED;
    for (size_t i = 0; i < record->swap_count; i++)
        if (!swap_one(it, &record->swaps[i]))
            return false;
    return true;
}

/* ---- Folding ---- */

static bool record_fold(const fold *it) {
    switch (it->record->kind) {
    case SEARCH_TASK_DEFINITION:
        return fold_definition(it);
    case SEARCH_TASK_INDEX_CREATION:
        return fold_creation(it);
    case SEARCH_TASK_INDEX_UPDATE:
        return fold_update(it);
    case SEARCH_TASK_INDEX_DELETION:
        return fold_deletion(it);
    case SEARCH_TASK_INDEX_SWAP:
        return fold_swap(it);
    case SEARCH_TASK_SETTINGS_UPDATE:
        return fold_into(it, SEARCH_EFFECT_CHANGED);
    case SEARCH_TASK_DOCUMENTS_ADD:
    case SEARCH_TASK_DOCUMENTS_UPDATE:
        return fold_into(it, SEARCH_EFFECT_DOCUMENTS);
    case SEARCH_TASK_DOCUMENTS_DELETE:
        return fold_documents_delete(it);
    case SEARCH_TASK_CANCELATION:
    case SEARCH_TASK_DELETION:
        it->outcome->effect = SEARCH_EFFECT_TASKS;
        return true;
    }
    return true;
}

bool search_catalog_fold(search_catalog *catalog, uint64_t sequence, const search_record *record,
                         search_outcome *outcome) {
    CORE_MAGIC_CHECK(catalog, CATALOG_MAGIC);
    const fold it = {
        .catalog = catalog, .sequence = sequence, .record = record, .outcome = outcome};
    *outcome = (search_outcome){.effect = SEARCH_EFFECT_NONE};
    if (!record_fold(&it))
        return false;
    (void)pthread_mutex_lock(&catalog->mutex);
    catalog->sequence = sequence;
    (void)pthread_mutex_unlock(&catalog->mutex);
    return true;
}

/* ---- Looking ---- */

const search_entry *search_catalog_find(search_catalog *catalog, core_slice project,
                                        core_slice uid) {
    bool found;
    CORE_MAGIC_CHECK(catalog, CATALOG_MAGIC);
    (void)pthread_mutex_lock(&catalog->mutex);
    size_t place = place_of(catalog, project, uid, &found);
    const search_entry *entry = found ? search_entry_hold(catalog->entries[place]) : NULL;
    (void)pthread_mutex_unlock(&catalog->mutex);
    return entry;
}

size_t search_catalog_count(search_catalog *catalog) {
    (void)pthread_mutex_lock(&catalog->mutex);
    size_t count = catalog->count;
    (void)pthread_mutex_unlock(&catalog->mutex);
    return count;
}

const search_entry *search_catalog_at(search_catalog *catalog, size_t place) {
    (void)pthread_mutex_lock(&catalog->mutex);
    const search_entry *entry =
        place < catalog->count ? search_entry_hold(catalog->entries[place]) : NULL;
    (void)pthread_mutex_unlock(&catalog->mutex);
    return entry;
}

uint64_t search_catalog_sequence(search_catalog *catalog) {
    (void)pthread_mutex_lock(&catalog->mutex);
    uint64_t sequence = catalog->sequence;
    (void)pthread_mutex_unlock(&catalog->mutex);
    return sequence;
}
