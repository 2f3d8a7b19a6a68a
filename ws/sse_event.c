/* See sse_event.h. */
#include "ws/sse_event.h"

#include "ws/http_response.h"

#include <inttypes.h>

#define PROBLEM_MAX 4096
#define EVENT_EXTRA 256 /* of an event, besides its id and data */

static void event_data(core_buffer *out, core_slice data) {
    core_buffer_text(out, "data: ");
    size_t at = out->length;
    core_buffer_slice_append(out, data);
    if (!core_buffer_ok(out))
        return;
    for (uint8_t *byte = out->data + at; byte < out->data + out->length; byte++)
        if (*byte == '\n' || *byte == '\r')
            *byte = ' ';
    core_buffer_u8(out, '\n');
}

void ws_sse_event_append(core_buffer *out, const ws_sse_event *event) {
    if (event->retry_ms > 0)
        core_buffer_format(out, "retry: %" PRId64 "\n", event->retry_ms);
    if (event->id.length > 0)
        core_buffer_format(out, "id: %.*s\n", CORE_SLICE_ARGS(event->id));
    if (event->name != NULL)
        core_buffer_format(out, "event: %s\n", event->name);
    if (event->data.length > 0)
        event_data(out, event->data);
    core_buffer_u8(out, '\n');
}

core_block *ws_sse_event_block(const ws_sse_event *event) {
    core_buffer text;
    core_buffer_init(&text, EVENT_EXTRA + event->id.length + event->data.length);
    ws_sse_event_append(&text, event);
    core_block *block = core_buffer_ok(&text) ? core_block_copy(core_buffer_slice(&text)) : NULL;
    core_buffer_fini(&text);
    return block;
}

core_block *ws_sse_problem_block(const char *name, unsigned status, const char *detail,
                                 int64_t retry_ms) {
    core_buffer problem;
    core_buffer_init(&problem, PROBLEM_MAX);
    ws_http_problem_append(&problem, status, detail);
    const ws_sse_event event = {
        .name = name, .data = core_buffer_slice(&problem), .retry_ms = retry_ms};
    core_block *block = core_buffer_ok(&problem) ? ws_sse_event_block(&event) : NULL;
    core_buffer_fini(&problem);
    return block;
}

core_block *ws_sse_heartbeat_block(void) {
    return core_block_copy(core_slice_text(":\n\n"));
}
