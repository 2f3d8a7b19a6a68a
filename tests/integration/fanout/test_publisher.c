/* The fenced publisher against a real nats-server: what is stored, each once and in order, whatever
 * else writes to the stream and however often the server dies. */
#include "tests/integration/fanout/house.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <nats/nats.h>

/* A program that is not Walcast publishes one message; the fence does not know it. */
static void publish_foreign(fanout_house *house) {
    natsConnection *nats = NULL;
    jsCtx *jetstream = NULL;
    assert_int_equal(natsConnection_ConnectTo(&nats, house->server.url), NATS_OK);
    assert_int_equal(natsConnection_JetStream(&jetstream, nats, NULL), NATS_OK);
    assert_int_equal(js_Publish(NULL, jetstream, HOUSE_SUBJECT, "999999999", 9, NULL, NULL),
                     NATS_OK);
    jsCtx_Destroy(jetstream);
    natsConnection_Destroy(nats);
}

/* Publishes numbers from what the tail says up to `count`, opening again whenever it breaks. The
 * stream's message k must be number k. Returns how often it broke. */
static int publish_up_to(fanout_house *house, fanout_publisher *publisher, uint64_t count,
                         uint64_t kill_every) {
    core_error error = {0};
    uint64_t acked = 0, sequence = 0, next = 1, kill_at = kill_every;
    int breaks = 0;
    char text[32];
    while (acked < count) {
        const fanout_tail *tail = house_reopen(publisher);
        assert_true(tail->stream.last_sequence >= acked);
        next = tail->has_message ? house_parse(core_buffer_slice(&tail->payload)) + 1 : 1;
        assert_int_equal(next, tail->stream.last_sequence + 1);
        bool ok = true;
        while (ok && next <= count) {
            ok = house_send(publisher, HOUSE_SUBJECT, house_number(text, next), &sequence, &error);
            if (ok)
                assert_int_equal(sequence, next++);
            if (kill_every != 0 && next >= kill_at) {
                nats_server_restart(&house->server);
                kill_at += kill_every;
            }
        }
        if (!ok || !house_settle(publisher, &acked, &error))
            breaks++;
    }
    return breaks;
}

static void assert_whole(fanout_house *house, fanout_publisher *publisher, uint64_t count) {
    fanout_stream_info info;
    core_error error = {0};
    fanout_connection *connection = fanout_publisher_connection(publisher);
    assert_true(fanout_stream_inspect(connection, house->spec.name, &info, &error));
    assert_int_equal(info.last_sequence, count);
    assert_int_equal(info.messages, count);
    assert_int_equal(info.deleted, 0);
    for (uint64_t sequence = 1; sequence <= count; sequence += 1 + count / 500)
        assert_int_equal(house_stored(connection, sequence), sequence);
}

static void test_stores_each_once(void **state) {
    fanout_house house;
    (void)state;
    house_open(&house, NULL);
    fanout_publisher *publisher = house_publisher(&house);
    assert_int_equal(publish_up_to(&house, publisher, 20000, 0), 0);
    assert_whole(&house, publisher, 20000);
    fanout_publisher_free(publisher);
    house_close(&house);
}

static void test_killed_server_loses_and_doubles_nothing(void **state) {
    enum { KILLS = 20, EACH = 1500 };
    fanout_house house;
    (void)state;
    house_open(&house, NULL);
    fanout_publisher *publisher = house_publisher(&house);
    int breaks = publish_up_to(&house, publisher, (uint64_t)KILLS * EACH + 700, EACH);
    assert_true(breaks >= KILLS);
    assert_whole(&house, publisher, (uint64_t)KILLS * EACH + 700);
    fanout_publisher_free(publisher);
    house_close(&house);
}

