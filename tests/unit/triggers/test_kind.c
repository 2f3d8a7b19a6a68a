/* A trigger of what key-value has: what is stored beside the text counts, and what cannot be read
 * is told. */
#include "triggers/kind.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static fanout_definition sample(const char *text) {
    return (fanout_definition){
        .project = core_slice_text("shop \"one\""),
        .name = core_slice_text("a"),
        .definition = core_slice_text(text),
        .since = core_slice_text("abcdefghijklmnop-7.2"),
        .facts = core_slice_text("{\"primary_key\":[\"id\"]}"),
        .has_state = true,
        .partitions = 3,
        .disabled = true,
        .created_us = INT64_C(1763511760877000),
    };
}

static void test_definition(void **state) {
    (void)state;
    core_error error;
    const fanout_definition stored =
        sample("{\"name\":\"a\",\"on\":{\"table\":\"t\"},\"do\":{\"workflow\":{\"name\":\"x\"}}}");
    const triggers_definition *it =
        triggers_stored_definition(&stored, core_slice_text("dev"), 9, &error);
    assert_non_null(it);
    assert_true(core_slice_equal(it->project, stored.project));
    assert_true(it->disabled && !it->paused);
    assert_int_equal(it->revision, 9);
    assert_int_equal(it->partitions, 3);
    assert_true(core_slice_is(it->since, "abcdefghijklmnop-7.2"));
    assert_true(core_slice_equal(it->facts, stored.facts));
    assert_true(it->created_us == stored.created_us);
    core_definition_head head = triggers_kind()->head(it);
    assert_true(core_slice_is(head.name, "a") && head.disabled && !head.paused);
    triggers_definition_release(it);
}

static void test_unknown(void **state) {
    (void)state;
    core_error error = {.text = ""};
    const fanout_definition stored = sample("{\"name\":\"a\",\"whence\":1}");
    assert_null(triggers_stored_definition(&stored, core_slice_text("dev"), 1, &error));
    assert_non_null(strstr(error.text, "whence"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_definition),
        cmocka_unit_test(test_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
