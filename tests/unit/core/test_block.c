/* Blocks: the bytes live until the last owner lets go, whichever thread that is. */
#include "core/core.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define THREADS 4
#define ROUNDS  20000

static void a_copy_holds_the_bytes(void **state) {
    (void)state;
    core_block *block = core_block_copy(core_slice_text("a frame"));
    assert_true(core_slice_is(core_block_slice(block), "a frame"));
    assert_ptr_equal(core_block_retain(block), block);
    core_block_release(block);
    assert_true(core_slice_is(core_block_slice(block), "a frame"));
    core_block_release(block);
    core_block_release(NULL);
}

static void sizes_that_overflow_give_null(void **state) {
    (void)state;
    assert_null(core_block_new(SIZE_MAX));
    core_block *empty = core_block_new(0);
    assert_int_equal(core_block_slice(empty).length, 0);
    core_block_release(empty);
}

static void *retain_and_release(void *context) {
    core_block *block = context;
    for (int i = 0; i < ROUNDS; i++)
        core_block_release(core_block_retain(block));
    core_block_release(block);
    return NULL;
}

/* The sanitizers see a lost count: as a leak, or as a use after the free. */
static void threads_share_the_count(void **state) {
    (void)state;
    core_block *block = core_block_copy(core_slice_text("shared"));
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(
            pthread_create(&threads[i], NULL, retain_and_release, core_block_retain(block)), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(atomic_load(&block->references), 1);
    assert_true(core_slice_is(core_block_slice(block), "shared"));
    core_block_release(block);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_copy_holds_the_bytes),
        cmocka_unit_test(sizes_that_overflow_give_null),
        cmocka_unit_test(threads_share_the_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
