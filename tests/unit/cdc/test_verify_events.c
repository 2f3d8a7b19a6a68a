/* The fold: what the stream's changes add up to, by key and without, and which of them count. */
#include "tests/unit/cdc/verify_case.h"

static void inserts_updates_deletes(void **state) {
    verify_case *it = *state;
    case_insert(it, 10, ROW("1", "x", NULL));
    case_insert(it, 11, ROW("2", "x", "y"));
    case_update(it, 12, ROW("2", "z", "y"));
    case_insert(it, 13, ROW("3", "x", "y"));
    case_delete(it, 14, "3");
    case_row(it, 10, ROW("1", "x", NULL));
    case_row(it, 12, ROW("2", "z", "y"));
    assert_string_equal(case_found(it), "");
    assert_int_equal(it->report.equal, 2);
    assert_int_equal(it->events.changes, 5);
}

static void a_key_change_touches_both_keys(void **state) {
    verify_case *it = *state;
    case_insert(it, 10, ROW("1", "x", "y"));
    case_insert(it, 10, ROW("2", "x", "y"));
    case_move(it, 11, "1", ROW("5", "x", "y"));
    case_move(it, 12, "2", ROW("1", "x", "z"));
    case_row(it, 11, ROW("5", "x", "y"));
    case_row(it, 12, ROW("1", "x", "z"));
    assert_string_equal(case_found(it), "");
    assert_int_equal(it->report.equal, 2);
}

static void a_full_old_image_of_the_same_key_is_no_key_change(void **state) {
    verify_case *it = *state;
    case_insert(it, 10, ROW("1", "x", "big"));
    case_change(it, CORE_OP_UPDATE, 11, ROW("1", "z", case_unchanged), CORE_OLD_FULL,
                ROW("1", "x", "big"));
    case_change(it, CORE_OP_UPDATE, 12, ROW("1", "q", case_unchanged), CORE_OLD_KEY,
                ROW("1", NULL, NULL));
    case_row(it, 12, ROW("1", "q", "big"));
    assert_string_equal(case_found(it), "");
    assert_int_equal(it->report.equal, 1);
}

static void unchanged_values_are_what_they_were(void **state) {
    verify_case *it = *state;
    case_insert(it, 10, ROW("1", "x", "big"));
    case_update(it, 11, ROW("1", "z", case_unchanged));
    case_insert(it, 10, ROW("2", "x", "big"));
    case_update(it, 11, ROW("2", "z", case_unchanged));
    case_row(it, 11, ROW("1", "z", "big"));
    case_row(it, 11, ROW("2", "z", "other"));
    assert_string_equal(case_found(it), "~{\"id\":2}[\"b\"] ");
    assert_int_equal(it->report.equal, 1);
}

static void an_unchanged_value_without_a_base_is_not_told(void **state) {
    verify_case *it = *state;
    case_update(it, 11, ROW("1", "z", case_unchanged));
    case_insert(it, 11, ROW("2", "x", "big"));
    case_move(it, 12, "2", ROW("3", "x", case_unchanged));
    case_insert(it, 12, ROW("4", "x", "big"));
    case_delete(it, 12, "4");
    case_update(it, 13, ROW("4", "x", case_unchanged));
    case_update(it, 11, ROW("5", "z", case_unchanged));
    case_row(it, 11, ROW("1", "z", "any"));
    case_row(it, 12, ROW("3", "x", "any"));
    case_row(it, 12, ROW("4", "x", "any"));
    case_row(it, 12, ROW("5", "but this differs", "any"));
    assert_string_equal(case_found(it), "~{\"id\":5}[\"a\"] ");
    assert_int_equal(it->report.not_told, 3);
}

static void what_was_read_later_counts_only_when_equal(void **state) {
    verify_case *it = *state;
    case_update(it, 11, ROW("1", "z", "later big"));
    case_update(it, 11, ROW("2", "z", "later newer"));
    case_row(it, 11, ROW("1", "z", "big"));
    case_row(it, 11, ROW("2", "z", "big"));
    assert_string_equal(case_found(it), "");
    assert_int_equal(it->report.equal, 1);
    assert_int_equal(it->report.not_told, 1);
}

