/* What waits for a hub that does not take it: bounded, and told beforehand. */
#include "ws/session_table.h"

#include <setjmp.h>
#include <stdarg.h>

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
    ws_service service = {.server = NULL};
    core_error error = {.text = ""};
    size_t said = 0;
    assert_true(ws_session_table_new(&service, &error));
    for (;;) {
        size_t room = ws_session_table_room(&service);
        bool taken = say(&service);
        assert_true(taken == (room > 0)); /* so a batch that fits goes whole */
        if (!taken)
            break;
        said++;
    }
    assert_true(said >= WS_COMMAND_RING && said <= (size_t)8 * WS_COMMAND_RING);
    assert_false(say(&service));
    ws_session_table_free(&service); /* and all of them with it */
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(room_is_kept_and_then_there_is_none)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
