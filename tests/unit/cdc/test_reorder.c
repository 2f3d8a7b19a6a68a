/* The reorder buffer: transactions sent in any of protocol 2 to 4's ways come out as protocol 1
 * would have sent them. Each test writes what a server sends and reads back one line of letters. */
#include "cdc/pgoutput_stream.h"
#include "cdc/reorder.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

enum { OUT_MAX = 4096 };

typedef struct {
    cdc_reorder *reorder;
    core_arena arena;
    char out[OUT_MAX]; /* "B7 a b C7 " */
    size_t length;
} fixture;

static int disk_errno; /* what every write gives; 0: it works */

static ssize_t disk_write(int fd, const void *bytes, size_t length, off_t offset) {
    errno = disk_errno;
    return disk_errno != 0 ? -1 : pwrite(fd, bytes, length, offset);
}

static ssize_t disk_read(int fd, void *bytes, size_t length, off_t offset) {
    return pread(fd, bytes, length, offset);
}

static int disk_punch(int fd, off_t offset, off_t length) {
    (void)fd;
    (void)offset;
    (void)length;
    return -1;
}

static const cdc_spill_io disk_io = {disk_write, disk_read, disk_punch, ftruncate};

static int setup(void **state) {
    fixture *it = calloc(1, sizeof *it);
    core_error error = {0};
    cdc_store_limits limits = {.memory_bytes = 8192, .spill_dir = "/tmp", .io = &disk_io};
    it->reorder = cdc_reorder_new(&limits, &error);
    core_arena_init(&it->arena, 4096, 1 << 20);
    disk_errno = 0;
    *state = it;
    return it->reorder == NULL;
}

static int teardown(void **state) {
    fixture *it = *state;
    cdc_reorder_free(it->reorder);
    core_arena_fini(&it->arena);
    free(it);
    return 0;
}

/* ---- What comes out ---- */

static void out_add(fixture *it, const char *format, ...) CORE_PRINTF(2, 3);

static void out_add(fixture *it, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(it->out + it->length, OUT_MAX - it->length, format, arguments);
    va_end(arguments);
    it->length += (size_t)length;
    assert_true(it->length < OUT_MAX);
}

static void message_out(fixture *it, const cdc_message *message) {
    switch (message->kind) {
    case CDC_BEGIN:
        out_add(it, "B%u@%u ", message->begin.xid, (unsigned)message->begin.commit_lsn);
        break;
    case CDC_COMMIT:
        out_add(it, "C%u-%u ", (unsigned)message->commit.commit_lsn,
                (unsigned)message->commit.end_lsn);
        break;
    case CDC_ORIGIN:
        out_add(it, "O ");
        break;
    case CDC_RELATION:
        out_add(it, "R ");
        break;
    case CDC_TYPE:
        out_add(it, "%.*s ", CORE_SLICE_ARGS(message->type.name));
        break;
    default:
        assert_int_equal(message->kind, CDC_MESSAGE);
        out_add(it, "M%.*s ", CORE_SLICE_ARGS(message->message.prefix));
    }
}

static void replay(fixture *it) {
    while (cdc_reorder_replaying(it->reorder)) {
        cdc_message message;
        bool given = false;
        core_error error = {0};
        core_arena_reset(&it->arena);
        if (!cdc_reorder_next(it->reorder, &it->arena, &message, &given, &error))
            fail_msg("%s", error.text);
        if (given)
            message_out(it, &message);
    }
}

/* ---- What a server sends ---- */

static bool take(fixture *it, core_slice bytes, core_error *error) {
    bool plain = false;
    cdc_message message;
    if (!cdc_reorder_take(it->reorder, bytes, &plain, error))
        return false;
    if (plain) {
        core_arena_reset(&it->arena);
        assert_true(cdc_message_read(bytes, &it->arena, &message, error));
        message_out(it, &message);
    }
    replay(it);
    return true;
}

static bool control_try(fixture *it, const cdc_control *control, core_error *error) {
    core_buffer bytes;
    core_buffer_init(&bytes, 4096);
    cdc_control_write(&bytes, control);
    bool ok = take(it, core_buffer_slice(&bytes), error);
    core_buffer_fini(&bytes);
    return ok;
}

static void send_control(fixture *it, cdc_control control) {
    core_error error = {0};
    control.gid = core_slice_text("gid");
    if (!control_try(it, &control, &error))
        fail_msg("%s", error.text);
}

static void check_refused(fixture *it, cdc_control control, core_error_code code) {
    core_error error = {0};
    assert_false(control_try(it, &control, &error));
    assert_int_equal(error.code, code);
}

