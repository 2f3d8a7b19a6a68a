/* Settings as the catalog keeps them: a patch of settings, as small as it can be. Pure. */
#ifndef WALCAST_SEARCH_INDEX_SETTINGS_FOLD_H
#define WALCAST_SEARCH_INDEX_SETTINGS_FOLD_H

#include "search-index/settings.h"

/* Appends `settings` with the patch merged into it. False with a refusal: the patch is not valid,
 * or no index can be of such settings. */
CORE_MUST_CHECK bool search_settings_fold(core_slice settings, core_slice patch, core_buffer *out,
                                          search_refusal *refusal);
/* The schema of settings that were folded. NULL with the refusal. */
CORE_MUST_CHECK search_schema *search_settings_folded(core_slice settings, core_slice primary_key,
                                                      search_refusal *refusal);

/* The same, but what can be filtered by is as `then`, of settings that were folded too, has it. It
 * is built alike: a file of the settings can be read with it. */
CORE_MUST_CHECK search_schema *search_settings_filtered_as(core_slice settings, core_slice then,
                                                           core_slice primary_key,
                                                           search_refusal *refusal);

#endif
