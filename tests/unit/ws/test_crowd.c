/* Connections by address, against a plain count. */
#include "ws/crowd.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define ADDRESSES   200
#define CONNECTIONS 300
#define LIMIT       3

static core_address address_at(size_t i) {
    core_address address = {.family = i % 2 ? CORE_ADDRESS_V4 : CORE_ADDRESS_V6};
    address.bytes[0] = (uint8_t)i;
    return address;
}

static void counts_are_exact(void **state) {
    (void)state;
    ws_crowd crowd;
    size_t open[ADDRESSES] = {0}, all = 0;
    assert_true(ws_crowd_init(&crowd, LIMIT, CONNECTIONS, 7));
    srand(1);
    for (int step = 0; step < 100000; step++) {
        size_t i = (size_t)rand() % ADDRESSES;
        core_address address = address_at(i);
        if (rand() % 2 && all < CONNECTIONS) {
            bool entered = ws_crowd_enter(&crowd, &address);
            assert_int_equal(entered, open[i] < LIMIT);
            open[i] += entered;
            all += entered;
        } else if (open[i] > 0) {
            ws_crowd_leave(&crowd, &address);
            open[i]--;
            all--;
        }
    }
    for (size_t i = 0; i < ADDRESSES; i++)
        for (core_address address = address_at(i); open[i] > 0; open[i]--)
            ws_crowd_leave(&crowd, &address);
    for (size_t i = 0; i <= crowd.mask; i++)
        assert_int_equal(crowd.rows[i].count, 0);
    ws_crowd_fini(&crowd);
}

static void without_a_limit_nothing_is_counted(void **state) {
    (void)state;
    ws_crowd crowd;
    core_address address = address_at(1);
    assert_true(ws_crowd_init(&crowd, 0, CONNECTIONS, 7));
    assert_null(crowd.rows);
    for (int i = 0; i < 1000; i++)
        assert_true(ws_crowd_enter(&crowd, &address));
    ws_crowd_leave(&crowd, &address);
    ws_crowd_fini(&crowd);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_are_exact),
        cmocka_unit_test(without_a_limit_nothing_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
