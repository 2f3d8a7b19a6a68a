/* base64url: RFC 4648's own vectors (section 10, without padding), and what is refused. */
#include "auth/base64url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static bool decodes_to(const char *text, core_slice expected) {
    core_buffer out;
    core_buffer_init(&out, 64);
    bool same = auth_base64url_decode(core_slice_text(text), &out) &&
                core_slice_equal(core_buffer_slice(&out), expected);
    core_buffer_fini(&out);
    return same;
}

static void the_rfc_vectors_hold_both_ways(void **state) {
    (void)state;
    static const char *const pairs[][2] = {
        {"", ""},           {"Zg", "f"},          {"Zm8", "fo"},         {"Zm9v", "foo"},
        {"Zm9vYg", "foob"}, {"Zm9vYmE", "fooba"}, {"Zm9vYmFy", "foobar"}};
    for (size_t i = 0; i < CORE_COUNT_OF(pairs); i++) {
        core_buffer out;
        core_buffer_init(&out, 64);
        auth_base64url_encode(core_slice_text(pairs[i][1]), &out);
        assert_true(core_slice_is(core_buffer_slice(&out), pairs[i][0]));
        core_buffer_fini(&out);
        assert_true(decodes_to(pairs[i][0], core_slice_text(pairs[i][1])));
    }
    assert_true(decodes_to("-_8", core_slice_make("\xfb\xff", 2)));
}

static void there_is_one_text_for_each_bytes(void **state) {
    (void)state;
    static const char *const refused[] = {"Z",    "Zm9vY", "Zg==", "Zg=", "Zh",      "Zm9=",
                                          "Zm 9", "Zm9\n", "+_8",  "-/8", "Zm\x80v", "Zm9vYh"};
    for (size_t i = 0; i < CORE_COUNT_OF(refused); i++) {
        core_buffer out;
        core_buffer_init(&out, 64);
        if (auth_base64url_decode(core_slice_text(refused[i]), &out))
            fail_msg("%s was taken", refused[i]);
        assert_int_equal(out.length, 0);
        core_buffer_fini(&out);
    }
}

static void the_buffers_maximum_holds(void **state) {
    (void)state;
    core_buffer out;
    core_buffer_init(&out, 2);
    assert_false(auth_base64url_decode(core_slice_text("Zm9v"), &out));
    core_buffer_fini(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rfc_vectors_hold_both_ways),
        cmocka_unit_test(there_is_one_text_for_each_bytes),
        cmocka_unit_test(the_buffers_maximum_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
