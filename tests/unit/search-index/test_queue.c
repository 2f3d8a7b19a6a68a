/* The queue of document tasks: what waits, what a mark takes, what a cancelation cancels. */
#include "search-index/queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

typedef struct {
    uint64_t uids[8];
    size_t count;
} told;

static void note(void *context, uint64_t uid) {
    told *it = context;
    assert_true(it->count < CORE_COUNT_OF(it->uids));
    it->uids[it->count++] = uid;
}

static void add(search_queue *queue, uint64_t uid, const char *project) {
    assert_true(search_queue_room(queue));
    search_queue_add(queue, uid, core_slice_text(project));
}

static told cancel(search_queue *queue, const char *project, const char *body, bool cancels) {
    const search_record record = {.kind = SEARCH_TASK_CANCELATION,
                                  .project = core_slice_text(project),
                                  .cancels = cancels,
                                  .body = core_slice_text(body)};
    told it = {.count = 0};
    assert_true(search_queue_cancel(queue, &record, note, &it));
    return it;
}

static void test_marks_take_in_order(void **state) {
    (void)state;
    search_queue *queue = search_queue_new();
    told it = {.count = 0};
    assert_int_equal(search_queue_first(queue), 0);
    assert_int_equal(search_queue_ahead(queue, 64), 0);
    for (uint64_t uid = 1; uid <= 5; uid++)
        add(queue, uid * 2, "p");
    assert_int_equal(search_queue_first(queue), 2);
    assert_int_equal(search_queue_ahead(queue, 3), 6);
    assert_int_equal(search_queue_ahead(queue, 64), 10);
    search_queue_take(queue, 7, note, &it);
    assert_int_equal(it.count, 3);
    assert_int_equal(it.uids[2], 6);
    search_queue_take(queue, 5, note, &it); /* another node's, late: nothing */
    assert_int_equal(it.count, 3);
    assert_int_equal(search_queue_first(queue), 8);
    search_queue_free(queue);
}

static void test_only_what_waits_is_canceled(void **state) {
    (void)state;
    search_queue *queue = search_queue_new();
    told it = {.count = 0};
    for (uint64_t uid = 1; uid <= 6; uid++)
        add(queue, uid, uid == 5 ? "other" : "p");
    search_queue_take(queue, 2, note, &it);
    it = cancel(queue, "p", "{\"uids\":[6,2,4,5,99]}", false); /* an earlier version's */
    assert_int_equal(it.count, 0);
    it = cancel(queue, "p", "{\"uids\":[6,2,4,5,99]}", true);
    assert_int_equal(it.count, 2);
    assert_true(search_queue_is_canceled(queue, 4) && search_queue_is_canceled(queue, 6));
    for (uint64_t uid = 1; uid <= 5; uid += uid == 3 ? 2 : 1)
        assert_false(search_queue_is_canceled(queue, uid));
    assert_int_equal(search_queue_ahead(queue, 64), 5); /* 3 and 5 are left */
    it = cancel(queue, "p", "{\"uids\":[4]}", true);
    assert_int_equal(it.count, 0);
    it = (told){.count = 0};
    search_queue_take(queue, 10, note, &it);
    assert_int_equal(it.count, 2);
    assert_int_equal(search_queue_first(queue), 0);
    search_queue_free(queue);
}

static void ignore(void *context, uint64_t uid) {
    (void)context;
    (void)uid;
}

/* Rooms that were left are used again. */
static void test_many(void **state) {
    (void)state;
    search_queue *queue = search_queue_new();
    uint64_t taken = 0;
    for (uint64_t uid = 1; uid <= 100000; uid++) {
        add(queue, uid, "p");
        if (uid % 300 == 0) {
            taken = uid - 100;
            search_queue_take(queue, taken, ignore, NULL);
        }
    }
    assert_int_equal(search_queue_first(queue), taken + 1);
    assert_int_equal(search_queue_ahead(queue, SIZE_MAX), 100000);
    search_queue_free(queue);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_marks_take_in_order),
        cmocka_unit_test(test_only_what_waits_is_canceled),
        cmocka_unit_test(test_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
