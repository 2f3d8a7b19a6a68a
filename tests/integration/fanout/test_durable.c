/* Durable consumers against a real nats-server: the place is the server's and moves by acks, over
 * restarts of both sides. */
#include "tests/integration/fanout/house.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <nats/nats.h>

enum { BATCH = 64, TIMEOUT_MS = 2000 };

typedef struct {
    fanout_house house;
    fanout_publisher *publisher;
    fanout_connection *connection;
} scene;

static fanout_durable_spec spec_of(void) {
    return (fanout_durable_spec){
        .stream = "WALCAST",
        .name = "worker",
        .filter = "atlasdb.default.dev.*.*",
        .from = FANOUT_FROM_FIRST,
        .ack_wait_ms = 500,
        .max_ack_pending = 1000,
    };
}

static void publish(scene *s, uint64_t first, uint64_t last) {
    core_error error = {0};
    uint64_t sequence = 0, acked = 0;
    char text[32];
    (void)house_reopen(s->publisher);
    for (uint64_t n = first; n <= last; n++)
        if (!house_send(s->publisher, HOUSE_SUBJECT, house_number(text, n), &sequence, &error))
            fail_msg("%s", error.text);
    if (!house_settle(s->publisher, &acked, &error))
        fail_msg("%s", error.text);
    assert_int_equal(acked, last);
}

static int scene_open(void **state) {
    core_error error = {0};
    scene *made = calloc(1, sizeof *made);
    assert_non_null(made);
    house_open(&made->house, NULL);
    made->publisher = house_publisher(&made->house);
    made->connection =
        fanout_connection_new(made->house.config, "test", made->house.log, NULL, &error);
    assert_non_null(made->connection);
    publish(made, 1, 100);
    *state = made;
    return 0;
}

static int scene_close(void **state) {
    scene *made = *state;
    fanout_connection_free(made->connection);
    fanout_publisher_free(made->publisher);
    house_close(&made->house);
    free(made);
    return 0;
}

static fanout_durable *must_open(scene *s, const fanout_durable_spec *spec) {
    core_error error = {0};
    fanout_durable *consumer = fanout_durable_new(s->connection, spec, s->house.log, &error);
    if (consumer == NULL)
        fail_msg("%s", error.text);
    return consumer;
}

/* Fetches and acks numbers first..last, in order. */
static void work(fanout_durable *consumer, uint64_t first, uint64_t last) {
    fanout_message messages[BATCH];
    core_error error = {0};
    int64_t deadline = house_now_ms() + 20000;
    for (uint64_t next = first; next <= last;) {
        size_t count = 0, capacity = last - next + 1 < BATCH ? last - next + 1 : BATCH;
        if (house_now_ms() > deadline)
            fail_msg("number %d does not come", (int)next);
        if (!fanout_durable_fetch(consumer, messages, capacity, TIMEOUT_MS, &count, &error)) {
            assert_int_equal(error.code, CORE_ERROR_TRANSIENT);
            continue;
        }
        for (size_t i = 0; i < count; i++, next++) {
            assert_int_equal(house_parse(messages[i].payload), next);
            assert_int_equal(messages[i].sequence, next);
            assert_string_equal(messages[i].subject, HOUSE_SUBJECT);
            assert_true(fanout_durable_ack(consumer, i, &error));
        }
    }
}

static void test_place_moves_by_acks(void **state) {
    scene *s = *state;
    fanout_durable_spec spec = spec_of();
    fanout_durable *consumer = must_open(s, &spec);
    work(consumer, 1, 40);
    fanout_durable_free(consumer);
    consumer = must_open(s, &spec); /* another process */
    work(consumer, 41, 100);
    fanout_durable_free(consumer);
}

static void test_what_is_not_acked_comes_again(void **state) {
    scene *s = *state;
    fanout_durable_spec spec = spec_of();
    fanout_message messages[10];
    core_error error = {0};
    size_t count = 0;
    fanout_durable *consumer = must_open(s, &spec);
    assert_true(fanout_durable_fetch(consumer, messages, 10, TIMEOUT_MS, &count, &error));
    assert_int_equal(count, 10);
    fanout_durable_free(consumer);
    consumer = must_open(s, &spec);
    bool again[11] = {false};
    for (size_t seen = 0; seen < 10;) { /* 1 to 10 come back after ack_wait, among the others */
        assert_true(fanout_durable_fetch(consumer, messages, 10, TIMEOUT_MS, &count, &error));
        for (size_t i = 0; i < count; i++) {
            uint64_t number = house_parse(messages[i].payload);
            if (number <= 10 && !again[number]) {
                again[number] = true;
                seen++;
            }
            assert_true(fanout_durable_ack(consumer, i, &error));
        }
    }
    fanout_durable_free(consumer);
}