static void a_truncate_removes_all_and_covers_the_rest(void **state) {
    verify_case *it = *state;
    case_insert(it, 10, ROW("1", "x", "y"));
    case_change(it, CORE_OP_TRUNCATE, 11, NULL, CORE_OLD_NONE, NULL);
    case_insert(it, 12, ROW("2", "x", "y"));
    case_row(it, 12, ROW("2", "x", "y"));
    assert_string_equal(case_found(it), "");
    assert_int_equal(it->report.equal, 1);
    assert_true(it->events.truncated);
}

static void what_the_reader_does_not_see_does_not_count(void **state) {
    verify_case *it = *state;
    case_insert(it, 10, ROW("1", "x", "y"));
    case_update(it, 150, ROW("1", "new", "y"));
    case_insert(it, 200, ROW("2", "x", "y"));
    case_change(it, CORE_OP_TRUNCATE, 201, NULL, CORE_OLD_NONE, NULL);
    case_delete(it, 150, "1");
    case_row(it, 10, ROW("1", "x", "y"));
    assert_string_equal(case_found(it), "");
    assert_int_equal(it->report.equal, 1);
    assert_int_equal(it->events.later, 4);
    assert_false(it->events.truncated);
}

static void case_read(verify_case *it, const char *const *now) {
    case_change(it, CORE_OP_READ, 0, now, CORE_OLD_NONE, NULL);
}

static void rows_of_a_snapshot_count_when_read_before(void **state) {
    verify_case *it = *state;
    cdc_verify_events_fini(&it->events);
    it->reads_until = 2;
    case_events_open(it);
    case_read(it, ROW("1", "x", "y"));
    it->read_of = "another, of a few rows";
    case_read(it, ROW("2", "x", "y"));
    case_read(it, ROW("1", "newer", "y"));
    case_update(it, 12, ROW("1", "z", case_unchanged));
    case_row(it, 12, ROW("1", "z", "y"));
    case_row(it, 12, ROW("2", "x", "y"));
    assert_string_equal(case_found(it), "");
    assert_int_equal(it->report.equal, 2);
    assert_int_equal(it->events.later, 1);
}

static void without_a_key_only_one_snapshot_counts(void **state) {
    verify_case *it = *state;
    case_without_key(it);
    it->read_of = "z";
    case_read(it, ROW("1", "x", "y"));
    it->read_of = "a";
    case_read(it, ROW("1", "x", "y"));
    case_read(it, ROW("1", "x", "y"));
    case_insert(it, 12, ROW("1", "x", "y"));
    for (size_t i = 0; i < 3; i++)
        case_row(it, 12, ROW("1", "x", "y"));
    assert_string_equal(case_found(it), "");
    assert_int_equal(it->report.equal, 3);
}

static void another_epoch_begins_the_history_anew(void **state) {
    verify_case *it = *state;
    case_insert(it, 10, ROW("1", "old", "y"));
    it->epoch = "f";
    case_insert(it, 11, ROW("2", "x", "y"));
    it->coverage = (cdc_verify_coverage){.xmin_tells = true};
    case_row(it, 10, ROW("1", "x", "y"));
    case_row(it, 11, ROW("2", "x", "y"));
    assert_string_equal(case_found(it), "");
    assert_int_equal(it->report.before_history, 1);
    assert_int_equal(it->report.equal, 1);
    assert_int_equal(it->events.first_sequence, 2);
}

static void a_key_that_cannot_be_read_begins_the_history_anew(void **state) {
    verify_case *it = *state;
    case_insert(it, 10, ROW("1", "x", "y"));
    it->stream_columns[0].key = false; /* the key was another index then */
    it->stream_columns[1].key = true;
    case_change(it, CORE_OP_DELETE, 11, NULL, CORE_OLD_KEY, ROW(NULL, "x", NULL));
    it->stream_columns[0].key = true;
    case_insert(it, 12, ROW("2", "x", "y"));
    case_row(it, 12, ROW("2", "x", "y"));
    assert_string_equal(case_found(it), "");
    assert_int_equal(it->events.cuts, 1);
    assert_int_equal(it->events.first_sequence, 3);
}

