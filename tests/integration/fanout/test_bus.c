/* The bus between gateways against a real nats-server: what one publishes the others hear, not
 * itself; drops are told; it comes back by itself; publishing never waits. */
#include "tests/integration/fanout/house.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { WAIT_MAX_MS = 60000, STEP_MS = 5, LARGEST_CALL_MS = 1000 };

typedef struct {
    fanout_connection *connection;
    fanout_bus *bus;
    core_metrics *metrics;
    pthread_mutex_t gate; /* held by the test: the handler waits */
    atomic_int inside;    /* handlers running: never two */
    atomic_int clashes;
    atomic_int passed; /* came behind one that was said later */
    atomic_uint_fast64_t heard, last, dropped;
    atomic_int reconnected;
    char subject[CORE_SUBJECT_MAX]; /* of the last message; read after a wait on `heard` */
} gateway;

typedef struct {
    fanout_house house;
    gateway one, two;
} scene;

static void gateway_enter(gateway *g) {
    if (atomic_fetch_add(&g->inside, 1) != 0)
        atomic_fetch_add(&g->clashes, 1);
}

static void on_message(void *context, const char *subject, core_slice payload) {
    gateway *g = context;
    gateway_enter(g);
    (void)pthread_mutex_lock(&g->gate);
    (void)pthread_mutex_unlock(&g->gate);
    (void)snprintf(g->subject, sizeof g->subject, "%s", subject);
    uint64_t number = house_parse(payload);
    if (number < atomic_exchange(&g->last, number))
        atomic_fetch_add(&g->passed, 1);
    atomic_fetch_add(&g->heard, 1);
    atomic_fetch_sub(&g->inside, 1);
}

static void on_dropped(void *context, uint64_t count) {
    gateway *g = context;
    gateway_enter(g);
    atomic_fetch_add(&g->dropped, count);
    atomic_fetch_sub(&g->inside, 1);
}

static void on_reconnected(void *context) {
    gateway *g = context;
    gateway_enter(g);
    atomic_fetch_add(&g->reconnected, 1);
    atomic_fetch_sub(&g->inside, 1);
}

static void gateway_open(scene *s, gateway *g, int pending_messages) {
    core_error error = {0};
    fanout_bus_spec spec = {.filter = "atlasdb.realtime.default.>",
                            .max_pending_messages = pending_messages,
                            .on_message = on_message,
                            .on_dropped = on_dropped,
                            .on_reconnected = on_reconnected,
                            .context = g};
    (void)pthread_mutex_init(&g->gate, NULL);
    g->metrics = core_metrics_new();
    g->connection =
        fanout_connection_new(s->house.config, "gateway", s->house.log, g->metrics, &error);
    g->bus = g->connection != NULL ? fanout_bus_new(g->connection, &spec, &error) : NULL;
    if (g->bus == NULL)
        fail_msg("%s", error.text);
}

static void gateway_close(gateway *g) {
    fanout_bus_free(g->bus);
    fanout_connection_free(g->connection);
    core_metrics_free(g->metrics);
    assert_int_equal(g->clashes, 0);
}

static int scene_open(void **state) {
    scene *s = calloc(1, sizeof *s);
    assert_non_null(s);
    house_open(&s->house, NULL);
    gateway_open(s, &s->one, 0);
    gateway_open(s, &s->two, 64);
    *state = s;
    return 0;
}

static int scene_close(void **state) {
    scene *s = *state;
    gateway_close(&s->one);
    gateway_close(&s->two);
    house_close(&s->house);
    free(s);
    return 0;
}

static void pause_step(void) {
    static const struct timespec step = {.tv_nsec = STEP_MS * CORE_NS_PER_MS};
    (void)nanosleep(&step, NULL);
}

static void wait_for(const atomic_uint_fast64_t *value, uint64_t expected, const char *what) {
    int64_t deadline = house_now_ms() + WAIT_MAX_MS;
    while (atomic_load(value) != expected) {
        if (house_now_ms() > deadline)
            fail_msg("%s: %llu, expected %llu", what, (unsigned long long)atomic_load(value),
                     (unsigned long long)expected);
        pause_step();
    }
}

static bool try_publish(gateway *g, const char *subject, uint64_t number, core_error *error) {
    char text[32];
    return fanout_bus_publish(g->bus, subject, house_number(text, number), error);
}

static void must_publish(gateway *g, const char *subject, uint64_t number) {
    core_error error = {0};
    if (!try_publish(g, subject, number, &error))
        fail_msg("%s", error.text);
}

