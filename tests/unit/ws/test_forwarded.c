/* Whom a request is from: only trusted proxies are believed, from the end of what they say. */
#include "ws/forwarded.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static core_network networks[4];
static const ws_proxies proxies = {.networks = networks, .count = CORE_COUNT_OF(networks)};

static int setup(void **state) {
    (void)state;
    static const char *const texts[] = {"127.0.0.1", "10.0.0.0/8", "fd00::/8", "::1"};
    for (size_t i = 0; i < CORE_COUNT_OF(texts); i++)
        if (!core_network_parse(core_slice_text(texts[i]), &networks[i]))
            return -1;
    return 0;
}

static void assert_client(const char *peer_text, const char *headers, const char *expected) {
    char text[4096], shown[CORE_ADDRESS_TEXT_SIZE];
    ws_http_head head;
    unsigned status;
    const char *reason;
    core_address peer;
    (void)snprintf(text, sizeof text, "GET / HTTP/1.1\r\nHost: h\r\n%s\r\n", headers);
    assert_int_equal(ws_http_head_parse(core_slice_text(text), &head, &status, &reason),
                     WS_HTTP_HEAD_WHOLE);
    assert_true(core_address_parse(core_slice_text(peer_text), &peer));
    core_address client = ws_forwarded_client(&head, &peer, &proxies);
    core_address_text(&client, shown);
    if (strcmp(shown, expected) != 0)
        fail_msg("from %s, %s: %s instead of %s", peer_text, headers, shown, expected);
}

#define XFF "X-Forwarded-For: "
#define FWD "Forwarded: "

static void test_x_forwarded_for(void **state) {
    (void)state;
    static const char *const rows[][3] = {
        {"127.0.0.1", "", "127.0.0.1"},
        {"127.0.0.1", XFF "192.0.2.1\r\n", "192.0.2.1"},
        {"192.0.2.9", XFF "192.0.2.1\r\n", "192.0.2.9"}, /* anybody may say so */
        {"127.0.0.1", XFF "6.6.6.6, 192.0.2.1\r\n", "192.0.2.1"},
        {"127.0.0.1", XFF "6.6.6.6, 192.0.2.1,10.0.0.1 ,\t10.9.9.9\r\n", "192.0.2.1"},
        {"127.0.0.1", XFF "10.0.0.1, 10.0.0.2\r\n", "10.0.0.1"}, /* all are ours: the first */
        {"127.0.0.1", "x-forwarded-for: 6.6.6.6\r\nX-FORWARDED-FOR: 192.0.2.1\r\n", "192.0.2.1"},
        {"127.0.0.1", XFF "192.0.2.1\r\n" XFF "10.0.0.1\r\n", "192.0.2.1"},
        {"127.0.0.1", XFF "192.0.2.1:1234\r\n", "192.0.2.1"},
        {"127.0.0.1", XFF "2001:db8::1\r\n", "2001:db8::1"},
        {"127.0.0.1", XFF "[2001:db8::1]:443\r\n", "2001:db8::1"},
        {"127.0.0.1", XFF "::ffff:192.0.2.1\r\n", "192.0.2.1"},
        {"fd00::5", XFF "2001:db8::1, fd00::6\r\n", "2001:db8::1"},
        /* what is no address ends it at the last who is known */
        {"127.0.0.1", XFF "unknown\r\n", "127.0.0.1"},
        {"127.0.0.1", XFF "192.0.2.1, unknown, 10.0.0.1\r\n", "10.0.0.1"},
        {"127.0.0.1", XFF "\r\n", "127.0.0.1"},
        {"127.0.0.1", XFF "192.0.2.1,\r\n", "127.0.0.1"},
        {"127.0.0.1", XFF "192.0.2.1:99999\r\n", "127.0.0.1"},
        {"127.0.0.1", XFF "192.0.2.1:\r\n", "127.0.0.1"},
        {"127.0.0.1", XFF "[2001:db8::1\r\n", "127.0.0.1"},
        {"127.0.0.1", XFF "[]\r\n", "127.0.0.1"},
        {"127.0.0.1", XFF "[2001:db8::1]x\r\n", "127.0.0.1"},
        {"127.0.0.1", XFF "::1:2:3:4:5:6:7:8:9\r\n", "127.0.0.1"},
    };
    for (size_t i = 0; i < CORE_COUNT_OF(rows); i++)
        assert_client(rows[i][0], rows[i][1], rows[i][2]);
}

