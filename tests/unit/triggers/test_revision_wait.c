/* Which tasks wait for definitions that are not read yet, and for how long. */
#include "triggers/revision_wait.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { NOW_MS = 1000 };

static void test_what_is_read_does_not_wait(void **state) {
    (void)state;
    triggers_revision_wait wait = {0};
    assert_false(triggers_revision_waits(&wait, 7, 7, NOW_MS));
    assert_false(triggers_revision_waits(&wait, 6, 7, NOW_MS));
    assert_false(triggers_revision_waits(&wait, 0, 0, NOW_MS));
}

static void test_waits_until_it_is_read(void **state) {
    (void)state;
    triggers_revision_wait wait = {0};
    assert_true(triggers_revision_waits(&wait, 8, 7, NOW_MS));
    assert_true(triggers_revision_waits(&wait, 8, 7, NOW_MS + TRIGGERS_REVISION_WAIT_MS - 1));
    assert_false(triggers_revision_waits(&wait, 7, 7, NOW_MS));
    assert_false(triggers_revision_waits(&wait, 8, 9, NOW_MS));
    /* the next one has its own time, however late it is */
    int64_t later_ms = NOW_MS + 10 * TRIGGERS_REVISION_WAIT_MS;
    assert_true(triggers_revision_waits(&wait, 10, 9, later_ms));
    assert_true(triggers_revision_waits(&wait, 10, 9, later_ms + TRIGGERS_REVISION_WAIT_MS - 1));
}

static void test_gives_up(void **state) {
    (void)state;
    triggers_revision_wait wait = {0};
    int64_t end_ms = NOW_MS + TRIGGERS_REVISION_WAIT_MS;
    assert_true(triggers_revision_waits(&wait, 8, 3, NOW_MS));
    assert_false(triggers_revision_waits(&wait, 8, 3, end_ms));
    assert_int_equal(wait.given_up, 8);
    /* the others of a lost bucket do not wait one after another */
    assert_false(triggers_revision_waits(&wait, 6, 3, NOW_MS));
    assert_false(triggers_revision_waits(&wait, 9, 4, end_ms));
    /* read again beyond that, new ones wait as ever */
    assert_true(triggers_revision_waits(&wait, 12, 11, end_ms));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_what_is_read_does_not_wait),
                                       cmocka_unit_test(test_waits_until_it_is_read),
                                       cmocka_unit_test(test_gives_up)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
