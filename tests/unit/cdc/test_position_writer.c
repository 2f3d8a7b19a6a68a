/* The position writer against a bucket whose answers the test decides: this file stands in for the
 * three functions of fanout that it calls. */
#include "cdc/position_writer.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* What a write meets: stored and answered, not answered though stored, not answered and lost. */
typedef enum { ANSWERED, SILENT_STORED, SILENT_LOST } behaviour;

struct fanout_bucket {
    uint8_t value[CDC_POSITION_JSON_MAX];
    size_t length;
    uint64_t revision;
    behaviour next;
};

bool fanout_bucket_get(fanout_bucket *bucket, const char *key, core_buffer *value,
                       uint64_t *revision, core_error *error) {
    (void)error;
    assert_string_equal(key, cdc_position_key);
    core_buffer_reset(value);
    core_buffer_append(value, bucket->value, bucket->length);
    *revision = bucket->revision;
    return true;
}

bool fanout_bucket_set(fanout_bucket *bucket, const char *key, core_slice value, uint64_t expected,
                       uint64_t *revision, core_error *error) {
    (void)key;
    if (expected != bucket->revision)
        return core_error_set(error, CORE_ERROR_CONFLICT, "somebody else was first");
    behaviour meets = bucket->next;
    bucket->next = ANSWERED;
    if (meets != SILENT_LOST) {
        memcpy(bucket->value, value.data, value.length);
        bucket->length = value.length;
        bucket->revision += 5; /* a revision is a stream sequence: it jumps */
    }
    if (meets != ANSWERED)
        return core_error_set(error, CORE_ERROR_TRANSIENT, "no answer in time");
    *revision = bucket->revision;
    return true;
}

static cdc_position position_at(core_lsn end_lsn) {
    return (cdc_position){.epoch = "abcdefghij012345", .end_lsn = end_lsn};
}

typedef struct {
    fanout_bucket bucket;
    cdc_position_writer *writer;
} fixture;

static int setup(void **state) {
    fixture *it = calloc(1, sizeof *it);
    core_error error = {0};
    assert_non_null(it);
    it->writer = cdc_position_writer_new(&error);
    assert_non_null(it->writer);
    cdc_position_writer_attach(it->writer, &it->bucket, 0);
    *state = it;
    return 0;
}

static int teardown(void **state) {
    fixture *it = *state;
    cdc_position_writer_free(it->writer);
    free(it);
    return 0;
}

static bool write_at(fixture *it, core_lsn end_lsn, core_error *error) {
    cdc_position position = position_at(end_lsn);
    return cdc_position_writer_write(it->writer, &position, error);
}

static void assert_holds(const fixture *it, core_lsn end_lsn) {
    cdc_position found;
    core_error error = {0};
    assert_true(
        cdc_position_decode(core_slice_make(it->bucket.value, it->bucket.length), &found, &error));
    assert_int_equal(found.end_lsn, end_lsn);
}

static void a_posted_record_is_stored_and_told(void **state) {
    fixture *it = *state;
    cdc_position position = position_at(100);
    cdc_position stored;
    core_error error = {0};
    assert_true(cdc_position_writer_idle(it->writer));
    cdc_position_writer_post(it->writer, &position);
    struct pollfd fd = {.fd = cdc_position_writer_wake_fd(it->writer), .events = POLLIN};
    assert_int_equal(poll(&fd, 1, 20000), 1);
    assert_false(cdc_position_writer_idle(it->writer));
    assert_int_equal(cdc_position_writer_take(it->writer, &stored, &error), CDC_WRITE_STORED);
    assert_int_equal(stored.end_lsn, 100);
    assert_int_equal(cdc_position_writer_take(it->writer, &stored, &error), CDC_WRITE_NONE);
    assert_int_equal(poll(&fd, 1, 0), 0);
    assert_true(cdc_position_writer_idle(it->writer));
    assert_holds(it, 100);
}

static void records_follow_on_by_revision(void **state) {
    fixture *it = *state;
    core_error error = {0};
    for (core_lsn lsn = 1; lsn <= 3; lsn++)
        assert_true(write_at(it, lsn, &error));
    assert_int_equal(it->bucket.revision, 15);
}

static void an_unanswered_write_of_our_own_is_no_conflict(void **state) {
    fixture *it = *state;
    core_error error = {0};
    assert_true(write_at(it, 1, &error));
    it->bucket.next = SILENT_STORED;
    assert_false(write_at(it, 2, &error));
    assert_int_equal(error.code, CORE_ERROR_TRANSIENT);
    assert_true(write_at(it, 3, &error));
    it->bucket.next = SILENT_LOST;
    assert_false(write_at(it, 4, &error));
    assert_true(write_at(it, 5, &error));
    assert_holds(it, 5);
}

static void anothers_record_is_a_conflict(void **state) {
    fixture *it = *state;
    core_error error = {0};
    assert_true(write_at(it, 1, &error));
    it->bucket.next = SILENT_LOST;
    assert_false(write_at(it, 2, &error));
    fanout_bucket other = it->bucket;
    (void)snprintf((char *)other.value, sizeof other.value, "somebody else's");
    other.length = strlen((char *)other.value);
    other.revision = 77;
    it->bucket = other;
    assert_false(write_at(it, 3, &error));
    assert_int_equal(error.code, CORE_ERROR_CONFLICT);
    assert_int_equal(it->bucket.revision, 77);
}

static void it_can_be_attached_again(void **state) {
    fixture *it = *state;
    core_error error = {0};
    assert_true(write_at(it, 1, &error));
    cdc_position_writer_detach(it->writer);
    cdc_position_writer_attach(it->writer, &it->bucket, it->bucket.revision);
    assert_true(write_at(it, 2, &error));
    cdc_position position = position_at(3);
    cdc_position_writer_post(it->writer, &position);
    cdc_position_writer_detach(it->writer); /* waits for it */
    assert_holds(it, 3);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_posted_record_is_stored_and_told),
        TEST(records_follow_on_by_revision),
        TEST(an_unanswered_write_of_our_own_is_no_conflict),
        TEST(anothers_record_is_a_conflict),
        TEST(it_can_be_attached_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
