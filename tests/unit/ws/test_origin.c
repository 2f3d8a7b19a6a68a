/* Which entry is for which origin. */
#include "ws/origin.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void test_fits(void **state) {
    (void)state;
    static const struct {
        const char *entry, *origin;
        bool fits;
    } rows[] = {
        {"https://a.example", "https://a.example", true},
        {"https://a.example", "HTTPS://A.Example", true},
        {"https://a.example", "http://a.example", false},
        {"https://a.example", "https://a.example:8443", false},
        {"https://a.example", "https://a.example.evil.test", false},
        {"https://a.example", "https://xa.example", false},
        {"https://a.example", "https://b.a.example", false},
        {"https://a.example:8443", "https://a.example:8443", true},
        {"https://a.example:8443", "https://a.example", false},
        {"https://*.example.com", "https://a.example.com", true},
        {"https://*.example.com", "https://a.b.example.com", true},
        {"https://*.example.com", "https://A.EXAMPLE.com", true},
        {"https://*.example.com", "https://example.com", false},
        {"https://*.example.com", "https://.example.com", false},
        {"https://*.example.com", "https://aexample.com", false},
        {"https://*.example.com", "https://a.example.com.evil.test", false},
        {"https://*.example.com", "https://evil.test/.example.com", false},
        {"https://*.example.com", "http://a.example.com", false},
        {"https://*.example.com", "https://a.example.com:8443", false},
        {"https://*.example.com:*", "https://a.example.com:8443", true},
        {"http://localhost:*", "http://localhost", true},
        {"http://localhost:*", "http://localhost:3000", true},
        {"http://localhost:*", "http://localhost:3000.evil.test", false},
        {"http://localhost:*", "http://localhost.evil.test:3000", false},
        {"http://[::1]:3000", "http://[::1]:3000", true},
        {"http://[::1]", "http://[::1]:3000", false},
        {"http://[::1]:*", "http://[::1]:3000", true},
        {"capacitor://localhost", "capacitor://localhost", true},
        {"null", "null", true},
        {"null", "https://null", false},
        {"https://a.example", "null", false},
        {"https://a.example", "https://", false},
        {"https://a.example", "://a.example", false},
        {"https://a.example", "https://a.example:", false},
        {"https://a.example", "", false},
    };
    for (size_t i = 0; i < CORE_COUNT_OF(rows); i++)
        if (ws_origin_fits(core_slice_text(rows[i].origin), rows[i].entry) != rows[i].fits)
            fail_msg("%s for %s", rows[i].entry, rows[i].origin);
}

static void test_a_list(void **state) {
    (void)state;
    const char *entries[] = {"https://a.example", "https://*.example.com"};
    const ws_origins origins = {.any = true, .count = 2, .entries = entries};
    assert_true(ws_origins_name(&origins, core_slice_text("https://a.example")));
    assert_true(ws_origins_name(&origins, core_slice_text("https://b.example.com")));
    assert_false(ws_origins_name(&origins, core_slice_text("https://b.example"))); /* by "*" only */
    assert_false(ws_origins_name(&origins, core_slice_text("")));
    char text[WS_ORIGIN_MAX + 32];
    memset(text, 'a', sizeof text);
    memcpy(text, "https://", 8);
    memcpy(text + sizeof text - 12, ".example.com", 12);
    assert_false(ws_origins_name(&origins, core_slice_make(text, sizeof text)));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fits),
        cmocka_unit_test(test_a_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
