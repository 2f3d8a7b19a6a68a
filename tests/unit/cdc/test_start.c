/* Where to go on: each state that stream, record and slot can be in, and every gap told. */
#include "cdc/start.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static core_run tail_make(core_lsn commit_lsn, uint64_t index, bool complete) {
    core_run tail = {
        .epoch = "tailtailtailtail",
        .last_transaction = {.xid = 9,
                             .commit_lsn = commit_lsn,
                             .end_lsn = complete ? commit_lsn + 50 : 0},
        .last_index = index,
        .last_complete = complete,
    };
    return tail;
}

static const cdc_position base_record = {
    .epoch = "recordrecordreco",
    .sequence = 7,
    .commit_lsn = 1000,
    .index = 3,
    .complete = true,
    .end_lsn = 1050,
    .system_id = 42,
    .timeline = 1,
    .stream_created_us = 5555,
};

static cdc_start_facts facts_make(void) {
    return (cdc_start_facts){
        .slot = "walcast",
        .stream = "WALCAST",
        .stream_created_us = 5555,
        .system_id = 42,
        .timeline = 1,
        .confirmed_lsn = 500,
        .fresh_epoch = "freshfreshfreshf",
    };
}

static cdc_start decided(const cdc_start_facts *facts) {
    cdc_start start;
    core_error error = {0};
    if (!cdc_start_decide(facts, &start, &error))
        fail_msg("%s", error.text);
    return start;
}

static core_error refused(const cdc_start_facts *facts, core_error_code code) {
    cdc_start start;
    core_error error = {0};
    assert_false(cdc_start_decide(facts, &start, &error));
    assert_int_equal(error.code, code);
    return error;
}

static void a_fresh_start_begins_at_the_slot(void **state) {
    (void)state;
    cdc_start_facts facts = facts_make();
    cdc_start start = decided(&facts);
    assert_true(start.new_epoch);
    assert_string_equal(start.position.epoch, "freshfreshfreshf");
    assert_int_equal(start.start_lsn, 0);
    assert_int_equal(start.position.commit_lsn, 0);
    assert_int_equal(start.position.end_lsn, 500);
    assert_false(cdc_start_has_state(&facts));
}

static void a_whole_tail_goes_on_behind_it(void **state) {
    (void)state;
    core_run tail = tail_make(2000, 4, true);
    cdc_start_facts facts = facts_make();
    facts.tail = &tail;
    facts.last_sequence = 12;
    facts.record = &base_record;
    cdc_start start = decided(&facts);
    assert_false(start.new_epoch);
    assert_string_equal(start.position.epoch, "tailtailtailtail");
    assert_int_equal(start.start_lsn, 2050);
    assert_int_equal(start.shown_lsn, 2050);
    assert_int_equal(start.position.sequence, 12);
    assert_int_equal(start.position.commit_lsn, 2000);
    assert_int_equal(start.position.index, 4);
}

static void a_cut_tail_asks_for_its_transaction_again(void **state) {
    (void)state;
    core_run tail = tail_make(2000, 4, false);
    cdc_start_facts facts = facts_make();
    facts.tail = &tail;
    facts.last_sequence = 12;
    cdc_start start = decided(&facts);
    assert_int_equal(start.start_lsn, 2000);
    assert_int_equal(start.position.index, 4);
    assert_false(start.position.complete);
}

/* A quiet database: keepalives carried the slot beyond the last change, the record says so. */
static void the_record_may_be_beyond_the_tail(void **state) {
    (void)state;
    core_run tail = tail_make(1000, 3, true);
    cdc_position record = base_record;
    record.end_lsn = 9000;
    cdc_start_facts facts = facts_make();
    facts.tail = &tail;
    facts.last_sequence = 7;
    facts.record = &record;
    facts.confirmed_lsn = facts.confirmed_before_lsn = 9000;
    cdc_start start = decided(&facts);
    assert_int_equal(start.start_lsn, 9000);
    assert_int_equal(start.shown_lsn, 1050);
}

static void an_aged_out_tail_leaves_the_record(void **state) {
    (void)state;
    cdc_start_facts facts = facts_make();
    facts.record = &base_record;
    facts.last_sequence = 7;
    cdc_start start = decided(&facts);
    assert_false(start.new_epoch);
    assert_string_equal(start.position.epoch, "recordrecordreco");
    assert_int_equal(start.start_lsn, 1050);
    assert_int_equal(start.position.commit_lsn, 1000);
}

