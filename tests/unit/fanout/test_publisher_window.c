/* The window's rules, with the test as the broker and its own clock. */
#include "fanout/publisher_window.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MESSAGES = 4, BYTES = 100, BASE = 40, NOW_US = 5000000 };

static const uint64_t epoch = UINT64_C(0x00c0ffee00c0ffee);

static fanout_window window;

static int window_open(void **state) {
    core_error error = {0};
    (void)state;
    assert_true(fanout_window_init(&window, "S", MESSAGES, BYTES, &error));
    fanout_window_start(&window, epoch, BASE);
    return 0;
}

static int window_close(void **state) {
    (void)state;
    fanout_window_fini(&window);
    return 0;
}

static fanout_puback good(uint64_t n) {
    return (fanout_puback){.stream = core_slice_text("S"), .sequence = BASE + n};
}

static void acknowledge(uint64_t n) {
    core_error error = {0};
    int64_t sent_us = 0;
    fanout_puback ack = good(n);
    if (!fanout_window_ack(&window, n, &ack, &sent_us, &error))
        fail_msg("%s", error.text);
    assert_int_equal(sent_us, NOW_US + (int64_t)n);
}

static void put(uint64_t n, size_t bytes) {
    assert_true(fanout_window_admits(&window, bytes));
    assert_int_equal(fanout_window_send(&window, bytes, NOW_US + (int64_t)n), n);
}

static void assert_violation(uint64_t n, fanout_puback ack, core_error_code code,
                             const char *word) {
    core_error error = {0};
    int64_t sent_us = 0;
    assert_false(fanout_window_ack(&window, n, &ack, &sent_us, &error));
    assert_int_equal(error.code, code);
    if (strstr(error.text, word) == NULL)
        fail_msg("expected '%s' in '%s'", word, error.text);
    assert_int_equal(fanout_window_acked_sequence(&window), BASE + window.acked);
}

static void test_first_travels_alone(void **state) {
    (void)state;
    put(1, 10);
    assert_false(fanout_window_admits(&window, 0));
    acknowledge(1);
    assert_int_equal(fanout_window_acked_sequence(&window), BASE + 1);
    put(2, 10);
    put(3, 10);
}

static void test_messages_are_bounded(void **state) {
    (void)state;
    put(1, 1);
    acknowledge(1);
    for (uint64_t n = 2; n <= 1 + MESSAGES; n++)
        put(n, 1);
    assert_false(fanout_window_admits(&window, 1));
    acknowledge(2);
    put(2 + MESSAGES, 1);
    assert_int_equal(fanout_window_length(&window), MESSAGES);
}

static void test_bytes_are_bounded(void **state) {
    (void)state;
    put(1, 1);
    acknowledge(1);
    put(2, 60);
    assert_true(fanout_window_admits(&window, 40));
    assert_false(fanout_window_admits(&window, 41));
    assert_false(fanout_window_admits(&window, SIZE_MAX));
    acknowledge(2);
    put(3, 5000); /* larger than the window: alone */
    assert_false(fanout_window_admits(&window, 0));
    acknowledge(3);
    assert_int_equal(window.bytes, 0);
}

static void test_ids_chain_by_number(void **state) {
    char id[FANOUT_MESSAGE_ID_MAX];
    (void)state;
    fanout_window_message_id(&window, 7, id);
    assert_string_equal(id, "00c0ffee00c0ffee-7");
    window.epoch = UINT64_MAX;
    fanout_window_message_id(&window, UINT64_MAX, id);
    assert_string_equal(id, "ffffffffffffffff-18446744073709551615");
}

static void test_ack_out_of_turn_is_a_violation(void **state) {
    (void)state;
    put(1, 1);
    acknowledge(1);
    put(2, 1);
    put(3, 1);
    assert_violation(3, good(3), CORE_ERROR_CONFLICT, "an ack was lost");
    assert_violation(1, good(1), CORE_ERROR_CONFLICT, "was due");
    assert_violation(0, good(0), CORE_ERROR_CONFLICT, "was due");
    acknowledge(2);
    acknowledge(3);
    assert_violation(4, good(4), CORE_ERROR_CONFLICT, "was due"); /* never sent */
}

