/* See ledger.h. */
#include "triggers/ledger.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    ID_BYTES = 8,
    PART_MAX = 65536, /* of ids: 512 KiB, which a message can hold */
    KEY_MAX = 32,
    SPARE = 1024,
};

/* ---- ids ---- */

uint64_t triggers_ledger_id(const triggers_definition *definition) {
    char made[32];
    (void)snprintf(made, sizeof made, "/%lld", (long long)definition->created_us);
    uint64_t hash = core_slice_hash(definition->project);
    hash = core_slice_hash_more(core_slice_hash_more(hash, core_slice_text("/")), definition->name);
    return core_slice_hash_more(hash, core_slice_text(made));
}

bool triggers_ids_find(const uint64_t *ids, size_t count, uint64_t id, size_t *place) {
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (ids[middle] < id)
            low = middle + 1;
        else
            high = middle;
    }
    *place = low;
    return low < count && ids[low] == id;
}

static int id_compare(const void *a, const void *b) {
    uint64_t one = *(const uint64_t *)a, other = *(const uint64_t *)b;
    return (one > other) - (one < other);
}

void triggers_ids_sort(uint64_t *ids, size_t count) {
    if (count > 1)
        qsort(ids, count, sizeof *ids, id_compare);
}

/* ---- in memory ---- */

static const triggers_ledger_part *part_of(const triggers_ledger *ledger, uint64_t id) {
    return &ledger->parts[id % TRIGGERS_LEDGER_PARTS];
}

void triggers_ledger_fini(triggers_ledger *ledger) {
    for (size_t i = 0; i < TRIGGERS_LEDGER_PARTS; i++)
        free(ledger->parts[i].ids);
    *ledger = (triggers_ledger){.parts = {{.ids = NULL}}};
}

bool triggers_ledger_has(const triggers_ledger *ledger, uint64_t id) {
    const triggers_ledger_part *part = part_of(ledger, id);
    size_t place;
    return triggers_ids_find(part->ids, part->count, id, &place);
}

static bool part_insert(triggers_ledger_part *part, size_t place, uint64_t id) {
    if (part->count == PART_MAX)
        return false;
    if (part->count == part->capacity) {
        size_t capacity = part->capacity > 0 ? 2 * part->capacity : 64;
        uint64_t *ids = realloc(part->ids, capacity * sizeof *ids);
        if (ids == NULL)
            return false;
        part->ids = ids;
        part->capacity = capacity;
    }
    memmove(part->ids + place + 1, part->ids + place, (part->count - place) * sizeof *part->ids);
    part->ids[place] = id;
    part->count++;
    return true;
}

bool triggers_ledger_add(triggers_ledger *ledger, uint64_t id) {
    triggers_ledger_part *part = &ledger->parts[id % TRIGGERS_LEDGER_PARTS];
    size_t place;
    if (triggers_ids_find(part->ids, part->count, id, &place))
        return true;
    part->is_dirty = part_insert(part, place, id) || part->is_dirty;
    return triggers_ids_find(part->ids, part->count, id, &place);
}

static void part_trim(triggers_ledger_part *part, const uint64_t *sorted, size_t count) {
    size_t kept = 0, place;
    for (size_t i = 0; i < part->count; i++)
        if (triggers_ids_find(sorted, count, part->ids[i], &place))
            part->ids[kept++] = part->ids[i];
    part->is_dirty = part->is_dirty || kept != part->count;
    part->count = kept;
}

/* Seldom, since a definition may be missing from the set for a while without being gone. */
void triggers_ledger_trim(triggers_ledger *ledger, const uint64_t *ids, size_t count) {
    size_t held = 0;
    for (size_t i = 0; i < TRIGGERS_LEDGER_PARTS; i++)
        held += ledger->parts[i].count;
    if (held <= 2 * count + SPARE)
        return;
    uint64_t *sorted = calloc(count + 1, sizeof *sorted);
    if (sorted == NULL)
        return; /* another time */
    memcpy(sorted, ids, count * sizeof *sorted);
    triggers_ids_sort(sorted, count);
    for (size_t i = 0; i < TRIGGERS_LEDGER_PARTS; i++)
        part_trim(&ledger->parts[i], sorted, count);
    free(sorted);
}

/* ---- kept ---- */

static void part_key(size_t number, char key[KEY_MAX]) {
    (void)snprintf(key, KEY_MAX, "triggers.begun.%02zu", number);
}

static bool part_read(triggers_ledger_part *part, size_t number, fanout_bucket *bucket,
                      core_buffer *value, core_error *error) {
    char key[KEY_MAX];
    part_key(number, key);
    if (!fanout_bucket_get(bucket, key, value, &part->revision, error))
        return false;
    core_cursor cursor = core_cursor_make(core_buffer_slice(value));
    bool ok = true;
    while (ok && core_cursor_left(&cursor) >= ID_BYTES)
        ok = part_insert(part, part->count, core_cursor_u64(&cursor));
    triggers_ids_sort(part->ids, part->count);
    return ok || core_error_set(error, CORE_ERROR_INTERNAL, "no memory for the triggers' ledger");
}

bool triggers_ledger_read(triggers_ledger *ledger, fanout_bucket *bucket, core_error *error) {
    bool ok = true;
    core_buffer value;
    core_buffer_init(&value, (size_t)PART_MAX * ID_BYTES);
    triggers_ledger_fini(ledger);
    for (size_t i = 0; ok && i < TRIGGERS_LEDGER_PARTS; i++)
        ok = part_read(&ledger->parts[i], i, bucket, &value, error);
    core_buffer_fini(&value);
    return ok;
}

static bool part_write(triggers_ledger_part *part, size_t number, fanout_bucket *bucket,
                       core_buffer *value, core_error *error) {
    char key[KEY_MAX];
    part_key(number, key);
    core_buffer_reset(value);
    for (size_t i = 0; i < part->count; i++)
        core_buffer_u64(value, part->ids[i]);
    if (!core_buffer_ok(value))
        return core_error_set(error, CORE_ERROR_INTERNAL, "no memory for the triggers' ledger");
    part->is_dirty = !fanout_bucket_set(bucket, key, core_buffer_slice(value), part->revision,
                                        &part->revision, error);
    return !part->is_dirty;
}

bool triggers_ledger_write(triggers_ledger *ledger, fanout_bucket *bucket, core_error *error) {
    bool ok = true;
    core_buffer value;
    core_buffer_init(&value, (size_t)PART_MAX * ID_BYTES);
    for (size_t i = 0; ok && i < TRIGGERS_LEDGER_PARTS; i++)
        if (ledger->parts[i].is_dirty)
            ok = part_write(&ledger->parts[i], i, bucket, &value, error);
    core_buffer_fini(&value);
    return ok;
}
