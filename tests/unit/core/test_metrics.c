/* The metrics: nothing is lost between threads, and the text is what Prometheus reads. */
#include "core/core.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define THREADS  4
#define ROUNDS   50000
#define US_PER_S 1000000

/* The page, NUL-terminated, to be freed. */
static char *page_of(core_metrics *metrics) {
    core_buffer out;
    core_buffer_init(&out, 1024 * 1024);
    core_metrics_write(metrics, &out);
    core_buffer_u8(&out, '\0');
    assert_true(core_buffer_ok(&out));
    return (char *)out.data;
}

static void assert_on_page(core_metrics *metrics, const char *line) {
    char *page = page_of(metrics);
    if (strstr(page, line) == NULL)
        fail_msg("not on the page: %s", line);
    free(page);
}

static void counters_and_gauges_show(void **state) {
    (void)state;
    core_metrics *metrics = core_metrics_new();
    core_metrics_add(metrics, CORE_METRIC_CDC_ROWS, 40);
    core_metrics_add(metrics, CORE_METRIC_CDC_ROWS, 2);
    core_metrics_set(metrics, CORE_METRIC_CDC_CONFIRMED_LSN, INT64_C(23456789012));
    core_metrics_set(metrics, CORE_METRIC_WS_CONNECTIONS, 5);
    core_metrics_add(metrics, CORE_METRIC_WS_CONNECTIONS, -1);
    assert_int_equal(core_metrics_get(metrics, CORE_METRIC_CDC_ROWS), 42);
    assert_on_page(metrics, "# TYPE walcast_cdc_rows_total counter\nwalcast_cdc_rows_total 42\n");
    assert_on_page(metrics, "# TYPE walcast_cdc_confirmed_lsn gauge\n"
                            "walcast_cdc_confirmed_lsn 23456789012\n");
    assert_on_page(metrics, "\nwalcast_ws_connections 4\n");
    core_metrics_free(metrics);
}

static void histograms_are_cumulative(void **state) {
    (void)state;
    core_metrics *metrics = core_metrics_new();
    static const int64_t values_us[] = {-5,   0,       100,           101,
                                        1000, 2500000, 60 * US_PER_S, 61 * US_PER_S};
    for (size_t i = 0; i < CORE_COUNT_OF(values_us); i++)
        core_metrics_observe(metrics, CORE_METRIC_WS_DELIVERY_SECONDS, values_us[i]);
    assert_int_equal(core_metrics_get(metrics, CORE_METRIC_WS_DELIVERY_SECONDS), 8);
    assert_on_page(metrics, "# TYPE walcast_ws_delivery_seconds histogram\n"
                            "walcast_ws_delivery_seconds_bucket{le=\"0.000100\"} 3\n"
                            "walcast_ws_delivery_seconds_bucket{le=\"0.000250\"} 4\n");
    assert_on_page(metrics, "_delivery_seconds_bucket{le=\"0.001000\"} 5\n");
    assert_on_page(metrics, "_delivery_seconds_bucket{le=\"1.000000\"} 5\n");
    assert_on_page(metrics, "_delivery_seconds_bucket{le=\"2.500000\"} 6\n");
    assert_on_page(metrics, "_delivery_seconds_bucket{le=\"60.000000\"} 7\n"
                            "walcast_ws_delivery_seconds_bucket{le=\"+Inf\"} 8\n"
                            "walcast_ws_delivery_seconds_sum 123.501201\n"
                            "walcast_ws_delivery_seconds_count 8\n");
    core_metrics_free(metrics);
}

static void *count_up(void *context) {
    core_metrics *metrics = context;
    for (int i = 0; i < ROUNDS; i++) {
        core_metrics_add(metrics, CORE_METRIC_WS_FRAMES_SENT, 1);
        core_metrics_observe(metrics, CORE_METRIC_FANOUT_ACK_SECONDS, i);
    }
    return NULL;
}

