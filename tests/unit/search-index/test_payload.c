/* Documents as they are sent, in one form; and what is refused of them. */
#include "search-index/payload.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

typedef struct {
    core_buffer out;
    size_t count;
    search_refusal refusal;
} fixture;

static int setup(void **state) {
    fixture *it = calloc(1, sizeof *it);
    core_buffer_init(&it->out, (size_t)1 << 20);
    *state = it;
    return 0;
}

static int teardown(void **state) {
    fixture *it = *state;
    core_buffer_fini(&it->out);
    free(it);
    return 0;
}

static bool take(fixture *it, search_payload_kind kind, const char *body) {
    core_buffer_reset(&it->out);
    it->refusal = (search_refusal){.code = SEARCH_CODE_NONE};
    return search_payload_read(kind, core_slice_text(body), ',', &it->out, &it->count,
                               &it->refusal);
}

static void assert_taken(fixture *it, search_payload_kind kind, const char *body, size_t count,
                         const char *wanted) {
    if (!take(it, kind, body))
        fail_msg("%s: %s", body, it->refusal.message);
    if (!core_slice_is(core_buffer_slice(&it->out), wanted))
        fail_msg("\"%.*s\" instead of \"%s\"", CORE_SLICE_ARGS(core_buffer_slice(&it->out)),
                 wanted);
    assert_int_equal(it->count, count);
}

static void assert_refused(fixture *it, search_payload_kind kind, const char *body,
                           search_code code, const char *message) {
    if (take(it, kind, body))
        fail_msg("taken: %s", body);
    if (it->refusal.code != code || strstr(it->refusal.message, message) == NULL)
        fail_msg("%s: %s", body, it->refusal.message);
}

static void test_json_is_a_list_or_one_object(void **state) {
    assert_taken(*state, SEARCH_PAYLOAD_JSON, "[{\"id\":1}, {\"id\":[1,{}]}]", 2,
                 "[{\"id\":1}, {\"id\":[1,{}]}]");
    assert_taken(*state, SEARCH_PAYLOAD_JSON, " {\"id\":1}", 1, "[ {\"id\":1}]");
    assert_taken(*state, SEARCH_PAYLOAD_JSON, "[]", 0, "[]");
}

static void test_json_that_is_malformed_is_refused(void **state) {
    assert_refused(*state, SEARCH_PAYLOAD_JSON, "", SEARCH_CODE_MISSING_PAYLOAD,
                   "A json payload is missing.");
    assert_refused(*state, SEARCH_PAYLOAD_JSON, "[{\"id\":1},\n{\"id\":}]",
                   SEARCH_CODE_MALFORMED_PAYLOAD, "at line 2");
    assert_refused(*state, SEARCH_PAYLOAD_JSON, "[{\"id\":1}", SEARCH_CODE_MALFORMED_PAYLOAD,
                   "The `json` payload provided is malformed. `Couldn't serialize");
    assert_refused(*state, SEARCH_PAYLOAD_JSON, "[{\"id\":1},2]", SEARCH_CODE_MALFORMED_PAYLOAD,
                   "data are neither an object nor a list of objects");
    assert_refused(*state, SEARCH_PAYLOAD_JSON, "\"doggo\"", SEARCH_CODE_MALFORMED_PAYLOAD,
                   "data are neither");
    assert_refused(*state, SEARCH_PAYLOAD_JSON, "[{\"id\":\"\xff\"}]",
                   SEARCH_CODE_MALFORMED_PAYLOAD, "UTF-8");
    assert_refused(*state, SEARCH_PAYLOAD_JSON, "[] []", SEARCH_CODE_MALFORMED_PAYLOAD, "");
    assert_refused(*state, SEARCH_PAYLOAD_JSON, "{} {}", SEARCH_CODE_MALFORMED_PAYLOAD, "");
}

static void test_lines_are_objects(void **state) {
    assert_taken(*state, SEARCH_PAYLOAD_NDJSON, "{\"id\":1}\r\n\n  {\"id\":2} \n", 2,
                 "[{\"id\":1},  {\"id\":2}]");
    assert_refused(*state, SEARCH_PAYLOAD_NDJSON, "{\"id\":1}\n{\"id\":2",
                   SEARCH_CODE_MALFORMED_PAYLOAD, "The `ndjson` payload");
    assert_refused(*state, SEARCH_PAYLOAD_NDJSON, "[1]", SEARCH_CODE_MALFORMED_PAYLOAD,
                   "neither an object");
    assert_refused(*state, SEARCH_PAYLOAD_NDJSON, "", SEARCH_CODE_MISSING_PAYLOAD,
                   "A ndjson payload is missing.");
}

