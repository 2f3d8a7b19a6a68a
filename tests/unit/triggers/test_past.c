/* Places in what is past, as they are written. */
#include "triggers/past.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static triggers_past_place must_read(const char *text) {
    triggers_past_place place;
    core_error error = {.text = ""};
    if (!triggers_past_place_read(text, &place, &error))
        fail_msg("%s", error.text);
    return place;
}

static void test_places(void **state) {
    (void)state;
    assert_int_equal(must_read("first").kind, TRIGGERS_PAST_FIRST);
    assert_int_equal(must_read("now").kind, TRIGGERS_PAST_NOW);
    triggers_past_place place = must_read("2025-11-19T00:22:40Z");
    assert_int_equal(place.kind, TRIGGERS_PAST_TIME);
    assert_int_equal(place.time_us, INT64_C(1763511760000000));
    place = must_read("0k3xw2-9.1");
    assert_int_equal(place.kind, TRIGGERS_PAST_OFFSET);
    assert_string_equal(place.offset.epoch, "0k3xw2");
    assert_int_equal(place.offset.sequence, 9);
    assert_int_equal(place.offset.index, 1);
    place = must_read("64b5c1-12"); /* an event's id */
    assert_int_equal(place.kind, TRIGGERS_PAST_OFFSET);
    assert_int_equal(place.offset.sequence, 12);
    assert_int_equal(place.offset.index, 0);
}

static void test_what_is_no_place_is_refused(void **state) {
    (void)state;
    static const char *const texts[] = {
        "",
        "yesterday",
        "first ",
        "a-",
        "-1",
        "a-b.c",
        "2025-13-01T00:00:00Z",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-1"};
    for (size_t i = 0; i < CORE_COUNT_OF(texts); i++) {
        triggers_past_place place;
        core_error error = {.text = ""};
        if (triggers_past_place_read(texts[i], &place, &error))
            fail_msg("'%s' was taken", texts[i]);
        assert_int_equal(error.code, CORE_ERROR_INPUT);
        assert_non_null(strstr(error.text, "expected first, now"));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_what_is_no_place_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
