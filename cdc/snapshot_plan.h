/* How a snapshot parts what it reads: a table into ranges of its key (or of blocks), a partitioned
 * one that is published by its partitions into these. */
#ifndef WALCAST_CDC_SNAPSHOT_PLAN_H
#define WALCAST_CDC_SNAPSHOT_PLAN_H

#include "cdc/snapshot_table.h"

typedef struct {
    core_snapshot_range *ranges; /* in the arena */
    size_t count;
    uint64_t expected_rows;
} cdc_snapshot_plan;

/* Errors: CONFIG when there is no such table, it is not published, the condition is none, or the
 * user may not read it (DENIED): what only a person can mend. `filter` may be empty. */
CORE_MUST_CHECK bool cdc_snapshot_plan_make(pg_connection *connection,
                                            const cdc_snapshot_scope *scope, core_slice schema,
                                            core_slice table, core_slice filter, core_arena *arena,
                                            cdc_snapshot_plan *plan, core_error *error);
/* Ends each table's last range at the greatest key that there is now: rows behind it come as
 * changes, and a table that grows as fast as it is read would have no end. Not for rows that are
 * read as they were before. */
CORE_MUST_CHECK bool cdc_snapshot_plan_end(pg_connection *connection,
                                           const cdc_snapshot_scope *scope, core_arena *arena,
                                           cdc_snapshot_plan *plan, core_error *error);

#endif
