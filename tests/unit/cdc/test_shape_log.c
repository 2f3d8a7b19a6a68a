/* The log of told shapes: the last one by OID, else by name; bounded. */
#include "cdc/shape_log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static int setup(void **state) {
    *state = cdc_shape_log_new();
    return *state == NULL;
}

static int teardown(void **state) {
    cdc_shape_log_free(*state);
    return 0;
}

static core_relation table(uint32_t oid, const char *name, uint32_t version) {
    return (core_relation){.oid = oid,
                           .schema = core_slice_text("public"),
                           .table = core_slice_text(name),
                           .version = version};
}

static void put(cdc_shape_log *log, uint32_t oid, const char *name, uint32_t version) {
    core_relation relation = table(oid, name, version);
    cdc_shape_log_put(log, &relation);
}

static uint32_t get(const cdc_shape_log *log, uint32_t oid, const char *name) {
    core_relation relation = table(oid, name, 0);
    return cdc_shape_log_get(log, &relation);
}

static void nothing_is_told_at_first(void **state) {
    assert_int_equal(get(*state, 1, "a"), 0);
    put(*state, 1, "a", 7);
    cdc_shape_log_reset(*state);
    assert_int_equal(get(*state, 1, "a"), 0);
}

static void the_last_one_counts_whatever_the_name(void **state) {
    put(*state, 1, "a", 7);
    put(*state, 1, "b", 8);
    assert_int_equal(get(*state, 1, "a"), 8);
    assert_int_equal(get(*state, 1, "c"), 8);
}

static void an_unknown_table_is_found_by_its_name(void **state) {
    put(*state, 1, "a", 7);
    assert_int_equal(get(*state, 2, "a"), 7);
    assert_int_equal(get(*state, 2, "b"), 0);
    core_relation elsewhere = table(2, "a", 0);
    elsewhere.schema = core_slice_text("other");
    assert_int_equal(cdc_shape_log_get(*state, &elsewhere), 0);
}

static void thousands_are_found_again_and_past_the_maximum_none(void **state) {
    char name[16];
    for (uint32_t i = 1; i <= CDC_SHAPES_MAX + 1; i++) {
        (void)snprintf(name, sizeof name, "t%u", i);
        put(*state, i, name, i);
    }
    for (uint32_t i = 1; i <= CDC_SHAPES_MAX; i += 997)
        assert_int_equal(get(*state, i, ""), i);
    assert_int_equal(get(*state, CDC_SHAPES_MAX + 1, ""), 0);
    put(*state, 1, "t1", 5); /* what is there still moves */
    assert_int_equal(get(*state, 1, ""), 5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_is_told_at_first, setup, teardown),
        cmocka_unit_test_setup_teardown(the_last_one_counts_whatever_the_name, setup, teardown),
        cmocka_unit_test_setup_teardown(an_unknown_table_is_found_by_its_name, setup, teardown),
        cmocka_unit_test_setup_teardown(thousands_are_found_again_and_past_the_maximum_none, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
