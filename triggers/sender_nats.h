/* Attempts as messages to a NATS subject, or as requests to whoever listens there. */
#ifndef WALCAST_TRIGGERS_SENDER_NATS_H
#define WALCAST_TRIGGERS_SENDER_NATS_H

#include "triggers/sender.h"

/* A triggers_sender_maker. */
CORE_MUST_CHECK bool triggers_nats_sender(const triggers_sender_spec *spec, triggers_sender *sender,
                                          core_error *error);

#endif
