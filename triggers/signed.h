/* The headers of a request by Standard Webhooks 1.0.0: id, timestamp, signature; those of the
 * endpoint; and the depth that events have which it causes. */
#ifndef WALCAST_TRIGGERS_SIGNED_H
#define WALCAST_TRIGGERS_SIGNED_H

#include "triggers/endpoint.h"

#define TRIGGERS_SIGNATURES_MAX (NET_SIGNING_KEYS_MAX * 48 + 1)

typedef struct {
    net_http_header headers[NET_HTTP_HEADERS_MAX];
    size_t count;
    char timestamp[24];
    char depth[8];
    char signature[TRIGGERS_SIGNATURES_MAX];
} triggers_signed;

/* What is sent now. They point into `made`, `id` and the texts, which must outlive the request.
 * `work` is used while this runs. False: it cannot be signed; an endpoint without keys is not. */
CORE_MUST_CHECK bool triggers_signed_make(triggers_signed *made,
                                          const triggers_endpoint_texts *texts, const char *id,
                                          uint16_t depth, int64_t now_us, core_slice body,
                                          core_buffer *work, core_error *error);

#endif
