/* jemalloc's statistics (mallctl(3), "stats.*"); the one file that knows the allocator.
 *
 * The library replaces malloc for the whole process by being linked; a sanitizer brings its own
 * allocator, so there the figures do not exist. */
#include "core/process.h"

#ifdef WALCAST_SANITIZED

void core_allocator_metrics_write(core_buffer *out) {
    (void)out;
}

#else

#include <jemalloc/jemalloc.h>

/* One arena a core, where the version can do that: four are the default, and what each keeps for
 * itself is 5 of 65 MB on two cores. Threads have caches of their own before them. */
#if JEMALLOC_VERSION_MAJOR > 5 || (JEMALLOC_VERSION_MAJOR == 5 && JEMALLOC_VERSION_MINOR >= 3)
#define ALLOCATOR_ARENAS ",narenas_ratio:1"
#else
#define ALLOCATOR_ARENAS ""
#endif

/* Read by jemalloc when the process starts (jemalloc(3), TUNING). A thread of its own gives freed
 * pages back even while we are idle and call it no more. At once for good (muzzy 0): pages that
 * wait for the kernel to want them count as ours, up to 60 MB of them while a big transaction
 * passes. */
const char *malloc_conf =
    "background_thread:true,dirty_decay_ms:1000,muzzy_decay_ms:0" ALLOCATOR_ARENAS;

typedef struct {
    const char *control;
    const char *metric;
    const char *doc;
} allocator_row;

static const allocator_row allocator_rows[] = {
    {"stats.allocated", "walcast_core_allocator_allocated_bytes",
     "Bytes that the program asked for."},
    {"stats.active", "walcast_core_allocator_active_bytes",
     "Bytes in pages that hold allocations."},
    {"stats.metadata", "walcast_core_allocator_metadata_bytes", "Bytes of the allocator's own."},
    {"stats.resident", "walcast_core_allocator_resident_bytes",
     "Bytes in physically resident pages of the allocator."},
    {"stats.mapped", "walcast_core_allocator_mapped_bytes", "Bytes in mapped extents."},
    {"stats.retained", "walcast_core_allocator_retained_bytes",
     "Bytes of address space kept for later, without memory behind it."},
};

void core_allocator_metrics_write(core_buffer *out) {
    uint64_t epoch = 1; /* statistics are a snapshot; writing the epoch takes a new one */
    size_t size = sizeof epoch;
    if (mallctl("epoch", &epoch, &size, &epoch, size) != 0)
        return;
    for (size_t i = 0; i < CORE_COUNT_OF(allocator_rows); i++) {
        const allocator_row *row = &allocator_rows[i];
        size_t value;
        size = sizeof value;
        if (mallctl(row->control, &value, &size, NULL, 0) == 0)
            core_process_metric_append(out, row->metric, "gauge", row->doc, value);
    }
}

#endif
