/* Codes of refusals, and the form in which clients read them. */
#include "search-index/code.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_every_code_is_found_by_its_name(void **state) {
    (void)state;
    for (unsigned i = 0; i < SEARCH_CODE_NONE; i++) {
        const search_code_row *row = search_code_look((search_code)i);
        assert_int_equal(search_code_find(core_slice_text(row->name)), i);
        assert_true(row->status >= 400 && row->status < 600);
    }
    assert_int_equal(search_code_find(core_slice_text("invalid")), SEARCH_CODE_NONE);
    assert_int_equal(search_code_look(SEARCH_CODE_INVALID_API_KEY)->status, 403);
}

static void test_a_refusal_is_written_as_clients_read_it(void **state) {
    (void)state;
    core_buffer buffer;
    search_refusal refusal;
    core_buffer_init(&buffer, 4096);
    core_json_writer json = core_json_writer_make(&buffer);
    assert_false(
        search_refuse(&refusal, SEARCH_CODE_INDEX_NOT_FOUND, "Index `%s` not found.", "a\"b"));
    search_refusal_write(&refusal, &json);
    assert_true(
        core_slice_is(core_buffer_slice(&buffer),
                      "{\"message\":\"Index `a\\\"b` not found.\",\"code\":\"index_not_found\","
                      "\"type\":\"invalid_request\","
                      "\"link\":\"https://docs.meilisearch.com/errors#index_not_found\"}"));
    core_buffer_fini(&buffer);
}

static void test_a_long_message_is_cut_at_a_character(void **state) {
    (void)state;
    char text[SEARCH_REFUSAL_MAX + 2];
    search_refusal refusal;
    memset(text, 'a', sizeof text);
    memcpy(text + SEARCH_REFUSAL_MAX - 2, "\xc3\xa9", 3);
    text[sizeof text - 1] = '\0';
    assert_false(search_refuse(&refusal, SEARCH_CODE_INTERNAL, "%s", text));
    assert_int_equal(strlen(refusal.message), SEARCH_REFUSAL_MAX - 2);
}

static void test_an_error_is_refused_by_its_class(void **state) {
    static const struct {
        core_error_code error;
        search_code code;
    } rows[] = {{CORE_ERROR_INPUT, SEARCH_CODE_INVALID_SEARCH_FILTER},
                {CORE_ERROR_LIMIT, SEARCH_CODE_INVALID_SEARCH_FILTER},
                {CORE_ERROR_TRANSIENT, SEARCH_CODE_UNAVAILABLE},
                {CORE_ERROR_FULL, SEARCH_CODE_NO_SPACE_LEFT_ON_DEVICE},
                {CORE_ERROR_CONFIG, SEARCH_CODE_INTERNAL},
                {CORE_ERROR_INTERNAL, SEARCH_CODE_INTERNAL}};
    (void)state;
    for (size_t i = 0; i < CORE_COUNT_OF(rows); i++) {
        core_error error = {.code = rows[i].error, .text = "100% wrong"};
        search_refusal refusal;
        assert_false(search_refuse_error(&refusal, SEARCH_CODE_INVALID_SEARCH_FILTER, &error));
        assert_int_equal(refusal.code, rows[i].code);
        assert_string_equal(refusal.message, "100% wrong");
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_code_is_found_by_its_name),
        cmocka_unit_test(test_a_refusal_is_written_as_clients_read_it),
        cmocka_unit_test(test_a_long_message_is_cut_at_a_character),
        cmocka_unit_test(test_an_error_is_refused_by_its_class),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
