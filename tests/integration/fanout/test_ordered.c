/* The ordered consumer against a real nats-server: every message once and in order through kills,
 * deleted consumers and slow handlers; told when the stream no longer goes on. */
#include "tests/integration/fanout/house.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <nats/nats.h>

enum { PATIENCE_MS = 30000, STEP_MS = 5 };

/* What a consumer under test saw. Message k of the stream holds number k. */
typedef struct {
    atomic_uint_fast64_t next; /* the number that is due */
    atomic_uint_fast64_t pending;
    atomic_bool lost;
    atomic_bool wrong;
    int delay_ms;
    core_error reason;
} witness;

static void pause_ms(int64_t ms) {
    struct timespec step = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * CORE_NS_PER_MS};
    (void)nanosleep(&step, NULL);
}

static void witness_message(void *context, const fanout_message *message) {
    witness *seen = context;
    uint64_t number = 0, due = atomic_load(&seen->next);
    if (!core_slice_to_u64(message->payload, &number) || number != due ||
        message->sequence != due || strcmp(message->subject, HOUSE_SUBJECT) != 0 ||
        message->stored_us <= 0)
        atomic_store(&seen->wrong, true);
    atomic_store(&seen->pending, message->pending);
    if (seen->delay_ms > 0)
        pause_ms(seen->delay_ms);
    atomic_store(&seen->next, due + 1);
}

static void witness_lost(void *context, const core_error *reason) {
    witness *seen = context;
    seen->reason = *reason;
    atomic_store(&seen->lost, true);
}

/* Until the witness saw number `last`. */
static void wait_seen(witness *seen, uint64_t last) {
    int64_t deadline = house_now_ms() + PATIENCE_MS;
    while (atomic_load(&seen->next) <= last) {
        if (atomic_load(&seen->wrong) || atomic_load(&seen->lost) || house_now_ms() > deadline)
            fail_msg("saw up to %" PRIu64 " of %" PRIu64 ", lost: %s",
                     (uint64_t)atomic_load(&seen->next) - 1, last,
                     atomic_load(&seen->lost) ? seen->reason.text : "no");
        pause_ms(STEP_MS);
    }
    assert_false(atomic_load(&seen->wrong));
}

static void wait_lost(witness *seen) {
    int64_t deadline = house_now_ms() + PATIENCE_MS;
    while (!atomic_load(&seen->lost)) {
        if (house_now_ms() > deadline)
            fail_msg("not told that the place is lost");
        pause_ms(STEP_MS);
    }
    assert_int_equal(seen->reason.code, CORE_ERROR_GAP);
}

typedef struct fanout_scene {
    fanout_house house;
    fanout_publisher *publisher;
    fanout_connection *connection;
    uint64_t published;
} fanout_scene;

static void scene_open(fanout_scene *scene) {
    core_error error = {0};
    *scene = (struct fanout_scene){0};
    house_open(&scene->house, NULL);
    scene->publisher = house_publisher(&scene->house);
    (void)house_reopen(scene->publisher);
    scene->connection =
        fanout_connection_new(scene->house.config, "test", scene->house.log, NULL, &error);
    assert_non_null(scene->connection);
}

static void scene_close(fanout_scene *scene) {
    fanout_connection_free(scene->connection);
    fanout_publisher_free(scene->publisher);
    house_close(&scene->house);
}

static void publish(fanout_scene *scene, uint64_t count) {
    core_error error = {0};
    uint64_t sequence = 0, acked = 0, last = scene->published + count;
    char text[32];
    while (scene->published < last) {
        bool ok = true;
        for (uint64_t n = scene->published + 1; ok && n <= last; n++)
            ok = house_send(scene->publisher, HOUSE_SUBJECT, house_number(text, n), &sequence,
                            &error);
        if (ok && house_settle(scene->publisher, &acked, &error))
            scene->published = acked;
        else
            scene->published = house_reopen(scene->publisher)->stream.last_sequence;
    }
}

static fanout_ordered *consume(fanout_scene *scene, fanout_from from, uint64_t sequence,
                               witness *seen, core_error *error) {
    fanout_ordered_spec spec = {
        .stream = "WALCAST",
        .filter = "atlasdb.default.dev.*.*",
        .from = from,
        .sequence = sequence,
        .on_message = witness_message,
        .on_lost = witness_lost,
        .context = seen,
    };
    return fanout_ordered_new(scene->connection, &spec, scene->house.log, error);
}

