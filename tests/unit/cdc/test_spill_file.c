/* The spill file: what was written comes back, room is given back, and a disk that is full, broken
 * or slow is an error that changes nothing. */
#include "cdc/spill_file.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- A disk that can be told to fail; one test runs at a time ---- */

static struct {
    size_t write_max; /* bytes that one write takes; 0: all */
    int write_errno;
    int read_errno;
    bool interrupts; /* every second call first fails with EINTR */
    bool cannot_punch;
    unsigned calls;
    off_t cut_at; /* the last truncate's */
} disk;

static bool interrupted(void) {
    errno = EINTR;
    return disk.interrupts && disk.calls++ % 2 == 0;
}

static ssize_t disk_write(int fd, const void *bytes, size_t length, off_t offset) {
    if (interrupted())
        return -1;
    errno = disk.write_errno;
    if (disk.write_errno != 0)
        return -1;
    bool cut = disk.write_max > 0 && length > disk.write_max;
    return pwrite(fd, bytes, cut ? disk.write_max : length, offset);
}

static ssize_t disk_read(int fd, void *bytes, size_t length, off_t offset) {
    if (interrupted())
        return -1;
    errno = disk.read_errno;
    return disk.read_errno != 0 ? -1 : pread(fd, bytes, length > 3 ? 3 : length, offset);
}

static int disk_punch(int fd, off_t offset, off_t length) {
    (void)fd;
    (void)offset;
    (void)length;
    return disk.cannot_punch ? -1 : 0;
}

static int disk_truncate(int fd, off_t length) {
    disk.cut_at = length;
    return ftruncate(fd, length);
}

static const cdc_spill_io disk_io = {disk_write, disk_read, disk_punch, disk_truncate};

/* ---- Fixture ---- */

static char directory[] = "/tmp/walcast-spill-XXXXXX";

static int setup(void **state) {
    (void)state;
    memset(&disk, 0, sizeof disk);
    return 0;
}

static cdc_spill_file *file_new(uint64_t max_bytes, const cdc_spill_io *io) {
    core_error error = {0};
    cdc_spill_file *file = cdc_spill_file_new(directory, max_bytes, io, &error);
    if (file == NULL)
        fail_msg("%s", error.text);
    return file;
}

static uint64_t text_write(cdc_spill_file *file, const char *first, const char *second) {
    core_error error = {0};
    uint64_t offset = 0;
    core_slice parts[] = {core_slice_text(first), core_slice_text(second)};
    if (!cdc_spill_file_write(file, parts, 2, &offset, &error))
        fail_msg("%s", error.text);
    return offset;
}

static void check_text(cdc_spill_file *file, uint64_t offset, const char *text) {
    core_error error = {0};
    uint8_t back[64];
    assert_true(strlen(text) <= sizeof back);
    assert_true(cdc_spill_file_read(file, offset, back, strlen(text), &error));
    assert_memory_equal(back, text, strlen(text));
}

/* ---- Tests ---- */

static void test_gives_back_what_was_written(void **state) {
    (void)state;
    disk.write_max = 5;
    disk.interrupts = true;
    cdc_spill_file *file = file_new(0, &disk_io);
    uint64_t one = text_write(file, "hello, ", "world");
    uint64_t two = text_write(file, "", "again");
    check_text(file, two, "again");
    check_text(file, one, "hello, world");
    cdc_spill_file_free(file);
}

static void test_leaves_no_name(void **state) {
    (void)state;
    cdc_spill_file *file = file_new(0, NULL);
    (void)text_write(file, "a", "b");
    assert_int_equal(rmdir(directory), 0); /* only an empty one can be removed */
    assert_int_equal(mkdir(directory, 0700), 0);
    cdc_spill_file_free(file);
}

static void test_gives_room_back(void **state) {
    (void)state;
    cdc_spill_file *file = file_new(0, NULL);
    uint64_t one = text_write(file, "one", "");
    uint64_t two = text_write(file, "two", "");
    assert_int_equal(cdc_spill_file_bytes(file), 8192);
    cdc_spill_file_discard(file, one, 3);
    assert_int_equal(cdc_spill_file_bytes(file), 4096);
    check_text(file, two, "two");
    cdc_spill_file_discard(file, two, 3);
    assert_int_equal(cdc_spill_file_bytes(file), 0);
    assert_int_equal(text_write(file, "three", ""), 0); /* from the start again */
    cdc_spill_file_free(file);
}