/* A kill may undo the last acks: what they acked comes again, but nothing is left out. */
static void test_survives_a_kill(void **state) {
    scene *s = *state;
    fanout_durable_spec spec = spec_of();
    fanout_message messages[BATCH];
    core_error error = {0};
    bool seen[121] = {false};
    size_t left = 70, count = 0;
    fanout_durable *consumer = must_open(s, &spec);
    work(consumer, 1, 50);
    nats_server_restart(&s->house.server);
    publish(s, 101, 120);
    for (int64_t deadline = house_now_ms() + 20000; left > 0;) {
        if (house_now_ms() > deadline)
            fail_msg("%zu messages do not come", left);
        if (!fanout_durable_fetch(consumer, messages, BATCH, TIMEOUT_MS, &count, &error))
            continue;
        for (size_t i = 0; i < count; i++) {
            uint64_t number = house_parse(messages[i].payload);
            assert_in_range(number, 1, 120);
            left -= number > 50 && !seen[number] ? 1 : 0;
            seen[number] = true;
            assert_true(fanout_durable_ack(consumer, i, &error));
        }
    }
    fanout_durable_free(consumer);
}

static void test_waits_for_one_message_only(void **state) {
    scene *s = *state;
    fanout_durable_spec spec = spec_of();
    fanout_message messages[BATCH];
    core_error error = {0};
    size_t count = 1;
    spec.from = FANOUT_FROM_NEW;
    fanout_durable *consumer = must_open(s, &spec);
    int64_t begun = house_now_ms();
    assert_true(fanout_durable_fetch(consumer, messages, BATCH, 200, &count, &error));
    assert_int_equal(count, 0);
    assert_in_range(house_now_ms() - begun, 150, 1500);
    publish(s, 101, 101);
    begun = house_now_ms();
    assert_true(fanout_durable_fetch(consumer, messages, BATCH, 5000, &count, &error));
    assert_int_equal(count, 1);
    assert_in_range(house_now_ms() - begun, 0, 1000);
    fanout_durable_free(consumer);
}

/* A table's name may hold what JSON minds; the consumer's messages, and its later change, are of
 * that table all the same. */
static void test_a_filter_may_hold_quotes_and_backslashes(void **state) {
    static const char odd[] = "atlasdb.default.dev.od\"d\\t.INSERT";
    scene *s = *state;
    fanout_durable_spec spec = spec_of();
    fanout_message messages[BATCH];
    core_error error = {0};
    uint64_t sequence = 0;
    uint64_t acked = 0;
    size_t count = 0;
    (void)house_reopen(s->publisher);
    assert_true(house_send(s->publisher, odd, core_slice_text("odd"), &sequence, &error));
    assert_true(house_settle(s->publisher, &acked, &error));
    spec.filter = "atlasdb.default.dev.od\"d\\t.*";
    fanout_durable_free(must_open(s, &spec));
    spec.max_ack_pending = 10;
    fanout_durable *consumer = must_open(s, &spec);
    assert_true(fanout_durable_fetch(consumer, messages, BATCH, TIMEOUT_MS, &count, &error));
    assert_int_equal(count, 1);
    assert_string_equal(messages[0].subject, odd);
    assert_int_equal(messages[0].sequence, sequence);
    fanout_durable_free(consumer);
}

static void test_other_filter_is_refused_and_limits_follow(void **state) {
    scene *s = *state;
    fanout_durable_spec spec = spec_of();
    core_error error = {0};
    fanout_durable_free(must_open(s, &spec));
    spec.ack_wait_ms = 3000;
    spec.max_ack_pending = 10;
    fanout_durable_free(must_open(s, &spec));
    spec.filter = "atlasdb.default.dev.todos.*";
    assert_null(fanout_durable_new(s->connection, &spec, s->house.log, &error));
    assert_int_equal(error.code, CORE_ERROR_CONFIG);
    assert_non_null(strstr(error.text, "atlasdb.default.dev.todos.*"));
    assert_non_null(strstr(error.text, "atlasdb.default.dev.*.*"));
}

/* Fetches until it is told that the place is lost. */
static core_error must_lose(fanout_durable *consumer) {
    fanout_message messages[BATCH];
    core_error error = {0};
    size_t count = 0;
    for (int64_t deadline = house_now_ms() + 30000; error.code != CORE_ERROR_GAP;) {
        if (house_now_ms() > deadline)
            fail_msg("no loss is told: %s", error.text);
        bool ok = fanout_durable_fetch(consumer, messages, BATCH, 200, &count, &error);
        assert_true(!ok || count == 0);
    }
    return error;
}

static void wait_aged(scene *s) {
    core_error error = {0};
    fanout_stream_info info = {.messages = 1};
    for (int64_t deadline = house_now_ms() + 30000; info.messages > 0;) {
        assert_true(house_now_ms() < deadline);
        assert_true(fanout_stream_inspect(s->connection, "WALCAST", &info, &error));
    }
}

/* Both a process that runs and one that comes later are told, not sent on behind the hole. */
static void test_tells_that_history_aged_out(void **state) {
    scene *s = *state;
    fanout_durable_spec spec = spec_of();
    core_error error = {0};
    fanout_durable *consumer = must_open(s, &spec);
    work(consumer, 1, 40);
    fanout_publisher_free(s->publisher);
    house_set(&s->house, "nats.max_age", "1s");
    s->publisher = house_publisher(&s->house);
    (void)house_reopen(s->publisher);
    wait_aged(s);
    nats_server_restart(&s->house.server);
    assert_non_null(strstr(must_lose(consumer).text, "fetched up to sequence 40"));
    fanout_durable_free(consumer);
    assert_null(fanout_durable_new(s->connection, &spec, s->house.log, &error));
    assert_int_equal(error.code, CORE_ERROR_GAP);
    assert_non_null(strstr(error.text, "no longer holds what comes next"));
}

