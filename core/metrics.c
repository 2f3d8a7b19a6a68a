/* The metrics' cells and their Prometheus text form; see metrics.h.
 *
 * A cell has cache lines of its own, so that threads that count different things do not meet. The
 * text form is https://prometheus.io/docs/instrumenting/exposition_formats/ version 0.0.4. Seconds
 * are written from whole microseconds with six digits: nothing goes through a double. */
#include "core/metrics.h"

#include "core/process.h"

#include <stdatomic.h>
#include <stdlib.h>

#define METRICS_CACHE_LINE 64

typedef enum { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM } metric_type;

typedef struct {
    const char *name;
    const char *doc;
    metric_type type;
} metric_row;

static const metric_row metric_rows[CORE_METRIC_COUNT] = {
#define X(ID, NAME, TYPE, DOC) {.name = (NAME), .doc = (DOC), .type = METRIC_##TYPE},
#include "core/metrics_table.h"
#undef X
};

/* Upper bounds; what is above the last counts in +Inf only. */
static const int64_t metric_bounds_us[] = {
    100,    250,    500,    1000,    2500,    5000,    10000,    25000,    50000,
    100000, 250000, 500000, 1000000, 2500000, 5000000, 10000000, 30000000, 60000000,
};
#define METRIC_BOUNDS CORE_COUNT_OF(metric_bounds_us)

typedef struct {
    _Alignas(METRICS_CACHE_LINE) atomic_int_fast64_t value; /* histograms: the sum, in us */
    atomic_int_fast64_t buckets[METRIC_BOUNDS + 1];         /* not cumulative; last is +Inf */
} metric_cell;

struct core_metrics {
    metric_cell cells[CORE_METRIC_COUNT];
};

core_metrics *core_metrics_new(void) {
    core_metrics *metrics = aligned_alloc(METRICS_CACHE_LINE, sizeof *metrics);
    for (size_t i = 0; metrics != NULL && i < CORE_METRIC_COUNT; i++) {
        atomic_init(&metrics->cells[i].value, 0);
        for (size_t bucket = 0; bucket <= METRIC_BOUNDS; bucket++)
            atomic_init(&metrics->cells[i].buckets[bucket], 0);
    }
    return metrics;
}

void core_metrics_free(core_metrics *metrics) {
    free(metrics);
}

void core_metrics_add(core_metrics *metrics, core_metric metric, int64_t amount) {
    if (metrics == NULL)
        return;
    assert(metric_rows[metric].type != METRIC_HISTOGRAM);
    (void)atomic_fetch_add_explicit(&metrics->cells[metric].value, amount, memory_order_relaxed);
}

void core_metrics_set(core_metrics *metrics, core_metric metric, int64_t value) {
    if (metrics == NULL)
        return;
    assert(metric_rows[metric].type == METRIC_GAUGE);
    atomic_store_explicit(&metrics->cells[metric].value, value, memory_order_relaxed);
}

void core_metrics_observe(core_metrics *metrics, core_metric metric, int64_t value_us) {
    if (metrics == NULL)
        return;
    assert(metric_rows[metric].type == METRIC_HISTOGRAM);
    if (value_us < 0)
        value_us = 0; /* two machines' wall clocks may disagree */
    size_t bucket = 0;
    while (bucket < METRIC_BOUNDS && value_us > metric_bounds_us[bucket])
        bucket++;
    metric_cell *cell = &metrics->cells[metric];
    (void)atomic_fetch_add_explicit(&cell->value, value_us, memory_order_relaxed);
    (void)atomic_fetch_add_explicit(&cell->buckets[bucket], 1, memory_order_relaxed);
}

static int64_t metric_load(const atomic_int_fast64_t *value) {
    return atomic_load_explicit(value, memory_order_relaxed);
}

int64_t core_metrics_get(const core_metrics *metrics, core_metric metric) {
    if (metrics == NULL)
        return 0;
    const metric_cell *cell = &metrics->cells[metric];
    if (metric_rows[metric].type != METRIC_HISTOGRAM)
        return metric_load(&cell->value);
    int64_t count = 0;
    for (size_t bucket = 0; bucket <= METRIC_BOUNDS; bucket++)
        count += metric_load(&cell->buckets[bucket]);
    return count;
}

static void metric_histogram_write(const metric_row *row, const metric_cell *cell,
                                   core_buffer *out) {
    int64_t count = 0;
    for (size_t bucket = 0; bucket < METRIC_BOUNDS; bucket++) {
        count += metric_load(&cell->buckets[bucket]);
        core_buffer_format(out, "%s_bucket{le=\"%lld.%06lld\"} %lld\n", row->name,
                           (long long)metric_bounds_us[bucket] / 1000000,
                           (long long)metric_bounds_us[bucket] % 1000000, (long long)count);
    }
    count += metric_load(&cell->buckets[METRIC_BOUNDS]);
    int64_t sum_us = metric_load(&cell->value);
    core_buffer_format(out, "%s_bucket{le=\"+Inf\"} %lld\n%s_sum %lld.%06lld\n%s_count %lld\n",
                       row->name, (long long)count, row->name, (long long)sum_us / 1000000,
                       (long long)sum_us % 1000000, row->name, (long long)count);
}

static void metric_write(const metric_row *row, const metric_cell *cell, core_buffer *out) {
    static const char *const types[] = {"counter", "gauge", "histogram"};
    core_buffer_format(out, "# HELP %s %s\n# TYPE %s %s\n", row->name, row->doc, row->name,
                       types[row->type]);
    if (row->type == METRIC_HISTOGRAM)
        metric_histogram_write(row, cell, out);
    else
        core_buffer_format(out, "%s %lld\n", row->name, (long long)metric_load(&cell->value));
}

void core_metrics_write(core_metrics *metrics, core_buffer *out) {
    for (size_t i = 0; metrics != NULL && i < CORE_METRIC_COUNT; i++)
        metric_write(&metric_rows[i], &metrics->cells[i], out);
    core_process_metrics_write(out);
    core_allocator_metrics_write(out);
}
