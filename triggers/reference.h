/* Names in a definition: references to columns (`new.total`, `old."Total"`) and tables. Pure. */
#ifndef WALCAST_TRIGGERS_REFERENCE_H
#define WALCAST_TRIGGERS_REFERENCE_H

#include "triggers/definition.h"

typedef struct {
    bool is_old;
    char column[TRIGGERS_IDENTIFIER_MAX + 1];
} triggers_reference;

/* The whole text is `new.` or `old.` and a name as SQL has it: unquoted it is folded to small
 * letters, in double quotes it is taken as it is. */
CORE_MUST_CHECK bool triggers_reference_read(core_slice text, triggers_reference *reference);

/* The next reference within an expression or template, outside of its string literals: `*at`
 * (bytes) moves behind it, `*position` gets its place in characters, from 1. False: there is none.
 */
CORE_MUST_CHECK bool triggers_reference_next(core_slice text, size_t *at, size_t *position,
                                             triggers_reference *reference);

typedef struct {
    char schema[TRIGGERS_IDENTIFIER_MAX + 1]; /* "public" where none is written */
    char table[TRIGGERS_IDENTIFIER_MAX + 1];
} triggers_table_name;

/* SCHEMA.TABLE or TABLE, as Walcast has it everywhere: unquoted names are taken as they are, one
 * that holds a dot or a quote stands in double quotes. */
CORE_MUST_CHECK bool triggers_table_name_read(core_slice text, triggers_table_name *name);

#endif
