/* What clients are shown of tasks. */
#include "search-index/task_view.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void assert_slice(core_slice slice, const char *text) {
    if (!core_slice_is(slice, text))
        fail_msg("\"%.*s\" instead of \"%s\"", CORE_SLICE_ARGS(slice), text);
}

typedef struct {
    core_buffer buffer;
} fixture;

static int setup(void **state) {
    fixture *it = calloc(1, sizeof *it);
    core_buffer_init(&it->buffer, (size_t)1 << 20);
    *state = it;
    return 0;
}

static int teardown(void **state) {
    fixture *it = *state;
    core_buffer_fini(&it->buffer);
    free(it);
    return 0;
}

static void test_a_task_is_shown_as_meilisearch_shows_it(void **state) {
    fixture *it = *state;
    core_json_writer json = core_json_writer_make(&it->buffer);
    search_task_view task = {.uid = 5,
                             .type = "documentAdditionOrUpdate",
                             .status = "succeeded",
                             .index = core_slice_text("movies"),
                             .details = core_slice_text("{\"receivedDocuments\":2}"),
                             .enqueued_us = 1764000000000000,
                             .started_us = 1764000001000000,
                             .finished_us = 1764000002050000};
    search_task_view_write(&task, &json);
    assert_slice(core_buffer_slice(&it->buffer),
                 "{\"uid\":5,\"batchUid\":5,\"indexUid\":\"movies\",\"status\":\"succeeded\","
                 "\"type\":\"documentAdditionOrUpdate\",\"canceledBy\":null,"
                 "\"details\":{\"receivedDocuments\":2},\"error\":null,"
                 "\"duration\":\"PT1.050000S\",\"enqueuedAt\":\"2025-11-24T16:00:00.000Z\","
                 "\"startedAt\":\"2025-11-24T16:00:01.000Z\","
                 "\"finishedAt\":\"2025-11-24T16:00:02.050Z\"}");
    core_buffer_reset(&it->buffer);
    json = core_json_writer_make(&it->buffer);
    task = (search_task_view){
        .uid = 6, .type = "indexSwap", .status = "enqueued", .enqueued_us = 1764000000000000};
    search_task_view_brief(&task, &json);
    assert_slice(core_buffer_slice(&it->buffer),
                 "{\"taskUid\":6,\"indexUid\":null,\"status\":\"enqueued\",\"type\":\"indexSwap\","
                 "\"enqueuedAt\":\"2025-11-24T16:00:00.000Z\"}");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_task_is_shown_as_meilisearch_shows_it, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
