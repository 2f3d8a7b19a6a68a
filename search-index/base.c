/* See base.h. Numbers are in network order, texts behind their length in four bytes. */
#include "search-index/base.h"

#include <stdlib.h>

enum { VERSION = 1 };

/* What stands in a catalog. */
typedef enum { ITEM_ENTRY = 'e', ITEM_BEFORE = 'b', ITEM_PART = 'p', ITEM_TASK = 't' } item_kind;

static void text_write(core_slice text, core_buffer *out) {
    core_buffer_u32(out, (uint32_t)text.length);
    core_buffer_slice_append(out, text);
}

static core_slice text_read(core_cursor *cursor) {
    uint32_t length = core_cursor_u32(cursor);
    return core_cursor_bytes(cursor, length);
}

/* ---- The head ---- */

void search_base_head_write(const search_base_head *head, core_buffer *out) {
    core_buffer_u8(out, VERSION);
    core_buffer_u64(out, (uint64_t)head->log_created_us);
    core_buffer_u64(out, head->position);
    core_buffer_u64(out, head->spared);
    core_buffer_u64(out, head->known);
    core_buffer_u64(out, head->first);
    core_buffer_u64(out, head->catalog);
    core_buffer_u8(out, head->is_second);
}

bool search_base_head_read(core_slice bytes, search_base_head *head, core_error *error) {
    core_cursor cursor = core_cursor_make(bytes);
    uint8_t version = core_cursor_u8(&cursor);
    *head = (search_base_head){.log_created_us = (int64_t)core_cursor_u64(&cursor)};
    head->position = core_cursor_u64(&cursor);
    head->spared = core_cursor_u64(&cursor);
    head->known = core_cursor_u64(&cursor);
    head->first = core_cursor_u64(&cursor);
    head->catalog = core_cursor_u64(&cursor);
    head->is_second = core_cursor_u8(&cursor) != 0;
    return (version == VERSION && core_cursor_done(&cursor) && head->spared <= head->position &&
            head->position <= head->known && head->first <= head->catalog) ||
           core_error_set(error, CORE_ERROR_INPUT,
                          "it is no base of the search log that this version can read");
}

/* ---- Entries ---- */

static void entry_write(const search_entry *entry, item_kind kind, core_buffer *out) {
    const uint64_t numbers[] = {entry->generation, entry->changed, (uint64_t)entry->created_us,
                                (uint64_t)entry->updated_us};
    const core_slice texts[] = {entry->project, entry->environment, entry->uid,
                                entry->text,    entry->facts,       entry->primary_key};
    core_buffer_u8(out, (uint8_t)kind);
    core_buffer_u8(out, (uint8_t)((entry->is_table ? 1 : 0) | (entry->is_held ? 2 : 0)));
    for (size_t i = 0; i < CORE_COUNT_OF(numbers); i++)
        core_buffer_u64(out, numbers[i]);
    for (size_t i = 0; i < CORE_COUNT_OF(texts); i++)
        text_write(texts[i], out);
}

/* The oldest comes first: whoever reads has what was before when it makes the next. */
static void before_write(const search_entry *entry, core_buffer *out) {
    if (entry == NULL)
        return;
    before_write(entry->previous, out); /* as deep as SEARCH_ENTRY_DEPTH_MAX */
    entry_write(entry, ITEM_BEFORE, out);
}

void search_base_entry_write(const search_entry *entry, core_buffer *out) {
    before_write(entry->previous, out);
    entry_write(entry, ITEM_ENTRY, out);
}

/* NULL: memory is out, or it is none. */
static const search_entry *entry_read(core_cursor *cursor, const search_entry *previous) {
    search_entry entry = {.previous = previous};
    core_slice *texts[] = {&entry.project, &entry.environment, &entry.uid,
                           &entry.text,    &entry.facts,       &entry.primary_key};
    uint8_t flags = core_cursor_u8(cursor);
    entry.is_table = (flags & 1) != 0;
    entry.is_held = (flags & 2) != 0;
    entry.generation = core_cursor_u64(cursor);
    entry.changed = core_cursor_u64(cursor);
    entry.created_us = (int64_t)core_cursor_u64(cursor);
    entry.updated_us = (int64_t)core_cursor_u64(cursor);
    for (size_t i = 0; i < CORE_COUNT_OF(texts); i++)
        *texts[i] = text_read(cursor);
    return core_cursor_ok(cursor) ? search_entry_new(&entry) : NULL;
}