static fanout_ordered *must_consume(fanout_scene *scene, fanout_from from, uint64_t sequence,
                                    witness *seen) {
    core_error error = {0};
    fanout_ordered *consumer = consume(scene, from, sequence, seen, &error);
    if (consumer == NULL)
        fail_msg("%s", error.text);
    return consumer;
}

static void test_delivers_all_from_first(void **state) {
    fanout_scene scene;
    witness seen = {.next = 1};
    (void)state;
    scene_open(&scene);
    publish(&scene, 50000);
    fanout_ordered *consumer = must_consume(&scene, FANOUT_FROM_FIRST, 0, &seen);
    wait_seen(&seen, 50000);
    assert_int_equal(atomic_load(&seen.pending), 0);
    publish(&scene, 10);
    wait_seen(&seen, 50010);
    fanout_ordered_free(consumer);
    scene_close(&scene);
}

static void test_new_begins_where_it_was_made(void **state) {
    fanout_scene scene;
    (void)state;
    scene_open(&scene);
    publish(&scene, 100);
    for (int round = 0; round < 20; round++) {
        witness seen = {.next = scene.published + 1};
        fanout_ordered *consumer = must_consume(&scene, FANOUT_FROM_NEW, 0, &seen);
        publish(&scene, 3);
        wait_seen(&seen, scene.published);
        fanout_ordered_free(consumer);
    }
    scene_close(&scene);
}

static void test_goes_on_through_kills(void **state) {
    fanout_scene scene;
    witness seen = {.next = 1};
    (void)state;
    scene_open(&scene);
    publish(&scene, 2000);
    fanout_ordered *consumer = must_consume(&scene, FANOUT_FROM_FIRST, 0, &seen);
    for (int round = 0; round < 5; round++) {
        nats_server_restart(&scene.house.server);
        publish(&scene, 2000);
    }
    wait_seen(&seen, 12000);
    fanout_ordered_free(consumer);
    scene_close(&scene);
}

/* How many consumers the administrator sees; with `deletes` he deletes them. */
static int count_consumers(fanout_scene *scene, bool deletes) {
    natsConnection *nats = NULL;
    jsCtx *jetstream = NULL;
    jsConsumerNamesList *names = NULL;
    assert_int_equal(natsConnection_ConnectTo(&nats, scene->house.server.url), NATS_OK);
    assert_int_equal(natsConnection_JetStream(&jetstream, nats, NULL), NATS_OK);
    natsStatus status = js_ConsumerNames(&names, jetstream, "WALCAST", NULL, NULL);
    int count = status == NATS_OK ? names->Count : 0; /* none is "not found" */
    for (int i = 0; deletes && i < count; i++)
        assert_int_equal(js_DeleteConsumer(jetstream, "WALCAST", names->List[i], NULL, NULL),
                         NATS_OK);
    jsConsumerNamesList_Destroy(names);
    jsCtx_Destroy(jetstream);
    natsConnection_Destroy(nats);
    return count;
}

static void test_goes_on_when_its_consumer_is_deleted(void **state) {
    fanout_scene scene;
    witness seen = {.next = 1};
    (void)state;
    scene_open(&scene);
    publish(&scene, 1000);
    fanout_ordered *consumer = must_consume(&scene, FANOUT_FROM_FIRST, 0, &seen);
    wait_seen(&seen, 1000);
    assert_int_equal(count_consumers(&scene, true), 1);
    publish(&scene, 1000);
    wait_seen(&seen, 2000);
    fanout_ordered_free(consumer);
    scene_close(&scene);
}

static void test_slow_handler_loses_nothing(void **state) {
    fanout_scene scene;
    witness seen = {.next = 1, .delay_ms = 1};
    (void)state;
    scene_open(&scene);
    publish(&scene, 3000);
    fanout_ordered *consumer = must_consume(&scene, FANOUT_FROM_FIRST, 0, &seen);
    publish(&scene, 1000);
    wait_seen(&seen, 4000);
    fanout_ordered_free(consumer);
    scene_close(&scene);
}

static void test_free_is_quick_and_leaves_nothing(void **state) {
    fanout_scene scene;
    witness seen = {.next = 1};
    (void)state;
    scene_open(&scene);
    fanout_ordered *consumer = must_consume(&scene, FANOUT_FROM_NEW, 0, &seen);
    pause_ms(STEP_MS);
    int64_t begun = house_now_ms();
    fanout_ordered_free(consumer);
    assert_in_range(house_now_ms() - begun, 0, 200);
    for (int64_t deadline = begun + PATIENCE_MS; count_consumers(&scene, false) > 0;)
        assert_true(house_now_ms() < deadline); /* it leaves nothing on the server */
    scene_close(&scene);
}

