/* What a delivered message's reply subject tells (ADR-15,
 * https://github.com/nats-io/nats-architecture-and-design/blob/main/adr/ADR-15.md):
 * $JS.ACK.STREAM.CONSUMER.DELIVERED.STREAM_SEQ.CONSUMER_SEQ.TIMESTAMP.PENDING, and, from servers
 * that carry it, two tokens (domain, account hash) after ACK and perhaps one at the end. */
#ifndef WALCAST_FANOUT_DELIVERY_H
#define WALCAST_FANOUT_DELIVERY_H

#include "core/core.h"

typedef struct {
    uint64_t delivered; /* how many times this message was, this one included */
    uint64_t stream_sequence;
    uint64_t consumer_sequence; /* 1, 2, ... of this consumer */
    uint64_t pending;           /* messages behind it */
    int64_t stored_us;          /* since 1970 */
} fanout_delivery;

/* False when the subject is not a delivery's: a status message, say. */
CORE_MUST_CHECK bool fanout_delivery_read(core_slice reply, fanout_delivery *delivery);

#endif
