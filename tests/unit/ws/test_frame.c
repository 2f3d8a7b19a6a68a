/* WebSocket frames: lengths at their edges, reading at every split, refusals with their codes. */
#include "ws/frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_lengths(void **state) {
    (void)state;
    static const struct {
        size_t length, header;
        uint8_t second;
    } rows[] = {{0, 2, 0},       {125, 2, 125},    {126, 4, 126},
                {65535, 4, 126}, {65536, 10, 127}, {3 * 1024 * 1024, 10, 127}};
    for (size_t i = 0; i < CORE_COUNT_OF(rows); i++) {
        uint8_t *bytes = calloc(1, rows[i].length + 1);
        core_slice parts[] = {core_slice_make(bytes, rows[i].length / 2),
                              core_slice_make(bytes, rows[i].length - rows[i].length / 2)};
        core_block *block = ws_frame_block(WS_FRAME_TEXT, parts, 2);
        assert_non_null(block);
        assert_int_equal(block->length, rows[i].header + rows[i].length);
        assert_int_equal(block->bytes[0], 0x81);
        assert_int_equal(block->bytes[1], rows[i].second);
        core_block_release(block);
        free(bytes);
    }
}

static void test_close_cuts_its_reason(void **state) {
    (void)state;
    char reason[201];
    memset(reason, 'x', 200);
    reason[200] = '\0';
    memcpy(reason + 121, "\xE2\x98\x83", 3); /* the cut at 123 falls into it */
    core_block *block = ws_frame_close(1013, reason);
    assert_non_null(block);
    assert_int_equal(block->bytes[0], 0x88);
    assert_int_equal(block->bytes[1], 2 + 121);
    assert_int_equal(block->bytes[2] << 8 | block->bytes[3], 1013);
    core_block_release(block);
}

static void test_read_at_every_split(void **state) {
    (void)state;
    static const uint8_t bytes[] = {0x81, 0xFE, 0x00, 0x80, 1, 2, 3, 4};
    ws_frame_head head;
    unsigned code;
    const char *reason;
    for (size_t length = 0; length < sizeof bytes; length++)
        assert_int_equal(
            ws_frame_read(core_slice_make(bytes, length), 1000, false, &head, &code, &reason),
            WS_FRAME_PARTIAL);
    assert_int_equal(
        ws_frame_read(core_slice_make(bytes, sizeof bytes), 1000, false, &head, &code, &reason),
        WS_FRAME_WHOLE);
    assert_int_equal(head.header_bytes, 8);
    assert_int_equal(head.payload_bytes, 128);
    assert_true(head.final);
    uint8_t payload[128];
    for (size_t i = 0; i < sizeof payload; i++)
        payload[i] = (uint8_t)('a' ^ head.mask[i & 3]);
    ws_frame_unmask(&head, payload);
    for (size_t i = 0; i < sizeof payload; i++)
        assert_int_equal(payload[i], 'a');
}

static void test_refusals(void **state) {
    (void)state;
    static const struct {
        uint8_t bytes[10];
        unsigned code;
    } rows[] = {
        {{0x81, 0x05}, WS_CLOSE_PROTOCOL},            /* no mask */
        {{0xC1, 0x85}, WS_CLOSE_PROTOCOL},            /* a reserved bit */
        {{0x83, 0x80}, WS_CLOSE_PROTOCOL},            /* an unknown opcode */
        {{0x8B, 0x80}, WS_CLOSE_PROTOCOL},            /* an unknown control opcode */
        {{0x09, 0x80}, WS_CLOSE_PROTOCOL},            /* a fragmented ping */
        {{0x89, 0xFE, 0, 126}, WS_CLOSE_PROTOCOL},    /* a long ping */
        {{0x82, 0xFE, 0x03, 0xE9}, WS_CLOSE_TOO_BIG}, /* 1001 of at most 1000 bytes */
        {{0x82, 0xFF, 0x80}, WS_CLOSE_PROTOCOL},      /* the length's highest bit */
        {{0x82, 0xFF, 0x7F}, WS_CLOSE_TOO_BIG},
    };
    for (size_t i = 0; i < CORE_COUNT_OF(rows); i++) {
        ws_frame_head head;
        unsigned code = 0;
        const char *reason = NULL;
        core_slice bytes = core_slice_make(rows[i].bytes, sizeof rows[i].bytes);
        assert_int_equal(ws_frame_read(bytes, 1000, false, &head, &code, &reason),
                         WS_FRAME_REFUSED);
        assert_int_equal(code, rows[i].code);
        assert_non_null(reason);
    }
}

static void test_close_codes(void **state) {
    (void)state;
    static const unsigned valid[] = {1000, 1001, 1002, 1003, 1007, 1011, 1012, 1014, 3000, 4999};
    static const unsigned wrong[] = {0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535};
    for (size_t i = 0; i < CORE_COUNT_OF(valid); i++)
        assert_true(ws_close_code_valid(valid[i]));
    for (size_t i = 0; i < CORE_COUNT_OF(wrong); i++)
        assert_false(ws_close_code_valid(wrong[i]));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lengths),     cmocka_unit_test(test_close_cuts_its_reason),
        cmocka_unit_test(test_refusals),    cmocka_unit_test(test_read_at_every_split),
        cmocka_unit_test(test_close_codes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
