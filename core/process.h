/* The process's and its allocator's own figures, read when asked for; private to the metrics. */
#ifndef WALCAST_CORE_PROCESS_H
#define WALCAST_CORE_PROCESS_H

#include "core/buffer.h"

/* Appends the standard `process_*` metrics; a figure that cannot be read is left out. */
void core_process_metrics_write(core_buffer *out);

/* Appends `walcast_core_allocator_*_bytes`; nothing in a sanitizer's build, which has its own. */
void core_allocator_metrics_write(core_buffer *out);

/* One gauge or counter with its HELP and TYPE lines. */
void core_process_metric_append(core_buffer *out, const char *name, const char *type,
                                const char *doc, uint64_t value);

#endif
