/* See message.h. */
#include "triggers/message.h"

#include <stdio.h>
#include <stdlib.h>

enum { PAYLOAD_MAX = 64 * 1024 * 1024 };

/* What NATS could not take now it may take later; what is wrong with the message itself stays. */
static triggers_end_kind kind_of(const triggers_message *message, const core_error *error) {
    if (error == NULL || (error->code == CORE_ERROR_CONFLICT && message->conflict_is_good))
        return TRIGGERS_END_DELIVERED;
    return error->code == CORE_ERROR_LIMIT ? TRIGGERS_END_REFUSED : TRIGGERS_END_FAILED;
}

/* On a thread of the messenger's. */
static void on_completed(fanout_dispatch *dispatch, core_slice answer, const core_error *error) {
    triggers_message *message = dispatch->context;
    triggers_delivery *delivery = message->delivery;
    bool is_theirs = !fanout_messenger_is_away(message->messenger); /* not our connection's */
    (void)answer;
    delivery->word = error == NULL                                      ? NET_BREAKER_GOOD
                     : error->code == CORE_ERROR_TRANSIENT && is_theirs ? NET_BREAKER_BAD
                                                                        : NET_BREAKER_SILENT;
    triggers_delivery_end(delivery, kind_of(message, error), error != NULL ? error->text : "");
}

triggers_message *triggers_message_new(triggers_delivery *delivery) {
    triggers_message *message = calloc(1, sizeof *message);
    if (message == NULL)
        abort(); /* the log makes a new start whole */
    message->delivery = delivery;
    message->dispatch = (fanout_dispatch){.subject = message->subject,
                                          .id = delivery->id,
                                          .headers = message->headers,
                                          .completed = on_completed,
                                          .context = message};
    core_buffer_init(&message->payload, PAYLOAD_MAX);
    (void)snprintf(message->depth, sizeof message->depth, "%u", delivery->task.depth + 1u);
    triggers_message_header(message, "Walcast-Depth", message->depth);
    delivery->made = message;
    return message;
}

void triggers_message_header(triggers_message *message, const char *name, const char *value) {
    assert(message->dispatch.header_count < TRIGGERS_MESSAGE_HEADERS_MAX);
    message->headers[message->dispatch.header_count++] =
        (fanout_header){.name = name, .value = value};
}

void triggers_message_send(triggers_message *message, fanout_messenger *messenger) {
    core_error error = {0};
    message->messenger = messenger;
    if (!fanout_messenger_send(messenger, &message->dispatch, &error))
        triggers_delivery_end(message->delivery, TRIGGERS_END_FAILED, error.text);
}

static bool message_is_away(void *context) {
    const triggers_sender_spec *spec = context;
    return fanout_messenger_is_away(spec->messenger);
}

static void message_done(void *context, triggers_delivery *delivery) {
    triggers_message *message = delivery->made;
    (void)context;
    core_buffer_fini(&message->payload);
    free(message);
    delivery->made = NULL;
}

triggers_sender triggers_message_sender(const triggers_sender_spec *spec, triggers_send send) {
    return (triggers_sender){.context = (void *)(uintptr_t)spec, /* nobody writes to it */
                             .send = send,
                             .done = message_done,
                             .is_away = message_is_away};
}
