/* Where the search log does not go back to what this node has: the base of it is taken (base.h),
 * and the log from there on; see indexer.h.
 *
 * Happy path, of the fold: the base's catalog takes the place of ours, and what became of tasks is
 * told as it says. Of the documents: those indexes whose file has less than their part are filled
 * from it, a message at a time, beside the file that answers; the others have all that is in it.
 *
 * A base that is gone while it is read has been followed by a newer one: the turn fails, and the
 * next one takes that. Without any base the log's beginning is nowhere: that is told, and nothing
 * is shown as if it were all. */
#include "search-index/indexer.h"

#include "search-index/base_stream.h"

#include <inttypes.h>
#include <stdlib.h>

#define CARRY_BYTES (SEARCH_DOCUMENT_BYTES_MAX + ((size_t)2 << 20))

struct search_indexer_base {
    search_base_found found;
    search_base_catalog catalog;
    core_buffer bytes;   /* of the catalog */
    core_buffer message; /* the one at hand */
    core_buffer carry;   /* the beginning of a document whose end is in the next one */
    uint64_t generation; /* that is being filled; 0: none */
    uint32_t build;      /* of its file */
    uint64_t read;       /* of its messages */
};

static void base_free(search_indexer_base *base) {
    if (base == NULL)
        return;
    search_base_catalog_fini(&base->catalog);
    core_buffer_fini(&base->bytes);
    core_buffer_fini(&base->message);
    core_buffer_fini(&base->carry);
    free(base);
}

/* ---- The log ---- */

bool search_indexer_log_look(search_indexer *indexer, uint64_t read, bool *is_gone,
                             core_error *error) {
    char stream[FANOUT_NAME_MAX], filter[CORE_SUBJECT_MAX];
    fanout_stream_info info;
    bool exists;
    if (!search_log_look(&indexer->host->spec, indexer->connection, stream, filter, &exists, &info,
                         error))
        return false;
    *is_gone = exists && info.first_sequence > read + 1;
    return true;
}

/* ---- Taking it ---- */

/* What a log that begins at `first` needs. */
static bool base_check(const search_indexer *indexer, const search_base_found *found,
                       uint64_t first, core_error *error) {
    if (found->exists && found->head.log_created_us == indexer->log_created_us &&
        found->head.position + 1 >= first)
        return true;
    return core_error_set(error, CORE_ERROR_GAP,
                          "the search log begins with record %" PRIu64
                          ", and no base has what was before: put stream SEARCHBASE back as it "
                          "was, or remove both it and SEARCH and ask for all of it again",
                          first);
}

/* NULL: see `error`. */
static search_indexer_base *base_read(search_indexer *indexer, uint64_t first, core_error *error) {
    const search_spec *spec = &indexer->host->spec;
    search_indexer_base *base = calloc(1, sizeof *base);
    if (base == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "no memory for the base");
        return NULL;
    }
    core_buffer_init(&base->bytes, SEARCH_BASE_BYTES_MAX);
    core_buffer_init(&base->message, SEARCH_RECORD_BYTES);
    core_buffer_init(&base->carry, CARRY_BYTES);
    if (search_base_find(spec, indexer->connection, &base->found, error) &&
        base_check(indexer, &base->found, first, error) &&
        search_base_catalog_load(spec, indexer->connection, &base->found, &base->bytes,
                                 &base->catalog, error))
        return base;
    base_free(base);
    return NULL;
}

static bool catalog_take(const search_indexer_base *base, search_catalog *catalog,
                         core_error *error) {
    return search_catalog_load(catalog, base->found.head.position, base->catalog.entries,
                               base->catalog.entry_count) ||
           core_error_set(error, CORE_ERROR_CONFIG,
                          "there are %zu indexes: search.max_indexes is less",
                          base->catalog.entry_count);
}

/* ---- Of the fold ---- */

/* Each node builds an index of tables by itself. */
static bool is_built_here(const search_indexer_base *base, const search_task *task) {
    if (task->kind != SEARCH_TASK_DEFINITION || task->status != SEARCH_TASK_SUCCEEDED)
        return false;
    for (size_t i = 0; i < base->catalog.entry_count; i++)
        if (base->catalog.entries[i]->generation == task->uid)
            return true;
    return false;
}

static bool tasks_take(search_indexer *indexer, const search_indexer_base *base,
                       core_error *error) {
    for (size_t i = 0; i < base->catalog.task_count; i++) {
        search_task task = base->catalog.tasks[i];
        if (is_built_here(base, &task)) {
            task.status = SEARCH_TASK_PROCESSING;
            task.finished_us = 0;
        }
        if (!search_indexer_task_take(indexer, &task, task.uid <= base->found.head.position, error))
            return false;
    }
    return true;
}

