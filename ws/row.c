/* See row.h. */
#include "ws/row.h"

#include <stdlib.h>

struct ws_row {
    atomic_uint references;
    uint64_t hash, former_hash;
    ws_row_parts parts; /* their bytes stand behind this */
};

static uint64_t row_hash(core_slice table, core_slice key) {
    return core_slice_hash(table) * 31 ^ core_slice_hash(key);
}

ws_row *ws_row_new(const ws_row_parts *parts) {
    size_t bytes =
        parts->table.length + parts->key.length + parts->former.length + parts->missing.length;
    ws_row *row = malloc(sizeof *row + bytes);
    if (row == NULL)
        return NULL;
    uint8_t *room = (uint8_t *)(row + 1);
    atomic_init(&row->references, 1);
    row->hash = row_hash(parts->table, parts->key);
    row->former_hash = row_hash(parts->table, parts->former);
    row->parts.kind = parts->kind;
    row->parts.table = core_slice_keep(&room, parts->table);
    row->parts.key = core_slice_keep(&room, parts->key);
    row->parts.former = core_slice_keep(&room, parts->former);
    row->parts.missing = core_slice_keep(&room, parts->missing);
    return row;
}

ws_row *ws_row_retain(ws_row *row) {
    if (row != NULL)
        atomic_fetch_add_explicit(&row->references, 1, memory_order_relaxed);
    return row;
}

void ws_row_release(ws_row *row) {
    if (row != NULL && atomic_fetch_sub_explicit(&row->references, 1, memory_order_acq_rel) == 1)
        free(row);
}

ws_row_kind ws_row_kind_of(const ws_row *row) {
    return row->parts.kind;
}

uint64_t ws_row_hash(const ws_row *row) {
    return row->hash;
}

uint64_t ws_row_former_hash(const ws_row *row) {
    return row->former_hash;
}

bool ws_row_replaces(const ws_row *newer, const ws_row *older) {
    const ws_row_parts *a = &newer->parts, *b = &older->parts;
    if (!core_slice_equal(a->table, b->table))
        return false;
    if (a->kind == WS_ROW_ALL)
        return true;
    if (b->kind != WS_ROW_STATE)
        return false;
    if (a->kind == WS_ROW_MOVED && core_slice_equal(a->former, b->key))
        return true;
    return core_slice_equal(a->key, b->key) &&
           (a->missing.length == 0 || core_slice_equal(a->missing, b->missing));
}
