/* The last messages of a subject against a real nats-server: dense, rare and mixed subjects, since
 * a time, under a filter, and the stream that keeps them. */
#include "tests/integration/fanout/house.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { TIMEOUT_MS = 60000 };

typedef struct {
    fanout_house house;
    fanout_connection *connection;
    fanout_bus *bus;
    char name[FANOUT_NAME_MAX];
    char subjects[CORE_SUBJECT_MAX];
    uint64_t stored;
    /* what a read gave */
    uint64_t numbers[FANOUT_HISTORY_MAX];
    int64_t times[FANOUT_HISTORY_MAX];
    uint64_t pending; /* behind the last one */
    size_t count;
} scene;

static void nothing_comes(void *context, const char *subject, core_slice payload) {
    (void)context;
    (void)payload;
    fail_msg("a message on %s", subject);
}

static fanout_stream_info must_ensure(scene *s) {
    core_error error = {0};
    fanout_stream_info info;
    fanout_stream_spec spec =
        fanout_stream_realtime_spec(s->house.config, s->name, s->subjects, sizeof s->subjects);
    if (!fanout_stream_ensure(s->connection, &spec, &info, &error))
        fail_msg("%s", error.text);
    return info;
}

static int scene_open(void **state) {
    core_error error = {0};
    fanout_bus_spec spec = {.filter = "nobody.says.this", .on_message = nothing_comes};
    scene *s = calloc(1, sizeof *s);
    assert_non_null(s);
    house_open(&s->house, NULL);
    s->connection = fanout_connection_new(s->house.config, "test", s->house.log, NULL, &error);
    assert_non_null(s->connection);
    (void)must_ensure(s);
    s->bus = fanout_bus_new(s->connection, &spec, &error);
    assert_non_null(s->bus);
    *state = s;
    return 0;
}

static int scene_close(void **state) {
    scene *s = *state;
    fanout_bus_free(s->bus);
    fanout_connection_free(s->connection);
    house_close(&s->house);
    free(s);
    return 0;
}

/* A gateway publishes as it does for those who hear it live; the stream keeps it. */
static void store(scene *s, const char *channel, uint64_t number) {
    static const struct timespec step = {.tv_nsec = CORE_NS_PER_MS};
    core_subject_scope scope = core_subject_scope_of(s->house.config);
    char subject[CORE_SUBJECT_MAX], text[32];
    core_error error = {0};
    assert_true(core_subject_realtime_stored(&scope, core_slice_text(channel), subject));
    core_slice payload = house_number(text, number);
    while (!fanout_bus_publish(s->bus, subject, payload, &error))
        if (error.code == CORE_ERROR_TRANSIENT)
            (void)nanosleep(&step, NULL);
        else
            fail_msg("%s", error.text);
    s->stored++;
}

static void settle(scene *s) {
    static const struct timespec step = {.tv_nsec = 5 * CORE_NS_PER_MS};
    fanout_stream_info info = {0};
    core_error error = {0};
    int64_t deadline = house_now_ms() + TIMEOUT_MS;
    while (info.last_sequence < s->stored) {
        assert_true(house_now_ms() < deadline);
        (void)nanosleep(&step, NULL);
        if (!fanout_stream_inspect(s->connection, s->name, &info, &error))
            fail_msg("%s", error.text);
    }
    assert_int_equal(info.last_sequence, s->stored);
}

static bool take(void *context, const fanout_message *message, core_error *error) {
    scene *s = context;
    (void)error;
    if (s->count > 0)
        assert_int_equal(message->pending + 1, s->pending);
    s->pending = message->pending;
    s->times[s->count] = message->stored_us;
    s->numbers[s->count++] = house_parse(message->payload);
    return true;
}

static bool keep_even(void *context, const fanout_message *message) {
    (void)context;
    return house_parse(message->payload) % 2 == 0;
}

