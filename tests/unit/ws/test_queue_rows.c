/* Blocks of a queue that newer ones of the same row replace: which go, in what order the others
 * stay, what is never taken out, and what is held in the end. */
#include "ws/queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define CAP ((size_t)1 << 20)

/* "key", "key<former" of a change of key, "key-missing" of one without some columns, "*" of all. */
static ws_row *row_of(const char *table, const char *text) {
    ws_row_parts parts = {.table = core_slice_text(table), .key = core_slice_text(text)};
    size_t at = strcspn(text, "<-");
    if (strcmp(text, "*") == 0)
        parts.kind = WS_ROW_ALL;
    if (text[at] != '\0')
        parts.key.length = at;
    if (text[at] == '<') {
        parts.kind = WS_ROW_MOVED;
        parts.former = core_slice_text(text + at + 1);
    } else if (text[at] == '-') {
        parts.missing = core_slice_text(text + at + 1);
    }
    ws_row *row = ws_row_new(&parts);
    assert_non_null(row);
    return row;
}

/* As a connection does it. Returns how many were replaced. */
static size_t put(ws_queue *queue, const char *text, const char *table, const char *key,
                  uint64_t tag) {
    ws_row *row = row_of(table, key);
    core_block *block = core_block_copy(core_slice_text(text));
    assert_non_null(block);
    size_t replaced = ws_queue_replace(queue, row, tag);
    assert_true(ws_queue_push_row(queue, block, CAP, row, tag));
    core_block_release(block);
    ws_row_release(row);
    return replaced;
}

static void put_plain(ws_queue *queue, const char *text) {
    core_block *block = core_block_copy(core_slice_text(text));
    assert_true(ws_queue_push(queue, block, CAP));
    core_block_release(block);
}

/* All that waits, taken in one piece. */
static void assert_drains(ws_queue *queue, const char *expected) {
    static uint8_t room[65536];
    core_slice next = ws_queue_next(queue, room, sizeof room);
    assert_int_equal(next.length, strlen(expected));
    assert_memory_equal(next.data, expected, next.length);
    assert_int_equal(queue->bytes, next.length);
    (void)ws_queue_advance(queue, next.length);
    assert_true(ws_queue_empty(queue));
    assert_int_equal(queue->bytes, 0);
    assert_int_equal(queue->holes, 0);
    assert_null(queue->rows);
}

static void test_the_newer_is_put_at_the_end(void **state) {
    (void)state;
    ws_queue queue = {0};
    assert_int_equal(put(&queue, "a1", "t", "a", 1), 0);
    put_plain(&queue, "--");
    assert_int_equal(put(&queue, "b1", "t", "b", 1), 0);
    assert_int_equal(put(&queue, "a2", "t", "a", 1), 1);
    assert_int_equal(queue.bytes, 6);
    assert_int_equal(put(&queue, "a3", "t", "a", 1), 1);
    assert_drains(&queue, "--b1a3");
    assert_int_equal(put(&queue, "a4", "t", "a", 1), 0);
    assert_drains(&queue, "a4");
    ws_queue_fini(&queue);
}

static void test_other_tables_and_channels_are_other_rows(void **state) {
    (void)state;
    ws_queue queue = {0};
    assert_int_equal(put(&queue, "1", "t", "a", 1), 0);
    assert_int_equal(put(&queue, "2", "u", "a", 1), 0);
    assert_int_equal(put(&queue, "3", "t", "a", 2), 0);
    assert_drains(&queue, "123");
    ws_queue_fini(&queue);
}

static void test_what_has_begun_to_be_sent_stays(void **state) {
    (void)state;
    ws_queue queue = {0};
    (void)put(&queue, "first", "t", "a", 1);
    (void)ws_queue_advance(&queue, 2);
    assert_int_equal(put(&queue, "second", "t", "a", 1), 0);
    assert_int_equal(put(&queue, "third", "t", "a", 1), 1);
    assert_drains(&queue, "rstthird");
    ws_queue_fini(&queue);
}

static void test_values_that_a_newer_one_lacks_are_kept(void **state) {
    (void)state;
    ws_queue queue = {0};
    (void)put(&queue, "whole", "t", "a", 1);
    assert_int_equal(put(&queue, "part1", "t", "a-body", 1), 0);
    assert_int_equal(put(&queue, "part2", "t", "a-body", 1), 1);
    assert_int_equal(put(&queue, "other", "t", "a-note", 1), 0);
    assert_int_equal(put(&queue, "all", "t", "a", 1), 3);
    assert_drains(&queue, "all");
    ws_queue_fini(&queue);
}

static void test_a_change_of_key_counts_for_both_and_stays(void **state) {
    (void)state;
    ws_queue queue = {0};
    (void)put(&queue, "a", "t", "a", 1);
    (void)put(&queue, "b-gone", "t", "b", 1);
    assert_int_equal(put(&queue, "a-to-b", "t", "b<a", 1), 2);
    assert_int_equal(put(&queue, "b2", "t", "b", 1), 0);
    assert_int_equal(put(&queue, "a2", "t", "a", 1), 0);
    assert_int_equal(put(&queue, "b3", "t", "b", 1), 1);
    assert_drains(&queue, "a-to-ba2b3");
    ws_queue_fini(&queue);
}

