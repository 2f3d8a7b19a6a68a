/* A table as the stream describes it, out of PostgreSQL's catalogue, so that a row that is read is
 * written as a change of it would be.
 *
 * Only what is published counts: a table that is not has no changes behind its rows, columns and
 * rows that a publication leaves out are left out here too. Runs on a thread of the pool. */
#ifndef WALCAST_WS_SNAPSHOT_TABLE_H
#define WALCAST_WS_SNAPSHOT_TABLE_H

#include "pg/pg.h"

typedef struct {
    core_relation relation;
    bool is_root;      /* of partitions */
    core_slice filter; /* of the publication, an SQL condition; empty: none */
} ws_snapshot_table;

/* In `arena`, as the transaction at hand sees it. `publication`: postgres.publication. CONFIG when
 * there is no such table or it is not published. */
CORE_MUST_CHECK bool ws_snapshot_table_describe(pg_connection *connection, const char *publication,
                                                core_slice schema, core_slice table,
                                                core_arena *arena, ws_snapshot_table *described,
                                                core_error *error);

#endif