static void test_foreign_message_in_mid_pipeline_breaks(void **state) {
    fanout_house house;
    core_error error = {0};
    uint64_t sequence = 0, acked = 0, foreign_at = 0;
    char text[32];
    (void)state;
    house_open(&house, NULL);
    fanout_publisher *publisher = house_publisher(&house);
    (void)house_reopen(publisher);
    bool ok = true;
    for (uint64_t n = 1; ok && n <= 2000; n++) {
        if (n == 500) {
            ok = house_settle(publisher, &acked, &error);
            foreign_at = acked + 1;
            publish_foreign(&house);
        }
        ok = ok && house_send(publisher, HOUSE_SUBJECT, house_number(text, n), &sequence, &error);
    }
    ok = ok && house_settle(publisher, &acked, &error);
    assert_false(ok);
    assert_int_equal(error.code, CORE_ERROR_CONFLICT);
    const fanout_tail *tail = house_reopen(publisher);
    assert_int_equal(tail->stream.last_sequence, foreign_at); /* nothing of ours after it */
    assert_int_equal(house_parse(core_buffer_slice(&tail->payload)), 999999999);
    fanout_publisher_free(publisher);
    house_close(&house);
}

static void test_stale_writer_is_refused(void **state) {
    fanout_house house;
    core_error error = {0};
    uint64_t sequence = 0, acked = 0;
    char text[32];
    (void)state;
    house_open(&house, NULL);
    fanout_publisher *stale = house_publisher(&house), *fresh = house_publisher(&house);
    (void)house_reopen(stale);
    for (uint64_t n = 1; n <= 100; n++)
        assert_true(house_send(stale, HOUSE_SUBJECT, house_number(text, n), &sequence, &error));
    assert_true(house_settle(stale, &acked, &error));
    (void)house_reopen(fresh); /* takes over while the first one believes itself alone */
    for (uint64_t n = 101; n <= 110; n++)
        assert_true(house_send(fresh, HOUSE_SUBJECT, house_number(text, n), &sequence, &error));
    assert_true(house_settle(fresh, &acked, &error));
    bool ok = true;
    for (uint64_t n = 101; ok && n <= 140; n++) /* its numbers would fit again from 111 on */
        ok = house_send(stale, HOUSE_SUBJECT, house_number(text, 7000 + n), &sequence, &error);
    assert_false(ok && house_settle(stale, &acked, &error));
    assert_int_equal(error.code, CORE_ERROR_CONFLICT);
    assert_true(house_send(fresh, HOUSE_SUBJECT, house_number(text, 111), &sequence, &error));
    assert_true(house_settle(fresh, &acked, &error));
    assert_whole(&house, fresh, 111);
    fanout_publisher_free(stale);
    fanout_publisher_free(fresh);
    house_close(&house);
}

static void test_full_stream_says_so_and_goes_on(void **state) {
    fanout_house house;
    core_error error = {0};
    uint64_t sequence = 0, acked = 0, n = 0;
    char filler[4096];
    (void)state;
    house_open(&house, NULL);
    house_set(&house, "nats.max_bytes", "1MiB");
    memset(filler, 'x', sizeof filler);
    fanout_publisher *publisher = house_publisher(&house);
    (void)house_reopen(publisher);
    bool ok = true;
    while (ok && n++ < 1000)
        ok = house_send(publisher, HOUSE_SUBJECT, core_slice_make(filler, sizeof filler), &sequence,
                        &error);
    assert_false(ok && house_settle(publisher, &acked, &error));
    assert_int_equal(error.code, CORE_ERROR_FULL);
    assert_non_null(strstr(error.text, "maximum bytes exceeded"));
    assert_non_null(strstr(error.text, "nats.max_bytes"));
    fanout_publisher_free(publisher);
    house_set(&house, "nats.max_bytes", "64MiB");
    publisher = house_publisher(&house);
    uint64_t held = house_reopen(publisher)->stream.last_sequence;
    assert_in_range(held, 200, 260);
    assert_true(house_send(publisher, HOUSE_SUBJECT, core_slice_text("more"), &sequence, &error));
    assert_true(house_settle(publisher, &acked, &error));
    assert_int_equal(acked, held + 1);
    fanout_publisher_free(publisher);
    house_close(&house);
}

