/* A change as clients see it. */
#include "tests/unit/ws/hub_fixture.h"
#include "ws/change_json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define HEAD                                                                                       \
    "{\"schema\":\"public\",\"table\":\"todos\",\"commit_timestamp\":"                             \
    "\"2025-11-19T00:22:40.877Z\",\"type\":"
#define COLUMNS                                                                                    \
    ",\"columns\":[{\"name\":\"id\",\"type\":\"int8\"},{\"name\":\"name\",\"type\":\"text\"},"     \
    "{\"name\":\"price\",\"type\":\"numeric\"}]"
#define PLACE ",\"offset\":\"0123456789abcdef-7.2\"}"
#define TAIL  ",\"errors\":null" PLACE

static void assert_json(core_change *change, const ws_change_select *select, const char *expected) {
    static const ws_change_select all = {0};
    core_relation relation = fixture_relation("public", "todos");
    core_offset offset = {.epoch = "0123456789abcdef", .sequence = 7, .index = 2};
    core_buffer out;
    core_buffer_init(&out, 4096);
    change->relation = &relation;
    change->transaction.commit_time_us = 1763511760877123;
    ws_change_json(&out, change, &offset, select ? select : &all);
    core_buffer_u8(&out, '\0');
    assert_true(core_buffer_ok(&out));
    assert_string_equal((const char *)out.data, expected);
    core_buffer_fini(&out);
}

static void test_insert(void **state) {
    (void)state;
    core_value values[3];
    core_change change = {.op = CORE_OP_INSERT, .new_tuple = fixture_tuple(values, "1", "a", NULL)};
    assert_json(&change, NULL,
                HEAD "\"INSERT\"" COLUMNS
                     ",\"record\":{\"id\":1,\"name\":\"a\",\"price\":null}" TAIL);
}

/* A snapshot's row has no place in the stream. */
static void test_read(void **state) {
    (void)state;
    static const ws_change_select all = {0};
    core_value values[3];
    core_relation relation = fixture_relation("public", "todos");
    core_change change = {.op = CORE_OP_READ,
                          .relation = &relation,
                          .transaction = {.commit_time_us = 1763511760877123},
                          .new_tuple = fixture_tuple(values, "1", "a", NULL)};
    core_buffer out;
    core_buffer_init(&out, 4096);
    ws_change_json(&out, &change, NULL, &all);
    core_buffer_u8(&out, '\0');
    assert_string_equal((const char *)out.data, HEAD
                        "\"READ\"" COLUMNS
                        ",\"record\":{\"id\":1,\"name\":\"a\",\"price\":null},\"errors\":null}");
    core_buffer_fini(&out);
}

static void test_update(void **state) {
    (void)state;
    core_value values[3], old[3];
    core_change change = {.op = CORE_OP_UPDATE,
                          .new_tuple = fixture_tuple(values, "1", "a", "2.50")};
    values[1] = (core_value){.kind = CORE_VALUE_UNCHANGED};
    assert_json(&change, NULL,
                HEAD "\"UPDATE\"" COLUMNS ",\"record\":{\"id\":1,\"price\":2.50},\"unchanged\":["
                     "\"name\"],\"old_record\":{\"id\":1}" TAIL);
    change.old_kind = CORE_OLD_KEY; /* the key has changed */
    change.old_tuple = fixture_tuple(old, "9", NULL, NULL);
    assert_json(&change, NULL,
                HEAD "\"UPDATE\"" COLUMNS ",\"record\":{\"id\":1,\"price\":2.50},\"unchanged\":["
                     "\"name\"],\"old_record\":{\"id\":9}" TAIL);
    change.old_kind = CORE_OLD_FULL;
    assert_json(&change, NULL,
                HEAD "\"UPDATE\"" COLUMNS
                     ",\"record\":{\"id\":1,\"price\":2.50},\"unchanged\":[\"name\"],"
                     "\"old_record\":{\"id\":9,\"name\":null,\"price\":null}" TAIL);
}

static void test_delete_and_truncate(void **state) {
    (void)state;
    core_value old[3];
    core_change change = {.op = CORE_OP_DELETE,
                          .old_kind = CORE_OLD_KEY,
                          .old_tuple = fixture_tuple(old, "9", NULL, NULL)};
    assert_json(&change, NULL, HEAD "\"DELETE\"" COLUMNS ",\"old_record\":{\"id\":9}" TAIL);
    core_change truncate = {.op = CORE_OP_TRUNCATE};
    assert_json(&truncate, NULL, HEAD "\"TRUNCATE\"" COLUMNS TAIL);
}

static void test_select_keeps_the_key(void **state) {
    (void)state;
    core_value values[3];
    core_slice columns[] = {core_slice_text("price")};
    ws_change_select select = {.columns = columns, .count = 1};
    core_change change = {.op = CORE_OP_INSERT, .new_tuple = fixture_tuple(values, "1", "a", "3")};
    assert_json(&change, &select,
                HEAD "\"INSERT\",\"columns\":[{\"name\":\"id\",\"type\":\"int8\"},{\"name\":"
                     "\"price\",\"type\":\"numeric\"}],\"record\":{\"id\":1,\"price\":3}" TAIL);
}

static void test_what_is_too_large_is_told_in_brief(void **state) {
    (void)state;
    core_value values[3];
    char name[WS_CHANGE_BRIEF_BYTES + 2];
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    ws_change_select select = {.brief = true};
    core_change change = {.op = CORE_OP_INSERT, .new_tuple = fixture_tuple(values, "1", name, "3")};
    assert_json(&change, &select,
                HEAD "\"INSERT\"" COLUMNS
                     ",\"record\":{\"id\":1,\"price\":3},\"omitted\":[\"name\"]"
                     ",\"errors\":[\"Error 413: Payload Too Large\"]" PLACE);
    values[1] = fixture_value("short");
    assert_json(&change, &select,
                HEAD "\"INSERT\"" COLUMNS ",\"record\":{\"id\":1,\"name\":\"short\",\"price\":3}"
                     ",\"errors\":[\"Error 413: Payload Too Large\"]" PLACE);
}

static void test_a_leave_has_the_old_row_only(void **state) {
    (void)state;
    core_value old[3], values[3];
    ws_change_select select = {.left = true};
    core_change change = {.op = CORE_OP_UPDATE,
                          .old_kind = CORE_OLD_FULL,
                          .old_tuple = fixture_tuple(old, "1", "a", "2"),
                          .new_tuple = fixture_tuple(values, "1", "hidden", "3")};
    assert_json(&change, &select,
                HEAD "\"LEAVE\"" COLUMNS
                     ",\"old_record\":{\"id\":1,\"name\":\"a\",\"price\":2}" TAIL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_insert),
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_update),
        cmocka_unit_test(test_delete_and_truncate),
        cmocka_unit_test(test_select_keeps_the_key),
        cmocka_unit_test(test_what_is_too_large_is_told_in_brief),
        cmocka_unit_test(test_a_leave_has_the_old_row_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
