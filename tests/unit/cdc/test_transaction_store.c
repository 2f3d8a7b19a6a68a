/* The transaction store against a naive model: whatever the interleaving of transactions, aborts,
 * spills and failures of the disk, what is read is what was added and not aborted, in order, and
 * the limits hold at every step. */
#include "cdc/transaction_store.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    TRANSACTIONS = 6,
    MESSAGES = 600,
    SUBXIDS = 40,
    STEPS = 60000,
    MEMORY_MAX = 64 << 10,
    LARGE_BYTES = 20000,
};

/* ---- Randomness ---- */

static uint64_t random_state;

static uint32_t random_below(uint32_t limit) {
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return (uint32_t)((random_state * UINT64_C(0x2545F4914F6CDD1D)) >> 33) % limit;
}

/* ---- A disk that fails now and then ---- */

static unsigned disk_failures; /* one in so many calls; 0: none */

static bool disk_fails(void) {
    errno = random_below(2) == 0 ? ENOSPC : EIO;
    return disk_failures > 0 && random_below(disk_failures) == 0;
}

static ssize_t disk_write(int fd, const void *bytes, size_t length, off_t offset) {
    if (disk_fails())
        return -1;
    return pwrite(fd, bytes, length > 1 ? 1 + random_below((uint32_t)length) : length, offset);
}

static ssize_t disk_read(int fd, void *bytes, size_t length, off_t offset) {
    return disk_fails() ? -1 : pread(fd, bytes, length, offset);
}

static int disk_punch(int fd, off_t offset, off_t length) {
    (void)fd;
    (void)offset;
    (void)length;
    return disk_failures > 0 ? -1 : 0;
}

static const cdc_spill_io disk_io = {disk_write, disk_read, disk_punch, ftruncate};

/* ---- The model: a message is its subxid and the seed of its bytes ---- */

typedef struct {
    uint32_t subxid;
    uint32_t seed;
    uint32_t length;
} model_message;

typedef struct {
    bool open;
    core_lsn prepare_lsn;
    model_message messages[MESSAGES];
    size_t count;
    bool aborted[SUBXIDS];
} model_transaction;

typedef struct {
    cdc_transaction_store *store;
    model_transaction transactions[TRANSACTIONS];
    size_t read;
    size_t spilled_steps;
    size_t breaks;
} fixture;

static uint32_t xid_of(size_t which) {
    return (uint32_t)(1000 * (which + 1));
}

/* The message's bytes behind its letter. */
static void bytes_make(const model_message *message, uint8_t bytes[LARGE_BYTES]) {
    for (uint32_t i = 0; i < message->length; i++)
        bytes[i] = (uint8_t)(message->seed * 31 + i * 7);
}

/* The connection broke: all is forgotten on both sides, as a reconnect does. */
static void forget(fixture *it) {
    cdc_transaction_store_clear(it->store);
    for (size_t i = 0; i < TRANSACTIONS; i++)
        it->transactions[i].open = false;
    it->breaks++;
}

static void check_error(const core_error *error) {
    if (error->code != CORE_ERROR_TRANSIENT || error->text[0] == '\0')
        fail_msg("code %d: %s", error->code, error->text);
}

/* ---- Steps ---- */

static void step_begin(fixture *it, size_t which) {
    core_error error = {0};
    it->transactions[which] = (model_transaction){.open = true};
    assert_non_null(cdc_transaction_store_begin(it->store, xid_of(which), &error));
}

static void step_append(fixture *it, size_t which) {
    static uint8_t bytes[LARGE_BYTES];
    model_transaction *model = &it->transactions[which];
    if (model->count == MESSAGES)
        return;
    uint32_t length = random_below(100) == 0 ? random_below(LARGE_BYTES) : random_below(300);
    uint32_t sub = random_below(SUBXIDS);
    while (model->aborted[sub])
        sub = random_below(SUBXIDS);
    model_message message = {xid_of(which) + sub, random_below(1 << 30), length};
    bytes_make(&message, bytes);
    core_error error = {0};
    cdc_held_transaction *held = cdc_transaction_store_find(it->store, xid_of(which));
    if (cdc_transaction_store_append(it->store, held, message.subxid, 'I',
                                     core_slice_make(bytes, length), &error)) {
        model->messages[model->count++] = message;
    } else {
        check_error(&error);
        forget(it);
    }
}

