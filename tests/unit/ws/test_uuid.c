/* UUIDs: of the right form, and never the same twice. */
#include "ws/uuid.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define MANY 4096

static int compare(const void *a, const void *b) {
    return strcmp(a, b);
}

static void assert_is_uuid(const char *text) {
    assert_int_equal(strlen(text), WS_UUID_SIZE - 1);
    for (size_t i = 0; text[i] != '\0'; i++) {
        if (i == 8 || i == 13 || i == 18 || i == 23)
            assert_int_equal(text[i], '-');
        else
            assert_true(isdigit((unsigned char)text[i]) || (text[i] >= 'a' && text[i] <= 'f'));
    }
    assert_int_equal(text[14], '4');
    assert_non_null(strchr("89ab", text[19]));
}

static void many_are_all_different(void **state) {
    (void)state;
    static char texts[MANY][WS_UUID_SIZE];
    for (size_t i = 0; i < MANY; i++) {
        ws_uuid_make(texts[i]);
        assert_is_uuid(texts[i]);
    }
    qsort(texts, MANY, sizeof texts[0], compare);
    for (size_t i = 1; i < MANY; i++)
        assert_string_not_equal(texts[i - 1], texts[i]);
}

/* Every digit that may vary does: no part of the randomness is left out. */
static void every_digit_varies(void **state) {
    (void)state;
    char first[WS_UUID_SIZE], next[WS_UUID_SIZE];
    bool varies[WS_UUID_SIZE] = {false};
    ws_uuid_make(first);
    for (int i = 0; i < 256; i++) {
        ws_uuid_make(next);
        for (size_t at = 0; at < WS_UUID_SIZE; at++)
            varies[at] |= first[at] != next[at];
    }
    for (size_t at = 0; at < WS_UUID_SIZE - 1; at++)
        assert_int_equal(varies[at], first[at] != '-' && at != 14);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_are_all_different),
        cmocka_unit_test(every_digit_varies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
