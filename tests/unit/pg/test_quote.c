/* Quoting: whatever a name or text holds, it stays one identifier or one literal. */
#include "pg/pg.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void assert_quoted(void (*append)(core_buffer *, core_slice), core_slice text,
                          const char *expected) {
    core_buffer out;
    core_buffer_init(&out, 1024);
    append(&out, text);
    assert_true(core_slice_is(core_buffer_slice(&out), expected));
    core_buffer_fini(&out);
}

static void identifiers_double_their_quotes(void **state) {
    (void)state;
    assert_quoted(pg_identifier_append, core_slice_text("todos"), "\"todos\"");
    assert_quoted(pg_identifier_append, core_slice_text("a\"b\"; DROP TABLE x; --"),
                  "\"a\"\"b\"\"; DROP TABLE x; --\"");
    assert_quoted(pg_identifier_append, core_slice_text("back\\slash.dot"), "\"back\\slash.dot\"");
    assert_quoted(pg_identifier_append, core_slice_text(""), "\"\"");
    assert_quoted(pg_identifier_append, core_slice_make("a\0b", 3), "\"a\"");
}

static void literals_double_quotes_and_mark_backslashes(void **state) {
    (void)state;
    assert_quoted(pg_literal_append, core_slice_text("it's"), "'it''s'");
    assert_quoted(pg_literal_append, core_slice_text("\\'"), " E'\\\\'''");
    assert_quoted(pg_literal_append, core_slice_text(""), "''");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(identifiers_double_their_quotes),
        cmocka_unit_test(literals_double_quotes_and_mark_backslashes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
