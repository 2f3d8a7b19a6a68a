/* See verify_fold.h. A hash's low half is the place in the table of slots; its high half chose the
 * part. An UPDATE's unchanged values stay what the row had: unknown where nothing was before. */
#include "cdc/verify_fold.h"

#include <stdlib.h>

enum { ARENA_CHUNK_BYTES = 256 << 10, FIRST_ENTRIES = 64 };

void cdc_verify_fold_init(cdc_verify_fold *fold, uint16_t columns, size_t max_bytes) {
    *fold = (cdc_verify_fold){.columns = columns, .max_bytes = max_bytes};
    core_buffer_init(&fold->shown, CDC_VERIFY_TEXT_MAX);
    core_arena_init(&fold->arena,
                    max_bytes / 4 < ARENA_CHUNK_BYTES ? max_bytes / 4 : ARENA_CHUNK_BYTES,
                    max_bytes);
}

void cdc_verify_fold_fini(cdc_verify_fold *fold) {
    core_arena_fini(&fold->arena);
    core_buffer_fini(&fold->shown);
    free(fold->entries);
    free(fold->slots);
}

void cdc_verify_fold_reset(cdc_verify_fold *fold) {
    core_arena_reset(&fold->arena);
    fold->count = 0;
    if (fold->slot_count > 0)
        memset(fold->slots, 0, fold->slot_count * sizeof *fold->slots);
}

/* ---- The table of slots ---- */

static size_t slot_find(const cdc_verify_fold *fold, cdc_verify_hash key) {
    size_t at = (size_t)key.low & (fold->slot_count - 1);
    while (fold->slots[at] != 0 &&
           !cdc_verify_hash_equal(fold->entries[fold->slots[at] - 1].key, key))
        at = (at + 1) & (fold->slot_count - 1);
    return at;
}

static bool table_grow(cdc_verify_fold *fold) {
    size_t capacity = fold->capacity > 0 ? 2 * fold->capacity : FIRST_ENTRIES;
    size_t slot_count = 2 * capacity;
    size_t bytes = capacity * sizeof *fold->entries + slot_count * sizeof *fold->slots;
    if (bytes > fold->max_bytes)
        return false;
    cdc_verify_entry *entries = reallocarray(fold->entries, capacity, sizeof *entries);
    if (entries == NULL)
        return false;
    fold->entries = entries;
    uint32_t *slots = calloc(slot_count, sizeof *slots);
    if (slots == NULL)
        return false;
    free(fold->slots);
    fold->slots = slots;
    fold->slot_count = slot_count;
    fold->capacity = capacity;
    for (size_t i = 0; i < fold->count; i++)
        fold->slots[slot_find(fold, fold->entries[i].key)] = (uint32_t)i + 1;
    return true;
}

cdc_verify_entry *cdc_verify_fold_find(const cdc_verify_fold *fold, cdc_verify_hash key) {
    if (fold->count == 0)
        return NULL;
    uint32_t index = fold->slots[slot_find(fold, key)];
    return index != 0 ? &fold->entries[index - 1] : NULL;
}

cdc_verify_entry *cdc_verify_fold_entry(cdc_verify_fold *fold, const cdc_verify_row *row) {
    cdc_verify_entry *found = cdc_verify_fold_find(fold, row->key);
    if (found != NULL)
        return found;
    if (fold->count == fold->capacity && !table_grow(fold))
        return NULL;
    core_slice text = core_arena_copy(&fold->arena, row->text);
    if (text.data == NULL)
        return NULL;
    cdc_verify_entry *entry = &fold->entries[fold->count++];
    *entry = (cdc_verify_entry){.key = row->key, .text = text};
    fold->slots[slot_find(fold, row->key)] = (uint32_t)fold->count;
    return entry;
}

/* ---- Events ---- */

/* The event's texts, where they tell nothing the entry's. */
static void shown_merge(cdc_verify_fold *fold, const cdc_verify_entry *entry, core_slice event) {
    core_cursor now = core_cursor_make(event);
    core_cursor before =
        core_cursor_make(core_slice_make(entry->shown, entry->present ? entry->shown_length : 0));
    core_value value;
    core_value old;
    bool cut;
    core_buffer_reset(&fold->shown);
    for (;;) {
        const uint8_t *now_at = now.at;
        const uint8_t *before_at = before.at;
        bool has_old = cdc_verify_text_next(&before, &old, &cut);
        if (!cdc_verify_text_next(&now, &value, &cut))
            return;
        if (value.kind == CORE_VALUE_UNCHANGED && has_old)
            core_buffer_append(&fold->shown, before_at, (size_t)(before.at - before_at));
        else
            core_buffer_append(&fold->shown, now_at, (size_t)(now.at - now_at));
    }
}

/* Takes twice the room when it has too little, so that a row that changes often takes no more. */
static bool shown_set(cdc_verify_fold *fold, cdc_verify_entry *entry, core_slice event) {
    if (event.length == 0)
        return true;
    shown_merge(fold, entry, event);
    size_t length = fold->shown.length;
    if (length > entry->shown_room) {
        entry->shown = core_arena_alloc(&fold->arena, 2 * length);
        entry->shown_room = entry->shown != NULL ? (uint16_t)(2 * length) : 0;
    }
    if (length > entry->shown_room)
        return false;
    entry->shown_length = (uint16_t)length;
    if (length > 0)
        memcpy(entry->shown, fold->shown.data, length);
    return true;
}

static bool values_set(cdc_verify_fold *fold, cdc_verify_entry *entry,
                       const cdc_verify_row *event) {
    assert(event->count == fold->columns);
    if (entry->values == NULL)
        entry->values = core_arena_array(&fold->arena, fold->columns > 0 ? fold->columns : 1,
                                         sizeof *entry->values);
    if (entry->values == NULL || !shown_set(fold, entry, event->shown))
        return false;
    for (size_t i = 0; i < fold->columns; i++) {
        if (event->values[i].kind != CDC_VERIFY_UNCHANGED)
            entry->values[i] = event->values[i];
        else if (!entry->present)
            entry->values[i] = (cdc_verify_value){.kind = CDC_VERIFY_UNKNOWN};
    }
    entry->present = true;
    return true;
}

bool cdc_verify_fold_apply(cdc_verify_fold *fold, const cdc_verify_row *event) {
    cdc_verify_entry *entry = cdc_verify_fold_entry(fold, event);
    if (entry == NULL)
        return false;
    switch (event->op) {
    case CDC_VERIFY_SET:
        return values_set(fold, entry, event);
    case CDC_VERIFY_DROP:
        entry->present = false;
        return true;
    case CDC_VERIFY_ADD:
        entry->added++;
        entry->net++;
        return true;
    case CDC_VERIFY_TAKE:
        entry->net--;
        entry->lowest = entry->net < entry->lowest ? entry->net : entry->lowest;
        return true;
    case CDC_VERIFY_ROW:
        break;
    }
    assert(false && "a row of the table is no event");
    return false;
}
