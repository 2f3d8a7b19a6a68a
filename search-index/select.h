/* Some of a document's members, by dotted paths. Pure. */
#ifndef WALCAST_SEARCH_INDEX_SELECT_H
#define WALCAST_SEARCH_INDEX_SELECT_H

#include "core/core.h"

#define SEARCH_SELECT_PATH_MAX 1024

typedef struct {
    const core_slice *names; /* a name stands for all beneath it */
    size_t count;            /* 0: the whole document */
} search_select;

/* The document, well-formed, as the next value. */
void search_select_write(const search_select *select, core_slice document, core_json_writer *json);

#endif
