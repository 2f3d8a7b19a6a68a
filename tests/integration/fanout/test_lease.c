/* Leases against a real nats-server: one holder at a time, renewed in time, taken over when the
 * holder stops, and told to the holder that slept. */
#include "tests/integration/fanout/house.h"

#include <poll.h>

enum { TTL_MS = 1500 };

typedef struct {
    fanout_house house;
    fanout_connection *connection;
    fanout_bucket *bucket;
} desk;

static void desk_open(desk *d) {
    core_error error = {0};
    house_open(&d->house, NULL);
    d->connection = fanout_connection_new(d->house.config, "test", d->house.log, NULL, &error);
    assert_non_null(d->connection);
    d->bucket = fanout_bucket_new_brief(d->connection, d->house.config, "leases", TTL_MS, &error);
    if (d->bucket == NULL)
        fail_msg("%s", error.text);
}

static void desk_close(desk *d) {
    fanout_bucket_free(d->bucket);
    fanout_connection_free(d->connection);
    house_close(&d->house);
}

static fanout_lease *lease_of(desk *d, const char *owner) {
    core_error error = {0};
    const fanout_lease_spec spec = {.key = "partition.00", .owner = owner, .ttl_ms = TTL_MS};
    fanout_lease *lease = fanout_lease_new(d->bucket, &spec, core_clock_system(), &error);
    assert_non_null(lease);
    return lease;
}

static core_error_code keep(fanout_lease *lease) {
    core_error error = {0};
    return fanout_lease_keep(lease, &error) ? CORE_ERROR_NONE : error.code;
}

static void test_one_holds_it_until_it_is_given_back(void **state) {
    desk d;
    (void)state;
    desk_open(&d);
    fanout_lease *a = lease_of(&d, "a"), *b = lease_of(&d, "b");
    assert_false(fanout_lease_held(a));
    assert_int_equal(keep(a), CORE_ERROR_NONE);
    assert_true(fanout_lease_held(a));
    assert_int_equal(keep(b), CORE_ERROR_CONFLICT);
    assert_false(fanout_lease_held(b));
    assert_int_equal(keep(a), CORE_ERROR_NONE);
    fanout_lease_release(a);
    assert_false(fanout_lease_held(a));
    assert_int_equal(keep(b), CORE_ERROR_NONE);
    assert_int_equal(keep(a), CORE_ERROR_CONFLICT);
    fanout_lease_free(a);
    fanout_lease_free(b);
    desk_close(&d);
}

/* The same owner's second object (its answer got lost, say) finds what is its own. */
static void test_an_own_lease_is_found_again(void **state) {
    desk d;
    (void)state;
    desk_open(&d);
    fanout_lease *a = lease_of(&d, "a"), *again = lease_of(&d, "a");
    assert_int_equal(keep(a), CORE_ERROR_NONE);
    assert_int_equal(keep(again), CORE_ERROR_NONE);
    assert_int_equal(keep(a), CORE_ERROR_NONE);
    fanout_lease_free(a);
    fanout_lease_free(again);
    desk_close(&d);
}

static void test_a_holder_that_stops_is_followed(void **state) {
    desk d;
    (void)state;
    desk_open(&d);
    fanout_lease *a = lease_of(&d, "a"), *b = lease_of(&d, "b");
    int64_t begin_ms = house_now_ms();
    assert_int_equal(keep(a), CORE_ERROR_NONE);
    while (keep(b) != CORE_ERROR_NONE) {
        (void)poll(NULL, 0, 20);
        assert_true(house_now_ms() - begin_ms < 20000);
    }
    /* By its own clock the first holder knew before. */
    assert_true(house_now_ms() >= begin_ms + TTL_MS);
    assert_false(fanout_lease_held(a));
    assert_true(fanout_lease_held(b));
    assert_int_equal(keep(a), CORE_ERROR_CONFLICT);
    fanout_lease_free(a);
    fanout_lease_free(b);
    desk_close(&d);
}

static void test_without_an_answer_it_lasts_until_its_end(void **state) {
    desk d;
    (void)state;
    desk_open(&d);
    fanout_lease *a = lease_of(&d, "a");
    int64_t begin_ms = house_now_ms();
    assert_int_equal(keep(a), CORE_ERROR_NONE);
    nats_server_kill(&d.house.server);
    assert_int_equal(keep(a), CORE_ERROR_TRANSIENT);
    while (fanout_lease_held(a))
        (void)poll(NULL, 0, 10);
    assert_true(house_now_ms() >= begin_ms + TTL_MS);
    fanout_lease_free(a);
    desk_close(&d);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_holds_it_until_it_is_given_back),
        cmocka_unit_test(test_an_own_lease_is_found_again),
        cmocka_unit_test(test_a_holder_that_stops_is_followed),
        cmocka_unit_test(test_without_an_answer_it_lasts_until_its_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
