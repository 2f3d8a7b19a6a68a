/* The courier and logs against a real nats-server: appends under a fence, answers that come late,
 * one message of a subject after another, and a server that dies under way. */
#include "tests/integration/fanout/house.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANSWERED 16

typedef struct {
    size_t count;
    uint64_t tags[ANSWERED];
    core_error_code codes[ANSWERED];
    fanout_answer last;
    char payload[64];
} answers;

static void on_answer(void *context, uint64_t tag, const fanout_answer *answer,
                      const core_error *error) {
    answers *got = context;
    got->tags[got->count % ANSWERED] = tag;
    got->codes[got->count % ANSWERED] = error != NULL ? error->code : CORE_ERROR_NONE;
    got->count++;
    got->last = *answer;
    got->last.payload = (core_slice){0};
    (void)!core_slice_to_text(answer->payload, got->payload, sizeof got->payload);
}

typedef struct {
    fanout_house house;
    fanout_courier *courier;
    fanout_connection *connection;
    char names[4][FANOUT_NAME_MAX];
    char subjects[4][CORE_SUBJECT_MAX];
    answers got;
} desk;

static void desk_open(desk *d) {
    core_error error = {0};
    fanout_stream_info info;
    *d = (desk){0};
    house_open(&d->house, NULL);
    d->courier = fanout_courier_new(d->house.config, "test courier", d->house.log,
                                    core_clock_system(), &error);
    assert_non_null(d->courier);
    d->connection = fanout_connection_new(d->house.config, "test", d->house.log, NULL, &error);
    assert_non_null(d->connection);
    for (int work = 0; work < 4; work++) {
        const fanout_stream_spec spec = fanout_stream_work_spec(d->house.config, (fanout_work)work,
                                                                d->names[work], d->subjects[work]);
        if (!fanout_stream_ensure(d->connection, &spec, &info, &error))
            fail_msg("%s", error.text);
        if (!fanout_stream_ensure(d->connection, &spec, &info, &error))
            fail_msg("again: %s", error.text);
    }
}

static void desk_close(desk *d) {
    fanout_courier_free(d->courier);
    fanout_connection_free(d->connection);
    house_close(&d->house);
}

static void desk_wait(desk *d, size_t count) {
    int64_t deadline = house_now_ms() + 20000;
    while (d->got.count < count) {
        struct pollfd wake = {.fd = fanout_courier_wake_fd(d->courier), .events = POLLIN};
        fanout_courier_flush(d->courier);
        (void)poll(&wake, 1, 20);
        fanout_courier_poll(d->courier);
        assert_true(house_now_ms() < deadline);
    }
}

static fanout_reply reply_to(desk *d, uint64_t tag) {
    return (fanout_reply){.on_answer = on_answer, .context = &d->got, .tag = tag};
}

/* Sends once there is a connection, and waits for the answer. */
static core_error_code desk_publish(desk *d, const fanout_parcel *parcel) {
    core_error error = {0};
    size_t before = d->got.count;
    while (!fanout_courier_publish(d->courier, parcel, reply_to(d, 7), &error)) {
        assert_int_equal(error.code, CORE_ERROR_TRANSIENT);
        fanout_courier_poll(d->courier);
    }
    desk_wait(d, before + 1);
    return d->got.codes[before % ANSWERED];
}

static core_error_code append(desk *d, const char *subject, uint64_t expected, const char *text) {
    const fanout_parcel parcel = {.subject = subject,
                                  .is_fenced = true,
                                  .expected_sequence = expected,
                                  .payload = core_slice_text(text)};
    return desk_publish(d, &parcel);
}

static void test_an_append_needs_the_last_record(void **state) {
    desk d;
    char log[CORE_SUBJECT_MAX], other[CORE_SUBJECT_MAX];
    (void)state;
    desk_open(&d);
    assert_true(core_subject_work(d.house.config, "deliveries", "00", log));
    assert_string_equal(log, "atlasdb.deliveries.default.00");
    assert_true(core_subject_work(d.house.config, "deliveries", "01", other));
    assert_int_equal(append(&d, log, 0, "a"), CORE_ERROR_NONE);
    uint64_t first = d.got.last.sequence;
    assert_int_equal(append(&d, log, 0, "stale"), CORE_ERROR_CONFLICT);
    assert_int_equal(append(&d, other, 0, "elsewhere"), CORE_ERROR_NONE);
    assert_int_equal(append(&d, log, first, "b"), CORE_ERROR_NONE);
    assert_int_equal(append(&d, log, first, "stale"), CORE_ERROR_CONFLICT);
    desk_close(&d);
}

