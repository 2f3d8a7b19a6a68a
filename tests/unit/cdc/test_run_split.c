/* Rows too large for one message through the run builder: split, and after a kill behind any
 * message of the stream, sent on so that a reader gets each row once and whole. */
#include "tests/unit/cdc/run_stream.h"

static void a_large_row_comes_whole(void **state) {
    fixture *it = *state;
    mixed_script(it);
    play_whole(it);
    assert_int_equal(it->row_count, 9);
    assert_true(it->stream.count > 6 * (LARGE / MESSAGE_MAX));
    static const bool is_large[] = {true, false, true, true, false, true, true, false, true};
    for (size_t i = 0; i < it->row_count; i++)
        assert_int_equal(it->rows[i].length == LARGE, is_large[i]);
    assert_int_equal(it->rows[0].end_lsn, 150);
    assert_true(it->rows[0].last && it->rows[4].last && it->rows[5].last && it->rows[8].last);
}

static void parts_promise_nothing(void **state) {
    fixture *it = *state;
    script_begin(&it->script, 1);
    large_row(it, 1);
    script_commit(&it->script);
    play(it, 0, &nothing_stored);
    assert_parts_promise_nothing(&it->stream);
}

static void a_kill_behind_any_message_loses_and_doubles_nothing(void **state) {
    mixed_script(*state);
    assert_survives_kills(*state, false, false);
}

static void kills_in_the_same_row_do_not_add_up(void **state) {
    fixture *it = *state;
    mixed_script(it);
    play_whole(it);
    stream_cut(&it->stream, 3);
    for (int kill = 0; kill < 5; kill++) {
        size_t before = it->stream.count;
        restart(it);
        stream_cut(&it->stream, before + 2);
    }
    restart(it);
    assert_rows_again(it);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_large_row_comes_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(parts_promise_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(a_kill_behind_any_message_loses_and_doubles_nothing, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(kills_in_the_same_row_do_not_add_up, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
