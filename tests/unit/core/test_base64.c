/* base64 with padding: RFC 4648's own vectors, every length back and forth, and that each bytes
 * have one text. */
#include "core/core.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void the_standards_vectors(void **state) {
    (void)state;
    static const char *const pairs[][2] = {{"", ""},
                                           {"f", "Zg=="},
                                           {"fo", "Zm8="},
                                           {"foo", "Zm9v"},
                                           {"foob", "Zm9vYg=="},
                                           {"fooba", "Zm9vYmE="},
                                           {"foobar", "Zm9vYmFy"},
                                           {"\xff\xfe\xfb", "//77"}};
    for (size_t i = 0; i < CORE_COUNT_OF(pairs); i++) {
        core_buffer out;
        core_buffer_init(&out, 64);
        core_base64_encode(core_slice_text(pairs[i][0]), &out);
        assert_true(core_slice_is(core_buffer_slice(&out), pairs[i][1]));
        core_buffer_reset(&out);
        assert_true(core_base64_decode(core_slice_text(pairs[i][1]), &out));
        assert_true(core_slice_is(core_buffer_slice(&out), pairs[i][0]));
        core_buffer_fini(&out);
    }
}

static void every_length_comes_back(void **state) {
    (void)state;
    uint8_t bytes[256];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 37);
    for (size_t length = 0; length <= sizeof bytes; length++) {
        core_buffer text, out;
        core_buffer_init(&text, 512);
        core_buffer_init(&out, 512);
        core_base64_encode(core_slice_make(bytes, length), &text);
        assert_int_equal(text.length, core_base64_size(length));
        assert_true(core_base64_decode(core_buffer_slice(&text), &out));
        assert_true(core_slice_equal(core_buffer_slice(&out), core_slice_make(bytes, length)));
        core_buffer_fini(&text);
        core_buffer_fini(&out);
    }
}

static void other_texts_are_refused(void **state) {
    (void)state;
    static const char *const wrong[] = {"Z",    "Zg",   "Zg=",      "Zh==",    "Zm9=",
                                        "====", "=Zg=", "Zg==Zg==", "Zm 9v",   "Zm9_",
                                        "Zm9-", "Z===", "Zm9v\n",   "Zm9vZg=a"};
    for (size_t i = 0; i < CORE_COUNT_OF(wrong); i++) {
        core_buffer out;
        core_buffer_init(&out, 64);
        core_buffer_text(&out, "kept");
        assert_false(core_base64_decode(core_slice_text(wrong[i]), &out));
        assert_true(core_slice_is(core_buffer_slice(&out), "kept"));
        core_buffer_fini(&out);
    }
}

static void the_buffers_maximum_holds(void **state) {
    (void)state;
    core_buffer out;
    core_buffer_init(&out, 5);
    assert_false(core_base64_decode(core_slice_text("Zm9vYmFy"), &out));
    assert_int_equal(out.length, 0);
    core_buffer_fini(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_standards_vectors),
        cmocka_unit_test(every_length_comes_back),
        cmocka_unit_test(other_texts_are_refused),
        cmocka_unit_test(the_buffers_maximum_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
