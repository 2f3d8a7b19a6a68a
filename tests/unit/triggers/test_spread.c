/* The deal of an endpoint's rate and places: over all processes it is never more than the whole,
 * whoever holds which partitions, and each partition that does a trigger's work has a place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "triggers/spread.h"

static triggers_definition webhook(const char *name, uint32_t concurrency, uint32_t partitions) {
    return (triggers_definition){.name = core_slice_text(name),
                                 .project = core_slice_text("p"),
                                 .action = TRIGGERS_DO_WEBHOOK,
                                 .partitions = partitions,
                                 .webhook = {.concurrency = concurrency}};
}

static uint32_t bits_of(const triggers_spread *spread) {
    uint32_t bits = 0;
    for (unsigned i = 0; i < spread->count; i++)
        bits |= UINT32_C(1) << (spread->first + i) % TRIGGERS_PARTITIONS;
    return bits;
}

static void test_as_many_partitions_as_places(void **state) {
    (void)state;
    const struct {
        uint32_t concurrency, width;
    } rows[] = {{1, 1}, {2, 2}, {15, 15}, {16, 0}, {17, 0}, {1000, 0}};
    for (size_t i = 0; i < CORE_COUNT_OF(rows); i++) {
        const triggers_definition definition = webhook("t", rows[i].concurrency, 0);
        assert_int_equal(triggers_spread_width(&definition), rows[i].width);
    }
    triggers_definition other = webhook("t", 1, 0);
    other.on = TRIGGERS_ON_QUEUE;
    assert_int_equal(triggers_spread_width(&other), 0);
    other.on = TRIGGERS_ON_TABLE;
    other.action = TRIGGERS_DO_NATS;
    assert_int_equal(triggers_spread_width(&other), 0);
}

static void test_keys_stay_within_the_spread(void **state) {
    (void)state;
    for (uint32_t width = 0; width <= TRIGGERS_PARTITIONS + 1; width++) {
        const triggers_definition definition = webhook("t", 50, width);
        const triggers_spread spread = triggers_spread_of(&definition);
        uint32_t seen = 0;
        for (int i = 0; i < 2000; i++) {
            char key[16];
            (void)snprintf(key, sizeof key, "%d", i);
            uint64_t hash = triggers_spread_key(&definition, core_slice_text(key));
            assert_true(hash != 0 && triggers_spread_hash(&spread, hash) == hash);
            seen |= UINT32_C(1) << triggers_key_partition(hash);
        }
        assert_int_equal(seen, bits_of(&spread));
    }
}

/* Tasks of any version stand where these say. */
static void test_places_of_keys_stay(void **state) {
    (void)state;
    const triggers_definition narrow = webhook("orders", 3, 3), wide = webhook("orders", 50, 0);
    const triggers_spread spread = triggers_spread_of(&narrow);
    assert_int_equal(spread.first, 11);
    assert_int_equal(spread.count, 3);
    uint64_t plain =
        triggers_key_hash(core_slice_text("p"), core_slice_text("orders"), core_slice_text("7"));
    assert_true(triggers_spread_key(&wide, core_slice_text("7")) == plain);
    uint64_t moved = triggers_spread_key(&narrow, core_slice_text("7"));
    assert_true(moved / TRIGGERS_PARTITIONS == plain / TRIGGERS_PARTITIONS);
    assert_int_equal(moved % TRIGGERS_PARTITIONS,
                     (spread.first + plain / TRIGGERS_PARTITIONS % 3) % TRIGGERS_PARTITIONS);
    assert_int_equal(triggers_spread_hash(&spread, 0), 0);
}

static void test_partitions_held(void **state) {
    (void)state;
    const triggers_definition narrow = webhook("orders", 3, 3), wide = webhook("orders", 50, 0);
    assert_int_equal(triggers_spread_held(&wide, 0x8001), 2);
    assert_int_equal(triggers_spread_held(&wide, TRIGGERS_PARTITIONS_ALL), TRIGGERS_PARTITIONS);
    assert_int_equal(triggers_spread_held(&narrow, TRIGGERS_PARTITIONS_ALL), 3);
    assert_int_equal(triggers_spread_held(&narrow, UINT32_C(1) << 12), 1);
    assert_int_equal(triggers_spread_held(&narrow, 0x8001), 0);
}

