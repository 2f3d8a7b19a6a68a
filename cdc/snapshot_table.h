/* A table as a snapshot reads it: what of it is published, by which key it is walked, and the SQL
 * that gives a piece of it. `walcast verify` looks at a table by the same description.
 *
 * Described from the catalogs in the very transaction that reads rows, so that both agree. The key
 * is what the live stream identifies rows by (the replica identity's index, else the primary key),
 * so that rows and changes can be matched. Of a table without one, places are ctids. */
#ifndef WALCAST_CDC_SNAPSHOT_TABLE_H
#define WALCAST_CDC_SNAPSHOT_TABLE_H

#include "cdc/binary_text.h"
#include "pg/pg.h"

#define CDC_SNAPSHOT_KEY_MAX 32 /* columns: INDEX_MAX_KEYS */

typedef enum {
    CDC_ROWS_KEYED,   /* changes are matched by key */
    CDC_ROWS_WHOLE,   /* no key, REPLICA IDENTITY FULL: matched by the whole row */
    CDC_ROWS_INSERTS, /* no key: the stream tells inserts only */
} cdc_snapshot_rows;

typedef struct {
    core_slice type_sql;        /* for a cast: "public"."citext", numeric(10,2) */
    core_slice operator_schema; /* of its ordering's operators */
    core_slice type_name;       /* pg_type.typname */
    uint16_t key_place;         /* in the key, from 1; 0: not in it */
    bool has_binary;            /* its type has a binary form */
    core_slice number;          /* pg_attribute.attnum: survives a renaming */
    core_slice collation;       /* the OID */
    uint32_t base_oid;          /* what a domain is over; 0: it is none */
} cdc_snapshot_column;

/* What of a table its publications publish. */
typedef struct {
    bool inserts;
    bool updates;
    bool deletes;
    bool truncates;
} cdc_published;

typedef struct {
    core_arena arena;       /* all below lives in it */
    core_relation relation; /* version 0, type names empty, as pgoutput would describe it */
    const cdc_snapshot_column *columns;
    const cdc_binary_text *const *texts; /* of the columns; NULL: one of them has none */
    cdc_snapshot_rows rows;
    cdc_published published;
    uint16_t key_count;
    uint16_t key[CDC_SNAPSHOT_KEY_MAX]; /* columns' places, in the key's order */
    bool is_root;                       /* partitioned: its partitions' rows are its own */
    core_slice places;                  /* what a place is made of: core_snapshot_range.key */
    core_slice filter;                  /* of the publications, SQL; empty: none */
    core_slice shape;                   /* differs when anything above does */
    uint64_t expected_rows;
    uint64_t blocks;
    uint32_t born; /* the transaction that made it, or a permanent id */
} cdc_snapshot_table;

/* Which publications count. */
typedef struct {
    const char *publication;
    const char *inserts_publication;
} cdc_snapshot_scope;

/* Zeroed is valid to _fini and to describe into (what it held is freed). Errors: CONFIG when there
 * is no such table, it is not published or has no readable columns; what the server says. */
CORE_MUST_CHECK bool cdc_snapshot_table_describe(pg_connection *connection,
                                                 const cdc_snapshot_scope *scope, core_slice schema,
                                                 core_slice table, cdc_snapshot_table *described,
                                                 core_error *error);
void cdc_snapshot_table_fini(cdc_snapshot_table *table);

/* Whether places of a range with that `key` still are the table's; else CONFIG. */
CORE_MUST_CHECK bool cdc_snapshot_key_check(const cdc_snapshot_table *table, core_slice key,
                                            core_error *error);
/* The key's columns, or the ctid: how many values a place has. */
size_t cdc_snapshot_place_length(const cdc_snapshot_table *table);

/* ---- SQL ---- */

typedef enum {
    CDC_FORMAT_TEXT,
    CDC_FORMAT_BINARY, /* values go on in it; those of types without one are cast to text */
    CDC_FORMAT_TEXTS,  /* binary, made text of by `texts` */
} cdc_snapshot_format;

typedef struct {
    const core_slice *after; /* place_length values; NULL: from the start */
    const core_slice *up_to; /* NULL: to the end */
    core_slice filter;       /* the asker's condition, or empty */
    core_slice low; /* ctid places: rows of transactions that it does not see are left out */
    uint64_t limit; /* rows, of keyed tables */
    cdc_snapshot_format format;
    const core_slice *only; /* keyed: just these keys, `only_count` times place_length values */
    size_t only_count;
} cdc_snapshot_piece;

/* Keeps the table's shape for the transaction; to be run before its snapshot is taken, since what
 * queries on the catalogs see and what a statement is parsed by are two things. Appends a final
 * NUL. */
void cdc_snapshot_lock_sql(const cdc_snapshot_table *table, core_buffer *sql);
/* COPY (...) TO STDOUT of the published columns, then the place's values as text where
 * `places_follow` says so. Appends a final NUL. */
void cdc_snapshot_copy_sql(const cdc_snapshot_table *table, const cdc_snapshot_piece *piece,
                           core_buffer *sql);
bool cdc_snapshot_places_follow(const cdc_snapshot_table *table, cdc_snapshot_format format);
/* A statement that only a condition of one expression leaves well-formed, for no row; its parameter
 * $1 is text and not looked at (with one the server takes a single statement). Appends a final NUL.
 */
void cdc_snapshot_filter_sql(const cdc_snapshot_table *table, core_slice filter, core_buffer *sql);
/* The greatest key, as text: one row, or none of an empty table. */
void cdc_snapshot_end_sql(const cdc_snapshot_table *table, core_buffer *sql);
/* A sample of keys in order, as text, so many that they part the table into about `parts`. */
void cdc_snapshot_sample_sql(const cdc_snapshot_table *table, size_t parts, core_buffer *sql);

#endif
