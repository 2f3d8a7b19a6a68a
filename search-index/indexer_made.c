/* Indexes made over HTTP: the search log read a second time, for what is in it for their files; see
 * indexer.h. It is read from its beginning, or from its base on, with a catalog of its own, so that
 * each record meets the indexes as they were named then; what a file has already is passed over. */
#include "search-index/indexer.h"

#include "search-index/log.h"

#include <stdio.h>

enum { TURN_MESSAGES = 64, TURN_MS = 50, INBOX_MESSAGES = 64, SETTLE_MS = 100 };
#define INBOX_BYTES ((size_t)16 << 20)

/* ---- Which there are ---- */

static search_made *made_find(const search_indexer *indexer, uint64_t generation) {
    for (size_t i = 0; i < indexer->made_count; i++)
        if (indexer->made[i]->entry->generation == generation)
            return indexer->made[i];
    return NULL;
}

static void books_close(search_indexer *indexer) {
    search_feed_free(indexer->books);
    indexer->books = NULL;
    search_indexer_base_close(indexer);
    indexer->books_sequence = 0;
    search_catalog_reset(indexer->book);
}

void search_indexer_made_close(search_indexer *indexer) {
    search_feed_free(indexer->books);
    indexer->books = NULL;
}

void search_indexer_made_lose(search_indexer *indexer, size_t place) {
    search_made_free(indexer->made[place]);
    indexer->made[place] = indexer->made[--indexer->made_count];
    indexer->is_changed = true;
}

/* One whose new file cannot be made has none. */
static bool made_change(search_indexer *indexer, search_made *made, const search_entry *entry,
                        core_error *error) {
    bool is_again = false;
    bool ok = search_made_change(indexer->host, made, entry,
                                 search_catalog_sequence(indexer->host->catalog), &is_again, error);
    for (size_t i = 0; !ok && made->backend == NULL && i < indexer->made_count; i++)
        if (indexer->made[i] == made) {
            search_indexer_made_lose(indexer, i);
            break;
        }
    if (ok && is_again)
        books_close(indexer);
    return ok;
}

static bool made_keep(search_indexer *indexer, const search_entry *entry, core_error *error) {
    search_made *made = made_find(indexer, entry->generation);
    if (made == NULL) {
        made = search_made_open(indexer->host, entry,
                                search_catalog_sequence(indexer->host->catalog), error);
        if (made == NULL)
            return false;
        indexer->made[indexer->made_count++] = made;
        if (made->position.log_sequence < indexer->books_sequence &&
            entry->generation <= indexer->books_sequence)
            books_close(indexer);
    } else if (made->entry != entry && !made_change(indexer, made, entry, error)) {
        return false;
    }
    made->is_wanted = true;
    return true;
}

static bool made_settle(search_indexer *indexer, core_error *error) {
    for (size_t i = indexer->made_count; i > 0; i--) {
        search_made *made = indexer->made[i - 1];
        if (!made->is_wanted) {
            search_made_remove(indexer->host, made);
            indexer->made[i - 1] = indexer->made[--indexer->made_count];
        }
    }
    for (size_t i = 0; i < indexer->made_count; i++)
        if (!search_made_settle(indexer->host, indexer->made[i], error))
            return false;
    return true;
}

static bool is_awaited(const search_indexer *indexer, const search_task *task) {
    for (size_t i = 0; i < indexer->made_count; i++)
        if (indexer->made[i]->task == task->uid || search_made_hides(indexer->made[i], task))
            return true;
    for (size_t i = 0; i < indexer->slot_count; i++)
        if (indexer->slots[i]->entry->generation == task->uid &&
            indexer->slots[i]->building != NULL)
            return true;
    return false;
}

/* Of documents those that were read are done with. */
static bool is_done(const search_indexer *indexer, const search_task *task) {
    bool is_of_documents = task->kind == SEARCH_TASK_DOCUMENTS_ADD ||
                           task->kind == SEARCH_TASK_DOCUMENTS_UPDATE ||
                           task->kind == SEARCH_TASK_DOCUMENTS_DELETE;
    return !(is_of_documents && task->uid > indexer->books_sequence) && !is_awaited(indexer, task);
}

