/* Reply subjects of deliveries, in the forms that servers have had. */
#include "fanout/delivery.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void assert_delivery(const char *reply) {
    fanout_delivery delivery;
    assert_true(fanout_delivery_read(core_slice_text(reply), &delivery));
    assert_int_equal(delivery.delivered, 2);
    assert_int_equal(delivery.stream_sequence, 345);
    assert_int_equal(delivery.consumer_sequence, 67);
    assert_int_equal(delivery.stored_us, INT64_C(1700000000123456));
    assert_int_equal(delivery.pending, 8);
}

static void test_all_forms(void **state) {
    (void)state;
    assert_delivery("$JS.ACK.WALCAST.worker.2.345.67.1700000000123456789.8");
    assert_delivery("$JS.ACK._.ACCOUNTHASH.WALCAST.worker.2.345.67.1700000000123456789.8");
    assert_delivery("$JS.ACK.hub.ACCOUNTHASH.WALCAST.worker.2.345.67.1700000000123456789.8.rnd");
}

static void test_anything_else_is_none(void **state) {
    static const char *const replies[] = {
        "",
        "_INBOX.x.1",
        "$JS.ACK",
        "$JS.NAK.WALCAST.worker.2.345.67.1700000000123456789.8",
        "$JS.ACK.WALCAST.worker.2.345.67.1700000000123456789",
        "$JS.ACK.X.WALCAST.worker.2.345.67.1700000000123456789.8",
        "$JS.ACK.WALCAST.worker.2.-1.67.1700000000123456789.8",
        "$JS.ACK.WALCAST.worker..345.67.1700000000123456789.8",
        "$JS.ACK.WALCAST.worker.2.345.67.99999999999999999999.8",
        "$JS.ACK.a.b.c.d.e.f.g.h.i.j.k.l.m.n",
    };
    fanout_delivery delivery;
    (void)state;
    for (size_t i = 0; i < CORE_COUNT_OF(replies); i++)
        if (fanout_delivery_read(core_slice_text(replies[i]), &delivery))
            fail_msg("taken: %s", replies[i]);
    assert_false(fanout_delivery_read(core_slice_text(NULL), &delivery));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_forms),
        cmocka_unit_test(test_anything_else_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
