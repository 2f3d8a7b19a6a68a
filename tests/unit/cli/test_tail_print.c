/* Stored messages as lines: what each operation shows, and what is left out. */
#include "cli/tail.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define EPOCH "0123456789abcdef"

static const core_column columns[] = {
    {.name = {(const uint8_t *)"id", 2}, .type_oid = 20, .key = true},
    {.name = {(const uint8_t *)"note", 4}, .type_oid = 25},
};
static const core_relation relation = {
    .oid = 1,
    .schema = {(const uint8_t *)"My Schema", 9},
    .table = {(const uint8_t *)"T.x", 3},
    .replica_identity = 'd',
    .version = 1,
    .column_count = 2,
    .columns = columns,
};

static core_value text_value(const char *text) {
    return (core_value){.kind = CORE_VALUE_TEXT, .bytes = core_slice_text(text)};
}

/* Prints a run of `count` changes, each a transaction of its own. */
static void print_run(tail_printer *printer, const core_change *changes, size_t count) {
    core_run_writer writer;
    core_error error;
    core_run_writer_init(&writer, 1 << 16);
    core_run_open(&writer, EPOCH, changes[0].op, changes[0].relation);
    for (size_t i = 0; i < count; i++) {
        assert_true(core_run_append(&writer, &changes[i]));
        core_run_transaction_end(&writer, true);
    }
    if (!tail_print_message(printer, core_run_close(&writer), 7, &error))
        fail_msg("%s", error.text);
    core_run_writer_fini(&writer);
}

static void assert_lines(tail_printer *printer, const char *expected) {
    core_buffer_u8(&printer->out, '\0');
    assert_string_equal((const char *)printer->out.data, expected);
    core_buffer_reset(&printer->out);
}

static const core_transaction transaction = {.xid = 771,
                                             .commit_lsn = UINT64_C(0x1016B3748),
                                             .end_lsn = UINT64_C(0x1016B3778),
                                             .commit_time_us = INT64_C(1763511760877000)};

#define LINE_HEAD "{\"offset\":\"" EPOCH "-7.0\",\"lsn\":\"1/16B3748\",\"xid\":771,\"op\":"
#define LINE_TAIL "\"commit_timestamp\":\"2025-11-19T00:22:40.877Z\",\"index\":0,\"last\":true"

static void each_operation_has_the_same_members(void **state) {
    (void)state;
    tail_place place = {.kind = TAIL_FIRST};
    tail_printer printer;
    tail_printer_init(&printer, true, NULL, &place);
    core_value new_values[] = {text_value("9007199254740993"), {.kind = CORE_VALUE_UNCHANGED}};
    core_value old_values[] = {text_value("5"), {.kind = CORE_VALUE_NULL}};
    core_change change = {.op = CORE_OP_UPDATE,
                          .relation = &relation,
                          .transaction = transaction,
                          .last = true,
                          .old_kind = CORE_OLD_KEY,
                          .old_tuple = {.count = 2, .values = old_values},
                          .new_tuple = {.count = 2, .values = new_values}};
    print_run(&printer, &change, 1);
    assert_lines(&printer,
                 LINE_HEAD "\"UPDATE\",\"schema\":\"My Schema\",\"table\":\"T.x\","
                           "\"record\":{\"id\":9007199254740993},"
                           "\"old_record\":{\"id\":5}," LINE_TAIL ",\"unchanged\":[\"note\"]}\n");
    change.op = CORE_OP_DELETE;
    change.old_kind = CORE_OLD_FULL;
    change.new_tuple.count = 0;
    print_run(&printer, &change, 1);
    assert_lines(&printer, LINE_HEAD
                 "\"DELETE\",\"schema\":\"My Schema\",\"table\":\"T.x\","
                 "\"record\":null,\"old_record\":{\"id\":5,\"note\":null}," LINE_TAIL "}\n");
    change = (core_change){.op = CORE_OP_TRUNCATE,
                           .relation = &relation,
                           .transaction = transaction,
                           .last = true,
                           .truncate_flags = CORE_TRUNCATE_CASCADE};
    print_run(&printer, &change, 1);
    assert_lines(&printer, LINE_HEAD "\"TRUNCATE\",\"schema\":\"My Schema\",\"table\":\"T.x\","
                                     "\"record\":null,\"old_record\":null," LINE_TAIL
                                     ",\"cascade\":true,\"restart_identity\":false}\n");
    change = (core_change){.op = CORE_OP_MESSAGE,
                           .transaction = transaction,
                           .last = true,
                           .message = {.prefix = core_slice_text("outbox"),
                                       .content = core_slice_text("a\"b"),
                                       .lsn = 1,
                                       .transactional = true}};
    print_run(&printer, &change, 1);
    assert_lines(&printer, LINE_HEAD "\"MESSAGE\",\"schema\":null,\"table\":null,"
                                     "\"record\":null,\"old_record\":null," LINE_TAIL
                                     ",\"message\":{\"prefix\":\"outbox\",\"transactional\":true,"
                                     "\"content\":\"a\\\"b\"}}\n");
    change.message.content = core_slice_text("\xff\x01");
    print_run(&printer, &change, 1);
    core_buffer_u8(&printer.out, '\0');
    assert_non_null(strstr((const char *)printer.out.data,
                           "\"transactional\":true,\"content_hex\":\"ff01\"}}\n"));
    tail_printer_fini(&printer);
}

