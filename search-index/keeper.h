/* The definitions in key-value, brought into the search log: what is there and not in force is
 * appended, and of what is not there any more the deletion. Every node does it, and the log takes
 * the first (record.h); so an index is there as long as its definition is. */
#ifndef WALCAST_SEARCH_INDEX_KEEPER_H
#define WALCAST_SEARCH_INDEX_KEEPER_H

#include "fanout/fanout.h"
#include "search-index/catalog.h"

/* What a definition in key-value asks of the log. Pure. */
typedef enum {
    SEARCH_KEEP_NOTHING, /* it is in force */
    SEARCH_KEEP_APPEND,  /* a record that replaces `entry` */
    SEARCH_KEEP_TAKEN,   /* an index of that name was made over HTTP */
    SEARCH_KEEP_NO_ROOM, /* there are as many as may be */
} search_keep;

/* `entry` NULL: there is no index of its name. */
search_keep search_keep_look(const fanout_definition *stored, const search_entry *entry,
                             bool has_room);

#endif
