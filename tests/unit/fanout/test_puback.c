/* JetStream's answers to a publish, as servers write them, and everything else. */
#include "fanout/puback.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static fanout_puback must_read(const char *json) {
    fanout_puback ack;
    core_error error = {0};
    if (!fanout_puback_read(core_slice_text(json), &ack, &error))
        fail_msg("%s", error.text);
    return ack;
}

static void test_stored(void **state) {
    (void)state;
    fanout_puback ack = must_read("{\"stream\":\"WALCAST\", \"seq\":18446744073709551615}");
    assert_true(core_slice_is(ack.stream, "WALCAST"));
    assert_true(ack.sequence == UINT64_MAX);
    assert_int_equal(ack.error_code, 0);
    assert_false(ack.duplicate);
}

static void test_duplicate(void **state) {
    (void)state;
    assert_true(
        must_read("{\"stream\":\"S\",\"domain\":\"hub\",\"seq\":2,\"duplicate\": true}").duplicate);
    assert_false(must_read("{\"stream\":\"S\",\"seq\":2,\"duplicate\":false}").duplicate);
}

static void test_refused(void **state) {
    (void)state;
    fanout_puback ack = must_read("{\"error\":{\"code\":400,\"err_code\":10071,\"description\":"
                                  "\"wrong last sequence: 5\"},\"stream\":\"S\",\"seq\":0}");
    assert_int_equal(ack.error_code, 10071);
    assert_true(core_slice_is(ack.description, "wrong last sequence: 5"));
    ack = must_read("{\"error\":{\"description\":\"no\",\"code\":503}}");
    assert_int_equal(ack.error_code, 503);
}

static void test_unknown_members_are_skipped(void **state) {
    (void)state;
    fanout_puback ack = must_read("{\"new\":{\"seq\":9,\"deep\":[{}]},\"stream\":\"S\",\"batch\":"
                                  "[1,2],\"seq\":4,\"x\":null}");
    assert_int_equal(ack.sequence, 4);
    ack = must_read("{\"error\":{\"more\":{\"code\":1},\"code\":500}}");
    assert_int_equal(ack.error_code, 500);
}

static void test_anything_else_is_refused(void **state) {
    static const char *const texts[] = {
        "",
        "{}",
        "[]",
        "null",
        "+OK",
        "{\"stream\":\"S\"}",
        "{\"seq\":1}",
        "{\"stream\":\"S\",\"seq\":0}",
        "{\"stream\":\"\",\"seq\":1}",
        "{\"stream\":\"S\",\"seq\":-1}",
        "{\"stream\":\"S\",\"seq\":1.5}",
        "{\"stream\":\"S\",\"seq\":1e3}",
        "{\"stream\":\"S\",\"seq\":18446744073709551616}",
        "{\"stream\":\"S\",\"seq\":\"1\"}",
        "{\"stream\":1,\"seq\":1}",
        "{\"stream\":\"S\",\"seq\":1,\"duplicate\":1}",
        "{\"stream\":\"S\",\"seq\":1}x",
        "{\"stream\":\"S\",\"seq\":1",
        "{\"error\":{}}",
        "{\"error\":\"bad\"}",
        "{\"error\":{\"code\":\"400\"}}",
        "{\"error\":{\"code\":400,\"description\":7}}",
    };
    (void)state;
    for (size_t i = 0; i < CORE_COUNT_OF(texts); i++) {
        fanout_puback ack;
        core_error error = {0};
        if (fanout_puback_read(core_slice_text(texts[i]), &ack, &error))
            fail_msg("taken: %s", texts[i]);
        assert_int_equal(error.code, CORE_ERROR_INPUT);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stored),
        cmocka_unit_test(test_duplicate),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_unknown_members_are_skipped),
        cmocka_unit_test(test_anything_else_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