/* ---- Parts and tasks ---- */

void search_base_part_write(const search_base_part *part, core_buffer *out) {
    core_buffer_u8(out, ITEM_PART);
    core_buffer_u64(out, part->generation);
    core_buffer_u64(out, part->position);
    core_buffer_u64(out, part->first);
    core_buffer_u64(out, part->count);
    text_write(part->primary_key, out);
}

static search_base_part part_read(core_cursor *cursor) {
    search_base_part part = {.generation = core_cursor_u64(cursor)};
    part.position = core_cursor_u64(cursor);
    part.first = core_cursor_u64(cursor);
    part.count = core_cursor_u64(cursor);
    part.primary_key = text_read(cursor);
    return part;
}

void search_base_task_write(const search_task *task, core_buffer *out) {
    const uint64_t numbers[] = {task->uid,
                                (uint64_t)task->enqueued_us,
                                (uint64_t)task->started_us,
                                (uint64_t)task->finished_us,
                                task->received,
                                task->expected,
                                task->indexed,
                                task->canceled_by};
    core_buffer_u8(out, ITEM_TASK);
    core_buffer_u8(out, (uint8_t)task->status);
    text_write(core_slice_text(search_task_kind_name(task->kind)), out);
    for (size_t i = 0; i < CORE_COUNT_OF(numbers); i++)
        core_buffer_u64(out, numbers[i]);
    text_write(core_slice_text(task->project), out);
    text_write(core_slice_text(task->index), out);
    text_write(core_slice_text(task->code), out);
    text_write(core_slice_text(task->message), out);
}

static bool task_read(core_cursor *cursor, search_task *task) {
    uint8_t status = core_cursor_u8(cursor);
    core_slice kind = text_read(cursor);
    *task = (search_task){.uid = core_cursor_u64(cursor), .status = (search_task_status)status};
    task->enqueued_us = (int64_t)core_cursor_u64(cursor);
    task->started_us = (int64_t)core_cursor_u64(cursor);
    task->finished_us = (int64_t)core_cursor_u64(cursor);
    task->received = core_cursor_u64(cursor);
    task->expected = core_cursor_u64(cursor);
    task->indexed = core_cursor_u64(cursor);
    task->canceled_by = core_cursor_u64(cursor);
    core_slice project = text_read(cursor), index = text_read(cursor);
    core_slice code = text_read(cursor), message = text_read(cursor);
    return core_cursor_ok(cursor) && status <= SEARCH_TASK_CANCELED &&
           search_task_kind_find(kind, &task->kind) &&
           core_slice_to_text(project, task->project, sizeof task->project) &&
           core_slice_to_text(index, task->index, sizeof task->index) &&
           core_slice_to_text(code, task->code, sizeof task->code) &&
           core_slice_to_text(message, task->message, sizeof task->message);
}

/* ---- The catalog ---- */

typedef struct {
    search_base_catalog *catalog;
    size_t entry_max, part_max, task_max;
    const search_entry *before; /* of the entry that comes next */
    bool is_wrong;
} reading;

/* Room for one more in an array that doubles. */
static bool room_make(void **array, size_t count, size_t *max, size_t size, size_t limit) {
    if (count < *max)
        return true;
    size_t more = *max > 0 ? *max * 2 : 64;
    void *grown = count < limit ? realloc(*array, more * size) : NULL;
    if (grown == NULL)
        return false;
    *array = grown;
    *max = more;
    return true;
}

static bool is_behind(const search_entry *entry, const search_entry *last) {
    int order = core_slice_compare(last->project, entry->project);
    return (order != 0 ? order : core_slice_compare(last->uid, entry->uid)) < 0;
}

static bool entry_take(reading *it, core_cursor *cursor, bool is_before) {
    search_base_catalog *catalog = it->catalog;
    void *entries = (void *)catalog->entries;
    const search_entry *entry = entry_read(cursor, it->before);
    search_entry_release(it->before);
    it->before = NULL;
    it->is_wrong = !core_cursor_ok(cursor);
    if (entry == NULL)
        return false;
    if (is_before) {
        it->before = entry;
        return true;
    }
    bool has_room = room_make(&entries, catalog->entry_count, &it->entry_max,
                              sizeof(search_entry *), SEARCH_BASE_PARTS_MAX);
    catalog->entries = entries;
    it->is_wrong = has_room && catalog->entry_count > 0 &&
                   !is_behind(entry, catalog->entries[catalog->entry_count - 1]);
    if (has_room && !it->is_wrong)
        catalog->entries[catalog->entry_count++] = entry;
    else
        search_entry_release(entry);
    return has_room && !it->is_wrong;
}

