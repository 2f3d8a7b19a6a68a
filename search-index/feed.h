/* A feed: one stream read in order from some sequence on, by a consumer of its own, into a bounded
 * inbox from which the indexer's thread takes message by message. When the inbox is full the
 * consumer waits, and the stream holds the rest.
 *
 * For one thread, but for what the consumer's own thread does inside. */
#ifndef WALCAST_SEARCH_INDEX_FEED_H
#define WALCAST_SEARCH_INDEX_FEED_H

#include "fanout/fanout.h"

typedef struct {
    const char *stream;
    const char *filter;
    uint64_t first;      /* the first sequence to be read */
    size_t max_messages; /* of the inbox */
    size_t max_bytes;
    int wake_fd; /* set when a message comes to an empty inbox */
} search_feed_spec;

typedef struct search_feed search_feed;

CORE_MUST_CHECK search_feed *search_feed_new(fanout_connection *connection,
                                             const search_feed_spec *spec, core_log *log,
                                             core_error *error);
void search_feed_free(search_feed *feed); /* NULL is allowed */
/* The stream does not go on where it was read. */
bool search_feed_is_lost(search_feed *feed);
/* The next message, whose block is the caller's; NULL: none has come. `pending`: messages behind it
 * in the stream when it was delivered; `stored_us` when the stream took it. */
typedef struct {
    core_block *block;
    uint64_t sequence, pending;
    int64_t stored_us;
} search_message;
CORE_MUST_CHECK bool search_feed_next(search_feed *feed, search_message *message);

#endif
