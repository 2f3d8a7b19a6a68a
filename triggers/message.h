/* An attempt that is one message through the messenger (fanout.h): what the senders of messages,
 * broadcasts, jobs and runs have in common. */
#ifndef WALCAST_TRIGGERS_MESSAGE_H
#define WALCAST_TRIGGERS_MESSAGE_H

#include "triggers/sender.h"

#define TRIGGERS_MESSAGE_HEADERS_MAX 4

/* The delivery's (`made`), from _new to _free. */
typedef struct {
    fanout_dispatch dispatch;
    triggers_delivery *delivery;
    const fanout_messenger *messenger;
    bool conflict_is_good; /* that it is there already is what was wanted */
    fanout_header headers[TRIGGERS_MESSAGE_HEADERS_MAX];
    char subject[CORE_SUBJECT_MAX];
    char depth[8];
    core_buffer payload; /* of its own; empty where the dispatch's is the task's body */
} triggers_message;

/* Aborts when memory is out, as the worker does. The message has the delivery's id and the depth of
 * what it causes; subject and payload are the caller's to fill in. */
triggers_message *triggers_message_new(triggers_delivery *delivery);
/* `value` lives as long as the delivery or its definition. */
void triggers_message_header(triggers_message *message, const char *name, const char *value);
/* Ends the delivery, later or at once. */
void triggers_message_send(triggers_message *message, fanout_messenger *messenger);
/* A sender of messages: its context is the spec, and it has nothing of its own. */
triggers_sender triggers_message_sender(const triggers_sender_spec *spec, triggers_send send);

#endif