static void a_slot_beyond_the_stream_is_a_gap_at_the_second_look(void **state) {
    (void)state;
    core_run tail = tail_make(1000, 3, true);
    cdc_start_facts facts = facts_make();
    facts.tail = &tail;
    facts.last_sequence = 7;
    facts.confirmed_lsn = 1051;
    (void)refused(&facts, CORE_ERROR_TRANSIENT);
    facts.confirmed_before_lsn = 1051;
    core_error error = refused(&facts, CORE_ERROR_GAP);
    assert_non_null(strstr(error.text, "slot \"walcast\" stands at 0/41B"));
    assert_non_null(strstr(error.text, "0/41A"));
    facts.confirmed_lsn = 1050;
    facts.confirmed_before_lsn = 1050;
    (void)decided(&facts);
}

/* The broker lost acknowledged messages: what the slot still has is replayed in a new epoch. */
static void a_stream_that_went_back_gets_a_new_epoch(void **state) {
    (void)state;
    core_run tail = tail_make(800, 0, true);
    cdc_start_facts facts = facts_make();
    facts.tail = &tail;
    facts.last_sequence = 5; /* the record saw 7 */
    facts.record = &base_record;
    cdc_start start = decided(&facts);
    assert_true(start.new_epoch);
    assert_string_equal(start.position.epoch, "freshfreshfreshf");
    assert_int_equal(start.start_lsn, 850);
    facts.confirmed_lsn = facts.confirmed_before_lsn = 851;
    core_error error = refused(&facts, CORE_ERROR_GAP);
    assert_non_null(strstr(error.text, "lost acknowledged"));
}

static void a_stream_made_anew_starts_over(void **state) {
    (void)state;
    cdc_start_facts facts = facts_make();
    facts.record = &base_record;
    facts.stream_created_us = 6666;
    facts.confirmed_lsn = facts.confirmed_before_lsn = 99999;
    cdc_start start = decided(&facts);
    assert_true(start.new_epoch);
    assert_int_equal(start.start_lsn, 0);
    assert_int_equal(start.position.commit_lsn, 0);
}

static void another_cluster_or_timeline_is_a_gap(void **state) {
    (void)state;
    cdc_start_facts facts = facts_make();
    facts.record = &base_record;
    facts.last_sequence = 7;
    facts.system_id = 43;
    (void)refused(&facts, CORE_ERROR_GAP);
    facts.system_id = 42;
    facts.timeline = 2;
    core_error error = refused(&facts, CORE_ERROR_GAP);
    assert_non_null(strstr(error.text, "timeline 2"));
}

/* A PREPARE between them, whose rows are not stored, must come again. */
static void two_phases_start_where_the_slot_is_confirmed(void **state) {
    (void)state;
    core_run tail = tail_make(2000, 4, true);
    cdc_start_facts facts = facts_make();
    facts.tail = &tail;
    facts.last_sequence = 12;
    facts.record = &base_record;
    facts.two_phase = true;
    cdc_start start = decided(&facts);
    assert_int_equal(start.start_lsn, 0);
    assert_int_equal(start.shown_lsn, 500);
    assert_int_equal(start.position.end_lsn, 500);
    assert_int_equal(start.position.commit_lsn, 2000); /* still skipped up to here */
    facts.confirmed_lsn = facts.confirmed_before_lsn = 2051;
    (void)refused(&facts, CORE_ERROR_GAP);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fresh_start_begins_at_the_slot),
        cmocka_unit_test(a_whole_tail_goes_on_behind_it),
        cmocka_unit_test(a_cut_tail_asks_for_its_transaction_again),
        cmocka_unit_test(the_record_may_be_beyond_the_tail),
        cmocka_unit_test(an_aged_out_tail_leaves_the_record),
        cmocka_unit_test(a_slot_beyond_the_stream_is_a_gap_at_the_second_look),
        cmocka_unit_test(a_stream_that_went_back_gets_a_new_epoch),
        cmocka_unit_test(a_stream_made_anew_starts_over),
        cmocka_unit_test(two_phases_start_where_the_slot_is_confirmed),
        cmocka_unit_test(another_cluster_or_timeline_is_a_gap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
