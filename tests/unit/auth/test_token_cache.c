/* What is known of tokens: those that were put, by their key, until there is no room. */
#include "auth/token_cache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static auth_token_print print_of(const auth_token_cache *cache, int number) {
    char token[32];
    auth_token_print print;
    snprintf(token, sizeof token, "a.b.%d", number);
    assert_true(auth_token_cache_print(cache, core_slice_text(token), &print));
    return print;
}

static void what_was_put_is_known_by_its_key_only(void **state) {
    (void)state;
    core_error error;
    auth_token_cache *cache = auth_token_cache_new(100, &error);
    assert_non_null(cache);
    auth_token_print a = print_of(cache, 1), b = print_of(cache, 2);
    assert_false(auth_token_cache_holds(cache, &a, 7));
    auth_token_cache_put(cache, &a, 7);
    assert_true(auth_token_cache_holds(cache, &a, 7));
    assert_false(auth_token_cache_holds(cache, &a, 8));
    assert_false(auth_token_cache_holds(cache, &b, 7));
    auth_token_cache_free(cache);
}

static void the_same_token_is_another_in_another_cache(void **state) {
    (void)state;
    core_error error;
    auth_token_cache *cache = auth_token_cache_new(1, &error);
    auth_token_cache *other = auth_token_cache_new(1, &error);
    auth_token_print a = print_of(cache, 1), b = print_of(other, 1);
    assert_memory_not_equal(&a, &b, sizeof a);
    auth_token_cache_free(cache);
    auth_token_cache_free(other);
}

static void full_it_forgets_what_was_not_used_for_longest(void **state) {
    (void)state;
    core_error error;
    auth_token_cache *cache = auth_token_cache_new(8, &error); /* one set */
    auth_token_print first = print_of(cache, 0), second = print_of(cache, 1);
    for (int i = 0; i < 8; i++) {
        auth_token_print print = print_of(cache, i);
        auth_token_cache_put(cache, &print, 1);
    }
    assert_true(auth_token_cache_holds(cache, &first, 1));
    for (int i = 8; i < 15; i++) {
        auth_token_print print = print_of(cache, i);
        auth_token_cache_put(cache, &print, 1);
        assert_true(auth_token_cache_holds(cache, &print, 1));
    }
    assert_true(auth_token_cache_holds(cache, &first, 1));
    assert_false(auth_token_cache_holds(cache, &second, 1));
    auth_token_cache_free(cache);
}

static void one_of_no_size_knows_nothing(void **state) {
    (void)state;
    core_error error;
    auth_token_print print;
    auth_token_cache *cache = auth_token_cache_new(0, &error);
    assert_non_null(cache);
    assert_false(auth_token_cache_print(cache, core_slice_text("a.b.c"), &print));
    auth_token_cache_free(cache);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_put_is_known_by_its_key_only),
        cmocka_unit_test(the_same_token_is_another_in_another_cache),
        cmocka_unit_test(full_it_forgets_what_was_not_used_for_longest),
        cmocka_unit_test(one_of_no_size_knows_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
