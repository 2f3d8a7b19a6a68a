/* See gap_snapshot.h. One request for all tables, which the snapshots' own thread parts into one
 * for each (snapshot_all.c). */
#include "cdc/gap_snapshot.h"

#include "cdc/source_private.h"

#include <inttypes.h>
#include <stdio.h>

bool cdc_gap_snapshot_request(cdc_source *source, uint64_t gap_sequence, core_error *error) {
    char key[CORE_SNAPSHOT_ID_SIZE + 16];
    core_buffer json;
    uint64_t revision = 0;
    core_error reason = {0};
    core_snapshot record = {.schema = core_slice_text("*"),
                            .table = core_slice_text("*"),
                            .requested_us = core_clock_wall_us(source->clock)};
    (void)snprintf(record.id, sizeof record.id, "gap%" PRIu64, gap_sequence);
    core_snapshot_key(record.id, key);
    core_buffer_init(&json, CORE_SNAPSHOT_JSON_MAX);
    core_snapshot_encode(&record, &json);
    bool ok =
        fanout_bucket_set(source->bucket, key, core_buffer_slice(&json), 0, &revision, &reason);
    core_buffer_fini(&json);
    if (ok || reason.code == CORE_ERROR_CONFLICT) /* it was asked for before a kill */
        return true;
    *error = reason;
    return core_error_wrap(error, "asking for a snapshot after a gap");
}
