/* A value within a JSON document, by the keys that lead to it. Pure. */
#ifndef WALCAST_SEARCH_INDEX_JSON_PATH_H
#define WALCAST_SEARCH_INDEX_JSON_PATH_H

#include "core/core.h"

/* Writes the value; an array on the way gives an array of what its elements have. False, nothing
 * written: there is none, or the text is no JSON. Steps end with a NUL that is not counted. */
CORE_MUST_CHECK bool search_json_path(core_slice document, const core_slice *steps, size_t count,
                                      core_json_writer *json);

#endif
