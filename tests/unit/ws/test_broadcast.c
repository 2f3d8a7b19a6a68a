/* Broadcasts: read from a client's payload, written in each serializer's form. */
#include "ws/broadcast.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static bool reads(const char *payload, ws_broadcast *broadcast, core_buffer *scratch) {
    const char *reason = NULL;
    bool ok = ws_broadcast_read(core_slice_text(payload), scratch, broadcast, &reason);
    assert_true(ok || reason != NULL);
    return ok;
}

static void test_reading(void **state) {
    (void)state;
    core_buffer scratch;
    core_buffer_init(&scratch, WS_EVENT_MAX);
    ws_broadcast broadcast = {.json = true};
    assert_true(
        reads("{\"type\":\"broadcast\",\"event\":\"a\\\"\\u2603\",\"payload\":[1,{\"event\":2}]}",
              &broadcast, &scratch));
    assert_true(core_slice_is(broadcast.event, "a\"\xe2\x98\x83"));
    assert_true(core_slice_is(broadcast.payload, "[1,{\"event\":2}]"));
    assert_true(reads("{\"event\":\"e\"}", &broadcast, &scratch));
    assert_true(core_slice_is(broadcast.payload, "{}"));
    assert_false(reads("{}", &broadcast, &scratch));
    assert_false(reads("{\"event\":7}", &broadcast, &scratch));
    assert_false(reads("[]", &broadcast, &scratch));
    core_buffer_fini(&scratch);
}

static void frame_is(const ws_broadcast *broadcast, ws_protocol protocol, unsigned opcode,
                     const char *payload, size_t length) {
    core_block *frame = ws_broadcast_frame(broadcast, protocol);
    assert_non_null(frame);
    assert_int_equal(frame->bytes[0], 0x80 | opcode);
    assert_int_equal(frame->length - 2, length);
    assert_memory_equal(frame->bytes + 2, payload, length);
    core_block_release(frame);
}

#define TEXT_2                                                                                     \
    "[null,null,\"t\",\"broadcast\",{\"event\":\"e\",\"payload\":[1],\"type\":\"broadcast\"}]"
#define TEXT_1                                                                                     \
    "{\"topic\":\"t\",\"event\":\"broadcast\",\"payload\":{\"event\":\"e\",\"payload\":[1],"       \
    "\"type\":\"broadcast\"},\"ref\":null}"

static void test_writing(void **state) {
    (void)state;
    ws_broadcast broadcast = {.topic = core_slice_text("t"),
                              .event = core_slice_text("e"),
                              .payload = core_slice_text("[1]"),
                              .json = true};
    frame_is(&broadcast, WS_PROTOCOL_1, 1, TEXT_1, strlen(TEXT_1));
    frame_is(&broadcast, WS_PROTOCOL_2, 1, TEXT_2, strlen(TEXT_2));
    broadcast.pushed = true;
    frame_is(&broadcast, WS_PROTOCOL_2, 2, "\x04\x01\x01\x00\x01te[1]", 10);
    frame_is(&broadcast, WS_PROTOCOL_2_TEXT, 1, TEXT_2, strlen(TEXT_2));
    broadcast.json = false;
    frame_is(&broadcast, WS_PROTOCOL_2, 2, "\x04\x01\x01\x00\x00te[1]", 10);
    assert_false(ws_broadcast_reaches(&broadcast, WS_PROTOCOL_1));
    assert_false(ws_broadcast_reaches(&broadcast, WS_PROTOCOL_2_TEXT));
    assert_true(ws_broadcast_reaches(&broadcast, WS_PROTOCOL_2));
}

static void test_a_copy_owns_its_texts(void **state) {
    (void)state;
    char text[] = "ten";
    ws_broadcast broadcast = {.topic = core_slice_make(text, 1),
                              .event = core_slice_make(text + 1, 1),
                              .payload = core_slice_make(text + 2, 1)};
    ws_broadcast *copy = ws_broadcast_copy(&broadcast);
    assert_non_null(copy);
    memset(text, 'x', sizeof text);
    assert_true(core_slice_is(copy->topic, "t"));
    assert_true(core_slice_is(copy->event, "e"));
    assert_true(core_slice_is(copy->payload, "n"));
    free(copy);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reading),
        cmocka_unit_test(test_writing),
        cmocka_unit_test(test_a_copy_owns_its_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
