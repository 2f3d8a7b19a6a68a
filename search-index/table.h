/* A table as its catalog has it now: columns, primary key, and what changes tell of it. */
#ifndef WALCAST_SEARCH_INDEX_TABLE_H
#define WALCAST_SEARCH_INDEX_TABLE_H

#include "pg/pg.h"
#include "search-index/facts.h"

typedef struct {
    core_arena arena;
    core_relation
        relation;          /* `key`: the columns that tell the old row in every UPDATE and DELETE */
    const core_slice *key; /* the primary key's columns, in its order */
    size_t key_count;
    bool is_published;            /* by one of the source's publications, as itself */
    core_slice parts_publication; /* that has its partitions in its place; empty: none */
} search_live_table;

typedef enum {
    SEARCH_TABLE_FOUND,
    SEARCH_TABLE_NONE,   /* there is no such schema, or no such table in it */
    SEARCH_TABLE_FAILED, /* the database could not be asked */
} search_table_result;

/* `_fini` in every case. `nearest` gets a table of the schema whose name is near, "": there is
 * none.
 */
CORE_MUST_CHECK search_table_result search_table_read(pg_connection *connection,
                                                      const char *publication, const char *schema,
                                                      const char *name, search_live_table *table,
                                                      char nearest[SEARCH_IDENTIFIER_MAX + 1],
                                                      core_error *error);
void search_table_fini(search_live_table *table);
/* The column's index; -1: there is none. */
int search_table_column(const search_live_table *table, core_slice name);
/* The name of a column that is near, or "". */
const char *search_table_nearest(const search_live_table *table, core_slice name);

#endif
