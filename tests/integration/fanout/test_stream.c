/* Streams on a real nats-server: made, found again, updated, refused when they are not ours. */
#include "tests/integration/fanout/house.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <nats/nats.h>

typedef struct {
    fanout_house house;
    fanout_connection *connection;
    natsConnection *nats; /* the administrator's */
    jsCtx *jetstream;
} scene;

static int scene_open(void **state) {
    core_error error = {0};
    scene *made = calloc(1, sizeof *made);
    assert_non_null(made);
    house_open(&made->house, NULL);
    made->connection =
        fanout_connection_new(made->house.config, "test", made->house.log, NULL, &error);
    assert_non_null(made->connection);
    assert_int_equal(natsConnection_ConnectTo(&made->nats, made->house.server.url), NATS_OK);
    assert_int_equal(natsConnection_JetStream(&made->jetstream, made->nats, NULL), NATS_OK);
    *state = made;
    return 0;
}

static int scene_close(void **state) {
    scene *made = *state;
    jsCtx_Destroy(made->jetstream);
    natsConnection_Destroy(made->nats);
    fanout_connection_free(made->connection);
    house_close(&made->house);
    free(made);
    return 0;
}

static fanout_stream_info must_ensure(scene *s) {
    fanout_stream_info info;
    core_error error = {0};
    if (!fanout_stream_ensure(s->connection, &s->house.spec, &info, &error))
        fail_msg("%s", error.text);
    return info;
}

static void assert_refused(scene *s, const char *word) {
    fanout_stream_info info;
    core_error error = {0};
    assert_false(fanout_stream_ensure(s->connection, &s->house.spec, &info, &error));
    assert_int_equal(error.code, CORE_ERROR_CONFIG);
    if (strstr(error.text, word) == NULL)
        fail_msg("expected '%s' in '%s'", word, error.text);
}

static void make_other(scene *s, const char *name, const char *subject) {
    jsStreamConfig config;
    (void)jsStreamConfig_Init(&config);
    config.Name = name;
    config.Subjects = &subject;
    config.SubjectsLen = 1;
    config.Discard = js_DiscardNew;
    natsStatus status = js_AddStream(NULL, s->jetstream, &config, NULL, NULL);
    if (status != NATS_OK)
        fail_msg("%s %s: %s", name, subject, nats_GetLastError(NULL));
}

static void test_made_as_designed(void **state) {
    scene *s = *state;
    jsStreamInfo *found = NULL;
    fanout_stream_info info = must_ensure(s);
    assert_int_equal(info.last_sequence, 0);
    assert_true(info.created_us > 0);
    assert_int_equal(js_GetStreamInfo(&found, s->jetstream, "WALCAST", NULL, NULL), NATS_OK);
    assert_string_equal(found->Config->Subjects[0], "atlasdb.*.*.*.*");
    assert_int_equal(found->Config->Discard, js_DiscardNew);
    assert_int_equal(found->Config->Storage, js_FileStorage);
    assert_true(found->Config->DenyDelete && found->Config->DenyPurge);
    assert_int_equal(found->Config->Duplicates, 100 * CORE_NS_PER_MS);
    assert_int_equal(found->Config->MaxAge, INT64_C(7) * 24 * 3600 * 1000 * CORE_NS_PER_MS);
    jsStreamInfo_Destroy(found);
}

/* The process gets further sources, and its stream makes room; when it is alone again theirs are
 * still there. */
static void test_subjects_follow_the_sources(void **state) {
    scene *s = *state;
    core_error error = {0};
    jsStreamInfo *found = NULL;
    fanout_stream_info info = must_ensure(s);
    fanout_stream_spec narrow = s->house.spec;
    narrow.subjects = "atlasdb.default.dev.*.*";
    natsStatus put =
        js_Publish(NULL, s->jetstream, "atlasdb.default.dev.a.INSERT", "x", 1, NULL, NULL);
    assert_int_equal(put, NATS_OK);
    assert_true(fanout_stream_ensure(s->connection, &narrow, &info, &error));
    assert_int_equal(info.last_sequence, 1);
    assert_int_equal(js_GetStreamInfo(&found, s->jetstream, "WALCAST", NULL, NULL), NATS_OK);
    assert_string_equal(found->Config->Subjects[0], narrow.subjects);
    assert_true(found->Config->DenyDelete && found->Config->DenyPurge);
    jsStreamInfo_Destroy(found);
    const fanout_stream_spec theirs = {.name = "WALCAST_eu",
                                       .subjects = "atlasdb.acme.eu.*.*",
                                       .replicas = 1,
                                       .duplicate_window_ms = narrow.duplicate_window_ms};
    assert_true(fanout_stream_ensure(s->connection, &theirs, &info, &error));
    info = must_ensure(s);
    assert_int_equal(info.last_sequence, 1);
    narrow.subjects = "other.default.dev.*.*";
    assert_false(fanout_stream_ensure(s->connection, &narrow, &info, &error));
    assert_int_equal(error.code, CORE_ERROR_CONFIG);
}

