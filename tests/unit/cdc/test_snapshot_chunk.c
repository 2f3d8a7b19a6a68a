/* A piece's rows: which of them the live stream has overtaken, and what goes out. */
#include "tests/unit/cdc/snapshot_rows.h"

#include <stdio.h>

typedef struct {
    cdc_snapshot_chunk *chunk;
    cdc_snapshot_window window;
    core_visibility visibility;
    core_relation relation;
    core_arena arena;
} fixture;

static const uint16_t by_key[] = {1, 0};
static const uint16_t by_all[] = {0, 1, 2};

static int setup(void **state) {
    core_error error = {0};
    fixture *it = calloc(1, sizeof *it);
    assert_non_null(it);
    it->chunk = cdc_snapshot_chunk_new();
    it->relation = rows_relation();
    core_arena_init(&it->arena, 4096, (size_t)16 << 20);
    rows_window_init(&it->window);
    assert_true(core_visibility_read(core_slice_text("100:100:"), &it->visibility, &error));
    assert_true(core_relation_encode(&it->relation, &it->arena));
    *state = it;
    return it->chunk != NULL ? 0 : -1;
}

static int teardown(void **state) {
    fixture *it = *state;
    cdc_snapshot_chunk_free(it->chunk);
    cdc_snapshot_window_fini(&it->window);
    core_visibility_fini(&it->visibility);
    core_arena_fini(&it->arena);
    free(it);
    return 0;
}

static void begin(fixture *it, uint32_t run_rows, const uint16_t *places, size_t count) {
    const cdc_snapshot_run_limits limits = {
        .epoch = "e1", .run_rows = run_rows, .run_bytes = 65536, .row_max = 1 << 20};
    cdc_snapshot_chunk_begin(it->chunk, &limits, &it->relation, core_slice_text("snap"), places,
                             count);
}

static void add(fixture *it, const char *id, const char *name, const char *big) {
    core_value values[ROWS_COLUMNS];
    core_error error = {0};
    rows_fill(values, id, name, big);
    assert_int_equal(cdc_snapshot_chunk_add(it->chunk, values, &error), CDC_ROW_ADDED);
}

/* Rows 1 to count with name n, in runs of three. */
static void fill(fixture *it, unsigned count) {
    begin(it, 3, by_key, 2);
    for (unsigned i = 1; i <= count; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "%u", i);
        add(it, id, "n", "big");
    }
    assert_true(cdc_snapshot_chunk_finish(it->chunk));
}

static void overtake(fixture *it) {
    cdc_snapshot_chunk_overtake(it->chunk, &it->window, &it->visibility);
}

/* The next run's ids as "1 2 3 ", decoded as a reader does; "" behind the last. */
static void take(fixture *it, char ids[64]) {
    const core_transaction place = {.commit_lsn = 5, .end_lsn = 6, .commit_time_us = 7};
    core_slice payload;
    uint32_t rows;
    core_run run;
    core_run_reader reader;
    core_error error = {0};
    ids[0] = '\0';
    assert_true(cdc_snapshot_chunk_take(it->chunk, &place, 42, &payload, &rows, &error));
    if (rows == 0)
        return;
    assert_true(core_run_decode(payload, &it->arena, &run, &error));
    assert_int_equal(run.op, CORE_OP_READ);
    assert_int_equal(run.rows, rows);
    assert_true(core_slice_is(run.snapshot_id, "snap"));
    assert_int_equal(run.snapshot_after_sequence, 42);
    assert_true(core_run_reader_init(&reader, &run, &it->arena, &error));
    const core_change *change;
    for (uint32_t i = 0; (change = core_run_next(&reader)) != NULL; i++) {
        size_t length = strlen(ids);
        assert_int_equal(change->index, i);
        assert_int_equal(change->transaction.commit_lsn, 5);
        (void)snprintf(ids + length, 64 - length, "%.*s ",
                       CORE_SLICE_ARGS(change->new_tuple.values[0].bytes));
    }
}

