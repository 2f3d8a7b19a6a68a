/* Buckets and streams that several connections make and read at the same moment, on a real
 * nats-server: it must outlive that (2.9.10 dies when asked for a message of a stream that has no
 * store yet). */
#include "tests/integration/fanout/house.h"

#include <pthread.h>
#include <stdio.h>
#include <time.h>

enum { MAKERS = 12, ROUNDS = 60 };

typedef struct {
    fanout_house house;
    pthread_barrier_t together;
} scene;

typedef struct {
    scene *scene;
    fanout_connection *connection;
    pthread_t thread;
    size_t number;
    core_error error; /* of the first that failed */
} maker;

static bool make_and_read(const maker *it, unsigned round, core_error *error) {
    char suffix[16];
    uint64_t revision;
    uint8_t memory[64];
    core_buffer value = core_buffer_over(memory, sizeof memory);
    (void)snprintf(suffix, sizeof suffix, "new%u", round);
    fanout_bucket *bucket =
        fanout_bucket_new(it->connection, it->scene->house.config, suffix, error);
    bool ok = bucket != NULL && fanout_bucket_get(bucket, "key", &value, &revision, error);
    fanout_bucket_free(bucket);
    return ok;
}

static void *maker_run(void *context) {
    maker *it = context;
    for (unsigned round = 0; round < ROUNDS; round++) {
        core_error error = {0};
        (void)pthread_barrier_wait(&it->scene->together);
        const struct timespec behind = {.tv_nsec = (long)(it->number * (round % 20) * 20 * 1000)};
        (void)nanosleep(&behind, NULL);
        if (it->error.code == CORE_ERROR_NONE && !make_and_read(it, round, &error))
            it->error = error;
    }
    return NULL;
}

static void test_a_server_outlives_what_is_made_and_read_at_once(void **state) {
    scene s;
    maker makers[MAKERS] = {0};
    core_error error = {0};
    (void)state;
    house_open(&s.house, NULL);
    assert_int_equal(pthread_barrier_init(&s.together, NULL, MAKERS), 0);
    for (size_t i = 0; i < MAKERS; i++) {
        makers[i].scene = &s;
        makers[i].number = i;
        makers[i].connection =
            fanout_connection_new(s.house.config, "test", s.house.log, NULL, &error);
        assert_non_null(makers[i].connection);
    }
    for (size_t i = 0; i < MAKERS; i++)
        assert_int_equal(pthread_create(&makers[i].thread, NULL, maker_run, &makers[i]), 0);
    for (size_t i = 0; i < MAKERS; i++)
        (void)pthread_join(makers[i].thread, NULL);
    for (size_t i = 0; i < MAKERS; i++) {
        fanout_connection_free(makers[i].connection);
        if (makers[i].error.code != CORE_ERROR_NONE)
            fail_msg("connection %zu: %s", i, makers[i].error.text);
    }
    (void)pthread_barrier_destroy(&s.together);
    house_close(&s.house);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_server_outlives_what_is_made_and_read_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
