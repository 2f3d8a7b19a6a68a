/* See hub_row.h. Keys are compared as the stream has them: column, kind, length and bytes of each.
 */
#include "ws/hub_row.h"

/* Pieces of one buffer, which may move while it grows. */
typedef struct {
    size_t from, to;
} row_span;

static core_slice span_slice(const core_buffer *room, row_span span) {
    return core_slice_make(room->data + span.from, span.to - span.from);
}

static row_span write_table(core_buffer *room, const core_relation *relation, core_slice bindings) {
    row_span span = {.from = room->length};
    core_buffer_u16(room, (uint16_t)relation->schema.length);
    core_buffer_slice_append(room, relation->schema);
    core_buffer_u16(room, (uint16_t)relation->table.length);
    core_buffer_slice_append(room, relation->table);
    core_buffer_slice_append(room, bindings);
    span.to = room->length;
    return span;
}

/* Empty when a key column has no value. */
static row_span write_key(core_buffer *room, const core_relation *relation,
                          const core_tuple *tuple) {
    row_span span = {.from = room->length, .to = room->length};
    for (uint16_t i = 0; i < relation->column_count; i++) {
        if (!relation->columns[i].key)
            continue;
        if (i >= tuple->count || tuple->values[i].kind == CORE_VALUE_UNCHANGED)
            return span;
        core_buffer_u16(room, i);
        core_buffer_u8(room, (uint8_t)tuple->values[i].kind);
        core_buffer_u32(room, (uint32_t)tuple->values[i].bytes.length);
        core_buffer_slice_append(room, tuple->values[i].bytes);
    }
    span.to = room->length;
    return span;
}

static row_span write_missing(core_buffer *room, const core_tuple *tuple) {
    row_span span = {.from = room->length};
    for (uint16_t i = 0; i < tuple->count; i++)
        if (tuple->values[i].kind == CORE_VALUE_UNCHANGED)
            core_buffer_u16(room, i);
    span.to = room->length;
    return span;
}

static bool change_has_old_key(const core_change *change) {
    return change->op == CORE_OP_DELETE ||
           (change->op == CORE_OP_UPDATE && change->old_kind != CORE_OLD_NONE);
}

static bool row_read(const core_change *change, bool left, core_buffer *room, ws_row_parts *parts) {
    const core_relation *relation = change->relation;
    bool ends = change->op == CORE_OP_DELETE || left; /* nothing is to know but that it is gone */
    row_span old = {0}, missing = {0};
    if (change_has_old_key(change))
        old = write_key(room, relation, &change->old_tuple);
    row_span key =
        ends && change_has_old_key(change) ? old : write_key(room, relation, &change->new_tuple);
    if (!ends)
        missing = write_missing(room, &change->new_tuple);
    if (!core_buffer_ok(room) || key.from == key.to)
        return false;
    parts->kind = WS_ROW_STATE;
    parts->key = span_slice(room, key);
    if (missing.to > missing.from)
        parts->missing = span_slice(room, missing);
    if (ends || old.from == old.to || core_slice_equal(parts->key, span_slice(room, old)))
        return true;
    parts->kind = WS_ROW_MOVED;
    parts->former = span_slice(room, old);
    return parts->missing.length == 0;
}

ws_row *hub_row_new(const core_change *change, core_slice bindings, bool left, core_buffer *room) {
    const core_relation *relation = change->relation;
    core_buffer_reset(room);
    row_span table = write_table(room, relation, bindings);
    ws_row_parts parts = {.kind = WS_ROW_ALL};
    bool known = change->op == CORE_OP_TRUNCATE ||
                 (relation->replica_identity != 'f' && row_read(change, left, room, &parts));
    if (!known || !core_buffer_ok(room))
        return NULL;
    parts.table = span_slice(room, table);
    return ws_row_new(&parts);
}
