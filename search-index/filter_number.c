/* A filter's value as a number: digits, one point, an exponent, a sign; nothing else is one. */
#include "search-index/filter.h"

#include <math.h>
#include <stdlib.h>

enum { NUMBER_BYTES_MAX = 400 };

bool search_filter_number(core_slice text, double *number) {
    char copy[NUMBER_BYTES_MAX];
    char *end;
    if (text.length == 0 || !core_slice_to_text(text, copy, sizeof copy))
        return false;
    if (strspn(copy, "0123456789+-.eE") != text.length)
        return false;
    *number = strtod(copy, &end);
    return *end == '\0' && isfinite(*number);
}
