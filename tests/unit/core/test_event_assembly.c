/* Rows split over several messages: what was cut comes together again, byte for byte, whatever
 * happened to the writer and wherever the reader began. */
#include "core/core.h"
#include "core/event.pb-c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { PARTS = 5, CHUNK = 100, MESSAGE_MAX = 1024 };

typedef struct {
    core_assembly assembly;
    uint8_t bytes[PARTS * CHUNK];
    core_run_writer writer;
    core_error error;
    core_slice whole;
} fixture;

static int setup(void **state) {
    fixture *it = calloc(1, sizeof *it);
    if (it == NULL)
        return 1;
    for (size_t i = 0; i < sizeof it->bytes; i++)
        it->bytes[i] = (uint8_t)(i * 7 + i / 256);
    core_assembly_init(&it->assembly, sizeof it->bytes);
    core_run_writer_init(&it->writer, MESSAGE_MAX);
    *state = it;
    return 0;
}

static int teardown(void **state) {
    fixture *it = *state;
    core_assembly_fini(&it->assembly);
    core_run_writer_fini(&it->writer);
    free(it);
    return 0;
}

/* The message of one part of the row with this index. */
static core_slice part_make(fixture *it, uint64_t row, uint32_t index) {
    core_change change = {
        .op = CORE_OP_INSERT, .transaction = {.xid = 7, .commit_lsn = 100}, .index = row};
    core_part part = {
        .index = index,
        .count = PARTS,
        .total_bytes = sizeof it->bytes,
        .chunk = core_slice_make(it->bytes + (size_t)index * CHUNK, CHUNK),
    };
    core_run_open(&it->writer, "0k3xw2", CORE_OP_INSERT, NULL);
    assert_true(core_run_append_part(&it->writer, &change, &part));
    core_run_transaction_end(&it->writer, index + 1 == PARTS);
    return core_run_close(&it->writer);
}

static core_assembly_result part_feed(fixture *it, uint64_t row, uint32_t index,
                                      uint64_t sequence) {
    return core_assembly_feed(&it->assembly, part_make(it, row, index), sequence, &it->whole,
                              &it->error);
}

static void parts_feed(fixture *it, uint64_t row, uint32_t from, uint32_t to, uint64_t sequence) {
    for (uint32_t i = from; i < to; i++)
        assert_int_equal(part_feed(it, row, i, sequence + i - from), CORE_ASSEMBLY_MORE);
}

static void last_feed(fixture *it, uint64_t row, uint64_t sequence) {
    assert_int_equal(part_feed(it, row, PARTS - 1, sequence), CORE_ASSEMBLY_WHOLE);
    assert_int_equal(it->whole.length, sizeof it->bytes);
    assert_memory_equal(it->whole.data, it->bytes, sizeof it->bytes);
}

static core_slice plain_make(fixture *it) {
    core_change change = {.op = CORE_OP_MESSAGE, .transaction = {.commit_lsn = 300}};
    core_run_open(&it->writer, "0k3xw2", CORE_OP_MESSAGE, NULL);
    assert_true(core_run_append(&it->writer, &change));
    core_run_transaction_end(&it->writer, true);
    return core_run_close(&it->writer);
}

static void plain_feed(fixture *it, uint64_t sequence) {
    core_slice plain = plain_make(it);
    assert_int_equal(core_assembly_feed(&it->assembly, plain, sequence, &it->whole, &it->error),
                     CORE_ASSEMBLY_WHOLE);
    assert_ptr_equal(it->whole.data, plain.data);
}

/* ---- Tests ---- */

static void parts_become_the_row(void **state) {
    fixture *it = *state;
    plain_feed(it, 1);
    parts_feed(it, 0, 0, PARTS - 1, 2);
    last_feed(it, 0, 2 + PARTS - 1);
    plain_feed(it, 2 + PARTS);
    assert_null(it->assembly.bytes.data); /* a large row's memory is not kept */
}

/* The writer was killed between any two parts and began the row again. */
static void a_row_begun_again_comes_once(void **state) {
    fixture *it = *state;
    uint64_t sequence = 1;
    for (uint32_t killed_at = 1; killed_at < PARTS; killed_at++) {
        parts_feed(it, killed_at, 0, killed_at, sequence);
        sequence += killed_at;
        parts_feed(it, killed_at, 0, PARTS - 1, sequence);
        sequence += PARTS - 1;
        last_feed(it, killed_at, sequence++);
    }
}

static void a_row_given_up_for_another_message_is_dropped(void **state) {
    fixture *it = *state;
    parts_feed(it, 0, 0, 3, 1);
    plain_feed(it, 4);
    assert_int_equal(part_feed(it, 0, 3, 5), CORE_ASSEMBLY_REFUSED);
}

static void a_reader_that_begins_within_a_row_skips_it(void **state) {
    fixture *it = *state;
    parts_feed(it, 0, 2, PARTS, 12); /* the last one gives nothing either */
    parts_feed(it, 1, 0, PARTS - 1, 20);
    last_feed(it, 1, 20 + PARTS - 1);
}