/* What the records asked for is so now; but what is built is not yet: that is looked at again. */
static void tasks_settle(search_indexer *indexer) {
    search_host *host = indexer->host;
    search_task task;
    uint64_t at = search_catalog_sequence(host->catalog), first = indexer->settled;
    indexer->settled = at;
    while (at > first && search_tasks_before(host->tasks, at, &task) && task.uid > first) {
        if (task.status == SEARCH_TASK_PROCESSING && is_done(indexer, &task))
            search_tasks_succeed(host->tasks, task.uid, SEARCH_TASK_PROCESSING,
                                 core_clock_wall_us(host->spec.clock));
        else if (task.finished_us == 0)
            indexer->settled = task.uid - 1;
        at = task.uid - 1;
    }
}

bool search_indexer_made_slots(search_indexer *indexer, core_error *error) {
    search_catalog *catalog = indexer->host->catalog;
    size_t count = search_catalog_count(catalog);
    for (size_t i = 0; i < indexer->made_count; i++)
        indexer->made[i]->is_wanted = false;
    for (size_t i = 0; i < count; i++) {
        const search_entry *entry = search_catalog_at(catalog, i);
        bool ok = entry == NULL || entry->is_table || made_keep(indexer, entry, error);
        search_entry_release(entry);
        if (!ok)
            return false;
    }
    if (!made_settle(indexer, error))
        return false;
    tasks_settle(indexer);
    return true;
}

/* ---- Records ---- */

/* What the log does not have any more comes from its base, which is taken first. */
static bool books_open(search_indexer *indexer, core_error *error) {
    char stream[FANOUT_NAME_MAX], filter[CORE_SUBJECT_MAX];
    bool exists = false;
    fanout_stream_info info;
    if (!search_log_look(&indexer->host->spec, indexer->connection, stream, filter, &exists, &info,
                         error))
        return false;
    if (exists && info.first_sequence > indexer->books_sequence + 1)
        return search_indexer_base_begin(indexer, info.first_sequence, error);
    const search_feed_spec spec = {.stream = stream,
                                   .filter = filter,
                                   .first = indexer->books_sequence + 1,
                                   .max_messages = INBOX_MESSAGES,
                                   .max_bytes = INBOX_BYTES,
                                   .wake_fd = indexer->host->wake_fd};
    if (exists)
        indexer->books =
            search_feed_new(indexer->connection, &spec, indexer->host->spec.log, error);
    return !exists || indexer->books != NULL;
}

/* With all pieces of its body. */
static bool whole_take(search_indexer *indexer, search_made *made, const search_entry *then,
                       const search_message *message, search_record *record, core_error *error) {
    char stream[FANOUT_NAME_MAX], subjects[CORE_SUBJECT_MAX];
    core_buffer body;
    core_buffer_init(&body, SEARCH_RECORD_BYTES);
    (void)fanout_stream_work_spec(indexer->host->spec.config, FANOUT_WORK_SEARCH, stream, subjects);
    bool ok = (record->piece_count == 0 ||
               search_record_complete(indexer->connection, stream, message->stored_us, record,
                                      &body, error)) &&
              search_made_take(indexer->host, made, then, message->sequence, record, error);
    core_buffer_fini(&body);
    return ok;
}

static bool record_take(search_indexer *indexer, const search_message *message, core_error *error) {
    search_record record;
    search_outcome outcome;
    core_error ignored;
    core_arena_reset(&indexer->log_arena);
    if (!search_record_read(core_block_slice(message->block), &indexer->log_arena, &record,
                            &ignored))
        return true;
    if (record.is_piece)
        return true;
    if (!search_catalog_fold(indexer->book, message->sequence, &record, &outcome))
        return core_error_set(error, CORE_ERROR_INTERNAL, "no memory for the search log");
    bool ok = true;
    if (outcome.effect == SEARCH_EFFECT_DOCUMENTS) {
        search_made *made = made_find(indexer, outcome.entry->generation);
        if (search_queue_is_canceled(indexer->queue, message->sequence))
            ok = true; /* told so when it was canceled */
        else if (made == NULL || made->position.log_sequence >= message->sequence)
            search_indexer_passed(indexer, made, message->sequence);
        else
            ok = whole_take(indexer, made, outcome.entry, message, &record, error);
        if (!ok) /* it is folded again from the beginning */
            books_close(indexer);
    }
    search_entry_release(outcome.entry);
    return ok;
}

