/* A watch of a bucket: its values, then its changes; see fanout.h.
 *
 * Happy path: an ordered consumer (pull.h) from the bucket's first message, which is each key's
 * present value in the order they were written; what is written later follows. All that was there
 * has been told when as many messages have come as the server had when it made the consumer, or
 * none is behind the last one.
 *
 * Failure: whatever ends the pull, a new one begins at the first message again, with backoff, for
 * ever. A bucket is small, its sequences may be another history's after a rollback, and what was
 * overwritten meanwhile leaves no trace: so going on from a place would have to be checked by
 * reading all anyway. */
#include "fanout/bucket.h"
#include "fanout/bucket_key.h"
#include "fanout/pull.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define WATCH_MAGIC UINT32_C(0x77617463)

enum {
    WAIT_MS = 100, /* how late a reconnect is seen */
    BACKOFF_FIRST_MS = 20,
    BACKOFF_MAX_MS = 2000,
};

struct fanout_watch {
    uint32_t magic;
    fanout_bucket *bucket;
    core_log *log;
    fanout_watch_spec spec;
    char filter[FANOUT_BUCKET_KEY_MAX];
    core_backoff backoff;
    pthread_t thread;
    atomic_bool stopping;
    int stop_fd;          /* readable once we are to stop */
    pthread_mutex_t lock; /* guards `pull` as a pointer, against _free */
    fanout_pull *pull;
    uint64_t left; /* values that were there when the pull began and were not told yet */
    bool all;      /* `on_all` was told */
};

/* ---- one pull ---- */

static void pull_replace(fanout_watch *watch, fanout_pull *pull) {
    (void)pthread_mutex_lock(&watch->lock);
    fanout_pull *old = watch->pull;
    watch->pull = pull;
    if (pull != NULL && atomic_load(&watch->stopping))
        fanout_pull_interrupt(pull); /* _free came before it could see this one */
    (void)pthread_mutex_unlock(&watch->lock);
    fanout_pull_free(old);
}

static void tell_all(fanout_watch *watch) {
    watch->all = true;
    core_backoff_reset(&watch->backoff);
    watch->spec.on_all(watch->spec.context);
}

static bool pull_begin(fanout_watch *watch, core_error *error) {
    const fanout_pull_start start = {
        .stream = watch->bucket->stream, .filter = watch->filter, .sequence = 1};
    if (!fanout_bucket_ensure(watch->bucket, error))
        return false;
    fanout_pull *pull = fanout_pull_new(watch->bucket->connection, &start, error);
    if (pull == NULL)
        return false;
    pull_replace(watch, pull);
    watch->left = fanout_pull_pending(pull);
    watch->all = false;
    watch->spec.on_begin(watch->spec.context);
    if (watch->left == 0)
        tell_all(watch);
    return true;
}

static void entry_tell(fanout_watch *watch, const fanout_message *message) {
    bool deleted = fanout_bucket_is_marker(fanout_pull_message(watch->pull));
    const fanout_bucket_entry entry = {
        .key = message->subject + strlen(watch->bucket->prefix),
        .value = deleted ? core_slice_make(NULL, 0) : message->payload,
        .revision = message->sequence,
        .deleted = deleted,
    };
    watch->spec.on_entry(watch->spec.context, &entry);
    watch->left -= watch->left > 0 ? 1 : 0;
    if (!watch->all && (watch->left == 0 || message->pending == 0))
        tell_all(watch);
}

/* One message or one wait. False when the pull is of no more use. */
static bool watch_step(fanout_watch *watch, core_error *error) {
    fanout_message message;
    switch (fanout_pull_next(watch->pull, WAIT_MS, &message, error)) {
    case FANOUT_PULL_MESSAGE:
        entry_tell(watch, &message);
        return true;
    case FANOUT_PULL_OVER:
        return false;
    case FANOUT_PULL_NOTHING:
        break;
    }
    /* What was counted may have been erased since. */
    if (!watch->all && fanout_pull_caught_up(watch->pull))
        tell_all(watch);
    return true;
}

/* ---- one pull after another ---- */

