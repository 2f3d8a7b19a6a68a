/* The book of definitions, as a watch writes it: begun anew, filled, changed. */
#include "tests/unit/triggers/definitions.h"
#include "triggers/definition_book.h"

#include <stdio.h>
#include <stdlib.h>

static const triggers_definition *made(const char *name) {
    char text[128];
    (void)snprintf(text, sizeof text, "{name: %s, on: {table: t}, do: {workflow: {name: x}}}",
                   name);
    return definition_of("p", text);
}

static void assert_names(const triggers_book *book, const char *expected) {
    char names[256] = "";
    const triggers_set *set = triggers_book_set(book, 1);
    for (size_t i = 0; i < set->count; i++) {
        size_t used = strlen(names);
        (void)snprintf(names + used, sizeof names - used, "%.*s ",
                       CORE_SLICE_ARGS(set->definitions[i]->name));
    }
    assert_string_equal(names, expected);
    triggers_set_release(set);
}

static void test_book(void **state) {
    (void)state;
    triggers_book book;
    triggers_book_init(&book, 3);
    assert_names(&book, "");
    assert_true(triggers_book_put(&book, "k.b", made("b")));
    assert_true(triggers_book_put(&book, "k.a", made("a")));
    assert_true(triggers_book_put(&book, "k.c", made("c")));
    assert_names(&book, "a b c ");
    assert_false(triggers_book_put(&book, "k.d", made("d")));
    assert_true(triggers_book_put(&book, "k.b", made("bb")));
    assert_names(&book, "a bb c ");
    triggers_book_remove(&book, "k.a");
    triggers_book_remove(&book, "k.nobody");
    assert_names(&book, "bb c ");
    triggers_book_begin(&book);
    assert_names(&book, "bb c ");
    assert_true(triggers_book_put(&book, "k.c", made("c")));
    triggers_book_all(&book);
    assert_names(&book, "c ");
    triggers_book_note(&book, 9);
    triggers_book_note(&book, 4);
    const triggers_set *held = triggers_book_set(&book, 1);
    assert_int_equal(held->revision, 9);
    triggers_book_fini(&book);
    assert_true(core_slice_is(held->definitions[0]->name, "c"));
    triggers_set_release(held);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_book)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