static void assert_runs(fixture *it, const char *const *runs, size_t count) {
    char ids[64];
    for (size_t i = 0; i < count; i++) {
        take(it, ids);
        assert_string_equal(ids, runs[i]);
    }
    take(it, ids);
    assert_string_equal(ids, "");
}

#define ASSERT_RUNS(it, ...)                                                                       \
    do {                                                                                           \
        const char *const runs[] = {__VA_ARGS__};                                                  \
        assert_runs(it, runs, CORE_COUNT_OF(runs));                                                \
    } while (0)

static void nothing_changed_all_goes_out(void **state) {
    fixture *it = *state;
    fill(it, 7);
    overtake(it);
    ASSERT_RUNS(it, "1 2 3 ", "4 5 6 ", "7 ");
}

static void changed_rows_are_dropped(void **state) {
    fixture *it = *state;
    fill(it, 7);
    rows_note(&it->window, CORE_OP_UPDATE, 99, "2", "n", "new");
    rows_note(&it->window, CORE_OP_DELETE, 101, "7", "n", "");
    rows_note(&it->window, CORE_OP_INSERT, 101, "8", "n", "x");
    rows_note(&it->window, CORE_OP_UPDATE, 101, "3", "other", "x");
    overtake(it);
    assert_int_equal(cdc_snapshot_chunk_again_count(it->chunk), 0);
    ASSERT_RUNS(it, "1 3 ", "4 5 6 ");
}

static void changes_between_two_runs_count(void **state) {
    fixture *it = *state;
    char ids[64];
    fill(it, 6);
    take(it, ids);
    assert_string_equal(ids, "1 2 3 ");
    rows_note(&it->window, CORE_OP_UPDATE, 101, "1", "n", NULL); /* has gone out before it */
    rows_note(&it->window, CORE_OP_UPDATE, 101, "5", "n", "x");
    overtake(it);
    assert_int_equal(cdc_snapshot_chunk_again_count(it->chunk), 0);
    ASSERT_RUNS(it, "4 6 ");
}

static void a_truncate_drops_all(void **state) {
    fixture *it = *state;
    rows_change truncate;
    fill(it, 6);
    rows_change_init(&truncate, CORE_OP_TRUNCATE, 5);
    cdc_snapshot_window_note(&it->window, rows_change_of(&truncate));
    overtake(it);
    overtake(it);
    char ids[64];
    take(it, ids);
    assert_string_equal(ids, "");
}

static void rows_whose_change_is_not_whole_are_read_again(void **state) {
    fixture *it = *state;
    core_slice keys[2];
    fill(it, 3);
    rows_note(&it->window, CORE_OP_UPDATE, 101, "2", "n", NULL);
    rows_note(&it->window, CORE_OP_UPDATE, 101, "9", "n", NULL); /* not of this piece */
    overtake(it);
    assert_int_equal(cdc_snapshot_chunk_again_count(it->chunk), 1);
    assert_true(cdc_snapshot_chunk_again(it->chunk, &it->arena, keys));
    assert_int_equal(keys[0].length, 4 + 1 + 4 + 1);
    assert_memory_equal(keys[0].data,
                        "\0\0\0\1n\0\0\0\1"
                        "2",
                        10);
    ASSERT_RUNS(it, "1 3 ");
}

static void a_row_that_moved_is_read_under_its_new_key(void **state) {
    fixture *it = *state;
    core_slice keys[2];
    fill(it, 3);
    rows_note_moved(&it->window, 101, "2", "50", "n", NULL);
    rows_note_moved(&it->window, 101, "60", "70", "n", NULL); /* was not in this piece */
    overtake(it);
    assert_int_equal(cdc_snapshot_chunk_again_count(it->chunk), 1);
    assert_true(cdc_snapshot_chunk_again(it->chunk, &it->arena, keys));
    assert_memory_equal(keys[0].data,
                        "\0\0\0\1n\0\0\0\2"
                        "50",
                        11);
    ASSERT_RUNS(it, "1 3 ");
}

