/* A snapshot's text, and which 32-bit transaction ids it sees, also around the wrap. */
#include "cdc/verify_snapshot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static bool sees(cdc_verify_snapshot *snapshot, uint32_t xid) {
    return cdc_visibility_sees(&snapshot->visibility, xid);
}

static cdc_verify_snapshot parsed(const char *text) {
    cdc_verify_snapshot snapshot;
    core_error error = {0};
    if (!cdc_verify_snapshot_parse(core_slice_text(text), &snapshot, &error))
        fail_msg("%s", error.text);
    return snapshot;
}

static void what_is_over_is_seen(void **state) {
    (void)state;
    cdc_verify_snapshot snapshot = parsed("100:110:100,105,109");
    static const struct {
        uint32_t xid;
        bool seen;
    } cases[] = {{3, true},   {99, true},   {100, false}, {101, true},  {104, true},  {105, false},
                 {108, true}, {109, false}, {110, false}, {111, false}, {4000, false}};
    for (size_t i = 0; i < CORE_COUNT_OF(cases); i++)
        assert_int_equal(sees(&snapshot, cases[i].xid), cases[i].seen);
    cdc_verify_snapshot_fini(&snapshot);
    snapshot = parsed("730:730:");
    assert_true(sees(&snapshot, 729));
    assert_false(sees(&snapshot, 730));
    cdc_verify_snapshot_fini(&snapshot);
}

/* xmax is 2^32 + 5: what ends in fffffff0 is older, what ends in 10 is younger. */
static void ids_wrap_around(void **state) {
    (void)state;
    cdc_verify_snapshot snapshot = parsed("4294967290:4294967301:4294967290,4294967298");
    assert_true(sees(&snapshot, 0xfffffff0u));
    assert_false(sees(&snapshot, 0xfffffffau));
    assert_true(sees(&snapshot, 0xffffffffu));
    assert_true(sees(&snapshot, 3));
    assert_false(sees(&snapshot, 2));
    assert_false(sees(&snapshot, 5));
    assert_false(sees(&snapshot, 16));
    assert_true(cdc_verify_snapshot_widen(&snapshot, 4) == UINT64_C(4294967300));
    assert_true(cdc_verify_snapshot_widen(&snapshot, 0xfffffff0u) == UINT64_C(4294967280));
    assert_true(cdc_verify_snapshot_widen(&snapshot, 2) == 0);
    assert_false(cdc_verify_snapshot_xmin_tells(&snapshot));
    cdc_verify_snapshot_fini(&snapshot);
}

static void before_the_first_wrap_xmin_tells(void **state) {
    (void)state;
    cdc_verify_snapshot snapshot = parsed("900:1000:");
    assert_true(cdc_verify_snapshot_xmin_tells(&snapshot));
    assert_int_equal(cdc_verify_snapshot_widen(&snapshot, 700), 700);
    assert_int_equal(cdc_verify_snapshot_widen(&snapshot, 5000), 0);
    cdc_verify_snapshot_fini(&snapshot);
}

static void anything_else_is_refused(void **state) {
    static const char *const texts[] = {"", "1", "1:", "1:2", "a:b:", "1:9:x"};
    (void)state;
    for (size_t i = 0; i < CORE_COUNT_OF(texts); i++) {
        cdc_verify_snapshot snapshot;
        core_error error = {0};
        assert_false(cdc_verify_snapshot_parse(core_slice_text(texts[i]), &snapshot, &error));
        assert_int_equal(error.code, CORE_ERROR_INPUT);
        cdc_verify_snapshot_fini(&snapshot);
    }
}

static void a_position_behind_a_page_header_is_the_page(void **state) {
    (void)state;
    assert_int_equal(cdc_verify_lsn_settle(0x2000, 8192), 0x2000);
    assert_int_equal(cdc_verify_lsn_settle(0x2018, 8192), 0x2000);
    assert_int_equal(cdc_verify_lsn_settle(0x2028, 8192), 0x2000);
    assert_int_equal(cdc_verify_lsn_settle(0x2030, 8192), 0x2030);
    assert_int_equal(cdc_verify_lsn_settle(0x3ff8, 8192), 0x3ff8);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_over_is_seen),
        cmocka_unit_test(ids_wrap_around),
        cmocka_unit_test(before_the_first_wrap_xmin_tells),
        cmocka_unit_test(anything_else_is_refused),
        cmocka_unit_test(a_position_behind_a_page_header_is_the_page),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
