/* Regular expressions that mean what PostgreSQL's ~ and ~* mean under COLLATE "C".
 *
 * Private to expr. The pattern is read as PostgreSQL's (regex_translate.c), in the part of its
 * language whose meaning is certain; all else is refused. What comes out is a PCRE2 pattern, made
 * of the few constructs that are the same in both. Which text a match covers differs between the
 * two engines, whether there is one does not. */
#ifndef WALCAST_EXPR_REGEX_H
#define WALCAST_EXPR_REGEX_H

#include "expr/expr.h"

typedef struct expr_regex expr_regex;

/* Compiles. NULL with an INPUT error that quotes what is not taken. `fold`: as ~*, where ASCII
 * letters match in either case. */
CORE_MUST_CHECK expr_regex *expr_regex_new(core_slice pattern, bool fold, core_error *error);
void expr_regex_free(expr_regex *regex);
/* Gets what matching needs, once; before expr_regex_match. False when memory is out. */
CORE_MUST_CHECK bool expr_regex_prepare(expr_regex *regex);
/* Whether the text has a match. UNKNOWN past a limit of steps, and for a text that is not UTF-8. */
expr_truth expr_regex_match(const expr_regex *regex, core_slice text);
/* The same of a prepared one that several threads may match at once. What a match works in is the
 * regex's own for one of them; one that comes while it is taken allocates. */
expr_truth expr_regex_match_shared(expr_regex *regex, core_slice text);

/* The PCRE2 pattern; see above. */
CORE_MUST_CHECK bool expr_regex_translate(core_slice pattern, bool fold, core_buffer *out,
                                          core_error *error);

#endif
