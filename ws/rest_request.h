/* What a request to /realtime/v1/api/broadcast asks to say: pure text in, broadcasts out.
 *
 *   POST …/api/broadcast                      {"messages":[{"topic","event","payload","private"}]}
 *   POST …/api/broadcast/TOPIC/events/EVENT   JSON or bytes;
 * ?private=true&persist=true|persist[ttl]=S
 *
 * Topics are without "realtime:". TOPIC and EVENT are percent-encoded, so a slash in them is %2F.
 * What would be said otherwise than its sender means is refused: `private` that is no boolean,
 * since the message would be public; persist in a batch or on a public topic; bytes under names
 * that no binary frame can carry. Other parameters are ignored: realtime-js sends its socket's
 * along. */
#ifndef WALCAST_WS_REST_REQUEST_H
#define WALCAST_WS_REST_REQUEST_H

#include "ws/broadcast.h"

#define WS_REST_MESSAGES_MAX 1000 /* of one batch */
#define WS_REST_DETAIL_MAX   512
#define WS_REST_TTL_MAX_S    INT32_MAX

typedef struct {
    size_t count;
    ws_broadcast **messages;         /* each in one piece, to be free()d; NULL: taken out */
    char detail[WS_REST_DETAIL_MAX]; /* why it is refused, for the client */
    core_buffer
        errors; /* the same as JSON, each field's, in the form of Ecto's changesets; or empty */
} ws_rest_request;

/* Both fill `request`, which must be ended either way, and return 0, or the HTTP status that the
 * request is refused with: 400 no JSON, 404 not the path's form, 413 a payload of more than
 * `payload_max` bytes, 415, 422, or 500 when memory is out. */
CORE_MUST_CHECK unsigned ws_rest_request_batch(ws_rest_request *request, core_slice body,
                                               size_t payload_max);
/* What is stored for some time expires that long after `now_us`, since 1970.
 * `path` is what follows "…/api/broadcast/"; `content_type` the header's value, empty for JSON. */
CORE_MUST_CHECK unsigned ws_rest_request_single(ws_rest_request *request, core_slice path,
                                                core_slice query, core_slice content_type,
                                                core_slice body, size_t payload_max,
                                                int64_t now_us);
void ws_rest_request_fini(ws_rest_request *request);

#endif