/* Each partition to one of so many processes. */
static void deal(uint32_t held[TRIGGERS_PARTITIONS], unsigned processes) {
    for (unsigned i = 0; i < TRIGGERS_PARTITIONS; i++)
        held[i] = 0;
    for (unsigned i = 0; i < TRIGGERS_PARTITIONS; i++)
        held[(unsigned)rand() % processes] |= UINT32_C(1) << i;
}

static void test_places_are_the_number_over_all(void **state) {
    (void)state;
    srand(1);
    for (uint32_t concurrency = 1; concurrency <= 200; concurrency++) {
        triggers_definition definition = webhook("t", concurrency, 0);
        definition.partitions = triggers_spread_width(&definition);
        const triggers_spread spread = triggers_spread_of(&definition);
        const net_throttle_spec whole = {.concurrency = concurrency};
        for (unsigned processes = 1; processes <= TRIGGERS_PARTITIONS; processes++) {
            uint32_t held[TRIGGERS_PARTITIONS], places = 0;
            deal(held, processes);
            for (unsigned i = 0; i < processes; i++)
                if ((held[i] & bits_of(&spread)) != 0) /* else it has none of the trigger's work */
                    places += triggers_spread_share(&spread, &whole, held[i]).concurrency;
            assert_int_equal(places, concurrency);
        }
    }
}

/* One that was made with more places than it has now: whoever has none takes one. */
static void test_fewer_places_than_partitions_go_on(void **state) {
    (void)state;
    const triggers_definition definition = webhook("t", 2, 0);
    const triggers_spread spread = triggers_spread_of(&definition);
    const net_throttle_spec whole = {.concurrency = 2};
    for (unsigned i = 0; i < TRIGGERS_PARTITIONS; i++)
        assert_int_equal(triggers_spread_share(&spread, &whole, UINT32_C(1) << i).concurrency, 1);
    assert_int_equal(triggers_spread_share(&spread, &whole, TRIGGERS_PARTITIONS_ALL).concurrency,
                     2);
}

static void test_rates_are_never_more_than_the_whole(void **state) {
    (void)state;
    srand(2);
    for (uint32_t width = 0; width < TRIGGERS_PARTITIONS; width++) {
        const triggers_definition definition = webhook("t", 50, width);
        const triggers_spread spread = triggers_spread_of(&definition);
        const net_throttle_spec whole = {.interval_ns = 7 * CORE_NS_PER_MS + 1, .concurrency = 50};
        net_throttle_spec share = triggers_spread_share(&spread, &whole, TRIGGERS_PARTITIONS_ALL);
        assert_true(share.interval_ns == whole.interval_ns && share.concurrency == 50);
        for (unsigned processes = 2; processes <= TRIGGERS_PARTITIONS; processes++) {
            uint32_t held[TRIGGERS_PARTITIONS];
            double rate = 0;
            deal(held, processes);
            for (unsigned i = 0; i < processes; i++)
                if ((held[i] & bits_of(&spread)) != 0)
                    rate +=
                        1.0 / (double)triggers_spread_share(&spread, &whole, held[i]).interval_ns;
            assert_true(rate * (double)whole.interval_ns <= 1 + 1e-9 &&
                        rate * (double)whole.interval_ns > 0.999);
        }
    }
}

static void test_without_limits_there_are_none(void **state) {
    (void)state;
    const triggers_definition definition = webhook("t", 0, 0);
    const triggers_spread spread = triggers_spread_of(&definition);
    const net_throttle_spec none = {.interval_ns = 0};
    for (uint32_t held = 0; held <= 3; held++) {
        net_throttle_spec share = triggers_spread_share(&spread, &none, held);
        assert_true(share.interval_ns == 0 && share.concurrency == 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_many_partitions_as_places),
        cmocka_unit_test(test_keys_stay_within_the_spread),
        cmocka_unit_test(test_places_of_keys_stay),
        cmocka_unit_test(test_partitions_held),
        cmocka_unit_test(test_places_are_the_number_over_all),
        cmocka_unit_test(test_fewer_places_than_partitions_go_on),
        cmocka_unit_test(test_rates_are_never_more_than_the_whole),
        cmocka_unit_test(test_without_limits_there_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
