/* See sender_nats.h. */
#include "triggers/sender_nats.h"

#include "triggers/message.h"

static void nats_send(void *context, triggers_delivery *delivery, triggers_endpoint *endpoint) {
    const triggers_sender_spec *spec = context;
    const triggers_nats *nats = &delivery->definition->nats;
    triggers_message *message = triggers_message_new(delivery);
    (void)endpoint;
    if (!core_slice_to_text(nats->subject, message->subject, sizeof message->subject)) {
        triggers_delivery_end(delivery, TRIGGERS_END_REFUSED, "the subject is too long");
        return;
    }
    triggers_message_header(message, "Content-Type", "application/json");
    message->dispatch.payload = delivery->task.body;
    message->dispatch.until = nats->request ? FANOUT_UNTIL_ANSWERED : FANOUT_UNTIL_TAKEN;
    message->dispatch.timeout_ms = nats->timeout_ms;
    triggers_message_send(message, spec->messenger);
}

bool triggers_nats_sender(const triggers_sender_spec *spec, triggers_sender *sender,
                          core_error *error) {
    (void)error;
    *sender = triggers_message_sender(spec, nats_send);
    return true;
}
