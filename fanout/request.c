/* A question over core NATS, answered by whoever listens; see fanout.h. */
#include "fanout/connection.h"

bool fanout_request(fanout_connection *connection, const char *subject, core_slice payload,
                    int64_t timeout_ms, core_buffer *answer, core_error *error) {
    natsMsg *message = NULL;
    natsStatus status = natsConnection_Request(&message, fanout_nats(connection), subject,
                                               payload.data, (int)payload.length, timeout_ms);
    if (status == NATS_NO_RESPONDERS || status == NATS_TIMEOUT)
        return core_error_set(error, CORE_ERROR_TRANSIENT, "nobody answered on '%s' within %lld ms",
                              subject, (long long)timeout_ms);
    if (status != NATS_OK)
        return fanout_status_error(error, status, 0, "ask", subject);
    core_buffer_append(answer, natsMsg_GetData(message), (size_t)natsMsg_GetDataLength(message));
    natsMsg_Destroy(message);
    return core_buffer_ok(answer) ||
           core_error_set(error, CORE_ERROR_LIMIT, "the answer on '%s' is longer than %zu bytes",
                          subject, answer->max_bytes);
}
