/* The shared means of the fanout room's tests; see house.h. */
#include "tests/integration/fanout/house.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { REOPEN_TIMEOUT_MS = 30000, REOPEN_STEP_MS = 20 };

int64_t house_now_ms(void) {
    return core_clock_ms(core_clock_system());
}

void house_set(fanout_house *house, const char *key, const char *value) {
    core_error error = {0};
    if (!core_config_set(house->config, key, value, "test", &error))
        fail_msg("%s: %s", key, error.text);
    house->spec = fanout_stream_change_spec(house->config, house->subjects, sizeof house->subjects);
}

void house_open(fanout_house *house, const char *extra) {
    *house = (struct fanout_house){0};
    nats_server_start(&house->server, extra);
    house->config = core_config_load("/dev/null", stderr);
    assert_non_null(house->config);
    const char *level = getenv("WALCAST_TEST_LOG");
    if (level != NULL)
        house->log = core_log_new(STDERR_FILENO, CORE_LOG_DEBUG, false, core_clock_system());
    house_set(house, "nats.url", house->server.url);
    house_set(house, "nats.ack_timeout", "2s");
    house_set(house, "nats.connect_timeout", "2s");
}

void house_close(fanout_house *house) {
    core_config_free(house->config);
    core_log_free(house->log);
    nats_server_remove(&house->server);
}

fanout_publisher *house_publisher(fanout_house *house) {
    core_error error = {0};
    fanout_publisher *publisher = fanout_publisher_new(house->config, &house->spec, house->log,
                                                       NULL, core_clock_system(), &error);
    if (publisher == NULL)
        fail_msg("%s", error.text);
    return publisher;
}

const fanout_tail *house_reopen(fanout_publisher *publisher) {
    static const struct timespec step = {.tv_nsec = REOPEN_STEP_MS * CORE_NS_PER_MS};
    const fanout_tail *tail = NULL;
    core_error error = {0};
    int64_t deadline = house_now_ms() + REOPEN_TIMEOUT_MS;
    while (!fanout_publisher_open(publisher, &tail, &error)) {
        if (error.code != CORE_ERROR_TRANSIENT || house_now_ms() > deadline)
            fail_msg("open: %s: %s", core_error_code_name(error.code), error.text);
        (void)nanosleep(&step, NULL);
    }
    return tail;
}

void house_wait(fanout_publisher *publisher, int timeout_ms) {
    struct pollfd wake = {.fd = fanout_publisher_wake_fd(publisher), .events = POLLIN};
    if (fanout_publisher_sleep(publisher))
        (void)poll(&wake, 1, timeout_ms);
    fanout_publisher_wake_clear(publisher);
}

bool house_send(fanout_publisher *publisher, const char *subject, core_slice payload,
                uint64_t *sequence, core_error *error) {
    uint64_t acked = 0;
    for (;;) {
        fanout_send_result result =
            fanout_publisher_send(publisher, subject, payload, sequence, error);
        if (result != FANOUT_FULL)
            return result == FANOUT_SENT;
        house_wait(publisher, 100);
        if (!fanout_publisher_poll(publisher, &acked, error))
            return false;
    }
}

bool house_settle(fanout_publisher *publisher, uint64_t *acked, core_error *error) {
    for (;;) {
        if (!fanout_publisher_poll(publisher, acked, error))
            return false;
        if (fanout_publisher_window(publisher) == 0)
            return true;
        house_wait(publisher, 100);
    }
}

core_slice house_number(char text[32], uint64_t number) {
    int length = snprintf(text, 32, "%" PRIu64, number);
    return core_slice_make(text, (size_t)length);
}

uint64_t house_parse(core_slice payload) {
    uint64_t number = 0;
    if (!core_slice_to_u64(payload, &number))
        fail_msg("not a number: '%.*s'", CORE_SLICE_ARGS(payload));
    return number;
}

uint64_t house_stored(fanout_connection *connection, uint64_t sequence) {
    core_buffer payload;
    core_error error = {0};
    core_buffer_init(&payload, 4096);
    if (!fanout_stream_message(connection, "WALCAST", sequence, &payload, &error))
        fail_msg("sequence %" PRIu64 ": %s", sequence, error.text);
    uint64_t number = house_parse(core_buffer_slice(&payload));
    core_buffer_fini(&payload);
    return number;
}
