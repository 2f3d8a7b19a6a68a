/* pgoutput's reader against its writer: what is written is read back, and nothing else is taken. */
#include "cdc/pgoutput.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { BYTES_MAX = 1 << 16, ARENA_MAX = 1 << 20 };

typedef struct {
    core_buffer bytes;
    core_arena arena;
} fixture;

static int setup(void **state) {
    fixture *it = calloc(1, sizeof *it);
    core_buffer_init(&it->bytes, BYTES_MAX);
    core_arena_init(&it->arena, 4096, ARENA_MAX);
    *state = it;
    return it == NULL;
}

static int teardown(void **state) {
    fixture *it = *state;
    core_buffer_fini(&it->bytes);
    core_arena_fini(&it->arena);
    free(it);
    return 0;
}

#define TEXT(literal) core_slice_make(literal, sizeof(literal) - 1)

static core_value values[] = {
    {.kind = CORE_VALUE_TEXT, .bytes = {(const uint8_t *)"42", 2}},
    {.kind = CORE_VALUE_NULL},
    {.kind = CORE_VALUE_UNCHANGED},
    {.kind = CORE_VALUE_BINARY, .bytes = {(const uint8_t *)"\0\xff", 2}},
    {.kind = CORE_VALUE_TEXT, .bytes = {(const uint8_t *)"", 0}},
};
static const core_column columns[] = {
    {.name = {(const uint8_t *)"id", 2}, .type_oid = 20, .typmod = -1, .key = true},
    {.name = {(const uint8_t *)"Odd \"name\"", 10}, .type_oid = 1043, .typmod = 14},
};
static const uint32_t truncated[] = {16384, 16385, 4294967295u};

/* One of each message and of each shape of a row. */
static const cdc_message samples[] = {
    {.kind = CDC_BEGIN,
     .begin = {.commit_lsn = 0x16B374D848, .commit_time_us = 1700000000000000, .xid = 748}},
    {.kind = CDC_COMMIT,
     .commit = {.commit_lsn = 0x16B374D848, .end_lsn = 0x16B374D878, .commit_time_us = 1}},
    {.kind = CDC_ORIGIN, .origin = {.origin_lsn = 77, .name = {(const uint8_t *)"berlin", 6}}},
    {.kind = CDC_RELATION,
     .relation = {.oid = 16384,
                  .schema = {(const uint8_t *)"My Schema", 9},
                  .table = {(const uint8_t *)"t.x", 3},
                  .replica_identity = 'd',
                  .column_count = 2,
                  .columns = columns}},
    {.kind = CDC_RELATION,
     .relation = {.oid = 1259,
                  .schema = {(const uint8_t *)"pg_catalog", 10},
                  .table = {(const uint8_t *)"pg_class", 8},
                  .replica_identity = 'n'}},
    {.kind = CDC_TYPE,
     .type = {.oid = 99999,
              .schema = {(const uint8_t *)"public", 6},
              .name = {(const uint8_t *)"mood", 4}}},
    {.kind = CDC_INSERT, .row = {.relation_oid = 16384, .new_tuple = {5, values}}},
    {.kind = CDC_UPDATE, .row = {.relation_oid = 16384, .new_tuple = {2, values}}},
    {.kind = CDC_UPDATE,
     .row = {.relation_oid = 16384,
             .old_kind = CORE_OLD_KEY,
             .old_tuple = {2, values},
             .new_tuple = {3, values}}},
    {.kind = CDC_UPDATE,
     .row = {.relation_oid = 16384,
             .old_kind = CORE_OLD_FULL,
             .old_tuple = {5, values},
             .new_tuple = {5, values}}},
    {.kind = CDC_DELETE,
     .row = {.relation_oid = 16384, .old_kind = CORE_OLD_KEY, .old_tuple = {1, values}}},
    {.kind = CDC_DELETE,
     .row = {.relation_oid = 16384, .old_kind = CORE_OLD_FULL, .old_tuple = {5, values}}},
    {.kind = CDC_TRUNCATE, .truncate = {.count = 3, .relation_oids = truncated, .flags = 3}},
    {.kind = CDC_MESSAGE,
     .message = {.prefix = {(const uint8_t *)"outbox", 6},
                 .content = {(const uint8_t *)"a\0b", 3},
                 .lsn = 0x1000,
                 .transactional = true}},
    {.kind = CDC_MESSAGE, .message = {.prefix = {(const uint8_t *)"", 0}, .lsn = 1}},
};

