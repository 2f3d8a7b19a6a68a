/* All present values of a bucket in one pass; see fanout.h.
 *
 * Happy path: a consumer from the first message gives each key's value. It is over when as many
 * messages have come as there were at its beginning, or none is behind the last one. Failure: a
 * pull that is over (fanout/pull.c says when), or messages that do not come. */
#include "fanout/bucket.h"
#include "fanout/bucket_key.h"
#include "fanout/pull.h"

#include <stdio.h>
#include <string.h>

enum {
    WAIT_MS = 200,
    SILENCE_MAX_MS = 10 * 1000,
};

typedef struct {
    const fanout_bucket *bucket;
    fanout_pull *pull;
    fanout_entry_handler take;
    void *context;
    uint64_t left;
} each_walk;

static bool walk_take(each_walk *walk, const fanout_message *message, core_error *error) {
    walk->left = message->pending == 0 ? 0 : walk->left - 1;
    if (fanout_bucket_is_marker(fanout_pull_message(walk->pull)))
        return true;
    const fanout_bucket_entry entry = {
        .key = message->subject + strlen(walk->bucket->prefix),
        .value = message->payload,
        .revision = message->sequence,
    };
    return walk->take(walk->context, &entry, error);
}

static bool walk_next(each_walk *walk, core_error *error) {
    fanout_message message;
    for (int64_t silent_ms = 0; silent_ms < SILENCE_MAX_MS; silent_ms += WAIT_MS)
        switch (fanout_pull_next(walk->pull, WAIT_MS, &message, error)) {
        case FANOUT_PULL_MESSAGE:
            return walk_take(walk, &message, error);
        case FANOUT_PULL_OVER:
            return false;
        case FANOUT_PULL_NOTHING:
            if (fanout_pull_caught_up(walk->pull)) {
                walk->left = 0; /* what was counted has been erased since */
                return true;
            }
            break;
        }
    return core_error_set(error, CORE_ERROR_TRANSIENT,
                          "values of bucket %s are to come, none came within %d ms",
                          walk->bucket->name, SILENCE_MAX_MS);
}

bool fanout_bucket_each(fanout_bucket *bucket, const char *tokens, fanout_entry_handler take,
                        void *context, core_error *error) {
    char filter[FANOUT_BUCKET_KEY_MAX];
    (void)snprintf(filter, sizeof filter, "%s%s.>", bucket->prefix, tokens);
    const fanout_pull_start start = {.stream = bucket->stream, .filter = filter, .sequence = 1};
    each_walk walk = {.bucket = bucket, .take = take, .context = context};
    walk.pull = fanout_pull_new(bucket->connection, &start, error);
    if (walk.pull == NULL)
        return false;
    walk.left = fanout_pull_pending(walk.pull);
    bool ok = true;
    while (ok && walk.left > 0)
        ok = walk_next(&walk, error);
    fanout_pull_free(walk.pull);
    return ok;
}
