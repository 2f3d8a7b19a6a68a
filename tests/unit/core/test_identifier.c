/* Whatever a name holds, it stays one identifier. */
#include "core/core.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void assert_quoted(core_slice name, const char *expected) {
    core_buffer out;
    core_buffer_init(&out, 1024);
    core_identifier_append(&out, name);
    assert_true(core_slice_is(core_buffer_slice(&out), expected));
    core_buffer_fini(&out);
}

static void identifiers_double_their_quotes(void **state) {
    (void)state;
    assert_quoted(core_slice_text("todos"), "\"todos\"");
    assert_quoted(core_slice_text("a\"b\"; DROP TABLE x; --"), "\"a\"\"b\"\"; DROP TABLE x; --\"");
    assert_quoted(core_slice_text("back\\slash.dot"), "\"back\\slash.dot\"");
    assert_quoted(core_slice_text(""), "\"\"");
    assert_quoted(core_slice_make("a\0b", 3), "\"a\"");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(identifiers_double_their_quotes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
