/* Indexes as definitions that files hold and key-value keeps (fanout/definition.h). */
#ifndef WALCAST_SEARCH_INDEX_KIND_H
#define WALCAST_SEARCH_INDEX_KIND_H

#include "fanout/fanout.h"
#include "search-index/check.h"

const core_definition_kind *search_kind(void);
/* What it takes to make a store of them. */
fanout_definitions_spec search_definitions_spec(const search_spec *spec);
/* Lives as long as `check`. */
fanout_definition_check search_check_of(search_check *check);
/* Whether the document is a definition of an index rather than of something else, by its keys. */
bool search_kind_is(const core_document *document);

#endif