static void test_forwarded(void **state) {
    (void)state;
    static const char *const rows[][3] = {
        {"127.0.0.1", FWD "for=192.0.2.1\r\n", "192.0.2.1"},
        {"192.0.2.9", FWD "for=192.0.2.1\r\n", "192.0.2.9"},
        {"127.0.0.1", FWD "proto=https; For=192.0.2.1 ;by=10.0.0.1\r\n", "192.0.2.1"},
        {"127.0.0.1", FWD "for=\"[2001:db8::1]:47\";host=\"a\"\r\n", "2001:db8::1"},
        {"127.0.0.1", FWD "for=\"192.0.2.1:80\"\r\n", "192.0.2.1"},
        {"127.0.0.1", FWD "for=6.6.6.6, for=192.0.2.1;by=_x, for=10.0.0.1\r\n", "192.0.2.1"},
        {"127.0.0.1", FWD "for=6.6.6.6\r\n" FWD "for=192.0.2.1\r\n", "192.0.2.1"},
        {"127.0.0.1", FWD "for=_hidden\r\n", "127.0.0.1"},
        {"127.0.0.1", FWD "for=unknown, for=10.0.0.1\r\n", "10.0.0.1"},
        {"127.0.0.1", FWD "proto=https\r\n", "127.0.0.1"},
        {"127.0.0.1", FWD "for=\r\n", "127.0.0.1"},
        {"127.0.0.1", FWD "for=\"\r\n", "127.0.0.1"},
        /* a quote that the client left open does not swallow what the proxy said */
        {"127.0.0.1", FWD "for=\"6.6.6.6, for=192.0.2.1\r\n", "192.0.2.1"},
        /* both: one may be the client's own */
        {"127.0.0.1", FWD "for=192.0.2.1\r\n" XFF "192.0.2.1\r\n", "192.0.2.1"},
        {"127.0.0.1", FWD "for=6.6.6.6\r\n" XFF "192.0.2.1\r\n", "127.0.0.1"},
    };
    for (size_t i = 0; i < CORE_COUNT_OF(rows); i++)
        assert_client(rows[i][0], rows[i][1], rows[i][2]);
}

static void test_many_hops(void **state) {
    (void)state;
    char headers[2048] = XFF "192.0.2.1";
    for (int i = 1; i < WS_FORWARDED_HOPS_MAX; i++)
        strncat(headers, ",10.0.0.1", sizeof headers - strlen(headers) - 1);
    strncat(headers, "\r\n", sizeof headers - strlen(headers) - 1);
    assert_client("127.0.0.1", headers, "192.0.2.1");
    headers[strlen(headers) - 2] = '\0';
    strncat(headers, ",10.0.0.2\r\n", sizeof headers - strlen(headers) - 1);
    assert_client("127.0.0.1", headers, "10.0.0.1");
}

static void test_nobody_is_trusted(void **state) {
    (void)state;
    ws_http_head head = {.header_count = 0};
    core_address peer = {.family = CORE_ADDRESS_V4, .bytes = {127, 0, 0, 1}};
    core_address client = ws_forwarded_client(&head, &peer, NULL);
    assert_true(core_address_equal(&client, &peer));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_x_forwarded_for),
        cmocka_unit_test(test_forwarded),
        cmocka_unit_test(test_many_hops),
        cmocka_unit_test(test_nobody_is_trusted),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
