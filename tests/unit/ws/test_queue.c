/* The bytes that wait for one peer: order, gathering, partial writes, the cap. */
#include "ws/queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define CAP 100

static core_block *block_of(const char *text) {
    core_block *block = core_block_copy(core_slice_text(text));
    assert_non_null(block);
    return block;
}

static bool push(ws_queue *queue, const char *text) {
    core_block *block = block_of(text);
    bool pushed = ws_queue_push(queue, block, CAP);
    core_block_release(block);
    return pushed;
}

static void assert_next(const ws_queue *queue, size_t room_bytes, const char *expected) {
    uint8_t room[256];
    core_slice next = ws_queue_next(queue, room, room_bytes);
    assert_int_equal(next.length, strlen(expected));
    assert_memory_equal(next.data, expected, next.length);
}

static void test_order_and_gathering(void **state) {
    (void)state;
    ws_queue queue = {0};
    assert_true(ws_queue_empty(&queue));
    for (int i = 0; i < 20; i++) {
        char text[8];
        (void)snprintf(text, sizeof text, "%c%c", 'a' + i, 'a' + i);
        assert_true(push(&queue, text));
    }
    assert_next(&queue, 7, "aabbcc"); /* whole blocks that fit */
    assert_int_equal(ws_queue_advance(&queue, 6), 3);
    assert_next(&queue, 256, "ddeeffgghhiijjkkllmmnnooppqqrrsstt");
    assert_int_equal(ws_queue_advance(&queue, 34), 17);
    assert_true(ws_queue_empty(&queue));
    assert_int_equal(queue.bytes, 0);
    ws_queue_fini(&queue);
}

static void test_partial_writes(void **state) {
    (void)state;
    ws_queue queue = {0};
    assert_true(push(&queue, "0123456789"));
    assert_true(push(&queue, "abc"));
    assert_next(&queue, 4, "0123"); /* one block larger than the room goes in pieces */
    assert_int_equal(ws_queue_advance(&queue, 4), 0);
    assert_int_equal(queue.bytes, 9);
    assert_next(&queue, 7, "456789");
    assert_int_equal(ws_queue_advance(&queue, 3), 0);
    assert_next(&queue, 64, "789abc");
    assert_int_equal(ws_queue_advance(&queue, 4), 1);
    assert_next(&queue, 64, "bc");
    ws_queue_fini(&queue);
}

static void test_cap(void **state) {
    (void)state;
    ws_queue queue = {0};
    char large[2 * CAP + 1];
    memset(large, 'x', sizeof large - 1);
    large[sizeof large - 1] = '\0';
    assert_true(push(&queue, large)); /* a single row larger than the cap goes */
    assert_false(push(&queue, "y"));
    assert_int_equal(queue.count, 1);
    (void)ws_queue_advance(&queue, sizeof large - 1);
    for (int i = 0; i < CAP / 10; i++)
        assert_true(push(&queue, "0123456789"));
    assert_false(push(&queue, "z"));
    assert_int_equal(queue.bytes, CAP);
    ws_queue_fini(&queue);
}

static void test_drop_keeps_what_was_begun(void **state) {
    (void)state;
    ws_queue queue = {0};
    assert_true(push(&queue, "first"));
    assert_true(push(&queue, "second"));
    (void)ws_queue_advance(&queue, 2);
    ws_queue_drop_unsent(&queue);
    assert_next(&queue, 64, "rst");
    (void)ws_queue_advance(&queue, 3);
    assert_true(push(&queue, "third"));
    ws_queue_drop_unsent(&queue); /* nothing of it was sent */
    assert_true(ws_queue_empty(&queue));
    assert_int_equal(queue.bytes, 0);
    ws_queue_fini(&queue);
}

static void test_blocks_are_shared(void **state) {
    (void)state;
    ws_queue a = {0}, b = {0};
    core_block *block = block_of("shared");
    assert_true(ws_queue_push(&a, block, CAP));
    assert_true(ws_queue_push(&b, block, CAP));
    assert_int_equal(atomic_load(&block->references), 3);
    ws_queue_fini(&a);
    (void)ws_queue_advance(&b, 6);
    assert_int_equal(atomic_load(&block->references), 1);
    ws_queue_fini(&b);
    core_block_release(block);
}

static void test_against_a_model(void **state) {
    (void)state;
    ws_queue queue = {0};
    char expected[4096] = "";
    size_t in = 0, out = 0;
    unsigned random = 1;
    for (int step = 0; step < 3000; step++) {
        random = random * 1103515245u + 12345u;
        char text[12];
        size_t length = 1 + (random >> 16) % 10;
        for (size_t i = 0; i < length; i++)
            text[i] = (char)('a' + (in + i) % 26);
        text[length] = '\0';
        if (push(&queue, text)) {
            for (size_t i = 0; i < length; i++)
                expected[(in + i) % sizeof expected] = text[i];
            in += length;
        }
        uint8_t room[16];
        core_slice next = ws_queue_next(&queue, room, sizeof room);
        size_t take = next.length ? (random >> 8) % (next.length + 1) : 0;
        for (size_t i = 0; i < take; i++)
            assert_int_equal(next.data[i], expected[(out + i) % sizeof expected]);
        (void)ws_queue_advance(&queue, take);
        out += take;
        assert_int_equal(queue.bytes, in - out);
    }
    ws_queue_fini(&queue);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_and_gathering),
        cmocka_unit_test(test_partial_writes),
        cmocka_unit_test(test_cap),
        cmocka_unit_test(test_drop_keeps_what_was_begun),
        cmocka_unit_test(test_blocks_are_shared),
        cmocka_unit_test(test_against_a_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
