/* What the live stream changes while a piece is read. */
#include "tests/unit/cdc/snapshot_rows.h"

static cdc_snapshot_window window;

static int setup(void **state) {
    (void)state;
    rows_window_init(&window);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    cdc_snapshot_window_fini(&window);
    return 0;
}

static bool is_key(size_t at, const char *name, const char *id) {
    core_buffer key;
    core_value values[] = {rows_text(name), rows_text(id)};
    const uint16_t places[] = {0, 1};
    core_buffer_init(&key, 256);
    bool ok = cdc_snapshot_key_append(&key, values, places, 2);
    const cdc_snapshot_changed *changed = &window.changed[at];
    ok = ok &&
         core_slice_equal(core_buffer_slice(&key),
                          core_slice_make(window.keys.data + changed->key_at, changed->key_length));
    core_buffer_fini(&key);
    return ok;
}

static void keys_are_noted_in_the_key_s_order(void **state) {
    (void)state;
    rows_note(&window, CORE_OP_INSERT, 5, "1", "a", "x");
    rows_note(&window, CORE_OP_DELETE, 6, "2", "b", "");
    assert_int_equal(window.count, 2);
    assert_true(is_key(0, "a", "1"));
    assert_int_equal(window.changed[0].xid, 5);
    assert_false(window.changed[0].read_again);
    assert_true(is_key(1, "b", "2"));
    assert_false(window.spoilt || window.truncated);
}

static void an_image_that_is_not_whole_is_read_again(void **state) {
    (void)state;
    rows_note(&window, CORE_OP_UPDATE, 5, "1", "a", NULL);
    assert_true(window.changed[0].read_again);
    assert_false(window.changed[0].moved);
}

static void a_change_of_the_key_touches_both(void **state) {
    (void)state;
    rows_note_moved(&window, 5, "1", "9", "a", NULL);
    assert_int_equal(window.count, 2);
    assert_true(is_key(0, "a", "1"));
    assert_true(is_key(1, "a", "9"));
    assert_false(window.changed[0].moved);
    assert_true(window.changed[1].moved && window.changed[1].read_again);
}

static void other_tables_are_none_of_it(void **state) {
    (void)state;
    rows_change it;
    rows_change_init(&it, CORE_OP_INSERT, 5);
    rows_fill(it.new_values, "1", "a", "x");
    it.relation.oid++;
    cdc_snapshot_window_note(&window, rows_change_of(&it));
    assert_int_equal(window.count, 0);
}

static void a_truncate_takes_all(void **state) {
    (void)state;
    rows_change it;
    rows_change_init(&it, CORE_OP_TRUNCATE, 5);
    cdc_snapshot_window_note(&window, rows_change_of(&it));
    assert_true(window.truncated);
}

static void a_key_that_is_gone_spoils_it(void **state) {
    (void)state;
    static const core_column others[] = {{.name = {.data = (const uint8_t *)"id", .length = 2}}};
    rows_change it;
    rows_change_init(&it, CORE_OP_INSERT, 5);
    rows_fill(it.new_values, "1", "a", "x");
    it.relation.columns = others;
    it.relation.column_count = 1;
    it.relation.version = 2;
    cdc_snapshot_window_note(&window, rows_change_of(&it));
    assert_true(window.spoilt);
}

static void too_many_changes_spoil_it(void **state) {
    (void)state;
    for (size_t i = 0; i <= (size_t)1 << 18 && !window.spoilt; i++)
        rows_note(&window, CORE_OP_INSERT, 5, "1", "a", "x");
    assert_true(window.spoilt);
    size_t count = window.count;
    rows_note(&window, CORE_OP_INSERT, 5, "1", "a", "x");
    assert_int_equal(window.count, count);
}

/* Its owner describes the table anew while the window is open. */
static void the_key_s_names_are_its_own(void **state) {
    (void)state;
    char name[] = "name";
    char id[] = "id";
    const core_slice key[] = {core_slice_text(name), core_slice_text(id)};
    cdc_snapshot_window_fini(&window);
    cdc_snapshot_window_init(&window, ROWS_OID, false, key, 2);
    memset(name, 'x', 4);
    memset(id, 'x', 2);
    rows_note(&window, CORE_OP_INSERT, 5, "1", "a", "x");
    assert_false(window.spoilt);
    assert_true(is_key(0, "a", "1"));
}

static void whole_rows_are_told_by_old_images_only(void **state) {
    (void)state;
    rows_change it;
    cdc_snapshot_window_fini(&window);
    cdc_snapshot_window_init(&window, ROWS_OID, true, NULL, 0);
    rows_note(&window, CORE_OP_INSERT, 5, "1", "a", "x");
    assert_int_equal(window.count, 0);
    rows_change_init(&it, CORE_OP_UPDATE, 6);
    it.change.old_kind = CORE_OLD_FULL;
    rows_fill(it.old_values, "1", "a", "x");
    rows_fill(it.new_values, "1", "a", "y");
    cdc_snapshot_window_note(&window, rows_change_of(&it));
    assert_int_equal(window.count, 1);
    assert_int_equal(window.changed[0].key_length, 3 * 4 + 3);
}

static void null_and_empty_are_two_keys(void **state) {
    (void)state;
    const core_value values[] = {{.kind = CORE_VALUE_NULL}, rows_text("")};
    const uint16_t first[] = {0};
    const uint16_t second[] = {1};
    core_buffer keys;
    core_buffer_init(&keys, 64);
    assert_true(cdc_snapshot_key_append(&keys, values, first, 1));
    assert_true(cdc_snapshot_key_append(&keys, values, second, 1));
    assert_int_equal(keys.length, 8);
    assert_memory_not_equal(keys.data, keys.data + 4, 4);
    core_buffer_fini(&keys);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(keys_are_noted_in_the_key_s_order),
        TEST(an_image_that_is_not_whole_is_read_again),
        TEST(a_change_of_the_key_touches_both),
        TEST(other_tables_are_none_of_it),
        TEST(a_truncate_takes_all),
        TEST(a_key_that_is_gone_spoils_it),
        TEST(too_many_changes_spoil_it),
        TEST(the_key_s_names_are_its_own),
        TEST(whole_rows_are_told_by_old_images_only),
        TEST(null_and_empty_are_two_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
