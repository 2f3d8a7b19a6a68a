/* See feed.h. */
#include "search-index/feed.h"

#include <stdlib.h>

#define FEED_MAGIC UINT32_C(0x53464544) /* "SFED" */

struct search_feed {
    uint32_t magic;
    int wake_fd;
    fanout_ordered *consumer;
    pthread_mutex_t lock;
    pthread_cond_t room;
    search_message *items; /* a ring */
    size_t capacity, first, count;
    size_t bytes, max_bytes;
    bool is_closed, is_lost;
};

static void lost_set(search_feed *feed) {
    (void)pthread_mutex_lock(&feed->lock);
    feed->is_lost = true;
    (void)pthread_mutex_unlock(&feed->lock);
    core_wake_set(feed->wake_fd);
}

static void on_lost(void *context, const core_error *reason) {
    (void)reason; /* whoever opens it again sees it at the stream */
    lost_set(context);
}

static bool is_full(const search_feed *feed) {
    return feed->count == feed->capacity || (feed->count > 0 && feed->bytes >= feed->max_bytes);
}

/* What is not taken (memory is out) is as lost: nothing may be left out. */
static void on_message(void *context, const fanout_message *message) {
    search_feed *feed = context;
    CORE_MAGIC_CHECK(feed, FEED_MAGIC);
    core_block *block = core_block_copy(message->payload);
    (void)pthread_mutex_lock(&feed->lock);
    while (is_full(feed) && !feed->is_closed)
        (void)pthread_cond_wait(&feed->room, &feed->lock);
    bool was_empty = feed->count == 0;
    bool is_taken = block != NULL && !feed->is_closed && !feed->is_lost;
    if (is_taken) {
        feed->items[(feed->first + feed->count++) % feed->capacity] =
            (search_message){.block = block,
                             .sequence = message->sequence,
                             .pending = message->pending,
                             .stored_us = message->stored_us};
        feed->bytes += block->length;
    }
    feed->is_lost = feed->is_lost || !is_taken;
    (void)pthread_mutex_unlock(&feed->lock);
    if (!is_taken)
        core_block_release(block);
    if (was_empty)
        core_wake_set(feed->wake_fd);
}

search_feed *search_feed_new(fanout_connection *connection, const search_feed_spec *spec,
                             core_log *log, core_error *error) {
    search_feed *feed = calloc(1, sizeof *feed);
    search_message *items = calloc(spec->max_messages, sizeof *items);
    if (feed == NULL || items == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "no memory for a feed of stream %s",
                             spec->stream);
        free(feed);
        free(items);
        return NULL;
    }
    *feed = (search_feed){.magic = FEED_MAGIC,
                          .wake_fd = spec->wake_fd,
                          .items = items,
                          .capacity = spec->max_messages,
                          .max_bytes = spec->max_bytes};
    (void)pthread_mutex_init(&feed->lock, NULL);
    core_condition_init(&feed->room);
    const fanout_ordered_spec ordered = {.stream = spec->stream,
                                         .filter = spec->filter,
                                         .from = FANOUT_FROM_SEQUENCE,
                                         .sequence = spec->first,
                                         .on_message = on_message,
                                         .on_lost = on_lost,
                                         .context = feed};
    feed->consumer = fanout_ordered_new(connection, &ordered, log, error);
    if (feed->consumer != NULL)
        return feed;
    search_feed_free(feed);
    return NULL;
}

void search_feed_free(search_feed *feed) {
    if (feed == NULL)
        return;
    CORE_MAGIC_CHECK(feed, FEED_MAGIC);
    (void)pthread_mutex_lock(&feed->lock);
    feed->is_closed = true;
    (void)pthread_cond_broadcast(&feed->room);
    (void)pthread_mutex_unlock(&feed->lock);
    if (feed->consumer != NULL)
        fanout_ordered_free(feed->consumer);
    for (; feed->count > 0; feed->count--, feed->first++)
        core_block_release(feed->items[feed->first % feed->capacity].block);
    (void)pthread_cond_destroy(&feed->room);
    (void)pthread_mutex_destroy(&feed->lock);
    free(feed->items);
    feed->magic = 0;
    free(feed);
}

bool search_feed_is_lost(search_feed *feed) {
    (void)pthread_mutex_lock(&feed->lock);
    bool is_lost = feed->is_lost && feed->count == 0;
    (void)pthread_mutex_unlock(&feed->lock);
    return is_lost;
}

bool search_feed_next(search_feed *feed, search_message *message) {
    CORE_MAGIC_CHECK(feed, FEED_MAGIC);
    (void)pthread_mutex_lock(&feed->lock);
    bool has = feed->count > 0;
    if (has) {
        *message = feed->items[feed->first % feed->capacity];
        feed->first = (feed->first + 1) % feed->capacity;
        feed->count--;
        feed->bytes -= message->block->length;
        (void)pthread_cond_signal(&feed->room);
    }
    (void)pthread_mutex_unlock(&feed->lock);
    return has;
}
