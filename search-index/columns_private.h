/* What columns are made of; private to columns.c. */
#ifndef WALCAST_SEARCH_INDEX_COLUMNS_PRIVATE_H
#define WALCAST_SEARCH_INDEX_COLUMNS_PRIVATE_H

#include "search-index/row.h"
#include "search-index/texts.h"

typedef struct {
    search_value *values; /* NULL: free, `count` is the next free list */
    uint32_t count;
} search_list;

typedef struct {
    char *name;
    size_t name_length;
    uint64_t *cells; /* by docid */
    uint32_t cell_capacity;
    search_list *lists;
    uint32_t list_capacity;
    uint32_t list_end;
    uint32_t list_free;
    search_texts texts;
} search_column;

typedef struct {
    int32_t latitude; /* in ten-millionths of a degree: a centimetre */
    int32_t longitude;
    bool is_there;
} search_place;

struct search_columns {
    uint32_t magic;
    search_row_rules rules;
    search_account account;
    search_column *columns;
    uint32_t count;
    uint32_t capacity;
    uint64_t *live; /* a bit a docid */
    uint32_t live_capacity;
    uint32_t documents;
    search_docid end;
    bool has_geo;
    search_place *places; /* by docid; NULL: no document has one */
    uint32_t place_capacity;
};

#endif