static bool keep(void *context, const fanout_message *message, core_error *error) {
    char *text = context;
    (void)error;
    strncat(text, (const char *)message->payload.data, message->payload.length);
    return true;
}

static void test_a_log_is_read_from_a_record_to_the_last(void **state) {
    desk d;
    char log[CORE_SUBJECT_MAX], text[64] = "";
    core_buffer last;
    core_error error = {0};
    uint64_t sequence = 99, second = 0;
    (void)state;
    desk_open(&d);
    core_buffer_init(&last, 1024);
    const char *stream = d.names[FANOUT_WORK_DELIVERIES];
    assert_true(core_subject_work(d.house.config, "deliveries", "00", log));
    assert_true(fanout_log_end(d.connection, stream, log, &last, &sequence, &error));
    assert_int_equal(sequence, 0);
    for (char letter[] = "a"; letter[0] <= 'e'; letter[0]++) {
        assert_int_equal(append(&d, log, sequence, letter), CORE_ERROR_NONE);
        sequence = d.got.last.sequence;
        second = letter[0] == 'b' ? sequence : second;
    }
    assert_true(fanout_log_end(d.connection, stream, log, &last, &sequence, &error));
    assert_true(core_slice_is(core_buffer_slice(&last), "e"));
    fanout_log_range range = {.stream = stream, .subject = log, .first = second, .last = sequence};
    assert_true(fanout_log_read(d.connection, &range, keep, text, &error));
    assert_string_equal(text, "bcde");
    core_buffer_fini(&last);
    desk_close(&d);
}

static core_error_code desk_next(desk *d, const char *stream, const char *subject,
                                 uint64_t sequence) {
    core_error error = {0};
    size_t before = d->got.count;
    assert_true(fanout_courier_next(d->courier, stream, subject, sequence, reply_to(d, 8), &error));
    desk_wait(d, before + 1);
    return d->got.codes[before % ANSWERED];
}

static void test_parked_ones_are_found_one_after_another_and_purged(void **state) {
    desk d;
    char mine[CORE_SUBJECT_MAX], other[CORE_SUBJECT_MAX];
    core_error error = {0};
    (void)state;
    desk_open(&d);
    const char *stream = d.names[FANOUT_WORK_PARKED];
    assert_true(core_subject_work(d.house.config, "parked", "00aa", mine));
    assert_true(core_subject_work(d.house.config, "parked", "00bb", other));
    const fanout_parcel parcels[] = {
        {.subject = mine, .id = "1", .payload = core_slice_text("one")},
        {.subject = other, .id = "2", .payload = core_slice_text("two")},
        {.subject = mine, .id = "3", .payload = core_slice_text("three")},
    };
    for (size_t i = 0; i < CORE_COUNT_OF(parcels); i++)
        assert_int_equal(desk_publish(&d, &parcels[i]), CORE_ERROR_NONE);
    assert_int_equal(desk_publish(&d, &parcels[2]), CORE_ERROR_NONE);
    assert_true(d.got.last.is_duplicate);
    assert_int_equal(desk_next(&d, stream, mine, 0), CORE_ERROR_NONE);
    assert_string_equal(d.got.payload, "one");
    assert_int_equal(desk_next(&d, stream, mine, d.got.last.sequence + 1), CORE_ERROR_NONE);
    assert_string_equal(d.got.payload, "three");
    uint64_t end = d.got.last.sequence;
    assert_int_equal(desk_next(&d, stream, mine, end + 1), CORE_ERROR_INPUT);
    size_t before = d.got.count;
    assert_true(fanout_courier_purge(d.courier, stream, mine, end, reply_to(&d, 9), &error));
    desk_wait(&d, before + 1);
    assert_int_equal(d.got.codes[before % ANSWERED], CORE_ERROR_NONE);
    assert_int_equal(desk_next(&d, stream, mine, 0), CORE_ERROR_INPUT);
    assert_int_equal(desk_next(&d, stream, other, 0), CORE_ERROR_NONE);
    desk_close(&d);
}

