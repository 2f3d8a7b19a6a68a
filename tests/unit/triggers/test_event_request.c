/* Bodies of POST /events/v1: what is taken, byte for byte; what is refused and why. */
#include "triggers/event_request.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void events_are_taken_as_they_are(void **state) {
    (void)state;
    triggers_event_batch batch;
    core_error error = {.text = ""};
    assert_true(triggers_event_batch_read(
        core_slice_text(
            " {\"data\": {\"a\":[1, 2.50],\"type\":\"x\"} , \"type\":\"a.b-c/d:e_f\"} "),
        false, &batch, &error));
    assert_int_equal(batch.count, 1);
    assert_true(core_slice_is(batch.events[0].type, "a.b-c/d:e_f"));
    assert_true(core_slice_is(batch.events[0].data, "{\"a\":[1, 2.50],\"type\":\"x\"}"));
    triggers_event_batch_fini(&batch);
    assert_true(triggers_event_batch_read(
        core_slice_text("{\"events\":[{\"type\":\"a\"},{\"type\":\"b\",\"data\":\"x\"},"
                        "{\"data\":null,\"type\":\"c\"}]}"),
        true, &batch, &error));
    assert_int_equal(batch.count, 3);
    assert_true(core_slice_is(batch.events[0].data, "null"));
    assert_true(core_slice_is(batch.events[1].data, "\"x\""));
    assert_true(core_slice_is(batch.events[2].type, "c"));
    triggers_event_batch_fini(&batch);
}

static void what_is_wrong_is_told(void **state) {
    (void)state;
    static const struct {
        bool many;
        const char *body, *says;
    } cases[] = {
        {false, "", "no JSON object"},
        {false, "null", "no JSON object"},
        {false, "{\"type\":\"a\",}", "no JSON object"},
        {false, "{\"type\":\"a\"}{}", "no JSON object"},
        {false, "{}", "\"type\" is missing"},
        {false, "{\"type\":null}", "expected a string"},
        {false, "{\"type\":\"a\",\"type\":\"b\"}", "\"type\" is not expected"},
        {false, "{\"type\":\"a\\n\"}", "expected letters"},
        {false, "{\"type\":\"walcast.a\"}", "Walcast's own"},
        {false, "{\"events\":[]}", "\"events\" is not expected"},
        {true, "{}", "expected {\"events\""},
        {true, "{\"events\":{}}", "expected {\"events\""},
        {true, "{\"events\":[]}", "is empty"},
        {true, "{\"events\":[[]]}", "event 0: expected an object"},
        {true, "{\"events\":[{\"type\":\"a\"},{}]}", "event 1: \"type\" is missing"},
    };
    for (size_t i = 0; i < CORE_COUNT_OF(cases); i++) {
        triggers_event_batch batch;
        core_error error = {.text = ""};
        assert_false(triggers_event_batch_read(core_slice_text(cases[i].body), cases[i].many,
                                               &batch, &error));
        assert_int_equal(error.code, CORE_ERROR_INPUT);
        if (strstr(error.text, cases[i].says) == NULL)
            fail_msg("%s: %s", cases[i].body, error.text);
    }
}

static void types_come_back_from_their_token(void **state) {
    (void)state;
    char type[TRIGGERS_EVENT_TYPE_MAX + 2];
    core_error error = {.text = ""};
    memset(type, 'x', sizeof type);
    assert_true(triggers_event_type_check(core_slice_make(type, TRIGGERS_EVENT_TYPE_MAX), &error));
    assert_false(
        triggers_event_type_check(core_slice_make(type, TRIGGERS_EVENT_TYPE_MAX + 1), &error));
    memset(type, '.', sizeof type);
    assert_true(triggers_event_type_check(core_slice_make(type, 42), &error));
    assert_false(triggers_event_type_check(core_slice_make(type, 43), &error));
    assert_true(triggers_event_type_check(core_slice_text("_"), &error));
    assert_true(triggers_event_type_check(core_slice_text("walcast"), &error));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_are_taken_as_they_are),
        cmocka_unit_test(what_is_wrong_is_told),
        cmocka_unit_test(types_come_back_from_their_token),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
