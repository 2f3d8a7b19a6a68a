/* The gate of a transfer whose URL is an operator's: the first hop leads anywhere, a redirect from
 * a public address to public ones only. (No public address answers here: that the hop before was
 * one is set by hand.) */
#include "net/gate.h"

#include "../lib/http_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void answer(test_server *server, int fd, const char *path) {
    (void)server;
    (void)path;
    test_server_say(fd, "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
}

static CURLcode get(CURL *easy, net_gate *gate, const test_server *server) {
    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%u/", server->port);
    assert_true(net_gate_options_set(easy, gate, NULL));
    assert_int_equal(curl_easy_setopt(easy, CURLOPT_URL, url), CURLE_OK);
    return curl_easy_perform(easy);
}

static void a_redirect_from_outside_leads_not_inside(void **state) {
    test_server server = {.answer = answer};
    net_gate gate;
    (void)state;
    (void)unsetenv("http_proxy");
    assert_int_equal(test_server_start(&server), 0);
    CURL *easy = curl_easy_init();
    assert_non_null(easy);
    net_gate_init(&gate, NULL);
    net_gate_reset(&gate, NULL);
    assert_int_equal(get(easy, &gate, &server), CURLE_OK);
    assert_false(gate.hop_was_public);
    assert_int_equal(get(easy, &gate, &server), CURLE_OK); /* from a private one */
    gate.hop_was_public = true;
    assert_int_equal(get(easy, &gate, &server), CURLE_COULDNT_CONNECT);
    assert_true(net_gate_closed(&gate));
    assert_int_equal(gate.error.code, CORE_ERROR_DENIED);
    assert_non_null(strstr(gate.error.text, "127.0.0.1, which is a loopback one"));
    net_gate_reset(&gate, NULL); /* another question begins anew */
    assert_int_equal(get(easy, &gate, &server), CURLE_OK);
    assert_int_equal(atomic_load(&server.requests), 3);
    curl_easy_cleanup(easy);
    assert_int_equal(test_server_stop(&server), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_redirect_from_outside_leads_not_inside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
