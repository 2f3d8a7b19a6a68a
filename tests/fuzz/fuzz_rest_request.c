/* A broadcast's request: the first byte says batch or single; of a single one the first three lines
 * are path, query and content type. Refused with a reason, or messages that frames can carry. */
#include "ws/rest_request.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PAYLOAD_MAX 4096

static core_slice line_next(core_slice *text) {
    const uint8_t *end = text->length > 0 ? memchr(text->data, '\n', text->length) : NULL;
    core_slice line = *text;
    if (end == NULL) {
        *text = core_slice_make(NULL, 0);
        return line;
    }
    line.length = (size_t)(end - text->data);
    *text = core_slice_make(end + 1, text->length - line.length - 1);
    return line;
}

static void check_message(const ws_broadcast *broadcast) {
    static const ws_protocol protocols[] = {WS_PROTOCOL_1, WS_PROTOCOL_2};
    if (broadcast->topic.length <= sizeof "realtime:" - 1 ||
        broadcast->topic.length > WS_TOPIC_MAX || !core_utf8_valid(broadcast->topic) ||
        broadcast->event.length == 0 || broadcast->event.length > WS_EVENT_MAX ||
        !core_utf8_valid(broadcast->event) || broadcast->payload.length > PAYLOAD_MAX ||
        (broadcast->json && !core_json_valid(broadcast->payload)) ||
        (broadcast->stored && !broadcast->private_channel))
        abort();
    if (!ws_broadcast_reaches(broadcast, WS_PROTOCOL_2))
        abort();
    for (size_t i = 0; i < CORE_COUNT_OF(protocols); i++) {
        if (!ws_broadcast_reaches(broadcast, protocols[i]))
            continue;
        core_block *frame = ws_broadcast_frame(broadcast, protocols[i]);
        if (frame == NULL)
            abort();
        core_block_release(frame);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0)
        return 0;
    core_slice rest = core_slice_make(data + 1, size - 1);
    ws_rest_request request;
    unsigned status;
    if (data[0] == 'b') {
        status = ws_rest_request_batch(&request, rest, PAYLOAD_MAX);
    } else {
        core_slice path = line_next(&rest), query = line_next(&rest), type = line_next(&rest);
        status = ws_rest_request_single(&request, path, query, type, rest, PAYLOAD_MAX, 0);
    }
    if ((status == 0) != (request.detail[0] == '\0'))
        abort();
    if (request.errors.length > 0 && !core_json_valid(core_buffer_slice(&request.errors)))
        abort();
    if (status == 0 && request.count == 0)
        abort();
    for (size_t i = 0; status == 0 && i < request.count; i++)
        check_message(request.messages[i]);
    ws_rest_request_fini(&request);
    return 0;
}
