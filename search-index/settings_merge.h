/* Settings as they are kept: a JSON object in which a later one's members stand for earlier ones.
 * Pure. */
#ifndef WALCAST_SEARCH_INDEX_SETTINGS_MERGE_H
#define WALCAST_SEARCH_INDEX_SETTINGS_MERGE_H

#include "core/core.h"

/* Appends `settings` with `change`'s members in the place of those of the same name; null takes one
 * away. False: one of both is no JSON object, or `out` is full. */
CORE_MUST_CHECK bool search_settings_merge(core_slice settings, core_slice change,
                                           core_buffer *out);

#endif
