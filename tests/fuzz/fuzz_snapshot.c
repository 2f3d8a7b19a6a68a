/* Records of snapshots from the bucket, where anybody may have written: what is taken is written
 * again as the same record, and its places are read or refused. */
#include "core/core.h"
#include "core/snapshot.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void places_read(const core_snapshot *snapshot, core_arena *arena) {
    core_slice values[4];
    size_t count;
    for (size_t i = 0; i < snapshot->range_count; i++)
        if (core_snapshot_place_read(snapshot->ranges[i].last, arena, values, 4, &count) &&
            count > 4)
            abort();
}

static void round_trip(const core_snapshot *snapshot, core_arena *arena) {
    core_buffer first;
    core_buffer second;
    core_snapshot again;
    core_error error = {0};
    core_buffer_init(&first, (size_t)8 << 20);
    core_buffer_init(&second, (size_t)8 << 20);
    core_snapshot_encode(snapshot, &first);
    if (!core_snapshot_decode(core_buffer_slice(&first), arena, &again, &error))
        abort();
    core_snapshot_encode(&again, &second);
    if (!core_slice_equal(core_buffer_slice(&first), core_buffer_slice(&second)))
        abort();
    core_buffer_fini(&first);
    core_buffer_fini(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    core_arena arena;
    core_snapshot snapshot;
    core_error error = {0};
    core_arena_init(&arena, 4096, (size_t)16 << 20);
    if (core_snapshot_decode(core_slice_make(data, size), &arena, &snapshot, &error)) {
        places_read(&snapshot, &arena);
        round_trip(&snapshot, &arena);
    }
    core_arena_fini(&arena);
    return 0;
}
