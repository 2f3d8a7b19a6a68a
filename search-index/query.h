/* Queries of the embedded engine; private to it. */
#ifndef WALCAST_SEARCH_INDEX_QUERY_H
#define WALCAST_SEARCH_INDEX_QUERY_H

#include "search-index/store_private.h"

/* Registers the function that FTS5 calls for each match on the reader's connection. */
CORE_MUST_CHECK bool search_run_register(search_store_reader *reader);
void search_run_unregister(search_store_reader *reader);

#endif
