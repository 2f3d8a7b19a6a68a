/* A tenant's token: the claim `searchRules` of a verified JWT, of the shape that Meilisearch's
 * tenant tokens have. It names the indexes that its holder may search, and a filter for each.
 *
 *     {"searchRules": {"movies": {"filter": "user = 1"}, "books": null, "shop_*": {}}}
 *     {"searchRules": ["movies", "books"]}
 *
 * An API key that was made for some indexes has the claim `searchIndexes`, a list of the same
 * shape; it may do with them, and with no others, what its scopes let it do.
 *
 * A token without the claim is bound by nothing here. One whose claim is malformed may search
 * nothing. Pure. */
#ifndef WALCAST_SEARCH_INDEX_RULES_H
#define WALCAST_SEARCH_INDEX_RULES_H

#include "core/core.h"

typedef enum {
    SEARCH_RULES_FREE,   /* no rule binds the caller */
    SEARCH_RULES_BOUND,  /* the index may be searched, under the filter if there is one */
    SEARCH_RULES_DENIED, /* it may not */
} search_rules_verdict;

/* `claims` is the token's payload; empty: an API key, or none. `*filter` gets the rule's filter as
 * JSON, a string or an array of them, which points into `claims`; empty: none. Where several
 * entries fit the index, one that names it whole counts, then the longest pattern, then `*`. */
search_rules_verdict search_rules_look(core_slice claims, core_slice index, core_slice *filter);
/* Whether the caller may have to do with the index, by `searchIndexes`; of one without the claim it
 * may with all. `_look` asks this too. */
bool search_rules_has(core_slice claims, core_slice index);
/* Whether there is such a claim. */
bool search_rules_limited(core_slice claims);
/* Whether the caller is bound at all: then what is not a search is not theirs. */
bool search_rules_bind(core_slice claims);

#endif