static bool all_reach(search_indexer *indexer, core_error *error) {
    for (size_t i = 0; i < indexer->made_count; i++)
        if (!search_made_reach(indexer->host, indexer->made[i], indexer->books_sequence, error))
            return false;
    return true;
}

/* What is not taken yet waits, and all that is behind it. */
static uint64_t books_end(const search_indexer *indexer) {
    uint64_t end = search_catalog_sequence(indexer->host->catalog);
    uint64_t first = search_queue_first(indexer->queue);
    return first > 0 && first - 1 < end ? first - 1 : end;
}

/* Where the log was compacted beyond what was read, it is begun again: `*is_gone`. */
static bool message_take(search_indexer *indexer, const search_message *message, bool *is_gone,
                         core_error *error) {
    *is_gone = false;
    if (message->sequence > indexer->books_sequence + 1 &&
        !search_indexer_log_look(indexer, indexer->books_sequence, is_gone, error))
        return false;
    if (*is_gone)
        books_close(indexer);
    else if (!record_take(indexer, message, error))
        return false;
    else
        indexer->books_sequence = message->sequence;
    return true;
}

/* A turn's messages of the log, up to `end`. */
static bool messages_take(search_indexer *indexer, uint64_t end, bool *busy, core_error *error) {
    const core_clock *clock = indexer->host->spec.clock;
    int64_t until_ms = core_clock_ms(clock) + TURN_MS;
    search_message message;
    bool ok = true, is_gone = false;
    for (size_t i = 0; ok && !is_gone && indexer->books != NULL && i < TURN_MESSAGES; i++) {
        if (indexer->books_sequence >= end || core_clock_ms(clock) >= until_ms ||
            !search_feed_next(indexer->books, &message))
            break;
        *busy = true;
        ok = message_take(indexer, &message, &is_gone, error);
        core_block_release(message.block);
    }
    return ok;
}

/* Opens the log, or takes a step of its base. */
static bool books_begin(search_indexer *indexer, bool *busy, core_error *error) {
    if (indexer->books != NULL && search_feed_is_lost(indexer->books))
        search_indexer_made_close(indexer);
    if (indexer->books == NULL && indexer->base == NULL && !books_open(indexer, error))
        return false;
    *busy |= indexer->base != NULL;
    return indexer->base == NULL || search_indexer_base_step(indexer, error);
}

static bool books_take(search_indexer *indexer, bool *busy, core_error *error) {
    uint64_t end = books_end(indexer);
    if (indexer->made_count == 0 && !indexer->is_awaited)
        return true;
    if (!books_begin(indexer, busy, error) || !messages_take(indexer, end, busy, error))
        return false;
    if (indexer->books_sequence < end)
        return all_reach(indexer, error);
    indexer->is_awaited = search_queue_first(indexer->queue) != 0;
    search_indexer_mark(indexer);
    return all_reach(indexer, error);
}

static size_t shown_count(const search_indexer *indexer) {
    size_t count = 0;
    for (size_t i = 0; i < indexer->made_count; i++)
        count += indexer->made[i]->is_shown;
    return count;
}

bool search_indexer_made(search_indexer *indexer, bool *busy, core_error *error) {
    size_t shown = shown_count(indexer);
    if (indexer->is_changed)
        return true;
    if (!books_take(indexer, busy, error))
        return false;
    int64_t now_ms = core_clock_ms(indexer->host->spec.clock);
    if (shown_count(indexer) == shown && now_ms < indexer->settle_ms)
        return true;
    tasks_settle(indexer);
    indexer->settle_ms = now_ms + SETTLE_MS;
    return true;
}
