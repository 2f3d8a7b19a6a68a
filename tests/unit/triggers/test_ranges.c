/* Ranges and prefixes find what looking at each of them finds, once each. */
#include "triggers/prefixes.h"
#include "triggers/ranges.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define COUNT 500

static uint32_t random_below(uint64_t *seed, uint32_t below) {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return (uint32_t)(*seed >> 20) % below;
}

static void seen_add(void *context, const uint32_t *ids, size_t count) {
    unsigned *seen = context;
    for (size_t i = 0; i < count; i++)
        seen[ids[i]]++;
}

static void ranges_check(uint64_t *seed, size_t count, uint32_t width) {
    static const int64_t ends[] = {INT64_MIN, INT64_MIN + 1, -1, 0, INT64_MAX - 1, INT64_MAX};
    triggers_ranges ranges = {0};
    int64_t low[COUNT], high[COUNT];
    for (size_t i = 0; i < count; i++) {
        low[i] = (int64_t)random_below(seed, width) - width / 2;
        high[i] = low[i] + (int64_t)random_below(seed, width / 8 + 1) - 1; /* some hold nothing */
        if (random_below(seed, 10) == 0)
            low[i] = ends[random_below(seed, CORE_COUNT_OF(ends))];
        if (random_below(seed, 10) == 0)
            high[i] = ends[random_below(seed, CORE_COUNT_OF(ends))];
        assert_true(triggers_ranges_add(&ranges, low[i], high[i], (uint32_t)i));
    }
    assert_true(triggers_ranges_sort(&ranges));
    for (size_t look = 0; look < 400; look++) {
        unsigned seen[COUNT] = {0};
        int64_t number = look < CORE_COUNT_OF(ends)
                             ? ends[look]
                             : (int64_t)random_below(seed, width + 8) - width / 2 - 4;
        triggers_ranges_find(&ranges, number, seen_add, seen);
        for (size_t i = 0; i < count; i++)
            assert_int_equal(seen[i], low[i] <= number && number <= high[i] ? 1 : 0);
    }
    triggers_ranges_fini(&ranges);
}

static void test_ranges(void **state) {
    uint64_t seed = 88172645463325252u;
    (void)state;
    for (size_t count = 0; count < 8; count++)
        ranges_check(&seed, count, 10);
    ranges_check(&seed, COUNT, 20);
    ranges_check(&seed, COUNT, 100000);
}

static void test_prefixes(void **state) {
    uint64_t seed = 88172645463325252u;
    triggers_prefixes prefixes = {0};
    uint8_t texts[COUNT][8];
    size_t lengths[COUNT];
    unsigned none = 0;
    (void)state;
    for (size_t i = 0; i < COUNT; i++) {
        lengths[i] = 1 + random_below(&seed, 7);
        for (size_t k = 0; k < lengths[i]; k++)
            texts[i][k] =
                random_below(&seed, 20) == 0 ? 0xFF : (uint8_t)('a' + random_below(&seed, 3));
        assert_true(
            triggers_prefixes_add(&prefixes, core_slice_make(texts[i], lengths[i]), (uint32_t)i));
    }
    assert_true(triggers_prefixes_sort(&prefixes));
    for (size_t look = 0; look < 2000; look++) {
        unsigned seen[COUNT] = {0};
        uint8_t text[10];
        size_t length = random_below(&seed, 10);
        for (size_t k = 0; k < length; k++)
            text[k] = random_below(&seed, 20) == 0 ? 0xFF : (uint8_t)('a' + random_below(&seed, 3));
        triggers_prefixes_find(&prefixes, core_slice_make(text, length), seen_add, seen);
        for (size_t i = 0; i < COUNT; i++) {
            bool begins = lengths[i] <= length && memcmp(text, texts[i], lengths[i]) == 0;
            assert_int_equal(seen[i], begins ? 1 : 0);
            none += begins ? 0 : 1;
        }
    }
    assert_true(none < 2000u * COUNT);
    triggers_prefixes_fini(&prefixes);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_ranges),
                                       cmocka_unit_test(test_prefixes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