static void test_csv_has_types_in_its_head(void **state) {
    assert_taken(*state, SEARCH_PAYLOAD_CSV,
                 "id,price:number,new:boolean,\"a:b\"\r\n"
                 "1,2.50,true,\"x, \"\"y\"\"\nz\"\r\n"
                 "2, ,,\n"
                 "3,+1e3,false,é",
                 3,
                 "[{\"id\":\"1\",\"price\":2.50,\"new\":true,\"a:b\":\"x, \\\"y\\\"\\nz\"},"
                 "{\"id\":\"2\",\"price\":null,\"new\":null,\"a:b\":null},"
                 "{\"id\":\"3\",\"price\":1000,\"new\":false,\"a:b\":\"é\"}]");
    assert_taken(*state, SEARCH_PAYLOAD_CSV, "id", 0, "[]");
}

static void test_csv_that_is_malformed_is_refused(void **state) {
    assert_refused(*state, SEARCH_PAYLOAD_CSV, "a,b\n1\n", SEARCH_CODE_MALFORMED_PAYLOAD,
                   "found record with 1 fields, but the previous record has 2 fields");
    assert_refused(*state, SEARCH_PAYLOAD_CSV, "a,b\n1,2,3\n", SEARCH_CODE_MALFORMED_PAYLOAD,
                   "found record with 3 fields");
    assert_refused(*state, SEARCH_PAYLOAD_CSV, "a\n\"1", SEARCH_CODE_MALFORMED_PAYLOAD, "quote");
    assert_refused(*state, SEARCH_PAYLOAD_CSV, "a:number\nx", SEARCH_CODE_MALFORMED_PAYLOAD,
                   "`x` is no number");
    assert_refused(*state, SEARCH_PAYLOAD_CSV, "a:number\nnan", SEARCH_CODE_MALFORMED_PAYLOAD,
                   "`nan` is no number");
    assert_refused(*state, SEARCH_PAYLOAD_CSV, "a:boolean\nyes", SEARCH_CODE_MALFORMED_PAYLOAD,
                   "`yes` is no boolean");
}

static void test_the_delimiter_may_be_another(void **state) {
    fixture *it = *state;
    assert_true(search_payload_read(SEARCH_PAYLOAD_CSV, core_slice_text("a;b\n1,5;2"), ';',
                                    &it->out, &it->count, &it->refusal));
    assert_true(core_slice_is(core_buffer_slice(&it->out), "[{\"a\":\"1,5\",\"b\":\"2\"}]"));
}

static void test_what_does_not_fit_is_refused(void **state) {
    fixture *it = *state;
    core_buffer_fini(&it->out);
    core_buffer_init(&it->out, 16);
    assert_refused(it, SEARCH_PAYLOAD_CSV, "a\n1\n2\n3\n4\n", SEARCH_CODE_PAYLOAD_TOO_LARGE,
                   "larger than 16 bytes");
}

static void test_content_types(void **state) {
    fixture *it = *state;
    search_payload_kind kind;
    assert_true(search_payload_kind_find(core_slice_text("Application/JSON ; charset=utf-8"), &kind,
                                         &it->refusal));
    assert_int_equal(kind, SEARCH_PAYLOAD_JSON);
    assert_true(search_payload_kind_find(core_slice_text("text/csv"), &kind, &it->refusal));
    assert_int_equal(kind, SEARCH_PAYLOAD_CSV);
    assert_false(search_payload_kind_find(core_slice_text(""), &kind, &it->refusal));
    assert_int_equal(it->refusal.code, SEARCH_CODE_MISSING_CONTENT_TYPE);
    assert_false(search_payload_kind_find(core_slice_text("text/plain"), &kind, &it->refusal));
    assert_int_equal(it->refusal.code, SEARCH_CODE_INVALID_CONTENT_TYPE);
    assert_string_equal(it->refusal.message,
                        "The Content-Type `text/plain` is invalid. Accepted values for the "
                        "Content-Type header are: `application/json`, `application/x-ndjson`, "
                        "`text/csv`");
    assert_false(search_payload_is_json(core_slice_text("text/csv"), &it->refusal));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_json_is_a_list_or_one_object, setup, teardown),
        cmocka_unit_test_setup_teardown(test_json_that_is_malformed_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lines_are_objects, setup, teardown),
        cmocka_unit_test_setup_teardown(test_csv_has_types_in_its_head, setup, teardown),
        cmocka_unit_test_setup_teardown(test_csv_that_is_malformed_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_delimiter_may_be_another, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_does_not_fit_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_does_not_fit_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_content_types, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
