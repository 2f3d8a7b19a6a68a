/* A stored definition comes back as it was written, and nothing else is taken for one. */
#include "fanout/definition.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define DEFINITION                                                                                 \
    "{\"name\":\"a\",\"on\":{\"table\":\"t\"},\"do\":{\"workflow\":{\"name\":\"x\"}}}"

static fanout_definition sample(void) {
    return (fanout_definition){
        .project = core_slice_text("shop \"one\""),
        .name = core_slice_text("a"),
        .definition = core_slice_text(DEFINITION),
        .origin = FANOUT_ORIGIN_APPLY,
        .file = core_slice_text("dir/\xC3\xA9.yaml"),
        .since = core_slice_text("abcdefghijklmnop-7.2"),
        .facts = core_slice_text("{\"primary_key\":[\"id\"]}"),
        .has_state = true,
        .partitions = 3,
        .disabled = true,
        .created_us = INT64_C(1763511760877000),
        .changed_us = INT64_C(1763511760878000),
    };
}

static void test_comes_back(void **state) {
    (void)state;
    fanout_definition before = sample(), after;
    core_buffer value;
    core_arena arena;
    core_error error;
    core_buffer_init(&value, FANOUT_DEFINITION_BYTES_MAX);
    core_arena_init(&arena, 1024, 1 << 20);
    fanout_definition_write(&before, &value);
    assert_true(fanout_definition_read(core_buffer_slice(&value), &arena, &after, &error));
    assert_true(fanout_definition_equal(&before, &after));
    assert_true(core_slice_equal(before.project, after.project));
    assert_true(core_slice_equal(before.since, after.since));
    assert_true(before.created_us == after.created_us && before.changed_us == after.changed_us);
    assert_int_equal(after.partitions, 3);
    assert_true(after.disabled && !after.paused && after.has_state);
    core_arena_fini(&arena);
    core_buffer_fini(&value);
}

static void test_refused(void **state) {
    static const struct {
        const char *value, *says;
    } rows[] = {
        {"", "not a stored definition"},
        {"[]", "not a stored definition"},
        {"{}", "not a stored definition"},
        {"{\"version\":1,\"project\":\"p\",\"name\":\"a\"}", "not a stored definition"},
        {"{\"version\":1,\"project\":\"p\",\"name\":7,\"definition\":{}}",
         "not a stored definition"},
        {"{\"version\":1,\"project\":\"p\",\"name\":\"a\",\"origin\":\"moon\",\"definition\":{}}",
         "not a stored definition"},
        {"{\"version\":1,\"project\":\"p\",\"name\":\"a\",\"definition\":{}", "not a stored"},
        {"{\"version\":1,\"project\":\"p\",\"name\":\"a\",\"partitions\":\"3\",\"definition\":{}}",
         "not a stored definition"},
        {"{\"version\":2,\"project\":\"p\",\"name\":\"a\",\"definition\":{}}", "later version"},
    };
    (void)state;
    for (size_t i = 0; i < CORE_COUNT_OF(rows); i++) {
        fanout_definition stored;
        core_arena arena;
        core_error error = {.text = ""};
        core_arena_init(&arena, 1024, 1 << 20);
        if (fanout_definition_read(core_slice_text(rows[i].value), &arena, &stored, &error) ||
            strstr(error.text, rows[i].says) == NULL)
            fail_msg("%s: %s", rows[i].value, error.text);
        core_arena_fini(&arena);
    }
}

/* What a later version adds is passed over; the definition itself is not looked at. */
static void test_unknown(void **state) {
    (void)state;
    fanout_definition stored;
    core_arena arena;
    core_error error = {.text = ""};
    core_arena_init(&arena, 1024, 1 << 20);
    assert_true(fanout_definition_read(
        core_slice_text("{\"version\":1,\"project\":\"p\",\"name\":\"a\",\"new\":[{}],"
                        "\"definition\":{\"name\":\"a\",\"whence\":1}}"),
        &arena, &stored, &error));
    assert_true(core_slice_is(stored.definition, "{\"name\":\"a\",\"whence\":1}"));
    assert_false(stored.has_state);
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