static void test_the_others_hear_it(void **state) {
    static const char *const subjects[] = {"atlasdb.realtime.default.room",
                                           "atlasdb.realtime.default.dev.b.room",
                                           "atlasdb.realtime.default.dev.p.node1"};
    scene *s = *state;
    for (uint64_t n = 0; n < CORE_COUNT_OF(subjects); n++) {
        must_publish(&s->one, subjects[n], 100 + n);
        wait_for(&s->two.heard, n + 1, "heard");
        assert_int_equal(s->two.last, 100 + n);
        assert_string_equal(s->two.subject, subjects[n]);
    }
    /* Other projects and streams are not for us; the last one is, and comes behind them. */
    must_publish(&s->one, "atlasdb.realtime.default", 1);
    must_publish(&s->one, "atlasdb.realtime.other.dev.b.room", 2);
    must_publish(&s->one, "atlasdb.default.dev.todos.INSERT", 3);
    must_publish(&s->one, "atlasdb.realtime.default.dev.b.room", 200);
    wait_for(&s->two.heard, 4, "heard");
    assert_int_equal(s->two.last, 200);
    must_publish(&s->two, "atlasdb.realtime.default.dev.b.room", 300);
    wait_for(&s->one.heard, 1, "heard"); /* of its own, none */
    assert_int_equal(s->one.last, 300);
    assert_int_equal(core_metrics_get(s->one.metrics, CORE_METRIC_FANOUT_BUS_PUBLISHED), 7);
    assert_int_equal(core_metrics_get(s->two.metrics, CORE_METRIC_FANOUT_BUS_RECEIVED), 4);
}

/* Whatever it says: stored broadcasts, others, presence. */
static void test_one_sender_stays_in_order(void **state) {
    static const char *const subjects[] = {"atlasdb.realtime.default.room",
                                           "atlasdb.realtime.default.dev.b.room",
                                           "atlasdb.realtime.default.dev.p.node1"};
    scene *s = *state;
    for (uint64_t n = 1; n <= 64; n++)
        must_publish(&s->one, subjects[n % CORE_COUNT_OF(subjects)], n);
    int64_t deadline = house_now_ms() + WAIT_MAX_MS;
    for (uint64_t before = 0, last; before < 64; before = last) {
        last = atomic_load(&s->two.last);
        assert_true(last >= before && house_now_ms() < deadline);
    }
    assert_int_equal(s->two.passed, 0);
}

/* Two's handler stands still: 64 may wait, the rest is gone and told. */
static void test_a_slow_one_is_told_what_it_lost(void **state) {
    scene *s = *state;
    (void)pthread_mutex_lock(&s->two.gate);
    for (uint64_t n = 0; n < 1000; n++)
        must_publish(&s->one, "atlasdb.realtime.default.dev.b.room", n);
    int64_t deadline = house_now_ms() + WAIT_MAX_MS;
    while (core_metrics_get(s->one.metrics, CORE_METRIC_FANOUT_BUS_PUBLISHED) < 1000) {
        assert_true(house_now_ms() < deadline);
        pause_step();
    }
    must_publish(&s->two, "atlasdb.realtime.default.dev.b.room", 7); /* its connection is well */
    wait_for(&s->one.heard, 1, "heard");
    (void)pthread_mutex_unlock(&s->two.gate);
    while (atomic_load(&s->two.heard) + atomic_load(&s->two.dropped) < 1000) {
        assert_true(house_now_ms() < deadline);
        pause_step();
    }
    assert_int_equal(s->two.heard + s->two.dropped, 1000);
    assert_true(s->two.dropped > 0);
    assert_int_equal(core_metrics_get(s->two.metrics, CORE_METRIC_FANOUT_BUS_DROPPED),
                     s->two.dropped);
    uint64_t heard = s->two.heard;
    must_publish(&s->one, "atlasdb.realtime.default.dev.b.room", 8);
    wait_for(&s->two.heard, heard + 1, "heard");
}

static void test_a_silent_one_still_speaks(void **state) {
    scene *s = *state;
    fanout_bus_silence(s->two.bus);
    must_publish(&s->one, "atlasdb.realtime.default.dev.b.room", 1);
    must_publish(&s->one, "atlasdb.realtime.default.dev.b.room", 2);
    int64_t deadline = house_now_ms() + WAIT_MAX_MS;
    while (core_metrics_get(s->two.metrics, CORE_METRIC_FANOUT_BUS_RECEIVED) < 2) {
        assert_true(house_now_ms() < deadline);
        pause_step();
    }
    assert_int_equal(s->two.heard, 0); /* the first is over, at the least */
    must_publish(&s->two, "atlasdb.realtime.default.dev.b.room", 3);
    wait_for(&s->one.heard, 1, "heard");
}

static void wait_for_alive(const gateway *g, bool alive) {
    int64_t deadline = house_now_ms() + WAIT_MAX_MS;
    while (fanout_connection_alive(g->connection) != alive) {
        assert_true(house_now_ms() < deadline);
        pause_step();
    }
}