static void assert_slice(core_slice got, core_slice expected) {
    assert_true(core_slice_equal(got, expected));
}

static void assert_tuple(const core_tuple *got, const core_tuple *expected) {
    assert_int_equal(got->count, expected->count);
    for (size_t i = 0; i < got->count; i++) {
        assert_int_equal(got->values[i].kind, expected->values[i].kind);
        assert_slice(got->values[i].bytes, expected->values[i].bytes);
    }
}

static void assert_relation(const core_relation *got, const core_relation *expected) {
    assert_int_equal(got->oid, expected->oid);
    assert_slice(got->schema, expected->schema);
    assert_slice(got->table, expected->table);
    assert_int_equal(got->replica_identity, expected->replica_identity);
    assert_int_equal(got->column_count, expected->column_count);
    for (size_t i = 0; i < got->column_count; i++) {
        assert_slice(got->columns[i].name, expected->columns[i].name);
        assert_int_equal(got->columns[i].type_oid, expected->columns[i].type_oid);
        assert_int_equal(got->columns[i].typmod, expected->columns[i].typmod);
        assert_int_equal(got->columns[i].key, expected->columns[i].key);
    }
}

static void assert_row(const cdc_row *got, const cdc_row *expected) {
    assert_int_equal(got->relation_oid, expected->relation_oid);
    assert_int_equal(got->old_kind, expected->old_kind);
    assert_tuple(&got->old_tuple, &expected->old_tuple);
    assert_tuple(&got->new_tuple, &expected->new_tuple);
}

static void assert_logical(const core_message *got, const core_message *expected) {
    assert_int_equal(got->transactional, expected->transactional);
    assert_int_equal(got->lsn, expected->lsn);
    assert_slice(got->prefix, expected->prefix);
    assert_slice(got->content, expected->content);
}

static void assert_message(const cdc_message *got, const cdc_message *expected) {
    assert_int_equal(got->kind, expected->kind);
    switch (got->kind) {
    case CDC_BEGIN:
        assert_memory_equal(&got->begin, &expected->begin, sizeof got->begin);
        break;
    case CDC_COMMIT:
        assert_memory_equal(&got->commit, &expected->commit, sizeof got->commit);
        break;
    case CDC_ORIGIN:
        assert_int_equal(got->origin.origin_lsn, expected->origin.origin_lsn);
        assert_slice(got->origin.name, expected->origin.name);
        break;
    case CDC_RELATION:
        assert_relation(&got->relation, &expected->relation);
        break;
    case CDC_TYPE:
        assert_int_equal(got->type.oid, expected->type.oid);
        assert_slice(got->type.schema, expected->type.schema);
        assert_slice(got->type.name, expected->type.name);
        break;
    case CDC_INSERT:
    case CDC_UPDATE:
    case CDC_DELETE:
        assert_row(&got->row, &expected->row);
        break;
    case CDC_TRUNCATE:
        assert_int_equal(got->truncate.count, expected->truncate.count);
        assert_int_equal(got->truncate.flags, expected->truncate.flags);
        assert_memory_equal(got->truncate.relation_oids, expected->truncate.relation_oids,
                            got->truncate.count * sizeof(uint32_t));
        break;
    case CDC_MESSAGE:
        assert_logical(&got->message, &expected->message);
        break;
    }
}