static void test_silent_server_times_out(void **state) {
    fanout_house house;
    core_error error = {0};
    uint64_t sequence = 0, acked = 0;
    (void)state;
    house_open(&house, NULL);
    house_set(&house, "nats.ack_timeout", "300ms");
    fanout_publisher *publisher = house_publisher(&house);
    (void)house_reopen(publisher);
    nats_server_pause(&house.server);
    int64_t begun = house_now_ms();
    assert_true(house_send(publisher, HOUSE_SUBJECT, core_slice_text("1"), &sequence, &error));
    assert_false(house_settle(publisher, &acked, &error));
    assert_int_equal(error.code, CORE_ERROR_TRANSIENT);
    assert_non_null(strstr(error.text, "nats.ack_timeout"));
    assert_in_range(house_now_ms() - begun, 300, 5000);
    nats_server_resume(&house.server);
    const fanout_tail *tail = house_reopen(publisher);
    assert_in_range(tail->stream.last_sequence, 0,
                    1); /* stored late or dropped: the tail says it */
    fanout_publisher_free(publisher);
    house_close(&house);
}

static void test_message_beyond_max_payload_is_refused(void **state) {
    fanout_house house;
    core_error error = {0};
    uint64_t sequence = 0;
    (void)state;
    house_open(&house, "max_payload: 4096");
    fanout_publisher *publisher = house_publisher(&house);
    (void)house_reopen(publisher);
    char large[8192] = {0};
    assert_int_equal(fanout_publisher_send(publisher, HOUSE_SUBJECT,
                                           core_slice_make(large, sizeof large), &sequence, &error),
                     FANOUT_BROKEN);
    assert_int_equal(error.code, CORE_ERROR_LIMIT);
    assert_non_null(strstr(error.text, "max_payload"));
    fanout_publisher_free(publisher);
    house_close(&house);
}

/* The ack that made room may come between the refusal and the sleep. */
static void test_nobody_sleeps_who_was_refused_and_has_room(void **state) {
    fanout_house house;
    core_error error = {0};
    uint64_t sequence = 0, acked = 0;
    char text[32];
    (void)state;
    house_open(&house, NULL);
    fanout_publisher *publisher = house_publisher(&house);
    (void)house_reopen(publisher);
    const core_slice number = house_number(text, 1);
    assert_int_equal(fanout_publisher_send(publisher, HOUSE_SUBJECT, number, &sequence, &error),
                     FANOUT_SENT);
    assert_int_equal(fanout_publisher_send(publisher, HOUSE_SUBJECT, number, &sequence, &error),
                     FANOUT_FULL);
    struct pollfd wake = {.fd = fanout_publisher_wake_fd(publisher), .events = POLLIN};
    assert_true(fanout_publisher_sleep(publisher));
    while (fanout_publisher_window(publisher) > 0) {
        (void)poll(&wake, 1, 100);
        assert_true(fanout_publisher_poll(publisher, &acked, &error));
    }
    assert_false(fanout_publisher_sleep(publisher));
    assert_true(fanout_publisher_sleep(publisher)); /* it was told once */
    fanout_publisher_free(publisher);
    house_close(&house);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stores_each_once),
        cmocka_unit_test(test_killed_server_loses_and_doubles_nothing),
        cmocka_unit_test(test_foreign_message_in_mid_pipeline_breaks),
        cmocka_unit_test(test_stale_writer_is_refused),
        cmocka_unit_test(test_full_stream_says_so_and_goes_on),
        cmocka_unit_test(test_silent_server_times_out),
        cmocka_unit_test(test_message_beyond_max_payload_is_refused),
        cmocka_unit_test(test_nobody_sleeps_who_was_refused_and_has_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
