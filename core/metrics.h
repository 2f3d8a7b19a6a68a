/* The metrics: one declared table of counters, gauges and histograms, in Prometheus's text form.
 *
 * Names are `walcast_{room}_{noun}_{unit}`; the table gives type and doc, and nothing else can be
 * counted. Updates are relaxed atomics, safe from every thread and free of locks; readers may see
 * values a moment apart. */
#ifndef WALCAST_CORE_METRICS_H
#define WALCAST_CORE_METRICS_H

#include "core/buffer.h"
#include "core/error.h"

typedef struct core_metrics core_metrics;

/* The ids, in the table's order: metrics_table.h has one X(ID, name, TYPE, unit, doc) a metric. */
typedef enum {
#define X(ID, NAME, TYPE, DOC) CORE_METRIC_##ID,
#include "core/metrics_table.h"
#undef X
    CORE_METRIC_COUNT
} core_metric;

CORE_MUST_CHECK core_metrics *core_metrics_new(void);
/* With those of its sources. */
void core_metrics_free(core_metrics *metrics);
/* Cells of one source's own, shown with the label source="NAME" once they are not 0, and owned by
 * `metrics`. `name` needs no escaping and must live as long. From one thread. */
CORE_MUST_CHECK core_metrics *core_metrics_source(core_metrics *metrics, const char *name,
                                                  core_error *error);

/* A NULL `metrics` counts nothing, so a unit test needs none. */
void core_metrics_add(core_metrics *metrics, core_metric metric, int64_t amount); /* counters */
void core_metrics_set(core_metrics *metrics, core_metric metric, int64_t value);  /* gauges */
/* Histograms: `value_us` in microseconds; shown in seconds, buckets 100 us to 60 s. */
void core_metrics_observe(core_metrics *metrics, core_metric metric, int64_t value_us);
int64_t core_metrics_get(const core_metrics *metrics, core_metric metric);

/* Everything, plus process figures (RSS, CPU, open files) and the allocator's (jemalloc's stats),
 * as text/plain version 0.0.4. */
void core_metrics_write(core_metrics *metrics, core_buffer *out);

#endif
