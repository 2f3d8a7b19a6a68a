/* Presence between gateways in bytes: what is written is read, cut or changed it is refused. */
#include "ws/presence_wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const presence_op add = {.ref = 6, .previous = 3};
static const presence_op removal = {.removes = true, .ref = 5};

static presence_op add_make(void) {
    presence_op op = add;
    op.topic = core_slice_text("realtime:room");
    op.key = core_slice_text("ada");
    op.payload = core_slice_text("{\"v\":1}");
    return op;
}

static presence_message make(presence_kind kind) {
    return (presence_message){.kind = kind,
                              .node = core_slice_text("node-1"),
                              .boot = 77,
                              .version = 5,
                              .digest = 99,
                              .target = core_slice_text("node-2"),
                              .part = 1,
                              .parts = 2};
}

static void ops_write(core_buffer *out, presence_op first, presence_op second) {
    core_buffer_reset(out);
    presence_op_write(&first, out);
    presence_op_write(&second, out);
    assert_int_equal(out->length, presence_op_bytes(&first) + presence_op_bytes(&second));
}

static bool read_back(const presence_message *message, presence_message *read) {
    static uint8_t memory[4096];
    core_buffer out = core_buffer_over(memory, sizeof memory);
    presence_message_write(message, &out);
    assert_true(core_buffer_ok(&out));
    assert_true(out.length - message->ops.length <= PRESENCE_HEAD_BYTES);
    bool ok = presence_message_read(core_buffer_slice(&out), read);
    presence_message cut;
    for (size_t length = 0; length < out.length; length++)
        assert_false(presence_message_read(core_slice_make(out.data, length), &cut));
    core_buffer_u8(&out, 0);
    assert_false(presence_message_read(core_buffer_slice(&out), &cut)); /* nothing may follow */
    return ok;
}

static void test_each_kind_comes_back(void **state) {
    core_buffer ops;
    presence_message message, read;
    (void)state;
    core_buffer_init(&ops, 4096);
    for (int kind = PRESENCE_HEARTBEAT; kind <= PRESENCE_GOODBYE; kind++) {
        message = make((presence_kind)kind);
        if (kind == PRESENCE_DELTA) {
            ops_write(&ops, add_make(), removal);
            message.count = 2;
        } else if (kind == PRESENCE_STATE) {
            presence_op other = add_make();
            other.ref = 1;
            other.previous = 0;
            message.version = 6;
            ops_write(&ops, add_make(), other);
            message.count = 2;
        }
        if (message.count > 0)
            message.ops = core_buffer_slice(&ops);
        assert_true(read_back(&message, &read));
        assert_int_equal(read.kind, kind);
        assert_int_equal(read.boot, 77);
        assert_true(core_slice_equal(read.node, message.node));
        assert_int_equal(read.count, message.count);
        if (kind == PRESENCE_STATE)
            assert_true(read.part == 1 && read.parts == 2 && read.digest == 99);
        if (kind == PRESENCE_ASK)
            assert_true(core_slice_is(read.target, "node-2"));
        if (kind == PRESENCE_HEARTBEAT)
            assert_true(read.version == 5 && read.digest == 99);
    }
    core_cursor cursor = core_cursor_make(core_buffer_slice(&ops));
    presence_op op;
    assert_true(presence_op_next(&cursor, &op));
    assert_true(op.ref == 6 && op.previous == 3 && core_slice_is(op.topic, "realtime:room") &&
                core_slice_is(op.key, "ada") && core_slice_is(op.payload, "{\"v\":1}"));
    core_buffer_fini(&ops);
}

static void assert_ops_refused(presence_kind kind, presence_op first, presence_op second) {
    core_buffer ops;
    presence_message message = make(kind), read;
    core_buffer_init(&ops, 8192);
    ops_write(&ops, first, second);
    message.count = 2;
    message.ops = core_buffer_slice(&ops);
    assert_false(read_back(&message, &read));
    core_buffer_fini(&ops);
}

