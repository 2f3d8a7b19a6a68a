/* A stored message as STREAM.MSG.GET answers it, in JSON. */
#ifndef WALCAST_FANOUT_STORED_H
#define WALCAST_FANOUT_STORED_H

#include "core/core.h"

typedef struct {
    uint64_t sequence;
    int64_t stored_us;   /* since 1970 */
    core_slice data;     /* base64, in the reply */
    core_slice headers;  /* the same */
    core_slice subject;  /* raw, as in the JSON */
    uint64_t error_code; /* JetStream's err_code; 0: there is a message */
} fanout_stored;

/* False when the reply is not one. */
CORE_MUST_CHECK bool fanout_stored_read(core_slice reply, fanout_stored *stored);

#endif
