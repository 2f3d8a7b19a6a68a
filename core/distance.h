/* How far a mistyped word is from a known one, to say "did you mean". */
#ifndef WALCAST_CORE_DISTANCE_H
#define WALCAST_CORE_DISTANCE_H

#include "core/base.h"

#define CORE_DISTANCE_TEXT_MAX 128

/* Levenshtein's distance: characters to insert, remove or change. A text of CORE_DISTANCE_TEXT_MAX
 * characters or more is SIZE_MAX from everything. */
size_t core_text_distance(const char *a, const char *b);

#endif
