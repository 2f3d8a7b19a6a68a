/* What a stream's query asks for: bindings out of parameters, and what is refused. */
#include "ws/sse_request.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define OFFSET "0123456789abcdef-12.3"

static void assert_bindings(const char *query, const char *bindings) {
    ws_sse_request request;
    core_error error = {.text = ""};
    if (!ws_sse_request_init(&request, core_slice_text(query), core_slice_text(""), &error))
        fail_msg("%s: %s", query, error.text);
    core_buffer_u8(&request.bindings, 0);
    assert_string_equal((const char *)request.bindings.data, bindings);
    assert_false(request.has_since);
    ws_sse_request_fini(&request);
}

static void assert_refused(const char *query, const char *why) {
    ws_sse_request request;
    core_error error = {.text = ""};
    assert_false(
        ws_sse_request_init(&request, core_slice_text(query), core_slice_text(""), &error));
    assert_int_equal(error.code, CORE_ERROR_INPUT);
    if (strstr(error.text, why) == NULL)
        fail_msg("%s: \"%s\" does not say \"%s\"", query, error.text, why);
}

static void tables_are_named_in_several_ways(void **state) {
    (void)state;
    static const char *const rows[][3] = {
        {"table=public.todos", "public", "todos"},
        {"table=Public.Todos", "Public", "Todos"},
        {"table=%22My%20Schema%22.%22t.x%22", "My Schema", "t.x"},
        {"table=\"My+Schema\".plain", "My Schema", "plain"},
        {"table=public.\"say%20%22%22hi%22%22\"", "public", "say \\\"hi\\\""},
        {"table=public.*", "public", "*"},
        {"table=*.*", "*", "*"},
        {"table=*.todos", "*", "todos"},
        {"schema=public", "public", "*"},
        {"schema=My.Schema&table=t.x", "My.Schema", "t.x"},
        {"table=a%22b&schema=public", "public", "a\\\"b"},
        {"&table=public.caf%C3%A9&", "public", "caf\xC3\xA9"},
    };
    for (size_t i = 0; i < CORE_COUNT_OF(rows); i++) {
        char expected[256];
        core_buffer text = core_buffer_over(expected, sizeof expected);
        core_buffer_format(&text, "[{\"event\":\"*\",\"schema\":\"%s\",\"table\":\"%s\"}]%c",
                           rows[i][1], rows[i][2], 0);
        assert_bindings(rows[i][0], expected);
    }
    assert_bindings("table=todos", "[{\"event\":\"*\",\"table\":\"todos\"}]");
}

static void tables_that_are_no_names_are_refused(void **state) {
    (void)state;
    static const char *const queries[] = {
        "table=a.b.c",    "table=.b",     "table=a.", "table=\"a",     "table=\"a\"b",
        "table=a\"b\".c", "table=\"\".b", "table=.",  "table=\"a\"\"", "table=\"a\".",
    };
    for (size_t i = 0; i < CORE_COUNT_OF(queries); i++)
        assert_refused(queries[i], "table must be schema.table");
    assert_refused("", "table is missing");
    assert_refused("filter=id=eq.1", "table is missing");
    assert_refused("table=", "table is missing");
    assert_refused("table=public.\"*\"", "whose name is *");
    assert_refused("table=\"*\".todos", "whose name is *");
}

static void the_rest_goes_into_each_binding(void **state) {
    (void)state;
    assert_bindings("table=todos&filter=id%3Deq.1",
                    "[{\"event\":\"*\",\"table\":\"todos\",\"filter\":\"id=eq.1\"}]");
    assert_bindings("table=todos&filter=id=in.(1,2)&apikey=secret",
                    "[{\"event\":\"*\",\"table\":\"todos\",\"filter\":\"id=in.(1,2)\"}]");
    assert_bindings("table=todos&filter=id%3Deq.1&leave=true&snapshot=true&select=id",
                    "[{\"event\":\"*\",\"table\":\"todos\",\"filter\":\"id=eq.1\",\"leave\":true,"
                    "\"snapshot\":true,"
                    "\"select\":[\"id\"]}]");
    assert_bindings("table=todos&events=insert,DELETE",
                    "[{\"event\":\"insert\",\"table\":\"todos\"},"
                    "{\"event\":\"DELETE\",\"table\":\"todos\"}]");
    assert_bindings("table=todos&select=id,\"a,b\",\"c\"\"d\"",
                    "[{\"event\":\"*\",\"table\":\"todos\","
                    "\"select\":[\"id\",\"a,b\",\"c\\\"d\"]}]");
}

static void what_is_wrong_is_named(void **state) {
    (void)state;
    assert_refused("table=todos&filter=id=eq.1&leave=1", "leave must be");
    assert_refused("table=todos&slow=never", "slow must be close or conflate");
    assert_refused("table=todos&fliter=id=eq.1", "fliter is no parameter");
    assert_refused("table=todos&table=more", "table is given twice");
    assert_refused("table=todos&select=a,,b", "select must be");
    assert_refused("table=todos&select=a,", "select must be");
    assert_refused("table=todos&select=\"a", "select must be");
    assert_refused("table=todos&select=,a", "select must be");
    assert_refused("table=todos&events=1,2,3,4,5,6,7,8,9", "events");
    assert_refused("table=%zz", "table is not valid");
    assert_refused("table=%C3", "table is not valid");
    assert_refused("table=a%00b", "table is not valid");
    assert_refused("table=todos&since=yesterday", "since is no offset");
    assert_refused("table=todos&since=0123456789abcdef-0.0", "since is no offset");
}

static void assert_since(const char *query, const char *header, bool given, uint64_t sequence) {
    ws_sse_request request;
    core_error error;
    assert_true(
        ws_sse_request_init(&request, core_slice_text(query), core_slice_text(header), &error));
    assert_int_equal(request.has_since, given);
    if (given)
        assert_int_equal(request.since.sequence, sequence);
    ws_sse_request_fini(&request);
}

static void the_header_counts_before_since(void **state) {
    (void)state;
    ws_sse_request request;
    core_error error;
    assert_since("table=t", "", false, 0);
    assert_since("table=t&since=", "", false, 0);
    assert_since("table=t&since=" OFFSET, "", true, 12);
    assert_since("table=t", "0123456789abcdef-7.0", true, 7);
    assert_since("table=t&since=" OFFSET, "0123456789abcdef-7.0", true, 7);
    assert_false(ws_sse_request_init(&request, core_slice_text("table=t&since=" OFFSET),
                                     core_slice_text("7"), &error));
    assert_non_null(strstr(error.text, "Last-Event-ID"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_are_named_in_several_ways),
        cmocka_unit_test(tables_that_are_no_names_are_refused),
        cmocka_unit_test(the_rest_goes_into_each_binding),
        cmocka_unit_test(what_is_wrong_is_named),
        cmocka_unit_test(the_header_counts_before_since),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
