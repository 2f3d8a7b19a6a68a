/* Documents that are sent: their primary key, their ids, and updates. */
#include "search-index/documents.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

typedef struct {
    core_arena arena;
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

static void test_the_primary_key_is_the_one_that_ends_with_id(void **state) {
    fixture *it = *state;
    core_slice key, index = core_slice_text("movies");
    assert_true(search_primary_key_guess(core_slice_text("{\"title\":{\"id\":1},\"movieId\":3}"),
                                         index, &it->arena, &key, &it->refusal));
    assert_true(core_slice_is(key, "movieId"));
    assert_false(search_primary_key_guess(core_slice_text("{\"title\":1}"), index, &it->arena, &key,
                                          &it->refusal));
    assert_int_equal(it->refusal.code, SEARCH_CODE_INDEX_PRIMARY_KEY_NO_CANDIDATE_FOUND);
    assert_false(search_primary_key_guess(core_slice_text("{\"aid\":1,\"bid\":2,\"c\":[]}"), index,
                                          &it->arena, &key, &it->refusal));
    assert_int_equal(it->refusal.code, SEARCH_CODE_INDEX_PRIMARY_KEY_MULTIPLE_CANDIDATES_FOUND);
    assert_non_null(strstr(it->refusal.message, "found 2 fields ending with `id` in their names: "
                                                "'aid' and 'bid'."));
}

static void assert_id(fixture *it, const char *document, const char *key, const char *wanted) {
    core_slice id;
    if (!search_document_id(core_slice_text(document), core_slice_text(key), &it->arena, &id,
                            &it->refusal))
        fail_msg("%s: %s", document, it->refusal.message);
    if (!core_slice_is(id, wanted))
        fail_msg("\"%.*s\" instead of \"%s\"", CORE_SLICE_ARGS(id), wanted);
}

static void test_ids_are_texts_and_whole_numbers(void **state) {
    assert_id(*state, "{\"id\":12}", "id", "12");
    assert_id(*state, "{\"id\":-12}", "id", "-12");
    assert_id(*state, "{\"a\":1,\"id\":\" x_Y-3 \"}", "id", "x_Y-3");
    assert_id(*state, "{\"\\u0069d\":\"\\u0061\"}", "id", "a");
    assert_id(*state, "{\"a\":{\"b.c\":{\"id\":7}}}", "a.b.c.id", "7");
    assert_id(*state, "{\"a.id\":1,\"a\":{\"id\":2}}", "a.id", "1");
}

static void test_other_ids_are_refused(void **state) {
    static const struct {
        const char *document;
        search_code code;
    } rows[] = {
        {"{\"title\":1}", SEARCH_CODE_MISSING_DOCUMENT_ID},
        {"{}", SEARCH_CODE_MISSING_DOCUMENT_ID},
        {"{\"id\":\"a b\"}", SEARCH_CODE_INVALID_DOCUMENT_ID},
        {"{\"id\":\"\"}", SEARCH_CODE_INVALID_DOCUMENT_ID},
        {"{\"id\":1.5}", SEARCH_CODE_INVALID_DOCUMENT_ID},
        {"{\"id\":1e3}", SEARCH_CODE_INVALID_DOCUMENT_ID},
        {"{\"id\":null}", SEARCH_CODE_INVALID_DOCUMENT_ID},
        {"{\"id\":[1]}", SEARCH_CODE_INVALID_DOCUMENT_ID},
        {"{\"id\":\"\xc3\xa9\"}", SEARCH_CODE_INVALID_DOCUMENT_ID},
    };
    fixture *it = *state;
    for (size_t i = 0; i < CORE_COUNT_OF(rows); i++) {
        core_slice id;
        it->refusal.code = SEARCH_CODE_NONE;
        bool ok = search_document_id(core_slice_text(rows[i].document), core_slice_text("id"),
                                     &it->arena, &id, &it->refusal);
        if (ok || it->refusal.code != rows[i].code)
            fail_msg("%s: %s", rows[i].document, ok ? "taken" : it->refusal.message);
    }
    char longest[SEARCH_ID_BYTES_MAX + 2];
    memset(longest, 'a', sizeof longest);
    assert_true(search_document_id_ok(core_slice_make(longest, SEARCH_ID_BYTES_MAX)));
    assert_false(search_document_id_ok(core_slice_make(longest, SEARCH_ID_BYTES_MAX + 1)));
}

static void test_an_update_keeps_what_it_leaves_out(void **state) {
    static const struct {
        const char *kept, *document, *merged;
    } rows[] = {
        {"{\"id\":1,\"a\":[1,2],\"b\":{\"c\":3}}", "{\"id\":1,\"b\":{\"d\":4}}",
         "{\"a\":[1,2],\"id\":1,\"b\":{\"d\":4}}"},
        {"{\"id\":1}", "{\"id\":1}", "{\"id\":1}"},
        {"{}", "{\"id\":1,\"x\":null}", "{\"id\":1,\"x\":null}"},
        {"{\"\\u0061\":1,\"z\":2}", "{\"a\":3}", "{\"z\":2,\"a\":3}"},
    };
    core_buffer out;
    (void)state;
    core_buffer_init(&out, 4096);
    for (size_t i = 0; i < CORE_COUNT_OF(rows); i++) {
        core_buffer_reset(&out);
        search_document_merge(core_slice_text(rows[i].kept), core_slice_text(rows[i].document),
                              &out);
        if (!core_slice_is(core_buffer_slice(&out), rows[i].merged))
            fail_msg("\"%.*s\" instead of \"%s\"", CORE_SLICE_ARGS(core_buffer_slice(&out)),
                     rows[i].merged);
    }
    core_buffer_fini(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_primary_key_is_the_one_that_ends_with_id, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_ids_are_texts_and_whole_numbers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_other_ids_are_refused, setup, teardown),
        cmocka_unit_test(test_an_update_keeps_what_it_leaves_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
