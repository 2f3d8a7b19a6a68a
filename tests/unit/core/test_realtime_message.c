/* Broadcasts between gateways: what is written is read, and nothing else is. */
#include "core/realtime_message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static core_realtime_message usual(void) {
    core_realtime_message message = {
        .environment = core_slice_text("dev"),
        .node = core_slice_text("node-1"),
        .channel = core_slice_text("room:1"),
        .event = core_slice_text("cursor"),
        .payload = core_slice_text("{\"x\":1}"),
        .time_us = INT64_C(1700000000123456),
        .encoding = CORE_REALTIME_JSON,
        .origin = CORE_REALTIME_REST,
        .id = "00112233-4455-6677-8899-aabbccddeeff",
        .is_private = true,
    };
    return message;
}

static void must_write(const core_realtime_message *message, core_buffer *out) {
    core_buffer_reset(out);
    assert_true(core_realtime_message_write(message, out));
}

static void test_it_comes_back(void **state) {
    core_buffer bytes;
    core_realtime_message message = usual(), read;
    (void)state;
    core_buffer_init(&bytes, 4096);
    must_write(&message, &bytes);
    assert_true(core_realtime_message_read(core_buffer_slice(&bytes), &read));
    assert_true(core_slice_equal(read.environment, message.environment));
    assert_true(core_slice_equal(read.node, message.node));
    assert_true(core_slice_equal(read.channel, message.channel));
    assert_true(core_slice_equal(read.event, message.event));
    assert_true(core_slice_equal(read.payload, message.payload));
    assert_true(read.time_us == message.time_us && read.is_private);
    assert_int_equal(read.encoding, CORE_REALTIME_JSON);
    assert_int_equal(read.origin, CORE_REALTIME_REST);
    assert_string_equal(read.id, message.id);
    assert_false(read.pushed);
    message.id[0] = '\0';
    message.pushed = true;
    message.is_private = false;
    message.encoding = CORE_REALTIME_BYTES;
    message.payload = core_slice_make("\xFF\x00{", 3);
    must_write(&message, &bytes);
    assert_true(core_realtime_message_read(core_buffer_slice(&bytes), &read));
    assert_true(core_slice_equal(read.payload, message.payload));
    assert_true(read.pushed && !read.is_private);
    assert_string_equal(read.id, "");
    core_buffer_fini(&bytes);
}

static void test_an_id_is_a_uuid(void **state) {
    static const char *const ids[] = {"0",
                                      "00112233-4455-6677-8899-aabbccddeef",
                                      "00112233-4455-6677-8899-aabbccddeeFF",
                                      "00112233+4455-6677-8899-aabbccddeeff",
                                      "001122334455-6677-8899-aabbccddeeff",
                                      "0011223g-4455-6677-8899-aabbccddeeff"};
    core_buffer bytes;
    core_realtime_message message = usual();
    (void)state;
    core_buffer_init(&bytes, 4096);
    for (size_t i = 0; i < CORE_COUNT_OF(ids); i++) {
        (void)snprintf(message.id, sizeof message.id, "%s", ids[i]);
        assert_false(core_realtime_message_write(&message, &bytes));
    }
    core_buffer_fini(&bytes);
}

/* Cut anywhere before the payload ends it is refused: JSON that is cut is no JSON. */
static void test_cut_it_is_refused(void **state) {
    core_buffer bytes;
    core_realtime_message message = usual(), read;
    (void)state;
    core_buffer_init(&bytes, 4096);
    must_write(&message, &bytes);
    for (size_t length = 0; length < bytes.length; length++)
        assert_false(core_realtime_message_read(core_slice_make(bytes.data, length), &read));
    core_buffer_fini(&bytes);
}

static void assert_unreadable(const core_realtime_message *message, size_t at, uint8_t value) {
    core_buffer bytes;
    core_realtime_message read;
    core_buffer_init(&bytes, 4096);
    must_write(message, &bytes);
    bytes.data[at] = value;
    assert_false(core_realtime_message_read(core_buffer_slice(&bytes), &read));
    core_buffer_fini(&bytes);
}

static void test_what_could_break_a_frame_is_refused(void **state) {
    core_realtime_message message = usual();
    (void)state;
    assert_unreadable(&message, 0, 'X');
    assert_unreadable(&message, 1, 2);    /* another version */
    assert_unreadable(&message, 2, 4);    /* an unknown flag */
    assert_unreadable(&message, 3, 2);    /* encoding */
    assert_unreadable(&message, 4, 3);    /* origin */
    assert_unreadable(&message, 5, 0x80); /* a time before 1970 */
    message.payload = core_slice_text("{\"x\":1}]");
    assert_unreadable(&message, 0, 'W');
    message.payload = core_slice_text("");
    assert_unreadable(&message, 0, 'W');
    message.payload = core_slice_text("\"\xFF\"");
    assert_unreadable(&message, 0, 'W');
    message = usual();
    message.event = core_slice_text("\xC3");
    assert_unreadable(&message, 0, 'W');
}

static void test_names_have_a_maximum(void **state) {
    static char name[CORE_REALTIME_CHANNEL_MAX + 1];
    core_buffer bytes;
    core_realtime_message message = usual(), read;
    (void)state;
    core_buffer_init(&bytes, 4096);
    memset(name, 'n', sizeof name);
    message.channel = core_slice_make(name, CORE_REALTIME_CHANNEL_MAX);
    message.event = core_slice_make(name, CORE_REALTIME_EVENT_MAX);
    message.node = message.environment = core_slice_make(name, CORE_REALTIME_NAME_MAX);
    must_write(&message, &bytes);
    assert_true(core_realtime_message_read(core_buffer_slice(&bytes), &read));
    message.channel.length++;
    assert_false(core_realtime_message_write(&message, &bytes));
    message.channel.length = 0;
    assert_false(core_realtime_message_write(&message, &bytes));
    message.channel.length = 1;
    message.event.length++;
    assert_false(core_realtime_message_write(&message, &bytes));
    message.event.length = 1;
    message.node.length++;
    assert_false(core_realtime_message_write(&message, &bytes));
    core_buffer_fini(&bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_comes_back),
        cmocka_unit_test(test_an_id_is_a_uuid),
        cmocka_unit_test(test_cut_it_is_refused),
        cmocka_unit_test(test_what_could_break_a_frame_is_refused),
        cmocka_unit_test(test_names_have_a_maximum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