/* ---- The last message of each subject ---- */

static void put(scene *s, const char *subject, const char *text) {
    natsStatus status =
        js_Publish(NULL, s->jetstream, subject, text, (int)strlen(text), NULL, NULL);
    if (status != NATS_OK)
        fail_msg("%s: %s", subject, nats_GetLastError(NULL));
}

typedef struct {
    char text[16 << 10];
    size_t length;
    unsigned count;
    unsigned stop_at; /* 0: never */
    uint64_t sequence;
} told;

static bool told_take(void *context, const fanout_message *message, core_error *error) {
    told *it = context;
    assert_true(message->sequence > it->sequence); /* in stream order */
    it->sequence = message->sequence;
    it->length += (size_t)snprintf(it->text + it->length, sizeof it->text - it->length, "%.*s ",
                                   CORE_SLICE_ARGS(message->payload));
    it->count++;
    return it->count != it->stop_at || core_error_set(error, CORE_ERROR_INPUT, "enough");
}

#define EACH "atlasdb.default.dev.*.SCHEMA"

static void test_last_of_each_subject(void **state) {
    scene *s = *state;
    core_error error = {0};
    told it = {0};
    (void)must_ensure(s);
    assert_true(fanout_stream_last_each(s->connection, "WALCAST", EACH, told_take, &it, &error));
    assert_int_equal(it.count, 0); /* an empty stream */
    put(s, "atlasdb.default.dev.a.INSERT", "row");
    put(s, "atlasdb.default.dev.a\"b.SCHEMA", "old");
    put(s, "atlasdb.default.dev.a.SCHEMA", "a1");
    put(s, "atlasdb.default.dev.a\\.SCHEMA", "back");
    put(s, "atlasdb.default.dev.a\"b.SCHEMA", "quote");
    put(s, "atlasdb.other.dev.a.SCHEMA", "other");
    put(s, "atlasdb.default.dev.a.SCHEMA", "a2");
    put(s, "atlasdb.default.dev.a.INSERT", "row");
    assert_true(fanout_stream_last_each(s->connection, "WALCAST", EACH, told_take, &it, &error));
    assert_string_equal(it.text, "back quote a2 ");
}

static void test_last_of_many_subjects(void **state) {
    scene *s = *state;
    core_error error = {0};
    told it = {0};
    (void)must_ensure(s);
    for (unsigned i = 0; i < 2000; i++) {
        char subject[64], text[8];
        (void)snprintf(subject, sizeof subject, "atlasdb.default.dev.t%u.SCHEMA", i % 1200);
        (void)snprintf(text, sizeof text, "%u", i);
        put(s, subject, text);
    }
    assert_true(fanout_stream_last_each(s->connection, "WALCAST", EACH, told_take, &it, &error));
    assert_int_equal(it.count, 1200); /* several requests' worth */
    assert_memory_equal(it.text, "800 801 ", 8);
    it = (told){.stop_at = 10};
    assert_false(fanout_stream_last_each(s->connection, "WALCAST", EACH, told_take, &it, &error));
    assert_int_equal(it.count, 10);
    assert_non_null(strstr(error.text, "reading the last messages on " EACH));
    assert_false(fanout_stream_last_each(s->connection, "ABSENT", EACH, told_take, &it, &error));
}

static void test_found_again(void **state) {
    scene *s = *state;
    int64_t created_us = must_ensure(s).created_us;
    nats_server_restart(&s->house.server);
    fanout_connection_free(s->connection);
    core_error error = {0};
    s->connection = fanout_connection_new(s->house.config, "again", s->house.log, NULL, &error);
    assert_non_null(s->connection);
    assert_int_equal(must_ensure(s).created_us, created_us);
}

