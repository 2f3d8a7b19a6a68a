/* Runs as messages: in JSON one a change, in order, each saying exactly what is stored once it is;
 * a row too large for one in parts. A kill behind any of them, and a change of the encoding with
 * it, loses and doubles nothing. */
#include "tests/unit/cdc/run_stream.h"

/* Small rows in runs that span transactions, two of them in one. */
static void small_script(fixture *it) {
    for (uint32_t xid = 1; xid <= 3; xid++) {
        script_begin(&it->script, xid);
        for (uint32_t row = 0; row < xid; row++)
            script_row(&it->script, CDC_INSERT, 1);
        script_commit(&it->script);
    }
    script_message(&it->script, false, it->script.lsn + 80);
    script_begin(&it->script, 4);
    script_row(&it->script, CDC_INSERT, 1);
    script_row(&it->script, CDC_DELETE, 1);
    script_truncate(&it->script);
    script_message(&it->script, true, it->script.lsn - 10);
    script_commit(&it->script);
}

static int setup_json(void **state) {
    int result = setup(state);
    if (result == 0)
        ((fixture *)*state)->json = true;
    return result;
}

static void one_message_a_change_says_what_is_stored(void **state) {
    fixture *it = *state;
    small_script(it);
    play(it, 0, &nothing_stored);
    /* Transactions of 1, 2, 3 rows, a lone message, then one of 6. */
    static const core_lsn shown[] = {150, 200, 250, 300, 300, 350, 380,
                                     400, 400, 400, 400, 400, 450};
    static const core_lsn safe[] = {150, 150, 250, 250, 250, 350, 380,
                                    380, 380, 380, 380, 380, 450};
    assert_int_equal(it->stream.count, CORE_COUNT_OF(shown));
    for (size_t i = 0; i < it->stream.count; i++) {
        assert_int_equal(it->stream.messages[i].data[0], '{');
        assert_int_equal(it->stream.shown_lsn[i], shown[i]);
        assert_int_equal(it->stream.safe_lsn[i], safe[i]);
    }
}

/* The same rows as in protobuf, indexes and `last` included. */
static void both_encodings_hold_the_same(void **state) {
    fixture *it = *state;
    small_script(it);
    mixed_script(it);
    play_whole(it);
    stream_cut(&it->stream, 0);
    it->json = false;
    play(it, 0, &nothing_stored);
    assert_rows_again(it);
}

static void kills_everywhere(fixture *it, bool first_json, bool then_json) {
    small_script(it);
    mixed_script(it);
    assert_survives_kills(it, first_json, then_json);
}

static void in_json_a_kill_loses_and_doubles_nothing(void **state) {
    kills_everywhere(*state, true, true);
}

static void in_protobuf_a_kill_loses_and_doubles_nothing(void **state) {
    kills_everywhere(*state, false, false);
}

static void from_json_to_protobuf_nothing_is_lost_or_doubled(void **state) {
    kills_everywhere(*state, true, false);
}

static void from_protobuf_to_json_nothing_is_lost_or_doubled(void **state) {
    kills_everywhere(*state, false, true);
}

/* ---- Parts, in either encoding ---- */

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

/* Until its last part is stored, nothing of the row's transaction may be confirmed. */
static void parts_promise_nothing(void **state) {
    fixture *it = *state;
    script_begin(&it->script, 1);
    script_row(&it->script, CDC_INSERT, 1);
    large_row(it, 1);
    script_commit(&it->script);
    play(it, 0, &nothing_stored);
    assert_parts_promise_nothing(&it->stream);
}

/* A row that fits as a run and not as JSON stops with what to do. */
static void a_message_beyond_the_maximum_is_refused(void **state) {
    fixture *it = *state;
    const core_event_json_source source = {"1", "S", "d"};
    core_error error = {0};
    core_run_writer writer;
    core_value value = {.kind = CORE_VALUE_TEXT, .bytes = core_slice_make(it->large, 1000)};
    core_relation relation = {.oid = 1, .column_count = 1, .columns = one_column};
    core_change change = {.op = CORE_OP_INSERT,
                          .relation = &relation,
                          .transaction = {.xid = 1, .commit_lsn = 0x200},
                          .new_tuple = {1, &value}};
    core_run_writer_init(&writer, ROW_MAX);
    core_run_open(&writer, EPOCH, CORE_OP_INSERT, &relation);
    assert_true(core_run_append(&writer, &change));
    core_run_transaction_end(&writer, true);
    cdc_run run = {.subject = "p.d.e.a.INSERT", .payload = core_run_close(&writer), .rows = 1};
    cdc_message_stage *stage = cdc_message_stage_new(&source, 1100, core_clock_system());
    assert_non_null(stage);
    cdc_message_stage_start(stage, MESSAGE_MAX);
    assert_null(cdc_message_stage_next(stage, &run, &error));
    assert_int_equal(error.code, CORE_ERROR_LIMIT);
    assert_non_null(strstr(error.text, "cdc.max_row_bytes"));
    assert_non_null(strstr(error.text, "0/200"));
    cdc_message_stage_free(stage);
    core_run_writer_fini(&writer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_message_a_change_says_what_is_stored, setup_json,
                                        teardown),
        cmocka_unit_test_setup_teardown(both_encodings_hold_the_same, setup_json, teardown),
        cmocka_unit_test_setup_teardown(in_json_a_kill_loses_and_doubles_nothing, setup_json,
                                        teardown),
        cmocka_unit_test_setup_teardown(in_protobuf_a_kill_loses_and_doubles_nothing, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(from_json_to_protobuf_nothing_is_lost_or_doubled,
                                        setup_json, teardown),
        cmocka_unit_test_setup_teardown(from_protobuf_to_json_nothing_is_lost_or_doubled,
                                        setup_json, teardown),
        cmocka_unit_test_setup_teardown(a_large_row_comes_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(a_large_row_comes_whole, setup_json, teardown),
        cmocka_unit_test_setup_teardown(kills_in_the_same_row_do_not_add_up, setup, teardown),
        cmocka_unit_test_setup_teardown(kills_in_the_same_row_do_not_add_up, setup_json, teardown),
        cmocka_unit_test_setup_teardown(parts_promise_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(parts_promise_nothing, setup_json, teardown),
        cmocka_unit_test_setup_teardown(a_message_beyond_the_maximum_is_refused, setup_json,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
