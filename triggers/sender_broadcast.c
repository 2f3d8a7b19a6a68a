/* See sender_broadcast.h.
 *
 * One to a private channel is stored for replay, as those from SQL are, and is delivered when the
 * stream has it; its id is made of the delivery's, so receivers tell a second attempt from a second
 * message. One to a public channel is delivered when the server has it, as broadcasts are: at most
 * once from there. */
#include "triggers/sender_broadcast.h"

#include "triggers/body_read.h"
#include "triggers/message.h"

#include <stdio.h>

/* No gateway's: all of them hear it. */
#define NODE "triggers"

enum { TIMEOUT_MS = 10 * 1000 };

/* "msg_" and 32 hexadecimal digits, as a UUID of version 8: made by us. */
static void uuid_of(const char *id, char uuid[CORE_REALTIME_ID_SIZE]) {
    const char *hex = id + sizeof "msg_" - 1;
    (void)snprintf(uuid, CORE_REALTIME_ID_SIZE, "%.8s-%.4s-8%.3s-8%.3s-%.12s", hex, hex + 8,
                   hex + 13, hex + 17, hex + 20);
}

static bool subject_write(const core_config *config, const triggers_definition *definition,
                          triggers_message *message) {
    char project[CORE_SUBJECT_TOKEN_MAX];
    core_subject_scope scope = core_subject_scope_of(config);
    const triggers_broadcast *asked = &definition->broadcast;
    if (!core_slice_to_text(definition->project, project, sizeof project))
        return false;
    scope.project = project;
    return asked->is_private
               ? core_subject_realtime_stored(&scope, asked->channel, message->subject)
               : core_subject_realtime_live(&scope, asked->channel, message->subject);
}

static bool payload_write(const triggers_sender_spec *spec, const triggers_delivery *delivery,
                          core_buffer *out, core_error *error) {
    const triggers_broadcast *asked = &delivery->definition->broadcast;
    size_t max = (size_t)core_config_integer(spec->config, "ws.max_broadcast_bytes");
    triggers_body_parts parts;
    if (!triggers_body_read(delivery->task.body, &parts, error))
        return false;
    if (parts.data.length > max)
        return core_error_set(error, CORE_ERROR_LIMIT,
                              "the payload has %zu bytes; ws.max_broadcast_bytes allows %zu",
                              parts.data.length, max);
    core_realtime_message said = {
        .environment = core_slice_text(core_config_text(spec->config, "environment")),
        .node = core_slice_text(NODE),
        .channel = asked->channel,
        .event = asked->event,
        .payload = parts.data,
        .time_us = core_clock_wall_us(spec->clock),
        .encoding = CORE_REALTIME_JSON,
        .origin = CORE_REALTIME_REST,
        .is_private = asked->is_private};
    if (asked->is_private)
        uuid_of(delivery->id, said.id);
    return core_realtime_message_write(&said, out) ||
           core_error_set(error, CORE_ERROR_LIMIT,
                          "the channel's or the event's name is longer than a broadcast's may be");
}

static void broadcasts_send(void *context, triggers_delivery *delivery,
                            triggers_endpoint *endpoint) {
    const triggers_sender_spec *spec = context;
    core_error error = {0};
    (void)endpoint;
    triggers_message *message = triggers_message_new(delivery);
    if (!subject_write(spec->config, delivery->definition, message)) {
        triggers_delivery_end(delivery, TRIGGERS_END_REFUSED, "the channel's subject is too long");
        return;
    }
    if (!payload_write(spec, delivery, &message->payload, &error)) {
        triggers_delivery_end(delivery, TRIGGERS_END_REFUSED, error.text);
        return;
    }
    message->dispatch.payload = core_buffer_slice(&message->payload);
    message->dispatch.until =
        delivery->definition->broadcast.is_private ? FANOUT_UNTIL_STORED : FANOUT_UNTIL_TAKEN;
    message->dispatch.timeout_ms = TIMEOUT_MS;
    triggers_message_send(message, spec->messenger);
}

bool triggers_broadcast_sender(const triggers_sender_spec *spec, triggers_sender *sender,
                               core_error *error) {
    (void)error;
    *sender = triggers_message_sender(spec, broadcasts_send);
    return true;
}
