/* Rows that changed their id while a snapshot is under way, in changes that leave values out
 * (TOAST).
 *
 * The snapshot's row may come behind the change, under the id that it had: so it is noted where it
 * went, and from then on the old row's values fill up the new one. What came to an id is no more
 * the row that a snapshot read there before: it is noted too since when it is there, and an older
 * row does not fill it. Notes are side rows of the file; they are few, and stay when it is built.
 */
#include "search-index/generation_private.h"

enum { HOPS_MAX = 64 };

/* Where a row went, and since when it had been where it left from; 0: from the beginning. */
typedef struct {
    uint64_t version; /* of the change; 0: none left */
    uint64_t since;
} moved_note;

/* When the row came that is at the id; 0: it has always been there. */
static bool arrived_get(search_generation *generation, core_slice id, uint64_t *version,
                        core_error *error) {
    search_side row;
    if (!search_backend_side_get(generation->backend, SEARCH_SPACE_ARRIVED, id, &row, error))
        return false;
    *version = row.key.data != NULL ? row.version : 0;
    return true;
}

bool search_moved_note(search_generation *generation, core_slice from, core_slice to,
                       uint64_t version, core_error *error) {
    uint64_t since;
    uint8_t memory[SEARCH_ID_BYTES_MAX + 16];
    core_buffer bytes = core_buffer_over(memory, sizeof memory);
    if (!generation->is_building || from.length > SEARCH_ID_BYTES_MAX)
        return true;
    if (!arrived_get(generation, from, &since, error))
        return false;
    core_buffer_u64(&bytes, since);
    core_buffer_slice_append(&bytes, to);
    if (!core_buffer_ok(&bytes))
        return true; /* such an id is refused */
    const search_side left = {.space = SEARCH_SPACE_MOVED,
                              .key = from,
                              .bytes = core_buffer_slice(&bytes),
                              .version = version};
    const search_side came = {.space = SEARCH_SPACE_ARRIVED, .key = to, .version = version};
    generation->is_touched = true;
    return search_backend_side_put(generation->backend, &left, error) &&
           search_backend_side_put(generation->backend, &came, error);
}

/* `to` gets where the row went that was at the id. */
static bool moved_get(search_generation *generation, core_slice id, moved_note *note,
                      core_buffer *to, core_error *error) {
    search_side row;
    *note = (moved_note){.version = 0};
    if (!search_backend_side_get(generation->backend, SEARCH_SPACE_MOVED, id, &row, error))
        return false;
    if (row.key.data == NULL)
        return true;
    core_cursor cursor = core_cursor_make(row.bytes);
    note->version = row.version;
    note->since = core_cursor_u64(&cursor);
    core_buffer_reset(to);
    core_buffer_slice_append(to, core_cursor_rest(&cursor));
    return true;
}

static bool row_fill(search_generation *generation, size_t table, core_slice id,
                     const search_item *item, core_error *error) {
    search_kept kept;
    search_image known = {.values = generation->kept_values};
    search_image older = {.values = generation->old_values};
    bool found = false;
    if (!search_rows_kept(generation, table, id, &known, &kept, &found, error))
        return false;
    if (!found || !search_image_has_holes(&known) ||
        !search_image_read(&generation->plan->tables[table], item->source, &older))
        return true;
    uint64_t version = search_version_again(kept.version, generation->reached.change_sequence);
    search_image_fill(&known, &older);
    return search_rows_again(generation, table, &known, id, version, error);
}

bool search_moved_fill(search_generation *generation, size_t table, const search_item *item,
                       core_error *error) {
    uint8_t memory[2][SEARCH_ID_BYTES_MAX + 1];
    core_buffer ids[2] = {core_buffer_over(memory[0], sizeof memory[0]),
                          core_buffer_over(memory[1], sizeof memory[1])};
    uint64_t arrived, since = 0;
    moved_note note;
    core_slice id = item->id;
    for (unsigned hop = 0; hop < HOPS_MAX; hop++) {
        core_buffer *next = &ids[hop % 2];
        if (!arrived_get(generation, id, &arrived, error))
            return false;
        bool is_it = hop == 0 ? arrived <= item->version : arrived == since;
        if (is_it && !row_fill(generation, table, id, item, error))
            return false;
        if (!moved_get(generation, id, &note, next, error))
            return false;
        bool goes_on = note.version > (hop == 0 ? item->version : since) &&
                       (hop == 0 ? note.since <= item->version : note.since == since);
        if (!goes_on || !core_buffer_ok(next))
            return true;
        since = note.version;
        id = core_buffer_slice(next);
    }
    return true;
}
