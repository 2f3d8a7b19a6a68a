/* What a snapshot sees, ids around the 32 bits' end included. */
#include "core/visibility.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static core_visibility of(const char *text) {
    core_visibility visibility = {0};
    core_error error = {0};
    if (!core_visibility_read(core_slice_text(text), &visibility, &error))
        fail_msg("%s", error.text);
    return visibility;
}

static void finished_ones_are_seen(void **state) {
    (void)state;
    core_visibility visibility = of("10:20:12,15");
    static const struct {
        uint32_t xid;
        bool seen;
    } cases[] = {{3, true},   {9, true},  {10, true},  {11, true},  {12, false},        {14, true},
                 {15, false}, {19, true}, {20, false}, {21, false}, {4000000000U, true}};
    for (size_t i = 0; i < CORE_COUNT_OF(cases); i++)
        assert_int_equal(core_visibility_sees(&visibility, cases[i].xid), cases[i].seen);
    core_visibility_fini(&visibility);
    visibility = of("730:730:");
    assert_true(core_visibility_sees(&visibility, 729));
    assert_false(core_visibility_sees(&visibility, 730));
    core_visibility_fini(&visibility);
}

/* Epoch 1 and 2 in the 64 bits; the stream has the low 32. */
static void ids_wrap(void **state) {
    (void)state;
    core_visibility visibility = of("8589934587:8589934597:8589934590,8589934593");
    assert_int_equal(visibility.xmin, 4294967291U);
    assert_true(visibility.xmax == UINT64_C(8589934597));
    assert_true(core_visibility_sees(&visibility, 4294967290U));
    assert_true(core_visibility_sees(&visibility, 4294967295U));
    assert_false(core_visibility_sees(&visibility, 4294967294U));
    assert_false(core_visibility_sees(&visibility, 1));
    assert_true(core_visibility_sees(&visibility, 3));
    assert_false(core_visibility_sees(&visibility, 5));
    assert_false(core_visibility_sees(&visibility, 1000));
    core_visibility_fini(&visibility);
}

/* xmax is 2^32 + 5: what ends in fffffff0 is older, what ends in 10 is younger. */
static void ids_get_their_full_length(void **state) {
    (void)state;
    core_visibility visibility = of("4294967290:4294967301:4294967290,4294967298");
    assert_true(core_visibility_sees(&visibility, 0xfffffff0u));
    assert_false(core_visibility_sees(&visibility, 0xfffffffau));
    assert_true(core_visibility_sees(&visibility, 0xffffffffu));
    assert_true(core_visibility_sees(&visibility, 3));
    assert_false(core_visibility_sees(&visibility, 2));
    assert_false(core_visibility_sees(&visibility, 5));
    assert_false(core_visibility_sees(&visibility, 16));
    assert_true(core_visibility_widen(&visibility, 4) == UINT64_C(4294967300));
    assert_true(core_visibility_widen(&visibility, 0xfffffff0u) == UINT64_C(4294967280));
    assert_true(core_visibility_widen(&visibility, 2) == 0);
    assert_false(core_visibility_xmin_tells(&visibility));
    core_visibility_fini(&visibility);
}

static void before_the_first_wrap_xmin_tells(void **state) {
    (void)state;
    core_visibility visibility = of("900:1000:");
    assert_true(core_visibility_xmin_tells(&visibility));
    assert_int_equal(core_visibility_widen(&visibility, 700), 700);
    assert_int_equal(core_visibility_widen(&visibility, 5000), 0);
    core_visibility_fini(&visibility);
}

static void reading_again_forgets(void **state) {
    (void)state;
    core_visibility visibility = of("10:20:12");
    core_error error = {0};
    assert_true(core_visibility_read(core_slice_text("30:30:"), &visibility, &error));
    assert_true(core_visibility_sees(&visibility, 12));
    assert_false(core_visibility_sees(&visibility, 30));
    core_visibility_fini(&visibility);
}

static void what_is_no_snapshot_is_refused(void **state) {
    (void)state;
    static const char *const refused[] = {"",        "1",     "1:",  ":2:",  "a:2:", "1:2:3,",
                                          "1:2:3;4", "1:-2:", "1:2", "a:b:", "1:9:x"};
    for (size_t i = 0; i < CORE_COUNT_OF(refused); i++) {
        core_visibility visibility = {0};
        core_error error = {0};
        bool read = core_visibility_read(core_slice_text(refused[i]), &visibility, &error);
        bool harmless = i == 5; /* a comma behind the last */
        if (read && !harmless)
            fail_msg("\"%s\" was read", refused[i]);
        if (!read)
            assert_int_equal(error.code, CORE_ERROR_INPUT);
        core_visibility_fini(&visibility);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finished_ones_are_seen),
        cmocka_unit_test(ids_wrap),
        cmocka_unit_test(ids_get_their_full_length),
        cmocka_unit_test(before_the_first_wrap_xmin_tells),
        cmocka_unit_test(reading_again_forgets),
        cmocka_unit_test(what_is_no_snapshot_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