/* A gap concerns every table, so who asked for one sees it too. */
static void a_gap_is_shown_whatever_was_asked_for(void **state) {
    (void)state;
    tail_place place = {.kind = TAIL_LSN, .lsn = 5000};
    tail_table table = {.schema = "public", .table = "todos"};
    core_change gap = {.op = CORE_OP_GAP,
                       .transaction = {.end_lsn = 0x10, .commit_time_us = 1700000000000000},
                       .last = true,
                       .message = {.prefix = core_slice_text("walcast.gap"),
                                   .content = core_slice_text("{\"reason\":\"slot_lost\"}"),
                                   .lsn = 0x10}};
    for (int json = 0; json < 2; json++) {
        tail_printer printer;
        tail_printer_init(&printer, json != 0, &table, &place);
        print_run(&printer, &gap, 1);
        core_buffer_u8(&printer.out, '\0');
        const char *line = (const char *)printer.out.data;
        assert_non_null(strstr(line, json != 0 ? "\"op\":\"GAP\",\"schema\":null" : " GAP {"));
        assert_non_null(strstr(line, "\"prefix\":\"walcast.gap\",\"transactional\":false,"
                                     "\"content\":\"{\\\"reason\\\":\\\"slot_lost\\\"}\"}"));
        tail_printer_fini(&printer);
    }
}

static void people_get_one_readable_line(void **state) {
    (void)state;
    tail_place place = {.kind = TAIL_FIRST};
    tail_printer printer;
    tail_printer_init(&printer, false, NULL, &place);
    core_value values[] = {text_value("1"), text_value("x")};
    core_value old_values[] = {text_value("2"), text_value("y")};
    core_change change = {.op = CORE_OP_UPDATE,
                          .relation = &relation,
                          .transaction = transaction,
                          .last = true,
                          .old_kind = CORE_OLD_FULL,
                          .old_tuple = {.count = 2, .values = old_values},
                          .new_tuple = {.count = 2, .values = values}};
    print_run(&printer, &change, 1);
    assert_lines(&printer, "2025-11-19T00:22:40.877Z " EPOCH "-7.0 1/16B3748 771 UPDATE "
                           "My Schema.T.x {\"id\":1,\"note\":\"x\"} was "
                           "{\"id\":2,\"note\":\"y\"}\n");
    tail_printer_fini(&printer);
}

