/* Which changes a snapshot's rows show already. */
#include "ws/gate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static ws_gate *gate_of(const char *snapshot, core_lsn lsn) {
    core_error error = {.text = ""};
    ws_gate *gate = calloc(1, sizeof *gate);
    assert_non_null(gate);
    gate->lsn = lsn;
    assert_true(core_visibility_read(core_slice_text(snapshot), &gate->visibility, &error));
    return gate;
}

static void test_seen_is_shown(void **state) {
    (void)state;
    ws_gate *gate = gate_of("100:110:103,105", 5000);
    assert_int_equal(ws_gate_ask(gate, 99, 4000), WS_GATE_SHOWN);
    assert_int_equal(ws_gate_ask(gate, 104, 5000), WS_GATE_SHOWN);
    ws_gate_free(gate);
}

/* In the stream before the place, and not seen: it waited, or it was about to be seen. */
static void test_unseen_is_new(void **state) {
    (void)state;
    ws_gate *gate = gate_of("100:110:103,105", 5000);
    assert_int_equal(ws_gate_ask(gate, 103, 4000), WS_GATE_NEW);
    assert_int_equal(ws_gate_ask(gate, 110, 5000), WS_GATE_NEW);
    ws_gate_free(gate);
}

/* Whatever the id: beyond the place it may have come round. */
static void test_beyond_is_over(void **state) {
    (void)state;
    ws_gate *gate = gate_of("100:110:103,105", 5000);
    assert_int_equal(ws_gate_ask(gate, 99, 5001), WS_GATE_OVER);
    assert_int_equal(ws_gate_ask(gate, 200, 6000), WS_GATE_OVER);
    ws_gate_free(gate);
    ws_gate_free(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_seen_is_shown),
        cmocka_unit_test(test_unseen_is_new),
        cmocka_unit_test(test_beyond_is_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