static bool read_back(fixture *it, core_slice bytes, cdc_message *message, core_error *error) {
    core_arena_reset(&it->arena);
    return cdc_message_read(bytes, &it->arena, message, error);
}

static void every_message_survives_a_round_trip(void **state) {
    fixture *it = *state;
    for (size_t i = 0; i < CORE_COUNT_OF(samples); i++) {
        cdc_message got;
        core_error error = {0};
        core_buffer_reset(&it->bytes);
        cdc_message_write(&it->bytes, &samples[i]);
        if (!read_back(it, core_buffer_slice(&it->bytes), &got, &error))
            fail_msg("sample %zu: %s", i, error.text);
        assert_message(&got, &samples[i]);
    }
}

/* Each proper prefix, in a block of exactly its size so that a sanitizer sees a read beyond. */
static void a_cut_message_is_refused_at_every_byte(void **state) {
    fixture *it = *state;
    for (size_t i = 0; i < CORE_COUNT_OF(samples); i++) {
        core_buffer_reset(&it->bytes);
        cdc_message_write(&it->bytes, &samples[i]);
        for (size_t length = 0; length < it->bytes.length; length++) {
            core_block *exact = core_block_copy(core_slice_make(it->bytes.data, length));
            cdc_message got;
            core_error error = {0};
            assert_false(read_back(it, core_block_slice(exact), &got, &error));
            assert_int_equal(error.code, CORE_ERROR_INPUT);
            core_block_release(exact);
        }
    }
}

static void a_byte_too_many_is_refused(void **state) {
    fixture *it = *state;
    for (size_t i = 0; i < CORE_COUNT_OF(samples); i++) {
        cdc_message got;
        core_error error = {0};
        core_buffer_reset(&it->bytes);
        cdc_message_write(&it->bytes, &samples[i]);
        core_buffer_u8(&it->bytes, 0);
        assert_false(read_back(it, core_buffer_slice(&it->bytes), &got, &error));
        assert_int_equal(error.code, CORE_ERROR_INPUT);
    }
}

static void a_refusal_names_letter_and_byte(void **state) {
    cdc_message got;
    core_error error = {0};
    assert_false(read_back(*state, TEXT("I\0\0\x40\0N\0\1x"), &got, &error));
    assert_non_null(strstr(error.text, "'I' (0x49) of 9 bytes"));
    assert_non_null(strstr(error.text, "byte 9"));
    assert_false(read_back(*state, TEXT("Z"), &got, &error));
    assert_non_null(strstr(error.text, "'Z'"));
    assert_false(read_back(*state, TEXT(""), &got, &error));
    assert_int_equal(error.code, CORE_ERROR_INPUT);
}

/* A hostile count must neither allocate nor loop. */
static void counts_beyond_the_message_are_refused(void **state) {
    static const core_slice hostile[] = {
        {(const uint8_t *)"I\0\0\x40\0N\xff\xff", 8},               /* 65,535 values, none there */
        {(const uint8_t *)"I\0\0\x40\0N\0\1t\xff\xff\xff\xff", 13}, /* a value of 4 GiB */
        {(const uint8_t *)"T\xff\xff\xff\xff\0", 6},                /* 2^32 - 1 relations */
        {(const uint8_t *)"R\0\0\x40\0s\0t\0d\xff\xff", 12},        /* 65,535 columns */
        {(const uint8_t *)"R\0\0\x40\0s\0t\0q\0\0", 12},            /* identity 'q' */
        {(const uint8_t *)"M\2\0\0\0\0\0\0\0\1p\0\0\0\0\0", 16},    /* unknown flags */
    };
    for (size_t i = 0; i < CORE_COUNT_OF(hostile); i++) {
        cdc_message got;
        core_error error = {0};
        assert_false(read_back(*state, hostile[i], &got, &error));
        assert_int_equal(error.code, CORE_ERROR_INPUT);
    }
}

