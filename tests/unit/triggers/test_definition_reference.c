/* docs/TRIGGERS.md has the keys as the table has them now. */
#include "triggers/definition_private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static char *text_of(FILE *file) {
    char *text = calloc(1, 1 << 20);
    assert_non_null(text);
    assert_non_null(file);
    rewind(file);
    assert_true(fread(text, 1, (1 << 20) - 1, file) > 0);
    (void)fclose(file);
    return text;
}

static void the_page_has_all_keys(void **state) {
    (void)state;
    FILE *made = tmpfile();
    triggers_reference_print(made);
    char *reference = text_of(made);
    char *page = text_of(fopen(WALCAST_SOURCE_DIR "/docs/TRIGGERS.md", "re"));
    if (strstr(page, reference) == NULL)
        fail_msg("docs/TRIGGERS.md is not the table's: run --target trigger_reference");
    free(reference);
    free(page);
}

/* What a section's key names must be a key of that section, and each section somebody's. */
static void the_table_is_whole(void **state) {
    (void)state;
    size_t count;
    const triggers_key *keys = triggers_keys(&count);
    for (size_t i = 0; i < count; i++) {
        const triggers_key *key = &keys[i];
        assert_ptr_equal(triggers_key_find(key->section, core_slice_text(key->name)), key);
        if (key->needs != NULL)
            assert_non_null(triggers_key_find(key->section, core_slice_text(key->needs)));
        const char *dot = strrchr(key->section, '.');
        char parent[64] = "";
        if (dot != NULL)
            (void)snprintf(parent, sizeof parent, "%.*s", (int)(dot - key->section), key->section);
        if (key->section[0] != '\0')
            assert_non_null(
                triggers_key_find(parent, core_slice_text(dot != NULL ? dot + 1 : key->section)));
        assert_true(strlen(key->doc) > 10);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_page_has_all_keys),
        cmocka_unit_test(the_table_is_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
