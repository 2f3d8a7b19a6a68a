/* A definition held against the live database: tables, keys and columns are there, and what changes
 * tell of them is enough. For one thread at a time; asks PostgreSQL and blocks up to the
 * connection's time limit. */
#ifndef WALCAST_SEARCH_INDEX_CHECK_H
#define WALCAST_SEARCH_INDEX_CHECK_H

#include "search-index/definition.h"
#include "search-index/spec.h"

typedef struct search_check search_check;

CORE_MUST_CHECK search_check *search_check_new(const search_spec *spec, core_error *error);
void search_check_free(search_check *check); /* NULL is allowed */
/* Closes the connection until it is needed again. */
void search_check_rest(search_check *check);
/* Tells all that is wrong to `problems`, with places in the document. What it saw is appended to
 * `facts` (facts.h) when nothing is. False: the database could not be asked, `error` says why. */
CORE_MUST_CHECK bool search_check_definition(search_check *check,
                                             const search_definition *definition,
                                             const core_document *document, core_problems *problems,
                                             core_buffer *facts, core_error *error);

#endif