static void test_truncate_forgets_its_table(void **state) {
    (void)state;
    ws_queue queue = {0};
    (void)put(&queue, "a", "t", "a", 1);
    (void)put(&queue, "other", "u", "a", 1);
    (void)put(&queue, "moved", "t", "b<c", 1);
    (void)put(&queue, "mine", "t", "a", 2);
    assert_int_equal(put(&queue, "truncate", "t", "*", 1), 2);
    assert_int_equal(put(&queue, "a2", "t", "a", 1), 0);
    assert_drains(&queue, "otherminetruncatea2");
    ws_queue_fini(&queue);
}

static void test_dropping_and_ending_with_rows(void **state) {
    (void)state;
    ws_queue queue = {0};
    (void)put(&queue, "begun", "t", "a", 1);
    (void)put(&queue, "b1", "t", "b", 1);
    (void)put(&queue, "c", "t", "c", 1);
    (void)put(&queue, "b2", "t", "b", 1);
    (void)ws_queue_advance(&queue, 1);
    ws_queue_drop_unsent(&queue);
    put_plain(&queue, "last");
    assert_drains(&queue, "egunlast");
    (void)put(&queue, "a", "t", "a", 1);
    (void)put(&queue, "b", "t", "b", 1);
    (void)put(&queue, "a", "t", "a", 1);
    ws_queue_fini(&queue); /* asan looks */
}

/* A flood on a few rows holds a few blocks, and a ring for not many more. */
static void test_what_waits_is_bounded_by_the_rows(void **state) {
    (void)state;
    ws_queue queue = {0};
    for (int i = 0; i < 100000; i++) {
        char text[16], key[8];
        (void)snprintf(key, sizeof key, "%d", i % 50);
        (void)snprintf(text, sizeof text, "%08d", i);
        (void)put(&queue, text, "t", key, 1);
    }
    assert_int_equal(queue.bytes, 50 * 8);
    assert_true(queue.capacity <= 256);
    char expected[512] = "";
    for (int i = 99950; i < 100000; i++)
        (void)snprintf(expected + strlen(expected), 9, "%08d", i);
    assert_drains(&queue, expected);
    ws_queue_fini(&queue);
}

/* ---- Against a list ---- */

#define MODEL_MAX 512

typedef struct {
    char text[MODEL_MAX][12];
    int key[MODEL_MAX]; /* -1: none */
    size_t count;
    size_t sent; /* of the first */
} model;

static void model_take(model *list, size_t at) {
    size_t behind = list->count - at - 1;
    memmove(list->text[at], list->text[at + 1], behind * sizeof list->text[0]);
    memmove(&list->key[at], &list->key[at + 1], behind * sizeof list->key[0]);
    list->count--;
}

static void model_put(model *list, int key, const char *text) {
    for (size_t i = 0; key >= 0 && i < list->count; i++)
        if (list->key[i] == key && (i > 0 || list->sent == 0)) {
            model_take(list, i);
            i--;
        }
    (void)snprintf(list->text[list->count], sizeof list->text[0], "%s", text);
    list->key[list->count++] = key;
}

static void model_advance(model *list, size_t length) {
    while (list->count > 0 && length >= strlen(list->text[0]) - list->sent) {
        length -= strlen(list->text[0]) - list->sent;
        list->sent = 0;
        model_take(list, 0);
    }
    list->sent += length;
}

static void model_compare(const model *list, const ws_queue *queue, core_slice next) {
    size_t at = 0, skip = list->sent, bytes = 0;
    for (size_t i = 0; i < list->count; i++) {
        for (const char *c = list->text[i]; *c != '\0'; c++) {
            if (skip > 0) {
                skip--;
                continue;
            }
            if (at < next.length)
                assert_int_equal(next.data[at++], *c);
            bytes++;
        }
    }
    assert_int_equal(queue->bytes, bytes);
    assert_int_equal(at, next.length);
}

static void test_against_a_model(void **state) {
    (void)state;
    static model list;
    ws_queue queue = {0};
    unsigned random = 7;
    for (int step = 0; step < 20000; step++) {
        random = random * 1103515245u + 12345u;
        char text[12], key[8];
        int number = (int)((random >> 20) % 40) - 4;
        (void)snprintf(text, sizeof text, "%0*d", (int)(1 + (random >> 12) % 6), step % 10);
        (void)snprintf(key, sizeof key, "%d", number);
        if (list.count < MODEL_MAX - 1) {
            model_put(&list, number < 0 ? -1 : number, text);
            if (number < 0)
                put_plain(&queue, text);
            else
                (void)put(&queue, text, "t", key, 1);
        }
        uint8_t room[24];
        core_slice next = ws_queue_next(&queue, room, sizeof room);
        model_compare(&list, &queue, next);
        size_t take = (random >> 8) % 3 == 0 ? (random >> 16) % (next.length + 1) : 0;
        (void)ws_queue_advance(&queue, take);
        model_advance(&list, take);
    }
    ws_queue_fini(&queue);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_newer_is_put_at_the_end),
        cmocka_unit_test(test_other_tables_and_channels_are_other_rows),
        cmocka_unit_test(test_what_has_begun_to_be_sent_stays),
        cmocka_unit_test(test_values_that_a_newer_one_lacks_are_kept),
        cmocka_unit_test(test_a_change_of_key_counts_for_both_and_stays),
        cmocka_unit_test(test_truncate_forgets_its_table),
        cmocka_unit_test(test_dropping_and_ending_with_rows),
        cmocka_unit_test(test_what_waits_is_bounded_by_the_rows),
        cmocka_unit_test(test_against_a_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
