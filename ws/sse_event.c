/* See sse_event.h. */
#include "ws/sse_event.h"

#include "ws/http_response.h"

#include <inttypes.h>

#define PROBLEM_MAX 4096
#define HEAD_MAX    256 /* of an event without its data */

static void event_head(core_buffer *out, const ws_sse_event *event) {
    if (event->retry_ms > 0)
        core_buffer_format(out, "retry: %" PRId64 "\n", event->retry_ms);
    if (event->id.length > 0)
        core_buffer_format(out, "id: %.*s\n", CORE_SLICE_ARGS(event->id));
    if (event->name != NULL)
        core_buffer_format(out, "event: %s\n", event->name);
    if (event->data.length > 0)
        core_buffer_text(out, "data: ");
}

/* In one line. */
static void event_data(uint8_t *out, core_slice data) {
    for (size_t i = 0; i < data.length; i++)
        out[i] = data.data[i] == '\n' || data.data[i] == '\r' ? ' ' : data.data[i];
}

core_block *ws_sse_event_block(const ws_sse_event *event) {
    uint8_t memory[HEAD_MAX];
    core_buffer head = core_buffer_over(memory, sizeof memory);
    event_head(&head, event);
    size_t ends = event->data.length > 0 ? 2 : 1;
    core_block *block =
        core_buffer_ok(&head) ? core_block_new(head.length + event->data.length + ends) : NULL;
    if (block == NULL)
        return NULL;
    memcpy(block->bytes, head.data, head.length);
    event_data(block->bytes + head.length, event->data);
    memset(block->bytes + block->length - ends, '\n', ends);
    return block;
}

core_block *ws_sse_problem_block(const char *name, unsigned status, const char *detail,
                                 int64_t retry_ms) {
    core_buffer problem;
    core_buffer_init(&problem, PROBLEM_MAX);
    ws_http_problem_append(&problem, status, detail, NULL);
    const ws_sse_event event = {
        .name = name, .data = core_buffer_slice(&problem), .retry_ms = retry_ms};
    core_block *block = core_buffer_ok(&problem) ? ws_sse_event_block(&event) : NULL;
    core_buffer_fini(&problem);
    return block;
}

core_block *ws_sse_heartbeat_block(void) {
    return core_block_copy(core_slice_text(":\n\n"));
}
