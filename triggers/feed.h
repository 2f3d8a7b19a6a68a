/* A feed: one stream read in order from some sequence on, by a consumer of its own, into a bounded
 * inbox from which the matcher's thread takes message by message. When the inbox is full the
 * consumer waits, and the stream holds the rest.
 *
 * For one thread, but for what the consumer's own thread does inside. */
#ifndef WALCAST_TRIGGERS_FEED_H
#define WALCAST_TRIGGERS_FEED_H

#include "fanout/fanout.h"
#include "triggers/inbox.h"

typedef struct {
    const char *stream;
    const char *filter;             /* that lets all of the stream through */
    uint64_t first;                 /* the first sequence to be read */
    uint64_t end;                   /* the stream's last one now */
    bool is_events;                 /* messages are taken as triggers_heard_write has them */
    size_t max_messages, max_bytes; /* of the inbox */
    int wake_fd;                    /* set when a message comes to an empty inbox */
} triggers_feed_spec;

typedef struct {
    bool is_open;
    bool is_events;
    uint64_t taken; /* all up to it are taken */
    uint64_t end;   /* of the stream when it was opened */
    triggers_inbox *inbox;
    fanout_ordered *consumer;
    core_buffer heard; /* the consumer's */
    atomic_bool is_lost;
    int wake_fd;
} triggers_feed;

/* The feed must not be open. It does not move in memory while it is. */
CORE_MUST_CHECK bool triggers_feed_open(triggers_feed *feed, fanout_connection *connection,
                                        const triggers_feed_spec *spec, core_log *log,
                                        core_error *error);
/* One that is not open stays so. */
void triggers_feed_close(triggers_feed *feed);
/* The stream does not go on where it was read. */
bool triggers_feed_is_lost(triggers_feed *feed);
/* The next message, whose block is the caller's; NULL: none has come. It counts as taken once
 * `taken` is set to its sequence. */
CORE_MUST_CHECK core_block *triggers_feed_next(triggers_feed *feed, uint64_t *sequence);

#endif
