/* Attempts as realtime broadcasts: what the gateways hear of one another. */
#ifndef WALCAST_TRIGGERS_SENDER_BROADCAST_H
#define WALCAST_TRIGGERS_SENDER_BROADCAST_H

#include "triggers/sender.h"

/* A triggers_sender_maker. */
CORE_MUST_CHECK bool triggers_broadcast_sender(const triggers_sender_spec *spec,
                                               triggers_sender *sender, core_error *error);

#endif