static void threads_lose_no_count(void **state) {
    (void)state;
    core_metrics *metrics = core_metrics_new();
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count_up, metrics), 0);
    free(page_of(metrics)); /* reading goes on meanwhile */
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(core_metrics_get(metrics, CORE_METRIC_WS_FRAMES_SENT), THREADS * ROUNDS);
    assert_int_equal(core_metrics_get(metrics, CORE_METRIC_FANOUT_ACK_SECONDS), THREADS * ROUNDS);
    core_metrics_free(metrics);
}

static void nobody_has_to_count(void **state) {
    (void)state;
    core_metrics_add(NULL, CORE_METRIC_CDC_ROWS, 1);
    core_metrics_set(NULL, CORE_METRIC_CDC_STREAMING, 1);
    core_metrics_observe(NULL, CORE_METRIC_WS_DELIVERY_SECONDS, 1);
    assert_int_equal(core_metrics_get(NULL, CORE_METRIC_CDC_ROWS), 0);
    core_metrics_free(NULL);
}

/* A figure from the page, -1 when it is not there. */
static long long figure(const char *name) {
    char *page = page_of(NULL), line[128];
    (void)snprintf(line, sizeof line, "\n%s ", name);
    const char *at = strstr(page, line);
    long long value = at != NULL ? strtoll(at + strlen(line), NULL, 10) : -1;
    free(page);
    return value;
}

static void the_process_has_its_figures(void **state) {
    (void)state;
    assert_true(figure("process_resident_memory_bytes") > 100000);
    assert_true(figure("process_virtual_memory_bytes") > 100000);
    assert_true(figure("process_cpu_seconds_total") >= 0);
    assert_true(figure("process_max_fds") > 0);
    long long started_s = figure("process_start_time_seconds");
    long long now_s = core_clock_wall_us(core_clock_system()) / US_PER_S;
    assert_in_range(started_s, now_s - 3600, now_s + 2);
    long long before = figure("process_open_fds");
    FILE *file = fopen("/dev/null", "re");
    assert_non_null(file);
    assert_int_equal(figure("process_open_fds"), before + 1);
    (void)fclose(file);
}

/* malloc must be jemalloc's: what the program takes shows in jemalloc's own figures. */
static void the_allocator_is_jemalloc(void **state) {
    (void)state;
#ifdef WALCAST_SANITIZED
    assert_int_equal(figure("walcast_core_allocator_allocated_bytes"), -1);
#else
    const long long taken = 32 * 1024 * 1024;
    long long before = figure("walcast_core_allocator_allocated_bytes");
    assert_true(before > 0);
    char *memory = malloc((size_t)taken);
    assert_non_null(memory);
    memset(memory, 1, (size_t)taken);
    assert_true(figure("walcast_core_allocator_allocated_bytes") >= before + taken);
    assert_true(figure("walcast_core_allocator_resident_bytes") >= taken);
    free(memory);
    assert_true(figure("walcast_core_allocator_allocated_bytes") < before + taken);
#endif
}

/* Every line is a comment or `name[{label}] number`, and every metric has HELP and TYPE. */
static void the_page_is_well_formed(void **state) {
    (void)state;
    core_metrics *metrics = core_metrics_new();
    char *page = page_of(metrics);
    size_t helps = 0, types = 0;
    for (const char *line = page; *line != '\0'; line += strcspn(line, "\n") + 1) {
        helps += strncmp(line, "# HELP ", 7) == 0;
        types += strncmp(line, "# TYPE ", 7) == 0;
        if (line[0] == '#')
            continue;
        size_t name = strspn(line, "abcdefghijklmnopqrstuvwxyz_");
        assert_true(name > 0);
        const char *value = strchr(line, ' ');
        assert_non_null(value);
        assert_int_equal(value[1 + strspn(value + 1, "-0123456789.")], '\n');
    }
    assert_int_equal(helps, types);
    assert_true(helps >= CORE_METRIC_COUNT);
    free(page);
    core_metrics_free(metrics);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counters_and_gauges_show),    cmocka_unit_test(histograms_are_cumulative),
        cmocka_unit_test(threads_lose_no_count),       cmocka_unit_test(nobody_has_to_count),
        cmocka_unit_test(the_process_has_its_figures), cmocka_unit_test(the_allocator_is_jemalloc),
        cmocka_unit_test(the_page_is_well_formed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
