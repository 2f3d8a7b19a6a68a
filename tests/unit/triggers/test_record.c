/* Entries of the log of deliveries come back as they were, and those of a log that was written
 * before there were batches are read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "triggers/record.h"

#include <string.h>

enum { FLAGS = 1, KIND_MAX = TRIGGERS_ENTRY_PASSED };

static triggers_entry sample(void) {
    return (triggers_entry){.kind = TRIGGERS_ENTRY_FAILED,
                            .sequence = 5,
                            .key_hash = 6,
                            .time_ms = 7,
                            .attempts = 2,
                            .status = 503,
                            .took_ms = 9,
                            .next_ms = 10,
                            .position = 11,
                            .project = core_slice_text("p"),
                            .trigger = core_slice_text("t"),
                            .event_id = core_slice_text("1-2.0"),
                            .key = core_slice_text("k"),
                            .reason = core_slice_text("status 503")};
}

/* As it was written before there were batches. */
static void text(core_buffer *out, const char *given) {
    core_buffer_u16(out, (uint16_t)core_slice_text(given).length);
    core_buffer_text(out, given);
}
static void former(core_buffer *out, uint8_t flags) {
    core_buffer_u8(out, TRIGGERS_ENTRY_FAILED);
    core_buffer_u8(out, flags);
    core_buffer_u64(out, 5);
    core_buffer_u64(out, 6);
    core_buffer_u64(out, 7);
    core_buffer_u32(out, 2);
    core_buffer_u16(out, 503);
    core_buffer_u32(out, 9);
    core_buffer_u64(out, 10);
    core_buffer_u64(out, 11);
    text(out, "p");
    text(out, "t");
    text(out, "1-2.0");
    text(out, "k");
    text(out, "status 503");
}

static bool reads(const core_buffer *out, triggers_entry *back) {
    core_cursor cursor = core_cursor_make(core_buffer_slice(out));
    return triggers_entry_read(&cursor, back) && core_cursor_done(&cursor);
}

static void test_a_former_log_is_read(void **state) {
    core_buffer was, is;
    triggers_entry entry = sample(), back;
    (void)state;
    core_buffer_init(&was, 4096);
    core_buffer_init(&is, 4096);
    for (uint8_t was_parked = 0; was_parked <= 1; was_parked++) {
        core_buffer_reset(&was);
        core_buffer_reset(&is);
        entry.was_parked = was_parked == 1;
        former(&was, was_parked);
        triggers_entry_write(&entry, &is);
        assert_true(core_slice_equal(core_buffer_slice(&is), core_buffer_slice(&was)));
        assert_true(reads(&was, &back));
        assert_int_equal(back.was_parked, was_parked);
        assert_int_equal(back.batch.length, 0);
        assert_false(back.is_member);
    }
    core_buffer_fini(&was);
    core_buffer_fini(&is);
}

static void test_one_of_a_batch(void **state) {
    core_buffer out;
    triggers_entry entry = sample(), back;
    (void)state;
    core_buffer_init(&out, 4096);
    entry.batch = core_slice_text("1-1.0..1-9.0");
    for (int member = 0; member <= 1; member++) {
        core_buffer_reset(&out);
        entry.is_member = member == 1;
        triggers_entry_write(&entry, &out);
        assert_true(reads(&out, &back));
        assert_true(core_slice_equal(back.batch, entry.batch));
        assert_true(core_slice_equal(back.reason, entry.reason));
        assert_int_equal(back.is_member, member);
        for (size_t length = 1; length < out.length; length++) {
            core_cursor cut = core_cursor_make(core_slice_make(out.data, length));
            assert_false(triggers_entry_read(&cut, &back));
        }
    }
    core_buffer_fini(&out);
}

static void test_one_that_begins_a_chain(void **state) {
    core_buffer out;
    triggers_entry entry = sample(), back;
    (void)state;
    core_buffer_init(&out, 4096);
    entry.kind = TRIGGERS_ENTRY_HELD;
    entry.chain = UINT64_MAX - 1;
    triggers_entry_write(&entry, &out);
    assert_true(reads(&out, &back));
    assert_int_equal(back.chain, entry.chain);
    assert_true(core_slice_equal(back.reason, entry.reason));
    memset(out.data + out.length - 8, 0, 8);
    assert_false(reads(&out, &back));
    core_buffer_fini(&out);
}

/* A member without its batch, a batch without a name, and flags of another version. */
static void test_what_is_none_is_refused(void **state) {
    static const uint8_t flags[] = {2, 3, 8, 0x80};
    core_buffer out;
    triggers_entry entry = sample(), back;
    (void)state;
    core_buffer_init(&out, 4096);
    for (size_t i = 0; i < sizeof flags; i++) {
        core_buffer_reset(&out);
        former(&out, flags[i]);
        assert_false(reads(&out, &back));
    }
    core_buffer_reset(&out);
    former(&out, 4);
    text(&out, "");
    assert_false(reads(&out, &back));
    core_buffer_reset(&out);
    entry.kind = (triggers_entry_kind)(KIND_MAX + 1);
    triggers_entry_write(&entry, &out);
    assert_false(reads(&out, &back));
    core_buffer_fini(&out);
}

static void test_a_newer_record_is_refused_with_a_reason(void **state) {
    core_buffer out, outcomes;
    core_error error = {0};
    triggers_record record = {.owner = 1, .number = 2, .watermark = 3}, back;
    (void)state;
    core_buffer_init(&out, 4096);
    core_buffer_init(&outcomes, 4096);
    former(&outcomes, 0);
    record.outcomes = core_buffer_slice(&outcomes);
    triggers_record_write(&record, &out);
    assert_true(triggers_record_read(core_buffer_slice(&out), &back, &error));
    outcomes.data[FLAGS] = 0x10;
    core_buffer_reset(&out);
    triggers_record_write(&record, &out);
    assert_false(triggers_record_read(core_buffer_slice(&out), &back, &error));
    assert_non_null(strstr(error.text, "written by a newer one"));
    core_buffer_fini(&out);
    core_buffer_fini(&outcomes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_former_log_is_read),
        cmocka_unit_test(test_one_of_a_batch),
        cmocka_unit_test(test_one_that_begins_a_chain),
        cmocka_unit_test(test_what_is_none_is_refused),
        cmocka_unit_test(test_a_newer_record_is_refused_with_a_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
