/* Entries of snapshots in key-value: which of them say that a table was read whole. */
#include "cdc/verify_history.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static cdc_verify_snapshots taken(const char *const *entries, size_t count) {
    cdc_verify_snapshots found = {0};
    core_error error = {0};
    for (size_t i = 0; i < count; i++)
        if (!cdc_verify_snapshots_take(core_slice_text(entries[i]), "My Schema", "t\"x", &found,
                                       &error))
            fail_msg("%s", error.text);
    return found;
}

#define NAMES "\"schema\":\"My Schema\",\"table\":\"t\\\"x\""

static void the_last_whole_one_that_is_done_counts(void **state) {
    static const char *const entries[] = {
        "{" NAMES ",\"state\":\"done\",\"filter\":null,\"to\":null,\"start_sequence\":7}",
        "{\"id\":\"a\"," NAMES ",\"state\":\"done\",\"start_sequence\":5,\"chunks\":[{\"a\":1}]}",
        "{" NAMES ",\"state\":\"done\",\"filter\":\"id > 3\",\"to\":null,\"start_sequence\":90}",
        "{" NAMES ",\"state\":\"done\",\"filter\":null,\"to\":\"index\",\"start_sequence\":91}",
        "{" NAMES ",\"state\":\"failed\",\"filter\":null,\"to\":null,\"start_sequence\":92}",
        "{" NAMES ",\"state\":\"done\",\"filter\":null,\"to\":null,\"start_sequence\":null}",
        "{\"schema\":\"public\",\"table\":\"t\\\"x\",\"state\":\"done\",\"start_sequence\":93}",
    };
    (void)state;
    cdc_verify_snapshots found = taken(entries, CORE_COUNT_OF(entries));
    assert_true(found.has_done);
    assert_false(found.running);
    assert_int_equal(found.done_sequence, 7);
    found = taken(entries + 2, CORE_COUNT_OF(entries) - 2);
    assert_false(found.has_done);
}

static void one_that_is_asked_for_or_under_way_is_told(void **state) {
    static const char *const requested[] = {"{" NAMES ",\"state\":\"requested\"}"};
    static const char *const running[] = {"{\"state\":\"running\"," NAMES "}"};
    static const char *const other[] = {"{\"schema\":\"s\",\"table\":\"t\",\"state\":\"running\"}"};
    (void)state;
    assert_true(taken(requested, 1).running);
    assert_true(taken(running, 1).running);
    assert_false(taken(other, 1).running);
}

static void anything_else_is_refused(void **state) {
    static const char *const texts[] = {"", "[]", "{", "{\"state\":}", "1"};
    (void)state;
    for (size_t i = 0; i < CORE_COUNT_OF(texts); i++) {
        cdc_verify_snapshots found = {0};
        core_error error = {0};
        assert_false(
            cdc_verify_snapshots_take(core_slice_text(texts[i]), "s", "t", &found, &error));
        assert_int_equal(error.code, CORE_ERROR_INPUT);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_whole_one_that_is_done_counts),
        cmocka_unit_test(one_that_is_asked_for_or_under_way_is_told),
        cmocka_unit_test(anything_else_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