static bool part_take(reading *it, core_cursor *cursor) {
    search_base_catalog *catalog = it->catalog;
    void *parts = catalog->parts;
    const search_base_part part = part_read(cursor);
    it->is_wrong = !core_cursor_ok(cursor) || part.primary_key.length > UINT8_MAX;
    if (it->is_wrong ||
        !room_make(&parts, catalog->part_count, &it->part_max, sizeof part, SEARCH_BASE_PARTS_MAX))
        return false;
    catalog->parts = parts;
    catalog->parts[catalog->part_count++] = part;
    return true;
}

static bool task_take(reading *it, core_cursor *cursor) {
    search_base_catalog *catalog = it->catalog;
    void *tasks = catalog->tasks;
    if (!room_make(&tasks, catalog->task_count, &it->task_max, sizeof *catalog->tasks,
                   2 * SEARCH_BASE_TASKS_MAX))
        return false;
    catalog->tasks = tasks;
    it->is_wrong = !task_read(cursor, &catalog->tasks[catalog->task_count]);
    catalog->task_count += !it->is_wrong;
    return !it->is_wrong;
}

static bool item_take(reading *it, core_cursor *cursor) {
    switch (core_cursor_u8(cursor)) {
    case ITEM_BEFORE:
        return entry_take(it, cursor, true);
    case ITEM_ENTRY:
        return entry_take(it, cursor, false);
    case ITEM_PART:
        return part_take(it, cursor);
    case ITEM_TASK:
        return task_take(it, cursor);
    default:
        it->is_wrong = true;
        return false;
    }
}

bool search_base_catalog_read(core_slice bytes, search_base_catalog *catalog, core_error *error) {
    core_cursor cursor = core_cursor_make(bytes);
    reading it = {.catalog = catalog};
    bool ok = true;
    *catalog = (search_base_catalog){.entries = NULL};
    while (ok && !core_cursor_done(&cursor))
        ok = item_take(&it, &cursor);
    search_entry_release(it.before);
    if (ok)
        return true;
    search_base_catalog_fini(catalog);
    return it.is_wrong ? core_error_set(error, CORE_ERROR_INPUT,
                                        "the base of the search log cannot be read at byte %zu",
                                        core_cursor_offset(&cursor))
                       : core_error_set(error, CORE_ERROR_INTERNAL,
                                        "no memory for the base of the search log");
}

void search_base_catalog_fini(search_base_catalog *catalog) {
    for (size_t i = 0; i < catalog->entry_count; i++)
        search_entry_release(catalog->entries[i]);
    free((void *)catalog->entries);
    free(catalog->parts);
    free(catalog->tasks);
    *catalog = (search_base_catalog){.entries = NULL};
}

const search_base_part *search_base_part_find(const search_base_catalog *catalog,
                                              uint64_t generation) {
    for (size_t i = 0; i < catalog->part_count; i++)
        if (catalog->parts[i].generation == generation)
            return &catalog->parts[i];
    return NULL;
}

/* ---- Documents ---- */

void search_base_document_write(const search_kept *document, core_buffer *out) {
    core_buffer_u64(out, document->version);
    core_buffer_u32(out, (uint32_t)document->id.length);
    core_buffer_u32(out, (uint32_t)document->json.length);
    core_buffer_slice_append(out, document->id);
    core_buffer_slice_append(out, document->json);
}

bool search_base_document_read(core_slice *bytes, search_item *item, bool *is_wrong) {
    core_cursor cursor = core_cursor_make(*bytes);
    *item = (search_item){.version = core_cursor_u64(&cursor)};
    uint32_t id_length = core_cursor_u32(&cursor), json_length = core_cursor_u32(&cursor);
    *is_wrong =
        core_cursor_ok(&cursor) && (id_length == 0 || id_length > SEARCH_ID_BYTES_MAX ||
                                    json_length == 0 || json_length > SEARCH_DOCUMENT_BYTES_MAX);
    if (*is_wrong || !core_cursor_ok(&cursor) ||
        core_cursor_left(&cursor) < (size_t)id_length + json_length)
        return false;
    item->id = core_cursor_bytes(&cursor, id_length);
    item->json = core_cursor_bytes(&cursor, json_length);
    *bytes = core_cursor_rest(&cursor);
    return true;
}
