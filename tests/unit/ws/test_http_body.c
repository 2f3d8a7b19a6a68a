/* Request bodies by length and chunked, whole and at every split. */
#include "ws/http_body.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const ws_http_head chunked = {.chunked = true};

/* Feeds `text` in pieces of `step` bytes, what was not taken again with more behind it. */
static ws_http_body_result feed(ws_http_body *body, const char *text, size_t step, size_t *used,
                                unsigned *status) {
    size_t length = strlen(text), end = 0;
    ws_http_body_result result = WS_HTTP_BODY_PARTIAL;
    *used = 0;
    while (result == WS_HTTP_BODY_PARTIAL && end < length) {
        size_t taken;
        const char *reason;
        end = end + step < length ? end + step : length;
        result = ws_http_body_take(body, core_slice_make(text + *used, end - *used), &taken, status,
                                   &reason);
        *used += taken;
    }
    return result;
}

static void test_by_length(void **state) {
    (void)state;
    for (size_t step = 1; step < 8; step++) {
        ws_http_head head = {.has_content_length = true, .content_length = 5};
        ws_http_body body;
        size_t used;
        unsigned status;
        ws_http_body_init(&body, &head, WS_HTTP_BODY_MAX);
        assert_int_equal(feed(&body, "helloGET", step, &used, &status), WS_HTTP_BODY_WHOLE);
        assert_int_equal(used, 5);
        assert_true(core_slice_is(core_buffer_slice(&body.bytes), "hello"));
        ws_http_body_fini(&body);
    }
}

static void test_chunked_at_every_split(void **state) {
    (void)state;
    static const char text[] =
        "5\r\nhello\r\n1;x=\"y\"\r\n,\r\nA\r\n 123456789\r\n0\r\nT: v\r\n\r\n";
    for (size_t step = 1; step < sizeof text; step++) {
        ws_http_body body;
        size_t used;
        unsigned status;
        ws_http_body_init(&body, &chunked, WS_HTTP_BODY_MAX);
        assert_int_equal(feed(&body, text, step, &used, &status), WS_HTTP_BODY_WHOLE);
        assert_int_equal(used, sizeof text - 1);
        assert_true(core_slice_is(core_buffer_slice(&body.bytes), "hello, 123456789"));
        ws_http_body_fini(&body);
    }
}

static void test_refusals(void **state) {
    (void)state;
    static const struct {
        const char *text;
        unsigned status;
    } rows[] = {
        {"\r\n", 400},
        {"g\r\n", 400},
        {"-1\r\n", 400},
        {"0x5\r\n", 400},
        {"5 \r\nhello\r\n", 400},
        {"5\nhello\r\n", 400},
        {"5\r\nhelloX\r\n", 400},
        {"123456789\r\n", 400},
        {"200000\r\n", 413},
        {"0\r\nbad\n\r\n", 400},
    };
    for (size_t i = 0; i < CORE_COUNT_OF(rows); i++) {
        ws_http_body body;
        size_t used;
        unsigned status = 0;
        ws_http_body_init(&body, &chunked, WS_HTTP_BODY_MAX);
        assert_int_equal(feed(&body, rows[i].text, 100, &used, &status), WS_HTTP_BODY_REFUSED);
        assert_int_equal(status, rows[i].status);
        ws_http_body_fini(&body);
    }
}

static void test_limits(void **state) {
    (void)state;
    ws_http_body body;
    unsigned status = 0;
    const char *reason;
    size_t used;
    ws_http_body_init(&body, &chunked, WS_HTTP_BODY_MAX);
    ws_http_body_result result = WS_HTTP_BODY_PARTIAL;
    static char chunk[0x10000 + 9];
    memcpy(chunk, "10000\r\n", 7);
    memcpy(chunk + sizeof chunk - 2, "\r\n", 2);
    int chunks = 0;
    for (; result == WS_HTTP_BODY_PARTIAL && chunks < 100; chunks++)
        result =
            ws_http_body_take(&body, core_slice_make(chunk, sizeof chunk), &used, &status, &reason);
    assert_int_equal(result, WS_HTTP_BODY_REFUSED);
    assert_int_equal(status, 413);
    assert_int_equal(chunks, WS_HTTP_BODY_MAX / 0x10000 + 1);
    ws_http_body_fini(&body);

    /* A route may take more, or less. */
    for (size_t max = 0x10000; max <= 4 * WS_HTTP_BODY_MAX; max *= 4) {
        ws_http_body_init(&body, &chunked, max);
        chunks = 0;
        do
            result = ws_http_body_take(&body, core_slice_make(chunk, sizeof chunk), &used, &status,
                                       &reason);
        while (result == WS_HTTP_BODY_PARTIAL && ++chunks < 100);
        assert_int_equal(chunks, max / 0x10000);
        assert_string_equal(reason, ws_http_body_too_long(max));
        ws_http_body_fini(&body);
    }

    static char line[1000];
    memset(line, '1', sizeof line);
    ws_http_body_init(&body, &chunked, WS_HTTP_BODY_MAX);
    assert_int_equal(
        ws_http_body_take(&body, core_slice_make(line, sizeof line), &used, &status, &reason),
        WS_HTTP_BODY_REFUSED);
    ws_http_body_fini(&body);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_length),
        cmocka_unit_test(test_chunked_at_every_split),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
