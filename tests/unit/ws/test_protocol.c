/* The realtime protocol's messages in both serializers, read and written. */
#include "ws/protocol.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define DIGITS_60 "123456789012345678901234567890123456789012345678901234567890"

typedef struct {
    core_buffer scratch;
    ws_message message;
    const char *reason;
} fixture;

static bool read_bytes(fixture *f, ws_protocol protocol, bool binary, core_slice bytes) {
    f->reason = NULL;
    return ws_protocol_read(protocol, binary, bytes, &f->scratch, &f->message, &f->reason);
}

static bool read_text(fixture *f, ws_protocol protocol, const char *text) {
    return read_bytes(f, protocol, false, core_slice_text(text));
}

static void assert_text(core_slice slice, const char *expected) {
    assert_int_equal(slice.length, strlen(expected));
    assert_memory_equal(slice.data, expected, slice.length);
}

static void assert_message(const fixture *f, const char *join_ref, const char *ref,
                           const char *topic, const char *event, const char *payload) {
    assert_text(f->message.join_ref, join_ref);
    assert_text(f->message.ref, ref);
    assert_text(f->message.topic, topic);
    assert_text(f->message.event, event);
    assert_text(f->message.payload, payload);
}

static void test_arrays(void **state) {
    fixture *f = *state;
    assert_true(
        read_text(f, WS_PROTOCOL_2, "[\"1\",\"2\",\"realtime:r\",\"phx_join\",{\"a\":[1]}]"));
    assert_message(f, "\"1\"", "\"2\"", "realtime:r", "phx_join", "{\"a\":[1]}");
    assert_true(read_text(f, WS_PROTOCOL_2, " [ null , 7 , \"\\u00e9\\\"\" , \"e\" , null ] "));
    assert_message(f, "null", "7", "\xC3\xA9\"", "e", "null");
}

static void test_objects(void **state) {
    fixture *f = *state;
    assert_true(read_text(f, WS_PROTOCOL_1,
                          "{\"topic\":\"t\",\"x\":{\"y\":[]},\"event\":\"e\",\"payload\":{\"p\":1},"
                          "\"ref\":\"3\",\"join_ref\":\"1\"}"));
    assert_message(f, "\"1\"", "\"3\"", "t", "e", "{\"p\":1}");
    assert_true(read_text(f, WS_PROTOCOL_1, "{\"event\":\"e\",\"topic\":\"t\"}"));
    assert_message(f, "null", "null", "t", "e", "{}");
}

static void test_binary_push(void **state) {
    fixture *f = *state;
    static const uint8_t bytes[] = "\x03\x01\x02\x03\x04\x02\x01"
                                   "1"
                                   "23"
                                   "top"
                                   "evnt"
                                   "{}"
                                   "[1,2]";
    core_slice whole = core_slice_make(bytes, sizeof bytes - 1);
    assert_true(read_bytes(f, WS_PROTOCOL_2, true, whole));
    assert_message(f, "\"1\"", "\"23\"", "top", "broadcast", "[1,2]");
    assert_text(f->message.push_event, "evnt");
    assert_text(f->message.push_metadata, "{}");
    assert_true(f->message.binary && f->message.push_json);
    assert_false(read_bytes(f, WS_PROTOCOL_1, true, whole));
    for (size_t length = 0; length < 7 + 12; length++) {
        assert_false(read_bytes(f, WS_PROTOCOL_2, true, core_slice_make(bytes, length)));
        assert_non_null(f->reason);
    }
    assert_true(read_bytes(f, WS_PROTOCOL_2, true,
                           core_slice_make("\x03\x00\x00\x01\x01\x00\x00te\xFF", 10)));
    assert_message(f, "null", "null", "t", "broadcast", "\xFF"); /* bytes may be any */
    assert_false(
        read_bytes(f, WS_PROTOCOL_2, true, core_slice_make("\x03\x00\x00\x01\x01\x00\x01te{", 10)));
    assert_false(read_bytes(f, WS_PROTOCOL_2, true,
                            core_slice_make("\x03\x00\x00\x01\x01\x00\x00\xFF"
                                            "e",
                                            9)));
}