static void what_does_not_follow_is_refused(void **state) {
    fixture *it = *state;
    parts_feed(it, 0, 0, 2, 1);
    assert_int_equal(part_feed(it, 0, 2, 4), CORE_ASSEMBLY_REFUSED); /* a sequence is missing */
    assert_int_equal(it->error.code, CORE_ERROR_INPUT);
    parts_feed(it, 0, 0, 2, 10);
    assert_int_equal(part_feed(it, 1, 2, 12), CORE_ASSEMBLY_REFUSED); /* another row's */
    parts_feed(it, 0, 0, 2, 20);
    assert_int_equal(part_feed(it, 0, 3, 22), CORE_ASSEMBLY_REFUSED);
    assert_non_null(strstr(it->error.text, "stream sequence 22: part 3 of 5"));
}

static void a_row_beyond_the_maximum_is_refused_once(void **state) {
    fixture *it = *state;
    core_assembly_fini(&it->assembly);
    core_assembly_init(&it->assembly, sizeof it->bytes - 1);
    assert_int_equal(part_feed(it, 0, 0, 1), CORE_ASSEMBLY_REFUSED);
    assert_int_equal(it->error.code, CORE_ERROR_LIMIT);
    assert_non_null(strstr(it->error.text, "cdc.max_row_bytes"));
    parts_feed(it, 0, 1, PARTS, 2); /* the rest is skipped */
    plain_feed(it, 9);
}

static void the_rows_first_message_is_found_from_any_part(void **state) {
    fixture *it = *state;
    bool ends;
    for (uint32_t i = 0; i < PARTS; i++) {
        assert_int_equal(core_assembly_first(part_make(it, 0, i), 40 + i, &ends), 40);
        assert_int_equal(ends, i == PARTS - 1);
    }
    assert_int_equal(core_assembly_first(plain_make(it), 7, &ends), 7);
    assert_true(ends);
}

/* Other languages read it by event.proto. */
static void a_part_is_what_the_schema_says(void **state) {
    fixture *it = *state;
    core_slice message = part_make(it, 9, 2);
    Walcast__V1__Run *run = walcast__v1__run__unpack(NULL, message.length, message.data);
    assert_non_null(run);
    assert_int_equal(run->n_rows, 0);
    assert_null(run->relation);
    assert_int_equal(run->part->index, 2);
    assert_int_equal(run->part->count, PARTS);
    assert_int_equal(run->part->total_bytes, sizeof it->bytes);
    assert_int_equal(run->part->chunk.len, CHUNK);
    assert_memory_equal(run->part->chunk.data, it->bytes + 2 * CHUNK, CHUNK);
    assert_int_equal(run->n_transactions, 1);
    assert_int_equal(run->transactions[0]->first_index, 9);
    assert_int_equal(run->transactions[0]->commit_lsn, 100);
    assert_false(run->transactions[0]->last);
    walcast__v1__run__free_unpacked(run, NULL);
}

/* Until the last part the row is not held: a restart must send it again. */
static void only_the_last_part_holds_the_row(void **state) {
    fixture *it = *state;
    core_run run;
    for (uint32_t i = 0; i < PARTS; i++) {
        assert_true(core_run_decode(part_make(it, 9, i), NULL, &run, &it->error));
        assert_true(run.is_part);
        assert_int_equal(run.last_index, 9);
        assert_int_equal(core_run_holds_last(&run), i == PARTS - 1);
        assert_int_equal(run.last_complete, i == PARTS - 1);
    }
}

static void malformed_parts_are_refused(void **state) {
    fixture *it = *state;
    core_run run;
    core_part part = {.index = 5, .count = 5, .total_bytes = 1, .chunk = core_slice_text("x")};
    core_change change = {.op = CORE_OP_INSERT, .transaction = {.commit_lsn = 1}};
    core_run_open(&it->writer, "0k3xw2", CORE_OP_INSERT, NULL);
    assert_true(core_run_append_part(&it->writer, &change, &part));
    core_run_transaction_end(&it->writer, false);
    assert_false(core_run_decode(core_run_close(&it->writer), NULL, &run, &it->error));
    assert_int_equal(it->error.code, CORE_ERROR_INPUT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(parts_become_the_row, setup, teardown),
        cmocka_unit_test_setup_teardown(a_row_begun_again_comes_once, setup, teardown),
        cmocka_unit_test_setup_teardown(a_row_given_up_for_another_message_is_dropped, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_reader_that_begins_within_a_row_skips_it, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_does_not_follow_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_row_beyond_the_maximum_is_refused_once, setup, teardown),
        cmocka_unit_test_setup_teardown(the_rows_first_message_is_found_from_any_part, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_part_is_what_the_schema_says, setup, teardown),
        cmocka_unit_test_setup_teardown(only_the_last_part_holds_the_row, setup, teardown),
        cmocka_unit_test_setup_teardown(malformed_parts_are_refused, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
