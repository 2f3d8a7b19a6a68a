/* LIKE patterns: % any characters, _ one, a backslash takes the next as it is. Private to expr. */
#ifndef WALCAST_EXPR_LIKE_H
#define WALCAST_EXPR_LIKE_H

#include "expr/expr.h"

/* False when the pattern ends with a backslash that takes nothing: PostgreSQL refuses it when it
 * gets there. */
CORE_MUST_CHECK bool expr_like_check(core_slice pattern);
/* `fold`: ASCII letters match in either case. UNKNOWN past a number of steps, and when the text is
 * not UTF-8 so that nobody can say what one character is. */
expr_truth expr_like(core_slice text, core_slice pattern, bool fold);

#endif
