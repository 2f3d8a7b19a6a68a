/* A stream's query, and behind a line feed its Last-Event-ID: refused with a reason, or bindings
 * that are JSON and that a subscription takes or refuses. */
#include "ws/sse_request.h"
#include "ws/subscription.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void subscribe(core_slice bindings) {
    static const ws_identity identity = {.claims = {.role = "anon"}};
    const ws_subscription_request request = {.protocol = WS_PROTOCOL_2,
                                             .topic = core_slice_text(""),
                                             .identity = &identity,
                                             .postgres_changes = bindings};
    core_error error = {.text = ""};
    core_buffer response;
    core_buffer_init(&response, (size_t)4 << 20);
    ws_subscription *subscription = ws_subscription_new(&request, &response, &error);
    if (subscription == NULL && error.text[0] == '\0')
        abort();
    ws_subscription_free(subscription);
    core_buffer_fini(&response);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const uint8_t *end = size > 0 ? memchr(data, '\n', size) : NULL;
    size_t length = end != NULL ? (size_t)(end - data) : size;
    core_slice id =
        end != NULL ? core_slice_make(end + 1, size - length - 1) : core_slice_make(NULL, 0);
    ws_sse_request request;
    core_error error = {.text = ""};
    if (!ws_sse_request_init(&request, core_slice_make(data, length), id, &error)) {
        if (error.text[0] == '\0')
            abort();
        return 0;
    }
    if (!core_json_valid(core_buffer_slice(&request.bindings)))
        abort();
    subscribe(core_buffer_slice(&request.bindings));
    ws_sse_request_fini(&request);
    return 0;
}
