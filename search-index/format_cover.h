/* Which attributes of a document an answer shows: what was asked for and may be shown. */
#ifndef WALCAST_SEARCH_INDEX_FORMAT_COVER_H
#define WALCAST_SEARCH_INDEX_FORMAT_COVER_H

#include "search-index/format.h"

typedef enum {
    COVER_NONE,
    COVER_PART, /* something beneath it */
    COVER_WHOLE,
} format_cover;

/* Of the attribute at `path` what a name in a list stands for. */
format_cover format_name_covers(core_slice name, core_slice path);
format_cover format_names_cover(const search_names *names, core_slice path);
/* What was asked for; in `_formatted` what is to be highlighted or cropped, too. */
format_cover format_asked_covers(const search_request *request, core_slice path, bool is_formatted);
/* Of what was asked for what may be shown; `is_leaf`: the value has nothing beneath it. */
format_cover format_path_covers(const search_schema *schema, core_slice path, format_cover asked,
                                bool is_leaf);
/* Some attribute that is to be highlighted or cropped may be shown. */
bool format_is_asked(const search_request *request, const search_schema *schema);

#endif