/* Never sub 0, the transaction itself. */
static void step_abort(fixture *it, size_t which) {
    core_error error = {0};
    uint32_t sub = 1 + random_below(SUBXIDS - 1);
    cdc_held_transaction *held = cdc_transaction_store_find(it->store, xid_of(which));
    assert_true(cdc_transaction_store_abort(it->store, held, xid_of(which) + sub, &error));
    it->transactions[which].aborted[sub] = true;
}

static void step_drop(fixture *it, size_t which) {
    cdc_transaction_store_drop(it->store, cdc_transaction_store_find(it->store, xid_of(which)));
    it->transactions[which].open = false;
}

static void step_prepare(fixture *it, size_t which) {
    it->transactions[which].prepare_lsn = 1 + random_below(1000);
    cdc_transaction_store_prepare(it->store, cdc_transaction_store_find(it->store, xid_of(which)),
                                  it->transactions[which].prepare_lsn);
}

static void check_message(const model_message *expected, core_slice message) {
    static uint8_t bytes[LARGE_BYTES];
    bytes_make(expected, bytes);
    assert_int_equal(message.length, expected->length + 1);
    assert_int_equal(message.data[0], 'I');
    assert_memory_equal(message.data + 1, bytes, expected->length);
}

/* Reads all of it and compares; false when the disk failed. */
static bool read_all(fixture *it, size_t which, bool keep) {
    model_transaction *model = &it->transactions[which];
    cdc_held_transaction *held = cdc_transaction_store_find(it->store, xid_of(which));
    for (size_t i = 0;; i++) {
        core_slice message;
        core_error error = {0};
        cdc_store_result result =
            cdc_transaction_store_next(it->store, held, keep, &message, &error);
        if (result == CDC_STORE_BROKEN) {
            check_error(&error);
            forget(it);
            return false;
        }
        assert_int_equal(result == CDC_STORE_END, i == model->count);
        if (result == CDC_STORE_END)
            return true;
        const model_message *expected = &model->messages[i];
        bool aborted = model->aborted[expected->subxid - xid_of(which)];
        assert_int_equal(result, aborted ? CDC_STORE_SKIPPED : CDC_STORE_MESSAGE);
        if (!aborted)
            check_message(expected, message);
        it->read++;
    }
}

static void step_replay(fixture *it, size_t which) {
    bool twice = random_below(2) == 0;
    if ((!twice || read_all(it, which, true)) && read_all(it, which, false))
        step_drop(it, which);
}

static void step(fixture *it) {
    size_t which = random_below(TRANSACTIONS);
    uint32_t choice = random_below(1000);
    if (!it->transactions[which].open || choice == 0)
        step_begin(it, which);
    else if (choice < 970)
        step_append(it, which);
    else if (choice < 990)
        step_abort(it, which);
    else if (choice < 993)
        step_prepare(it, which);
    else if (choice < 998)
        step_replay(it, which);
    else
        step_drop(it, which);
}

static void check_limits(fixture *it, uint64_t spill_max) {
    cdc_store_figures figures = cdc_transaction_store_figures(it->store);
    size_t open = 0;
    core_lsn least = 0;
    for (size_t i = 0; i < TRANSACTIONS; i++) {
        core_lsn lsn = it->transactions[i].open ? it->transactions[i].prepare_lsn : 0;
        open += it->transactions[i].open;
        if (lsn != 0 && (least == 0 || lsn < least))
            least = lsn;
    }
    assert_int_equal(figures.transactions, open);
    assert_true(cdc_transaction_store_prepared_lsn(it->store) == least);
    assert_true(figures.memory_bytes <= MEMORY_MAX);
    assert_true(figures.spill_bytes <= spill_max);
    it->spilled_steps += figures.spill_bytes > 0;
}

