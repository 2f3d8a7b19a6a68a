/* Request heads: what is understood, at every split; what is refused, with which status. The wire
 * test (tests/integration/ws_http.test.mjs) holds the same against the running server. */
#include "ws/http_head.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static ws_http_head_result parse(const char *text, ws_http_head *head, unsigned *status) {
    const char *reason = NULL;
    ws_http_head_result result = ws_http_head_parse(core_slice_text(text), head, status, &reason);
    if (result == WS_HTTP_HEAD_REFUSED)
        assert_non_null(reason);
    return result;
}

static void assert_text(core_slice slice, const char *expected) {
    assert_int_equal(slice.length, strlen(expected));
    assert_memory_equal(slice.data, expected, slice.length);
}

static void test_a_whole_head(void **state) {
    (void)state;
    static const char text[] = "GET /a%20b?x=1&y=%3D HTTP/1.1\r\nHost: h\r\nX-One:  v \r\n"
                               "Connection: keep-alive, Upgrade\r\nempty:\r\n\r\nBODY";
    ws_http_head head;
    unsigned status;
    assert_int_equal(parse(text, &head, &status), WS_HTTP_HEAD_WHOLE);
    assert_int_equal(head.length, sizeof text - 1 - 4);
    assert_text(head.method, "GET");
    assert_text(head.path, "/a%20b");
    assert_text(head.query, "x=1&y=%3D");
    assert_int_equal(head.header_count, 4);
    assert_text(ws_http_header_value(&head, "x-one"), "v");
    assert_text(ws_http_header_value(&head, "EMPTY"), "");
    assert_null(ws_http_header_value(&head, "absent").data);
    assert_true(ws_http_header_has(&head, "connection", "upgrade"));
    assert_false(ws_http_header_has(&head, "connection", "close"));
    assert_true(head.keep_alive);
    assert_false(head.chunked || head.has_content_length || head.expect_continue);
}

static void test_every_split_is_partial(void **state) {
    (void)state;
    static const char text[] = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n";
    ws_http_head head;
    unsigned status;
    const char *reason;
    for (size_t length = 0; length < sizeof text - 1; length++)
        assert_int_equal(ws_http_head_parse(core_slice_make(text, length), &head, &status, &reason),
                         WS_HTTP_HEAD_PARTIAL);
    assert_int_equal(parse(text, &head, &status), WS_HTTP_HEAD_WHOLE);
    assert_true(head.has_content_length);
    assert_int_equal(head.content_length, 3);
}

static void test_refusals(void **state) {
    (void)state;
    static const struct {
        const char *text;
        unsigned status;
    } rows[] = {
        {"GET / HTTP/1.1\r\n\r\n", 400},
        {"GET /\r\n\r\n", 400},
        {" GET / HTTP/1.1\r\nHost: h\r\n\r\n", 400},
        {"GET  / HTTP/1.1\r\nHost: h\r\n\r\n", 400},
        {"G(T / HTTP/1.1\r\nHost: h\r\n\r\n", 400},
        {"GET x HTTP/1.1\r\nHost: h\r\n\r\n", 400},
        {"GET /\x01 HTTP/1.1\r\nHost: h\r\n\r\n", 400},
        {"GET /\xC3\xA9 HTTP/1.1\r\nHost: h\r\n\r\n", 400},
        {"GET / http/1.1\r\nHost: h\r\n\r\n", 400},
        {"GET / HTTP/2.0\r\nHost: h\r\n\r\n", 505},
        {"GET / HTTP/1.1\nHost: h\n\n", 400},
        {"GET / HTTP/1.1\r\nHost: h\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: h\r\n folded: x\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: h\r\n: x\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
         400},
        {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length:\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0x5\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 18446744073709551616\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: identity\r\n\r\n", 501},
        {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n"
         "Transfer-Encoding: chunked\r\n\r\n",
         400},
        {"GET / HTTP/1.1\r\nHost: h\r\nExpect: 101\r\n\r\n", 417},
    };
    for (size_t i = 0; i < CORE_COUNT_OF(rows); i++) {
        ws_http_head head;
        unsigned status = 0;
        assert_int_equal(parse(rows[i].text, &head, &status), WS_HTTP_HEAD_REFUSED);
        if (status != rows[i].status)
            fail_msg("row %zu: %u instead of %u", i, status, rows[i].status);
    }
}

static void test_limits(void **state) {
    (void)state;
    static char text[2 * WS_HTTP_HEAD_MAX];
    ws_http_head head;
    unsigned status;
    const char *reason;
    int at = snprintf(text, sizeof text, "GET / HTTP/1.1\r\nHost: h\r\nA: ");
    memset(text + at, 'a', sizeof text - (size_t)at);
    core_slice just = core_slice_make(text, WS_HTTP_HEAD_MAX - 1);
    assert_int_equal(ws_http_head_parse(just, &head, &status, &reason), WS_HTTP_HEAD_PARTIAL);
    core_slice over = core_slice_make(text, WS_HTTP_HEAD_MAX);
    assert_int_equal(ws_http_head_parse(over, &head, &status, &reason), WS_HTTP_HEAD_REFUSED);
    assert_int_equal(status, 431);
}

static bool query_is(const char *query, const char *name, const char *expected) {
    core_buffer out;
    core_buffer_init(&out, 64);
    bool found = ws_http_query_value(core_slice_text(query), name, &out);
    bool same = found && core_slice_is(core_buffer_slice(&out), expected);
    core_buffer_fini(&out);
    return expected == NULL ? !found : same;
}

static void test_query_values(void **state) {
    (void)state;
    assert_true(query_is("apikey=a.b-c_d&vsn=2.0.0", "apikey", "a.b-c_d"));
    assert_true(query_is("apikey=a&vsn=2.0.0", "vsn", "2.0.0"));
    assert_true(query_is("a=%41%2b+%c3%a9", "a", "A+ \xC3\xA9"));
    assert_true(query_is("a=1&a=2", "a", "1"));
    assert_true(query_is("a", "a", ""));
    assert_true(query_is("ab=1", "a", NULL));
    assert_true(query_is("", "a", NULL));
    assert_true(query_is("a=%4", "a", NULL));
    assert_true(query_is("a=%zz", "a", NULL));
    assert_true(query_is("a=0123456789012345678901234567890123456789012345678901234567890123456789",
                         "a", NULL)); /* over the buffer's maximum */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_whole_head),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_every_split_is_partial),
        cmocka_unit_test(test_query_values),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