/* Waits, but not longer than until we are to stop. */
static bool is_stopped(const fanout_watch *watch, int64_t wait_ms) {
    struct pollfd stop = {.fd = watch->stop_fd, .events = POLLIN};
    return poll(&stop, 1, (int)wait_ms) == 1;
}

static void watch_until_over(fanout_watch *watch) {
    core_error error = {0};
    while (watch_step(watch, &error))
        ;
    if (!atomic_load(&watch->stopping))
        CORE_LOG(watch->log, DEBUG, "fanout", "a bucket's watch begins again",
                 CORE_LOG_TEXT("bucket", watch->bucket->name), CORE_LOG_TEXT("reason", error.text));
}

static void *watch_run(void *argument) {
    fanout_watch *watch = argument;
    core_error error = {0};
    CORE_MAGIC_CHECK(watch, WATCH_MAGIC);
    (void)pthread_setname_np(pthread_self(), "walcast-watch");
    int64_t wait_ms = 0;
    while (!is_stopped(watch, wait_ms)) {
        wait_ms = WAIT_MS;
        if (!fanout_connection_alive(watch->bucket->connection))
            continue;
        wait_ms = core_backoff_next_ms(&watch->backoff);
        if (pull_begin(watch, &error))
            watch_until_over(watch);
        else
            CORE_LOG(watch->log, WARN, "fanout", "cannot watch a bucket yet",
                     CORE_LOG_TEXT("bucket", watch->bucket->name),
                     CORE_LOG_TEXT("reason", error.text));
    }
    return NULL;
}

/* ---- life ---- */

/* Ends what _watch began: the thread, if it runs, has been joined. */
static void watch_drop(fanout_watch *watch) {
    fanout_pull_free(watch->pull);
    (void)pthread_mutex_destroy(&watch->lock);
    if (watch->stop_fd >= 0)
        (void)close(watch->stop_fd);
    watch->magic = 0;
    free(watch);
}

static bool watch_begin(fanout_watch *watch, core_error *error) {
    const char *tokens = watch->spec.tokens;
    int length = snprintf(watch->filter, sizeof watch->filter, "%s%s%s>", watch->bucket->prefix,
                          tokens != NULL ? tokens : "", tokens != NULL ? "." : "");
    if (length < 0 || (size_t)length >= sizeof watch->filter)
        return core_error_set(error, CORE_ERROR_LIMIT, "'%.64s...' is too long for keys of %s",
                              tokens, watch->bucket->name);
    if (watch->stop_fd < 0 || pthread_create(&watch->thread, NULL, watch_run, watch) != 0)
        return core_error_set(error, CORE_ERROR_INTERNAL,
                              "no descriptor or thread to watch bucket %s", watch->bucket->name);
    return true;
}

fanout_watch *fanout_bucket_watch(fanout_bucket *bucket, const fanout_watch_spec *spec,
                                  core_log *log, core_error *error) {
    fanout_watch *watch = calloc(1, sizeof *watch);
    if (watch == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "no memory for a bucket's watch");
        return NULL;
    }
    watch->magic = WATCH_MAGIC;
    watch->bucket = bucket;
    watch->log = log;
    watch->spec = *spec;
    watch->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    (void)pthread_mutex_init(&watch->lock, NULL);
    core_backoff_init(&watch->backoff, BACKOFF_FIRST_MS, BACKOFF_MAX_MS,
                      (uint64_t)(uintptr_t)watch);
    if (watch_begin(watch, error))
        return watch;
    watch_drop(watch);
    return NULL;
}

void fanout_watch_free(fanout_watch *watch) {
    if (watch == NULL)
        return;
    CORE_MAGIC_CHECK(watch, WATCH_MAGIC);
    (void)pthread_mutex_lock(&watch->lock);
    atomic_store(&watch->stopping, true);
    if (watch->pull != NULL)
        fanout_pull_interrupt(watch->pull);
    (void)pthread_mutex_unlock(&watch->lock);
    core_wake_set(watch->stop_fd);
    (void)pthread_join(watch->thread, NULL);
    watch_drop(watch);
}