static void a_full_arena_is_a_limit_and_no_crash(void **state) {
    fixture *it = *state;
    core_arena small;
    core_arena_init(&small, 64, 64);
    cdc_message got;
    core_error error = {0};
    cdc_message_write(&it->bytes, &samples[6]);
    assert_false(cdc_message_read(core_buffer_slice(&it->bytes), &small, &got, &error));
    assert_int_equal(error.code, CORE_ERROR_LIMIT);
    core_arena_fini(&small);
}

static void frames_survive_a_round_trip(void **state) {
    fixture *it = *state;
    const cdc_frame frames[] = {
        {.kind = CDC_FRAME_DATA,
         .start_lsn = 1,
         .end_lsn = 2,
         .sent_us = 1700000000000001,
         .payload = TEXT("B...")},
        {.kind = CDC_FRAME_KEEPALIVE, .end_lsn = UINT64_MAX, .sent_us = 0, .reply = true},
    };
    for (size_t i = 0; i < CORE_COUNT_OF(frames); i++) {
        cdc_frame got;
        core_error error = {0};
        core_buffer_reset(&it->bytes);
        cdc_frame_write(&it->bytes, &frames[i]);
        assert_true(cdc_frame_read(core_buffer_slice(&it->bytes), &got, &error));
        assert_int_equal(got.kind, frames[i].kind);
        assert_int_equal(got.start_lsn, frames[i].start_lsn);
        assert_int_equal(got.end_lsn, frames[i].end_lsn);
        assert_int_equal(got.sent_us, frames[i].sent_us);
        assert_int_equal(got.reply, frames[i].reply);
        assert_slice(got.payload, frames[i].payload);
        assert_false(cdc_frame_read(core_slice_make(it->bytes.data, 16), &got, &error));
    }
}

static void feedback_survives_a_round_trip(void **state) {
    fixture *it = *state;
    const cdc_feedback feedback = {
        .written_lsn = 3, .flushed_lsn = 2, .applied_lsn = 1, .sent_us = 12345, .reply = true};
    cdc_feedback got = {0};
    core_error error = {0};
    cdc_feedback_write(&it->bytes, &feedback);
    assert_int_equal(it->bytes.length, 34); /* as the documentation counts it */
    assert_true(cdc_feedback_read(core_buffer_slice(&it->bytes), &got, &error));
    assert_int_equal(got.written_lsn, 3);
    assert_int_equal(got.flushed_lsn, 2);
    assert_int_equal(got.applied_lsn, 1);
    assert_int_equal(got.sent_us, 12345);
    assert_true(got.reply);
}

/* Bytes as a real PostgreSQL 15 sent them, not as our writer thinks. */
static void a_servers_own_bytes_are_read(void **state) {
    const core_slice insert = TEXT("I\0\0\x40\x01N\0\2t\0\0\0\1"
                                   "7t\0\0\0\5hello");
    cdc_message got;
    core_error error = {0};
    assert_true(read_back(*state, insert, &got, &error));
    assert_int_equal(got.row.relation_oid, 16385);
    assert_int_equal(got.row.new_tuple.count, 2);
    assert_true(core_slice_is(got.row.new_tuple.values[1].bytes, "hello"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_message_survives_a_round_trip, setup, teardown),
        cmocka_unit_test_setup_teardown(a_cut_message_is_refused_at_every_byte, setup, teardown),
        cmocka_unit_test_setup_teardown(a_byte_too_many_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_refusal_names_letter_and_byte, setup, teardown),
        cmocka_unit_test_setup_teardown(counts_beyond_the_message_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_arena_is_a_limit_and_no_crash, setup, teardown),
        cmocka_unit_test_setup_teardown(frames_survive_a_round_trip, setup, teardown),
        cmocka_unit_test_setup_teardown(feedback_survives_a_round_trip, setup, teardown),
        cmocka_unit_test_setup_teardown(a_servers_own_bytes_are_read, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
