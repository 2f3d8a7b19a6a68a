/* How fast the fenced publisher alone fills a stream, every message acknowledged.
 *
 *   micro_publish NATS_URL MESSAGES BYTES
 *
 * Makes the stream that the configuration names on that server (a scratch one: the stream is
 * filled), publishes MESSAGES payloads of BYTES as fast as the window lets it, waits for the last
 * ack, and prints messages and megabytes a second and our own processor time a message. The floor
 * of a drain whose runs hold one row each. */
#include "bench/load/samples.h"
#include "fanout/fanout.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void check(bool good, const core_error *error) {
    if (!good)
        bench_fail("%s", error->text);
}

static void wait_for_acks(fanout_publisher *publisher) {
    struct pollfd wake = {.fd = fanout_publisher_wake_fd(publisher), .events = POLLIN};
    if (fanout_publisher_sleep(publisher))
        (void)poll(&wake, 1, 1000);
    fanout_publisher_wake_clear(publisher);
}

static void publish_all(fanout_publisher *publisher, core_slice payload, int64_t messages) {
    core_error error = {0};
    uint64_t acked = 0, sequence = 0, last = 0;
    for (int64_t sent = 0; sent < messages || acked < last;) {
        fanout_send_result result = FANOUT_FULL;
        if (sent < messages)
            result = fanout_publisher_send(publisher, "atlasdb.bench.dev.t.INSERT", payload,
                                           &sequence, &error);
        check(result != FANOUT_BROKEN, &error);
        if (result == FANOUT_SENT) {
            last = sequence;
            sent++;
            continue;
        }
        check(fanout_publisher_poll(publisher, &acked, &error), &error);
        if (fanout_publisher_window(publisher) > 0)
            wait_for_acks(publisher);
    }
}

static void publish_and_report(fanout_publisher *publisher, int64_t messages, size_t bytes) {
    char *payload = calloc(1, bytes);
    if (payload == NULL)
        bench_fail("no memory for %zu bytes", bytes);
    int64_t start_us = bench_now_us();
    clock_t start_cpu = clock();
    publish_all(publisher, core_slice_make(payload, bytes), messages);
    double seconds = (double)(bench_now_us() - start_us) / 1e6;
    double cpu_us = (double)(clock() - start_cpu) * 1e6 / CLOCKS_PER_SEC;
    printf("%.0f messages/s, %.1f MB/s, %.2f us of processor time a message\n",
           (double)messages / seconds, (double)messages * (double)bytes / seconds / 1e6,
           cpu_us / (double)messages);
    free(payload);
}

int main(int argc, char **argv) {
    core_error error = {0};
    const fanout_tail *tail = NULL;
    char subjects[CORE_SUBJECT_MAX];
    if (argc != 4)
        bench_fail("usage: micro_publish NATS_URL MESSAGES BYTES");
    int64_t messages = bench_number("MESSAGES", argv[2], 1, 100000000);
    size_t bytes = (size_t)bench_number("BYTES", argv[3], 1, 1000000);
    core_config *config = core_config_load(NULL, stderr);
    core_log *log = core_log_new(2, CORE_LOG_WARN, false, core_clock_system());
    core_metrics *metrics = core_metrics_new();
    if (config == NULL || log == NULL || metrics == NULL)
        bench_fail("cannot set up");
    check(core_config_set(config, "nats.url", argv[1], "command line", &error), &error);
    fanout_stream_spec spec = fanout_stream_change_spec(config, subjects, sizeof subjects);
    fanout_publisher *publisher =
        fanout_publisher_new(config, &spec, log, metrics, core_clock_system(), &error);
    check(publisher != NULL && fanout_publisher_open(publisher, &tail, &error), &error);
    publish_and_report(publisher, messages, bytes);
    fanout_publisher_free(publisher);
    core_metrics_free(metrics);
    core_log_free(log);
    core_config_free(config);
    return 0;
}
