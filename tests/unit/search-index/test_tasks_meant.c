/* Tasks that are about tasks, and how tasks of each kind are shown. */
#include "search-index/task_show.h"
#include "search-index/tasks_meant.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static search_task task_of(uint64_t uid, const char *project, int64_t finished_us) {
    search_task task = {.uid = uid,
                        .kind = SEARCH_TASK_DOCUMENTS_UPDATE,
                        .status = SEARCH_TASK_SUCCEEDED,
                        .enqueued_us = 1764000000000000,
                        .finished_us = finished_us};
    (void)snprintf(task.project, sizeof task.project, "%s", project);
    return task;
}

static void test_ended_tasks_of_the_project_are_deleted(void **state) {
    search_tasks *tasks = search_tasks_new(10);
    search_task task, own = {.uid = 9};
    search_record record = {.kind = SEARCH_TASK_DELETION,
                            .project = core_slice_text("p"),
                            .body = core_slice_text("{\"uids\":[1,2,3,99]}")};
    (void)state;
    task = task_of(1, "p", 5);
    search_tasks_add(tasks, &task);
    task = task_of(2, "other", 5);
    search_tasks_add(tasks, &task);
    task = task_of(3, "p", 0);
    search_tasks_add(tasks, &task);
    search_tasks_meant_take(tasks, &record, &own);
    assert_int_equal(own.received, 4);
    assert_int_equal(own.indexed, 1);
    assert_true(search_tasks_get(tasks, 1, &task));
    assert_string_equal(task.project, "");
    assert_true(search_tasks_get(tasks, 2, &task));
    assert_string_equal(task.project, "other");
    record.kind = SEARCH_TASK_CANCELATION;
    own = (search_task){.uid = 10};
    search_tasks_meant_take(tasks, &record, &own);
    assert_int_equal(own.received, 4);
    assert_int_equal(own.indexed, 0);
    search_tasks_free(tasks);
}

static void assert_shown(const search_task *task, const char *part) {
    core_buffer out;
    core_buffer_init(&out, 8192);
    core_json_writer json = core_json_writer_make(&out);
    search_task_show(task, &json);
    assert_true(core_buffer_ok(&out) && core_json_valid(core_buffer_slice(&out)));
    core_buffer_u8(&out, '\0');
    if (strstr((const char *)out.data, part) == NULL)
        fail_msg("%s not in %s", part, (const char *)out.data);
    core_buffer_fini(&out);
}

static void test_tasks_are_shown_by_kind(void **state) {
    search_task task = task_of(1, "p", 0);
    (void)state;
    assert_shown(&task, "\"type\":\"documentAdditionOrUpdate\"");
    assert_shown(&task, "\"details\":{\"receivedDocuments\":0,\"indexedDocuments\":null}");
    task.kind = SEARCH_TASK_DOCUMENTS_DELETE;
    task.finished_us = 5;
    task.indexed = 3;
    assert_shown(&task, "\"details\":{\"providedIds\":0,\"deletedDocuments\":3}");
    task.kind = SEARCH_TASK_DEFINITION;
    task.expected = 7;
    assert_shown(&task, "\"details\":{\"expectedDocuments\":7,\"receivedDocuments\":0,");
    task.status = SEARCH_TASK_FAILED;
    (void)snprintf(task.code, sizeof task.code, "index_not_found");
    memset(task.message, '\x01', sizeof task.message - 1); /* the longest when it is escaped */
    assert_shown(&task, "\"code\":\"index_not_found\",\"type\":\"invalid_request\"");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ended_tasks_of_the_project_are_deleted),
        cmocka_unit_test(test_tasks_are_shown_by_kind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
