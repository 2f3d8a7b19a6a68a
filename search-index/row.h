/* What a document has for the columns, taken from its JSON; see columns.h. */
#ifndef WALCAST_SEARCH_INDEX_ROW_H
#define WALCAST_SEARCH_INDEX_ROW_H

#include "search-index/columns.h"

#include <locale.h>

typedef struct search_row_value search_row_value;
struct search_row_value {
    const search_row_value *next;
    core_slice folded;
    core_slice shown;
    double number;
    bool is_number;
};

typedef struct search_row_attribute search_row_attribute;
struct search_row_attribute {
    search_row_attribute *next;
    core_slice name;
    unsigned state;
    uint32_t count;
    const search_row_value *first;
    search_row_value *last;
};

typedef struct search_row_field search_row_field;
struct search_row_field {
    search_row_field *next;
    core_slice name;
};

struct search_row {
    core_arena arena;
    search_row_attribute *attributes;
    uint32_t attribute_count;
    uint32_t field_count;
    search_row_field *fields; /* the document's own members, for how many documents have each */
    bool has_latitude;
    bool has_longitude;
    double latitude;
    double longitude;
};

/* The schema's attributes that have columns. */
typedef struct {
    search_schema *schema; /* kept by who owns this */
    locale_t locale;       /* of C.UTF-8: how letters' cases are known */
} search_row_rules;

/* As search_row_read of columns.h. */
CORE_MUST_CHECK search_row *search_row_make(const search_row_rules *rules, core_slice json,
                                            core_error *error);
/* As search_columns_fold. */
void search_row_fold(const search_row_rules *rules, core_slice text, core_buffer *out);

#endif
