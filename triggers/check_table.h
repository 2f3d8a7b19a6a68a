/* A table as its catalog has it now: its shape, and what of a change's rows the WAL will hold. */
#ifndef WALCAST_TRIGGERS_CHECK_TABLE_H
#define WALCAST_TRIGGERS_CHECK_TABLE_H

#include "pg/pg.h"
#include "triggers/rule.h"

typedef struct {
    bool in_primary_key;
    bool in_identity;  /* the old image of every UPDATE and DELETE tells it */
    bool is_generated; /* PostgreSQL does not send it */
    bool is_toastable; /* a long value may be stored beside the row */
} triggers_check_column;

typedef struct {
    core_arena arena;
    core_relation relation;
    triggers_relation_facts facts;
    const triggers_check_column *columns; /* one a column */
    bool has_identity;                    /* UPDATE and DELETE can be told at all */
    bool is_published;                    /* by one of the source's publications, as itself */
    bool is_partitioned;
    core_slice parts_publication; /* that has its partitions in its place; empty: none */
    bool holds_long_values;       /* some are stored beside their rows now */
} triggers_check_table;

typedef enum {
    TRIGGERS_TABLE_FOUND,
    TRIGGERS_TABLE_NO_SCHEMA,
    TRIGGERS_TABLE_NONE,   /* the schema has none of that name */
    TRIGGERS_TABLE_OTHER,  /* it is no table: a view, an index */
    TRIGGERS_TABLE_FAILED, /* the database could not be asked */
} triggers_table_result;

/* `_fini` in every case. `nearest` gets the name in the schema (of schemas: in the database) that
 * is nearest to the one that is not there, "" where none is near. */
CORE_MUST_CHECK triggers_table_result triggers_check_table_read(
    pg_connection *connection, const char *publication, const char *schema, const char *name,
    triggers_check_table *table, char nearest[CORE_TENANT_SCHEMA_SIZE], core_error *error);
void triggers_check_table_fini(triggers_check_table *table);
/* The column's index; -1: there is none. */
int triggers_check_column_find(const triggers_check_table *table, const char *name);

/* The nearest of names to a mistyped one, as "did you mean" has it. */
void triggers_nearest(const char *name, const char *candidate,
                      char nearest[CORE_TENANT_SCHEMA_SIZE]);

#endif
