/* The metrics' cells and their Prometheus text form; see metrics.h.
 *
 * A cell has cache lines of its own, so that threads that count different things do not meet. The
 * text form is https://prometheus.io/docs/instrumenting/exposition_formats/ version 0.0.4. Seconds
 * are written from whole microseconds with six digits: nothing goes through a double. */
#include "core/metrics.h"

#include "core/process.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define METRICS_CACHE_LINE  64
#define METRICS_NUMBER_SIZE 32

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
    const char *source;
    _Atomic(core_metrics *) next; /* the next source's */
};

core_metrics *core_metrics_new(void) {
    core_metrics *metrics = aligned_alloc(METRICS_CACHE_LINE, sizeof *metrics);
    for (size_t i = 0; metrics != NULL && i < CORE_METRIC_COUNT; i++) {
        atomic_init(&metrics->cells[i].value, 0);
        for (size_t bucket = 0; bucket <= METRIC_BOUNDS; bucket++)
            atomic_init(&metrics->cells[i].buckets[bucket], 0);
    }
    if (metrics != NULL) {
        metrics->source = NULL;
        atomic_init(&metrics->next, NULL);
    }
    return metrics;
}

core_metrics *core_metrics_source(core_metrics *metrics, const char *name, core_error *error) {
    core_metrics *source = core_metrics_new();
    if (source == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "no memory for the metrics of %s", name);
        return NULL;
    }
    source->source = name;
    while (atomic_load(&metrics->next) != NULL)
        metrics = atomic_load(&metrics->next);
    atomic_store(&metrics->next, source);
    return source;
}

void core_metrics_free(core_metrics *metrics) {
    while (metrics != NULL) {
        core_metrics *next = atomic_load(&metrics->next);
        free(metrics);
        metrics = next;
    }
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

/* "NAME{source="acme",le="..."}": a series, with its value. `le` may be NULL. */
static void series_write(core_buffer *out, const char *name, const char *suffix, const char *source,
                         const char *le, const char *value) {
    core_buffer_format(out, "%s%s", name, suffix);
    if (source != NULL || le != NULL)
        core_buffer_format(out, "{%s%s%s%s%s%s%s}", source != NULL ? "source=\"" : "",
                           source != NULL ? source : "", source != NULL ? "\"" : "",
                           source != NULL && le != NULL ? "," : "", le != NULL ? "le=\"" : "",
                           le != NULL ? le : "", le != NULL ? "\"" : "");
    core_buffer_format(out, " %s\n", value);
}

static void number_text(char text[METRICS_NUMBER_SIZE], int64_t number) {
    (void)snprintf(text, METRICS_NUMBER_SIZE, "%lld", (long long)number);
}

static void seconds_text(char text[METRICS_NUMBER_SIZE], int64_t us) {
    (void)snprintf(text, METRICS_NUMBER_SIZE, "%lld.%06lld", (long long)us / 1000000,
                   (long long)us % 1000000);
}

static void metric_histogram_write(const metric_row *row, const metric_cell *cell,
                                   const char *source, core_buffer *out) {
    char value[METRICS_NUMBER_SIZE], le[METRICS_NUMBER_SIZE];
    int64_t count = 0;
    for (size_t bucket = 0; bucket < METRIC_BOUNDS; bucket++) {
        count += metric_load(&cell->buckets[bucket]);
        number_text(value, count);
        seconds_text(le, metric_bounds_us[bucket]);
        series_write(out, row->name, "_bucket", source, le, value);
    }
    count += metric_load(&cell->buckets[METRIC_BOUNDS]);
    number_text(value, count);
    series_write(out, row->name, "_bucket", source, "+Inf", value);
    char sum[METRICS_NUMBER_SIZE];
    seconds_text(sum, metric_load(&cell->value));
    series_write(out, row->name, "_sum", source, NULL, sum);
    series_write(out, row->name, "_count", source, NULL, value);
}

static void cell_write(const metric_row *row, const metric_cell *cell, const char *source,
                       core_buffer *out) {
    char value[METRICS_NUMBER_SIZE];
    if (row->type == METRIC_HISTOGRAM) {
        metric_histogram_write(row, cell, source, out);
        return;
    }
    number_text(value, metric_load(&cell->value));
    series_write(out, row->name, "", source, NULL, value);
}

static void metric_write(const core_metrics *metrics, core_metric metric, core_buffer *out) {
    static const char *const types[] = {"counter", "gauge", "histogram"};
    const metric_row *row = &metric_rows[metric];
    core_buffer_format(out, "# HELP %s %s\n# TYPE %s %s\n", row->name, row->doc, row->name,
                       types[row->type]);
    cell_write(row, &metrics->cells[metric], NULL, out);
    const core_metrics *source = atomic_load(&metrics->next);
    for (; source != NULL; source = atomic_load(&source->next))
        if (core_metrics_get(source, metric) != 0)
            cell_write(row, &source->cells[metric], source->source, out);
}

void core_metrics_write(core_metrics *metrics, core_buffer *out) {
    for (size_t i = 0; metrics != NULL && i < CORE_METRIC_COUNT; i++)
        metric_write(metrics, (core_metric)i, out);
    core_process_metrics_write(out);
    core_allocator_metrics_write(out);
}
