/* The keys' own conditions: what is surely wrong is refused before anything is connected. */
#include "core/config_private.h"
#include "core/core.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

typedef bool (*config_check)(const char *text, core_error *error);

static void assert_all(config_check check, bool expected, const char *const *texts, size_t count) {
    for (size_t i = 0; i < count; i++) {
        core_error error = {.text = "expected "};
        if (check(texts[i], &error) != expected)
            fail_msg("%s: %s", expected ? "refused" : "let through", texts[i]);
        assert_int_equal(strncmp(error.text, "expected ", 9), 0);
    }
}

#define ASSERT_VALID(check_, ...)                                                                  \
    assert_all((check_), true, (const char *const[]){__VA_ARGS__},                                 \
               CORE_COUNT_OF(((const char *const[]){__VA_ARGS__})))
#define ASSERT_REFUSED(check_, ...)                                                                \
    assert_all((check_), false, (const char *const[]){__VA_ARGS__},                                \
               CORE_COUNT_OF(((const char *const[]){__VA_ARGS__})))

static void addresses(void **state) {
    (void)state;
    ASSERT_VALID(core_config_check_listen, "127.0.0.1:4000", "0.0.0.0:0", "[::]:65535",
                 "localhost:80", "[fe80::1%eth0]:1");
    ASSERT_REFUSED(core_config_check_listen, "4000", ":4000", "127.0.0.1",
                   "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "::1:80", "[]:80",
                   "http://h:80", "h:80/x", "h: 80", "a b:80");
}

static void urls(void **state) {
    (void)state;
    ASSERT_VALID(core_config_check_postgres_url, "postgres://h", "postgresql://u:p@h:1,h2:2/d?a=b");
    ASSERT_REFUSED(core_config_check_postgres_url, "postgres://", "host=h dbname=d", "http://h",
                   "postgres:/h");
    ASSERT_VALID(core_config_check_nats_urls, "nats://h", "tls://u:p@h:1", "nats://a:1,nats://b:2",
                 "nats://a,tls://b");
    ASSERT_REFUSED(core_config_check_nats_urls, "nats://", "h:4222", "http://h", "nats://a,",
                   "nats://a,b", ",nats://a", "nats://a b", "nats://a, nats://b",
                   "nats://a,,nats://b");
    ASSERT_VALID(core_config_check_http_url, "https://h/jwks.json", "http://127.0.0.1:1/");
    ASSERT_REFUSED(core_config_check_http_url, "https://", "ftp://h", "h/jwks.json");
}

static void networks(void **state) {
    (void)state;
    ASSERT_VALID(core_config_check_network, "127.0.0.1", "10.0.0.0/8", "0.0.0.0/0", "::1",
                 "fd00::/8", "::/0", "::ffff:10.0.0.0/104");
    ASSERT_REFUSED(core_config_check_network, "", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.1/8",
                   "10.0/8", "host", "fd00::/129", "fd00::1/64", "[::1]", "10.0.0.0/-1",
                   "10.0.0.0/8/8", "::ffff:0:0/90");
}

static void origins(void **state) {
    (void)state;
    ASSERT_VALID(core_config_check_origin, "*", "null", "https://a.example",
                 "http://localhost:3000", "https://*.example.com", "http://localhost:*",
                 "https://*.example.com:8443", "http://[::1]:80", "http://[::1]",
                 "capacitor://localhost");
    ASSERT_REFUSED(core_config_check_origin, "", "example.com", "https://", "https://a/",
                   "https://a/b", "https://a.*", "https://*", "https://a:b",
                   "https://a:", "https://*.", "https:/a", "https://a b", "https://u@a",
                   "https://[::1", "https://a.*.b", "https://a:70000");
}

static void names(void **state) {
    (void)state;
    ASSERT_VALID(core_config_check_tenant, "default", "größe", "a b");
    ASSERT_REFUSED(core_config_check_tenant, "events", "jobs", "workflows", "triggers", "realtime",
                   "12345678901234567890123456789012345678901234567890123456789012345");
    ASSERT_VALID(core_config_check_slot, "walcast", "a_1");
    ASSERT_REFUSED(core_config_check_slot, "Walcast", "a-b", "a.b", "é",
                   "1234567890123456789012345678901234567890123456789012345678901234");
    ASSERT_VALID(core_config_check_identifier, "Any \"name\"");
    ASSERT_REFUSED(core_config_check_identifier,
                   "1234567890123456789012345678901234567890123456789012345678901234");
    ASSERT_VALID(core_config_check_stream, "WALCAST", "a-b_1");
    ASSERT_REFUSED(core_config_check_stream, "a.b", "a b", "*",
                   "123456789012345678901234567890123");
    ASSERT_VALID(core_config_check_prefix, "atlasdb");
    ASSERT_REFUSED(core_config_check_prefix, "a.b", ">", "a b");
}

static void tables(void **state) {
    (void)state;
    ASSERT_VALID(core_config_check_table, "public.*", "a.b", "\"My.Schema\".\"T.1\"", "a.\"b\"");
    ASSERT_REFUSED(core_config_check_table, "todos", ".b", "a.", "a..b", "\"a.b\"", "*");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses), cmocka_unit_test(urls),  cmocka_unit_test(networks),
        cmocka_unit_test(origins),   cmocka_unit_test(names), cmocka_unit_test(tables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
