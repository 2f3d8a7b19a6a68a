/* How much an endpoint is asked: its places, its breaker, and that whoever was refused is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "triggers/endpoint.h"

static const triggers_definition definition = {.name = {(const uint8_t *)"t", 1},
                                               .project = {(const uint8_t *)"p", 1},
                                               .action = TRIGGERS_DO_WEBHOOK,
                                               .webhook = {.concurrency = 2}};
static const int64_t start_ms = 1000000;

static int64_t admit(triggers_endpoint *endpoint, int64_t after_ms) {
    int64_t now_ms = start_ms + after_ms;
    const char *reason;
    int64_t until_ms = triggers_endpoint_admit(endpoint, now_ms, now_ms * CORE_NS_PER_MS, &reason);
    return until_ms == 0 ? 0 : until_ms - now_ms;
}

static triggers_endpoint *endpoint_new(void) {
    triggers_endpoint *endpoint =
        triggers_endpoint_new(&definition, start_ms, start_ms * CORE_NS_PER_MS);
    assert_non_null(endpoint);
    endpoint->throttle.spec.concurrency = definition.webhook.concurrency;
    return endpoint;
}

static void test_who_finds_no_place_is_told_when_one_is_free(void **state) {
    triggers_endpoint *endpoint = endpoint_new();
    (void)state;
    assert_int_equal(admit(endpoint, 0), 0);
    assert_int_equal(admit(endpoint, 0), 0);
    assert_false(endpoint->was_refused);
    assert_true(admit(endpoint, 0) > 0);
    assert_true(endpoint->was_refused);
    triggers_endpoint_release(endpoint, endpoint->ticket, NET_BREAKER_GOOD, start_ms);
    assert_int_equal(admit(endpoint, 0), 0);
    triggers_endpoint_free(endpoint);
}

/* While one request finds out whether the endpoint is back, others are told to come in a minute:
 * the word that it is must bring them sooner. */
static void test_who_waits_for_a_probe_is_told_of_its_word(void **state) {
    triggers_endpoint *endpoint = endpoint_new();
    (void)state;
    for (int i = 0; i < 5; i++) {
        assert_int_equal(admit(endpoint, 0), 0);
        triggers_endpoint_release(endpoint, endpoint->ticket, NET_BREAKER_BAD, start_ms);
    }
    int64_t open_ms = admit(endpoint, 0);
    assert_true(open_ms > 0);
    assert_int_equal(admit(endpoint, open_ms), 0);
    endpoint->was_refused = false;
    uint32_t probe = endpoint->ticket;
    assert_true(admit(endpoint, open_ms) > 10000);
    assert_true(endpoint->was_refused);
    triggers_endpoint_release(endpoint, probe, NET_BREAKER_GOOD, start_ms + open_ms + 1);
    assert_int_equal(admit(endpoint, open_ms + 1), 0);
    triggers_endpoint_free(endpoint);
}

/* The probe behind an open breaker does not wait for the rate too. */
static void test_what_the_breaker_holds_back_does_not_count_for_the_rate(void **state) {
    triggers_endpoint *endpoint = endpoint_new();
    (void)state;
    for (int i = 0; i < 5; i++) {
        assert_int_equal(admit(endpoint, 0), 0);
        triggers_endpoint_release(endpoint, endpoint->ticket, NET_BREAKER_BAD, start_ms);
    }
    endpoint->throttle.spec.interval_ns = 3600 * 1000 * CORE_NS_PER_MS;
    int64_t open_ms = admit(endpoint, 0);
    assert_in_range(open_ms, 1, 60000);
    assert_int_equal(admit(endpoint, open_ms), 0);
    triggers_endpoint_free(endpoint);
}

/* One partition of sixteen has a sixteenth of the rate and three of forty places. */
static void test_rate_and_places_are_those_of_the_partitions_held(void **state) {
    triggers_definition limited = definition;
    const char *reason;
    (void)state;
    limited.webhook = (triggers_webhook){.concurrency = 40, .rate_count = 16, .rate_ms = 1000};
    triggers_endpoint *endpoint =
        triggers_endpoint_new(&limited, start_ms, start_ms * CORE_NS_PER_MS);
    assert_non_null(endpoint);
    assert_int_equal(endpoint->throttle.spec.concurrency, 40);
    triggers_endpoint_share(endpoint, UINT32_C(1) << endpoint->spread.first);
    assert_int_equal(endpoint->throttle.spec.concurrency, 3);
    int64_t now_ns = start_ms * CORE_NS_PER_MS;
    assert_int_equal(triggers_endpoint_admit(endpoint, start_ms, now_ns, &reason), 0);
    int64_t until_ms = triggers_endpoint_admit(endpoint, start_ms, now_ns, &reason);
    assert_in_range(until_ms - start_ms, 1000, 1001);
    triggers_endpoint_share(endpoint, TRIGGERS_PARTITIONS_ALL);
    until_ms = triggers_endpoint_admit(endpoint, start_ms, now_ns, &reason);
    assert_in_range(until_ms - start_ms, 62, 64);
    for (int64_t i = 1; i < 4; i++)
        assert_int_equal(
            triggers_endpoint_admit(endpoint, start_ms, now_ns + i * 100 * CORE_NS_PER_MS, &reason),
            0);
    assert_true(triggers_endpoint_fits(endpoint, TRIGGERS_PARTITIONS_ALL));
    assert_false(triggers_endpoint_fits(endpoint, UINT32_C(1) << endpoint->spread.first));
    triggers_endpoint_free(endpoint);
}

/* Its connections are each process's own. */
static void test_what_is_no_webhook_is_not_shared(void **state) {
    triggers_definition statement = definition;
    (void)state;
    statement.action = TRIGGERS_DO_SQL;
    triggers_endpoint *endpoint =
        triggers_endpoint_new(&statement, start_ms, start_ms * CORE_NS_PER_MS);
    assert_non_null(endpoint);
    uint32_t places = endpoint->throttle.spec.concurrency;
    assert_true(places > 0);
    triggers_endpoint_share(endpoint, 1);
    assert_int_equal(endpoint->throttle.spec.concurrency, places);
    triggers_endpoint_free(endpoint);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_finds_no_place_is_told_when_one_is_free),
        cmocka_unit_test(test_who_waits_for_a_probe_is_told_of_its_word),
        cmocka_unit_test(test_what_the_breaker_holds_back_does_not_count_for_the_rate),
        cmocka_unit_test(test_rate_and_places_are_those_of_the_partitions_held),
        cmocka_unit_test(test_what_is_no_webhook_is_not_shared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
