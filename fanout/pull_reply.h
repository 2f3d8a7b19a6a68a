/* What comes back to a pull request (ADR-13) besides deliveries: status messages, on the reply
 * subject `{inbox}.{number}` that the request had. */
#ifndef WALCAST_FANOUT_PULL_REPLY_H
#define WALCAST_FANOUT_PULL_REPLY_H

#include "fanout/connection.h"

typedef enum {
    FANOUT_PULL_HEARTBEAT = 100,
    FANOUT_PULL_NO_MESSAGES = 404,
    FANOUT_PULL_EXPIRED = 408,
    FANOUT_PULL_CONFLICT = 409, /* several meanings, told by the description */
} fanout_pull_status;

typedef struct {
    uint64_t status;
    const char *description; /* never NULL; as long as the message */
    uint64_t request;        /* 0: unknown */
} fanout_pull_reply;

/* False when the message has no status. */
CORE_MUST_CHECK bool fanout_pull_reply_read(natsMsg *message, fanout_pull_reply *reply);
/* True when only the request is over; otherwise the consumer is in trouble (or it is a heartbeat).
 */
bool fanout_pull_reply_ends_request(const fanout_pull_reply *reply);

#endif
