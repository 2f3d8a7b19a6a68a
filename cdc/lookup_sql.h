/* The statements that lookup.c sends. Pure: text and parameters out of a change. */
#ifndef WALCAST_CDC_LOOKUP_SQL_H
#define WALCAST_CDC_LOOKUP_SQL_H

#include "pg/pg.h"

/* $1: OIDs as an array's text. Rows of type, the type under all domains, and where that one is an
 * array: its elements' type under all domains and the delimiter. */
extern const char cdc_lookup_types_sql[];

typedef struct {
    const char *sql;
    const char *const *parameters;
    size_t parameter_count;
} cdc_row_question;

/* Whether the new row's value must be asked for: neither the change nor its old image has it. */
bool cdc_lookup_wants(const core_change *change, size_t column);
/* The question for these values. Its answer is one row: whether the change's transaction is visible
 * ("t"), then for each value two columns: "n" when it is null, "v" when it is not, NULL when there
 * is no such row; and the value, or NULL when it is longer than `max_bytes`. False when the row
 * cannot be asked for: nothing is missing, it has no key, the key came in binary form or is itself
 * missing, or the question is too long. `sql` and `arena` hold it. */
CORE_MUST_CHECK bool cdc_lookup_row_ask(const core_change *change, size_t max_bytes,
                                        core_buffer *sql, core_arena *arena,
                                        cdc_row_question *question);

#endif
