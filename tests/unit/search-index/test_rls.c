/* The key that a document's id was made of. */
#include "search-index/rls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_ids_are_taken_apart(void **state) {
    static const struct {
        const char *id;
        size_t parts;
        const char *key[3]; /* none: it is refused */
    } rows[] = {
        {"a_b%5F", 1, {"a_b%5F"}}, {"1_x%5F2", 2, {"1", "x_2"}},
        {"_", 2, {"", ""}},        {"%25_%5F_c", 3, {"%", "_", "c"}},
        {"1", 2, {NULL}},          {"1_2_3", 2, {NULL}},
        {"1_2%5", 2, {NULL}},      {"", 2, {NULL}},
    };
    core_arena arena;
    (void)state;
    core_arena_init(&arena, 4096, (size_t)1 << 20);
    for (size_t i = 0; i < CORE_COUNT_OF(rows); i++) {
        core_slice key[3];
        bool ok = search_rls_key(core_slice_text(rows[i].id), rows[i].parts, &arena, key);
        if (ok != (rows[i].key[0] != NULL))
            fail_msg("%s: %d", rows[i].id, ok);
        for (size_t j = 0; ok && j < rows[i].parts; j++)
            assert_true(core_slice_is(key[j], rows[i].key[j]));
    }
    core_arena_fini(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ids_are_taken_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
