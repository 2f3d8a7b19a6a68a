/* Goes through a document's JSON, value by value, each with its dotted path.
 *
 * Elements of an array have the array's path, so `a.b` of `[{"b":1},{"b":2}]` comes twice. What has
 * a longer path than an attribute's name may be is passed over. */
#ifndef WALCAST_SEARCH_INDEX_WALK_H
#define WALCAST_SEARCH_INDEX_WALK_H

#include "search-index/schema.h"

typedef struct {
    core_slice path;       /* valid during the call; escapes undone */
    core_json_token token; /* a scalar, or OBJECT_OPEN or ARRAY_OPEN, which come when they close */
    bool is_empty;         /* of objects and arrays */
    bool is_element;       /* of an array */
    bool is_top;           /* the path is a member's of the document itself */
} search_walk_step;

/* False: enough. */
typedef bool search_walk_taker(void *context, const search_walk_step *step);

typedef enum {
    SEARCH_WALK_DONE,
    SEARCH_WALK_STOPPED, /* the taker had enough */
    SEARCH_WALK_REFUSED, /* no JSON object, or one nested too deep */
} search_walk_result;

CORE_MUST_CHECK search_walk_result search_walk(core_slice json, search_walk_taker *taker,
                                               void *context);

#endif
