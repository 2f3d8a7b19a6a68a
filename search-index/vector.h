/* A vector column as its database has it now, and vectors as its type reads them: pgvector's
 * vector and halfvec, and contrib's cube. Blocks as pg_query does. */
#ifndef WALCAST_SEARCH_INDEX_VECTOR_H
#define WALCAST_SEARCH_INDEX_VECTOR_H

#include "pg/pg.h"
#include "search-index/definition.h"

#define SEARCH_VECTOR_TYPE_MAX 256

typedef struct search_vector_type search_vector_type;

typedef struct {
    bool is_there;                         /* else the table has no such column */
    const search_vector_type *kind;        /* NULL: no type that has neighbours */
    char type[SEARCH_VECTOR_TYPE_MAX];     /* quoted, with its schema */
    char operator[SEARCH_VECTOR_TYPE_MAX]; /* OPERATOR(schema.<->); "": the type has none */
    uint32_t dimensions;                   /* 0: the column does not say */
    bool has_scan_limit;                   /* pgvector 0.5 or newer: hnsw.ef_search */
    bool scans_on;                         /* 0.8 or newer: a scan goes on until it has enough */
} search_vector_column;

/* `place` is the table's name, quoted. False: the database could not be asked. */
CORE_MUST_CHECK bool search_vector_look(pg_connection *connection, const char *place,
                                        const search_vector *vector, search_vector_column *column,
                                        core_error *error);
/* Whether an index of the column serves the metric; else a query looks at every row. */
CORE_MUST_CHECK bool search_vector_indexed(pg_connection *connection, const char *place,
                                           const search_vector *vector,
                                           const search_vector_column *column, bool *is_indexed,
                                           core_error *error);
/* Appends the text that the type reads. */
void search_vector_write(const search_vector_type *kind, const float *numbers, size_t count,
                         core_buffer *out);
const char *search_metric_name(search_metric metric);

#endif
