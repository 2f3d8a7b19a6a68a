/* Rate and places by a table of what happens when. */
#include "net/throttle.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define MS CORE_NS_PER_MS

/* 'a' admit, 'r' release. */
typedef struct {
    char what;
    int64_t at_ms;
    int64_t wait_ms; /* of an admit; 0: let through, -1: no place */
} step;

typedef struct {
    const char *name;
    net_throttle_spec spec;
    step steps[16];
} table;

static const table tables[] = {
    {"without limits all go", {0, 0}, {{'a', 0, 0}, {'a', 0, 0}, {'a', 0, 0}}},
    {"ten a second",
     {100 * MS, 0},
     {{'a', 0, 0}, {'a', 0, 100}, {'a', 40, 60}, {'a', 100, 0}, {'a', 100, 100}, {'a', 199, 1}}},
    {"a pause saves nothing up",
     {100 * MS, 0},
     {{'a', 0, 0},
      {'a', 0, 100},
      {'a', 120, 0},
      {'a', 120, 100},
      {'a', 9000, 0},
      {'a', 9000, 100}}},
    {"who is a little late makes it up",
     {10 * MS, 0},
     {{'a', 0, 0}, {'a', 13, 0}, {'a', 13, 7}, {'a', 29, 0}, {'a', 29, 1}, {'a', 30, 0}}},
    {"one a minute", {60000 * MS, 0}, {{'a', 0, 0}, {'a', 1000, 59000}, {'a', 60000, 0}}},
    {"a refused one takes no token",
     {1000 * MS, 0},
     {{'a', 0, 0}, {'a', 1, 999}, {'a', 2, 998}, {'a', 3, 997}, {'a', 1000, 0}}},
    {"two places",
     {0, 2},
     {{'a', 0, 0}, {'a', 0, 0}, {'a', 0, -1}, {'r', 0, 0}, {'a', 0, 0}, {'a', 9, -1}}},
    {"a place is no token",
     {1000 * MS, 1},
     {{'a', 0, 0}, {'a', 0, -1}, {'r', 0, 0}, {'a', 0, 1000}, {'a', 1000, 0}, {'r', 1000, 0}}},
};

static void every_table_holds(void **state) {
    (void)state;
    for (size_t i = 0; i < CORE_COUNT_OF(tables); i++) {
        net_throttle throttle;
        net_throttle_init(&throttle, &tables[i].spec, 0);
        for (const step *at = tables[i].steps; at->what != 0; at++) {
            if (at->what == 'r')
                net_throttle_release(&throttle);
            else {
                int64_t wait_ns = net_throttle_admit(&throttle, at->at_ms * MS);
                if (wait_ns != (at->wait_ms < 0 ? NET_THROTTLE_FULL : at->wait_ms * MS))
                    fail_msg("%s: at %lld ms %lld ns", tables[i].name, (long long)at->at_ms,
                             (long long)wait_ns);
            }
        }
    }
}

/* Whoever asks again when told to gets the rate, over any time. */
static void the_rate_is_kept(void **state) {
    static const uint32_t rates[] = {1, 3, 7, 1000, 33333, 1000000};
    (void)state;
    for (size_t i = 0; i < CORE_COUNT_OF(rates); i++) {
        net_throttle throttle;
        const net_throttle_spec spec = {.interval_ns = INT64_C(1000000000) / rates[i]};
        int64_t now_ns = 0;
        net_throttle_init(&throttle, &spec, now_ns);
        for (uint32_t sent = 0; sent < 10000;) {
            int64_t wait_ns = net_throttle_admit(&throttle, now_ns);
            sent += wait_ns == 0;
            now_ns += wait_ns;
        }
        double rate = 9999.0 / ((double)now_ns / 1e9);
        if (rate > rates[i] * 1.001 || rate < rates[i] * 0.999)
            fail_msg("%u a second became %f", rates[i], rate);
    }
}

/* So does who has a clock of milliseconds. */
static void the_rate_is_kept_by_who_comes_late(void **state) {
    static const uint32_t rates[] = {100, 1000, 5000, 33333};
    (void)state;
    for (size_t i = 0; i < CORE_COUNT_OF(rates); i++) {
        net_throttle throttle;
        const net_throttle_spec spec = {.interval_ns = INT64_C(1000000000) / rates[i]};
        int64_t now_ms = 0;
        net_throttle_init(&throttle, &spec, 0);
        for (uint32_t sent = 0; sent < 10000;) {
            int64_t wait_ns = net_throttle_admit(&throttle, now_ms * MS);
            sent += wait_ns == 0;
            now_ms += wait_ns > 0 ? wait_ns / MS + 1 : 0;
        }
        double rate = 9999.0 / ((double)now_ms / 1e3);
        if (rate > rates[i] * 1.02 || rate < rates[i] * 0.98)
            fail_msg("%u a second became %f", rates[i], rate);
    }
}

/* A definition that asks for more is not held back by what it asked for before. */
static void another_rate_counts_from_now_on(void **state) {
    net_throttle throttle;
    const net_throttle_spec hourly = {.interval_ns = 3600 * 1000 * MS};
    (void)state;
    net_throttle_init(&throttle, &hourly, 0);
    assert_int_equal(net_throttle_admit(&throttle, 0), 0);
    throttle.spec.interval_ns = 10 * MS;
    assert_int_equal(net_throttle_admit(&throttle, 1 * MS), 10 * MS);
    assert_int_equal(net_throttle_admit(&throttle, 11 * MS), 0);
    throttle.spec = hourly;
    assert_int_equal(net_throttle_admit(&throttle, 12 * MS), 9 * MS);
}

static void who_did_not_go_costs_nothing(void **state) {
    net_throttle throttle;
    const net_throttle_spec spec = {.interval_ns = 100 * MS, .concurrency = 1};
    (void)state;
    net_throttle_init(&throttle, &spec, 0);
    for (int64_t now_ms = 0; now_ms < 1000; now_ms += 50) {
        assert_int_equal(net_throttle_admit(&throttle, now_ms * MS), 0);
        net_throttle_cancel(&throttle);
    }
    assert_int_equal(net_throttle_admit(&throttle, 1000 * MS), 0);
    assert_int_equal(net_throttle_admit(&throttle, 1000 * MS), NET_THROTTLE_FULL);
    net_throttle_release(&throttle);
    assert_int_equal(net_throttle_admit(&throttle, 1000 * MS), 100 * MS);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_table_holds),
        cmocka_unit_test(the_rate_is_kept),
        cmocka_unit_test(the_rate_is_kept_by_who_comes_late),
        cmocka_unit_test(another_rate_counts_from_now_on),
        cmocka_unit_test(who_did_not_go_costs_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
