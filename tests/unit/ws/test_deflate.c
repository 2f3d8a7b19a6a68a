/* permessage-deflate: what RFC 7692's own examples say, round trips, bombs, and which offers fit.
 */
#include "ws/deflate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static int setup(void **state) {
    *state = ws_deflate_new();
    return *state == NULL;
}

static int teardown(void **state) {
    ws_deflate_free(*state);
    return 0;
}

static core_block *text_frame(const void *bytes, size_t length) {
    core_slice part = core_slice_make(bytes, length);
    core_block *block = ws_frame_block(WS_FRAME_TEXT, &part, 1);
    assert_non_null(block);
    return block;
}

static void assert_reads(ws_deflate *engine, const void *bytes, size_t length, const char *text) {
    core_buffer message;
    core_buffer_init(&message, 1000);
    assert_int_equal(ws_deflate_read(engine, core_slice_make(bytes, length), &message),
                     WS_INFLATE_OK);
    assert_true(core_slice_is(core_buffer_slice(&message), text));
    core_buffer_fini(&message);
}

static void test_the_examples_of_the_rfc(void **state) {
    assert_reads(*state, "\xf2\x48\xcd\xc9\xc9\x07\x00", 7, "Hello");
    /* without compression (7.2.3.3) */
    assert_reads(*state, "\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00", 11, "Hello");
    /* a block with BFINAL (7.2.3.4) */
    assert_reads(*state, "\xf3\x48\xcd\xc9\xc9\x07\x00\x00", 8, "Hello");
    /* two blocks in one message (7.2.3.5) */
    assert_reads(*state, "\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00", 13, "Hello");
    assert_reads(*state, "\x00", 1, "");
    /* a second message that needs the first one's context is not one of ours */
    core_buffer message;
    core_buffer_init(&message, 1000);
    assert_int_equal(ws_deflate_read(*state, core_slice_make("\xf2\x00\x11\x00\x00", 5), &message),
                     WS_INFLATE_INVALID);
    core_buffer_fini(&message);
}

static void test_a_frame_and_its_twin(void **state) {
    char text[3000];
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = "{\"id\":7,\"title\":\"a change\"},"[i % 28];
    core_block *block = text_frame(text, sizeof text);
    bool made = false;
    core_block *twin = ws_deflate_frame(*state, block, &made);
    assert_true(made);
    assert_ptr_not_equal(twin, block);
    assert_int_equal(twin->bytes[0], 0xC1);
    assert_in_range(twin->length, 10, 200);
    assert_ptr_equal(ws_deflate_frame(*state, block, &made), twin); /* once */
    assert_false(made);
    size_t head = twin->bytes[1] == 126 ? 4 : 2;
    core_buffer message;
    core_buffer_init(&message, sizeof text);
    core_slice payload = core_slice_make(twin->bytes + head, twin->length - head);
    assert_int_equal(ws_deflate_read(*state, payload, &message), WS_INFLATE_OK);
    assert_int_equal(message.length, sizeof text);
    assert_memory_equal(message.data, text, sizeof text);
    core_buffer_fini(&message);
    core_block_release(core_block_retain(twin));
    core_block_release(block); /* and the twin */
}

static void test_what_stays_plain(void **state) {
    bool made;
    uint8_t noise[5000];
    uint32_t seed = 1;
    for (size_t i = 0; i < sizeof noise; i++) {
        seed = seed * 1664525 + 1013904223;
        noise[i] = (uint8_t)(seed >> 24);
    }
    core_block *blocks[] = {text_frame("aaaaaaaaaa", 10), text_frame(noise, sizeof noise),
                            ws_frame_close(1000, "bye"), text_frame("", 0)};
    for (size_t i = 0; i < CORE_COUNT_OF(blocks); i++) {
        assert_ptr_equal(ws_deflate_frame(*state, blocks[i], &made), blocks[i]);
        assert_false(made);
        assert_ptr_equal(ws_deflate_frame(*state, blocks[i], &made), blocks[i]);
        core_block_release(blocks[i]);
    }
}

/* 64 MiB of one letter in 64 KiB: stopped at the limit, with the limit's memory. */
static void test_a_bomb(void **state) {
    size_t length = 4 << 20;
    char *text = malloc(length);
    memset(text, 'x', length);
    core_block *block = text_frame(text, length);
    bool made;
    core_block *twin = ws_deflate_frame(*state, block, &made);
    assert_true(made);
    assert_in_range(twin->length, 100, 65535);
    core_slice payload = core_slice_make(twin->bytes + 4, twin->length - 4);
    core_buffer message;
    core_buffer_init(&message, 100000);
    assert_int_equal(ws_deflate_read(*state, payload, &message), WS_INFLATE_TOO_BIG);
    assert_in_range(message.capacity, 0, 100000);
    core_buffer_fini(&message);
    core_buffer_init(&message, length); /* and the next message is read as if nothing had been */
    assert_int_equal(ws_deflate_read(*state, payload, &message), WS_INFLATE_OK);
    assert_int_equal(message.length, length);
    core_buffer_fini(&message);
    core_block_release(block);
    free(text);
}

static void test_garbage_and_cuts(void **state) {
    static const char hello[] = "\xf2\x48\xcd\xc9\xc9\x07\x00";
    core_buffer message;
    for (size_t length = 1; length < 6; length++) {
        core_buffer_init(&message, 1000);
        assert_int_not_equal(ws_deflate_read(*state, core_slice_make(hello, length), &message),
                             WS_INFLATE_OK);
        core_buffer_fini(&message);
    }
    core_buffer_init(&message, 1000);
    assert_int_equal(ws_deflate_read(*state, core_slice_make("\xff\xff\xff\xff", 4), &message),
                     WS_INFLATE_INVALID);
    core_buffer_fini(&message);
    assert_reads(*state, hello, 7, "Hello");
}

static void test_offers(void **state) {
    (void)state;
    static const struct {
        const char *value;
        bool fits;
    } rows[] = {
        {"permessage-deflate", true},
        {"permessage-deflate; client_max_window_bits", true},
        {"permessage-deflate; client_max_window_bits=10", true},
        {"permessage-deflate; client_max_window_bits=\"15\"", true},
        {" Permessage-Deflate ;server_no_context_takeover; client_no_context_takeover", true},
        {"x-webkit-deflate-frame, permessage-deflate", true},
        {"permessage-deflate; server_max_window_bits=10, permessage-deflate", true},
        {"permessage-deflate; server_max_window_bits=10", false},
        {"permessage-deflate; client_max_window_bits=7", false},
        {"permessage-deflate; client_max_window_bits=16", false},
        {"permessage-deflate; client_max_window_bits=010", false},
        {"permessage-deflate; client_max_window_bits=", false},
        {"permessage-deflate; server_no_context_takeover=1", false},
        {"permessage-deflate; server_no_context_takeover; server_no_context_takeover", false},
        {"permessage-deflate; unknown", false},
        {"permessage-deflate; ;", false},
        {"permessage-bzip2", false},
        {"", false},
    };
    for (size_t i = 0; i < CORE_COUNT_OF(rows); i++)
        if (ws_deflate_offers_fit(core_slice_text(rows[i].value)) != rows[i].fits)
            fail_msg("%s", rows[i].value);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_examples_of_the_rfc, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_frame_and_its_twin, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_stays_plain, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_bomb, setup, teardown),
        cmocka_unit_test_setup_teardown(test_garbage_and_cuts, setup, teardown),
        cmocka_unit_test(test_offers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