static bool message_try(fixture *it, uint32_t subxid, const cdc_message *message,
                        core_error *error) {
    core_buffer bytes;
    core_buffer_init(&bytes, 1 << 20);
    if (subxid != 0)
        cdc_block_message_write(&bytes, subxid, message);
    else
        cdc_message_write(&bytes, message);
    bool ok = take(it, core_buffer_slice(&bytes), error);
    core_buffer_fini(&bytes);
    return ok;
}

static void send_message(fixture *it, uint32_t subxid, cdc_message message) {
    core_error error = {0};
    if (!message_try(it, subxid, &message, &error))
        fail_msg("%s", error.text);
}

/* A change named by its text (a type, which is the simplest); `subxid` 0: outside of blocks. */
static cdc_message change_of(const char *name) {
    return (cdc_message){
        .kind = CDC_TYPE,
        .type = {.oid = 1, .schema = core_slice_text("s"), .name = core_slice_text(name)}};
}

static cdc_message logical_of(const char *prefix) {
    return (cdc_message){
        .kind = CDC_MESSAGE,
        .message = {.prefix = core_slice_text(prefix), .lsn = 1, .transactional = true}};
}

static void send_change(fixture *it, uint32_t subxid, const char *name) {
    send_message(it, subxid, change_of(name));
}

static void send_relation(fixture *it, uint32_t subxid) {
    send_message(it, subxid,
                 (cdc_message){.kind = CDC_RELATION,
                               .relation = {.oid = 1,
                                            .schema = core_slice_text("s"),
                                            .table = core_slice_text("t"),
                                            .replica_identity = 'd'}});
}

static void send_start(fixture *it, uint32_t xid, bool first) {
    send_control(it, (cdc_control){.kind = CDC_STREAM_START, .xid = xid, .first = first});
}

static void send_stop(fixture *it) {
    send_control(it, (cdc_control){.kind = CDC_STREAM_STOP});
}

static void send_end(fixture *it, cdc_control_kind kind, uint32_t xid, core_lsn lsn) {
    send_control(it, (cdc_control){.kind = kind, .xid = xid, .lsn = lsn, .end_lsn = lsn + 1});
}

static void send_abort(fixture *it, uint32_t xid, uint32_t subxid) {
    send_control(it, (cdc_control){.kind = CDC_STREAM_ABORT, .xid = xid, .subxid = subxid});
}

static void check_out(fixture *it, const char *expected) {
    assert_string_equal(it->out, expected);
}

/* ---- Streaming ---- */

static void test_plain_passes_by(void **state) {
    fixture *it = *state;
    send_message(it, 0, (cdc_message){.kind = CDC_BEGIN, .begin = {.commit_lsn = 5, .xid = 7}});
    send_change(it, 0, "a");
    send_message(it, 0,
                 (cdc_message){.kind = CDC_COMMIT, .commit = {.commit_lsn = 5, .end_lsn = 6}});
    check_out(it, "B7@5 a C5-6 ");
}

static void test_interleaved_blocks_come_out_whole_in_commit_order(void **state) {
    fixture *it = *state;
    send_start(it, 10, true);
    send_message(it, 10,
                 (cdc_message){.kind = CDC_ORIGIN, .origin = {.name = core_slice_text("o")}});
    send_relation(it, 10);
    send_change(it, 10, "a1");
    send_stop(it);
    send_start(it, 20, true);
    send_change(it, 20, "b1");
    send_stop(it);
    send_change(it, 0, "lone"); /* not transactional: between blocks */
    send_start(it, 10, false);
    send_change(it, 11, "a2");
    send_stop(it);
    check_out(it, "lone ");
    send_end(it, CDC_STREAM_COMMIT, 20, 100);
    send_end(it, CDC_STREAM_COMMIT, 10, 200);
    check_out(it, "lone B20@100 b1 C100-101 B10@200 O R a1 a2 C200-201 ");
}

static void test_aborted_subtransactions_vanish(void **state) {
    fixture *it = *state;
    send_start(it, 10, true);
    send_change(it, 10, "a1");
    send_relation(it, 11);
    send_change(it, 11, "gone1");
    send_change(it, 12, "gone2");
    send_stop(it);
    send_abort(it, 10, 12);
    send_abort(it, 10, 11);
    send_start(it, 10, false);
    send_relation(it, 13); /* the server describes it again after an abort */
    send_change(it, 13, "a2");
    send_change(it, 10, "a3");
    send_stop(it);
    send_end(it, CDC_STREAM_COMMIT, 10, 200);
    check_out(it, "B10@200 a1 R a2 a3 C200-201 ");
}

