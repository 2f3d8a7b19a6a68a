/* What waits for a hub that does not take it: bounded, and told beforehand. */
#include "ws/session_table.h"

#include <setjmp.h>
#include <stdarg.h>

#include <stdlib.h>

#include <cmocka.h>

static bool say(ws_service *service) {
    const ws_broadcast broadcast = {.topic = core_slice_text("realtime:t"),
                                    .event = core_slice_text("e"),
                                    .payload = core_slice_text("{}"),
                                    .json = true};
    return ws_session_table_broadcast(service, &broadcast);
}

static void room_is_kept_and_then_there_is_none(void **state) {
    (void)state;
    ws_shared shared = {.said_bytes = 0};
    ws_service service = {.server = NULL, .shared = &shared};
    core_error error = {.text = ""};
    size_t said = 0;
    assert_true(ws_session_table_new(&service, &error));
    for (;;) {
        size_t room = ws_session_table_room(&service, 0);
        bool taken = say(&service);
        assert_true(taken == (room > 0)); /* so a batch that fits goes whole */
        if (!taken)
            break;
        said++;
    }
    assert_true(said >= WS_COMMAND_RING && said <= (size_t)8 * WS_COMMAND_RING);
    assert_false(say(&service));
    ws_session_tables_free(&service); /* and all of them with it */
}

static void what_waits_is_capped_in_bytes(void **state) {
    (void)state;
    ws_shared shared = {.said_bytes = WS_SAID_BYTES - 1};
    ws_service service = {.server = NULL, .shared = &shared};
    core_error error = {.text = ""};
    assert_true(ws_session_table_new(&service, &error));
    assert_int_equal(ws_session_table_room(&service, 0), 0); /* no batch is begun */
    assert_true(say(&service));
    assert_false(say(&service));
    ws_command command;
    assert_true(core_ring_pop(ws_session_commands(&service, 0), &command));
    atomic_fetch_sub(&shared.said_bytes, ws_broadcast_bytes(command.broadcast));
    free(command.broadcast);
    assert_true(say(&service));
    ws_session_tables_free(&service);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(room_is_kept_and_then_there_is_none),
                                       cmocka_unit_test(what_waits_is_capped_in_bytes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
