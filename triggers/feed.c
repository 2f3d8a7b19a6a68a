/* See feed.h. */
#include "triggers/feed.h"

#include "triggers/heard.h"

enum { HEADERS_MAX = 4 * 65536 };
#define HEARD_MAX_BYTES ((size_t)64 * 1024 * 1024 + HEADERS_MAX)

static void on_lost(void *context, const core_error *reason) {
    triggers_feed *feed = context;
    (void)reason; /* whoever opens it again sees it at the stream */
    atomic_store(&feed->is_lost, true);
    core_wake_set(feed->wake_fd);
}

static void on_message(void *context, const fanout_message *message) {
    triggers_feed *feed = context;
    core_slice bytes = message->payload;
    if (feed->is_events) {
        const triggers_heard heard = triggers_heard_of(message);
        core_buffer_reset(&feed->heard);
        triggers_heard_write(&heard, &feed->heard);
        bytes = core_buffer_slice(&feed->heard);
    }
    bool is_whole = !feed->is_events || core_buffer_ok(&feed->heard);
    if (!is_whole || !triggers_inbox_put(feed->inbox, message->sequence, bytes))
        on_lost(feed, NULL);
}

bool triggers_feed_open(triggers_feed *feed, fanout_connection *connection,
                        const triggers_feed_spec *spec, core_log *log, core_error *error) {
    assert(!feed->is_open && spec->first > 0);
    *feed = (triggers_feed){.is_open = true,
                            .is_events = spec->is_events,
                            .taken = spec->first - 1,
                            .end = spec->end,
                            .wake_fd = spec->wake_fd};
    core_buffer_init(&feed->heard, HEARD_MAX_BYTES);
    feed->inbox = triggers_inbox_new(spec->max_messages, spec->max_bytes, spec->wake_fd, error);
    const fanout_ordered_spec ordered = {.stream = spec->stream,
                                         .filter = spec->filter,
                                         .from = FANOUT_FROM_SEQUENCE,
                                         .sequence = spec->first,
                                         .on_message = on_message,
                                         .on_lost = on_lost,
                                         .context = feed};
    if (feed->inbox != NULL)
        feed->consumer = fanout_ordered_new(connection, &ordered, log, error);
    if (feed->consumer != NULL)
        return true;
    triggers_feed_close(feed);
    return false;
}

void triggers_feed_close(triggers_feed *feed) {
    if (!feed->is_open)
        return;
    if (feed->inbox != NULL)
        triggers_inbox_close(feed->inbox);
    fanout_ordered_free(feed->consumer);
    triggers_inbox_free(feed->inbox);
    core_buffer_fini(&feed->heard);
    feed->consumer = NULL;
    feed->inbox = NULL;
    feed->is_open = false;
}

bool triggers_feed_is_lost(triggers_feed *feed) {
    return feed->is_open && atomic_load(&feed->is_lost);
}

core_block *triggers_feed_next(triggers_feed *feed, uint64_t *sequence) {
    return feed->is_open ? triggers_inbox_take(feed->inbox, sequence) : NULL;
}