/* Equal rows: as many go as changes that the rows' snapshot does not see. */
static void whole_rows_are_a_multiset(void **state) {
    fixture *it = *state;
    cdc_snapshot_window_fini(&it->window);
    cdc_snapshot_window_init(&it->window, ROWS_OID, true, NULL, 0);
    begin(it, 10, by_all, 3);
    for (unsigned i = 0; i < 3; i++)
        add(it, "1", "n", "x");
    add(it, "2", "n", "x");
    assert_true(cdc_snapshot_chunk_finish(it->chunk));
    for (uint32_t xid = 99; xid <= 102; xid++) {
        rows_change it_change;
        rows_change_init(&it_change, CORE_OP_DELETE, xid); /* 99 is seen: that row was not read */
        rows_fill(it_change.old_values, xid == 102 ? "7" : "1", "n", "x");
        it_change.change.old_kind = CORE_OLD_FULL;
        cdc_snapshot_window_note(&it->window, rows_change_of(&it_change));
    }
    overtake(it);
    ASSERT_RUNS(it, "1 2 ");
}

static void rows_that_are_never_matched_stay(void **state) {
    fixture *it = *state;
    begin(it, 10, NULL, 0);
    add(it, "1", "n", "x");
    add(it, "1", "n", "x");
    assert_true(cdc_snapshot_chunk_finish(it->chunk));
    cdc_snapshot_window_fini(&it->window);
    cdc_snapshot_window_init(&it->window, ROWS_OID, false, NULL, 0);
    rows_note(&it->window, CORE_OP_INSERT, 101, "1", "n", "x");
    overtake(it);
    assert_false(it->window.spoilt);
    ASSERT_RUNS(it, "1 1 ");
}

static void it_is_bounded(void **state) {
    fixture *it = *state;
    core_value values[ROWS_COLUMNS];
    core_error error = {0};
    begin(it, 128, by_key, 2);
    cdc_row_result result = CDC_ROW_ADDED;
    rows_fill(values, "1", "n", "x");
    size_t rows = 0;
    while ((result = cdc_snapshot_chunk_add(it->chunk, values, &error)) == CDC_ROW_ADDED)
        rows++;
    assert_int_equal(result, CDC_ROW_NO_ROOM);
    assert_int_equal(rows, CDC_SNAPSHOT_CHUNK_ROWS);
    assert_int_equal(cdc_snapshot_chunk_rows(it->chunk), rows);
}

static void a_row_beyond_the_limit_is_refused(void **state) {
    fixture *it = *state;
    core_value values[ROWS_COLUMNS];
    core_error error = {0};
    char *large = calloc(1, (size_t)2 << 20);
    assert_non_null(large);
    memset(large, 'x', ((size_t)2 << 20) - 1);
    begin(it, 128, by_key, 2);
    add(it, "1", "n", "x");
    rows_fill(values, "2", "n", large);
    assert_int_equal(cdc_snapshot_chunk_add(it->chunk, values, &error), CDC_ROW_REFUSED);
    assert_int_equal(error.code, CORE_ERROR_LIMIT);
    free(large);
}

static void it_is_used_again(void **state) {
    fixture *it = *state;
    fill(it, 7);
    rows_note(&it->window, CORE_OP_UPDATE, 101, "2", "n", NULL);
    overtake(it);
    cdc_snapshot_window_fini(&it->window);
    rows_window_init(&it->window);
    fill(it, 2);
    overtake(it);
    assert_int_equal(cdc_snapshot_chunk_again_count(it->chunk), 0);
    ASSERT_RUNS(it, "1 2 ");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(nothing_changed_all_goes_out),
        TEST(changed_rows_are_dropped),
        TEST(changes_between_two_runs_count),
        TEST(a_truncate_drops_all),
        TEST(rows_whose_change_is_not_whole_are_read_again),
        TEST(a_row_that_moved_is_read_under_its_new_key),
        TEST(whole_rows_are_a_multiset),
        TEST(rows_that_are_never_matched_stay),
        TEST(it_is_bounded),
        TEST(a_row_beyond_the_limit_is_refused),
        TEST(it_is_used_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
