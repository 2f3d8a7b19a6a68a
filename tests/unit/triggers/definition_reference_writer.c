/* Writes the table of a definition's keys into the page named, between its two marks: how that part
 * of docs/TRIGGERS.md is made. */
#include "triggers/definition_private.h"

#include <stdio.h>
#include <stdlib.h>

static const char begin_mark[] =
    "<!-- keys: made by `cmake --build ... --target trigger_reference` "
    "-->\n";
static const char end_mark[] = "<!-- /keys -->\n";

static char *page_read(const char *path) {
    static char text[1 << 20];
    FILE *file = fopen(path, "re");
    size_t length = file != NULL ? fread(text, 1, sizeof text - 1, file) : 0;
    text[length] = '\0';
    if (file != NULL)
        (void)fclose(file);
    return length > 0 ? text : NULL;
}

int main(int argc, char **argv) {
    char *text = argc == 2 ? page_read(argv[1]) : NULL;
    char *begin = text != NULL ? strstr(text, begin_mark) : NULL;
    char *end = begin != NULL ? strstr(begin, end_mark) : NULL;
    FILE *out = end != NULL ? fopen(argv[1], "we") : NULL;
    if (out == NULL) {
        (void)fprintf(stderr, "usage: definition_reference_writer PAGE, with both marks in it\n");
        return 2;
    }
    (void)fwrite(text, 1, (size_t)(begin - text) + strlen(begin_mark), out);
    triggers_reference_print(out);
    (void)fprintf(out, "\n%s", end);
    return fclose(out) == 0 ? 0 : 1;
}
