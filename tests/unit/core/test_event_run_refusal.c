/* What the run's reader refuses, where it says the fault is, and what the writer does at its
 * maximum. Messages are made byte by byte, or by protobuf-c where only their meaning is wrong. */
#include "core/core.h"
#include "core/event.pb-c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static core_arena arena;

/* ---- A good run to spoil ---- */

typedef struct {
    Walcast__V1__Run run;
    Walcast__V1__Relation relation;
    Walcast__V1__Column column;
    Walcast__V1__Transaction transaction;
    Walcast__V1__Row row;
    Walcast__V1__Tuple tuple;
    Walcast__V1__Value value;
    Walcast__V1__Column *columns[CORE_COLUMNS_MAX + 1];
    Walcast__V1__Transaction *transactions[2];
    Walcast__V1__Row *rows[2];
    Walcast__V1__Value *values[2];
} parts;

static parts *parts_new(void) {
    parts *p = calloc(1, sizeof *p);
    assert_non_null(p);
    walcast__v1__run__init(&p->run);
    walcast__v1__relation__init(&p->relation);
    walcast__v1__column__init(&p->column);
    walcast__v1__transaction__init(&p->transaction);
    walcast__v1__row__init(&p->row);
    walcast__v1__tuple__init(&p->tuple);
    walcast__v1__value__init(&p->value);
    p->run.version = CORE_RUN_VERSION;
    p->run.epoch = (char *)(uintptr_t) "e1";
    p->run.op = WALCAST__V1__OP__OP_INSERT;
    p->run.relation = &p->relation;
    p->run.n_rows = 1;
    p->run.rows = p->rows;
    p->rows[0] = p->rows[1] = &p->row;
    p->run.n_transactions = 1;
    p->run.transactions = p->transactions;
    p->transactions[0] = p->transactions[1] = &p->transaction;
    p->transaction.count = 1;
    p->relation.n_columns = 1;
    p->relation.columns = p->columns;
    for (size_t i = 0; i < CORE_COUNT_OF(p->columns); i++)
        p->columns[i] = &p->column;
    p->row.new_ = &p->tuple;
    p->tuple.n_values = 1;
    p->tuple.values = p->values;
    p->values[0] = p->values[1] = &p->value;
    p->value.kind_case = WALCAST__V1__VALUE__KIND_NULL;
    p->value.null = true;
    return p;
}

static bool decode(core_slice payload, core_error *error) {
    core_run run;
    core_arena_reset(&arena);
    return core_run_decode(payload, &arena, &run, error);
}

static bool parts_decode(const parts *p, core_error *error) {
    size_t size = walcast__v1__run__get_packed_size(&p->run);
    uint8_t *packed = malloc(size);
    assert_non_null(packed);
    walcast__v1__run__pack(&p->run, packed);
    bool ok = decode(core_slice_make(packed, size), error);
    free(packed);
    return ok;
}