static void test_a_full_stream_refuses(void **state) {
    desk d;
    char mine[CORE_SUBJECT_MAX];
    static char large[400 * 1024];
    (void)state;
    desk_open(&d);
    fanout_stream_info info;
    core_error error = {0};
    house_set(&d.house, "triggers.parked_bytes", "1MiB");
    const fanout_stream_spec spec =
        fanout_stream_work_spec(d.house.config, FANOUT_WORK_PARKED, d.names[FANOUT_WORK_PARKED],
                                d.subjects[FANOUT_WORK_PARKED]);
    assert_true(fanout_stream_ensure(d.connection, &spec, &info, &error));
    assert_int_equal(info.max_bytes, 1024 * 1024);
    assert_true(core_subject_work(d.house.config, "parked", "00aa", mine));
    const fanout_parcel parcel = {.subject = mine, .payload = core_slice_make(large, sizeof large)};
    assert_int_equal(desk_publish(&d, &parcel), CORE_ERROR_NONE);
    assert_int_equal(desk_publish(&d, &parcel), CORE_ERROR_NONE);
    assert_int_equal(desk_publish(&d, &parcel), CORE_ERROR_FULL);
    desk_close(&d);
}

/* What is under way when the server dies is answered, and the courier goes on by itself. */
static void test_a_killed_server_is_told_and_survived(void **state) {
    desk d;
    char log[CORE_SUBJECT_MAX];
    core_error error = {0};
    (void)state;
    desk_open(&d);
    assert_true(core_subject_work(d.house.config, "deliveries", "00", log));
    assert_int_equal(append(&d, log, 0, "a"), CORE_ERROR_NONE);
    uint64_t sequence = d.got.last.sequence;
    nats_server_pause(&d.house.server);
    const fanout_parcel parcel = {.subject = log,
                                  .is_fenced = true,
                                  .expected_sequence = sequence,
                                  .payload = core_slice_text("b")};
    size_t before = d.got.count;
    assert_true(fanout_courier_publish(d.courier, &parcel, reply_to(&d, 1), &error));
    assert_true(fanout_courier_publish(d.courier, &parcel, reply_to(&d, 2), &error));
    fanout_courier_flush(d.courier);
    nats_server_resume(&d.house.server);
    nats_server_kill(&d.house.server);
    desk_wait(&d, before + 2);
    assert_int_equal(d.got.tags[before % ANSWERED], 1);
    assert_int_equal(d.got.tags[(before + 1) % ANSWERED], 2);
    assert_int_not_equal(d.got.codes[(before + 1) % ANSWERED], CORE_ERROR_NONE);
    nats_server_restart(&d.house.server);
    core_error_code code;
    while ((code = append(&d, log, sequence, "c")) == CORE_ERROR_TRANSIENT)
        assert_true(d.got.count < 1000);
    /* "b" was stored or not: then this one does not fit. */
    assert_true(code == CORE_ERROR_NONE || code == CORE_ERROR_CONFLICT);
    desk_close(&d);
}

static void test_a_paused_server_is_overdue(void **state) {
    desk d;
    char log[CORE_SUBJECT_MAX];
    (void)state;
    desk_open(&d);
    assert_true(core_subject_work(d.house.config, "deliveries", "00", log));
    assert_int_equal(append(&d, log, 0, "a"), CORE_ERROR_NONE);
    nats_server_pause(&d.house.server);
    int64_t before_ms = house_now_ms();
    assert_int_equal(append(&d, log, 1, "b"), CORE_ERROR_TRANSIENT);
    assert_true(house_now_ms() - before_ms >= 1900);
    nats_server_resume(&d.house.server);
    desk_close(&d);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_append_needs_the_last_record),
        cmocka_unit_test(test_a_log_is_read_from_a_record_to_the_last),
        cmocka_unit_test(test_parked_ones_are_found_one_after_another_and_purged),
        cmocka_unit_test(test_a_full_stream_refuses),
        cmocka_unit_test(test_a_killed_server_is_told_and_survived),
        cmocka_unit_test(test_a_paused_server_is_overdue),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
