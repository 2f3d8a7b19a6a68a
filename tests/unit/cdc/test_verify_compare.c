/* The comparison: what is a difference, what is not covered, and that a part too large for memory
 * is split without a change of the answer. */
#include "tests/unit/cdc/verify_case.h"

static void each_sort_of_difference_is_told(void **state) {
    verify_case *it = *state;
    case_insert(it, 10, ROW("1", "x", "y"));
    case_insert(it, 10, ROW("2", "x", "y"));
    case_row(it, 10, ROW("1", "q", NULL));
    case_row(it, 10, ROW("3", "x", "y"));
    const char *found = case_found(it);
    assert_non_null(strstr(found, "~{\"id\":1}[\"a\",\"b\"] "));
    assert_non_null(strstr(found, "+{\"id\":3} "));
    assert_non_null(strstr(found, "-{\"id\":2} "));
    assert_int_equal(it->report.different, 1);
    assert_int_equal(it->report.missing, 1);
    assert_int_equal(it->report.only_in_stream, 1);
    assert_int_equal(it->report.told, 3);
}

static void null_is_not_the_empty_text(void **state) {
    verify_case *it = *state;
    case_insert(it, 10, ROW("1", "", "y"));
    case_row(it, 10, ROW("1", NULL, "y"));
    assert_string_equal(case_found(it), "~{\"id\":1}[\"a\"] ");
}

static void rows_from_before_the_history_are_not_covered(void **state) {
    verify_case *it = *state;
    it->coverage = (cdc_verify_coverage){.has_mark = true, .mark = 50, .xmin_tells = true};
    case_insert(it, 60, ROW("1", "x", "y"));
    case_delete(it, 61, "4");
    case_row(it, 60, ROW("1", "x", "y"));
    case_row(it, 49, ROW("2", "x", "y"));
    case_row(it, 50, ROW("3", "x", "y")); /* the mark's own transaction */
    case_row(it, 2, ROW("5", "x", "y"));
    case_row(it, 49, ROW("4", "x", "y")); /* the stream says that it is gone */
    const char *found = case_found(it);
    assert_non_null(strstr(found, "+{\"id\":3} "));
    assert_non_null(strstr(found, "+{\"id\":4} "));
    assert_int_equal(it->report.missing, 2);
    assert_int_equal(it->report.before_history, 2);
}

static void after_a_wrap_xmin_says_nothing(void **state) {
    verify_case *it = *state;
    it->coverage = (cdc_verify_coverage){.has_mark = true, .mark = 50};
    case_row(it, 90, ROW("3", "x", "y"));
    assert_string_equal(case_found(it), "");
    assert_int_equal(it->report.before_history, 1);
}

static void what_is_not_published_is_no_difference(void **state) {
    verify_case *it = *state;
    it->shape.published.updates = it->shape.published.deletes = false;
    case_insert(it, 10, ROW("1", "x", "y"));
    case_insert(it, 10, ROW("2", "x", "y"));
    case_row(it, 10, ROW("1", "q", "y"));
    case_row(it, 10, ROW("3", "x", "y"));
    assert_string_equal(case_found(it), "");
    assert_int_equal(it->report.not_published, 3);
}

static void the_limit_is_of_what_is_told_only(void **state) {
    verify_case *it = *state;
    char id[8];
    it->limit = 5;
    for (int i = 0; i < 50; i++) {
        (void)snprintf(id, sizeof id, "%d", i);
        case_insert(it, 10, ROW(id, "x", "y"));
    }
    (void)case_found(it);
    assert_int_equal(it->report.told, 5);
    assert_int_equal(it->report.only_in_stream, 50);
}

static void values_are_shown_when_asked_for(void **state) {
    verify_case *it = *state;
    static char longer[100];
    char expected[600];
    memset(longer, 'v', sizeof longer - 1);
    cdc_verify_events_fini(&it->events);
    it->shows_values = true;
    case_events_open(it);
    case_insert(it, 10, ROW("1", "x", "big"));
    case_update(it, 11, ROW("1", longer, case_unchanged));
    case_update(it, 12, ROW("1", NULL, case_unchanged));
    case_row(it, 12, ROW("1", longer, "other"));
    (void)snprintf(expected, sizeof expected,
                   "~{\"id\":1}[\"a\",\"b\"]{\"a\":\"%.64s...\",\"b\":\"other\"}"
                   "{\"a\":null,\"b\":\"big\"} ",
                   longer);
    assert_string_equal(case_found(it), expected);
}