static void test_ops_must_fit_their_message(void **state) {
    static char long_topic[WS_TOPIC_MAX + WS_SCOPE_MAX + 1];
    static const char *const payloads[] = {"",    "{",          "[1]",     "{ }",
                                           " {}", "{\"a\":1} ", "{\"a\"}", "{\"a\":\"\xFF\"}"};
    presence_op op = add_make(), other = add_make();
    (void)state;
    op.ref = 7; /* version 6 is due */
    assert_ops_refused(PRESENCE_DELTA, op, removal);
    op = removal;
    op.ref = 6; /* of one that is not yet */
    assert_ops_refused(PRESENCE_DELTA, op, removal);
    op.ref = 0;
    assert_ops_refused(PRESENCE_DELTA, op, removal);
    op = add_make();
    op.previous = 6;
    assert_ops_refused(PRESENCE_DELTA, op, removal);
    op = add_make();
    op.key.length = 0;
    assert_ops_refused(PRESENCE_DELTA, op, removal);
    op = add_make();
    op.topic.length = 0;
    assert_ops_refused(PRESENCE_DELTA, op, removal);
    memset(long_topic, 't', sizeof long_topic);
    op.topic = core_slice_make(long_topic, sizeof long_topic);
    assert_ops_refused(PRESENCE_DELTA, op, removal);
    for (size_t i = 0; i < CORE_COUNT_OF(payloads); i++) {
        op = add_make();
        op.payload = core_slice_text(payloads[i]);
        assert_ops_refused(PRESENCE_DELTA, op, removal);
    }
    op = add_make();
    op.ref = 5;
    assert_ops_refused(PRESENCE_STATE, op, removal); /* a state removes nothing */
    assert_ops_refused(PRESENCE_STATE, op, other);   /* and is not ahead of its version */
}

static void test_heads_must_be_whole(void **state) {
    presence_message message = make(PRESENCE_HEARTBEAT), read;
    static char name[WS_PRESENCE_NODE_MAX + 1];
    (void)state;
    message.boot = 0;
    assert_false(read_back(&message, &read));
    message = make(PRESENCE_HEARTBEAT);
    message.node.length = 0;
    assert_false(read_back(&message, &read));
    message.node = core_slice_make(name, sizeof name);
    assert_false(presence_message_read(message.node, &read));
    message = make(PRESENCE_STATE);
    message.part = 2;
    assert_false(read_back(&message, &read));
    message.parts = 0;
    message.part = 0;
    assert_false(read_back(&message, &read));
    message.parts = PRESENCE_PARTS_MAX + 1;
    assert_false(read_back(&message, &read));
    message = make((presence_kind)6);
    assert_false(read_back(&message, &read));
}

static void assert_payload(const char *given, const char *expected) {
    uint8_t memory[256];
    core_buffer out = core_buffer_over(memory, sizeof memory);
    bool ok = presence_payload_make(core_slice_text(given), &out);
    assert_int_equal(ok, expected != NULL);
    if (ok && !core_slice_is(core_buffer_slice(&out), expected))
        fail_msg("%s gave %.*s", given, CORE_SLICE_ARGS(core_buffer_slice(&out)));
}

/* A client that names itself another's phx_ref would make that one vanish for everybody. */
static void test_payloads_are_made_ours(void **state) {
    (void)state;
    assert_payload("{}", "{}");
    assert_payload(" { \"a\" : [1, 2] , \"b\\\"\":\"x\" } ", "{\"a\":[1, 2],\"b\\\"\":\"x\"}");
    assert_payload("{\"phx_ref\":\"x\",\"a\":1,\"phx_ref_prev\":{}}", "{\"a\":1}");
    assert_payload("{\"phx\\u005fref\":\"x\"}", "{}");
    assert_payload("[]", NULL);
    assert_payload("\"a\"", NULL);
    assert_payload("null", NULL);
    assert_payload("", NULL);
    assert_payload("{\"a\":1", NULL);
    assert_payload("{\"a\":1}}", NULL);
    assert_payload("{\"a\":\"\xFF\"}", NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_kind_comes_back),
        cmocka_unit_test(test_ops_must_fit_their_message),
        cmocka_unit_test(test_heads_must_be_whole),
        cmocka_unit_test(test_payloads_are_made_ours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
