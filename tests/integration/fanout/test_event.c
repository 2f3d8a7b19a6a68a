/* Events against a real nats-server: stored once by id, refused by size, found again by subject. */
#include "tests/integration/fanout/house.h"

#include <stdlib.h>
#include <string.h>

#include <nats/nats.h>

#define SUBJECT "atlasdb.events.default.paid"

typedef struct {
    fanout_house house;
    fanout_connection *connection;
    char name[FANOUT_NAME_MAX];
    char subjects[CORE_SUBJECT_MAX];
} scene;

static scene *scene_make(const char *extra) {
    core_error error = {0};
    scene *made = calloc(1, sizeof *made);
    assert_non_null(made);
    house_open(&made->house, extra);
    made->connection =
        fanout_connection_new(made->house.config, "test", made->house.log, NULL, &error);
    assert_non_null(made->connection);
    return made;
}

static fanout_stream_info must_ensure(scene *s) {
    core_error error = {0};
    fanout_stream_info info;
    fanout_stream_spec spec =
        fanout_stream_event_spec(s->house.config, s->name, s->subjects, sizeof s->subjects);
    if (!fanout_stream_ensure(s->connection, &spec, &info, &error))
        fail_msg("%s", error.text);
    return info;
}

static int scene_open(void **state) {
    scene *made = scene_make("max_payload: 8192");
    (void)must_ensure(made);
    *state = made;
    return 0;
}

static int scene_close(void **state) {
    scene *made = *state;
    fanout_connection_free(made->connection);
    house_close(&made->house);
    free(made);
    return 0;
}

static fanout_event event_of(const char *id, core_slice payload) {
    static const fanout_header headers[] = {{"Walcast-Offset", "e-7.1"}, {"X-Other", "b"}};
    return (fanout_event){.subject = SUBJECT,
                          .headers = headers,
                          .header_count = CORE_COUNT_OF(headers),
                          .id = id,
                          .payload = payload};
}

static bool must_publish(scene *s, const char *id) {
    core_error error = {0};
    bool duplicate = false;
    fanout_event event = event_of(id, core_slice_text("{}"));
    if (!fanout_event_publish(s->connection, &event, &duplicate, &error))
        fail_msg("%s", error.text);
    return duplicate;
}

static void test_an_id_is_stored_once_also_over_a_restart(void **state) {
    scene *s = *state;
    assert_false(must_publish(s, "a"));
    assert_true(must_publish(s, "a"));
    assert_false(must_publish(s, "b"));
    nats_server_restart(&s->house.server);
    core_error error = {0};
    fanout_connection_free(s->connection);
    s->connection = fanout_connection_new(s->house.config, "again", s->house.log, NULL, &error);
    assert_non_null(s->connection);
    assert_true(must_publish(s, "a"));
    assert_int_equal(must_ensure(s).messages, 2);
}

static void test_the_last_on_a_subject_is_found(void **state) {
    scene *s = *state;
    core_error error = {0};
    char value[16];
    assert_true(fanout_event_last(s->connection, s->name, SUBJECT, "Walcast-Offset", value,
                                  sizeof value, &error));
    assert_string_equal(value, "");
    (void)must_publish(s, "a");
    assert_true(fanout_event_last(s->connection, s->name, SUBJECT, "Walcast-Offset", value,
                                  sizeof value, &error));
    assert_string_equal(value, "e-7.1");
    assert_true(fanout_event_last(s->connection, s->name, SUBJECT, "X-Missing", value, sizeof value,
                                  &error));
    assert_string_equal(value, "");
    assert_true(
        fanout_event_last(s->connection, s->name, SUBJECT, "Walcast-Offset", value, 3, &error));
    assert_string_equal(value, ""); /* does not fit */
    assert_false(fanout_event_last(s->connection, "NO_SUCH", SUBJECT, "Walcast-Offset", value,
                                   sizeof value, &error));
}

/* A type may hold what JSON escapes, and a request to the server is JSON. */
static void test_the_last_is_found_whatever_its_type_holds(void **state) {
    static const char *const subject = "atlasdb.events.default.say\"hi\\";
    scene *s = *state;
    core_error error = {0};
    bool duplicate = false;
    char value[16];
    fanout_event event = event_of("a", core_slice_text("{}"));
    event.subject = subject;
    assert_true(fanout_event_publish(s->connection, &event, &duplicate, &error));
    assert_true(fanout_event_last(s->connection, s->name, subject, "Walcast-Offset", value,
                                  sizeof value, &error));
    assert_string_equal(value, "e-7.1");
}

/* The bound is exact: one byte more would make the server cut the connection. */
static void test_size_is_bounded_with_its_headers(void **state) {
    scene *s = *state;
    core_error error = {0};
    bool duplicate = false;
    static char filler[8192];
    size_t low = 1, high = sizeof filler;
    while (low < high) { /* the largest that is taken */
        size_t middle = (low + high + 1) / 2;
        fanout_event event = event_of("x", core_slice_make(filler, middle));
        if (fanout_event_publish(s->connection, &event, &duplicate, &error))
            low = middle;
        else
            high = middle - 1;
    }
    assert_int_equal(error.code, CORE_ERROR_LIMIT);
    assert_non_null(strstr(error.text, "max_payload"));
    assert_in_range(low, 8192 - 256, 8192 - 60);
    assert_true(fanout_connection_alive(s->connection));
    assert_false(must_publish(s, "after"));
}

static void test_limits_are_its_own(void **state) {
    scene *s = *state;
    house_set(&s->house, "events.max_age", "5m");
    house_set(&s->house, "events.max_bytes", "1MiB");
    fanout_stream_info info = must_ensure(s);
    assert_int_equal(info.max_age_ms, 300000);
    assert_int_equal(info.max_bytes, 1 << 20);
    static char filler[4096];
    core_error error = {0};
    bool duplicate = false, ok = true;
    for (int n = 0; ok && n < 1000; n++) {
        char id[32];
        (void)house_number(id, (uint64_t)n);
        fanout_event event = event_of(id, core_slice_make(filler, sizeof filler));
        ok = fanout_event_publish(s->connection, &event, &duplicate, &error);
    }
    assert_false(ok);
    assert_int_equal(error.code, CORE_ERROR_FULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_an_id_is_stored_once_also_over_a_restart, scene_open,
                                        scene_close),
        cmocka_unit_test_setup_teardown(test_the_last_on_a_subject_is_found, scene_open,
                                        scene_close),
        cmocka_unit_test_setup_teardown(test_the_last_is_found_whatever_its_type_holds, scene_open,
                                        scene_close),
        cmocka_unit_test_setup_teardown(test_size_is_bounded_with_its_headers, scene_open,
                                        scene_close),
        cmocka_unit_test_setup_teardown(test_limits_are_its_own, scene_open, scene_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