static void wait_for_reconnected(gateway *g, int count) {
    int64_t deadline = house_now_ms() + WAIT_MAX_MS;
    while (atomic_load(&g->reconnected) < count) {
        assert_true(house_now_ms() < deadline);
        pause_step();
    }
}

static void test_it_comes_back_and_says_so(void **state) {
    scene *s = *state;
    core_error error = {0};
    nats_server_kill(&s->house.server);
    wait_for_alive(&s->one, false);
    assert_false(try_publish(&s->one, "atlasdb.realtime.default.dev.b.room", 1, &error));
    assert_int_equal(error.code, CORE_ERROR_TRANSIENT);
    assert_int_equal(core_metrics_get(s->one.metrics, CORE_METRIC_FANOUT_BUS_UNPUBLISHED), 1);
    nats_server_restart(&s->house.server);
    wait_for_reconnected(&s->one, 1);
    wait_for_reconnected(&s->two, 1);
    must_publish(&s->one, "atlasdb.realtime.default.dev.b.room", 2);
    wait_for(&s->two.heard, 1, "heard");
    must_publish(&s->one, "atlasdb.realtime.default.room", 3);
    wait_for(&s->two.heard, 2, "heard");
    assert_int_equal(s->two.last, 3);
    assert_int_equal(s->one.reconnected, 1);
}

/* The server stands still with its sockets open: the caller must not. When it goes on, so does the
 * bus, whatever became of what was half written. */
static void test_publishing_never_waits(void **state) {
    static char filler[256 * 1024];
    scene *s = *state;
    core_error error = {0};
    nats_server_pause(&s->house.server);
    bool refused = false;
    for (int n = 0; n < 400 && !refused; n++) {
        int64_t begin = house_now_ms();
        refused = !fanout_bus_publish(s->one.bus, "atlasdb.realtime.other.dev.b.room",
                                      core_slice_make(filler, sizeof filler), &error);
        assert_true(house_now_ms() - begin < LARGEST_CALL_MS);
    }
    assert_true(refused);
    assert_int_equal(error.code, CORE_ERROR_TRANSIENT);
    assert_non_null(strstr(error.text, "wait for NATS"));
    /* Until the deadline of a write has passed. */
    int64_t deadline = house_now_ms() + WAIT_MAX_MS;
    while (core_metrics_get(s->one.metrics, CORE_METRIC_FANOUT_BUS_UNPUBLISHED) < 2) {
        assert_true(house_now_ms() < deadline);
        pause_step();
    }
    nats_server_resume(&s->house.server);
    while (atomic_load(&s->two.heard) == 0) {
        assert_true(house_now_ms() < deadline);
        (void)try_publish(&s->one, "atlasdb.realtime.default.dev.b.room", 1, &error);
        pause_step();
    }
}

static void test_bounds_are_told(void **state) {
    scene *s = *state;
    core_error error = {0};
    size_t size = (size_t)fanout_connection_max_payload(s->one.connection) + 1;
    char *large = calloc(1, size);
    assert_non_null(large);
    assert_false(fanout_bus_publish(s->one.bus, "a.b", core_slice_make(large, size), &error));
    assert_int_equal(error.code, CORE_ERROR_LIMIT);
    free(large);
    char subject[CORE_SUBJECT_MAX + 8];
    memset(subject, 'a', sizeof subject);
    subject[sizeof subject - 1] = '\0';
    assert_false(try_publish(&s->one, subject, 1, &error));
    assert_int_equal(error.code, CORE_ERROR_INPUT);
    assert_true(fanout_connection_alive(s->one.connection));
}

/* What was handed over before _free is still sent: a gateway says goodbye. */
static void test_free_sends_what_waits(void **state) {
    scene *s = *state;
    must_publish(&s->one, "atlasdb.realtime.default.dev.p.one", 42);
    fanout_bus_free(s->one.bus);
    s->one.bus = NULL;
    wait_for(&s->two.heard, 1, "heard");
    assert_int_equal(s->two.last, 42);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_others_hear_it, scene_open, scene_close),
        cmocka_unit_test_setup_teardown(test_one_sender_stays_in_order, scene_open, scene_close),
        cmocka_unit_test_setup_teardown(test_a_slow_one_is_told_what_it_lost, scene_open,
                                        scene_close),
        cmocka_unit_test_setup_teardown(test_a_silent_one_still_speaks, scene_open, scene_close),
        cmocka_unit_test_setup_teardown(test_it_comes_back_and_says_so, scene_open, scene_close),
        cmocka_unit_test_setup_teardown(test_publishing_never_waits, scene_open, scene_close),
        cmocka_unit_test_setup_teardown(test_bounds_are_told, scene_open, scene_close),
        cmocka_unit_test_setup_teardown(test_free_sends_what_waits, scene_open, scene_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
