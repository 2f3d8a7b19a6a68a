/* The values of filterable, sortable and facet attributes of every document, in memory, by docid.
 *
 * A column is one attribute: eight bytes a document, texts once each. Values are what Meilisearch
 * filters by: numbers, and texts without regard to case; `true` and `false` are texts; an array is
 * all its elements, and so are objects within arrays (`a.b` of `[{"b":1},{"b":2}]` is 1 and 2).
 * Columns come up as documents bring attributes that the schema names filterable or sortable, its
 * distinct attribute and its ranking rules' ones among them.
 *
 * Changes need the columns to oneself; any number of threads may read while nobody changes them
 * (the index's lock, backend.h). All that is read points into them and is valid until the next
 * change. Memory is bounded by the maximum they are born with: what does not fit is refused and
 * leaves the columns as they were. */
#ifndef WALCAST_SEARCH_INDEX_COLUMNS_H
#define WALCAST_SEARCH_INDEX_COLUMNS_H

#include "search-index/schema.h"

/* A document's number in its file: from 1, dense, the same as long as the document lives and given
 * to another afterwards. */
typedef uint32_t search_docid;
#define SEARCH_DOCID_MAX 0x7FFFFFFEu

#define SEARCH_COLUMN_NONE UINT32_MAX
#define SEARCH_TEXT_NONE   UINT32_MAX
#define SEARCH_COLUMN_VALUES_MAX                                                                   \
    1000                           /* of one document in one column; what is beyond is left out */
#define SEARCH_COLUMN_TEXT_MAX 468 /* bytes of a text that counts; as Meilisearch cuts facets */

typedef struct search_columns search_columns;

/* One value: a number or a text's id within its column. Texts that are equal but for case have one
 * id. Look at them by the functions below only. */
typedef struct {
    uint64_t bits;
} search_value;

typedef struct {
    const search_value *values;
    uint32_t count;
} search_values;

/* How an attribute stands in a document; 0: it does not. */
enum {
    SEARCH_STATE_EXISTS = 1,
    SEARCH_STATE_NULL = 2,  /* it is null itself; nulls in an array are passed over */
    SEARCH_STATE_EMPTY = 4, /* "", [] or {} */
};

/* NULL: out of memory. Keeps the schema. */
search_columns *search_columns_new(search_schema *schema, size_t max_bytes);
void search_columns_free(search_columns *columns);

/* ---- Changes (to oneself) ---- */
/* What a document has for the columns, taken from its JSON: made without the lock (it looks only at
 * what never changes of the columns), and put with it. NULL: the text is no JSON object
 * (CORE_ERROR_INPUT), or memory is out. */
typedef struct search_row search_row;
CORE_MUST_CHECK search_row *search_row_read(const search_columns *columns, core_slice json,
                                            core_error *error);
void search_row_free(search_row *row);
/* The document is there with these values, in place of what it had. False: the maximum
 * (CORE_ERROR_LIMIT) or memory; then the document is there without any value. */
CORE_MUST_CHECK bool search_columns_put(search_columns *columns, search_docid docid,
                                        const search_row *row, core_error *error);
void search_columns_remove(search_columns *columns, search_docid docid);

/* ---- Reading ---- */
size_t search_columns_bytes(const search_columns *columns);
/* All docids are below it. */
search_docid search_columns_end(const search_columns *columns);
uint32_t search_columns_documents(const search_columns *columns);
/* A document of that number is there, and not a hidden one. */
bool search_columns_has(const search_columns *columns, search_docid docid);

/* SEARCH_COLUMN_NONE: no document has that attribute, or it has no column. Ids are from 0 on. */
uint32_t search_columns_find(const search_columns *columns, core_slice attribute);
uint32_t search_columns_count(const search_columns *columns);
core_slice search_column_name(const search_columns *columns, uint32_t column);

/* SEARCH_STATE_ bits. Of an object (`a`, where the document has `a.b`): EXISTS. */
unsigned search_column_state(const search_columns *columns, uint32_t column, search_docid docid);
search_values search_column_values(const search_columns *columns, uint32_t column,
                                   search_docid docid);

bool search_value_is_number(search_value value);
double search_value_number(search_value value);
uint32_t search_value_text(search_value value); /* of a text: its id */

/* The id of a text, whatever its case; SEARCH_TEXT_NONE: no document has it. */
uint32_t search_column_text_find(const search_columns *columns, uint32_t column, core_slice text);
/* All ids are below it. */
uint32_t search_column_text_end(const search_columns *columns, uint32_t column);
/* In lower case, as it is compared; empty of an id that is not in use. */
core_slice search_column_text(const search_columns *columns, uint32_t column, uint32_t text);
/* As the first document had it. */
core_slice search_column_text_shown(const search_columns *columns, uint32_t column, uint32_t text);
/* A text made comparable with those: appended to `out`, at most SEARCH_COLUMN_TEXT_MAX bytes of it.
 * Any thread, without the lock. */
void search_columns_fold(const search_columns *columns, core_slice text, core_buffer *out);

/* The document's `_geo`; false: it has none. */
bool search_columns_geo(const search_columns *columns, search_docid docid, double *latitude,
                        double *longitude);

#endif
