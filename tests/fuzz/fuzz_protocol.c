/* A client's message over any bytes, by both serializers, text and binary; what reads as a join
 * goes on into its configuration and its bindings. The first byte chooses. */
#include "ws/join.h"
#include "ws/subscription.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void subscribe(ws_protocol protocol, core_slice topic, core_slice changes) {
    core_buffer response;
    core_error error = {.text = ""};
    core_buffer_init(&response, 1 << 20);
    static const ws_identity identity = {.references = 1, .claims = {.role = "anon"}};
    ws_subscription_request request = {
        .protocol = protocol, .topic = topic, .identity = &identity, .postgres_changes = changes};
    ws_subscription *subscription = ws_subscription_new(&request, &response, &error);
    if (subscription != NULL && !core_json_valid(core_buffer_slice(&response)) &&
        core_utf8_valid(changes))
        abort();
    if (subscription == NULL && error.text[0] == '\0')
        abort(); /* a refusal says why */
    ws_subscription_free(subscription);
    core_buffer_fini(&response);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    core_buffer scratch;
    ws_message message;
    ws_join join;
    const char *reason = NULL;
    if (size == 0)
        return 0;
    ws_protocol protocol = data[0] & 1 ? WS_PROTOCOL_1 : WS_PROTOCOL_2;
    bool binary = data[0] & 2;
    core_buffer_init(&scratch, WS_PROTOCOL_SCRATCH);
    bool ok = ws_protocol_read(protocol, binary, core_slice_make(data + 1, size - 1), &scratch,
                               &message, &reason);
    if (!ok && reason == NULL)
        abort();
    if (ok && (message.topic.length > WS_TOPIC_MAX || message.event.length > WS_EVENT_MAX))
        abort();
    if (ok && !message.binary && ws_join_read(message.payload, &join, &reason))
        subscribe(protocol, message.topic, join.postgres_changes);
    core_buffer_fini(&scratch);
    return 0;
}
