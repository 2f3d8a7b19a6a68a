/* Parameters of requests: what is undone, found and refused. */
#include "search-index/params.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

typedef struct {
    core_arena arena;
    search_params params;
    search_refusal refusal;
} fixture;

static int setup(void **state) {
    fixture *it = calloc(1, sizeof *it);
    core_arena_init(&it->arena, 4096, (size_t)1 << 20);
    *state = it;
    return 0;
}

static int teardown(void **state) {
    fixture *it = *state;
    core_arena_fini(&it->arena);
    free(it);
    return 0;
}

static bool read_query(fixture *it, const char *query) {
    return search_params_read(core_slice_text(query), &it->arena, &it->params, &it->refusal);
}

static void test_parameters_are_undone_and_found(void **state) {
    fixture *it = *state;
    assert_true(read_query(it, "a=%C3%A9+b&&c&apikey=secret&d=x=y"));
    assert_int_equal(it->params.count, 3);
    assert_true(core_slice_is(*search_params_find(&it->params, "a"), "\xc3\xa9 b"));
    assert_true(core_slice_is(*search_params_find(&it->params, "c"), ""));
    assert_true(core_slice_is(*search_params_find(&it->params, "d"), "x=y"));
    assert_null(search_params_find(&it->params, "apikey"));
    assert_true(read_query(it, ""));
    assert_int_equal(it->params.count, 0);
}

static void test_what_is_malformed_is_refused(void **state) {
    static const char *const rows[] = {"a=%", "a=%4", "a=%zz", "a=%ff", "%=1"};
    fixture *it = *state;
    for (size_t i = 0; i < CORE_COUNT_OF(rows); i++)
        if (read_query(it, rows[i]))
            fail_msg("taken: %s", rows[i]);
    char many[SEARCH_PARAMS_MAX * 2 + 3];
    for (size_t i = 0; i < sizeof many; i++)
        many[i] = i % 2 == 0 ? 'a' : '&';
    many[sizeof many - 1] = '\0';
    assert_false(read_query(it, many));
}

static void test_values_have_types(void **state) {
    static const char *const names[] = {"limit", "on", NULL};
    fixture *it = *state;
    uint64_t number = 7;
    bool flag = false;
    assert_true(read_query(it, "limit=12&on=true"));
    assert_true(search_params_known(&it->params, names, &it->refusal));
    assert_true(search_params_number(&it->params, "limit", SEARCH_CODE_INVALID_TASK_LIMIT, &number,
                                     &it->refusal));
    assert_int_equal(number, 12);
    assert_true(search_params_number(&it->params, "none", SEARCH_CODE_INVALID_TASK_LIMIT, &number,
                                     &it->refusal));
    assert_int_equal(number, 12);
    assert_true(
        search_params_bool(&it->params, "on", SEARCH_CODE_BAD_REQUEST, &flag, &it->refusal));
    assert_true(flag);
    assert_true(read_query(it, "limit=doggo&on=yes&x=1"));
    assert_false(search_params_number(&it->params, "limit", SEARCH_CODE_INVALID_TASK_LIMIT, &number,
                                      &it->refusal));
    assert_string_equal(it->refusal.message, "Invalid value in parameter `limit`: could not parse "
                                             "`doggo` as a positive integer");
    assert_false(
        search_params_bool(&it->params, "on", SEARCH_CODE_BAD_REQUEST, &flag, &it->refusal));
    assert_false(search_params_known(&it->params, names, &it->refusal));
    assert_string_equal(it->refusal.message,
                        "Unknown parameter `x`: expected one of `limit`, `on`");
}

static void test_lists_stand_between_commas(void **state) {
    fixture *it = *state;
    core_slice *texts;
    size_t count;
    assert_true(read_query(it, "a=1,%2C2&b=*&c="));
    assert_true(search_params_list(&it->params, "a", &it->arena, &texts, &count));
    assert_int_equal(count, 3);
    assert_true(core_slice_is(texts[2], "2"));
    assert_true(search_params_list(&it->params, "b", &it->arena, &texts, &count));
    assert_int_equal(count, 0);
    assert_true(search_params_list(&it->params, "none", &it->arena, &texts, &count));
    assert_int_equal(count, 0);
    assert_true(search_params_list(&it->params, "c", &it->arena, &texts, &count));
    assert_int_equal(count, 1);
    assert_int_equal(texts[0].length, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_parameters_are_undone_and_found, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_malformed_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_values_have_types, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lists_stand_between_commas, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