static void test_duplicate_is_a_violation(void **state) {
    fanout_puback ack = good(1);
    (void)state;
    put(1, 1);
    ack.duplicate = true;
    assert_violation(1, ack, CORE_ERROR_CONFLICT, "duplicate");
    assert_int_equal(fanout_window_acked_sequence(&window), BASE);
}

static void test_other_sequence_or_stream_is_a_violation(void **state) {
    fanout_puback ack = good(1);
    (void)state;
    put(1, 1);
    ack.sequence = BASE + 2;
    assert_violation(1, ack, CORE_ERROR_CONFLICT, "expected 41");
    ack = good(1);
    ack.stream = core_slice_text("OTHER");
    assert_violation(1, ack, CORE_ERROR_CONFLICT, "stored by stream OTHER");
}

static void test_refusals_say_what_to_do(void **state) {
    static const struct {
        uint64_t code;
        core_error_code expected;
        const char *word;
    } rows[] = {
        {10071, CORE_ERROR_CONFLICT, "somebody else wrote"},
        {10070, CORE_ERROR_CONFLICT, "somebody else wrote"},
        {10077, CORE_ERROR_FULL, "nats.max_bytes"},
        {10023, CORE_ERROR_FULL, "max_file_store"},
        {10039, CORE_ERROR_CONFIG, "JetStream"},
        {10118, CORE_ERROR_TRANSIENT, "(10118)"},
        {UINT64_MAX, CORE_ERROR_TRANSIENT, "why"},
    };
    (void)state;
    put(1, 1);
    for (size_t i = 0; i < CORE_COUNT_OF(rows); i++) {
        fanout_puback ack = {.error_code = rows[i].code, .description = core_slice_text("why")};
        assert_violation(1, ack, rows[i].expected, rows[i].word);
    }
}

static void test_oldest_decides_what_is_overdue(void **state) {
    (void)state;
    assert_false(fanout_window_overdue(&window, INT64_MAX, 1));
    put(1, 1);
    acknowledge(1);
    put(2, 1);
    put(3, 1);
    assert_false(fanout_window_overdue(&window, NOW_US + 2 + 7000, 7));
    assert_true(fanout_window_overdue(&window, NOW_US + 2 + 7001, 7));
    acknowledge(2);
    assert_false(fanout_window_overdue(&window, NOW_US + 2 + 7001, 7));
}

static void test_start_forgets_the_former_epoch(void **state) {
    (void)state;
    put(1, 10);
    acknowledge(1);
    put(2, 10);
    fanout_window_start(&window, epoch + 1, 90);
    assert_int_equal(fanout_window_length(&window), 0);
    assert_int_equal(fanout_window_acked_sequence(&window), 90);
    assert_int_equal(window.bytes, 0);
    put(1, 10);
    assert_false(fanout_window_admits(&window, 1));
}

#define WINDOW_TEST(test) cmocka_unit_test_setup_teardown(test, window_open, window_close)

int main(void) {
    const struct CMUnitTest tests[] = {
        WINDOW_TEST(test_first_travels_alone),
        WINDOW_TEST(test_messages_are_bounded),
        WINDOW_TEST(test_bytes_are_bounded),
        WINDOW_TEST(test_ids_chain_by_number),
        WINDOW_TEST(test_ack_out_of_turn_is_a_violation),
        WINDOW_TEST(test_duplicate_is_a_violation),
        WINDOW_TEST(test_other_sequence_or_stream_is_a_violation),
        WINDOW_TEST(test_refusals_say_what_to_do),
        WINDOW_TEST(test_oldest_decides_what_is_overdue),
        WINDOW_TEST(test_start_forgets_the_former_epoch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