/* A shape's first description only by choice, a changed one always. */
static void shapes_are_told(void **state) {
    (void)state;
    tail_place place = {.kind = TAIL_FIRST};
    tail_printer printer;
    tail_printer_init(&printer, true, NULL, &place);
    core_change change = {.op = CORE_OP_SCHEMA,
                          .relation = &relation,
                          .transaction = transaction,
                          .message = {.prefix = core_slice_text("first"),
                                      .content = core_slice_text("{\"version\":1}"),
                                      .transactional = true}};
    print_run(&printer, &change, 1);
    assert_lines(&printer, "");
    static const char *const line =
        "\"SCHEMA\",\"schema\":\"My Schema\",\"table\":\"T.x\",\"record\":null,"
        "\"old_record\":null,\"commit_timestamp\":\"2025-11-19T00:22:40.877Z\",\"index\":0,"
        "\"last\":true,\"shape\":{\"version\":1}}\n";
    char expected[512];
    (void)snprintf(expected, sizeof expected, "%s%s", LINE_HEAD, line);
    printer.shapes = true;
    print_run(&printer, &change, 1);
    assert_lines(&printer, expected);
    printer.shapes = false;
    change.message.prefix = core_slice_text("changed");
    print_run(&printer, &change, 1);
    assert_lines(&printer, expected);
    printer.json = false;
    print_run(&printer, &change, 1);
    assert_lines(&printer, "2025-11-19T00:22:40.877Z " EPOCH "-7.0 1/16B3748 771 SCHEMA "
                           "My Schema.T.x {\"version\":1}\n");
    tail_printer_fini(&printer);
}

static size_t lines_of(tail_printer *printer) {
    core_value values[] = {text_value("1"), text_value("x")};
    core_change changes[3];
    for (size_t i = 0; i < CORE_COUNT_OF(changes); i++) {
        changes[i] = (core_change){.op = CORE_OP_INSERT,
                                   .relation = &relation,
                                   .transaction = transaction,
                                   .last = true,
                                   .new_tuple = {.count = 2, .values = values}};
        changes[i].transaction.commit_lsn += i * 16;
        changes[i].transaction.commit_time_us += (int64_t)i * 1000;
    }
    print_run(printer, changes, CORE_COUNT_OF(changes));
    size_t lines = 0;
    for (size_t i = 0; i < printer->out.length; i++)
        lines += printer->out.data[i] == '\n' ? 1 : 0;
    return lines;
}

static size_t lines_shown(const tail_table *table, tail_place place) {
    tail_printer printer;
    tail_printer_init(&printer, true, table, &place);
    size_t lines = lines_of(&printer);
    tail_printer_fini(&printer);
    return lines;
}

static void what_was_not_asked_for_is_left_out(void **state) {
    (void)state;
    const tail_place first = {.kind = TAIL_FIRST};
    const core_lsn lsn = transaction.commit_lsn;
    assert_int_equal(lines_shown(NULL, first), 3);
    assert_int_equal(lines_shown(&(tail_table){"My Schema", "T.x"}, first), 3);
    assert_int_equal(lines_shown(&(tail_table){"my schema", "T.x"}, first), 0);
    assert_int_equal(lines_shown(&(tail_table){"My Schema", "T"}, first), 0);
    assert_int_equal(lines_shown(NULL, (tail_place){.kind = TAIL_LSN, .lsn = lsn + 1}), 2);
    assert_int_equal(lines_shown(NULL, (tail_place){.kind = TAIL_LSN, .lsn = lsn + 16}), 2);
    assert_int_equal(lines_shown(NULL, (tail_place){.kind = TAIL_LSN, .lsn = lsn + 33}), 0);
    const int64_t time_us = transaction.commit_time_us;
    assert_int_equal(lines_shown(NULL, (tail_place){.kind = TAIL_TIME, .time_us = time_us}), 3);
    assert_int_equal(lines_shown(NULL, (tail_place){.kind = TAIL_TIME, .time_us = time_us + 1}), 2);
}

static void a_message_that_is_no_run_is_refused(void **state) {
    (void)state;
    tail_place place = {.kind = TAIL_FIRST};
    tail_printer printer;
    core_error error;
    tail_printer_init(&printer, true, NULL, &place);
    assert_false(tail_print_message(&printer, core_slice_text("garbage"), 12, &error));
    assert_non_null(strstr(error.text, "stream sequence 12"));
    tail_printer_fini(&printer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_operation_has_the_same_members),
        cmocka_unit_test(a_gap_is_shown_whatever_was_asked_for),
        cmocka_unit_test(people_get_one_readable_line),
        cmocka_unit_test(shapes_are_told),
        cmocka_unit_test(what_was_not_asked_for_is_left_out),
        cmocka_unit_test(a_message_that_is_no_run_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
