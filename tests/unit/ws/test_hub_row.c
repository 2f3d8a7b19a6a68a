/* Which frames are of the same row, and which may stand for others. */
#include "tests/unit/ws/hub_fixture.h"
#include "ws/hub_row.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static ws_row *row_in(core_change *change, const char *table, const char *ids, bool left) {
    core_relation relation = fixture_relation("public", table);
    core_buffer room;
    core_buffer_init(&room, HUB_ROW_KEY_MAX);
    change->relation = &relation;
    ws_row *row = hub_row_new(change, core_slice_text(ids), left, &room);
    core_buffer_fini(&room);
    return row;
}

static ws_row *row_of(core_change *change) {
    ws_row *row = row_in(change, "todos", "[1]", false);
    assert_non_null(row);
    return row;
}

static void assert_replaces(ws_row *newer, ws_row *older, bool replaces) {
    assert_int_equal(ws_row_replaces(newer, older), replaces);
    if (replaces && ws_row_kind_of(newer) == WS_ROW_STATE)
        assert_true(ws_row_hash(newer) == ws_row_hash(older));
}

static void test_the_key_tells_rows_apart(void **state) {
    (void)state;
    core_value a[3], b[3], c[3];
    core_change insert = {.op = CORE_OP_INSERT, .new_tuple = fixture_tuple(a, "1", "x", "1")};
    core_change update = {.op = CORE_OP_UPDATE, .new_tuple = fixture_tuple(b, "1", "y", NULL)};
    core_change other = {.op = CORE_OP_INSERT, .new_tuple = fixture_tuple(c, "2", "x", "1")};
    core_change gone = {.op = CORE_OP_DELETE,
                        .old_kind = CORE_OLD_KEY,
                        .old_tuple = fixture_tuple(a, "1", NULL, NULL)};
    ws_row *rows[] = {row_of(&insert), row_of(&update), row_of(&other), row_of(&gone)};
    assert_replaces(rows[1], rows[0], true);
    assert_replaces(rows[2], rows[0], false);
    assert_replaces(rows[3], rows[1], true);
    assert_replaces(rows[1], rows[3], true);
    ws_row *elsewhere = row_in(&update, "other", "[1]", false);
    ws_row *bindings = row_in(&update, "todos", "[1,2]", false);
    assert_replaces(elsewhere, rows[0], false);
    assert_replaces(bindings, rows[0], false);
    ws_row_release(elsewhere);
    ws_row_release(bindings);
    for (size_t i = 0; i < CORE_COUNT_OF(rows); i++)
        ws_row_release(rows[i]);
}

static void test_a_change_of_key(void **state) {
    (void)state;
    core_value a[3], b[3], c[3];
    core_change from = {.op = CORE_OP_INSERT, .new_tuple = fixture_tuple(a, "1", "x", "1")};
    core_change moves = {.op = CORE_OP_UPDATE,
                         .old_kind = CORE_OLD_KEY,
                         .old_tuple = fixture_tuple(b, "1", NULL, NULL),
                         .new_tuple = fixture_tuple(c, "2", "x", "1")};
    ws_row *before = row_of(&from), *moved = row_of(&moves);
    ws_row *left = row_in(&moves, "todos", "[1]", true); /* says that row 1 has left */
    assert_int_equal(ws_row_kind_of(moved), WS_ROW_MOVED);
    assert_true(ws_row_former_hash(moved) == ws_row_hash(before));
    assert_replaces(moved, before, true);
    assert_replaces(before, moved, false);
    assert_int_equal(ws_row_kind_of(left), WS_ROW_STATE);
    assert_replaces(left, before, true);
    ws_row_release(left);
    ws_row_release(moved);
    c[1] = (core_value){.kind = CORE_VALUE_UNCHANGED}; /* the frame before has its value */
    assert_null(row_in(&moves, "todos", "[1]", false));
    moves.old_tuple = fixture_tuple(b, "2", NULL, NULL); /* the key came, but is the same */
    moved = row_of(&moves);
    assert_int_equal(ws_row_kind_of(moved), WS_ROW_STATE);
    ws_row_release(moved);
    ws_row_release(before);
}

static void test_what_is_unchanged_is_missing(void **state) {
    (void)state;
    core_value a[3], b[3];
    core_change whole = {.op = CORE_OP_INSERT, .new_tuple = fixture_tuple(a, "1", "x", "1")};
    core_change part = {.op = CORE_OP_UPDATE, .new_tuple = fixture_tuple(b, "1", "x", "1")};
    b[1] = (core_value){.kind = CORE_VALUE_UNCHANGED};
    ws_row *rows[] = {row_of(&whole), row_of(&part), row_of(&part)};
    assert_replaces(rows[1], rows[0], false);
    assert_replaces(rows[2], rows[1], true);
    assert_replaces(rows[0], rows[1], true);
    ws_row *left = row_in(&part, "todos", "[1]", true); /* no value counts any more */
    assert_replaces(left, rows[0], true);
    ws_row_release(left);
    for (size_t i = 0; i < CORE_COUNT_OF(rows); i++)
        ws_row_release(rows[i]);
}

static void test_without_a_key_nothing_is_replaced(void **state) {
    (void)state;
    core_value a[3];
    core_change insert = {.op = CORE_OP_INSERT, .new_tuple = fixture_tuple(a, "1", "x", "1")};
    core_relation relation = fixture_relation("public", "todos");
    core_buffer room;
    core_buffer_init(&room, HUB_ROW_KEY_MAX);
    insert.relation = &relation;
    relation.replica_identity = 'f';
    assert_null(hub_row_new(&insert, core_slice_text("[1]"), false, &room));
    core_column columns[3];
    memcpy(columns, relation.columns, sizeof columns);
    relation.columns = columns;
    for (size_t i = 0; i < 3; i++)
        columns[i].key = false;
    relation.replica_identity = 'd';
    assert_null(hub_row_new(&insert, core_slice_text("[1]"), false, &room));
    core_change truncate = {.op = CORE_OP_TRUNCATE, .relation = &relation};
    ws_row *all = hub_row_new(&truncate, core_slice_text("[1]"), false, &room);
    ws_row *one = row_of(&insert);
    assert_replaces(all, one, true);
    assert_replaces(one, all, false);
    ws_row_release(one);
    ws_row_release(all);
    core_buffer_fini(&room);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_key_tells_rows_apart),
        cmocka_unit_test(test_a_change_of_key),
        cmocka_unit_test(test_what_is_unchanged_is_missing),
        cmocka_unit_test(test_without_a_key_nothing_is_replaced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