static void test_aborted_transaction_vanishes(void **state) {
    fixture *it = *state;
    send_start(it, 10, true);
    send_change(it, 10, "gone");
    send_stop(it);
    send_abort(it, 10, 10);
    assert_int_equal(cdc_reorder_figures(it->reorder).transactions, 0);
    send_start(it, 10, true); /* an xid can come again once 2^32 others have */
    send_change(it, 10, "a");
    send_stop(it);
    send_start(it, 10, true); /* the server crashed and never told its end */
    send_change(it, 10, "b");
    send_stop(it);
    send_end(it, CDC_STREAM_COMMIT, 10, 200);
    check_out(it, "B10@200 b C200-201 ");
}

/* A message carries the top-level xid, whichever sub-transaction it is of. */
static void test_logical_message_before_an_abort_asks_for_whole_transactions(void **state) {
    fixture *it = *state;
    send_start(it, 10, true);
    send_change(it, 11, "gone");
    send_stop(it);
    send_abort(it, 10, 11);
    send_start(it, 10, false);
    send_message(it, 10, logical_of("a"));
    send_message(it, 12, logical_of("b")); /* as a server that knows would send it */
    send_stop(it);
    send_start(it, 20, true);
    send_message(it, 20, logical_of("c"));
    send_change(it, 21, "d");
    send_stop(it);
    send_end(it, CDC_STREAM_COMMIT, 10, 100);
    check_out(it, "B10@100 Ma Mb C100-101 ");
    check_refused(it, (cdc_control){.kind = CDC_STREAM_ABORT, .xid = 20, .subxid = 21},
                  CORE_ERROR_TRANSIENT);
    assert_true(cdc_reorder_wants_whole(it->reorder));
}

static void test_abort_of_what_was_never_sent_is_nothing(void **state) {
    fixture *it = *state;
    send_abort(it, 10, 11);
    send_abort(it, 10, 10);
    check_out(it, "");
}

static void test_spilled_transaction_comes_out_whole(void **state) {
    fixture *it = *state;
    char name[1001];
    memset(name, 'x', sizeof name);
    name[1000] = '\0';
    send_start(it, 10, true);
    for (size_t i = 0; i < 60; i++)
        send_change(it, 10, name);
    send_change(it, 10, "end");
    send_stop(it);
    assert_true(cdc_reorder_figures(it->reorder).spill_bytes > 0);
    core_error error = {0};
    core_buffer bytes;
    core_buffer_init(&bytes, 4096);
    cdc_control_write(&bytes, &(cdc_control){.kind = CDC_STREAM_COMMIT, .xid = 10, .lsn = 1});
    bool plain;
    assert_true(cdc_reorder_take(it->reorder, core_buffer_slice(&bytes), &plain, &error));
    core_buffer_fini(&bytes);
    for (size_t i = 0; i < 63; i++) {
        cdc_message message;
        bool given = false;
        core_arena_reset(&it->arena);
        assert_true(cdc_reorder_next(it->reorder, &it->arena, &message, &given, &error));
        assert_true(given);
        bool change = i > 0 && i < 62;
        assert_int_equal(message.kind, change ? CDC_TYPE : i == 0 ? CDC_BEGIN : CDC_COMMIT);
        assert_true(!change || core_slice_is(message.type.name, i < 61 ? name : "end"));
    }
    assert_false(cdc_reorder_replaying(it->reorder));
    assert_int_equal(cdc_reorder_figures(it->reorder).spill_bytes, 0);
}

static void test_full_disk_asks_for_whole_transactions(void **state) {
    fixture *it = *state;
    char name[1001];
    memset(name, 'x', sizeof name);
    name[1000] = '\0';
    disk_errno = ENOSPC;
    send_start(it, 10, true);
    core_error error = {0};
    cdc_message change = change_of(name);
    size_t taken = 0;
    while (taken < 20 && message_try(it, 10, &change, &error))
        taken++;
    assert_true(taken > 0 && taken < 20);
    assert_int_equal(error.code, CORE_ERROR_TRANSIENT);
    assert_true(cdc_reorder_wants_whole(it->reorder));
    cdc_reorder_start(it->reorder, 0); /* the next connection */
    assert_false(cdc_reorder_wants_whole(it->reorder));
    assert_int_equal(cdc_reorder_figures(it->reorder).transactions, 0);
    check_out(it, "");
}

/* ---- Two-phase ---- */

