/* The ring of recent transactions: one that is not seen is found, among those asked about only. */
#include "cdc/recent_xids.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static cdc_recent_xids *recent;
static core_visibility visibility;

static int setup(void **state) {
    (void)state;
    core_error error = {0};
    recent = calloc(1, sizeof *recent);
    return recent != NULL &&
                   core_visibility_read(core_slice_text("100:200:150"), &visibility, &error)
               ? 0
               : -1;
}

static int teardown(void **state) {
    (void)state;
    free(recent);
    core_visibility_fini(&visibility);
    return 0;
}

static void one_that_is_not_seen_is_found(void **state) {
    (void)state;
    assert_int_equal(cdc_recent_xids_unseen(recent, 0, &visibility), 0);
    cdc_recent_xids_add(recent, 120);
    cdc_recent_xids_add(recent, 150);
    cdc_recent_xids_add(recent, 199);
    assert_int_equal(cdc_recent_xids_unseen(recent, 1, &visibility), 0);
    assert_int_equal(cdc_recent_xids_unseen(recent, 2, &visibility), 150);
    assert_int_equal(cdc_recent_xids_unseen(recent, 3, &visibility), 150);
    cdc_recent_xids_add(recent, 201);
    assert_int_equal(cdc_recent_xids_unseen(recent, 3, &visibility), 150);
    assert_int_equal(cdc_recent_xids_unseen(recent, 4, &visibility), 201);
}

static void the_oldest_are_forgotten(void **state) {
    (void)state;
    cdc_recent_xids_add(recent, 150);
    for (uint32_t i = 0; i + 1 < CDC_RECENT_XIDS; i++)
        cdc_recent_xids_add(recent, 110);
    assert_int_equal(cdc_recent_xids_unseen(recent, recent->count, &visibility), 150);
    cdc_recent_xids_add(recent, 110);
    assert_int_equal(cdc_recent_xids_unseen(recent, recent->count, &visibility), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_that_is_not_seen_is_found, setup, teardown),
        cmocka_unit_test_setup_teardown(the_oldest_are_forgotten, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