static void another_table_of_that_name_is_left_out(void **state) {
    verify_case *it = *state;
    it->relation.oid = 6;
    case_insert(it, 10, ROW("1", "x", "y"));
    it->relation.oid = 7;
    it->relation.table = core_slice_text("other");
    case_insert(it, 10, ROW("2", "x", "y"));
    assert_string_equal(case_found(it), "");
    assert_int_equal(it->events.strangers, 2);
}

static void columns_are_found_by_name(void **state) {
    verify_case *it = *state;
    case_insert(it, 10, ROW("1", "x", "y"));
    it->stream_columns[1].name = core_slice_text("b"); /* the other way round */
    it->stream_columns[2].name = core_slice_text("a");
    case_insert(it, 10, ROW("2", "y", "x"));
    it->stream_columns[1].name = core_slice_text("gone"); /* b was added later */
    case_insert(it, 10, ROW("3", "?", "x"));
    case_insert(it, 10, ROW("4", "?", "x"));
    it->stream_columns[1].name = core_slice_text("b");
    it->stream_columns[1].type_oid = 20; /* b had another type */
    case_insert(it, 10, ROW("5", "1", "x"));
    case_row(it, 10, ROW("1", "x", "y"));
    case_row(it, 10, ROW("2", "x", "y"));
    case_row(it, 10, ROW("3", "x", "default"));
    case_row(it, 10, ROW("4", "differs", "default"));
    case_row(it, 10, ROW("5", "x", "1.0"));
    assert_string_equal(case_found(it), "~{\"id\":4}[\"a\"] ");
    assert_int_equal(it->report.equal, 2);
    assert_int_equal(it->report.not_told, 2);
}

/* ---- Without a key ---- */

static void rows_alike_are_counted(void **state) {
    verify_case *it = *state;
    case_without_key(it);
    for (size_t i = 0; i < 3; i++)
        case_insert(it, 10, ROW("1", "x", NULL));
    case_change(it, CORE_OP_DELETE, 11, NULL, CORE_OLD_FULL, ROW("1", "x", NULL));
    case_insert(it, 11, ROW("1", "x", "y"));
    case_change(it, CORE_OP_UPDATE, 12, ROW("1", "z", case_unchanged), CORE_OLD_FULL,
                ROW("1", "x", "y"));
    case_row(it, 10, ROW("1", "x", NULL));
    case_row(it, 10, ROW("1", "x", NULL));
    case_row(it, 12, ROW("1", "z", "y"));
    assert_string_equal(case_found(it), "");
    assert_int_equal(it->report.equal, 3);
}

int main(void) {
#define CASE(NAME) cmocka_unit_test_setup_teardown(NAME, case_open, case_close)
    const struct CMUnitTest tests[] = {
        CASE(inserts_updates_deletes),
        CASE(a_key_change_touches_both_keys),
        CASE(a_full_old_image_of_the_same_key_is_no_key_change),
        CASE(unchanged_values_are_what_they_were),
        CASE(an_unchanged_value_without_a_base_is_not_told),
        CASE(what_was_read_later_counts_only_when_equal),
        CASE(a_truncate_removes_all_and_covers_the_rest),
        CASE(what_the_reader_does_not_see_does_not_count),
        CASE(rows_of_a_snapshot_count_when_read_before),
        CASE(without_a_key_only_one_snapshot_counts),
        CASE(another_epoch_begins_the_history_anew),
        CASE(a_key_that_cannot_be_read_begins_the_history_anew),
        CASE(another_table_of_that_name_is_left_out),
        CASE(columns_are_found_by_name),
        CASE(rows_alike_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
