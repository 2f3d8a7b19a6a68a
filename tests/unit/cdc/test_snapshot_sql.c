/* The statements that read a piece of a table, to the letter. */
#include "cdc/snapshot_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define TEXT(text)                                                                                 \
    { .data = (const uint8_t *)(text), .length = sizeof(text) - 1 }

static const core_column columns[] = {
    {.name = TEXT("a\"b")}, {.name = TEXT("C")}, {.name = TEXT("v")}};
static const cdc_snapshot_column plain[] = {
    {.type_sql = TEXT("text"), .operator_schema = TEXT("pg_catalog"), .has_binary = true},
    {.type_sql = TEXT("integer"), .operator_schema = TEXT("pg_catalog"), .has_binary = true},
    {.type_sql = TEXT("integer"), .operator_schema = TEXT("pg_catalog")},
};
static const cdc_snapshot_column foreign[] = {
    {.type_sql = TEXT("\"e\".citext"), .operator_schema = TEXT("e"), .has_binary = true},
    {.type_sql = TEXT("integer"), .operator_schema = TEXT("pg_catalog"), .has_binary = true},
    {.type_sql = TEXT("integer"), .operator_schema = TEXT("pg_catalog")},
};

static cdc_snapshot_table table_of(const cdc_snapshot_column *more, cdc_snapshot_rows rows,
                                   uint16_t key_count) {
    return (cdc_snapshot_table){.relation = {.schema = core_slice_text("s"),
                                             .table = core_slice_text("T"),
                                             .column_count = 3,
                                             .columns = columns},
                                .columns = more,
                                .rows = rows,
                                .key_count = key_count,
                                .key = {1, 0}};
}

#define FROM "COPY (SELECT t.\"a\"\"b\", t.\"C\", t.\"v\" FROM ONLY \"s\".\"T\" AS t WHERE true"

static void assert_copy(const cdc_snapshot_table *table, const cdc_snapshot_piece *piece,
                        const char *expected) {
    core_buffer sql;
    core_buffer_init(&sql, 4096);
    cdc_snapshot_copy_sql(table, piece, &sql);
    assert_true(core_buffer_ok(&sql));
    assert_string_equal((const char *)sql.data, expected);
    core_buffer_fini(&sql);
}

static void a_key_of_one_column(void **state) {
    (void)state;
    cdc_snapshot_table table = table_of(plain, CDC_ROWS_KEYED, 1);
    const core_slice after[] = {core_slice_text("5")};
    const core_slice up_to[] = {core_slice_text("o'k")};
    assert_copy(&table, &(cdc_snapshot_piece){.limit = 9},
                FROM " ORDER BY t.\"C\" LIMIT 9) TO STDOUT");
    assert_copy(&table, &(cdc_snapshot_piece){.after = after, .up_to = up_to, .limit = 9},
                FROM " AND t.\"C\" > '5'::integer AND t.\"C\" <= 'o''k'::integer ORDER BY t.\"C\""
                     " LIMIT 9) TO STDOUT");
}

static void a_key_of_two_columns_is_one_row_comparison(void **state) {
    (void)state;
    cdc_snapshot_table table = table_of(plain, CDC_ROWS_KEYED, 2);
    const core_slice after[] = {core_slice_text("5"), core_slice_text("x")};
    assert_copy(&table, &(cdc_snapshot_piece){.after = after, .up_to = after, .limit = 1},
                FROM " AND (t.\"C\", t.\"a\"\"b\") > ('5'::integer, 'x'::text) AND (t.\"C\","
                     " t.\"a\"\"b\") <= ('5'::integer, 'x'::text) ORDER BY t.\"C\", t.\"a\"\"b\""
                     " LIMIT 1) TO STDOUT");
}

static void operators_outside_pg_catalog_are_named(void **state) {
    (void)state;
    cdc_snapshot_table table = table_of(foreign, CDC_ROWS_KEYED, 2);
    const core_slice after[] = {core_slice_text("5"), core_slice_text("x")};
    assert_copy(&table, &(cdc_snapshot_piece){.after = after, .up_to = after, .limit = 1},
                FROM " AND t.\"C\" >= '5'::integer AND (t.\"C\" > '5'::integer OR (t.\"C\" ="
                     " '5'::integer AND (t.\"a\"\"b\" OPERATOR(\"e\".>) 'x'::\"e\".citext)))"
                     " AND t.\"C\" <= '5'::integer AND NOT (t.\"C\" > '5'::integer OR (t.\"C\" ="
                     " '5'::integer AND (t.\"a\"\"b\" OPERATOR(\"e\".>) 'x'::\"e\".citext)))"
                     " ORDER BY t.\"C\", t.\"a\"\"b\" LIMIT 1) TO STDOUT");
}

