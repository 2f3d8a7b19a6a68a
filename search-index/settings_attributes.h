/* Of Meilisearch's lists of searchable, filterable, sortable and displayed attributes the schema's
 * one list, in which the first entry that fits an attribute decides about it. Pure. */
#ifndef WALCAST_SEARCH_INDEX_SETTINGS_ATTRIBUTES_H
#define WALCAST_SEARCH_INDEX_SETTINGS_ATTRIBUTES_H

#include "search-index/schema.h"

typedef struct {
    const core_slice *names; /* patterns among them */
    size_t count;
} search_name_list;

typedef struct {
    search_name_list searchable; /* most important first */
    search_name_list filterable, sortable, displayed;
    /* What can be filtered by instead of `filterable`, which still says what entries there are: an
     * index that was built with these can be read with those. NULL: it is `filterable`. */
    const search_name_list *then;
} search_attribute_lists;

/* In the arena; names are not copied. False: memory is out. */
CORE_MUST_CHECK bool search_attributes_make(const search_attribute_lists *lists, core_arena *arena,
                                            search_attribute **attributes, size_t *count);

#endif
