/* ${secret:NAME} in texts: found, replaced once, and refused where it is none. */
#include "auth/secret_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

/* "two" is told in two ways of looking like a reference itself. */
static bool resolve(void *context, core_slice name, core_buffer *value, core_error *error) {
    ++*(int *)context;
    if (core_slice_is(name, "one"))
        core_buffer_text(value, "1");
    else if (core_slice_is(name, "two"))
        core_buffer_text(value, "${secret:one}");
    else if (!core_slice_is(name, "empty"))
        return core_error_set(error, CORE_ERROR_INPUT, "there is none");
    return true;
}

static void expanded(const char *text, const char *expected) {
    core_buffer out;
    core_error error = {.text = ""};
    int asked = 0;
    core_buffer_init(&out, 4096);
    if (!auth_secret_text_expand(core_slice_text(text), resolve, &asked, &out, &error))
        fail_msg("%s: %s", text, error.text);
    assert_true(core_slice_is(core_buffer_slice(&out), expected));
    core_buffer_fini(&out);
}

static void refused(const char *text, const char *reason) {
    core_buffer out;
    core_error error = {.text = ""};
    int asked = 0;
    core_buffer_init(&out, 16);
    assert_false(auth_secret_text_expand(core_slice_text(text), resolve, &asked, &out, &error));
    if (strstr(error.text, reason) == NULL)
        fail_msg("%s: %s", text, error.text);
    core_buffer_fini(&out);
}

static void references_are_replaced(void **state) {
    (void)state;
    expanded("", "");
    expanded("nothing: $ ${ ${other:x} secret:one }", "nothing: $ ${ ${other:x} secret:one }");
    expanded("${secret:one}", "1");
    expanded("a ${secret:one}${secret:one} b ${secret:empty}", "a 11 b ");
    expanded("$${secret:one}}", "$1}");
    expanded("${secret:two}", "${secret:one}"); /* what comes in is not looked at again */
}

static void what_is_none_is_refused(void **state) {
    (void)state;
    refused("x${secret:", "at byte 1: expected ${secret:NAME}");
    refused("${secret:}", "at byte 0");
    refused("${secret:one", "at byte 0");
    refused("${secret:one two}", "at byte 0");
    refused("${secret:9}", "at byte 0");
    refused("${secret:a.b}", "at byte 0");
    refused("${secret:one}${secret:-}", "at byte 13");
    refused("${secret:missing}", "${secret:missing}: there is none");
    refused("${secret:one} and more than fits", "expected at most 16");
}

static void a_text_has_so_many_and_asks_once(void **state) {
    (void)state;
    core_buffer text, out;
    core_error error = {.text = ""};
    int asked = 0;
    core_buffer_init(&text, 4096);
    core_buffer_init(&out, 4096);
    for (int i = 0; i < AUTH_SECRET_REFERENCES_MAX; i++)
        core_buffer_text(&text, "${secret:one}");
    assert_true(auth_secret_text_expand(core_buffer_slice(&text), resolve, &asked, &out, &error));
    assert_int_equal(out.length, AUTH_SECRET_REFERENCES_MAX);
    assert_int_equal(asked, 1);
    core_buffer_reset(&out);
    core_buffer_text(&text, "${secret:one}");
    assert_false(auth_secret_text_expand(core_buffer_slice(&text), resolve, &asked, &out, &error));
    assert_int_equal(error.code, CORE_ERROR_LIMIT);
    core_buffer_fini(&text);
    core_buffer_fini(&out);
}

static void names(void **state) {
    (void)state;
    char longest[AUTH_SECRET_NAME_MAX + 2];
    memset(longest, 'a', sizeof longest);
    assert_true(auth_secret_name_ok(core_slice_make((const uint8_t *)longest, 64)));
    assert_false(auth_secret_name_ok(core_slice_make((const uint8_t *)longest, 65)));
    assert_true(auth_secret_name_ok(core_slice_text("_Stripe-2")));
    static const char *const wrong[] = {"", "2", "-a", "a.b", "a b", "a*", "ä", "a/b", "a=b"};
    for (size_t i = 0; i < CORE_COUNT_OF(wrong); i++)
        assert_false(auth_secret_name_ok(core_slice_text(wrong[i])));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(references_are_replaced), cmocka_unit_test(what_is_none_is_refused),
        cmocka_unit_test(a_text_has_so_many_and_asks_once), cmocka_unit_test(names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