static void certain_keys_only(void **state) {
    (void)state;
    cdc_snapshot_table table = table_of(plain, CDC_ROWS_KEYED, 2);
    const core_slice only[] = {core_slice_text("1"), core_slice_text("a"), core_slice_text("2"),
                               core_slice_text("b\\")};
    assert_copy(&table, &(cdc_snapshot_piece){.only = only, .only_count = 2},
                FROM " AND (false OR (t.\"C\" = '1'::integer AND t.\"a\"\"b\" = 'a'::text) OR"
                     " (t.\"C\" = '2'::integer AND t.\"a\"\"b\" =  E'b\\\\'::text))) TO STDOUT");
}

static void binary_with_text_where_there_is_no_other(void **state) {
    (void)state;
    cdc_snapshot_table table = table_of(plain, CDC_ROWS_KEYED, 1);
    table.is_root = true;
    assert_copy(&table, &(cdc_snapshot_piece){.format = CDC_FORMAT_BINARY, .limit = 2},
                "COPY (SELECT t.\"a\"\"b\", t.\"C\", t.\"v\"::text, t.\"C\"::text FROM"
                " \"s\".\"T\" AS t WHERE true ORDER BY t.\"C\" LIMIT 2) TO STDOUT (FORMAT binary)");
}

static void conditions_are_enclosed(void **state) {
    (void)state;
    cdc_snapshot_table table = table_of(plain, CDC_ROWS_KEYED, 1);
    table.filter = core_slice_text("v > 1");
    assert_copy(&table, &(cdc_snapshot_piece){.filter = core_slice_text("a OR b -- c"), .limit = 1},
                FROM " AND (v > 1\n) AND (a OR b -- c\n) ORDER BY t.\"C\" LIMIT 1) TO STDOUT");
}

/* Blocks, without rows of transactions that came later. */
static void without_a_key(void **state) {
    (void)state;
    cdc_snapshot_table table = table_of(plain, CDC_ROWS_INSERTS, 0);
    const core_slice after[] = {core_slice_text("(3,65535)")};
    assert_copy(
        &table,
        &(cdc_snapshot_piece){.after = after,
                              .low = core_slice_text("8589934600:8589934605:8589934602")},
        "COPY (SELECT t.\"a\"\"b\", t.\"C\", t.\"v\", t.ctid::text FROM ONLY \"s\".\"T\" AS t WHERE"
        " true AND t.ctid > '(3,65535)'::pg_catalog.tid AND (t.xmin::text::int8 < 3 OR"
        " ((t.xmin::text::int8 - 13::int8 + 6442450944) % 4294967296 - 2147483648) < 0) AND"
        " t.xmin::text <> ALL ('{10}'::text[])) TO STDOUT");
}

static void planning(void **state) {
    (void)state;
    cdc_snapshot_table table = table_of(plain, CDC_ROWS_KEYED, 2);
    core_buffer sql;
    table.expected_rows = 1000000;
    table.blocks = 100000;
    core_buffer_init(&sql, 4096);
    cdc_snapshot_end_sql(&table, &sql);
    assert_string_equal((const char *)sql.data,
                        "SELECT t.\"C\"::text, t.\"a\"\"b\"::text FROM ONLY \"s\".\"T\" AS t ORDER"
                        " BY t.\"C\" DESC, t.\"a\"\"b\" DESC LIMIT 1");
    core_buffer_reset(&sql);
    cdc_snapshot_lock_sql(&table, &sql);
    assert_string_equal((const char *)sql.data, "LOCK TABLE ONLY \"s\".\"T\" IN ACCESS SHARE MODE");
    core_buffer_reset(&sql);
    cdc_snapshot_sample_sql(&table, 10, &sql);
    assert_non_null(strstr((const char *)sql.data, "TABLESAMPLE SYSTEM (0.100000)"));
    core_buffer_reset(&sql);
    table.blocks = 6400; /* 6.4 blocks hold as many rows, and so few may be none */
    cdc_snapshot_sample_sql(&table, 10, &sql);
    assert_non_null(strstr((const char *)sql.data, "TABLESAMPLE SYSTEM (1.000000)"));
    core_buffer_reset(&sql);
    table.blocks = 0; /* a partitioned one */
    cdc_snapshot_sample_sql(&table, 10, &sql);
    assert_non_null(strstr((const char *)sql.data, "TABLESAMPLE SYSTEM (0.409600)"));
    core_buffer_reset(&sql);
    cdc_snapshot_filter_sql(&table, core_slice_text("true) --"), &sql);
    assert_string_equal((const char *)sql.data, "SELECT $1::text FROM ONLY \"s\".\"T\" AS t WHERE"
                                                " true AND (true) --\n) LIMIT 0");
    core_buffer_fini(&sql);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_of_one_column),
        cmocka_unit_test(a_key_of_two_columns_is_one_row_comparison),
        cmocka_unit_test(operators_outside_pg_catalog_are_named),
        cmocka_unit_test(certain_keys_only),
        cmocka_unit_test(binary_with_text_where_there_is_no_other),
        cmocka_unit_test(conditions_are_enclosed),
        cmocka_unit_test(without_a_key),
        cmocka_unit_test(planning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
