/* A stored definition comes back as it was written, and nothing else is taken for one. */
#include "triggers/stored.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define DEFINITION                                                                                 \
    "{\"name\":\"a\",\"on\":{\"table\":\"t\"},\"do\":{\"workflow\":{\"name\":\"x\"}}}"

static triggers_stored sample(void) {
    return (triggers_stored){
        .project = core_slice_text("shop \"one\""),
        .name = core_slice_text("a"),
        .definition = core_slice_text(DEFINITION),
        .origin = TRIGGERS_ORIGIN_APPLY,
        .file = core_slice_text("dir/\xC3\xA9.yaml"),
        .since = core_slice_text("abcdefghijklmnop-7.2"),
        .facts = core_slice_text("{\"primary_key\":[\"id\"]}"),
        .disabled = true,
        .created_us = INT64_C(1763511760877000),
        .changed_us = INT64_C(1763511760878000),
    };
}

static void test_comes_back(void **state) {
    (void)state;
    triggers_stored before = sample(), after;
    core_buffer value;
    core_arena arena;
    core_error error;
    core_buffer_init(&value, TRIGGERS_STORED_BYTES_MAX);
    core_arena_init(&arena, 1024, 1 << 20);
    triggers_stored_write(&before, &value);
    assert_true(triggers_stored_read(core_buffer_slice(&value), &arena, &after, &error));
    assert_true(triggers_stored_equal(&before, &after));
    assert_true(core_slice_equal(before.project, after.project));
    assert_true(core_slice_equal(before.since, after.since));
    assert_true(before.created_us == after.created_us && before.changed_us == after.changed_us);
    const triggers_definition *it =
        triggers_stored_definition(&after, core_slice_text("dev"), 9, &error);
    assert_non_null(it);
    assert_true(core_slice_equal(it->project, before.project));
    assert_true(it->disabled && !it->paused);
    assert_int_equal(it->revision, 9);
    assert_true(core_slice_is(it->since, "abcdefghijklmnop-7.2"));
    assert_true(core_slice_equal(it->facts, before.facts));
    assert_true(it->created_us == before.created_us);
    triggers_definition_release(it);
    core_arena_fini(&arena);
    core_buffer_fini(&value);
}

static void test_refused(void **state) {
    static const struct {
        const char *value, *says;
    } rows[] = {
        {"", "not a stored trigger"},
        {"[]", "not a stored trigger"},
        {"{}", "not a stored trigger"},
        {"{\"version\":1,\"project\":\"p\",\"name\":\"a\"}", "not a stored trigger"},
        {"{\"version\":1,\"project\":\"p\",\"name\":7,\"definition\":{}}", "not a stored trigger"},
        {"{\"version\":1,\"project\":\"p\",\"name\":\"a\",\"origin\":\"moon\",\"definition\":{}}",
         "not a stored trigger"},
        {"{\"version\":1,\"project\":\"p\",\"name\":\"a\",\"definition\":{}", "not a stored"},
        {"{\"version\":2,\"project\":\"p\",\"name\":\"a\",\"definition\":{}}", "later version"},
    };
    (void)state;
    for (size_t i = 0; i < CORE_COUNT_OF(rows); i++) {
        triggers_stored stored;
        core_arena arena;
        core_error error = {.text = ""};
        core_arena_init(&arena, 1024, 1 << 20);
        if (triggers_stored_read(core_slice_text(rows[i].value), &arena, &stored, &error) ||
            strstr(error.text, rows[i].says) == NULL)
            fail_msg("%s: %s", rows[i].value, error.text);
        core_arena_fini(&arena);
    }
}

/* What a later version adds is passed over; a definition that it cannot read is told. */
static void test_unknown(void **state) {
    (void)state;
    triggers_stored stored;
    core_arena arena;
    core_error error = {.text = ""};
    core_arena_init(&arena, 1024, 1 << 20);
    assert_true(triggers_stored_read(
        core_slice_text("{\"version\":1,\"project\":\"p\",\"name\":\"a\",\"new\":[{}],"
                        "\"definition\":{\"name\":\"a\",\"whence\":1}}"),
        &arena, &stored, &error));
    assert_null(triggers_stored_definition(&stored, core_slice_text("dev"), 1, &error));
    assert_non_null(strstr(error.text, "whence"));
    core_arena_fini(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_comes_back),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
