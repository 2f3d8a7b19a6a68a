/* The table of keys as docs/TRIGGERS.md has it: a table a section. */
#include "triggers/definition_private.h"

#include <stdio.h>

static void choices_print(const triggers_key *key, FILE *out) {
    for (const char *at = key->choices; *at != '\0';) {
        size_t length = strcspn(at, "|");
        (void)fprintf(out, "%s`%.*s`", at == key->choices ? " " : ", ", (int)length, at);
        at += length + (at[length] == '|');
    }
}

static void row_print(const triggers_key *key, FILE *out) {
    (void)fprintf(out, "| `%s`%s | %s", key->name, key->required ? " (must be given)" : "",
                  triggers_value_form(key->kind));
    if (key->choices != NULL)
        choices_print(key, out);
    (void)fprintf(out, " | ");
    if (key->initial != NULL)
        (void)fprintf(out, "`%s`", key->initial);
    (void)fprintf(out, " | %s |\n", key->doc);
}

static void section_print(const char *section, FILE *out) {
    size_t count;
    const triggers_key *keys = triggers_keys(&count);
    if (*section != '\0')
        (void)fprintf(out, "\n### `%s`\n", section);
    (void)fprintf(out, "\n| key | value | default | |\n|---|---|---|---|\n");
    for (size_t i = 0; i < count; i++)
        if (strcmp(keys[i].section, section) == 0)
            row_print(&keys[i], out);
}

void triggers_reference_print(FILE *out) {
    size_t count;
    const triggers_key *keys = triggers_keys(&count);
    const char *before = NULL;
    for (size_t i = 0; i < count; i++) {
        if (before == NULL || strcmp(before, keys[i].section) != 0)
            section_print(keys[i].section, out);
        before = keys[i].section;
    }
}