static void test_limits_follow_the_configuration(void **state) {
    scene *s = *state;
    (void)must_ensure(s);
    house_set(&s->house, "nats.max_age", "2h");
    house_set(&s->house, "nats.max_bytes", "10MiB");
    fanout_stream_info info = must_ensure(s);
    assert_int_equal(info.max_bytes, 10 << 20);
    assert_int_equal(info.max_age_ms, 2 * 3600 * 1000);
    house_set(&s->house, "nats.max_bytes", "0");
    assert_int_equal(must_ensure(s).max_bytes, 0);
}

static void test_limits_stay_where_they_are_kept(void **state) {
    scene *s = *state;
    (void)must_ensure(s);
    house_set(&s->house, "nats.max_bytes", "10MiB");
    s->house.spec.keeps_limits = true;
    assert_int_equal(must_ensure(s).max_bytes, 0);
    s->house.spec.keeps_limits = false;
    assert_int_equal(must_ensure(s).max_bytes, 10 << 20);
}

static void test_stream_with_other_subjects_is_refused(void **state) {
    scene *s = *state;
    make_other(s, "WALCAST", "orders.*");
    assert_refused(s, "'orders.*', expected 'atlasdb.*.*.*.*'");
}

static void test_subjects_that_another_stream_takes_are_refused(void **state) {
    scene *s = *state;
    make_other(s, "OTHERS", "atlasdb.>");
    assert_refused(s, "nats.prefix");
}

/* The streams of the design beside it (their subjects have four tokens at most). */
static void test_streams_beside_it_do_not_overlap(void **state) {
    scene *s = *state;
    (void)must_ensure(s);
    make_other(s, "WALCAST_EVENTS", "atlasdb.events.*.*");
    make_other(s, "WALCAST_JOBS", "atlasdb.jobs.*");
    make_other(s, "WALCAST_REALTIME", "atlasdb.realtime.*.*");
}

static void test_missing_message_and_stream(void **state) {
    scene *s = *state;
    core_buffer payload;
    core_error error = {0};
    fanout_stream_info info;
    core_buffer_init(&payload, 1024);
    (void)must_ensure(s);
    assert_false(fanout_stream_message(s->connection, "WALCAST", 5, &payload, &error));
    assert_int_equal(error.code, CORE_ERROR_INPUT);
    assert_false(fanout_stream_inspect(s->connection, "NOTHING", &info, &error));
    assert_int_equal(error.code, CORE_ERROR_TRANSIENT);
    assert_non_null(strstr(error.text, "NOTHING"));
    core_buffer_fini(&payload);
}

static void test_single_messages_are_removed(void **state) {
    scene *s = *state;
    core_buffer payload;
    core_error error = {0};
    core_buffer_init(&payload, 1024);
    s->house.spec.allows_delete = true;
    (void)must_ensure(s);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(js_Publish(NULL, s->jetstream, HOUSE_SUBJECT, "1", 1, NULL, NULL),
                         NATS_OK);
    assert_true(fanout_stream_remove(s->connection, "WALCAST", 2, &error));
    assert_true(fanout_stream_remove(s->connection, "WALCAST", 2, &error));
    assert_true(fanout_stream_remove(s->connection, "WALCAST", 99, &error));
    assert_false(fanout_stream_message(s->connection, "WALCAST", 2, &payload, &error));
    assert_true(fanout_stream_message(s->connection, "WALCAST", 3, &payload, &error));
    assert_int_equal(must_ensure(s).messages, 2);
    assert_false(fanout_stream_remove(s->connection, "NOTHING", 1, &error));
    core_buffer_fini(&payload);
}

static void test_no_message_is_removed_where_it_is_not_allowed(void **state) {
    scene *s = *state;
    core_error error = {0};
    (void)must_ensure(s);
    assert_int_equal(js_Publish(NULL, s->jetstream, HOUSE_SUBJECT, "1", 1, NULL, NULL), NATS_OK);
    assert_false(fanout_stream_remove(s->connection, "WALCAST", 1, &error));
    assert_int_equal(must_ensure(s).messages, 1);
}