static void test_prepared_waits_for_its_commit_and_holds_the_position(void **state) {
    fixture *it = *state;
    send_end(it, CDC_BEGIN_PREPARE, 10, 50);
    send_relation(it, 0); /* later transactions rely on it before this one commits */
    send_message(it, 0, logical_of("a"));
    send_end(it, CDC_PREPARE, 10, 50);
    assert_true(cdc_reorder_hold_lsn(it->reorder) == 50);
    check_out(it, "R ");
    send_start(it, 20, true);
    send_change(it, 21, "gone");
    send_message(it, 22, logical_of("b"));
    send_relation(it, 20);
    send_change(it, 20, "c");
    send_stop(it);
    send_abort(it, 20, 21);
    send_end(it, CDC_STREAM_PREPARE, 20, 60);
    assert_true(cdc_reorder_hold_lsn(it->reorder) == 50);
    send_end(it, CDC_COMMIT_PREPARED, 10, 70);
    assert_true(cdc_reorder_hold_lsn(it->reorder) == 50); /* given out, but not sent */
    cdc_reorder_sent(it->reorder);
    assert_true(cdc_reorder_hold_lsn(it->reorder) == 60);
    send_end(it, CDC_COMMIT_PREPARED, 20, 80);
    assert_true(cdc_reorder_hold_lsn(it->reorder) == 60);
    cdc_reorder_sent(it->reorder);
    assert_true(cdc_reorder_hold_lsn(it->reorder) == 0);
    check_out(it, "R R c B10@70 R Ma C70-71 B20@80 Mb R c C80-81 ");
}

static void test_rolled_back_prepared_vanishes(void **state) {
    fixture *it = *state;
    send_end(it, CDC_BEGIN_PREPARE, 10, 50);
    send_message(it, 0, logical_of("gone"));
    send_end(it, CDC_PREPARE, 10, 50);
    send_end(it, CDC_ROLLBACK_PREPARED, 10, 60);
    send_end(it, CDC_ROLLBACK_PREPARED, 11, 61); /* of one that was never sent */
    assert_true(cdc_reorder_hold_lsn(it->reorder) == 0);
    check_out(it, "");
}

static void test_commit_of_what_was_never_sent(void **state) {
    fixture *it = *state;
    cdc_reorder_start(it->reorder, 70);
    send_end(it, CDC_COMMIT_PREPARED, 10, 70); /* in the stream already */
    check_refused(it, (cdc_control){.kind = CDC_COMMIT_PREPARED, .xid = 11, .lsn = 71},
                  CORE_ERROR_GAP);
}

/* ---- Refusals ---- */

static void test_refuses_what_does_not_fit(void **state) {
    fixture *it = *state;
    core_error error = {0};
    const cdc_control between[] = {
        {.kind = CDC_STREAM_STOP},
        {.kind = CDC_STREAM_START, .xid = 10},
        {.kind = CDC_STREAM_COMMIT, .xid = 10},
        {.kind = CDC_STREAM_PREPARE, .xid = 10},
        {.kind = CDC_PREPARE, .xid = 10},
    };
    for (size_t i = 0; i < CORE_COUNT_OF(between); i++)
        check_refused(it, between[i], CORE_ERROR_INPUT);
    send_start(it, 10, true);
    for (size_t i = 1; i < CORE_COUNT_OF(between); i++)
        check_refused(it, between[i], CORE_ERROR_INPUT);
    assert_false(message_try(it, 0, &(cdc_message){.kind = CDC_BEGIN}, &error));
    send_stop(it);
    send_end(it, CDC_BEGIN_PREPARE, 20, 50);
    for (size_t i = 0; i < CORE_COUNT_OF(between); i++)
        check_refused(it, between[i], CORE_ERROR_INPUT);
    assert_false(message_try(it, 0, &(cdc_message){.kind = CDC_COMMIT}, &error));
    assert_int_equal(error.code, CORE_ERROR_INPUT);
    assert_false(cdc_reorder_wants_whole(it->reorder));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_plain_passes_by, setup, teardown),
        cmocka_unit_test_setup_teardown(test_interleaved_blocks_come_out_whole_in_commit_order,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_aborted_subtransactions_vanish, setup, teardown),
        cmocka_unit_test_setup_teardown(test_aborted_transaction_vanishes, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_logical_message_before_an_abort_asks_for_whole_transactions, setup, teardown),
        cmocka_unit_test_setup_teardown(test_abort_of_what_was_never_sent_is_nothing, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_spilled_transaction_comes_out_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(test_full_disk_asks_for_whole_transactions, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_prepared_waits_for_its_commit_and_holds_the_position,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_rolled_back_prepared_vanishes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_commit_of_what_was_never_sent, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refuses_what_does_not_fit, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
