/* The search room's public header: documents from changes, the full-text index, its query API.
 *
 * A process has a role of it for each source, which follows the change stream and keeps its
 * position in the same transaction as its documents. The only room that may include SQLite. */
#ifndef WALCAST_SEARCH_INDEX_SEARCH_INDEX_H
#define WALCAST_SEARCH_INDEX_SEARCH_INDEX_H

#include "search-index/kind.h"
#include "search-index/spec.h"

/* What requests to indexes come through; its routes are the process's. `config` outlives it. */
typedef struct search_api search_api;
CORE_MUST_CHECK search_api *search_api_new(const core_config *config, core_error *error);
/* The routes: Meilisearch's at the root, and /search/v1. */
CORE_MUST_CHECK bool search_api_serve(search_api *api, core_route_table *routes, core_error *error);
/* Its roles have stopped, and the server. NULL is allowed. */
void search_api_free(search_api *api);

/* The role `search` of one source. */
CORE_MUST_CHECK core_role *search_role_new(const search_spec *spec, core_error *error);

#endif
