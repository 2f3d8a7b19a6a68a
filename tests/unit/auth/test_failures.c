/* Refused credentials by address: a minute's worth is borne, each address by itself, and a flood of
 * addresses locks nobody out. */
#include "auth/failures.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define NOW    INT64_C(1000000000000)
#define SECOND INT64_C(1000000000)

static core_address address_of(const char *text) {
    core_address address = {0};
    assert_true(core_address_parse(core_slice_text(text), &address));
    return address;
}

static auth_failures *failures_new(int64_t per_minute) {
    auth_failures *failures = malloc(sizeof *failures);
    assert_non_null(failures);
    auth_failures_init(failures, per_minute, 42);
    return failures;
}

static void a_minutes_worth_is_borne(void **state) {
    (void)state;
    auth_failures *failures = failures_new(6);
    core_address a = address_of("192.0.2.1"), b = address_of("192.0.2.2");
    for (int i = 0; i < 6; i++) {
        assert_int_equal(auth_failures_wait_ns(failures, &a, NOW), 0);
        auth_failures_add(failures, &a, NOW);
    }
    assert_int_equal(auth_failures_wait_ns(failures, &a, NOW), 10 * SECOND);
    assert_int_equal(auth_failures_wait_ns(failures, &b, NOW), 0);
    assert_int_equal(auth_failures_wait_ns(failures, &a, NOW + 10 * SECOND), 0);
    for (int i = 0; i < 1000; i++)
        auth_failures_add(failures, &a, NOW);
    assert_int_equal(auth_failures_wait_ns(failures, &a, NOW), 10 * SECOND);
    free(failures);
}

static void an_ipv6_network_is_one_address(void **state) {
    (void)state;
    auth_failures *failures = failures_new(1);
    core_address a = address_of("2001:db8::1"), same = address_of("2001:db8::ffff"),
                 other = address_of("2001:db8:0:1::1");
    auth_failures_add(failures, &a, NOW);
    assert_true(auth_failures_wait_ns(failures, &same, NOW) > 0);
    assert_int_equal(auth_failures_wait_ns(failures, &other, NOW), 0);
    free(failures);
}

static void zero_is_no_limit_and_no_address_counts_nowhere(void **state) {
    (void)state;
    auth_failures *failures = failures_new(0);
    core_address a = address_of("192.0.2.1"), none = {0};
    auth_failures_add(failures, &a, NOW);
    assert_int_equal(auth_failures_wait_ns(failures, &a, NOW), 0);
    auth_failures_init(failures, 1, 1);
    auth_failures_add(failures, &none, NOW);
    assert_int_equal(auth_failures_wait_ns(failures, &none, NOW), 0);
    free(failures);
}

static void a_flood_of_addresses_locks_nobody_out(void **state) {
    (void)state;
    auth_failures *failures = failures_new(2);
    core_address a = {.family = CORE_ADDRESS_V4};
    for (uint32_t i = 0; i < 100000; i++) {
        memcpy(a.bytes, &i, sizeof i);
        auth_failures_add(failures, &a, NOW);
        auth_failures_add(failures, &a, NOW);
        auth_failures_add(failures, &a, NOW);
    }
    for (uint32_t i = 100000; i < 101000; i++) {
        memcpy(a.bytes, &i, sizeof i);
        assert_int_equal(auth_failures_wait_ns(failures, &a, NOW), 0);
    }
    free(failures);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_minutes_worth_is_borne),
        cmocka_unit_test(an_ipv6_network_is_one_address),
        cmocka_unit_test(zero_is_no_limit_and_no_address_counts_nowhere),
        cmocka_unit_test(a_flood_of_addresses_locks_nobody_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
