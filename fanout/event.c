/* Events: published one at a time with headers, each with the server's word; see fanout.h.
 *
 * Happy path: headers, publish, acknowledgement. The size is checked here, since the server closes
 * the connection on a message beyond its max_payload. */
#include "fanout/connection.h"

#include <string.h>

enum {
    HEADER_BLOCK_BYTES = 16, /* "NATS/1.0", its line's end and the empty line's */
    HEADER_LINE_BYTES = 4,   /* ": " and the line's end */
};

static const char id_header[] = "Nats-Msg-Id";

static size_t line_bytes(const char *name, const char *value) {
    return strlen(name) + strlen(value) + HEADER_LINE_BYTES;
}

static size_t event_bytes(const fanout_event *event) {
    size_t bytes = HEADER_BLOCK_BYTES + line_bytes(id_header, event->id) + event->payload.length;
    for (size_t i = 0; i < event->header_count; i++)
        bytes += line_bytes(event->headers[i].name, event->headers[i].value);
    return bytes;
}

static natsStatus event_headers(natsMsg *message, const fanout_event *event) {
    natsStatus status = natsMsgHeader_Set(message, id_header, event->id);
    for (size_t i = 0; status == NATS_OK && i < event->header_count; i++)
        status = natsMsgHeader_Set(message, event->headers[i].name, event->headers[i].value);
    return status;
}

static bool event_fits(const fanout_connection *connection, const fanout_event *event,
                       core_error *error) {
    int64_t max = fanout_connection_max_payload(connection);
    size_t bytes = event_bytes(event);
    return bytes <= (uint64_t)max ||
           core_error_set(error, CORE_ERROR_LIMIT,
                          "an event of %zu bytes for %s exceeds nats-server's max_payload (%lld): "
                          "raise max_payload there",
                          bytes, event->subject, (long long)max);
}

bool fanout_event_store(fanout_connection *connection, const fanout_event *event,
                        uint64_t *sequence, bool *duplicate, core_error *error) {
    natsMsg *message = NULL;
    jsPubAck *ack = NULL;
    jsPubOptions options;
    jsErrCode code = 0;
    *duplicate = false;
    *sequence = 0;
    if (!event_fits(connection, event, error))
        return false;
    natsStatus status = jsPubOptions_Init(&options);
    options.MaxWait = core_config_integer(connection->config, "nats.ack_timeout");
    if (status == NATS_OK)
        status = natsMsg_Create(&message, event->subject, NULL, (const char *)event->payload.data,
                                (int)event->payload.length);
    if (status == NATS_OK)
        status = event_headers(message, event);
    if (status == NATS_OK)
        status = js_PublishMsg(&ack, fanout_jetstream(connection), message, &options, &code);
    if (status == NATS_OK) {
        *duplicate = ack->Duplicate;
        *sequence = ack->Sequence;
    }
    jsPubAck_Destroy(ack);
    natsMsg_Destroy(message);
    return status == NATS_OK ||
           fanout_status_error(error, status, (int)code, "publish to", event->subject);
}

bool fanout_event_publish(fanout_connection *connection, const fanout_event *event, bool *duplicate,
                          core_error *error) {
    uint64_t sequence;
    return fanout_event_store(connection, event, &sequence, duplicate, error);
}

bool fanout_event_last(fanout_connection *connection, const char *stream, const char *subject,
                       const char *header, char *value, size_t value_size, core_error *error) {
    natsMsg *message;
    const char *text = NULL;
    value[0] = '\0';
    if (!fanout_last_message(connection, stream, subject, &message, error))
        return false;
    bool has =
        message != NULL && natsMsgHeader_Get(message, header, &text) == NATS_OK && text != NULL;
    if (has && !core_slice_to_text(core_slice_text(text), value, value_size))
        value[0] = '\0';
    natsMsg_Destroy(message);
    return true;
}

core_slice fanout_message_header(const fanout_message *message, const char *name) {
    const char *value = NULL;
    natsMsg *source = (natsMsg *)(uintptr_t)message->source; /* it keeps what it has parsed */
    if (source == NULL || natsMsgHeader_Get(source, name, &value) != NATS_OK || value == NULL)
        return core_slice_make(NULL, 0);
    return core_slice_text(value);
}
