/* What the check of a definition saw of its tables that a change's relation does not tell: the
 * schema that a tenant's `public` is, primary keys, which columns the condition reads. It goes into
 * the log beside the definition, so that every node makes the same documents. Pure. */
#ifndef WALCAST_SEARCH_INDEX_FACTS_H
#define WALCAST_SEARCH_INDEX_FACTS_H

#include "search-index/definition.h"

#define SEARCH_KEY_COLUMNS_MAX 32 /* PostgreSQL's INDEX_MAX_KEYS */
#define SEARCH_FACTS_BYTES_MAX ((size_t)128 << 10)

typedef struct {
    core_slice schema, table; /* as the stream names them */
    const core_slice *key;    /* the primary key's columns, in its order */
    size_t key_count;
    const core_slice *when; /* columns that its own condition reads */
    size_t when_count;
} search_table_facts;

typedef struct {
    const search_table_facts *tables; /* the definition's, then its related ones */
    size_t table_count;
    const core_slice *when; /* columns that the definition's condition reads */
    size_t when_count;
} search_facts;

/* Appends a JSON object. */
void search_facts_write(const search_facts *facts, core_buffer *out);
/* In `arena`. INPUT when it is no such object, or is not of as many tables as the definition. */
CORE_MUST_CHECK bool search_facts_read(core_slice json, const search_definition *definition,
                                       core_arena *arena, search_facts *facts, core_error *error);

#endif
