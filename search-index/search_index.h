/* The search room's public header: documents from changes, the full-text index, its query API.
 *
 * A process has a role of it for each source, which follows the change stream and keeps its
 * position in the same transaction as its documents. The only room that may include SQLite. */
#ifndef WALCAST_SEARCH_INDEX_SEARCH_INDEX_H
#define WALCAST_SEARCH_INDEX_SEARCH_INDEX_H

#include "search-index/spec.h"

/* The role `search` of one source. */
CORE_MUST_CHECK core_role *search_role_new(const search_spec *spec, core_error *error);

#endif