static void test_the_last_message_of_a_subject(void **state) {
    scene *s = *state;
    core_error error = {0};
    uint64_t sequence = 99;
    static const char other[] = "atlasdb.default.dev.a\"b\\c.UPDATE";
    const char *const subjects[] = {HOUSE_SUBJECT, HOUSE_SUBJECT, other, HOUSE_SUBJECT};
    (void)must_ensure(s);
    assert_true(fanout_stream_subject_end(s->connection, "WALCAST", other, &sequence, &error));
    assert_int_equal(sequence, 0);
    for (size_t i = 0; i < CORE_COUNT_OF(subjects); i++)
        assert_int_equal(js_Publish(NULL, s->jetstream, subjects[i], "1", 1, NULL, NULL), NATS_OK);
    assert_true(fanout_stream_subject_end(s->connection, "WALCAST", other, &sequence, &error));
    assert_int_equal(sequence, 3);
    assert_false(fanout_stream_subject_end(s->connection, "OTHER", other, &sequence, &error));
    assert_int_equal(error.code, CORE_ERROR_TRANSIENT);
}

static uint64_t hole_behind(scene *s, uint64_t after) {
    core_error error = {0};
    fanout_stream_info info;
    uint64_t missing = 99;
    if (!fanout_stream_inspect(s->connection, "WALCAST", &info, &error) ||
        !fanout_stream_hole(s->connection, &s->house.spec, &info, after, &missing, &error))
        fail_msg("%s", error.text);
    return missing;
}

/* What a power cut does: the middle is gone, first and last are right. A lost block of files is
 * tested with the whole, integration.gap_stream. */
static void test_the_first_hole_is_found(void **state) {
    scene *s = *state;
    make_other(s, "WALCAST", s->house.spec.subjects); /* as ours, but deletes are allowed */
    for (int i = 0; i < 9; i++)
        assert_int_equal(js_Publish(NULL, s->jetstream, HOUSE_SUBJECT, "1", 1, NULL, NULL),
                         NATS_OK);
    assert_int_equal(hole_behind(s, 0), 0);
    assert_int_equal(js_DeleteMsg(s->jetstream, "WALCAST", 8, NULL, NULL), NATS_OK);
    assert_int_equal(hole_behind(s, 0), 8);
    assert_int_equal(js_DeleteMsg(s->jetstream, "WALCAST", 4, NULL, NULL), NATS_OK);
    assert_int_equal(js_DeleteMsg(s->jetstream, "WALCAST", 5, NULL, NULL), NATS_OK);
    assert_int_equal(hole_behind(s, 0), 4);
    assert_int_equal(js_DeleteMsg(s->jetstream, "WALCAST", 1, NULL, NULL), NATS_OK);
    assert_int_equal(hole_behind(s, 0), 4); /* what aged out at the front is no hole */
    fanout_publisher *publisher = house_publisher(&s->house);
    assert_int_equal(house_reopen(publisher)->stream.deleted, 3);
    fanout_publisher_free(publisher);
    assert_int_equal(hole_behind(s, 3), 4);
    assert_int_equal(hole_behind(s, 5), 8);
    assert_int_equal(hole_behind(s, 8), 0);
}

#define SCENE_TEST(test) cmocka_unit_test_setup_teardown(test, scene_open, scene_close)

int main(void) {
    const struct CMUnitTest tests[] = {
        SCENE_TEST(test_made_as_designed),
        SCENE_TEST(test_subjects_follow_the_sources),
        SCENE_TEST(test_last_of_each_subject),
        SCENE_TEST(test_last_of_many_subjects),
        SCENE_TEST(test_found_again),
        SCENE_TEST(test_limits_follow_the_configuration),
        SCENE_TEST(test_limits_stay_where_they_are_kept),
        SCENE_TEST(test_stream_with_other_subjects_is_refused),
        SCENE_TEST(test_subjects_that_another_stream_takes_are_refused),
        SCENE_TEST(test_streams_beside_it_do_not_overlap),
        SCENE_TEST(test_missing_message_and_stream),
        SCENE_TEST(test_single_messages_are_removed),
        SCENE_TEST(test_no_message_is_removed_where_it_is_not_allowed),
        SCENE_TEST(test_the_last_message_of_a_subject),
        SCENE_TEST(test_the_first_hole_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
