/* See snapshot_window.h. */
#include "cdc/snapshot_window.h"

#include <stdlib.h>

enum { FIRST_CAPACITY = 64, CHANGED_MAX = 1 << 18 };

/* The slices, and behind them what they show. */
static bool key_copy(cdc_snapshot_window *window, const core_slice *key, size_t key_count) {
    size_t bytes = key_count * sizeof *key;
    for (size_t i = 0; i < key_count; i++)
        bytes += key[i].length;
    if (key_count == 0)
        return true;
    window->key = malloc(bytes);
    if (window->key == NULL)
        return false;
    uint8_t *at = (uint8_t *)(window->key + key_count);
    for (size_t i = 0; i < key_count; i++) {
        memcpy(at, key[i].data, key[i].length);
        window->key[i] = core_slice_make(at, key[i].length);
        at += key[i].length;
    }
    window->key_count = key_count;
    return true;
}

void cdc_snapshot_window_init(cdc_snapshot_window *window, uint32_t oid, bool whole_rows,
                              const core_slice *key, size_t key_count) {
    *window = (cdc_snapshot_window){.oid = oid, .whole_rows = whole_rows};
    core_buffer_init(&window->keys, CDC_SNAPSHOT_WINDOW_BYTES);
    window->spoilt = !key_copy(window, key, key_count);
}

void cdc_snapshot_window_fini(cdc_snapshot_window *window) {
    core_buffer_fini(&window->keys);
    free(window->key);
    free(window->changed);
    *window = (cdc_snapshot_window){0};
}

/* ---- Keys ---- */

bool cdc_snapshot_key_append(core_buffer *out, const core_value *values, const uint16_t *places,
                             size_t place_count) {
    for (size_t i = 0; i < place_count; i++) {
        const core_value *value = &values[places[i]];
        if (value->kind == CORE_VALUE_UNCHANGED)
            return false;
        bool is_null = value->kind == CORE_VALUE_NULL;
        core_buffer_u32(out, is_null ? UINT32_MAX : (uint32_t)value->bytes.length);
        core_buffer_slice_append(out, value->bytes);
    }
    return true;
}

static bool place_find(const core_relation *relation, core_slice name, uint16_t *place) {
    for (uint16_t i = 0; i < relation->column_count; i++)
        if (core_slice_equal(relation->columns[i].name, name)) {
            *place = i;
            return true;
        }
    return false;
}

static bool places_find(cdc_snapshot_window *window, const core_relation *relation) {
    if (window->has_places && window->version == relation->version)
        return true;
    window->place_count = window->whole_rows ? relation->column_count : window->key_count;
    for (uint16_t i = 0; i < window->place_count; i++)
        if (window->whole_rows)
            window->places[i] = i;
        else if (!place_find(relation, window->key[i], &window->places[i]))
            return false;
    window->version = relation->version;
    window->has_places = true;
    return true;
}

/* ---- Changes ---- */

static cdc_snapshot_changed *changed_add(cdc_snapshot_window *window) {
    if (window->count == window->capacity) {
        size_t capacity = window->capacity > 0 ? window->capacity * 2 : FIRST_CAPACITY;
        cdc_snapshot_changed *more =
            capacity <= CHANGED_MAX ? reallocarray(window->changed, capacity, sizeof *more) : NULL;
        if (more == NULL)
            return NULL;
        window->changed = more;
        window->capacity = capacity;
    }
    return &window->changed[window->count++];
}

static void key_note(cdc_snapshot_window *window, const core_value *values, uint32_t xid,
                     bool read_again, bool moved) {
    size_t at = window->keys.length;
    bool known =
        cdc_snapshot_key_append(&window->keys, values, window->places, window->place_count);
    cdc_snapshot_changed *changed =
        known && core_buffer_ok(&window->keys) ? changed_add(window) : NULL;
    if (changed == NULL) {
        window->spoilt = true;
        return;
    }
    *changed = (cdc_snapshot_changed){.key_at = (uint32_t)at,
                                      .key_length = (uint32_t)(window->keys.length - at),
                                      .xid = xid,
                                      .read_again = read_again,
                                      .moved = moved};
}

static bool is_whole(const core_tuple *tuple) {
    for (size_t i = 0; i < tuple->count; i++)
        if (tuple->values[i].kind == CORE_VALUE_UNCHANGED)
            return false;
    return true;
}

/* The key's values of the new row: those that an UPDATE left unchanged are the old image's. */
static void new_key_note(cdc_snapshot_window *window, const core_change *change) {
    core_value values[CORE_COLUMNS_MAX];
    for (size_t i = 0; i < window->place_count; i++) {
        uint16_t place = window->places[i];
        values[place] = change->new_tuple.values[place];
        const core_value *old = values[place].kind == CORE_VALUE_UNCHANGED
                                    ? core_change_old_value(change, place)
                                    : NULL;
        if (old != NULL)
            values[place] = *old;
    }
    bool read_again = !is_whole(&change->new_tuple);
    key_note(window, values, change->transaction.xid, read_again,
             read_again && change->old_kind != CORE_OLD_NONE);
}

void cdc_snapshot_window_note(cdc_snapshot_window *window, const core_change *change) {
    if (change->relation == NULL || change->relation->oid != window->oid || window->spoilt)
        return;
    if (change->op == CORE_OP_TRUNCATE) {
        window->truncated = true;
        return;
    }
    bool has_new = change->op == CORE_OP_INSERT || change->op == CORE_OP_UPDATE;
    bool has_old = change->op == CORE_OP_UPDATE || change->op == CORE_OP_DELETE;
    if (!places_find(window, change->relation)) {
        window->spoilt = true;
        return;
    }
    if (has_old && change->old_kind != CORE_OLD_NONE)
        key_note(window, change->old_tuple.values, change->transaction.xid, false, false);
    if (has_new && !window->whole_rows)
        new_key_note(window, change);
}