bool search_indexer_base_fold(search_indexer *indexer, uint64_t first, uint64_t *spared,
                              core_error *error) {
    search_indexer_base *base = base_read(indexer, first, error);
    if (base == NULL)
        return false;
    uint64_t position = base->found.head.position;
    bool ok = tasks_take(indexer, base, error) && catalog_take(base, indexer->host->catalog, error);
    if (ok) {
        search_indexer_mark_take(indexer, position); /* all of them were */
        indexer->is_changed = true;
        indexer->log_read = position;
        *spared = base->found.head.spared;
        CORE_LOG(indexer->host->spec.log, INFO, "search",
                 "the search log is taken from its base on", CORE_LOG_NUMBER("record", position));
    }
    base_free(base);
    return ok;
}

/* ---- Of documents ---- */

void search_indexer_base_close(search_indexer *indexer) {
    base_free(indexer->base);
    indexer->base = NULL;
}

/* What was removed while it was written must be known to be so. */
bool search_indexer_base_begin(search_indexer *indexer, uint64_t first, core_error *error) {
    search_indexer_base_close(indexer);
    search_indexer_base *base = base_read(indexer, first, error);
    if (base == NULL)
        return false;
    if (base->found.head.known <= indexer->log_read)
        indexer->base = base;
    else
        base_free(base);
    return true;
}

/* An index that has less than the base; NULL: none has. */
static bool made_find(const search_indexer *indexer, size_t *place, const search_base_part **part,
                      core_error *error) {
    const search_indexer_base *base = indexer->base;
    *part = NULL;
    for (size_t i = 0; i < indexer->made_count; i++) {
        const search_made *made = indexer->made[i];
        if (made->entry->generation > base->found.head.position)
            continue;
        const search_base_part *own =
            search_base_part_find(&base->catalog, made->entry->generation);
        if (own == NULL)
            return core_error_set(error, CORE_ERROR_INTERNAL,
                                  "the base of the search log has nothing of index %s",
                                  (const char *)made->entry->uid.data);
        if (made->position.log_sequence >= own->position)
            continue;
        *place = i;
        *part = own;
        return true;
    }
    return true;
}

static bool fill_begin(search_indexer *indexer, size_t place, core_error *error) {
    search_indexer_base *base = indexer->base;
    search_made *made = indexer->made[place];
    if (!search_made_empty(indexer->host, made, search_catalog_sequence(indexer->host->catalog),
                           error)) {
        search_indexer_made_lose(indexer, place);
        return false;
    }
    base->generation = made->entry->generation;
    base->read = 0;
    core_buffer_reset(&base->carry);
    return true;
}

static bool message_fill(search_indexer *indexer, search_made *made, core_error *error) {
    search_indexer_base *base = indexer->base;
    core_slice left;
    core_buffer_slice_append(&base->carry, core_buffer_slice(&base->message));
    if (!core_buffer_ok(&base->carry))
        return core_error_set(error, CORE_ERROR_INTERNAL, "no memory for the base's documents");
    left = core_buffer_slice(&base->carry);
    if (!search_made_fill(made, &left, error))
        return false;
    memmove(base->carry.data, left.data, left.length);
    base->carry.length = left.length;
    return true;
}

static bool fill_step(search_indexer *indexer, search_made *made, const search_base_part *part,
                      core_error *error) {
    search_indexer_base *base = indexer->base;
    if (base->read < part->count)
        return search_base_message(&indexer->host->spec, indexer->connection,
                                   part->first + base->read++, &base->message, error) &&
               message_fill(indexer, made, error);
    base->generation = 0;
    if (base->carry.length > 0)
        return core_error_set(error, CORE_ERROR_INTERNAL,
                              "the base of the search log ends amid a document of index %s",
                              (const char *)made->entry->uid.data);
    return search_made_filled(made, part, error);
}

static bool base_step(search_indexer *indexer, bool *is_done, core_error *error) {
    search_indexer_base *base = indexer->base;
    const search_base_part *part;
    size_t place = 0;
    if (!made_find(indexer, &place, &part, error))
        return false;
    *is_done = part == NULL;
    if (*is_done)
        return catalog_take(base, indexer->book, error);
    /* One that was begun anew meanwhile, by other settings, is at the beginning too. */
    search_made *made = indexer->made[place];
    if (base->generation != made->entry->generation || made->file.build != base->build) {
        if (!fill_begin(indexer, place, error))
            return false;
        base->build = made->file.build;
    }
    return fill_step(indexer, made, part, error);
}

bool search_indexer_base_step(search_indexer *indexer, core_error *error) {
    bool is_done = false;
    uint64_t position = indexer->base->found.head.position;
    if (!base_step(indexer, &is_done, error)) {
        search_indexer_base_close(indexer);
        return false;
    }
    if (is_done) {
        indexer->books_sequence = position;
        search_indexer_base_close(indexer);
    }
    return true;
}
