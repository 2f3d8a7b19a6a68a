/* The last message of each subject, in one pass of a consumer that the server makes for it; see
 * fanout.h.
 *
 * Happy path: the consumer says how many messages it has for us; they come, and the last one says
 * that none is behind it. On a stream of 1.6 GB that was just opened nats-server 2.9 takes 0.1 s to
 * make the consumer of 1,000 subjects. Asking subject by subject (fanout_stream_subject_end)
 * would cost a round trip each.
 *
 * Failure: a pull that is over (fanout/pull.c says when), or a count that does not come true. */
#include "fanout/pull.h"

bool fanout_stream_last_each(fanout_connection *connection, const char *stream, const char *filter,
                             fanout_each_handler take, void *context, core_error *error) {
    const fanout_pull_start start = {.stream = stream, .filter = filter, .last_each = true};
    fanout_pull *pull = fanout_pull_new(connection, &start, error);
    if (pull == NULL)
        return false;
    fanout_message message = {.pending = fanout_pull_pending(pull)};
    bool ok = true;
    while (ok && message.pending > 0)
        ok = fanout_pull_await(pull, &message, error) && take(context, &message, error);
    fanout_pull_free(pull);
    return ok ||
           core_error_wrap(error, "reading the last messages on %s of stream %s", filter, stream);
}