static void test_resumes_behind_a_sequence(void **state) {
    fanout_scene scene;
    witness seen = {.next = 700};
    core_error error = {0};
    (void)state;
    scene_open(&scene);
    publish(&scene, 1000);
    fanout_ordered *consumer = must_consume(&scene, FANOUT_FROM_SEQUENCE, 700, &seen);
    wait_seen(&seen, 1000);
    fanout_ordered_free(consumer);
    assert_null(consume(&scene, FANOUT_FROM_SEQUENCE, 1002, &seen, &error));
    assert_int_equal(error.code, CORE_ERROR_GAP);
    scene_close(&scene);
}

static void test_tells_that_the_stream_was_made_anew(void **state) {
    fanout_scene scene;
    witness seen = {.next = 1};
    natsConnection *nats = NULL;
    jsCtx *jetstream = NULL;
    (void)state;
    scene_open(&scene);
    publish(&scene, 100);
    fanout_ordered *consumer = must_consume(&scene, FANOUT_FROM_FIRST, 0, &seen);
    wait_seen(&seen, 100);
    assert_int_equal(natsConnection_ConnectTo(&nats, scene.house.server.url), NATS_OK);
    assert_int_equal(natsConnection_JetStream(&jetstream, nats, NULL), NATS_OK);
    assert_int_equal(js_DeleteStream(jetstream, "WALCAST", NULL, NULL), NATS_OK);
    jsCtx_Destroy(jetstream);
    natsConnection_Destroy(nats);
    (void)house_reopen(scene.publisher);
    wait_lost(&seen);
    assert_non_null(strstr(seen.reason.text, "made anew"));
    fanout_ordered_free(consumer);
    scene_close(&scene);
}

static void test_tells_that_history_aged_out(void **state) {
    fanout_scene scene;
    witness seen = {.next = 1, .delay_ms = 1500};
    (void)state;
    scene_open(&scene);
    fanout_publisher_free(scene.publisher);
    house_set(&scene.house, "nats.max_age", "1s");
    scene.publisher = house_publisher(&scene.house);
    (void)house_reopen(scene.publisher);
    publish(&scene, 2000); /* more than is on its way to a consumer at once */
    fanout_ordered *consumer = must_consume(&scene, FANOUT_FROM_FIRST, 0, &seen);
    wait_seen(&seen, 1);
    nats_server_restart(&scene.house.server); /* what was on its way is gone */
    wait_lost(&seen);
    assert_false(atomic_load(&seen.wrong));
    fanout_ordered_free(consumer);
    scene_close(&scene);
}

static void test_filter_of_other_subjects_is_refused(void **state) {
    fanout_scene scene;
    core_error error = {0};
    fanout_ordered_spec spec = {.stream = "WALCAST",
                                .filter = "elsewhere.*.*",
                                .on_message = witness_message,
                                .from = FANOUT_FROM_NEW};
    (void)state;
    scene_open(&scene);
    assert_null(fanout_ordered_new(scene.connection, &spec, scene.house.log, &error));
    assert_int_equal(error.code, CORE_ERROR_CONFIG);
    spec.stream = "NOTHING";
    assert_null(fanout_ordered_new(scene.connection, &spec, scene.house.log, &error));
    assert_int_equal(error.code, CORE_ERROR_TRANSIENT);
    scene_close(&scene);
}

/* nats.c must not be let touch a subscription that was freed while its messages came. */
static void test_goes_in_the_midst_of_messages(void **state) {
    fanout_scene scene;
    (void)state;
    scene_open(&scene);
    publish(&scene, 2000);
    for (int round = 0; round < 300; round++) {
        witness seen = {.next = 1};
        fanout_ordered *consumer = must_consume(&scene, FANOUT_FROM_FIRST, 0, &seen);
        wait_seen(&seen, 1);
        fanout_ordered_free(consumer);
    }
    scene_close(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_delivers_all_from_first),
        cmocka_unit_test(test_new_begins_where_it_was_made),
        cmocka_unit_test(test_goes_on_through_kills),
        cmocka_unit_test(test_goes_on_when_its_consumer_is_deleted),
        cmocka_unit_test(test_slow_handler_loses_nothing),
        cmocka_unit_test(test_free_is_quick_and_leaves_nothing),
        cmocka_unit_test(test_goes_in_the_midst_of_messages),
        cmocka_unit_test(test_resumes_behind_a_sequence),
        cmocka_unit_test(test_tells_that_the_stream_was_made_anew),
        cmocka_unit_test(test_tells_that_history_aged_out),
        cmocka_unit_test(test_filter_of_other_subjects_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
