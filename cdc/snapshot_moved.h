/* Rows that changed their key while a snapshot of their table was under way, in changes that leave
 * values out (unchanged TOAST).
 *
 * Who has not read such a row yet cannot fill it from the row before, and under its new key it may
 * stand where the snapshot has been already: it is read by itself at the end. The changes are
 * looked up in the stream, so nothing must be remembered over a restart. */
#ifndef WALCAST_CDC_SNAPSHOT_MOVED_H
#define WALCAST_CDC_SNAPSHOT_MOVED_H

#include "cdc/snapshot_table.h"
#include "fanout/fanout.h"

#define CDC_SNAPSHOT_MOVED_MAX 65536

typedef struct {
    core_slice schema;
    core_slice table;
    core_slice *key; /* its values as text, in the key's order */
    size_t key_count;
} cdc_snapshot_moved_row;

typedef struct {
    core_arena arena;
    cdc_snapshot_moved_row *rows; /* to be read */
    size_t count;
    size_t capacity;
    bool follows; /* all were scanned once: only rows that are listed and moved on are added */
    uint64_t scanned_sequence; /* of the stream: looked at up to here */
} cdc_snapshot_moved;

void cdc_snapshot_moved_init(cdc_snapshot_moved *moved, uint64_t start_sequence);
void cdc_snapshot_moved_fini(cdc_snapshot_moved *moved);

/* Adds the rows of one table's changes behind what was scanned, up to `until_sequence` (or a few
 * messages beyond). Blocks until all were looked at. LIMIT: more than the maximum; TRANSIENT: the
 * broker is away. The caller moves `scanned_sequence` when every table was scanned. */
CORE_MUST_CHECK bool cdc_snapshot_moved_scan(cdc_snapshot_moved *moved,
                                             fanout_connection *connection,
                                             const core_config *config, core_log *log,
                                             const cdc_snapshot_table *table,
                                             uint64_t until_sequence, core_error *error);

#endif
