/* See snapshot_moment.h. In one statement the snapshot is taken before the position is asked for,
 * so every commit that it sees was written before that. */
#include "cdc/snapshot_moment.h"

enum { PAGE_BYTES_MIN = 1024, PAGE_BYTES_MAX = 1 << 20 }; /* wider than --with-wal-blocksize */

static const char moment_sql[] = "SELECT pg_current_snapshot()::text,"
                                 " pg_current_wal_insert_lsn()::text,"
                                 " current_setting('wal_block_size')";

static bool lsn_take(const pg_result *result, core_lsn *lsn, core_error *error) {
    uint64_t page_bytes = 0;
    if (!core_lsn_parse(core_slice_text(pg_result_value(result, 0, 1)), lsn) ||
        !core_slice_to_u64(core_slice_text(pg_result_value(result, 0, 2)), &page_bytes) ||
        page_bytes < PAGE_BYTES_MIN || page_bytes > PAGE_BYTES_MAX)
        return core_error_set(error, CORE_ERROR_INPUT,
                              "the server gave \"%s\" as an LSN in pages of \"%s\" bytes",
                              pg_result_value(result, 0, 1), pg_result_value(result, 0, 2));
    *lsn = core_lsn_settle(*lsn, (uint32_t)page_bytes);
    return true;
}

bool cdc_snapshot_moment_take(pg_connection *connection, core_visibility *visibility,
                              core_lsn *high_lsn, core_slice *text, core_arena *arena,
                              core_error *error) {
    pg_result *result = pg_query_kept(connection, moment_sql, NULL, 0, error);
    if (result == NULL)
        return false;
    core_slice snapshot = core_slice_text(pg_result_value(result, 0, 0));
    bool ok =
        core_visibility_read(snapshot, visibility, error) && lsn_take(result, high_lsn, error);
    *text = core_arena_copy(arena, snapshot);
    if (ok && text->data == NULL)
        ok = core_error_set(error, CORE_ERROR_INTERNAL, "out of memory for a snapshot");
    pg_result_free(result);
    return ok;
}
