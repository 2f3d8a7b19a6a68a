/* A moment of the database, as a snapshot relates it to the stream. */
#ifndef WALCAST_CDC_SNAPSHOT_MOMENT_H
#define WALCAST_CDC_SNAPSHOT_MOMENT_H

#include "pg/pg.h"

/* What the transaction at hand sees (or one statement, outside of one) and a WAL position behind
 * the commits of all that. `text` is the pg_snapshot, in the arena. */
CORE_MUST_CHECK bool cdc_snapshot_moment_take(pg_connection *connection,
                                              core_visibility *visibility, core_lsn *high_lsn,
                                              core_slice *text, core_arena *arena,
                                              core_error *error);

#endif
