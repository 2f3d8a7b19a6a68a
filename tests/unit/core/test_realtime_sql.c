/* Broadcasts from SQL: what realtime.send writes is read, and nothing else is. */
#include "core/core.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static bool reads(const char *content, core_buffer *texts, core_realtime_message *message) {
    core_error error = {.text = ""};
    bool ok = core_realtime_message_from_sql(core_slice_text(content), texts, message, &error);
    assert_true(ok || error.text[0] != '\0');
    return ok;
}

#define ID "00112233-4455-6677-8899-aabbccddeeff"

static void test_what_send_writes(void **state) {
    (void)state;
    core_buffer texts;
    core_realtime_message message;
    core_buffer_init(&texts, 4096);
    assert_true(reads("{\"id\": \"" ID "\", \"topic\": \"r\\u2603 \\\"1\\\"\", \"event\": \"e\", "
                      "\"private\": true, \"payload\": {\"topic\": \"x\", \"n\": [1]}}",
                      &texts, &message));
    assert_true(core_slice_is(message.channel, "r\xe2\x98\x83 \"1\""));
    assert_true(core_slice_is(message.event, "e"));
    assert_true(core_slice_is(message.payload, "{\"topic\": \"x\", \"n\": [1]}"));
    assert_string_equal(message.id, ID);
    assert_true(message.is_private);
    assert_int_equal(message.encoding, CORE_REALTIME_JSON);
    assert_int_equal(message.origin, CORE_REALTIME_DATABASE);
    assert_true(reads("{\"topic\":\"t\"}", &texts, &message));
    assert_false(message.is_private);
    assert_true(core_slice_is(message.payload, "{}"));
    core_buffer_fini(&texts);
}

static void test_what_is_none(void **state) {
    (void)state;
    static const char *const wrong[] = {
        "",
        "[]",
        "{",
        "{\"topic\":7}",
        "{\"topic\":\"\"}",
        "{\"event\":\"e\"}",
        "{\"topic\":\"t\",\"event\":[]}",
        "{\"topic\":\"t\",\"id\":7}",
        "{\"topic\":\"\xff\"}",
        "{\"topic\":\"t\",\"id\":\"longer than any uuid has ever been in this world\"}",
    };
    core_buffer texts;
    core_realtime_message message;
    core_buffer_init(&texts, 4096);
    for (size_t i = 0; i < CORE_COUNT_OF(wrong); i++)
        assert_false(reads(wrong[i], &texts, &message));
    core_buffer_fini(&texts);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_send_writes),
        cmocka_unit_test(test_what_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
