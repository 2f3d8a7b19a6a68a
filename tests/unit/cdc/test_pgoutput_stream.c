/* The messages of protocols 2 to 4: what is written is read back, and nothing else is taken. The
 * bytes of the first test are PostgreSQL's, as the documentation lays them out. */
#include "cdc/pgoutput_stream.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define TIME_US INT64_C(1700000000000000)
#define GID                                                                                        \
    { (const uint8_t *)"odd 'gid'", 9 }

static const cdc_control samples[] = {
    {.kind = CDC_STREAM_START, .xid = 748, .first = true},
    {.kind = CDC_STREAM_START, .xid = 4294967295u},
    {.kind = CDC_STREAM_STOP},
    {.kind = CDC_STREAM_COMMIT, .xid = 748, .lsn = 0x16B374D848, .end_lsn = 1, .time_us = TIME_US},
    {.kind = CDC_STREAM_ABORT, .xid = 748, .subxid = 750},
    {.kind = CDC_STREAM_ABORT,
     .xid = 748,
     .subxid = 748,
     .has_details = true,
     .lsn = 0x16B374D848,
     .time_us = TIME_US},
    {.kind = CDC_BEGIN_PREPARE, .xid = 7, .lsn = 5, .end_lsn = 6, .time_us = TIME_US, .gid = GID},
    {.kind = CDC_PREPARE, .xid = 7, .lsn = 5, .end_lsn = 6, .time_us = TIME_US, .gid = GID},
    {.kind = CDC_STREAM_PREPARE, .xid = 7, .lsn = 5, .end_lsn = 6, .time_us = TIME_US, .gid = GID},
    {.kind = CDC_COMMIT_PREPARED, .xid = 7, .lsn = 8, .end_lsn = 9, .time_us = TIME_US, .gid = GID},
    {.kind = CDC_ROLLBACK_PREPARED,
     .xid = 7,
     .lsn = 8,
     .end_lsn = 9,
     .time_us = TIME_US,
     .prepare_time_us = TIME_US - 1,
     .gid = GID},
};

static void check_equal(const cdc_control *a, const cdc_control *b) {
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->xid, b->xid);
    assert_int_equal(a->subxid, b->subxid);
    assert_int_equal(a->first, b->first);
    assert_int_equal(a->has_details, b->has_details);
    assert_true(a->lsn == b->lsn && a->end_lsn == b->end_lsn);
    assert_true(a->time_us == b->time_us && a->prepare_time_us == b->prepare_time_us);
    assert_true(core_slice_equal(a->gid, b->gid));
}

static void test_reads_the_documented_bytes(void **state) {
    (void)state;
    static const uint8_t abort_bytes[] = {'A', 0, 0, 2,    0xEC, 0,    0,    2,    0xEE,
                                          0,   0, 0, 0x16, 0xB3, 0x74, 0xD8, 0x48, 0,
                                          0,   0, 0, 0,    0,    0,    1};
    static const uint8_t rollback_bytes[] = {'r', 0, 0, 0, 0, 0, 0, 0, 0, 1, 0,   0, 0, 0,
                                             0,   0, 0, 2, 0, 0, 0, 0, 0, 0, 0,   3, 0, 0,
                                             0,   0, 0, 0, 0, 4, 0, 0, 0, 9, 'g', 0};
    cdc_control control;
    core_error error;
    assert_true(
        cdc_control_read(core_slice_make(abort_bytes, sizeof abort_bytes), &control, &error));
    assert_int_equal(control.xid, 748);
    assert_int_equal(control.subxid, 750);
    assert_true(control.has_details && control.lsn == 0x16B374D848);
    assert_true(control.time_us == CDC_POSTGRES_EPOCH_US + 1);
    assert_true(
        cdc_control_read(core_slice_make(rollback_bytes, sizeof rollback_bytes), &control, &error));
    assert_true(control.lsn == 1 && control.end_lsn == 2);
    assert_true(control.prepare_time_us == CDC_POSTGRES_EPOCH_US + 3);
    assert_true(control.time_us == CDC_POSTGRES_EPOCH_US + 4);
    assert_int_equal(control.xid, 9);
    assert_true(core_slice_is(control.gid, "g"));
}

