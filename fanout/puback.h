/* JetStream's answer to a publish
 * (https://docs.nats.io/reference/reference-protocols/nats_api_reference,
 * io.nats.jetstream.api.v1.pub_ack_response):
 * {"stream":"S","seq":7} or {"error":{"code":400,"err_code":10071,"description":"..."},...}, with
 * "duplicate":true when the server dropped the message because it knew its id. */
#ifndef WALCAST_FANOUT_PUBACK_H
#define WALCAST_FANOUT_PUBACK_H

#include "core/core.h"

typedef struct {
    core_slice stream;      /* raw, as in the JSON; points into it */
    core_slice description; /* of the error, raw */
    uint64_t sequence;
    uint64_t error_code; /* JetStream's err_code, else HTTP-like code; 0: no error */
    bool duplicate;
} fanout_puback;

/* INPUT error when the bytes are not such an answer. Members that are not known are skipped. */
CORE_MUST_CHECK bool fanout_puback_read(core_slice json, fanout_puback *ack, core_error *error);

#endif
