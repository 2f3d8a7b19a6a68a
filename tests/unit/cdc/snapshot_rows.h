/* A small table, its changes and its rows, for tests of what happens while it is read: (id, name,
 * big) with key (name, id). */
#ifndef WALCAST_TESTS_UNIT_CDC_SNAPSHOT_ROWS_H
#define WALCAST_TESTS_UNIT_CDC_SNAPSHOT_ROWS_H

#include "cdc/snapshot_chunk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { ROWS_OID = 7000, ROWS_COLUMNS = 3 };

static const core_column rows_columns[] = {
    {.name = {.data = (const uint8_t *)"id", .length = 2},
     .type_oid = 23,
     .typmod = -1,
     .key = true},
    {.name = {.data = (const uint8_t *)"name", .length = 4},
     .type_oid = 25,
     .typmod = -1,
     .key = true},
    {.name = {.data = (const uint8_t *)"big", .length = 3}, .type_oid = 25, .typmod = -1},
};

static inline core_relation rows_relation(void) {
    return (core_relation){.oid = ROWS_OID,
                           .schema = core_slice_text("s"),
                           .table = core_slice_text("t"),
                           .replica_identity = 'd',
                           .version = 1,
                           .column_count = ROWS_COLUMNS,
                           .columns = rows_columns};
}

static inline core_value rows_text(const char *text) {
    return (core_value){.kind = CORE_VALUE_TEXT, .bytes = core_slice_text(text)};
}

/* `big` NULL: unchanged. */
static inline void rows_fill(core_value values[ROWS_COLUMNS], const char *id, const char *name,
                             const char *big) {
    values[0] = rows_text(id);
    values[1] = rows_text(name);
    values[2] = big != NULL ? rows_text(big) : (core_value){.kind = CORE_VALUE_UNCHANGED};
}

typedef struct {
    core_relation relation;
    core_value old_values[ROWS_COLUMNS];
    core_value new_values[ROWS_COLUMNS];
    core_change change;
} rows_change;

static inline void rows_change_init(rows_change *it, core_op op, uint32_t xid) {
    *it = (rows_change){.relation = rows_relation()};
    it->change = (core_change){.op = op,
                               .transaction = {.xid = xid},
                               .old_tuple = {.count = ROWS_COLUMNS},
                               .new_tuple = {.count = ROWS_COLUMNS}};
}

/* Points at what the struct holds, wherever it lies. */
static inline const core_change *rows_change_of(rows_change *it) {
    it->change.relation = &it->relation;
    it->change.old_tuple.values = it->old_values;
    it->change.new_tuple.values = it->new_values;
    return &it->change;
}

static inline void rows_note(cdc_snapshot_window *window, core_op op, uint32_t xid, const char *id,
                             const char *name, const char *big) {
    rows_change it;
    rows_change_init(&it, op, xid);
    rows_fill(it.new_values, id, name, big);
    if (op == CORE_OP_DELETE) {
        rows_fill(it.old_values, id, name, big);
        it.change.old_kind = CORE_OLD_KEY;
    }
    cdc_snapshot_window_note(window, rows_change_of(&it));
}

static inline void rows_note_moved(cdc_snapshot_window *window, uint32_t xid, const char *old_id,
                                   const char *id, const char *name, const char *big) {
    rows_change it;
    rows_change_init(&it, CORE_OP_UPDATE, xid);
    rows_fill(it.old_values, old_id, name, "");
    it.change.old_kind = CORE_OLD_KEY;
    rows_fill(it.new_values, id, name, big);
    cdc_snapshot_window_note(window, rows_change_of(&it));
}

static inline void rows_window_init(cdc_snapshot_window *window) {
    const core_slice key[] = {core_slice_text("name"), core_slice_text("id")};
    cdc_snapshot_window_init(window, ROWS_OID, false, key, 2);
}

#endif
