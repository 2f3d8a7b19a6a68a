/* Keys as subjects: readable where they may be, one to one always. */
#include "fanout/bucket_key.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void assert_subject(const char *key, const char *expected) {
    char subject[FANOUT_BUCKET_KEY_MAX];
    core_error error = {0};
    assert_true(fanout_bucket_subject("$KV.b.", key, subject, &error));
    assert_string_equal(subject, expected);
    char read[FANOUT_BUCKET_KEY_MAX];
    core_buffer out = core_buffer_over(read, sizeof read);
    assert_true(fanout_bucket_key_read(core_slice_text(subject + strlen("$KV.b.")), &out));
    assert_true(core_slice_is(core_buffer_slice(&out), key));
}

static void test_plain_keys_stay(void **state) {
    (void)state;
    assert_subject("default.Todos-9_x/y", "$KV.b.default.Todos-9_x/y");
}

static void test_the_rest_is_escaped(void **state) {
    (void)state;
    assert_subject("", "$KV.b.=");
    assert_subject("=", "$KV.b.=3D");
    assert_subject("a b%", "$KV.b.a=20b=25");
    assert_subject("*.>", "$KV.b.=2A.=3E");
    assert_subject("caf\xc3\xa9\n", "$KV.b.caf=C3=A9=0A");
}

static void test_dots_make_no_empty_tokens(void **state) {
    (void)state;
    assert_subject(".", "$KV.b.=2E");
    assert_subject(".a", "$KV.b.=2Ea");
    assert_subject("a.", "$KV.b.a=2E");
    assert_subject("a..b", "$KV.b.a.=2Eb");
    assert_subject("...", "$KV.b.=2E=2E=2E");
}

static void test_overlong_is_refused(void **state) {
    char key[FANOUT_BUCKET_KEY_MAX], subject[FANOUT_BUCKET_KEY_MAX];
    core_error error = {0};
    size_t fits = FANOUT_BUCKET_KEY_MAX - 1 - strlen("$KV.b.");
    (void)state;
    memset(key, 'k', sizeof key);
    key[fits] = '\0';
    assert_true(fanout_bucket_subject("$KV.b.", key, subject, &error));
    assert_int_equal(strlen(subject), FANOUT_BUCKET_KEY_MAX - 1);
    key[fits] = 'k';
    key[fits + 1] = '\0';
    assert_false(fanout_bucket_subject("$KV.b.", key, subject, &error));
    assert_int_equal(error.code, CORE_ERROR_LIMIT);
}

static void test_what_is_no_escape_is_refused(void **state) {
    static const char *const keys[] = {"a=", "a=2", "a=zz", "a=2 ", "=="};
    (void)state;
    for (size_t i = 0; i < CORE_COUNT_OF(keys); i++) {
        char read[8];
        core_buffer out = core_buffer_over(read, sizeof read);
        assert_false(fanout_bucket_key_read(core_slice_text(keys[i]), &out));
    }
    char one[1];
    core_buffer small = core_buffer_over(one, sizeof one);
    assert_false(fanout_bucket_key_read(core_slice_text("ab"), &small));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_keys_stay),
        cmocka_unit_test(test_the_rest_is_escaped),
        cmocka_unit_test(test_dots_make_no_empty_tokens),
        cmocka_unit_test(test_overlong_is_refused),
        cmocka_unit_test(test_what_is_no_escape_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
