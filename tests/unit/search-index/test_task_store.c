/* What became of tasks, on disk: all of it comes back, a damaged file begins anew. */
#include "search-index/task_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char directory[] = "/tmp/walcast-tasks-XXXXXX";
static char path[64];

static search_task_store *open_ok(size_t kept) {
    core_error error;
    search_task_store *store = search_task_store_open(path, kept, &error);
    if (store == NULL)
        fail_msg("%s", error.text);
    return store;
}

static void put(search_task_store *store, const search_task *task, bool is_confirmed) {
    core_error error;
    assert_true(search_task_store_put(store, task, 1, is_confirmed, &error));
}

static bool get(search_task_store *store, uint64_t uid, search_task *task, bool *is_confirmed) {
    core_error error;
    bool found;
    assert_true(search_task_store_get(store, uid, task, &found, is_confirmed, &error));
    return found;
}

static void test_round_trip(void **state) {
    (void)state;
    search_task task, given = {.uid = 1,
                               .kind = SEARCH_TASK_DOCUMENTS_UPDATE,
                               .status = SEARCH_TASK_FAILED,
                               .project = "p",
                               .index = "movies",
                               .enqueued_us = 1764000000000001,
                               .started_us = 1764000000000002,
                               .finished_us = 1764000000000003,
                               .received = 7,
                               .expected = 8,
                               .indexed = 9,
                               .canceled_by = UINT64_MAX,
                               .code = "invalid_document_id",
                               .message = "it \"is\" \xc3\xbc"};
    bool is_confirmed;
    search_task_store *store = open_ok(100);
    assert_false(get(store, 1, &task, &is_confirmed));
    put(store, &given, false);
    assert_true(get(store, 1, &task, &is_confirmed));
    assert_false(is_confirmed);
    put(store, &given, true);
    search_task_store_close(store);
    store = open_ok(100);
    assert_true(get(store, 1, &task, &is_confirmed));
    assert_true(is_confirmed);
    assert_int_equal(task.kind, given.kind);
    assert_int_equal(task.status, given.status);
    assert_true(task.enqueued_us == given.enqueued_us && task.started_us == given.started_us &&
                task.finished_us == given.finished_us && task.canceled_by == given.canceled_by);
    assert_true(task.received == 7 && task.expected == 8 && task.indexed == 9);
    assert_string_equal(task.project, "p");
    assert_string_equal(task.index, "movies");
    assert_string_equal(task.code, given.code);
    assert_string_equal(task.message, given.message);
    search_task_store_close(store);
}

static void test_the_oldest_are_forgotten(void **state) {
    (void)state;
    bool is_confirmed;
    search_task task;
    search_task_store *store = open_ok(100);
    for (uint64_t uid = 1; uid <= 1024; uid++)
        put(store, &(search_task){.uid = uid}, true);
    assert_false(get(store, 924, &task, &is_confirmed));
    assert_true(get(store, 925, &task, &is_confirmed));
    search_task_store_close(store);
}

static void test_a_damaged_file_is_made_anew(void **state) {
    (void)state;
    bool is_confirmed;
    search_task task;
    FILE *file = fopen(path, "r+");
    assert_non_null(file);
    assert_int_equal(fwrite("nonsense, and no database at all", 1, 32, file), 32);
    assert_int_equal(fclose(file), 0);
    search_task_store *store = open_ok(100);
    assert_false(get(store, 1000, &task, &is_confirmed));
    put(store, &(search_task){.uid = 5}, true);
    assert_true(get(store, 5, &task, &is_confirmed));
    search_task_store_close(store);
}

/* Its first page is whole, so it opens. */
static void test_damage_that_shows_later_is_no_end_either(void **state) {
    (void)state;
    enum { PAGE = 4096, PAGES = 8 };
    char nonsense[PAGE];
    bool is_confirmed;
    search_task task;
    memset(nonsense, 'x', sizeof nonsense);
    search_task_store *store = open_ok(1000);
    for (uint64_t uid = 1; uid <= 200; uid++)
        put(store, &(search_task){.uid = uid, .message = "long enough for several pages"}, true);
    search_task_store_close(store);
    FILE *file = fopen(path, "r+");
    assert_non_null(file);
    assert_int_equal(fseek(file, PAGE, SEEK_SET), 0);
    for (size_t i = 0; i < PAGES; i++)
        assert_int_equal(fwrite(nonsense, 1, PAGE, file), PAGE);
    assert_int_equal(fclose(file), 0);
    store = open_ok(1000);
    put(store, &(search_task){.uid = 201}, true);
    assert_true(get(store, 201, &task, &is_confirmed));
    assert_false(get(store, 100, &task, &is_confirmed));
    search_task_store_close(store);
}

static int setup(void **state) {
    (void)state;
    if (mkdtemp(directory) == NULL)
        return -1;
    (void)snprintf(path, sizeof path, "%s/tasks.db", directory);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    (void)unlink(path);
    return rmdir(directory);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_the_oldest_are_forgotten),
        cmocka_unit_test(test_a_damaged_file_is_made_anew),
        cmocka_unit_test(test_damage_that_shows_later_is_no_end_either),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