static void long_keys_are_cut_and_kept_apart(void **state) {
    verify_case *it = *state;
    static char a[3000];
    static char b[3000];
    memset(a, 'k', sizeof a - 1);
    memset(b, 'k', sizeof b - 1);
    b[sizeof b - 2] = 'l';
    it->columns[0].type_oid = it->stream_columns[0].type_oid = 25;
    case_insert(it, 10, ROW(a, "x", "y"));
    case_row(it, 10, ROW(b, "x", "y"));
    const char *found = case_found(it);
    assert_int_equal(it->report.missing, 1);
    assert_int_equal(it->report.only_in_stream, 1);
    assert_non_null(strstr(found, "kkk...\"}"));
    assert_true(strlen(found) < 1000);
}

/* ---- Without a key ---- */

static void counts_that_differ_are_told_with_how_many(void **state) {
    verify_case *it = *state;
    case_without_key(it);
    for (size_t i = 0; i < 3; i++)
        case_insert(it, 10, ROW("1", "x", NULL));
    case_row(it, 10, ROW("1", "x", NULL));
    for (size_t i = 0; i < 4; i++)
        case_row(it, 10, ROW("2", "x", NULL));
    const char *found = case_found(it);
    assert_non_null(strstr(found, "-{\"id\":1,\"a\":\"x\",\"b\":null}x2 "));
    assert_non_null(strstr(found, "+{\"id\":2,\"a\":\"x\",\"b\":null}x4 "));
    assert_int_equal(it->report.only_in_stream, 2);
    assert_int_equal(it->report.missing, 4);
    assert_int_equal(it->report.equal, 1);
}

/* Two were there before; one of them was deleted; the table has one old, one new, one unknown. */
static void rows_from_before_may_be_alike(void **state) {
    verify_case *it = *state;
    case_without_key(it);
    it->coverage = (cdc_verify_coverage){.has_mark = true, .mark = 50, .xmin_tells = true};
    case_change(it, CORE_OP_DELETE, 60, NULL, CORE_OLD_FULL, ROW("1", "x", NULL));
    case_insert(it, 61, ROW("1", "x", NULL));
    case_row(it, 20, ROW("1", "x", NULL));
    case_row(it, 61, ROW("1", "x", NULL));
    case_row(it, 62, ROW("1", "x", NULL));
    assert_string_equal(case_found(it), "+{\"id\":1,\"a\":\"x\",\"b\":null} ");
    assert_int_equal(it->report.equal, 1);
    assert_int_equal(it->report.before_history, 1);
}

static void of_inserts_only_the_rest_is_not_published(void **state) {
    verify_case *it = *state;
    case_without_key(it);
    it->shape.published.updates = it->shape.published.deletes = false;
    case_insert(it, 10, ROW("1", "x", NULL));
    case_insert(it, 10, ROW("2", "x", NULL)); /* updated to 3 since */
    case_row(it, 10, ROW("1", "x", NULL));
    case_row(it, 11, ROW("3", "x", NULL));
    assert_string_equal(case_found(it), "");
    assert_int_equal(it->report.equal, 1);
    assert_int_equal(it->report.not_published, 2);
}

static void of_inserts_alone_a_row_too_many_is_missing(void **state) {
    verify_case *it = *state;
    case_without_key(it);
    it->shape.published.updates = it->shape.published.deletes = false;
    it->nothing_left = true;
    case_insert(it, 10, ROW("1", "x", NULL));
    case_row(it, 10, ROW("1", "x", NULL));
    case_row(it, 10, ROW("1", "x", NULL));
    assert_string_equal(case_found(it), "+{\"id\":1,\"a\":\"x\",\"b\":null} ");
    assert_int_equal(it->report.unaccounted, 1);
    assert_int_equal(it->report.gone, 0);
}

/* ---- Parts that are too large ---- */