static void test_round_trip_and_nothing_else(void **state) {
    (void)state;
    core_buffer bytes;
    core_buffer_init(&bytes, 4096);
    for (size_t i = 0; i < CORE_COUNT_OF(samples); i++) {
        cdc_control control;
        core_error error = {0};
        core_buffer_reset(&bytes);
        cdc_control_write(&bytes, &samples[i]);
        assert_true(cdc_control_is(bytes.data[0]));
        assert_true(cdc_control_read(core_buffer_slice(&bytes), &control, &error));
        check_equal(&control, &samples[i]);
        for (size_t length = 0; length < bytes.length; length++) {
            bool optional = samples[i].has_details && length == 9;
            assert_true(optional !=
                        !cdc_control_read(core_slice_make(bytes.data, length), &control, &error));
        }
        core_buffer_u8(&bytes, 0);
        assert_false(cdc_control_read(core_buffer_slice(&bytes), &control, &error));
        assert_int_equal(error.code, CORE_ERROR_INPUT);
    }
    core_buffer_fini(&bytes);
}

static void test_refuses(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        size_t length;
    } refused[] = {
        {"", 0},
        {"B", 1},
        {"S\0\0\0\0\1", 6},                                                  /* xid 0 */
        {"S\0\0\0\1\2", 6},                                                  /* first: 0 or 1 */
        {"c\0\0\0\1\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 30}, /* flags */
        {"A\0\0\0\1\0\0\0\0", 9},                                            /* subxid 0 */
    };
    for (size_t i = 0; i < CORE_COUNT_OF(refused); i++) {
        cdc_control control;
        core_error error = {0};
        assert_false(cdc_control_read(core_slice_make(refused[i].bytes, refused[i].length),
                                      &control, &error));
        assert_int_equal(error.code, CORE_ERROR_INPUT);
    }
}

static void test_block_message_is_protocol_1_behind_its_xid(void **state) {
    (void)state;
    const cdc_message messages[] = {
        {.kind = CDC_TYPE,
         .type = {.oid = 9, .schema = core_slice_text("s"), .name = core_slice_text("t")}},
        {.kind = CDC_ORIGIN, .origin = {.origin_lsn = 3, .name = core_slice_text("berlin")}},
        {.kind = CDC_MESSAGE,
         .message = {.prefix = core_slice_text("p"), .lsn = 4, .transactional = true}},
    };
    core_buffer plain;
    core_buffer block;
    core_buffer_init(&plain, 4096);
    core_buffer_init(&block, 4096);
    for (size_t i = 0; i < CORE_COUNT_OF(messages); i++) {
        cdc_block_message read;
        core_error error;
        core_buffer_reset(&plain);
        core_buffer_reset(&block);
        cdc_message_write(&plain, &messages[i]);
        cdc_block_message_write(&block, 77, &messages[i]);
        bool has_xid = messages[i].kind != CDC_ORIGIN;
        assert_int_equal(block.length, plain.length + (has_xid ? 4 : 0));
        assert_true(cdc_block_message_read(core_buffer_slice(&block), &read, &error));
        assert_int_equal(read.subxid, has_xid ? 77 : 0);
        assert_int_equal(read.letter, plain.data[0]);
        assert_true(core_slice_equal(read.rest, core_slice_make(plain.data + 1, plain.length - 1)));
    }
    static const char *const refused[] = {"", "B", "C", "S", "E", "I", "I\0\0\0", "?"};
    for (size_t i = 0; i < CORE_COUNT_OF(refused); i++) {
        cdc_block_message read;
        core_error error = {0};
        assert_false(cdc_block_message_read(core_slice_text(refused[i]), &read, &error));
        assert_int_equal(error.code, CORE_ERROR_INPUT);
    }
    core_buffer_fini(&plain);
    core_buffer_fini(&block);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_the_documented_bytes),
        cmocka_unit_test(test_round_trip_and_nothing_else),
        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_block_message_is_protocol_1_behind_its_xid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
