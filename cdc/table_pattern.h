/* The patterns of `postgres.tables`: `schema.table`, `schema.*`, `*.*`, names quoted as in SQL
 * where they hold dots, stars or quotes ("My Schema"."a.b"). Names are taken as written: no case
 * folding. */
#ifndef WALCAST_CDC_TABLE_PATTERN_H
#define WALCAST_CDC_TABLE_PATTERN_H

#include "core/core.h"

#define CDC_NAME_MAX 64 /* PostgreSQL's NAMEDATALEN, NUL included */

typedef struct {
    bool any_schema;
    bool any_table;
    char schema[CDC_NAME_MAX];
    char table[CDC_NAME_MAX];
} cdc_table_pattern;

/* INPUT error that shows the pattern and the expected form. */
CORE_MUST_CHECK bool cdc_table_pattern_parse(const char *text, cdc_table_pattern *pattern,
                                             core_error *error);

/* The patterns of a key (postgres.tables, snapshot.initial) as two PostgreSQL array literals of
 * equal length, NULL standing for any: for `unnest($1::text[], $2::text[])`. CONFIG error that
 * names the key. */
CORE_MUST_CHECK bool cdc_table_patterns_write(const core_config *config, const char *key,
                                              core_buffer *schemas, core_buffer *tables,
                                              core_error *error);

/* The patterns of postgres.tenant_schemas as an array literal of LIKE patterns. */
CORE_MUST_CHECK bool cdc_tenant_patterns_write(const core_config *config, core_buffer *patterns,
                                               core_error *error);

#endif