/* About 230 rows a part, and memory for fewer. */
enum { MANY = 60000, SMALL_BYTES = 16 << 10, SMALL_HOLDS_MAX = 128 };

static void the_small_memory_does_not_hold_a_part(void **state) {
    cdc_verify_fold fold;
    cdc_verify_value values[CASE_COLUMNS] = {{.kind = CDC_VERIFY_NULL}};
    cdc_verify_row event = {.op = CDC_VERIFY_SET, .count = CASE_COLUMNS, .values = values};
    (void)state;
    cdc_verify_fold_init(&fold, CASE_COLUMNS, SMALL_BYTES);
    while (event.key.low < MANY && cdc_verify_fold_apply(&fold, &event))
        event.key.low++;
    assert_in_range(event.key.low, 20, SMALL_HOLDS_MAX);
    cdc_verify_fold_reset(&fold);
    assert_null(cdc_verify_fold_find(&fold, (cdc_verify_hash){.low = 1}));
    cdc_verify_fold_fini(&fold);
}

static void many_put(verify_case *it) {
    char id[16];
    for (int i = 0; i < MANY; i++) {
        (void)snprintf(id, sizeof id, "%d", i);
        case_insert(it, 10, ROW(id, "x", "y"));
        if (i % 5000 != 7)
            case_row(it, 10, ROW(id, i % 9000 == 3 ? "differs" : "x", "y"));
    }
}

static void split_and_whole_say_the_same(verify_case *it) {
    case_events_open(it);
    it->fold_bytes = SMALL_BYTES;
    it->limit = 0;
    many_put(it);
    (void)case_found(it);
    assert_int_equal(it->report.only_in_stream, 12);
    assert_int_equal(it->report.equal + it->report.different, MANY - 12);
    assert_int_equal(it->report.different, 7);
}

static void a_part_is_split_until_it_fits(void **state) {
    verify_case *it = *state;
    cdc_verify_events_fini(&it->events);
    split_and_whole_say_the_same(it);
}

static void a_part_without_keys_is_split_too(void **state) {
    verify_case *it = *state;
    case_without_key(it);
    it->fold_bytes = SMALL_BYTES;
    it->limit = 0;
    many_put(it);
    (void)case_found(it);
    assert_int_equal(it->report.only_in_stream, 12 + 7);
    assert_int_equal(it->report.missing, 7);
}

static void what_no_split_makes_fit_is_an_error(void **state) {
    verify_case *it = *state;
    core_error error = {0};
    it->fold_bytes = 1 << 10;
    case_insert(it, 10, ROW("1", "x", "y"));
    const cdc_verify_compare compare = {.config = it->config,
                                        .shape = &it->shape,
                                        .fold_bytes = it->fold_bytes,
                                        .report = &it->report};
    assert_true(cdc_verify_spill_finish(it->table, &error));
    assert_true(cdc_verify_spill_finish(it->stream, &error));
    assert_false(cdc_verify_compare_run(&compare, it->table, it->stream, &error));
    assert_int_equal(error.code, CORE_ERROR_LIMIT);
}

int main(void) {
#define CASE(NAME) cmocka_unit_test_setup_teardown(NAME, case_open, case_close)
    const struct CMUnitTest tests[] = {
        CASE(each_sort_of_difference_is_told),
        CASE(null_is_not_the_empty_text),
        CASE(rows_from_before_the_history_are_not_covered),
        CASE(after_a_wrap_xmin_says_nothing),
        CASE(what_is_not_published_is_no_difference),
        CASE(the_limit_is_of_what_is_told_only),
        CASE(values_are_shown_when_asked_for),
        CASE(long_keys_are_cut_and_kept_apart),
        CASE(counts_that_differ_are_told_with_how_many),
        CASE(rows_from_before_may_be_alike),
        CASE(of_inserts_only_the_rest_is_not_published),
        CASE(the_small_memory_does_not_hold_a_part),
        CASE(of_inserts_alone_a_row_too_many_is_missing),
        CASE(a_part_is_split_until_it_fits),
        CASE(a_part_without_keys_is_split_too),
        CASE(what_no_split_makes_fit_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