static void test_tells_that_the_stream_was_made_anew(void **state) {
    scene *s = *state;
    fanout_durable_spec spec = spec_of();
    natsConnection *nats = NULL;
    jsCtx *jetstream = NULL;
    fanout_durable *consumer = must_open(s, &spec);
    work(consumer, 1, 100);
    assert_int_equal(natsConnection_ConnectTo(&nats, s->house.server.url), NATS_OK);
    assert_int_equal(natsConnection_JetStream(&jetstream, nats, NULL), NATS_OK);
    assert_int_equal(js_DeleteStream(jetstream, "WALCAST", NULL, NULL), NATS_OK);
    jsCtx_Destroy(jetstream);
    natsConnection_Destroy(nats);
    publish(s, 1, 10);
    assert_non_null(strstr(must_lose(consumer).text, "made anew"));
    fanout_durable_free(consumer);
}

typedef struct {
    fanout_durable *consumer;
    const char *url;
    bool saw_waiting;
} cancelling;

/* Cancels once the server knows of a fetch that waits. */
static void *cancel_later(void *context) {
    cancelling *it = context;
    natsConnection *nats = NULL;
    jsCtx *jetstream = NULL;
    bool ok = natsConnection_ConnectTo(&nats, it->url) == NATS_OK &&
              natsConnection_JetStream(&jetstream, nats, NULL) == NATS_OK;
    for (int64_t deadline = house_now_ms() + 30000;
         ok && !it->saw_waiting && house_now_ms() < deadline;) {
        jsConsumerInfo *info = NULL;
        if (js_GetConsumerInfo(&info, jetstream, "WALCAST", "worker", NULL, NULL) == NATS_OK)
            it->saw_waiting = info->NumWaiting > 0;
        jsConsumerInfo_Destroy(info);
    }
    jsCtx_Destroy(jetstream);
    natsConnection_Destroy(nats);
    fanout_durable_cancel(it->consumer);
    return NULL;
}

static void test_a_cancelled_fetch_ends_at_once(void **state) {
    scene *s = *state;
    fanout_durable_spec spec = spec_of();
    fanout_message message;
    core_error error = {0};
    size_t count = 1;
    pthread_t thread;
    spec.from = FANOUT_FROM_NEW;
    cancelling it = {.consumer = must_open(s, &spec), .url = s->house.server.url};
    int64_t begun = house_now_ms();
    assert_int_equal(pthread_create(&thread, NULL, cancel_later, &it), 0);
    assert_true(fanout_durable_fetch(it.consumer, &message, 1, 60000, &count, &error));
    assert_int_equal(count, 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(it.saw_waiting);
    assert_true(fanout_durable_fetch(it.consumer, &message, 1, 60000, &count, &error));
    assert_int_equal(count, 0);
    assert_in_range(house_now_ms() - begun, 0, 30000);
    fanout_durable_free(it.consumer);
}

static void test_one_beyond_the_streams_end_is_made_anew_there(void **state) {
    scene *s = *state;
    fanout_durable_spec spec = spec_of();
    fanout_durable *consumer = must_open(s, &spec);
    work(consumer, 1, 80);
    fanout_durable_free(consumer);
    spec.end_sequence = 80;
    consumer = must_open(s, &spec);
    work(consumer, 81, 90);
    fanout_durable_free(consumer);
    spec.end_sequence = 50; /* what came behind it is other than what was acked */
    consumer = must_open(s, &spec);
    work(consumer, 51, 100);
    fanout_durable_free(consumer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_place_moves_by_acks, scene_open, scene_close),
        cmocka_unit_test_setup_teardown(test_what_is_not_acked_comes_again, scene_open,
                                        scene_close),
        cmocka_unit_test_setup_teardown(test_survives_a_kill, scene_open, scene_close),
        cmocka_unit_test_setup_teardown(test_waits_for_one_message_only, scene_open, scene_close),
        cmocka_unit_test_setup_teardown(test_a_cancelled_fetch_ends_at_once, scene_open,
                                        scene_close),
        cmocka_unit_test_setup_teardown(test_one_beyond_the_streams_end_is_made_anew_there,
                                        scene_open, scene_close),
        cmocka_unit_test_setup_teardown(test_a_filter_may_hold_quotes_and_backslashes, scene_open,
                                        scene_close),
        cmocka_unit_test_setup_teardown(test_other_filter_is_refused_and_limits_follow, scene_open,
                                        scene_close),
        cmocka_unit_test_setup_teardown(test_tells_that_history_aged_out, scene_open, scene_close),
        cmocka_unit_test_setup_teardown(test_tells_that_the_stream_was_made_anew, scene_open,
                                        scene_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
