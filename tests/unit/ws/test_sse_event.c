/* Server-sent events: their lines, and data that could break them. */
#include "ws/sse_event.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void assert_block(core_block *block, const char *text) {
    assert_non_null(block);
    assert_int_equal(block->length, strlen(text));
    assert_memory_equal(block->bytes, text, strlen(text));
    core_block_release(block);
}

static void parts_are_lines(void **state) {
    (void)state;
    ws_sse_event change = {.id = core_slice_text("e-1.0"), .data = core_slice_text("{\"a\":1}")};
    assert_block(ws_sse_event_block(&change), "id: e-1.0\ndata: {\"a\":1}\n\n");
    ws_sse_event named = {.name = WS_SSE_READY,
                          .id = core_slice_text("e-1.0"),
                          .data = core_slice_text("{}"),
                          .retry_ms = 1500};
    assert_block(ws_sse_event_block(&named), "retry: 1500\nid: e-1.0\nevent: ready\ndata: {}\n\n");
    ws_sse_event place = {.id = core_slice_text("e-2.0")};
    assert_block(ws_sse_event_block(&place), "id: e-2.0\n\n");
    assert_block(ws_sse_heartbeat_block(), ":\n\n");
}

static void data_stays_one_line(void **state) {
    (void)state;
    ws_sse_event event = {.data = core_slice_text("{\"a\":\r\n[1,\n2]\r}")};
    assert_block(ws_sse_event_block(&event), "data: {\"a\":  [1, 2] }\n\n");
}

static void a_problem_is_an_event(void **state) {
    (void)state;
    assert_block(ws_sse_problem_block(WS_SSE_GAP, 410, "no \"more\"", 30000),
                 "retry: 30000\nevent: gap\ndata: {\"type\":\"about:blank\",\"title\":\"Gone\","
                 "\"status\":410,\"detail\":\"no \\\"more\\\"\"}\n\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_are_lines),
        cmocka_unit_test(data_stays_one_line),
        cmocka_unit_test(a_problem_is_an_event),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
