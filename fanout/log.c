/* The log of one subject, read; see fanout.h. Appending is the courier's.
 *
 * Happy path: the last message tells where the reader has to begin (its owner put that into it); a
 * pull gives all from there on, until that last message has come. */
#include "fanout/pull.h"

#include <inttypes.h>

bool fanout_log_end(fanout_connection *connection, const char *stream, const char *subject,
                    core_buffer *payload, uint64_t *sequence, core_error *error) {
    natsMsg *message;
    if (!fanout_last_message(connection, stream, subject, &message, error))
        return false;
    core_buffer_reset(payload);
    *sequence = 0;
    if (message == NULL)
        return true;
    *sequence = natsMsg_GetSequence(message);
    core_buffer_append(payload, natsMsg_GetData(message), (size_t)natsMsg_GetDataLength(message));
    natsMsg_Destroy(message);
    return core_buffer_ok(payload) ||
           core_error_set(error, CORE_ERROR_LIMIT,
                          "message %" PRIu64 " of stream %s does not fit into %zu bytes", *sequence,
                          stream, payload->max_bytes);
}

bool fanout_log_read(fanout_connection *connection, const fanout_log_range *range,
                     fanout_each_handler take, void *context, core_error *error) {
    const fanout_pull_start start = {.stream = range->stream,
                                     .filter = range->subject,
                                     .sequence = range->from_us != 0 ? 0 : range->first,
                                     .time_us = range->from_us};
    fanout_message message = {.sequence = 0};
    if (range->last == 0)
        return true;
    fanout_pull *pull = fanout_pull_new(connection, &start, error);
    if (pull == NULL)
        return false;
    bool ok = true, any = fanout_pull_pending(pull) > 0;
    while (ok && any && message.sequence < range->last)
        ok = fanout_pull_await(pull, &message, error) && take(context, &message, error);
    fanout_pull_free(pull);
    return ok || core_error_wrap(error, "reading %s of stream %s", range->subject, range->stream);
}