static void test_refusals(void **state) {
    fixture *f = *state;
    static const char *const arrays[] = {
        "",
        "[]",
        "{}",
        "[1,2,3,4,5]",
        "[\"1\",\"1\",\"t\",\"e\"]",
        "[\"1\",\"1\",\"t\",\"e\",{},1]",
        "[\"1\",\"1\",\"t\",\"e\",{}",
        "[\"1\",\"1\",\"t\",\"e\",{}]]",
        "[true,\"1\",\"t\",\"e\",{}]",
        "[\"1\",[],\"t\",\"e\",{}]",
        "[\"1\",\"1\",null,\"e\",{}]",
        "[\"1\",\"1\",\"t\",{},{}]",
        "[\"1\",\"1\",\"\\ud800\",\"e\",{}]",
    };
    static const char *const objects[] = {
        "[]",
        "{\"topic\":\"t\"}",
        "{\"event\":\"e\"}",
        "{\"topic\":1,\"event\":\"e\"}",
        "{\"topic\":\"t\",\"event\":\"e\"",
        "{\"topic\":\"t\",\"event\":\"e\"}x",
        "{\"topic\":\"t\",\"event\":\"e\",\"ref\":{}}",
    };
    for (size_t i = 0; i < CORE_COUNT_OF(arrays); i++) {
        assert_false(read_text(f, WS_PROTOCOL_2, arrays[i]));
        assert_non_null(f->reason);
    }
    assert_true(read_text(f, WS_PROTOCOL_2, "[null,\"" DIGITS_60 "\",\"t\",\"e\",{}]"));
    assert_false(read_text(f, WS_PROTOCOL_2, "[null,\"" DIGITS_60 "123\",\"t\",\"e\",{}]"));
    for (size_t i = 0; i < CORE_COUNT_OF(objects); i++) {
        assert_false(read_text(f, WS_PROTOCOL_1, objects[i]));
        assert_non_null(f->reason);
    }
}

static void test_repeated_members_do_not_move_the_scratch(void **state) {
    fixture *f = *state;
    core_buffer text;
    core_buffer_init(&text, 1 << 20);
    core_buffer_text(&text, "{\"event\":\"e\"");
    for (int i = 0; i < 2000; i++)
        core_buffer_format(&text, ",\"topic\":\"topic-%d\"", i);
    core_buffer_text(&text, "}");
    assert_false(read_bytes(f, WS_PROTOCOL_1, false, core_buffer_slice(&text)));
    core_buffer_fini(&text);
}

/* The frame's payload; frames here are short. */
static void assert_frame(core_block *frame, const char *expected) {
    assert_non_null(frame);
    size_t header = frame->bytes[1] == 126 ? 4 : 2;
    assert_int_equal(frame->bytes[0], 0x81);
    assert_text(core_slice_make(frame->bytes + header, frame->length - header), expected);
    core_block_release(frame);
}

static void test_writing(void **state) {
    (void)state;
    core_slice one = core_slice_text("\"1\""), two = core_slice_text("\"2\"");
    core_slice topic = core_slice_text("realtime:a\"b");
    assert_frame(ws_protocol_reply(WS_PROTOCOL_2, one, two, topic, true, core_slice_text("{}")),
                 "[\"1\",\"2\",\"realtime:a\\\"b\",\"phx_reply\",{\"status\":\"ok\","
                 "\"response\":{}}]");
    assert_frame(ws_protocol_reply(WS_PROTOCOL_1, one, two, topic, true, core_slice_text("{}")),
                 "{\"topic\":\"realtime:a\\\"b\",\"event\":\"phx_reply\",\"payload\":{\"status\":"
                 "\"ok\",\"response\":{}},\"ref\":\"2\"}");
    assert_frame(ws_protocol_refusal(WS_PROTOCOL_2, one, two, topic, "Code: why"),
                 "[\"1\",\"2\",\"realtime:a\\\"b\",\"phx_reply\",{\"status\":\"error\","
                 "\"response\":{\"reason\":\"Code: why\"}}]");
    assert_frame(ws_protocol_system(WS_PROTOCOL_2, one, topic, "postgres_changes", true, "m"),
                 "[\"1\",null,\"realtime:a\\\"b\",\"system\",{\"message\":\"m\",\"status\":\"ok\","
                 "\"extension\":\"postgres_changes\",\"channel\":\"a\\\"b\"}]");
}

static void test_change_frames(void **state) {
    (void)state;
    static const struct {
        ws_protocol protocol;
        const char *expected;
    } rows[] = {
        {WS_PROTOCOL_2, "[null,null,\"t\",\"postgres_changes\",{\"ids\":[1],\"data\":{}}]"},
        {WS_PROTOCOL_1, "{\"topic\":\"t\",\"event\":\"postgres_changes\",\"payload\":{\"ids\":[1],"
                        "\"data\":{}},\"ref\":null}"},
    };
    for (size_t i = 0; i < CORE_COUNT_OF(rows); i++) {
        core_buffer out;
        core_buffer_init(&out, 1024);
        ws_protocol_change_head(rows[i].protocol, core_slice_text("t"), &out);
        core_buffer_text(&out, "[1]" WS_PROTOCOL_CHANGE_MIDDLE "{}");
        core_buffer_text(&out, ws_protocol_change_tail(rows[i].protocol));
        assert_text(core_buffer_slice(&out), rows[i].expected);
        core_buffer_fini(&out);
    }
}

static int setup(void **state) {
    static fixture f;
    core_buffer_init(&f.scratch, WS_PROTOCOL_SCRATCH);
    *state = &f;
    return 0;
}

static int teardown(void **state) {
    core_buffer_fini(&((fixture *)*state)->scratch);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arrays),
        cmocka_unit_test(test_objects),
        cmocka_unit_test(test_binary_push),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_repeated_members_do_not_move_the_scratch),
        cmocka_unit_test(test_writing),
        cmocka_unit_test(test_change_frames),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