static void test_without_holes_counts_the_whole_file(void **state) {
    (void)state;
    disk.cannot_punch = true;
    cdc_spill_file *file = file_new(0, &disk_io);
    uint64_t one = text_write(file, "one", "");
    uint64_t two = text_write(file, "two", "");
    cdc_spill_file_discard(file, one, 3);
    assert_int_equal(cdc_spill_file_bytes(file), 8192);
    cdc_spill_file_discard(file, two, 3);
    assert_int_equal(cdc_spill_file_bytes(file), 0);
    assert_int_equal(disk.cut_at, 0);
    cdc_spill_file_free(file);
}

static void test_stops_at_its_maximum(void **state) {
    (void)state;
    cdc_spill_file *file = file_new(8192, NULL);
    uint64_t one = text_write(file, "one", "");
    (void)text_write(file, "two", "");
    core_error error = {0};
    uint64_t offset;
    core_slice part = core_slice_text("three");
    assert_false(cdc_spill_file_write(file, &part, 1, &offset, &error));
    assert_int_equal(error.code, CORE_ERROR_TRANSIENT);
    assert_non_null(strstr(error.text, "cdc.spill_max_bytes (8192)"));
    cdc_spill_file_discard(file, one, 3);
    assert_true(cdc_spill_file_write(file, &part, 1, &offset, &error));
    cdc_spill_file_free(file);
}

static void test_a_full_or_broken_disk_is_an_error(void **state) {
    (void)state;
    cdc_spill_file *file = file_new(0, &disk_io);
    uint64_t one = text_write(file, "one", "");
    core_error error = {0};
    uint64_t offset;
    uint8_t back[3];
    core_slice part = core_slice_text("two");
    disk.write_errno = ENOSPC;
    assert_false(cdc_spill_file_write(file, &part, 1, &offset, &error));
    assert_int_equal(error.code, CORE_ERROR_TRANSIENT);
    assert_non_null(strstr(error.text, "No space left"));
    assert_int_equal(disk.cut_at, 4096); /* what was half written is cut off */
    disk.read_errno = EIO;
    assert_false(cdc_spill_file_read(file, one, back, 3, &error));
    assert_non_null(strstr(error.text, "Input/output error"));
    disk.read_errno = disk.write_errno = 0;
    check_text(file, one, "one");
    assert_false(cdc_spill_file_read(file, 4096, back, 3, &error));
    assert_non_null(strstr(error.text, "the file ends before"));
    cdc_spill_file_free(file);
}

static void test_directory_is_made_or_named(void **state) {
    (void)state;
    char deep[128];
    char blocked[128];
    core_error error = {0};
    (void)snprintf(deep, sizeof deep, "%s/a/b", directory);
    cdc_spill_file *file = cdc_spill_file_new(deep, 0, NULL, &error);
    assert_non_null(file);
    cdc_spill_file_free(file);
    assert_int_equal(rmdir(deep), 0);
    *strrchr(deep, '/') = '\0';
    assert_int_equal(rmdir(deep), 0);
    (void)snprintf(blocked, sizeof blocked, "%s", "/dev/null/spill");
    assert_null(cdc_spill_file_new(blocked, 0, NULL, &error));
    assert_int_equal(error.code, CORE_ERROR_TRANSIENT);
    assert_non_null(strstr(error.text, "/dev/null/spill"));
}

static int directory_setup(void **state) {
    (void)state;
    return mkdtemp(directory) == NULL;
}

static int directory_teardown(void **state) {
    (void)state;
    return rmdir(directory);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_gives_back_what_was_written, setup),
        cmocka_unit_test_setup(test_leaves_no_name, setup),
        cmocka_unit_test_setup(test_gives_room_back, setup),
        cmocka_unit_test_setup(test_without_holes_counts_the_whole_file, setup),
        cmocka_unit_test_setup(test_stops_at_its_maximum, setup),
        cmocka_unit_test_setup(test_a_full_or_broken_disk_is_an_error, setup),
        cmocka_unit_test_setup(test_directory_is_made_or_named, setup),
    };
    return cmocka_run_group_tests(tests, directory_setup, directory_teardown);
}