static void run_model(uint64_t seed, unsigned failures, size_t memory_bytes, uint64_t spill_max) {
    fixture *it = calloc(1, sizeof *it);
    core_error error = {0};
    cdc_store_limits limits = {
        .memory_bytes = memory_bytes,
        .spill_dir = "/tmp",
        .spill_max_bytes = spill_max,
        .io = &disk_io,
    };
    random_state = seed;
    disk_failures = failures;
    it->store = cdc_transaction_store_new(&limits, &error);
    assert_non_null(it->store);
    for (size_t i = 0; i < STEPS; i++) {
        step(it);
        check_limits(it, spill_max);
    }
    assert_true(it->read > STEPS / 50 && it->spilled_steps > STEPS / 50);
    assert_int_equal(failures > 0 || spill_max<1 << 20, it->breaks> 0);
    cdc_transaction_store_clear(it->store);
    cdc_store_figures figures = cdc_transaction_store_figures(it->store);
    assert_true(figures.memory_bytes == 0 && figures.spill_bytes == 0);
    cdc_transaction_store_free(it->store);
    free(it);
}

static void test_model(void **state) {
    (void)state;
    run_model(1, 0, MEMORY_MAX, 64 << 20);
    run_model(2, 0, 1, 64 << 20);
}

static void test_model_on_a_failing_disk(void **state) {
    (void)state;
    run_model(3, 200, MEMORY_MAX / 2, 64 << 20);
}

static void test_model_at_the_maximum(void **state) {
    (void)state;
    run_model(4, 0, MEMORY_MAX, 200 << 10);
}

static void test_many_aborted_subtransactions(void **state) {
    (void)state;
    enum { ABORTED = 1 << 20 };
    core_error error = {0};
    core_slice message;
    cdc_store_limits limits = {.memory_bytes = 16 << 20, .spill_dir = "/tmp"};
    cdc_transaction_store *store = cdc_transaction_store_new(&limits, &error);
    cdc_held_transaction *held = cdc_transaction_store_begin(store, 1, &error);
    for (uint32_t i = 0; i < ABORTED; i++) {
        assert_true(
            cdc_transaction_store_append(store, held, 2 + i, 'I', core_slice_text("x"), &error));
        if (i % 2 == 0)
            assert_true(cdc_transaction_store_abort(store, held, 2 + (i ^ 64), &error));
    }
    size_t given = 0;
    cdc_store_result result = CDC_STORE_MESSAGE;
    while (result != CDC_STORE_END) {
        result = cdc_transaction_store_next(store, held, false, &message, &error);
        assert_int_not_equal(result, CDC_STORE_BROKEN);
        given += result == CDC_STORE_MESSAGE;
    }
    assert_int_equal(given, ABORTED / 2);
    cdc_transaction_store_free(store);
}

static void test_too_many_transactions(void **state) {
    (void)state;
    core_error error = {0};
    cdc_store_limits limits = {.memory_bytes = 1 << 20, .spill_dir = "/tmp"};
    cdc_transaction_store *store = cdc_transaction_store_new(&limits, &error);
    for (uint32_t i = 0; i < CDC_STORE_TRANSACTIONS_MAX; i++)
        assert_non_null(cdc_transaction_store_begin(store, 1 + i, &error));
    assert_null(cdc_transaction_store_begin(store, UINT32_MAX, &error));
    assert_int_equal(error.code, CORE_ERROR_TRANSIENT);
    assert_non_null(cdc_transaction_store_begin(store, 1, &error)); /* in place of the old one */
    cdc_transaction_store_free(store);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_model),
        cmocka_unit_test(test_model_on_a_failing_disk),
        cmocka_unit_test(test_model_at_the_maximum),
        cmocka_unit_test(test_many_aborted_subtransactions),
        cmocka_unit_test(test_too_many_transactions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