/* Frees `p`. */
static void assert_refused(parts *p, const char *reason) {
    core_error error = {0};
    assert_false(parts_decode(p, &error));
    assert_int_equal(error.code, CORE_ERROR_INPUT);
    if (strstr(error.text, reason) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", error.text, reason);
    free(p);
}

/* ---- Meaning ---- */

static void the_unspoiled_run_is_good(void **state) {
    (void)state;
    parts *p = parts_new();
    core_error error = {0};
    assert_true(parts_decode(p, &error));
    free(p);
}

static void another_version_is_named(void **state) {
    (void)state;
    parts *p = parts_new();
    p->run.version = 2;
    assert_refused(p, "version 2, this Walcast reads version 1");
    p = parts_new();
    p->run.version = 0;
    assert_refused(p, "version 0");
}

static void heads_are_checked(void **state) {
    (void)state;
    static const char *const epochs[] = {"", "E", "a-b", "0123456789abcdefg"};
    for (size_t i = 0; i < CORE_COUNT_OF(epochs); i++) {
        parts *p = parts_new();
        p->run.epoch = (char *)(uintptr_t)epochs[i];
        assert_refused(p, "Run.epoch");
    }
    parts *p = parts_new();
    p->run.op = (Walcast__V1__Op)9;
    assert_refused(p, "Run.op");
    p = parts_new();
    p->run.op = WALCAST__V1__OP__OP_UNSPECIFIED;
    assert_refused(p, "Run.op");
    p = parts_new();
    p->run.op = (Walcast__V1__Op)-1;
    assert_refused(p, "Run.op");
    p = parts_new();
    p->run.relation = NULL;
    assert_refused(p, "has no relation");
    p = parts_new();
    p->run.n_rows = 0;
    assert_refused(p, "has no rows");
}

static void counts_must_add_up(void **state) {
    (void)state;
    parts *p = parts_new();
    p->run.n_rows = 2;
    assert_refused(p, "count other than its rows");
    p = parts_new();
    p->run.n_transactions = 2;
    assert_refused(p, "count other than its rows");
    p = parts_new();
    p->run.n_transactions = 0;
    assert_refused(p, "count other than its rows");
    p = parts_new();
    p->transaction.count = UINT32_MAX;
    assert_refused(p, "count other than its rows");
    p = parts_new();
    p->transaction.count = 0;
    assert_refused(p, "has no rows");
    p = parts_new();
    p->transaction.first_index = UINT64_MAX;
    assert_refused(p, "index too high");
}

static void tuples_fit_their_relation(void **state) {
    (void)state;
    parts *p = parts_new();
    p->tuple.n_values = 2;
    assert_refused(p, "more values than columns");
    p = parts_new();
    p->run.op = WALCAST__V1__OP__OP_MESSAGE;
    p->run.relation = NULL;
    assert_refused(p, "more values than columns");
    p = parts_new();
    p->value.kind_case = WALCAST__V1__VALUE__KIND__NOT_SET;
    assert_refused(p, "no known kind");
    p = parts_new();
    p->value.null = false;
    assert_refused(p, "no known kind");
    p = parts_new();
    p->row.old_kind = (Walcast__V1__OldKind)3;
    assert_refused(p, "old_kind");
    p = parts_new();
    p->row.old = &p->tuple;
    assert_refused(p, "old_kind");
}

static void relations_are_checked(void **state) {
    (void)state;
    parts *p = parts_new();
    p->relation.replica_identity = 0x80;
    assert_refused(p, "Relation has a number out of range");
    p = parts_new();
    p->column.typmod = INT32_MIN;
    core_error error = {0};
    assert_true(parts_decode(p, &error));
    free(p);
}

static void columns_have_a_maximum(void **state) {
    (void)state;
    core_error error = {0};
    parts *p = parts_new();
    p->relation.n_columns = CORE_COLUMNS_MAX;
    assert_true(parts_decode(p, &error));
    p->relation.n_columns++;
    assert_refused(p, "more columns than PostgreSQL allows");
}

static void an_arena_too_small_is_a_limit(void **state) {
    (void)state;
    parts *p = parts_new();
    p->relation.n_columns = CORE_COLUMNS_MAX;
    core_arena_fini(&arena);
    core_arena_init(&arena, 1024, 4096);
    core_error error = {0};
    assert_false(parts_decode(p, &error));
    assert_int_equal(error.code, CORE_ERROR_LIMIT);
    core_arena_fini(&arena);
    core_arena_init(&arena, 4096, 1u << 20);
    free(p);
}

/* ---- Bytes ---- */

#define HEAD                                                                                       \
    "\x08\x01\x12\x02"                                                                             \
    "e1\x18\x08"                 /* version 1, epoch e1, GAP */
#define SHARE "\x2a\x02\x30\x01" /* a transaction of one row */
#define ROW   "\x32\x00"         /* an empty row */

static void assert_bytes_refused(const char *bytes, size_t length, const char *place) {
    core_error error = {0};
    uint8_t *exact = malloc(length); /* a sanitizer sees a read past it */
    assert_non_null(exact);
    memcpy(exact, bytes, length);
    assert_false(decode(core_slice_make(exact, length), &error));
    assert_int_equal(error.code, CORE_ERROR_INPUT);
    if (strstr(error.text, place) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", error.text, place);
    free(exact);
}

#define assert_refused_at(bytes, place) assert_bytes_refused(bytes, sizeof(bytes) - 1, place)

static void malformed_bytes_are_refused_at_their_place(void **state) {
    (void)state;
    core_error error = {0};
    assert_true(decode(core_slice_make(HEAD ROW SHARE, sizeof(HEAD ROW SHARE) - 1), &error));
    assert_refused_at(HEAD ROW SHARE "\x32", "byte 14");         /* no length */
    assert_refused_at(HEAD ROW SHARE "\x32\x05\x0a", "byte 14"); /* longer than what is left */
    assert_refused_at(HEAD ROW SHARE "\x00\x01", "byte 14");     /* field 0 */
    assert_refused_at(HEAD ROW SHARE "\x7b\x7c", "byte 14");     /* a group */
    assert_refused_at(HEAD ROW SHARE "\x7e", "byte 14");         /* no such wire type */
    assert_refused_at(HEAD ROW SHARE "\xf8\xff\xff\xff\x1f\x01",
                      "byte 14");                                        /* a tag over 32 bits */
    assert_refused_at(HEAD ROW SHARE "\x30\x01", "byte 14");             /* rows as a number */
    assert_refused_at(HEAD ROW SHARE "\x79\x01\x02", "byte 14");         /* half a fixed64 */
    assert_refused_at(HEAD "\x32\x04\x0a\x02\x0a\x09" SHARE, "byte 12"); /* within a row's tuple */
    assert_refused_at(HEAD ROW "\x2a\x0b\x30\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
                      "byte 12"); /* a varint over 64 bits */
    assert_refused_at(HEAD ROW "\x2a\x06\x30\xff\xff\xff\xff\x1f", "over 32 bits");
    assert_refused_at(HEAD ROW SHARE "\x22\x00\x22\x00", "two relations");
    assert_false(decode(core_slice_make(NULL, 0), &error));
}

static void unknown_fields_are_skipped(void **state) {
    (void)state;
    static const char bytes[] = HEAD "\x78\xff\x01" /* 15: varint */
                                     "\x79"
                                     "abcdefgh" /* 15: fixed64 */
                                     "\x7d"
                                     "abcd"                       /* 15: fixed32 */
                                     "\xfa\xff\xff\xff\x0f\x01x"  /* the highest number */
                                     "\x32\x03\x7a\x01x"          /* in a row */
                                     "\x2a\x05\x30\x01\x7a\x01x"; /* in a share */
    core_error error = {0};
    if (!decode(core_slice_make(bytes, sizeof bytes - 1), &error))
        fail_msg("%s", error.text);
}

static void every_truncation_is_refused(void **state) {
    (void)state;
    static const char bytes[] = HEAD ROW SHARE;
    for (size_t length = 1; length < sizeof bytes - 1; length++)
        assert_bytes_refused(bytes, length, "run");
}

/* ---- The writer at its maximum ---- */

static core_change gap_change(core_slice content) {
    return (core_change){.op = CORE_OP_GAP, .message = {.content = content}};
}

static void a_full_run_refuses_and_can_be_closed(void **state) {
    (void)state;
    static const char content[100];
    core_change change = gap_change(core_slice_make(content, sizeof content));
    for (size_t max_bytes = 150; max_bytes < 800; max_bytes += 7) {
        core_run_writer writer;
        core_run_writer_init(&writer, max_bytes);
        core_run_open(&writer, "e1", CORE_OP_GAP, NULL);
        for (change.index = 0; core_run_append(&writer, &change); change.index++)
            assert_in_range(change.index, 0, 10);
        assert_false(core_run_append(&writer, &change));
        if (writer.rows == 0) {
            core_run_abandon(&writer);
            core_run_writer_fini(&writer);
            continue;
        }
        core_run_transaction_end(&writer, true);
        core_slice payload = core_run_close(&writer);
        core_error error = {0};
        assert_in_range(payload.length, 1, max_bytes);
        assert_true(decode(payload, &error));
        core_run_writer_fini(&writer);
    }
}

static void what_fits_is_never_refused(void **state) {
    (void)state;
    core_run_writer writer;
    core_change change = gap_change(core_slice_text("reason"));
    change.transaction.origin = core_slice_text("upstream");
    change.index = UINT32_MAX;
    size_t head = sizeof HEAD - 1;
    core_run_writer_init(&writer, head + 3 * core_run_change_size(&change));
    core_run_open(&writer, "e1", CORE_OP_GAP, NULL);
    for (size_t i = 0; i < 3; i++, change.index += 2) /* a share for each row */
        assert_true(core_run_append(&writer, &change));
    core_run_abandon(&writer);
    core_run_writer_fini(&writer);
}

static void a_head_that_does_not_fit_takes_no_row(void **state) {
    (void)state;
    core_run_writer writer;
    core_change change = gap_change(core_slice_text(""));
    core_run_writer_init(&writer, 4);
    core_run_open(&writer, "e1", CORE_OP_GAP, NULL);
    assert_false(core_run_append(&writer, &change));
    core_run_abandon(&writer);
    core_run_writer_fini(&writer);
}

/* The bytes of a whole run, by hand: what event.proto promises to readers in other languages. */
static void the_wire_form_is_this(void **state) {
    (void)state;
    static const char expected[] =
        "\x08\x01\x12\x02"
        "e1\x18\x01" /* version, epoch, op */
        "\x22\x1e\x08\x07\x12\x01s\x1a\x01t\x20"
        "d\x28\x01"                                              /* oid, schema, table, identity */
        "\x32\x10\x0a\x02id\x10\x14\x18\x01\x20\x01\x2a\x04int8" /* typmod -1 is zigzag 1 */
        "\x32\x18\x0a\x16"                                       /* row, its new tuple */
        "\x0a\x03\x0a\x01"
        "7"                    /* text 7 */
        "\x0a\x02\x0a\x00"     /* the empty text */
        "\x0a\x02\x18\x01"     /* null */
        "\x0a\x02\x20\x01"     /* unchanged */
        "\x0a\x03\x12\x01\x00" /* binary */
        "\x2a\x12\x08\xac\x02\x11\x02\x01\0\0\0\0\0\0\x28\x05\x30\x01\x38\x01";
    core_value values[] = {{.kind = CORE_VALUE_TEXT, .bytes = core_slice_text("7")},
                           {.kind = CORE_VALUE_TEXT, .bytes = core_slice_text("")},
                           {.kind = CORE_VALUE_NULL},
                           {.kind = CORE_VALUE_UNCHANGED},
                           {.kind = CORE_VALUE_BINARY, .bytes = core_slice_make("", 1)}};
    core_column column = {.name = core_slice_text("id"),
                          .type_name = core_slice_text("int8"),
                          .type_oid = 20,
                          .typmod = -1,
                          .key = true};
    core_relation relation = {.oid = 7,
                              .schema = core_slice_text("s"),
                              .table = core_slice_text("t"),
                              .replica_identity = 'd',
                              .version = 1,
                              .column_count = 1,
                              .columns = &column};
    core_change change = {.op = CORE_OP_INSERT,
                          .relation = &relation,
                          .transaction = {.xid = 300, .commit_lsn = 0x102},
                          .index = 5,
                          .new_tuple = {CORE_COUNT_OF(values), values}};
    core_run_writer writer;
    core_run_writer_init(&writer, 4096);
    core_run_open(&writer, "e1", CORE_OP_INSERT, &relation);
    assert_true(core_run_append(&writer, &change));
    core_run_transaction_end(&writer, true);
    core_slice payload = core_run_close(&writer);
    assert_int_equal(payload.length, sizeof expected - 1);
    assert_memory_equal(payload.data, expected, sizeof expected - 1);
    core_run_writer_fini(&writer);
}

static int arena_init(void **state) {
    (void)state;
    core_arena_init(&arena, 4096, 1u << 20);
    return 0;
}

static int arena_fini(void **state) {
    (void)state;
    core_arena_fini(&arena);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_unspoiled_run_is_good),
        cmocka_unit_test(another_version_is_named),
        cmocka_unit_test(heads_are_checked),
        cmocka_unit_test(counts_must_add_up),
        cmocka_unit_test(tuples_fit_their_relation),
        cmocka_unit_test(relations_are_checked),
        cmocka_unit_test(columns_have_a_maximum),
        cmocka_unit_test(an_arena_too_small_is_a_limit),
        cmocka_unit_test(malformed_bytes_are_refused_at_their_place),
        cmocka_unit_test(unknown_fields_are_skipped),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(a_full_run_refuses_and_can_be_closed),
        cmocka_unit_test(what_fits_is_never_refused),
        cmocka_unit_test(a_head_that_does_not_fit_takes_no_row),
        cmocka_unit_test(the_wire_form_is_this),
    };
    return cmocka_run_group_tests(tests, arena_init, arena_fini);
}
