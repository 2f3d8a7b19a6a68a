/* What settings.c and settings_shape.c share. */
#ifndef WALCAST_SEARCH_INDEX_SETTINGS_PRIVATE_H
#define WALCAST_SEARCH_INDEX_SETTINGS_PRIVATE_H

#include "search-index/settings.h"

typedef enum {
    SEARCH_SHAPE_GROUP,
    SEARCH_SHAPE_STRINGS,    /* in order */
    SEARCH_SHAPE_SET,        /* sorted, each once */
    SEARCH_SHAPE_FILTERABLE, /* strings, or objects with attributePatterns */
    SEARCH_SHAPE_RULES,
    SEARCH_SHAPE_SYNONYMS,
    SEARCH_SHAPE_STRING,
    SEARCH_SHAPE_PROXIMITY,
    SEARCH_SHAPE_PREFIX,
    SEARCH_SHAPE_BOOL,
    SEARCH_SHAPE_NUMBER,
    SEARCH_SHAPE_FACET_SORT,
    SEARCH_SHAPE_EMBEDDERS,
    SEARCH_SHAPE_LOCALIZED,
} search_shape;

typedef struct {
    const char *name;
    const char *path;
    search_setting group;
    search_shape shape;
    search_code code;
    const char *initial;
    uint64_t low, high;
} search_setting_row;

/* Where a value stands in what was sent, for messages: ".typoTolerance.enabled". */
#define SEARCH_PLACE_MAX 160

/* The value at `token`, checked and brought into its one form: appended to `out`. `place` is "" for
 * the whole body. */
CORE_MUST_CHECK bool search_shape_read(const search_setting_row *row, core_json_reader *reader,
                                       core_json_token token, const char *place, core_buffer *out,
                                       search_refusal *refusal);
/* "Invalid value type at `PLACE`: expected WANTED, but found …". */
bool search_shape_refuse(const search_setting_row *row, core_json_reader *reader,
                         core_json_token token, const char *place, const char *wanted,
                         search_refusal *refusal);

#endif
