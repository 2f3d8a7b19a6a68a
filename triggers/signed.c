/* See signed.h. */
#include "triggers/signed.h"

#include "auth/auth.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    WORK_KEPT_BYTES = 256 * 1024, /* between two requests */
    OWN_HEADERS = 5,
};

static bool signature_make(triggers_signed *made, const triggers_endpoint_texts *texts,
                           const char *id, int64_t now_s, core_slice body, core_buffer *work,
                           core_error *error) {
    core_buffer out = core_buffer_over(made->signature, sizeof made->signature - 1);
    bool ok = net_signature_write(auth_mac, texts->keys, texts->key_count, core_slice_text(id),
                                  now_s, body, work, &out, error);
    if (work->capacity > WORK_KEPT_BYTES)
        core_buffer_fini(work);
    made->signature[out.length] = '\0';
    return ok;
}

bool triggers_signed_make(triggers_signed *made, const triggers_endpoint_texts *texts,
                          const char *id, uint16_t depth, int64_t now_us, core_slice body,
                          core_buffer *work, core_error *error) {
    int64_t now_s = now_us / CORE_US_PER_S;
    size_t count = 0;
    assert(texts->header_count + OWN_HEADERS <= NET_HTTP_HEADERS_MAX);
    (void)snprintf(made->timestamp, sizeof made->timestamp, "%" PRId64, now_s);
    made->headers[count++] = (net_http_header){"Content-Type", "application/json"};
    made->headers[count++] = (net_http_header){"webhook-id", id};
    made->headers[count++] = (net_http_header){"webhook-timestamp", made->timestamp};
    if (texts->key_count > 0)
        made->headers[count++] = (net_http_header){"webhook-signature", made->signature};
    for (size_t i = 0; i < texts->header_count; i++)
        made->headers[count++] = texts->headers[i];
    (void)snprintf(made->depth, sizeof made->depth, "%" PRIu16, depth);
    made->headers[count++] = (net_http_header){"walcast-depth", made->depth};
    made->count = count;
    return texts->key_count == 0 || signature_make(made, texts, id, now_s, body, work, error);
}
