/* Levenshtein's distance by rows; see distance.h. */
#include "core/distance.h"

#include <string.h>

static size_t least_of(size_t a, size_t b, size_t c) {
    size_t least = a < b ? a : b;
    return least < c ? least : c;
}

size_t core_text_distance(const char *a, const char *b) {
    size_t row[CORE_DISTANCE_TEXT_MAX];
    size_t length = strlen(b);
    if (length >= CORE_DISTANCE_TEXT_MAX || strlen(a) >= CORE_DISTANCE_TEXT_MAX)
        return SIZE_MAX;
    for (size_t i = 0; i <= length; i++)
        row[i] = i;
    for (size_t i = 1; a[i - 1] != '\0'; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= length; j++) {
            size_t above = row[j];
            size_t changed = diagonal + (a[i - 1] != b[j - 1]);
            row[j] = least_of(above + 1, row[j - 1] + 1, changed);
            diagonal = above;
        }
    }
    return row[length];
}