static void read_history(scene *s, const char *channel, int64_t since_us, size_t limit,
                         fanout_history_filter keep) {
    core_subject_scope scope = core_subject_scope_of(s->house.config);
    char subject[CORE_SUBJECT_MAX];
    core_error error = {0};
    assert_true(core_subject_realtime_stored(&scope, core_slice_text(channel), subject));
    fanout_history_spec spec = {.stream = s->name,
                                .subject = subject,
                                .since_us = since_us,
                                .limit = limit,
                                .timeout_ms = TIMEOUT_MS,
                                .keep = keep,
                                .take = take,
                                .context = s};
    s->count = 0;
    if (!fanout_history_read(s->connection, &spec, &error))
        fail_msg("%s", error.text);
}

/* The last `count` numbers up to `last` in steps of `step`. */
static void assert_numbers(const scene *s, uint64_t last, uint64_t step, size_t count) {
    assert_int_equal(s->count, count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(s->numbers[i], last - step * (count - 1 - i));
}

static void test_a_dense_subject(void **state) {
    scene *s = *state;
    read_history(s, "room", 0, 25, NULL);
    assert_int_equal(s->count, 0);
    store(s, "room", 0);
    settle(s);
    read_history(s, "room", 0, 25, NULL);
    assert_numbers(s, 0, 1, 1);
    for (uint64_t n = 1; n < 500; n++)
        store(s, "room", n);
    settle(s);
    read_history(s, "room", 0, 25, NULL);
    assert_numbers(s, 499, 1, 25);
    read_history(s, "room", 0, 1, NULL);
    assert_numbers(s, 499, 1, 1);
    read_history(s, "room", 0, FANOUT_HISTORY_MAX, NULL);
    assert_numbers(s, 499, 1, FANOUT_HISTORY_MAX);
    read_history(s, "room", 0, 10, keep_even);
    assert_numbers(s, 498, 2, 10);
    read_history(s, "other", 0, 25, NULL);
    assert_int_equal(s->count, 0);
}

static void test_rare_and_uneven_subjects(void **state) {
    scene *s = *state;
    for (uint64_t n = 0; n < 20000; n++) {
        store(s, "crowd", n);
        if (n % 4000 == 0)
            store(s, "rare", n / 4000);
        if (n < 3000 || n > 19990) /* many long ago, few of late */
            store(s, "uneven", n < 3000 ? n : 3000 + n - 19991);
    }
    settle(s);
    read_history(s, "rare", 0, 25, NULL);
    assert_numbers(s, 4, 1, 5);
    read_history(s, "rare", 0, 3, NULL);
    assert_numbers(s, 4, 1, 3);
    read_history(s, "uneven", 0, 25, NULL);
    assert_numbers(s, 3008, 1, 25);
    read_history(s, "crowd", 0, 25, NULL);
    assert_numbers(s, 19999, 1, 25);
    if (getenv("WALCAST_TEST_FIGURES") == NULL)
        return;
    static const char *const channels[] = {"crowd", "rare", "uneven"};
    for (size_t i = 0; i < CORE_COUNT_OF(channels); i++) {
        int64_t begin = house_now_ms();
        for (int n = 0; n < 20; n++)
            read_history(s, channels[i], 0, 25, NULL);
        (void)printf("%s: %.1f ms a read\n", channels[i], (double)(house_now_ms() - begin) / 20);
    }
}

static void test_since_a_time(void **state) {
    static const struct timespec step = {.tv_nsec = 2 * CORE_NS_PER_MS};
    scene *s = *state;
    for (uint64_t n = 0; n < 30; n++) {
        store(s, "room", n);
        settle(s); /* each has a time of its own */
        (void)nanosleep(&step, NULL);
    }
    int64_t wall = core_clock_wall_us(core_clock_system());
    read_history(s, "room", 0, 30, NULL);
    assert_numbers(s, 29, 1, 30);
    int64_t times[30];
    memcpy(times, s->times, sizeof times);
    assert_true(times[29] <= wall && times[0] > wall - INT64_C(600) * 1000 * 1000);
    for (uint64_t from = 0; from < 30; from++) {
        read_history(s, "room", times[from], 30, NULL);
        assert_numbers(s, 29, 1, (size_t)(30 - from));
    }
    read_history(s, "room", times[10], 5, NULL);
    assert_numbers(s, 29, 1, 5);
    read_history(s, "room", times[29] + 1, 5, NULL);
    assert_int_equal(s->count, 0);
}

/* Whatever a channel is called: JSON's own characters, and more than a token holds. */
static void test_names_of_channels(void **state) {
    scene *s = *state;
    char name[400];
    memset(name, 'n', sizeof name);
    name[sizeof name - 1] = '\0';
    store(s, "say \"hi\\ *.>", 1);
    store(s, name, 2);
    settle(s);
    read_history(s, "say \"hi\\ *.>", 0, 25, NULL);
    assert_numbers(s, 1, 1, 1);
    read_history(s, name, 0, 25, NULL);
    assert_numbers(s, 2, 1, 1);
}

/* At its size the oldest go, a publish is never refused; the other streams fit beside it. */
static void test_the_stream_keeps_the_newest(void **state) {
    scene *s = *state;
    core_error error = {0};
    fanout_stream_info info;
    static char filler[64 * 1024];
    house_set(&s->house, "realtime.max_bytes", "1MiB");
    house_set(&s->house, "realtime.max_age", "1h");
    info = must_ensure(s);
    assert_int_equal(info.max_bytes, 1 << 20);
    assert_int_equal(info.max_age_ms, 3600 * 1000);
    for (int n = 0; n < 40; n++) {
        assert_true(fanout_bus_publish(s->bus, "atlasdb.realtime.default.room",
                                       core_slice_make(filler, sizeof filler), &error));
        s->stored++;
    }
    settle(s);
    info = must_ensure(s);
    assert_true(info.first_sequence > 1 && info.bytes <= 1 << 20);
    fanout_stream_spec change = s->house.spec;
    assert_true(fanout_stream_ensure(s->connection, &change, &info, &error));
    char name[FANOUT_NAME_MAX], subjects[CORE_SUBJECT_MAX];
    fanout_stream_spec event =
        fanout_stream_event_spec(s->house.config, name, subjects, sizeof subjects);
    assert_true(fanout_stream_ensure(s->connection, &event, &info, &error));
}

static void test_trouble_is_told(void **state) {
    scene *s = *state;
    core_error error = {0};
    fanout_history_spec spec = {.stream = "NO_SUCH",
                                .subject = "atlasdb.realtime.default.room",
                                .limit = 1,
                                .timeout_ms = TIMEOUT_MS,
                                .take = take,
                                .context = s};
    assert_false(fanout_history_read(s->connection, &spec, &error));
    assert_int_equal(error.code, CORE_ERROR_TRANSIENT);
    spec.stream = s->name;
    spec.timeout_ms = 0;
    assert_false(fanout_history_read(s->connection, &spec, &error));
    assert_int_equal(error.code, CORE_ERROR_TRANSIENT);
    assert_non_null(strstr(error.text, "too long"));
    nats_server_pause(&s->house.server);
    spec.timeout_ms = 100;
    assert_false(fanout_history_read(s->connection, &spec, &error));
    assert_int_equal(error.code, CORE_ERROR_TRANSIENT);
    nats_server_resume(&s->house.server);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_dense_subject, scene_open, scene_close),
        cmocka_unit_test_setup_teardown(test_rare_and_uneven_subjects, scene_open, scene_close),
        cmocka_unit_test_setup_teardown(test_since_a_time, scene_open, scene_close),
        cmocka_unit_test_setup_teardown(test_names_of_channels, scene_open, scene_close),
        cmocka_unit_test_setup_teardown(test_the_stream_keeps_the_newest, scene_open, scene_close),
        cmocka_unit_test_setup_teardown(test_trouble_is_told, scene_open, scene_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
