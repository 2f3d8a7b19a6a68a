/* See snapshot_moment.h. In one statement the snapshot is taken before the position is asked for,
 * so every commit that it sees was written before that. */
#include "cdc/snapshot_moment.h"

enum { PAGE_BYTES = 8192, PAGE_HEADER_MAX = 40 };

/* An insert position right behind a page's header is where the last record ended, at the page's
 * start: what is sent never stands at the former. No record ends so near behind a header. */
static core_lsn position_normal(core_lsn lsn) {
    core_lsn in_page = lsn % PAGE_BYTES;
    return in_page <= PAGE_HEADER_MAX ? lsn - in_page : lsn;
}

bool cdc_snapshot_moment_take(pg_connection *connection, cdc_visibility *visibility,
                              core_lsn *high_lsn, core_slice *text, core_arena *arena,
                              core_error *error) {
    pg_result *result = pg_query(
        connection, "SELECT pg_current_snapshot()::text, pg_current_wal_insert_lsn()::text", NULL,
        0, error);
    if (result == NULL)
        return false;
    core_lsn lsn = 0;
    core_slice snapshot = core_slice_text(pg_result_value(result, 0, 0));
    bool ok = cdc_visibility_read(snapshot, visibility, error);
    if (ok && !core_lsn_parse(core_slice_text(pg_result_value(result, 0, 1)), &lsn))
        ok = core_error_set(error, CORE_ERROR_INPUT, "the server gave \"%s\" as an LSN",
                            pg_result_value(result, 0, 1));
    *high_lsn = position_normal(lsn);
    *text = core_arena_copy(arena, snapshot);
    if (ok && text->data == NULL)
        ok = core_error_set(error, CORE_ERROR_INTERNAL, "out of memory for a snapshot");
    pg_result_free(result);
    return ok;
}
