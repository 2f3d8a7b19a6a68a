/* STREAM.MSG.GET's answers, as nats-server 2.9 and newer write them. */
#include "fanout/stored.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static fanout_stored must_read(const char *reply) {
    fanout_stored stored;
    if (!fanout_stored_read(core_slice_text(reply), &stored))
        fail_msg("not read: %s", reply);
    return stored;
}

static void test_a_message(void **state) {
    (void)state;
    fanout_stored stored =
        must_read("{\"type\":\"io.nats.jetstream.api.v1.stream_msg_get_response\",\"message\":{"
                  "\"subject\":\"a.b\",\"seq\":18446744073709551615,\"hdrs\":\"TkFUUw==\","
                  "\"data\":\"aGk=\",\"time\":\"2023-03-01T00:00:01.123456789Z\",\"more\":[{}]}}");
    assert_true(stored.sequence == UINT64_MAX);
    assert_true(stored.stored_us == INT64_C(1677628801123456));
    assert_true(core_slice_is(stored.data, "aGk="));
    assert_int_equal(stored.error_code, 0);
    stored = must_read("{\"message\":{\"seq\":1,\"time\":\"1970-01-01T00:00:00Z\"}}");
    assert_int_equal(stored.stored_us, 0);
    assert_int_equal(stored.data.length, 0);
    stored = must_read("{\"message\":{\"seq\":1,\"time\":\"2024-02-29T23:59:59.5Z\"}}");
    assert_true(stored.stored_us == INT64_C(1709251199500000));
}

static void test_an_error(void **state) {
    (void)state;
    fanout_stored stored = must_read("{\"type\":\"x\",\"error\":{\"code\":404,\"err_code\":10037,"
                                     "\"description\":\"no message found\"}}");
    assert_int_equal(stored.error_code, 10037);
}

static void test_what_is_neither_is_refused(void **state) {
    static const char *const replies[] = {
        "",
        "[]",
        "{}",
        "{\"message\":{}}",
        "{\"message\":{\"seq\":1}}",
        "{\"message\":{\"seq\":-1,\"time\":\"2023-01-01T00:00:00Z\"}}",
        "{\"message\":{\"seq\":1.5,\"time\":\"2023-01-01T00:00:00Z\"}}",
        "{\"message\":{\"seq\":\"1\",\"time\":\"2023-01-01T00:00:00Z\"}}",
        "{\"message\":{\"seq\":1,\"time\":\"2023-01-01 00:00:00Z\"}}",
        "{\"message\":{\"seq\":1,\"time\":\"2023-01-01T00:00:00\"}}",
        "{\"message\":{\"seq\":1,\"time\":\"2023-01-01T00:00:00+02:00\"}}",
        "{\"message\":{\"seq\":1,\"time\":\"2023-13-01T00:00:00Z\"}}",
        "{\"message\":{\"seq\":1,\"time\":\"2023-01-01T24:00:00Z\"}}",
        "{\"message\":{\"seq\":1,\"time\":\"2023-01-01T00:00:00.1x\"}}",
        "{\"message\":{\"seq\":1,\"time\":\"2023-01-01T00:00:00Z\"}",
        "{\"message\":{\"seq\":1,\"time\":\"2023-01-01T00:00:00Z\"}} {}",
        "{\"error\":{}}",
        "{\"error\":{\"code\":404}}",
    };
    (void)state;
    for (size_t i = 0; i < CORE_COUNT_OF(replies); i++) {
        fanout_stored stored;
        if (fanout_stored_read(core_slice_text(replies[i]), &stored))
            fail_msg("read: %s", replies[i]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_message),
        cmocka_unit_test(test_an_error),
        cmocka_unit_test(test_what_is_neither_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
